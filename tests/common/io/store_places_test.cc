// The store suite on what is real: a directory, and a ZooKeeper server if one is named in
// TEPUI_TEST_ZK (HOST:PORT), as tests/system/zookeeper_store_test.py does.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "common/io/file_store.h"
#include "common/io/zookeeper.h"
#include "common/zk_leadership.h"
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

std::vector<NamedStorePlace> places() {
  std::vector<NamedStorePlace> all = {{"File", [] { return std::make_unique<FilePlace>(); }}};
  if (const char* server = getenv("TEPUI_TEST_ZK")) {
    all.push_back({"ZooKeeper", [server = std::string(server)] {
                     return std::make_unique<ServerPlace>(server);
                   }});
  }
  return all;
}

}  // namespace

INSTANTIATE_STORE_SUITE(places());

}  // namespace tepui::test
