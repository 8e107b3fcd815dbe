#pragma once
// OutputStreams follows files in the sandboxes of tasks, read from the agents that run them: every
// byte once, in order, until the task has ended and the file is read to its end. Many streams share
// one link per agent and live on the loop of whoever asks.
//
// One thread. A sink outlives its stream or the OutputStreams.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/io/reactor.h"
#include "common/io/tcp.h"
#include "common/messages.h"
#include "common/result.h"
#include "common/wire.h"

namespace tepui::cli {

class OutputSink {
 public:
  virtual ~OutputSink() = default;
  virtual void on_bytes(std::string_view bytes) = 0;
  // Nothing follows. `problem` is empty if all was read.
  virtual void on_end(std::string_view problem) = 0;
};

class OutputStreams final : private LinkHandler {
 public:
  static Result<std::unique_ptr<OutputStreams>> create(Reactor& reactor);
  ~OutputStreams() override;

  struct Source {
    std::string address;  // of the agent
    FrameworkId framework_id;
    TaskId task_id;
    std::string path;  // "stdout"
    uint64_t offset = 0;
    bool follow = true;  // false: to the present end of the file
  };
  void open(Source source, OutputSink& sink);

  size_t active() const { return streams_.size(); }

 private:
  struct Stream {
    Source source;
    OutputSink* sink = nullptr;
    LinkId link;
    bool asked = false;  // an answer is due
    Instant due{};       // not asked again before
  };
  struct Agent {
    LinkId link;
    bool ready = false;       // Hello was answered
    int asked = 0;            // answers that are due
    uint32_t last_asked = 0;  // request number: the streams take turns
  };

  explicit OutputStreams(Reactor& reactor) : reactor_(reactor) {}
  void ask(uint32_t request, Stream& stream);
  // Asks for the streams of an agent whose turn it is.
  void pump(Agent& agent);
  Agent* agent_of(LinkId link);
  void ask_again();
  void wait_for_due();
  void on(const FileData& data);
  void end(uint32_t request, std::string_view problem);
  void lose(LinkId link, std::string_view why);

  void on_link_up(LinkId link, std::string_view peer) override;
  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override;
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override { lose(link, why); }

  Reactor& reactor_;
  std::unique_ptr<TcpTransport> transport_;
  Encoder encoder_;
  std::map<std::string, Agent> agents_;  // by address
  std::map<uint32_t, Stream> streams_;   // by request number
  uint32_t next_request_ = 1;
  bool again_set_ = false;
  Timer<&OutputStreams::ask_again> again_{*this};
};

}  // namespace tepui::cli
