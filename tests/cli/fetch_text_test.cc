#include "cli/fetch_text.h"

#include <gtest/gtest.h>

#include <string>

namespace tepui::cli {
namespace {

std::string uri_problem(std::string_view text) {
  const auto uri = parse_uri(text);
  return uri ? "no problem" : uri.error().message;
}
std::string image_problem(std::string_view text) {
  const auto image = parse_image(text);
  return image ? "no problem" : image.error().message;
}

TEST(FetchText, SaysWhatAndHow) {
  const std::string sum = "sha256:" + std::string(64, '0');
  const auto uri =
      parse_uri("http://x/y.tgz,extract=no,executable,cache=yes,output=a/b,checksum=" + sum);
  ASSERT_TRUE(uri) << uri.error().message;
  EXPECT_EQ(*uri, (Uri{.value = "http://x/y.tgz",
                       .executable = true,
                       .extract = false,
                       .cache = true,
                       .output_file = "a/b",
                       .checksum = sum}));
  EXPECT_EQ(parse_uri("/etc/hosts"), (Uri{.value = "/etc/hosts"}));
}

TEST(FetchText, ACommaMayBeOfTheUrl) {
  EXPECT_EQ(parse_uri("http://x/y?a=1,2,b=3,cache"),
            (Uri{.value = "http://x/y?a=1,2,b=3", .cache = true}));
}

TEST(FetchText, SaysWhatIsWrong) {
  EXPECT_EQ(uri_problem("http://x/y,cache=maybe"), "cache is 'maybe', expected yes or no");
  EXPECT_EQ(uri_problem("x"), "URI 'x': is neither file:, http: nor https:, nor an absolute path");
  EXPECT_EQ(image_problem("docker:/x"),
            "'docker:/x' is no image, expected oci:/PATH[:NAME] or oci-archive:/PATH[:NAME]");
  EXPECT_NE(image_problem("oci:relative"), "no problem");
}

TEST(FetchText, NamesImages) {
  EXPECT_EQ(parse_image("oci:/srv/app:1.2"),
            (RootFilesystem{
                .type = RootFilesystem::Type::kOciLayout, .path = "/srv/app", .reference = "1.2"}));
  EXPECT_EQ(parse_image("oci-archive:/srv/app.tar"),
            (RootFilesystem{.type = RootFilesystem::Type::kOciArchive, .path = "/srv/app.tar"}));
}

}  // namespace
}  // namespace tepui::cli
