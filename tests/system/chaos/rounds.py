"""One round of chaos: a cluster, faults from a seed, peace, and then everything is checked."""

import dataclasses
import json
import os
import shutil
import signal
import threading
import time

import history
from faults import Driver, plan
from harness import Failure, cgroup_of, program, wait_until
from topology import Topology, launched

QUIET_SECONDS = 90  # after the last fault, until every framework has what it wants


@dataclasses.dataclass
class Result:
    """What a round was, and everything that was wrong."""
    seed: int
    seconds: float = 0
    faults: int = 0
    tasks: int = 0
    elections: int = 0
    inputs: int = 0  # records of journals that were run again
    wrong: list = dataclasses.field(default_factory=list)


class Counter(threading.Thread):
    """An operator that counts: sets the weight of a role to 1, 2, 3…, and remembers what the leader
    said was done. The writes of the registry that must not be lost."""

    def __init__(self, topology):
        super().__init__(daemon=True)
        self.topology = topology
        self.tried = self.done = 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.5):
            self.tried += 1
            done = self.topology.tepui("weights", "set", f"counter={self.tried}", "--timeout=3secs")
            if done.returncode == 0:
                self.done = self.tried

    def stop(self):
        self.ended.set()
        self.join()

    def check(self, value):
        if not self.done <= value <= self.tried:
            yield (f"the leader said that weight {self.done} is set, {self.tried} was tried last, "
                   f"and the registry has {value}")


def run_round(seed, seconds, folder, say):
    """`say(seconds, text)` hears what happens. The folder is left behind."""
    result = Result(seed)
    started = time.monotonic()

    def tell(text):
        say(time.monotonic() - started, text)

    topology = Topology(os.path.join(folder, f"seed-{seed}"))
    try:
        topology.start()
        tell(f"the cluster is up, {topology.leader().name} leads")
        counter = make_chaos(topology, seed, seconds, tell, result)
        end_in_peace(topology, counter, tell, result)
    except Failure as failure:
        result.wrong.append(str(failure))
        result.wrong += [f"{node.name} says: {node.tail()}" for node in topology.nodes]
    finally:
        result.wrong += deaths(topology)
        result.tasks = sum(len(launched(framework.history)) for framework in topology.frameworks)
        topology.close()
        result.seconds = time.monotonic() - started
    return result


def end_in_peace(topology, counter, tell, result):
    """Heals the cluster, ends it, and checks everything; what is wrong is in the result."""
    make_peace(topology, counter, tell, result)
    end_all(topology, tell, result)
    elections = [(int(event["epoch"]), master.name) for master in topology.masters
                 for event in master.events("master.elected")]
    result.elections = len(elections)
    result.wrong += history.check(history.read(
        topology.folder, [framework.name for framework in topology.frameworks], elections,
        disk_was_full="agent1" in topology.disks_filled))
    replay(topology, result)


def make_chaos(topology, seed, seconds, tell, result):
    driver = Driver(topology, tell)
    counter = Counter(topology)
    counter.start()
    groups = {"masters": topology.masters, "servers": topology.servers,
              "agents": topology.agents, "frameworks": topology.frameworks}
    try:
        driver.run(plan(seed, seconds, {kind: [node.name for node in nodes]
                                        for kind, nodes in groups.items()}, ["agent1", "zk3"]))
    finally:
        counter.stop()
        result.faults = driver.done
    return counter


def make_peace(topology, counter, tell, result):
    topology.heal()
    topology.wait_agents(seconds=QUIET_SECONDS)
    tell("all is healed, all agents are back")
    topology.phase("hold")
    topology.wait_quiet("hold", seconds=QUIET_SECONDS)
    tell("every framework runs new tasks")
    result.wrong += settled(lambda: books(topology))
    check = topology.tepui("registry", "check", topology.zk)
    if check.returncode != 0:
        result.wrong.append(f"the registry: {check.stdout} {check.stderr}")
    dump = topology.tepui("registry", "dump", topology.zk, "--json")
    entries = {row["key"]: row["value"] for row in json.loads(dump.stdout or "[]")}
    result.wrong += counter.check(int(entries.get("weights/counter", 0)))
    topology.phase("drain")
    topology.wait_quiet("drain", seconds=QUIET_SECONDS)
    result.wrong += settled(lambda: books(topology) + [
        f"{agent.name} still runs {topology.processes(agent)}" for agent in topology.agents
        if topology.processes(agent)])
    tell("every task has ended")


def settled(condition, seconds=15):
    """What is still wrong after that time, as tables follow what happens with some delay."""
    try:
        wait_until(lambda: not condition(), "", seconds)
    except Failure:
        return condition()
    return []


def books(topology):
    agents, frameworks, tasks = [topology.rows(table)
                                 for table in ("agents", "frameworks", "tasks")]
    if agents is None or frameworks is None or tasks is None:
        return ["no leader answers"]
    return history.check_books(agents, frameworks, tasks, {
        agent.name: set(topology.processes(agent)) - {""} for agent in topology.agents})


def end_all(topology, tell, result):
    """Everybody is told to end, and leaves nothing behind."""
    for framework in topology.frameworks:
        expect_end(framework, signal.SIGTERM, result)
    states = settled(lambda: [f"framework {row['name']} is {row['state']} after its teardown"
                              for row in topology.rows("frameworks") or [] if row["state"] !=
                              "completed"])
    result.wrong += states
    for agent in topology.agents:
        expect_end(agent, signal.SIGUSR1, result)
        if os.path.exists(cgroup_of(agent.cgroup) or "/nowhere"):
            result.wrong.append(f"the cgroup {agent.cgroup} is left behind")
    for master in topology.masters:
        expect_end(master, signal.SIGTERM, result)
    for server in topology.servers:
        server.kill()
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if pid not in (1, os.getpid()):
            result.wrong.append(f"process {pid} is left behind: {command_of(pid)}")
    tell("everybody has ended")


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "(gone)"


def expect_end(node, by, result):
    try:
        status = node.terminate(by=by)
    except Failure as failure:
        result.wrong.append(str(failure))
        return
    if status != 0:
        result.wrong.append(f"{node.name} ended with {status} after {by.name}: {node.tail()}")


def deaths(topology):
    """Processes that ended by themselves; with a full disk they may."""
    return [f"{node.name} ended by itself with {status}: {node.tail()}" for node in topology.nodes
            for status in node.deaths if node.name not in topology.disks_filled]


def replay(topology, result):
    """Every life of every master and agent, run again from its journal."""
    for node in topology.masters + topology.agents:
        folder = topology.path(f"journal-{node.name}")
        done = topology.tepui("replay", "--json", folder, seconds=300)
        try:
            lives = json.loads(done.stdout)
        except ValueError:
            result.wrong.append(f"the journals of {node.name}: {done.stdout} {done.stderr}")
            continue
        result.inputs += sum(life["records"] for life in lives)
        result.wrong += [f"the journal {life['journal']} of {node.name} gives other "
                         f"outputs: {life['difference']}" for life in lives if not life["same"]]


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
