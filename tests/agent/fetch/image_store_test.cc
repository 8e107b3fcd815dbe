// Goal: images become layers as overlayfs wants them, once each, whatever their archives say; what
// containers use stays, and the rest is bounded.

#include "agent/linux/image_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "agent/fetch/fetch_path.h"
#include "agent/fetch/oci.h"
#include "agent/fetch/sha256.h"
#include "tests/agent/fetch/tar.h"

namespace tepui {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

std::string digest_of(const std::string& bytes) {
  Sha256 hash;
  hash.add(bytes);
  return "sha256:" + hash.digits();
}

class ImageStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root unpacks what belongs to others";
    std::string pattern = (fs::temp_directory_path() / "tepui-test-XXXXXX").string();
    home_ = mkdtemp(pattern.data());
    fs::create_directories(layout() / "blobs/sha256");
    open_store();
  }
  void TearDown() override {
    store_.reset();
    if (!home_.empty()) fs::remove_all(home_);
  }

  fs::path layout() const { return home_ / "images" / "app"; }

  void open_store(const std::set<std::string>& containers = {}, uint64_t bytes = 1 << 30) {
    store_.reset();
    auto made = ImageStore::create({.program = kFetchPath,
                                    .directory = home_ / "store",
                                    .image_dirs = {home_ / "images"},
                                    .bytes = bytes,
                                    .layer_bytes_max = 8 << 20},
                                   containers);
    ASSERT_TRUE(made) << made.error().message;
    store_ = *std::move(made);
  }

  std::string blob(const std::string& bytes) {
    const std::string digest = digest_of(bytes);
    std::ofstream(layout() / "blobs/sha256" / digest.substr(7)) << bytes;
    return R"("digest": ")" + digest + R"(", "size": )" + std::to_string(bytes.size());
  }
  // An image of these layers, the lowest first.
  void image(const std::vector<Tar>& layers, const std::string& config = "{}") {
    std::string list;
    for (const Tar& layer : layers) {
      list += std::string(list.empty() ? "" : ",") +
              R"({"mediaType": "application/vnd.oci.image.layer.v1.tar", )" + blob(layer.bytes()) +
              "}";
    }
    const std::string manifest =
        R"({"config": {)" + blob(config) + R"(}, "layers": [)" + list + "]}";
    std::ofstream(layout() / "index.json")
        << R"({"manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", )" +
               blob(manifest) + "}]}";
    std::ofstream(layout() / "oci-layout") << R"({"imageLayoutVersion": "1.0.0"})";
  }

  Result<ProvidedImage> provide(const RootFilesystem& rootfs, const std::string& id = "c") {
    return store_->provide({.value = id}, rootfs, **Cancellation::create());
  }
  Result<ProvidedImage> provide(const std::string& id = "c") {
    return provide({.type = RootFilesystem::Type::kOciLayout, .path = layout()}, id);
  }
  std::string problem() {
    const auto provided = provide();
    return provided ? "none" : provided.error().message;
  }
  long layers() const {
    return std::distance(fs::directory_iterator(home_ / "store" / "layers"),
                         fs::directory_iterator());
  }

  fs::path home_;
  std::unique_ptr<ImageStore> store_;
};

