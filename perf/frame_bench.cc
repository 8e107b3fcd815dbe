// What a frame and the hot messages in it cost, against the plain alternatives: frames against a
// length and a copy; offers in a batch of structs against one table an offer (what the operator's
// listing uses); status updates against printed JSON and against a plain copy.

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/frame.h"
#include "common/wire.h"
#include "perf/report.h"

namespace tepui::perf {
namespace {

using Bytes = std::vector<std::byte>;

constexpr uint32_t kRounds = 20;
const Metric kNanoseconds{.unit = "ns", .better = Better::kLower};
const Metric kBytes{.unit = "bytes", .better = Better::kLower};

// Written so that no work is optimised away.
volatile size_t sink = 0;

// Nanoseconds for each of `items`, of `repeat` calls that handle so many.
template <class Work>
double nanoseconds_each(size_t items, int repeat, Work work) {
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < repeat; ++i) sink = sink + work();
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - started;
  return taken.count() / static_cast<double>(items) / repeat;
}

template <class Work>
Subject each(std::string name, size_t items, int repeat, Work work) {
  return {std::move(name),
          [items, repeat, work]() { return nanoseconds_each(items, repeat, work); }};
}

Subject size_each(std::string name, size_t items, size_t bytes) {
  const double value = static_cast<double>(bytes) / static_cast<double>(items);
  return {std::move(name), [value]() { return value; }};
}

// ---------------------------------------------------------------------------------------- frames

constexpr size_t kFrames = 1000;
constexpr size_t kPayloadBytes = 256;
constexpr size_t kChunkBytes = 64 << 10;

// Both write into a buffer that has grown to its size, as a link's queue has.
size_t write_framed(Bytes& stream, const Bytes& payload) {
  stream.clear();
  for (uint32_t i = 0; i < kFrames; ++i) {
    append_frame(stream,
                 {.type = static_cast<uint8_t>(Conversation::kScheduler),
                  .length = static_cast<uint32_t>(payload.size()),
                  .sequence = i},
                 payload);
  }
  return stream.size();
}

size_t write_prefixed(Bytes& stream, const Bytes& payload) {
  stream.clear();
  for (size_t i = 0; i < kFrames; ++i) {
    const auto length = static_cast<uint32_t>(payload.size());
    const auto bytes = std::as_bytes(std::span(&length, 1));
    stream.insert(stream.end(), bytes.begin(), bytes.end());
    stream.insert(stream.end(), payload.begin(), payload.end());
  }
  return stream.size();
}

size_t parse_framed(std::span<const std::byte> stream) {
  FrameParser parser;
  size_t frames = 0;
  while (!stream.empty()) {
    const auto chunk = stream.first(std::min(kChunkBytes, stream.size()));
    stream = stream.subspan(chunk.size());
    parser.feed(chunk);
    for (;;) {
      const auto next = parser.next();
      if (!next.has_value() || !next->has_value()) break;
      ++frames;
    }
  }
  CHECK(frames == kFrames);
  return frames;
}

// A length, and a buffer for each payload.
size_t parse_prefixed(std::span<const std::byte> stream) {
  Bytes pending;
  size_t frames = 0;
  while (!stream.empty()) {
    const auto chunk = stream.first(std::min(kChunkBytes, stream.size()));
    stream = stream.subspan(chunk.size());
    pending.insert(pending.end(), chunk.begin(), chunk.end());
    size_t at = 0;
    for (uint32_t length = 0; pending.size() - at >= sizeof(length);) {
      std::memcpy(&length, pending.data() + at, sizeof(length));
      if (pending.size() - at - sizeof(length) < length) break;
      const std::byte* begin = pending.data() + at + sizeof(length);
      const Bytes payload(begin, begin + length);
      sink = sink + payload.size();
      at += sizeof(length) + length;
      ++frames;
    }
    pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(at));
  }
  CHECK(frames == kFrames);
  return frames;
}

void measure_frames(Report& report) {
  const Bytes payload(kPayloadBytes, std::byte{7});
  Bytes with_frames;
  Bytes with_lengths;
  report.compare(
      kNanoseconds,
      each("frame/encode/256", kFrames, 50, [&]() { return write_framed(with_frames, payload); }),
      each("length and payload", kFrames, 50,
           [&]() { return write_prefixed(with_lengths, payload); }),
      kRounds);
  report.compare(
      kNanoseconds,
      each("frame/decode/256", kFrames, 50, [with_frames]() { return parse_framed(with_frames); }),
      each("length and a buffer each", kFrames, 50,
           [with_lengths]() { return parse_prefixed(with_lengths); }),
      kRounds);
}

// ---------------------------------------------------------------------------------------- offers

constexpr size_t kOffers = 1024;

Resources shape(size_t i) {
  return Resources::scalars({{"cpus", 1000 * static_cast<int64_t>(1 + i % 8)},
                             {"mem", 1024000 * static_cast<int64_t>(1 + i % 8)},
                             {"disk", 10240000}});
}

