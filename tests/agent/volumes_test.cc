#include "agent/volumes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

// Goal: no two volumes share a place, and no volume shows up where it may not. Method: kinds by
// hand.

namespace tepui {
namespace {

Resource volume(Disk disk, std::string role = "r") {
  ResourceKind kind{.name = "disk", .reservations = {{.role = std::move(role)}}, .disk = disk};
  return {.kind = make_kind(std::move(kind)), .amount = int64_t{64'000}};
}

Disk at(std::string path, std::string id = "v") {
  return {.persistence_id = std::move(id), .container_path = std::move(path)};
}

VolumePlace place(const Resource& item) { return volume_place(*item.kind, "/srv/agent"); }

TEST(Volumes, LieBelowTheWorkDirectoryOrTheirDisk) {
  EXPECT_EQ(place(volume(at("data"))),
            (VolumePlace{.base = "/srv/agent", .directory = "volumes/roles/r/v"}));
  Disk disk = at("data");
  disk.source = Disk::Source::kPath;
  disk.source_root = "/mnt/ssd";
  EXPECT_EQ(place(volume(disk)),
            (VolumePlace{.base = "/mnt/ssd", .directory = "volumes/roles/r/v"}));
  disk.source = Disk::Source::kMount;
  EXPECT_EQ(place(volume(disk)), (VolumePlace{.base = "/mnt/ssd", .directory = ""}));
}

TEST(Volumes, OfNestedRolesDoNotLieInEachOther) {
  const auto directory = [](std::string role, std::string id) {
    return place(volume(at("data", std::move(id)), std::move(role))).directory;
  };
  EXPECT_EQ(directory("eng/web", "v"), "volumes/roles/eng%2Fweb/v");
  EXPECT_NE(directory("eng", "web"), directory("eng/web", "v").substr(0, 23));
  EXPECT_NE(directory("eng%2Fweb", "v"), directory("eng/web", "v"));
}

Result<std::vector<VolumeMount>> mounts(std::vector<Resource> items) {
  return volume_mounts(Resources::create(std::move(items)).value(), "/srv/agent");
}
std::string refusal(std::vector<Resource> items) {
  const auto found = mounts(std::move(items));
  return found ? "" : found.error().message;
}

TEST(Volumes, ShowAtTheirPathInTheSandbox) {
  const auto found = mounts({volume(at("./a//b/", "v1")), volume(at("a/c", "v2"))});
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].container_path, "a/b");
  EXPECT_EQ((*found)[0].place.directory, "volumes/roles/r/v1");
  EXPECT_EQ((*found)[1].container_path, "a/c");
  EXPECT_TRUE(mounts({}).value().empty());
  EXPECT_TRUE(
      volume_mounts(Resources::parse("cpus:1;disk(r):10").value(), "/srv/agent").value().empty());
}

TEST(Volumes, AreRefusedWhereATaskCannotHaveThem) {
  EXPECT_EQ(refusal({volume(at("/data"))}),
            "container path '/data' of volume 'v' is absolute; without a root file system of its "
            "own a task sees volumes below its sandbox");
  EXPECT_EQ(refusal({volume(at("a/../../b"))}),
            "container path 'a/../../b' of volume 'v' leaves the sandbox");
  for (const char* nothing : {".", "./"}) {
    EXPECT_NE(refusal({volume(at(nothing))}).find("names no directory"), std::string::npos);
  }
  EXPECT_NE(refusal({volume(at("stderr"))}).find("output of the task"), std::string::npos);
}

TEST(Volumes, InEachOthersWayAreRefused) {
  EXPECT_EQ(refusal({volume(at("a", "v1")), volume(at("a", "v2"))}),
            "volume 'v2' at 'a' and another at 'a' are in each other's way");
  EXPECT_NE(refusal({volume(at("a/b", "v1")), volume(at("a", "v2"))}), "");
  EXPECT_NE(refusal({volume(at("a", "v1")), volume(at("a/b", "v2"))}), "");
  EXPECT_EQ(refusal({volume(at("a", "v1")), volume(at("ab", "v2"))}), "");
}

TEST(Volumes, MayBeAnywhereInARootOfTheTasksOwn) {
  const auto mounts_with = [](const std::optional<ContainerInfo>& container) {
    return volume_mounts(Resources::create({volume(at("/var//data/"))}).value(), "/srv", container);
  };
  ContainerInfo container;
  EXPECT_FALSE(mounts_with(container).has_value());
  container.rootfs = RootFilesystem{.path = "/images/x"};
  EXPECT_EQ(mounts_with(container).value()[0].container_path, "/var/data");
  container.volumes = {{.container_path = "/var/data", .source_path = "/srv/x"}};
  EXPECT_EQ(mounts_with(container).error().message,
            "volume 'v' is at '/var/data', and another of the container too");
}

}  // namespace
}  // namespace tepui
