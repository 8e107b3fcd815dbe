#include "cli/client.h"

#include <fmt/format.h>

#include <utility>

#include "common/io/master_finder.h"

namespace tepui::cli {

namespace {

constexpr uint32_t kSession = 1;

// The request that an answer belongs to; 0 for Hello.
uint32_t request_of(const ServerToOperator& message) {
  return std::visit(
      [](const auto& m) -> uint32_t {
        if constexpr (requires { m.request; }) return m.request;
        return 0;
      },
      message);
}

// What append() of the parts of a list does to rows.
void append(Rows& to, Rows&& from) {
  const auto move = [](auto& target, auto&& source) {
    for (auto& row : source) target.push_back(std::move(row));
  };
  move(to.agents, from.agents);
  move(to.frameworks, from.frameworks);
  move(to.tasks, from.tasks);
  move(to.roles, from.roles);
  move(to.offers, from.offers);
  move(to.metrics, from.metrics);
  move(to.maintenance, from.maintenance);
}

// Waits for what the ensemble says, or takes the address as it is.
struct Found final : MasterFinderOwner {
  std::string address;
  std::string why = "it does not answer";
  void on_master(const std::string& found) override { address = found; }
  void on_no_master(std::string_view reason) override { why = reason; }
};

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(Options options) {
  std::unique_ptr<Client> client(new Client(std::move(options)));
  TRY(client->open());
  return client;
}

Client::~Client() = default;

Instant Client::deadline() const { return later(now().mono, options_.timeout); }

Result<std::string> Client::find_master(Instant until) {
  Found found;
  const auto finder = TRY(MasterFinder::create(*reactor_, options_.address, found));
  finder->start();
  while (found.address.empty() && reactor_->now().mono < until) reactor_->run_once(until);
  finder->stop();
  if (!found.address.empty()) return std::move(found.address);
  // What was given may hold a password.
  const Result<ZkAddress> ensemble = parse_zk(options_.address);
  return fail(fmt::format("no master is known at {}: {}",
                          ensemble ? to_text(*ensemble) : options_.address, found.why));
}

Result<void> Client::open() {
  reactor_ = TRY(Reactor::create());
  transport_ = TRY(TcpTransport::create(*reactor_, *this));
  const Instant until = deadline();
  const bool is_named = !is_zk(options_.address);
  TRY(greet(is_named ? options_.address : TRY(find_master(until)), until));
  if (server_.leader.empty() || server_.leader == address_) return {};
  const std::string leader = server_.leader;
  transport_->close(std::exchange(link_, LinkId{}), "asking the leader");
  up_ = false;
  down_.reset();
  return greet(leader, until);
}

Result<void> Client::greet(const std::string& name, Instant until) {
  address_ = name;
  const Address address = TRY(resolve_address(name));
  link_ = transport_->connect(to_text(address));
  while (!up_ && !down_ && reactor_->now().mono < until) reactor_->run_once(until);
  if (down_) return fail(fmt::format("cannot reach {}: {}", address_, *down_));
  if (!up_) return fail(fmt::format("{} does not answer", address_));
  send(Hello{.build = options_.build,
             .capabilities = {},
             .principal = options_.principal,
             .mechanism = {},
             .token = {}});
  const ServerToOperator reply = TRY(receive(0, until));
  if (const auto* hello = std::get_if<HelloReply>(&reply)) server_ = *hello;
  if (server_.protocol == 0) return fail(fmt::format("{} refuses: {}", address_, server_.error));
  return {};
}

void Client::send(const OperatorToServer& message) {
  transport_->send(link_, Conversation::kOperator, encoder_.encode(kSession, message));
}

Result<ServerToOperator> Client::receive(uint32_t request, Instant deadline) {
  refused_ = false;
  while (true) {
    while (taken_ < inbox_.size()) {
      ServerToOperator message = std::move(inbox_[taken_++]);
      if (taken_ == inbox_.size()) {
        inbox_.clear();
        taken_ = 0;
      }
      if (request_of(message) != request) continue;
      if (const auto* done = std::get_if<RequestDone>(&message); done && !done->error.empty()) {
        refused_ = true;
        return fail(done->error);
      }
      return message;
    }
    if (down_) return fail(fmt::format("{} closed the connection: {}", address_, *down_));
    if (reactor_->now().mono >= deadline) {
      return fail(
          fmt::format("{} did not answer within {:.0f} s", address_, to_secs(options_.timeout)));
    }
    reactor_->run_once(deadline);
  }
}

Result<Rows> Client::list(ListRequest request) {
  request.request = next_request_++;
  send(request);
  Rows rows;
  while (true) {
    ServerToOperator message = TRY(receive(request.request, deadline()));
    auto* part = std::get_if<ListReply>(&message);
    if (part == nullptr) return fail("the server answered a list with something else");
    append(rows, std::move(part->rows));
    if (!part->more) return rows;
  }
}

Result<std::optional<Explanation>> Client::command(OperatorRequest request) {
  const uint32_t number = next_request_++;
  std::visit(
      [&](auto& one) {
        one.request = number;
        send(one);
      },
      request);
  ServerToOperator message = TRY(receive(number, deadline()));
  if (auto* explanation = std::get_if<Explanation>(&message)) return std::move(*explanation);
  return std::optional<Explanation>();
}

Result<FileData> Client::read(ReadFile read) {
  read.request = next_request_++;
  send(read);
  ServerToOperator message = TRY(receive(read.request, deadline()));
  auto* data = std::get_if<FileData>(&message);
  if (data == nullptr) return fail("the server answered a read with something else");
  return std::move(*data);
}

Result<void> Client::watch(WatchRequest request, const WatchCalls& calls) {
  request.request = next_request_++;
  send(request);
  while (true) {
    ServerToOperator message = TRY(receive(request.request, kNever));
    bool go_on = true;
    if (const auto* part = std::get_if<ListReply>(&message)) {
      go_on = calls.on_snapshot(*part);
    } else if (const auto* change = std::get_if<WatchEvent>(&message)) {
      go_on = calls.on_change(*change);
    }
    if (!go_on) return {};
  }
}

void Client::on_frame(LinkId link, Conversation, std::span<const std::byte> payload) {
  if (link != link_) return;  // one that was left
  auto inbound = decode_server_to_operator(payload);
  if (!inbound) {
    down_ = "its answer was not understood: " + inbound.error().message;
    return;
  }
  if (const auto* goodbye = std::get_if<Goodbye>(&inbound->message)) {
    down_ = goodbye->why;
    return;
  }
  inbox_.push_back(std::move(inbound->message));
}

void Client::on_link_down(LinkId link, std::string_view why) {
  if (link == link_ && !down_) down_ = why;
}

}  // namespace tepui::cli
