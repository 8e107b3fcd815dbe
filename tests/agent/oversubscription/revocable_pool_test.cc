#include "agent/oversubscription/revocable_pool.h"

#include <gtest/gtest.h>

#include "common/io/document_entries.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

ContainerFacts facts(const std::string& id, Resources resources) {
  ContainerFacts facts;
  facts.id = {id};
  facts.tasks.push_back(
      {.id = {id}, .name = id, .role = "web", .resources = std::move(resources), .limits = {}});
  return facts;
}

Resources revocable(std::string name, int64_t milli) {
  Resource item{.kind = make_kind({.name = std::move(name), .revocable = true}), .amount = milli};
  return Resources::create({item}).value();
}

// Each task by itself: of one task alone, `burst` lends nothing.
constexpr std::string_view kPeak =
    "[oversubscription]\nestimator = \"peak\"\ncpu-predictor = \"percentile\"\n"
    "memory-predictor = \"percentile\"\n";

Result<OversubscriptionSettings> read(std::string_view toml) {
  const Result<Document> document = parse_toml(toml, "c.toml");
  EXPECT_TRUE(document.has_value());
  return read_oversubscription_settings(
      entries_in(document.value_or(Document()), "oversubscription"));
}

std::string refusal(std::string_view toml) {
  const auto settings = read(toml);
  return settings ? "accepted" : settings.error().message;
}

// An agent with a container that uses so many milli-cpus and bytes.
class Pool {
 public:
  explicit Pool(std::string_view toml) : pool(read(toml).value()) {}

  void run(const std::string& id, Duration by, int64_t milli, int64_t bytes = -1) {
    for (const Instant until = now + by; now < until;) {
      now += 5s;
      used += milli * 5'000'000;
      pool.on_sample({id}, {.at = now, .cpu_usage_ns = used});
      if (bytes >= 0) pool.on_working_set({id}, now, bytes);
      if (const auto proposed = pool.propose(now, cpu_permille, memory_permille)) {
        said = *proposed;
        ++times;
      }
    }
  }

  RevocablePool pool;
  Instant now{1h};
  int64_t used = 0;
  int64_t cpu_permille = 1000;
  int64_t memory_permille = 1000;
  Resources said;
  int times = 0;
};

TEST(RevocablePool, NothingIsSaidWhereThereIsNoEstimator) {
  Pool pool("");
  pool.pool.on_container(facts("a", Resources::scalars({{"cpus", 8000}})));
  pool.run("a", 2h, 100);
  EXPECT_EQ(pool.times, 0);
}

TEST(RevocablePool, AFixedPoolIsSaidOnceAndLessOfItWhereLessMayBeOffered) {
  Pool pool("[oversubscription]\nestimator = \"fixed\"\ncpus = 2.5\nmem = \"1GB\"\n");
  pool.run("a", 1min, 0);
  EXPECT_EQ(pool.times, 1);
  EXPECT_EQ(pool.said, revocable("cpus", 2500) + revocable("mem", 1'024'000));
  pool.cpu_permille = 500;
  pool.run("a", 5s, 0);
  EXPECT_EQ(pool.said, revocable("cpus", 1250) + revocable("mem", 1'024'000));
  pool.cpu_permille = 0;
  pool.memory_permille = 0;
  pool.run("a", 5s, 0);
  EXPECT_EQ(pool.said, Resources());
  pool.cpu_permille = pool.memory_permille = 1000;
  pool.run("a", 1min, 0);
  EXPECT_EQ(pool.times, 4);
}

