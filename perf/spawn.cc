#include "perf/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <deque>

#include "common/check.h"
#include "common/io/clock.h"

namespace tepui::perf {
namespace {

void reap(pid_t pid) {
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}

}  // namespace

pid_t spawn(std::vector<std::string> words) {
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  for (int fd : {0, 1, 2}) posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  pid_t pid = -1;
  CHECK(posix_spawnp(&pid, arguments[0], &quiet, nullptr, arguments.data(), environment) == 0);
  posix_spawn_file_actions_destroy(&quiet);
  return pid;
}

double commands_per_second(int count, int in_flight, const MakeCommand& command) {
  const Instant start = now().mono;
  std::deque<pid_t> running;
  for (int i = 0; i < count; ++i) {
    if (running.size() == static_cast<size_t>(in_flight)) {
      reap(running.front());
      running.pop_front();
    }
    running.push_back(spawn(command()));
  }
  for (const pid_t pid : running) reap(pid);
  return count / to_secs(now().mono - start);
}

std::vector<double> command_latencies_ms(int count, const MakeCommand& command) {
  std::vector<double> latencies;
  for (int i = 0; i < count; ++i) {
    const Instant start = now().mono;
    reap(spawn(command()));
    latencies.push_back(to_millis(now().mono - start));
  }
  return latencies;
}

}  // namespace tepui::perf
