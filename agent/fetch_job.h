#pragma once
// What the agent asks of tepui-fetch, the program that fetches and unpacks for tasks, and what that
// answers. One job for each process: it is read from standard input; to standard output go reports
// of progress and, last, one answer.
//
//   kind      output (descriptor 3)            input (descriptor 4)
//   fetch     a file, open for writing         none
//   place     the sandbox                      what was fetched
//   inspect   none                             an OCI layout (directory), or the same as a tar file
//   unpack    the directory of the layer       the same
//
// Whoever decodes does not trust who encoded: all is bounded and checked.
//
// Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.h"

namespace tepui {

struct FetchJob {
  enum class Kind : uint8_t { kFetch = 1, kPlace = 2, kInspect = 3, kUnpack = 4 };
  Kind kind = Kind::kFetch;

  // Whose files are read (kFetch of a path) and made (kPlace).
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;

  std::string uri;          // kFetch: what; kPlace: for its name
  std::string name;         // kPlace: below the sandbox
  std::string sha256;       // kPlace: what it must be, 64 digits; empty: anything
  bool extract = false;     // kPlace: if its name says that it is an archive
  bool executable = false;  // kPlace

  bool archive = false;    // kInspect, kUnpack: the input is a tar file
  std::string reference;   // kInspect: the image's name; empty: the only one
  std::string digest;      // kUnpack: "sha256:…" of the layer
  std::string media_type;  // kUnpack

  uint64_t bytes_max = 0;   // of what is written
  uint32_t stall_secs = 0;  // kFetch: how long nothing may come
  bool operator==(const FetchJob&) const = default;
};
inline constexpr int kFetchJobKindCount = 5;  // 0 is not used

inline constexpr int kFetchOutput = 3;
inline constexpr int kFetchInput = 4;

struct ImageLayer {
  std::string digest;  // "sha256:…"
  std::string media_type;
  uint64_t bytes = 0;
  bool operator==(const ImageLayer&) const = default;
};

// What an image says about how it is to be run.
struct ImageConfig {
  std::vector<std::string> environment;  // NAME=VALUE
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::string working_directory;
  std::string user;
  bool operator==(const ImageConfig&) const = default;
};

struct FetchProgress {
  uint64_t bytes = 0;
  uint64_t total = 0;  // 0: not known
  bool operator==(const FetchProgress&) const = default;
};

struct FetchAnswer {
  std::string error;               // a sentence; empty: it is done
  uint32_t code = 0;               // its errno, or 0
  uint64_t bytes = 0;              // that were written
  std::string sha256;              // kFetch: 64 digits
  std::vector<ImageLayer> layers;  // kInspect: the lowest first
  ImageConfig config;              // kInspect
  // kUnpack: directories of the layer that hide what lower ones have there. Relative;
  // "." is all of it.
  std::vector<std::string> opaque;
  bool operator==(const FetchAnswer&) const = default;
};

using FetchReport = std::variant<FetchProgress, FetchAnswer>;

std::string encode(const FetchJob& job);
Result<FetchJob> decode_fetch_job(std::string_view bytes);

// With its length in front.
std::string encode(const FetchReport& report);

// The reports of one process, put together from the pieces in which they come.
class FetchReports {
 public:
  void add(std::string_view bytes) { waiting_.append(bytes); }
  // Nothing: more bytes are needed.
  Result<std::optional<FetchReport>> next();

 private:
  std::string waiting_;  // at most one report, and what a pipe holds
};

bool is_sha256(std::string_view text);  // 64 digits of 0-9a-f
bool is_digest(std::string_view text);  // "sha256:" and those

}  // namespace tepui
