#include "agent/linux/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <utility>

#include "agent/corrections.h"
#include "agent/isolators/disk.h"
#include "agent/linux/files.h"
#include "agent/linux/numa.h"
#include "agent/linux/scheduling.h"

namespace tepui {
namespace {

constexpr const char* kKillFile = "cgroup.kill";
constexpr std::string_view kShims = "shims-";
constexpr std::string_view kDevices = "devices";
// Not of cgroups: DiskQuota or DiskImages have seen to it.
bool is_of_disk(const ControlWrite& write) {
  return write.controller == "disk" || write.controller == kDiskImageIsolator;
}

// At the start of an agent: long enough for a loaded machine to bury a big tree.
constexpr Duration kClearPatience = std::chrono::seconds(10);
// Deeper than any sane container; the kernel's own bound may be lower.
constexpr int kDepthMax = 64;

Instant boot_clock() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return Instant(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec));
}

// Children first. A cgroup whose last process was just seen to leave can still be busy for a
// moment, which the caller meets by trying again.
Result<void> remove_tree(int parent, const std::string& name, int depth) {
  if (depth > kDepthMax) return fail(fmt::format("{} is nested too deeply", name));
  Fd directory(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    if (errno == ENOENT) return {};
    return std::unexpected(system_error(errno, "opening cgroup " + name));
  }
  for (const std::string& child : TRY(list_directories(directory.get()))) {
    TRY(remove_tree(directory.get(), child, depth + 1));
  }
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return std::unexpected(system_error(errno, "removing cgroup " + name));
  }
  return {};
}

// Of a file with one number; 0 where there is none.
int64_t number_in(int directory, const std::string& file) {
  int64_t number = 0;
  const Result<std::string> text = read_file_at(directory, file);
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

// Kills and removes one child of the subtree; false when something in it outlived `patience`.
Result<bool> kill_and_remove(int parent, const std::string& name, Duration patience) {
  // What is empty already needs no more.
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  const Instant deadline = later(boot_clock(), patience);
  {
    Fd directory(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
      if (errno == ENOENT) return true;
      return std::unexpected(system_error(errno, "opening cgroup " + name));
    }
    TRY(write_control_at(directory.get(), kKillFile, "1"));
    if (!TRY(wait_until_empty(directory.get(), patience))) return false;
  }
  while (true) {
    Result<void> removed = remove_tree(parent, name, 0);
    if (removed.has_value()) return true;
    if (removed.error().code != EBUSY) return std::unexpected(std::move(removed).error());
    if (boot_clock() >= deadline) return false;
    constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 200'000};
    nanosleep(&kMoment, nullptr);
  }
}

// Opens and locks the directory, and makes sure that it is still the one of that name: an agent
// that ends removes its subtree between our opening and our locking it.
Result<Fd> take_directory(int base, const std::string& name) {
  constexpr int kAttempts = 16;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Fd directory = TRY(make_directories_at(base, name, 0755));
    if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) {
        return fail(fmt::format("another agent lives in the cgroup {}; give this one its own "
                                "--cgroup-root",
                                name),
                    EWOULDBLOCK);
      }
      return std::unexpected(system_error(errno, "locking cgroup " + name));
    }
    struct stat held{};
    struct stat named{};
    bool same = fstat(directory.get(), &held) == 0 &&
                fstatat(base, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                held.st_ino == named.st_ino && held.st_dev == named.st_dev;
    if (same) return directory;
  }
  return fail(fmt::format("the cgroup {} disappears again and again", name));
}

}  // namespace

std::string container_directory(const std::string& id) {
  std::string directory = "container-";
  for (const char c : id) {
    directory += c;
    if (c == '/') directory += "container-";
  }
  return directory;
}

int64_t flat_keyed_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
    int64_t value = 0;
    line.remove_prefix(key.size() + 1);
    std::from_chars(line.data(), line.data() + line.size(), value);
    return value;
  }
  return 0;
}

