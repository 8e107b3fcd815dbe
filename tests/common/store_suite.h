#pragma once
// What every Store with its Coordinator must do, wherever it keeps the registry. A test program
// says where with INSTANTIATE_STORE_SUITE: a directory, an ensemble of ZooKeeper, a simulated one.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/coordinator.h"
#include "common/store.h"

namespace tepui::test {

// One that opened the registry, as a master does. What it was told, in order.
class StoreUser : public StoreClient, public CoordinatorClient {
 public:
  void on_persisted(uint64_t token) override {
    EXPECT_FALSE(is_calling);
    persisted.push_back(token);
  }
  void on_persist_failed(uint64_t token, Error error) override {
    EXPECT_FALSE(is_calling);
    failed.emplace_back(token, std::move(error.message));
  }
  void on_elected(uint64_t begun, StoreContents found) override {
    EXPECT_FALSE(is_calling);
    epoch = begun;
    contents = std::move(found);
  }
  void on_deposed(std::string_view why) override {
    EXPECT_FALSE(is_calling);
    deposed = why;
  }

  virtual Store& store() = 0;
  virtual Coordinator& coordinator() = 0;

  void write(uint64_t token, std::vector<StoreWrite> batch) {
    write_as(epoch.value_or(0), token, std::move(batch));
  }
  void write_as(uint64_t as, uint64_t token, std::vector<StoreWrite> batch) {
    is_calling = true;
    store().write(as, token, std::move(batch));
    is_calling = false;
  }

  bool is_calling = false;
  std::optional<uint64_t> epoch;
  StoreContents contents;
  std::vector<uint64_t> persisted;
  std::vector<std::pair<uint64_t, std::string>> failed;
  std::optional<std::string> deposed;
};

// Where a registry is kept. One user at a time is opened, and destroyed without a farewell.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual std::unique_ptr<StoreUser> open() = 0;
  // Lets things happen until it is so; false: it takes too long.
  virtual bool run_until(const std::function<bool()>& done) = 0;
};

struct NamedStorePlace {
  std::string name;
  std::function<std::unique_ptr<StorePlace>()> make;
};

class StoreSuite : public testing::TestWithParam<NamedStorePlace> {
 protected:
  std::unique_ptr<StoreUser> lead() {
    auto user = place_->open();
    user->is_calling = true;
    user->coordinator().contend();
    user->is_calling = false;
    EXPECT_TRUE(place_->run_until([&] { return user->epoch.has_value(); }))
        << user->deposed.value_or("");
    return user;
  }
  // What the next one finds.
  StoreContents contents() { return lead()->contents; }
  bool settle(StoreUser& user, size_t answers) {
    return place_->run_until([&] { return user.persisted.size() + user.failed.size() >= answers; });
  }

  std::unique_ptr<StorePlace> place_ = GetParam().make();
};

