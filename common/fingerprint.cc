#include "common/fingerprint.h"

#include <xxhash.h>

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tepui {

namespace {

// Everything in one row, each text and list behind its length, so that no two values look alike.
class Row {
 public:
  Row() { bytes_.reserve(kUsualBytes); }

  void add(uint64_t number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  void add(std::string_view text) {
    add(uint64_t{text.size()});
    bytes_ += text;
  }
  void add(const std::string& text) { add(std::string_view(text)); }
  void add(int64_t number) { add(static_cast<uint64_t>(number)); }
  void add(bool flag) { add(uint64_t{flag}); }
  void add(const Range& range) {
    add(range.first);
    add(range.last);
  }
  void add(const Label& label) {
    add(label.key);
    add(label.value);
  }
  void add(const Reservation& reservation) {
    add(static_cast<uint64_t>(reservation.type));
    add(reservation.role);
    add(reservation.principal);
    add(reservation.labels);
  }
  void add(const std::optional<Disk>& disk) {
    add(disk.has_value());
    if (!disk) return;
    add(static_cast<uint64_t>(disk->source));
    add(disk->source_root);
    add(disk->persistence_id);
    add(disk->principal);
    add(disk->container_path);
    add(disk->read_only);
  }
  void add(const Resource& resource) {
    add(resource.kind->name);
    add(resource.kind->reservations);
    add(resource.kind->disk);
    add(resource.kind->revocable);
    add(resource.kind->shared);
    add_any(resource.amount);
    add(uint64_t{resource.shares});
  }
  void add(const Attribute& attribute) {
    add(attribute.name);
    add_any(attribute.value);
  }
  template <class T>
  void add(const std::vector<T>& items) {
    add(uint64_t{items.size()});
    for (const T& item : items) add(item);
  }
  template <class... T>
  void add_any(const std::variant<T...>& value) {
    add(uint64_t{value.index()});
    std::visit([this](const auto& one) { add(one); }, value);
  }

  uint64_t hash() const { return XXH3_64bits(bytes_.data(), bytes_.size()); }

 private:
  static constexpr size_t kUsualBytes = 1024;
  std::string bytes_;
};

}  // namespace

uint64_t fingerprint(const AgentInfo& info) {
  Row row;
  row.add(info.id.value);
  row.add(info.hostname);
  row.add(info.address);
  row.add(uint64_t{info.resources.items().size()});
  for (const Resource& resource : info.resources.items()) row.add(resource);
  row.add(info.attributes);
  row.add(info.domain.region);
  row.add(info.domain.zone);
  row.add(info.version);
  row.add(info.controllers);
  row.add(info.degraded);
  return row.hash();
}

}  // namespace tepui
