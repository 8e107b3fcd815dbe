#include "agent/isolator_choice.h"

#include <fmt/format.h>

#include <optional>

namespace tepui {
namespace {

struct Known {
  std::string_view name;
  bool is_automatic = true;
};

// In the order of the enum. What many tasks do is refused only where that is asked for by name:
// programs that gain privileges when they are executed, such as sudo, are part of many images, and
// many tasks take ports that they did not request. And an image costs each launch some time.
constexpr Known kKnown[kIsolatorCount] = {
    {"cpu"},
    {"cpuset"},
    {"memory"},
    {"io"},
    {"pids"},
    {"hugetlb"},
    {"devices"},
    {"disk"},
    {"disk/image", false},
    {"network/egress"},
    {"network/ports", false},
    {"namespaces/pid"},
    {"namespaces/mount"},
    {"namespaces/ipc"},
    {"namespaces/uts"},
    {"namespaces/cgroup"},
    {"capabilities"},
    {"seccomp"},
    {"no-new-privileges", false},
    {"namespaces/net"},
    {"namespaces/user"},
};

std::unexpected<Error> refuse(std::string_view word) {
  return fail(fmt::format("'{}' is no isolator; expected auto, none, {}", word, list_isolators()));
}

}  // namespace

std::string_view to_text(Isolator isolator) { return kKnown[static_cast<size_t>(isolator)].name; }

std::optional<Isolator> find_isolator(std::string_view name) {
  for (size_t i = 0; i < kIsolatorCount; ++i) {
    if (kKnown[i].name == name) return static_cast<Isolator>(i);
  }
  return std::nullopt;
}

std::string list_isolators() {
  std::string names;
  for (const Known& known : kKnown) {
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  return names;
}

bool needs_controller(Isolator isolator) { return isolator <= Isolator::kHugetlb; }

Result<IsolatorChoice> parse_isolation(const std::vector<std::string>& words) {
  IsolatorChoice choice;
  IsolatorSet unwanted;
  for (const std::string& word : words) {
    if (word == "auto") {
      for (size_t i = 0; i < kIsolatorCount; ++i)
        choice.wanted[i] = choice.wanted[i] || kKnown[i].is_automatic;
      continue;
    }
    if (word == "none") {
      if (words.size() > 1) return fail("'none' stands alone, or not at all");
      continue;
    }
    const bool takes_away = word.starts_with('-');
    const std::optional<Isolator> found = find_isolator(takes_away ? word.substr(1) : word);
    if (!found) return refuse(word);
    put(takes_away ? unwanted : choice.required, *found);
  }
  if ((unwanted & choice.required).any()) return fail("one isolator is both wanted and not");
  choice.wanted = (choice.wanted | choice.required) & ~unwanted;
  return choice;
}

Result<UsableIsolators> settle_isolation(const IsolatorChoice& choice,
                                         const std::vector<MissingIsolator>& missing) {
  UsableIsolators settled{.usable = choice.wanted, .degraded = {}};
  for (const MissingIsolator& one : missing) {
    const auto place = static_cast<size_t>(one.isolator);
    if (!choice.wanted[place]) continue;
    if (choice.required[place]) {
      return fail(fmt::format("the isolator '{}' is required, but not usable here: {}",
                              to_text(one.isolator), one.why));
    }
    settled.usable.reset(place);
    settled.degraded.push_back(
        fmt::format("no isolation by {}: {}", to_text(one.isolator), one.why));
  }
  return settled;
}

}  // namespace tepui
