// Goal: what was reported durable is there after any end of the process; what is there is a prefix
// of what was written; nobody writes beside the leader; a disk that is full or damaged is named.
//
// Method: stores in a temporary directory, cut at every byte, damaged, filled up under
// RLIMIT_FSIZE, and killed with SIGKILL in the middle of writing and compacting.

#include "common/io/file_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "common/io/files.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using test::make_reactor;
using test::run_until;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct Client : StoreClient, CoordinatorClient {
  void on_persisted(uint64_t token) override {
    EXPECT_FALSE(inside);
    persisted.push_back(token);
  }
  void on_persist_failed(uint64_t token, Error error) override {
    EXPECT_FALSE(inside);
    failed.emplace_back(token, std::move(error));
  }
  void on_elected(uint64_t elected_epoch, StoreContents found) override {
    EXPECT_FALSE(inside);
    epoch = elected_epoch;
    contents = std::move(found);
  }
  void on_deposed(std::string_view why) override { deposed = why; }

  bool inside = false;  // a call of the store
  std::vector<uint64_t> persisted;
  std::vector<std::pair<uint64_t, Error>> failed;
  std::optional<uint64_t> epoch;
  StoreContents contents;
  std::optional<std::string> deposed;
};

// A store that leads.
struct Leader {
  explicit Leader(const std::string& directory, uint64_t compact_above = 16 << 20)
      : Leader(directory, FileStore::Options{.compact_above_bytes = compact_above}) {}
  Leader(const std::string& directory, FileStore::Options options) : reactor(make_reactor()) {
    auto made = FileStore::create(*reactor, directory, client, client, std::move(options));
    if (!made) {
      error = made.error().message;
      return;
    }
    store = *std::move(made);
    client.inside = true;
    store->contend();
    client.inside = false;
    EXPECT_TRUE(run_until(*reactor, [&] { return client.epoch.has_value() || client.deposed; }));
  }

  void write(uint64_t token, std::vector<StoreWrite> batch) {
    client.inside = true;
    store->write(client.epoch.value_or(0), token, std::move(batch));
    client.inside = false;
  }
  bool settle(size_t persisted) {
    return run_until(*reactor, [&] { return client.persisted.size() >= persisted; });
  }

  std::unique_ptr<Reactor> reactor;
  Client client;
  std::unique_ptr<FileStore> store;
  std::string error;
};

std::string log_of(const std::string& directory) { return directory + "/registry.log"; }

TEST(FileStore, KeepsWhatWasWrittenInOrder) {
  const test::TemporaryDirectory directory;
  {
    Leader leader(directory.path() + "/made/for/it");
    EXPECT_EQ(leader.client.epoch, 1u);
    EXPECT_TRUE(leader.client.contents.empty());
    leader.write(1, {{"a", "1"}, {"b", "2"}});
    leader.write(2, {{"a", std::nullopt}, {"c", std::string(100000, 'c')}});
    EXPECT_TRUE(leader.client.persisted.empty());
    leader.reactor->run_once(leader.reactor->now().mono);
    leader.write(3, {{"b", ""}});
    ASSERT_TRUE(leader.settle(3));
    EXPECT_THAT(leader.client.persisted, ElementsAre(1, 2, 3));
  }
  Leader next(directory.path() + "/made/for/it");
  EXPECT_EQ(next.client.epoch, 2u);
  EXPECT_EQ(next.store->repair(), "");
  const StoreContents expected = {{"b", ""}, {"c", std::string(100000, 'c')}};
  EXPECT_EQ(next.client.contents, expected);
}

TEST(FileStore, AnotherLogHasItsOwnNameAndRoomBehindItsEnd) {
  const test::TemporaryDirectory directory;
  const FileStore::Options options{.what = "memory", .owner = "agent", .reserve_bytes = 256 << 10};
  const std::string path = directory.path() + "/memory.log";
  {
    Leader first(directory.path(), options);
    Leader second(directory.path(), options);
    EXPECT_EQ(second.error, fmt::format("memory {} is in use by another agent (pid {})",
                                        directory.path(), getpid()));
    first.write(1, {{"a", "1"}});
    ASSERT_TRUE(first.settle(1));
    struct stat status{};
    EXPECT_TRUE(run_until(*first.reactor, [&] {
      return stat(path.c_str(), &status) == 0 && status.st_blocks * 512 >= 256 << 10;
    }));
    EXPECT_LT(status.st_size, 1000);
  }
  Leader next(directory.path(), options);
  EXPECT_EQ(next.store->repair(), "");
  EXPECT_EQ(next.client.contents, (StoreContents{{"a", "1"}}));
}

