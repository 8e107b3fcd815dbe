#include "agent/shell/oversight.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/linux/cgroup.h"
#include "agent/linux/working_sets.h"
#include "agent/qos/settings_text.h"
#include "common/check.h"
#include "common/io/document_entries.h"
#include "common/io/files.h"

namespace tepui {

namespace {

constexpr size_t kFileBytesMax = 1 << 20;

WallTime wall_of(Instant at, Now now) { return now.wall - (now.mono - at); }

std::string_view name_of(EstimatorKind kind) {
  switch (kind) {
    case EstimatorKind::kNone:
      return "none";
    case EstimatorKind::kFixed:
      return "fixed";
    case EstimatorKind::kPeak:
      return "peak";
  }
  return "";
}

}  // namespace

Result<OversightSettings> read_oversight_file(const std::string& path) {
  if (path.empty()) {
    // Nobody asked that anything be done.
    OversightSettings settings = TRY(read_oversight_settings({}));
    settings.qos.policy = QosPolicyKind::kOff;
    return settings;
  }
  const Document document = TRY(parse_toml(TRY(read_file(path, kFileBytesMax)), path));
  Result<OversightSettings> settings = read_oversight_settings(entries_of(document));
  if (!settings) return std::unexpected(std::move(settings).error().in(path));
  return settings;
}

Result<std::unique_ptr<Oversight>> Oversight::create(Reactor& reactor, Log& log,
                                                     const Options& options,
                                                     OversightOwner& owner) {
  OversightSettings settings = TRY(read_oversight_file(options.file));
  MachineLoad load = TRY(MachineLoad::open());
  std::unique_ptr<Oversight> oversight(
      new Oversight(reactor, log, options, owner, std::move(settings), std::move(load)));
  if (options.has_memory && !options.cgroups.empty()) {
    oversight->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 1}));
  }
  return oversight;
}

Oversight::Oversight(Reactor& reactor, Log& log, const Options& options, OversightOwner& owner,
                     OversightSettings settings, MachineLoad load)
    : reactor_(reactor),
      log_(log),
      options_(options),
      owner_(owner),
      controller_(std::move(settings.qos)),
      pool_(settings.oversubscription),
      load_(std::move(load)) {}

Oversight::~Oversight() = default;

void Oversight::reload() {
  if (options_.file.empty()) return;
  const Result<OversightSettings> settings = read_oversight_file(options_.file);
  if (!settings) {
    ++reloads_failed_;
    log_.write({.severity = Severity::kError,
                .name = "qos.reload_failed",
                .fields = {{"why", settings.error().message},
                           {"action", "the settings from before stay"}}});
    return;
  }
  ++reloads_;
  idle_ = false;
  controller_.on_settings(settings->qos);
  pool_.on_settings(settings->oversubscription);
  log_.write({.severity = Severity::kInfo,
              .name = "qos.reloaded",
              .fields = {{"file", options_.file},
                         {"policy", std::string(tepui::name_of(settings->qos.policy))},
                         {"estimator", std::string(name_of(settings->oversubscription.kind))}}});
}

bool Oversight::know(const ContainerId& id) {
  const bool is_known = known_.contains(id);
  if (is_known && changed_.erase(id) == 0) return true;
  std::optional<ContainerFacts> facts = owner_.facts_of(id);
  if (!facts) {
    // Its tasks have ended, or it runs a check.
    if (is_known) on_gone(id);
    return false;
  }
  // What is known of it counts from its beginning: nothing begins anew without need.
  if (is_known && known_.at(id) == *facts) return true;
  controller_.on_container(*facts);
  pool_.on_container(*facts);
  known_[id] = *std::move(facts);
  return true;
}

void Oversight::forget_all() {
  while (!known_.empty()) on_gone(ContainerId(known_.begin()->first));
}

void Oversight::on_gone(const ContainerId& id) {
  changed_.erase(id);
  if (known_.erase(id) == 0) return;
  controller_.on_gone(id);
  pool_.on_gone(id);
}

void Oversight::on_sample(const ContainerId& id, const Sample& sample) {
  if (idle_ || !know(id)) return;
  controller_.on_sample(id, sample);
  pool_.on_sample(id, sample);
}

