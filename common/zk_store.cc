#include "common/zk_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "common/check.h"
#include "common/limits.h"

namespace tepui {

namespace {

const std::string kEpochName = "epoch";
constexpr size_t kKeyBytesMax = 255;
// Of an operation beside its path and data, generously.
constexpr size_t kOpBytes = 64;
// Versions of a node are counted in 31 bits: long before the end it is made anew.
constexpr int32_t kVersionMax = 1 << 30;

constexpr int kKindBits = 4;
constexpr int kIndexBits = 30;

size_t bytes_of(const ZkOp& op) {
  return std::visit(
      [](const auto& one) {
        size_t bytes = kOpBytes + one.path.size();
        if constexpr (requires { one.data; }) bytes += one.data.size();
        return bytes;
      },
      op);
}

// Calls group(ops) with as many of them, in order, as fit a transaction.
template <class Group>
void in_groups(std::vector<ZkOp> ops, Group group) {
  std::vector<ZkOp> fitting;
  size_t bytes = 0;
  for (ZkOp& op : ops) {
    const size_t size = bytes_of(op);
    if (!fitting.empty() &&
        (bytes + size > limits::kZkMultiBytesMax || fitting.size() >= limits::kZkMultiOpsMax)) {
      group(std::exchange(fitting, {}));
      bytes = 0;
    }
    bytes += size;
    fitting.push_back(std::move(op));
  }
  if (!fitting.empty()) group(std::move(fitting));
}

}  // namespace

void ZkStore::open(Instant now, std::string contender) {
  close();
  contender_ = std::move(contender);
  ++opening_;
  phase_ = Phase::kReading;
  lost_ = true;
  resume(now);
}

void ZkStore::close() {
  phase_ = Phase::kClosed;
  ++opening_;
  lost_ = step_sent_ = touching_ = false;
  waiting_ = 0;
  steps_.clear();
  chunks_.clear();
  shards_read_.clear();
  to_read_.clear();
  shards_ = {};
}

void ZkStore::closed(Instant now, std::string why) {
  close();
  client_.on_closed(now, std::move(why));
}

void ZkStore::wrong(Instant now, std::string_view name, std::string_view what) {
  closed(now, fmt::format("znode {}/{} {}", path_, name, what));
}

void ZkStore::ask(Kind kind, ZkRequest request, uint32_t index) {
  const uint64_t token =
      (uint64_t{opening_} << (kKindBits + kIndexBits)) | (uint64_t{index} << kKindBits) | kind;
  zookeeper_.submit(*this, token, std::move(request));
}

void ZkStore::on_session(Instant now, const ZkSession& session) {
  connected_ = session.state == ZkSession::State::kConnected;
  resume(now);
}

// Asks again for what was lost with the connection, after the last answer of before.
void ZkStore::resume(Instant now) {
  if (!lost_ || !connected_ || waiting_ > 0 || step_sent_) return;
  lost_ = false;
  switch (phase_) {
    case Phase::kClosed:
      return;
    case Phase::kReading:
    case Phase::kMaking:
    case Phase::kBeginning:
      return read_epoch();
    case Phase::kLoading:
      return load();
    case Phase::kOpening:
    case Phase::kOpen:
      return go_on(now);
  }
}

void ZkStore::on_reply(Instant now, uint64_t token, ZkReply reply) {
  const auto kind = static_cast<Kind>(token & ((1 << kKindBits) - 1));
  const auto index = static_cast<uint32_t>((token >> kKindBits) & ((1 << kIndexBits) - 1));
  if (static_cast<uint32_t>(token >> (kKindBits + kIndexBits)) !=
      (opening_ & ((uint32_t{1} << (64 - kKindBits - kIndexBits)) - 1))) {
    return;
  }
  if (kind == kTouch) {
    touching_ = false;
  } else if (kind == kStep || kind == kVerify) {
    step_sent_ = false;
  } else {
    --waiting_;
  }
  const bool is_lost =
      reply.result == ZkResult::kConnectionLost || reply.result == ZkResult::kSessionExpired;
  if (is_lost && kind == kTouch) return;
  if (is_lost || lost_) {
    lost_ = true;
    return resume(now);
  }
  switch (kind) {
    case kEpoch:
      return on_epoch(now, reply);
    case kMake:
      return on_made(now, reply);
    case kBegin:
      return on_begun(now, reply);
    case kShards:
    case kChunks:
      return on_names(now, kind, reply);
    case kNode:
      return on_node(now, index, reply);
    case kStep:
      return on_step(now, reply);
    case kVerify:
      return on_verified(now, reply);
    case kTouch:
      if (reply.result == ZkResult::kOk) return client_.on_heard(now, touched_);
      return closed(
          now, fmt::format("epoch {} is over: {}", epoch_.epoch, describe(at(kEpochName), reply)));
  }
}

// -------------------------------------------------------------------------- beginning an epoch

void ZkStore::read_epoch() {
  phase_ = Phase::kReading;
  ++waiting_;
  ask(kEpoch, ZkGet{.path = at(kEpochName)});
}

void ZkStore::on_epoch(Instant now, const ZkReply& reply) {
  if (reply.result == ZkResult::kNoNode) {
    phase_ = Phase::kMaking;
    epoch_ = {};
    epoch_exists_ = false;
    for (const std::string& folder : {path_, at("shards"), at("pending")}) {
      ++waiting_;
      ask(kMake, ZkCreate{.path = folder});
    }
    return;
  }
  if (reply.result != ZkResult::kOk) return closed(now, describe(at(kEpochName), reply));
  const Result<ZnodeEpoch> found = decode_znode_epoch(kEpochName, reply.data);
  if (!found) return wrong(now, kEpochName, found.error().message);
  epoch_ = *found;
  version_ = reply.version;
  epoch_exists_ = true;
  begin(now);
}

void ZkStore::on_made(Instant now, const ZkReply& reply) {
  if (reply.result != ZkResult::kOk && reply.result != ZkResult::kNodeExists) {
    return closed(now, describe(path_, reply));
  }
  if (waiting_ == 0) begin(now);
}

void ZkStore::begin(Instant now) {
  phase_ = Phase::kBeginning;
  ++epoch_.epoch;
  ++epoch_.serial;
  std::vector<ZkOp> ops = {ZkCheck{.path = contender_}};
  const std::string data = encode_znode(kEpochName, epoch_);
  if (epoch_exists_) {
    ops.emplace_back(ZkSet{.path = at(kEpochName), .data = data, .version = version_});
  } else {
    ops.emplace_back(ZkCreate{.path = at(kEpochName), .data = data});
  }
  ++waiting_;
  sent_ = now;
  ask(kBegin, ZkMulti{.ops = std::move(ops)});
}

void ZkStore::on_begun(Instant now, const ZkReply& reply) {
  if (reply.result == ZkResult::kOk) {
    version_ = epoch_exists_ ? version_ + 1 : 0;
    client_.on_heard(now, sent_);
    if (phase_ == Phase::kBeginning) load();
    return;
  }
  if (reply.result == ZkResult::kNoNode && reply.failed_op == 0) {
    return closed(now,
                  fmt::format("{} is gone: this master stands for election no more", contender_));
  }
  // Somebody else began one, or our own attempt before the connection was lost has succeeded.
  const bool changed = reply.result == ZkResult::kBadVersion ||
                       reply.result == ZkResult::kNodeExists || reply.result == ZkResult::kNoNode;
  if (changed && reply.failed_op == 1) return read_epoch();
  closed(now, describe(at(kEpochName), reply));
}

// --------------------------------------------------------------------------------------- loading

void ZkStore::load() {
  phase_ = Phase::kLoading;
  shards_read_.clear();
  chunks_.clear();
  to_read_.clear();
  asked_ = 0;
  waiting_ += 2;
  ask(kShards, ZkChildren{.path = at("shards")});
  ask(kChunks, ZkChildren{.path = at("pending")});
}

void ZkStore::on_names(Instant now, Kind kind, const ZkReply& reply) {
  const std::string folder = kind == kShards ? "shards" : "pending";
  if (reply.result != ZkResult::kOk) return closed(now, describe(at(folder), reply));
  for (const std::string& child : reply.children) {
    std::string name = folder + '/' + child;
    if (auto number = parse_node_number(child); !number) {
      return wrong(now, name, "does not belong there: its name is not a number");
    }
    to_read_.push_back(std::move(name));
  }
  if (kind != kChunks) return;
  std::ranges::sort(to_read_);
  read_nodes();
  if (waiting_ == 0) on_loaded(now);
}

void ZkStore::read_nodes() {
  for (; asked_ < to_read_.size() && waiting_ < limits::kZkReadsInFlight; ++asked_) {
    ++waiting_;
    ask(kNode, ZkGet{.path = at(to_read_[asked_])}, static_cast<uint32_t>(asked_));
  }
}

void ZkStore::on_node(Instant now, uint32_t index, const ZkReply& reply) {
  const std::string name = to_read_[index];
  if (const Result<void> taken = take_node(name, reply); !taken) {
    return wrong(now, name, taken.error().message);
  }
  read_nodes();
  if (waiting_ == 0) on_loaded(now);
}

Result<void> ZkStore::take_node(const std::string& name, const ZkReply& reply) {
  // Nobody else may write any more.
  if (reply.result == ZkResult::kNoNode) return fail("vanished while the registry was read");
  if (reply.result != ZkResult::kOk) return fail(describe("cannot be read", reply));
  std::vector<ZnodeEntry> entries = TRY(decode_znode_entries(name, reply.data));
  const std::string_view last = std::string_view(name).substr(name.find('/') + 1);
  const uint32_t number = TRY(parse_node_number(last));
  (name.starts_with("shards/") ? shards_read_ : chunks_)[number] = std::move(entries);
  return {};
}

Result<std::vector<StoreWrite>> ZkStore::decided_batch() {
  std::vector<std::vector<ZnodeEntry>> chunks;
  for (uint32_t i = 0; i < epoch_.chunks; ++i) {
    const auto found = chunks_.find(i);
    if (found == chunks_.end()) return fail(chunk_name(i) + " is missing");
    chunks.push_back(std::move(found->second));
    chunks_.erase(found);
  }
  return join_chunks(std::move(chunks));
}

void ZkStore::on_loaded(Instant now) {
  phase_ = Phase::kOpening;
  const uint32_t count = epoch_.chunks;
  const Result<std::vector<StoreWrite>> batch = decided_batch();
  if (!batch) return wrong(now, "pending", batch.error().message);
  std::set<std::string_view> superseded;
  for (const StoreWrite& write : *batch) superseded.insert(write.key);
  for (auto& [number, entries] : std::exchange(shards_read_, {})) {
    const Result<void> loaded = shards_.load(number, std::move(entries), superseded);
    if (!loaded) return wrong(now, shard_name(number), loaded.error().message);
  }
  if (count > 0) {
    std::vector<ZkOp> ops;
    for (const RegistryShards::Change& change : shards_.apply(*batch)) {
      ops.push_back(op_of(change));
    }
    plan_to_apply(std::move(ops), count);
  }
  if (auto whole = shards_.contents(); !whole) return wrong(now, "shards", whole.error().message);
  // Chunks of a batch that was never decided.
  std::vector<ZkOp> leftovers;
  for (const auto& [number, entries] : std::exchange(chunks_, {})) {
    leftovers.emplace_back(ZkDelete{.path = at(chunk_name(number))});
  }
  in_groups(std::move(leftovers), [this](std::vector<ZkOp> group) {
    add_step({.ops = std::move(group), .decides = {}});
  });
  go_on(now);
}

// --------------------------------------------------------------------------------------- writing

Result<void> ZkStore::write(Instant now, uint64_t token, const std::vector<StoreWrite>& batch) {
  CHECK(phase_ == Phase::kOpen);
  for (const StoreWrite& write : batch) {
    if (write.key.empty() || write.key.size() > kKeyBytesMax) {
      return fail(
          fmt::format("key of {} bytes, 1 to {} are allowed", write.key.size(), kKeyBytesMax));
    }
  }
  plan(token, batch);
  go_on(now);
  return {};
}

ZkOp ZkStore::op_of(const RegistryShards::Change& change) const {
  const std::string path = at(shard_name(change.shard));
  switch (change.kind) {
    case RegistryShards::Change::Kind::kCreate:
      return ZkCreate{.path = path, .data = shards_.encode(change.shard)};
    case RegistryShards::Change::Kind::kSet:
      return ZkSet{.path = path, .data = shards_.encode(change.shard)};
    case RegistryShards::Change::Kind::kDelete:
      break;
  }
  return ZkDelete{.path = path};
}

void ZkStore::plan(uint64_t token, const std::vector<StoreWrite>& batch) {
  std::vector<ZkOp> ops;
  size_t bytes = 0;
  for (const RegistryShards::Change& change : shards_.apply(batch)) {
    ops.push_back(op_of(change));
    bytes += bytes_of(ops.back());
  }
  if (bytes <= limits::kZkMultiBytesMax && ops.size() <= limits::kZkMultiOpsMax) {
    return add_step({.ops = std::move(ops), .decides = token});
  }
  uint32_t count = 0;
  std::vector<ZkOp> chunks;
  for (const std::vector<ZnodeEntry>& chunk : cut_into_chunks(batch)) {
    const std::string name = chunk_name(count++);
    chunks.emplace_back(ZkCreate{.path = at(name), .data = encode_znode(name, chunk)});
  }
  in_groups(std::move(chunks), [this](std::vector<ZkOp> group) {
    add_step({.ops = std::move(group), .decides = {}});
  });
  add_step({.ops = {}, .chunks = count, .decides = token});
  plan_to_apply(std::move(ops), count);
}

void ZkStore::plan_to_apply(std::vector<ZkOp> ops, uint32_t chunks) {
  in_groups(std::move(ops), [this, chunks](std::vector<ZkOp> group) {
    add_step({.ops = std::move(group), .chunks = chunks, .decides = {}});
  });
  // Applied: the epoch node says so before the first chunk goes.
  if (!steps_.empty() && steps_.back().chunks == chunks && !steps_.back().decides) {
    steps_.back().chunks = 0;
  } else {
    add_step({.ops = {}, .chunks = 0, .decides = {}});
  }
  std::vector<ZkOp> deletes;
  for (uint32_t i = 0; i < chunks; ++i) deletes.emplace_back(ZkDelete{.path = at(chunk_name(i))});
  in_groups(std::move(deletes), [this](std::vector<ZkOp> group) {
    add_step({.ops = std::move(group), .decides = {}});
  });
}

void ZkStore::touch(Instant now) {
  const bool begun =
      phase_ == Phase::kLoading || phase_ == Phase::kOpening || phase_ == Phase::kOpen;
  if (!connected_ || !begun || touching_ || step_sent_) return;
  touching_ = true;
  touched_ = now;
  ask(kTouch, ZkMulti{.ops = {ZkCheck{.path = at(kEpochName), .version = version_}}});
}

void ZkStore::go_on(Instant now) {
  if (step_sent_) return;
  if (!connected_) {
    lost_ = true;  // goes on with the next connection, also if nothing else was under way
    return;
  }
  if (!steps_.empty()) return send_step(now);
  if (phase_ != Phase::kOpening) return;
  phase_ = Phase::kOpen;
  client_.on_opened(now, epoch_.epoch, *shards_.contents());
}

std::vector<ZkOp> ZkStore::fenced(const ZnodeEpoch& epoch, std::vector<ZkOp> ops) const {
  const std::string path = at(kEpochName);
  std::string data = encode_znode(kEpochName, epoch);
  std::vector<ZkOp> all;
  if (version_ < kVersionMax) {
    all.emplace_back(ZkSet{.path = path, .data = std::move(data), .version = version_});
  } else {
    all.emplace_back(ZkDelete{.path = path, .version = version_});
    all.emplace_back(ZkCreate{.path = path, .data = std::move(data)});
  }
  all.insert(all.end(), std::make_move_iterator(ops.begin()), std::make_move_iterator(ops.end()));
  return all;
}

ZnodeEpoch ZkStore::after(const Step& step) const {
  return {.epoch = epoch_.epoch, .serial = epoch_.serial + 1, .chunks = step.chunks};
}

// A copy of the operations: the step may have to be sent again.
void ZkStore::send_step(Instant now) {
  const Step& step = steps_.front();
  step_sent_ = true;
  sent_ = now;
  ask(kStep, ZkMulti{.ops = fenced(after(step), step.ops)});
}

void ZkStore::on_step(Instant now, const ZkReply& reply) {
  if (reply.result == ZkResult::kOk) return step_done(now);
  if (reply.failed_op == 0 && reply.result == ZkResult::kBadVersion) {
    // Ours from before the connection was lost, or another leader's. What this refusal rests on is
    // visible to what is asked after it.
    step_sent_ = true;
    return ask(kVerify, ZkGet{.path = at(kEpochName)});
  }
  closed(now, fmt::format("operation {} of a write of the registry: {}", reply.failed_op,
                          describe(path_, reply)));
}

void ZkStore::on_verified(Instant now, const ZkReply& reply) {
  if (reply.result != ZkResult::kOk) return closed(now, describe(at(kEpochName), reply));
  const Result<ZnodeEpoch> found = decode_znode_epoch(kEpochName, reply.data);
  if (!found) return wrong(now, kEpochName, found.error().message);
  if (*found == after(steps_.front())) return step_done(now);
  closed(now,
         fmt::format("epoch {} is over, the registry is at epoch {}", epoch_.epoch, found->epoch));
}

void ZkStore::step_done(Instant now) {
  const Step step = std::move(steps_.front());
  steps_.pop_front();
  epoch_ = after(step);
  version_ = version_ < kVersionMax ? version_ + 1 : 0;
  const uint32_t opening = opening_;
  client_.on_heard(now, sent_);
  if (opening == opening_ && step.decides) client_.on_written(now, *step.decides);
  if (opening == opening_) go_on(now);
}

}  // namespace tepui
