#pragma once
// What the parts of the shim share: the specification that it read, and how it ends.
//
// Nothing here needs a library: see shim_main.cc.

#include <cstddef>
#include <cstdint>

#include "agent/linux/raw_syscall.h"
#include "agent/linux/shim_protocol.h"

namespace tepui::shim {

inline constexpr int kExitLaunchFailed = 1;

// A step with its texts, which point into the file.
struct StepTexts {
  const char* source = nullptr;
  const char* target = nullptr;
  const char* type = nullptr;
  const char* data = nullptr;
};

// As it was read. All pointers are into `file` and `pointers`, which are mapped privately.
struct Spec {
  ShimSpecHeader header;
  const unsigned char* filter = nullptr;  // header.filter_count instructions
  const ShimStep* steps = nullptr;
  const StepTexts* step_texts = nullptr;
  const ShimRlimit* rlimits = nullptr;
  const uint32_t* groups = nullptr;
  const char* program = nullptr;
  const char* directory = nullptr;
  const char** arguments = nullptr;
  const char** environment = nullptr;
  const char* path = "/usr/local/bin:/usr/bin:/bin";
  void* file = nullptr;
  void* pointers = nullptr;
  size_t pointer_bytes = 0;
};

// Where a launch failed and why; a stage of kStarted: nowhere.
struct Failure {
  uint32_t stage = 0;
  int code = 0;  // errno
};
inline Failure failure(ShimStage stage, long result) {
  return {.stage = static_cast<uint32_t>(stage), .code = static_cast<int>(-result)};
}

[[noreturn]] inline void leave(int status) {
  while (true) raw_syscall(SYS_exit_group, status);
}

// The kernel's answer where a pointer is expected.
inline bool is_error(long result) {
  constexpr long kErrnoMax = 4095;
  return result < 0 && result >= -kErrnoMax;
}

// The file is the agent's and trusted; the checks are against an agent of another version.
Failure read_spec(Spec* spec);
void forget_spec(const Spec& spec);

// Starts the process that holds the container's own namespaces and is the init of their pids, born
// in `cgroup` (-1: in that of the shim), and waits until it has done all steps. It reaps what
// nobody else does, holds nothing of the shim's, and dies with it.
struct Init {
  long pid = 0;
  int pidfd = -1;
};
Failure start_init(const Spec& spec, int cgroup, Init* init);
// The same where a user namespace is among them.
Failure start_init_of_users(const Spec& spec, int cgroup, Init* init);

// What inits are made of. `users`: the user namespace by which ids of mounts are mapped, or -1.
Failure run_steps(const Spec& spec, int users);
// Nobody may take it for a way into what it once was. Only `kept` stays open.
void become_harmless(long kept);
// Reaps, until it is killed.
[[noreturn]] void idle();

// Starts the process between the command and its files, and gives the shim its pipes as stdout and
// stderr.
struct Logger {
  long pid = 0;
  int control = -1;
};
Failure start_logger(const Spec& spec, int cgroup, Logger* logger);
// When the command has ended: waits until what it wrote is in the files.
void end_logger(const Logger& logger);

Failure become_user(const Spec& spec);
// Who that is outside of the container's user namespace, if it has one; without further groups
// then.
Failure become_user_outside(const Spec& spec);
void drop_capabilities();

// Becomes the command: joins the namespaces behind `namespaces` (a pidfd, or -1), limits itself,
// executes the program. Runs in the memory of the shim, on a stack of its own. Returns only to say
// why it failed.
Failure become_command(const Spec& spec, int namespaces, uint32_t namespace_flags);

}  // namespace tepui::shim
