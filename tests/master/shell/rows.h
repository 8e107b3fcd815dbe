#pragma once
// What the tests of the reader share: feed items of a small cluster.

#include <string>
#include <string_view>
#include <utility>

#include "master/shell/feed.h"
#include "master/shell/tables.h"

namespace tepui::test {

inline constexpr WallTime kAt{std::chrono::seconds(1'000'000)};

inline Resources cpus(int64_t count) {
  return Resources::scalars({{"cpus", count * 1000}, {"mem", count * 128'000}});
}

inline feed::AgentUp agent_up(std::string id, int64_t cpu_count = 8) {
  feed::AgentUp item;
  item.info.id = {std::move(id)};
  item.info.hostname = "host";
  item.info.resources = cpus(cpu_count);
  return item;
}

inline feed::FrameworkUp framework_up(std::string id, std::string role = "r") {
  feed::FrameworkUp item;
  item.info.id = {std::move(id)};
  item.info.name = "test";
  item.info.roles = {std::move(role)};
  return item;
}

inline feed::TaskUp task_up(std::string id, int64_t cpu_count = 1,
                            TaskState state = TaskState::kStaging) {
  feed::TaskUp item;
  item.task.id = {std::move(id)};
  item.task.framework_id = {"f1"};
  item.task.agent_id = {"a1"};
  item.task.kind = TaskKind{.role = "r", .resources = cpus(cpu_count)};
  item.task.state = state;
  return item;
}

inline feed::TaskChange task_change(std::string id, TaskState state) {
  feed::TaskChange item;
  item.framework_id = {"f1"};
  item.id = {std::move(id)};
  item.state = item.update_state = state;
  return item;
}

inline feed::TaskDown task_down(std::string id) {
  return {.framework_id = {"f1"}, .id = {std::move(id)}};
}

inline feed::OfferUp offer_up(uint64_t id, int64_t cpu_count = 1) {
  return {.id = {id},
          .framework_id = {"f1"},
          .agent_id = {"a1"},
          .role = "r",
          .resources = cpus(cpu_count)};
}

inline feed::FrameworkDown framework_removed(std::string id) {
  return {.id = {std::move(id)}, .removed = true, .why = {}};
}

inline feed::AgentDown agent_down(std::string id, feed::AgentDown::How how) {
  return {.how = how, .id = {std::move(id)}, .why = {}};
}

template <class... Items>
void apply(Tables& tables, Items... items) {
  (tables.apply(feed::Item(std::move(items)), kAt), ...);
}

// All rows of a table, whatever the number of parts.
inline Rows rows_of(const Tables& tables, const ListRequest& request) {
  Rows rows;
  const auto append = [](auto& all, auto& part) {
    all.insert(all.end(), part.begin(), part.end());
  };
  ListCursor cursor;
  for (bool more = true; more;) {
    ListReply reply = tables.list_part(request, cursor);
    more = reply.more;
    append(rows.agents, reply.rows.agents);
    append(rows.frameworks, reply.rows.frameworks);
    append(rows.tasks, reply.rows.tasks);
    append(rows.roles, reply.rows.roles);
    append(rows.offers, reply.rows.offers);
    append(rows.metrics, reply.rows.metrics);
    append(rows.maintenance, reply.rows.maintenance);
  }
  return rows;
}
inline Rows rows_of(const Tables& tables, Table table) {
  return rows_of(tables, ListRequest{.table = table});
}

}  // namespace tepui::test
