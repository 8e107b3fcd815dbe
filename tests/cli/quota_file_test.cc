#include "cli/quota_file.h"

#include <gtest/gtest.h>

#include <string>

// Goal: a file of quotas says what its tables say, and an error names the line.

namespace tepui::cli {
namespace {

Result<UpdateQuota> parse(const std::string& text) {
  const auto document = parse_toml(text, "q.toml");
  EXPECT_TRUE(document.has_value()) << text;
  return parse_quotas(*document, "q.toml");
}

std::string error_of(const std::string& text) {
  const Result<UpdateQuota> update = parse(text);
  return update ? "accepted" : update.error().message;
}

TEST(QuotaFile, HasATableForEachRole) {
  const Result<UpdateQuota> update = parse(
      "[eng]\nguarantee = \"cpus:4;mem:1GB\"\nlimit = \"cpus:8\"\n"
      "[\"eng/search\"]\nlimit = \"gpus:0\"\n[old]\n");
  ASSERT_TRUE(update.has_value()) << update.error().message;
  EXPECT_FALSE(update->force);
  ASSERT_EQ(update->quotas.size(), 3u);
  for (const UpdateQuota::Item& item : update->quotas) {
    if (item.role == "eng") {
      EXPECT_EQ(item.quota.guarantees.get("cpus"), 4000);
      EXPECT_EQ(item.quota.guarantees.get("mem"), 1024'000);
      EXPECT_EQ(item.quota.limits_milli, (std::map<std::string, int64_t>{{"cpus", 8000}}));
    } else if (item.role == "eng/search") {
      EXPECT_EQ(item.quota.limits_milli, (std::map<std::string, int64_t>{{"gpus", 0}}));
    } else {
      EXPECT_EQ(item.role, "old");
      EXPECT_TRUE(item.quota.is_default()) << "is removed";
    }
  }
}

TEST(QuotaFile, ErrorsNameTheLine) {
  EXPECT_EQ(error_of(""), "q.toml names no role");
  EXPECT_EQ(error_of("[eng]\nmaximum = \"cpus:1\"\n"),
            "q.toml:2: a quota has no 'maximum', only guarantee and limit");
  EXPECT_TRUE(error_of("[eng]\nlimit = 4\n").starts_with("q.toml:2: limit is "));
  EXPECT_TRUE(error_of("[eng]\n\nlimit = \"ports:[1-2]\"\n").starts_with("q.toml:3: "));
  EXPECT_TRUE(error_of("eng = 1\n").starts_with("q.toml:1: eng is "));
}

}  // namespace
}  // namespace tepui::cli
