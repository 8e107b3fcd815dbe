// The whole agent as one thread of this test, with real containers, against a master that the test
// plays over a real connection.

#include "agent/shell/shell.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/limits.h"
#include "tests/agent/fetch/http_server.h"
#include "tests/common/io/loop.h"

namespace tepui {
namespace {

using namespace std::chrono_literals;

// A master that registers every agent and acknowledges every status.
class PlayedMaster : public LinkHandler {
 public:
  explicit PlayedMaster(Reactor& reactor) {
    transport = std::move(TcpTransport::create(reactor, *this)).value();
    address = to_text(transport->listen(*parse_address("127.0.0.1:0")).value());
  }

  void on_link_up(LinkId, std::string_view) override {}
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId link, std::string_view why) override {
    if (link == agent) lost.emplace_back(why);
  }
  void on_frame(LinkId link, Conversation, std::span<const std::byte> payload) override {
    agent = link;
    Result<Inbound<AgentToMaster>> inbound = decode_agent_to_master(payload);
    ASSERT_TRUE(inbound.has_value()) << inbound.error().message;
    number = inbound->session;
    if (std::holds_alternative<Hello>(inbound->message)) {
      say(HelloReply{.protocol = 1,
                     .build = "played",
                     .capabilities = {},
                     .epoch = 1,
                     .master_id = "c-e1",
                     .error = {}});
    } else if (const auto* fresh = std::get_if<RegisterAgent>(&inbound->message)) {
      info = fresh->info;
      say(Registered{.agent_id = AgentId{"agent-1"}, .master_id = "c-e1", .epoch = 1});
      ++registrations;
    } else if (const auto* again = std::get_if<ReregisterAgent>(&inbound->message)) {
      tasks = again->tasks;
      say(Registered{.agent_id = again->info.id,
                     .master_id = "c-e1",
                     .epoch = 1,
                     .ping_timeout = {},
                     .reregistered = true});
      ++registrations;
    } else if (const auto* updates = std::get_if<StatusUpdates>(&inbound->message)) {
      AcknowledgeUpdates acknowledgement;
      for (const StatusUpdates::Item& item : updates->items) {
        statuses.push_back(item.status);
        acknowledgement.items.push_back({.framework_id = item.framework_id,
                                         .task_id = item.status.task_id,
                                         .uuid = item.status.uuid});
      }
      say(acknowledgement);
    }
  }
  void say(const MasterToAgent& message) {
    transport->send(agent, Conversation::kAgent, encoder.encode(number, message));
  }
  void launch(const std::string& task, const std::string& command, std::vector<Uri> uris = {}) {
    TaskSpec spec;
    spec.resources = Resources::scalars({{"cpus", 100}, {"mem", 64000}});
    spec.command.value = command;
    spec.command.uris = std::move(uris);
    LaunchTasks message;
    FrameworkInfo& framework = message.frameworks.emplace_back();
    framework.id = FrameworkId{"f"};
    framework.name = "test";
    framework.roles = {"*"};
    message.tasks.push_back(
        {.framework_id = framework.id,
         .role = "*",
         .task = {
             .id = TaskId{task}, .name = task, .spec = std::make_shared<const TaskSpec>(spec)}});
    say(message);
  }
  const TaskStatus* find(const std::string& task, TaskState state) const {
    for (const TaskStatus& status : statuses) {
      if (status.task_id.value == task && status.state == state) return &status;
    }
    return nullptr;
  }
  const TaskStatus* ended(const std::string& task) const {
    for (const TaskStatus& status : statuses) {
      if (status.task_id.value == task && is_terminal(status.state)) return &status;
    }
    return nullptr;
  }

