// Goal: what people write as zk://… is understood or refused with a reason, and a password is never
// repeated.

#include "common/zk_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tepui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(ZkAddress, NamesServersWithTheirUsualPortAndAPath) {
  const Result<ZkAddress> address = parse_zk("zk://a,10.0.0.2:4000,[::1]:99,[::2]/tepui/prod/");
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_THAT(address->servers, ElementsAre("a:2181", "10.0.0.2:4000", "[::1]:99", "[::2]:2181"));
  EXPECT_EQ(address->path, "/tepui/prod");
  EXPECT_EQ(address->user, "");
  EXPECT_EQ(to_text(*address), "zk://a:2181,10.0.0.2:4000,[::1]:99,[::2]:2181/tepui/prod");
}

TEST(ZkAddress, KeepsAPasswordToItself) {
  const Result<ZkAddress> address = parse_zk("zk://op:s3:cr@et@a:1/x");
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->user, "op");
  EXPECT_EQ(address->password, "s3:cr@et");
  EXPECT_EQ(to_text(*address), "zk://op@a:1/x");
}

TEST(ZkAddress, IsRefusedWithAReason) {
  const auto why = [](std::string_view text) {
    const Result<ZkAddress> parsed = parse_zk(text);
    return parsed ? "accepted" : parsed.error().message;
  };
  EXPECT_THAT(why("127.0.0.1:5050"), HasSubstr("is not zk://"));
  EXPECT_THAT(why("zk://a:1"), HasSubstr("there is no path"));
  EXPECT_THAT(why("zk://a:1/"), HasSubstr("must lie below '/'"));
  EXPECT_THAT(why("zk://a:1/x//y"), HasSubstr("empty or relative"));
  EXPECT_THAT(why("zk://a:1/x/../y"), HasSubstr("empty or relative"));
  EXPECT_THAT(why("zk://a:1/x y"), HasSubstr("blank"));
  EXPECT_THAT(why("zk://a:0/x"), HasSubstr("server 1 has no port"));
  EXPECT_THAT(why("zk://a:1,b:70000/x"), HasSubstr("server 2 has no port"));
  EXPECT_THAT(why("zk://a:1,/x"), HasSubstr("server 2 is not HOST:PORT"));
  EXPECT_THAT(why("zk://[::1/x"), HasSubstr("server 1 is not HOST:PORT"));
  EXPECT_THAT(why("zk://onlyuser@a:1/x"), HasSubstr("is not USER:PASSWORD"));
  EXPECT_THAT(why("zk://op:se/cret@a:1/x"), Not(HasSubstr("cret")));
}

}  // namespace
}  // namespace tepui
