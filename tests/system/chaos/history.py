"""What frameworks were told, what tasks did, and what the cluster says at the end: does it agree?

A History is plain data: tests make bad ones. check() gives one sentence for everything that must
not be so. The order of lines in a file is the order of what happened to one framework; between
files the boot time of each line tells.

The rules follow from what status updates and reconciliation promise. LOST, UNREACHABLE and UNKNOWN
say what is known, and may be followed by anything; every other end is final."""

import collections
import dataclasses
import os

from topology import read_lines

FINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_DROPPED", "TASK_GONE",
         "TASK_GONE_BY_OPERATOR"}
TRUE_ENDS = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED"}  # of a task that ran
NEVER_RAN = {"TASK_ERROR", "TASK_DROPPED"}
CLOSED = FINAL | {"TASK_LOST", "TASK_UNKNOWN"}
# /proc/uptime, which tasks read, is cut to hundredths of a second.
CLOCK_SECONDS = 0.02


@dataclasses.dataclass
class History:
    """`frameworks` are the entries of each by name; `tasks` what tasks wrote, as dictionaries with
    what (started, ended), task, pid, at and status."""
    frameworks: dict
    tasks: list
    elections: list = dataclasses.field(default_factory=list)  # (epoch, master)
    disk_was_full: bool = False  # tasks may fail to start


def read(folder, names, elections=(), disk_was_full=False):
    return History({name: read_lines(os.path.join(folder, name + ".history")) for name in names},
                   read_tasks(os.path.join(folder, "tasks.log")), list(elections), disk_was_full)