void Oversight::on_sampled() {
  const Now now = reactor_.now();
  if (now.mono >= load_due_) {
    controller_.on_machine(load_.read(now.mono));
    load_due_ = later(now.mono, kLoadInterval);
  }
  for (const QosDecision& decision : controller_.decide(now)) act_on(decision);
  // Nothing is remembered of containers while nothing follows from it. What was held against them
  // is undone by now.
  idle_ = controller_.settings().policy == QosPolicyKind::kOff &&
          pool_.settings().kind != EstimatorKind::kPeak;
  if (idle_) forget_all();
  if (pool_.is_due(now.mono) && worker_ != nullptr) {
    start_working_sets();
  } else {
    lend();
  }
}

// What is decided is told with these names also when they are gone.
void Oversight::remember_names(const QosDecision& decision) {
  // Two a decision, and some of earlier ones.
  if (names_.size() > 4 * QosController::kDecisionsKept) names_.clear();
  for (const ContainerId& id : {decision.culprit, decision.victim}) {
    if (!id.empty()) names_[id] = task_of(id);
  }
}

void Oversight::act_on(const QosDecision& decision) {
  remember_names(decision);
  const std::string why = reason_of(decision, task_of(decision.victim));
  log_.write({.severity = is_reversible(decision.step) ? Severity::kInfo : Severity::kWarning,
              .name = decision.undone ? "qos.undone" : "qos.corrected",
              .fields = {{"container", decision.culprit.value},
                         {"task", task_of(decision.culprit)},
                         {"step", std::string(tepui::name_of(decision.step))},
                         {"now", effect_of(decision)},
                         {"why", why}}});
  if (decision.culprit.empty()) return;
  if (decision.undone || is_reversible(decision.step)) {
    owner_.correct(decision.culprit, decision.corrections);
  } else {
    owner_.preempt(decision.culprit, decision.step == Step::kKill, why);
  }
}

void Oversight::lend() {
  const std::optional<Resources> revocable =
      pool_.propose(reactor_.now().mono, controller_.offered_permille(Contended::kCpu),
                    controller_.offered_permille(Contended::kMemory));
  if (!revocable) return;
  lent_ = *revocable;
  log_.write({.severity = Severity::kInfo,
              .name = "revocable.changed",
              .fields = {{"resources", to_text(lent_)}}});
  owner_.lend(lent_);
}

void Oversight::start_working_sets() {
  if (reading_) return;
  working_sets_.clear();
  for (const auto& [id, facts] : known_) {
    const std::string name =
        facts.parent.empty() ? id.value : fmt::format("{}/{}", facts.parent.value, id.value);
    working_sets_.push_back(
        {.id = id,
         .cgroup = fmt::format("{}/{}", options_.cgroups, container_directory(name)),
         .bytes = {}});
  }
  reading_ = worker_->submit(*this);
}

void Oversight::run() {
  for (WorkingSet& set : working_sets_) {
    // Whose cgroup is gone has ended.
    if (const Result<int64_t> bytes = read_working_set(set.cgroup)) set.bytes = *bytes;
  }
}

void Oversight::on_done() {
  reading_ = false;
  const Instant now = reactor_.now().mono;
  for (const WorkingSet& set : working_sets_) {
    if (set.bytes) pool_.on_working_set(set.id, now, *set.bytes);
  }
  lend();
}

std::string Oversight::task_of(const ContainerId& id) const {
  const auto found = known_.find(id);
  if (found == known_.end()) {
    const auto remembered = names_.find(id);
    return remembered == names_.end() ? std::string() : remembered->second;
  }
  const ContainerFacts& facts = found->second;
  return facts.tasks.size() == 1 ? facts.tasks.front().id.value : facts.executor_id.value;
}

