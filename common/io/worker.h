#pragma once
// Worker runs what may block in the kernel (removing a cgroup, mounting, a name look-up) on threads
// of its own, so that the loop never waits. Jobs belong to their callers, who keep them in place
// until on_done; they are started in order, and with one thread also done in order.
//
// The queue is bounded: submit() refuses when it is full. Destroying the worker waits for the jobs
// that are running and drops the others, without on_done.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/io/mailbox.h"
#include "common/io/reactor.h"
#include "common/result.h"

namespace tepui {

class Job {
 public:
  virtual ~Job() = default;
  virtual void run() = 0;      // on a thread of the worker
  virtual void on_done() = 0;  // on the reactor's thread, afterwards
};

class Worker final : private MailboxOwner<Job*> {
 public:
  struct Options {
    size_t threads = 1;
    size_t queue_max = 1024;  // jobs submitted and not yet done
  };
  static Result<std::unique_ptr<Worker>> create(Reactor& reactor, Options options);
  ~Worker() override;

  [[nodiscard]] bool submit(Job& job);
  size_t unfinished() const { return unfinished_; }

 private:
  explicit Worker(Options options) : options_(options) {}
  void on_mail(Job* job) override;
  void work();

  const Options options_;
  size_t unfinished_ = 0;
  std::unique_ptr<Mailbox<Job*>> done_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job*> waiting_;  // guarded by mutex_
  bool ending_ = false;       // guarded by mutex_

  std::vector<std::thread> threads_;
};

}  // namespace tepui
