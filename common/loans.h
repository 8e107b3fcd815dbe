#pragma once
// Loans: regular resources of an agent that are lent as revocable ones, because a role that they
// are guaranteed to does not use them. A loan changes nothing but the kind: the same amount of the
// same resource, marked as revocable, which the borrower may lose at any time.
//
// Invariant, kept by whoever books loans: what of an agent's revocable resources is lent is held by
// somebody. What of it comes back becomes regular again before it is offered to anyone.
//
// Pure.

#include "common/resources.h"

namespace tepui {

// What may be lent: scalars that nothing is reserved of, that are regular, and can be cut.
bool is_lendable(const Resource& item);
Resources lendable(const Resources& resources);

// The same amounts as a borrower sees them, and back. The first takes only what is lendable, the
// second only what is revocable.
Resources as_revocable(const Resources& regular);
Resources as_regular(const Resources& revocable);

// What is in both, per kind.
Resources common_part(const Resources& a, const Resources& b);

}  // namespace tepui