  std::unique_ptr<TcpTransport> transport;
  std::string address;
  Encoder encoder;
  LinkId agent;
  uint32_t number = 0;
  AgentInfo info;
  int registrations = 0;
  std::vector<Task> tasks;
  std::vector<TaskStatus> statuses;
  std::vector<std::string> lost;
};

class AgentShellTest : public testing::Test {
 protected:
  AgentShellTest() {
    config.master = master.address;
    config.listen = "127.0.0.1:0";
    const char* shim = getenv("TEPUI_SHIM");  // meson test sets it
    config.shim = shim != nullptr ? shim : "TEPUI_SHIM is not set";
    config.ground.work_dir = directory.path() + "/work";
    config.ground.runtime_dir = directory.path() + "/run";
    const char* fetcher = getenv("TEPUI_FETCH");
    config.fetcher = {.program = fetcher != nullptr ? fetcher : "TEPUI_FETCH is not set",
                      .user = "nobody",
                      .cache_dir = config.ground.work_dir + "/fetched",
                      .bytes_max = 1 << 20,
                      .stall = 60s};
    config.ground.cgroup_root = "tepui-test-" + std::to_string(getpid());
    config.ground.isolators = {"auto"};
    config.ground.resources = "cpus:2;mem:512MB;disk:100MB;ports:[31000-31009]";
    config.seed = 1;
    config.agent.build = "test";
    config.agent.tunables.registration_backoff = 1ms;
  }
  ~AgentShellTest() override {
    if (!thread.joinable()) return;
    master.say(ShutdownAgent{.message = "the test is over"});
    EXPECT_TRUE(run_until([this] { return done.load(); }));
    thread.join();
  }

  template <class Done>
  bool run_until(Done&& condition) {
    return test::run_until(*reactor, condition);
  }
  void start() {
    thread = std::thread([this] {
      Log log({.level = Severity::kError, .colour = Colour::kNever});
      Result<std::unique_ptr<AgentShell>> shell = AgentShell::create(config, log);
      EXPECT_TRUE(shell.has_value()) << shell.error().message;
      if (shell) status = (*shell)->run();
      done = true;
    });
    ASSERT_TRUE(run_until([this] { return master.registrations > 0 || done; }));
  }

  test::TemporaryDirectory directory;
  std::unique_ptr<Reactor> reactor = test::make_reactor();
  PlayedMaster master{*reactor};
  AgentShellConfig config;
  std::thread thread;
  std::atomic<bool> done = false;
  int status = -1;
};

// Asks an agent for one file, as `tepui logs` does.
class PlayedOperator : public LinkHandler {
 public:
  PlayedOperator(Reactor& reactor, const std::string& address) {
    transport = std::move(TcpTransport::create(reactor, *this)).value();
    link = transport->connect(address);
  }
  void on_link_up(LinkId, std::string_view) override { say(Hello{}); }
  void on_link_ready(LinkId) override {}
  void on_link_down(LinkId, std::string_view) override { down = true; }
  void on_frame(LinkId, Conversation, std::span<const std::byte> payload) override {
    Result<Inbound<ServerToOperator>> inbound = decode_server_to_operator(payload);
    ASSERT_TRUE(inbound.has_value()) << inbound.error().message;
    answers.push_back(std::move(inbound->message));
  }
  void say(const OperatorToServer& message) {
    transport->send(link, Conversation::kOperator, encoder.encode(1, message));
  }

