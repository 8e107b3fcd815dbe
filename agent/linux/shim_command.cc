// The part of the shim that becomes the command: everything between its birth and its program.

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/limits.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

#include "agent/linux/shim_base.h"

namespace tepui::shim {
namespace {

// The kernel's set of signals: one bit each.
using SignalSet = uint64_t;

// Appends to a path that is being put together; false when it becomes too long.
bool append(char (&path)[PATH_MAX], size_t* length, char byte) {
  if (*length + 1 >= sizeof path) return false;
  path[(*length)++] = byte;
  path[*length] = 0;
  return true;
}

// The rules of execvp, with the PATH that the command will see. Returns minus an errno.
long execute(const Spec& spec) {
  auto try_file = [&spec](const char* file) {
    return raw_syscall(SYS_execve, raw_address(file), raw_address(spec.arguments),
                       raw_address(spec.environment));
  };
  for (const char* at = spec.program; *at != 0; ++at) {
    if (*at == '/') return try_file(spec.program);
  }
  long code = -ENOENT;
  char file[PATH_MAX];
  const char* from = spec.path;
  while (true) {
    size_t length = 0;
    bool fits = true;
    while (*from != 0 && *from != ':') fits = append(file, &length, *from++) && fits;
    if (length > 0) fits = append(file, &length, '/') && fits;
    for (const char* at = spec.program; *at != 0; ++at) fits = append(file, &length, *at) && fits;
    if (fits && length > 0) {
      const long result = try_file(file);
      const bool is_absent = result == -ENOENT || result == -ENOTDIR;
      if (!is_absent) code = result;
      if (!is_absent && result != -EACCES) return code;
    }
    if (*from == 0) return code;
    ++from;
  }
}

// What is ignored stays ignored in the next program, so every signal gets its default back.
void reset_signals() {
  constexpr size_t kActionBytes = 32;
  const char default_action[kActionBytes] = {};
  for (int number = 1; number < NSIG; ++number) {
    raw_syscall(SYS_rt_sigaction, number, raw_address(default_action), 0, sizeof(SignalSet));
  }
}

Failure install_filter(const Spec& spec) {
  if (spec.header.filter_count == 0) return {};
  struct {
    unsigned short count;
    const unsigned char* instructions;
  } program{.count = static_cast<unsigned short>(spec.header.filter_count),
            .instructions = spec.filter};
  static_assert(sizeof(sock_filter) == kShimFilterBytes && sizeof program == sizeof(sock_fprog));
  const long result = raw_syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, raw_address(&program));
  return result < 0 ? failure(ShimStage::kFilter, result) : Failure{};
}

constexpr uint64_t capability_bit(int number) { return uint64_t{1} << number; }

Failure bound_capabilities(const ShimSpecHeader& header) {
  for (int number = 0; number < 64; ++number) {
    if ((header.bounding & capability_bit(number)) != 0) continue;
    const long result = raw_syscall(SYS_prctl, PR_CAPBSET_DROP, number, 0, 0, 0);
    if (result == -EINVAL) break;  // the kernel knows no more
    if (result < 0) return failure(ShimStage::kCapabilities, result);
  }
  return {};
}

// Every program that root executes begins with all that is bounded, unless it is to have less; then
// its id must mean nothing.
bool is_ambient(const ShimSpecHeader& header) {
  const bool other_user = header.switch_user != 0 && header.uid != 0;
  return !other_user && header.effective != header.bounding;
}

Failure keep_capabilities(const ShimSpecHeader& header) {
  if (!is_ambient(header)) return {};
  const long result =
      raw_syscall(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0);
  return result < 0 ? failure(ShimStage::kCapabilities, result) : Failure{};
}

Failure set_capabilities(const ShimSpecHeader& header) {
  __user_cap_header_struct about{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const auto low = static_cast<uint32_t>(header.effective);
  const auto high = static_cast<uint32_t>(header.effective >> 32);
  const __user_cap_data_struct sets[2] = {
      {.effective = low, .permitted = low, .inheritable = low},
      {.effective = high, .permitted = high, .inheritable = high}};
  long result = raw_syscall(SYS_capset, raw_address(&about), raw_address(sets));
  if (result >= 0) {
    result = raw_syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  }
  for (int number = 0; number < 64 && result >= 0 && is_ambient(header); ++number) {
    if ((header.effective & capability_bit(number)) == 0) continue;
    result = raw_syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0);
  }
  return result < 0 ? failure(ShimStage::kCapabilities, result) : Failure{};
}

Failure join(int namespaces, uint32_t flags) {
  // The shim has joined the pids, for that shows in children only.
  flags &= ~uint32_t{CLONE_NEWPID};
  if (namespaces < 0 || flags == 0) return {};
  const long result = raw_syscall(SYS_setns, namespaces, flags);
  return result < 0 ? failure(ShimStage::kJoin, result) : Failure{};
}

Failure set_rlimits(const Spec& spec) {
  for (uint32_t i = 0; i < spec.header.rlimit_count; ++i) {
    const ShimRlimit& limit = spec.rlimits[i];
    const rlimit64 wanted{.rlim_cur = limit.soft, .rlim_max = limit.hard};
    const long result = raw_syscall(SYS_prlimit64, 0, limit.resource, raw_address(&wanted), 0);
    if (result < 0) {
      return {.stage = static_cast<uint32_t>(ShimStage::kFirstRlimit) + i,
              .code = static_cast<int>(-result)};
    }
  }
  return {};
}

// Stops at the first of the steps that fails.
template <class... Step>
Failure first_failure(Step&&... steps) {
  Failure failed;
  (void)(((failed = steps()).stage != 0) || ...);
  return failed;
}

// Without the promise that no program gains privileges, only who has them may install a filter: so
// before they go, and otherwise last, when there is little left that it could hinder.
Failure drop_privileges(const Spec& spec) {
  const ShimSpecHeader& header = spec.header;
  const bool promises = header.no_new_privileges != 0;
  const bool limits = header.set_capabilities != 0;
  return first_failure(
      [&] { return promises ? Failure{} : install_filter(spec); },
      [&] { return limits ? bound_capabilities(header) : Failure{}; },
      [&] { return limits ? keep_capabilities(header) : Failure{}; },
      [&] { return become_user(spec); },
      [&] { return limits ? set_capabilities(header) : Failure{}; },
      [&]() -> Failure {
        if (!promises) return {};
        const long result = raw_syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        return result < 0 ? failure(ShimStage::kPrivileges, result) : install_filter(spec);
      });
}

}  // namespace

