#include "cli/container_text.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "cli/fetch_text.h"
#include "common/text.h"

namespace tepui::cli {
namespace {

using Source = ContainerVolume::Source;

Result<ContainerVolume> parse_volume(std::string_view text) {
  const std::string_view whole = text;
  ContainerVolume volume;
  if (text.ends_with(":ro")) {
    volume.read_only = true;
    text.remove_suffix(3);
  } else if (text.ends_with(":rw")) {
    text.remove_suffix(3);
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() ||
      text.find(':', colon + 1) != std::string_view::npos) {
    return fail(fmt::format("'{}' is not SOURCE:CONTAINER or SOURCE:CONTAINER:ro", whole));
  }
  volume.source_path = text.substr(0, colon);
  volume.source = text.front() == '/' ? Source::kHostPath : Source::kSandboxPath;
  volume.container_path = text.substr(colon + 1);
  return volume;
}

Result<ContainerVolume> parse_tmpfs(std::string_view text) {
  ContainerVolume volume{.source = Source::kTmpfs, .container_path = {}};
  const size_t colon = text.rfind(':');
  volume.container_path = text.substr(0, colon);
  if (colon != std::string_view::npos) {
    const int64_t bytes = TRY(parse_bytes(text.substr(colon + 1)));
    if (bytes < 1) return fail(fmt::format("'{}' has no room for anything", text));
    volume.size_bytes = static_cast<uint64_t>(bytes);
  }
  return volume;
}

Result<std::optional<uint64_t>> parse_limit(std::string_view text) {
  if (text == "unlimited") return std::nullopt;
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) {
    return fail(fmt::format("'{}' is neither a number nor unlimited", text));
  }
  return value;
}

Result<Rlimit> parse_rlimit(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return fail(fmt::format("'{}' is not NAME=SOFT:HARD or NAME=BOTH", text));
  }
  const std::string_view values = text.substr(equals + 1);
  const size_t colon = values.find(':');
  Rlimit limit{.type = TRY(parse_rlimit_type(text.substr(0, equals))), .soft = {}, .hard = {}};
  limit.soft = TRY(parse_limit(values.substr(0, colon)));
  limit.hard = limit.soft;
  if (colon != std::string_view::npos) limit.hard = TRY(parse_limit(values.substr(colon + 1)));
  return limit;
}

Result<CapabilitySet> parse_set(const std::vector<std::string>& names) {
  if (names.size() == 1 && names[0] == "none") return CapabilitySet{0};
  return parse_capabilities(names);
}

template <class T>
Result<T> in(std::string_view field, Result<T> parsed) {
  if (parsed) return parsed;
  return std::unexpected(std::move(parsed).error().in(field));
}

Result<void> parse_names(const ContainerTexts& texts, ContainerInfo& container) {
  if (!texts.capabilities.empty()) {
    container.capabilities = TRY(in("cap", parse_set(texts.capabilities)));
  }
  container.hostname = texts.hostname;
  if (texts.network == "loopback") {
    container.network = ContainerInfo::Network::kLoopback;
  } else if (!texts.network.empty() && texts.network != "host") {
    return fail(fmt::format("network: '{}' is neither host nor loopback", texts.network));
  }
  if (texts.seccomp == "unconfined") {
    container.seccomp = ContainerInfo::Seccomp::kUnconfined;
  } else if (!texts.seccomp.empty() && texts.seccomp != "default") {
    return fail(fmt::format("seccomp: '{}' is neither default nor unconfined", texts.seccomp));
  }
  return {};
}

}  // namespace

Result<std::optional<ContainerInfo>> parse_container(const ContainerTexts& texts) {
  if (texts == ContainerTexts{}) return std::nullopt;
  ContainerInfo container{.rootfs = {}, .volumes = {}, .rlimits = {}, .capabilities = {}};
  if (!texts.rootfs.empty() && !texts.image.empty()) {
    return fail("image: there is a rootfs too, and a container has one root");
  }
  if (!texts.image.empty()) {
    container.rootfs = TRY(in("image", parse_image(texts.image)));
    container.rootfs->read_only = texts.read_only_rootfs;
  } else if (!texts.rootfs.empty()) {
    container.rootfs =
        RootFilesystem{.path = texts.rootfs, .reference = {}, .read_only = texts.read_only_rootfs};
  } else if (texts.read_only_rootfs) {
    return fail("read-only-rootfs: there is neither a rootfs nor an image");
  }
  for (const std::string& text : texts.volumes) {
    container.volumes.push_back(TRY(in("volume", parse_volume(text))));
  }
  for (const std::string& text : texts.tmpfs) {
    container.volumes.push_back(TRY(in("tmpfs", parse_tmpfs(text))));
  }
  for (const std::string& text : texts.rlimits) {
    container.rlimits.push_back(TRY(in("rlimit", parse_rlimit(text))));
  }
  TRY(parse_names(texts, container));
  container.user_namespace = texts.user_namespace;
  if (!texts.shm_size.empty()) {
    container.shm_bytes = static_cast<uint64_t>(TRY(in("shm-size", parse_bytes(texts.shm_size))));
  }
  TRY(validate(container));
  return container;
}

}  // namespace tepui::cli
