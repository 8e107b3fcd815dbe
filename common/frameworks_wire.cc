#include "common/values_wire.h"

namespace tepui {

namespace {

Offset<wire::OfferConstraint> write(WireWriter& out, const OfferConstraint& constraint) {
  wire::OfferConstraintBuilder table(out.builder());
  table.add_target(static_cast<wire::ConstraintTarget>(constraint.target));
  table.add_attribute(out.field(constraint.attribute));
  table.add_index(constraint.index);
  table.add_test(static_cast<wire::ConstraintTest>(constraint.test));
  table.add_value(out.field(constraint.value));
  return table.Finish();
}

OfferConstraint read(WireReader& in, const wire::OfferConstraint& constraint, const WirePath& at) {
  using Target = OfferConstraint::Target;
  using Test = OfferConstraint::Test;
  return {.target =
              in.enumeration<Target>(constraint.target(), OfferConstraint::kTargets, at / "target"),
          .attribute = in.line(constraint.attribute(), at / "attribute"),
          .index = constraint.index(),
          .test = in.enumeration<Test>(constraint.test(), OfferConstraint::kTests, at / "test"),
          .value = in.line(constraint.value(), at / "value")};
}

Offset<wire::RoleConstraints> write(WireWriter& out, const RoleConstraints& constraints) {
  const auto groups =
      out.tables<wire::ConstraintGroup>(constraints.groups, [&out](const ConstraintGroup& group) {
        const auto items = out.tables<wire::OfferConstraint>(
            group, [&out](const OfferConstraint& constraint) { return write(out, constraint); });
        return wire::CreateConstraintGroup(out.builder(), items);
      });
  return wire::CreateRoleConstraints(out.builder(), out.field(constraints.role), groups);
}

RoleConstraints read(WireReader& in, const wire::RoleConstraints& table, const WirePath& at) {
  const auto constraint = [&in](const wire::OfferConstraint& item, const WirePath& path) {
    return read(in, item, path);
  };
  const auto group = [&](const wire::ConstraintGroup& item, const WirePath& path) {
    return in.tables(item.constraints(), path / "constraints", constraint);
  };
  return {.role = in.line(table.role(), at / "role"),
          .groups = in.tables(table.groups(), at / "groups", group)};
}

Offset<wire::RoleMinimum> write(WireWriter& out, const RoleMinimum& minimum) {
  const auto sets =
      out.tables<wire::MinimumSet>(minimum.sets, [&out](const Quantities& quantities) {
        const auto scalars =
            out.structs<wire::Scalar>(quantities.items(), [&out](const Quantities::Item& item) {
              return wire::Scalar(item.milli, out.text(item.name));
            });
        return wire::CreateMinimumSet(out.builder(), scalars);
      });
  return wire::CreateRoleMinimum(out.builder(), out.field(minimum.role), sets);
}

Quantities read(WireReader& in, const wire::MinimumSet& set, const WirePath& at) {
  Quantities quantities;
  const WirePath scalars = at / "scalars";
  const std::span<const wire::Scalar> items = in.items(set.scalars(), scalars);
  if (!in.check_count(items.size(), limits::kResourceItemsMax, scalars, "scalars")) return {};
  for (size_t i = 0; i < items.size() && in.ok(); ++i) {
    // Adding only at the end keeps a long list cheap.
    std::string name = in.line(items[i].name(), scalars[i] / "name");
    const bool in_order = i == 0 || quantities.items().back().name < name;
    if (!in_order) in.fail(scalars[i], "is not sorted by name");
    if (items[i].milli() <= 0 || items[i].milli() > limits::kScalarMilliMax) {
      in.fail(scalars[i] / "milli", "is not an amount above zero");
    }
    if (in.ok()) quantities.add(name, items[i].milli());
  }
  return quantities;
}

RoleMinimum read(WireReader& in, const wire::RoleMinimum& minimum, const WirePath& at) {
  const auto set = [&in](const wire::MinimumSet& item, const WirePath& path) {
    return read(in, item, path);
  };
  return {.role = in.line(minimum.role(), at / "role"),
          .sets = in.tables(minimum.sets(), at / "sets", set)};
}

}  // namespace

Offset<wire::FrameworkInfo> write(WireWriter& out, const FrameworkInfo& info) {
  const auto roles = out.texts(info.roles);
  const auto suppressed_roles = out.texts(info.suppressed_roles);
  const auto labels = write(out, info.labels);
  const auto constraints = out.tables<wire::RoleConstraints>(
      info.offer_constraints, [&out](const RoleConstraints& item) { return write(out, item); });
  const auto minimums = out.tables<wire::RoleMinimum>(
      info.min_allocatable, [&out](const RoleMinimum& item) { return write(out, item); });
  wire::FrameworkInfoBuilder table(out.builder());
  table.add_id(out.field(info.id.value));
  table.add_name(out.field(info.name));
  table.add_user(out.field(info.user));
  table.add_principal(out.field(info.principal));
  table.add_hostname(out.field(info.hostname));
  table.add_webui_url(out.field(info.webui_url));
  table.add_roles(roles);
  table.add_suppressed_roles(suppressed_roles);
  table.add_capabilities(info.capabilities);
  table.add_failover_timeout_ns(info.failover_timeout.count());
  table.add_checkpoint(info.checkpoint);
  table.add_labels(labels);
  table.add_offer_constraints(constraints);
  table.add_min_allocatable(minimums);
  return table.Finish();
}

// Ids, names and roles are the framework's own: the master validates them and answers with an
// error, where the wire could only close the link.
FrameworkInfo read(WireReader& in, const wire::FrameworkInfo* info, const WirePath& at) {
  if (info == nullptr) {
    in.fail(at, "is missing");
    return {};
  }
  return FrameworkInfo{
      .id = FrameworkId{in.line(info->id(), at / "id")},
      .name = in.line(info->name(), at / "name"),
      .user = in.line(info->user(), at / "user"),
      .principal = in.line(info->principal(), at / "principal"),
      .hostname = in.line(info->hostname(), at / "hostname"),
      .webui_url = in.line(info->webui_url(), at / "webui_url"),
      .roles = in.lines(info->roles(), at / "roles"),
      .suppressed_roles = in.lines(info->suppressed_roles(), at / "suppressed_roles"),
      .capabilities = info->capabilities(),
      .failover_timeout = Duration(info->failover_timeout_ns()),
      .checkpoint = info->checkpoint(),
      .labels = read(in, info->labels(), at / "labels"),
      .offer_constraints = in.tables(info->offer_constraints(), at / "offer_constraints",
                                     [&in](const wire::RoleConstraints& item,
                                           const WirePath& path) { return read(in, item, path); }),
      .min_allocatable = in.tables(info->min_allocatable(), at / "min_allocatable",
                                   [&in](const wire::RoleMinimum& item, const WirePath& path) {
                                     return read(in, item, path);
                                   }),
  };
}

Offset<wire::AgentInfo> write(WireWriter& out, const AgentInfo& info) {
  const auto resources = write(out, info.resources);
  const auto attributes = write(out, info.attributes);
  const auto controllers = out.texts(info.controllers);
  const auto degraded = out.texts(info.degraded);
  wire::AgentInfoBuilder table(out.builder());
  table.add_id(out.field(info.id.value));
  table.add_hostname(out.field(info.hostname));
  table.add_address(out.field(info.address));
  table.add_resources(resources);
  table.add_attributes(attributes);
  table.add_region(out.field(info.domain.region));
  table.add_zone(out.field(info.domain.zone));
  table.add_version(out.field(info.version));
  table.add_controllers(controllers);
  table.add_degraded(degraded);
  return table.Finish();
}

AgentInfo read(WireReader& in, const wire::AgentInfo* info, const WirePath& at) {
  if (info == nullptr) {
    in.fail(at, "is missing");
    return {};
  }
  return AgentInfo{
      .id = in.optional_id<AgentId>(info->id(), at / "id"),
      .hostname = in.line(info->hostname(), at / "hostname"),
      .address = in.line(info->address(), at / "address"),
      .resources = read(in, info->resources(), at / "resources"),
      .attributes = read(in, info->attributes(), at / "attributes"),
      .domain = {.region = in.line(info->region(), at / "region"),
                 .zone = in.line(info->zone(), at / "zone")},
      .version = in.line(info->version(), at / "version"),
      .controllers = in.lines(info->controllers(), at / "controllers"),
      .degraded = in.lines(info->degraded(), at / "degraded"),
  };
}

// ---------------------------------------------------------------------------- every conversation

Offset<wire::Hello> write(WireWriter& out, const Hello& hello) {
  const auto capabilities = out.texts(hello.capabilities);
  wire::HelloBuilder table(out.builder());
  table.add_protocol_min(hello.protocol_min);
  table.add_protocol_max(hello.protocol_max);
  table.add_build(out.field(hello.build));
  table.add_capabilities(capabilities);
  table.add_epoch(hello.epoch);
  table.add_principal(out.field(hello.principal));
  table.add_mechanism(out.field(hello.mechanism));
  table.add_token(out.field(hello.token));
  return table.Finish();
}

Hello read(WireReader& in, const wire::Hello& hello) {
  const WirePath at{.field = "hello"};
  return Hello{
      .protocol_min = hello.protocol_min(),
      .protocol_max = hello.protocol_max(),
      .build = in.line(hello.build(), at / "build"),
      .capabilities = in.lines(hello.capabilities(), at / "capabilities"),
      .epoch = hello.epoch(),
      .principal = in.line(hello.principal(), at / "principal"),
      .mechanism = in.line(hello.mechanism(), at / "mechanism"),
      .token = in.text(hello.token(), at / "token", limits::kTextBytesMax),
  };
}

Offset<wire::HelloReply> write(WireWriter& out, const HelloReply& reply) {
  const auto capabilities = out.texts(reply.capabilities);
  wire::HelloReplyBuilder table(out.builder());
  table.add_protocol(reply.protocol);
  table.add_build(out.field(reply.build));
  table.add_capabilities(capabilities);
  table.add_epoch(reply.epoch);
  table.add_master_id(out.field(reply.master_id));
  table.add_error(out.field(reply.error));
  table.add_leader(out.field(reply.leader));
  return table.Finish();
}

HelloReply read(WireReader& in, const wire::HelloReply& reply) {
  const WirePath at{.field = "hello_reply"};
  return HelloReply{
      .protocol = reply.protocol(),
      .build = in.line(reply.build(), at / "build"),
      .capabilities = in.lines(reply.capabilities(), at / "capabilities"),
      .epoch = reply.epoch(),
      .master_id = in.line(reply.master_id(), at / "master_id"),
      .error = in.line(reply.error(), at / "error"),
      .leader = in.line(reply.leader(), at / "leader"),
  };
}

Offset<wire::Goodbye> write(WireWriter& out, const Goodbye& goodbye) {
  return wire::CreateGoodbye(out.builder(), out.field(goodbye.why));
}

Goodbye read(WireReader& in, const wire::Goodbye& goodbye) {
  const WirePath at{.field = "goodbye"};
  return Goodbye{.why = in.line(goodbye.why(), at / "why")};
}

Offset<wire::Heartbeat> write(WireWriter& out, const Heartbeat&) {
  return wire::CreateHeartbeat(out.builder());
}

Heartbeat read(WireReader&, const wire::Heartbeat&) { return {}; }

Offset<wire::ErrorMessage> write(WireWriter& out, const ErrorMessage& error) {
  return wire::CreateErrorMessage(out.builder(), out.field(error.message));
}

ErrorMessage read(WireReader& in, const wire::ErrorMessage& error) {
  const WirePath at{.field = "error_message"};
  return ErrorMessage{.message = in.text(error.message(), at / "message", limits::kTextBytesMax)};
}

std::vector<FrameworkInfo> read_frameworks(
    WireReader& in, const flatbuffers::Vector<Offset<wire::FrameworkInfo>>* frameworks,
    const WirePath& at) {
  return in.tables(frameworks, at, [&in](const wire::FrameworkInfo& info, const WirePath& path) {
    return read(in, &info, path);
  });
}

}  // namespace tepui
