#include "master/outbox.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/limits.h"

namespace tepui::master {

namespace {

void wake(State& s, FrameworkEntry& framework) {
  if (std::exchange(framework.outbox_queued, true)) return;
  s.scheduler_outboxes.push_back(framework.handle);
}

void wake(State& s, AgentEntry& agent) {
  if (std::exchange(agent.outbox_queued, true)) return;
  s.agent_outboxes.push_back(agent.handle);
}

// A generous estimate of the encoded size, so that a message stays well below a frame.
size_t size_of(const LaunchTasks::Item& item) {
  const TaskSpec& spec = *item.task.spec;
  size_t bytes = 1024 + item.task.name.size() + spec.data.size() + spec.command.value.size();
  for (const std::string& argument : spec.command.arguments) bytes += 16 + argument.size();
  for (const EnvironmentVariable& variable : spec.command.environment) {
    bytes += 32 + variable.name.size() + variable.value.size();
  }
  for (const Label& label : spec.labels) bytes += 32 + label.key.size() + label.value.size();
  return bytes;
}

// Index of `value` in a side table, where it is put if it is new. Shapes repeat in runs, so the
// last few places are all that is worth looking at.
template <class T>
uint32_t index_in(std::vector<T>& table, const T& value) {
  constexpr size_t kLookBack = 8;
  const size_t begin = table.size() > kLookBack ? table.size() - kLookBack : 0;
  for (size_t i = table.size(); i > begin; --i) {
    if (table[i - 1] == value) return static_cast<uint32_t>(i - 1);
  }
  table.push_back(value);
  return static_cast<uint32_t>(table.size() - 1);
}

// The number by which this session knows the agent; what it needs to know goes into the batch.
uint32_t introduce(FrameworkEntry& framework, const AgentEntry& agent, OfferBatch& batch) {
  const auto [position, is_new] = framework.introduced.try_emplace(agent.handle);
  FrameworkEntry::Introduction& known = position->second;
  if (!is_new && known.facts_version == agent.facts_version) return known.number;
  known = {.number = framework.next_agent_number++, .facts_version = agent.facts_version};
  batch.agents.push_back({.agent = known.number,
                          .id = agent.info.id,
                          .hostname = agent.info.hostname,
                          .address = agent.info.address,
                          .attributes = agent.info.attributes,
                          .domain = agent.info.domain,
                          .unavailability = agent.unavailability});
  return known.number;
}

void flush_offers(State& s, FrameworkEntry& framework) {
  OfferBatch batch;
  for (const OfferId id : std::exchange(framework.new_offers, {})) {
    OfferEntry* offer = find_offer(s, id);
    if (offer == nullptr) continue;  // ended in the turn that made it
    offer->sent = true;
    batch.offers.push_back({.id = id,
                            .agent = introduce(framework, *offer->agent, batch),
                            .role = index_in(batch.roles, offer->role),
                            .shape = index_in(batch.shapes, offer->resources)});
    if (batch.offers.size() < limits::kOfferBatchMax) continue;
    s.effects.send(framework.session, MasterToScheduler(std::exchange(batch, {})));
  }
  if (!batch.offers.empty()) s.effects.send(framework.session, MasterToScheduler(std::move(batch)));
}

template <class Message, class Status>
void send_in_batches(State& s, const FrameworkEntry& framework, std::vector<Status> statuses) {
  for (size_t begin = 0; begin < statuses.size(); begin += limits::kUpdateBatchMax) {
    const size_t end = std::min(statuses.size(), begin + limits::kUpdateBatchMax);
    Message part;
    part.statuses.assign(std::make_move_iterator(statuses.begin() + begin),
                         std::make_move_iterator(statuses.begin() + end));
    s.effects.send(framework.session, MasterToScheduler(std::move(part)));
  }
}

void flush(State& s, FrameworkEntry& framework) {
  framework.outbox_queued = false;
  if (!framework.is_connected()) return forget_outbox(framework);
  if (!framework.rescinds.empty()) {
    s.effects.send(framework.session,
                   MasterToScheduler(Rescind{std::exchange(framework.rescinds, {})}));
  }
  send_in_batches<Updates>(s, framework, std::exchange(framework.updates, {}));
  send_in_batches<OperationUpdates>(s, framework, std::exchange(framework.operation_updates, {}));
  for (AgentId& id : std::exchange(framework.failures, {})) {
    s.effects.send(framework.session, MasterToScheduler(Failure{.agent_id = std::move(id)}));
  }
  flush_offers(s, framework);
}

void flush_launches(State& s, AgentEntry& agent) {
  std::vector<LaunchTasks::Item> items = std::exchange(agent.launches, {});
  LaunchTasks message{.frameworks = std::exchange(agent.launch_frameworks, {})};
  size_t bytes = 0;
  for (LaunchTasks::Item& item : items) {
    bytes += size_of(item);
    message.tasks.push_back(std::move(item));
    if (bytes < limits::kLaunchBatchBytes) continue;
    s.effects.send(agent.session, MasterToAgent(std::exchange(message, {})));
    bytes = 0;
  }
  if (!message.tasks.empty()) s.effects.send(agent.session, MasterToAgent(std::move(message)));
}

void flush(State& s, AgentEntry& agent) {
  agent.outbox_queued = false;
  if (agent.session.is_null()) return forget_outbox(agent);
  if (!agent.new_operations.empty()) {
    s.effects.send(agent.session,
                   MasterToAgent(ApplyOperations{std::exchange(agent.new_operations, {})}));
  }
  if (!agent.launches.empty()) flush_launches(s, agent);
  if (!agent.operation_acknowledgements.empty()) {
    s.effects.send(agent.session, MasterToAgent(AcknowledgeOperationReports{
                                      std::exchange(agent.operation_acknowledgements, {})}));
  }
  if (!agent.acknowledgements.empty()) {
    s.effects.send(agent.session,
                   MasterToAgent(AcknowledgeUpdates{std::exchange(agent.acknowledgements, {})}));
  }
}

}  // namespace

void queue_offer(State& s, OfferEntry& offer) {
  offer.framework->new_offers.push_back(offer.id);
  wake(s, *offer.framework);
}

void queue_rescind(State& s, FrameworkEntry& framework, OfferId id) {
  framework.rescinds.push_back(id);
  wake(s, framework);
}

void queue_update(State& s, FrameworkEntry& framework, TaskStatus status) {
  if (!framework.is_connected()) return;
  framework.updates.push_back(std::move(status));
  wake(s, framework);
}

void queue_failure(State& s, const AgentId& id) {
  s.frameworks.each([&s, &id](FrameworkHandle, const std::unique_ptr<FrameworkEntry>& framework) {
    if (!framework->is_connected()) return;
    framework->failures.push_back(id);
    wake(s, *framework);
  });
}

void queue_launch(State& s, AgentEntry& agent, FrameworkEntry& framework, LaunchTasks::Item item) {
  agent.frameworks.insert(framework.handle);
  if (agent.told.insert(framework.handle).second) {
    agent.launch_frameworks.push_back(framework.info);
  }
  agent.launches.push_back(std::move(item));
  wake(s, agent);
}

void queue_operation(State& s, AgentEntry& agent, AgentOperation operation) {
  if (!agent.launches.empty()) flush(s, agent);
  agent.new_operations.push_back(std::move(operation));
  wake(s, agent);
}

void queue_operation_acknowledgement(State& s, AgentEntry& agent,
                                     AcknowledgeOperationReports::Item item) {
  agent.operation_acknowledgements.push_back(item);
  wake(s, agent);
}

void queue_operation_update(State& s, FrameworkEntry& framework, OperationStatus status) {
  if (!framework.is_connected()) return;
  framework.operation_updates.push_back(std::move(status));
  wake(s, framework);
}

void queue_acknowledgement(State& s, AgentEntry& agent, AcknowledgeUpdates::Item item) {
  agent.acknowledgements.push_back(std::move(item));
  wake(s, agent);
}

void send_now(State& s, AgentEntry& agent, const MasterToAgent& message) {
  if (agent.session.is_null()) return;
  flush(s, agent);
  s.effects.send(agent.session, message);
}

void forget_outbox(FrameworkEntry& framework) {
  framework.new_offers.clear();
  framework.rescinds.clear();
  framework.updates.clear();
  framework.failures.clear();
  framework.operation_updates.clear();
}

void forget_outbox(AgentEntry& agent) {
  agent.launches.clear();
  agent.launch_frameworks.clear();
  agent.acknowledgements.clear();
  agent.new_operations.clear();
  agent.operation_acknowledgements.clear();
}

void flush_outboxes(State& s) {
  for (const FrameworkHandle handle : std::exchange(s.scheduler_outboxes, {})) {
    const auto* framework = s.frameworks.find(handle);
    if (framework != nullptr) flush(s, **framework);
  }
  for (const AgentHandle handle : std::exchange(s.agent_outboxes, {})) {
    const auto* agent = s.agents.find(handle);
    if (agent != nullptr) flush(s, **agent);
  }
}

}  // namespace tepui::master