Result<bool> wait_until_empty(int cgroup, Duration patience) {
  const Instant deadline = later(boot_clock(), patience);
  Fd events(openat(cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC));
  if (!events) return std::unexpected(system_error(errno, "opening cgroup.events"));
  while (true) {
    char text[256];
    ssize_t bytes = pread(events.get(), text, sizeof text, 0);
    if (bytes < 0) return std::unexpected(system_error(errno, "reading cgroup.events"));
    std::string_view read(text, static_cast<size_t>(bytes));
    if (flat_keyed_value(read, "populated") == 0) return true;
    Duration left = deadline - boot_clock();
    if (left <= Duration::zero()) return false;
    // The kernel announces changes of the file as POLLPRI.
    pollfd changed{.fd = events.get(), .events = POLLPRI, .revents = 0};
    poll(&changed, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
  }
}

CgroupRoot::CgroupRoot(Fd base, std::string name, std::string path, Fd directory)
    : base_(std::move(base)),
      name_(std::move(name)),
      path_(std::move(path)),
      directory_(std::move(directory)) {}

Result<std::unique_ptr<CgroupRoot>> CgroupRoot::create(const CgroupPlace& place,
                                                       std::string_view name,
                                                       const std::vector<std::string>& wanted) {
  Fd base = TRY(open_directory_at(AT_FDCWD, place.base));
  Fd directory = TRY(take_directory(base.get(), std::string(name)));
  std::unique_ptr<CgroupRoot> root(new CgroupRoot(std::move(base), std::string(name),
                                                  fmt::format("{}/{}", place.base, name),
                                                  std::move(directory)));
  root->remove_unused_shims();
  root->enable(place, wanted);
  root->protect();
  TRY(root->make_shims());
  // A place where processes cannot be moved or born is of no use: better found now than at the
  // first launch.
  if (faccessat(root->shims_.get(), "cgroup.procs", W_OK, AT_EACCESS) != 0 ||
      faccessat(root->shims_.get(), kKillFile, W_OK, AT_EACCESS) != 0) {
    Error error = system_error(errno, "the cgroup of the shims cannot be used");
    root->remove_if_empty();
    return std::unexpected(std::move(error));
  }
  return root;
}

Result<void> CgroupRoot::make_shims() {
  constexpr int kAttempts = 10'000;  // as many lives may have left shims that live
  for (int i = 1; i <= kAttempts; ++i) {
    const std::string name = fmt::format("{}{}", kShims, i);
    if (mkdirat(directory_.get(), name.c_str(), 0755) == 0) {
      shims_ = TRY(open_directory_at(directory_.get(), name));
      return {};
    }
    if (errno != EEXIST) {
      return std::unexpected(system_error(errno, "creating cgroup " + name));
    }
  }
  return fail("there are too many cgroups of shims");
}

void CgroupRoot::remove_unused_shims() {
  const Result<std::vector<std::string>> children = list_directories(directory_.get());
  if (!children) return;
  for (const std::string& child : *children) {
    // Fails while a shim lives there.
    if (child.starts_with(kShims)) unlinkat(directory_.get(), child.c_str(), AT_REMOVEDIR);
  }
}

Result<std::vector<std::string>> CgroupRoot::containers() const {
  const std::string prefix = container_directory("");
  std::vector<std::string> ids;
  for (const std::string& child : TRY(list_directories(directory_.get()))) {
    if (child.starts_with(prefix)) ids.push_back(child.substr(prefix.size()));
  }
  return ids;
}

Result<void> CgroupRoot::clear() {
  for (const std::string& child : TRY(list_directories(directory_.get()))) {
    if (!TRY(kill_and_remove(directory_.get(), child, kClearPatience))) {
      return fail(
          fmt::format("processes of an earlier life in cgroup {}/{} do not die", name_, child),
          EBUSY);
    }
  }
  return {};
}

// Enables what is there on every level from the base down. What cannot be enabled is missing, and
// the caller says so: an agent without a controller still does its job.
void CgroupRoot::enable(const CgroupPlace& place, const std::vector<std::string>& wanted) {
  if (place.base_is_own) {
    // Processes and enabled controllers exclude each other in a cgroup: the agent makes room.
    std::string leaf = "agent-" + std::to_string(getpid());
    if (Result<Fd> own = make_directories_at(base_.get(), leaf, 0755); own.has_value()) {
      (void)write_control_at(own->get(), "cgroup.procs", "0").has_value();
    }
  }
  std::vector<std::string> levels{"."};
  for (size_t slash = name_.find('/'); slash != std::string::npos;
       slash = name_.find('/', slash + 1)) {
    levels.push_back(name_.substr(0, slash));
  }
  levels.push_back(name_);
  for (const std::string& controller : wanted) {
    bool enabled = true;
    for (const std::string& level : levels) {
      Result<Fd> directory = open_directory_at(base_.get(), level);
      enabled = enabled && directory.has_value() &&
                write_control_at(directory->get(), "cgroup.subtree_control", "+" + controller)
                    .has_value();
    }
    if (enabled) controllers_.push_back(controller);
  }
  std::ranges::sort(controllers_);
}

// What fails here is missing or forbidden, and then nothing below is protected.
void CgroupRoot::protect() const {
  if (!has_controller("memory")) return;
  for (size_t end = name_.find('/'); true; end = name_.find('/', end + 1)) {
    (void)write_control_at(base_.get(), name_.substr(0, end) + "/memory.low", "max").has_value();
    if (end == std::string::npos) return;
  }
}

bool CgroupRoot::has_controller(std::string_view name) const {
  return std::ranges::find(controllers_, name) != controllers_.end();
}

bool CgroupRoot::has_file(const std::string& file) const {
  return faccessat(shims_.get(), file.c_str(), W_OK, AT_EACCESS) == 0;
}

Result<void> CgroupRoot::try_devices() const { return devices_.probe(shims_.get()); }

Result<void> CgroupRoot::try_network(std::string_view isolator) const {
  return network_.probe(shims_.get(), isolator);
}

Result<void> CgroupRoot::write_fresh(int cgroup, const IsolationPlan& plan) const {
  std::vector<std::string> devices;
  for (const ControlWrite& write : plan) {
    if (write.controller == kDevices) {
      devices.push_back(write.value);
    } else if (is_of_disk(write)) {
      continue;
    } else if (NetworkPrograms::is_for(write)) {
      TRY(network_.attach(cgroup, write));
    } else if (const std::optional<int64_t> request = numa_request(write)) {
      TRY(place_on_node(cgroup, *request));
    } else {
      TRY(write_control_at(cgroup, write.file, write.value));
    }
  }
  if (!devices.empty()) TRY(devices_.attach(cgroup, devices));
  return {};
}

// What is taken of a node shows in the cgroups themselves, so a next life of the agent knows it,
// too: containers whose memory is on one node, and what their weight says that they requested.
Result<std::vector<NumaNode>> CgroupRoot::weigh_nodes() const {
  std::vector<NumaNode> nodes = TRY(read_numa_nodes());
  for (const std::string& id : TRY(containers())) {
    const std::string directory = container_directory(id);
    const Result<std::string> mems = read_file_at(directory_.get(), directory + "/cpuset.mems");
    const Result<std::string> weight = read_file_at(directory_.get(), directory + "/cpu.weight");
    if (!mems || !weight) continue;  // just removed
    for (NumaNode& node : nodes) {
      int64_t hundredths = 0;
      std::from_chars(weight->data(), weight->data() + weight->size(), hundredths);
      if (*mems == fmt::format("{}\n", node.id)) node.taken_milli += hundredths * 10;
    }
  }
  return nodes;
}

Result<void> CgroupRoot::place_on_node(int cgroup, int64_t request_milli) const {
  const std::lock_guard lock(placing_);
  const std::vector<NumaNode> nodes = TRY(weigh_nodes());
  const NumaNode* node = choose_node(nodes, request_milli);
  if (node == nullptr) return {};
  TRY(write_control_at(cgroup, "cpuset.cpus", node->cpus));
  return write_control_at(cgroup, "cpuset.mems", fmt::format("{}", node->id));
}

Result<Fd> CgroupRoot::create_container(const std::string& id, const IsolationPlan& plan) const {
  const std::string name = container_directory(id);
  if (mkdirat(directory_.get(), name.c_str(), 0755) != 0) {
    return std::unexpected(system_error(errno, "creating cgroup " + name));
  }
  auto prepare = [this, &name, &plan]() -> Result<Fd> {
    Fd cgroup = TRY(open_directory_at(directory_.get(), name));
    TRY(write_fresh(cgroup.get(), plan));
    return cgroup;
  };
  Result<Fd> cgroup = prepare();
  if (!cgroup.has_value()) {
    unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR);
    return std::unexpected(std::move(cgroup).error().in("cgroup " + name));
  }
  return cgroup;
}

