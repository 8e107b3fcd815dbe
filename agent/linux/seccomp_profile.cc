#include "agent/linux/seccomp_profile.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "common/io/fd.h"

namespace tepui {
namespace {

// The newest system call that was looked at: that of Linux 6.13, the same on all machines.
constexpr uint32_t kNewestCall = 466;

struct Refused {
  std::string_view capability;  // whoever has it may; empty: nobody may
  std::initializer_list<const char*> calls;
};

const Refused kRefused[] = {
    // Mounts, namespaces, and other ways into what others see.
    {"CAP_SYS_ADMIN",
     {"mount",         "umount",        "umount2",     "pivot_root", "setns",      "unshare",
      "fsopen",        "fsconfig",      "fsmount",     "fspick",     "move_mount", "open_tree",
      "mount_setattr", "quotactl",      "quotactl_fd", "swapon",     "swapoff",    "lookup_dcookie",
      "fanotify_init", "setdomainname", "sethostname"}},
    {"CAP_DAC_READ_SEARCH", {"open_by_handle_at"}},
    // The kernel itself.
    {"CAP_SYS_MODULE",
     {"init_module", "finit_module", "delete_module", "create_module", "query_module",
      "get_kernel_syms"}},
    {"CAP_SYS_BOOT", {"reboot", "kexec_load", "kexec_file_load"}},
    {"CAP_SYS_TIME",
     {"settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime",
      "clock_adjtime64", "adjtimex"}},
    {"CAP_SYS_PACCT", {"acct"}},
    {"CAP_SYSLOG", {"syslog"}},
    {"CAP_SYS_RAWIO", {"iopl", "ioperm", "pciconfig_read", "pciconfig_write", "pciconfig_iobase"}},
    {"CAP_SYS_TTY_CONFIG", {"vhangup"}},
    // Other processes.
    {"CAP_SYS_PTRACE",
     {"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise"}},
    {"CAP_SYS_NICE",
     {"mbind", "set_mempolicy", "get_mempolicy", "migrate_pages", "move_pages",
      "set_mempolicy_home_node"}},
    // Large, young, or shared by all containers.
    {"CAP_BPF", {"bpf"}},
    {"CAP_PERFMON", {"perf_event_open"}},
    {"",
     {"add_key", "keyctl", "request_key", "userfaultfd", "nfsservctl", "personality", "sysfs",
      "_sysctl", "uselib", "ustat", "vm86", "vm86old", "modify_ldt"}},
};

struct FreeContext {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, FreeContext>;

Error seccomp_error(int result, std::string_view what) {
  return {.message = fmt::format("making the filter of system calls: {} (errno {})", what, -result),
          .code = -result};
}

constexpr uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);

Result<void> refuse_call(scmp_filter_ctx context, const char* name) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return {};  // of no machine that the library knows
  const int result = seccomp_rule_add(context, kRefuse, number, 0);
  if (result != 0) return std::unexpected(seccomp_error(result, name));
  return {};
}

// Processes and threads are made, but not in new namespaces. The flags of clone3 are in memory,
// where no filter can look: programs that find it missing use clone.
Result<void> refuse_namespaces(scmp_filter_ctx context) {
  for (const uint64_t flag :
       std::initializer_list<uint64_t>{CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
                                       CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP}) {
    const scmp_arg_cmp has_flag = SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag);
    const int result = seccomp_rule_add_array(context, kRefuse, SCMP_SYS(clone), 1, &has_flag);
    if (result != 0) return std::unexpected(seccomp_error(result, "clone"));
  }
  const int result = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (result != 0) return std::unexpected(seccomp_error(result, "clone3"));
  return {};
}

// Programs for the 32-bit mode of the same processor run too.
Result<void> add_narrow_mode(scmp_filter_ctx context) {
#if defined(__x86_64__)
  const int result = seccomp_arch_add(context, SCMP_ARCH_X86);
#elif defined(__aarch64__)
  const int result = seccomp_arch_add(context, SCMP_ARCH_ARM);
#else
  const int result = 0;
#endif
  if (result != 0 && result != -EEXIST) {
    return std::unexpected(seccomp_error(result, "the 32-bit mode"));
  }
  return {};
}

// ENOSYS for what is newer than this profile; in front, since only known calls are in the rest.
std::string unknown_calls() {
  const std::array<sock_filter, 3> first = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kNewestCall, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)};
  return {reinterpret_cast<const char*>(first.data()), sizeof first};
}

Result<std::string> export_filter(scmp_filter_ctx context) {
  const Fd file(memfd_create("tepui-seccomp", MFD_CLOEXEC));
  if (!file) return fail("creating a file in memory for the filter of system calls", errno);
  if (const int result = seccomp_export_bpf(context, file.get()); result != 0) {
    return std::unexpected(seccomp_error(result, "writing it"));
  }
  std::string bytes = unknown_calls();
  const off_t size = lseek(file.get(), 0, SEEK_END);
  const size_t before = bytes.size();
  bytes.resize(before + static_cast<size_t>(size));
  if (pread(file.get(), bytes.data() + before, bytes.size() - before, 0) != size ||
      bytes.size() / sizeof(sock_filter) > BPF_MAXINSNS) {
    return fail("reading the filter of system calls back");
  }
  return bytes;
}

Result<std::string> make_filter(CapabilitySet capabilities) {
  const Context context(seccomp_init(SCMP_ACT_ALLOW));
  if (context == nullptr) return fail("no memory for the filter of system calls", ENOMEM);
  TRY(add_narrow_mode(context.get()));
  // The promise not to gain privileges is made by who installs it, or not at all.
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_NNP, 0);
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  const auto may = [capabilities](const std::string& name) {
    return !name.empty() && (parse_capabilities({name}).value_or(0) & capabilities) != 0;
  };
  for (const Refused& refused : kRefused) {
    if (may(std::string(refused.capability))) continue;
    for (const char* call : refused.calls) TRY(refuse_call(context.get(), call));
  }
  if (!may("CAP_SYS_ADMIN")) TRY(refuse_namespaces(context.get()));
  return export_filter(context.get());
}

}  // namespace

Result<std::string> SeccompProfiles::filter(CapabilitySet capabilities) {
  const std::lock_guard lock(mutex_);
  const auto found = filters_.find(capabilities);
  if (found != filters_.end()) return found->second;
  std::string made = TRY(make_filter(capabilities));
  return filters_.emplace(capabilities, std::move(made)).first->second;
}

}  // namespace tepui
