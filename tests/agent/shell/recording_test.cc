// Goal: what is recorded can be read back, whatever the size of the segments and the state of the
// disk. Method: a real directory and a real reactor; the disk fails because the directory is gone.

#include "agent/shell/recording.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/recording_reader.h"
#include "common/io/numbered_files.h"

namespace tepui {
namespace {

struct Owner final : RecordingOwner {
  recorded::Agent recorded_agent() const override {
    return {.id = {"a1"},
            .hostname = "node1",
            .boot_id = "b",
            .interval = std::chrono::seconds(1),
            .total = Resources::scalars({{"cpus", 8000}})};
  }
  std::optional<ContainerFacts> facts_of(const ContainerId& id) const override {
    if (id.value == "check") return std::nullopt;
    return ContainerFacts{.id = id,
                          .framework_id = {"f1"},
                          .framework_name = {},
                          .executor_id = {"t"},
                          .executor_name = name,
                          .executor_resources = {},
                          .tasks = {}};
  }
  std::string name;
};

class RecordingTest : public testing::Test {
 protected:
  RecordingTest() : log_({.level = Severity::kError}) {
    char place[] = "/tmp/tepui-recording-XXXXXX";
    directory_ = mkdtemp(place);
    reactor_ = *Reactor::create();
  }
  ~RecordingTest() override {
    recording_.reset();
    std::filesystem::remove_all(directory_);
  }

  void open(uint64_t bytes_max) {
    auto made = Recording::create(*reactor_, log_,
                                  {.directory = directory_, .bytes_max = bytes_max}, owner_);
    ASSERT_TRUE(made) << made.error().message;
    recording_ = *std::move(made);
  }

  void sample(const std::string& id, int64_t cpu) {
    recording_->on_sample({id}, {.at = reactor_->now().mono, .cpu_usage_ns = cpu});
  }

  double metric(std::string_view key) {
    std::vector<MetricRow> rows;
    recording_->add_metrics(rows);
    for (const MetricRow& row : rows) {
      if (row.key == key) return row.value;
    }
    ADD_FAILURE() << key;
    return 0;
  }

  // Until what was handed over is on disk.
  void settle(std::string_view key, double value) {
    while (metric(key) < value) reactor_->run_once(kNever);
  }

  std::vector<NumberedFile> files() { return *find_numbered(directory_, "agent-", ".recording"); }

  std::vector<RecordingReader::Item> items(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    RecordingReader reader(std::as_bytes(std::span(bytes)));
    std::vector<RecordingReader::Item> all;
    while (true) {
      const auto item = reader.next();
      EXPECT_TRUE(item) << path << ": " << item.error().message;
      if (!item || !item->has_value()) break;
      all.push_back(**item);
    }
    EXPECT_FALSE(reader.torn());
    return all;
  }

  Log log_;
  std::string directory_;
  Owner owner_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Recording> recording_;
};

TEST_F(RecordingTest, IsReadBack) {
  open(16 << 20);
  sample("c1", 5);
  sample("c2", 6);
  sample("check", 7);
  recording_->on_gone({"c2"});  // while the sampling is under way
  recording_->on_sampled();
  owner_.name = "renamed";
  recording_->on_changed({"c1"});
  sample("c1", 8);
  recording_->on_sampled();
  recording_.reset();
  ASSERT_EQ(files().size(), 1U);
  const auto all = items(files()[0].path);
  ASSERT_EQ(all.size(), 7U);
  EXPECT_TRUE(std::holds_alternative<recorded::Agent>(all[0].entry));
  EXPECT_EQ(std::get<recorded::Container>(all[1].entry).facts.id.value, "c1");
  EXPECT_EQ(std::get<recorded::Container>(all[2].entry).facts.id.value, "c2");
  EXPECT_EQ(std::get<recorded::Samples>(all[3].entry).samples.size(), 2U);
  EXPECT_EQ(std::get<recorded::ContainerEnded>(all[4].entry).number, 2U);
  const auto& changed = std::get<recorded::Container>(all[5].entry);
  EXPECT_EQ(changed.number, 1U);
  EXPECT_EQ(changed.facts.executor_name, "renamed");
  EXPECT_EQ(std::get<recorded::Samples>(all[6].entry).samples[0].sample.cpu_usage_ns.value(), 8);
}

TEST_F(RecordingTest, TheOldestSegmentsMakeRoom) {
  constexpr uint64_t kBytes = 64 << 10;
  open(kBytes);
  double samples = 0;
  for (int round = 0; round < 400; ++round) {
    for (int id = 0; id < 20; ++id) {
      sample("c" + std::to_string(id), (round * 7919LL + id) << 30);
      ++samples;
    }
    recording_->on_sampled();
    reactor_->run_once(Instant{});
  }
  EXPECT_GT(metric("recording/segments"), 8);
  recording_.reset();
  const auto left = files();
  uint64_t bytes = 0;
  for (const NumberedFile& file : left) bytes += file.bytes;
  EXPECT_LE(bytes, kBytes + kBytes / 8);
  EXPECT_GT(left.front().number, 1U);
  // Each stands alone.
  for (const NumberedFile& file : left) EXPECT_GT(items(file.path).size(), 21U);
}

TEST_F(RecordingTest, ADiskThatFailsCostsSamplesAndNothingElse) {
  open(16 << 20);
  std::filesystem::remove_all(directory_);
  sample("c1", 5);
  recording_->on_sampled();
  settle("recording/failures", 1);
  sample("c1", 6);  // before the next attempt
  recording_->on_sampled();
  EXPECT_EQ(metric("recording/samplings_left_out"), 1);
  EXPECT_EQ(metric("recording/bytes"), 0);
}

}  // namespace
}  // namespace tepui
