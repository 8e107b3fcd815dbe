#pragma once
// A document as entries (common/entries.h).

#include <string_view>

#include "common/entries.h"
#include "common/io/document.h"

namespace tepui {

// Empty tables and nulls say nothing.
Entries entries_of(const Document& document);

// Of one table of the document, with paths that begin there; nothing where there is none.
Entries entries_in(const Document& document, std::string_view table);

}  // namespace tepui
