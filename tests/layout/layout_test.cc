// Reads every source file of the tree and holds it against the rules; and proves on made-up files
// that each rule catches its breach.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/layout/rules.h"

namespace tepui::layout {
namespace {

using Found = std::vector<std::string>;

Found breaches_of(const std::string& path, const std::string& text) {
  return breaches({{.path = path, .text = text}});
}

std::vector<SourceFile> read_tree() {
  std::vector<SourceFile> files;
  const std::filesystem::path root = TEPUI_SOURCE_ROOT;
  for (const char* folder :
       {"agent", "cli", "common", "ebpf", "master", "perf", "schemas", "sdk", "tests"}) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc" && extension != ".c") continue;
      std::ifstream stream(entry.path());
      files.push_back({.path = std::filesystem::relative(entry.path(), root),
                       .text = {std::istreambuf_iterator<char>(stream), {}}});
    }
  }
  return files;
}

TEST(Layout, HoldsInTheWholeTree) {
  const std::vector<SourceFile> files = read_tree();
  ASSERT_GT(files.size(), 20u);
  for (const std::string& breach : breaches(files)) ADD_FAILURE() << breach;
}

TEST(Layout, NoFolderIsEmpty) {
  const std::filesystem::path root = TEPUI_SOURCE_ROOT;
  for (const char* folder :
       {"agent", "cli", "common", "docs", "ebpf", "master", "perf", "schemas", "sdk", "tests"}) {
    ASSERT_TRUE(std::filesystem::exists(root / folder)) << folder;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (entry.is_directory()) {
        EXPECT_FALSE(std::filesystem::is_empty(entry.path())) << entry.path();
      }
    }
  }
}

TEST(Layout, FoldersIncludeOnlyWhatTheyMay) {
  EXPECT_EQ(breaches_of("master/x.cc", "#include \"common/ids.h\"\n#include \"master/y.h\"\n"),
            Found{});
  EXPECT_EQ(breaches_of("master/x.cc", "#include \"agent/agent.h\"\n"),
            Found{"master/x.cc:1: master may not include \"agent/agent.h\""});
  EXPECT_EQ(breaches_of("master/x.cc", "\n#include \"common/io/clock.h\"\n"),
            Found{"master/x.cc:2: master may not include \"common/io/clock.h\""});
  EXPECT_EQ(breaches_of("master/allocator/x.cc", "#include \"master/shell/shell.h\"\n"),
            Found{"master/allocator/x.cc:1: master may not include \"master/shell/shell.h\""});
  EXPECT_EQ(breaches_of("common/x.cc", "#include \"sdk/scheduler.h\"\n"),
            Found{"common/x.cc:1: common may not include \"sdk/scheduler.h\""});
  EXPECT_EQ(breaches_of("cli/x.cc", "#include \"master/shell/shell.h\"\n"),
            Found{"cli/x.cc:1: cli may not include \"master/shell/shell.h\""});
  EXPECT_EQ(breaches_of("sdk/scheduler.cc", "#include \"common/io/tcp.h\"\n"),
            Found{"sdk/scheduler.cc:1: sdk may not include \"common/io/tcp.h\""});
  EXPECT_EQ(breaches_of("sdk/driver.cc", "#include \"common/io/tcp.h\"\n"), Found{});
  EXPECT_EQ(breaches_of("agent/shell/x.cc", "#include \"agent/linux/cgroup.h\"\n"), Found{});
  EXPECT_EQ(breaches_of("agent/linux/x.cc", "#include \"agent/shell/shell.h\"\n"),
            Found{"agent/linux/x.cc:1: agent/linux may not include \"agent/shell/shell.h\""});
}

TEST(Layout, NobodyIncludesTestsOrBenchmarks) {
  for (const std::string header : {"tests/sim/world.h", "perf/report.h"}) {
    EXPECT_EQ(breaches_of("master/shell/x.cc", "#include \"" + header + "\"\n"),
              Found{"master/shell/x.cc:1: master/shell may not include \"" + header + "\""});
  }
  EXPECT_EQ(breaches_of("perf/x.cc", "#include \"tests/sim/world.h\"\n"), Found{});
}

