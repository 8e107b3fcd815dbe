#include <utility>

#include "common/values_wire.h"

namespace tepui {

static_assert(static_cast<int>(wire::RootFilesystemType::MAX) + 1 == kRootFilesystemTypeCount);
static_assert(static_cast<int>(wire::VolumeSource::MAX) + 1 == kVolumeSourceCount);
static_assert(static_cast<int>(wire::ContainerNetwork::MAX) + 1 == kNetworkCount);
static_assert(static_cast<int>(wire::ContainerSeccomp::MAX) + 1 == kSeccompCount);

namespace {

// Numbers from 1 on.
template <class Ours, class Theirs>
Ours numbered(WireReader& in, Theirs value, int count, const WirePath& at) {
  if (value == Theirs{}) in.fail(at, "is missing");
  return in.enumeration<Ours>(value, count, at);
}

template <class T>
std::optional<T> present(const flatbuffers::Optional<T>& value) {
  return value.has_value() ? std::optional<T>(*value) : std::nullopt;
}

Offset<wire::RootFilesystem> write(WireWriter& out, const RootFilesystem& rootfs) {
  wire::RootFilesystemBuilder table(out.builder());
  table.add_type(static_cast<wire::RootFilesystemType>(rootfs.type));
  table.add_path(out.field(rootfs.path));
  table.add_reference(out.field(rootfs.reference));
  table.add_read_only(rootfs.read_only);
  return table.Finish();
}

RootFilesystem read(WireReader& in, const wire::RootFilesystem& rootfs, const WirePath& at) {
  return RootFilesystem{.type = numbered<RootFilesystem::Type>(
                            in, rootfs.type(), kRootFilesystemTypeCount, at / "type"),
                        .path = in.line(rootfs.path(), at / "path"),
                        .reference = in.line(rootfs.reference(), at / "reference"),
                        .read_only = rootfs.read_only()};
}

Offset<wire::ContainerVolume> write(WireWriter& out, const ContainerVolume& volume) {
  wire::ContainerVolumeBuilder table(out.builder());
  table.add_source(static_cast<wire::VolumeSource>(volume.source));
  table.add_container_path(out.field(volume.container_path));
  table.add_source_path(out.field(volume.source_path));
  table.add_read_only(volume.read_only);
  table.add_size_bytes(volume.size_bytes);
  return table.Finish();
}

ContainerVolume read(WireReader& in, const wire::ContainerVolume& volume, const WirePath& at) {
  return ContainerVolume{.source = numbered<ContainerVolume::Source>(
                             in, volume.source(), kVolumeSourceCount, at / "source"),
                         .container_path = in.line(volume.container_path(), at / "container_path"),
                         .source_path = in.line(volume.source_path(), at / "source_path"),
                         .read_only = volume.read_only(),
                         .size_bytes = volume.size_bytes()};
}

Offset<wire::Rlimit> write(WireWriter& out, const Rlimit& limit) {
  wire::RlimitBuilder table(out.builder());
  table.add_type(static_cast<uint8_t>(limit.type));
  if (limit.soft) table.add_soft(*limit.soft);
  if (limit.hard) table.add_hard(*limit.hard);
  return table.Finish();
}

Rlimit read(WireReader& in, const wire::Rlimit& limit, const WirePath& at) {
  return Rlimit{.type = numbered<RlimitType>(in, limit.type(), kRlimitTypeCount, at / "type"),
                .soft = present(limit.soft()),
                .hard = present(limit.hard())};
}

}  // namespace

Offset<wire::Container> write(WireWriter& out, const std::optional<ContainerInfo>& container) {
  if (!container) return 0;
  const auto rootfs =
      container->rootfs ? write(out, *container->rootfs) : Offset<wire::RootFilesystem>(0);
  const auto volumes = out.tables<wire::ContainerVolume>(
      container->volumes, [&out](const ContainerVolume& volume) { return write(out, volume); });
  const auto rlimits = out.tables<wire::Rlimit>(
      container->rlimits, [&out](const Rlimit& limit) { return write(out, limit); });
  wire::ContainerBuilder table(out.builder());
  table.add_rootfs(rootfs);
  table.add_volumes(volumes);
  table.add_rlimits(rlimits);
  if (container->capabilities) table.add_capabilities(*container->capabilities);
  table.add_hostname(out.field(container->hostname));
  table.add_network(static_cast<wire::ContainerNetwork>(container->network));
  table.add_seccomp(static_cast<wire::ContainerSeccomp>(container->seccomp));
  table.add_user_namespace(container->user_namespace);
  table.add_shm_bytes(container->shm_bytes);
  return table.Finish();
}

std::optional<ContainerInfo> read(WireReader& in, const wire::Container* container,
                                  const WirePath& at) {
  if (container == nullptr) return std::nullopt;
  ContainerInfo result{
      .volumes = in.tables(container->volumes(), at / "volumes",
                           [&in](const wire::ContainerVolume& volume, const WirePath& path) {
                             return read(in, volume, path);
                           }),
      .rlimits = in.tables(
          container->rlimits(), at / "rlimits",
          [&in](const wire::Rlimit& limit, const WirePath& path) { return read(in, limit, path); }),
      .capabilities = present(container->capabilities()),
      .hostname = in.line(container->hostname(), at / "hostname"),
      .network = in.enumeration<ContainerInfo::Network>(container->network(), kNetworkCount,
                                                        at / "network"),
      .seccomp = in.enumeration<ContainerInfo::Seccomp>(container->seccomp(), kSeccompCount,
                                                        at / "seccomp"),
      .user_namespace = container->user_namespace(),
      .shm_bytes = container->shm_bytes(),
  };
  if (container->rootfs() != nullptr) {
    result.rootfs = read(in, *container->rootfs(), at / "rootfs");
  }
  return result;
}

}  // namespace tepui
