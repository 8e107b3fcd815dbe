#include "common/io/session_table.h"

#include <gtest/gtest.h>

#include <set>

#include "common/limits.h"

namespace tepui {
namespace {

constexpr LinkId kOne{1};
constexpr LinkId kOther{2};

TEST(SessionTable, ASessionIsFoundUnderItsNumberAndItsId) {
  SessionTable table;
  const auto first = table.find_or_open(kOne, 7, Conversation::kAgent);
  ASSERT_TRUE(first);
  EXPECT_EQ(*table.find_or_open(kOne, 7, Conversation::kAgent), *first);
  const SessionTable::Peer* peer = table.find(*first);
  ASSERT_NE(peer, nullptr);
  EXPECT_EQ(peer->link, kOne);
  EXPECT_EQ(peer->number, 7u);
  EXPECT_EQ(peer->conversation, Conversation::kAgent);
  EXPECT_NE(*table.find_or_open(kOther, 7, Conversation::kAgent), *first);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.find({}), nullptr);
}

TEST(SessionTable, ANumberCarriesOneConversation) {
  SessionTable table;
  ASSERT_TRUE(table.find_or_open(kOne, 1, Conversation::kAgent));
  const auto second = table.find_or_open(kOne, 1, Conversation::kScheduler);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "session 1 of this link already runs another conversation");
}

TEST(SessionTable, AnIdIsNeverUsedAgain) {
  SessionTable table;
  std::set<SessionId> seen;
  for (int i = 0; i < 100; ++i) {
    const SessionId one = *table.find_or_open(kOne, 1, Conversation::kAgent);
    const SessionId other = *table.find_or_open(kOther, 1, Conversation::kAgent);
    EXPECT_TRUE(seen.insert(one).second);
    EXPECT_TRUE(seen.insert(other).second);
    EXPECT_TRUE(table.close(one));
    EXPECT_FALSE(table.close(one));
    EXPECT_EQ(table.find(one), nullptr);
    table.close_link(kOther);
  }
  EXPECT_EQ(table.size(), 0u);
}

TEST(SessionTable, ALinkTakesItsSessionsAlongInOrder) {
  SessionTable table;
  const SessionId third = *table.find_or_open(kOne, 3, Conversation::kAgent);
  const SessionId first = *table.find_or_open(kOne, 1, Conversation::kAgent);
  const SessionId second = *table.find_or_open(kOne, 2, Conversation::kScheduler);
  const SessionId elsewhere = *table.find_or_open(kOther, 1, Conversation::kAgent);
  const std::vector<SessionId> expected = {first, second, third};
  EXPECT_EQ(table.sessions_of(kOne), expected);
  EXPECT_EQ(table.close_link(kOne), expected);
  EXPECT_TRUE(table.close_link(kOne).empty());
  EXPECT_TRUE(table.sessions_of(kOne).empty());
  EXPECT_EQ(table.find(second), nullptr);
  EXPECT_NE(table.find(elsewhere), nullptr);
}

TEST(SessionTable, SessionsOfALinkAreBounded) {
  SessionTable table;
  SessionId last;
  for (uint32_t i = 0; i < limits::kSessionsPerLinkMax; ++i) {
    const auto session = table.find_or_open(kOne, i, Conversation::kAgent);
    ASSERT_TRUE(session) << i;
    last = *session;
  }
  EXPECT_FALSE(table.find_or_open(kOne, limits::kSessionsPerLinkMax, Conversation::kAgent));
  EXPECT_EQ(*table.find_or_open(kOne, limits::kSessionsPerLinkMax - 1, Conversation::kAgent), last)
      << "those that are open go on";
  EXPECT_TRUE(table.find_or_open(kOther, 1, Conversation::kAgent));
  table.close(last);
  EXPECT_TRUE(table.find_or_open(kOne, limits::kSessionsPerLinkMax, Conversation::kAgent));
}

TEST(SessionTable, LaterLinksHaveHigherIds) {
  SessionTable table;
  table.on_link_up(kOther);
  table.on_link_up(kOne);
  const SessionId one = *table.find_or_open(kOne, 1, Conversation::kAgent);
  const SessionId other = *table.find_or_open(kOther, 1, Conversation::kAgent);
  EXPECT_LT(other, one) << "its link came up first, though it spoke later";
}

}  // namespace
}  // namespace tepui
