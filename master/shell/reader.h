#pragma once
// Reader serves every read of the operator conversation (lists, single rows, watches, metrics) on a
// thread of its own, from its own copy of the master's state, so that no reader makes an offer
// late. It is fed with batches of the event feed; commands (kill) go to the loop through a mailbox,
// and their answers come back the same way.
//
// start(), give() and the destructor: the loop's thread. What the reader asks of the loop arrives
// as FromReader in the loop's mailbox.

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/io/fd.h"
#include "common/io/mailbox.h"
#include "common/io/reactor.h"
#include "common/io/tcp.h"
#include "common/messages.h"
#include "common/result.h"
#include "master/shell/feed.h"

namespace tepui {

struct OperatorCommand {
  SessionId session;  // of the reader; the answer names it again
  std::string principal;
  OperatorRequest request;
};
// The loop answers with a feed::MetricsSnapshot.
struct MetricsWanted {};
using FromReader = std::variant<OperatorCommand, MetricsWanted>;

// A connection whose first frame was an operator's, and all that was received on it.
struct OperatorLink {
  Fd socket;
  std::vector<std::byte> received;
};
struct CommandAnswer {
  SessionId session;
  ServerToOperator message;
};
// Whether this master leads; if not, where the leader is, if that is known.
struct Leadership {
  bool leads = false;
  std::string leader;
};
struct StopReader {};
using ToReader = std::variant<FeedBatch, OperatorLink, CommandAnswer, Leadership, StopReader>;

class Reader {
 public:
  // `feed` is told what was consumed; it and `loop` outlive the reader. `unfair`: the resources
  // that do not count in dominant shares.
  static Result<std::unique_ptr<Reader>> start(Feed& feed, Mailbox<FromReader>& loop,
                                               std::string build, std::vector<std::string> unfair);
  ~Reader();  // ends the thread
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // False: its mailbox is full, and `item` is untouched.
  bool give(ToReader&& item);

 private:
  class Thread;
  explicit Reader(std::unique_ptr<Thread> thread);
  std::unique_ptr<Thread> thread_;
};

}  // namespace tepui