TEST(RevocablePool, WhatIsAllocatedButIdleBecomesRevocableSlowly) {
  Pool pool(kPeak);
  pool.pool.on_container(facts("a", Resources::scalars({{"cpus", 8000}, {"mem", 1'024'000}})));
  pool.run("a", 20min, 500, 100 << 20);
  EXPECT_EQ(pool.times, 0) << "too young";
  pool.run("a", 20min, 500, 100 << 20);
  const int64_t early = pool.said.total_milli("cpus");
  EXPECT_GT(early, 0);
  pool.run("a", 3h, 500, 100 << 20);
  EXPECT_GT(pool.said.total_milli("cpus"), early);
  EXPECT_GT(pool.said.total_milli("cpus"), 5000);
  EXPECT_LT(pool.said.total_milli("cpus"), 7500);
  EXPECT_GT(pool.said.total_milli("mem"), 500'000);
  EXPECT_TRUE(pool.said.non_revocable().empty());
  // It wants what is its own.
  const int64_t before = pool.said.total_milli("cpus");
  pool.run("a", 10min, 7900, 100 << 20);
  EXPECT_LT(pool.said.total_milli("cpus"), before);
  EXPECT_LT(pool.said.total_milli("cpus"), 1000);
}

TEST(RevocablePool, MemoryOfWhichNothingIsKnownIsNotLent) {
  Pool pool(kPeak);
  pool.pool.on_container(facts("a", Resources::scalars({{"cpus", 8000}, {"mem", 1'024'000}})));
  pool.run("a", 3h, 500);
  EXPECT_GT(pool.said.total_milli("cpus"), 0);
  EXPECT_EQ(pool.said.total_milli("mem"), 0);
}

TEST(RevocablePool, WhatIsRevocableIsNotLentAgain) {
  Pool pool(kPeak);
  pool.pool.on_container(facts("a", revocable("cpus", 8000) + revocable("mem", 1'024'000)));
  pool.run("a", 3h, 100, 1 << 20);
  EXPECT_EQ(pool.times, 0);
}

TEST(RevocablePool, WhoIsGoneLendsNothing) {
  Pool pool(kPeak);
  pool.pool.on_container(facts("a", Resources::scalars({{"cpus", 8000}})));
  pool.run("a", 3h, 500);
  EXPECT_GT(pool.said.total_milli("cpus"), 0);
  pool.pool.on_gone({"a"});
  pool.run("a", 30s, 500);
  EXPECT_EQ(pool.said, Resources());
}

TEST(RevocablePool, OtherSettingsBeginAnew) {
  Pool pool(kPeak);
  pool.pool.on_container(facts("a", Resources::scalars({{"cpus", 8000}})));
  pool.run("a", 3h, 500);
  pool.pool.on_settings(read("[oversubscription]\nestimator = \"none\"\n").value());
  pool.run("a", 5s, 500);
  EXPECT_EQ(pool.said, Resources());
  pool.pool.on_settings(read(kPeak).value());
  pool.run("a", 3h, 500);
  EXPECT_GT(pool.said.total_milli("cpus"), 0);
}

TEST(RevocablePool, SettingsAreRefusedWithTheirLine) {
  EXPECT_EQ(refusal("[oversubscription]\nestimator = \"magic\"\n"),
            "line 2: oversubscription.estimator: expected none, fixed or peak");
  EXPECT_EQ(refusal("[oversubscription]\nestimator = \"fixed\"\n"),
            "oversubscription: the fixed estimator needs cpus, mem or both");
  EXPECT_EQ(refusal("[oversubscription]\ncpus = -1\n"),
            "line 2: oversubscription.cpus: expected a number of processors such as 2.5");
  EXPECT_EQ(refusal("[oversubscription]\ninterval = \"1ms\"\n"),
            "line 2: oversubscription.interval: expected a time in quotes, from \"1secs\" to "
            "\"1hrs\"");
  EXPECT_EQ(refusal("[oversubscription]\ncpu-predictor = \"oracle\"\n"),
            "line 2: oversubscription.cpu-predictor: expected one of limits, borg-default, "
            "percentile, n-sigma, max, burst");
  EXPECT_TRUE(refusal("[oversubscription]\nslack = 3\n")
                  .starts_with("line 2: oversubscription.slack: expected estimator, cpus"));
}

}  // namespace
}  // namespace tepui
