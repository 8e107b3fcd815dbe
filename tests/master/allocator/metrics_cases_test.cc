// What operators see of the allocator: the named cases about metrics, on a whole master with its
// reader's tables.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/metrics.h"
#include "master/shell/allocator_metrics.h"
#include "tests/master/fake_effects.h"
#include "tests/master/shell/rows.h"

namespace tepui {
namespace {

using Values = std::map<std::string, double>;

// Each reading takes two milliseconds.
class TickingClock final : public Clock {
 public:
  Now read() override {
    now_.mono += 2ms;
    return now_;
  }
  void pass(Duration time) { now_.mono += time; }

 private:
  Now now_{.mono = Instant(1s), .wall = {}};
};

class HierarchicalAllocator : public testing::Test, private EventSink {
 protected:
  HierarchicalAllocator() { begin({}); }

  void begin(AllocatorOptions options) {
    tables_ = {};
    tables_.exclude_from_shares(options.fairness_excluded);
    test::apply(tables_, feed::Elected{.epoch = 1, .master_id = "m-e1"});
    bench_.reset();
    allocator_ = std::make_unique<TimedAllocator>(std::move(options), 7, clock_);
    bench_ = std::make_unique<Bench>(MasterTunables{}, allocator_.get());
    bench_->effects.events.also = this;
  }

  Values metrics() {
    for (feed::Item& item : feed_.take(bench_->now.wall).items) {
      tables_.apply(std::move(item), bench_->now.wall);
    }
    std::vector<MetricRow> rows = test::rows_of(tables_, Table::kMetrics).metrics;
    allocator_->append_rows(rows);
    for (MetricRow& row : metrics_.snapshot()) rows.push_back(std::move(row));
    Values values;
    for (const MetricRow& row : rows) values[row.key] = row.value;
    return values;
  }
  // Those of these keys that are there.
  Values metrics(const std::vector<std::string>& keys) {
    const Values all = metrics();
    Values chosen;
    for (const std::string& key : keys) {
      if (const auto found = all.find(key); found != all.end()) chosen.insert(*found);
    }
    return chosen;
  }

  TickingClock clock_;
  Feed feed_{1 << 16};
  Tables tables_;
  Metrics metrics_{Metrics::Side::kMaster};
  std::unique_ptr<TimedAllocator> allocator_;
  std::unique_ptr<Bench> bench_;

 private:
  void on_event(const Event& event) override {
    feed_.on_event(event);
    metrics_.on_event(event);
  }
};

constexpr const char* kResources = "allocator/mesos/resources/";

Values resources(double cpus, double mem, double held_cpus, double held_mem) {
  const std::string prefix = kResources;
  return {{prefix + "cpus/total", cpus},
          {prefix + "mem/total", mem},
          {prefix + "disk/total", 0},
          {prefix + "cpus/offered_or_allocated", held_cpus},
          {prefix + "mem/offered_or_allocated", held_mem},
          {prefix + "disk/offered_or_allocated", 0}};
}
std::vector<std::string> keys_of(const Values& values) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values) keys.push_back(key);
  return keys;
}

TEST_F(HierarchicalAllocator, ResourceMetricsUninitialized) {
  const Values none = resources(0, 0, 0, 0);
  EXPECT_EQ(metrics(keys_of(none)), none);
}

