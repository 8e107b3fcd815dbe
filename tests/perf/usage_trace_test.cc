#include "perf/usage_trace.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

namespace tepui::perf {
namespace {

class UsageTraces : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "usage_trace.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::string error_of(const std::string& text) {
    const auto read = read_usage_traces({write("bad.csv", text)});
    return read ? "" : read.error().message.substr(folder_.string().size() + 1);
  }

  std::filesystem::path folder_;
};

std::string row(int first, size_t count) {
  std::string text = fmt::format("{}", first);
  for (size_t i = 1; i < count; ++i) text += ",50";
  return text + "\n";
}

TEST_F(UsageTraces, PlanetLabIsATaskALine) {
  const auto traces = read_usage_traces({write("day.csv", row(0, 288) + row(100, 288))});
  ASSERT_TRUE(traces.has_value()) << traces.error().message;
  ASSERT_EQ(traces->size(), 1U);
  EXPECT_EQ((*traces)[0].name, "day");
  ASSERT_EQ((*traces)[0].tasks.size(), 2U);
  EXPECT_EQ((*traces)[0].tasks[1].usage_milli[0], 1000);
  EXPECT_EQ((*traces)[0].tasks[1].usage_milli[287], 500);
  EXPECT_EQ((*traces)[0].tasks[1].limit_milli, 1000);
}

TEST_F(UsageTraces, GzipIsReadAsPlainTextIs) {
  const std::string path = folder_ / "day.csv.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzputs(file, row(7, 288).c_str());
  gzclose(file);
  const auto traces = read_usage_traces({path});
  ASSERT_TRUE(traces.has_value()) << traces.error().message;
  EXPECT_EQ((*traces)[0].name, "day");
  EXPECT_EQ((*traces)[0].tasks[0].usage_milli[0], 70);
}

TEST_F(UsageTraces, SeriesOfMachinesAreCutIntoDaysOfOneTrace) {
  std::string text = "timestamp,value\n";
  for (int i = 0; i < 600; ++i) text += fmt::format("2014-02-14 14:30:00,{}.5\n", i % 100);
  write("a.csv", text);
  write("b.csv", text);
  const auto traces = read_usage_traces({folder_});
  ASSERT_TRUE(traces.has_value()) << traces.error().message;
  ASSERT_EQ(traces->size(), 1U);
  EXPECT_EQ((*traces)[0].name, "cloudwatch");
  ASSERT_EQ((*traces)[0].tasks.size(), 4U);
  EXPECT_EQ((*traces)[0].tasks[1].usage_milli[0], 885);
}

TEST_F(UsageTraces, BitbrainsGivesItsColumn) {
  std::string text = "Timestamp [ms];\tCPU cores;\tCPU usage [%];\tMemory usage [KB]\n";
  for (int i = 0; i < 288; ++i) text += "1;\t1;\t2.5;\t77\n";
  const auto traces = read_usage_traces({write("vm.csv", text)});
  ASSERT_TRUE(traces.has_value()) << traces.error().message;
  EXPECT_EQ((*traces)[0].name, "bitbrains");
  EXPECT_EQ((*traces)[0].tasks[0].usage_milli[100], 25);
}

TEST_F(UsageTraces, OpenbGivesSizesAndTimes) {
  const auto traces =
      read_usage_traces({write("pods.csv",
                               "name,cpu_milli,qos,creation_time,deletion_time\n"
                               "a,6000,LS,86700,88200\nb,4000,LS,0,900000\nc,4000,LS,5,\n")});
  ASSERT_TRUE(traces.has_value()) << traces.error().message;
  const std::vector<TaskUsage>& tasks = (*traces)[0].tasks;
  ASSERT_EQ(tasks.size(), 2U);
  EXPECT_EQ(tasks[0].limit_milli, 6000);
  EXPECT_EQ(tasks[0].first, 1U);
  EXPECT_EQ(tasks[0].usage_milli.size(), 6U);
  EXPECT_EQ(tasks[1].usage_milli.size(), 288U);
}

TEST_F(UsageTraces, WhatIsWrongIsSaidWithItsLine) {
  EXPECT_EQ(error_of(""), "bad.csv: is empty");
  EXPECT_EQ(error_of(row(1, 288) + row(1, 3)), "bad.csv: line 2: has 3 samples, expected 288");
  EXPECT_EQ(error_of("1,x\n"), "bad.csv: line 1: 'x' is not a number");
  EXPECT_EQ(error_of("1,nan\n"), "bad.csv: line 1: 'nan' is not a number");
  EXPECT_EQ(error_of("timestamp,value\n2014,\n"),
            "bad.csv: line 2: has no number in column 'value'");
  EXPECT_EQ(error_of("Timestamp [ms];\tCPU cores\n1;\t1\n"),
            "bad.csv: has no column 'CPU usage [%]'");
  EXPECT_EQ(error_of("sn,cpu_milli,memory_mib,gpu,model\n"),
            "bad.csv: has no columns 'cpu_milli', 'creation_time' and 'deletion_time'");
  const auto none = read_usage_traces({folder_ / "none"});
  ASSERT_FALSE(none.has_value());
  EXPECT_TRUE(none.error().message.ends_with("none: cannot be opened"));
}

}  // namespace
}  // namespace tepui::perf
