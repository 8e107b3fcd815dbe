#pragma once
// A real Containers on a real reactor, in directories and a cgroup of the test's own, with an owner
// that remembers what it was told. Everything is removed in the end, also when a test fails.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "agent/linux/containers.h"
#include "agent/linux/shim_path.h"
#include "tests/agent/linux/cgroup_sweep.h"

namespace tepui {

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class RecordingOwner final : public ContainersOwner {
 public:
  void on_launched(const ContainerId& id, int64_t pid) override {
    events.push_back("launched " + id.value);
    pids[id.value] = pid;
  }
  void on_launch_failed(const ContainerId& id, const Error& error) override {
    events.push_back("failed " + id.value);
    errors[id.value] = error;
  }
  void on_absent(const ContainerId& id) override { events.push_back("absent " + id.value); }
  void on_exit(const ContainerId& id, const ExitRecord& record) override {
    events.push_back("exit " + id.value);
    exits[id.value] = record;
  }
  void on_destroyed(const ContainerId& id) override { events.push_back("destroyed " + id.value); }
  void on_resize_failed(const ContainerId& id, const Error& error) override {
    events.push_back("not resized " + id.value);
    errors[id.value] = error;
  }

  bool saw(const std::string& event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }

  std::vector<std::string> events;
  std::map<std::string, int64_t> pids;
  std::map<std::string, Error> errors;
  std::map<std::string, ExitRecord> exits;
};

// Where one agent of a test lives.
struct AgentHome {
  std::filesystem::path directory;
  CgroupPlace place;
  std::string cgroup_name;  // below the place