TEST_F(HierarchicalAllocator, ResourceMetrics) {
  const TestAgent agent = bench_->agent(machine(2000, 1024'000));
  const Values free = resources(2, 1024, 0, 0);
  EXPECT_EQ(metrics(keys_of(free)), free);
  bench_->framework();
  const Values held = resources(2, 1024, 2, 1024);
  EXPECT_EQ(metrics(keys_of(held)), held);
  bench_->say(agent.session, UnregisterAgent{});
  bench_->settle();
  const Values none = resources(0, 0, 0, 0);
  EXPECT_EQ(metrics(keys_of(none)), none);
}

TEST_F(HierarchicalAllocator, QuotaMetrics) {
  const std::string prefix = "allocator/mesos/quota/roles/role/resources/";
  const auto rows_of = [](const std::map<std::string, RoleRow>& roles) {
    MetricRows rows;
    put_quota_rows(
        roles,
        [](const std::string&) { return Resources::parse("cpus:1;mem:64").value().quantities(); },
        rows);
    Values values;
    for (const auto& [key, row] : rows) values[key] = row.value;
    return values;
  };
  std::map<std::string, RoleRow> roles;
  roles["role"] = {.name = "role", .allocated = machine(1000, 64'000)};
  roles["role/child"] = {.name = "role/child", .offered = machine(500, 64'000)};
  roles["roles"] = {.name = "roles", .allocated = machine(8000, 64'000)};
  EXPECT_EQ(rows_of(roles), Values{});

  roles["role"].quota.guarantees.add("cpus", 2000);
  roles["role"].quota.limits_milli["mem"] = 1024'000;
  EXPECT_EQ(rows_of(roles), (Values{{prefix + "cpus/guarantee", 2},
                                    {prefix + "cpus/offered_or_allocated", 1.5},
                                    {prefix + "cpus/consumed", 1},
                                    {prefix + "mem/limit", 1024},
                                    {prefix + "mem/offered_or_allocated", 128},
                                    {prefix + "mem/consumed", 64}}));
  roles["role"].quota = {};
  EXPECT_EQ(rows_of(roles), Values{});
}

TEST_F(HierarchicalAllocator, AllocationRunsMetric) {
  const std::string key = "allocator/mesos/allocation_runs";
  bench_->agent();
  const TestFramework framework = bench_->framework();
  const double before = metrics()[key];
  EXPECT_EQ(before, static_cast<double>(allocator_->stats().rounds));
  EXPECT_GE(before, 1);

  const auto offers = bench_->offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  bench_->decline(framework, offers[0].id, 1h);
  bench_->settle();
  EXPECT_EQ(metrics()[key], before + 1);
}

std::vector<std::string> timer_keys(const std::string& key) {
  std::vector<std::string> keys = {key};
  for (const char* of : {"count", "min", "max", "p50", "p90", "p95", "p99", "p999", "p9999"}) {
    keys.push_back(key + "/" + of);
  }
  return keys;
}

TEST_F(HierarchicalAllocator, AllocationRunTimerMetrics) {
  const std::vector<std::string> keys = timer_keys("allocator/mesos/allocation_run_ms");
  EXPECT_EQ(metrics(keys), Values{});
  bench_->agent();
  bench_->framework();
  const Values values = metrics(keys);
  ASSERT_EQ(values.size(), keys.size());
  EXPECT_EQ(values.at("allocator/mesos/allocation_run_ms"), 2) << "from one reading to the next";
}

TEST_F(HierarchicalAllocator, AllocationRunLatencyMetrics) {
  const std::string key = "allocator/mesos/allocation_run_latency_ms";
  EXPECT_EQ(metrics(timer_keys(key)), Values{});
  bench_->agent();
  const TestFramework framework = bench_->framework();
  EXPECT_EQ(metrics(timer_keys(key)).size(), timer_keys(key).size());

  // Something comes back, the turn ends, and the round is due only later.
  const auto offers = bench_->offers(framework);
  ASSERT_EQ(offers.size(), 1u);
  bench_->say(framework.session, Decline{.offers = {offers[0].id}, .filters = {.refuse = 0s}});
  ASSERT_TRUE(allocator_->wants_round());
  allocator_->note_turn();
  clock_.pass(5ms);
  allocator_->note_turn();
  bench_->settle();
  EXPECT_EQ(metrics()[key], 7) << "and the time of one reading";
}

TEST_F(HierarchicalAllocator, ActiveOfferFiltersMetrics) {
  const auto active = [this] {
    return metrics({"allocator/mesos/offer_filters/roles/roleA/active",
                    "allocator/mesos/offer_filters/roles/roleB/active"});
  };
  const auto refuse = [this](const TestFramework& framework) {
    const auto offers = bench_->offers(framework);
    ASSERT_EQ(offers.size(), 2u);
    for (const SeenOffer& offer : offers) bench_->decline(framework, offer.id, 100s);
    bench_->settle();
  };
  const auto expect = [&](double in_a, double in_b) {
    EXPECT_EQ(active(), (Values{{"allocator/mesos/offer_filters/roles/roleA/active", in_a},
                                {"allocator/mesos/offer_filters/roles/roleB/active", in_b}}));
  };
  bench_->agent();
  bench_->agent();
  refuse(bench_->framework(framework_info("roleA")));
  EXPECT_EQ(active(), (Values{{"allocator/mesos/offer_filters/roles/roleA/active", 2}}));
  refuse(bench_->framework(framework_info("roleB")));
  expect(2, 2);
  refuse(bench_->framework(framework_info("roleA")));
  expect(4, 2);
  EXPECT_EQ(allocator_->stats().filters_active, 6u);
}

TEST_F(HierarchicalAllocator, DominantShareMetrics) {
  const auto shares = [this] {
    return metrics({"allocator/mesos/roles/roleA/shares/dominant",
                    "allocator/mesos/roles/roleB/shares/dominant"});
  };
  const auto expected = [](double a, double b) {
    return Values{{"allocator/mesos/roles/roleA/shares/dominant", a},
                  {"allocator/mesos/roles/roleB/shares/dominant", b}};
  };
  bench_->agent();
  const TestFramework first = bench_->framework(framework_info("roleA"));
  EXPECT_EQ(shares(), (Values{{"allocator/mesos/roles/roleA/shares/dominant", 1}}));

  const auto offers = bench_->offers(first);
  ASSERT_EQ(offers.size(), 1u);
  bench_->decline(first, offers[0].id, 1h);
  bench_->settle();
  EXPECT_EQ(shares(), (Values{{"allocator/mesos/roles/roleA/shares/dominant", 0}}));

  const TestFramework second = bench_->framework(framework_info("roleB"));
  EXPECT_EQ(shares(), expected(0, 1));
  bench_->agent();
  EXPECT_EQ(shares(), expected(0.5, 0.5));
  bench_->say(second.session, Teardown{});
  bench_->settle();
  EXPECT_EQ(shares().count("allocator/mesos/roles/roleB/shares/dominant"), 0u);
}

TEST_F(HierarchicalAllocator, DominantShareMetricsWithFairnessExclusion) {
  begin({.fairness_excluded = {"gpus"}});
  const auto share = [this](const std::string& role) {
    return metrics()["allocator/mesos/roles/" + role + "/shares/dominant"];
  };
  bench_->agent(Resources::parse("cpus:1;mem:1024;gpus:1").value());
  FrameworkInfo info = framework_info("roleA");
  info.capabilities |= bit(FrameworkCapability::kGpuResources);
  bench_->framework(info);
  EXPECT_EQ(share("roleA"), 1);
  bench_->framework(framework_info("roleB"));
  bench_->agent(Resources::parse("cpus:3;mem:3072").value());
  EXPECT_EQ(share("roleA"), 0.25) << "all gpus of the cluster, but they do not count";
  EXPECT_EQ(share("roleB"), 0.75);
  for (const RoleShare& known : allocator_->shares()) {
    EXPECT_EQ(known.dominant_share_ppm, known.role == "roleA" ? 250'000 : 750'000);
  }
}

}  // namespace
}  // namespace tepui
