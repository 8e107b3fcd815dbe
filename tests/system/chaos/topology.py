"""The cluster that is hurt: three masters, three ZooKeeper servers, agents and frameworks, each on
a node of its own in a Network, with logs, histories and journals in one folder."""

import json
import os
import signal
import socket
import subprocess

from harness import BUILD, Failure, cgroup_of, program, remove_cgroups, wait_until
from harness_zookeeper import JAVA
from namespaces import Network

SESSION_SECONDS = 2.0  # of masters with ZooKeeper
MASTER_FLAGS = (
    "--zk-session-timeout=2secs", "--agent-ping-timeout=500ms", "--max-agent-ping-timeouts=4",
    "--agent-reregister-timeout=20secs", "--heartbeat-interval=500ms", "--journal-bytes=256MB",
    "--log-format=json")
AGENT_FLAGS = (
    "--resources=cpus:2;mem:1GB;disk:8MB;ports:[31000-31010]", "--registration-backoff-factor=200ms",
    "--journal-bytes=64MB", "--log-format=json")
DISK = "16m"  # of the agent and of the ZooKeeper server whose disk is small
ZK_CONFIG = """\
dataDir={folder}
clientPort=2181
clientPortAddress={address}
tickTime=200
initLimit=20
syncLimit=10
minSessionTimeout=400
maxSessionTimeout=60000
preAllocSize=64
snapCount=5000
autopurge.snapRetainCount=3
4lw.commands.whitelist=*
"""


class Node:
    """A process on a node of its own. It can be killed, stopped, and started again as the same."""

    def __init__(self, name, address, inside, arguments, log):
        self.name = name
        self.address = address
        self.log = log
        self.arguments = arguments
        self.process = None
        self.stopped = False
        self.deaths = []  # exit statuses that nobody asked for
        self._inside = inside
        self._wanted = False

    def start(self):
        self._note_death()
        if self.running():
            return
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self._inside + self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self._wanted = True
        self.stopped = False

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self._note_death()
        self._wanted = False
        if self.running():
            self.process.kill()
            self.process.wait()
        self.stopped = False

    def stop(self):
        if self.running():
            self.process.send_signal(signal.SIGSTOP)
            self.stopped = True

    def go_on(self):
        if self.stopped and self.running():
            self.process.send_signal(signal.SIGCONT)
        self.stopped = False

    def terminate(self, by=signal.SIGTERM, seconds=20):
        """Its exit status; None if it did not run."""
        self._note_death()
        self._wanted = False
        if not self.running():
            return None
        self.process.send_signal(by)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.name} did not end within {seconds} s of {by.name}") from None

    def _note_death(self):
        """A process that ended by itself is remembered; once."""
        if self._wanted and not self.running():
            self._wanted = False
            self.deaths.append(self.process.returncode)

    def events(self, *names):
        """Its log's entries with one of these names, from all its lives."""
        found = []
        if not os.path.exists(self.log):
            return found
        with open(self.log, encoding="utf-8", errors="replace") as log:
            for line in log:
                if any(f'"{name}"' in line for name in names):
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue
                    if entry.get("event") in names:
                        found.append(entry)
        return found

    def tail(self):
        if not os.path.exists(self.log):
            return "(no log)"
        with open(self.log, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log) - 1500))
            lines = log.read().decode(errors="replace").splitlines()
        return "".join(f"\n    {line[:240]}" for line in lines[-4:])


