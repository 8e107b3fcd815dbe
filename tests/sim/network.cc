#include "tests/sim/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "common/limits.h"

namespace tepui::sim {

using namespace std::chrono_literals;

namespace {
constexpr Duration kDelayWithin = 1ms;  // one machine
}  // namespace

End* Network::end_of(NodeId node) const {
  const auto at = ends_.find(node);
  return at == ends_.end() ? nullptr : at->second;
}

bool Network::blocked(NodeId from, NodeId to) const { return blocked_.contains({from, to}); }

Duration Network::draw_delay(const Link& link) {
  if (link.within) return world_.up_to(kDelayWithin);
  const NetworkFaults& network = faults_.network;
  if (world_.rng().chance(1, network.tail_one_in)) return world_.up_to(network.delay_tail);
  return network.delay + world_.up_to(network.delay);
}

// A process that dies closes its links, unless its whole machine went: then its peers learn of it
// by silence.
void Network::set_end(NodeId node, End* end) {
  ends_[node] = end;
  if (end != nullptr) return;
  const bool silent = world_.rng().chance(1, 4);
  for (auto& [number, link] : links_) {
    for (const int side : {0, 1}) {
      if (link.ends[side] != node || !link.open[side]) continue;
      link.open[side] = false;
      const int peer = 1 - side;
      if (silent && !link.within) {
        world_.after(limits::kLinkDead, [this, number, peer] { lose_at(number, peer, "silence"); });
      } else {
        launch_flight(number, link, side, {.due = {}, .payload = {}, .why = "the process died"});
      }
    }
  }
}

LinkNumber Network::connect(NodeId from, NodeId to) { return begin_connect(from, to, false); }

LinkNumber Network::connect_within(NodeId from, NodeId to) { return begin_connect(from, to, true); }

LinkNumber Network::begin_connect(NodeId from, NodeId to, bool within) {
  const LinkNumber number = ++last_link_;
  Link& link = links_[number];
  link.ends[0] = from;
  link.ends[1] = to;
  link.open[0] = true;
  link.within = within;
  world_.after(draw_delay(link), [this, number] { finish_connect(number); });
  return number;
}

void Network::finish_connect(LinkNumber number) {
  const auto at = links_.find(number);
  if (at == links_.end()) return;
  Link& link = at->second;
  if (!link.open[0]) return erase_if_over(number);
  if (blocked(link.ends[0], link.ends[1]) || blocked(link.ends[1], link.ends[0])) {
    world_.after(2s, [this, number] { lose_at(number, 0, "connect timed out"); });
    return;
  }
  if (end_of(link.ends[1]) == nullptr) return lose_at(number, 0, "connection refused");
  link.open[1] = true;
  end_of(link.ends[0])->on_link_up(number);
}

namespace {
// What came after the first release, it neither announces nor minds.
void forget_capabilities(Payload& payload) {
  auto* to_agent = std::get_if<MasterToAgent>(&payload);
  if (to_agent == nullptr) return;
  if (auto* reply = std::get_if<HelloReply>(to_agent)) reply->capabilities.clear();
}
}  // namespace

void Network::send(LinkNumber number, NodeId from, Payload payload) {
  const auto at = links_.find(number);
  if (at == links_.end()) return;
  Link& link = at->second;
  const int side = link.ends[0] == from ? 0 : 1;
  if (!link.open[side] || link.broken) return;
  const NetworkFaults& network = faults_.network;
  const bool is_released = released_.contains(link.ends[0]) || released_.contains(link.ends[1]);
  if (is_released) forget_capabilities(payload);
  if (world_.rng().chance(1, network.codec_one_in) || is_released) {
    std::optional<Payload> passed = through_codec(std::move(payload), is_released);
    if (!passed) {
      return world_.violated("upgrade", fmt::format("node {} sends node {} a message that only one "
                                                    "of them knows",
                                                    from, link.ends[1 - side]));
    }
    payload = *std::move(passed);
  }
  launch_flight(number, link, side, {.due = {}, .payload = std::move(payload), .why = {}});
  if (network.break_one_in != 0 && world_.rng().chance(1, network.break_one_in)) {
    world_.reached("link.broken");
    break_link(number, link);
  }
  if (side == 1 && !link.congested && link.flights[1].size() > network.congested_above) {
    link.congested = true;
    world_.reached("link.congested");
    world_.after(0ns, [this, number, server = link.ends[1]] {
      const auto now_at = links_.find(number);
      if (now_at == links_.end() || !now_at->second.open[1]) return;
      if (!now_at->second.congested) return;  // ready again, and the server was told so
      if (End* end = end_of(server)) end->on_link_congested(number);
    });
  }
}

// What is under way arrives up to some message, then each end learns of the break for itself.
void Network::break_link(LinkNumber number, Link& link) {
  link.broken = true;
  for (const int side : {0, 1}) {
    std::deque<Flight>& flights = link.flights[side];
    const bool has_end = !flights.empty() && !flights.back().payload;
    if (has_end) continue;
    flights.resize(world_.rng().below(flights.size() + 1));
    link.last_due[side] =
        std::max(link.last_due[side],
                 later(world_.now().mono,
                       world_.rng().chance(1, 4) && !link.within ? limits::kLinkDead : Duration{}));
    launch_flight(number, link, side, {.due = {}, .payload = {}, .why = "connection reset"});
  }
}

void Network::launch_flight(LinkNumber number, Link& link, int from, Flight flight) {
  const Instant now = world_.now().mono;
  flight.due = std::max(link.last_due[from], later(now, draw_delay(link)));
  link.last_due[from] = flight.due;
  const Duration wait = flight.due - now;
  link.flights[from].push_back(std::move(flight));
  world_.after(wait, [this, number, from] { pump(number, from); });
}

void Network::pump(LinkNumber number, int from) {
  const auto at = links_.find(number);
  if (at == links_.end()) return;
  Link& link = at->second;
  std::deque<Flight>& flights = link.flights[from];
  const int to = 1 - from;
  if (flights.empty() || flights.front().due > world_.now().mono) return;
  if (blocked(link.ends[from], link.ends[to])) return;
  Flight flight = std::move(flights.front());
  flights.pop_front();
  End* receiver = end_of(link.ends[to]);
  if (receiver == nullptr || !link.open[to]) return erase_if_over(number);
  if (from == 1 && link.congested && flights.size() <= faults_.network.congested_above / 2) {
    link.congested = false;
    if (End* server = end_of(link.ends[1]); server != nullptr && link.open[1]) {
      server->on_link_ready(number);
    }
  }
  if (!flight.payload) return lose_at(number, to, flight.why);
  world_.note(number * 2 + static_cast<uint64_t>(from));
  world_.note(std::visit([](const auto& m) { return m.index(); }, *flight.payload));
  receiver->on_payload(number, *flight.payload);
}

void Network::lose_at(LinkNumber number, int at_end, std::string_view why) {
  const auto at = links_.find(number);
  if (at == links_.end() || !at->second.open[at_end]) return;
  Link& link = at->second;
  link.open[at_end] = false;
  const std::string reason(why);
  if (link.open[1 - at_end]) {
    launch_flight(number, link, at_end, {.due = {}, .payload = {}, .why = "the peer closed"});
  }
  if (End* end = end_of(link.ends[at_end])) end->on_link_down(number, reason);
  erase_if_over(number);
}

void Network::close(LinkNumber number, NodeId from, std::string_view why) {
  const auto at = links_.find(number);
  if (at == links_.end()) return;
  Link& link = at->second;
  const int side = link.ends[0] == from ? 0 : 1;
  if (!link.open[side]) return;
  link.open[side] = false;
  launch_flight(number, link, side, {.due = {}, .payload = {}, .why = std::string(why)});
}

void Network::block(NodeId from, NodeId to) {
  const uint64_t generation = ++blocks_;
  if (!blocked_.try_emplace({from, to}, generation).second) return;
  world_.after(limits::kLinkDead, [this, from, to, generation] { expire(from, to, generation); });
}

// Nothing came for too long: the receiving end gives its links up.
void Network::expire(NodeId from, NodeId to, uint64_t generation) {
  const auto blocked_at = blocked_.find({from, to});
  if (blocked_at == blocked_.end() || blocked_at->second != generation) return;
  std::vector<std::pair<LinkNumber, int>> silent;
  for (const auto& [number, link] : links_) {
    for (const int side : {0, 1}) {
      if (link.ends[side] == to && link.ends[1 - side] == from && link.open[side]) {
        silent.emplace_back(number, side);
      }
    }
  }
  for (const auto& [number, side] : silent) lose_at(number, side, "silence");
  world_.reached("link.silent");
  world_.after(limits::kLinkDead, [this, from, to, generation] { expire(from, to, generation); });
}

void Network::unblock(NodeId from, NodeId to) {
  if (blocked_.erase({from, to}) == 0) return;
  for (auto& [number, link] : links_) {
    for (const int side : {0, 1}) {
      if (link.ends[side] != from || link.ends[1 - side] != to) continue;
      // One pump for each that waits; they run in order.
      for (size_t i = 0; i < link.flights[side].size(); ++i) {
        const Duration wait = std::max(link.flights[side][i].due - world_.now().mono, Duration{});
        world_.after(wait, [this, number = number, side] { pump(number, side); });
      }
    }
  }
}

void Network::unblock_all() {
  while (!blocked_.empty()) {
    const auto [from, to] = blocked_.begin()->first;
    unblock(from, to);
  }
}

void Network::erase_if_over(LinkNumber number) {
  const auto at = links_.find(number);
  if (at != links_.end() && !at->second.open[0] && !at->second.open[1]) links_.erase(at);
}

void Network::set_released(NodeId node, bool is_released) {
  if (!is_released) {
    released_.erase(node);
    return;
  }
  released_.insert(node);
  if (!released_wire_) released_wire_.emplace();
}

std::optional<Payload> Network::through_codec(Payload payload, bool is_released) {
  world_.reached(is_released ? "codec.released" : "codec");
  const auto decode = [&](WireTable table, std::span<const std::byte> bytes,
                          auto decoder) -> std::optional<Payload> {
    std::optional<std::vector<std::byte>> stripped;
    if (is_released) {
      stripped = released_wire_->strip(table, bytes);
      if (!stripped) return std::nullopt;
      bytes = *stripped;
    }
    auto decoded = decoder(bytes);
    if (decoded) return std::move(decoded->message);
    world_.violated("codec", decoded.error().message);
    return Payload{};
  };
  if (const auto* one = std::get_if<SchedulerToMaster>(&payload)) {
    return decode(WireTable::kSchedulerToMaster, encoder_.encode(1, *one),
                  [](auto bytes) { return decode_scheduler_to_master(bytes); });
  }
  if (const auto* one = std::get_if<MasterToScheduler>(&payload)) {
    return decode(WireTable::kMasterToScheduler, encoder_.encode(1, *one),
                  [](auto bytes) { return decode_master_to_scheduler(bytes); });
  }
  if (const auto* one = std::get_if<AgentToMaster>(&payload)) {
    return decode(WireTable::kAgentToMaster, encoder_.encode(1, *one),
                  [](auto bytes) { return decode_agent_to_master(bytes); });
  }
  if (const auto* one = std::get_if<MasterToAgent>(&payload)) {
    return decode(WireTable::kMasterToAgent, encoder_.encode(1, *one),
                  [](auto bytes) { return decode_master_to_agent(bytes); });
  }
  // The first release had no executors; so their tables are never stripped.
  if (is_released) return std::nullopt;
  if (const auto* one = std::get_if<ExecutorToAgent>(&payload)) {
    return decode(WireTable::kMasterToAgent, encoder_.encode(1, *one),
                  [](auto bytes) { return decode_executor_to_agent(bytes); });
  }
  return decode(WireTable::kMasterToAgent, encoder_.encode(1, std::get<AgentToExecutor>(payload)),
                [](auto bytes) { return decode_agent_to_executor(bytes); });
}

}  // namespace tepui::sim
