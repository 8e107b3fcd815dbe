#include "cli/fetch_text.h"

#include <fmt/format.h>

#include <string>

namespace tepui::cli {

namespace {

// False: it is a part of the URL, which may have commas.
Result<bool> read_option(std::string_view text, Uri& uri) {
  const size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const bool has_value = equals != text.npos;
  const std::string_view value = has_value ? text.substr(equals + 1) : std::string_view();
  bool* flag = name == "extract"      ? &uri.extract
               : name == "executable" ? &uri.executable
               : name == "cache"      ? &uri.cache
                                      : nullptr;
  if (flag != nullptr) {
    if (has_value && value != "yes" && value != "no") {
      return fail(fmt::format("{} is '{}', expected yes or no", name, value));
    }
    *flag = value != "no";
    return true;
  }
  if (!has_value) return false;
  if (name == "output") {
    uri.output_file = value;
  } else if (name == "checksum") {
    uri.checksum = value;
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<Uri> parse_uri(std::string_view text) {
  Uri uri;
  for (size_t comma = text.rfind(','); comma != text.npos; comma = text.rfind(',')) {
    if (!TRY(read_option(text.substr(comma + 1), uri))) break;
    text = text.substr(0, comma);
  }
  uri.value = text;
  CommandInfo command{.value = "true", .uris = {uri}};
  TRY(validate(command));
  return uri;
}

Result<RootFilesystem> parse_image(std::string_view text) {
  RootFilesystem image;
  const size_t kind = text.find(':');
  const std::string_view name = text.substr(0, kind);
  if (name == "oci") {
    image.type = RootFilesystem::Type::kOciLayout;
  } else if (name == "oci-archive") {
    image.type = RootFilesystem::Type::kOciArchive;
  } else {
    return fail(fmt::format(
        "'{}' is no image, expected oci:/PATH[:NAME] or oci-archive:/PATH[:NAME]", text));
  }
  text.remove_prefix(kind + 1);
  const size_t reference = text.find(':');
  image.path = text.substr(0, reference);
  if (reference != text.npos) image.reference = text.substr(reference + 1);
  TRY(validate(ContainerInfo{.rootfs = image}));
  return image;
}

}  // namespace tepui::cli
