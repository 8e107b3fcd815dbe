// Goal: what tasks name is fetched by the real helper, or the error says why it is not; and what
// servers and archives say cannot hurt anything but the task that asked for it.

#include "agent/linux/fetcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "agent/fetch/fetch_path.h"
#include "agent/linux/files.h"
#include "tests/agent/fetch/http_server.h"
#include "tests/agent/fetch/tar.h"

namespace tepui {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr uint64_t kBytesMax = 4 << 20;

class FetcherTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tepui-test-XXXXXX").string();
    home_ = mkdtemp(pattern.data());
    chmod(home_.c_str(), 0755);
    fs::create_directory(home_ / "sandbox");
    fs::create_directory(home_ / "files");
    make(2 << 20);
  }
  void TearDown() override {
    fetcher_.reset();
    fs::remove_all(home_);
  }

  void make(uint64_t cache_bytes) {
    auto made = Fetcher::create({.program = kFetchPath,
                                 .user = "nobody",
                                 .cache_dir = home_ / "cache",
                                 .cache_bytes = cache_bytes,
                                 .bytes_max = kBytesMax,
                                 .stall = std::chrono::seconds(1)});
    ASSERT_TRUE(made) << made.error().message;
    fetcher_ = *std::move(made);
  }

  std::string fetch_as(const std::optional<UserIds>& user, const std::vector<Uri>& uris,
                       const Cancellation& cancellation, const std::string& sandbox = "sandbox") {
    const CommandInfo command{.value = "true", .uris = uris};
    const Result<void> valid = validate(command);
    EXPECT_TRUE(valid) << valid.error().message;
    const Fd directory(open((home_ / sandbox).c_str(), O_RDONLY | O_DIRECTORY));
    if (user) {
      EXPECT_EQ(fchown(directory.get(), user->uid, user->gid), 0);
    }
    std::atomic<uint64_t> bytes = 0;
    const Result<void> fetched = fetcher_->fetch({.command = command,
                                                  .user = user,
                                                  .sandbox = directory.get(),
                                                  .cancellation = cancellation,
                                                  .bytes = bytes});
    return fetched ? "done" : fetched.error().message;
  }
  std::string fetch(const Uri& uri, const std::string& sandbox = "sandbox") {
    return fetch_as({}, {uri}, **Cancellation::create(), sandbox);
  }

  std::string got(const std::string& name) const {
    std::ifstream file(home_ / "sandbox" / name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  mode_t mode(const std::string& name) const {
    struct stat status{};
    EXPECT_EQ(stat((home_ / "sandbox" / name).c_str(), &status), 0) << name;
    return status.st_mode & 07777;
  }
  std::vector<std::string> in_sandbox() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(home_ / "sandbox")) {
      names.push_back(entry.path().lexically_relative(home_ / "sandbox"));
    }
    std::ranges::sort(names);
    return names;
  }
  // A local file that everybody may read.
  std::string file(const std::string& name, const std::string& content) {
    const fs::path path = home_ / "files" / name;
    std::ofstream(path) << content;
    return path;
  }
  std::string packed(const std::string& name, const std::string& tool, const Tar& tar) {
    const std::string plain = file("plain", tar.bytes());
    const fs::path path = home_ / "files" / name;
    EXPECT_EQ(std::system((tool + " < " + plain + " > " + path.string()).c_str()), 0);
    return path;
  }
  fs::path cached() const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(home_ / "cache")) found = entry.path();
    return found;
  }

  fs::path home_;
  TestServer server_;
  std::unique_ptr<Fetcher> fetcher_;
};

TEST_F(FetcherTest, FilesComeFromServers) {
  server_.answers("/a", ok("hello"));
  server_.answers("/b", redirect("/a"));
  EXPECT_EQ(fetch({.value = server_.url("/b"), .output_file = "deep/er/b"}), "done");
  EXPECT_EQ(got("deep/er/b"), "hello");
  EXPECT_EQ(mode("deep/er/b"), 0644u);
  EXPECT_EQ(fetch({.value = server_.url("/a"), .executable = true}), "done");
  EXPECT_EQ(mode("a"), 0755u);
  // The next attempt of a launch finds what the last one left.
  EXPECT_EQ(fetch({.value = server_.url("/a")}), "done");
  EXPECT_EQ(mode("a"), 0644u);
  EXPECT_TRUE(fs::is_empty(home_ / "cache"));
}

