"""Faults at random, all of them drawn from a seed before the first one happens.

A plan is a list of Faults by time. The same seed, length and node names give the same plan; what
a fault meets (which master leads, how far a task is) is up to the cluster.

ZooKeeper's servers are hurt as hard as all others, but not again while they are still bringing each
other up to date, and not cut one way from each other: Debian's 3.8.0 then loses what it has
acknowledged (ZOOKEEPER-4643, ZOOKEEPER-4646), and no master can do anything about that."""

import dataclasses
import random
import time

from topology import SESSION_SECONDS, empty_disk, fill_disk, serves

REST_SECONDS = 2.0  # of the ensemble, between two of its faults
LEADER = "leader"  # whoever it is when the fault begins


@dataclasses.dataclass(frozen=True)
class Fault:
    at: float  # seconds from the start of the plan
    kind: str
    targets: tuple  # names of nodes; of a cut, one side of it
    seconds: float  # until it is undone
    others: tuple = ()  # of a cut: the other side

    def text(self):
        beside = f" from {','.join(self.others)}" if self.others else ""
        return f"{self.kind} {','.join(self.targets)}{beside} for {self.seconds:.1f} s"


# (kind, weight)
KINDS = [("kill", 30), ("stop", 20), ("expire", 8), ("cut", 14), ("cut_one_way", 14),
         ("full_disk", 6), ("kill_many", 8)]


def plan(seed, seconds, groups, disks):
    """`groups`: names of nodes by kind (masters, servers, agents, frameworks); `disks`: names of
    nodes with a small disk."""
    chance = random.Random(seed)
    everybody = [name for group in groups.values() for name in group]
    faults, free_at = [], {}
    at = 1.0
    while at < seconds:
        kind = chance.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
        # Many short ones, few long ones.
        length = round(min(8.0, 0.2 + chance.expovariate(1 / 2.0)), 1)
        others = ()
        if kind in ("kill", "stop"):
            group = chance.choice(list(groups.values()))
            targets = (chance.choice([LEADER, *group] if group is groups["masters"] else group),)
        elif kind == "expire":
            kind, targets = "stop", (LEADER,)
            length = round(SESSION_SECONDS * chance.uniform(1.2, 3), 1)
        elif kind == "kill_many":
            kind = "kill"
            group = chance.choice(list(groups.values()))
            targets = tuple(sorted(chance.sample(group, chance.randint(2, len(group)))))
        elif kind == "full_disk":
            targets = (chance.choice(disks),)
            length += 2.0  # until somebody notices
        else:
            side = chance.sample(everybody, chance.choice([1, 1, 1, 2, 3, len(everybody) // 2]))
            targets = tuple(sorted(side))
            rest = [name for name in everybody if name not in side]
            if chance.random() < 0.3:  # not from all the others, but some
                rest = chance.sample(rest, chance.randint(1, len(rest)))
            others = tuple(sorted(rest))
        # One fault at a time of what belongs to a process; cuts can lie over all.
        if others or all(free_at.get(name, 0) <= at for name in targets):
            faults.append(Fault(round(at, 1), kind, targets, length, others))
            if not others:
                free_at.update({name: at + length + 0.5 for name in targets})
        at += chance.expovariate(1 / 0.9)
    return faults


class Driver:
    """Carries out a plan on a topology, and tells what it does."""

    def __init__(self, topology, tell):
        self.topology = topology
        self.tell = tell
        self.busy = set()  # names of nodes with a fault of their process
        self.done = 0
        self.servers = {server.name for server in topology.servers}
        self.ensemble_faults = 0  # that are on now
        self.ensemble_hurt_at = -REST_SECONDS  # when one of them began or ended last

    def run(self, faults):
        started = time.monotonic()
        waiting = sorted(faults, key=lambda fault: fault.at)
        ends = []  # (when, undo)
        while waiting or ends:
            ends.sort(key=lambda end: end[0])
            begins = not ends or (waiting and waiting[0].at <= ends[0][0])
            due = waiting[0].at if begins else ends[0][0]
            time.sleep(max(0.0, started + due - time.monotonic()))  # the plan's own pace
            if not begins:
                ends.pop(0)[1]()
                continue
            fault = waiting.pop(0)
            undo = self._begin(fault) if self._permitted(fault) else None
            self.tell(fault.text() + ("" if undo else ": not possible now"))
            if undo:
                self.done += 1
                ends.append((due + fault.seconds, self._counted(fault, undo)))

    def _hurts_ensemble(self, fault):
        if fault.others:  # whether it comes between servers
            return bool(self.servers & set(fault.targets)) and bool(
                self.servers & set(fault.others))
        return bool(self.servers & set(fault.targets))

    def _permitted(self, fault):
        if not self._hurts_ensemble(fault):
            return True
        rests = (self.ensemble_faults == 0 and
                 time.monotonic() - self.ensemble_hurt_at >= REST_SECONDS)
        return rests and all(serves(server) for server in self.topology.servers)

    def _counted(self, fault, undo):
        """The same, with what _permitted() must know."""
        if not self._hurts_ensemble(fault):
            return undo
        self.ensemble_faults += 1

        def counted():
            undo()
            self.ensemble_faults -= 1
            self.ensemble_hurt_at = time.monotonic()

        return counted

    def _begin(self, fault):
        """Does it; what undoes it, or None if it cannot be done."""
        if fault.others:
            return self._cut(fault)
        names = []
        for name in fault.targets:
            if name == LEADER:
                leader = self.topology.leader()
                name = leader.name if leader else None
            if name is None or name in self.busy:
                return None
            names.append(name)
        nodes = [self.topology.node(name) for name in names]
        self.busy.update(names)
        if fault.kind == "full_disk":
            return self._full_disk(nodes[0])
        for node in nodes:
            if fault.kind == "kill":
                node.kill()
            else:
                node.stop()

        def undo():
            for node in nodes:
                node.go_on()
                node.start()
            self.busy.difference_update(names)

        return undo

    def _cut(self, fault):
        network = self.topology.network
        ways = [(fault.targets, fault.others)]
        if fault.kind == "cut":
            ways.append((fault.others, fault.targets))
        else:  # between servers, both ways
            ways.append((self.servers & set(fault.others), self.servers & set(fault.targets)))
        for sources, targets in ways:
            network.cut(sources, targets)
        return lambda: [network.mend(sources, targets) for sources, targets in ways]

    def _full_disk(self, node):
        folder = self.topology.path(node.name)
        self.topology.disks_filled.add(node.name)
        fill_disk(folder)

        def undo():
            empty_disk(folder)
            node.start()  # if it could not live with it
            self.busy.discard(node.name)

        return undo