TEST(Layout, PathsCountFromTheRoot) {
  EXPECT_EQ(breaches_of("master/x.cc", "#include \"ids.h\"\n"),
            Found{"master/x.cc:1: includes \"ids.h\", which is not a path from the root"});
  EXPECT_EQ(breaches_of("elsewhere/x.cc", ""),
            Found{"elsewhere/x.cc: is in no folder of the house"});
}

TEST(Layout, PureFilesNameNoSystem) {
  for (const std::string header :
       {"sys/stat.h", "unistd.h", "linux/sched.h", "thread", "mutex", "fstream", "iostream",
        "random", "ctime", "filesystem", "liburing.h"}) {
    const Found found = breaches_of("agent/x.cc", "#include <" + header + ">\n");
    ASSERT_FALSE(found.empty()) << header;
    EXPECT_EQ(found[0], "agent/x.cc:1: is pure and includes <" + header + ">");
  }
  for (const std::string header : {"vector", "fmt/format.h", "re2/re2.h", "xxhash.h"}) {
    EXPECT_EQ(breaches_of("agent/x.cc", "#include <" + header + ">\n"), Found{});
  }
  EXPECT_EQ(breaches_of("agent/linux/x.cc", "#include <sys/stat.h>\n"), Found{});
  EXPECT_EQ(breaches_of("common/check.h", "#pragma once\n// x\n#include <cstdlib>\n"), Found{});
  EXPECT_EQ(breaches_of("common/text.cc", "#include <cstdlib>\n").size(), 1u);
}

TEST(Layout, PureFilesNameNoClockThreadEnvironmentOrChance) {
  EXPECT_EQ(breaches_of("master/x.cc", "auto t = std::chrono::steady_clock::now();\n"),
            Found{"master/x.cc:1: is pure and names steady_clock"});
  EXPECT_EQ(breaches_of("master/x.cc", "int x = rand();\n"),
            Found{"master/x.cc:1: is pure and names rand"});
  EXPECT_EQ(breaches_of("master/x.cc", "const char* home = getenv(\"HOME\");\n"),
            Found{"master/x.cc:1: is pure and names getenv"});
  EXPECT_EQ(breaches_of("master/x.cc", "int operand;  // no rand() here\n"), Found{});
  EXPECT_EQ(breaches_of("master/x.cc", "f(\"rand\", '\"', 1'000); // rand\n"), Found{});
  EXPECT_EQ(breaches_of("master/shell/x.cc", "auto t = steady_clock::now();\n"), Found{});
}

TEST(Layout, FlatBuffersStayInWireFiles) {
  const std::string text =
      "#include <flatbuffers/flatbuffers.h>\n#include \"schemas/agent_generated.h\"\n";
  EXPECT_EQ(breaches_of("common/agent_wire.cc", text), Found{});
  EXPECT_EQ(breaches_of("common/agent.cc", text).size(), 3u);
  EXPECT_EQ(breaches_of("cli/x.cc", text).size(), 2u);
}

TEST(Layout, LibrariesHaveTheirHome) {
  EXPECT_EQ(breaches_of("common/io/reactor.cc", "#include <liburing.h>\n"), Found{});
  EXPECT_EQ(breaches_of("master/shell/x.cc", "#include <liburing.h>\n"),
            Found{"master/shell/x.cc:1: includes <liburing.h>, which belongs to common/io"});
  EXPECT_EQ(breaches_of("agent/shell/x.cc", "#include <bpf/libbpf.h>\n"),
            Found{"agent/shell/x.cc:1: includes <bpf/libbpf.h>, which belongs to agent/linux"});
  EXPECT_EQ(breaches_of("ebpf/x.bpf.c", "#include <bpf/bpf_helpers.h>\n"), Found{});
  EXPECT_EQ(breaches_of("agent/linux/x.cc", "#include <x.skel.h>\n#include \"ebpf/x.h\"\n"),
            Found{});
  EXPECT_EQ(breaches_of("agent/shell/x.cc", "#include <x.skel.h>\n"),
            Found{"agent/shell/x.cc:1: includes <x.skel.h>, which belongs to agent/linux"});
  EXPECT_EQ(breaches_of("agent/x.cc", "#include \"ebpf/x.h\"\n"),
            Found{"agent/x.cc:1: agent may not include \"ebpf/x.h\""});
}

