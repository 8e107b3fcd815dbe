#include "agent/shell/http_status.h"

#include <http_parser.h>

namespace tepui {

struct HttpStatus::Parser {
  http_parser parser{};
  std::optional<int32_t> status;
};

HttpStatus::HttpStatus() : parser_(std::make_unique<Parser>()) {
  http_parser_init(&parser_->parser, HTTP_RESPONSE);
  parser_->parser.data = parser_.get();
}

HttpStatus::~HttpStatus() = default;

Result<std::optional<int32_t>> HttpStatus::feed(std::span<const std::byte> bytes) {
  http_parser_settings settings{};
  settings.on_headers_complete = [](http_parser* parser) {
    static_cast<Parser*>(parser->data)->status = static_cast<int32_t>(parser->status_code);
    return 1;  // there is no interest in a body
  };
  http_parser& parser = parser_->parser;
  http_parser_execute(&parser, &settings, reinterpret_cast<const char*>(bytes.data()),
                      bytes.size());
  const auto error = HTTP_PARSER_ERRNO(&parser);
  if (!parser_->status && error != HPE_OK) {
    return fail(std::string("not an HTTP response: ") + http_errno_description(error));
  }
  return parser_->status;
}

}  // namespace tepui