TEST(FileStore, RefusesASecondMasterAndNamesTheFirst) {
  const test::TemporaryDirectory directory;
  {
    Leader first(directory.path());
    Leader second(directory.path());
    EXPECT_EQ(second.error, fmt::format("registry {} is in use by another master (pid {})",
                                        directory.path(), getpid()));
    first.write(1, {{"a", "1"}});
    EXPECT_TRUE(first.settle(1));
  }
  Leader third(directory.path());
  EXPECT_EQ(third.error, "");
  EXPECT_EQ(third.client.contents.at("a"), "1");
}

TEST(FileStore, RefusesAnEpochThatIsOverAndGoesOn) {
  const test::TemporaryDirectory directory;
  {
    const Leader first(directory.path());
  }
  Leader leader(directory.path());
  leader.store->write(1, 7, {{"a", "old"}});
  leader.write(8, {{"a", "new"}});
  ASSERT_TRUE(leader.settle(1));
  ASSERT_EQ(leader.client.failed.size(), 1u);
  EXPECT_EQ(leader.client.failed[0].first, 7u);
  EXPECT_EQ(leader.client.failed[0].second.message, "epoch 1 is over, the registry is at epoch 2");
  leader.store->resign("enough");
  ASSERT_TRUE(run_until(*leader.reactor, [&] { return leader.client.deposed.has_value(); }));
  EXPECT_EQ(*leader.client.deposed, "enough");
  leader.write(9, {{"a", "after"}});
  ASSERT_TRUE(run_until(*leader.reactor, [&] { return leader.client.failed.size() == 2; }));
  leader.client.epoch.reset();
  leader.store->contend();
  ASSERT_TRUE(run_until(*leader.reactor, [&] { return leader.client.epoch == 3u; }));
}

TEST(FileStore, RefusesABatchThatCannotBeLogged) {
  const test::TemporaryDirectory directory;
  Leader leader(directory.path());
  leader.write(1, {{std::string(256, 'k'), "1"}});
  ASSERT_TRUE(run_until(*leader.reactor, [&] { return leader.client.failed.size() == 1; }));
  EXPECT_EQ(leader.client.failed[0].first, 1u);
}

// State number i is what the first i batches make. A batch that got lost leaves a key for ever.
std::vector<StoreWrite> batch_number(uint64_t i) {
  std::vector<StoreWrite> batch = {
      {fmt::format("key{}", i), fmt::format("value {} {}", i, std::string(i % 50, 'x'))},
      {"count", fmt::format("{}", i)}};
  if (i > 7) batch.push_back({fmt::format("key{}", i - 7), std::nullopt});
  return batch;
}

StoreContents state_number(uint64_t i) {
  StoreContents contents;
  for (uint64_t each = 1; each <= i; ++each) apply_batch(contents, batch_number(each));
  return contents;
}

uint64_t count_in(const StoreContents& contents) {
  const auto found = contents.find("count");
  return found == contents.end() ? 0 : std::stoull(found->second);
}

