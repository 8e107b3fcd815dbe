#pragma once
// ZkClient is a ZooKeeper client on the C library, which has two threads of its own. What they have
// to say goes into the loop's mailbox as plain values, and nothing else happens on them. What may
// block (resolving names, ending a session that has expired) runs on a worker.
//
// The mailbox is bounded: requests under way and watches are counted before they are sent, so that
// their answers have room; if sessions come and go faster than the loop looks, the client gives up
// its session and opens another.
//
// The only file that names the C library is zookeeper.cc. One thread, that of the reactor.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "common/io/alarm.h"
#include "common/io/mailbox.h"
#include "common/io/reactor.h"
#include "common/io/worker.h"
#include "common/result.h"
#include "common/zk_address.h"
#include "common/zookeeper.h"

namespace tepui {

// What a thread of the library has to say.
struct ZkMail {
  struct Answer {
    uint64_t request = 0;
    ZkReply reply;
  };
  struct Fired {
    ZkWaiter* waiter = nullptr;
    std::string path;
  };
  struct Session {
    uint64_t number = 0;  // of the handle
    ZkSession session;
  };
  std::variant<Answer, Fired, Session> what;
};

class ZkClient final : public ZooKeeper, private MailboxOwner<ZkMail> {
 public:
  struct Options {
    ZkAddress address;
    Duration session_timeout = std::chrono::seconds(10);
  };
  static Result<std::unique_ptr<ZkClient>> create(Reactor& reactor, Options options);
  ~ZkClient() override;

  void open(ZkSessionClient& client) override;
  void submit(ZkWaiter& waiter, uint64_t token, ZkRequest request) override;
  // Waits until the session is ended, up to some seconds: for the end of a program.
  void close() override;

 private:
  class Handle;   // a session of the library
  class OpenJob;  // ends the session before and opens one
  struct Pending;
  struct Watch;

  ZkClient(Reactor& reactor, Options options);
  void on_mail(ZkMail mail) override;
  void on_answer(ZkMail::Answer answer);
  void on_session(ZkMail::Session mail);
  void renew();
  void on_opened(Result<std::unique_ptr<Handle>> handle);
  void answer_later(uint64_t request, ZkReply reply);
  void tell();
  // The code of the library.
  Result<int> hand_over(Pending& pending);
  // Null: there are too many.
  Watch* watch(ZkWaiter& waiter, const std::string& path, bool of_children);

  Reactor& reactor_;
  const Options options_;
  ZkSessionClient* client_ = nullptr;
  std::unique_ptr<Mailbox<ZkMail>> mailbox_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Handle> handle_;  // none while one is being opened
  std::unique_ptr<OpenJob> open_job_;
  uint64_t handles_ = 0;
  // How many changes of the session are in the mailbox.
  std::atomic<size_t> session_mail_ = 0;
  // Of a handle that is being opened: it was quicker than the news that it is open.
  std::vector<ZkMail::Session> early_;
  bool refused_ = false;
  uint64_t last_request_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Pending>> pending_;
  std::map<std::tuple<ZkWaiter*, std::string, bool>, std::unique_ptr<Watch>> watches_;
  std::vector<ZkMail::Answer> answers_;  // to be told
  Later<&ZkClient::tell> tell_{*this};
  Timer<&ZkClient::renew> renew_{*this};
};

}  // namespace tepui
