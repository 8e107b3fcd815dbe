#pragma once
// ZkStore keeps the registry in ZooKeeper, below a node of the cluster:
//
//   registry/epoch               who may write: ZnodeEpoch
//   registry/shards/NNNNNNNN     the contents, see registry_shards
//   registry/pending/NNNNNNNN    chunks of a batch that does not fit one transaction
//
// A leader opens it: it begins an epoch by a write of the epoch node with the version that it read,
// in one transaction with a check that its contender node is there, then reads everything. From
// then on every write is a transaction whose first operation writes the epoch node with the version
// that the write before left. So writes of one leader are decided in their order, each at most
// once, and a leader whose epoch is over changes nothing: its version is not the one that is there.
//
// A batch that fits one transaction is one. A longer one is written as chunks first; the
// transaction that says so in the epoch node decides it, and then it is reported. After that it is
// applied to the shards in as many transactions as it takes, and whoever opens the store in between
// applies it first. So a batch is all or nothing however long it is.
//
// When the connection is lost in a write, the same write is repeated: if it had happened, its
// version is refused, and the serial in the epoch node says whose write is there.
//
// Pure. The owner passes the session on.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/registry_shards.h"
#include "common/store.h"
#include "common/zookeeper.h"

namespace tepui {

class ZkStoreClient {
 public:
  virtual ~ZkStoreClient() = default;
  virtual void on_opened(Instant now, uint64_t epoch, StoreContents contents) = 0;
  virtual void on_written(Instant now, uint64_t token) = 0;
  // A majority of the ensemble has carried out what was sent at `sent`: our session was alive then,
  // and our epoch the last.
  virtual void on_heard(Instant now, Instant sent) = 0;
  // The store is closed: the epoch is over, or something is wrong with it, `why`.
  virtual void on_closed(Instant now, std::string why) = 0;
};

class ZkStore final : private ZkWaiter {
 public:
  ZkStore(ZooKeeper& zookeeper, const std::string& path, ZkStoreClient& client)
      : zookeeper_(zookeeper), path_(path + "/registry"), client_(client) {}

  // `contender`: the path of the node that must be there for an epoch to begin.
  void open(Instant now, std::string contender);
  void close();
  // Of an open store. An error: this batch can never be written, and was not.
  Result<void> write(Instant now, uint64_t token, const std::vector<StoreWrite>& batch);
  // Asks a majority whether the epoch is still ours, unless a write does so already.
  void touch(Instant now);
  void on_session(Instant now, const ZkSession& session);

  // All that was written is applied, too.
  bool is_quiet() const { return phase_ == Phase::kOpen && steps_.empty(); }
  uint64_t epoch() const { return epoch_.epoch; }

 private:
  enum class Phase : uint8_t { kClosed, kReading, kMaking, kBeginning, kLoading, kOpening, kOpen };
  enum Kind : uint64_t { kEpoch, kMake, kBegin, kShards, kChunks, kNode, kStep, kVerify, kTouch };

  // One transaction; the epoch node is written before `ops`.
  struct Step {
    std::vector<ZkOp> ops;
    uint32_t chunks = 0;              // what the epoch node says of them afterwards
    std::optional<uint64_t> decides;  // the batch with this token
  };

  void on_reply(Instant now, uint64_t token, ZkReply reply) override;
  void on_changed(Instant, std::string_view) override {}
  void ask(Kind kind, ZkRequest request, uint32_t index = 0);
  void resume(Instant now);
  void closed(Instant now, std::string why);
  void wrong(Instant now, std::string_view name, std::string_view what);

  void read_epoch();
  void on_epoch(Instant now, const ZkReply& reply);
  void on_made(Instant now, const ZkReply& reply);
  void begin(Instant now);
  void on_begun(Instant now, const ZkReply& reply);

  void load();
  void on_names(Instant now, Kind kind, const ZkReply& reply);
  void read_nodes();
  void on_node(Instant now, uint32_t index, const ZkReply& reply);
  Result<void> take_node(const std::string& name, const ZkReply& reply);
  void on_loaded(Instant now);
  // The batch that the last leader decided and perhaps did not apply to its end; none: no writes.
  Result<std::vector<StoreWrite>> decided_batch();

  void plan(uint64_t token, const std::vector<StoreWrite>& batch);
  // Applies `ops` and forgets the chunks, which are so many.
  void plan_to_apply(std::vector<ZkOp> ops, uint32_t chunks);
  void add_step(Step step) { steps_.push_back(std::move(step)); }
  void go_on(Instant now);
  void send_step(Instant now);
  void on_step(Instant now, const ZkReply& reply);
  void on_verified(Instant now, const ZkReply& reply);
  void step_done(Instant now);
  ZnodeEpoch after(const Step& step) const;
  ZkOp op_of(const RegistryShards::Change& change) const;
  std::vector<ZkOp> fenced(const ZnodeEpoch& epoch, std::vector<ZkOp> ops) const;
  std::string at(const std::string& name) const { return path_ + '/' + name; }

  ZooKeeper& zookeeper_;
  const std::string path_;
  ZkStoreClient& client_;
  Phase phase_ = Phase::kClosed;
  uint32_t opening_ = 0;  // counts openings; answers to what an earlier one asked are dropped
  bool connected_ = false;
  bool lost_ = false;  // what the phase waits for was lost with the connection
  std::string contender_;

  ZnodeEpoch epoch_;     // as this leader wrote it last
  int32_t version_ = 0;  // of the epoch node
  bool epoch_exists_ = false;
  size_t waiting_ = 0;  // answers that the phase waits for
  Instant sent_{};      // when the transaction under way was

  std::vector<std::string> to_read_;
  size_t asked_ = 0;  // of to_read_
  std::map<uint32_t, std::vector<ZnodeEntry>> shards_read_;
  std::map<uint32_t, std::vector<ZnodeEntry>> chunks_;
  RegistryShards shards_;

  std::deque<Step> steps_;
  bool step_sent_ = false;
  bool touching_ = false;
  Instant touched_{};
};

}  // namespace tepui
