#include "common/io/registry_access.h"

#include <errno.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "common/io/file_store.h"
#include "common/io/files.h"
#include "common/io/zookeeper.h"
#include "common/record_log.h"
#include "common/registry_shards.h"
#include "common/zk_detector.h"
#include "common/zk_store.h"

namespace tepui {

namespace {

constexpr std::string_view kFile = "file:";
constexpr size_t kLogFileBytesMax = size_t{4} << 30;
// Reads of a registry that changes under the reader, before it gives up.
constexpr int kAttemptsMax = 20;

Result<std::string> directory_of(std::string_view where) {
  if (where.starts_with(kFile) && where.size() > kFile.size()) {
    return std::string(where.substr(kFile.size()));
  }
  return fail(fmt::format("'{}' is not file:DIRECTORY or zk://HOST:PORT,.../PATH", where));
}

// The writes that make one out of the other.
std::vector<StoreWrite> difference(const StoreContents& from, const StoreContents& to) {
  std::vector<StoreWrite> writes;
  for (const auto& [key, value] : from) {
    if (!to.contains(key)) writes.push_back({.key = key, .value = std::nullopt});
  }
  for (const auto& [key, value] : to) {
    const auto found = from.find(key);
    if (found == from.end() || found->second != value) writes.push_back({key, value});
  }
  return writes;
}

Result<void> check_empty(const StoreContents& contents, Overwrite overwrite) {
  if (contents.empty() || overwrite == Overwrite::kYes) return {};
  return fail(fmt::format("the registry has {} entries already", contents.size()));
}

// ------------------------------------------------------------------------------------- directory

Result<RegistryImage> read_directory(const std::string& directory) {
  const std::string path = directory + "/registry.log";
  const std::string log = TRY(read_file(path, kLogFileBytesMax));
  LogReplay replay = replay_log(std::as_bytes(std::span(log)));
  RegistryImage image{.epoch = replay.epoch, .contents = std::move(replay.contents)};
  if (replay.verdict == LogReplay::Verdict::kCorrupt) {
    image.damages.push_back(
        fmt::format("{} is damaged at offset {}: {}", path, replay.valid_bytes, replay.why));
  } else if (replay.verdict == LogReplay::Verdict::kTorn) {
    image.notes.push_back(fmt::format(
        "{} ends with {} bytes of an unfinished write at offset {}, which the next master cuts off",
        path, log.size() - replay.valid_bytes, replay.valid_bytes));
  }
  return image;
}

// What a store has to say, for those who wait.
struct StoreAnswers final : StoreClient, CoordinatorClient {
  void on_persisted(uint64_t) override { is_written = true; }
  void on_persist_failed(uint64_t, Error error) override { problem = std::move(error); }
  void on_elected(uint64_t begun, StoreContents found) override {
    epoch = begun;
    contents = std::move(found);
  }
  void on_deposed(std::string_view why) override { problem = Error{.message = std::string(why)}; }

  std::optional<uint64_t> epoch;
  StoreContents contents;
  bool is_written = false;
  std::optional<Error> problem;
};

Result<void> write_directory(const std::string& directory, const StoreContents& contents,
                             Overwrite overwrite) {
  const auto reactor = TRY(Reactor::create());
  StoreAnswers answers;
  const auto store = TRY(FileStore::create(*reactor, directory, answers, answers));
  store->contend();
  while (!answers.epoch && !answers.problem) reactor->run_once(kNever);
  if (answers.problem) return std::unexpected(*answers.problem);
  TRY(check_empty(answers.contents, overwrite));
  store->write(*answers.epoch, 1, difference(answers.contents, contents));
  while (!answers.is_written && !answers.problem) reactor->run_once(kNever);
  if (answers.problem) return std::unexpected(*answers.problem);
  return {};
}

// ------------------------------------------------------------------------------------- ZooKeeper

// One request after the other, each waited for.
class Asker final : private ZkSessionClient, private ZkWaiter {
 public:
  static Result<std::unique_ptr<Asker>> create(const ZkAddress& address, Duration timeout) {
    std::unique_ptr<Asker> asker(new Asker(timeout));
    asker->reactor_ = TRY(Reactor::create());
    asker->zookeeper_ = TRY(ZkClient::create(*asker->reactor_, {.address = address}));
    asker->zookeeper_->open(*asker);
    TRY(asker->wait([&asker] { return asker->is_connected_; }));
    return asker;
  }

