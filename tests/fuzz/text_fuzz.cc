// Everything that people write (TOML, JSON, batch files, resources, attributes, durations, sizes)
// is refused or understood, and what was understood reads the same when it is written and read
// again.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cli/batch.h"
#include "common/check.h"
#include "common/io/document.h"
#include "common/io/resource_document.h"
#include "common/resources.h"
#include "common/text.h"

namespace {

void read_document(const tepui::Document& document) {
  const auto batch = tepui::cli::parse_batch(document, "fuzz", tepui::cli::BatchDefaults{});
  if (batch) {
    for (const auto& task : batch->tasks) CHECK(task.spec != nullptr);
  } else {
    CHECK(!batch.error().message.empty());
  }
  if (const auto resources = tepui::parse_resources(document, "fuzz"); !resources) {
    CHECK(!resources.error().message.empty());
  } else {
    CHECK(tepui::Resources::create({resources->items().begin(), resources->items().end()}) ==
          *resources);
  }
  const std::string json = tepui::to_json(document, -1);
  const auto again = tepui::parse_json(json, "fuzz");
  CHECK(again.has_value());
  CHECK(tepui::to_json(*again, -1) == json);
}

void read_values(std::string_view text) {
  if (const auto resources = tepui::Resources::parse(text)) {
    for (const tepui::Resource& resource : resources->items()) {
      if (resource.kind->is_reserved() || resource.kind->disk) return;
    }
    const auto again = tepui::Resources::parse(tepui::to_text(*resources));
    CHECK(again.has_value());
    CHECK(*again == *resources);
  }
  if (const auto duration = tepui::parse_duration(text)) {
    CHECK(*duration >= tepui::Duration{});
    const auto again = tepui::parse_duration(tepui::to_text(*duration));
    CHECK(again.has_value());
    CHECK(*again == *duration);
  }
  (void)tepui::parse_attributes(text);
  (void)tepui::parse_bytes(text);
  (void)tepui::parse_milli(text);
}

}  // namespace

// The first byte says as what the rest is read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      if (const auto toml = tepui::parse_toml(text, "fuzz")) read_document(*toml);
      break;
    case 1:
      if (const auto json = tepui::parse_json(text, "fuzz")) read_document(*json);
      break;
    default:
      read_values(text);
  }
  return 0;
}
