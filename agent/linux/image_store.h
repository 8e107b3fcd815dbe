#pragma once
// ImageStore keeps layers of OCI images unpacked, each once, named by its digest:
//
//   layers/<64 digits>/tree    what overlayfs is given; `bytes` beside it says how much it is
//   containers/<id>            the digests that a container uses
//   staging/                   what is being made or removed; emptied at the start
//
// A layer is unpacked by a confined helper process, synced, and renamed into place: it is there as
// a whole or not at all. When the store grows beyond its bound, layers that no container refers to
// go, the least recently used first. What containers of an earlier life use is known from their
// files.
//
// Its calls block; any thread may make them, several at once.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "agent/linux/fetch_helper.h"
#include "common/container_info.h"
#include "common/ids.h"
#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

struct ImageStoreOptions {
  std::string program;  // tepui-fetch
  int cgroup = -1;      // where helpers are, or -1
  std::string directory;
  std::vector<std::string> image_dirs;  // below which images may lie
  uint64_t bytes = 0;                   // of all layers, as far as nobody uses them
  uint64_t layer_bytes_max = 0;
};

struct ProvidedImage {
  std::vector<std::string> layers;  // absolute directories, the uppermost first
  ImageConfig config;
};

class ImageStore {
 public:
  // What is known of containers that are not among the given is forgotten.
  static Result<std::unique_ptr<ImageStore>> create(ImageStoreOptions options,
                                                    const std::set<std::string>& containers);

  // The layers stay until release(), also over restarts. The error names the image.
  Result<ProvidedImage> provide(const ContainerId& container, const RootFilesystem& image,
                                const Cancellation& cancellation);
  // Ignored if it has no image.
  void release(const ContainerId& container);
  // After a cancellation: whoever waits for a layer that another unpacks looks again.
  void wake();

 private:
  struct Opened {
    Fd fd;
    bool archive = false;
  };
  explicit ImageStore(ImageStoreOptions options) : options_(std::move(options)) {}

  Result<Opened> open(const RootFilesystem& image) const;
  Result<ProvidedImage> provide_from(const ContainerId& container, const RootFilesystem& image,
                                     const Cancellation& cancellation);
  Result<FetchAnswer> run(const FetchJob& job, const Opened& from, int output,
                          const Cancellation& cancellation) const;
  Result<void> refer(const ContainerId& container, const std::vector<ImageLayer>& layers);
  Result<void> ensure(const Opened& from, const ImageLayer& layer,
                      const Cancellation& cancellation);
  Result<void> unpack(const Opened& from, const ImageLayer& layer,
                      const Cancellation& cancellation);
  Result<void> load(const std::set<std::string>& containers);
  void make_room();
  std::string path(const std::string& digest) const;

  const ImageStoreOptions options_;
  Fd layers_;
  Fd containers_;
  Fd staging_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_. Digits of digests.
  std::map<std::string, std::set<std::string>> used_;  // by the containers that refer to them
  std::map<std::string, uint64_t> there_;              // their bytes
  std::set<std::string> unpacking_;
  std::map<std::string, uint64_t> last_use_;
  uint64_t clock_ = 0;
  uint64_t staged_ = 0;
};

}  // namespace tepui
