#include "common/io/zookeeper.h"

#include <errno.h>
#include <fmt/format.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include <atomic>
#include <span>

#include "common/check.h"
#include "common/limits.h"

namespace tepui {

namespace {

constexpr size_t kWatchesMax = 256;
// Of coming and going sessions.
constexpr size_t kSessionMailMax = 512;
constexpr size_t kMailMax = limits::kZkInFlightMax + kWatchesMax + kSessionMailMax;

// The library would print every attempt to connect on standard error; what matters comes as a state
// of the session.
void drop_log(const char*) {}

ZkResult result_of(int code) {
  switch (code) {
    case ZOK:
      return ZkResult::kOk;
    case ZNONODE:
      return ZkResult::kNoNode;
    case ZNODEEXISTS:
      return ZkResult::kNodeExists;
    case ZBADVERSION:
      return ZkResult::kBadVersion;
    case ZNOTEMPTY:
      return ZkResult::kNotEmpty;
    case ZNOAUTH:
      return ZkResult::kNoRights;
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONMOVED:
      return ZkResult::kConnectionLost;
    case ZSESSIONEXPIRED:
    case ZCLOSING:
    case ZINVALIDSTATE:
      return ZkResult::kSessionExpired;
    default:
      return ZkResult::kRefused;
  }
}

ZkReply reply_of(int code) {
  ZkReply reply{.result = result_of(code)};
  if (reply.result == ZkResult::kRefused) reply.why = fmt::format("ZooKeeper: {}", zerror(code));
  return reply;
}

int flags_of(const ZkCreate& request) {
  return (request.ephemeral ? ZOO_EPHEMERAL : 0) | (request.sequential ? ZOO_SEQUENCE : 0);
}

// Everyone may read; with authentication only its owner may do more.
const ACL_vector* access_list(bool authenticated) {
  static ACL entries[] = {{ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE}, {ZOO_PERM_ALL, ZOO_AUTH_IDS}};
  static const ACL_vector own = {2, entries};
  return authenticated ? &own : &ZOO_OPEN_ACL_UNSAFE;
}

int length_of(const std::string& data) { return static_cast<int>(data.size()); }

}  // namespace

// A request that the library has. The library keeps pointers into it until it has answered.
struct ZkClient::Pending {
  uint64_t number = 0;
  Mailbox<ZkMail>* mailbox = nullptr;
  ZkWaiter* waiter = nullptr;
  uint64_t token = 0;
  ZkRequest request;
  std::vector<zoo_op_t> ops;
  std::vector<zoo_op_result_t> results;

  static void answer(const void* data, ZkReply reply) {
    const auto* pending = static_cast<const Pending*>(data);
    // There is room: requests are counted.
    CHECK(pending->mailbox->push(
        {ZkMail::Answer{.request = pending->number, .reply = std::move(reply)}}));
  }
  static void on_data(int code, const char* value, int length, const Stat* stat, const void* data) {
    ZkReply reply = reply_of(code);
    if (code == ZOK) {
      if (length > 0) reply.data.assign(value, static_cast<size_t>(length));
      reply.version = stat->version;
      reply.owner = static_cast<uint64_t>(stat->ephemeralOwner);
    }
    answer(data, std::move(reply));
  }
  static void on_stat(int code, const Stat* stat, const void* data) {
    ZkReply reply = reply_of(code);
    if (code == ZOK) {
      reply.version = stat->version;
      reply.owner = static_cast<uint64_t>(stat->ephemeralOwner);
    }
    answer(data, std::move(reply));
  }
  static void on_names(int code, const String_vector* names, const void* data) {
    ZkReply reply = reply_of(code);
    if (code == ZOK) {
      for (const char* name : std::span(names->data, static_cast<size_t>(names->count))) {
        reply.children.emplace_back(name);
      }
    }
    answer(data, std::move(reply));
  }
  static void on_path(int code, const char* path, const void* data) {
    ZkReply reply = reply_of(code);
    if (code == ZOK) reply.path = path;
    answer(data, std::move(reply));
  }
  static void on_done(int code, const void* data) { answer(data, reply_of(code)); }
  static void on_multi(int code, const void* data) {
    ZkReply reply = reply_of(code);
    const auto* pending = static_cast<const Pending*>(data);
    for (size_t i = 0; code != ZOK && i < pending->results.size(); ++i) {
      const int one = pending->results[i].err;
      if (one == ZOK || one == ZRUNTIMEINCONSISTENCY) continue;
      reply.failed_op = i;
      break;
    }
    answer(data, std::move(reply));
  }
};

struct ZkClient::Watch {
  Mailbox<ZkMail>* mailbox = nullptr;
  ZkWaiter* waiter = nullptr;
  std::string path;

