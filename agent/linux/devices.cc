#include "agent/linux/devices.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "agent/isolators/devices.h"
#include "agent/linux/files.h"

namespace tepui {
namespace {

// Registers of the program.
constexpr uint8_t kType = BPF_REG_2;
constexpr uint8_t kAccess = BPF_REG_3;
constexpr uint8_t kMajor = BPF_REG_4;
constexpr uint8_t kMinor = BPF_REG_5;
// Holds the context until that has been read, then what it likes.
constexpr uint8_t kScratch = BPF_REG_1;

constexpr uint32_t kEveryAccess = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

// Instructions in order; a rule's tests jump to the next rule, whose place is known at its end.
class Assembler {
 public:
  Assembler() {
    load(kType, offsetof(bpf_cgroup_dev_ctx, access_type));
    load(kMajor, offsetof(bpf_cgroup_dev_ctx, major));
    load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor));
    move(kAccess, kType);
    add({.code = BPF_ALU | BPF_AND | BPF_K,
         .dst_reg = kType,
         .src_reg = 0,
         .off = 0,
         .imm = 0xffff});
    add({.code = BPF_ALU | BPF_RSH | BPF_K, .dst_reg = kAccess, .src_reg = 0, .off = 0, .imm = 16});
  }

  void allow(const DeviceRule& rule) {
    unless_equal(kType, rule.block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    if (rule.major) unless_equal(kMajor, *rule.major);
    if (rule.minor) unless_equal(kMinor, *rule.minor);
    uint32_t granted = 0;
    if (rule.read) granted |= BPF_DEVCG_ACC_READ;
    if (rule.write) granted |= BPF_DEVCG_ACC_WRITE;
    if (rule.make) granted |= BPF_DEVCG_ACC_MKNOD;
    if (granted != kEveryAccess) {
      move(kScratch, kAccess);
      add({.code = BPF_ALU | BPF_AND | BPF_K,
           .dst_reg = kScratch,
           .src_reg = 0,
           .off = 0,
           .imm = static_cast<int32_t>(kEveryAccess & ~granted)});
      unless_equal(kScratch, 0);
    }
    answer(1);
    for (const size_t jump : jumps_) {
      code_[jump].off = static_cast<int16_t>(code_.size() - jump - 1);
    }
    jumps_.clear();
  }

  const std::vector<bpf_insn>& finish() {
    answer(0);
    return code_;
  }

 private:
  void add(bpf_insn instruction) { code_.push_back(instruction); }
  void load(uint8_t to, size_t offset) {
    add({.code = BPF_LDX | BPF_MEM | BPF_W,
         .dst_reg = static_cast<uint8_t>(to & 0xf),
         .src_reg = kScratch,
         .off = static_cast<int16_t>(offset),
         .imm = 0});
  }
  void move(uint8_t to, uint8_t from) {
    add({.code = BPF_ALU | BPF_MOV | BPF_X,
         .dst_reg = static_cast<uint8_t>(to & 0xf),
         .src_reg = static_cast<uint8_t>(from & 0xf),
         .off = 0,
         .imm = 0});
  }
  void unless_equal(uint8_t left, uint32_t right) {
    jumps_.push_back(code_.size());
    add({.code = BPF_JMP | BPF_JNE | BPF_K,
         .dst_reg = static_cast<uint8_t>(left & 0xf),
         .src_reg = 0,
         .off = 0,
         .imm = static_cast<int32_t>(right)});
  }
  void answer(int32_t value) {
    add({.code = BPF_ALU64 | BPF_MOV | BPF_K,
         .dst_reg = BPF_REG_0,
         .src_reg = 0,
         .off = 0,
         .imm = value});
    add({.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0});
  }

  std::vector<bpf_insn> code_;
  std::vector<size_t> jumps_;
};

}  // namespace

Result<int> DevicePrograms::program(const std::vector<std::string>& rules) {
  const std::lock_guard lock(mutex_);
  const auto found = programs_.find(rules);
  if (found != programs_.end()) return found->second.get();
  Assembler assembler;
  for (const std::string& rule : rules) assembler.allow(TRY(parse_device_rule(rule)));
  const std::vector<bpf_insn>& code = assembler.finish();
  Fd program(bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, "tepui_devices", "GPL", code.data(),
                           code.size(), nullptr));
  if (!program) return std::unexpected(system_error(errno, "loading the program for devices"));
  return programs_.emplace(rules, std::move(program)).first->second.get();
}

Result<void> DevicePrograms::attach(int cgroup, const std::vector<std::string>& rules) {
  const int program_fd = TRY(program(rules));
  if (bpf_prog_attach(program_fd, cgroup, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI) != 0) {
    return std::unexpected(system_error(errno, "attaching the program for devices"));
  }
  return {};
}

Result<void> DevicePrograms::probe(int cgroup) {
  TRY(attach(cgroup, default_devices()));
  if (bpf_prog_detach2(TRY(program(default_devices())), cgroup, BPF_CGROUP_DEVICE) != 0) {
    return std::unexpected(system_error(errno, "detaching the program for devices"));
  }
  return {};
}

}  // namespace tepui
