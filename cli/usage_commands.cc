// How top, stats, recording and qos are called.

#include "cli/commands.h"

namespace tepui::cli {

std::vector<Command> usage_commands() {
  return {
      {.name = "top",
       .help = "What containers use: a live table, or one print. Keys sort and filter it; q ends.",
       .options = {{.name = "sort",
                    .fallback = "cpu",
                    .help =
                        "By cpu, throttled, runqueue (how long its tasks wait for a processor), "
                        "mem, pressure, io, net or name."},
                   {.name = "framework", .help = "Only those of this framework, by id or name."},
                   {.name = "role", .help = "Only those of this role, and of roles below it."},
                   {.name = "agent", .help = "Only those on this agent, by id or hostname."},
                   {.name = "interval",
                    .kind = OptionKind::kDuration,
                    .fallback = "2secs",
                    .help =
                        "Between two looks. Agents measure every second, if not told otherwise."},
                   {.name = "once",
                    .kind = OptionKind::kFlag,
                    .help = "Print one table and end; --json does that too."}},
       .positionals = {{.name = "TEXT",
                        .help = "Only those with this text in a name.",
                        .need = OptionNeed::kOptional}},
       .examples = "  tepui top\n"
                   "  tepui top --once --sort=mem --role=eng\n"
                   "  tepui top --json batch-17\n"},
      {.name = "stats",
       .help = "What one task uses now and used lately, in full.",
       .options = {{.name = "framework", .help = "The framework's id, where several have it."}},
       .positionals = {{.name = "TASK", .help = "The task's id."}},
       .examples = "  tepui stats batch-17\n"},
      {.name = "recording",
       .help = "Look at what an agent recorded (tepui-agent --record). Needs no cluster.",
       .options = {{.name = "task", .help = "Only containers of this task."}},
       .positionals = {{.name = "VERB", .help = "show lists its segments, containers and damage."},
                       {.name = "PATH", .help = "The directory, or one segment of it."}},
       .examples = "  tepui recording show /var/lib/tepui/recording --task=batch-17\n"},
      {.name = "qos",
       .help = "What agents lend of what is unused, whether those that paid suffer, and what is "
               "held against revocable work for that.",
       .options = {{.name = "agent", .help = "Only this agent, by id or hostname."},
                   {.name = "last",
                    .kind = OptionKind::kInteger,
                    .fallback = "50",
                    .help = "How many decisions log prints; of each agent at most the last 256.",
                    .minimum = 1,
                    .maximum = 100'000},
                   {.name = "candidate",
                    .help = "replay: a file of settings, as tepui-agent takes it by --qos."},
                   {.name = "live", .help = "replay: another one, to compare with."},
                   {.name = "horizon",
                    .kind = OptionKind::kDuration,
                    .fallback = "1hrs",
                    .help = "replay: how long what an estimate leaves has to be enough."}},
       .positionals = {{.name = "VERB",
                        .help = "show lists agents, and with --agent prints its settings; log "
                                "lists what was decided; explain says why a task is corrected; "
                                "replay tries settings on a recording and needs no cluster."},
                       {.name = "WHAT",
                        .help = "explain, log: a task's id. replay: the recording.",
                        .need = OptionNeed::kOptional}},
       .examples = "  tepui qos show\n"
                   "  tepui qos log --agent=node7 --last=20\n"
                   "  tepui qos explain batch-17\n"
                   "  tepui qos replay /var/lib/tepui/recording --candidate=new.toml "
                   "--live=qos.toml\n"},
  };
}

}  // namespace tepui::cli