TEST(FileStore, OpensAPrefixWhereverItsLogWasCut) {
  const test::TemporaryDirectory directory;
  std::vector<uint64_t> ends;
  {
    Leader leader(directory.path());
    for (uint64_t i = 1; i <= 4; ++i) {
      leader.write(i, batch_number(i));
      ASSERT_TRUE(leader.settle(i));
      ends.push_back(leader.store->log_bytes());
    }
  }
  const std::string whole = read_file(log_of(directory.path()), 1 << 20).value();
  ASSERT_EQ(whole.size(), ends.back());
  uint64_t most = 0;
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    SCOPED_TRACE(cut);
    std::ofstream(log_of(directory.path())) << whole.substr(0, cut);
    Leader leader(directory.path());
    ASSERT_EQ(leader.error, "");
    const uint64_t expected = static_cast<uint64_t>(
        std::ranges::count_if(ends, [cut](uint64_t end) { return end <= cut; }));
    EXPECT_EQ(leader.client.contents, state_number(expected));
    most = std::max(most, expected);
    const bool at_an_end = std::ranges::find(ends, cut) != ends.end();
    if (at_an_end) {
      EXPECT_EQ(leader.store->repair(), "");
    }
    if (!leader.store->repair().empty()) {
      EXPECT_THAT(leader.store->repair(), HasSubstr("registry.log at offset"));
    }
  }
  EXPECT_EQ(most, 4u);
  // After a repair the log goes on growing.
  ASSERT_TRUE(write_file_durably(log_of(directory.path()), whole.substr(0, whole.size() - 3)));
  {
    Leader leader(directory.path());
    EXPECT_NE(leader.store->repair(), "");
    leader.write(1, {{"after", "repair"}});
    ASSERT_TRUE(leader.settle(1));
  }
  Leader leader(directory.path());
  EXPECT_EQ(leader.store->repair(), "");
  EXPECT_EQ(leader.client.contents.at("after"), "repair");
  EXPECT_EQ(count_in(leader.client.contents), 3u);
}

TEST(FileStore, NamesFileAndOffsetOfDamageAndTouchesNothing) {
  const test::TemporaryDirectory directory;
  uint64_t first_end = 0;
  {
    Leader leader(directory.path());
    for (uint64_t i = 1; i <= 6; ++i) {
      leader.write(i, batch_number(i));
      ASSERT_TRUE(leader.settle(i));
      if (i == 1) first_end = leader.store->log_bytes();
    }
  }
  std::string damaged = read_file(log_of(directory.path()), 1 << 20).value();
  damaged[first_end + 45] ^= 1;
  ASSERT_TRUE(write_file_durably(log_of(directory.path()), damaged).has_value());
  const Leader leader(directory.path());
  EXPECT_THAT(
      leader.error,
      StartsWith(fmt::format("{} is damaged at offset {}: ", log_of(directory.path()), first_end)));
  EXPECT_EQ(read_file(log_of(directory.path()), 1 << 20).value(), damaged);
}

TEST(FileStore, CompactsItsLogAndLosesNothingOnTheWay) {
  const test::TemporaryDirectory directory;
  constexpr uint64_t kBatches = 3000;
  {
    Leader leader(directory.path(), 4096);
    for (uint64_t i = 1; i <= kBatches; ++i) {
      leader.write(i, batch_number(i));
      if (i % 3 == 0) leader.reactor->run_once(leader.reactor->now().mono);
      if (i % 500 == 0) {
        ASSERT_TRUE(leader.settle(i));
      }
    }
    ASSERT_TRUE(leader.settle(kBatches));
    for (uint64_t i = 0; i < kBatches; ++i) ASSERT_EQ(leader.client.persisted[i], i + 1);
    EXPECT_TRUE(leader.client.failed.empty());
    EXPECT_GT(leader.store->compactions(), 0u);
    EXPECT_EQ(leader.store->compaction_error(), "");
  }
  Leader leader(directory.path(), 4096);
  EXPECT_EQ(leader.client.contents, state_number(kBatches));
  EXPECT_EQ(leader.client.epoch, 2u);
  // Small again, once there is peace for a compaction.
  const auto is_small = [&leader] { return leader.store->log_bytes() < 4096; };
  for (uint64_t i = 1; leader.store->compactions() == 0 || !is_small(); ++i) {
    leader.write(i, {{"last", std::string(300, 'l')}});
    ASSERT_TRUE(leader.settle(i));
    ASSERT_LT(i, 1000u) << leader.store->log_bytes() << " bytes";
  }
}

