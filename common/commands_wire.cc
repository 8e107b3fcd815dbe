#include <utility>

#include "common/values_wire.h"

namespace tepui {

static_assert(sizeof(wire::EnvironmentVariable) == 16);

namespace {

Offset<wire::Uri> write(WireWriter& out, const Uri& uri) {
  wire::UriBuilder table(out.builder());
  table.add_value(out.field(uri.value));
  table.add_executable(uri.executable);
  table.add_extract(uri.extract);
  table.add_cache(uri.cache);
  table.add_output_file(out.field(uri.output_file));
  table.add_checksum(out.field(uri.checksum));
  return table.Finish();
}

Uri read(WireReader& in, const wire::Uri& uri, const WirePath& at) {
  return Uri{.value = in.line(uri.value(), at / "value"),
             .executable = uri.executable(),
             .extract = uri.extract(),
             .cache = uri.cache(),
             .output_file = in.line(uri.output_file(), at / "output_file"),
             .checksum = in.line(uri.checksum(), at / "checksum")};
}

}  // namespace

Offset<wire::Command> write(WireWriter& out, const CommandInfo& command) {
  const auto arguments = out.texts(command.arguments);
  const auto environment = out.structs<wire::EnvironmentVariable>(
      command.environment, [&out](const EnvironmentVariable& variable) {
        return wire::EnvironmentVariable(out.text(variable.name), out.text(variable.value));
      });
  const auto uris =
      out.tables<wire::Uri>(command.uris, [&out](const Uri& uri) { return write(out, uri); });
  wire::CommandBuilder table(out.builder());
  table.add_shell(command.shell);
  table.add_value(out.field(command.value));
  table.add_arguments(arguments);
  table.add_environment(environment);
  table.add_user(out.field(command.user));
  table.add_working_directory(out.field(command.working_directory));
  table.add_uris(uris);
  return table.Finish();
}

CommandInfo read(WireReader& in, const wire::Command* command, const WirePath& at) {
  if (command == nullptr) {
    in.fail(at, "is missing");
    return {};
  }
  const auto variable = [&in](const wire::EnvironmentVariable& item, const WirePath& path) {
    return EnvironmentVariable{
        .name = in.line(item.name(), path / "name"),
        .value = in.text(item.value(), path / "value", limits::kTextBytesMax)};
  };
  return CommandInfo{
      .shell = command->shell(),
      .value = in.text(command->value(), at / "value", limits::kTextBytesMax),
      .arguments = in.texts(command->arguments(), at / "arguments"),
      .environment = in.structs(command->environment(), at / "environment", variable),
      .user = in.line(command->user(), at / "user"),
      .working_directory = in.line(command->working_directory(), at / "working_directory"),
      .uris = in.tables(
          command->uris(), at / "uris",
          [&in](const wire::Uri& uri, const WirePath& path) { return read(in, uri, path); }),
  };
}

Offset<wire::Discovery> write(WireWriter& out, const std::optional<DiscoveryInfo>& discovery) {
  if (!discovery) return 0;
  const auto ports = out.tables<wire::Port>(discovery->ports, [&out](const Port& port) {
    wire::PortBuilder table(out.builder());
    table.add_number(port.number);
    table.add_name(out.field(port.name));
    table.add_protocol(out.field(port.protocol));
    return table.Finish();
  });
  const auto labels = write(out, discovery->labels);
  wire::DiscoveryBuilder table(out.builder());
  table.add_name(out.field(discovery->name));
  table.add_visibility(out.field(discovery->visibility));
  table.add_environment(out.field(discovery->environment));
  table.add_location(out.field(discovery->location));
  table.add_version(out.field(discovery->version));
  table.add_ports(ports);
  table.add_labels(labels);
  return table.Finish();
}

std::optional<DiscoveryInfo> read(WireReader& in, const wire::Discovery* discovery,
                                  const WirePath& at) {
  if (discovery == nullptr) return std::nullopt;
  return DiscoveryInfo{
      .name = in.line(discovery->name(), at / "name"),
      .visibility = in.line(discovery->visibility(), at / "visibility"),
      .environment = in.line(discovery->environment(), at / "environment"),
      .location = in.line(discovery->location(), at / "location"),
      .version = in.line(discovery->version(), at / "version"),
      .ports = in.tables(discovery->ports(), at / "ports",
                         [&in](const wire::Port& port, const WirePath& path) {
                           return Port{.number = port.number(),
                                       .name = in.line(port.name(), path / "name"),
                                       .protocol = in.line(port.protocol(), path / "protocol")};
                         }),
      .labels = read(in, discovery->labels(), at / "labels"),
  };
}

}  // namespace tepui
