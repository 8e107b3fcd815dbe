#include "common/io/resource_document.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace tepui {
namespace {

std::string problem(const Result<Resources>& result) {
  return result ? "" : result.error().message;
}
std::string problem(const std::string& given) { return problem(read_resources(given, "R")); }
// What one element lacks or has too much, in a list that begins with a good one.
std::string problem_of(const std::string& element) {
  return problem(R"([{"name":"cpus","type":"SCALAR","scalar":{"value":4}},)" + element + "]");
}
std::string disk(const std::string& rest) {
  return R"({"name":"disk","type":"SCALAR","scalar":{"value":1024})" + rest + "}";
}

TEST(ResourceDocument, ReadsEveryTypeOfAmount) {
  const auto read = read_resources(
      R"([{"name":"cpus","type":"SCALAR","scalar":{"value":2.5}},
          {"name":"mem","type":"SCALAR","scalar":{"value":1024}},
          {"name":"ports","type":"RANGES",
           "ranges":{"range":[{"begin":31000,"end":31009},{"begin":31010,"end":32000}]}},
          {"name":"zones","type":"SET","set":{"item":["b","a"]}}])",
      "R");
  ASSERT_TRUE(read) << problem(read);
  EXPECT_EQ(*read, *Resources::parse("cpus:2.5;mem:1024;ports:[31000-32000];zones:{a,b}"));
}

TEST(ResourceDocument, ReadsReservationsAndDisks) {
  const auto read = read_resources(
      "[" + disk(R"(,"disk":{"source":{"type":"PATH","path":{"root":"/mnt/a"}}},
                     "reservations":[{"type":"STATIC","role":"eng"}])") +
          "," + disk(R"(,"disk":{"source":{"type":"MOUNT","mount":{"root":"/mnt/b"}}})") + "," +
          disk(R"(,"role":"ops")") + "," + disk(R"(,"role":"*","disk":{})") + "]",
      "R");
  ASSERT_TRUE(read) << problem(read);
  const Resource path{
      .kind = make_kind({.name = "disk",
                         .reservations = {{.type = Reservation::Type::kStatic, .role = "eng"}},
                         .disk = Disk{.source = Disk::Source::kPath, .source_root = "/mnt/a"}}),
      .amount = Amount{int64_t{1'024'000}}};
  const Resource mount{
      .kind = make_kind(
          {.name = "disk", .disk = Disk{.source = Disk::Source::kMount, .source_root = "/mnt/b"}}),
      .amount = Amount{int64_t{1'024'000}}};
  EXPECT_EQ(*read,
            *Resources::create({path, mount}) + *Resources::parse("disk(ops):1024;disk:1024"));
}

TEST(ResourceDocument, ReadsRefinedStacksAndVolumes) {
  const auto read = read_resources("[" + disk(R"(,"shared":{},"reservations":[
                 {"type":"STATIC","role":"eng"},
                 {"type":"DYNAMIC","role":"eng/web","principal":"p",
                  "labels":{"labels":[{"key":"k","value":"v"},{"key":"empty"}]}}],
               "disk":{"persistence":{"id":"v","principal":"q"},
                       "volume":{"container_path":"data","mode":"RO"}})") +
                                       "]",
                                   "R");
  ASSERT_TRUE(read) << problem(read);
  const ResourceKind kind{
      .name = "disk",
      .reservations = {{.type = Reservation::Type::kStatic, .role = "eng"},
                       {.type = Reservation::Type::kDynamic,
                        .role = "eng/web",
                        .principal = "p",
                        .labels = {{"k", "v"}, {"empty", ""}}}},
      .disk =
          Disk{
              .persistence_id = "v", .principal = "q", .container_path = "data", .read_only = true},
      .shared = true};
  EXPECT_EQ(*read->items().front().kind, kind);
}

