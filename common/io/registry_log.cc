#include "common/io/registry_log.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "common/io/files.h"

namespace tepui {

namespace {

// A registry of 50,000 agents is some 20 MB; compaction keeps the log to a small multiple.
constexpr size_t kLogFileBytesMax = size_t{4} << 30;

std::string log_path(const LogPlace& place) {
  return fmt::format("{}/{}.log", place.directory, place.what);
}
std::string new_log_path(const LogPlace& place) { return log_path(place) + ".new"; }

std::unexpected<Error> fail_on(std::string_view verb, const std::string& path, int code) {
  return fail(fmt::format("cannot {} {}: {}", verb, path, strerror(code)), code);
}

Result<Fd> lock(const LogPlace& place) {
  const std::string path = place.directory + "/lock";
  Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return fail_on("open", path, errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_on("lock", path, errno);
    const std::string pid = read_file(path, 64).value_or("");
    return fail(fmt::format("{} {} is in use by another {} (pid {})", place.what, place.directory,
                            place.owner, pid.empty() ? "unknown" : pid),
                EWOULDBLOCK);
  }
  const std::string pid = fmt::format("{}", getpid());
  if (ftruncate(file.get(), 0) != 0 ||
      pwrite(file.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail_on("write", path, errno);
  }
  return file;
}

Result<void> write_at(int fd, std::span<const std::byte> bytes, uint64_t offset,
                      const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_on("write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  if (fdatasync(fd) != 0) return fail_on("sync", path, errno);
  return {};
}

}  // namespace

Result<OpenedLog> open_log(const LogPlace& place) {
  std::error_code failed;
  std::filesystem::create_directories(place.directory, failed);
  if (failed) return fail_on("create", place.directory, failed.value());
  OpenedLog opened;
  opened.lock = TRY(lock(place));
  remove_new_log(place);
  const std::string path = log_path(place);
  opened.file = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!opened.file) return fail_on("open", path, errno);
  TRY(sync_directory(place.directory));
  const std::string content = TRY(read_file(path, kLogFileBytesMax));
  LogReplay replay = replay_log(std::as_bytes(std::span(content)));
  if (replay.verdict == LogReplay::Verdict::kCorrupt) {
    return fail(fmt::format("{} is damaged at offset {}: {}; nothing was changed", path,
                            replay.valid_bytes, replay.why));
  }
  if (replay.verdict == LogReplay::Verdict::kTorn) {
    opened.repair =
        fmt::format("cut {} bytes of an unfinished write off {} at offset {}: {}",
                    content.size() - replay.valid_bytes, path, replay.valid_bytes, replay.why);
    if (ftruncate(opened.file.get(), static_cast<off_t>(replay.valid_bytes)) != 0 ||
        fsync(opened.file.get()) != 0) {
      return fail_on("repair", path, errno);
    }
  }
  opened.epoch = replay.epoch;
  opened.bytes = replay.valid_bytes;
  opened.contents = std::move(replay.contents);
  return opened;
}

namespace {
// The log may have grown beyond `bytes` meanwhile; its beginning does not change.
Result<LogReplay> replay_beginning(const LogPlace& place, uint64_t bytes) {
  const std::string content = TRY(read_file(log_path(place), kLogFileBytesMax));
  if (content.size() < bytes) {
    return fail(fmt::format("{} has {} bytes, expected {} or more", log_path(place), content.size(),
                            bytes));
  }
  LogReplay replay = replay_log(std::as_bytes(std::span(content)).first(bytes));
  if (replay.verdict != LogReplay::Verdict::kClean) {
    return fail(fmt::format("{} is damaged at offset {}: {}", log_path(place), replay.valid_bytes,
                            replay.why));
  }
  return replay;
}
}  // namespace

Result<StoreContents> read_log(const LogPlace& place, uint64_t bytes) {
  LogReplay replay = TRY(replay_beginning(place, bytes));
  return std::move(replay.contents);
}

Result<NewLog> write_compacted(const LogPlace& place, uint64_t bytes) {
  const std::string path = new_log_path(place);
  const LogReplay replay = TRY(replay_beginning(place, bytes));
  std::vector<std::byte> snapshot;
  TRY(append_snapshot(snapshot, {.epoch = replay.epoch, .offset = 0, .durable = 0},
                      replay.contents));
  NewLog made{.file = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644))};
  if (!made.file) return fail_on("create", path, errno);
  TRY(write_at(made.file.get(), snapshot, 0, path));
  made.bytes = snapshot.size();
  return made;
}

Result<void> append_to_new(NewLog& log, const std::vector<LoggedBatch>& batches) {
  std::vector<std::byte> records;
  for (const LoggedBatch& each : batches) {
    const RecordStamp stamp{
        .epoch = each.epoch, .offset = log.bytes + records.size(), .durable = log.bytes};
    TRY(append_batch(records, stamp, each.writes));
  }
  TRY(write_at(log.file.get(), records, log.bytes, "the compacted log"));
  log.bytes += records.size();
  return {};
}

Result<void> replace_log(const LogPlace& place) {
  if (rename(new_log_path(place).c_str(), log_path(place).c_str()) != 0) {
    return fail_on("replace", log_path(place), errno);
  }
  return sync_directory(place.directory);
}

void remove_new_log(const LogPlace& place) { unlink(new_log_path(place).c_str()); }

void reserve(int log, uint64_t from, uint64_t bytes) {
  (void)fallocate(log, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from), static_cast<off_t>(bytes));
}

}  // namespace tepui
