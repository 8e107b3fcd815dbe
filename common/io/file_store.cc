#include "common/io/file_store.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace tepui {

namespace {
// Stands for the record with which a new leader stamps its epoch.
constexpr uint64_t kElection = UINT64_MAX;
// A log is compacted when it has grown to this many times its length after the last time.
constexpr uint64_t kCompactGrowth = 4;
}  // namespace

class FileStore::CompactJob final : public Job {
 public:
  CompactJob(FileStore& store, uint64_t bytes)
      : store_(store), place_(store.place_), bytes_(bytes) {}
  void run() override { made_ = write_compacted(place_, bytes_); }
  void on_done() override { store_.on_compacted(std::move(made_)); }

 private:
  FileStore& store_;
  const LogPlace place_;
  const uint64_t bytes_;
  Result<NewLog> made_;
};

class FileStore::ReplaceJob final : public Job {
 public:
  ReplaceJob(FileStore& store, NewLog log, std::vector<LoggedBatch> batches)
      : store_(store), place_(store.place_), log_(std::move(log)), batches_(std::move(batches)) {}
  void run() override { result_ = append_and_replace(); }
  void on_done() override { store_.on_replaced(std::move(result_), in_doubt_); }

 private:
  Result<NewLog> append_and_replace() {
    TRY(append_to_new(log_, batches_));
    in_doubt_ = true;
    TRY(replace_log(place_));
    in_doubt_ = false;
    return std::move(log_);
  }

  FileStore& store_;
  const LogPlace place_;
  NewLog log_;
  const std::vector<LoggedBatch> batches_;
  bool in_doubt_ = false;
  Result<NewLog> result_;
};

class FileStore::ReserveJob final : public Job {
 public:
  explicit ReserveJob(FileStore& store)
      : store_(store),
        file_(store.file_.get()),
        from_(store.end_),
        bytes_(store.options_.reserve_bytes) {}
  // Where it cannot be had, writes will say so when they come there.
  void run() override { reserve(file_, from_, bytes_); }
  void on_done() override { store_.reserve_job_.reset(); }

 private:
  FileStore& store_;
  const int file_;
  const uint64_t from_;
  const uint64_t bytes_;
};

class FileStore::ReadJob final : public Job {
 public:
  ReadJob(FileStore& store, uint64_t bytes)
      : store_(store), place_(store.place_), epoch_(store.epoch_), bytes_(bytes) {}
  void run() override { read_ = read_log(place_, bytes_); }
  void on_done() override { store_.on_read(epoch_, std::move(read_)); }

 private:
  FileStore& store_;
  const LogPlace place_;
  const uint64_t epoch_;
  const uint64_t bytes_;
  Result<StoreContents> read_;
};

Result<std::unique_ptr<FileStore>> FileStore::create(Reactor& reactor, const std::string& directory,
                                                     StoreClient& store,
                                                     CoordinatorClient& leader) {
  return create(reactor, directory, store, leader, Options{});
}

Result<std::unique_ptr<FileStore>> FileStore::create(Reactor& reactor, const std::string& directory,
                                                     StoreClient& store, CoordinatorClient& leader,
                                                     Options options) {
  // Not TRY: g++ 12 then sees a free of the -1 in a moved Fd.
  LogPlace place{.directory = directory, .what = options.what, .owner = options.owner};
  auto opened = open_log(place);
  if (!opened) return std::unexpected(std::move(opened).error());
  std::unique_ptr<FileStore> made(new FileStore(reactor, std::move(place), store, leader,
                                                std::move(options), *std::move(opened)));
  made->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 4}));
  made->consider_reserve();
  return made;
}

FileStore::FileStore(Reactor& reactor, LogPlace place, StoreClient& store,
                     CoordinatorClient& leader, Options options, OpenedLog opened)
    : reactor_(reactor),
      place_(std::move(place)),
      store_(store),
      leader_(leader),
      options_(std::move(options)),
      lock_(std::move(opened.lock)),
      repair_(std::move(opened.repair)),
      epoch_(opened.epoch),
      contents_(std::move(opened.contents)),
      file_(std::move(opened.file)),
      end_(opened.bytes),
      durable_(opened.bytes) {}

