// The store suite on what is real: a directory, and a ZooKeeper server if one is named in
// TEPUI_TEST_ZK (HOST:PORT), as tests/system/zookeeper_store_test.py does.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "common/io/file_store.h"
#include "common/io/zookeeper.h"
#include "common/zk_leadership.h"
#include "common/zk_store.h"
#include "tests/common/io/loop.h"
#include "tests/common/store_places.h"
#include "tests/common/store_suite.h"

namespace tepui::test {
namespace {

class FilePlace final : public StorePlace {
 public:
  std::unique_ptr<StoreUser> open() override {
    return std::make_unique<User>(*reactor_, directory_.path());
  }
  bool run_until(const std::function<bool()>& done) override {
    return test::run_until(*reactor_, done, std::chrono::seconds(60));
  }

 private:
  struct User final : StoreUser {
    User(Reactor& reactor, const std::string& directory) {
      auto made = FileStore::create(reactor, directory, *this, *this);
      if (!made) ADD_FAILURE() << made.error().message;
      file = *std::move(made);
    }
    Store& store() override { return *file; }
    Coordinator& coordinator() override { return *file; }
    std::unique_ptr<FileStore> file;
  };

  TemporaryDirectory directory_;
  std::unique_ptr<Reactor> reactor_ = make_reactor();
};

class ServerPlace final : public StorePlace {
 public:
  explicit ServerPlace(const std::string& server)
      : address_{.servers = {server},
                 .path = fmt::format("/suite/{}", now().mono.time_since_epoch().count())} {}
  std::unique_ptr<StoreUser> open() override {
    auto made = std::make_unique<User>(*this);
    user_ = made.get();
    return made;
  }
  bool run_until(const std::function<bool()>& done) override {
    const auto turn = [&] {
      if (user_ != nullptr) user_->leadership->on_time(reactor_->now().mono);
      return done();
    };
    return test::run_until(*reactor_, turn, std::chrono::seconds(120));
  }

 private:
  struct User final : StoreUser {
    explicit User(ServerPlace& in) : place(in) {
      auto made = ZkClient::create(*in.reactor_, {.address = in.address_});
      if (!made) ADD_FAILURE() << made.error().message;
      zookeeper = *std::move(made);
      leadership = std::make_unique<ZkLeadership>(
          *zookeeper, ZkLeadership::Options{.path = in.address_.path, .master_info = "{}"}, *this,
          *this, ignore);
      zookeeper->open(*leadership);
    }
    ~User() override {
      zookeeper->close();
      place.user_ = nullptr;
    }
    Store& store() override { return *leadership; }
    Coordinator& coordinator() override { return *leadership; }

    ServerPlace& place;
    IgnoreLeadership ignore;
    std::unique_ptr<ZkClient> zookeeper;
    std::unique_ptr<ZkLeadership> leadership;
  };

  const ZkAddress address_;
  std::unique_ptr<Reactor> reactor_ = make_reactor();
  User* user_ = nullptr;
};

// One that has the registry open in a session of its own, and looks at nothing else.
struct Opened final : ZkStoreClient, ZkSessionClient {
  Opened(Reactor& reactor, const ZkAddress& address) {
    auto made = ZkClient::create(reactor, {.address = address});
    if (!made) ADD_FAILURE() << made.error().message;
    zookeeper = *std::move(made);
    store = std::make_unique<ZkStore>(*zookeeper, address.path, *this);
    zookeeper->open(*this);
  }
  ~Opened() override { zookeeper->close(); }

  void on_session(Instant now, const ZkSession& session) override {
    is_connected = session.state == ZkSession::State::kConnected;
    store->on_session(now, session);
  }
  void on_opened(Instant, uint64_t begun, StoreContents found) override {
    epoch = begun;
    contents = std::move(found);
  }
  void on_written(Instant, uint64_t token) override { written = token; }
  void on_heard(Instant, Instant) override {}
  void on_closed(Instant, std::string why) override { closed = std::move(why); }

  std::unique_ptr<ZkClient> zookeeper;
  std::unique_ptr<ZkStore> store;
  bool is_connected = false;
  uint64_t epoch = 0;
  StoreContents contents;
  uint64_t written = 0;
  std::string closed;
};

struct Ignore final : ZkWaiter {
  void on_reply(Instant, uint64_t, ZkReply) override {}
  void on_changed(Instant, std::string_view) override {}
};

std::vector<std::string> servers() {
  const char* server = getenv("TEPUI_TEST_ZK");
  return server == nullptr ? std::vector<std::string>() : std::vector<std::string>{server};
}

class ZooKeeperFence : public testing::TestWithParam<std::string> {};
// Without a server there is nothing to try it on; tests/system starts one.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooKeeperFence);

TEST_P(ZooKeeperFence, RefusesTheWriteOfAnEpochThatIsOver) {
  const auto reactor = make_reactor();
  const ZkAddress address{.servers = {GetParam()}, .path = "/fence"};
  const auto until = [&reactor](auto done) { return test::run_until(*reactor, done); };
  const auto at = [&reactor] { return reactor->now().mono; };
  Ignore ignore;
  Opened old(*reactor, address);
  ASSERT_TRUE(until([&] { return old.is_connected; }));
  old.zookeeper->submit(ignore, 0, ZkCreate{.path = address.path});
  old.store->open(at(), address.path);
  ASSERT_TRUE(until([&] { return old.epoch != 0; })) << old.closed;
  ASSERT_TRUE(old.store->write(at(), 1, {{"a", "old"}}));
  ASSERT_TRUE(until([&] { return old.written == 1; })) << old.closed;
  Opened next(*reactor, address);
  next.store->open(at(), address.path);
  ASSERT_TRUE(until([&] { return next.epoch == old.epoch + 1; })) << next.closed;
  EXPECT_EQ(next.contents, (StoreContents{{"a", "old"}}));
  // The old one has heard of nothing.
  ASSERT_TRUE(old.store->write(at(), 2, {{"a", "stale"}, {"b", "stale"}}));
  ASSERT_TRUE(until([&] { return !old.closed.empty(); }));
  EXPECT_EQ(old.closed,
            fmt::format("epoch {} is over, the registry is at epoch {}", old.epoch, next.epoch));
  EXPECT_EQ(old.written, 1u);
  ASSERT_TRUE(next.store->write(at(), 3, {{"c", "next"}}));
  ASSERT_TRUE(until([&] { return next.written == 3; })) << next.closed;
  Opened last(*reactor, address);
  last.store->open(at(), address.path);
  ASSERT_TRUE(until([&] { return last.epoch != 0; })) << last.closed;
  EXPECT_EQ(last.contents, (StoreContents{{"a", "old"}, {"c", "next"}}));
}

INSTANTIATE_TEST_SUITE_P(Real, ZooKeeperFence, testing::ValuesIn(servers()));

std::vector<NamedStorePlace> places() {
  std::vector<NamedStorePlace> all = {{"File", [] { return std::make_unique<FilePlace>(); }}};
  for (const std::string& server : servers()) {
    all.push_back({"ZooKeeper", [server] { return std::make_unique<ServerPlace>(server); }});
  }
  return all;
}

}  // namespace

INSTANTIATE_STORE_SUITE(places());

}  // namespace tepui::test
