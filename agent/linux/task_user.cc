#include "agent/linux/task_user.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/linux/root_users.h"
#include "agent/linux/users.h"

namespace tepui {
namespace {

Result<std::optional<UserIds>> find_within(const LaunchSpec& spec, const std::string& root) {
  const std::string& name = spec.command.user;
  if (!spec.confinement.root) return user_to_switch_to(name);
  Result<std::optional<UserIds>> found =
      user_in_root(root.empty() ? spec.confinement.root->layers : std::vector{root}, name);
  if (found || !spec.image) return found;
  const std::string& reference = spec.image->reference;
  return std::unexpected(std::move(found).error().in(
      fmt::format("the image {}{}{}", spec.image->path, reference.empty() ? "" : ":", reference)));
}

Result<uint32_t> map(uint32_t id, const IdRange& ids, const std::string& user) {
  if (id < ids.count) return ids.first + id;
  return fail(fmt::format("the user \"{}\" has the id {}, and a user namespace only {}", user, id,
                          ids.count));
}

}  // namespace

Result<TaskUser> find_task_user(const LaunchSpec& spec, const std::string& root,
                                const std::optional<IdRange>& ids) {
  TaskUser user;
  user.within = TRY(find_within(spec, root));
  if (!ids) {
    user.outside = user.within;
    return user;
  }
  if (!user.within) user.within = UserIds{.uid = 0, .gid = 0, .groups = {0}};
  const std::string& name = spec.command.user;
  UserIds outside{.uid = TRY(map(user.within->uid, *ids, name)),
                  .gid = TRY(map(user.within->gid, *ids, name)),
                  .groups = {}};
  for (const uint32_t group : user.within->groups) {
    outside.groups.push_back(TRY(map(group, *ids, name)));
  }
  user.outside = std::move(outside);
  return user;
}

}  // namespace tepui
