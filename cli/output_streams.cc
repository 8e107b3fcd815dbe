#include "cli/output_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/limits.h"

namespace tepui::cli {

namespace {
constexpr uint32_t kSession = 1;
// How soon a file that had nothing new is asked for again.
constexpr Duration kPace = std::chrono::milliseconds(50);
// Reads at one agent at a time; an agent serves many clients, and refuses what is too much.
constexpr int kAskedMax = 4;
}  // namespace

Result<std::unique_ptr<OutputStreams>> OutputStreams::create(Reactor& reactor) {
  std::unique_ptr<OutputStreams> streams(new OutputStreams(reactor));
  streams->transport_ = TRY(TcpTransport::create(reactor, *streams));
  return streams;
}

OutputStreams::~OutputStreams() = default;

void OutputStreams::open(Source source, OutputSink& sink) {
  const auto [agent, added] = agents_.try_emplace(source.address);
  if (added) agent->second.link = transport_->connect(source.address);
  const uint32_t request = next_request_++;
  Stream& stream = streams_[request];
  stream = Stream{.source = std::move(source), .sink = &sink, .link = agent->second.link};
  pump(agent->second);
}

OutputStreams::Agent* OutputStreams::agent_of(LinkId link) {
  for (auto& [address, agent] : agents_) {
    if (agent.link == link) return &agent;
  }
  return nullptr;
}

void OutputStreams::pump(Agent& agent) {
  if (!agent.ready) return;
  const Instant now = reactor_.now().mono;
  auto next = streams_.upper_bound(agent.last_asked);
  for (size_t looked = 0; looked < streams_.size() && agent.asked < kAskedMax; ++looked, ++next) {
    if (next == streams_.end()) next = streams_.begin();
    auto& [request, stream] = *next;
    if (stream.link != agent.link || stream.asked || stream.due > now) continue;
    ask(request, stream);
    ++agent.asked;
    agent.last_asked = request;
  }
}

void OutputStreams::ask(uint32_t request, Stream& stream) {
  stream.asked = true;
  transport_->send(stream.link, Conversation::kOperator,
                   encoder_.encode(kSession, ReadFile{.request = request,
                                                      .framework_id = stream.source.framework_id,
                                                      .task_id = stream.source.task_id,
                                                      .path = stream.source.path,
                                                      .offset = stream.source.offset,
                                                      .length = limits::kReadFileMax}));
}

void OutputStreams::ask_again() {
  again_set_ = false;
  for (auto& [address, agent] : agents_) pump(agent);
  wait_for_due();
}

void OutputStreams::wait_for_due() {
  if (again_set_) return;
  Instant first = kNever;
  for (const auto& [request, stream] : streams_) {
    if (!stream.asked && stream.due > reactor_.now().mono) first = std::min(first, stream.due);
  }
  if (first == kNever) return;
  again_set_ = true;
  reactor_.set(again_, first);
}

void OutputStreams::on(const FileData& data) {
  const auto found = streams_.find(data.request);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  const LinkId link = stream.link;
  stream.asked = false;
  stream.source.offset += data.data.size();
  const bool at_end = stream.source.offset >= data.size;
  const bool over = at_end && (data.task_ended || !stream.source.follow);
  if (at_end) stream.due = later(reactor_.now().mono, kPace);
  if (!data.data.empty()) stream.sink->on_bytes(data.data);
  if (over) end(data.request, "");
  if (Agent* agent = agent_of(link)) {
    --agent->asked;
    pump(*agent);
  }
  wait_for_due();
}

void OutputStreams::end(uint32_t request, std::string_view problem) {
  const auto found = streams_.find(request);
  if (found == streams_.end()) return;
  OutputSink* sink = found->second.sink;
  streams_.erase(found);
  sink->on_end(problem);
}

void OutputStreams::lose(LinkId link, std::string_view why) {
  std::erase_if(agents_, [link](const auto& entry) { return entry.second.link == link; });
  std::vector<uint32_t> lost;
  for (const auto& [request, stream] : streams_) {
    if (stream.link == link) lost.push_back(request);
  }
  for (const uint32_t request : lost) end(request, fmt::format("the agent is gone: {}", why));
}

void OutputStreams::on_link_up(LinkId link, std::string_view) {
  transport_->send(link, Conversation::kOperator,
                   encoder_.encode(kSession, OperatorToServer{Hello{}}));
}

void OutputStreams::on_frame(LinkId link, Conversation, std::span<const std::byte> payload) {
  const auto inbound = decode_server_to_operator(payload);
  if (!inbound) {
    transport_->close(link, inbound.error().message);
    return lose(link, inbound.error().message);
  }
  if (const auto* hello = std::get_if<HelloReply>(&inbound->message)) {
    if (hello->protocol == 0) return lose(link, hello->error);
    if (Agent* agent = agent_of(link)) {
      agent->ready = true;
      pump(*agent);
    }
    return;
  }
  if (const auto* data = std::get_if<FileData>(&inbound->message)) return on(*data);
  if (const auto* done = std::get_if<RequestDone>(&inbound->message)) {
    if (Agent* agent = agent_of(link); agent != nullptr && streams_.contains(done->request)) {
      --agent->asked;
    }
    return end(done->request, done->error.empty() ? "the agent sent no data" : done->error);
  }
  if (const auto* goodbye = std::get_if<Goodbye>(&inbound->message)) lose(link, goodbye->why);
}

}  // namespace tepui::cli
