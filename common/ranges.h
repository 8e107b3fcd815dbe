#pragma once
// The arithmetic of Ranges and Set: union, difference, inclusion. Arguments and results keep their
// form: ranges sorted, disjoint and not adjacent, sets sorted and unique.
//
// Pure.

#include <string_view>

#include "common/resources.h"

namespace tepui {

// Puts any list of ranges (first <= last each) in form.
void normalize(Ranges& ranges);
void normalize(Set& set);

bool includes(const Ranges& outer, const Ranges& inner);
bool includes(const Set& outer, const Set& inner);

void unite(Ranges& ranges, const Ranges& other);
void unite(Set& set, const Set& other);

// What of `ranges` is not in `other`.
Ranges difference(const Ranges& ranges, const Ranges& other);
Set difference(const Set& set, const Set& other);

}  // namespace tepui