  Result<ZkReply> ask(ZkRequest request) {
    reply_.reset();
    zookeeper_->submit(*this, 0, std::move(request));
    TRY(wait([this] { return reply_.has_value(); }));
    return *std::exchange(reply_, {});
  }
  ZkClient& zookeeper() { return *zookeeper_; }
  Instant now() const { return reactor_->now().mono; }
  const ZkSession& session() const { return session_; }

  template <class Done>
  Result<void> wait(Done done) {
    const Instant until = later(now(), timeout_);
    while (!done()) {
      if (session_.state == ZkSession::State::kRefused) return fail("ZooKeeper: " + session_.why);
      if (now() >= until) {
        return fail(fmt::format("ZooKeeper did not answer within {:.0f} s: {}", to_secs(timeout_),
                                session_.why));
      }
      reactor_->run_once(until);
    }
    return {};
  }

 private:
  explicit Asker(Duration timeout) : timeout_(timeout) {}
  void on_session(Instant, const ZkSession& session) override {
    session_ = session;
    is_connected_ = session.state == ZkSession::State::kConnected;
  }
  void on_reply(Instant, uint64_t, ZkReply reply) override { reply_ = std::move(reply); }
  void on_changed(Instant, std::string_view) override {}

  const Duration timeout_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<ZkClient> zookeeper_;
  bool is_connected_ = false;
  ZkSession session_;
  std::optional<ZkReply> reply_;
};

// One pass over the nodes; `gone`: one vanished, so a leader wrote meanwhile.
struct Pass {
  std::map<uint32_t, std::vector<ZnodeEntry>> shards;
  std::map<uint32_t, std::vector<ZnodeEntry>> chunks;
  std::vector<std::string> damages;
  bool is_stale = false;
};

Result<void> read_nodes(Asker& asker, const std::string& registry, const std::string& folder,
                        std::map<uint32_t, std::vector<ZnodeEntry>>& into, Pass& pass) {
  ZkReply listed = TRY(asker.ask(ZkChildren{.path = registry + '/' + folder}));
  if (listed.result != ZkResult::kOk) return fail(describe(registry + '/' + folder, listed));
  std::ranges::sort(listed.children);
  for (const std::string& child : listed.children) {
    const std::string name = folder + '/' + child;
    const auto damaged = [&](const std::string& what) {
      pass.damages.push_back(fmt::format("znode {}/{} {}", registry, name, what));
    };
    const ZkReply read = TRY(asker.ask(ZkGet{.path = registry + '/' + name}));
    if (read.result == ZkResult::kNoNode) {
      pass.is_stale = true;
      return {};
    }
    if (read.result != ZkResult::kOk) return fail(describe(registry + '/' + name, read));
    const Result<uint32_t> number = parse_node_number(child);
    auto entries = decode_znode_entries(name, read.data);
    if (!number) {
      damaged("does not belong there: its name is not a number");
    } else if (!entries) {
      damaged(entries.error().message);
    } else {
      into[*number] = *std::move(entries);
    }
  }
  return {};
}

// The batch that was decided and is perhaps not applied to its end.
std::vector<StoreWrite> decided(const ZnodeEpoch& epoch, Pass& pass) {
  std::vector<std::vector<ZnodeEntry>> chunks;
  for (uint32_t i = 0; i < epoch.chunks; ++i) {
    const auto found = pass.chunks.find(i);
    if (found == pass.chunks.end()) {
      pass.damages.push_back(chunk_name(i) + " is missing or damaged");
      return {};
    }
    chunks.push_back(std::move(found->second));
  }
  auto batch = join_chunks(std::move(chunks));
  if (batch) return *std::move(batch);
  pass.damages.push_back("the batch that waits to be applied: " + batch.error().message);
  return {};
}

RegistryImage assemble(const ZnodeEpoch& epoch, Pass pass) {
  RegistryImage image{.epoch = epoch.epoch};
  const std::vector<StoreWrite> batch = decided(epoch, pass);
  if (epoch.chunks > 0) {
    image.notes.push_back(
        fmt::format("a batch in {} chunks is decided and not yet applied", epoch.chunks));
  }
  std::set<std::string_view> superseded;
  for (const StoreWrite& write : batch) superseded.insert(write.key);
  RegistryShards shards;
  for (auto& [number, entries] : pass.shards) {
    if (auto loaded = shards.load(number, std::move(entries), superseded); !loaded) {
      pass.damages.push_back(shard_name(number) + ' ' + loaded.error().message);
    }
  }
  shards.apply(batch);
  if (auto contents = shards.contents()) {
    image.contents = *std::move(contents);
  } else {
    pass.damages.push_back(contents.error().message);
  }
  image.damages = std::move(pass.damages);
  return image;
}

Result<RegistryImage> read_ensemble(const ZkAddress& address, Duration timeout) {
  const auto asker = TRY(Asker::create(address, timeout));
  const std::string registry = address.path + "/registry";
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const ZkReply before = TRY(asker->ask(ZkGet{.path = registry + "/epoch"}));
    if (before.result == ZkResult::kNoNode) {
      return fail(fmt::format("there is no registry at {}", to_text(address)), ENOENT);
    }
    if (before.result != ZkResult::kOk) return fail(describe(registry + "/epoch", before));
    Pass pass;
    TRY(read_nodes(*asker, registry, "shards", pass.shards, pass));
    TRY(read_nodes(*asker, registry, "pending", pass.chunks, pass));
    const ZkReply after = TRY(asker->ask(ZkGet{.path = registry + "/epoch"}));
    // Every write of a leader writes the epoch node.
    if (pass.is_stale || before.data != after.data || before.version != after.version) continue;
    const Result<ZnodeEpoch> epoch = decode_znode_epoch("epoch", before.data);
    RegistryImage image = assemble(epoch ? *epoch : ZnodeEpoch{}, std::move(pass));
    if (!epoch) {
      image.damages.push_back(fmt::format("znode {}/epoch {}", registry, epoch.error().message));
    }
    return image;
  }
  return fail("the registry was written all the time while it was read");
}

// A leader for one batch.
struct StoreOpening final : ZkStoreClient {
  void on_opened(Instant, uint64_t, StoreContents found) override { contents = std::move(found); }
  void on_written(Instant, uint64_t) override { is_written = true; }
  void on_heard(Instant, Instant) override {}
  void on_closed(Instant, std::string why) override { problem = Error{.message = std::move(why)}; }

