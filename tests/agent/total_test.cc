#include "agent/total.h"

#include <gtest/gtest.h>

#include "common/loans.h"
#include "sdk/operations.h"

namespace tepui {
namespace {

const Resources kDisk = Resources::scalars({{"disk", 10'000}});

Resources volume(std::string id, std::string path, std::string role = "eng", bool shared = false) {
  return volume_on(
      reserved(kDisk, role, "p"),
      {.id = std::move(id), .path = std::move(path), .principal = "p", .shared = shared});
}
TEST(Total, HoldsWhatIsSharedForEverybody) {
  const Resources shared = volume("v", "data", "eng", true);
  EXPECT_TRUE(can_hold(shared, shared + shared));
  EXPECT_FALSE(can_hold(kDisk, shared));
  EXPECT_FALSE(can_hold(volume("v", "data"), volume("v", "data") + volume("v", "data")));
}

TEST(Total, HoldsNoPieceOfAVolume) {
  const Resources whole = volume("v", "data");
  const Resources half =
      *Resources::create({{.kind = whole.items().front().kind, .amount = Amount{int64_t{5'000}}}});
  EXPECT_TRUE(can_hold(whole, whole));
  EXPECT_FALSE(can_hold(whole, half));
}

TEST(Total, AMountedDiskWithAVolumeKeepsItsSize) {
  const auto disk = [](int64_t milli) {
    return *Resources::create(
        {{.kind = make_kind(
              {.name = "disk", .disk = Disk{.source = Disk::Source::kMount, .source_root = "/m"}}),
          .amount = Amount{milli}}});
  };
  const Resources made =
      volume_on(reserved(disk(5'000), "eng", "p"), {.id = "v", .path = "data", .principal = "p"});
  EXPECT_EQ(restore_total(disk(5'000), made), made);
  const Result<Resources> larger = restore_total(disk(6'000), made);
  ASSERT_FALSE(larger.has_value());
  EXPECT_NE(larger.error().message.find("configure their disks with the size they had: the disk "
                                        "mounted at '/m' has 6 MB"),
            std::string::npos)
      << larger.error().message;
}

TEST(Total, TakesTasksOnWhatWasLentOfTheRest) {
  const Resources four = Resources::scalars({{"cpus", 4000}});
  const Resources two = Resources::scalars({{"cpus", 2000}});
  const Resources one = Resources::scalars({{"cpus", 1000}});
  EXPECT_TRUE(can_take(four, two, as_revocable(two)));
  EXPECT_FALSE(can_take(four, two + as_revocable(one), as_revocable(two)));
  EXPECT_TRUE(can_take(four + as_revocable(one), two + as_revocable(one), as_revocable(two)));
  EXPECT_FALSE(can_take(*Resources::parse("cpus(eng):4"), {}, as_revocable(one)))
      << "what is reserved is not lent";
  EXPECT_TRUE(can_take(four, as_revocable(four), four))
      << "what is regular does not wait for what is revocable";
  EXPECT_FALSE(can_take(four, four, one));
}

TEST(Total, KeepsVolumesInWhatIsConfiguredAnew) {
  const Resources before =
      Resources::scalars({{"cpus", 4000}, {"disk", 90'000}}) + volume("v", "data");
  const Resources larger = Resources::scalars({{"cpus", 8000}, {"disk", 120'000}});
  EXPECT_EQ(restore_total(larger, before),
            Resources::scalars({{"cpus", 8000}, {"disk", 110'000}}) + volume("v", "data"));
  const Result<Resources> lost =
      restore_total(Resources::scalars({{"cpus", 8000}, {"disk", 9'000}}), before);
  ASSERT_FALSE(lost.has_value());
  EXPECT_NE(lost.error().message.find("lack disk:1"), std::string::npos) << lost.error().message;
}

TEST(Total, TakesWhatIsMadeOfStaticReservationsFromThose) {
  const Resources configured = *Resources::parse("disk(eng):10");
  ResourceKind kind = *configured.items().front().kind;
  kind.disk = Disk{.persistence_id = "v", .container_path = "data"};
  const Resources made = *Resources::create({{.kind = make_kind(kind), .amount = int64_t{10'000}}});
  EXPECT_EQ(restore_total(configured, made), made);
  EXPECT_FALSE(restore_total(kDisk, made).has_value());
}

}  // namespace
}  // namespace tepui
