#pragma once
// What a task fetches and which image it runs in, as people write it:
//
//   https://example.org/job.tar.gz,checksum=sha256:…,cache
//   oci:/srv/images/app:1.2        oci-archive:/srv/images/app.tar
//
// Pure.

#include <string_view>

#include "common/commands.h"
#include "common/container_info.h"
#include "common/result.h"

namespace tepui::cli {

// A URL or absolute path, and some of extract=no, executable, cache, output=NAME and
// checksum=sha256:…, each after a comma.
Result<Uri> parse_uri(std::string_view text);

// oci: and oci-archive:, an absolute path, and perhaps a colon and the image's name there.
Result<RootFilesystem> parse_image(std::string_view text);

}  // namespace tepui::cli