  std::unique_ptr<TcpTransport> transport;
  Encoder encoder;
  LinkId link;
  bool down = false;
  std::vector<ServerToOperator> answers;
};

TEST_F(AgentShellTest, RegistersWithWhatItWasToldToOffer) {
  start();
  EXPECT_EQ(master.info.resources.total_milli("cpus"), 2000);
  EXPECT_EQ(master.info.resources.total_milli("mem"), 512000);
  EXPECT_TRUE(master.info.address.starts_with("127.0.0.1:")) << master.info.address;
  EXPECT_FALSE(master.info.hostname.empty());
}

TEST_F(AgentShellTest, RunsCommandsAndTellsTheirFate) {
  start();
  master.launch("good", "echo hello; echo \"$TEPUI_TASK_ID $MESOS_ALLOCATION_ROLE\"");
  master.launch("bad", "echo oops >&2; exit 3");
  ASSERT_TRUE(run_until([&] { return master.ended("good") && master.ended("bad"); }));
  EXPECT_NE(master.find("good", TaskState::kStarting), nullptr);
  EXPECT_NE(master.find("good", TaskState::kRunning), nullptr);
  EXPECT_EQ(master.ended("good")->state, TaskState::kFinished);
  EXPECT_EQ(master.ended("bad")->state, TaskState::kFailed);
  EXPECT_EQ(master.ended("bad")->exit_status, 3);
  EXPECT_EQ(master.ended("bad")->message,
            "Command exited with status 3; its last lines on stderr:\noops");

  PlayedOperator reader(*reactor, master.info.address);
  ASSERT_TRUE(run_until([&] { return reader.answers.size() == 1; }));
  reader.say(ReadFile{.request = 1,
                      .framework_id = FrameworkId{"f"},
                      .task_id = TaskId{"good"},
                      .path = "stdout",
                      .length = 1000});
  reader.say(ListRequest{.request = 2, .table = Table::kMetrics, .key = "slave/tasks_finished"});
  ASSERT_TRUE(run_until([&] { return reader.answers.size() == 3; }));
  const bool file_first = std::holds_alternative<FileData>(reader.answers[1]);
  const auto& data = std::get<FileData>(reader.answers[file_first ? 1 : 2]);
  EXPECT_EQ(data.data, "hello\ngood *\n");
  EXPECT_TRUE(data.task_ended);
  const auto& list = std::get<ListReply>(reader.answers[file_first ? 2 : 1]);
  ASSERT_EQ(list.rows.metrics.size(), 1u);
  EXPECT_EQ(list.rows.metrics[0].value, 1);
}

TEST_F(AgentShellTest, FetchesWhatATaskNamesBeforeItBegins) {
  TestServer server;
  server.answers("/data", ok("data"));
  start();
  master.launch("good", "grep data data && test -x host",
                {{.value = server.url("/data")},
                 {.value = "/etc/hostname", .executable = true, .output_file = "host"}});
  master.launch("bad", "true", {{.value = "/no/such/file"}});
  ASSERT_TRUE(run_until([&] { return master.ended("good") && master.ended("bad"); }));
  EXPECT_EQ(master.ended("good")->state, TaskState::kFinished) << master.ended("good")->message;
  EXPECT_EQ(master.ended("bad")->state, TaskState::kFailed);
  EXPECT_EQ(master.ended("bad")->reason, TaskReason::kContainerLaunchFailed);
  EXPECT_EQ(master.ended("bad")->message,
            "fetching /no/such/file: opening it: ENOENT (No such file or directory)");
}

TEST_F(AgentShellTest, AKillDoesNotWaitForAServer) {
  TestServer server;
  server.holds("/x", "");
  start();
  master.launch("slow", "true", {{.value = server.url("/x")}});
  ASSERT_TRUE(run_until([&] { return server.requests("/x") > 0; }));
  master.say(KillTask{.framework_id = FrameworkId{"f"}, .task_id = TaskId{"slow"}});
  EXPECT_TRUE(run_until([&] { return master.ended("slow"); }));
  server.release("/x");
  ASSERT_NE(master.ended("slow"), nullptr);
  EXPECT_EQ(master.ended("slow")->state, TaskState::kKilled);
  EXPECT_EQ(master.ended("slow")->reason, TaskReason::kTaskKilledDuringLaunch);
}

TEST_F(AgentShellTest, GivesBackWhatWasProvidedForAContainerThatNeverBegan) {
  // For all threads of this test but the agent's, which reads it.
  sigset_t terminate;
  sigset_t before;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &terminate, &before);
  TestServer server;
  server.holds("/x", ok("data"));
  config.images = {.program = config.fetcher.program,
                   .directory = config.ground.work_dir + "/images",
                   .image_dirs = {directory.path()},
                   .bytes = 1 << 20,
                   .layer_bytes_max = 1 << 20};
  start();
  master.launch("slow", "true", {{.value = server.url("/x")}});
  ASSERT_TRUE(run_until([&] { return server.requests("/x") > 0; }));
  const std::filesystem::path runs =
      config.ground.work_dir + "/agents/agent-1/frameworks/f/executors/slow/runs";
  const std::string id = std::filesystem::directory_iterator(runs)->path().filename();
  ASSERT_EQ(kill(getpid(), SIGTERM), 0);
  ASSERT_TRUE(run_until([this] { return done.load(); }));
  thread.join();
  // As if it had an image.
  const std::string note = config.images.directory + "/containers/" + id;
  std::ofstream(note) << std::string(64, 'a') << "\n";
  config.listen = master.info.address;
  config.seed = 2;
  done = false;
  start();
  EXPECT_TRUE(run_until([&] { return access(note.c_str(), F_OK) != 0; }));
  EXPECT_EQ(master.ended("slow"), nullptr);
  server.release("/x");
  EXPECT_TRUE(run_until([&] { return master.ended("slow"); }));
  EXPECT_EQ(master.ended("slow")->state, TaskState::kFinished) << master.ended("slow")->message;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_F(AgentShellTest, KillsATaskAndAllThatItStarted) {
  start();
  master.launch("stubborn", "trap '' TERM; sleep 1000 & sleep 1000; sleep 1000");
  ASSERT_TRUE(run_until([&] { return master.find("stubborn", TaskState::kRunning); }));
  master.say(KillTask{.framework_id = FrameworkId{"f"},
                      .task_id = TaskId{"stubborn"},
                      .kill_policy = KillPolicy{.grace_ns = 50ms}});
  ASSERT_TRUE(run_until([&] { return master.ended("stubborn"); }));
  EXPECT_EQ(master.ended("stubborn")->state, TaskState::kKilled);
}

TEST_F(AgentShellTest, ComesBackWithItsTasksAfterALostConnection) {
  start();
  master.launch("long", "sleep 1000");
  ASSERT_TRUE(run_until([&] { return master.find("long", TaskState::kRunning); }));
  master.transport->close(master.agent, "the test cuts the line");
  ASSERT_TRUE(run_until([&] { return master.registrations == 2; }));
  ASSERT_EQ(master.tasks.size(), 1u);
  EXPECT_EQ(master.tasks[0].id.value, "long");
  EXPECT_EQ(master.tasks[0].state, TaskState::kRunning);
}

TEST_F(AgentShellTest, LeavesAMasterThatSendsGarbageAndKeepsItsTasks) {
  start();
  master.launch("long", "sleep 1000");
  ASSERT_TRUE(run_until([&] { return master.find("long", TaskState::kRunning); }));
  const std::array<std::byte, 32> garbage{};
  master.transport->send(master.agent, Conversation::kAgent, garbage);
  ASSERT_TRUE(run_until([&] { return master.registrations == 2; }));
  EXPECT_EQ(master.ended("long"), nullptr);
}

TEST_F(AgentShellTest, EndsEverythingWhenTheMasterWantsNoMoreOfIt) {
  start();
  master.launch("long", "sleep 1000");
  ASSERT_TRUE(run_until([&] { return master.find("long", TaskState::kRunning); }));
  master.say(ShutdownAgent{.message = "marked gone"});
  ASSERT_TRUE(run_until([&] { return done.load(); }));
  thread.join();
  EXPECT_EQ(status, 1);
}

TEST_F(AgentShellTest, DoesNotStartOnAnAddressInUse) {
  config.listen = master.address;
  Log log({.level = Severity::kError, .colour = Colour::kNever});
  const auto shell = AgentShell::create(config, log);
  ASSERT_FALSE(shell.has_value());
  EXPECT_EQ(shell.error().message, master.address + " is in use by another process");
  EXPECT_NE(access(config.ground.work_dir.c_str(), F_OK), 0);
}

TEST_F(AgentShellTest, DoesNotStartWithAnIsolatorThatNobodyKnows) {
  config.ground.isolators = {"nonesuch"};
  Log log({.level = Severity::kError, .colour = Colour::kNever});
  const auto shell = AgentShell::create(config, log);
  ASSERT_FALSE(shell.has_value());
  EXPECT_TRUE(shell.error().message.starts_with("--isolation: 'nonesuch' is no isolator; expected"))
      << shell.error().message;
}

TEST_F(AgentShellTest, DoesNotStartWithResourcesItCannotRead) {
  config.ground.resources = "cpus:many";
  Log log({.level = Severity::kError, .colour = Colour::kNever});
  EXPECT_FALSE(AgentShell::create(config, log).has_value());
}

}  // namespace
}  // namespace tepui
