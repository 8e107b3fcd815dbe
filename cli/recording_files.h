#pragma once
// RecordingFiles reads the segments of a recording one after the other:
//
//   RecordingFiles files = TRY(RecordingFiles::open(path));
//   while (const auto item = files.next()) …
//
// Damage ends a segment, never the reading: what was wrong is in segments(), with file and offset.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/recording_reader.h"
#include "cli/mapped_file.h"
#include "common/result.h"

namespace tepui::cli {

class RecordingFiles {
 public:
  struct Segment {
    std::string path;
    uint64_t bytes = 0;
    bool torn = false;
    std::string damage;  // with the offset; empty: none
  };

  // A directory of segments, or one of them.
  static Result<RecordingFiles> open(const std::string& path);

  // Nothing at the end of all. An entry of kind Agent begins a segment where place() is another.
  std::optional<RecordingReader::Item> next();

  // Of the segment that was read from last.
  size_t place() const { return place_; }
  const RecordingReader& reader() const { return *reader_; }
  // Complete for those that were read to their end.
  const std::vector<Segment>& segments() const { return segments_; }

 private:
  std::vector<Segment> segments_;
  size_t next_ = 0;
  size_t place_ = 0;
  std::unique_ptr<MappedFile> file_;
  std::unique_ptr<RecordingReader> reader_;
};

}  // namespace tepui::cli
