// Goal: what a master says of itself is what tools for Mesos read, and what they and masters of
// other builds wrote is understood or refused.

#include "common/io/master_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tepui {
namespace {

using testing::HasSubstr;

const MasterInfo kInfo{
    .id = "7d9f", .hostname = "node1", .ip = "10.0.0.1", .port = 5050, .version = "0.1.0"};

TEST(MasterInfo, IsWrittenAsToolsReadIt) {
  EXPECT_EQ(
      to_json(kInfo),
      R"({"address":{"hostname":"node1","ip":"10.0.0.1","port":5050},)"
      R"("capabilities":[{"type":"AGENT_UPDATE"},{"type":"AGENT_DRAINING"},{"type":"QUOTA_V2"}],)"
      R"("hostname":"node1","id":"7d9f","ip":16777226,"pid":"master@10.0.0.1:5050","port":5050,)"
      R"("version":"0.1.0"})");
}

TEST(MasterInfo, IsReadAsItWasWritten) {
  EXPECT_EQ(parse_master_info(to_json(kInfo)).value(), kInfo);
  MasterInfo six = kInfo;
  six.ip = "fd00::1";
  EXPECT_EQ(parse_master_info(to_json(six)).value(), six);
  EXPECT_EQ(address_of(kInfo), "10.0.0.1:5050");
  EXPECT_EQ(address_of(six), "[fd00::1]:5050");
}

TEST(MasterInfo, OfBeforeThereWasAnAddressIsRead) {
  const auto info = parse_master_info(R"({"id":"x","ip":16777343,"port":5051})");
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(address_of(*info), "127.0.0.1:5051");
}

TEST(MasterInfo, ThatNamesNoPlaceIsRefused) {
  for (const char* json : {"", "[]", "{}", R"({"ip":1})", R"({"address":{"ip":"node1","port":1}})",
                           R"({"address":{"ip":"10.0.0.1","port":70000}})",
                           R"({"address":{"ip":"10.0.0.1","port":"5050"}})", "\x7f\x45\x4c\x46"}) {
    const auto info = parse_master_info(json);
    ASSERT_FALSE(info) << json;
    EXPECT_THAT(info.error().message, HasSubstr("what the leader says of itself")) << json;
  }
}

}  // namespace
}  // namespace tepui
