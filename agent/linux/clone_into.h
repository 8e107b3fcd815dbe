#pragma once
// Starts a child that shares the caller's memory until it executes a program or exits (as vfork
// does), but on a stack of its own, born in a cgroup, and watched by a pidfd. This is the fastest
// way to start a process, whatever the size of the caller.
//
// The child must only make system calls and write to memory that was set aside for it. The caller's
// thread sleeps meanwhile. All signals should be blocked in the caller, so that no handler runs in
// the child.
//
// Used by the agent and by the shim; needs nothing of the C++ library.

#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

#include "agent/linux/raw_syscall.h"

namespace tepui {

struct CloneRequest {
  int cgroup = -1;       // an open directory of the v2 hierarchy, or -1: the caller's cgroup
  int* pidfd = nullptr;  // null: none is wanted
  char* stack = nullptr;
  size_t stack_bytes = 0;  // a multiple of 16
  void (*run)(void*) = nullptr;
  void* argument = nullptr;
};

// The child's pid, or minus an errno.
inline long clone_into(const CloneRequest& request) {
  clone_args arguments{};
  arguments.flags = CLONE_VFORK;
  arguments.exit_signal = SIGCHLD;
  if (request.cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(request.cgroup);
  }
  if (request.pidfd != nullptr) {
    arguments.flags |= CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<uint64_t>(request.pidfd);
  }
#if defined(__x86_64__)
  arguments.flags |= CLONE_VM;
  arguments.stack = reinterpret_cast<uint64_t>(request.stack);
  arguments.stack_size = request.stack_bytes;
  long result = SYS_clone3;
  // The system call keeps these two, so that the child finds them although its stack is empty.
  register void (*run)(void*) asm("r12") = request.run;
  register void* argument asm("r13") = request.argument;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "mov %[exit], %%eax\n\t"
      "mov $127, %%edi\n\t"
      "syscall\n\t"
      "1:"
      : "+a"(result)
      : "D"(&arguments), "S"(sizeof arguments), "r"(run), "r"(argument), [exit] "i"(SYS_exit_group)
      : "rcx", "r11", "memory");
  return result;
#else
  // Without a way to switch stacks the child gets a copy of the memory: slower, and what it writes
  // stays its own. Callers learn of a failed child through a pipe or its exit code.
  const long result = raw_syscall(SYS_clone3, raw_address(&arguments), sizeof arguments);
  if (result == 0) {
    request.run(request.argument);
    raw_syscall(SYS_exit_group, 127);
  }
  return result;
#endif
}

}  // namespace tepui
