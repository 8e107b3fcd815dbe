#include "tests/sim/seat.h"

#include <fmt/format.h>

#include <utility>

namespace tepui::sim {

Seat::Seat(World& world, SimEnsemble& ensemble, uint32_t node, std::string info, StoreClient& store,
           CoordinatorClient& leader)
    : world_(world),
      node_(node),
      zookeeper_(ensemble, node, [this] { end_turn(); }),
      leadership_(zookeeper_, {.path = std::string(kClusterPath), .master_info = std::move(info)},
                  store, leader, *this),
      alarm_(world, [this] { begin_turn(); }) {}

void Seat::contend() {
  zookeeper_.open(leadership_);
  leadership_.contend();
  end_turn();
}

void Seat::resign(std::string_view why) {
  leadership_.resign(why);
  end_turn();
}

void Seat::write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) {
  leadership_.write(epoch, token, std::move(batch));
  end_turn();
}

void Seat::begin_turn() {
  leadership_.on_time(world_.now().mono);
  end_turn();
}

void Seat::on_trouble(Instant, std::string_view why) {
  world_.reached("election.trouble");
  if (world_.tracing()) world_.trace(fmt::format("master {}, election: {}", node_, why));
}

}  // namespace tepui::sim
