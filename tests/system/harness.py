"""Real processes for system tests and the demo: one cluster in one temporary folder, on loopback.

A Cluster starts masters and agents, waits for the event in their log that says they are ready (never
for a time), and on exit ends every process it started by pid, removes its cgroups and its folder,
and says what it found left behind. Tests print TAP.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TEPUI_BUILD", os.path.join(ROOT, "build"))


def program(name):
    """The path of one of our programs in the build directory."""
    folder = {"tepui-master": "master/shell", "tepui-agent": "agent/shell",
              "tepui-shim": "agent/linux", "tepui-fetch": "agent/fetch", "tepui": "cli"}.get(name, "sdk")
    return os.path.join(BUILD, folder, name)


class Failure(Exception):
    """An expectation that did not hold."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what}: got {got!r}, expected {wanted!r}")


def wait_until(condition, what, seconds=30.0):
    """Polls until condition() is true, and returns what it returned. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.02)  # the poll's pace; the condition decides


def state_of(pid):
    """What its threads do in the kernel, a line each; for whoever waits in vain for it."""
    lines = []
    for thread in sorted(os.listdir(f"/proc/{pid}/task")) if os.path.isdir(f"/proc/{pid}") else []:
        told = []
        for name in ("comm", "stat", "wchan", "stack"):
            try:
                with open(f"/proc/{pid}/task/{thread}/{name}", encoding="utf-8",
                          errors="replace") as file:
                    told.append(" ".join(file.read().split()[:40]))
            except OSError:
                pass
        lines.append(f"{thread}: " + " | ".join(told))
    return "\n".join(lines) or f"there is no process {pid}"


class Process:
    """One of our daemons, with its JSON log read by a thread."""

    def __init__(self, name, arguments, log_path, environment=None, user=None):
        self.name = name
        self.log_path = log_path
        self.events = []
        self.killed = False  # by us, without a chance to clean up
        self._changed = threading.Condition()
        self._log = open(log_path, "a", encoding="utf-8")
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace", env=environment, user=user,
            start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self):
        return self.process.pid

    def _read(self):
        for line in self.process.stderr:
            self._log.write(line)
            self._log.flush()
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "", "text": line.strip()}
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self.events.append({"event": "(end)"})
            self._changed.notify_all()
        self._log.close()

    def wait_event(self, name, seconds=20.0, skip=0, **fields):
        """The first event of that name and those fields after the first `skip` events."""
        deadline = time.monotonic() + seconds

        def found():
            for event in self.events[skip:]:
                if event.get("event") == name and all(
                        str(event.get(key)) == str(value) for key, value in fields.items()):
                    return event
            return None

        with self._changed:
            while True:
                event = found()
                if event:
                    return event
                if any(e.get("event") == "(end)" for e in self.events[skip:]):
                    raise Failure(f"{self.name} ended before it said {name}: {self.tail()}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failure(f"{self.name} did not say {name} {fields}: {self.tail()}")
                self._changed.wait(left)

    def tail(self):
        lines = [json.dumps(event) for event in self.events[-6:]]
        return "\n    ".join(["last of its log:"] + lines)

    def running(self):
        return self.process.poll() is None

    def kill(self):
        self.killed = True
        if self.running():
            self.process.kill()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} outlives SIGKILL: {state_of(self.pid)}") from None

    def terminate(self, seconds=20.0, by=signal.SIGTERM):
        """SIGTERM; the exit status, or kills it and fails when it does not end."""
        if self.running():
            self.process.send_signal(by)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.name} did not end within {seconds:.0f} s of {by.name}: "
                          f"{self.tail()}") from None

    def end(self):
        """The end of it and, of an agent, of all that it runs."""
        return self.terminate(by=signal.SIGUSR1 if self.name == "tepui-agent" else signal.SIGTERM)


class Cluster:
    """A master, agents and everything they leave, in one temporary folder."""

    def __init__(self, prefix="tepui-test-"):
        self.folder = tempfile.mkdtemp(prefix=prefix)
        self.processes = []
        self.agents = []
        self.master = None
        self.address = None
        self.cgroups = []
        self._count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def _start(self, name, arguments, **options):
        self._count += 1
        log = self.path(f"{name}-{self._count}.log")
        process = Process(name, [program(name)] + arguments, log, **options)
        self.processes.append(process)
        return process

    def start_master(self, *flags, listen=None, registry=None):
        registry = registry or "file:" + self.path("registry")
        listen = listen or self.address or "127.0.0.1:0"
        self.master = self._start("tepui-master", [
            f"--listen={listen}", f"--registry={registry}", "--log-format=json", *flags])
        self.address = self.master.wait_event("master.listening")["address"]
        return self.master

    def start_contender(self, zk, *flags, listen="127.0.0.1:0"):
        """A master that stands for election in ZooKeeper; from now on the cluster is found there."""
        master = self._start("tepui-master", [
            f"--listen={listen}", f"--zk={zk}", "--log-format=json", *flags])
        master.address = master.wait_event("master.listening")["address"]
        self.address = zk
        return master

    def start_agent(self, *flags, resources="cpus:2;mem:1GB;disk:1GB;ports:[31000-32000]",
                    user=None, work_dir=None):
        number = len(self.agents)
        work_dir = work_dir or self.path(f"agent-{number}")
        os.makedirs(work_dir, exist_ok=True)
        root = f"tepui-{os.path.basename(self.folder)}-{number}"
        self.cgroups.append(root)
        arguments = [
            f"--master={self.address}", "--listen=127.0.0.1:0", f"--work-dir={work_dir}/work",
            f"--runtime-dir={work_dir}/run", f"--cgroup-root={root}", f"--resources={resources}",
            "--log-format=json", *flags]
        agent = self._start("tepui-agent", arguments, user=user)
        agent.arguments = arguments
        agent.work_dir = f"{work_dir}/work"
        self.agents.append(agent)
        return agent

    def restart_agent(self, agent, *flags, around=()):
        """Starts an agent again in the place of one that ended: same address, same folders.

        `flags` replace those of the same name, `around` is the command that starts it."""
        arguments = self.agent_arguments(agent, *flags)
        self._count += 1
        again = Process("tepui-agent", [*around, program("tepui-agent"), *arguments],
                        self.path(f"tepui-agent-{self._count}.log"))
        again.work_dir = agent.work_dir
        again.arguments = arguments
        self.processes.append(again)
        self.agents[self.agents.index(agent)] = again
        return again

    @staticmethod
    def agent_arguments(agent, *flags):
        """What an agent needs to be started again as the same."""
        address = agent.wait_event("agent.listening")["address"]
        new = [f"--listen={address}", *flags]
        names = {flag.split("=")[0] for flag in new}
        return new + [flag for flag in agent.arguments if flag.split("=")[0] not in names]

    def wait_registered(self, agent):
        return agent.wait_event("agent.registered")["agent"]

    def tepui(self, *arguments, seconds=60.0, check=True, stdin=None, master=None):
        """Runs the command against this cluster; the finished process."""
        done = subprocess.run(
            [program("tepui"), f"--master={master or self.address}", *arguments], input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, text=True,
            timeout=seconds, check=False, errors="replace")
        if check and done.returncode != 0:
            raise Failure(f"tepui {' '.join(arguments)} ended with {done.returncode}: "
                          f"{done.stderr.strip()}")
        return done

    def rows(self, table, *arguments, master=None):
        return json.loads(self.tepui(table, "--json", *arguments, master=master).stdout)

    def metrics(self):
        return json.loads(self.tepui("metrics", "--json").stdout)

    def start_tepui(self, *arguments, **options):
        """Starts the command in the background; ended with the cluster."""
        process = subprocess.Popen(
            [program("tepui"), f"--master={self.address}", *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **options)
        return self.keep(process)

    def keep(self, process):
        """Ends this process with the cluster, if it has not ended by itself."""
        self.processes.append(_Plain(process))
        return process

    def close(self):
        """Ends everything, then removes the folder. The list of what had to be cleaned up."""
        left = []
        for process in reversed(self.processes):
            if not process.running():
                continue
            try:
                process.end()
            except Failure as failure:
                left.append(str(failure))
        for root, agent in zip(self.cgroups, self.agents):
            found = remove_cgroups(root)
            left += [] if agent.killed else found
        shutil.rmtree(self.folder, ignore_errors=True)
        return left


class _Plain:
    """A client process, ended like a daemon."""

    def __init__(self, process):
        self.process = process

    def running(self):
        return self.process.poll() is None

    def end(self):
        self.process.terminate()
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def cgroup_mount():
    """Where cgroup v2 is mounted, or None."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            left, _, right = line.partition(" - ")
            if right.split()[0] == "cgroup2":
                return left.split()[4]
    return None


