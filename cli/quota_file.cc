#include "cli/quota_file.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "cli/file_values.h"
#include "common/quota_text.h"

namespace tepui::cli {

Result<UpdateQuota> parse_quotas(const Document& document, std::string_view file) {
  const Document::Table* roles = document.table();
  if (roles == nullptr) return wrong(file, document, "the file", "a table of roles");
  UpdateQuota update;
  for (const auto& [role, value] : *roles) {
    const Document::Table* fields = value.table();
    if (fields == nullptr) return wrong(file, value, role, "a table: write [ROLE]");
    UpdateQuota::Item item{.role = role, .quota = {}};
    const auto in_file = [&](Error error, const Document& at) {
      return std::unexpected(std::move(error).in(where(file, at)));
    };
    for (const auto& [key, field] : *fields) {
      if (key == "guarantee") {
        auto guarantees = parse_guarantees(TRY(text_of(file, key, field)));
        if (!guarantees) return in_file(guarantees.error(), field);
        item.quota.guarantees = *std::move(guarantees);
      } else if (key == "limit") {
        auto limits = parse_limits(TRY(text_of(file, key, field)));
        if (!limits) return in_file(limits.error(), field);
        item.quota.limits_milli = *std::move(limits);
      } else {
        return fail(fmt::format("{}: a quota has no '{}', only guarantee and limit",
                                where(file, field), key));
      }
    }
    update.quotas.push_back(std::move(item));
  }
  if (update.quotas.empty()) return fail(fmt::format("{} names no role", file));
  return update;
}

}  // namespace tepui::cli
