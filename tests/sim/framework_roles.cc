// The simulated framework changes the roles it is in while it is subscribed.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "tests/sim/framework.h"

namespace tepui::sim {

// From the answer to an update on, nothing is offered in roles that it left.
void SimFramework::check_role(const Offer& offer) {
  if (std::ranges::find(scheduler_->info().roles, offer.role) != scheduler_->info().roles.end()) {
    return;
  }
  world_.violated("roles", fmt::format("framework {} is offered {} in the role {}, which is not "
                                       "one of its own",
                                       number_, to_text(offer.resources), offer.role));
}

void SimFramework::change_roles() {
  constexpr std::string_view kShared = "roles/shared";
  FrameworkInfo info = scheduler_->info();
  if (std::erase(info.roles, kShared) == 0) info.roles.emplace_back(kShared);
  std::erase(info.suppressed_roles, kShared);
  if (!scheduler_->update(info)) return;
  world_.reached("framework.updates");
}

void SimFramework::on_framework_updated(Scheduler& scheduler, std::string_view error) {
  if (!error.empty()) {
    world_.violated("roles",
                    fmt::format("the update of framework {} is refused: {}", number_, error));
  }
  options_.info = scheduler.info();
}

}  // namespace tepui::sim
