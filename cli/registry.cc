// registry: dump, check, export and import of a registry, wherever it is.
#include <errno.h>
#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <span>
#include <utility>

#include "cli/operate.h"
#include "cli/output.h"
#include "common/io/document.h"
#include "common/io/files.h"
#include "common/io/registry_access.h"
#include "common/record_log.h"
#include "common/registry.h"
#include "common/registry_wire.h"
#include "common/text.h"
#include "common/zk_address.h"

namespace tepui::cli {

namespace {

constexpr size_t kExportBytesMax = size_t{1} << 30;

Document json_of(const AgentInfo& info) {
  return Document::Table{{"id", info.id.value},
                         {"hostname", info.hostname},
                         {"address", info.address},
                         {"resources", to_text(info.resources)},
                         {"attributes", to_text(info.attributes)},
                         {"version", info.version}};
}

Document json_of(const Machine& machine) {
  Document::Table table = {{"start", to_text(machine.unavailability.start)}};
  if (machine.unavailability.duration) {
    table.emplace_back("duration", to_text(*machine.unavailability.duration));
  }
  table.emplace_back("drain", machine.drain);
  table.emplace_back("drain_begun", machine.drain_begun);
  table.emplace_back("down", machine.down);
  return table;
}

Document json_of(const Standing& standing) {
  Document::Table table = {{"deactivated", standing.deactivated},
                           {"drain", std::string(to_text(standing.drain))},
                           {"mark_gone", standing.mark_gone}};
  if (standing.max_grace) table.emplace_back("max_grace", to_text(*standing.max_grace));
  return table;
}

// What stands under a key. The error does not name the key.
Result<Document> decode(std::string_view key, std::string_view value) {
  const std::string_view list = key.substr(0, key.find('/'));
  if (key == "cluster") return Document(TRY(decode_cluster(value)));
  if (list == "agents") return json_of(TRY(decode_agent(value)));
  if (list == "unreachable" || list == "gone") {
    const Departed departed = TRY(decode_departed(value));
    return Document(
        Document::Table{{"since", to_text(departed.since)}, {"by_operator", departed.by_operator}});
  }
  if (list == "quota") return Document(to_text(TRY(decode_quota(value))));
  if (list == "weights") return Document(milli_to_text(TRY(decode_weight(value))));
  if (list == "maintenance") return json_of(TRY(decode_machine(value)));
  if (list == "drain") return json_of(TRY(decode_standing(value)));
  return fail("no such key is known to this program");
}

void say(const std::vector<std::string>& sentences) {
  for (const std::string& sentence : sentences) std::fprintf(stderr, "%s\n", sentence.c_str());
}

Outcome<RegistryImage> read(const std::string& where, Duration timeout) {
  auto image = read_registry(where, timeout);
  if (image) return *std::move(image);
  const int status = image.error().code == ENOENT ? kNotFound : is_zk(where) ? kNoMaster : kUsage;
  return std::unexpected(Failure{status, image.error().message});
}

int dump(const RegistryImage& image, bool json) {
  Document::List list;
  bool all_read = image.damages.empty();
  for (const auto& [key, value] : image.contents) {
    Result<Document> decoded = decode(key, value);
    if (!decoded) {
      all_read = false;
      std::fprintf(stderr, "registry entry '%s': %s\n", key.c_str(),
                   decoded.error().message.c_str());
      continue;
    }
    if (json) {
      list.push_back(Document::Table{{"key", key}, {"value", *std::move(decoded)}});
    } else {
      std::printf("%s %s\n", key.c_str(), to_json(*decoded, -1).c_str());
    }
  }
  if (json) std::printf("%s\n", to_json(Document(std::move(list)), 2).c_str());
  say(image.damages);
  return all_read ? kDone : kDamaged;
}

int check(const RegistryImage& image, bool json) {
  std::vector<std::string> wrong = image.damages;
  for (const auto& [key, value] : image.contents) {
    if (const Result<Document> decoded = decode(key, value); !decoded) {
      wrong.push_back(fmt::format("registry entry '{}': {}", key, decoded.error().message));
    }
  }
  // What no single entry can say: an agent in two lists, a name that is missing.
  if (wrong.empty()) {
    if (const auto loaded = Registry::load(image.contents); !loaded) {
      wrong.push_back(loaded.error().message);
    }
  }
  if (json) {
    Document::List damages;
    for (const std::string& each : wrong) damages.emplace_back(each);
    std::printf("%s\n", to_json(Document::Table{{"epoch", static_cast<int64_t>(image.epoch)},
                                                {"entries", image.contents.size()},
                                                {"damages", std::move(damages)}},
                                2)
                            .c_str());
  } else {
    say(wrong);
    std::printf("%s: %zu entries, epoch %llu, %zu damages\n", wrong.empty() ? "sound" : "damaged",
                image.contents.size(), static_cast<unsigned long long>(image.epoch), wrong.size());
  }
  return wrong.empty() ? kDone : kDamaged;
}

Outcome<int> export_to(const RegistryImage& image, const std::string& file) {
  if (!image.damages.empty()) {
    say(image.damages);
    return std::unexpected(Failure{kDamaged, "a damaged registry is not exported"});
  }
  std::vector<std::byte> snapshot;
  const auto made = append_snapshot(snapshot, {.epoch = image.epoch}, image.contents);
  if (!made) return usage(made.error().message);
  const std::string_view bytes(reinterpret_cast<const char*>(snapshot.data()), snapshot.size());
  if (const auto written = write_file_durably(file, bytes); !written) {
    return usage(written.error().message);
  }
  std::printf("exported %zu entries to %s\n", image.contents.size(), file.c_str());
  return kDone;
}

Outcome<int> import_from(const std::string& where, const std::string& file, Overwrite overwrite,
                         Duration timeout) {
  const Result<std::string> bytes = read_file(file, kExportBytesMax);
  if (!bytes) return usage(bytes.error().message);
  const LogReplay replay = replay_log(std::as_bytes(std::span(*bytes)));
  if (replay.verdict != LogReplay::Verdict::kClean || replay.records == 0) {
    return usage(fmt::format("{} is not an exported registry: {} at offset {}", file,
                             replay.why.empty() ? "it is empty" : replay.why, replay.valid_bytes));
  }
  if (const auto loaded = Registry::load(replay.contents); !loaded) {
    return usage(fmt::format("{}: {}", file, loaded.error().message));
  }
  if (const auto done = write_registry(where, replay.contents, overwrite, timeout); !done) {
    return std::unexpected(Failure{kRefused, done.error().message});
  }
  std::printf("imported %zu entries\n", replay.contents.size());
  return kDone;
}

}  // namespace

Outcome<int> registry(const Settings& settings) {
  const std::string verb = first(settings.positional("VERB"));
  const std::string where = first(settings.positional("REGISTRY"));
  const std::string file = first(settings.positional("FILE"));
  const Duration timeout = settings.duration("timeout");
  const bool takes_file = verb == "export" || verb == "import";
  if (!takes_file && verb != "dump" && verb != "check") {
    return usage(fmt::format("registry cannot '{}', expected dump, check, export or import", verb));
  }
  if (takes_file == file.empty()) {
    return usage(fmt::format("registry {} takes {}", verb, takes_file ? "a FILE" : "no FILE"));
  }
  if (verb == "import") {
    return import_from(where, file, settings.flag("force") ? Overwrite::kYes : Overwrite::kNo,
                       timeout);
  }
  const auto image = read(where, timeout);
  if (!image) return std::unexpected(image.error());
  say(image->notes);
  if (verb == "dump") return dump(*image, settings.flag("json"));
  if (verb == "check") return check(*image, settings.flag("json"));
  return export_to(*image, file);
}

}  // namespace tepui::cli
