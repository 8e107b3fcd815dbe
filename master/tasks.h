#pragma once
// Tasks: the table of what runs, and the way of status updates and kills through the master.
//
// Two notions are kept of each task: the latest state, which frees the resources when it is
// terminal, and the last one forwarded to the framework, whose acknowledgement removes a terminal
// task from the table. A state that is terminal never changes; a task that is UNREACHABLE or LOST
// because its agent is out of reach holds nothing and may come back with the agent.
//
// Invariant: a task is in the lists of its framework and its agent; it is in the allocated column
// of the agent's books exactly while TaskEntry::holds_resources().
//
// Pure.

#include <string_view>

#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

// Frameworks that do not know the finer states see LOST in their place.
TaskState as_seen_by(const FrameworkEntry& framework, TaskState state);

// A status made by the master: without uuid, never repeated, not to be acknowledged.
struct Verdict {
  TaskState state = TaskState::kLost;
  TaskReason reason = TaskReason::kNone;
  std::string_view message;
};
TaskStatus make_status(const State& s, const TaskId& id, const AgentId& agent,
                       const Verdict& verdict);

// Only the table: the caller books the resources.
TaskEntry& add_task(State& s, FrameworkEntry& framework, AgentEntry& agent, Task task,
                    bool recovered);
void remove_task(State& s, TaskEntry& entry);

// The latest state; what is terminal gives its resources back. Terminal states stay.
void set_state(State& s, TaskEntry& entry, TaskState state, const TaskStatus& status);
// The master's own word on a task: forwarded, and the task leaves the table if that ends it.
void pronounce(State& s, TaskEntry& entry, const Verdict& verdict);
// The agent of the task is given up.
void become_unreachable(State& s, TaskEntry& entry, std::string_view why);

void on_status_updates(State& s, AgentEntry& agent, const StatusUpdates& message);
void on_acknowledge(State& s, FrameworkEntry& framework, const Acknowledge& message);
void on_kill(State& s, FrameworkEntry& framework, const Kill& kill);
void request_kill(State& s, TaskEntry& entry, const std::optional<KillPolicy>& policy);

}  // namespace tepui::master