  std::string cgroup_top() const {
    return place.base + "/" + cgroup_name.substr(0, cgroup_name.find('/'));
  }
  std::string container_cgroup(const std::string& id) const {
    return place.base + "/" + cgroup_name + "/container-" + id;
  }
};

// Whether this user can make cgroups here, and where.
inline Result<CgroupPlace> writable_cgroup_place() {
  CgroupPlace place = TRY(choose_cgroup_place(TRY(read_cgroup_facts())));
  if (access(place.base.c_str(), W_OK) != 0) return fail("cannot write below " + place.base);
  return place;
}

inline AgentHome make_home(const CgroupPlace& place) {
  std::string pattern = (std::filesystem::temp_directory_path() / "tepui-test-XXXXXX").string();
  const char* made = mkdtemp(pattern.data());
  EXPECT_NE(made, nullptr);
  // Tasks of other users must reach their sandboxes.
  chmod(made, 0755);
  std::filesystem::create_directory(std::filesystem::path(made) / "work");
  static int count = 0;
  return AgentHome{.directory = made,
                   .place = place,
                   .cgroup_name = "tepui-test-" + std::to_string(getpid()) + "-" +
                                  std::to_string(++count) + "/agent"};
}

inline void remove_home(const AgentHome& home) {
  sweep_cgroup(home.cgroup_top());
  std::filesystem::remove_all(home.directory);
}

enum class Cgroups { kUsed, kNone };

// For user namespaces.
inline constexpr IdRange kIds{.first = 0x5000'0000, .count = 16 * kIdsPerContainer};

// One life of an agent in a home.
class Life {
 public:
  // Ends what an earlier life left, but the containers that it remembers.
  Life(const AgentHome& home, Cgroups cgroups, const std::set<std::string>& known = {},
       const DiskImages* images = nullptr, const OutputLimit& output = {},
       const std::string& shim = kShimPath)
      : home_(home) {
    Result<std::unique_ptr<Reactor>> reactor = Reactor::create();
    EXPECT_TRUE(reactor.has_value());
    reactor_ = *std::move(reactor);
    if (cgroups == Cgroups::kUsed) {
      Result<std::unique_ptr<CgroupRoot>> root =
          CgroupRoot::create(home.place, home.cgroup_name, {});
      EXPECT_TRUE(root.has_value()) << root.error().message;
      root_ = *std::move(root);
    }
    Result<std::unique_ptr<IdRanges>> ids = IdRanges::create(home.directory / "ids", kIds, known);
    EXPECT_TRUE(ids.has_value()) << ids.error().message;
    ids_ = *std::move(ids);
    Result<std::unique_ptr<Containers>> made =
        Containers::create(*reactor_,
                           {.work_dir = home.directory / "work",
                            .runtime_dir = home.directory / "runtime",
                            .shim = shim,
                            .cgroups = root_.get(),
                            .output = output,
                            .ids = ids_.get(),
                            .disk_images = images},
                           owner);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    containers_ = *std::move(made);
    const Result<int> ended = containers_->end_unknown(known);
    EXPECT_TRUE(ended.has_value()) << ended.error().message;
    unknown_ended = ended.value_or(-1);
  }

  Containers& containers() { return *containers_; }
  CgroupRoot* root() { return root_.get(); }
  IdRanges& ids() { return *ids_; }

  // Turns the loop until `done`; false after a time in which even a busy machine gets there.
  bool run_until(const std::function<bool()>& done) {
    const Instant deadline = later(now().mono, std::chrono::seconds(30));
    while (!done()) {
      if (now().mono >= deadline) return false;
      reactor_->run_once(later(now().mono, std::chrono::milliseconds(5)));
    }
    return true;
  }
  bool run_until(const std::string& event) {
    return run_until([this, &event] { return owner.saw(event); });
  }

  LaunchSpec spec(const std::string& id, const std::string& command) const {
    LaunchSpec spec;
    spec.id.value = id;
    spec.sandbox = "frameworks/f/runs/" + id;
    spec.command.value = command;
    spec.environment = {{"PATH", "/usr/bin:/bin"}};
    return spec;
  }
  std::filesystem::path sandbox(const std::string& id) const {
    return home_.directory / "work" / "frameworks/f/runs" / id;
  }

  // Launches and waits for the end.
  ExitRecord run(const LaunchSpec& launch) {
    containers_->launch(launch);
    const std::string& id = launch.id.value;
    EXPECT_TRUE(run_until([&] { return owner.saw("exit " + id) || owner.saw("failed " + id); }));
    EXPECT_TRUE(owner.saw("exit " + id)) << owner.errors[id].message;
    return owner.exits[launch.id.value];
  }
  Error run_to_failure(const LaunchSpec& launch) {
    containers_->launch(launch);
    EXPECT_TRUE(run_until("failed " + launch.id.value));
    return owner.errors[launch.id.value];
  }
  void destroy_all(const std::vector<std::string>& ids) {
    for (const std::string& id : ids) containers_->destroy({.value = id});
    for (const std::string& id : ids) EXPECT_TRUE(run_until("destroyed " + id));
  }

  RecordingOwner owner;
  int unknown_ended = 0;

 private:
  const AgentHome& home_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<CgroupRoot> root_;
  std::unique_ptr<IdRanges> ids_;
  std::unique_ptr<Containers> containers_;
};

// Each test runs with cgroups, and as on a machine where there are none to be had.
class ContainersTest : public testing::TestWithParam<Cgroups> {
 protected:
  void SetUp() override {
    CgroupPlace place{.mount_point = "/none", .base = "/none"};
    if (GetParam() == Cgroups::kUsed) {
      Result<CgroupPlace> writable = writable_cgroup_place();
      if (!writable.has_value()) GTEST_SKIP() << writable.error().message;
      place = *writable;
    }
    home_ = make_home(place);
    life_ = std::make_unique<Life>(home_, GetParam());
  }
  void TearDown() override {
    if (life_ != nullptr && life_->root() != nullptr) {
      EXPECT_TRUE(life_->root()->kill_all_and_remove().has_value());
    }
    life_.reset();
    if (GetParam() == Cgroups::kNone && !home_.directory.empty()) {
      // Ends what a failed test left running.
      Life(home_, GetParam()).containers();
    }
    if (!home_.directory.empty()) remove_home(home_);
  }

  AgentHome home_;
  std::unique_ptr<Life> life_;
};

}  // namespace tepui
