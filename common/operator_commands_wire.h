#pragma once
// The commands of the operator conversation, to and from their wire types; operator_wire.cc puts
// them into the frame.
//
// Pure.

#include "common/values_wire.h"
#include "schemas/operator_generated.h"

namespace tepui {

Offset<wire::OperatorKill> write(WireWriter& out, const OperatorKill& message);
OperatorKill read(WireReader& in, const wire::OperatorKill& message);
Offset<wire::UpdateQuota> write(WireWriter& out, const UpdateQuota& message);
UpdateQuota read(WireReader& in, const wire::UpdateQuota& message);
Offset<wire::UpdateWeights> write(WireWriter& out, const UpdateWeights& message);
UpdateWeights read(WireReader& in, const wire::UpdateWeights& message);
Offset<wire::OperateResources> write(WireWriter& out, const OperateResources& message);
OperateResources read(WireReader& in, const wire::OperateResources& message);
Offset<wire::UpdateMaintenanceSchedule> write(WireWriter& out,
                                              const UpdateMaintenanceSchedule& message);
UpdateMaintenanceSchedule read(WireReader& in, const wire::UpdateMaintenanceSchedule& message);
Offset<wire::OperateMachines> write(WireWriter& out, const OperateMachines& message);
OperateMachines read(WireReader& in, const wire::OperateMachines& message);
Offset<wire::OperateAgent> write(WireWriter& out, const OperateAgent& message);
OperateAgent read(WireReader& in, const wire::OperateAgent& message);
Offset<wire::TeardownFramework> write(WireWriter& out, const TeardownFramework& message);
TeardownFramework read(WireReader& in, const wire::TeardownFramework& message);
Offset<wire::Explain> write(WireWriter& out, const Explain& message);
Explain read(WireReader& in, const wire::Explain& message);

}  // namespace tepui
