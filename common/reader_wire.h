#pragma once
// WireReader is what the decoders of one message share: the blob of text, the first thing that was
// wrong, and the work that this message may still cause.
//
// The first error stays; after it every read answers an empty value at once, so decoders read
// straight on and ask ok() in loops and at the end. A message of a few bytes must not unfold into
// gigabytes (text and tables can be referred to many times), so everything that is built is charged
// against limits::kDecodedBytesMax.
//
// Pure.

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/ids.h"
#include "common/limits.h"
#include "common/result.h"
#include "common/time.h"
#include "schemas/common_generated.h"

namespace tepui {

// Where in a message: "accepts.specs[3].command". Links point to callers' frames and are walked
// only when something was wrong.
struct WirePath {
  const WirePath* parent = nullptr;
  const char* field = "";
  int64_t index = -1;

  WirePath operator/(const char* child) const { return {this, child, -1}; }
  WirePath operator[](size_t i) const { return {parent, field, static_cast<int64_t>(i)}; }
  std::string to_text() const;
};

class WireReader {
 public:
  explicit WireReader(const flatbuffers::Vector<uint8_t>* text);

  bool ok() const { return !error_; }
  void fail(const WirePath& at, std::string_view what);
  Error take_error() { return *std::move(error_); }

  // Bytes of any value, for whoever validates them; absent is empty.
  std::string text(const wire::Text* text, const WirePath& at, size_t max_bytes) {
    return std::string(view(text, at, max_bytes));
  }
  std::string text(const wire::Text& text_, const WirePath& at, size_t max_bytes) {
    return text(&text_, at, max_bytes);
  }
  // A name, a path, a line: up to limits::kLineBytesMax and no zero byte, for it may become a C
  // string.
  std::string line(const wire::Text* text, const WirePath& at);
  std::string line(const wire::Text& text, const WirePath& at) { return line(&text, at); }

  // An id with the syntax that all ids share.
  template <class Id>
  Id id(const wire::Text* text, const WirePath& at) {
    return Id{checked_id(text, at)};
  }
  template <class Id>
  Id id(const wire::Text& text, const WirePath& at) {
    return Id{checked_id(&text, at)};
  }
  // The same, or nothing.
  template <class Id>
  Id optional_id(const wire::Text* text, const WirePath& at) {
    return text == nullptr || text->length() == 0 ? Id{} : id<Id>(text, at);
  }
  template <class Id>
  Id optional_id(const wire::Text& text, const WirePath& at) {
    return optional_id<Id>(&text, at);
  }

  // A wire enum that has its numbers from 0 to count - 1 in common with ours.
  template <class Ours, class Theirs>
  Ours enumeration(Theirs value, int count, const WirePath& at) {
    if (static_cast<int64_t>(value) >= count) fail_enumeration(static_cast<uint64_t>(value), at);
    return ok() ? static_cast<Ours>(value) : Ours{};
  }

  // The elements of a vector of structs. The verifier has seen that they lie within the message,
  // but not that they are aligned.
  template <class T>
  std::span<const T> items(const flatbuffers::Vector<const T*>* vector, const WirePath& at) {
    return span<T>(vector == nullptr ? nullptr : vector->Data(), size(vector), at);
  }
  std::span<const uint64_t> items(const flatbuffers::Vector<uint64_t>* vector, const WirePath& at) {
    return span<uint64_t>(vector == nullptr ? nullptr : vector->Data(), size(vector), at);
  }

  // Elements of a vector of tables, one after the other: read(table, path).
  template <class T, class Read>
  auto tables(const flatbuffers::Vector<flatbuffers::Offset<T>>* vector, const WirePath& at,
              Read read) {
    using Item = decltype(read(std::declval<const T&>(), at));
    std::vector<Item> result;
    if (vector == nullptr || !charge(size_t{vector->size()} * sizeof(Item), at)) return result;
    result.reserve(vector->size());
    for (uint32_t i = 0; i < vector->size() && ok(); ++i) {
      result.push_back(read(*vector->Get(i), at[i]));
    }
    return result;
  }
  // The same of a vector of structs: read(item, path).
  template <class T, class Read>
  auto structs(const flatbuffers::Vector<const T*>* vector, const WirePath& at, Read read) {
    using Item = decltype(read(std::declval<const T&>(), at));
    std::vector<Item> result;
    const std::span<const T> source = items(vector, at);
    if (!charge(source.size() * sizeof(Item), at)) return result;
    result.reserve(source.size());
    for (size_t i = 0; i < source.size() && ok(); ++i) result.push_back(read(source[i], at[i]));
    return result;
  }
  std::vector<std::string> lines(const flatbuffers::Vector<const wire::Text*>* vector,
                                 const WirePath& at);
  std::vector<std::string> texts(const flatbuffers::Vector<const wire::Text*>* vector,
                                 const WirePath& at);

  // The stretch [first, first + count) of a table, or an error that names `count_field`.
  template <class T>
  std::span<const T> stretch(std::span<const T> table, uint32_t first, uint32_t count,
                             const WirePath& count_field, const char* what) {
    if (first > table.size() || count > table.size() - first) {
      fail_stretch(table.size(), count_field, what);
    }
    return ok() ? table.subspan(first, count) : std::span<const T>{};
  }
  bool check_index(uint32_t index, size_t size, const WirePath& at, const char* what);
  bool check_count(size_t count, size_t max, const WirePath& at, const char* what);

  // Says that so many bytes are about to be built; false when there were too many.
  bool charge(size_t bytes, const WirePath& at);

 private:
  template <class V>
  static size_t size(const V* vector) {
    return vector == nullptr ? 0 : vector->size();
  }
  template <class T>
  std::span<const T> span(const void* data, size_t count, const WirePath& at) {
    const bool aligned = count == 0 || reinterpret_cast<uintptr_t>(data) % alignof(T) == 0;
    if (!aligned) fail_alignment(alignof(T), at);
    return ok() ? std::span<const T>(static_cast<const T*>(data), count) : std::span<const T>{};
  }
  std::string_view view(const wire::Text* text, const WirePath& at, size_t max_bytes);
  std::string checked_id(const wire::Text* text, const WirePath& at);
  void fail_enumeration(uint64_t value, const WirePath& at);
  void fail_alignment(size_t alignment, const WirePath& at);
  void fail_stretch(size_t size, const WirePath& at, const char* what);

  std::string_view text_;
  size_t budget_ = limits::kDecodedBytesMax;
  std::optional<Error> error_;
};

}  // namespace tepui
