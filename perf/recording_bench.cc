// What keeping a sample on disk takes, in bytes and in processor time, against the plain
// alternatives in the same run: the structs as they are in memory, and lines of JSON. For
// containers that do nothing, and for busy ones of which most counts move.

#include <fmt/format.h>
#include <xxhash.h>

#include <chrono>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "agent/recording_reader.h"
#include "agent/recording_writer.h"
#include "agent/sample_fields.h"
#include "common/check.h"
#include "common/rng.h"
#include "perf/report.h"

namespace tepui::perf {
namespace {

constexpr uint32_t kContainers = 1000;
constexpr int64_t kSamplings = 120;
constexpr uint32_t kRounds = 5;
const Metric kNanoseconds{.unit = "ns", .better = Better::kLower};
const Metric kBytes{.unit = "bytes", .better = Better::kLower};

enum class Load : uint8_t { kIdle, kBusy };

using Sampling = std::vector<tepui::Sample>;

// Of one container after another: sums that grow by what a second brings, levels that move.
std::vector<Sampling> samplings(Load load) {
  Rng rng(11);
  const auto up_to = [&rng](uint64_t max) { return static_cast<int64_t>(rng.next() % max); };
  std::vector<Sampling> all;
  Sampling now(kContainers);
  for (tepui::Sample& sample : now) {
    for (const SampleField& field : kSampleFields) {
      sample.*field.member = up_to(1'000'000'000'000);
    }
  }
  for (int64_t second = 0; second < kSamplings; ++second) {
    for (tepui::Sample& sample : now) {
      sample.at = Instant(std::chrono::seconds(second));
      if (load == Load::kIdle) continue;
      const auto add = [](Measured& count, int64_t more) { count = count.value() + more; };
      add(sample.cpu_usage_ns, up_to(1'000'000'000));
      add(sample.cpu_user_ns, up_to(900'000'000));
      add(sample.cpu_system_ns, up_to(100'000'000));
      add(sample.on_cpu_ns, up_to(1'000'000'000));
      add(sample.switches_voluntary, up_to(5000));
      add(sample.switches_forced, up_to(500));
      add(sample.run_queue_waits, up_to(5000));
      add(sample.run_queue_wait_ns, up_to(100'000'000));
      sample.run_queue_p50_ns = up_to(50'000);
      sample.run_queue_p99_ns = up_to(5'000'000);
      add(sample.cpu_some_ns, up_to(200'000'000));
      add(sample.memory_bytes, up_to(1 << 20));
      add(sample.page_faults, up_to(2000));
      add(sample.net_received_bytes, up_to(10'000'000));
      add(sample.net_received_packets, up_to(10'000));
      add(sample.net_sent_bytes, up_to(10'000'000));
      add(sample.net_sent_packets, up_to(10'000));
      add(sample.io_written_bytes, up_to(5'000'000));
      add(sample.io_writes, up_to(200));
    }
    all.push_back(now);
  }
  return all;
}

Now at(int64_t second) {
  return {.mono = Instant(std::chrono::seconds(second)),
          .wall = WallTime(std::chrono::seconds(1'800'000'000 + second))};
}

// A segment: the agent, the containers, then all samplings.
std::vector<std::byte>& record(RecordingWriter& writer, const std::vector<Sampling>& all) {
  writer.bytes().clear();
  writer.begin_segment(at(0), {.id = {"a"}, .hostname = "node1", .boot_id = "b", .total = {}});
  for (uint32_t number = 1; number <= kContainers; ++number) {
    ContainerFacts facts{.id = {fmt::format("c{}", number)},
                         .framework_id = {"f1"},
                         .framework_name = "search",
                         .executor_id = {fmt::format("leaf.{}", number)},
                         .executor_name = {},
                         .executor_resources = {},
                         .tasks = {}};
    facts.tasks.push_back({.id = {fmt::format("leaf.{}", number)},
                           .name = "leaf",
                           .role = "eng/search",
                           .resources = Resources::scalars({{"cpus", 1000}, {"mem", 64'000}}),
                           .limits = {}});
    writer.state(at(0), {.number = number, .facts = std::move(facts)});
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (uint32_t c = 0; c < kContainers; ++c) writer.add(c + 1, all[i][c]);
    writer.finish(at(static_cast<int64_t>(i)));
  }
  return writer.bytes();
}

// With a checksum for each sampling, as the recording has one.
size_t copy_structs(std::vector<std::byte>& out, const std::vector<Sampling>& all) {
  out.clear();
  for (const Sampling& sampling : all) {
    const auto bytes = std::as_bytes(std::span(sampling));
    const uint64_t check = XXH64(bytes.data(), bytes.size(), 0);
    const auto* check_bytes = reinterpret_cast<const std::byte*>(&check);
    out.insert(out.end(), check_bytes, check_bytes + sizeof check);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  return out.size();
}

size_t print_json(std::string& out, const std::vector<Sampling>& all) {
  out.clear();
  auto end = std::back_inserter(out);
  for (const Sampling& sampling : all) {
    for (uint32_t c = 0; c < kContainers; ++c) {
      fmt::format_to(end, R"({{"container":"c{}","at_ns":{})", c + 1, to_ns(sampling[c].at));
      for (const SampleField& field : kSampleFields) {
        fmt::format_to(end, R"(,"{}":{})", field.name, (sampling[c].*field.member).value());
      }
      out += "}\n";
    }
  }
  return out.size();
}

size_t read_back(std::span<const std::byte> segment) {
  RecordingReader reader(segment);
  size_t samples = 0;
  while (true) {
    const auto item = reader.next();
    CHECK(item.has_value());
    if (!item->has_value()) return samples;
    if (const auto* one = std::get_if<recorded::Samples>(&(*item)->entry)) {
      samples += one->samples.size();
    }
  }
}

// Written so that no work is optimised away.
volatile size_t sink = 0;

constexpr auto kSamples = static_cast<double>(kContainers * kSamplings);

template <class Work>
Subject each(std::string name, Work work) {
  return {std::move(name), [work] {
            const auto started = std::chrono::steady_clock::now();
            sink = sink + work();
            const std::chrono::duration<double, std::nano> taken =
                std::chrono::steady_clock::now() - started;
            return taken.count() / kSamples;
          }};
}

Subject size(std::string name, size_t bytes) {
  return {std::move(name), [bytes] { return static_cast<double>(bytes) / kSamples; }};
}

void measure(Report& report, Load load, const char* name) {
  const std::vector<Sampling> all = samplings(load);
  RecordingWriter writer;
  std::vector<std::byte> structs;
  std::string json;
  const size_t recorded = record(writer, all).size();
  const size_t copied = copy_structs(structs, all);
  const size_t printed = print_json(json, all);
  const auto named = [name](const char* what) {
    return fmt::format("recording/{}/{}", what, name);
  };
  report.compare(kBytes, size(named("size"), recorded), size("structs", copied), 1);
  report.compare(kBytes, size(named("size"), recorded), size("lines of JSON", printed), 1);
  report.compare(kNanoseconds, each(named("write"), [&] { return record(writer, all).size(); }),
                 each("structs", [&] { return copy_structs(structs, all); }), kRounds);
  report.compare(kNanoseconds, each(named("write"), [&] { return record(writer, all).size(); }),
                 each("lines of JSON", [&] { return print_json(json, all); }), kRounds);
  const std::vector<std::byte> segment = record(writer, all);
  report.measure(kNanoseconds, each(named("read"), [&] { return read_back(segment); }), kRounds);
}

}  // namespace
}  // namespace tepui::perf

int main() {
  tepui::perf::Report report("recording");
  tepui::perf::measure(report, tepui::perf::Load::kIdle, "idle");
  tepui::perf::measure(report, tepui::perf::Load::kBusy, "busy");
  return report.finish();
}