bool is_whiteout(const fs::path& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == 0;
}
bool is_opaque(const fs::path& path) {
  char value = 0;
  return lgetxattr(path.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

TEST_F(ImageStoreTest, LayersAreUnpackedAsOverlayfsWantsThem) {
  image({Tar().directory("etc").add(Tar::kFile, "etc/owned", "1", "", 04755, 33),
         Tar()
             .file("etc/.wh.owned", "")
             .directory("var")
             .file("var/.wh..wh..opq", "")
             .file("var/new", "2")
             .file("deep/down/.wh.gone", "")
             .add(Tar::kDevice, "dev-null")});
  const auto provided = provide();
  ASSERT_TRUE(provided) << provided.error().message;
  ASSERT_EQ(provided->layers.size(), 2u);
  const fs::path upper = provided->layers[0];
  const fs::path lower = provided->layers[1];
  struct stat status{};
  ASSERT_EQ(stat((lower / "etc/owned").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 33u);
  EXPECT_EQ(status.st_mode & 07777, 04755u);
  EXPECT_TRUE(is_whiteout(upper / "etc/owned"));
  EXPECT_TRUE(is_whiteout(upper / "deep/down/gone"));
  EXPECT_TRUE(is_opaque(upper / "var"));
  EXPECT_FALSE(is_opaque(upper / "etc"));
  EXPECT_TRUE(fs::exists(upper / "var/new"));
  EXPECT_FALSE(fs::exists(upper / "dev-null"));
  // Nobody else gets at programs of images that gain rights.
  ASSERT_EQ(stat((home_ / "store").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(ImageStoreTest, WhatReplacesSomethingHasNothingOfIt) {
  image({Tar().directory("a"),
         Tar().file(".wh.a", "").directory("a").directory("b").file(".wh.b", "")});
  const auto provided = provide();
  ASSERT_TRUE(provided) << provided.error().message;
  EXPECT_TRUE(is_opaque(fs::path(provided->layers[0]) / "a"));
  EXPECT_TRUE(is_opaque(fs::path(provided->layers[0]) / "b"));
}

TEST_F(ImageStoreTest, ALayerThatHidesAllIsTheLowest) {
  image({Tar().file("old", ""), Tar().file(".wh..wh..opq", "").file("new", "")});
  const auto provided = provide();
  ASSERT_TRUE(provided) << provided.error().message;
  ASSERT_EQ(provided->layers.size(), 1u);
  EXPECT_TRUE(fs::exists(fs::path(provided->layers[0]) / "new"));
}

TEST_F(ImageStoreTest, LayersThatClimbAreRefused) {
  for (const Tar& tar :
       {Tar().file("../x", "bad"), Tar().file("/x", "bad"), Tar().file(".wh...", ""),
        Tar().file("a/../.wh.x", ""), Tar().add(Tar::kLink, "l", "", "/tmp").file("l/x", "bad"),
        Tar().add(Tar::kLink, "l", "", "/tmp").file("l/.wh.x", ""),
        Tar().add(Tar::kLink, "l", "", "/tmp").file("l/.wh..wh..opq", "")}) {
    image({tar});
    EXPECT_THAT(problem(), HasSubstr("unpacking the layer sha256:"));
    EXPECT_EQ(layers(), 0);
    EXPECT_TRUE(fs::is_empty(home_ / "store" / "staging"));
  }
}

TEST_F(ImageStoreTest, WhatIsDamagedIsRefused) {
  const Tar tar = Tar().file("x", "content");
  image({tar});
  const fs::path file = layout() / "blobs/sha256" / digest_of(tar.bytes()).substr(7);
  std::string bytes = tar.bytes();
  bytes[bytes.size() - 1] = 1;  // behind all that an archive's reader looks at
  std::ofstream(file) << bytes;
  EXPECT_THAT(problem(), HasSubstr("is damaged: its digest is sha256:"));
  fs::remove(file);
  EXPECT_THAT(problem(), HasSubstr("ENOENT"));
  image({tar}, R"({"architecture": "s390x", "os": "linux"})");
  EXPECT_THAT(problem(), HasSubstr("the image is for linux/s390x"));
  std::ofstream(layout() / "index.json") << "{";
  EXPECT_THAT(problem(), HasSubstr("the index:1: not JSON"));
  image({Tar().file("large", std::string(9 << 20, 'x'))});
  EXPECT_THAT(problem(), HasSubstr("unpacks to more than 8MB"));
}

TEST_F(ImageStoreTest, BlobsAreNotLookedForElsewhere) {
  const Tar tar = Tar().file("x", "content");
  image({tar});
  const fs::path file = layout() / "blobs/sha256" / digest_of(tar.bytes()).substr(7);
  fs::rename(file, home_ / "elsewhere");
  fs::create_symlink(home_ / "elsewhere", file);
  EXPECT_THAT(problem(), HasSubstr("unpacking the layer"));
}

TEST_F(ImageStoreTest, ImagesLieWhereTheOperatorPermits) {
  image({Tar().file("x", "")});
  fs::create_directory(home_ / "other");
  fs::copy(layout(), home_ / "other" / "app", fs::copy_options::recursive);
  fs::create_symlink(home_ / "other" / "app", home_ / "images" / "link");
  for (const fs::path& path : {home_ / "other" / "app", home_ / "images" / "link",
                               home_ / "images" / ".." / "other" / "app"}) {
    const auto provided = provide({.type = RootFilesystem::Type::kOciLayout, .path = path});
    ASSERT_FALSE(provided) << path;
    EXPECT_THAT(provided.error().message, HasSubstr("--image-dir"));
  }
}

TEST_F(ImageStoreTest, ArchivesAreTheSame) {
  image({Tar().file("lower", "1"), Tar().file("upper", "2")},
        R"({"config": {"Entrypoint": ["/go"]}})");
  const fs::path archive = home_ / "images" / "app.tar";
  ASSERT_EQ(
      std::system(("tar -C " + layout().string() + " -cf " + archive.string() + " .").c_str()), 0);
  const auto provided = provide({.type = RootFilesystem::Type::kOciArchive, .path = archive});
  ASSERT_TRUE(provided) << provided.error().message;
  EXPECT_EQ(provided->config.entrypoint, std::vector<std::string>{"/go"});
  EXPECT_TRUE(fs::exists(fs::path(provided->layers.at(0)) / "upper"));
  EXPECT_TRUE(fs::exists(fs::path(provided->layers.at(1)) / "lower"));
}

TEST_F(ImageStoreTest, WhatContainersUseStaysAlsoOverARestart) {
  image({Tar().file("first", "")});
  ASSERT_TRUE(provide("one"));
  open_store({"one"}, 0);
  image({Tar().file("second", "")});
  ASSERT_TRUE(provide("two"));
  EXPECT_EQ(layers(), 2);
  store_->release({.value = "two"});
  image({Tar().file("third", "")});
  ASSERT_TRUE(provide("three"));
  EXPECT_EQ(layers(), 2);  // the second went
  // The next life knows of none of them any more.
  open_store({}, 0);
  image({Tar().file("fourth", "")});
  ASSERT_TRUE(provide("four"));
  EXPECT_EQ(layers(), 1);
}

TEST_F(ImageStoreTest, TakesImagesOfOtherTools) {
  ASSERT_EQ(std::system("command -v umoci > /dev/null"), 0) << "./dev deps installs umoci";
  const std::string path = home_ / "images" / "real";
  const std::string bundle = home_ / "bundle";
  const std::string script =
      "set -e; exec > /dev/null 2>&1; umoci init --layout " + path + "; umoci new --image " + path +
      ":v1; umoci unpack --image " + path + ":v1 " + bundle + "; mkdir " + bundle +
      "/rootfs/etc; echo one > " + bundle + "/rootfs/etc/one; umoci repack --image " + path +
      ":v1 " + bundle + "; rm -r " + bundle + "; umoci unpack --image " + path + ":v1 " + bundle +
      "; rm " + bundle + "/rootfs/etc/one; umoci repack --image " + path + ":v1 " + bundle +
      "; umoci config --image " + path + ":v1 --config.entrypoint /bin/app --config.env A=b";
  ASSERT_EQ(std::system(script.c_str()), 0);
  const auto provided =
      provide({.type = RootFilesystem::Type::kOciLayout, .path = path, .reference = "v1"});
  ASSERT_TRUE(provided) << provided.error().message;
  EXPECT_EQ(provided->config.entrypoint, std::vector<std::string>{"/bin/app"});
  EXPECT_THAT(provided->config.environment, testing::Contains("A=b"));
  ASSERT_EQ(provided->layers.size(), 2u);
  EXPECT_TRUE(fs::exists(fs::path(provided->layers[1]) / "etc/one"));
  EXPECT_TRUE(is_whiteout(fs::path(provided->layers[0]) / "etc/one"));
}

}  // namespace
}  // namespace tepui
