"""A network of its own for a test: every node in a network namespace, one router between them.

enter() runs the rest of the program below a small init in new mount, pid and network namespaces. So
whatever becomes of the program, also when it is killed, nothing it started lives on, and its mounts,
links and rules are gone with it. What is left over while it lives is seen in /proc.

Everything here needs root and iproute2. Nothing of the host's network is touched.
"""

import collections
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import cgroup_of, remove_cgroups  # noqa: E402

_ROLE = "TEPUI_CHAOS_ROLE"  # unset: outside; "init"; "program"
_FOLDER = "TEPUI_CHAOS_FOLDER"


def enter():
    """Returns inside of the namespaces, with a folder that is removed at the end if it is empty.

    The process that called it ends with the status of the rest of the program."""
    role = os.environ.pop(_ROLE, None)
    if role == "program":
        return os.environ[_FOLDER]
    sys.exit(_init() if role == "init" else _outside())


def _outside():
    folder = tempfile.mkdtemp(prefix="tepui-chaos-")
    child = subprocess.Popen(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc",
         sys.executable, *sys.argv], env={**os.environ, _ROLE: "init", _FOLDER: folder})
    # The init gets Ctrl-C from the terminal, too; other signals are passed on.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: _tell_child_of(child.pid))
    status = child.wait()
    # Also what a program left that was killed.
    for cgroup in glob.glob(cgroup_of(os.path.basename(folder)) + "*") if cgroup_of("") else []:
        remove_cgroups(os.path.basename(cgroup))
    if not os.listdir(folder) or status < 0 or status > 128:
        shutil.rmtree(folder)
    return status


def _tell_child_of(unshare):
    with open(f"/proc/{unshare}/task/{unshare}/children", encoding="ascii") as children:
        for pid in children.read().split():
            os.kill(int(pid), signal.SIGTERM)


def _init():
    """Process 1: reaps everything that is orphaned, and ends with its first child."""
    program = subprocess.Popen([sys.executable, *sys.argv],
                               env={**os.environ, _ROLE: "program"})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(program.pid, signal.SIGTERM))
    while True:
        pid, status = os.wait()
        if pid == program.pid:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def missing():
    """What of this cannot be done here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("unshare", "nsenter", "ip"):
        if not shutil.which(tool):
            return f"there is no {tool}"
    return None


def _run(*words, text=None):
    subprocess.run(words, input=text, text=True, check=True, stdout=subprocess.DEVNULL,
                   **({} if text else {"stdin": subprocess.DEVNULL}))


class Network:
    """Nodes behind a router, which is the namespace of this program and hears all of them.

    What is cut is dropped by the router without a word: peers see silence, not errors. Cuts add up:
    what was cut twice must be mended twice."""

    def __init__(self):
        os.makedirs("/run/netns", exist_ok=True)
        _run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")  # in this mount namespace only
        _run("ip", "link", "set", "lo", "up")
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
            file.write("1")
        self._nodes = {}
        self._cuts = collections.Counter()  # by (from, to)

    def add(self, name):
        """A node with that name; its address."""
        number = len(self._nodes) + 1
        address, gateway = f"10.77.{number}.2", f"10.77.{number}.1"
        _run("ip", "netns", "add", name)
        _run("ip", "-batch", "-", text=f"""\
link add {name} type veth peer name eth0 netns {name}
addr add {gateway}/24 dev {name}
link set {name} up
""")
        _run("ip", "-n", name, "-batch", "-", text=f"""\
link set lo up
addr add {address}/24 dev eth0
link set eth0 up
route add default via {gateway}
""")
        self._nodes[name] = address
        return address

    def close(self):
        """Removes the nodes; what ran on them has ended."""
        self.mend_all()
        for name in self._nodes:
            _run("ip", "netns", "del", name)
        _run("umount", "/run/netns")

    @staticmethod
    def inside(name):
        """What to put before a command that shall run on that node."""
        return ["nsenter", f"--net=/run/netns/{name}"]

    def cut(self, sources, targets):
        """From now on nothing from `sources` reaches `targets`."""
        before = set(+self._cuts)
        self._cuts.update(self._pairs(sources, targets))
        self._rule("add", set(self._cuts) - before)

    def mend(self, sources, targets):
        before = set(self._cuts)
        self._cuts -= collections.Counter(self._pairs(sources, targets))
        self._rule("del", before - set(self._cuts))

    def mend_all(self):
        self._rule("del", set(self._cuts))
        self._cuts.clear()

    @staticmethod
    def _pairs(sources, targets):
        return {(a, b) for a in sources for b in targets if a != b}

    def _rule(self, verb, pairs):
        if pairs:
            _run("ip", "-batch", "-", text="".join(
                f"rule {verb} from {self._nodes[a]} to {self._nodes[b]} blackhole\n"
                for a, b in sorted(pairs)))