  static void on_fired(zhandle_t*, int type, int, const char*, void* context) {
    // The library tells every watch of every change of the session, too.
    if (type == ZOO_SESSION_EVENT || type == ZOO_NOTWATCHING_EVENT) return;
    const auto* watch = static_cast<const Watch*>(context);
    // There is room: watches are counted, and one fires once for each time it was left.
    CHECK(watch->mailbox->push({ZkMail::Fired{.waiter = watch->waiter, .path = watch->path}}));
  }
};

// --------------------------------------------------------------------------------------- sessions

class ZkClient::Handle {
 public:
  // Resolves names, so it may block.
  static Result<std::unique_ptr<Handle>> create(ZkClient& owner, uint64_t number) {
    const Options& options = owner.options_;
    std::unique_ptr<Handle> made(new Handle(*owner.mailbox_, owner.session_mail_, number));
    const std::string servers = fmt::format("{}", fmt::join(options.address.servers, ","));
    const auto timeout =
        std::chrono::duration_cast<std::chrono::milliseconds>(options.session_timeout).count();
    made->library_ = zookeeper_init2(servers.c_str(), &on_state, static_cast<int>(timeout), nullptr,
                                     made.get(), 0, &drop_log);
    if (made->library_ == nullptr) {
      return fail(fmt::format("cannot use {}: {}", to_text(options.address), strerror(errno)),
                  errno);
    }
    if (!options.address.user.empty()) {
      const std::string who = options.address.user + ':' + options.address.password;
      const int code =
          zoo_add_auth(made->library_, "digest", who.data(), length_of(who), nullptr, nullptr);
      if (code != ZOK) return fail(fmt::format("cannot authenticate: {}", zerror(code)));
    }
    return made;
  }
  ~Handle() {
    if (library_ != nullptr) zookeeper_close(library_);
  }

  zhandle_t* library() { return library_; }
  uint64_t number() const { return number_; }
  // A change of the session was not told, for want of room.
  bool is_in_doubt() const { return in_doubt_.load(); }

 private:
  Handle(Mailbox<ZkMail>& mailbox, std::atomic<size_t>& waiting, uint64_t number)
      : mailbox_(mailbox), waiting_(waiting), number_(number) {}

  static void on_state(zhandle_t* library, int type, int state, const char*, void* context) {
    if (type != ZOO_SESSION_EVENT) return;
    auto* handle = static_cast<Handle*>(context);
    ZkMail::Session mail{.number = handle->number_, .session = {}};
    if (state == ZOO_CONNECTED_STATE) {
      mail.session = {.state = ZkSession::State::kConnected,
                      .id = static_cast<uint64_t>(zoo_client_id(library)->client_id),
                      .timeout = std::chrono::milliseconds(zoo_recv_timeout(library)),
                      .why = {}};
    } else if (state == ZOO_EXPIRED_SESSION_STATE) {
      mail.session = {.state = ZkSession::State::kExpired, .why = "it has expired"};
    } else if (state == ZOO_AUTH_FAILED_STATE) {
      mail.session = {.state = ZkSession::State::kRefused, .why = "authentication failed"};
    } else {
      mail.session = {.state = ZkSession::State::kDisconnected,
                      .why = "no server of the ensemble answers"};
    }
    if (handle->waiting_.fetch_add(1) >= kSessionMailMax) {
      --handle->waiting_;
      handle->in_doubt_ = true;
    } else {
      // There is room: these are counted, too.
      CHECK(handle->mailbox_.push({std::move(mail)}));
    }
  }

  Mailbox<ZkMail>& mailbox_;
  std::atomic<size_t>& waiting_;
  const uint64_t number_;
  zhandle_t* library_ = nullptr;
  std::atomic<bool> in_doubt_ = false;
};

class ZkClient::OpenJob final : public Job {
 public:
  OpenJob(ZkClient& owner, std::unique_ptr<Handle> before, uint64_t number)
      : owner_(owner), before_(std::move(before)), number_(number) {}

  void run() override {
    before_.reset();
    made_ = Handle::create(owner_, number_);
  }
  void on_done() override { owner_.on_opened(std::move(made_)); }