TEST_P(StoreSuite, KeepsWhatWasReportedInOrder) {
  {
    auto user = lead();
    EXPECT_TRUE(user->contents.empty());
    user->write(1, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
    user->write(2, {{"a", std::nullopt}, {"b", ""}});
    user->write(3, {{"d", std::string("\0\xff", 2)}, {"d", "last"}});
    EXPECT_TRUE(user->persisted.empty());
    ASSERT_TRUE(settle(*user, 3));
    EXPECT_THAT(user->persisted, testing::ElementsAre(1, 2, 3));
  }
  EXPECT_EQ(contents(), (StoreContents{{"b", ""}, {"c", "3"}, {"d", "last"}}));
}

TEST_P(StoreSuite, GivesEveryLeaderAHigherEpoch) {
  uint64_t before = 0;
  for (int i = 0; i < 4; ++i) {
    auto user = lead();
    EXPECT_GT(*user->epoch, before);
    before = *user->epoch;
  }
}

TEST_P(StoreSuite, RefusesAnotherEpochAndGoesOn) {
  {
    lead();
  }
  auto user = lead();
  user->write_as(*user->epoch - 1, 7, {{"a", "old"}});
  user->write_as(*user->epoch + 1, 8, {{"a", "strange"}});
  user->write(9, {{"a", "new"}});
  ASSERT_TRUE(settle(*user, 3));
  EXPECT_THAT(user->persisted, testing::ElementsAre(9));
  ASSERT_EQ(user->failed.size(), 2u);
  EXPECT_EQ(user->failed[0].first, 7u);
  EXPECT_THAT(user->failed[0].second,
              testing::HasSubstr(fmt::format("epoch {} is over", *user->epoch - 1)));
  user.reset();
  EXPECT_EQ(contents(), (StoreContents{{"a", "new"}}));
}

TEST_P(StoreSuite, RefusesKeysThatAreTooLongOrEmpty) {
  auto user = lead();
  user->write(1, {{std::string(255, 'k'), "long"}});
  ASSERT_TRUE(settle(*user, 1));
  EXPECT_THAT(user->persisted, testing::ElementsAre(1));
  user->write(2, {{std::string(256, 'k'), "longer"}});
  user->write(3, {{"", "nothing"}});
  ASSERT_TRUE(settle(*user, 3));
  EXPECT_EQ(user->failed.size(), 2u);
}

TEST_P(StoreSuite, ResignsWhenItIsToldTo) {
  auto user = lead();
  user->is_calling = true;
  user->coordinator().resign("enough");
  user->is_calling = false;
  ASSERT_TRUE(place_->run_until([&] { return user->deposed.has_value(); }));
  EXPECT_EQ(*user->deposed, "enough");
  user->write(5, {{"a", "after"}});
  ASSERT_TRUE(settle(*user, 1));
  EXPECT_EQ(user->failed.size(), 1u);
}

// Also in one process, that may have nothing in mind of what it wrote.
TEST_P(StoreSuite, LeadsAgainWithAllThatWasWrittenBefore) {
  auto user = lead();
  user->write(1, {{"a", "1"}, {"b", "2"}});
  ASSERT_TRUE(settle(*user, 1));
  const uint64_t first = *user->epoch;
  user->coordinator().resign("enough");
  ASSERT_TRUE(place_->run_until([&] { return user->deposed.has_value(); }));
  for (int i = 2; i < 4; ++i) {
    user->epoch.reset();
    user->deposed.reset();
    user->contents.clear();
    user->coordinator().contend();
    ASSERT_TRUE(place_->run_until([&] { return user->epoch.has_value(); }))
        << user->deposed.value_or("");
    EXPECT_GT(*user->epoch, first);
    EXPECT_EQ(user->contents, (StoreContents{{"a", fmt::format("{}", i - 1)}, {"b", "2"}}));
    user->write(static_cast<uint64_t>(i), {{"a", fmt::format("{}", i)}});
    ASSERT_TRUE(settle(*user, static_cast<size_t>(i)));
    user->coordinator().resign("enough");
    ASSERT_TRUE(place_->run_until([&] { return user->deposed.has_value(); }));
  }
  EXPECT_THAT(user->persisted, testing::ElementsAre(1, 2, 3));
  user.reset();
  EXPECT_EQ(contents(), (StoreContents{{"a", "3"}, {"b", "2"}}));
}

TEST_P(StoreSuite, KeepsLongValuesAndLongBatches) {
  StoreContents expected;
  {
    auto user = lead();
    std::vector<StoreWrite> batch;
    for (const size_t size : {0u, 1u, 255u, 20000u, 300000u, 600000u, 1500000u}) {
      batch.push_back({fmt::format("v{}", size), std::string(size, 'v')});
      expected[batch.back().key] = *batch.back().value;
    }
    for (int i = 0; i < 5000; ++i) {
      batch.push_back({fmt::format("agents/a{}", i), std::string(300, 'a')});
      expected[batch.back().key] = *batch.back().value;
    }
    user->write(1, std::move(batch));
    // From short to long and back.
    user->write(2, {{"v600000", "short"}, {"v1", std::string(700000, 'l')}, {"v20000", {}}});
    expected["v600000"] = "short";
    expected["v1"] = std::string(700000, 'l');
    expected.erase("v20000");
    ASSERT_TRUE(settle(*user, 2));
    EXPECT_THAT(user->persisted, testing::ElementsAre(1, 2));
  }
  EXPECT_TRUE(contents() == expected);
}

// Admissions come in batches, and then one agent after the other changes or goes.
TEST_P(StoreSuite, AdmitsFiftyThousandAgentsInBatches) {
  constexpr int kAgents = 50000;
  StoreContents expected;
  {
    auto user = lead();
    uint64_t token = 0;
    for (int first = 0; first < kAgents; first += 1000) {
      std::vector<StoreWrite> batch;
      for (int i = first; i < first + 1000; ++i) {
        batch.push_back({fmt::format("agents/7f3a9c12-e1-a{}", i), std::string(400, 'a')});
        expected[batch.back().key] = *batch.back().value;
      }
      user->write(++token, std::move(batch));
    }
    for (int i = 0; i < kAgents; i += 499) {
      std::string key = fmt::format("agents/7f3a9c12-e1-a{}", i);
      expected.erase(key);
      user->write(++token, {{std::move(key), std::nullopt},
                            {fmt::format("unreachable/7f3a9c12-e1-a{}", i), "now"}});
      expected[fmt::format("unreachable/7f3a9c12-e1-a{}", i)] = "now";
    }
    ASSERT_TRUE(settle(*user, token));
    EXPECT_EQ(user->persisted.size(), token)
        << (user->failed.empty() ? "" : user->failed.front().second);
  }
  EXPECT_TRUE(contents() == expected);
}

}  // namespace tepui::test

#define INSTANTIATE_STORE_SUITE(places)                                       \
  INSTANTIATE_TEST_SUITE_P(Everywhere, StoreSuite, testing::ValuesIn(places), \
                           [](const auto& info) { return info.param.name; })
