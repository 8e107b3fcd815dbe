#pragma once
// Crun is a bundle of crun that runs one command and ends, again and again: a cgroup and, as
// wanted, namespaces and a root of its own. What it writes goes nowhere.
//
// For benchmarks only.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tepui::perf {

enum class CrunKind : uint8_t {
  kOpen,          // in the machine's file system and namespaces
  kConfined,      // pid, mount, ipc and uts namespaces; the machine's programs in a root folder
  kRoot,          // the same namespaces; a root of its own, with the mounts that an image expects
  kReadOnlyRoot,  // the same, and nothing can be written to it
};

class Crun {
 public:
  // The bundles are in `directory`, what crun notes of containers in `state`; both are made.
  // `root`: of kRoot and kReadOnlyRoot.
  Crun(std::filesystem::path directory, std::filesystem::path state, CrunKind kind,
       const std::filesystem::path& root);
  // To run it once more.
  std::vector<std::string> command();
  bool works();

 private:
  std::filesystem::path bundle(int number) const;

  const std::filesystem::path directory_;
  const std::filesystem::path state_;
  int count_ = 0;
};

}  // namespace tepui::perf
