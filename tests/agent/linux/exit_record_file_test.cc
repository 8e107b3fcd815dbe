#include "agent/linux/exit_record_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "agent/linux/shim_protocol.h"

namespace tepui {
namespace {

using testing::HasSubstr;

std::string bytes_of(ExitRecordData data) {
  auto* raw = reinterpret_cast<unsigned char*>(&data);
  data.checksum = shim_checksum(raw, kExitRecordChecked);
  return std::string(reinterpret_cast<char*>(raw), sizeof data);
}

ExitRecordData data_of(ExitKind kind, int32_t value) {
  ExitRecordData data;
  data.kind = static_cast<uint32_t>(kind);
  data.value = value;
  data.pid = 4711;
  data.ended_at_unix_ns = 1'700'000'000'000'000'001;
  data.user_us = 1500;
  data.system_us = 20;
  data.memory_peak_bytes = 4096;
  return data;
}

TEST(ExitRecordFile, TellsAnExitFromASignal) {
  auto exited = parse_exit_record(bytes_of(data_of(ExitKind::kExited, 3)));
  ASSERT_TRUE(exited.has_value()) << exited.error().message;
  EXPECT_EQ(exited->record.exit_status, 3);
  EXPECT_FALSE(exited->record.signal.has_value());
  auto signaled = parse_exit_record(bytes_of(data_of(ExitKind::kSignaled, 9)));
  ASSERT_TRUE(signaled.has_value());
  EXPECT_EQ(signaled->record.signal, 9);
  EXPECT_FALSE(signaled->record.exit_status.has_value());
}

TEST(ExitRecordFile, CarriesTheMeasurements) {
  auto exit = parse_exit_record(bytes_of(data_of(ExitKind::kExited, 0)));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->pid, 4711);
  EXPECT_EQ(to_ns(exit->ended_at), 1'700'000'000'000'000'001);
  EXPECT_EQ(exit->user, std::chrono::microseconds(1500));
  EXPECT_EQ(exit->system, std::chrono::microseconds(20));
  EXPECT_EQ(exit->record.memory_peak_bytes, 4096);
}

TEST(ExitRecordFile, IsRefusedWhenAnySingleBitIsWrong) {
  const std::string good = bytes_of(data_of(ExitKind::kExited, 0));
  for (size_t i = 0; i < good.size() * 8; ++i) {
    std::string bad = good;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    EXPECT_FALSE(parse_exit_record(bad).has_value()) << "bit " << i;
  }
}

TEST(ExitRecordFile, IsRefusedAtAnyOtherLength) {
  const std::string good = bytes_of(data_of(ExitKind::kExited, 0));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_exit_record(good.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(parse_exit_record(good + "x").has_value());
}

TEST(ExitRecordFile, IsRefusedWhenTheSpaceWasTakenButNeverWritten) {
  auto exit = parse_exit_record(std::string(sizeof(ExitRecordData), '\0'));
  ASSERT_FALSE(exit.has_value());
  EXPECT_THAT(exit.error().message, HasSubstr("starts with 0x0"));
}

TEST(ExitRecordFile, IsRefusedWhenItsKindIsUnknown) {
  auto exit = parse_exit_record(bytes_of(data_of(static_cast<ExitKind>(3), 0)));
  ASSERT_FALSE(exit.has_value());
  EXPECT_THAT(exit.error().message, HasSubstr("kind 3"));
}

}  // namespace
}  // namespace tepui