Result<void> CgroupRoot::create_parent(const std::string& id) const {
  const std::string name = container_directory(id);
  if (mkdirat(directory_.get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
    return std::unexpected(system_error(errno, "creating cgroup " + name));
  }
  for (const std::string& controller : controllers_) {
    TRY(write_control_at(directory_.get(), name + "/cgroup.subtree_control", "+" + controller));
  }
  if (has_controller("memory")) {
    TRY(write_control_at(directory_.get(), name + "/memory.low", "max"));
  }
  return {};
}

void CgroupRoot::remove_parent(const std::string& id) const {
  // Fails while something is inside.
  unlinkat(directory_.get(), container_directory(id).c_str(), AT_REMOVEDIR);
}

Result<void> CgroupRoot::update_container(const std::string& id, const IsolationPlan& plan) const {
  const std::string name = container_directory(id);
  // One that the kernel refuses must not keep a container frozen whose thaw comes after it.
  Result<void> all;
  for (const ControlWrite& write : plan) {
    if (write.controller == kDevices || is_of_disk(write) || numa_request(write)) continue;
    Result<void> written = update(name, write);
    if (!written.has_value() && all.has_value()) all = std::move(written);
  }
  return all;
}

Result<void> CgroupRoot::update(const std::string& name, const ControlWrite& write) const {
  if (NetworkPrograms::is_for(write)) {
    const Fd cgroup = TRY(open_directory_at(directory_.get(), name));
    return NetworkPrograms::change(cgroup.get(), write);
  }
  if (write.controller == kFreezeDuty) return {};  // the loop's
  if (write.controller == kSchedIdle) return set_idle(directory_.get(), name, write.value == "1");
  const std::string file = name + "/" + write.file;
  if (write.controller == "cpuset") {
    return write_control_at(directory_.get(), file, TRY(cpus_for(write.value)));
  }
  return write_control_at(directory_.get(), file, write.value);
}

// The kernel's words for a value of cpuset.cpus.
Result<std::string> CgroupRoot::cpus_for(const std::string& value) const {
  // Not to write anything is not to write nothing.
  if (value.empty()) return "\n";
  const std::optional<int64_t> count = last_cpus(value);
  if (!count) return value;
  return last_of_cpus(TRY(read_file_at(directory_.get(), "cpuset.cpus.effective")), *count);
}

Result<Fd> CgroupRoot::open_control(const std::string& id, std::string_view file) const {
  const std::string path = fmt::format("{}/{}", container_directory(id), file);
  Fd opened(openat(directory_.get(), path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!opened) return std::unexpected(system_error(errno, "opening " + path));
  return opened;
}

Result<void> CgroupRoot::kill_container(const std::string& id) const {
  return write_control_at(directory_.get(), container_directory(id) + "/" + kKillFile, "1");
}

Result<bool> CgroupRoot::remove_container(const std::string& id, Duration patience) const {
  return kill_and_remove(directory_.get(), container_directory(id), patience);
}

Result<CgroupMemory> CgroupRoot::memory_of(const std::string& id) const {
  CgroupMemory memory;
  if (!has_controller("memory")) return memory;
  const std::string directory = container_directory(id);
  std::string events = TRY(read_file_at(directory_.get(), directory + "/memory.events"));
  memory.oom_killed = flat_keyed_value(events, "oom_kill") > 0;
  // memory.peak is younger than memory.events (5.19): where it is absent the peak is not known.
  memory.peak_bytes = number_in(directory_.get(), directory + "/memory.peak");
  memory.usage_bytes = number_in(directory_.get(), directory + "/memory.current");
  return memory;
}

Result<void> CgroupRoot::kill_all_and_remove() {
  shims_.reset();
  TRY(clear());
  return remove_directory();
}

void CgroupRoot::remove_if_empty() {
  shims_.reset();
  remove_unused_shims();
  (void)remove_directory().has_value();
}

Result<void> CgroupRoot::remove_directory() {
  if (unlinkat(base_.get(), name_.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return std::unexpected(system_error(errno, "removing cgroup " + name_));
  }
  // The levels above are shared with other agents: the last one to leave removes them.
  std::string above = name_;
  for (size_t slash = above.rfind('/'); slash != std::string::npos; slash = above.rfind('/')) {
    above.resize(slash);
    if (unlinkat(base_.get(), above.c_str(), AT_REMOVEDIR) != 0) break;
  }
  return {};
}

}  // namespace tepui
