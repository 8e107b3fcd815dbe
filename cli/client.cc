#include "cli/client.h"

#include <fmt/format.h>

#include <utility>

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

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(Options options) {
  std::unique_ptr<Client> client(new Client(std::move(options)));
  TRY(client->open());
  return client;
}

Client::~Client() = default;

Instant Client::deadline() const { return later(now().mono, options_.timeout); }

Result<void> Client::open() {
  reactor_ = TRY(Reactor::create());
  transport_ = TRY(TcpTransport::create(*reactor_, *this));
  const Address address = TRY(resolve_address(options_.address));
  link_ = transport_->connect(to_text(address));
  const Instant until = deadline();
  while (!up_ && !down_ && reactor_->now().mono < until) reactor_->run_once(until);
  if (down_) return fail(fmt::format("cannot reach {}: {}", options_.address, *down_));
  if (!up_) return fail(fmt::format("{} does not answer", options_.address));
  send(Hello{.build = options_.build,
             .capabilities = {},
             .principal = options_.principal,
             .mechanism = {},
             .token = {}});
  const ServerToOperator reply = TRY(receive(0, until));
  if (const auto* hello = std::get_if<HelloReply>(&reply)) server_ = *hello;
  if (server_.protocol == 0) {
    return fail(fmt::format("{} refuses: {}", options_.address, server_.error));
  }
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
    if (down_) return fail(fmt::format("{} closed the connection: {}", options_.address, *down_));
    if (reactor_->now().mono >= deadline) {
      return fail(fmt::format("{} did not answer within {:.0f} s", options_.address,
                              to_secs(options_.timeout)));
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

void Client::on_frame(LinkId, Conversation, std::span<const std::byte> payload) {
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

void Client::on_link_down(LinkId, std::string_view why) {
  if (!down_) down_ = why;
}

}  // namespace tepui::cli
