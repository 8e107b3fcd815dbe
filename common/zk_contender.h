#pragma once
// ZkContender keeps the node with which a master stands for election: ephemeral, with the next
// number, and what the master says of itself. It is made again when it is lost, never twice in one
// session: where nobody knows whether it was made, it is looked for by its owner.
//
// Pure. The owner passes the session on, and the time when it is due.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/zookeeper.h"

namespace tepui {

class ZkContenderClient {
 public:
  virtual ~ZkContenderClient() = default;
  virtual void on_joined(Instant now, std::string_view name) = 0;
  // The node is gone: left, deleted by somebody, or with its session.
  virtual void on_left(Instant now) = 0;
  virtual void on_trouble(Instant now, std::string_view why) = 0;
};

class ZkContender final : private ZkWaiter {
 public:
  ZkContender(ZooKeeper& zookeeper, std::string path, std::string data, ZkContenderClient& client)
      : zookeeper_(zookeeper), path_(std::move(path)), data_(std::move(data)), client_(client) {}

  void join();
  void leave();
  void on_session(Instant now, const ZkSession& session);
  void on_time(Instant now);
  Instant due() const { return retry_at_; }

  const std::string& name() const { return name_; }  // empty: no node

 private:
  enum Token : uint64_t { kMakePath, kCreate, kList, kLook, kWatch, kDelete };

  void on_reply(Instant now, uint64_t token, ZkReply reply) override;
  void on_changed(Instant now, std::string_view path) override;
  // The next thing to do, if nothing is under way.
  void go_on();
  void ask(uint64_t token, ZkRequest request);
  void make_path();
  void on_path_made(Instant now, const ZkReply& reply);
  void on_created(Instant now, const ZkReply& reply);
  void on_listed(Instant now, ZkReply reply);
  void look();
  void on_looked(Instant now, const ZkReply& reply);
  void on_watched(Instant now, const ZkReply& reply);
  void on_deleted(Instant now, const ZkReply& reply);
  void joined(Instant now, std::string name);
  void left(Instant now);
  void on_odd(Instant now, std::string_view path, const ZkReply& reply);
  std::string path_of(std::string_view name) const { return path_ + '/' + std::string(name); }

  ZooKeeper& zookeeper_;
  const std::string path_;
  const std::string data_;
  ZkContenderClient& client_;
  bool wanted_ = false;
  bool connected_ = false;
  bool asking_ = false;
  bool in_doubt_ = false;  // the node may have been made in this session
  bool watched_ = false;   // its end will be heard of
  uint64_t session_ = 0;
  std::string name_;
  size_t path_made_ = 0;                 // how much of path_ is there
  std::vector<std::string> candidates_;  // one of them may be ours; the last is looked at
  Instant retry_at_ = kNever;
};

}  // namespace tepui