TEST(FileStore, WorksOnWhereItCannotCompact) {
  const test::TemporaryDirectory directory;
  Leader leader(directory.path(), 4096);
  // A directory in the place of the new file.
  std::filesystem::create_directory(directory.path() + "/registry.log.new");
  for (uint64_t i = 1; i <= 200; ++i) {
    leader.write(i, batch_number(i));
    ASSERT_TRUE(leader.settle(i));
  }
  ASSERT_TRUE(run_until(*leader.reactor, [&] { return leader.store->compaction_error() != ""; }));
  EXPECT_THAT(leader.store->compaction_error(), HasSubstr("registry.log.new"));
  leader.write(201, batch_number(201));
  EXPECT_TRUE(leader.settle(201));
}

// In a child process, since the limit and the way it ends are a process's own.
template <class Body>
pid_t in_child(Body&& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(FileStore, IsInDoubtWhenTheDiskIsFullAndKeepsWhatItReported) {
  const test::TemporaryDirectory directory;
  constexpr size_t kRoom = 8000;
  const pid_t child = in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = kRoom, .rlim_max = kRoom};
    setrlimit(RLIMIT_FSIZE, &limit);
    Leader leader(directory.path());
    uint64_t token = 0;
    while (leader.client.failed.empty()) {
      for (int i = 0; i < 2; ++i) {
        ++token;
        leader.write(token, batch_number(token));
      }
      ASSERT_TRUE(run_until(*leader.reactor, [&] {
        return leader.client.persisted.size() + leader.client.failed.size() == token;
      }));
      ASSERT_LT(token, 1000u);
    }
    EXPECT_EQ(leader.client.failed[0].second.code, EFBIG);
    EXPECT_THAT(leader.client.failed[0].second.message, HasSubstr("registry.log"));
    leader.write(++token, {{"too", "late"}});
    ASSERT_TRUE(
        run_until(*leader.reactor, [&] { return leader.client.failed.back().first == token; }));
    ASSERT_TRUE(write_file_durably(directory.path() + "/reported",
                                   fmt::format("{}", leader.client.persisted.size())));
  });
  EXPECT_EQ(wait_for(child), 0);
  const uint64_t reported = std::stoull(read_file(directory.path() + "/reported", 64).value());
  EXPECT_GT(reported, 10u);
  Leader leader(directory.path());
  EXPECT_EQ(leader.error, "");
  const uint64_t found = count_in(leader.client.contents);
  EXPECT_GE(found, reported);
  EXPECT_LE(found, reported + 2);
  EXPECT_EQ(leader.client.contents, state_number(found));
}

// The child writes as fast as it can, compacting all the time, and tells the number of the last
// batch that was reported through shared memory. It is killed at a moment of its own choosing.
TEST(FileStore, KeepsEveryReportedBatchThroughKill9) {
  const test::TemporaryDirectory directory;
  auto* reported = static_cast<std::atomic<uint64_t>*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  uint64_t done = 0;
  for (int round = 0; round < 15; ++round) {
    SCOPED_TRACE(round);
    const uint64_t before = done;
    reported->store(before);
    const uint64_t enough = before + 20 + static_cast<uint64_t>(round) * 13;
    const pid_t child = in_child([&] {
      Leader leader(directory.path(), 4096);
      ASSERT_EQ(leader.error, "");
      uint64_t next = count_in(leader.client.contents);
      while (true) {
        for (int i = 0; i < 4; ++i) {
          ++next;
          leader.write(next, batch_number(next));
        }
        leader.reactor->run_once(later(leader.reactor->now().mono, std::chrono::milliseconds(5)));
        if (!leader.client.persisted.empty()) reported->store(leader.client.persisted.back());
        ASSERT_TRUE(leader.client.failed.empty());
      }
    });
    const Instant deadline = later(now().mono, std::chrono::seconds(20));
    while (reported->load() < enough && now().mono < deadline) usleep(100);
    kill(child, SIGKILL);
    wait_for(child);
    const uint64_t promised = reported->load();
    ASSERT_GE(promised, enough);
    const Leader leader(directory.path(), 4096);
    ASSERT_EQ(leader.error, "");
    done = count_in(leader.client.contents);
    EXPECT_GE(done, promised);
    EXPECT_EQ(leader.client.contents, state_number(done));
    EXPECT_EQ(leader.client.epoch, static_cast<uint64_t>(2 * round + 2));
  }
  munmap(reported, 4096);
}

}  // namespace
}  // namespace tepui