TEST_F(FetcherTest, ServersThatFailAreNamed) {
  server_.answers("/none", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(fetch({.value = server_.url("/none")}),
            "fetching " + server_.url("/none") + ": the server answered with HTTP status 404");
  server_.answers("/loop", redirect("/loop"));
  EXPECT_EQ(fetch({.value = server_.url("/loop")}),
            "fetching " + server_.url("/loop") + ": the server redirects more than 10 times");
  server_.answers("/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
  EXPECT_THAT(fetch({.value = server_.url("/cut")}),
              HasSubstr("the server ended before all of it had come"));
  EXPECT_THAT(fetch({.value = "http://127.0.0.1:1/x"}), HasSubstr("onnect"));
  EXPECT_EQ(in_sandbox(), std::vector<std::string>{});
}

TEST_F(FetcherTest, ServersThatStallAreGivenUp) {
  server_.stalls("/x", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
  EXPECT_THAT(fetch({.value = server_.url("/x")}), HasSubstr("nothing came for 1 s"));
}

TEST_F(FetcherTest, NoServerSendsUsToLocalFilesOrOtherSchemes) {
  for (const std::string& to : {"file://" + file("secret", "secret"), std::string("ftp://x/y")}) {
    server_.answers("/x", redirect(to));
    EXPECT_THAT(fetch({.value = server_.url("/x")}), HasSubstr("rotocol")) << to;
  }
}

TEST_F(FetcherTest, WhatIsTooLargeIsRefused) {
  server_.answers("/said", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n");
  EXPECT_THAT(fetch({.value = server_.url("/said")}), HasSubstr("more than the 4MB"));
  server_.answers("/unsaid",
                  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(5 << 20, 'x'));
  EXPECT_THAT(fetch({.value = server_.url("/unsaid")}), HasSubstr("more than the 4MB"));
  EXPECT_THAT(fetch({.value = file("large", std::string(5 << 20, 'x'))}),
              HasSubstr("more than the 4MB"));
}

TEST_F(FetcherTest, ChecksumsAreOfWhatCame) {
  const std::string hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  server_.answers("/a", ok("hello"));
  EXPECT_EQ(fetch({.value = server_.url("/a"), .checksum = "sha256:" + hello}), "done");
  server_.answers("/a", ok("hellO"));
  const std::string why =
      fetch({.value = server_.url("/a"), .output_file = "b", .checksum = "sha256:" + hello});
  EXPECT_THAT(why, HasSubstr("its checksum is sha256:"));
  EXPECT_THAT(why, HasSubstr("expected sha256:" + hello));
  EXPECT_EQ(in_sandbox(), std::vector<std::string>{"a"});
}

TEST_F(FetcherTest, ArchivesAreExtractedWhereTheyWouldBe) {
  const Tar tar = Tar()
                      .directory("d")
                      .add(Tar::kFile, "d/run", "x", "", 04755)
                      .add(Tar::kLink, "link", "", "d/run");
  const std::vector<std::string> all = {"in", "in/d", "in/d/run", "in/link"};
  for (const auto& [name, tool] : std::vector<std::pair<std::string, std::string>>{
           {"x.tar", "cat"}, {"x.tgz", "gzip"}, {"x.tar.bz2", "bzip2"}, {"x.txz", "xz"}}) {
    EXPECT_EQ(fetch({.value = packed(name, tool, tar), .output_file = "in/" + name}), "done");
    EXPECT_EQ(in_sandbox(), all) << name;
    EXPECT_EQ(got("in/d/run"), "x");
    EXPECT_EQ(mode("in/d/run"), 0755u);  // nobody gains anything
    fs::remove_all(home_ / "sandbox" / "in");
  }
  EXPECT_EQ(fetch({.value = packed("one.gz", "gzip", Tar())}), "done");
  EXPECT_EQ(in_sandbox(), std::vector<std::string>{"one"});
  EXPECT_EQ(fetch({.value = packed("x.tgz", "gzip", tar), .extract = false}), "done");
  EXPECT_EQ(in_sandbox(), (std::vector<std::string>{"one", "x.tgz"}));
}

TEST_F(FetcherTest, ArchivesThatClimbAreRefused) {
  fs::create_directory(home_ / "outside");
  const std::string outside = home_ / "outside";
  const auto extract = [this](const Tar& tar) {
    return fetch({.value = file("x.tar", tar.bytes())});
  };
  EXPECT_THAT(extract(Tar().file("../outside/x", "bad")), HasSubstr("climbs"));
  EXPECT_THAT(extract(Tar().file("a/../../outside/x", "bad")), HasSubstr("climbs"));
  EXPECT_THAT(extract(Tar().file(outside + "/x", "bad")), HasSubstr("is absolute"));
  EXPECT_THAT(extract(Tar().add(Tar::kLink, "l", "", outside).file("l/x", "bad")),
              HasSubstr("symlink"));
  EXPECT_THAT(extract(Tar().add(Tar::kLink, "m", "", "../outside").file("m/x", "bad")),
              HasSubstr("symlink"));
  EXPECT_NE(extract(Tar().add(Tar::kHardLink, "h", "", "../files/x.tar")), "done");
  EXPECT_THAT(extract(Tar().add(Tar::kPipe, "stdout")), HasSubstr("neither file"));
  EXPECT_THAT(extract(Tar().add(Tar::kDevice, "null")), HasSubstr("neither file"));
  // A link may lead anywhere; it is followed by nobody but the task.
  EXPECT_EQ(extract(Tar().add(Tar::kLink, "n", "", outside + "/y").file("n", "good")), "done");
  EXPECT_EQ(got("n"), "good");
  EXPECT_TRUE(fs::is_empty(home_ / "outside"));
}

TEST_F(FetcherTest, ArchivesThatAreDamagedOrGrowAreRefused) {
  EXPECT_NE(fetch({.value = file("x.tar", "this is no archive at all")}), "done");
  EXPECT_NE(fetch({.value = file("x.tgz", "\x1f\x8b\x08 damaged")}), "done");
  const Tar large = Tar().file("x", std::string(5 << 20, '\0'));
  EXPECT_THAT(fetch({.value = packed("x.tgz", "gzip", large)}),
              HasSubstr("unpacks to more than 4MB"));
  EXPECT_THAT(fetch({.value = packed("x.gz", "gzip", large)}),
              HasSubstr("unpacks to more than 4MB"));
}

TEST_F(FetcherTest, OneDownloadServesAllWhoWantToKeepIt) {
  server_.holds("/a", ok("hello"));
  std::vector<std::thread> threads;
  std::vector<std::string> said(4);
  for (size_t i = 0; i < said.size(); ++i) {
    fs::create_directory(home_ / std::to_string(i));
    threads.emplace_back([this, &said, i] {
      said[i] = fetch({.value = server_.url("/a"), .cache = true}, std::to_string(i));
    });
  }
  server_.wait_for_request("/a");
  server_.release("/a");
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(said, std::vector<std::string>(4, "done"));
  EXPECT_EQ(server_.requests("/a"), 1);
}

TEST_F(FetcherTest, WhatTheCacheLostOrDamagedIsFetchedAgain) {
  server_.answers("/a", ok("hello"));
  const Uri uri{.value = server_.url("/a"), .cache = true};
  EXPECT_EQ(fetch(uri), "done");
  EXPECT_EQ(fetch(uri), "done");
  EXPECT_EQ(server_.requests("/a"), 1);
  std::ofstream(cached()) << "hellO";
  EXPECT_EQ(fetch(uri), "done");
  EXPECT_EQ(got("a"), "hello");
  EXPECT_EQ(server_.requests("/a"), 2);
  fs::remove(cached());
  EXPECT_EQ(fetch(uri), "done");
  EXPECT_EQ(server_.requests("/a"), 3);
  make(2 << 20);
  EXPECT_TRUE(fs::is_empty(home_ / "cache"));
}

TEST_F(FetcherTest, TheCacheIsBounded) {
  make(1 << 20);
  for (const std::string path : {"/a", "/b", "/a"}) {
    server_.answers(path, ok(std::string(700'000, 'x')));
    EXPECT_EQ(fetch({.value = server_.url(path), .cache = true}), "done");
  }
  EXPECT_EQ(server_.requests("/a"), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(home_ / "cache"), fs::directory_iterator()), 1);
}

TEST_F(FetcherTest, ACancellationEndsTheHelper) {
  server_.holds("/x", "");
  const auto cancellation = *Cancellation::create();
  std::thread asks([&] {
    EXPECT_THAT(fetch_as({}, {{.value = server_.url("/x")}}, *cancellation),
                HasSubstr("it was cancelled"));
  });
  server_.wait_for_request("/x");
  cancellation->cancel();
  asks.join();
  server_.release("/x");
}

TEST_F(FetcherTest, LocalFilesAreReadAsTheTasksUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  const std::string secret = file("secret", "for root alone");
  chmod(secret.c_str(), 0600);
  const std::string own = file("own", "for daemon alone");
  chmod(own.c_str(), 0600);
  const UserIds daemon{.uid = 1, .gid = 1, .groups = {1}};
  ASSERT_EQ(chown(own.c_str(), daemon.uid, daemon.gid), 0);
  const auto as_daemon = [&](const std::string& path) {
    return fetch_as(daemon, {{.value = path}}, **Cancellation::create());
  };
  EXPECT_EQ(as_daemon(own), "done");
  struct stat status{};
  ASSERT_EQ(stat((home_ / "sandbox" / "own").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, daemon.uid);
  EXPECT_THAT(as_daemon(secret), HasSubstr("EACCES"));
  EXPECT_THAT(as_daemon("/dev/zero"), HasSubstr("not a regular file"));
  // Root in a container need not be root outside.
  EXPECT_THAT(fetch({.value = secret}), HasSubstr("EACCES"));
}

}  // namespace
}  // namespace tepui
