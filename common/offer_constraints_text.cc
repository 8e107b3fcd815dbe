// Offer constraints as people write them.

#include <fmt/format.h>

#include <charconv>

#include "common/limits.h"
#include "common/offer_constraints.h"

namespace tepui {

namespace {

using Target = OfferConstraint::Target;
using Test = OfferConstraint::Test;

struct Sign {
  std::string_view text;
  Test test;
};
// Where two begin at the same place, the first in this list is meant.
constexpr Sign kSigns[] = {{"!=", Test::kTextNotEquals},
                           {"!~", Test::kTextNotMatches},
                           {"=", Test::kTextEquals},
                           {"~", Test::kTextMatches}};

std::string_view without_quotes(std::string_view text) {
  const bool is_quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

// `rack` or `rack[2]`, or one of the three names that are no attributes.
Result<void> set_name(OfferConstraint& constraint, std::string_view name, std::string_view whole) {
  if (name == "hostname" || name == "region" || name == "zone") {
    constraint.target = name == "hostname" ? Target::kHostname
                        : name == "region" ? Target::kRegion
                                           : Target::kZone;
    return {};
  }
  if (name.ends_with(']')) {
    const size_t open = name.rfind('[');
    if (open == std::string_view::npos) return fail(fmt::format("'{}' lacks a '['", whole));
    const std::string_view digits = name.substr(open + 1, name.size() - open - 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), constraint.index);
    if (error != std::errc{} || end != digits.data() + digits.size() ||
        constraint.index > limits::kConstraintIndexMax) {
      return fail(fmt::format("'{}': '{}' is not a number from 0 to {}", whole, digits,
                              limits::kConstraintIndexMax));
    }
    name = name.substr(0, open);
  }
  TRY(validate_resource_name(name, fmt::format("attribute name in '{}'", whole)));
  constraint.attribute = name;
  return {};
}

std::string_view name_of(const OfferConstraint& constraint) {
  switch (constraint.target) {
    case Target::kHostname:
      return "hostname";
    case Target::kRegion:
      return "region";
    case Target::kZone:
      return "zone";
    case Target::kAttribute:
      break;
  }
  return constraint.attribute;
}

}  // namespace

Result<OfferConstraint> parse_constraint(std::string_view text) {
  OfferConstraint constraint;
  // A '!' in front asks for absence; elsewhere it belongs to a sign.
  if (text.starts_with('!')) {
    constraint.test = Test::kNotExists;
    const std::string_view name = text.substr(1);
    if (name.find_first_of("=~") != std::string_view::npos) {
      return fail(fmt::format("'{}' has a '!' in front, write {} for an attribute that must differ",
                              text, "NAME!=VALUE or NAME!~REGEX"));
    }
    TRY(set_name(constraint, name, text));
    return constraint;
  }
  for (size_t at = 0; at < text.size(); ++at) {
    for (const Sign& sign : kSigns) {
      if (!text.substr(at).starts_with(sign.text)) continue;
      constraint.test = sign.test;
      constraint.value = without_quotes(text.substr(at + sign.text.size()));
      TRY(set_name(constraint, text.substr(0, at), text));
      // What it asks is checked at once, so that whoever wrote it learns of it here.
      const ConstraintGroup group = {constraint};
      TRY(ConstraintFilter::create({&group, 1}));
      return constraint;
    }
  }
  TRY(set_name(constraint, text, text));
  return constraint;
}

std::string to_text(const OfferConstraint& constraint) {
  std::string name(name_of(constraint));
  if (constraint.index != 0) name += fmt::format("[{}]", constraint.index);
  switch (constraint.test) {
    case Test::kExists:
      return name;
    case Test::kNotExists:
      return "!" + name;
    case Test::kTextEquals:
      return name + "=" + constraint.value;
    case Test::kTextNotEquals:
      return name + "!=" + constraint.value;
    case Test::kTextMatches:
      return name + "~" + constraint.value;
    case Test::kTextNotMatches:
      return name + "!~" + constraint.value;
  }
  return name;
}

}  // namespace tepui
