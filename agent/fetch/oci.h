#pragma once
// The JSON files of an OCI image (image-spec 1.0), and what Docker writes into the same place, as
// plain values. Nothing here reads a file; digests are checked by who does.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fetch_job.h"
#include "common/result.h"

namespace tepui::oci {

struct Descriptor {
  std::string media_type;
  std::string digest;  // "sha256:…"
  uint64_t bytes = 0;
  std::string name;          // by the annotation org.opencontainers.image.ref.name
  std::string architecture;  // both empty: it does not say
  std::string system;
  bool operator==(const Descriptor&) const = default;
};

struct Manifest {
  Descriptor config;
  std::vector<ImageLayer> layers;  // the lowest first
};

// An index.json, or one inside another.
Result<std::vector<Descriptor>> parse_index(std::string_view text);
Result<Manifest> parse_manifest(std::string_view text);
Result<ImageConfig> parse_config(std::string_view text, std::string_view architecture);

bool is_index(std::string_view media_type);
bool is_manifest(std::string_view media_type);

// By its name; without a name, the only one, or the only one for Linux on this architecture.
Result<Descriptor> choose(const std::vector<Descriptor>& images, std::string_view reference,
                          std::string_view architecture);

// As images call the machine that this is compiled for.
std::string_view own_architecture();

}  // namespace tepui::oci