 private:
  ZkClient& owner_;
  std::unique_ptr<Handle> before_;
  const uint64_t number_;
  Result<std::unique_ptr<Handle>> made_;
};

// ----------------------------------------------------------------------------------------- client

Result<std::unique_ptr<ZkClient>> ZkClient::create(Reactor& reactor, Options options) {
  // One for the whole process; it is the least the library can say.
  zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
  std::unique_ptr<ZkClient> client(new ZkClient(reactor, std::move(options)));
  client->mailbox_ = TRY(Mailbox<ZkMail>::create(reactor, *client, kMailMax));
  client->worker_ = TRY(Worker::create(reactor, {.threads = 1, .queue_max = 2}));
  return client;
}

ZkClient::ZkClient(Reactor& reactor, Options options)
    : reactor_(reactor), options_(std::move(options)) {}

ZkClient::~ZkClient() { close(); }

void ZkClient::open(ZkSessionClient& client) {
  client_ = &client;
  renew();
}

void ZkClient::close() {
  client_ = nullptr;
  reactor_.cancel(renew_);
  // Jobs first: one may be making a handle.
  worker_.reset();
  open_job_.reset();
  handle_.reset();
  pending_.clear();
  answers_.clear();
}

// Ends the session that there is, and opens another.
void ZkClient::renew() {
  CHECK(open_job_ == nullptr);
  open_job_ = std::make_unique<OpenJob>(*this, std::move(handle_), ++handles_);
  CHECK(worker_->submit(*open_job_));
}

void ZkClient::on_opened(Result<std::unique_ptr<Handle>> handle) {
  open_job_.reset();
  // The library forgot them with the session before.
  watches_.clear();
  if (handle) {
    handle_ = *std::move(handle);
    for (ZkMail::Session& mail : std::exchange(early_, {})) on_session(std::move(mail));
    return;
  }
  early_.clear();
  reactor_.set(renew_, later(reactor_.now().mono, limits::kZkRetry));
  client_->on_session(reactor_.now().mono, {.state = ZkSession::State::kDisconnected,
                                            .why = std::move(handle).error().message});
}

void ZkClient::on_mail(ZkMail mail) {
  if (client_ == nullptr) return;
  if (auto* answer = std::get_if<ZkMail::Answer>(&mail.what)) {
    on_answer(std::move(*answer));
  } else if (const auto* fired = std::get_if<ZkMail::Fired>(&mail.what)) {
    fired->waiter->on_changed(reactor_.now().mono, fired->path);
  } else {
    --session_mail_;
    on_session(std::get<ZkMail::Session>(std::move(mail.what)));
  }
  if (handle_ != nullptr && handle_->is_in_doubt()) {
    on_session({.number = handle_->number(),
                .session = {.state = ZkSession::State::kExpired,
                            .why = "it changed faster than it could be followed"}});
  }
}

void ZkClient::on_answer(ZkMail::Answer answer) {
  const auto found = pending_.find(answer.request);
  if (found == pending_.end()) return;
  const std::unique_ptr<Pending> pending = std::move(found->second);
  pending_.erase(found);
  pending->waiter->on_reply(reactor_.now().mono, pending->token, std::move(answer.reply));
}

void ZkClient::on_session(ZkMail::Session mail) {
  // Of a handle that is ended.
  if (mail.number != handles_ || refused_) return;
  if (handle_ == nullptr) return early_.push_back(std::move(mail));
  refused_ = mail.session.state == ZkSession::State::kRefused;
  if (mail.session.state == ZkSession::State::kExpired) renew();
  client_->on_session(reactor_.now().mono, mail.session);
}

// -------------------------------------------------------------------------------------- requests

void ZkClient::answer_later(uint64_t request, ZkReply reply) {
  answers_.push_back({.request = request, .reply = std::move(reply)});
  reactor_.next_turn(tell_);
}

void ZkClient::tell() {
  std::vector<ZkMail::Answer> answers;
  answers.swap(answers_);
  for (ZkMail::Answer& answer : answers) on_answer(std::move(answer));
}

ZkClient::Watch* ZkClient::watch(ZkWaiter& waiter, const std::string& path, bool of_children) {
  const auto found = watches_.find({&waiter, path, of_children});
  if (found != watches_.end()) return found->second.get();
  if (watches_.size() >= kWatchesMax) return nullptr;
  auto made = std::make_unique<Watch>(Watch{mailbox_.get(), &waiter, path});
  Watch* watch = made.get();
  watches_.emplace(std::tuple(&waiter, path, of_children), std::move(made));
  return watch;
}

namespace {

zoo_op_t op_of(const ZkOp& from, const ACL_vector* access) {
  zoo_op_t op{};
  if (const auto* one = std::get_if<ZkCreate>(&from)) {
    zoo_create_op_init(&op, one->path.c_str(), one->data.data(), length_of(one->data), access,
                       flags_of(*one), nullptr, 0);
  } else if (const auto* set = std::get_if<ZkSet>(&from)) {
    zoo_set_op_init(&op, set->path.c_str(), set->data.data(), length_of(set->data), set->version,
                    nullptr);
  } else if (const auto* gone = std::get_if<ZkDelete>(&from)) {
    zoo_delete_op_init(&op, gone->path.c_str(), gone->version);
  } else {
    const auto& check = std::get<ZkCheck>(from);
    zoo_check_op_init(&op, check.path.c_str(), check.version);
  }
  return op;
}

}  // namespace

// The library copies what it sends.
void ZkClient::submit(ZkWaiter& waiter, uint64_t token, ZkRequest request) {
  const uint64_t number = ++last_request_;
  const auto [at, made] = pending_.emplace(number, std::make_unique<Pending>());
  Pending& pending = *at->second;
  pending.number = number;
  pending.mailbox = mailbox_.get();
  pending.waiter = &waiter;
  pending.token = token;
  pending.request = std::move(request);
  if (handle_ == nullptr) return answer_later(number, {.result = ZkResult::kConnectionLost});
  if (pending_.size() > limits::kZkInFlightMax) {
    return answer_later(number, {.result = ZkResult::kRefused,
                                 .why = "too many requests to ZooKeeper are under way"});
  }
  const Result<int> code = hand_over(pending);
  if (!code) {
    answer_later(number, {.result = ZkResult::kRefused, .why = code.error().message});
  } else if (*code != ZOK) {
    answer_later(number, reply_of(*code));
  }
}

Result<int> ZkClient::hand_over(Pending& pending) {
  zhandle_t* library = handle_->library();
  const ACL_vector* access = access_list(!options_.address.user.empty());
  // Null where none is wanted.
  const auto watch_for = [&](const auto& one, bool of_children) -> Result<Watch*> {
    if (!one.watch) return nullptr;
    Watch* made = watch(*pending.waiter, one.path, of_children);
    if (made == nullptr) return fail("too many watches are left in ZooKeeper");
    return made;
  };
  const auto call = [](const Watch* watch) {
    return watch == nullptr ? nullptr : &Watch::on_fired;
  };
  if (const auto* get = std::get_if<ZkGet>(&pending.request)) {
    Watch* watch = TRY(watch_for(*get, false));
    return zoo_awget(library, get->path.c_str(), call(watch), watch, &Pending::on_data, &pending);
  }
  if (const auto* exists = std::get_if<ZkExists>(&pending.request)) {
    Watch* watch = TRY(watch_for(*exists, false));
    return zoo_awexists(library, exists->path.c_str(), call(watch), watch, &Pending::on_stat,
                        &pending);
  }
  if (const auto* children = std::get_if<ZkChildren>(&pending.request)) {
    Watch* watch = TRY(watch_for(*children, true));
    return zoo_awget_children(library, children->path.c_str(), call(watch), watch,
                              &Pending::on_names, &pending);
  }
  if (const auto* create = std::get_if<ZkCreate>(&pending.request)) {
    return zoo_acreate(library, create->path.c_str(), create->data.data(), length_of(create->data),
                       access, flags_of(*create), &Pending::on_path, &pending);
  }
  if (const auto* set = std::get_if<ZkSet>(&pending.request)) {
    return zoo_aset(library, set->path.c_str(), set->data.data(), length_of(set->data),
                    set->version, &Pending::on_stat, &pending);
  }
  if (const auto* gone = std::get_if<ZkDelete>(&pending.request)) {
    return zoo_adelete(library, gone->path.c_str(), gone->version, &Pending::on_done, &pending);
  }
  const auto& multi = std::get<ZkMulti>(pending.request);
  for (const ZkOp& op : multi.ops) pending.ops.push_back(op_of(op, access));
  pending.results.resize(multi.ops.size());
  return zoo_amulti(library, static_cast<int>(pending.ops.size()), pending.ops.data(),
                    pending.results.data(), &Pending::on_multi, &pending);
}

}  // namespace tepui
