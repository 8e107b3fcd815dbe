#include "common/io/worker.h"

#include <signal.h>

#include "common/check.h"

namespace tepui {

Result<std::unique_ptr<Worker>> Worker::create(Reactor& reactor, Options options) {
  CHECK(options.threads > 0);
  std::unique_ptr<Worker> worker(new Worker(options));
  worker->done_ = TRY(Mailbox<Job*>::create(reactor, *worker, options.queue_max));
  // The threads take no signals: those are for the loop.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (size_t i = 0; i < options.threads; ++i) {
    worker->threads_.emplace_back([self = worker.get()] { self->work(); });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return worker;
}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Worker::submit(Job& job) {
  if (unfinished_ >= options_.queue_max) return false;
  ++unfinished_;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&job);
  }
  changed_.notify_one();
  return true;
}

void Worker::on_mail(Job* job) {
  --unfinished_;
  job->on_done();
}

void Worker::work() {
  while (true) {
    Job* job = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (ending_) return;
      job = waiting_.front();
      waiting_.pop_front();
    }
    job->run();
    // There is room: no more jobs are unfinished than the mailbox holds.
    const bool pushed = done_->push(std::move(job));
    CHECK(pushed);
  }
}

}  // namespace tepui
