#pragma once
// WireWriter is what the encoders share: the FlatBufferBuilder, the blob of text of the message
// that is being built, the specs it names, and scratch space. All of it is kept from message to
// message, so that encoding allocates nothing once it has seen the largest message.
//
// Pure.

#include <flatbuffers/flatbuffers.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/check.h"
#include "common/tasks.h"
#include "common/time.h"
#include "schemas/common_generated.h"

namespace tepui {

template <class T>
using TableVector = flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<T>>>;
template <class T>
using StructVector = flatbuffers::Offset<flatbuffers::Vector<const T*>>;

class WireWriter {
 public:
  WireWriter();

  void begin();
  flatbuffers::FlatBufferBuilder& builder() { return builder_; }

  // Puts text into the blob; short text that was seen recently is found again.
  wire::Text text(std::string_view text);
  // The same for a field of a table: null if empty, else valid until the next call.
  const wire::Text* field(std::string_view text);

  // The number of this spec in the message; writes nothing yet.
  uint32_t spec(const TaskSpec* spec);
  std::span<const TaskSpec* const> specs() const { return specs_; }

  // A vector of tables: write(item) makes one. Nothing is written for none.
  template <class T, class Items, class Write>
  TableVector<T> tables(const Items& items, Write write) {
    return tables_if<T>(items, [](const auto&) { return true; }, write);
  }
  template <class T, class Items, class Keep, class Write>
  TableVector<T> tables_if(const Items& items, Keep keep, Write write) {
    const size_t base = offsets_.size();
    for (const auto& item : items) {
      if (keep(item)) offsets_.push_back(write(item).o);
    }
    return end_tables<T>(base);
  }
  // Those written since `base`.
  template <class T>
  TableVector<T> end_tables(size_t base) {
    const size_t count = offsets_.size() - base;
    if (count == 0) return 0;
    builder_.StartVector(count, sizeof(flatbuffers::Offset<T>));
    for (size_t i = offsets_.size(); i > base; --i) {
      builder_.PushElement(flatbuffers::Offset<T>(offsets_[i - 1]));
    }
    offsets_.resize(base);
    return TableVector<T>(builder_.EndVector(count));
  }
  // Tables that come from nested lists: each(put) puts them one by one.
  template <class T, class Each>
  TableVector<T> tables_of(Each each) {
    const size_t base = offsets_.size();
    each([this](flatbuffers::Offset<T> table) { offsets_.push_back(table.o); });
    return end_tables<T>(base);
  }
  // Vectors of structs, in place: write(item) answers one. It must not touch the builder.
  template <class T, class Items, class Write>
  StructVector<T> structs(const Items& items, Write write) {
    if (items.empty()) return 0;
    auto item = items.begin();
    // With a state argument, for without one the filler becomes a std::function, which allocates.
    return builder_.CreateVectorOfStructs<T>(
        items.size(), [&write](size_t, T* out, auto* next) { *out = write(*(*next)++); }, &item);
  }
  // A vector of `count` structs or numbers that come from nested lists: fill(put) puts them one by
  // one.
  template <class T, class Fill>
  auto filled(size_t count, Fill fill) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= alignof(uint64_t));
    const size_t words = (count * sizeof(T) + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    if (scratch_.size() < words) scratch_.resize(words);
    T* const begin = reinterpret_cast<T*>(scratch_.data());
    T* end = begin;
    fill([&end](const T& item) { std::construct_at(end++, item); });
    CHECK(end == begin + count);
    if constexpr (std::is_scalar_v<T>) {
      using Vector = flatbuffers::Offset<flatbuffers::Vector<T>>;
      return count == 0 ? Vector(0) : builder_.CreateVector(begin, count);
    } else {
      return count == 0 ? StructVector<T>(0) : builder_.CreateVectorOfStructs(begin, count);
    }
  }
  StructVector<wire::Text> texts(const std::vector<std::string>& texts);

  // The text of the message; call it when all else is written.
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> finish_text();

 private:
  struct Seen {
    uint32_t offset = 0;
    uint32_t length = 0;  // 0: nothing here
  };
  // Every spec of the message by address, open addressing; looked up, never walked.
  struct SpecSlot {
    const TaskSpec* spec = nullptr;
    uint32_t number = 0;
    uint32_t message = 0;  // the slot is taken if this is the message under way
  };
  static constexpr size_t kSeenBits = 8;

  void grow_spec_slots();
  SpecSlot& find_spec_slot(const TaskSpec* spec);

  flatbuffers::FlatBufferBuilder builder_;
  std::string text_;
  std::array<Seen, size_t{1} << kSeenBits> seen_{};
  wire::Text field_;
  std::vector<const TaskSpec*> specs_;
  std::vector<SpecSlot> spec_slots_;
  uint32_t message_ = 0;
  std::vector<flatbuffers::uoffset_t> offsets_;
  std::vector<uint64_t> scratch_;
};

}  // namespace tepui