def read_tasks(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return [{"what": row[0], "task": row[1], "pid": int(row[2]), "at": float(row[3]),
             "status": int(row[4]) if len(row) > 4 else None} for row in rows]


class Fate:
    """All that is known of one task."""

    def __init__(self, task):
        self.task = task
        self.launches, self.kills, self.statuses = [], [], []  # entries of frameworks
        self.started, self.ended = [], []  # lines of the task itself
        self.frameworks = set()  # that launched it

    @property
    def last(self):
        return self.statuses[-1]["state"] if self.statuses else None

    def final(self):
        """The first final status, or None."""
        return next((s for s in self.statuses if s["state"] in FINAL), None)


def fates(history):
    found = {}

    def of(task):
        return found.setdefault(task, Fate(task))

    for name, entries in history.frameworks.items():
        for entry in entries:
            kind = entry["event"]
            if kind == "launch":
                of(entry["task"]).launches.append(entry)
                of(entry["task"]).frameworks.add(name)
            elif kind == "kill":
                of(entry["task"]).kills.append(entry)
            elif kind == "status":
                of(entry["task"]).statuses.append({**entry, "framework": name})
    for line in history.tasks:
        fate = of(line["task"])
        (fate.started if line["what"] == "started" else fate.ended).append(line)
    return found


# ---- rules about one task; each yields sentences

def launched_at_most_once(fate, _):
    if len(fate.launches) > 1:
        yield f"was launched {len(fate.launches)} times by its framework"
    if len(fate.started) > 1:
        yield f"started {len(fate.started)} times, as processes {[s['pid'] for s in fate.started]}"


def nothing_is_invented(fate, _):
    if not fate.launches:
        if fate.started:
            yield "started and nobody launched it"
        if fate.statuses:
            yield f"is {fate.last} and nobody launched it"
        return
    for status in fate.statuses:
        if status["framework"] not in fate.frameworks:
            yield f"is another framework's, and {status['framework']} was told of it"
        elif status["at"] < fate.launches[0]["at"]:
            yield f"was {status['state']} before it was launched"


def ends_are_true(fate, history):
    for status in fate.statuses:
        state, exit_status = status["state"], status.get("exit")
        own = [e["status"] for e in fate.ended if e["at"] <= status["at"] + CLOCK_SECONDS]
        if state == "TASK_FINISHED" and own != [0]:
            yield f"was told to be finished, and had ended with {own}"
        if state == "TASK_FAILED":
            # An answer to reconciliation may not say with which status.
            if exit_status is not None:
                is_true = own == [exit_status]
            else:
                is_true = not fate.started or own not in ([], [0])
            if not is_true:
                yield f"was told to have failed with {exit_status}, and had ended with {own}"
            if not fate.started and not history.disk_was_full:
                yield f"failed before it started: {status.get('message')}"
        if state == "TASK_KILLED" and not any(k["at"] <= status["at"] for k in fate.kills):
            yield "was told to be killed, and nobody had asked for it"
        if state in NEVER_RAN and fate.started:
            yield f"was told to be {state}, and ran"


def final_is_final(fate, _):
    final = fate.final()
    if final is None:
        return
    after = fate.statuses[fate.statuses.index(final) + 1:]
    for status in after:
        if status["state"] != final["state"]:
            yield f"was {final['state']} and then {status['state']} ({status.get('message')})"
            return


def nothing_happens_after_the_end(fate, _):
    final = fate.final()
    if final is None:
        return
    for line in fate.started + fate.ended:
        if line["at"] > final["at"] + CLOCK_SECONDS:
            yield (f"was told to be {final['state']} at {final['at']:.2f}, and "
                   f"{line['what']} at {line['at']:.2f}")


def every_end_is_delivered(fate, _):
    if not fate.launches:
        return
    if fate.last not in CLOSED:
        yield f"was last heard of as {fate.last}"
    elif fate.started and fate.last not in TRUE_ENDS:
        yield f"ran, nobody took its machine away, and its end is {fate.last}"


def updates_come_in_order(fate, _):
    """An update is repeated only until the next one of its task is sent."""
    order = []
    for status in fate.statuses:
        uuid = status.get("uuid")
        if not uuid:
            continue
        if uuid in order[:-1]:
            yield f"was told {status['state']} ({uuid}) again after a later update"
        elif uuid not in order:
            order.append(uuid)


TASK_RULES = [launched_at_most_once, nothing_is_invented, ends_are_true, final_is_final,
              nothing_happens_after_the_end, every_end_is_delivered, updates_come_in_order]


# ---- rules about the rest

def frameworks_keep_who_they_are(history):
    for name, entries in history.frameworks.items():
        ids = {entry["framework"] for entry in entries if entry["event"] == "subscribed"}
        if len(ids) > 1:
            yield f"framework {name} had several identities: {sorted(ids)}"
        for entry in entries:
            if entry["event"] == "error":
                yield f"framework {name} was ended by a master: {entry['message']}"


def epochs_go_up(history):
    for name, entries in history.frameworks.items():
        epochs = [entry["epoch"] for entry in entries if entry["event"] == "subscribed"]
        # A new life knows nothing of the epochs before it.
        for before, after in zip(epochs, epochs[1:]):
            if after < before:
                yield f"framework {name} went from epoch {before} back to {after}"
    for epoch, count in collections.Counter(epoch for epoch, _ in history.elections).items():
        if count > 1:
            masters = [master for number, master in history.elections if number == epoch]
            yield f"epoch {epoch} had several leaders: {masters}"


def check(history):
    """Everything that must not be so."""
    found = []
    for task, fate in sorted(fates(history).items()):
        for rule in TASK_RULES:
            found += [f"task {task} {sentence}" for sentence in rule(fate, history)]
    return found + list(frameworks_keep_who_they_are(history)) + list(epochs_go_up(history))


# ---- the books, at a moment in which nothing changes

def amounts(resources):
    """Scalars in thousandths."""
    return {name: round(value * 1000) for name, value in resources.items()
            if isinstance(value, (int, float)) and value}


def total(rows):
    together = collections.Counter()
    for row in rows:
        together.update(amounts(row["resources"]))
    return dict(together)


def check_books(agents, frameworks, tasks, processes):
    """`agents`, `frameworks` and `tasks` are the leader's rows, `processes` the ids of the tasks
    that have processes, by hostname of the agent. Everything that does not agree."""
    found = []
    live = [row for row in tasks if row["state"] not in CLOSED]
    hosts = {row["id"]: row["hostname"] for row in agents}
    for row in live:
        if row["agent_id"] not in hosts:
            found.append(f"task {row['id']} is on agent {row['agent_id']}, which is not there")
        if row["state"] != "TASK_RUNNING":
            found.append(f"task {row['id']} is {row['state']} in the books")
    for agent in agents:
        host = agent["hostname"]
        mine = [row for row in live if row["agent_id"] == agent["id"]]
        if agent["state"] != "active":
            found.append(f"{host} is {agent['state']}")
        if amounts(agent["allocated"]) != total(mine):
            found.append(f"{host} has {amounts(agent['allocated'])} allocated, and its tasks "
                         f"{total(mine)}")
        if agent["tasks"] != len(mine):
            found.append(f"{host} counts {agent['tasks']} tasks, and has {len(mine)}")
        ids = {row["id"] for row in mine}
        if set(processes.get(host, ())) != ids:
            found.append(f"{host} runs {sorted(processes.get(host, ()))}, and in the books "
                         f"{sorted(ids)}")
    for framework in frameworks:
        mine = [row for row in live if row["framework_id"] == framework["id"]]
        if amounts(framework["allocated"]) != total(mine):
            found.append(f"framework {framework['name']} has {amounts(framework['allocated'])} "
                         f"allocated, and its tasks {total(mine)}")
    return found