FileStore::~FileStore() = default;

void FileStore::contend() {
  if (role_ != Role::kIdle) return;
  if (in_doubt_) return resign(doubt_.message);
  role_ = Role::kElecting;
  ++epoch_;
  log(kElection, {});
}

void FileStore::resign(std::string_view why) {
  role_ = Role::kIdle;
  deposed_ = true;
  deposed_why_ = why;
  reactor_.next_turn(tell_);
}

void FileStore::write(uint64_t epoch, uint64_t token, std::vector<StoreWrite> batch) {
  CHECK(token != kElection);
  if (in_doubt_) return refuse(token, doubt_);
  if (role_ != Role::kLeading || epoch != epoch_) {
    return refuse(token, {.message = fmt::format("epoch {} is over, the {} is at epoch {}", epoch,
                                                 place_.what, epoch_)});
  }
  log(token, std::move(batch));
}

void FileStore::log(uint64_t token, std::vector<StoreWrite> batch) {
  if (compaction_ == Compaction::kStopping || compaction_ == Compaction::kReplacing) {
    held_.push_back({.token = token, .batch = std::move(batch)});
    return;
  }
  const size_t before = filling_.size();
  const RecordStamp stamp{.epoch = epoch_, .offset = end_, .durable = durable_};
  if (auto appended = append_batch(filling_, stamp, batch); !appended) {
    return refuse(token, std::move(appended).error());
  }
  end_ += filling_.size() - before;
  filling_tokens_.push_back(token);
  if (compaction_ == Compaction::kBeginning || compaction_ == Compaction::kWriting) {
    noted_.push_back({.epoch = epoch_, .writes = std::move(batch)});
  }
  reactor_.before_submit(flush_);
}

void FileStore::flush() {
  if (write_.active() || sync_.active() || in_doubt_) return;
  if (writing_.empty()) {
    writing_.swap(filling_);
    writing_tokens_.swap(filling_tokens_);
    written_ = 0;
  }
  if (writing_.empty()) return;
  reactor_.write_and_sync(write_, sync_, file_.get(), std::span(writing_).subspan(written_),
                          static_cast<int64_t>(durable_ + written_));
}

void FileStore::on_written(const Completion& completion) { write_result_ = completion.result; }

void FileStore::on_synced(const Completion& completion) {
  if (write_result_ < 0 && write_result_ != -EINTR) {
    return fail_all({.message = fmt::format("cannot write {}/{}.log: {}", place_.directory,
                                            place_.what, strerror(-write_result_)),
                     .code = -write_result_});
  }
  if (write_result_ > 0) written_ += static_cast<size_t>(write_result_);
  // A short write: what is missing goes out next, or fails with the reason.
  if (written_ < writing_.size()) return flush();
  if (completion.result < 0) {
    return fail_all({.message = fmt::format("cannot sync {}/{}.log: {}", place_.directory,
                                            place_.what, strerror(-completion.result)),
                     .code = -completion.result});
  }
  on_durable();
}

void FileStore::on_durable() {
  durable_ += writing_.size();
  writing_.clear();
  std::vector<uint64_t> tokens;
  tokens.swap(writing_tokens_);
  flush();
  consider_reserve();
  consider_compaction();
  for (const uint64_t token : tokens) {
    if (token != kElection) {
      store_.on_persisted(token);
    } else if (role_ == Role::kElecting) {
      begun_ = epoch_;
      lead();
    }
  }
}

// Once the election is durable, and with it all that was written before.
void FileStore::lead() {
  if (role_ != Role::kElecting || begun_ != epoch_) return;
  if (has_contents_) {
    role_ = Role::kLeading;
    has_contents_ = false;
    return leader_.on_elected(epoch_, std::exchange(contents_, {}));
  }
  // It reads so many bytes of the log that is in place now. What takes its place later is submitted
  // behind this, and the worker does one thing after the other.
  if (read_job_ != nullptr || compaction_ == Compaction::kReplacing) return;
  read_job_ = std::make_unique<ReadJob>(*this, durable_);
  CHECK(worker_->submit(*read_job_));
}

