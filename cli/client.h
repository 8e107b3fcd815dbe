#pragma once
// Client is one operator conversation with a master or an agent, for a command that asks and waits:
// each call sends a request, turns the loop until the answer is whole, and gives it back.
//
// One thread. Every call has a deadline (Options::timeout), so a silent server is an error.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/io/reactor.h"
#include "common/io/tcp.h"
#include "common/messages.h"
#include "common/result.h"
#include "common/wire.h"

namespace tepui::cli {

class Client final : private LinkHandler {
 public:
  struct Options {
    std::string address;  // HOST:PORT, or zk://… of whose leader it is
    std::string principal;
    std::string build;
    Duration timeout = std::chrono::seconds(10);
  };

  // Connects and says Hello. A master that does not lead says where the one is that does, which is
  // asked instead, once.
  static Result<std::unique_ptr<Client>> connect(Options options);
  ~Client() override;

  Result<Rows> list(ListRequest request);
  // A command to the master; the error is the reason of its refusal. Explain alone is answered by
  // more than that it is done.
  Result<std::optional<Explanation>> command(OperatorRequest request);
  // The last call failed because the server refused it, and not for want of an answer.
  bool was_refused() const { return refused_; }
  Result<FileData> read(ReadFile read);

  // Calls back for the snapshot (part by part) and for every change, until one of them answers
  // false or the connection ends.
  struct WatchCalls {
    std::function<bool(const ListReply&)> on_snapshot;
    std::function<bool(const WatchEvent&)> on_change;
  };
  Result<void> watch(WatchRequest request, const WatchCalls& calls);

  const HelloReply& server() const { return server_; }

 private:
  explicit Client(Options options) : options_(std::move(options)) {}

  Result<void> open();
  Result<std::string> find_master(Instant until);
  Result<void> greet(const std::string& address, Instant until);
  void send(const OperatorToServer& message);
  // Turns until something with this request number came; the caller takes it from inbox_.
  Result<ServerToOperator> receive(uint32_t request, Instant deadline);
  Instant deadline() const;

  void on_link_up(LinkId, std::string_view) override { up_ = true; }
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override;
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override;

  const Options options_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<TcpTransport> transport_;
  Encoder encoder_;
  std::string address_;  // of the one that is asked
  LinkId link_;
  bool up_ = false;
  std::optional<std::string> down_;  // why
  HelloReply server_;
  uint32_t next_request_ = 1;
  bool refused_ = false;
  std::vector<ServerToOperator> inbox_;  // in order of arrival
  size_t taken_ = 0;                     // of inbox_
};

}  // namespace tepui::cli
