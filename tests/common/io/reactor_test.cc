// The loop itself: operations complete later and in place, repeat, are cancelled and destroyed
// while active; alarms and deferred calls keep their order; Fd owns what it holds.

#include "common/io/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/io/receive_buffers.h"
#include "common/io/signals.h"
#include "tests/common/io/loop.h"
#include "tests/common/io/tcp_peer.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::HandClock;
using test::make_reactor;
using test::run_until;

struct Watcher {
  void on_done(const Completion& completion) { done.push_back(completion); }
  std::vector<Completion> done;
  Op<&Watcher::on_done> operation{*this};
};

struct Pair {
  Pair() {
    int both[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    here = Fd(both[0]);
    there = Fd(both[1]);
  }
  Fd here;
  Fd there;
};

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(Fd, ClosesOnceAndSurvivesBeingMoved) {
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  {
    Fd first(pipes[0]);
    Fd second(pipes[1]);
    second = std::move(first);
    EXPECT_FALSE(is_open(pipes[1]));
    EXPECT_TRUE(is_open(pipes[0]));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): an Fd that was moved from is empty
    Fd& same = second;
    second = std::move(same);
    EXPECT_EQ(second.get(), pipes[0]);
    EXPECT_TRUE(is_open(pipes[0]));
  }
  EXPECT_FALSE(is_open(pipes[0]));
}

TEST(Reactor, CompletesAnOperationInALaterTurnOnly) {
  auto reactor = make_reactor();
  Pair pair;
  Watcher sent;
  const std::string text = "hello";
  reactor->send(sent.operation, pair.here.get(), bytes_of(text));
  EXPECT_TRUE(sent.operation.active());
  EXPECT_TRUE(sent.done.empty());
  ASSERT_TRUE(run_until(*reactor, [&] { return !sent.done.empty(); }));
  EXPECT_EQ(sent.done[0].result, 5);
  EXPECT_FALSE(sent.operation.active());
}

TEST(Reactor, ReceivesRepeatedlyIntoItsBuffersUntilThePeerIsGone) {
  auto reactor = make_reactor();
  auto buffers = ReceiveBuffers::create(*reactor, {.count = 4, .bytes = 16}).value();
  Pair pair;
  struct Receiver {
    void on_received(const Completion& completion) {
      const auto view = pool->view(completion);
      text.append(reinterpret_cast<const char*>(view.data()), view.size());
      pool->give_back(completion);
      last = completion.result;
      if (!completion.more() && (completion.result > 0 || completion.result == -ENOBUFS)) {
        reactor->receive(operation, fd, *pool);
      }
    }
    Reactor* reactor;
    ReceiveBuffers* pool;
    int fd;
    std::string text;
    std::optional<int> last;
    Op<&Receiver::on_received> operation{*this};
  } receiver{.reactor = reactor.get(), .pool = buffers.get(), .fd = pair.here.get()};
  reactor->receive(receiver.operation, pair.here.get(), *buffers);
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string part(static_cast<size_t>(i * 7 % 60 + 1), static_cast<char>('a' + i % 26));
    ASSERT_EQ(write(pair.there.get(), part.data(), part.size()), ssize_t(part.size()));
    expected += part;
    if (i % 5 == 0) reactor->run_once(reactor->now().mono);
  }
  pair.there.reset();
  ASSERT_TRUE(run_until(*reactor, [&] { return receiver.last == 0; }));
  EXPECT_EQ(receiver.text, expected);
}

TEST(Reactor, CancelsWhatWaits) {
  auto reactor = make_reactor();
  Pair pair;
  Watcher reading;
  std::byte into[8];
  reactor->read(reading.operation, pair.here.get(), into, -1);
  reactor->run_once(reactor->now().mono);
  EXPECT_TRUE(reading.done.empty());
  reactor->cancel(reading.operation);
  ASSERT_TRUE(run_until(*reactor, [&] { return !reading.done.empty(); }));
  EXPECT_EQ(reading.done[0].result, -ECANCELED);
}

TEST(Reactor, AnOperationDestroyedWhileActiveIsNeverCalledAndOthersLoseNothing) {
  auto reactor = make_reactor();
  Pair pair;
  Pair other;
  Watcher reading;
  std::byte into[8];
  reactor->read(reading.operation, other.here.get(), into, -1);
  ASSERT_EQ(write(other.there.get(), "xyz", 3), 3);
  {
    std::byte gone[8];
    Watcher dies;
    reactor->read(dies.operation, pair.here.get(), gone, -1);
    ASSERT_EQ(write(pair.there.get(), "x", 1), 1);
  }
  ASSERT_TRUE(run_until(*reactor, [&] { return !reading.done.empty(); }));
  EXPECT_EQ(reading.done[0].result, 3);
}

