#pragma once
// ExecutorDriver runs an Executor over the socket of its agent: it connects, connects again when
// the agent was restarted, and turns the loop. An author writes an ExecutorHandler, makes a driver
// and calls run():
//
//   auto options = tepui::executor_options(getenv);  // as the agent has set them
//   if (!options) …;
//   auto driver = tepui::ExecutorDriver::create(*std::move(options), handler);
//   if (!driver) …;
//   return (*driver)->run();
//
// All calls of the handler come from run(), on its thread. Other things can live on the same loop
// (alarms, mailboxes, processes by their pidfd): see reactor().
//
// One thread. The handler outlives the driver.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/io/connector.h"
#include "common/io/reactor.h"
#include "common/io/signals.h"
#include "common/io/tcp.h"
#include "common/result.h"
#include "common/wire.h"
#include "sdk/executor.h"

namespace tepui {

struct ExecutorDriverOptions {
  std::string agent;  // "unix:/run/tepui/executors.sock"
  ExecutorOptions executor;
  // Gets the executor's events, for a log; may be null.
  EventSink* events = nullptr;
  uint64_t seed = 0;  // 0: from the system
};

// What the agent says in the environment; the error names the variable. `get` answers null for one
// that is not there.
Result<ExecutorDriverOptions> executor_options(char* (*get)(const char* name));

class ExecutorDriver final : private ExecutorEffects,
                             private LinkHandler,
                             private ConnectorOwner,
                             private SignalsOwner {
 public:
  static Result<std::unique_ptr<ExecutorDriver>> create(ExecutorDriverOptions options,
                                                        ExecutorHandler& handler);
  ~ExecutorDriver() override;

  // Turns until the executor has ended; the exit status that stop() gave, or 0.
  int run();
  // One turn, at most until `deadline`. False once it has ended.
  bool turn(Instant deadline);
  // The status of run(), once the executor has ended by end().
  void set_status(int status) { status_ = status; }

  Executor& executor() { return executor_; }
  Reactor& reactor() { return *reactor_; }

 private:
  ExecutorDriver(ExecutorDriverOptions options, ExecutorHandler& handler, uint64_t seed);
  Result<void> open();
  void part();

  void on_event(const Event& event) override;
  void send(const ExecutorToAgent& message) override;
  void reconnect(std::string_view why) override { connector_->reconnect(why); }
  void wake_at(Instant when) override { wake_ = when; }
  void exit(std::string_view) override { stopping_ = true; }

  void on_link_up(LinkId link, std::string_view peer) override;
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override;
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override;
  void on_connected(LinkId link) override;
  void on_disconnected(LinkId link, std::string_view why) override;
  void on_signal(int signal) override;

  const ExecutorDriverOptions options_;
  const uint64_t seed_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<TcpTransport> transport_;
  std::unique_ptr<Connector> connector_;
  Encoder encoder_;
  Executor executor_;
  Instant wake_ = kNever;
  bool stopping_ = false;
  bool parted_ = false;
  int status_ = 0;
};

}  // namespace tepui