class Topology:
    """Everything; ended by close(), also when only half of it began."""

    def __init__(self, folder, agents=5, frameworks=3):
        self.folder = folder
        self.cgroup_prefix = folder.strip("/").replace("/", "-").removeprefix("tmp-")
        self.network = Network()
        self.mounts = []
        # Names of nodes whose disk was full: their processes may have ended.
        self.disks_filled = set()
        self.servers, self.masters, self.agents, self.frameworks = [], [], [], []
        os.makedirs(folder)
        self.phase("run")
        addresses = [self.network.add(f"zk{i + 1}") for i in range(3)]
        self.zk = f"zk://{','.join(addresses)}/tepui"
        for i, address in enumerate(addresses):
            self._add_server(i + 1, address, addresses)
        for i in range(3):
            self._add_master(f"master{i + 1}")
        for i in range(agents):
            self._add_agent(f"agent{i + 1}")
        for i in range(frameworks):
            self._add_framework(f"f{i + 1}", aware=i != 2)

    @property
    def nodes(self):
        return self.servers + self.masters + self.agents + self.frameworks

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def phase(self, word):
        """Tells the frameworks what to do."""
        with open(self.path("phase.new"), "w", encoding="ascii") as file:
            file.write(word)
        os.rename(self.path("phase.new"), self.path("phase"))

    def _node(self, name, address, arguments):
        return Node(name, address, Network.inside(name), arguments, self.path(name + ".log"))

    def _small_disk(self, folder):
        os.makedirs(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], check=True)
        self.mounts.append(folder)

    def _add_server(self, number, address, addresses):
        name = f"zk{number}"
        folder = self.path(name)
        if number == 3:
            self._small_disk(folder)
        else:
            os.makedirs(folder)
        with open(os.path.join(folder, "myid"), "w", encoding="ascii") as file:
            file.write(f"{number}\n")
        config = self.path(name + ".cfg")
        with open(config, "w", encoding="ascii") as file:
            file.write(ZK_CONFIG.format(folder=folder, address=address))
            for i, peer in enumerate(addresses):
                file.write(f"server.{i + 1}={peer}:2888:3888\n")
        java = [word.replace("-Xmx384m", "-Xmx128m") for word in JAVA]
        self.servers.append(self._node(
            name, address, java + ["org.apache.zookeeper.server.quorum.QuorumPeerMain", config]))

    def _add_master(self, name):
        address = self.network.add(name)
        self.masters.append(self._node(name, address, [
            program("tepui-master"), f"--listen={address}:5050", f"--zk={self.zk}",
            f"--hostname={name}", f"--journal={self.path('journal-' + name)}", *MASTER_FLAGS]))

    def _add_agent(self, name):
        address = self.network.add(name)
        folder = self.path(name)
        if not self.agents:  # the first one's
            self._small_disk(folder)
        else:
            os.makedirs(folder)
        agent = self._node(name, address, [
            program("tepui-agent"), f"--master={self.zk}", f"--listen={address}:5051",
            f"--hostname={name}", f"--work-dir={folder}/work",
            f"--runtime-dir={self.path(name + '-run')}",
            f"--journal={self.path('journal-' + name)}",
            f"--cgroup-root={self.cgroup_prefix}-{name}", *AGENT_FLAGS])
        agent.cgroup = f"{self.cgroup_prefix}-{name}"
        self.agents.append(agent)

    def _add_framework(self, name, aware):
        address = self.network.add(name)
        framework = self._node(name, address, [
            os.path.join(BUILD, "tests/system/chaos-framework"), self.zk, name, self.folder,
            *(["partition-aware"] if aware else [])])
        framework.history = self.path(name + ".history")
        self.frameworks.append(framework)

    # ---- life
    def start(self):
        for node in self.servers:
            node.start()
        wait_until(lambda: all(serves(server) for server in self.servers),
                   "the ZooKeeper ensemble to serve", seconds=60)
        for node in self.masters + self.agents + self.frameworks:
            node.start()
        self.wait_agents()

    def heal(self):
        """Nothing is cut, stopped, full or dead any more."""
        self.network.mend_all()
        for node in self.nodes:
            node.go_on()
        for folder in self.mounts:
            empty_disk(folder)
        for node in self.nodes:
            node.start()

    def close(self):
        """The list of what was left behind by agents that were told to clean up."""
        left = []
        for node in self.frameworks + self.masters + self.servers + self.agents:
            node.go_on()
            try:
                node.kill()
            except OSError as error:
                left.append(f"{node.name}: {error}")
        for agent in self.agents:
            left += remove_cgroups(agent.cgroup)
        for mount in self.mounts:
            subprocess.run(["umount", "--lazy", mount], check=False)
        self.network.close()
        return left

    # ---- questions
    def tepui(self, *arguments, seconds=30):
        """Runs the command on the router, which nothing cuts off; the finished process."""
        return subprocess.run([program("tepui"), f"--master={self.zk}", *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False, errors="replace")

    def start_tepui(self, *arguments):
        """The same in the background."""
        return subprocess.Popen([program("tepui"), f"--master={self.zk}", *arguments],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def rows(self, table):
        """What the leader says; None while there is none."""
        done = self.tepui(table, "--json", "--timeout=2secs")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def leader(self):
        """The master that was elected last and has not been deposed, or None."""
        best = None
        for master in self.masters:
            last = master.events("master.elected", "master.deposed")[-1:]
            if master.running() and last and last[0]["event"] == "master.elected":
                if best is None or int(last[0]["epoch"]) > best[0]:
                    best = (int(last[0]["epoch"]), master)
        return best[1] if best else None

    def wait_leader(self, other_than=None, seconds=30):
        def another():
            leader = self.leader()
            return leader if leader is not other_than else None

        return wait_until(another, "a leader", seconds)

    def wait_agents(self, seconds=60):
        """Until the leader has all agents as active."""
        def all_active():
            rows = self.rows("agents")
            return rows is not None and [row["state"] for row in rows] == ["active"] * len(self.agents)

        wait_until(all_active, "all agents to be active", seconds)

    def wait_quiet(self, phase, seconds=60):
        """Until every framework has reached what the phase asks for."""
        for framework in self.frameworks:
            wait_until(lambda: is_quiet(framework.history, phase),
                       f"{framework.name} to be quiet in phase {phase}", seconds)

    def wait_finished(self, framework, count=1, seconds=60):
        """Until so many further tasks of that framework, launched from now on, have finished."""
        before = set(launched(framework.history))
        wait_until(lambda: len(finished(framework.history) - before) >= count,
                   f"{count} new tasks of {framework.name} to finish", seconds)

    def processes(self, agent):
        """The pids in the agent's containers by the id of their task (empty: none of a task)."""
        found = {}
        for folder, _, files in os.walk(cgroup_of(agent.cgroup) or ""):
            if "cgroup.procs" not in files:
                continue
            with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:
                pids = [int(line) for line in file]
            for pid in pids:
                task = environment_of(pid).get("TEPUI_TASK_ID", "")
                found.setdefault(task, set()).add(pid)
        return found


def serves(server):
    """Whether a ZooKeeper server is part of a quorum."""
    try:
        with socket.create_connection((server.address, 2181), timeout=1) as connection:
            connection.sendall(b"srvr")
            answer = b""
            while part := connection.recv(4096):
                answer += part
    except OSError:
        return False
    return b"Mode: " in answer


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return dict(entry.split("=", 1) for entry in
                        file.read().decode(errors="replace").split("\0") if "=" in entry)
    except OSError:
        return {}


def fill_disk(folder):
    """Until not a byte more fits."""
    with open(os.path.join(folder, "ballast"), "wb", buffering=0) as file:
        for size in (65536, 512):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def empty_disk(folder):
    path = os.path.join(folder, "ballast")
    if os.path.exists(path):
        os.unlink(path)


def read_lines(path):
    """The whole JSON lines of a history."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def launched(history):
    return [entry["task"] for entry in read_lines(history) if entry["event"] == "launch"]


def finished(history):
    return {entry["task"] for entry in read_lines(history)
            if entry["event"] == "status" and entry["state"] == "TASK_FINISHED"}


def is_quiet(history, phase):
    lines = read_lines(history)
    last = max((i for i, e in enumerate(lines) if e["event"] == "phase"), default=-1)
    begun = max((i for i, e in enumerate(lines) if e["event"] == "begin"), default=-1)
    return any(entry["event"] == "quiet" and entry["phase"] == phase
               for entry in lines[max(last, begun):])
