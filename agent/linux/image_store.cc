#include "agent/linux/image_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/linux/files.h"
#include "common/io/files.h"

namespace tepui {
namespace {

constexpr const char* kOpaque = "trusted.overlay.opaque";
// What a layer costs beside its bytes.
constexpr uint64_t kLayerBytes = 1 << 20;

std::string digits_of(const std::string& digest) { return digest.substr(digest.find(':') + 1); }

Result<Fd> make_directory(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return std::unexpected(system_error(code.value(), "creating the directory " + path));
  Fd made = TRY(open_directory_at(AT_FDCWD, path));
  // Programs of images that gain rights when they are run are for their containers alone.
  if (fchmod(made.get(), 0700) != 0) {
    return std::unexpected(system_error(errno, "closing the directory " + path));
  }
  return made;
}

void remove_tree(const std::string& path) {
  std::error_code code;  // what stays is removed at the next start
  std::filesystem::remove_all(path, code);
}

Result<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  if (real == nullptr) return std::unexpected(system_error(errno, "finding it"));
  return std::string(real.get());
}

bool is_below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory) &&
         (directory.ends_with('/') || path.substr(directory.size()).starts_with('/'));
}

// The paths come from who unpacked the layer, and lead nowhere else.
Result<void> mark_opaque(const Fd& tree, const std::vector<std::string>& directories) {
  for (const std::string& path : directories) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    const Fd directory(
        static_cast<int>(syscall(SYS_openat2, tree.get(), path.c_str(), &how, sizeof how)));
    if (!directory || fsetxattr(directory.get(), kOpaque, "y", 1, 0) != 0) {
      return std::unexpected(system_error(errno, fmt::format("marking '{}' as opaque", path)));
    }
  }
  return {};
}

bool hides_all_below(const std::string& tree) {
  char value = 0;
  return lgetxattr(tree.c_str(), kOpaque, &value, 1) == 1 && value == 'y';
}

}  // namespace

Result<std::unique_ptr<ImageStore>> ImageStore::create(ImageStoreOptions options,
                                                       const std::set<std::string>& containers) {
  std::unique_ptr<ImageStore> store(new ImageStore(std::move(options)));
  const std::string& directory = store->options_.directory;
  TRY(make_directory(directory));
  remove_tree(directory + "/staging");
  store->staging_ = TRY(make_directory(directory + "/staging"));
  store->layers_ = TRY(make_directory(directory + "/layers"));
  store->containers_ = TRY(make_directory(directory + "/containers"));
  TRY(store->load(containers));
  return store;
}

Result<void> ImageStore::load(const std::set<std::string>& containers) {
  for (const std::string& digits : TRY(list_directories(layers_.get()))) {
    const Result<std::string> text = read_file_at(layers_.get(), digits + "/bytes");
    uint64_t bytes = 0;
    if (!is_sha256(digits) || !text ||
        std::from_chars(text->data(), text->data() + text->size(), bytes).ec != std::errc()) {
      return fail(fmt::format("{}/{} is no layer of this store; remove it", options_.directory,
                              "layers/" + digits));
    }
    there_[digits] = bytes;
  }
  std::error_code code;
  for (const auto& entry :
       std::filesystem::directory_iterator(options_.directory + "/containers", code)) {
    const std::string id = entry.path().filename();
    if (!containers.contains(id)) {
      TRY(remove_file_at(containers_.get(), id));
      continue;
    }
    std::string text = TRY(read_file_at(containers_.get(), id));
    for (size_t end = text.find('\n'); end != text.npos; end = text.find('\n')) {
      used_[text.substr(0, end)].insert(id);
      text.erase(0, end + 1);
    }
  }
  if (code) return std::unexpected(system_error(code.value(), "listing what containers use"));
  return {};
}

std::string ImageStore::path(const std::string& digest) const {
  return fmt::format("{}/layers/{}/tree", options_.directory, digits_of(digest));
}

Result<ImageStore::Opened> ImageStore::open(const RootFilesystem& image) const {
  const std::string real = TRY(real_path(image.path));
  const bool permitted = std::ranges::any_of(options_.image_dirs, [&real](const std::string& one) {
    const Result<std::string> directory = real_path(one);
    return directory && is_below(real, *directory);
  });
  if (!permitted) {
    return fail("it is not below a directory that --image-dir of this agent names", EPERM);
  }
  Opened opened{.fd = {}, .archive = image.type == RootFilesystem::Type::kOciArchive};
  const int flags = opened.archive ? O_NONBLOCK : O_DIRECTORY;
  opened.fd = Fd(::open(real.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags));
  struct stat status{};
  if (!opened.fd || fstat(opened.fd.get(), &status) != 0) {
    return std::unexpected(system_error(errno, "opening it"));
  }
  if (opened.archive && !S_ISREG(status.st_mode)) return fail("it is not a file");
  return opened;
}

Result<ProvidedImage> ImageStore::provide(const ContainerId& container, const RootFilesystem& image,
                                          const Cancellation& cancellation) {
  Result<ProvidedImage> provided = provide_from(container, image, cancellation);
  if (provided) return provided;
  release(container);
  return std::unexpected(std::move(provided).error().in(fmt::format(
      "the image {}{}{}", image.path, image.reference.empty() ? "" : ":", image.reference)));
}

