#include "common/io/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tepui {
namespace {

using testing::HasSubstr;

TEST(Address, ReadsWhatItShowsAndSaysWhatIsWrong) {
  for (const char* text : {"127.0.0.1:5050", "0.0.0.0:0", "[::1]:65535"}) {
    EXPECT_EQ(to_text(parse_address(text).value()), text);
  }
  EXPECT_EQ(to_text(parse_address("localhost:5050").value()), "127.0.0.1:5050");
  EXPECT_TRUE(parse_address("127.9.9.9:1")->is_loopback());
  EXPECT_TRUE(parse_address("[::1]:1")->is_loopback());
  EXPECT_FALSE(parse_address("10.0.0.1:1")->is_loopback());
  for (const char* text : {"", "5050", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", ":5050",
                           "127.0.0.1:50x", "::1:5050", "300.0.0.1:1", "master:5050", "[]:1"}) {
    const auto refused = parse_address(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_THAT(refused.error().message, HasSubstr("expected one like 127.0.0.1:5050"));
  }
  EXPECT_EQ(to_text(parse_address("unix:/run/a.sock").value()), "unix:/run/a.sock");
  EXPECT_EQ(parse_address("unix:/run/a.sock")->path(), "/run/a.sock");
  EXPECT_TRUE(parse_address("unix:/run/a.sock")->is_loopback());
  EXPECT_EQ(parse_address("127.0.0.1:1")->path(), "");
  EXPECT_THAT(parse_address("unix:a.sock").error().message, HasSubstr("expected an absolute path"));
  EXPECT_THAT(parse_address("unix:/" + std::string(200, 'x')).error().message,
              HasSubstr("has 201 bytes, at most 107 are possible"));
  EXPECT_EQ(to_text(resolve_address("localhost:1").value()), "127.0.0.1:1");
  EXPECT_FALSE(resolve_address("no-such-host.invalid:1").has_value());
}

}  // namespace
}  // namespace tepui
