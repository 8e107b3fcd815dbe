// reserve, unreserve, volume: the resources of one agent, changed in an operator's name.
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "cli/operate.h"
#include "common/roles.h"
#include "common/text.h"

namespace tepui::cli {

namespace {

using Type = OperateResources::Type;

Reservation reservation_for(const Common& common, const std::string& role) {
  return {.type = Reservation::Type::kDynamic, .role = role, .principal = common.principal};
}

// Plain resources, or such with reservations already, and one more on top.
Outcome<Resources> reserved(const Common& common, const std::string& text,
                            const std::string& role) {
  if (const Result<void> valid = validate_role(role); !valid) {
    return usage("--role: " + valid.error().message);
  }
  const Result<Resources> plain = Resources::parse(text);
  if (!plain) return usage(plain.error().message);
  std::vector<Resource> items;
  for (const Resource& item : plain->items()) {
    ResourceKind kind = *item.kind;
    kind.reservations.push_back(reservation_for(common, role));
    items.push_back({.kind = make_kind(std::move(kind)), .amount = item.amount});
  }
  Result<Resources> made = Resources::create(std::move(items));
  if (!made) return usage(made.error().message);
  return *std::move(made);
}

// The volume with this id as the agent has it.
Outcome<Resources> find_volume(const AgentRow& agent, const std::string& id) {
  const Resources found = agent.info.resources.filter([&id](const Resource& item) {
    return item.kind->disk && item.kind->disk->persistence_id == id;
  });
  if (!found.empty()) return found;
  return std::unexpected(
      Failure{kNotFound, fmt::format("agent '{}' has no volume '{}'", agent.info.id.value, id)});
}

Outcome<int64_t> size_of(const Settings& settings) {
  const std::string text = settings.text("size");
  const Result<Resources> disk = Resources::parse("disk:" + text);
  if (text.empty() || !disk || disk->empty()) {
    return usage("--size: expected an amount like 10GB");
  }
  return disk->total_milli("disk");
}

Outcome<Resources> new_volume(const Settings& settings, const Common& common,
                              const std::string& id) {
  const auto size = size_of(settings);
  if (!size) return std::unexpected(size.error());
  if (settings.text("path").empty()) return usage("volume create needs --path");
  ResourceKind kind{.name = "disk",
                    .reservations = {reservation_for(common, settings.text("role"))},
                    .disk = Disk{.persistence_id = id,
                                 .principal = common.principal,
                                 .container_path = settings.text("path")},
                    .shared = settings.flag("shared")};
  Result<Resources> made =
      Resources::create({{.kind = make_kind(std::move(kind)), .amount = Amount{*size}}});
  if (!made) return usage(made.error().message);
  return *std::move(made);
}

// Disk like that of the volume, and no part of it yet.
Resources disk_beside(const Resources& volume, int64_t milli) {
  const Resource& item = volume.items().front();
  ResourceKind kind = *item.kind;
  kind.shared = false;
  if (kind.disk->source == Disk::Source::kRoot) {
    kind.disk.reset();
  } else {
    kind.disk = Disk{.source = kind.disk->source, .source_root = kind.disk->source_root};
  }
  return Resources::create({{.kind = make_kind(std::move(kind)), .amount = Amount{milli}}})
      .value_or(Resources{});
}

Outcome<OperateResources> volume_request(const Settings& settings, const Common& common,
                                         const AgentRow& agent) {
  const std::string verb = first(settings.positional("VERB"));
  const std::string id = first(settings.positional("ID"));
  OperateResources request{.agent_id = agent.info.id};
  if (verb == "create") {
    request.type = Type::kCreate;
    auto volume = new_volume(settings, common, id);
    if (!volume) return std::unexpected(volume.error());
    request.resources = *std::move(volume);
    return request;
  }
  if (verb != "destroy" && verb != "grow" && verb != "shrink") {
    return usage(fmt::format("volume cannot '{}', expected create, destroy, grow or shrink", verb));
  }
  auto volume = find_volume(agent, id);
  if (!volume) return std::unexpected(volume.error());
  request.resources = *std::move(volume);
  request.type = verb == "destroy" ? Type::kDestroy : verb == "grow" ? Type::kGrow : Type::kShrink;
  if (verb == "destroy") return request;
  const auto size = size_of(settings);
  if (!size) return std::unexpected(size.error());
  request.change = verb == "grow" ? disk_beside(request.resources, *size)
                                  : Resources::scalars({{"disk", *size}});
  return request;
}

}  // namespace

Outcome<int> reserve(const Settings& settings, OperateResources::Type type) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto agent = find_agent(**client, first(settings.positional("AGENT")));
  if (!agent) return std::unexpected(agent.error());
  auto resources = reserved(common, first(settings.positional("RESOURCES")), settings.text("role"));
  if (!resources) return std::unexpected(resources.error());
  return command(**client,
                 OperateResources{
                     .type = type, .agent_id = agent->info.id, .resources = *std::move(resources)});
}

Outcome<int> volume(const Settings& settings) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto agent = find_agent(**client, first(settings.positional("AGENT")));
  if (!agent) return std::unexpected(agent.error());
  const auto request = volume_request(settings, common, *agent);
  if (!request) return std::unexpected(request.error());
  return command(**client, *request);
}

}  // namespace tepui::cli
