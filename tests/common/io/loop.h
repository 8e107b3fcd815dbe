#pragma once
// What tests of common/io share: a reactor that is run until a condition holds, with a deadline in
// place of sleeps, and a directory that is removed afterwards.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "common/io/clock.h"
#include "common/io/reactor.h"

namespace tepui::test {

inline std::unique_ptr<Reactor> make_reactor() {
  auto reactor = Reactor::create();
  if (!reactor) ADD_FAILURE() << reactor.error().message;
  return std::move(reactor).value();
}

// Runs turns until `done()`; false if that takes longer than the limit.
template <class Done>
bool run_until(Reactor& reactor, Done&& done, Duration limit = std::chrono::seconds(20)) {
  const Instant deadline = later(now().mono, limit);
  while (!done()) {
    if (now().mono > deadline) return false;
    reactor.run_once(later(reactor.now().mono, std::chrono::milliseconds(2)));
  }
  return true;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tepui-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tepui::test
