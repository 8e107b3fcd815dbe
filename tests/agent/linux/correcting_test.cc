// Goal: corrections that are not a control file of a controller hold, and are undone, on the kernel
// of this machine. Method: real commands in real cgroups.

#include <sched.h>

#include <charconv>
#include <csignal>

#include "agent/corrections.h"
#include "agent/linux/containers.h"
#include "tests/agent/linux/containers_fixture.h"

namespace tepui {
namespace {

class Correcting : public ContainersTest {
 protected:
  void launch(const std::string& id, const std::string& command) {
    life_->containers().launch(life_->spec(id, command));
    ASSERT_TRUE(life_->run_until("launched " + id)) << life_->owner.errors[id].message;
  }
  // As of a machine whose cgroups have no controllers.
  void correct(const std::string& id, const Corrections& corrections) {
    const IsolationInput input{.resources = {}, .limits = {}, .labels = {}, .settings = {}};
    life_->containers().resize({id}, plan_corrected(input, corrections));
  }
  bool is_frozen(const std::string& id) const {
    return text_of(home_.container_cgroup(id) + "/cgroup.events").find("frozen 1") !=
           std::string::npos;
  }
  std::vector<pid_t> threads(const std::string& id) const {
    std::istringstream text(text_of(home_.container_cgroup(id) + "/cgroup.threads"));
    std::vector<pid_t> all;
    for (pid_t thread = 0; text >> thread;) all.push_back(thread);
    return all;
  }
  bool all_have(const std::string& id, int policy) const {
    const std::vector<pid_t> all = threads(id);
    return !all.empty() && std::ranges::all_of(all, [policy](pid_t thread) {
      return sched_getscheduler(thread) == policy;
    });
  }
};

TEST_P(Correcting, FreezesAndThaws) {
  launch("a", "while :; do :; done");
  correct("a", {.frozen = true});
  EXPECT_TRUE(life_->run_until([&] { return is_frozen("a"); }));
  correct("a", {});
  EXPECT_TRUE(life_->run_until([&] { return !is_frozen("a"); }));
  correct("a", {.frozen = true});
  EXPECT_TRUE(life_->run_until([&] { return is_frozen("a"); }));
  // Frozen is not safe from the end.
  life_->containers().kill({"a"});
  EXPECT_TRUE(life_->run_until("exit a"));
  EXPECT_EQ(life_->owner.exits["a"].signal, SIGKILL);
  life_->destroy_all({"a"});
}

TEST_P(Correcting, PutsEveryThreadIntoTheIdleClassAndBack) {
  launch("a", "sleep 1000 & sleep 1000 & while :; do sleep 0.01; done");
  EXPECT_TRUE(life_->run_until([&] { return threads("a").size() >= 4; }));
  correct("a", {.idle = true});
  EXPECT_TRUE(life_->run_until([&] { return all_have("a", SCHED_IDLE); }));
  // What it starts meanwhile is idle, too.
  const std::vector<pid_t> before = threads("a");
  EXPECT_TRUE(life_->run_until([&] {
    const std::vector<pid_t> now = threads("a");
    return std::ranges::any_of(now, [&before](pid_t thread) {
      return std::ranges::find(before, thread) == before.end() &&
             sched_getscheduler(thread) == SCHED_IDLE;
    });
  }));
  correct("a", {});
  EXPECT_TRUE(life_->run_until([&] { return all_have("a", SCHED_OTHER); }));
  life_->containers().kill({"a"});
  EXPECT_TRUE(life_->run_until("exit a"));
  life_->destroy_all({"a"});
}

TEST_P(Correcting, RunsForAPartOfTheTimeOnly) {
  launch("a", "while :; do :; done");
  correct("a", {.cpu_max_milli = 200, .cpu_time_permille = 200});
  for (int period = 0; period < 5; ++period) {
    EXPECT_TRUE(life_->run_until([&] { return is_frozen("a"); }));
    EXPECT_TRUE(life_->run_until([&] { return !is_frozen("a"); }));
  }
  // Another part, then frozen for good, then free: the last word holds.
  correct("a", {.cpu_time_permille = 500});
  EXPECT_TRUE(life_->run_until([&] { return is_frozen("a"); }));
  correct("a", {.cpu_time_permille = 500, .frozen = true});
  EXPECT_TRUE(life_->run_until([&] { return is_frozen("a"); }));
  correct("a", {});
  EXPECT_TRUE(life_->run_until([&] { return !is_frozen("a"); }));
  int seen_frozen = 0;
  int looked = 0;
  EXPECT_TRUE(life_->run_until([&] {
    seen_frozen += is_frozen("a") ? 1 : 0;
    return ++looked == 60;  // three periods
  }));
  EXPECT_EQ(seen_frozen, 0);
  life_->containers().kill({"a"});
  EXPECT_TRUE(life_->run_until("exit a"));
  life_->destroy_all({"a"});
}

TEST_P(Correcting, EndsWithItsContainer) {
  launch("a", "sleep 0.3");
  correct("a", {.cpu_time_permille = 300});
  EXPECT_TRUE(life_->run_until("exit a"));
  EXPECT_EQ(life_->owner.exits["a"].exit_status, 0);
  life_->destroy_all({"a"});
  EXPECT_TRUE(life_->run_until([&] { return true; }));
}

INSTANTIATE_TEST_SUITE_P(OnThisMachine, Correcting, testing::Values(Cgroups::kUsed));

}  // namespace
}  // namespace tepui
