#pragma once
// Interner gives each distinct string (a role, a principal, a hostname) a dense number, so that
// tables are arrays and comparing is cheap. Strings come from outside, so it has a bound, and
// counts who uses each: a symbol that nobody holds is forgotten and its number used again.
//
// Invariant: a number names one string as long as it is held at least once.
//
// Pure. The table is looked up, never walked.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"

namespace tepui {

// Dense: below Interner::capacity(), which is at most the bound.
enum class Symbol : uint32_t {};

class Interner {
 public:
  // `what` names the strings in errors ("role"). It must be a literal or outlive the interner.
  Interner(std::string_view what, uint32_t bound) : what_(what), bound_(bound) {}

  // Holds the string once more. Refuses a new one when the bound is reached.
  Result<Symbol> hold(std::string_view text);
  void hold(Symbol symbol);
  // Gives back one hold; with the last the symbol is free for another string.
  void release(Symbol symbol);

  std::optional<Symbol> find(std::string_view text) const;
  // Valid while the symbol is held.
  std::string_view text(Symbol symbol) const;
  uint32_t holds(Symbol symbol) const;

  uint32_t size() const { return static_cast<uint32_t>(table_.size()); }
  // One past the largest number in use or ever used: arrays beside this need so many places.
  uint32_t capacity() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  struct Entry {
    std::string text;
    uint32_t holds = 0;
  };
  Entry& at(Symbol symbol);
  const Entry& at(Symbol symbol) const;

  const std::string_view what_;
  const uint32_t bound_;
  std::deque<Entry> entries_;  // the keys of table_ point into it, so entries never move
  std::vector<uint32_t> free_;
  std::unordered_map<std::string_view, uint32_t> table_;
};

}  // namespace tepui
