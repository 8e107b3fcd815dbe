#include "perf/crun.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string_view>
#include <utility>

#include "perf/spawn.h"

namespace tepui::perf {
namespace {

namespace fs = std::filesystem;

// In turns: crun makes links in the root where no /dev is mounted, and two at once fail.
constexpr int kBundles = 16;

constexpr std::string_view kNamespaces =
    R"("namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}])";

// What `crun spec` writes, but for devices and users, of which we say nothing either.
constexpr std::string_view kRootMounts =
    R"({"destination": "/proc", "type": "proc", "source": "proc"},
       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
       {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
       {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
        "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
       {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
        "options": ["nosuid", "noexec", "nodev"]},
       {"destination": "/sys", "type": "sysfs", "source": "sysfs",
        "options": ["nosuid", "noexec", "nodev", "ro"]})";
constexpr std::string_view kProtected =
    R"("maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
         "/proc/timer_list", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
       "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"])";

// The root of a mount namespace cannot be that of the machine: a folder with its programs in it.
fs::path make_machine_root(const fs::path& directory) {
  const fs::path root = directory / "root";
  for (const char* folder : {"usr", "proc", "dev"}) fs::create_directories(root / folder);
  for (const char* link : {"bin", "lib", "lib64"}) {
    fs::create_symlink(std::string("usr/") + link, root / link);
  }
  return root;
}

std::string config(CrunKind kind, const fs::path& root) {
  std::string mounts;
  std::string linux_part = R"("namespaces": [])";
  switch (kind) {
    case CrunKind::kOpen:
      break;
    case CrunKind::kConfined:
      mounts = R"({"destination": "/proc", "type": "proc", "source": "proc"},
                  {"destination": "/usr", "type": "bind", "source": "/usr",
                   "options": ["rbind", "ro"]})";
      linux_part = kNamespaces;
      break;
    case CrunKind::kRoot:
    case CrunKind::kReadOnlyRoot:
      mounts = kRootMounts;
      linux_part = fmt::format("{}, {}", kNamespaces, kProtected);
      break;
  }
  return fmt::format(
      R"({{"ociVersion": "1.0.0", "root": {{"path": "{}", "readonly": {}}},
          "process": {{"terminal": false, "user": {{"uid": 0, "gid": 0}}, "args": ["/bin/true"],
                       "env": ["PATH=/usr/bin:/bin"], "cwd": "/"}},
          "mounts": [{}], "linux": {{{}}}}})",
      root.string(), kind == CrunKind::kReadOnlyRoot, mounts, linux_part);
}

}  // namespace

Crun::Crun(fs::path directory, fs::path state, CrunKind kind, const fs::path& root)
    : directory_(std::move(directory)), state_(std::move(state)) {
  fs::create_directories(state_);
  for (int i = 0; i < kBundles; ++i) {
    fs::create_directories(bundle(i));
    fs::path seen = root;
    if (kind == CrunKind::kOpen) seen = "/";
    if (kind == CrunKind::kConfined) seen = make_machine_root(bundle(i));
    std::ofstream(bundle(i) / "config.json") << config(kind, seen);
  }
}

fs::path Crun::bundle(int number) const { return directory_ / fmt::format("bundle-{}", number); }

std::vector<std::string> Crun::command() {
  return {"crun",
          "--root",
          state_,
          "--cgroup-manager=cgroupfs",
          "run",
          "--bundle",
          bundle(++count_ % kBundles),
          fmt::format("tepui-bench-{}-{}-{}", getpid(), directory_.filename().string(), count_)};
}

bool Crun::works() {
  int status = -1;
  waitpid(spawn(command()), &status, 0);
  return status == 0;
}

}  // namespace tepui::perf
