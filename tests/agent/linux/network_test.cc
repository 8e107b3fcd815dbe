// Goal: what containers send is limited and what is dropped is counted, and they bind their own
// ports only. Method: processes in cgroups of this test speak over the loopback device. Buckets
// hardly fill while a test runs, so that bytes are counted and no time is measured. Skips where no
// cgroup can be made or the kernel takes no program from this user.

#include "agent/linux/network.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "agent/isolators/network.h"
#include "tests/agent/linux/cgroup_tree.h"
#include "tests/agent/linux/work.h"

namespace tepui {
namespace {

using testing::HasSubstr;

constexpr int kHeaders = 20 + 8;  // IP, UDP
constexpr int kBytes = 1000 - kHeaders;
constexpr int64_t kBurst = 128 << 10;
// A byte a second: nothing of weight comes into the bucket while the test runs.
const ControlWrite kSmallest{std::string(kEgressIsolator), "network.egress.max", "1"};

ControlWrite ports(const std::string& value) {
  return {std::string(kPortsIsolator), "network.ports.allow", value};
}

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<CgroupTree> tree = CgroupTree::create("tepui-network");
    if (!tree) GTEST_SKIP() << tree.error().message;
    tree_.emplace(*std::move(tree));
    for (const std::string_view isolator : {kEgressIsolator, kPortsIsolator}) {
      if (Result<void> usable = programs_.probe(tree_->top().directory.get(), isolator); !usable) {
        GTEST_SKIP() << usable.error().message;
      }
    }
  }
  void attach(const CgroupTree::Cgroup& cgroup, const ControlWrite& write) {
    const Result<void> attached = programs_.attach(cgroup.directory.get(), write);
    ASSERT_TRUE(attached.has_value()) << attached.error().message;
  }
  // The errno of binding in a process of the cgroup, 0 for success.
  int bind_in(const CgroupTree::Cgroup& cgroup, int family, int type, in_port_t port) {
    const pid_t pid = tree_->start(cgroup, [&] {
      const int protocol = type == SOCK_RAW ? IPPROTO_ICMP : 0;
      const int socket = ::socket(family, type | SOCK_CLOEXEC, protocol);
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
      sockaddr_in6 address{};
      address.sin6_family = static_cast<sa_family_t>(family);
      address.sin6_port = htons(port);  // at the same place in an address of IPv4
      const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof address;
      _exit(bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 ? 0 : errno);
    });
    return WEXITSTATUS(tree_->wait_for(pid));
  }
  // Datagrams to a socket of ours, of a process in the cgroup; how many were sent without an error.
  int send_from(const CgroupTree::Cgroup& cgroup, int datagrams) {
    const pid_t pid = tree_->start(cgroup, [&] {
      const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const std::string bytes(kBytes, 'x');
      int sent = 0;
      for (int i = 0; i < datagrams; ++i) {
        sent += sendto(socket.get(), bytes.data(), bytes.size(), 0,
                       reinterpret_cast<const sockaddr*>(&receiver_.address),
                       sizeof receiver_.address) == kBytes;
      }
      _exit(sent);
    });
    return WEXITSTATUS(tree_->wait_for(pid));
  }
  // That have come, or lie in the receiver's queue.
  int take() {
    char bytes[kBytes];
    int taken = 0;
    while (recv(receiver_.socket.get(), bytes, sizeof bytes, MSG_DONTWAIT) == kBytes) ++taken;
    return taken;
  }

  struct Receiver {
    Receiver() : socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof address;
      const int room = 4 << 20;
      CHECK(setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) == 0);
      CHECK(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
      CHECK(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    }
    Fd socket;
    sockaddr_in address{};
  };

  std::optional<CgroupTree> tree_;
  NetworkPrograms programs_;
  Receiver receiver_;
};

TEST_F(NetworkTest, NoMoreIsSentThanTheBucketHoldsAndTheRestIsCounted) {
  const CgroupTree::Cgroup limited = tree_->make("container-a");
  const CgroupTree::Cgroup free = tree_->make("container-b");
  attach(limited, kSmallest);
  EgressDrops drops;
  drops.add(limited.directory.get(), limited.id);
  drops.add(free.directory.get(), free.id);
  constexpr int kDatagrams = 200;
  constexpr int kFits = kBurst / (kBytes + kHeaders);
  // A datagram that is dropped is no error of its sender, as with any full queue.
  EXPECT_EQ(send_from(limited, kDatagrams), kDatagrams);
  EXPECT_EQ(take(), kFits);
  ASSERT_TRUE(drops.read(limited.id).has_value());
  EXPECT_EQ(drops.read(limited.id)->packets, kDatagrams - kFits);
  EXPECT_EQ(drops.read(limited.id)->bytes, (kDatagrams - kFits) * (kBytes + kHeaders));
  EXPECT_EQ(send_from(free, kDatagrams), kDatagrams);
  EXPECT_EQ(take(), kDatagrams) << "another container has no limit";
  EXPECT_FALSE(drops.read(free.id).has_value());
}

