// make_seeds NAME DIRECTORY writes the first corpus of a fuzz target: honest messages of every
// kind. Targets that it does not know begin with nothing, or with their folder in corpus/.

#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/recording_writer.h"
#include "agent/records_wire.h"
#include "agent/sample_wire.h"
#include "common/frame.h"
#include "common/wire.h"
#include "common/znode_wire.h"
#include "tests/common/arbitrary.h"

namespace tepui {
namespace {

class Seeds {
 public:
  explicit Seeds(std::string directory) : directory_(std::move(directory)) {}

  void write(uint8_t first, std::span<const std::byte> bytes) {
    std::ofstream file(directory_ + "/seed-" + std::to_string(count_++), std::ios::binary);
    file.put(static_cast<char>(first));
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }

  template <class Message>
  void write_messages(uint8_t first) {
    for (size_t index = 0; index < std::variant_size_v<Message>; ++index) {
      for (int i = 0; i < 4; ++i) {
        write(first, encoder_.encode(1, arbitrary_.make_alternative<Message>(index)));
      }
    }
  }

  // One entry of each kind, as tests/fuzz/memory_fuzz.cc numbers them.
  void write_memory() {
    const auto status = arbitrary_.make<TaskStatus>();
    const std::vector<AgentRecord> records = {
        record::Identity{.info = arbitrary_.make<AgentInfo>(),
                         .ground = {.boot_id = "b", .runtime_dir = "/run", .cgroup_root = "/cg"}},
        record::Framework{.number = 1, .info = arbitrary_.make<FrameworkInfo>()},
        record::Task{.number = 2,
                     .framework = 1,
                     .task = arbitrary_.make<Task>(),
                     .spec = std::make_shared<const TaskSpec>(arbitrary_.make<TaskSpec>()),
                     .executor_id = {"e"},
                     .sandbox = "s"},
        record::Course{.task = 2, .acknowledged = status, .kill_at = Instant(Duration(5))},
        record::Status{.task = 2, .number = 3, .status = status}};
    for (size_t kind = 0; kind < records.size(); ++kind) {
      const std::string value = *encode_record(records[kind])[0].value;
      write(static_cast<uint8_t>(kind), std::as_bytes(std::span(value)));
    }
  }

  void write_frames() {
    for (uint8_t first = 0; first < 8; ++first) {
      std::vector<std::byte> stream;
      for (uint32_t sequence = 0; sequence < 6; ++sequence) {
        const auto message = arbitrary_.make_alternative<OperatorToServer>(sequence);
        const auto payload = encoder_.encode(1, message);
        append_frame(stream,
                     {.type = static_cast<uint8_t>(Conversation::kOperator),
                      .length = static_cast<uint32_t>(payload.size()),
                      .sequence = sequence},
                     payload);
      }
      append_frame(stream, {.flags = kFramePing, .sequence = 6}, {});
      write(first, stream);
    }
  }

  // A segment, one of its entries, and samples alone, as tests/fuzz/recording_fuzz.cc numbers them.
  void write_recordings() {
    RecordingWriter writer;
    writer.begin_segment({}, {.id = {"a"}, .hostname = "h", .boot_id = "b", .total = {}});
    writer.state({}, {.number = 1,
                      .facts = {.id = {"c"},
                                .framework_id = {"f"},
                                .framework_name = "n",
                                .executor_id = {"e"},
                                .executor_name = {},
                                .executor_resources = {},
                                .tasks = {}}});
    SampleDeltaWriter deltas;
    for (int64_t i = 1; i < 4; ++i) {
      const Sample sample{.cpu_usage_ns = i << 30, .memory_bytes = 4096 / i};
      writer.add(1, sample);
      writer.finish({});
      deltas.add(1, sample);
    }
    writer.end({}, 1);
    write(0, writer.bytes());
    RecordedEncoder encoder;
    write(1, encoder.encode_samples(deltas.bytes()));
    write(2, deltas.bytes());
  }

  // Without their frames, which the target puts around.
  void write_znodes() {
    const auto content = [](std::string node) { return node.substr(24); };
    write_text(content(encode_znode("n", ZnodeEpoch{.epoch = 3, .serial = 7, .chunks = 2})));
    std::vector<ZnodeEntry> entries;
    for (int i = 0; i < 20; ++i) {
      entries.push_back({.key = "agents/a" + std::to_string(i), .value = std::string(50, 'a')});
    }
    entries.push_back({.key = "long", .piece = 0, .pieces = 2, .value = "1"});
    entries.push_back({.key = "long", .piece = 1, .pieces = 2, .value = "2"});
    write_text(content(encode_znode("n", entries)));
    entries.push_back({.key = "gone", .value = std::nullopt});
    write_text(content(encode_znode("n", entries)));
    write_text("zk://user:password@10.0.0.1,[::1]:2181/tepui/prod");
  }

 private:
  void write_text(std::string_view text) {
    write(static_cast<uint8_t>(text[0]), std::as_bytes(std::span(text.substr(1))));
  }

  const std::string directory_;
  int count_ = 0;
  Arbitrary arbitrary_{1};
  Encoder encoder_;
};

}  // namespace
}  // namespace tepui

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string_view name = argv[1];
  tepui::Seeds seeds(argv[2]);
  if (name == "frame") seeds.write_frames();
  if (name == "memory") seeds.write_memory();
  if (name == "recording") seeds.write_recordings();
  if (name == "wire") {
    seeds.write_messages<tepui::SchedulerToMaster>(0);
    seeds.write_messages<tepui::MasterToScheduler>(1);
    seeds.write_messages<tepui::AgentToMaster>(2);
    seeds.write_messages<tepui::MasterToAgent>(3);
    seeds.write_messages<tepui::OperatorToServer>(4);
    seeds.write_messages<tepui::ServerToOperator>(5);
    seeds.write_messages<tepui::ExecutorToAgent>(6);
    seeds.write_messages<tepui::AgentToExecutor>(7);
  }
  if (name == "znode") seeds.write_znodes();
  return 0;
}