TEST(Reactor, ACompletionMayDestroyTheOwnerOfOneThatIsDueInTheSameTurn) {
  auto reactor = make_reactor();
  Pair pair;
  struct Killer {
    void on_done(const Completion&) { victim.reset(); }
    std::unique_ptr<Watcher> victim = std::make_unique<Watcher>();
    Op<&Killer::on_done> operation{*this};
  } killer;
  Watcher last;
  const std::string text = "a";
  reactor->send(killer.operation, pair.here.get(), bytes_of(text));
  reactor->send(killer.victim->operation, pair.here.get(), bytes_of(text));
  reactor->send(last.operation, pair.here.get(), bytes_of(text));
  ASSERT_TRUE(run_until(*reactor, [&] { return !last.done.empty(); }));
  EXPECT_EQ(killer.victim, nullptr);
  EXPECT_EQ(last.done[0].result, 1);
}

TEST(Reactor, TakesMoreOperationsThanItsQueueHasPlaces) {
  auto reactor = Reactor::create({.entries = 4}).value();
  Pair pair;
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < 500; ++i) {
    watchers.push_back(std::make_unique<Watcher>());
    reactor->poll(watchers.back()->operation, pair.here.get(), POLLIN);
  }
  ASSERT_EQ(write(pair.there.get(), "x", 1), 1);
  for (auto& watcher : watchers) {
    ASSERT_TRUE(run_until(*reactor, [&] { return !watcher->done.empty(); }));
    EXPECT_EQ(watcher->done[0].result & POLLIN, POLLIN);
  }
}

