#include "common/quota.h"

#include <fmt/format.h>

#include "common/limits.h"

namespace tepui {

namespace {
Result<void> check_amount(std::string_view what, std::string_view name, int64_t milli) {
  TRY(validate_resource_name(name, "the name of a resource"));
  if (milli < 0) {
    return fail(fmt::format("the {} of {} is {}, expected no less than 0", what, name,
                            milli_to_text(milli)));
  }
  if (milli > limits::kScalarMilliMax) {
    return fail(fmt::format("the {} of {} is {}, at most {} are allowed", what, name,
                            milli_to_text(milli), milli_to_text(limits::kScalarMilliMax)));
  }
  return {};
}
}  // namespace

Result<void> validate(const Quota& quota) {
  if (quota.guarantees.items().size() > kQuotaNamesMax ||
      quota.limits_milli.size() > kQuotaNamesMax) {
    return fail(fmt::format("a quota names more than {} resources", kQuotaNamesMax));
  }
  for (const Quantities::Item& item : quota.guarantees.items()) {
    TRY(check_amount("guarantee", item.name, item.milli));
  }
  for (const auto& [name, milli] : quota.limits_milli) {
    TRY(check_amount("limit", name, milli));
    const int64_t guarantee = quota.guarantees.get(name);
    if (guarantee <= milli) continue;
    return fail(fmt::format("the guarantee of {} {} is above its limit of {}",
                            milli_to_text(guarantee), name, milli_to_text(milli)));
  }
  return {};
}

std::string to_text(const Quota& quota) {
  if (quota.is_default()) return "none";
  std::string text;
  const auto append = [&text](std::string_view what, std::string_view name, int64_t milli) {
    text += fmt::format("{}{}:{}", what, name, milli_to_text(milli));
  };
  std::string_view before = "guarantees ";
  for (const Quantities::Item& item : quota.guarantees.items()) {
    append(before, item.name, item.milli);
    before = "; ";
  }
  before = text.empty() ? "limits " : ", limits ";
  for (const auto& [name, milli] : quota.limits_milli) {
    append(before, name, milli);
    before = "; ";
  }
  return text;
}

}  // namespace tepui
