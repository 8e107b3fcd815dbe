#pragma once
// Builders of what Scheduler::accept takes. An operation changes what the offers hold, and the
// operations after it in the same call find the result there: reserve, create a volume on it,
// launch a task that uses it. (Only what growing and shrinking a volume makes waits for a later
// offer.)
//
//   const Resources kept = reserved(Resources::scalars({{"disk", 512'000}}), "eng", "me");
//   const Resources volume = volume_on(kept, {.id = "db", .path = "data", .principal = "me"});
//   scheduler.accept({offer.id}, {reserve(kept), create_volume(volume), launch_tasks({task})});
//
// With an id, on_operation_update tells what became of the operation. Pure.

#include <string>
#include <vector>

#include "common/messages.h"
#include "common/operations.h"

namespace tepui {

// These resources with one more reservation, dynamic, on top of those they have.
Resources reserved(const Resources& resources, const std::string& role,
                   const std::string& principal, const Labels& labels = {});

struct VolumeOptions {
  std::string id;         // unique on the agent in the role that the disk is reserved to
  std::string path;       // where tasks see it, relative to their sandbox
  std::string principal;  // the framework's own
  bool shared = false;    // by several tasks at once
};
// All disk of `resources` as one volume; what is not disk is left out.
Resources volume_on(const Resources& resources, const VolumeOptions& options);

OfferOperation launch_tasks(std::vector<TaskInfo> tasks);
OfferOperation reserve(Resources reserved, std::string id = {});
OfferOperation unreserve(Resources reserved, std::string id = {});
OfferOperation create_volume(Resources volume, std::string id = {});
OfferOperation destroy_volume(Resources volume, std::string id = {});
OfferOperation grow_volume(Resources volume, Resources addition, std::string id = {});
OfferOperation shrink_volume(Resources volume, int64_t subtract_milli, std::string id = {});

}  // namespace tepui
