#include "common/offer_constraints.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "common/limits.h"

namespace tepui {

namespace {

using Target = OfferConstraint::Target;
using Test = OfferConstraint::Test;

bool is_about_regex(Test test) {
  return test == Test::kTextMatches || test == Test::kTextNotMatches;
}
bool is_about_existence(Test test) { return test == Test::kExists || test == Test::kNotExists; }

Result<std::unique_ptr<const re2::RE2>> compile(const std::string& expression) {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_max_mem(limits::kConstraintRegexBytesMax);
  auto compiled = std::make_unique<const re2::RE2>(expression, options);
  if (!compiled->ok()) {
    const bool is_too_large = compiled->error_code() == re2::RE2::ErrorPatternTooLarge;
    return fail(
        is_too_large
            ? fmt::format("regular expression '{}' needs more than the {} bytes that one "
                          "may take, make it shorter",
                          expression, limits::kConstraintRegexBytesMax)
            : fmt::format("regular expression '{}' is wrong: {}", expression, compiled->error()));
  }
  if (compiled->ProgramSize() > limits::kConstraintRegexProgramMax) {
    return fail(fmt::format("regular expression '{}' compiles to {} steps, at most {} are allowed",
                            expression, compiled->ProgramSize(),
                            limits::kConstraintRegexProgramMax));
  }
  return compiled;
}

Result<void> check(const OfferConstraint& constraint) {
  if (constraint.target == Target::kAttribute) {
    TRY(validate_resource_name(constraint.attribute, "attribute name of an offer constraint"));
    if (constraint.index > limits::kConstraintIndexMax) {
      return fail(fmt::format("offer constraint asks for attribute '{}' number {}, at most {}",
                              constraint.attribute, constraint.index, limits::kConstraintIndexMax));
    }
  } else if (!constraint.attribute.empty() || constraint.index != 0) {
    return fail(fmt::format(
        "offer constraint '{}' names an attribute, but asks the hostname, region or zone",
        to_text(constraint)));
  }
  if (constraint.value.size() > limits::kInfoTextBytesMax) {
    return fail(fmt::format("value of an offer constraint has {} bytes, at most {} are allowed",
                            constraint.value.size(), limits::kInfoTextBytesMax));
  }
  if (is_about_existence(constraint.test) && !constraint.value.empty()) {
    return fail(fmt::format("offer constraint '{}' only asks what exists, and has the value '{}'",
                            to_text(constraint), constraint.value));
  }
  return {};
}

// What a constraint finds: nothing, text, or something else.
struct Found {
  bool exists = false;
  std::optional<std::string_view> text;
};

Found found_text(std::string_view text) {
  return text.empty() ? Found{} : Found{.exists = true, .text = text};
}

Found look_up(const OfferConstraint& constraint, const AgentQuestion& agent) {
  switch (constraint.target) {
    case Target::kHostname:
      return {.exists = true, .text = agent.hostname};
    case Target::kRegion:
      return found_text(agent.region);
    case Target::kZone:
      return found_text(agent.zone);
    case Target::kAttribute:
      break;
  }
  uint32_t before = 0;
  for (const Attribute& attribute : agent.attributes) {
    if (attribute.name != constraint.attribute || before++ != constraint.index) continue;
    const auto* text = std::get_if<std::string>(&attribute.value);
    return {.exists = true, .text = text != nullptr ? std::optional(*text) : std::nullopt};
  }
  return {};
}

}  // namespace

struct ConstraintFilter::Check {
  OfferConstraint constraint;
  std::unique_ptr<const re2::RE2> expression;  // of the tests that match

  bool holds(const AgentQuestion& agent) const {
    const Found found = look_up(constraint, agent);
    const bool is_other = found.exists && !found.text;
    switch (constraint.test) {
      case Test::kExists:
        return found.exists;
      case Test::kNotExists:
        return !found.exists;
      case Test::kTextEquals:
        return is_other || (found.text && *found.text == constraint.value);
      case Test::kTextNotEquals:
        return is_other || !found.text || *found.text != constraint.value;
      case Test::kTextMatches:
        return is_other || (found.text && matches(*found.text));
      case Test::kTextNotMatches:
        return is_other || !found.text || !matches(*found.text);
    }
    return false;
  }

 private:
  bool matches(std::string_view text) const {
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *expression);
  }
};

ConstraintFilter::ConstraintFilter(std::vector<std::vector<Check>> groups)
    : groups_(std::move(groups)) {}
ConstraintFilter::~ConstraintFilter() = default;
ConstraintFilter::ConstraintFilter(ConstraintFilter&&) noexcept = default;
ConstraintFilter& ConstraintFilter::operator=(ConstraintFilter&&) noexcept = default;

Result<ConstraintFilter> ConstraintFilter::create(std::span<const ConstraintGroup> groups) {
  if (groups.empty()) {
    return fail("offer constraints have no group; leave the role out to be offered every agent");
  }
  std::vector<std::vector<Check>> compiled;
  for (const ConstraintGroup& group : groups) {
    if (group.empty()) return fail("a group of offer constraints is empty");
    std::vector<Check>& checks = compiled.emplace_back();
    for (const OfferConstraint& constraint : group) {
      TRY(check(constraint));
      std::unique_ptr<const re2::RE2> expression;
      if (is_about_regex(constraint.test)) expression = TRY(compile(constraint.value));
      checks.push_back({.constraint = constraint, .expression = std::move(expression)});
    }
  }
  return ConstraintFilter(std::move(compiled));
}

bool ConstraintFilter::allows(const AgentQuestion& agent) const {
  return std::any_of(groups_.begin(), groups_.end(), [&agent](const std::vector<Check>& checks) {
    return std::all_of(checks.begin(), checks.end(),
                       [&agent](const Check& check) { return check.holds(agent); });
  });
}

Result<void> validate(std::span<const RoleConstraints> constraints) {
  // Counted first: what is too much must not be compiled.
  size_t count = 0;
  size_t expressions = 0;
  for (const RoleConstraints& of_role : constraints) {
    for (const ConstraintGroup& group : of_role.groups) {
      count += group.size();
      expressions += static_cast<size_t>(std::count_if(
          group.begin(), group.end(),
          [](const OfferConstraint& constraint) { return is_about_regex(constraint.test); }));
    }
  }
  if (count > limits::kConstraintsMax) {
    return fail(fmt::format("framework has {} offer constraints, at most {} are allowed", count,
                            limits::kConstraintsMax));
  }
  if (expressions > limits::kConstraintRegexesMax) {
    return fail(fmt::format(
        "framework has {} offer constraints with a regular expression, at most {} are allowed",
        expressions, limits::kConstraintRegexesMax));
  }
  for (const RoleConstraints& of_role : constraints) {
    auto filter = ConstraintFilter::create(of_role.groups);
    if (!filter) {
      return std::unexpected(std::move(filter).error().in(
          fmt::format("offer constraints of role '{}'", of_role.role)));
    }
  }
  return {};
}

}  // namespace tepui
