#pragma once
// Runs one job of tepui-fetch, a process that is confined and ends with the agent. Blocks for as
// long as the job takes: for threads of a worker, several at once.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "agent/fetch_job.h"
#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

// The end of what somebody waits for, wished for by another thread.
class Cancellation {
 public:
  static Result<std::unique_ptr<Cancellation>> create();
  void cancel();
  bool cancelled() const { return cancelled_; }
  // Becomes readable.
  int fd() const { return event_.get(); }

 private:
  explicit Cancellation(Fd event) : event_(std::move(event)) {}

  Fd event_;
  std::atomic<bool> cancelled_ = false;
};

struct FetchCall {
  const std::string& program;  // tepui-fetch
  int cgroup = -1;             // an open directory, or -1: the agent's own
  const FetchJob& job;
  int output = -1;
  int input = -1;
  const Cancellation& cancellation;
  std::atomic<uint64_t>* bytes = nullptr;  // how far it has got; null: nobody wants to know
};

// What the answer says that went wrong is an error here, too. ECANCELED: it was cancelled.
Result<FetchAnswer> run_fetch(const FetchCall& call);

}  // namespace tepui
