#include "agent/fetch/oci.h"

#include <gtest/gtest.h>

#include <string>

namespace tepui::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string manifest_with(const std::string& layer_type) {
  const std::string descriptor = R"("digest": ")" + kDigest + R"(", "size": 3})";
  return R"({"schemaVersion": 2, "config": {)" + descriptor + R"(, "layers": [{"mediaType": ")" +
         layer_type + R"(", )" + descriptor + "]}";
}

template <class T>
std::string problem(const Result<T>& result) {
  return result ? "none" : result.error().message;
}

TEST(Oci, ManifestsNameTheirLayers) {
  const auto manifest =
      parse_manifest(manifest_with("application/vnd.oci.image.layer.v1.tar+gzip"));
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->config.digest, kDigest);
  EXPECT_EQ(manifest->layers,
            (std::vector<ImageLayer>{{.digest = kDigest,
                                      .media_type = "application/vnd.oci.image.layer.v1.tar+gzip",
                                      .bytes = 3}}));
  EXPECT_EQ(problem(parse_manifest(manifest_with("application/x-evil"))),
            "the layer " + kDigest + " is 'application/x-evil', which cannot be unpacked");
}

TEST(Oci, WhatIsNotOneIsRefused) {
  EXPECT_NE(problem(parse_manifest("")), "none");
  EXPECT_EQ(problem(parse_manifest("[]")), "the manifest is no JSON object");
  EXPECT_EQ(problem(parse_manifest("{}")), "the manifest names no configuration");
  EXPECT_EQ(problem(parse_manifest(R"({"config": {"digest": "sha256:../../x", "size": 1}})")),
            "the digest 'sha256:../../x' is not sha256: and 64 digits");
  EXPECT_EQ(problem(parse_manifest(R"({"config": {"digest": ")" + kDigest + R"("}})")),
            kDigest + " has no size");
  EXPECT_EQ(problem(parse_index(R"({"manifests": {}})")), "manifests is a table, expected a list");
  EXPECT_EQ(problem(parse_config(R"({"config": {"Env": [1]}})", "amd64")),
            "Env has something that is no text");
  EXPECT_EQ(problem(parse_config(R"({"architecture": "s390x", "os": "linux"})", "amd64")),
            "the image is for linux/s390x, this machine is linux/amd64");
}

TEST(Oci, ConfigurationsMayLeaveAllOpen) {
  EXPECT_EQ(parse_config("{}", "amd64"), ImageConfig{});
  EXPECT_EQ(
      parse_config(R"({"config": {"Cmd": null, "User": "7", "Env": ["A=b"],
                              "Entrypoint": ["/e"], "WorkingDir": "/w"}})",
                   "amd64"),
      (ImageConfig{
          .environment = {"A=b"}, .entrypoint = {"/e"}, .working_directory = "/w", .user = "7"}));
}

TEST(Oci, ImagesAreChosenByNameAndMachine) {
  const Descriptor amd{.digest = "1", .name = "v1", .architecture = "amd64", .system = "linux"};
  Descriptor arm = amd;
  arm.digest = "2";
  arm.architecture = "arm64";
  Descriptor other = amd;
  other.digest = "3";
  other.name = "v2";
  EXPECT_EQ(choose({amd}, "", "amd64"), amd);
  EXPECT_EQ(choose({amd, arm}, "v1", "arm64"), arm);
  EXPECT_EQ(choose({amd, arm, other}, "v2", "amd64"), other);
  EXPECT_EQ(problem(choose({}, "", "amd64")), "there is no image");
  EXPECT_EQ(problem(choose({amd, other}, "v3", "amd64")), "there is no image 'v3', only: v1, v2");
  EXPECT_EQ(problem(choose({amd, other}, "", "amd64")),
            "there are several images, name one of: v1, v2");
  EXPECT_EQ(problem(choose({amd, arm}, "v1", "riscv64")), "there is no image for linux/riscv64");
}

}  // namespace
}  // namespace tepui::oci
