#pragma once
// OfferConstraints: which agents a framework wants to be offered under a role at all. Any one of
// the groups must hold, and in a group all constraints. A constraint asks one attribute of the
// agent, or its hostname, region or zone.
//
// The tests of text look at text only: an attribute that is a scalar, ranges or a set passes all
// four of them, for what it means to be "equal" or to "match" is then the scheduler's own. What the
// agent does not have is not equal and does not match, so it passes the tests with "not". A regular
// expression (RE2's syntax) must match the whole text.
//
// Follows OfferConstraints of Apache Mesos' scheduler API. Pure.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/resources.h"
#include "common/result.h"

namespace tepui {

struct OfferConstraint {
  enum class Target : uint8_t { kAttribute = 0, kHostname = 1, kRegion = 2, kZone = 3 };
  static constexpr int kTargets = 4;
  enum class Test : uint8_t {
    kExists = 0,
    kNotExists = 1,
    kTextEquals = 2,
    kTextNotEquals = 3,
    kTextMatches = 4,
    kTextNotMatches = 5,
  };
  static constexpr int kTests = 6;

  Target target = Target::kAttribute;
  std::string attribute;  // its name, for kAttribute
  uint32_t index = 0;     // which of the attributes of that name, in the agent's order
  Test test = Test::kExists;
  std::string value;  // the text, or the regular expression
  bool operator==(const OfferConstraint&) const = default;
};

using ConstraintGroup = std::vector<OfferConstraint>;  // all of them

struct RoleConstraints {
  std::string role;
  std::vector<ConstraintGroup> groups;  // any one of them
  bool operator==(const RoleConstraints&) const = default;
};

// Refuses a role without groups, an empty group, a constraint that lacks its name or has a value it
// does not need, a regular expression that does not compile or costs too much, and too many of
// each. Whose roles they are is not looked at.
Result<void> validate(std::span<const RoleConstraints> constraints);

// `rack=r12`, `rack!=r12`, `hostname~node-.*`, `zone!~a|b`, `gpu-model` (has it), `!gpu-model` (has
// it not); `rack[1]=r12` asks the second attribute of that name. A value may stand in double
// quotes.
Result<OfferConstraint> parse_constraint(std::string_view text);
std::string to_text(const OfferConstraint& constraint);

// What a constraint looks at. A region or zone that is empty is one that the agent does not have.
struct AgentQuestion {
  std::string_view hostname;
  std::string_view region;
  std::string_view zone;
  std::span<const Attribute> attributes;
};

// The constraints of one role, made ready to be asked often.
class ConstraintFilter {
 public:
  static Result<ConstraintFilter> create(std::span<const ConstraintGroup> groups);
  ~ConstraintFilter();
  ConstraintFilter(ConstraintFilter&&) noexcept;
  ConstraintFilter& operator=(ConstraintFilter&&) noexcept;

  bool allows(const AgentQuestion& agent) const;

 private:
  struct Check;
  explicit ConstraintFilter(std::vector<std::vector<Check>> groups);

  std::vector<std::vector<Check>> groups_;
};

}  // namespace tepui
