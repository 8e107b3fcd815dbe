#include "tests/sim/framework.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/executors.h"
#include "common/loans.h"
#include "common/roles.h"
#include "sdk/operations.h"

namespace tepui::sim {

using namespace std::chrono_literals;

SimFramework::SimFramework(World& world, Fates& fates, uint32_t number, uint32_t jobs)
    : world_(world), fates_(fates), number_(number), patience_(1s + world.up_to(20s)) {
  Rng& rng = world.rng();
  FrameworkInfo& info = options_.info;
  info.name = fmt::format("framework {}", number);
  info.roles = {fmt::format("role{}", number % 3)};
  if (rng.chance(1, 3)) info.roles.push_back("roles/shared");
  info.capabilities = bit(FrameworkCapability::kMultiRole);
  if (rng.chance(1, 2)) info.capabilities |= bit(FrameworkCapability::kPartitionAware);
  if (rng.chance(1, 2)) info.capabilities |= bit(FrameworkCapability::kReservationRefinement);
  if (rng.chance(1, 2)) info.capabilities |= bit(FrameworkCapability::kTaskKillingState);
  if (rng.chance(1, 2)) info.capabilities |= bit(FrameworkCapability::kSharedResources);
  if (rng.chance(1, 2)) info.capabilities |= bit(FrameworkCapability::kRevocableResources);
  // Short enough that what is left of a framework that began anew goes before quiet is demanded.
  const Duration timeouts[] = {0s, 30s, 2min, 5min};
  info.failover_timeout = timeouts[rng.below(4)];
  info.checkpoint = rng.chance(3, 4);
  options_.build = "sim";
  options_.explicit_acknowledgements = rng.chance(1, 3);
  for (uint32_t i = 0; i < jobs; ++i) {
    Job job;
    job.resources = Resources::scalars(
        {{"cpus", rng.between(1, 20) * 100}, {"mem", rng.between(1, 8) * 32000}});
    jobs_.push_back(std::move(job));
  }
}

bool SimFramework::sometimes(uint64_t one_in) { return !calm_ && world_.rng().chance(1, one_in); }

void SimFramework::set_scheduler(Scheduler* scheduler) {
  scheduler_ = scheduler;
  wants_new_scheduler_ = false;
  epoch_seen_ = 0;  // each process has seen its own
  held_.clear();
}

void SimFramework::begin_anew() {
  if (!options_.info.id.empty()) fates_.on_framework_gone(options_.info.id);
  options_.info.id = {};
  ++generation_;
  attempts_.clear();
  executors_.clear();
  for (Job& job : jobs_) job.running = false;
  wants_new_scheduler_ = true;
}

size_t SimFramework::pending_jobs() const {
  return static_cast<size_t>(
      std::ranges::count_if(jobs_, [](const Job& job) { return !job.running && !job.over; }));
}

bool SimFramework::done() const {
  return std::ranges::all_of(jobs_, [](const Job& job) { return job.over; }) &&
         scheduler_ != nullptr && scheduler_->subscribed() && held_.empty();
}

std::string SimFramework::what_is_left() const {
  if (scheduler_ == nullptr || !scheduler_->subscribed()) {
    return fmt::format("framework {} is not subscribed", number_);
  }
  for (size_t i = 0; i < jobs_.size(); ++i) {
    if (!jobs_[i].over) {
      return fmt::format("job {} of framework {} ({}) is not over: attempt {} is {}", i, number_,
                         options_.info.id.value, jobs_[i].attempts,
                         jobs_[i].running ? "out" : "not launched");
    }
  }
  return held_.empty() ? "" : fmt::format("framework {} holds offers", number_);
}

// -------------------------------------------------------------------------------------- offers

void SimFramework::on_subscribed(Scheduler& scheduler, const Subscribed& subscribed) {
  world_.reached("framework.subscribed");
  if (subscribed.epoch < epoch_seen_) {
    world_.violated("epoch", fmt::format("framework {} obeys epoch {} after epoch {}", number_,
                                         subscribed.epoch, epoch_seen_));
  }
  epoch_seen_ = subscribed.epoch;
  options_.info = scheduler.info();
  offered_ = world_.now().mono;
  if (world_.rng().chance(1, 2)) scheduler.reconcile();
}

TaskInfo SimFramework::attempt(size_t job, const Offer& offer, const Resources& resources,
                               const Runner& runner) {
  const TaskId id{fmt::format("f{}.{}-j{}-{}", number_, generation_, job, ++jobs_[job].attempts)};
  auto spec = std::make_shared<TaskSpec>();
  spec->resources = resources;
  if (runner.is_own() && !runner.group) {
    spec->executor = runner.executor;
  } else {
    spec->command.value = "true";
  }
  if (!plain_ && !runner.is_own() && sometimes(30)) {
    // What no agent here grants: it must not be run without.
    spec->container.emplace().hostname = "of-its-own";
    fates_.on_not_granted(options_.info.id, id);
  }
  if (world_.rng().chance(1, 4)) spec->kill_policy = KillPolicy{.grace_ns = world_.up_to(2s)};
  if (sometimes(20)) spec->max_completion_time = world_.up_to(5s);
  if (!plain_ && sometimes(10)) {
    const bool runs_command = world_.rng().chance(1, 2);
    spec->health_check = HealthCheckInfo{
        .check = {.type = runs_command ? CheckInfo::Type::kCommand : CheckInfo::Type::kTcp,
                  .port = 80,
                  .delay = world_.up_to(200ms),
                  .interval = 50ms + world_.up_to(500ms),
                  .timeout = 1ms + world_.up_to(runs_command ? Duration(2s) : Duration(40ms))},
        .grace_period = world_.up_to(1s),
        .consecutive_failures = 2};
    CheckInfo& check = spec->health_check->check;
    if (runs_command) check.port = 0;
    if (runs_command) check.command.value = "true";
  }
  const Instant now = world_.now().mono;
  attempts_[id] = {.job = job,
                   .agent = offer.agent->id,
                   .executor = runner.is_own() ? runner.executor->id : ExecutorId{},
                   .launched = now,
                   .heard = now,
                   .asked = now};
  jobs_[job].running = true;
  fates_.on_intended(options_.info.id, id, resources);
  if (sometimes(8)) {
    world_.after(world_.up_to(10s), [this, id] {
      const auto attempt = attempts_.find(id);
      if (scheduler_ == nullptr || attempt == attempts_.end()) return;
      attempt->second.killed = true;
      scheduler_->kill(id);
    });
  }
  return {.id = id, .name = id.value, .spec = std::move(spec)};
}

Resources SimFramework::wanted_of(const Job& job, const Resources& left) {
  if (!is_revocable() || left.revocable().empty()) return job.resources;
  Resources wanted;
  for (const Resource& item : job.resources.items()) {
    const Resources regular = *Resources::create({item});
    const Resources revocable = as_revocable(regular);
    const bool is_there = left.contains(revocable);
    const bool takes = is_there && (!left.contains(regular) || world_.rng().chance(1, 2));
    wanted += takes ? revocable : regular;
    // Both of one name: the master must refuse that.
    if (is_there && sometimes(20)) wanted += takes ? regular : revocable;
  }
  return wanted;
}

void SimFramework::pick(const Offer& offer, Resources& left, const Runner& runner,
                        std::vector<TaskInfo>& tasks) {
  const uint64_t most = world_.rng().between(1, 4);
  for (size_t i = 0; i < jobs_.size() && tasks.size() < most; ++i) {
    if (jobs_[i].running || jobs_[i].over) continue;
    if (sometimes(40)) {
      // More than there is: the master must say so, and count nothing.
      world_.reached("framework.greedy");
      tasks.push_back(attempt(i, offer, left + jobs_[i].resources, runner));
      continue;
    }
    Resources wanted = wanted_of(jobs_[i], left);
    if (left.contains(wanted)) {
      const Resources volumes = left.filter([](const Resource& item) { return is_volume(item); });
      if (!volumes.empty() && !sometimes(2)) {
        Resource volume = volumes.items().front();
        // Or a piece of it, which nobody may have.
        if (sometimes(20)) volume.amount = world_.rng().between(1, volume.scalar_milli());
        wanted += *Resources::create({volume});
      }
      // What is shared serves further tasks of the call.
      left -= wanted.filter([](const Resource& item) { return !item.kind->shared; });
      tasks.push_back(attempt(i, offer, wanted, runner));
    }
  }
}

void SimFramework::answer(const Offer& offer) {
  const std::optional<Duration> refusals[] = {std::nullopt, 0s, 100ms, 3s, -1s};
  const std::optional<Duration> refuse = refusals[world_.rng().below(calm_ ? 3 : 5)];
  check_reservations(offer);
  Resources left = offer.resources;
  std::vector<OfferOperation> operations;
  while (!plain_ && sometimes(3) && operations.size() < 4) {
    std::optional<OfferOperation> one = convert_some(offer, left);
    if (one) operations.push_back(*std::move(one));
  }
  std::vector<TaskInfo> tasks;
  const Runner runner = runner_within(left);
  if (runner.executor != nullptr) left -= runner.executor->resources;
  if (!sometimes(5)) pick(offer, left, runner, tasks);
  if (tasks.empty() && operations.empty()) return scheduler_->decline({&offer.id, 1}, refuse);
  if (!tasks.empty()) launch(runner, std::move(tasks), operations);
  scheduler_->accept({&offer.id, 1}, std::move(operations), refuse);
  if (sometimes(30)) {
    // Once more, as a confused framework would: the offer is not there any more.
    world_.reached("framework.accepts_twice");
    left = offer.resources;
    tasks.clear();
    pick(offer, left, {}, tasks);
    scheduler_->launch({&offer.id, 1}, std::move(tasks), refuse);
  }
}

// What is reserved is offered to nobody but its role.
void SimFramework::check_reservations(const Offer& offer) {
  for (const Resource& item : offer.resources.items()) {
    const std::string_view owner = item.kind->reservation_role();
    if (!item.kind->is_reserved() || owner == offer.role || is_descendant(owner, offer.role)) {
      continue;
    }
    world_.violated("reservations", fmt::format("framework {} of role {} is offered {}", number_,
                                                offer.role, to_text(offer.resources)));
  }
}

std::optional<OfferOperation> SimFramework::convert_some(const Offer& offer, Resources& left) {
  const std::string& role = offer.role;
  if (left.empty() || role == "*") return std::nullopt;
  const Resource item = left.items()[world_.rng().below(left.items().size())];
  if (item.name() != "disk") return std::nullopt;
  const std::string id =
      sometimes(2) ? "" : fmt::format("o{}.{}-{}", number_, generation_, ++operations_);
  const bool is_mounted = item.kind->disk && item.kind->disk->source == Disk::Source::kMount;
  // Sometimes more than there is, or a piece of what goes only as a whole.
  const int64_t milli = is_mounted && !sometimes(5) ? item.scalar_milli()
                                                    : world_.rng().between(1, item.scalar_milli()) +
                                                          (sometimes(20) ? 9999999 : 0);
  const Resources part = *Resources::create({{.kind = item.kind, .amount = milli}});
  std::optional<OfferOperation> made;
  if (is_volume(item)) {
    if (sometimes(3)) return std::nullopt;
    made = change_volume(item, milli, left, id);
  } else if (!item.kind->is_reserved()) {
    made = reserve(reserved(part, role, ""), id);
  } else if (sometimes(3)) {
    made = unreserve(part, id);
  } else {
    const bool shares = options_.info.has(FrameworkCapability::kSharedResources);
    made = create_volume(volume_on(part, {.id = fmt::format("v{}", world_.rng().below(3)),
                                          .path = "data",
                                          .principal = "",
                                          .shared = shares && sometimes(2)}),
                         id);
  }
  const Result<Conversion> conversion = convert(made->operation);
  if (!conversion || !left.contains(conversion->from)) return made;
  left -= conversion->from;
  // What is resized is for later offers; who uses it all the same is refused.
  const bool is_resized = made->operation.type == Operation::Type::kGrowVolume ||
                          made->operation.type == Operation::Type::kShrinkVolume;
  if (!is_resized || sometimes(8)) left += conversion->to;
  return made;
}

// Destroys, grows or shrinks it.
OfferOperation SimFramework::change_volume(const Resource& volume, int64_t milli,
                                           const Resources& left, const std::string& id) {
  const Resources whole = *Resources::create({volume});
  OfferOperation destroy = destroy_volume(whole, id);
  if (sometimes(3)) return shrink_volume(whole, milli, id);
  if (!sometimes(2)) return destroy;
  const KindRef plain = convert(destroy.operation)->to.items().front().kind;
  for (const Resource& item : left.items()) {
    if (*item.kind != *plain) continue;
    const int64_t addition = world_.rng().between(1, item.scalar_milli());
    return grow_volume(whole, *Resources::create({{.kind = plain, .amount = addition}}), id);
  }
  return destroy;
}

void SimFramework::on_operation_update(Scheduler& scheduler, const OperationStatus& status) {
  world_.reached("framework.operation_update");
  if (!options_.explicit_acknowledgements) return;
  world_.after(world_.up_to(calm_ ? 1ms : 2s), [this, status] {
    if (scheduler_ != nullptr) scheduler_->acknowledge(status);
  });
  // Not for an answer to that: one question would bring more of them than it answers.
  if (!status.uuid.is_nil() && sometimes(5)) scheduler.reconcile_operations();
}

void SimFramework::hoard(bool wanted) {
  hoards_ = wanted;
  if (wanted && scheduler_ != nullptr) suppress(false);
}

Resources SimFramework::held() const {
  Resources sum;
  for (const Offer& offer : held_) sum += offer.resources;
  return sum;
}

void SimFramework::on_offers(Scheduler&, std::span<const Offer> offers) {
  offered_ = world_.now().mono;
  if (hoards_) {
    held_.insert(held_.end(), offers.begin(), offers.end());
    return;
  }
  for (const Offer& offer : offers) {
    check_role(offer);
    if (sometimes(6)) {
      world_.reached("framework.holds");
      held_.push_back(offer);
    } else {
      answer(offer);
    }
  }
  if (pending_jobs() == 0 && !suppressed_) {
    suppress(true);
  }
}

// The next scheduler of this framework subscribes with what this one has said.
void SimFramework::suppress(bool wanted) {
  suppressed_ = wanted;
  if (wanted) {
    scheduler_->suppress();
  } else {
    scheduler_->revive();
  }
  options_.info = scheduler_->info();
}

void SimFramework::answer_held() {
  std::vector<Offer> still;
  for (const Offer& offer : std::exchange(held_, {})) {
    if (sometimes(2)) {
      still.push_back(offer);
    } else {
      answer(offer);
    }
  }
  held_ = std::move(still);
}

void SimFramework::on_rescinded(Scheduler&, OfferId offer) {
  world_.reached("framework.rescinded");
  // Sometimes it was answered just now, or the answer comes all the same.
  if (!sometimes(3)) std::erase_if(held_, [offer](const Offer& held) { return held.id == offer; });
}

// ------------------------------------------------------------------------------------- updates

void SimFramework::abandon(Attempt& attempt) {
  if (attempt.abandoned) return;
  attempt.abandoned = true;
  jobs_[attempt.job].running = false;
}

void SimFramework::conclude(Attempt& attempt, TaskState state) {
  switch (state) {
    case TaskState::kFinished:
    case TaskState::kFailed:
    case TaskState::kKilled:
      if (!attempt.abandoned) jobs_[attempt.job].over = true;
      return;
    case TaskState::kLost:
    case TaskState::kDropped:
    case TaskState::kGone:
    case TaskState::kGoneByOperator:
    case TaskState::kError:
    case TaskState::kUnknown:
      return abandon(attempt);
    case TaskState::kUnreachable:
      if (sometimes(2)) abandon(attempt);
      return;
    case TaskState::kStaging:
    case TaskState::kStarting:
    case TaskState::kRunning:
    case TaskState::kKilling:
      return;
  }
}

void SimFramework::on_update(Scheduler& scheduler, const TaskStatus& status) {
  fates_.on_seen(options_.info.id, status);
  if (world_.tracing()) {
    world_.trace(fmt::format("framework {} sees {} {} {} {}", number_, status.task_id.value,
                             to_text(status.state), to_text(status.reason), status.message));
  }
  const auto at = attempts_.find(status.task_id);
  if (at == attempts_.end()) {
    world_.violated("fate", fmt::format("framework {} hears of task {}, which is not its own",
                                        number_, status.task_id.value));
    return;
  }
  Attempt& attempt = at->second;
  attempt.heard = world_.now().mono;
  const bool tells_nothing = status.reason == TaskReason::kReconciliation && status.uuid.is_nil() &&
                             is_terminal(attempt.state);
  const bool runs = !is_terminal(status.state) && status.state != TaskState::kUnknown &&
                    status.state != TaskState::kUnreachable && status.state != TaskState::kKilling;
  // Also what was lost and came back.
  if (runs && (attempt.abandoned || attempt.killed)) scheduler.kill(status.task_id);
  if (tells_nothing) return;
  if (attempt.state != status.state) attempt.since = attempt.heard;
  attempt.state = status.state;
  conclude(attempt, status.state);
  if (!options_.explicit_acknowledgements) return;
  world_.after(world_.up_to(calm_ ? 1ms : 2s), [this, status] {
    if (scheduler_ != nullptr) scheduler_->acknowledge(status);
  });
}

void SimFramework::on_agent_lost(Scheduler&, const AgentId&) {
  world_.reached("framework.agent_lost");
}

void SimFramework::on_disconnected(Scheduler&, std::string_view) {
  world_.reached("framework.disconnected");
  held_.clear();
}

void SimFramework::on_error(Scheduler&, std::string_view message) {
  world_.reached("framework.error");
  if (world_.tracing()) world_.trace(fmt::format("framework {} is told: {}", number_, message));
  held_.clear();
  begin_anew();
}

// ---------------------------------------------------------------------------------------- time

void SimFramework::ask_for_news() {
  const Instant now = world_.now().mono;
  const Duration patience = calm_ ? Duration(2s) : patience_;
  std::vector<Reconcile::Item> items;
  for (auto& [id, attempt] : attempts_) {
    const bool given_up = attempt.abandoned && (attempt.state == TaskState::kUnknown ||
                                                attempt.state == TaskState::kUnreachable);
    if (given_up || is_terminal(attempt.state) || now - attempt.heard < patience ||
        now - attempt.asked < patience) {
      continue;
    }
    if (attempt.state == TaskState::kUnreachable && now - attempt.since > 4 * patience) {
      abandon(attempt);
    }
    attempt.asked = now;
    items.push_back({.task_id = id, .agent_id = sometimes(2) ? AgentId{} : attempt.agent});
  }
  if (!items.empty()) scheduler_->reconcile(std::move(items));
  // Also in peace: what was lost may have come back while nobody listened.
  if (world_.rng().chance(1, 10)) scheduler_->reconcile();
}

void SimFramework::on_tick() {
  if (scheduler_ == nullptr || wants_new_scheduler_ || hoards_) return;
  ask_for_news();
  answer_held();
  if (has_executors_) tend_executors();
  const bool idle = world_.now().mono - offered_ > 5s;
  if (pending_jobs() > 0 && (suppressed_ || idle)) {
    suppress(false);
    offered_ = world_.now().mono;
  }
  if (pending_jobs() == 0 && !suppressed_) {
    suppress(true);
  }
  if (!plain_ && sometimes(40) && scheduler_->subscribed()) change_roles();
  if (sometimes(300) && scheduler_->subscribed()) {
    world_.reached("framework.teardown");
    scheduler_->teardown();
    begin_anew();
  }
}

}  // namespace tepui::sim
