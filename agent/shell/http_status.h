#pragma once
// HttpStatus reads the status code of an HTTP response that comes in pieces, and nothing else of
// it.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/result.h"

namespace tepui {

class HttpStatus {
 public:
  HttpStatus();
  ~HttpStatus();
  HttpStatus(const HttpStatus&) = delete;
  HttpStatus& operator=(const HttpStatus&) = delete;

  // The code, once the header is whole; nothing yet; or what is wrong with the response.
  Result<std::optional<int32_t>> feed(std::span<const std::byte> bytes);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace tepui
