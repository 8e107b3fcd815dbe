#include "agent/shell/fetch_options.h"

#include <fmt/format.h>

#include <utility>

#include "common/text.h"

namespace tepui {

namespace {

constexpr Duration kStallMin = std::chrono::seconds(1);
constexpr Duration kStallMax = std::chrono::hours(24);

Result<std::string> directory_of(const Settings& settings, std::string_view option,
                                 const std::string& fallback) {
  std::string path = settings.text(option);
  if (path.empty()) return fallback;
  if (!path.starts_with('/')) return fail(fmt::format("--{}: '{}' is not absolute", option, path));
  return path;
}

}  // namespace

std::vector<Option> fetch_options() {
  const auto option = [](std::string name, OptionKind kind, std::string fallback,
                         std::string help) {
    return Option{.name = std::move(name),
                  .kind = kind,
                  .fallback = std::move(fallback),
                  .help = std::move(help),
                  .group = "Fetching and images",
                  .letter = "",
                  .choices = {}};
  };
  return {
      option("fetcher", OptionKind::kText, "",
             "The program tepui-fetch, which fetches and unpacks for tasks; looked for beside this "
             "one if not given."),
      option("fetcher-user", OptionKind::kText, "nobody",
             "Who fetches what tasks ask for by http and https, and reads the local files that "
             "tasks of root, or with a user namespace, ask for. Files for other users are read as "
             "them."),
      option("fetcher-cache-dir", OptionKind::kText, "",
             "Where fetched files are kept that tasks want to be kept, emptied at the start; "
             "fetched in the work directory if not given."),
      option("fetcher-cache-size", OptionKind::kBytes, "2GB",
             "How much is kept there, beside what is being used."),
      option("fetcher-stall-timeout", OptionKind::kDuration, "1mins",
             "A server that sends nothing for so long is given up."),
      option("fetcher-bytes-max", OptionKind::kBytes, "20GB",
             "How large one file may be that is fetched, and what one archive or one layer of an "
             "image unpacks to."),
      option("image-store", OptionKind::kText, "",
             "Where layers of images are unpacked; images in the work directory if not given."),
      option("image-store-size", OptionKind::kBytes, "20GB",
             "How much is kept there, beside what containers use."),
  };
}

Result<void> read_fetching(const Settings& settings, AgentShellConfig& config) {
  const std::string& work = config.ground.work_dir;
  config.fetcher.user = settings.text("fetcher-user");
  config.fetcher.cache_dir = TRY(directory_of(settings, "fetcher-cache-dir", work + "/fetched"));
  config.fetcher.cache_bytes = static_cast<uint64_t>(settings.bytes("fetcher-cache-size"));
  config.fetcher.bytes_max = static_cast<uint64_t>(settings.bytes("fetcher-bytes-max"));
  config.fetcher.stall = settings.duration("fetcher-stall-timeout");
  if (config.fetcher.stall < kStallMin || config.fetcher.stall > kStallMax) {
    return fail(fmt::format("--fetcher-stall-timeout: {} is not from {} to {}",
                            to_text(config.fetcher.stall), to_text(kStallMin), to_text(kStallMax)));
  }
  config.images = {.program = config.fetcher.program,
                   .directory = TRY(directory_of(settings, "image-store", work + "/images")),
                   .image_dirs = config.ground.image_directories,
                   .bytes = static_cast<uint64_t>(settings.bytes("image-store-size")),
                   .layer_bytes_max = config.fetcher.bytes_max};
  config.ground.stores = {config.fetcher.cache_dir, config.images.directory};
  return {};
}

}  // namespace tepui
