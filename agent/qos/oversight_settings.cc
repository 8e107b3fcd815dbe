#include "agent/qos/oversight_settings.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "agent/qos/settings_text.h"

namespace tepui {

Result<OversightSettings> read_oversight_settings(const Entries& entries) {
  constexpr std::string_view kQos = "qos.";
  constexpr std::string_view kLending = "oversubscription.";
  Entries qos;
  Entries lending;
  for (const Entry& entry : entries) {
    const bool is_qos = entry.path.starts_with(kQos);
    if (!is_qos && !entry.path.starts_with(kLending)) {
      return fail(
          fmt::format("line {}: there is no '{}': expected the tables [qos] and "
                      "[oversubscription]",
                      entry.line, entry.path));
    }
    Entry& inner = (is_qos ? qos : lending).emplace_back(entry);
    inner.path.erase(0, is_qos ? kQos.size() : kLending.size());
  }
  OversightSettings settings;
  settings.qos = TRY(read_qos_settings(qos));
  settings.oversubscription = TRY(read_oversubscription_settings(lending));
  return settings;
}

}  // namespace tepui