Failure become_user(const Spec& spec) {
  const ShimSpecHeader& header = spec.header;
  if (header.switch_user == 0) return {};
  long result = raw_syscall(SYS_setgroups, header.group_count, raw_address(spec.groups));
  if (result >= 0) result = raw_syscall(SYS_setresgid, header.gid, header.gid, header.gid);
  if (result >= 0) result = raw_syscall(SYS_setresuid, header.uid, header.uid, header.uid);
  return result < 0 ? failure(ShimStage::kUser, result) : Failure{};
}

Failure become_user_outside(const Spec& spec) {
  const ShimSpecHeader& header = spec.header;
  if (header.ids_count == 0) return become_user(spec);
  const long gid = long{header.ids_first} + header.gid;
  const long uid = long{header.ids_first} + header.uid;
  long result = raw_syscall(SYS_setgroups, 0, 0);
  if (result >= 0) result = raw_syscall(SYS_setresgid, gid, gid, gid);
  if (result >= 0) result = raw_syscall(SYS_setresuid, uid, uid, uid);
  return result < 0 ? failure(ShimStage::kUser, result) : Failure{};
}

void drop_capabilities() {
  __user_cap_header_struct about{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct nothing[2] = {};
  raw_syscall(SYS_capset, raw_address(&about), raw_address(nothing));
}

Failure become_command(const Spec& spec, int namespaces, uint32_t namespace_flags) {
  if (const long result = raw_syscall(SYS_setsid); result < 0) {
    return failure(ShimStage::kSession, result);
  }
  raw_syscall(SYS_umask, 022);
  reset_signals();
  // Limits before it joins: in a user namespace nobody may raise them.
  const Failure failed = first_failure([&] { return set_rlimits(spec); },
                                       [&] { return join(namespaces, namespace_flags); },
                                       [&] { return drop_privileges(spec); });
  if (failed.stage != 0) return failed;
  if (const long result = raw_syscall(SYS_chdir, raw_address(spec.directory)); result < 0) {
    return failure(ShimStage::kDirectory, result);
  }
  const SignalSet none = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, raw_address(&none), 0, sizeof none);
  return failure(ShimStage::kExec, execute(spec));
}

}  // namespace tepui::shim
