// make_seeds NAME DIRECTORY writes the first corpus of a fuzz target: honest messages of every
// kind. Targets that it does not know begin with nothing, or with their folder in corpus/.

#include <fstream>
#include <string>
#include <string_view>

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
  if (name == "wire") {
    seeds.write_messages<tepui::SchedulerToMaster>(0);
    seeds.write_messages<tepui::MasterToScheduler>(1);
    seeds.write_messages<tepui::AgentToMaster>(2);
    seeds.write_messages<tepui::MasterToAgent>(3);
    seeds.write_messages<tepui::OperatorToServer>(4);
    seeds.write_messages<tepui::ServerToOperator>(5);
  }
  if (name == "znode") seeds.write_znodes();
  return 0;
}
