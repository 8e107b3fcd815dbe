#pragma once
// The seam at which every action is allowed or refused. Asked from the first day; AllowAll answers
// yes until the security work gives it rules.
//
// Pure.

#include <cstdint>
#include <string_view>

namespace tepui {

enum class Action : uint8_t {
  kRegisterAgent,
  kRegisterFramework,
  kRunTask,
  kTeardownFramework,
  kKillTask,
  kUpdateQuota,
  kUpdateWeights,
  kOperateAgent,
  kOperateResources,
  kMaintenance,
  kView,
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  // `object`: the role, framework id, user or table the action is about.
  virtual bool authorize(std::string_view principal, Action action, std::string_view object) = 0;
};

class AllowAll final : public Authorizer {
 public:
  bool authorize(std::string_view, Action, std::string_view) override { return true; }
};

}  // namespace tepui
