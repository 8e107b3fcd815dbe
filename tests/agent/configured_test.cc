#include "agent/configured.h"

#include <gtest/gtest.h>

#include <string>

namespace tepui {
namespace {

Resources one(ResourceKind kind) {
  return *Resources::create(
      {{.kind = make_kind(std::move(kind)), .amount = Amount{int64_t{1000}}}});
}
Resources disk(Disk::Source source, std::string root, std::string role = {}) {
  ResourceKind kind{.name = "disk", .disk = Disk{.source = source, .source_root = std::move(root)}};
  if (!role.empty()) kind.reservations.push_back({.role = std::move(role)});
  return one(std::move(kind));
}
std::string verdict(const Resources& resources) {
  const Result<void> valid = check_configured(resources, "/var/lib/tepui");
  return valid ? "" : valid.error().message;
}
constexpr Disk::Source kPath = Disk::Source::kPath;
constexpr Disk::Source kMount = Disk::Source::kMount;

TEST(Configured, MayHaveDisksAndStaticReservations) {
  EXPECT_EQ(verdict(*Resources::parse("cpus:4;cpus(eng):2;disk:100;ports:[1-9]") +
                    disk(kPath, "/mnt/a") + disk(kPath, "/mnt/a", "eng") + disk(kMount, "/mnt/b") +
                    disk(kMount, "/mnt/b2", "eng")),
            "");
}

TEST(Configured, WhatOperationsMakeIsNotConfigured) {
  EXPECT_EQ(
      verdict(one({.name = "cpus",
                   .reservations = {{.role = "eng"},
                                    {.type = Reservation::Type::kDynamic, .role = "eng/web"}}})),
      "'cpus' is reserved dynamically to 'eng/web'; only static reservations are configured, "
      "RESERVE makes the others");
  EXPECT_EQ(verdict(one({.name = "disk",
                         .reservations = {{.role = "eng"}},
                         .disk = Disk{.persistence_id = "v", .container_path = "data"}})),
            "'disk' is the volume 'v'; volumes are created by frameworks and operators, not "
            "configured");
  EXPECT_EQ(verdict(one({.name = "disk", .disk = Disk{.container_path = "data"}})),
            "'disk' has a volume without persistence, which nothing could use");
  EXPECT_EQ(verdict(one({.name = "cpus", .revocable = true})),
            "'cpus' is revocable, which only what an agent lends is");
}

TEST(Configured, RootsOfDisksAreAbsoluteAndPlain) {
  for (const char* root : {"", "/", "mnt", "/mnt/", "/mnt//a", "/mnt/./a", "/mnt/..", "/../mnt"}) {
    EXPECT_NE(verdict(disk(kPath, root)), "") << root;
  }
  EXPECT_EQ(verdict(disk(kPath, "/mnt/..a")), "");
}

TEST(Configured, AMountedDiskIsThereOnceAndHoldsNothingElse) {
  EXPECT_EQ(verdict(disk(kMount, "/mnt/b") + disk(kMount, "/mnt/b", "eng")),
            "the disk at '/mnt/b' is given twice; a mounted disk goes only as a whole");
  EXPECT_EQ(verdict(disk(kMount, "/mnt/b") + disk(kPath, "/mnt/b")),
            "the disk at '/mnt/b' is given twice, as PATH and as MOUNT");
  EXPECT_EQ(verdict(disk(kMount, "/var/lib")),
            "the work directory '/var/lib/tepui' is on the disk mounted at '/var/lib', which a "
            "volume takes whole");
  EXPECT_EQ(verdict(disk(kMount, "/mnt") + disk(kPath, "/mnt/a")),
            "the disk at '/mnt/a' is on the disk mounted at '/mnt', which a volume takes whole");
  EXPECT_EQ(verdict(disk(kPath, "/mnt") + disk(kMount, "/mnt/a")), "") << "PATH keeps to its own";
}

}  // namespace
}  // namespace tepui
