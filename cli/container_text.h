#pragma once
// What a container looks like from within, as people write it: on the command line of `tepui run`
// and in batch files. Pure.

#include <optional>
#include <string>
#include <vector>

#include "common/container_info.h"
#include "common/result.h"

namespace tepui::cli {

struct ContainerTexts {
  std::string rootfs;  // a directory of the agent's machine
  std::string image;   // one of its OCI images, as parse_image() takes it
  bool read_only_rootfs = false;
  std::vector<std::string> volumes;  // SOURCE:CONTAINER[:ro]; a relative source is in the sandbox
  std::vector<std::string> tmpfs;    // CONTAINER[:SIZE]
  std::vector<std::string> rlimits;  // nofile=1024:4096, nofile=1024, core=unlimited
  std::vector<std::string> capabilities;  // names, or "none" alone
  std::string hostname;
  std::string network;  // host or loopback
  std::string seccomp;  // default or unconfined
  bool user_namespace = false;
  std::string shm_size;
  bool operator==(const ContainerTexts&) const = default;
};

// Nothing where nothing is asked for. The error begins with the name of the field, as "volume: ".
Result<std::optional<ContainerInfo>> parse_container(const ContainerTexts& texts);

}  // namespace tepui::cli
