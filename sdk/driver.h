#pragma once
// SchedulerDriver runs a Scheduler over a socket: it connects to the master, connects again when
// the connection is lost or another master leads, and turns the loop. A framework author writes a
// SchedulerHandler, makes a driver and calls run():
//
//   class Hello : public tepui::SchedulerHandler { … };
//   Hello hello;
//   auto driver = tepui::SchedulerDriver::create({.master = "127.0.0.1:5050", …}, hello);
//   if (!driver) …;
//   return (*driver)->run();
//
// All calls of the handler come from run(), on its thread. Other things can live on the same loop
// (alarms, mailboxes, links): see reactor().
//
// One thread. The handler outlives the driver.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/io/connector.h"
#include "common/io/master_finder.h"
#include "common/io/reactor.h"
#include "common/io/tcp.h"
#include "common/result.h"
#include "common/wire.h"
#include "sdk/scheduler.h"

namespace tepui {

struct SchedulerDriverOptions {
  std::string master;  // "127.0.0.1:5050", or "zk://10.0.0.1:2181,10.0.0.2:2181/tepui"
  SchedulerOptions scheduler;
  // Gets the scheduler's events, for a log; may be null.
  EventSink* events = nullptr;
  uint64_t seed = 0;  // 0: from the system
};

class SchedulerDriver final : private SchedulerEffects,
                              private LinkHandler,
                              private ConnectorOwner,
                              private MasterFinderOwner {
 public:
  static Result<std::unique_ptr<SchedulerDriver>> create(SchedulerDriverOptions options,
                                                         SchedulerHandler& handler);
  ~SchedulerDriver() override;

  // Turns until stop(); its status is the result.
  int run();
  // One turn, at most until `deadline`. False once stopped.
  bool turn(Instant deadline);
  // Ends run() after this turn. What was sent before (teardown, kills) still leaves.
  void stop(int status);

  Scheduler& scheduler() { return scheduler_; }
  Reactor& reactor() { return *reactor_; }
  // The last reason why there is no connection; empty while there is one.
  const std::string& trouble() const { return trouble_; }

 private:
  SchedulerDriver(SchedulerDriverOptions options, SchedulerHandler& handler, uint64_t seed);
  Result<void> open();
  void part();

  void on_event(const Event& event) override;
  void send(const SchedulerToMaster& message) override;
  void reconnect(std::string_view why) override;
  void wake_at(Instant when) override { wake_ = when; }

  void on_link_up(LinkId link, std::string_view peer) override;
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override;
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override;
  void on_connected(LinkId link) override;
  void on_disconnected(LinkId link, std::string_view why) override;
  void on_master(const std::string& address) override;
  void on_no_master(std::string_view why) override;

  const SchedulerDriverOptions options_;
  const uint64_t seed_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<TcpTransport> transport_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<MasterFinder> finder_;
  Encoder encoder_;
  Scheduler scheduler_;
  Instant wake_ = kNever;
  std::string master_;  // the one that was found last
  std::string trouble_ = "not connected yet";
  bool stopping_ = false;
  bool parted_ = false;
  int status_ = 0;
};

}  // namespace tepui
