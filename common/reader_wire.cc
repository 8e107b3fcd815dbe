#include "common/reader_wire.h"

#include <fmt/format.h>

namespace tepui {

static_assert(sizeof(wire::Text) == 8);

std::string WirePath::to_text() const {
  std::string text = parent == nullptr ? std::string() : parent->to_text() + ".";
  text += field;
  if (index >= 0) text += fmt::format("[{}]", index);
  return text;
}

WireReader::WireReader(const flatbuffers::Vector<uint8_t>* text) {
  if (text == nullptr) return;
  text_ = std::string_view(reinterpret_cast<const char*>(text->data()), text->size());
}

void WireReader::fail(const WirePath& at, std::string_view what) {
  if (error_) return;
  error_ = Error{.message = fmt::format("{} {}", at.to_text(), what)};
}

std::string_view WireReader::view(const wire::Text* text, const WirePath& at, size_t max_bytes) {
  if (!ok() || text == nullptr) return {};
  if (text->offset() > text_.size() || text->length() > text_.size() - text->offset()) {
    fail(at, fmt::format("runs past the {} bytes of text", text_.size()));
    return {};
  }
  if (text->length() > max_bytes) {
    fail(at, fmt::format("has {} bytes, at most {} are allowed", text->length(), max_bytes));
    return {};
  }
  if (!charge(text->length(), at)) return {};
  return text_.substr(text->offset(), text->length());
}

std::string WireReader::line(const wire::Text* text, const WirePath& at) {
  const std::string_view bytes = view(text, at, limits::kLineBytesMax);
  if (bytes.find('\0') != std::string_view::npos) {
    fail(at, "contains a zero byte");
    return {};
  }
  return std::string(bytes);
}

std::string WireReader::checked_id(const wire::Text* text, const WirePath& at) {
  const std::string_view bytes = view(text, at, limits::kLineBytesMax);
  if (!ok()) return {};
  if (Result<void> valid = validate_id(bytes, "id"); !valid) {
    fail(at, fmt::format("is not valid: {}", valid.error().message));
    return {};
  }
  return std::string(bytes);
}

std::vector<std::string> WireReader::lines(const flatbuffers::Vector<const wire::Text*>* vector,
                                           const WirePath& at) {
  return structs(vector, at,
                 [this](const wire::Text& item, const WirePath& path) { return line(item, path); });
}

std::vector<std::string> WireReader::texts(const flatbuffers::Vector<const wire::Text*>* vector,
                                           const WirePath& at) {
  return structs(vector, at, [this](const wire::Text& item, const WirePath& path) {
    return text(item, path, limits::kTextBytesMax);
  });
}

bool WireReader::check_index(uint32_t index, size_t size, const WirePath& at, const char* what) {
  if (index >= size) {
    fail(at, fmt::format("is {}, beyond the table of {} {}", index, size, what));
  }
  return ok();
}

bool WireReader::check_count(size_t count, size_t max, const WirePath& at, const char* what) {
  if (count > max) {
    fail(at, fmt::format("has {} {}, at most {} are allowed", count, what, max));
  }
  return ok();
}

bool WireReader::charge(size_t bytes, const WirePath& at) {
  if (bytes > budget_) {
    fail(at,
         fmt::format("makes the message unfold to more than {} bytes", limits::kDecodedBytesMax));
    return false;
  }
  budget_ -= bytes;
  return ok();
}

void WireReader::fail_enumeration(uint64_t value, const WirePath& at) {
  fail(at, fmt::format("is {}, which is not known", value));
}

void WireReader::fail_alignment(size_t alignment, const WirePath& at) {
  fail(at, fmt::format("is not aligned to {} bytes", alignment));
}

void WireReader::fail_stretch(size_t size, const WirePath& at, const char* what) {
  fail(at, fmt::format("runs past the table of {} {}", size, what));
}

}  // namespace tepui
