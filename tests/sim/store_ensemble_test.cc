// Goal: the registry on the simulated ensemble is a Store like the others, also where connections
// are lost all the time. Method: the suite of all stores.

#include <memory>
#include <utility>

#include "tests/common/store_suite.h"
#include "tests/sim/ensemble.h"
#include "tests/sim/seat.h"
#include "tests/sim/world.h"

namespace tepui::test {
namespace {

using namespace std::chrono_literals;

class SimEnsemblePlace final : public StorePlace {
 public:
  explicit SimEnsemblePlace(sim::EnsembleFaults faults) : faults_(std::move(faults)) {}

  std::unique_ptr<StoreUser> open() override { return std::make_unique<User>(*this); }
  bool run_until(const std::function<bool()>& done) override {
    const Instant enough = later(world_.now().mono, 1h);
    while (!done() && world_.now().mono < enough && world_.step()) {
    }
    return done();
  }

 private:
  struct User final : StoreUser {
    explicit User(SimEnsemblePlace& in)
        : seat(in.world_, in.ensemble_, ++in.users_, "{}", *this, *this) {}
    Store& store() override { return seat; }
    Coordinator& coordinator() override { return seat; }

    sim::Seat seat;
  };

  const sim::EnsembleFaults faults_;
  sim::World world_{1, sim::Tracing::kOff};
  sim::SimEnsemble ensemble_{world_, faults_};
  uint32_t users_ = 0;
};

std::vector<NamedStorePlace> places() {
  sim::EnsembleFaults calm;
  sim::EnsembleFaults hostile;
  // A session outlives each of these losses, so nobody is deposed; reading begins anew after one.
  hostile.timeout = 60s;
  hostile.loss_one_in = 500;
  hostile.watch_late = 5s;
  const auto at = [](const sim::EnsembleFaults& faults) {
    return [faults] { return std::make_unique<SimEnsemblePlace>(faults); };
  };
  return {{.name = "SimulatedEnsemble", .make = at(calm)},
          {.name = "SimulatedEnsembleThatLosesConnections", .make = at(hostile)}};
}

INSTANTIATE_STORE_SUITE(places());

}  // namespace
}  // namespace tepui::test
