#include <gtest/gtest.h>

#include "tests/common/round_trip.h"

namespace tepui {
namespace {

TEST(WireExecutor, CallsComeBackAsTheyWent) {
  check_round_trips<ExecutorToAgent>(decode_executor_to_agent, 1);
}
TEST(WireExecutor, EventsComeBackAsTheyWent) {
  check_round_trips<AgentToExecutor>(decode_agent_to_executor, 2);
}
TEST(WireExecutor, DamagedCallsDoNoHarm) {
  check_damage<ExecutorToAgent>(decode_executor_to_agent, 3);
}
TEST(WireExecutor, DamagedEventsDoNoHarm) {
  check_damage<AgentToExecutor>(decode_agent_to_executor, 4);
}
TEST(WireExecutor, AlignmentIsTheDecodersConcern) {
  check_misaligned<ExecutorToAgent>(decode_executor_to_agent, 5);
  check_misaligned<AgentToExecutor>(decode_agent_to_executor, 6);
}

}  // namespace
}  // namespace tepui
