#pragma once
// InstructionCounter counts the instructions of this thread in user space, where the machine lets
// it: many virtual machines have no counters. Beside it, what it takes to ask callgrind instead.
//
// For benchmarks only.

#include <cstdint>
#include <string>
#include <string_view>

namespace tepui::perf {

class InstructionCounter {
 public:
  InstructionCounter();
  ~InstructionCounter();
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;

  bool works() const { return descriptor_ >= 0; }
  void start();
  uint64_t stop();

 private:
  const int descriptor_;
};

// What a shell command prints; empty if it cannot be run.
std::string output_of(const std::string& command);
// The number that follows `key` in `text`; 0 if there is none.
double number_after(std::string_view text, std::string_view key);

}  // namespace tepui::perf
