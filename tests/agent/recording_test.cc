#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/recording_reader.h"
#include "agent/recording_writer.h"

namespace tepui {
namespace {

Now at(int64_t seconds) {
  return {.mono = Instant(std::chrono::seconds(seconds)),
          .wall = WallTime(std::chrono::seconds(1'800'000'000 + seconds))};
}

recorded::Agent agent() {
  return {.id = {"a1"},
          .hostname = "node1",
          .boot_id = "b",
          .interval = std::chrono::seconds(1),
          .total = Resources::scalars({{"cpus", 8000}, {"mem", 16'384'000}})};
}

recorded::Container container(uint32_t number) {
  ContainerFacts facts{.id = {"c" + std::to_string(number)},
                       .framework_id = {"f1"},
                       .framework_name = "search",
                       .executor_id = {"t1"},
                       .executor_name = {},
                       .executor_resources = {},
                       .tasks = {}};
  facts.tasks.push_back(
      {.id = {"t1"},
       .name = "leaf",
       .role = "eng",
       .resources = Resources::scalars({{"cpus", 1000}, {"mem", 64000}}) +
                    *Resources::create({{.kind = make_kind({.name = "cpus", .revocable = true}),
                                         .amount = int64_t{2000}}}),
       .limits = {.cpus_milli = 2000, .mem_milli = kUnlimited},
       .launched_at = at(1).wall});
  return {.number = number, .facts = facts};
}

Sample sample(int64_t seconds, int64_t cpu) {
  return {.at = at(seconds).mono, .cpu_usage_ns = cpu, .memory_bytes = 4096};
}

// A segment of one container with two samples, and where its records begin.
struct Segment {
  std::vector<std::byte> bytes;
  std::vector<size_t> offsets;
};

Segment segment() {
  RecordingWriter writer;
  Segment made;
  const auto mark = [&] { made.offsets.push_back(writer.bytes().size()); };
  mark();
  writer.begin_segment(at(0), agent());
  mark();
  writer.state(at(1), container(1));
  mark();
  writer.add(1, sample(1, 10));
  writer.finish(at(1));
  mark();
  writer.add(1, sample(2, 30));
  writer.finish(at(2));
  mark();
  writer.end(at(3), 1);
  mark();
  made.bytes = writer.bytes();
  return made;
}

struct Read {
  std::vector<RecordingReader::Item> items;
  std::string error;
  bool torn = false;
};

Read read(std::span<const std::byte> bytes) {
  Read all;
  RecordingReader reader(bytes);
  while (true) {
    const auto item = reader.next();
    if (!item) all.error = item.error().message;
    all.torn = reader.torn();
    if (!item || !item->has_value()) break;
    all.items.push_back(**item);
  }
  const auto after = reader.next();
  EXPECT_TRUE(after.has_value() && !after->has_value());
  return all;
}

TEST(Recording, SaysWhatWasWritten) {
  const Read all = read(segment().bytes);
  EXPECT_EQ(all.error, "");
  EXPECT_FALSE(all.torn);
  ASSERT_EQ(all.items.size(), 5U);
  EXPECT_EQ(std::get<recorded::Agent>(all.items[0].entry), agent());
  EXPECT_EQ(std::get<recorded::Container>(all.items[1].entry), container(1));
  const auto& second = std::get<recorded::Samples>(all.items[3].entry).samples;
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].number, 1U);
  EXPECT_EQ(second[0].sample, sample(2, 30));
  EXPECT_EQ(all.items[3].now.wall, at(2).wall);
  EXPECT_EQ(std::get<recorded::ContainerEnded>(all.items[4].entry).number, 1U);
}

TEST(Recording, ATornEndIsLeftOut) {
  const Segment made = segment();
  for (size_t length = made.offsets[4] + 1; length < made.bytes.size(); ++length) {
    const Read all = read(std::span(made.bytes).first(length));
    EXPECT_EQ(all.error, "") << length;
    EXPECT_TRUE(all.torn) << length;
    EXPECT_EQ(all.items.size(), 4U) << length;
  }
}

TEST(Recording, ZerosAtTheEndAreTorn) {
  Segment made = segment();
  made.bytes.resize(made.bytes.size() + 4096);
  const Read all = read(made.bytes);
  EXPECT_EQ(all.error, "");
  EXPECT_TRUE(all.torn);
  EXPECT_EQ(all.items.size(), 5U);
}

TEST(Recording, DamageIsNamedByItsOffset) {
  const Segment made = segment();
  for (size_t byte = 0; byte < made.offsets[4]; ++byte) {
    std::vector<std::byte> bytes = made.bytes;
    bytes[byte] ^= std::byte{0x10};
    const Read all = read(bytes);
    const size_t record = static_cast<size_t>(std::ranges::upper_bound(made.offsets, byte) -
                                              made.offsets.begin() - 1);
    // The zeros behind a payload are not worth a checksum.
    if (all.error.empty() && !all.torn && all.items.size() == 5) continue;
    EXPECT_EQ(all.items.size(), record) << byte;
    EXPECT_NE(all.error.find("offset " + std::to_string(made.offsets[record]) + ":"),
              std::string::npos)
        << byte << ": " << all.error;
    EXPECT_FALSE(all.torn) << byte;
  }
}

TEST(Recording, ASecondSegmentStandsAlone) {
  RecordingWriter writer;
  writer.begin_segment(at(0), agent());
  writer.state(at(1), container(1));
  writer.add(1, sample(1, 10));
  writer.finish(at(1));
  writer.bytes().clear();
  EXPECT_TRUE(writer.is_stated(1));
  writer.begin_segment(at(2), agent());
  EXPECT_FALSE(writer.is_stated(1));
  writer.end(at(2), 1);  // which nobody has heard of here
  writer.state(at(2), container(2));
  writer.add(2, sample(2, 7));
  writer.finish(at(2));
  EXPECT_EQ(writer.segment_bytes(), writer.bytes().size());
  const Read all = read(writer.bytes());
  EXPECT_EQ(all.error, "");
  ASSERT_EQ(all.items.size(), 3U);
  EXPECT_EQ(std::get<recorded::Samples>(all.items[2].entry).samples[0].sample, sample(2, 7));
}

TEST(Recording, WhatMakesNoSenseIsRefused) {
  const auto refusal = [](auto write) {
    RecordingWriter writer;
    write(writer);
    return read(writer.bytes()).error;
  };
  EXPECT_NE(refusal([](RecordingWriter& writer) {
              writer.state(at(0), container(1));
            }).find("a segment begins with its agent"),
            std::string::npos);
  EXPECT_NE(refusal([](RecordingWriter& writer) {
              writer.begin_segment(at(0), agent());
              writer.add(4, sample(0, 0));
              writer.finish(at(0));
            }).find("a sample of container 4, which was never begun"),
            std::string::npos);
  EXPECT_NE(refusal([](RecordingWriter& writer) {
              writer.begin_segment(at(0), agent());
              writer.state(at(0), container(0));
            }).find("container.number is 0"),
            std::string::npos);
}

}  // namespace
}  // namespace tepui
