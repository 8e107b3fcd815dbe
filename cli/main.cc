// tepui: the operator's command. The table of its commands, and nothing else.

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "cli/commands.h"
#include "cli/container_options.h"
#include "cli/operate.h"
#include "common/io/config.h"
#include "common/io/document.h"

namespace tepui::cli {
namespace {

Command list_command(std::string name, std::string help, std::vector<Option> options) {
  options.push_back({.name = "watch",
                     .kind = OptionKind::kFlag,
                     .help = "Print the rows, then every row that changes, until interrupted.",
                     .letter = "w"});
  return {.name = std::move(name),
          .help = std::move(help),
          .options = std::move(options),
          .positionals = {{.name = "ID", .help = "Only this one.", .need = OptionNeed::kOptional}}};
}

Option revocable_option() {
  return {.name = "revocable",
          .kind = OptionKind::kFlag,
          .fallback = "false",
          .help =
              "Take revocable resources where an offer has them: what others are guaranteed and "
              "do not use. They can be taken back at any time."};
}

Option constraint_option() {
  return {.name = "constraint",
          .kind = OptionKind::kTexts,
          .help =
              "Only agents with this attribute, hostname, region or zone: rack=r12, rack!=r12, "
              "hostname~node-.*, zone!~eu-.*, gpu-model (has it), !gpu-model; may be repeated, "
              "all must hold."};
}

Option framework_option() {
  return {.name = "framework", .help = "The framework's id, where several have such a task."};
}

std::vector<Command> reading_commands() {
  return {
      list_command("agents", "List agents: what they have, what is used, what they lack.", {}),
      list_command("frameworks", "List frameworks and what they hold.", {}),
      list_command("tasks", "List tasks, those that ended lately too.",
                   {{.name = "framework", .help = "Only those of this framework."},
                    {.name = "agent", .help = "Only those on this agent."}}),
      list_command("roles", "List roles: weight, dominant share, what they hold.", {}),
      list_command("offers", "List the offers that wait for an answer.", {}),
      {.name = "metrics",
       .help = "Print the master's metrics.",
       .options = {{.name = "prefix", .help = "Only keys that begin so: master/tasks_"}}},
      {.name = "logs",
       .help = "Print what a task wrote.",
       .options = {{.name = "follow",
                    .kind = OptionKind::kFlag,
                    .help = "Go on until the task ends.",
                    .letter = "f"},
                   {.name = "stderr",
                    .kind = OptionKind::kFlag,
                    .help = "Standard error instead of standard output."},
                   framework_option()},
       .positionals = {{.name = "TASK", .help = "The task's id."}},
       .examples = "  tepui logs -f batch-17\n"},
      {.name = "replay",
       .help = "Run a master again from its journal (tepui-master --journal), and prove that it "
               "does the same. Needs no cluster.",
       .options = {{.name = "until",
                    .kind = OptionKind::kInteger,
                    .help = "Stop after so many records.",
                    .minimum = 1},
                   {.name = "events",
                    .kind = OptionKind::kFlag,
                    .help = "Print what happened, as the log would at --log-level=debug."},
                   {.name = "inputs",
                    .kind = OptionKind::kFlag,
                    .help = "Print the records, one a line."}},
       .positionals = {{.name = "PATH", .help = "A journal, or a directory of journals."}},
       .examples = "  tepui replay /var/lib/tepui/journal\n"
                   "  tepui replay --events --until=1200 master-000003.journal\n"},
  };
}

std::vector<Command> running_commands() {
  std::vector<Command> commands = {
      {.name = "run",
       .help = "Run one command on the cluster, stream its output, end with its status.",
       .options = {{.name = "cpus",
                    .kind = OptionKind::kMilli,
                    .fallback = "1",
                    .help = "Processors for each instance.",
                    .minimum = 1},
                   {.name = "mem",
                    .fallback = "128MB",
                    .help = "Memory for each instance, also its limit if none is given."},
                   {.name = "cpus-limit",
                    .kind = OptionKind::kMilli,
                    .help = "At most so many processors, at least --cpus; no limit if not given.",
                    .minimum = 1},
                   {.name = "mem-limit",
                    .help = "At most so much memory, at least --mem; or unlimited."},
                   {.name = "resources",
                    .help = "What else each instance requests, as 'gpus:1;io_wbps:20'."},
                   {.name = "label",
                    .kind = OptionKind::kTexts,
                    .help = "KEY=VALUE, shown with the task; tepui.cpuset=numa asks for the "
                            "processors and memory of one NUMA node. May be repeated."},
                   {.name = "instances",
                    .kind = OptionKind::kInteger,
                    .fallback = "1",
                    .help = "How many to run; output lines are then prefixed.",
                    .minimum = 1,
                    .maximum = 10000},
                   {.name = "role", .fallback = "*", .help = "The role that is charged."},
                   constraint_option(),
                   revocable_option(),
                   {.name = "name", .fallback = "run", .help = "The task's id."},
                   {.name = "user", .help = "Run as this user of the agent's machine."},
                   {.name = "env",
                    .kind = OptionKind::kTexts,
                    .help = "NAME=VALUE in the command's environment; may be repeated."},
                   {.name = "uri",
                    .kind = OptionKind::kTexts,
                    .help = "Fetched into the sandbox first: a URL or a path of the agent's "
                            "machine, then perhaps ,extract=no ,executable ,cache ,output=NAME and "
                            ",checksum=sha256:DIGITS."},
                   {.name = "health-check",
                    .help = "http:PORT/PATH, tcp:PORT or command:TEXT; a task that fails it three "
                            "times in a row is killed."},
                   {.name = "health-check-options",
                    .help = "delay=15secs,interval=10secs,timeout=20secs,grace=10secs,failures=3 "
                            "or some of them."},
                   {.name = "max-completion-time",
                    .kind = OptionKind::kDuration,
                    .help = "A task that runs longer is killed and has failed."}},
       .rest = "COMMAND [ARGUMENT...]",
       .examples = "  tepui run --cpus=0.5 --mem=64MB -- sh -c 'echo $MESOS_SANDBOX; id'\n"
                   "  tepui run --instances=3 -- hostname\n"
                   "  tepui run --health-check=http:8080/ -- ./serve 8080\n"
                   "  tepui run --rootfs=/images/debian --tmpfs=/scratch:1GB -- ./crunch\n"
                   "  tepui run --uri=https://example.org/job.tgz,cache -- ./job/start\n"
                   "  tepui run --constraint=rack=r12 --constraint='!gpu-model' -- hostname\n"},
      {.name = "batch",
       .help = "Run the tasks of a file to their end, with progress and a summary.",
       .options = {{.name = "role", .help = "The role that is charged, instead of the file's."},
                   constraint_option(),
                   revocable_option(),
                   {.name = "output",
                    .help = "A folder that gets NAME.stdout and NAME.stderr of every task."}},
       .positionals = {{.name = "FILE", .help = "TOML, or JSON if its name ends in .json."}},
       .examples = "  A file:\n"
                   "    role = \"night\"\n"
                   "    cpus = 0.5\n"
                   "    mem = \"64MB\"\n"
                   "    [[task]]\n"
                   "    name = \"squeeze\"\n"
                   "    command = \"gzip -9 < /var/log/syslog | wc -c\"\n"
                   "    [[task]]\n"
                   "    command = [\"sha256sum\", \"/etc/passwd\"]\n"
                   "    instances = 10\n"},
      {.name = "kill",
       .help = "Kill a task in the operator's name.",
       .options = {{.name = "grace",
                    .kind = OptionKind::kDuration,
                    .help = "Time between SIGTERM and SIGKILL; a task's own is not lengthened."},
                   framework_option()},
       .positionals = {{.name = "TASK", .help = "The task's id."}}},
  };
  std::vector<Option>& options = commands.front().options;
  std::ranges::move(container_options(), std::back_inserter(options));
  return commands;
}

Positional verb(std::string help) { return {.name = "VERB", .help = std::move(help)}; }
Positional agent() {
  return {.name = "AGENT", .help = "Its id, or its hostname where only one agent has it."};
}

std::vector<Command> sharing_commands() {
  return {
      {.name = "quota",
       .help = "Show, set or remove what roles are guaranteed and may have at most.",
       .options = {{.name = "guarantee",
                    .help = "What the role can count on, cpus:4;mem:8GB. Held back from others "
                            "while it is not used."},
                   {.name = "limit",
                    .help = "What the role with all below it may have at most. What it does not "
                            "name is not limited; gpus:0 forbids."},
                   {.name = "file",
                    .help = "set: several roles at once, all or none; a TOML (or JSON) file with "
                            "a table for each, with guarantee and limit."},
                   {.name = "force",
                    .kind = OptionKind::kFlag,
                    .help = "Also guarantees above what agents have, and limits below what is "
                            "used; nothing that runs is taken back."}},
       .positionals = {verb("show, set or remove."),
                       {.name = "ROLE",
                        .help = "A role, as eng or eng/search; show without one: all with a quota.",
                        .need = OptionNeed::kOptional}},
       .examples = "  tepui quota set eng --guarantee='cpus:40;mem:160GB' --limit='cpus:80'\n"
                   "  tepui quota set --file=quotas.toml   # [eng] limit = \"cpus:80\"\n"
                   "  tepui quota show\n"
                   "  tepui quota remove eng\n"},
      {.name = "weights",
       .help = "Show or set the weights of roles. Twice the weight is twice the share.",
       .positionals = {verb("show or set."),
                       {.name = "ROLE=WEIGHT",
                        .help = "eng=2 ops=0.5; for show, a role.",
                        .need = OptionNeed::kOptional,
                        .repeats = true}},
       .examples = "  tepui weights set eng=2 ops=0.5\n"},
      {.name = "why",
       .help = "Why does a framework get no offers? Agents counted by cause, and what would "
               "change it.",
       .positionals = {{.name = "FRAMEWORK", .help = "Its id."},
                       {.name = "ROLE",
                        .help = "Only in this role.",
                        .need = OptionNeed::kOptional}},
       .examples = "  tepui why 7f3a9c12-e1-f3 eng\n"},
      {.name = "teardown",
       .help = "End a framework and all its tasks. Its id can never be used again.",
       .positionals = {{.name = "FRAMEWORK", .help = "Its id."}}},
  };
}

std::vector<Command> machine_commands() {
  return {
      {.name = "maintenance",
       .help = "Show or replace the maintenance schedule; take machines down and up again.",
       .positionals = {verb("show, schedule, start or stop."),
                       {.name = "WHAT",
                        .help = "schedule: a FILE, TOML or JSON. start, stop: HOST...",
                        .need = OptionNeed::kOptional,
                        .repeats = true}},
       .examples = "  A schedule, which replaces the one before:\n"
                   "    [[window]]\n"
                   "    hosts = [\"node1\", \"node2\"]\n"
                   "    start = \"2026-12-01T08:00:00Z\"   # or \"in 2hrs\"\n"
                   "    duration = \"90mins\"              # without: for good\n"
                   "    drain = true                     # drain when it begins\n"
                   "  tepui maintenance schedule tuesday.toml\n"
                   "  tepui maintenance start node1      # its agents are removed\n"
                   "  tepui maintenance stop node1       # they may come back\n"},
      {.name = "drain",
       .help = "Offer an agent no more, and kill its tasks; then it is drained.",
       .options = {{.name = "grace",
                    .kind = OptionKind::kDuration,
                    .help = "The most time any task has between SIGTERM and SIGKILL."},
                   {.name = "mark-gone",
                    .kind = OptionKind::kFlag,
                    .help = "Once it is drained, it is gone for good."},
                   {.name = "wait",
                    .kind = OptionKind::kFlag,
                    .help = "End only when it is drained."}},
       .positionals = {agent()},
       .examples = "  tepui drain node1 --grace=30secs --wait && tepui reactivate node1\n"},
      {.name = "deactivate",
       .help = "Offer an agent no more; what it runs goes on.",
       .positionals = {agent()}},
      {.name = "reactivate",
       .help = "Offer an agent again that was deactivated or drained.",
       .positionals = {agent()}},
      {.name = "gone",
       .help = "Declare an agent gone for good: its tasks are lost, its id never comes back.",
       .positionals = {agent()}},
  };
}

std::vector<Command> resource_commands() {
  const Option role = {.name = "role",
                       .help = "The role of the reservation: eng, eng/search.",
                       .need = OptionNeed::kRequired};
  const Positional resources = {
      .name = "RESOURCES",
      .help = "cpus:2;mem:4GB, or a JSON array in Mesos' form, or /PATH of a file with either."};
  const Option disk = {.name = "disk",
                       .help =
                           "The root of a PATH or MOUNT disk that is meant; the agent's own "
                           "disk if it is not given."};
  return {
      {.name = "reserve",
       .help = "Reserve resources of an agent for a role. Offers in the way are rescinded.",
       .options = {role,
                   disk,
                   {.name = "refine",
                    .help = "Take what is reserved to this role, which is above --role, and "
                            "reserve it to --role on top of that."},
                   {.name = "label",
                    .kind = OptionKind::kTexts,
                    .help = "KEY=VALUE, kept with the reservation; may be repeated. Reservations "
                            "with other labels are not mixed with it."}},
       .positionals = {agent(), resources},
       .examples =
           "  tepui reserve node1 'cpus:2;mem:4GB' --role=eng\n"
           "  tepui reserve node1 cpus:1 --role=eng/search --refine=eng\n"
           "  tepui reserve node1 cpus:1 --role=eng --label=ticket=4711\n"
           "  tepui reserve node1 disk:500GB --role=eng --disk=/mnt/ssd1\n"
           "A mounted disk goes only as a whole. Agents that are drained or deactivated can\n"
           "be prepared too. Static reservations are the agent's configuration.\n"},
      {.name = "unreserve",
       .help = "Undo a reservation to a role, whoever made it. Volumes on it are destroyed first.",
       .options = {role, disk},
       .positionals = {agent(), resources},
       .examples = "  tepui unreserve node1 'cpus:2' --role=eng\n"},
      {.name = "volume",
       .help = "Create, destroy, grow or shrink a persistent volume on reserved disk.",
       .options = {{.name = "role",
                    .help = "create: the role that the disk is reserved to; else only where two "
                            "roles have a volume of that name."},
                   {.name = "size", .help = "create: its size; grow, shrink: by how much. 10GB"},
                   {.name = "path", .help = "create: where tasks see it, below their sandbox."},
                   {.name = "shared",
                    .kind = OptionKind::kFlag,
                    .help = "create: several tasks may use it at once."},
                   {.name = "disk",
                    .help = "create: the root of the PATH or MOUNT disk that it is to be on."}},
       .positionals = {verb("create, destroy, grow or shrink."),
                       agent(),
                       {.name = "ID", .help = "The volume's id."}},
       .examples =
           "  tepui reserve node1 disk:10GB --role=eng\n"
           "  tepui volume create node1 data --role=eng --size=4GB --path=data\n"
           "  tepui volume grow node1 data --size=2GB    # takes in reserved disk beside it\n"
           "  tepui volume shrink node1 data --size=1GB  # gives it back, still reserved\n"
           "  tepui volume destroy node1 data            # with all that is in it\n"
           "Nothing that a task uses is changed. Shared volumes and those on mounted disks\n"
           "keep their size.\n"},
  };
}

std::vector<Command> registry_commands() {
  return {
      {.name = "registry",
       .help = "Look at a registry, or carry it to another place, without a master.",
       .options = {{.name = "force",
                    .kind = OptionKind::kFlag,
                    .help = "import: also over a registry that says something."}},
       .positionals = {{.name = "VERB",
                        .help = "dump prints every entry, check finds what is damaged and names "
                                "it, export writes all of it to a FILE, import reads that."},
                       {.name = "REGISTRY",
                        .help = "file:DIRECTORY, or zk://[USER:PASSWORD@]HOST:PORT,.../PATH"},
                       {.name = "FILE",
                        .help = "export, import: the file.",
                        .need = OptionNeed::kOptional}},
       .examples = "  tepui registry check file:/var/lib/tepui/registry\n"
                   "  tepui registry export file:/var/lib/tepui/registry registry.out\n"
                   "  tepui registry import zk://10.0.0.1,10.0.0.2,10.0.0.3/tepui registry.out\n"},
  };
}

Program program() {
  std::vector<Command> commands = running_commands();
  for (Command& command : reading_commands()) commands.push_back(std::move(command));
  for (Command& command : usage_commands()) commands.push_back(std::move(command));
  for (Command& command : sharing_commands()) commands.push_back(std::move(command));
  for (Command& command : machine_commands()) commands.push_back(std::move(command));
  for (Command& command : resource_commands()) commands.push_back(std::move(command));
  for (Command& command : registry_commands()) commands.push_back(std::move(command));
  return {.name = "tepui",
          .description =
              "Runs commands on a Tepui cluster, and shows what it does.\n\n"
              "Exit status: 0 done; 1 a task of a batch did not finish, or a registry is damaged; "
              "2 bad usage; 3 not "
              "found; 4 the master does not answer; 5 the master refuses, and says why. `run` ends "
              "with the status of its "
              "command, 128 and the signal's number where a signal ended it, 125 where it "
              "never ran.",
          .examples =
              "  tepui run -- echo hello\n"
              "  tepui tasks --json\n"
              "  TEPUI_MASTER=10.0.0.1:5050 tepui roles\n",
          .options = {{.name = "master",
                       .fallback = "127.0.0.1:5050",
                       .help = "Where the master listens; or where to ask which one leads, as "
                               "zk://HOST:PORT,.../PATH. A master that does not lead passes "
                               "reads on to the one that does."},
                      {.name = "json",
                       .kind = OptionKind::kFlag,
                       .help = "JSON instead of tables, for scripts."},
                      {.name = "principal", .help = "Who asks, for the master's books."},
                      {.name = "timeout",
                       .kind = OptionKind::kDuration,
                       .fallback = "10secs",
                       .help = "How long to wait for an answer."}},
          .commands = std::move(commands)};
}

Outcome<int> dispatch(const Settings& settings) {
  const std::string& command = settings.command();
  if (command == "run") return run(settings);
  if (command == "batch") return batch(settings);
  if (command == "kill") return kill(settings);
  if (command == "logs") return logs(settings);
  if (command == "registry") return registry(settings);
  if (command == "top") return top(settings);
  if (command == "stats") return stats(settings);
  if (command == "recording") return recording(settings);
  if (command == "qos") return qos(settings);
  if (command == "quota") return quota(settings);
  if (command == "weights") return weights(settings);
  if (command == "why") return why(settings);
  if (command == "replay") return replay(settings);
  if (command == "teardown") return teardown(settings);
  if (command == "reserve") return reserve(settings, OperateResources::Type::kReserve);
  if (command == "unreserve") return reserve(settings, OperateResources::Type::kUnreserve);
  if (command == "volume") return volume(settings);
  if (command == "maintenance") return maintenance(settings);
  using Action = OperateAgent::Action;
  if (command == "drain") return operate_agent(settings, Action::kDrain);
  if (command == "deactivate") return operate_agent(settings, Action::kDeactivate);
  if (command == "reactivate") return operate_agent(settings, Action::kReactivate);
  if (command == "gone") return operate_agent(settings, Action::kGone);
  if (command == "agents") return list(settings, Table::kAgents);
  if (command == "frameworks") return list(settings, Table::kFrameworks);
  if (command == "tasks") return list(settings, Table::kTasks);
  if (command == "roles") return list(settings, Table::kRoles);
  if (command == "offers") return list(settings, Table::kOffers);
  return list(settings, Table::kMetrics);
}

// Commands that have nothing to show but that they are done.
bool is_silent(const Settings& settings) {
  const std::string& command = settings.command();
  constexpr const char* kWithVerb[] = {"quota", "weights", "maintenance", "volume"};
  if (std::ranges::find(kWithVerb, command) != std::end(kWithVerb)) {
    return first(settings.positional("VERB")) != "show";
  }
  constexpr const char* kSilent[] = {"kill",  "teardown",   "reserve",    "unreserve",
                                     "drain", "deactivate", "reactivate", "gone"};
  return std::ranges::find(kSilent, command) != std::end(kSilent);
}

// Of those, what they did is told by the command itself.
bool tells_what_it_did(const Settings& settings) {
  constexpr const char* kTelling[] = {"reserve", "unreserve", "volume"};
  return std::ranges::find(kTelling, settings.command()) != std::end(kTelling);
}

void print_json(Document::Table answer) {
  std::printf("%s\n", to_json(Document(std::move(answer)), -1).c_str());
}

int main(int argc, char** argv) {
  const auto settings = configure(program(), argc, argv);
  if (!settings) return print(settings.error());
  const Outcome<int> status = dispatch(*settings);
  const bool answers_in_json = is_silent(*settings) && settings->flag("json");
  if (status) {
    if (answers_in_json && !tells_what_it_did(*settings)) print_json({{"done", true}});
    return *status;
  }
  if (answers_in_json) print_json({{"done", false}, {"error", status.error().message}});
  std::fprintf(stderr, "tepui: %s\n", status.error().message.c_str());
  return status.error().status;
}

}  // namespace
}  // namespace tepui::cli

int main(int argc, char** argv) { return tepui::cli::main(argc, argv); }
