#include "cli/container_options.h"

#include <utility>

#include "cli/container_text.h"

namespace tepui::cli {

std::vector<Option> container_options() {
  std::vector<Option> options = {
      {.name = "rootfs",
       .help = "A directory of the agent's machine that the command sees as its root; it is never "
               "changed. The agent must permit it (--image-dir)."},
      {.name = "image",
       .help = "An image of the agent's machine as root: oci:/PATH[:NAME] for an OCI layout, "
               "oci-archive:/PATH[:NAME] for one in a tar file (--image-dir)."},
      {.name = "read-only-rootfs",
       .kind = OptionKind::kFlag,
       .help = "The root cannot be written to, except /tmp, /run and volumes."},
      {.name = "volume",
       .kind = OptionKind::kTexts,
       .help = "SOURCE:CONTAINER or SOURCE:CONTAINER:ro, a path of the agent's machine (which must "
               "permit it: --volume-host-paths), or a relative one of the sandbox, and where it is "
               "seen. May be repeated."},
      {.name = "tmpfs",
       .kind = OptionKind::kTexts,
       .help = "PATH or PATH:SIZE, memory as a directory; half of the memory limit if no size is "
               "given. May be repeated."},
      {.name = "rlimit",
       .kind = OptionKind::kTexts,
       .help = "nofile=1024:4096, core=0, memlock=unlimited; see setrlimit(2). May be repeated."},
      {.name = "cap",
       .kind = OptionKind::kList,
       .help = "Exactly these capabilities, as CHOWN,NET_RAW, or none; no more than the agent's."},
      {.name = "hostname", .help = "The container's own host name."},
      {.name = "network",
       .help = "The machine's network, or one with nothing but a loopback.",
       .choices = {"host", "loopback"}},
      {.name = "seccomp",
       .help = "With the agent's filter of system calls, or without, where it permits that.",
       .choices = {"default", "unconfined"}},
      {.name = "user-namespace",
       .kind = OptionKind::kFlag,
       .help = "Users of the container's own: root in it is nobody outside. The agent must have "
               "namespaces/user."},
      {.name = "shm-size", .help = "What /dev/shm may hold in a rootfs; 64MB if not given."},
  };
  for (Option& option : options) option.group = "Container";
  return options;
}

Outcome<std::optional<ContainerInfo>> container_of(const Settings& settings) {
  auto container = parse_container({.rootfs = settings.text("rootfs"),
                                    .image = settings.text("image"),
                                    .read_only_rootfs = settings.flag("read-only-rootfs"),
                                    .volumes = settings.list("volume"),
                                    .tmpfs = settings.list("tmpfs"),
                                    .rlimits = settings.list("rlimit"),
                                    .capabilities = settings.list("cap"),
                                    .hostname = settings.text("hostname"),
                                    .network = settings.text("network"),
                                    .seccomp = settings.text("seccomp"),
                                    .user_namespace = settings.flag("user-namespace"),
                                    .shm_size = settings.text("shm-size")});
  if (!container) return std::unexpected(Failure{kUsage, container.error().message});
  return *std::move(container);
}

}  // namespace tepui::cli
