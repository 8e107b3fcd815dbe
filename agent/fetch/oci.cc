#include "agent/fetch/oci.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <variant>

#include "common/io/document.h"
#include "common/limits.h"

namespace tepui::oci {

namespace {

constexpr std::array<std::string_view, 2> kIndexes = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json"};
constexpr std::array<std::string_view, 2> kManifests = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json"};
constexpr std::array<std::string_view, 5> kLayers = {
    "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip"};

bool contains(const auto& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Absent, null or empty text are the same.
Result<std::string> text_at(const Document& document, std::string_view key, size_t most) {
  const Document* member = document.find(key);
  if (member == nullptr || member->is_null()) return std::string();
  if (member->text() == nullptr) {
    return fail(fmt::format("{} is {}, expected text", key, member->type_name()));
  }
  if (member->text()->size() > most || member->text()->find('\0') != std::string::npos) {
    return fail(fmt::format("{} is too long, or has a zero byte", key));
  }
  return *member->text();
}

Result<const Document::List*> list_at(const Document& document, std::string_view key, size_t most) {
  static const Document::List kNone;
  const Document* member = document.find(key);
  if (member == nullptr || member->is_null()) return &kNone;
  if (member->list() == nullptr) {
    return fail(fmt::format("{} is {}, expected a list", key, member->type_name()));
  }
  if (member->list()->size() > most) {
    return fail(fmt::format("{} has {} items, at most {}", key, member->list()->size(), most));
  }
  return member->list();
}

Result<std::vector<std::string>> words_at(const Document& document, std::string_view key) {
  std::vector<std::string> words;
  for (const Document& word : *TRY(list_at(document, key, limits::kImageWordsMax))) {
    if (word.text() == nullptr || word.text()->find('\0') != std::string::npos) {
      return fail(fmt::format("{} has something that is no text", key));
    }
    words.push_back(*word.text());
  }
  return words;
}

Result<Document> parse_table(std::string_view text, std::string_view what) {
  Document document = TRY(parse_json(text, what));
  if (document.table() == nullptr) return fail(fmt::format("{} is no JSON object", what));
  return document;
}

Result<Descriptor> parse_descriptor(const Document& document) {
  Descriptor found;
  found.media_type = TRY(text_at(document, "mediaType", limits::kLineBytesMax));
  found.digest = TRY(text_at(document, "digest", limits::kLineBytesMax));
  if (!is_digest(found.digest)) {
    return fail(fmt::format("the digest '{}' is not sha256: and 64 digits", found.digest));
  }
  const Document* size = document.find("size");
  const auto* bytes = size != nullptr ? std::get_if<int64_t>(&size->value()) : nullptr;
  if (bytes == nullptr || *bytes < 0) return fail(fmt::format("{} has no size", found.digest));
  found.bytes = static_cast<uint64_t>(*bytes);
  if (const Document* annotations = document.find("annotations")) {
    found.name =
        TRY(text_at(*annotations, "org.opencontainers.image.ref.name", limits::kLineBytesMax));
  }
  if (const Document* platform = document.find("platform")) {
    found.architecture = TRY(text_at(*platform, "architecture", limits::kLineBytesMax));
    found.system = TRY(text_at(*platform, "os", limits::kLineBytesMax));
  }
  return found;
}

std::string names_of(const std::vector<Descriptor>& images) {
  std::vector<std::string_view> names;
  for (const Descriptor& image : images) {
    if (!image.name.empty()) names.push_back(image.name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

bool is_index(std::string_view media_type) { return contains(kIndexes, media_type); }
bool is_manifest(std::string_view media_type) { return contains(kManifests, media_type); }

Result<std::vector<Descriptor>> parse_index(std::string_view text) {
  const Document document = TRY(parse_table(text, "the index"));
  std::vector<Descriptor> images;
  for (const Document& one : *TRY(list_at(document, "manifests", limits::kImageWordsMax))) {
    Result<Descriptor> image = parse_descriptor(one);
    if (!image) return std::unexpected(std::move(image).error().in("the index"));
    images.push_back(*std::move(image));
  }
  return images;
}

Result<Manifest> parse_manifest(std::string_view text) {
  const Document document = TRY(parse_table(text, "the manifest"));
  const Document* config = document.find("config");
  if (config == nullptr) return fail("the manifest names no configuration");
  Manifest manifest{.config = TRY(parse_descriptor(*config)), .layers = {}};
  for (const Document& one : *TRY(list_at(document, "layers", limits::kImageLayersMax))) {
    const Descriptor layer = TRY(parse_descriptor(one));
    if (!contains(kLayers, layer.media_type)) {
      return fail(fmt::format("the layer {} is '{}', which cannot be unpacked", layer.digest,
                              layer.media_type));
    }
    manifest.layers.push_back(
        {.digest = layer.digest, .media_type = layer.media_type, .bytes = layer.bytes});
  }
  return manifest;
}

Result<ImageConfig> parse_config(std::string_view text, std::string_view architecture) {
  const Document document = TRY(parse_table(text, "the configuration"));
  const std::string is = TRY(text_at(document, "architecture", limits::kLineBytesMax));
  const std::string system = TRY(text_at(document, "os", limits::kLineBytesMax));
  if ((!is.empty() && is != architecture) || (!system.empty() && system != "linux")) {
    return fail(
        fmt::format("the image is for {}/{}, this machine is linux/{}", system, is, architecture));
  }
  ImageConfig config;
  const Document* run = document.find("config");
  if (run == nullptr || run->is_null()) return config;
  config.environment = TRY(words_at(*run, "Env"));
  config.entrypoint = TRY(words_at(*run, "Entrypoint"));
  config.command = TRY(words_at(*run, "Cmd"));
  config.working_directory = TRY(text_at(*run, "WorkingDir", limits::kLineBytesMax));
  config.user = TRY(text_at(*run, "User", limits::kLineBytesMax));
  return config;
}

Result<Descriptor> choose(const std::vector<Descriptor>& images, std::string_view reference,
                          std::string_view architecture) {
  std::vector<Descriptor> fitting;
  for (const Descriptor& image : images) {
    if (!reference.empty() && image.name != reference) continue;
    fitting.push_back(image);
  }
  if (fitting.empty()) {
    return fail(reference.empty()
                    ? std::string("there is no image")
                    : fmt::format("there is no image '{}', only: {}", reference, names_of(images)));
  }
  if (fitting.size() > 1) {
    std::erase_if(fitting, [architecture](const Descriptor& image) {
      return image.system != "linux" || image.architecture != architecture;
    });
  }
  if (fitting.size() == 1) return fitting.front();
  return fail(fitting.empty()
                  ? fmt::format("there is no image for linux/{}", architecture)
                  : fmt::format("there are several images, name one of: {}", names_of(images)));
}

std::string_view own_architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#else
#error "images name architectures in their own way: add this one"
#endif
}

}  // namespace tepui::oci
