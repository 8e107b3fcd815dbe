#include <gtest/gtest.h>

#include "tests/common/round_trip.h"

namespace tepui {
namespace {

TEST(WireScheduler, CallsComeBackAsTheyWent) {
  check_round_trips<SchedulerToMaster>(decode_scheduler_to_master, 1);
}
TEST(WireScheduler, EventsComeBackAsTheyWent) {
  check_round_trips<MasterToScheduler>(decode_master_to_scheduler, 2);
}
TEST(WireScheduler, DamagedCallsDoNoHarm) {
  check_damage<SchedulerToMaster>(decode_scheduler_to_master, 3);
}
TEST(WireScheduler, DamagedEventsDoNoHarm) {
  check_damage<MasterToScheduler>(decode_master_to_scheduler, 4);
}
TEST(WireScheduler, AlignmentIsTheDecodersConcern) {
  check_misaligned<SchedulerToMaster>(decode_scheduler_to_master, 5);
  check_misaligned<MasterToScheduler>(decode_master_to_scheduler, 6);
}

}  // namespace
}  // namespace tepui
