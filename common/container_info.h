#pragma once
// What a container looks like from within: its root file system, what is mounted there, and what
// its processes may do. All of it is optional; without, a container sees the machine's files and
// has the agent's defaults.
//
// Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/capabilities.h"
#include "common/result.h"

namespace tepui {

struct RootFilesystem {
  enum class Type : uint8_t {
    kDirectory = 1,   // a tree on the agent
    kOciLayout = 2,   // a directory with an OCI image layout
    kOciArchive = 3,  // the same as one tar file
  };
  Type type = Type::kDirectory;
  std::string path;       // absolute, on the agent
  std::string reference;  // the image's name in its layout; empty: the only one
  bool read_only = false;
  bool operator==(const RootFilesystem&) const = default;
};
inline constexpr int kRootFilesystemTypeCount = 4;  // 0 is not used

struct ContainerVolume {
  enum class Source : uint8_t {
    kHostPath = 1,     // `source_path` on the agent, absolute
    kSandboxPath = 2,  // `source_path` below the sandbox, made if it is not there
    kTmpfs = 3,        // memory, charged to the container; at most `size_bytes`
  };
  Source source = Source::kHostPath;
  std::string container_path;  // absolute; relative: below the sandbox
  std::string source_path;
  bool read_only = false;
  uint64_t size_bytes = 0;  // kTmpfs; 0: half of the container's memory limit, or of the machine's
  bool operator==(const ContainerVolume&) const = default;
};
inline constexpr int kVolumeSourceCount = 4;  // 0 is not used

// Numbers of Apache Mesos' v1 API; each is one of setrlimit(2).
enum class RlimitType : uint8_t {
  kAs = 1,
  kCore = 2,
  kCpu = 3,
  kData = 4,
  kFsize = 5,
  kLocks = 6,
  kMemlock = 7,
  kMsgqueue = 8,
  kNice = 9,
  kNofile = 10,
  kNproc = 11,
  kRss = 12,
  kRtprio = 13,
  kRttime = 14,
  kSigpending = 15,
  kStack = 16,
};
inline constexpr int kRlimitTypeCount = 17;  // 0 is not used

// "nofile"; "" for a number outside the enum.
std::string_view to_text(RlimitType type);
// "nofile", "NOFILE", "RLIMIT_NOFILE" and "RLMT_NOFILE" are the same.
Result<RlimitType> parse_rlimit_type(std::string_view text);

struct Rlimit {
  RlimitType type = RlimitType::kNofile;
  // In the unit of setrlimit(2). Absent: no limit.
  std::optional<uint64_t> soft;
  std::optional<uint64_t> hard;
  bool operator==(const Rlimit&) const = default;
};

struct ContainerInfo {
  enum class Network : uint8_t {
    kHost = 0,      // the machine's
    kLoopback = 1,  // a network of its own, with nothing but a loopback
  };
  enum class Seccomp : uint8_t { kDefault = 0, kUnconfined = 1 };

  std::optional<RootFilesystem> rootfs;  // absent: the machine's
  std::vector<ContainerVolume> volumes;
  std::vector<Rlimit> rlimits;
  // What root has within; never more than the agent allows. Absent: what the agent says.
  std::optional<CapabilitySet> capabilities;
  std::string hostname;  // empty: the machine's
  Network network = Network::kHost;
  Seccomp seccomp = Seccomp::kDefault;
  // Root within is nobody outside.
  bool user_namespace = false;
  // What /dev/shm may hold; 0: 64 MB. Only where /dev is the container's own.
  uint64_t shm_bytes = 0;
  bool operator==(const ContainerInfo&) const = default;
};
inline constexpr int kNetworkCount = 2;
inline constexpr int kSeccompCount = 2;

inline constexpr size_t kContainerVolumesMax = 64;
inline constexpr size_t kHostnameBytesMax = 64;  // of the kernel

// Its root file system is unpacked from an image, which says how it is to be run.
inline bool has_image(const std::optional<ContainerInfo>& container) {
  return container && container->rootfs &&
         container->rootfs->type != RootFilesystem::Type::kDirectory;
}

// Paths that lead where they say ('..' leads elsewhere), no place taken twice, soft limits at most
// hard ones, a hostname of RFC 1123. The error is the message of the TASK_ERROR status.
Result<void> validate(const ContainerInfo& container);

}  // namespace tepui
