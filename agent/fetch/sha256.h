#pragma once
// SHA-256 of what comes in pieces.

#include <memory>
#include <span>
#include <string>

#include "common/result.h"

struct evp_md_ctx_st;

namespace tepui {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::span<const char> bytes);
  // 64 digits. Once, at the end.
  std::string digits();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// Of all that is in a file, from its beginning.
Result<std::string> sha256_of_file(int fd);

}  // namespace tepui