Result<ProvidedImage> ImageStore::provide_from(const ContainerId& container,
                                               const RootFilesystem& image,
                                               const Cancellation& cancellation) {
  const Opened from = TRY(open(image));
  FetchAnswer found = TRY(
      run({.kind = FetchJob::Kind::kInspect, .archive = from.archive, .reference = image.reference},
          from, -1, cancellation));
  TRY(refer(container, found.layers));
  ProvidedImage provided{.layers = {}, .config = std::move(found.config)};
  for (const ImageLayer& layer : found.layers) {
    TRY(ensure(from, layer, cancellation));
    const std::string tree = path(layer.digest);
    if (hides_all_below(tree)) provided.layers.clear();
    // A layer that is there twice changes nothing the first time, and overlayfs refuses it.
    std::erase(provided.layers, tree);
    provided.layers.insert(provided.layers.begin(), tree);
  }
  if (provided.layers.empty()) return fail("it has no layers");
  make_room();
  return provided;
}

Result<FetchAnswer> ImageStore::run(const FetchJob& job, const Opened& from, int output,
                                    const Cancellation& cancellation) const {
  if (from.archive && lseek(from.fd.get(), 0, SEEK_SET) != 0) {
    return std::unexpected(system_error(errno, "reading the archive"));
  }
  return run_fetch({.program = options_.program,
                    .cgroup = options_.cgroup,
                    .job = job,
                    .output = output,
                    .input = from.fd.get(),
                    .cancellation = cancellation});
}

Result<void> ImageStore::refer(const ContainerId& container,
                               const std::vector<ImageLayer>& layers) {
  std::string text;
  const std::lock_guard lock(mutex_);
  for (const ImageLayer& layer : layers) {
    const std::string digits = digits_of(layer.digest);
    used_[digits].insert(container.value);
    last_use_[digits] = ++clock_;
    text += digits + "\n";
  }
  return write_file_durably(fmt::format("{}/containers/{}", options_.directory, container.value),
                            text);
}

void ImageStore::release(const ContainerId& container) {
  const std::lock_guard lock(mutex_);
  for (auto layer = used_.begin(); layer != used_.end();) {
    layer->second.erase(container.value);
    layer = layer->second.empty() ? used_.erase(layer) : std::next(layer);
  }
  unlinkat(containers_.get(), container.value.c_str(), 0);
}

void ImageStore::wake() {
  {
    const std::lock_guard lock(mutex_);
  }
  changed_.notify_all();
}

Result<void> ImageStore::ensure(const Opened& from, const ImageLayer& layer,
                                const Cancellation& cancellation) {
  const std::string digits = digits_of(layer.digest);
  {
    std::unique_lock lock(mutex_);
    while (unpacking_.contains(digits)) {
      if (cancellation.cancelled()) return fail("it was cancelled", ECANCELED);
      changed_.wait(lock);
    }
    if (there_.contains(digits)) return {};
    unpacking_.insert(digits);
  }
  Result<void> unpacked = unpack(from, layer, cancellation);
  {
    const std::lock_guard lock(mutex_);
    unpacking_.erase(digits);
  }
  changed_.notify_all();
  if (!unpacked && unpacked.error().code != ECANCELED) {
    return std::unexpected(std::move(unpacked).error().in("unpacking the layer " + layer.digest));
  }
  return unpacked;
}

Result<void> ImageStore::unpack(const Opened& from, const ImageLayer& layer,
                                const Cancellation& cancellation) {
  const std::string digits = digits_of(layer.digest);
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    name = fmt::format("{}", ++staged_);
  }
  const std::string staged = options_.directory + "/staging/" + name;
  const auto make = [&]() -> Result<uint64_t> {
    const Fd tree = TRY(make_directories_at(staging_.get(), name + "/tree", 0755));
    // Containers see it as their root, whoever they run as.
    if (fchmod(tree.get(), 0755) != 0) return std::unexpected(system_error(errno, "opening it"));
    const FetchAnswer answer = TRY(run({.kind = FetchJob::Kind::kUnpack,
                                        .archive = from.archive,
                                        .digest = layer.digest,
                                        .media_type = layer.media_type,
                                        .bytes_max = options_.layer_bytes_max},
                                       from, tree.get(), cancellation));
    TRY(mark_opaque(tree, answer.opaque));
    TRY(write_file_durably(staged + "/bytes", fmt::format("{}", answer.bytes + kLayerBytes)));
    if (syncfs(tree.get()) != 0) return std::unexpected(system_error(errno, "syncing it"));
    if (renameat(staging_.get(), name.c_str(), layers_.get(), digits.c_str()) != 0) {
      return std::unexpected(system_error(errno, "putting it into its place"));
    }
    TRY(sync_directory(options_.directory + "/layers"));
    return answer.bytes + kLayerBytes;
  };
  Result<uint64_t> bytes = make();
  if (!bytes) {
    remove_tree(staged);
    return std::unexpected(std::move(bytes).error());
  }
  const std::lock_guard lock(mutex_);
  there_[digits] = *bytes;
  return {};
}

void ImageStore::make_room() {
  std::vector<std::string> removed;
  {
    const std::lock_guard lock(mutex_);
    uint64_t bytes = 0;
    for (const auto& [digits, its] : there_) bytes += its;
    while (bytes > options_.bytes) {
      std::string oldest;
      for (const auto& [digits, its] : there_) {
        if (used_.contains(digits)) continue;
        if (oldest.empty() || last_use_[digits] < last_use_[oldest]) oldest = digits;
      }
      if (oldest.empty()) break;
      bytes -= there_[oldest];
      there_.erase(oldest);
      last_use_.erase(oldest);
      const std::string name = fmt::format("{}", ++staged_);
      // Out of the way at once; removing it takes longer.
      if (renameat(layers_.get(), oldest.c_str(), staging_.get(), name.c_str()) == 0) {
        removed.push_back(name);
      }
    }
  }
  for (const std::string& name : removed) remove_tree(options_.directory + "/staging/" + name);
}

}  // namespace tepui
