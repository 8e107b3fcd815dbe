// reserve, unreserve, volume: the resources of one agent, changed in an operator's name.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "cli/operate.h"
#include "cli/output.h"
#include "common/io/resource_document.h"
#include "common/operations.h"
#include "common/roles.h"

namespace tepui::cli {

namespace {

using Type = OperateResources::Type;

std::unexpected<Failure> not_found(std::string message) {
  return std::unexpected(Failure{kNotFound, std::move(message)});
}

// What the user names of an agent: resources as text or JSON, and on which disk.
Outcome<Resources> named_resources(const Settings& settings, const AgentRow& agent) {
  Result<Resources> named = read_resources(first(settings.positional("RESOURCES")), "RESOURCES");
  if (!named) return usage(named.error().message);
  const std::string root = settings.text("disk");
  if (root.empty()) return *std::move(named);
  std::optional<Disk> disk;
  for (const Resource& item : agent.info.resources.items()) {
    if (!item.kind->disk || item.kind->disk->source_root != root) continue;
    disk = Disk{.source = item.kind->disk->source, .source_root = root};
  }
  if (!disk) {
    return not_found(fmt::format("agent '{}' has no disk at '{}'", agent.info.id.value, root));
  }
  std::vector<Resource> items;
  for (const Resource& item : named->items()) {
    ResourceKind kind = *item.kind;
    if (kind.name == "disk") kind.disk = disk;
    items.push_back({.kind = make_kind(std::move(kind)), .amount = item.amount});
  }
  Result<Resources> made = Resources::create(std::move(items));
  if (!made) return usage("--disk: " + made.error().message);
  return *std::move(made);
}

// Plain resources, or such with reservations already, and one more on top.
Outcome<Resources> reserved(const Resources& plain, const Reservation& reservation) {
  std::vector<Resource> items;
  for (const Resource& item : plain.items()) {
    ResourceKind kind = *item.kind;
    kind.reservations.push_back(reservation);
    items.push_back({.kind = make_kind(std::move(kind)), .amount = item.amount});
  }
  Result<Resources> made = Resources::create(std::move(items));
  if (!made) return usage(made.error().message);
  return *std::move(made);
}

// Free of volumes, of the same disk if it is one, and reserved to the role.
bool is_reserved_alike(const Resource& item, const ResourceKind& wanted, std::string_view role) {
  return !is_volume(item) && item.kind->name == wanted.name && item.kind->disk == wanted.disk &&
         item.kind->is_reserved() && item.kind->reservation_role() == role;
}

// What the agent has of these in reservations to the role, whoever made them.
Outcome<Resources> as_reserved(const AgentRow& agent, const Resources& wanted,
                               const std::string& role) {
  Resources found;
  for (Resource want : wanted.items()) {
    Resources parts;
    for (const Resource& item : agent.info.resources.items()) {
      if (!is_reserved_alike(item, *want.kind, role)) continue;
      want.kind = item.kind;
      // Of what the agent has, as much as is still wanted.
      const Result<Resources> whole = Resources::create({want});
      const Result<Resources> all = Resources::create({item});
      if (!whole || !all) continue;
      const Resources left = whole->minus(*all);
      parts += whole->minus(left);
      if (left.empty()) {
        want.amount = int64_t{0};
        break;
      }
      want.amount = left.items().front().amount;
    }
    if (want.amount != Amount{int64_t{0}}) {
      return not_found(fmt::format(
          "agent '{}' has {} of '{}' reserved to '{}' and free of volumes, "
          "less than what is named",
          agent.info.id.value, parts.empty() ? "nothing" : to_text(parts), want.name(), role));
    }
    found += parts;
  }
  return found;
}

// The volume with this id as the agent has it.
Outcome<Resources> find_volume(const Settings& settings, const AgentRow& agent,
                               const std::string& id) {
  const std::string role = settings.text("role");
  const Resources found = agent.info.resources.filter([&](const Resource& item) {
    return is_volume(item) && item.kind->disk->persistence_id == id &&
           (role.empty() || item.kind->reservation_role() == role);
  });
  if (found.items().size() == 1) return found;
  if (found.empty()) {
    return not_found(fmt::format("agent '{}' has no volume '{}'{}", agent.info.id.value, id,
                                 role.empty() ? "" : fmt::format(" of role '{}'", role)));
  }
  return usage(fmt::format("several roles have a volume '{}' on this agent: add --role", id));
}

Outcome<int64_t> size_of(const Settings& settings) {
  const std::string text = settings.text("size");
  const Result<Resources> disk = Resources::parse("disk:" + text);
  if (text.empty() || !disk || disk->empty()) {
    return usage("--size: expected an amount like 10GB");
  }
  return disk->total_milli("disk");
}

// On disk that is reserved to the role, however its reservation came about.
Outcome<Resources> new_volume(const Settings& settings, const Common& common, const AgentRow& agent,
                              const std::string& id) {
  const auto size = size_of(settings);
  if (!size) return std::unexpected(size.error());
  if (settings.text("path").empty()) return usage("volume create needs --path");
  const std::string role = settings.text("role");
  if (role.empty()) return usage("volume create needs --role");
  const std::string root = settings.text("disk");
  const Resource* best = nullptr;
  for (const Resource& item : agent.info.resources.items()) {
    const std::string_view at =
        item.kind->disk ? std::string_view(item.kind->disk->source_root) : std::string_view();
    if (item.name() != "disk" || is_volume(item) || at != root || !item.kind->is_reserved() ||
        item.kind->reservation_role() != role) {
      continue;
    }
    if (best == nullptr || item.scalar_milli() > best->scalar_milli()) best = &item;
  }
  if (best == nullptr) {
    const std::string on = root.empty() ? "" : fmt::format(" --disk={}", root);
    return not_found(fmt::format(
        "agent '{0}' has no disk reserved to '{1}'{2}; first: tepui reserve {0} disk:{3}{4} "
        "--role={1}",
        agent.info.id.value, role, root.empty() ? "" : fmt::format(" at '{}'", root),
        settings.text("size"), on));
  }
  ResourceKind kind = *best->kind;
  if (!kind.disk) kind.disk.emplace();
  kind.disk->persistence_id = id;
  kind.disk->principal = common.principal;
  kind.disk->container_path = settings.text("path");
  kind.shared = settings.flag("shared");
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

// What `tepui reserve` is to reserve: what is free, or what is reserved to a role above.
Outcome<Resources> to_reserve(const Settings& settings, const Common& common, const AgentRow& agent,
                              const Resources& named) {
  const std::string above = settings.text("refine");
  Outcome<Resources> base = named;
  if (!above.empty()) base = as_reserved(agent, named, above);
  if (!base) return base;
  auto labels = labels_of(settings);
  if (!labels) return std::unexpected(labels.error());
  return reserved(*base, {.type = Reservation::Type::kDynamic,
                          .role = settings.text("role"),
                          .principal = common.principal,
                          .labels = *std::move(labels)});
}

Outcome<OperateResources> volume_request(const Settings& settings, const Common& common,
                                         const AgentRow& agent) {
  const std::string verb = first(settings.positional("VERB"));
  const std::string id = first(settings.positional("ID"));
  OperateResources request{.agent_id = agent.info.id};
  if (verb == "create") {
    request.type = Type::kCreate;
    auto volume = new_volume(settings, common, agent, id);
    if (!volume) return std::unexpected(volume.error());
    request.resources = *std::move(volume);
    return request;
  }
  if (verb != "destroy" && verb != "grow" && verb != "shrink") {
    return usage(fmt::format("volume cannot '{}', expected create, destroy, grow or shrink", verb));
  }
  auto volume = find_volume(settings, agent, id);
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

Outcome<int> send(Client& client, const Common& common, const OperateResources& request) {
  const Outcome<int> done = command(client, request);
  if (done && common.json) std::fputs((json_of(request) + "\n").c_str(), stdout);
  return done;
}

}  // namespace

Outcome<Labels> labels_of(const Settings& settings) {
  Labels labels;
  for (const std::string& text : settings.list("label")) {
    const size_t equals = std::min(text.find('='), text.size());
    if (equals == 0) return usage(fmt::format("--label: expected KEY=VALUE, got '{}'", text));
    labels.push_back(
        {.key = text.substr(0, equals), .value = text.substr(std::min(equals + 1, text.size()))});
  }
  std::ranges::sort(labels);  // the order that they are given in means nothing
  return labels;
}

Outcome<int> reserve(const Settings& settings, OperateResources::Type type) {
  const Common common = common_of(settings);
  const std::string role = settings.text("role");
  if (const Result<void> valid = validate_role(role); !valid) {
    return usage("--role: " + valid.error().message);
  }
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto agent = find_agent(**client, first(settings.positional("AGENT")));
  if (!agent) return std::unexpected(agent.error());
  const auto named = named_resources(settings, *agent);
  if (!named) return std::unexpected(named.error());
  auto resources = type == Type::kReserve ? to_reserve(settings, common, *agent, *named)
                                          : as_reserved(*agent, *named, role);
  if (!resources) return std::unexpected(resources.error());
  return send(**client, common,
              {.type = type, .agent_id = agent->info.id, .resources = *std::move(resources)});
}

Outcome<int> volume(const Settings& settings) {
  const Common common = common_of(settings);
  auto client = connect(common);
  if (!client) return std::unexpected(client.error());
  const auto agent = find_agent(**client, first(settings.positional("AGENT")));
  if (!agent) return std::unexpected(agent.error());
  const auto request = volume_request(settings, common, *agent);
  if (!request) return std::unexpected(request.error());
  return send(**client, common, *request);
}

}  // namespace tepui::cli
