#include "common/capabilities.h"

#include <fmt/format.h>

namespace tepui {
namespace {

constexpr std::string_view kNames[kCapabilityCount] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};

constexpr CapabilitySet bit_of(std::string_view name) {
  for (int i = 0; i < kCapabilityCount; ++i) {
    if (kNames[i] == name) return CapabilitySet{1} << i;
  }
  return 0;
}

std::string normal_form(std::string_view name) {
  std::string normal;
  for (const char c : name) normal += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (normal.starts_with("CAP_")) normal.erase(0, 4);
  return normal;
}

}  // namespace

constexpr CapabilitySet kDefaultCapabilities =
    bit_of("CHOWN") | bit_of("DAC_OVERRIDE") | bit_of("FOWNER") | bit_of("FSETID") |
    bit_of("KILL") | bit_of("SETGID") | bit_of("SETUID") | bit_of("SETPCAP") |
    bit_of("NET_BIND_SERVICE") | bit_of("NET_RAW") | bit_of("SYS_CHROOT") | bit_of("SETFCAP") |
    bit_of("AUDIT_WRITE");

Result<CapabilitySet> parse_capabilities(const std::vector<std::string>& names) {
  CapabilitySet set = 0;
  for (const std::string& name : names) {
    const CapabilitySet bit = bit_of(normal_form(name));
    if (bit == 0) {
      return fail(fmt::format("'{}' is no capability; expected a name such as CAP_NET_RAW", name));
    }
    set |= bit;
  }
  return set;
}

std::vector<std::string> to_names(CapabilitySet set) {
  std::vector<std::string> names;
  for (int i = 0; i < kCapabilityCount; ++i) {
    if ((set >> i & 1) != 0) names.push_back(fmt::format("CAP_{}", kNames[i]));
  }
  return names;
}

}  // namespace tepui
