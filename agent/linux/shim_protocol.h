#pragma once
// What agent and shim tell each other: the descriptors a shim inherits, the specification it reads,
// the report it makes of the launch, and the exit record it leaves. Fixed structs of this machine's
// byte order: both ends live on it. A shim may be older than the agent that reads its record, so a
// struct changes only together with its version.
//
// Pure. Needs nothing of the C++ library, since the shim has none.

#include <cstddef>
#include <cstdint>

namespace tepui {

// Descriptors of a shim when it starts; 0, 1 and 2 are those of the command.
inline constexpr int kShimSpecFd = 3;     // a file with ShimSpecHeader and what follows it
inline constexpr int kShimReportFd = 4;   // the pipe for one ShimReport
inline constexpr int kShimRuntimeFd = 5;  // the directory for the exit record
inline constexpr int kShimCgroupFd = 6;   // the container's cgroup; closed if there is none
inline constexpr int kShimJoinFd = 7;     // pidfd of a process whose namespaces to join; or closed
inline constexpr int kShimOutputFd = 8;   // the directory of stdout and stderr, or closed
inline constexpr int kShimFdEnd = 9;

// Files in the runtime directory of a container. The directory itself is locked (flock) from before
// the shim is cloned until it ends, by the description that agent and shim share.
inline constexpr const char* kShimLockFile = "shim";      // locked (F_SETLK) while the shim lives
inline constexpr const char* kShimReportFile = "report";  // a ShimReport, for agents to come
inline constexpr const char* kExitRecordFile = "exit";
inline constexpr const char* kExitRecordDraft = "exit.draft";

inline constexpr uint32_t kShimSpecMagic = 0x35505354;    // "TSP5"
inline constexpr uint32_t kShimReportMagic = 0x32505254;  // "TRP2"
inline constexpr uint32_t kExitRecordMagic = 0x31585445;  // "ETX1"

// Followed by filter_count instructions of seccomp (struct sock_filter), step_count ShimStep,
// rlimit_count ShimRlimit, group_count ids of 4 bytes, then by strings that each end with a zero
// byte: the program, the working directory, argument_count arguments, variable_count "NAME=value",
// and four for each step.
struct ShimSpecHeader {
  uint32_t magic = kShimSpecMagic;
  uint32_t bytes = 0;  // of everything, this header included
  uint32_t switch_user = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t group_count = 0;
  uint32_t argument_count = 0;
  uint32_t variable_count = 0;
  uint32_t namespaces = 0;  // CLONE_NEW... of its own; 0: none
  uint32_t joins = 0;       // CLONE_NEW... of the process behind kShimJoinFd; 0: none
  uint32_t step_count = 0;
  uint32_t filter_count = 0;
  uint32_t set_capabilities = 0;
  uint32_t no_new_privileges = 0;
  uint32_t rlimit_count = 0;
  uint32_t output_files = 0;
  uint64_t bounding = 0;   // one bit per capability
  uint64_t effective = 0;  // permitted and inheritable too; 0 for other users than root
  // What stdout and stderr may have each, in output_files of them (1 or more); 0: the command
  // writes to the descriptors that it gets.
  uint64_t output_bytes_max = 0;
  // Where the ids of its own user namespace are on the machine; a count of 0: it has none. Those in
  // the header are as they are within.
  uint32_t ids_first = 0;
  uint32_t ids_count = 0;
};
static_assert(sizeof(ShimSpecHeader) == 96);

inline constexpr size_t kShimFilterBytes = 8;  // of an instruction

// What is done inside the container's own namespaces before the command is born, in order.
// Strings: source, target, type, data.
enum class ShimStepKind : uint32_t {
  kMount = 1,      // mount(source, target, type, flags, data); an empty string is a null pointer
  kOpenTree = 2,   // a copy of the tree at source into `slot`; flags: MOUNT_ATTR_... for all of it,
                   // with MOUNT_ATTR_IDMAP by the user namespace of the container;
                   // data: the directory that no part of source leads out of, or nothing
  kAttach = 3,     // the tree in `slot` to target; flags: kShimMake
  kDirectory = 4,  // target, and what is missing on the way; flags: its mode
  kAttributes = 5,  // flags: MOUNT_ATTR_... for the mount at target and all below it
  kHide = 6,        // nothing is seen at target: an empty directory, or /dev/null
  kHostname = 7,    // sethostname(source)
  kLoopback = 8,    // the interface lo is up
  kEnter = 9,       // chdir(target)
  kPivot = 10,      // what is mounted at target is the root, and the old one is gone; from here on
                    // no link leads a target out of it
  kFile = 11,       // after kPivot: a file at target with the bytes of data
  kLink = 12,       // a symbolic link to source at target
};

struct ShimStep {
  uint32_t kind = 0;      // ShimStepKind
  uint16_t slot = 0;      // below kShimSlots
  uint16_t optional = 0;  // not 0: it may be that target, or source, is not there
  uint64_t flags = 0;
};
static_assert(sizeof(ShimStep) == 16);
// After kPivot: the target is made if it is not there, a directory or a file as what is attached.
inline constexpr uint64_t kShimMake = 1;
inline constexpr size_t kShimStepTexts = 4;
inline constexpr size_t kShimSlots = 193;

struct ShimRlimit {
  uint32_t resource = 0;  // RLIMIT_...
  uint32_t reserved = 0;
  uint64_t soft = 0;
  uint64_t hard = 0;
};
static_assert(sizeof(ShimRlimit) == 24);

// How far a launch came.
enum class ShimStage : uint32_t {
  kStarted = 0,  // the command runs, or has run
  kSpec = 1,
  kRuntime = 2,
  kClone = 3,
  kSession = 4,
  kUser = 5,
  kDirectory = 6,
  kExec = 7,
  kPending = 8,  // only in the file: the command may begin at any moment
  kNamespaces = 9,
  kJoin = 10,
  kCapabilities = 11,
  kFilter = 12,
  kPrivileges = 13,
  kInit = 14,  // who holds the namespaces ended before it had said anything
  kLogger = 15,
  kIds = 16,
  kFirstRlimit = 512,  // and on: by the place of the limit
  kFirstStep = 1024,   // and on: by the place of the step
};

struct ShimReport {
  uint32_t magic = kShimReportMagic;
  uint32_t stage = 0;
  int32_t code = 0;                 // errno of a stage that failed
  int32_t pid = 0;                  // of the command
  int64_t reported_at_boot_ns = 0;  // CLOCK_BOOTTIME: the shim had begun before
  uint64_t stderr_inode = 0;        // so that a task cannot pass off another file as its own
  uint64_t checksum = 0;            // of all bytes before it
};
static_assert(sizeof(ShimReport) == 40);

enum class ExitKind : uint32_t { kExited = 1, kSignaled = 2 };

struct ExitRecordData {
  uint32_t magic = kExitRecordMagic;
  uint32_t kind = 0;  // ExitKind
  int32_t value = 0;  // exit status, or number of the signal
  int32_t pid = 0;    // of the command
  int64_t ended_at_unix_ns = 0;
  int64_t user_us = 0;  // processor time of the command and of the children it awaited
  int64_t system_us = 0;
  int64_t memory_peak_bytes = 0;  // the largest resident set among them
  uint64_t checksum = 0;          // of all bytes before it
};
static_assert(sizeof(ExitRecordData) == 56);

// FNV-1a with 64 bits: against torn writes, not against people.
constexpr uint64_t shim_checksum(const unsigned char* bytes, size_t count) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < count; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}
inline constexpr size_t kExitRecordChecked = offsetof(ExitRecordData, checksum);
inline constexpr size_t kShimReportChecked = offsetof(ShimReport, checksum);

}  // namespace tepui
