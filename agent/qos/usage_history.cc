#include "agent/qos/usage_history.h"

#include <algorithm>
#include <limits>

namespace tepui {

namespace {

constexpr int64_t kBytesPerKb = 1024;

int64_t per_second(Measured before, Measured after, double secs) {
  if (!before.known() || !after.known() || after.value() < before.value()) return 0;
  return static_cast<int64_t>(static_cast<double>(after.value() - before.value()) / secs);
}

// The place of a reading that is added; those between it and the last one were not measured.
template <class Rows>
auto& next_row(Rows& rows, uint64_t& latest, uint64_t reading) {
  const uint64_t missed = std::min<uint64_t>(reading + 1 - latest, rows.size());
  for (uint64_t each = 0; each < missed; ++each) rows[(reading - each) % rows.size()] = {};
  latest = reading + 1;
  return rows[reading % rows.size()];
}

bool is_kept(uint64_t latest, uint64_t reading) {
  return reading < latest && latest - reading <= kReadingsKept;
}

int32_t narrow(int64_t value) {
  return static_cast<int32_t>(std::clamp<int64_t>(value, 0, std::numeric_limits<int32_t>::max()));
}

}  // namespace

void UsageHistory::add(uint64_t reading, const Sample& sample) {
  Row row{};
  if (before_ && sample.at > before_->at) {
    const double secs = to_secs(sample.at - before_->at);
    const Sample& before = *before_;
    row = {narrow(per_second(before.cpu_usage_ns, sample.cpu_usage_ns, secs) / 1'000'000),
           narrow(sample.memory_bytes.value() / kBytesPerKb),
           narrow((per_second(before.io_read_bytes, sample.io_read_bytes, secs) +
                   per_second(before.io_written_bytes, sample.io_written_bytes, secs)) /
                  kBytesPerKb),
           narrow(per_second(before.net_sent_bytes, sample.net_sent_bytes, secs) / kBytesPerKb)};
  }
  before_ = sample;
  memory_bytes_ = sample.memory_bytes.value();
  next_row(rows_, latest_, reading) = row;
}

int64_t UsageHistory::at(Contended contended, uint64_t reading) const {
  if (!is_kept(latest_, reading)) return 0;
  return rows_[reading % kReadingsKept][static_cast<size_t>(contended)];
}

int64_t UsageHistory::latest(Contended contended) const {
  return latest_ == 0 ? 0 : at(contended, latest_ - 1);
}

int64_t UsageHistory::mean(Contended contended, size_t readings) const {
  if (latest_ == 0) return 0;
  const uint64_t last = latest_ - 1;
  const uint64_t count = std::min<uint64_t>({readings, kReadingsKept, latest_});
  int64_t sum = 0;
  for (uint64_t age = 0; age < count; ++age) sum += at(contended, last - age);
  return count == 0 ? 0 : sum / static_cast<int64_t>(count);
}

void Suffering::add(uint64_t reading, int64_t value, int64_t threshold) {
  int64_t badness = 0;
  if (value > threshold) {
    badness = 1000 - static_cast<int64_t>(1000.0 * static_cast<double>(threshold) /
                                          static_cast<double>(value));
  } else if (threshold > 0) {
    badness =
        static_cast<int64_t>(1000.0 * static_cast<double>(value) / static_cast<double>(threshold)) -
        1000;
  }
  next_row(rows_, latest_, reading) =
      static_cast<int16_t>(std::clamp<int64_t>(badness, -1000, 1000));
}

int64_t Suffering::at(uint64_t reading) const {
  return is_kept(latest_, reading) ? rows_[reading % kReadingsKept] : 0;
}

int64_t blame(const UsageHistory& usage, Contended contended, const Suffering& suffering,
              uint64_t reading) {
  int64_t used_while_bad = 0;
  int64_t bad = 0;
  int64_t used_while_well = 0;
  int64_t well = 0;
  const uint64_t count = std::min<uint64_t>(kReadingsKept, reading + 1);
  for (uint64_t age = 0; age < count; ++age) {
    const int64_t badness = suffering.at(reading - age);
    const int64_t used = usage.at(contended, reading - age);
    if (badness > 0) {
      used_while_bad += used * badness;
      bad += badness;
    } else {
      used_while_well -= used * badness;
      well -= badness;
    }
  }
  if (bad == 0) return 0;
  return used_while_bad / bad - (well == 0 ? 0 : used_while_well / well / 2);
}

}  // namespace tepui
