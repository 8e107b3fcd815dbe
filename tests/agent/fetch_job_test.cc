#include "agent/fetch_job.h"

#include <gtest/gtest.h>

#include <string>

namespace tepui {
namespace {

const std::string kDigits(64, 'e');

FetchJob full_job() {
  return {.kind = FetchJob::Kind::kPlace,
          .uid = 1000,
          .gid = 100,
          .groups = {100, 27},
          .uri = "http://x/y",
          .name = "a/y",
          .sha256 = kDigits,
          .extract = true,
          .executable = true,
          .archive = true,
          .reference = "latest",
          .digest = "sha256:" + kDigits,
          .media_type = "t",
          .bytes_max = uint64_t{1} << 40,
          .stall_secs = 60};
}

FetchAnswer full_answer() {
  return {.error = "no",
          .code = 5,
          .bytes = 7,
          .sha256 = kDigits,
          .layers = {{.digest = "sha256:" + kDigits, .media_type = "m", .bytes = 9}},
          .config = {.environment = {"A=B"},
                     .entrypoint = {"/e", "1"},
                     .command = {"c"},
                     .working_directory = "/w",
                     .user = "5"},
          .opaque = {".", "a/b"}};
}

TEST(FetchJob, ComesOverAsItIs) { EXPECT_EQ(decode_fetch_job(encode(full_job())), full_job()); }

TEST(FetchJob, IsRefusedWhenAnythingIsMissingOrTooMuch) {
  const std::string bytes = encode(full_job());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_fetch_job(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_fetch_job(bytes + "x"));
}

TEST(FetchJob, IsRefusedWhenItMakesNoSense) {
  const auto refuses = [](auto change) {
    FetchJob job = full_job();
    change(job);
    return !decode_fetch_job(encode(job)).has_value();
  };
  EXPECT_TRUE(refuses([](FetchJob& job) { job.name.clear(); }));
  EXPECT_TRUE(refuses([](FetchJob& job) { job.sha256 = "short"; }));
  EXPECT_TRUE(refuses([](FetchJob& job) { job.uri = std::string("a\0b", 3); }));
  EXPECT_TRUE(refuses([](FetchJob& job) { job.kind = static_cast<FetchJob::Kind>(9); }));
  EXPECT_TRUE(refuses([](FetchJob& job) {
    job.kind = FetchJob::Kind::kUnpack;
    job.digest = "sha256:../../etc";
  }));
}

TEST(FetchReports, ComeInAnyPieces) {
  const std::string bytes = encode(FetchReport(FetchProgress{.bytes = 3, .total = 4})) +
                            encode(FetchReport(full_answer()));
  FetchReports reports;
  std::vector<FetchReport> got;
  for (const char c : bytes) {
    reports.add({&c, 1});
    const auto report = reports.next();
    ASSERT_TRUE(report) << report.error().message;
    if (*report) got.push_back(**report);
  }
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(std::get<FetchProgress>(got[0]), (FetchProgress{.bytes = 3, .total = 4}));
  EXPECT_EQ(std::get<FetchAnswer>(got[1]), full_answer());
}

TEST(FetchReports, AreRefusedWhenTheyAreNone) {
  const auto read = [](const std::string& bytes) {
    FetchReports reports;
    reports.add(bytes);
    return reports.next().has_value();
  };
  EXPECT_FALSE(read(std::string(8, '\xff')));
  std::string damaged = encode(FetchReport(full_answer()));
  damaged[4] = 'x';
  EXPECT_FALSE(read(damaged));
  FetchAnswer climbing = full_answer();
  climbing.layers[0].digest = "sha256:../../../etc";
  EXPECT_FALSE(read(encode(FetchReport(climbing))));
}

TEST(FetchReports, WhatPeopleReadIsPlainText) {
  FetchReports reports;
  reports.add(encode(FetchReport(FetchAnswer{.error = "a\x1b[31m\xff"})));
  const auto report = reports.next();
  ASSERT_TRUE(report && *report);
  EXPECT_EQ(std::get<FetchAnswer>(**report).error, "a?[31m?");
}

}  // namespace
}  // namespace tepui
