// Goal: what was provided for a container is given back when that is gone, also if it was provided
// by an earlier life of the agent, and the container never began.

#include "agent/linux/provisioner.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agent/fetch/fetch_path.h"
#include "common/io/clock.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

namespace fs = std::filesystem;

class SilentOwner final : public ProvisionerOwner {
 public:
  void on_provisioned(const LaunchSpec&) override { ++provisioned; }
  void on_provision_failed(const ContainerId&, const Error& error) override {
    failure = error.message;
  }
  void on_provision_progress(const ContainerId&, uint64_t) override {}

  int provisioned = 0;
  std::string failure;
};

class ProvisionerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root unpacks what belongs to others";
    fs::create_directories(home() / "work");
    fs::create_directories(home() / "images");
  }

  fs::path home() const { return directory_.path(); }
  void open(const std::set<std::string>& containers) {
    auto ids = IdRanges::create(home() / "ids", kDefaultIds, containers);
    ASSERT_TRUE(ids) << ids.error().message;
    ids_ = *std::move(ids);
    auto made = Provisioner::create(*reactor_,
                                    {.work_dir = home() / "work",
                                     .ids = ids_.get(),
                                     .fetcher = {.program = kFetchPath,
                                                 .user = "nobody",
                                                 .cache_dir = home() / "fetched",
                                                 .cache_bytes = 1 << 20,
                                                 .bytes_max = 1 << 20,
                                                 .stall = std::chrono::seconds(60)},
                                     .images = {.program = kFetchPath,
                                                .directory = home() / "store",
                                                .image_dirs = {home() / "images"},
                                                .bytes = 1 << 20,
                                                .layer_bytes_max = 1 << 20},
                                     .containers = containers},
                                    owner_);
    ASSERT_TRUE(made) << made.error().message;
    provisioner_ = *std::move(made);
  }
  bool run_until_gone(const fs::path& path) {
    return test::run_until(*reactor_,
                           [&path] { return !fs::is_symlink(path) && !fs::exists(path); });
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<Reactor> reactor_ = test::make_reactor();
  SilentOwner owner_;
  std::unique_ptr<IdRanges> ids_;
  std::unique_ptr<Provisioner> provisioner_;
};

TEST_F(ProvisionerTest, GivesBackWhatAnEarlierLifeProvided) {
  const fs::path note = home() / "store/containers/c";
  const fs::path other = home() / "store/containers/other";
  fs::create_directories(note.parent_path());
  for (const fs::path& one : {note, other}) std::ofstream(one) << std::string(64, 'a') << "\n";
  fs::create_directories(home() / "ids");
  fs::create_symlink("100000:65536", home() / "ids/c");
  open({"c", "other"});
  ASSERT_TRUE(fs::exists(note)) << "it may live";
  provisioner_->release({.value = "c"});
  EXPECT_TRUE(run_until_gone(note));
  EXPECT_TRUE(run_until_gone(home() / "ids/c"));
  EXPECT_TRUE(fs::exists(other));
}

TEST_F(ProvisionerTest, GivesBackTheIdsOfALaunchThatFailed) {
  open({});
  LaunchSpec spec;
  spec.id.value = "c";
  spec.sandbox = "runs/c";
  spec.command.uris = {{.value = "/no/such/file"}};
  put(spec.confinement.namespaces, Isolator::kUserNamespace);
  provisioner_->start(spec);
  ASSERT_TRUE(test::run_until(*reactor_, [this] { return !owner_.failure.empty(); }));
  EXPECT_TRUE(owner_.failure.starts_with("fetching /no/such/file")) << owner_.failure;
  EXPECT_TRUE(run_until_gone(home() / "ids/c"));
}

TEST_F(ProvisionerTest, GivesBackBeforeItProvidesForTheSameAgain) {
  fs::create_directories(home() / "ids");
  fs::create_symlink("100000:65536", home() / "ids/c");
  std::ofstream(home() / "data") << "data\n";
  fs::permissions(home(), fs::perms(0755));
  open({"c"});
  const auto spec_of = [this](const std::string& id) {
    LaunchSpec spec;
    spec.id.value = id;
    spec.sandbox = "runs/" + id;
    spec.command.uris = {{.value = home() / "data"}};
    put(spec.confinement.namespaces, Isolator::kUserNamespace);
    return spec;
  };
  LaunchSpec plain;
  plain.id.value = "c";
  EXPECT_FALSE(provisioner_->needs(plain));
  provisioner_->release({.value = "c"});
  EXPECT_TRUE(provisioner_->needs(plain));
  provisioner_->start(spec_of("c"));
  provisioner_->start(spec_of("d"));
  // The threads work while the loop stands still: d was asked for last.
  const Instant deadline = later(now().mono, std::chrono::seconds(20));
  while (!fs::exists(home() / "work/runs/d/data") && now().mono < deadline) {
  }
  EXPECT_TRUE(fs::exists(home() / "work/runs/d/data"));
  EXPECT_FALSE(fs::exists(home() / "work/runs/c")) << "its release has not come to its end";
  ASSERT_TRUE(test::run_until(*reactor_, [this] { return owner_.provisioned == 2; }));
  EXPECT_TRUE(fs::exists(home() / "work/runs/c/data"));
  EXPECT_TRUE(fs::is_symlink(home() / "ids/c"));
  EXPECT_FALSE(provisioner_->needs(plain));
}

TEST_F(ProvisionerTest, FetchesForRootWithin) {
  open({});
  std::ofstream(home() / "data") << "data\n";
  fs::permissions(home(), fs::perms(0755));
  LaunchSpec spec;
  spec.id.value = "c";
  spec.sandbox = "runs/c";
  spec.command.uris = {{.value = home() / "data", .cache = true}};
  put(spec.confinement.namespaces, Isolator::kUserNamespace);
  provisioner_->start(spec);
  ASSERT_TRUE(test::run_until(
      *reactor_, [this] { return owner_.provisioned > 0 || !owner_.failure.empty(); }));
  EXPECT_EQ(owner_.failure, "");
  struct stat status{};
  for (const char* path : {"work/runs/c", "work/runs/c/data"}) {
    ASSERT_EQ(stat((home() / path).c_str(), &status), 0) << path;
    EXPECT_EQ(status.st_uid, kDefaultIds.first) << path;
  }
  // The next one has other ids, and needs no other copy in the cache.
  const uint64_t once = provisioner_->fetches().cached_bytes;
  EXPECT_GT(once, 0u);
  spec.id.value = "d";
  spec.sandbox = "runs/d";
  provisioner_->start(spec);
  ASSERT_TRUE(test::run_until(*reactor_, [this] { return owner_.provisioned == 2; }));
  ASSERT_EQ(stat((home() / "work/runs/d/data").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, kDefaultIds.first + kIdsPerContainer);
  EXPECT_EQ(provisioner_->fetches().cached_bytes, once);
  // What is root's alone is not his.
  fs::permissions(home() / "data", fs::perms(0600));
  spec.id.value = "e";
  spec.sandbox = "runs/e";
  spec.command.uris.front().cache = false;
  provisioner_->start(spec);
  ASSERT_TRUE(test::run_until(*reactor_, [this] { return !owner_.failure.empty(); }));
  EXPECT_NE(owner_.failure.find("EACCES"), std::string::npos) << owner_.failure;
}

}  // namespace
}  // namespace tepui
