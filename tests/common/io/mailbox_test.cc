// Values from other threads arrive once, in the order of their thread, and a full mailbox says so;
// the worker runs jobs elsewhere and reports them here.

#include "common/io/mailbox.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>
#include <vector>

#include "common/io/worker.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using test::make_reactor;
using test::run_until;

struct Letter {
  int thread;
  int number;
};

struct Box : MailboxOwner<Letter> {
  void on_mail(Letter letter) override {
    EXPECT_EQ(letter.number, next[letter.thread]++);
    ++total;
  }
  std::map<int, int> next;
  int total = 0;
};

TEST(Mailbox, DeliversWhatManyThreadsPushInTheOrderOfEach) {
  constexpr int kThreads = 4;
  constexpr int kLetters = 20000;
  auto reactor = make_reactor();
  Box box;
  auto mailbox = Mailbox<Letter>::create(*reactor, box, 256).value();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([thread, &mailbox] {
      for (int i = 0; i < kLetters; ++i) {
        while (!mailbox->push({.thread = thread, .number = i})) std::this_thread::yield();
      }
    });
  }
  EXPECT_TRUE(run_until(*reactor, [&] { return box.total == kThreads * kLetters; }));
  for (std::thread& thread : threads) thread.join();
}

TEST(Mailbox, RefusesWhatIsAboveItsCapacity) {
  auto reactor = make_reactor();
  Box box;
  auto mailbox = Mailbox<Letter>::create(*reactor, box, 2).value();
  EXPECT_TRUE(mailbox->push({.thread = 0, .number = 0}));
  EXPECT_TRUE(mailbox->push({.thread = 0, .number = 1}));
  EXPECT_FALSE(mailbox->push({.thread = 0, .number = 2}));
  ASSERT_TRUE(run_until(*reactor, [&] { return box.total == 2; }));
  EXPECT_TRUE(mailbox->push({.thread = 0, .number = 2}));
  ASSERT_TRUE(run_until(*reactor, [&] { return box.total == 3; }));
}

struct Square : Job {
  void run() override {
    ran_on = std::this_thread::get_id();
    result = value * value;
  }
  void on_done() override {
    done_on = std::this_thread::get_id();
    ++*finished;
  }
  int value = 0;
  int result = 0;
  int* finished = nullptr;
  std::thread::id ran_on;
  std::thread::id done_on;
};

TEST(Worker, RunsJobsElsewhereAndReportsThemHere) {
  auto reactor = make_reactor();
  auto worker = Worker::create(*reactor, {.threads = 2, .queue_max = 10}).value();
  int finished = 0;
  std::vector<Square> jobs(11);
  for (int i = 0; i < 11; ++i) {
    jobs[size_t(i)].value = i;
    jobs[size_t(i)].finished = &finished;
    EXPECT_EQ(worker->submit(jobs[size_t(i)]), i < 10);
  }
  ASSERT_TRUE(run_until(*reactor, [&] { return finished == 10; }));
  EXPECT_EQ(worker->unfinished(), 0u);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(jobs[size_t(i)].result, i * i);
    EXPECT_NE(jobs[size_t(i)].ran_on, std::this_thread::get_id());
    EXPECT_EQ(jobs[size_t(i)].done_on, std::this_thread::get_id());
  }
}

TEST(Worker, EndsWithJobsStillWaiting) {
  auto reactor = make_reactor();
  int finished = 0;
  std::vector<Square> jobs(100);
  auto worker = Worker::create(*reactor, {.threads = 1, .queue_max = 100}).value();
  for (Square& job : jobs) {
    job.finished = &finished;
    EXPECT_TRUE(worker->submit(job));
  }
  worker.reset();
  EXPECT_EQ(finished, 0);
}

}  // namespace
}  // namespace tepui