TEST_F(NetworkTest, ALimitIsForAllThatIsInside) {
  const CgroupTree::Cgroup outer = tree_->make("container-a");
  attach(outer, kSmallest);
  const CgroupTree::Cgroup inner = tree_->make("container-a/made");
  constexpr int kFits = kBurst / (kBytes + kHeaders);
  send_from(inner, 100);
  send_from(outer, 100);
  EXPECT_EQ(take(), kFits);
}

TEST_F(NetworkTest, ABucketFillsAtItsRate) {
  const CgroupTree::Cgroup limited = tree_->make("container-a");
  // Full again before anybody can empty it.
  attach(limited, {std::string(kEgressIsolator), "network.egress.max", "80000000000"});
  for (int i = 0; i < 10; ++i) {
    send_from(limited, 200);
    EXPECT_EQ(take(), 200);
  }
}

TEST_F(NetworkTest, ANextLifeFindsALimitAndChangesIt) {
  const CgroupTree::Cgroup limited = tree_->make("container-a");
  const CgroupTree::Cgroup free = tree_->make("container-b");
  {
    NetworkPrograms earlier;
    ASSERT_TRUE(earlier.attach(limited.directory.get(), kSmallest).has_value());
    send_from(limited, 200);
    EXPECT_LT(take(), 200);
  }
  EgressDrops drops;
  drops.add(limited.directory.get(), limited.id);
  ASSERT_TRUE(drops.read(limited.id).has_value());
  EXPECT_EQ(drops.read(limited.id)->packets, 0) << "what was before is not ours";
  send_from(limited, 10);
  EXPECT_EQ(take(), 0) << "it holds without its agent";
  EXPECT_EQ(drops.read(limited.id)->packets, 10);
  const ControlWrite faster{std::string(kEgressIsolator), "network.egress.max", "80000000000"};
  for (const CgroupTree::Cgroup* cgroup : {&limited, &free}) {
    const Result<void> changed = NetworkPrograms::change(cgroup->directory.get(), faster);
    ASSERT_TRUE(changed.has_value()) << changed.error().message;
  }
  send_from(limited, 100);
  EXPECT_GT(take(), 0);
  EXPECT_GE(drops.read(limited.id)->packets, 10) << "what was counted stays";
  drops.remove(limited.id);
  EXPECT_FALSE(drops.read(limited.id).has_value());
}

TEST_F(NetworkTest, OnlyPortsOfItsOwnCanBeBound) {
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  const CgroupTree::Cgroup free = tree_->make("container-b");
  attach(cgroup, ports("31500-31501,31663-31664"));
  for (const int family : {AF_INET, AF_INET6}) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      for (const in_port_t port : {31500, 31501, 31663, 31664, 0}) {
        EXPECT_EQ(bind_in(cgroup, family, type, port), 0) << port;
      }
      for (const in_port_t port : {31499, 31502, 31662, 31665, 1, 65535}) {
        EXPECT_EQ(bind_in(cgroup, family, type, port), EPERM) << port;
      }
      EXPECT_EQ(bind_in(free, family, type, 31502), 0);
    }
  }
  EXPECT_EQ(bind_in(cgroup, AF_INET, SOCK_RAW, 31502), 0) << "has no port";
}

TEST_F(NetworkTest, WhatIsInsideHasThePortsOfItsContainer) {
  const CgroupTree::Cgroup outer = tree_->make("container-a");
  attach(outer, ports("none"));
  const CgroupTree::Cgroup inner = tree_->make("container-a/made");
  EXPECT_EQ(bind_in(inner, AF_INET, SOCK_STREAM, 31500), EPERM);
  EXPECT_EQ(bind_in(inner, AF_INET, SOCK_STREAM, 0), 0);
  const Result<void> changed = NetworkPrograms::change(outer.directory.get(), ports("31500-31500"));
  ASSERT_TRUE(changed.has_value()) << changed.error().message;
  EXPECT_EQ(bind_in(inner, AF_INET, SOCK_STREAM, 31500), 0) << "a task more has come";
}

TEST_F(NetworkTest, APlanThatCannotBeReadIsRefused) {
  const CgroupTree::Cgroup cgroup = tree_->make("container-a");
  const Result<void> egress = programs_.attach(
      cgroup.directory.get(), {std::string(kEgressIsolator), "network.egress.max", "fast"});
  ASSERT_FALSE(egress.has_value());
  EXPECT_THAT(egress.error().message, HasSubstr("'fast' is no limit of egress"));
  const Result<void> bound = programs_.attach(cgroup.directory.get(), ports("http"));
  ASSERT_FALSE(bound.has_value());
  EXPECT_THAT(bound.error().message, HasSubstr("'http' are no ports"));
}

}  // namespace
}  // namespace tepui
