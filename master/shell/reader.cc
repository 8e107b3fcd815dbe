#include "master/shell/reader.h"

#include <semaphore>
#include <set>
#include <thread>
#include <utility>

#include "common/io/session_table.h"
#include "common/wire.h"
#include "master/shell/operators.h"
#include "master/shell/tables.h"

namespace tepui {

namespace {
// Batches and links that may wait for the reader; the items in the batches have a bound of their
// own (Feed).
constexpr size_t kMailMax = 4096;
}  // namespace

// Everything below run() is the reader's thread.
class Reader::Thread final : private MailboxOwner<ToReader>,
                             private LinkHandler,
                             private OperatorsEffects {
 public:
  Thread(Feed& feed, Mailbox<FromReader>& loop, std::string build, std::vector<std::string> unfair)
      : feed_(feed), loop_(loop), operators_(tables_, *this, std::move(build)) {
    tables_.exclude_from_shares(std::move(unfair));
  }

  ~Thread() override {
    if (thread_.joinable()) {
      ToReader stop{StopReader{}};
      while (!mailbox_->push(std::move(stop))) std::this_thread::yield();
      thread_.join();
    }
  }

  Result<void> start() {
    thread_ = std::thread([this] { run(); });
    started_.acquire();
    if (!problem_) return {};
    thread_.join();
    return std::unexpected(*std::exchange(problem_, std::nullopt));
  }

  bool give(ToReader&& item) { return mailbox_->push(std::move(item)); }

 private:
  Result<void> open() {
    reactor_ = TRY(Reactor::create());
    transport_ = TRY(TcpTransport::create(*reactor_, *this));
    mailbox_ = TRY(Mailbox<ToReader>::create(*reactor_, *this, kMailMax));
    return {};
  }

  void run() {
    Result<void> opened = open();
    if (!opened) problem_ = std::move(opened).error();
    started_.release();
    while (!problem_ && !stopped_) reactor_->run_once(kNever);
    transport_.reset();
    // mailbox_ and reactor_ are destroyed by this thread, the only one a ring allows.
    mailbox_.reset();
    reactor_.reset();
  }

  void on_mail(ToReader item) override {
    if (auto* batch = std::get_if<FeedBatch>(&item)) {
      using Collect = Tables::Collect;
      tables_.collect(operators_.watchers() == 0 ? Collect::kNothing : Collect::kChanges);
      bool metrics = false;
      for (feed::Item& one : batch->items) {
        metrics |= std::holds_alternative<feed::MetricsSnapshot>(one);
        tables_.apply(std::move(one), batch->at);
      }
      feed_.consumed(batch->items.size());
      if (metrics) metrics_asked_ = false;
      operators_.on_changed(tables_.take_changed(), metrics);
    } else if (auto* link = std::get_if<OperatorLink>(&item)) {
      transport_->adopt(std::move(link->socket), std::move(link->received));
    } else if (auto* answer = std::get_if<CommandAnswer>(&item)) {
      operators_.on_answer(answer->session, answer->message);
    } else if (auto* leadership = std::get_if<Leadership>(&item)) {
      operators_.on_leadership(leadership->leads, std::move(leadership->leader));
    } else {
      stopped_ = true;
    }
  }

  void on_link_up(LinkId, std::string_view) override {}

  void on_frame(LinkId link, Conversation conversation,
                std::span<const std::byte> payload) override {
    if (conversation != Conversation::kOperator) {
      return drop(link, "this link belongs to an operator's conversation");
    }
    const auto inbound = decode_operator_to_server(payload);
    if (!inbound) return drop(link, inbound.error().message);
    const auto session = sessions_.find_or_open(link, inbound->session, conversation);
    if (!session) return drop(link, session.error().message);
    if (std::holds_alternative<Goodbye>(inbound->message)) {
      sessions_.close(*session);
      return operators_.on_lost(*session);
    }
    operators_.on_message(*session, inbound->message);
  }

  void drop(LinkId link, std::string_view why) {
    on_link_down(link, why);
    transport_->close(link, why);
  }

  void on_link_ready(LinkId link) override {
    for (const SessionId session : sessions_.sessions_of(link)) operators_.on_ready(session);
  }

  void on_link_down(LinkId link, std::string_view) override {
    for (const SessionId session : sessions_.close_link(link)) operators_.on_lost(session);
  }

  Sent send(SessionId to, const ServerToOperator& message) override {
    const SessionTable::Peer* peer = sessions_.find(to);
    if (peer == nullptr) return Sent::kYes;
    const SendResult result = transport_->send(peer->link, Conversation::kOperator,
                                               encoder_.encode(peer->number, message));
    return result == SendResult::kCongested ? Sent::kCongested : Sent::kYes;
  }

  void close(SessionId session, std::string_view why) override {
    const SessionTable::Peer* found = sessions_.find(session);
    if (found == nullptr) return;
    const LinkId link = found->link;
    send(session, Goodbye{.why = std::string(why)});
    sessions_.close(session);
    if (sessions_.sessions_of(link).empty()) transport_->close(link, why);
  }

  void command(SessionId from, const std::string& principal,
               const OperatorRequest& request) override {
    FromReader command{
        OperatorCommand{.session = from, .principal = principal, .request = request}};
    if (!loop_.push(std::move(command))) {
      send(from, RequestDone{.request = request_of(request),
                             .error = "the master is too busy, try again"});
    }
  }

  void want_metrics() override {
    if (metrics_asked_) return;
    // Refused: the loop is behind; the request waits and the next one asks again.
    metrics_asked_ = loop_.push(FromReader{MetricsWanted{}});
  }

  Feed& feed_;
  Mailbox<FromReader>& loop_;
  bool stopped_ = false;
  std::binary_semaphore started_{0};
  std::optional<Error> problem_;

  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<TcpTransport> transport_;
  std::unique_ptr<Mailbox<ToReader>> mailbox_;
  SessionTable sessions_;
  Encoder encoder_;
  Tables tables_;
  Operators operators_;
  bool metrics_asked_ = false;
  std::thread thread_;
};

Reader::Reader(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
Reader::~Reader() = default;

Result<std::unique_ptr<Reader>> Reader::start(Feed& feed, Mailbox<FromReader>& loop,
                                              std::string build, std::vector<std::string> unfair) {
  auto thread = std::make_unique<Thread>(feed, loop, std::move(build), std::move(unfair));
  TRY(thread->start());
  return std::unique_ptr<Reader>(new Reader(std::move(thread)));
}

bool Reader::give(ToReader&& item) { return thread_->give(std::move(item)); }

}  // namespace tepui