TEST(Reactor, SyncsAfterTheWriteAndNotAfterAFailedOne) {
  auto reactor = make_reactor();
  const test::TemporaryDirectory directory;
  const std::string path = directory.path() + "/file";
  Watcher opened;
  reactor->open(opened.operation, path.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_TRUE(run_until(*reactor, [&] { return !opened.done.empty(); }));
  ASSERT_GE(opened.done[0].result, 0);
  Fd file(opened.done[0].result);
  Watcher written;
  Watcher synced;
  const std::string text = "durable";
  reactor->write_and_sync(written.operation, synced.operation, file.get(), bytes_of(text), 0);
  ASSERT_TRUE(run_until(*reactor, [&] { return !synced.done.empty(); }));
  EXPECT_EQ(written.done[0].result, 7);
  EXPECT_EQ(synced.done[0].result, 0);
  const Fd read_only(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  reactor->write_and_sync(written.operation, synced.operation, read_only.get(), bytes_of(text), 0);
  ASSERT_TRUE(run_until(*reactor, [&] { return synced.done.size() == 2; }));
  EXPECT_EQ(written.done[1].result, -EBADF);
  EXPECT_EQ(synced.done[1].result, -ECANCELED);
  const int number = file.get();
  reactor->close(std::move(file));
  ASSERT_TRUE(run_until(*reactor, [&] { return !is_open(number); }));
}

TEST(Reactor, PollsAPidfd) {
  auto reactor = make_reactor();
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  Watcher ended;
  reactor->poll(ended.operation, pidfd.get(), POLLIN);
  reactor->run_once(reactor->now().mono);
  EXPECT_TRUE(ended.done.empty());
  kill(child, SIGKILL);
  EXPECT_TRUE(run_until(*reactor, [&] { return !ended.done.empty(); }));
  waitpid(child, nullptr, 0);
}

struct Bell {
  explicit Bell(std::vector<int>& into, int name) : log(into), number(name) {}
  void on_time() { log.push_back(number); }
  std::vector<int>& log;
  int number;
  Timer<&Bell::on_time> timer{*this};
};

TEST(Reactor, RingsAlarmsInOrderOfTimeAndOnlyThoseThatAreSet) {
  HandClock clock;
  auto reactor = Reactor::create({.clock = &clock}).value();
  std::vector<int> log;
  std::vector<std::unique_ptr<Bell>> bells;
  // 37 and 100 have no common divisor: every number from 0 to 99 once, in disorder.
  for (int i = 0; i < 100; ++i) {
    const int at = i * 37 % 100;
    bells.push_back(std::make_unique<Bell>(log, at));
    reactor->set(bells.back()->timer, later(clock.value.mono, std::chrono::seconds(at)));
  }
  for (auto& bell : bells) {
    if (bell->number % 3 == 0) reactor->cancel(bell->timer);
    if (bell->number % 10 == 1) {
      reactor->set(bell->timer, later(clock.value.mono, std::chrono::seconds(bell->number + 200)));
      bell->number += 200;
    }
  }
  std::vector<int> expected;
  for (int i = 0; i < 100; ++i) {
    if (i % 3 != 0 && i % 10 != 1) expected.push_back(i);
  }
  clock.value.mono += 99s;
  reactor->run_once(clock.value.mono);
  EXPECT_EQ(log, expected);
  log.clear();
  expected.clear();
  for (int i = 1; i < 100; i += 10) expected.push_back(i + 200);
  clock.value.mono += 300s;
  reactor->run_once(clock.value.mono);
  EXPECT_EQ(log, expected);
}

TEST(Reactor, WaitsNoLongerThanItsNextAlarm) {
  auto reactor = make_reactor();
  std::vector<int> log;
  Bell bell(log, 1);
  const Instant start = now().mono;
  reactor->set(bell.timer, later(start, 30ms));
  while (log.empty()) reactor->run_once(kNever);
  EXPECT_GE(now().mono - start, 30ms);
}

TEST(Reactor, DefersToTheEndOfThisTurnOrToTheNextOne) {
  auto reactor = make_reactor();
  struct Part {
    void on_flush() { log.push_back("flush"); }
    void on_next() {
      log.push_back("next");
      reactor.before_submit(flush);
      if (++times < 2) reactor.next_turn(next);
    }
    Reactor& reactor;
    std::vector<std::string> log;
    int times = 0;
    Later<&Part::on_flush> flush{*this};
    Later<&Part::on_next> next{*this};
  } part{.reactor = *reactor};
  reactor->next_turn(part.next);
  reactor->next_turn(part.next);
  EXPECT_TRUE(part.log.empty());
  // With work waiting, a turn does not sleep, whatever its deadline.
  reactor->run_once(kNever);
  EXPECT_EQ(part.log, (std::vector<std::string>{"next"}));
  reactor->run_once(kNever);
  EXPECT_EQ(part.log, (std::vector<std::string>{"next", "flush", "next"}));
}

// Every reading finds a millisecond gone.
class HurriedClock final : public Clock {
 public:
  Now read() override {
    value.mono += 1ms;
    return value;
  }
  Now value{.mono = Instant(1h), .wall = WallTime(1h)};
};

TEST(Reactor, LeavesWhatATurnHasNoTimeForToTheNextOnes) {
  HurriedClock clock;
  auto reactor = Reactor::create({.clock = &clock}).value();
  struct Step {
    void run() { order.push_back(number); }
    void on_done(const Completion&) { order.push_back(number); }
    std::vector<int>& order;
    int number;
    Later<&Step::run> later_{*this};
    Op<&Step::on_done> operation{*this};
  };
  constexpr int kSteps = 200;
  std::vector<int> deferred;
  std::vector<int> completed;
  std::vector<std::unique_ptr<Step>> steps;
  Pair pair;
  for (int i = 0; i < kSteps; ++i) {
    steps.push_back(std::make_unique<Step>(deferred, i));
    reactor->when_heard(steps.back()->later_);
    steps.push_back(std::make_unique<Step>(completed, i));
    reactor->poll(steps.back()->operation, pair.here.get(), POLLOUT);
  }
  // One that waits may go, and leaves no trace.
  steps[2 * 150].reset();
  int turns = 0;
  for (; deferred.size() + completed.size() < 2 * kSteps - 1; ++turns) {
    ASSERT_LT(turns, kSteps);
    const size_t before = deferred.size();
    const size_t completed_before = completed.size();
    reactor->run_once(kNever);  // does not wait
    EXPECT_LE(deferred.size() - before, 64u);
    EXPECT_LE(completed.size() - completed_before, 32u);
    if (turns > 0) continue;
    EXPECT_FALSE(deferred.empty());
    EXPECT_FALSE(completed.empty());
  }
  EXPECT_GT(turns, 5);
  EXPECT_TRUE(std::ranges::is_sorted(deferred));
  EXPECT_TRUE(std::ranges::is_sorted(completed));
}

TEST(Reactor, ATurnThatIsFullLeavesRoomForWhatIsAskedMeanwhile) {
  HurriedClock clock;
  auto reactor = Reactor::create({.clock = &clock}).value();
  // Each asks for itself again: none may take the place of another.
  struct Eager {
    void run() {
      ++runs;
      reactor.when_heard(later_);
    }
    Reactor& reactor;
    int runs = 0;
    Later<&Eager::run> later_{*this};
  };
  std::vector<std::unique_ptr<Eager>> all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(std::make_unique<Eager>(*reactor));
    reactor->when_heard(all.back()->later_);
  }
  for (int i = 0; i < 100; ++i) reactor->run_once(kNever);
  const auto [least, most] = std::ranges::minmax_element(all, {}, &Eager::runs);
  EXPECT_GE((*least)->runs, 1);
  EXPECT_LE((*most)->runs - (*least)->runs, 1);
}

TEST(Signals, ComeAsCallsOnTheLoop) {
  auto reactor = make_reactor();
  struct Owner : SignalsOwner {
    void on_signal(int signal) override { seen.push_back(signal); }
    std::vector<int> seen;
  } owner;
  auto signals = Signals::create(*reactor, owner).value();
  reactor->run_once(reactor->now().mono);
  kill(getpid(), SIGTERM);
  ASSERT_TRUE(run_until(*reactor, [&] { return owner.seen.size() == 1; }));
  kill(getpid(), SIGHUP);
  ASSERT_TRUE(run_until(*reactor, [&] { return owner.seen.size() == 2; }));
  EXPECT_EQ(owner.seen, (std::vector<int>{SIGTERM, SIGHUP}));
}

}  // namespace
}  // namespace tepui
