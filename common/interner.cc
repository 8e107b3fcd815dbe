#include "common/interner.h"

#include <fmt/format.h>

#include "common/check.h"

namespace tepui {

Result<Symbol> Interner::hold(std::string_view text) {
  if (const auto found = table_.find(text); found != table_.end()) {
    const Symbol symbol{found->second};
    hold(symbol);
    return symbol;
  }
  if (table_.size() >= bound_) {
    return fail(fmt::format("no room for {} '{}', at most {} are allowed", what_, text, bound_));
  }
  uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  entries_[index].text = text;
  entries_[index].holds = 1;
  table_.emplace(entries_[index].text, index);
  return Symbol{index};
}

void Interner::hold(Symbol symbol) {
  Entry& entry = at(symbol);
  CHECK(entry.holds != UINT32_MAX);
  ++entry.holds;
}

void Interner::release(Symbol symbol) {
  Entry& entry = at(symbol);
  if (--entry.holds > 0) return;
  table_.erase(entry.text);
  entry.text = std::string();
  free_.push_back(static_cast<uint32_t>(symbol));
}

std::optional<Symbol> Interner::find(std::string_view text) const {
  const auto found = table_.find(text);
  if (found == table_.end()) return std::nullopt;
  return Symbol{found->second};
}

std::string_view Interner::text(Symbol symbol) const { return at(symbol).text; }

uint32_t Interner::holds(Symbol symbol) const {
  const auto index = static_cast<uint32_t>(symbol);
  return index < entries_.size() ? entries_[index].holds : 0;
}

Interner::Entry& Interner::at(Symbol symbol) {
  return const_cast<Entry&>(std::as_const(*this).at(symbol));
}

const Interner::Entry& Interner::at(Symbol symbol) const {
  CHECK(holds(symbol) > 0);
  return entries_[static_cast<uint32_t>(symbol)];
}

}  // namespace tepui