  std::optional<StoreContents> contents;
  bool is_written = false;
  std::optional<Error> problem;
};

Result<void> make_path(Asker& asker, const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    const ZkReply made = TRY(asker.ask(ZkCreate{.path = part}));
    if (made.result != ZkResult::kOk && made.result != ZkResult::kNodeExists) {
      return fail(describe(part, made));
    }
    if (end == std::string::npos) return {};
  }
}

Result<void> write_ensemble(const ZkAddress& address, const StoreContents& contents,
                            Overwrite overwrite, Duration timeout) {
  const auto asker = TRY(Asker::create(address, timeout));
  TRY(make_path(*asker, address.path));
  const ZkReply children = TRY(asker->ask(ZkChildren{.path = address.path}));
  if (children.result != ZkResult::kOk) return fail(describe(address.path, children));
  if (const auto first = first_contender(children.children)) {
    return fail(
        fmt::format("{}/{} stands for election: stop the masters first", address.path, *first));
  }
  StoreOpening opening;
  ZkStore store(asker->zookeeper(), address.path, opening);
  store.on_session(asker->now(), asker->session());
  // Instead of a contender: the cluster's node itself.
  store.open(asker->now(), address.path);
  TRY(asker->wait([&] { return opening.contents || opening.problem; }));
  if (opening.problem) return std::unexpected(*opening.problem);
  TRY(check_empty(*opening.contents, overwrite));
  TRY(store.write(asker->now(), 1, difference(*opening.contents, contents)));
  TRY(asker->wait([&] { return (opening.is_written && store.is_quiet()) || opening.problem; }));
  if (opening.problem) return std::unexpected(*opening.problem);
  return {};
}

}  // namespace

Result<RegistryImage> read_registry(std::string_view where, Duration timeout) {
  if (is_zk(where)) return read_ensemble(TRY(parse_zk(where)), timeout);
  return read_directory(TRY(directory_of(where)));
}

Result<void> write_registry(std::string_view where, const StoreContents& contents,
                            Overwrite overwrite, Duration timeout) {
  if (is_zk(where)) return write_ensemble(TRY(parse_zk(where)), contents, overwrite, timeout);
  return write_directory(TRY(directory_of(where)), contents, overwrite);
}

}  // namespace tepui
