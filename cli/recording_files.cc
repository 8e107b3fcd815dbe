#include "cli/recording_files.h"

#include <sys/stat.h>

#include "common/io/numbered_files.h"

namespace tepui::cli {

Result<RecordingFiles> RecordingFiles::open(const std::string& path) {
  RecordingFiles files;
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    const int code = errno;
    return fail(fmt::format("cannot find {}: {}", path, strerror(code)), code);
  }
  if (!S_ISDIR(status.st_mode)) {
    files.segments_.push_back(
        {.path = path, .bytes = static_cast<uint64_t>(status.st_size), .damage = {}});
    return files;
  }
  for (const NumberedFile& file : TRY(find_numbered(path, "", ".recording"))) {
    files.segments_.push_back({.path = file.path, .bytes = file.bytes, .damage = {}});
  }
  if (files.segments_.empty()) return fail(fmt::format("{} holds no recording", path));
  return files;
}

std::optional<RecordingReader::Item> RecordingFiles::next() {
  while (true) {
    if (reader_ != nullptr) {
      Segment& segment = segments_[place_];
      Result<std::optional<RecordingReader::Item>> item = reader_->next();
      if (item && item->has_value()) return **std::move(item);
      if (!item) segment.damage = item.error().message;
      segment.torn = reader_->torn();
    }
    if (next_ == segments_.size()) return std::nullopt;
    place_ = next_++;
    Result<MappedFile> file = MappedFile::open(segments_[place_].path);
    if (!file) {
      segments_[place_].damage = file.error().message;
      reader_.reset();
      continue;
    }
    // The reader looks into the file before it.
    reader_.reset();
    file_ = std::make_unique<MappedFile>(*std::move(file));
    reader_ = std::make_unique<RecordingReader>(file_->bytes());
  }
}

}  // namespace tepui::cli
