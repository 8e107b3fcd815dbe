#include "perf/zookeeper_process.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "common/io/clock.h"

namespace tepui::perf {

namespace {

constexpr const char* kJava = "/usr/bin/java";
constexpr const char* kJar = "/usr/share/java/zookeeper.jar";
constexpr Duration kPatience = std::chrono::seconds(60);

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One that nobody listens on now.
uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool found = fd >= 0 && bind(fd, any, size) == 0 && getsockname(fd, any, &size) == 0;
  if (fd >= 0) close(fd);
  if (!found) throw std::runtime_error("there is no free port");
  return ntohs(address.sin_port);
}

// Whether the server says that it serves.
bool serves(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  std::string answer;
  if (connect(fd, any, sizeof address) == 0 && write(fd, "srvr", 4) == 4) {
    char part[4096];
    for (ssize_t got = 0; (got = read(fd, part, sizeof part)) > 0;) {
      answer.append(part, static_cast<size_t>(got));
    }
  }
  close(fd);
  return answer.find("Mode: ") != std::string::npos;
}

std::vector<std::string> command(const std::string& folder, uint16_t port) {
  const std::string config = folder + "/zoo.cfg";
  std::ofstream(config) << "dataDir=" << folder << "\nclientPort=" << port
                        << "\nclientPortAddress=127.0.0.1\ntickTime=200\nminSessionTimeout=400\n"
                           "maxSessionTimeout=60000\n4lw.commands.whitelist=srvr\n";
  return {kJava,
          "-Xmx512m",
          "-XX:+UseSerialGC",
          "-XX:TieredStopAtLevel=1",
          "-XX:-UsePerfData",
          "-Dzookeeper.admin.enableServer=false",
          "-cp",
          std::string(kJar) + ":/usr/share/java/slf4j-nop.jar:/usr/share/java/commons-cli.jar",
          "org.apache.zookeeper.server.quorum.QuorumPeerMain",
          config};
}

}  // namespace

bool ZookeeperProcess::available() {
  return std::filesystem::exists(kJava) && std::filesystem::exists(kJar);
}

ZookeeperProcess::ZookeeperProcess(const std::string& folder)
    : port_(free_port()), child_(Child::program(command(folder, port_), folder + "/log")) {
  const Instant until = later(now().mono, kPatience);
  while (now().mono < until && child_.alive()) {
    if (serves(port_)) return;
    usleep(50'000);
  }
  throw std::runtime_error("ZooKeeper did not start");
}

std::string ZookeeperProcess::url() const { return fmt::format("zk://127.0.0.1:{}/tepui", port_); }

}  // namespace tepui::perf
