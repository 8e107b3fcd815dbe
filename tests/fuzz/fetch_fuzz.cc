// What passes between agent and tepui-fetch, the JSON of images, and archives are understood or
// refused; and no path leads out of where it is unpacked.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fetch/archive.h"
#include "agent/fetch/oci.h"
#include "agent/fetch_job.h"
#include "common/check.h"

namespace {

void read_job(std::string_view bytes) {
  const auto job = tepui::decode_fetch_job(bytes);
  if (!job) return;
  CHECK(tepui::encode(*job) == bytes);
}

void read_reports(std::string_view bytes) {
  tepui::FetchReports reports;
  reports.add(bytes);
  while (true) {
    const auto report = reports.next();
    if (!report || !*report) return;
    tepui::FetchReports again;
    again.add(tepui::encode(**report));
    const auto same = again.next();
    CHECK(same && *same && **same == **report);
  }
}

void read_image(std::string_view text) {
  if (const auto images = tepui::oci::parse_index(text)) {
    for (const auto& image : *images) CHECK(tepui::is_digest(image.digest));
    const auto chosen = tepui::oci::choose(*images, "", "amd64");
    CHECK(!chosen || std::ranges::find(*images, *chosen) != images->end());
  }
  if (const auto manifest = tepui::oci::parse_manifest(text)) {
    for (const auto& layer : manifest->layers) CHECK(tepui::is_digest(layer.digest));
  }
  (void)tepui::oci::parse_config(text, "amd64");
}

void check_path(const std::string& path) {
  const auto clean = tepui::clean_path(path);
  if (!clean) return;
  CHECK(!clean->starts_with('/'));
  CHECK(("/" + *clean + "/").find("/../") == std::string::npos);
  CHECK(tepui::clean_path(*clean) == *clean);
}

class Bytes final : public tepui::ByteSource {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}
  tepui::Result<size_t> read(std::span<char> into) override {
    const size_t count = std::min(into.size(), rest_.size());
    std::copy_n(rest_.data(), count, into.data());
    rest_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view rest_;
};

void read_archive(tepui::ArchiveReader::Kind kind, std::string_view bytes) {
  constexpr uint64_t kReadMax = 1 << 20;
  Bytes source(bytes);
  const auto reader = tepui::ArchiveReader::open(kind, source);
  if (!reader) return;
  std::vector<char> piece(1 << 14);
  uint64_t total = 0;
  while (total < kReadMax) {
    const auto next = (*reader)->next();
    if (!next || !*next) return;
    check_path((*reader)->path());
    (void)(*reader)->type();
    ++total;
    while (total < kReadMax) {
      const auto count = (*reader)->read(piece);
      if (!count || *count == 0) break;
      total += *count;
    }
  }
}

}  // namespace

// The first byte says as what the rest is read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      read_job(text);
      break;
    case 1:
      read_reports(text);
      break;
    case 2:
      read_image(text);
      break;
    case 3:
      check_path(std::string(text));
      break;
    case 4:
      read_archive(tepui::ArchiveReader::Kind::kAnything, text);
      break;
    default:
      read_archive(tepui::ArchiveReader::Kind::kLayer, text);
  }
  return 0;
}