// Offers of agents that the session knows already, in eight shapes.
OfferBatch batch() {
  OfferBatch batch{.roles = {"eng/search"}};
  for (size_t i = 0; i < 8; ++i) batch.shapes.push_back(shape(i));
  for (size_t i = 0; i < kOffers; ++i) {
    batch.offers.push_back({.id = OfferId{i + 1},
                            .agent = static_cast<uint32_t>(i),
                            .role = 0,
                            .shape = static_cast<uint32_t>(i % 8)});
  }
  return batch;
}

ListReply table_each() {
  ListReply reply;
  for (size_t i = 0; i < kOffers; ++i) {
    reply.rows.offers.push_back({.id = OfferId{i + 1},
                                 .framework_id = {"7f3a9c12-e3-f12"},
                                 .agent_id = {fmt::format("7f3a9c12-e3-a{}", i)},
                                 .role = "eng/search",
                                 .resources = shape(i)});
  }
  return reply;
}

void measure_offers(Report& report) {
  const MasterToScheduler structs = batch();
  const ServerToOperator tables = table_each();
  Encoder encoder;
  report.compare(
      kNanoseconds,
      each("wire/offer/encode", kOffers, 20, [&]() { return encoder.encode(1, structs).size(); }),
      each("a table each", kOffers, 20, [&]() { return encoder.encode(1, tables).size(); }),
      kRounds);
  const auto copy = [](std::span<const std::byte> bytes) {
    return Bytes(bytes.begin(), bytes.end());
  };
  const Bytes with_structs = copy(encoder.encode(1, structs));
  const Bytes with_tables = copy(encoder.encode(1, tables));
  report.compare(kNanoseconds,
                 each("wire/offer/decode", kOffers, 20,
                      [&]() { return size_t{decode_master_to_scheduler(with_structs)->session}; }),
                 each("a table each", kOffers, 20,
                      [&]() { return size_t{decode_server_to_operator(with_tables)->session}; }),
                 kRounds);
  report.compare(kBytes, size_each("wire/offer/size", kOffers, with_structs.size()),
                 size_each("a table each", kOffers, with_tables.size()), 1);
}

// --------------------------------------------------------------------------------------- updates

constexpr size_t kStatuses = 1000;

Updates updates() {
  Updates updates;
  for (size_t i = 0; i < kStatuses; ++i) {
    updates.statuses.push_back({.task_id = {fmt::format("job-17.{}", i)},
                                .state = TaskState::kFinished,
                                .source = TaskSource::kExecutor,
                                .reason = TaskReason::kNone,
                                .uuid = {.high = i + 1, .low = ~i},
                                .agent_id = {"7f3a9c12-e3-a17"},
                                .container_id = {fmt::format("c{}", i)},
                                .timestamp = WallTime(Duration(1'790'000'000'000'000'000)),
                                .exit_status = 0});
  }
  return updates;
}

std::string to_json(const Updates& updates) {
  std::string text = "[";
  for (const TaskStatus& status : updates.statuses) {
    fmt::format_to(std::back_inserter(text),
                   R"({{"task_id":"{}","state":"{}","source":"{}","uuid":"{}","agent_id":"{}",)"
                   R"("container_id":"{}","timestamp_ns":{},"exit_status":{}}},)",
                   status.task_id.value, to_text(status.state), to_text(status.source),
                   to_text(status.uuid), status.agent_id.value, status.container_id.value,
                   to_ns(status.timestamp), *status.exit_status);
  }
  text.back() = ']';
  return text;
}

// Decoding is held against the least that any decoder must do: make the structs.
void measure_updates(Report& report) {
  const Updates statuses = updates();
  const MasterToScheduler message = statuses;
  Encoder encoder;
  report.compare(kNanoseconds,
                 each("wire/status/encode", kStatuses, 20,
                      [&]() { return encoder.encode(1, message).size(); }),
                 each("printed as JSON", kStatuses, 20, [&]() { return to_json(statuses).size(); }),
                 kRounds);
  const auto bytes = encoder.encode(1, message);
  const Bytes encoded(bytes.begin(), bytes.end());
  report.compare(kNanoseconds,
                 each("wire/status/decode", kStatuses, 20,
                      [&]() { return size_t{decode_master_to_scheduler(encoded)->session}; }),
                 each("a copy of the structs", kStatuses, 20,
                      [&]() { return Updates(statuses).statuses.size(); }),
                 kRounds);
  report.compare(kBytes, size_each("wire/status/size", kStatuses, encoded.size()),
                 size_each("printed as JSON", kStatuses, to_json(statuses).size()), 1);
}

}  // namespace
}  // namespace tepui::perf

int main() {
  tepui::perf::Report report("frame");
  tepui::perf::measure_frames(report);
  tepui::perf::measure_offers(report);
  tepui::perf::measure_updates(report);
  return report.finish();
}