def cgroup_of(root):
    mount = cgroup_mount()
    return os.path.join(mount, root) if mount else None


def remove_cgroups(root):
    """Kills and removes what is left below a test's own cgroup; what it found."""
    top = cgroup_of(root)
    if not top or not os.path.isdir(top):
        return []
    found = []
    for folder, _, _ in os.walk(top, topdown=False):
        if folder != top:
            found.append(f"cgroup {folder}")
        try:
            with open(os.path.join(folder, "cgroup.kill"), "w", encoding="ascii") as control:
                control.write("1")
        except OSError:
            pass
    deadline = time.monotonic() + 5
    while os.path.isdir(top) and time.monotonic() < deadline:
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
    return found


def run_tests(tests):
    """Runs functions as TAP tests; the exit status. Each gets its own cluster."""
    wanted = sys.argv[1:]
    tests = [test for test in tests if not wanted or test.__name__ in wanted]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("_", " ")
        cluster = Cluster()
        problem = None
        try:
            test(cluster)
        except Failure as failure:
            problem = str(failure)
        except Exception:  # a bug in the test fails the test, not the others
            problem = traceback.format_exc()
        if problem:
            for process in cluster.processes:
                if isinstance(process, Process):
                    problem += f"\n{process.name} (pid {process.pid}) {process.tail()}"
        left = cluster.close()
        if not problem and left:
            problem = "left behind: " + ", ".join(left)
        failed += problem is not None
        print(f"{'not ok' if problem else 'ok'} {number} - {name}", flush=True)
        for line in (problem or "").splitlines():
            print(f"# {line}", flush=True)
    return 1 if failed else 0


def signal_as_exception():
    """SIGTERM ends a script as Ctrl-C does, so that its clean-up runs."""

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