void FileStore::on_read(uint64_t epoch, Result<StoreContents> read) {
  read_job_.reset();
  if (role_ != Role::kElecting) return;
  if (epoch == epoch_) {  // else that election was given up, and this is another
    if (!read) return resign(read.error().message);
    contents_ = *std::move(read);
    has_contents_ = true;
  }
  lead();
}

void FileStore::fail_all(Error error) {
  in_doubt_ = true;
  doubt_ = error;
  const bool electing = role_ == Role::kElecting;
  std::vector<uint64_t> tokens = std::exchange(writing_tokens_, {});
  tokens.insert(tokens.end(), filling_tokens_.begin(), filling_tokens_.end());
  filling_tokens_.clear();
  for (const Pending& each : held_) tokens.push_back(each.token);
  held_.clear();
  for (const uint64_t token : tokens) {
    if (token != kElection) refuse(token, error);
  }
  if (electing) resign(error.message);
}

void FileStore::refuse(uint64_t token, Error error) {
  failures_.push_back({.token = token, .error = std::move(error)});
  reactor_.next_turn(tell_);
}

void FileStore::tell() {
  std::vector<Failure> failures;
  failures.swap(failures_);
  for (Failure& each : failures) store_.on_persist_failed(each.token, std::move(each.error));
  if (std::exchange(deposed_, false)) leader_.on_deposed(std::exchange(deposed_why_, {}));
}

// Not while the file may be replaced; half of what was reserved is left when more is asked for.
void FileStore::consider_reserve() {
  if (compaction_ == Compaction::kReplacing || reserve_job_ != nullptr) return;
  if (options_.reserve_bytes == 0 || end_ + options_.reserve_bytes / 2 < reserved_) return;
  reserved_ = end_ + options_.reserve_bytes;
  reserve_job_ = std::make_unique<ReserveJob>(*this);
  CHECK(worker_->submit(*reserve_job_));
}

void FileStore::consider_compaction() {
  switch (compaction_) {
    case Compaction::kNone:
      if (durable_ < std::max(options_.compact_above_bytes, kCompactGrowth * compacted_bytes_)) {
        return;
      }
      compaction_ = Compaction::kBeginning;
      compact_until_ = end_;
      [[fallthrough]];
    case Compaction::kBeginning:
      if (durable_ < compact_until_) return;
      compaction_ = Compaction::kWriting;
      compact_job_ = std::make_unique<CompactJob>(*this, compact_until_);
      CHECK(worker_->submit(*compact_job_));
      return;
    case Compaction::kStopping:
      if (!writing_.empty() || !filling_.empty()) return;
      compaction_ = Compaction::kReplacing;
      replace_job_ =
          std::make_unique<ReplaceJob>(*this, std::move(new_log_), std::exchange(noted_, {}));
      CHECK(worker_->submit(*replace_job_));
      return;
    case Compaction::kWriting:
    case Compaction::kReplacing:
      return;
  }
}

void FileStore::on_compacted(Result<NewLog> made) {
  compact_job_.reset();
  if (!made) {
    compaction_error_ = made.error().message;
    return end_compaction();
  }
  new_log_ = *std::move(made);
  compaction_ = Compaction::kStopping;
  consider_compaction();
}

void FileStore::on_replaced(Result<NewLog> made, bool in_doubt) {
  replace_job_.reset();
  if (!made && in_doubt) {
    fail_all(std::move(made).error());
    return;
  }
  if (made) {
    ++compactions_;
    compaction_error_.clear();
    reactor_.close(std::exchange(file_, std::move(made->file)));
    end_ = durable_ = made->bytes;
    reserved_ = 0;
  } else {
    compaction_error_ = made.error().message;
  }
  end_compaction();
}

void FileStore::end_compaction() {
  // Also after a failure: the next attempt waits until the log has grown again.
  compacted_bytes_ = end_;
  compaction_ = Compaction::kNone;
  noted_.clear();
  if (!compaction_error_.empty()) remove_new_log(place_);
  for (Pending& each : std::exchange(held_, {})) log(each.token, std::move(each.batch));
  lead();
}

}  // namespace tepui
