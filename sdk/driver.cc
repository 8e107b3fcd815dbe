#include "sdk/driver.h"

#include <sys/random.h>

#include <algorithm>
#include <utility>

namespace tepui {

namespace {

// A scheduler has one session on its link.
constexpr uint32_t kSession = 1;
// How long stop() waits for the master to take what was sent last.
constexpr Duration kLinger = std::chrono::seconds(2);

uint64_t system_seed() {
  uint64_t seed = 0;
  CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  return seed;
}

}  // namespace

SchedulerDriver::SchedulerDriver(SchedulerDriverOptions options, SchedulerHandler& handler,
                                 uint64_t seed)
    : options_(std::move(options)),
      seed_(seed),
      scheduler_(options_.scheduler, seed, handler, *this) {}

SchedulerDriver::~SchedulerDriver() = default;

Result<std::unique_ptr<SchedulerDriver>> SchedulerDriver::create(SchedulerDriverOptions options,
                                                                 SchedulerHandler& handler) {
  const uint64_t seed = options.seed != 0 ? options.seed : system_seed();
  std::unique_ptr<SchedulerDriver> driver(new SchedulerDriver(std::move(options), handler, seed));
  TRY(driver->open());
  return driver;
}

Result<void> SchedulerDriver::open() {
  reactor_ = TRY(Reactor::create());
  transport_ = TRY(TcpTransport::create(*reactor_, *this));
  connector_ =
      std::unique_ptr<Connector>(new Connector(*reactor_, *transport_, *this, Rng(seed_ ^ 1)));
  MasterFinderOwner& follower = *this;
  finder_ = TRY(MasterFinder::create(*reactor_, options_.master, follower));
  finder_->start();
  return {};
}

int SchedulerDriver::run() {
  while (turn(kNever)) {
  }
  return status_;
}

bool SchedulerDriver::turn(Instant deadline) {
  if (!stopping_) {
    reactor_->run_once(std::min(wake_, deadline));
    const Now now = reactor_->now();
    if (now.mono >= wake_) {
      wake_ = kNever;
      scheduler_.on_time(now);
    }
  }
  if (!stopping_) return true;
  part();
  return false;
}

// Once, also where stop() came between two turns: what was said last has yet to leave.
void SchedulerDriver::part() {
  if (std::exchange(parted_, true)) return;
  finder_->stop();
  connector_->stop("the framework ends");
  const Instant enough = later(reactor_->now().mono, kLinger);
  while (transport_->links() != 0 && reactor_->now().mono < enough) reactor_->run_once(enough);
}

void SchedulerDriver::stop(int status) {
  stopping_ = true;
  status_ = status;
}

void SchedulerDriver::on_event(const Event& event) {
  if (options_.events != nullptr) options_.events->on_event(event);
}

void SchedulerDriver::send(const SchedulerToMaster& message) {
  if (!connector_->connected()) return;
  // Congestion needs no answer here: the master stops making offers to one who does not read, and a
  // link that cannot take more closes, which the scheduler hears of.
  transport_->send(connector_->link(), Conversation::kScheduler,
                   encoder_.encode(kSession, message));
}

void SchedulerDriver::reconnect(std::string_view why) { connector_->reconnect(why); }

void SchedulerDriver::on_link_up(LinkId link, std::string_view) { connector_->on_link_up(link); }

void SchedulerDriver::on_link_down(LinkId link, std::string_view why) {
  connector_->on_link_down(link, why);
}

void SchedulerDriver::on_connected(LinkId) {
  trouble_.clear();
  scheduler_.on_connected(reactor_->now());
}

void SchedulerDriver::on_disconnected(LinkId, std::string_view why) {
  trouble_ = why;
  scheduler_.on_lost(reactor_->now(), why);
}

void SchedulerDriver::on_master(const std::string& address) {
  // The link that works stays: the same process leads again.
  if (address == master_ && connector_->connected()) return;
  if (connector_->connected()) scheduler_.on_lost(reactor_->now(), "another master leads");
  master_ = address;
  connector_->start(master_);
}

void SchedulerDriver::on_no_master(std::string_view why) {
  if (!connector_->connected()) trouble_ = why;
}

void SchedulerDriver::on_frame(LinkId link, Conversation conversation,
                               std::span<const std::byte> payload) {
  if (link != connector_->link()) return;
  if (conversation != Conversation::kScheduler) {
    return connector_->reconnect("the master answered in another conversation");
  }
  const auto inbound = decode_master_to_scheduler(payload);
  if (!inbound) return connector_->reconnect(inbound.error().message);
  if (const auto* goodbye = std::get_if<Goodbye>(&inbound->message)) {
    return connector_->reconnect(goodbye->why);
  }
  scheduler_.on_message(reactor_->now(), inbound->message);
}

}  // namespace tepui
