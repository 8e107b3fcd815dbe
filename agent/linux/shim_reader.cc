// The part of the shim that reads its specification.

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "agent/linux/shim_base.h"

namespace tepui::shim {
namespace {

// Private and writable memory, of the file `fd` unless that is -1; or minus an errno.
long map_memory(size_t bytes, int fd) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
  return raw_syscall(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE, flags, fd, 0);
}

// Walks over the file; what does not fit into it makes everything after it fail too.
class Cursor {
 public:
  Cursor(const char* at, const char* end) : at_(at), end_(end) {}

  template <class T>
  const T* take(size_t count) {
    if (count > static_cast<size_t>(end_ - at_) / sizeof(T)) whole_ = false;
    if (!whole_) return nullptr;
    const auto* taken = reinterpret_cast<const T*>(at_);
    at_ += count * sizeof(T);
    return taken;
  }

  const char* take_text() {
    const char* start = at_;
    for (; whole_ && at_ < end_; ++at_) {
      if (*at_ != 0) continue;
      ++at_;
      return start;
    }
    whole_ = false;
    return nullptr;
  }

  void take_texts(size_t count, const char** into) {
    for (size_t i = 0; i < count; ++i) into[i] = take_text();
    into[count] = nullptr;
  }

  bool is_whole() const { return whole_; }

 private:
  const char* at_;
  const char* end_;
  bool whole_ = true;
};

const char* value_of_path(const char* variable) {
  for (const char* expected = "PATH="; *expected != 0; ++expected, ++variable) {
    if (*variable != *expected) return nullptr;
  }
  return variable;
}

size_t pointer_bytes(const ShimSpecHeader& header) {
  return (size_t{header.argument_count} + header.variable_count + 2) * sizeof(char*) +
         size_t{header.step_count} * sizeof(StepTexts);
}

bool fits(const ShimSpecHeader& header, size_t bytes) {
  return header.magic == kShimSpecMagic && header.bytes == bytes &&
         header.argument_count <= bytes && header.variable_count <= bytes &&
         header.step_count <= bytes;
}

}  // namespace

Failure read_spec(Spec* spec) {
  struct stat status{};
  if (const long result = raw_syscall(SYS_fstat, kShimSpecFd, raw_address(&status)); result < 0) {
    return failure(ShimStage::kSpec, result);
  }
  const auto bytes = static_cast<size_t>(status.st_size);
  const Failure unreadable = failure(ShimStage::kSpec, -EPROTO);
  if (bytes < sizeof spec->header) return unreadable;
  const long file = map_memory(bytes, kShimSpecFd);
  if (is_error(file)) return failure(ShimStage::kSpec, file);
  spec->file = reinterpret_cast<void*>(file);  // NOLINT(performance-no-int-to-ptr): the kernel's
  spec->header = *static_cast<const ShimSpecHeader*>(spec->file);
  const ShimSpecHeader& header = spec->header;
  if (!fits(header, bytes)) return unreadable;
  spec->pointer_bytes = pointer_bytes(header);
  const long pointers = map_memory(spec->pointer_bytes, -1);
  if (is_error(pointers)) return failure(ShimStage::kSpec, pointers);
  spec->pointers = reinterpret_cast<void*>(pointers);  // NOLINT(performance-no-int-to-ptr)
  spec->arguments = static_cast<const char**>(spec->pointers);
  spec->environment = spec->arguments + header.argument_count + 1;
  auto* step_texts = reinterpret_cast<StepTexts*>(spec->environment + header.variable_count + 1);
  spec->step_texts = step_texts;

  const auto* start = static_cast<const char*>(spec->file);
  Cursor cursor(start + sizeof header, start + bytes);
  spec->filter = cursor.take<unsigned char>(size_t{header.filter_count} * kShimFilterBytes);
  spec->steps = cursor.take<ShimStep>(header.step_count);
  spec->rlimits = cursor.take<ShimRlimit>(header.rlimit_count);
  spec->groups = cursor.take<uint32_t>(header.group_count);
  spec->program = cursor.take_text();
  spec->directory = cursor.take_text();
  cursor.take_texts(header.argument_count, spec->arguments);
  cursor.take_texts(header.variable_count, spec->environment);
  for (uint32_t i = 0; i < header.step_count; ++i) {
    step_texts[i].source = cursor.take_text();
    step_texts[i].target = cursor.take_text();
    step_texts[i].type = cursor.take_text();
    step_texts[i].data = cursor.take_text();
  }
  if (!cursor.is_whole()) return unreadable;
  for (const char** variable = spec->environment; *variable != nullptr; ++variable) {
    if (const char* path = value_of_path(*variable)) spec->path = path;
  }
  return {};
}

void forget_spec(const Spec& spec) {
  raw_syscall(SYS_munmap, raw_address(spec.pointers), static_cast<long>(spec.pointer_bytes));
  raw_syscall(SYS_munmap, raw_address(spec.file), spec.header.bytes);
}

}  // namespace tepui::shim