Document Oversight::document_of(const QosDecision& decision) const {
  const SignalInfo& signal = info_of(decision.signal);
  Document::Table table{{"at_ns", to_ns(decision.at)},
                        {"timestamp_ns", to_ns(decision.at_wall)},
                        {"step", tepui::name_of(decision.step)},
                        {"undone", decision.undone},
                        {"resource", tepui::name_of(decision.contended)},
                        {"rule", decision.rule},
                        {"effect", effect_of(decision)},
                        {"reason", reason_of(decision, task_of(decision.victim))}};
  if (!decision.culprit.empty()) {
    table.emplace_back("container_id", decision.culprit.value);
    table.emplace_back("task", task_of(decision.culprit));
    table.emplace_back("blame", decision.blame);
  } else {
    table.emplace_back("offered_permille", decision.offered_permille);
  }
  if (!decision.undone && !decision.victim.empty()) {
    table.emplace_back("victim_container_id", decision.victim.value);
    table.emplace_back("victim_task", task_of(decision.victim));
    table.emplace_back("signal", signal.name);
    table.emplace_back("unit", signal.unit);
    table.emplace_back("value", decision.value);
    table.emplace_back("threshold", decision.threshold);
  }
  return table;
}

Document Oversight::document(size_t decisions) const {
  const Now now = reactor_.now();
  Document::List sufferers;
  for (const QosController::Sufferer& each : controller_.sufferers()) {
    const SignalInfo& signal = info_of(each.signal);
    sufferers.push_back(Document::Table{{"container_id", each.id.value},
                                        {"task", task_of(each.id)},
                                        {"rule", each.rule},
                                        {"signal", signal.name},
                                        {"unit", signal.unit},
                                        {"value", each.value},
                                        {"threshold", each.threshold},
                                        {"since_ns", to_ns(wall_of(each.since, now))}});
  }
  Document::List corrected;
  for (const QosController::Corrected& each : controller_.corrected()) {
    Document::Table table{{"container_id", each.id.value},
                          {"task", task_of(each.id)},
                          {"corrections", to_text(each.corrections)},
                          {"since_ns", to_ns(wall_of(each.since, now))}};
    if (each.undone_at != kNever) {
      table.emplace_back("undone_in_secs", std::max(to_secs(each.undone_at - now.mono), 0.0));
    }
    corrected.push_back(std::move(table));
  }
  Document::List log;
  const auto& all = controller_.decisions();
  for (auto each = all.rbegin(); each != all.rend() && log.size() < decisions; ++each) {
    log.push_back(document_of(*each));
  }
  Document::Table offered;
  for (const Contended each : {Contended::kCpu, Contended::kMemory}) {
    offered.emplace_back(std::string(tepui::name_of(each)), controller_.offered_permille(each));
  }
  return Document::Table{{"policy", tepui::name_of(controller_.settings().policy)},
                         {"estimator", name_of(pool_.settings().kind)},
                         {"settings", to_toml(controller_.settings())},
                         {"revocable", to_text(lent_)},
                         {"offered_permille", std::move(offered)},
                         {"suffering", std::move(sufferers)},
                         {"corrected", std::move(corrected)},
                         {"decisions", std::move(log)}};
}

void Oversight::add_metrics(std::vector<MetricRow>& rows) const {
  const auto add = [&rows](std::string key, double value) {
    rows.push_back({.key = std::move(key), .value = value});
  };
  const QosController::Counts& counts = controller_.counts();
  for (size_t step = 0; step < kStepCount; ++step) {
    const std::string_view name = tepui::name_of(static_cast<Step>(step));
    add(fmt::format("qos/taken/{}", name), static_cast<double>(counts.taken[step]));
    add(fmt::format("qos/undone/{}", name), static_cast<double>(counts.undone[step]));
  }
  add("qos/held_back", static_cast<double>(counts.held_back));
  add("qos/nobody_to_blame", static_cast<double>(counts.nobody));
  add("qos/suffering", static_cast<double>(controller_.sufferers().size()));
  add("qos/corrected", static_cast<double>(controller_.corrected().size()));
  add("qos/reloads", static_cast<double>(reloads_));
  add("qos/reloads_failed", static_cast<double>(reloads_failed_));
  for (const char* name : {"cpus", "mem"}) {
    add(fmt::format("oversubscription/{}_revocable", name),
        static_cast<double>(lent_.total_milli(name)) / 1000);
  }
}

}  // namespace tepui
