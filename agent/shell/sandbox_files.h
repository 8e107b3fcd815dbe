#pragma once
// SandboxFiles reads files of tasks' sandboxes for operators: a part at a time, on a thread that
// may block, never outside the sandbox that was asked for, never through a symbolic link, and only
// regular files.
//
// One thread, the loop's. The number of reads under way is bounded.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/io/fd.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/result.h"

namespace tepui {

struct SandboxRead {
  std::string sandbox;  // relative to the work directory
  std::string path;     // relative to the sandbox
  uint64_t offset = 0;  // UINT64_MAX: only the size is wanted
  uint32_t length = 0;
};

struct SandboxBytes {
  uint64_t offset = 0;
  uint64_t size = 0;  // of the file now
  std::string data;
};

// Relative, without "..", of printable length.
Result<void> validate_sandbox_path(std::string_view path);
// Blocks. The error is fit for the operator.
Result<SandboxBytes> read_sandbox_file(int work_dir, const SandboxRead& read);

class SandboxFilesOwner {
 public:
  virtual ~SandboxFilesOwner() = default;
  virtual void on_sandbox_read(uint64_t token, Result<SandboxBytes> bytes) = 0;
};

class SandboxFiles {
 public:
  static Result<std::unique_ptr<SandboxFiles>> create(Reactor& reactor, SandboxFilesOwner& owner,
                                                      const std::string& work_dir);
  ~SandboxFiles();

  // The answer comes with `token` in a later turn. False: too many reads are under way.
  [[nodiscard]] bool start(uint64_t token, SandboxRead read);

 private:
  struct Reading;

  SandboxFiles(SandboxFilesOwner& owner, Fd work_dir);
  void on_done(Reading& reading);

  SandboxFilesOwner& owner_;
  const Fd work_dir_;
  std::map<uint64_t, std::unique_ptr<Reading>> readings_;
  std::unique_ptr<Worker> worker_;  // destroyed first: its jobs are the readings
};

}  // namespace tepui
