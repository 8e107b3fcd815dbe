"""Tasks as the tests of the virtual machine see them: a command of `tepui run` and its cgroup."""

import os
import subprocess
import time

from harness import Failure, cgroup_of, expect, wait_until

# What the virtual disk is mounted on; the agents' work directories are there.
DISK = "/run/disk"


def mount_disk():
    """The virtual disk with project quota, once."""
    if os.path.ismount(DISK):
        return
    subprocess.run(["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota",
                    "/dev/vda"], check=True)
    os.makedirs(DISK)
    subprocess.run(["mount", "-o", "prjquota", "/dev/vda", DISK], check=True)


def start_agent(cluster, hostname, *flags, resources):
    folder = os.path.join(DISK, os.path.basename(cluster.folder), hostname)
    agent = cluster.start_agent(f"--hostname={hostname}", *flags, work_dir=folder,
                                resources=resources)
    agent.hostname = hostname
    return agent


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def keyed(path, key):
    """A value of a flat keyed file, as cpu.stat."""
    for line in read(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    raise Failure(f"{path} has no {key}: {read(path)!r}")


class Limited:
    """A task that `tepui run` holds, on the agent of that hostname."""

    def __init__(self, cluster, name, command, *flags, agent="hard"):
        self.cluster = cluster
        self.name = name
        words = ["sh", "-c", command] if isinstance(command, str) else command
        self.run = cluster.start_tepui("run", f"--name={name}", f"--constraint=hostname={agent}",
                                       "--json", *flags, "--", *words)
        self._root = cluster.cgroups[[a.hostname for a in cluster.agents].index(agent)]
        self._container = None

    def row(self):
        for row in self.cluster.rows("tasks"):
            if row["id"] == self.name:
                return row
        return None

    def wait_running(self):
        row = wait_until(lambda: (row := self.row()) and row["state"] == "TASK_RUNNING" and row,
                         f"{self.name} to run ({self.row()})")
        self._container = row["container_id"]
        return self

    def wait_ended(self, seconds=60):
        """Its last row."""
        return wait_until(
            lambda: (row := self.row()) and row["state"] not in (
                "TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING") and row,
            f"{self.name} to end ({self.row()})", seconds)

    @property
    def cgroup(self):
        return os.path.join(cgroup_of(self._root), f"container-{self._container}")

    def file(self, name):
        return os.path.join(self.cgroup, name)

    def read(self, name):
        return read(self.file(name)).strip()

    def keyed(self, name, key):
        return keyed(self.file(name), key)

    def pids(self):
        return [int(pid) for pid in self.read("cgroup.procs").split()]

    def kill(self, *flags):
        self.cluster.tepui("kill", self.name, *flags)

    def expect_gone(self):
        wait_until(lambda: not os.path.exists(self.cgroup), f"the cgroup of {self.name} to go")


def usage_over(tasks, seconds):
    """The processor seconds that each used, and how long it really was."""
    before = [task.keyed("cpu.stat", "usage_usec") for task in tasks]
    began = time.monotonic()
    time.sleep(seconds)  # what is measured is a span of time
    after = [task.keyed("cpu.stat", "usage_usec") for task in tasks]
    took = time.monotonic() - began
    return [(b - a) / 1e6 for a, b in zip(before, after)], took


def expect_near(got, wanted, part, what):
    expect(abs(got - wanted) <= wanted * part,
           f"{what}: got {got:.3f}, expected {wanted:.3f} within {part:.0%}")


def expect_alive(cluster):
    """Agents and their neighbours are well: a task runs on each."""
    for agent in cluster.agents:
        done = cluster.tepui("run", f"--constraint=hostname={agent.hostname}", "--cpus=0.1",
                             "--mem=32MB", "--", "echo", "well")
        expect(done.stdout == "well\n", f"{agent.hostname} is not well: {done.stderr}")