TEST(ResourceDocument, NamesTheElementTheKeyAndWhatWasExpected) {
  EXPECT_EQ(problem("[3]"),
            "R[0] is a whole number, expected a table of name, type, scalar, ranges, set, role, "
            "reservations, disk, revocable, shared");
  EXPECT_EQ(problem_of(R"({"type":"SCALAR","scalar":{"value":1}})"),
            "R[1] has no 'name', expected a name, like cpus");
  EXPECT_EQ(problem_of(R"({"name":"mem","scalar":{"value":1}})"),
            "R[1] has no 'type', expected SCALAR, RANGES or SET");
  EXPECT_EQ(problem_of(R"({"name":"mem","type":"scalar","scalar":{"value":1}})"),
            "R[1].type is 'scalar', expected SCALAR, RANGES or SET");
  EXPECT_EQ(problem_of(R"({"name":"mem","type":"SCALAR"})"),
            "R[1] has no 'scalar', expected the amount, as the type says");
  EXPECT_EQ(problem_of(R"({"name":"mem","type":"SCALAR","scalar":{"value":"1"}})"),
            "R[1].scalar.value is '1', expected a number above 0 with up to three decimals");
  EXPECT_EQ(problem_of(R"({"name":"mem","type":"SCALAR","scalar":{"value":1},"size":2})"),
            "R[1] has 'size', expected only name, type, scalar, ranges, set, role, reservations, "
            "disk, revocable, shared");
  EXPECT_EQ(problem_of(R"({"name":"p","type":"SET","set":{"item":["a"]},"scalar":{"value":1}})"),
            "R[1] is of type SET and has 'scalar', expected only 'set'");
  EXPECT_EQ(problem_of(disk(R"(,"disk":{"source":{"type":"RAW"}})")),
            "R[1].disk.source.type is 'RAW', expected PATH or MOUNT");
  EXPECT_EQ(problem_of(disk(R"(,"disk":{"source":{"type":"PATH","mount":{"root":"/a"}}})")),
            "R[1].disk.source is of type PATH and has 'mount', expected only 'path'");
  EXPECT_EQ(problem_of(disk(R"(,"disk":{"source":{"type":"MOUNT"}})")),
            R"(R[1].disk.source has no 'mount', expected {"root": "/mnt/disk1"})");
  EXPECT_EQ(problem_of(disk(R"(,"disk":{"source":{"type":"PATH","path":{"root":"a"}}})")),
            "R[1].disk.source.path.root is 'a', expected an absolute path");
  EXPECT_EQ(problem_of(disk(R"(,"reservations":[{"role":"eng"}])")),
            "R[1].reservations[0] has no 'type', expected STATIC or DYNAMIC");
  EXPECT_EQ(problem_of(disk(R"(,"role":"eng","reservations":[])")),
            "R[1] has 'role' and 'reservations', expected one of them");
  EXPECT_EQ(problem_of(disk(R"(,"revocable":true)")),
            "R[1].revocable is true or false, expected {}");
  EXPECT_EQ(problem_of(R"({"name":"ports","type":"RANGES",
                           "ranges":{"range":[{"begin":5,"end":4}]}})"),
            "R[1].ranges.range[0] begins at 5 and ends at 4, before that");
  EXPECT_EQ(problem_of(R"({"name":"ports","type":"RANGES","ranges":{"range":[{"begin":-1,
                           "end":4}]}})"),
            "R[1].ranges.range[0].begin is -1, expected a whole number, at least 0");
  EXPECT_EQ(problem_of(R"({"name":"z","type":"SET","set":{"item":["a b"]}})"),
            "R[1].set.item[0] 'a b' contains ' '");
}

TEST(ResourceDocument, RefusesAmountsThatAreNone) {
  for (const char* value : {"0", "-1", "1.0005", "1e300", "99999999999999"}) {
    EXPECT_NE(problem_of(R"({"name":"mem","type":"SCALAR","scalar":{"value":)" +
                         std::string(value) + "}}")
                  .find("R[1].scalar.value is "),
              std::string::npos)
        << value;
  }
}

TEST(ResourceDocument, SaysWhichElementIsNoValidResource) {
  EXPECT_EQ(problem_of(disk(R"(,"reservations":[{"type":"STATIC","role":"eng"},
                                                {"type":"STATIC","role":"eng/web"}])")),
            "R[1]: resource 'disk': reservation to 'eng/web' is static, only the outermost may be");
  EXPECT_EQ(problem_of(disk(R"(,"shared":{})")),
            "R[1]: resource 'disk': only a persistent volume can be shared");
  const std::string mounted =
      disk(R"(,"disk":{"source":{"type":"MOUNT","mount":{"root":"/mnt/b"}}})");
  EXPECT_EQ(problem_of(mounted + "," + mounted),
            "R[2].disk.source.mount.root is '/mnt/b' once more; a mounted disk goes only as a "
            "whole, so it is one element");
}

TEST(ResourceDocument, WhatIsNotJsonSaysWhere) {
  EXPECT_EQ(problem("[{\n]").find("R:2: not JSON, at "), 0u);
  EXPECT_EQ(problem("cpus=4"), "R: 'cpus=4' has no ':', expected one like cpus:4");
}

TEST(ResourceDocument, ComesFromAFileToo) {
  std::string folder = (std::filesystem::temp_directory_path() / "tepui-resources-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/r";
  std::ofstream(path) << " \n[{\"name\":\"cpus\",\"type\":\"SCALAR\",\"scalar\":{\"value\":3}}]\n";
  for (const std::string& given : {path, "file://" + path}) {
    const auto read = read_resources(given, "R");
    ASSERT_TRUE(read) << problem(read);
    EXPECT_EQ(*read, Resources::scalars({{"cpus", 3000}}));
  }
  std::ofstream(path) << "cpus:2;mem:1GB\n";
  EXPECT_EQ(*read_resources(path, "R"), *Resources::parse("cpus:2;mem:1GB"));
  std::ofstream(path) << "[{\"name\":7}]";
  EXPECT_EQ(problem(path), path + "[0].name is a whole number, expected text");
  EXPECT_EQ(problem(folder + "/none").find("R: cannot read " + folder + "/none"), 0u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tepui
