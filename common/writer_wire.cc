#include "common/writer_wire.h"

#include <xxhash.h>

#include "common/check.h"

namespace tepui {

namespace {
constexpr size_t kInitialBytes = 4096;
constexpr size_t kInitialSpecSlots = 64;
// Longer text hardly repeats, and hashing it costs more than sending it.
constexpr size_t kSharedTextBytesMax = 256;
}  // namespace

WireWriter::WireWriter() : builder_(kInitialBytes), spec_slots_(kInitialSpecSlots) {}

void WireWriter::begin() {
  builder_.Clear();
  text_.clear();
  specs_.clear();
  offsets_.clear();
  seen_.fill(Seen{});
  if (++message_ == 0) {  // the counter came round: no slot may look taken
    for (SpecSlot& slot : spec_slots_) slot = SpecSlot{};
    message_ = 1;
  }
}

wire::Text WireWriter::text(std::string_view text) {
  if (text.empty()) return wire::Text(0, 0);
  CHECK(text.size() <= UINT32_MAX - text_.size());
  const auto length = static_cast<uint32_t>(text.size());
  const auto end = static_cast<uint32_t>(text_.size());
  if (length > kSharedTextBytesMax) {
    text_.append(text);
    return wire::Text(end, length);
  }
  Seen& seen = seen_[XXH3_64bits(text.data(), text.size()) & (seen_.size() - 1)];
  if (seen.length != length || std::string_view(text_).substr(seen.offset, length) != text) {
    text_.append(text);
    seen = Seen{.offset = end, .length = length};
  }
  return wire::Text(seen.offset, length);
}

const wire::Text* WireWriter::field(std::string_view text_of_field) {
  if (text_of_field.empty()) return nullptr;
  field_ = text(text_of_field);
  return &field_;
}

uint32_t WireWriter::spec(const TaskSpec* spec) {
  CHECK(spec != nullptr);
  SpecSlot* slot = &find_spec_slot(spec);
  if (slot->message == message_) return slot->number;
  if (2 * (specs_.size() + 1) > spec_slots_.size()) {
    grow_spec_slots();
    slot = &find_spec_slot(spec);
  }
  const auto number = static_cast<uint32_t>(specs_.size());
  *slot = SpecSlot{.spec = spec, .number = number, .message = message_};
  specs_.push_back(spec);
  return number;
}

WireWriter::SpecSlot& WireWriter::find_spec_slot(const TaskSpec* spec) {
  const auto address = reinterpret_cast<uintptr_t>(spec);
  size_t i = XXH3_64bits(&address, sizeof(address));
  for (;; ++i) {
    SpecSlot& slot = spec_slots_[i & (spec_slots_.size() - 1)];
    if (slot.message != message_ || slot.spec == spec) return slot;
  }
}

void WireWriter::grow_spec_slots() {
  spec_slots_.assign(2 * spec_slots_.size(), SpecSlot{});
  for (uint32_t number = 0; number < specs_.size(); ++number) {
    find_spec_slot(specs_[number]) =
        SpecSlot{.spec = specs_[number], .number = number, .message = message_};
  }
}

StructVector<wire::Text> WireWriter::texts(const std::vector<std::string>& texts) {
  return structs<wire::Text>(texts, [this](const std::string& item) { return text(item); });
}

flatbuffers::Offset<flatbuffers::Vector<uint8_t>> WireWriter::finish_text() {
  if (text_.empty()) return 0;
  return builder_.CreateVector(reinterpret_cast<const uint8_t*>(text_.data()), text_.size());
}

}  // namespace tepui