TEST(Layout, AWrappedLibraryIsNamedByItsWrapperOnly) {
  const std::string text = "#include <zookeeper/zookeeper.h>\n";
  EXPECT_EQ(breaches_of("common/io/zookeeper.cc", text), Found{});
  for (const std::string path : {"common/io/other.cc", "master/shell/x.cc", "tests/x.cc"}) {
    EXPECT_EQ(breaches_of(path, text),
              Found{path + ":1: includes <zookeeper/zookeeper.h>, which common/io/zookeeper.cc "
                           "wraps"});
  }
}

TEST(Layout, HeavyHeadersAreCompiledOnce) {
  const std::string json = "#include <nlohmann/json.hpp>\n";
  EXPECT_EQ(breaches({{.path = "common/io/a.cc", .text = json}}), Found{});
  EXPECT_EQ(
      breaches({{.path = "common/io/a.cc", .text = json}, {.path = "cli/b.cc", .text = json}}),
      Found{"<nlohmann/…> is in more than one file: cli/b.cc, common/io/a.cc"});
  EXPECT_EQ(breaches_of("common/io/a.h", "#pragma once\n// a\n" + json),
            Found{"common/io/a.h:3: is a header and includes <nlohmann/json.hpp>"});
  // A benchmark's own copy is not the product's.
  EXPECT_EQ(
      breaches({{.path = "common/io/a.cc", .text = json}, {.path = "perf/b.cc", .text = json}}),
      Found{});
}

TEST(Layout, HeadersSayWhatTheyAre) {
  EXPECT_EQ(breaches_of("common/x.h", "#pragma once\n// X is the unknown.\n"), Found{});
  for (const std::string text :
       {"", "#pragma once\n", "#pragma once\n\n// X\n", "// X\n#pragma once\n"}) {
    EXPECT_EQ(breaches_of("common/x.h", text),
              Found{"common/x.h: does not begin with #pragma once and a comment that says what it "
                    "is"});
  }
}

TEST(Layout, TheOwnHeaderComesFirst) {
  const SourceFile header = {.path = "common/x.h", .text = "#pragma once\n// X\n"};
  EXPECT_EQ(
      breaches(
          {header, {.path = "common/x.cc", .text = "#include \"common/x.h\"\n#include <map>\n"}}),
      Found{});
  EXPECT_EQ(
      breaches(
          {header, {.path = "common/x.cc", .text = "#include <map>\n#include \"common/x.h\"\n"}}),
      Found{"common/x.cc:1: does not include its own header common/x.h first"});
}

TEST(Layout, LongFilesGiveAReason) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "int x;\n";
  EXPECT_EQ(breaches_of("common/x.cc", text), Found{});
  text += "int y;\n";
  EXPECT_EQ(breaches_of("common/x.cc", text),
            Found{"common/x.cc: has 501 lines, and no line '// Over 500 lines: <reason>'"});
  EXPECT_EQ(breaches_of("common/x.cc", "// Over 500 lines: one table.\n" + text), Found{});
}

TEST(Layout, NamespacesAreNotUsedWhole) {
  const std::string whole = std::string("using") + " namespace std;\n";
  EXPECT_EQ(breaches_of("common/x.cc", whole), Found{"common/x.cc:1: uses a whole namespace"});
  EXPECT_EQ(breaches_of("common/x.cc", "using namespace std::chrono_literals;\n"), Found{});
}

TEST(Layout, UnfinishedWorkIsFound) {
  for (const std::string& word : {std::string("TO") + "DO", std::string("FIX") + "ME"}) {
    EXPECT_EQ(breaches_of("common/x.cc", "// " + word + ": later\n"),
              Found{"common/x.cc:1: says " + word});
  }
}

}  // namespace
}  // namespace tepui::layout
