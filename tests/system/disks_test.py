#!/usr/bin/env python3
"""Volumes on disks of their own: a real directory (PATH) and a real mount (MOUNT), configured in
JSON. Data survives whatever ends; destroying empties a mounted disk and leaves it mounted."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (  # noqa: E402
    Failure, expect, expect_equal, program, run_tests, wait_until)

QUICK = ("--agent-ping-timeout=200ms", "--max-agent-ping-timeouts=3")
MOUNT_MB = 32


class Disks:
    """A directory and a mounted tmpfs; unmounted again whatever happens."""

    def __init__(self, cluster):
        self.path = cluster.path("path-disk")
        self.mount = cluster.path("mount-disk")
        os.makedirs(self.path)
        os.makedirs(self.mount)

    def __enter__(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MOUNT_MB}m", "tmpfs", self.mount],
                       check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.mount], check=True)

    def resources(self):
        def disk(mb, **more):
            return {"name": "disk", "type": "SCALAR", "scalar": {"value": mb}, **more}
        return [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 1024}},
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 9}]}},
            {"name": "zones", "type": "SET", "set": {"item": ["a", "b"]}},
            disk(512),
            disk(128, disk={"source": {"type": "PATH", "path": {"root": self.path}}}),
            disk(64, disk={"source": {"type": "PATH", "path": {"root": self.path}}},
                 reservations=[{"type": "STATIC", "role": "fixed"}]),
            disk(MOUNT_MB, disk={"source": {"type": "MOUNT", "mount": {"root": self.mount}}}),
        ]

    def start_agent(self, cluster):
        file = cluster.path("resources.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump(self.resources(), out, indent=2)
        agent = cluster.start_agent(resources=f"file://{file}")
        cluster.wait_registered(agent)
        return agent


def framework(cluster, role, command):
    process = subprocess.Popen(
        [program("volume-framework"), cluster.address, role, command], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return cluster.keep(process)


def finish(process, seconds=60):
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failure(f"the framework did not end: {process.communicate()[0]}") from None
    return process.returncode, out


def read(*parts):
    try:
        with open(os.path.join(*parts), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def volumes(cluster):
    return {row["id"]: row for agent in cluster.rows("agents") if agent["state"] == "active"
            for row in agent["volumes"]}


def active(cluster):
    """The id of the agent that is there, whatever lives it had before."""
    return [row["id"] for row in cluster.rows("agents") if row["state"] == "active"][0]


def refused(cluster, why, *arguments, status=5):
    done = cluster.tepui(*arguments, check=False)
    expect_equal(done.returncode, status, f"the status of {' '.join(arguments)}: {done.stderr}")
    expect(why in done.stderr, f"{' '.join(arguments)} was refused with {done.stderr!r}")


def survives(cluster, disk_root, directory, size):
    """A volume `kept` of role eng on that disk keeps what a task wrote, whatever is killed."""
    master = cluster.start_master(*QUICK)
    with_disks = Disks(cluster)
    with with_disks as disks:
        agent = disks.start_agent(cluster)
        host = active(cluster)
        root = getattr(disks, disk_root)
        cluster.tepui("reserve", host, f"disk:{size}", "--role=eng", f"--disk={root}")
        cluster.tepui("volume", "create", host, "kept", "--role=eng", f"--size={size}",
                      "--path=data", f"--disk={root}")
        data = os.path.join(root, *directory)
        first = framework(cluster, "eng",
                          "echo precious > data/file; sync; touch data/ready; sleep 1000")
        wait_until(lambda: read(data, "ready") is not None, "the task to write")
        first.kill()
        agent.kill()
        master.kill()
        first.communicate()
        cluster.start_master(*QUICK)
        work_dir = agent.work_dir
        agent = cluster.restart_agent(agent)
        agent.work_dir = work_dir
        cluster.wait_registered(agent)
        # The task outlived agent, master and framework; only an operator can end it now.
        first_task = wait_until(lambda: [row["id"] for row in cluster.rows("tasks")
                                         if row["state"] == "TASK_RUNNING"], "the task to be back")[0]
        cluster.tepui("kill", first_task, "--grace=0secs")
        wait_until(lambda: not [row for row in cluster.rows("tasks")
                                if row["state"] in ("TASK_RUNNING", "TASK_KILLING")],
                   "the first task to end")
        status, said = finish(framework(cluster, "eng", "grep precious data/file && echo again "
                                                        ">> data/file"))
        expect_equal(status, 0, f"the second task's status: {said}")
        expect_equal(read(data, "file"), "precious\nagain\n", "the content of the volume")
        host = active(cluster)
        wait_until(lambda: not [t for t in cluster.rows("tasks") if t["state"] == "TASK_RUNNING"],
                   "the tasks to end")
        cluster.tepui("volume", "destroy", host, "kept")
        wait_until(lambda: read(data, "file") is None, "the data to be gone")
        expect_equal(volumes(cluster), {}, "the volumes")
        if disk_root == "mount":
            expect(os.path.ismount(root), "the disk itself stays mounted")
            expect_equal(os.listdir(root), [], "what is left on it")
        else:
            expect(not os.path.exists(data), "the volume's directory is still there")
            expect(os.path.isdir(root), "the disk's own directory is gone")
        # A volume of the same name begins empty.
        cluster.tepui("volume", "create", host, "kept", "--role=eng", f"--size={size}",
                      "--path=data", f"--disk={root}")
        status, said = finish(framework(cluster, "eng", "test -z \"$(ls -A data/)\""))
        expect_equal(status, 0, f"the new volume is not empty: {said}")


def data_on_a_path_disk_survives_and_is_destroyed(cluster):
    survives(cluster, "path", ("volumes", "roles", "eng", "kept"), "64MB")


def data_on_a_mounted_disk_survives_and_destroying_only_empties_it(cluster):
    survives(cluster, "mount", (), f"{MOUNT_MB}MB")


def a_mounted_disk_goes_as_a_whole_and_a_path_disk_in_pieces(cluster):
    cluster.start_master(*QUICK)
    with Disks(cluster) as disks:
        disks.start_agent(cluster)
        host = active(cluster)
        mount, path = f"--disk={disks.mount}", f"--disk={disks.path}"
        refused(cluster, f"has {MOUNT_MB} MB and goes only as a whole, not 16 MB of it",
                "reserve", host, "disk:16", "--role=eng", mount)
        cluster.tepui("reserve", host, f"disk:{MOUNT_MB}", "--role=eng", mount)
        refused(cluster, "a volume on it takes all of them", "volume", "create", host, "half",
                "--role=eng", "--size=16MB", "--path=data", mount)
        refused(cluster, "goes only as a whole", "unreserve", host, "disk:8", "--role=eng", mount)
        cluster.tepui("volume", "create", host, "whole", "--role=eng", f"--size={MOUNT_MB}MB",
                      "--path=data", mount)
        refused(cluster, "is always all of it and cannot be resized", "volume", "shrink", host,
                "whole", "--size=1MB")
        cluster.tepui("reserve", host, "disk:100", "--role=eng", path)
        for name, size in (("one", 30), ("two", 40)):
            cluster.tepui("volume", "create", host, name, "--role=eng", f"--size={size}MB",
                          "--path=data", path)
        refused(cluster, "does not have", "volume", "grow", host, "one", "--size=31MB")
        cluster.tepui("volume", "grow", host, "one", "--size=30MB")
        cluster.tepui("volume", "shrink", host, "two", "--size=15MB")
        # What is reserved in the configuration is no command's, and volumes can be made on it.
        refused(cluster, "reserved statically to 'fixed'", "unreserve", host, "disk:64",
                "--role=fixed", path)
        cluster.tepui("volume", "create", host, "three", "--role=fixed", "--size=64MB",
                      "--path=data", path)
        expect_equal({name: (row["mb"], row["source"], row["role"])
                      for name, row in volumes(cluster).items()},
                     {"whole": (MOUNT_MB, "MOUNT", "eng"), "one": (60, "PATH", "eng"),
                      "two": (25, "PATH", "eng"), "three": (64, "PATH", "fixed")}, "the volumes")
        for name in ("one", "two"):
            wait_until(lambda name=name: os.path.isdir(os.path.join(
                disks.path, "volumes", "roles", "eng", name)), f"volume {name} to be made")
        cluster.tepui("volume", "destroy", host, "whole")


def an_agent_refuses_disks_that_are_not_there(cluster):
    cluster.start_master(*QUICK)
    os.makedirs(cluster.path("unmounted"))

    def start(resources):
        work = cluster.path("refused")
        done = subprocess.run(
            [program("tepui-agent"), f"--master={cluster.address}", "--listen=127.0.0.1:0",
             f"--work-dir={work}", f"--runtime-dir={work}/run", "--cgroup-root=tepui-refused",
             f"--resources={resources}"], capture_output=True, text=True, timeout=30, check=False)
        expect(done.returncode == 2, f"it should not start: {done.returncode} {done.stderr}")
        return done.stderr

    def disk(kind, root, value=1024):
        return json.dumps([{"name": "disk", "type": "SCALAR", "scalar": {"value": value},
                            "disk": {"source": {"type": kind.upper(), kind: {"root": root}}}}])

    missing = cluster.path("missing")
    said = start(disk("path", missing))
    expect(f"--resources: the PATH disk at '{missing}'" in said and "ENOENT" in said, said)
    said = start(disk("mount", missing))
    expect(f"--resources: the MOUNT disk at '{missing}'" in said and "ENOENT" in said, said)
    said = start(disk("mount", cluster.path("unmounted")))
    expect("nothing is mounted there" in said, said)
    said = start(disk("mount", cluster.folder, value="much"))
    expect("--resources[0].scalar.value is 'much', expected a number above 0" in said, said)
    said = start('[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, "disks": 1}]')
    expect("--resources[0] has 'disks', expected only name," in said, said)
    said = start(missing)
    expect(f"cannot read {missing}" in said, said)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("1..0 # SKIP mounting a disk needs root")
        sys.exit(0)
    sys.exit(run_tests([
        data_on_a_path_disk_survives_and_is_destroyed,
        data_on_a_mounted_disk_survives_and_destroying_only_empties_it,
        a_mounted_disk_goes_as_a_whole_and_a_path_disk_in_pieces,
        an_agent_refuses_disks_that_are_not_there,
    ]))
