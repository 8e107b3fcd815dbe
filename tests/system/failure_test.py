#!/usr/bin/env python3
"""What breaks: kill -9 of agent, framework and master, full disks, missing rights, hostile peers."""

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (  # noqa: E402
    Failure, cgroup_of, expect, expect_equal, program, run_tests, wait_until)

QUICK = ("--agent-ping-timeout=200ms", "--max-agent-ping-timeouts=3")


def running(cluster, count=1):
    return wait_until(
        lambda: [row for row in cluster.rows("tasks") if row["state"] == "TASK_RUNNING"][:count]
        if sum(row["state"] == "TASK_RUNNING" for row in cluster.rows("tasks")) >= count else None,
        f"{count} tasks to run")


def alive(marker):
    """Processes whose command line has `marker` as a word of its own."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if marker in words and words[0].endswith("sleep"):
            found.append(int(pid))
    return found


def kill_9_of_an_agent_loses_its_tasks_and_a_batch_goes_on_elsewhere(cluster):
    cluster.start_master(*QUICK)
    first = cluster.start_agent()
    cluster.wait_registered(first)
    path = cluster.path("jobs.json")
    gate = cluster.path("gate")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"role": "r", "cpus": 0.5, "mem": "32MB", "tasks": [
            {"name": "waits", "command": f"until test -e {gate}; do sleep 0.05; done",
             "instances": 3}]}, file)
    batch = cluster.start_tepui("batch", path, "--json")
    running(cluster, 3)
    first.kill()
    second = cluster.start_agent()
    cluster.wait_registered(second)
    with open(gate, "w", encoding="ascii"):
        pass
    out, errors = batch.communicate(timeout=60)
    expect_equal(batch.returncode, 0, f"the batch's status: {errors}")
    summary = json.loads(out)
    expect_equal(summary["states"], {"TASK_FINISHED": 3}, "states")


def kill_9_of_a_framework_kills_its_tasks_after_the_failover_timeout(cluster):
    cluster.start_master()
    cluster.wait_registered(cluster.start_agent())
    hello = subprocess.Popen(
        [os.path.join(os.path.dirname(program("hello-framework")), "hello-framework"),
         cluster.address, "1", "exec sleep 8765"], stdout=subprocess.DEVNULL)
    try:
        running(cluster)
        hello.kill()
        hello.wait()
        # Its failover timeout is 0: torn down as soon as it is gone.
        wait_until(lambda: not alive("8765"), "the task to be killed", 15)
        framework = wait_until(lambda: [row for row in cluster.rows("frameworks")
                                        if row["state"] == "completed"],
                               "the framework to be torn down")[0]
        expect_equal(framework["tasks"], 0, "tasks of a completed framework")
    finally:
        hello.kill()
        hello.wait()


def kill_9_of_the_master_and_its_restart_lose_nothing(cluster):
    cluster.start_master("--agent-reregister-timeout=30secs")
    agents = [cluster.start_agent() for _ in range(2)]
    ids = {cluster.wait_registered(agent) for agent in agents}
    path, gate = cluster.path("jobs.json"), cluster.path("gate")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"role": "r", "cpus": 0.5, "mem": "32MB", "tasks": [
            {"name": "lives", "command": f"until test -e {gate}; do sleep 0.05; done; echo done",
             "instances": 4}]}, file)
    batch = cluster.start_tepui("batch", path, "--json", "--output", cluster.path("out"))
    before = {row["id"]: row["container_id"] for row in running(cluster, 4)}
    cluster.master.kill()
    cluster.start_master("--agent-reregister-timeout=30secs")
    epoch = cluster.master.wait_event("master.elected")["epoch"]
    expect_equal(int(epoch), 2, "the epoch after one restart")
    after = {row["id"]: row["container_id"] for row in running(cluster, 4)}
    expect_equal(after, before, "the same containers run on")
    wait_until(lambda: len(cluster.rows("agents")) == 2, "both agents to be back")
    expect_equal({row["id"] for row in cluster.rows("agents")}, ids, "the agents keep their ids")
    with open(gate, "w", encoding="ascii"):
        pass
    out, errors = batch.communicate(timeout=60)
    expect_equal(batch.returncode, 0, f"the batch's status: {errors}")
    expect_equal(json.loads(out)["states"], {"TASK_FINISHED": 4}, "states")
    for number in range(4):
        with open(cluster.path("out", f"lives-{number}.stdout"), encoding="utf-8") as file:
            expect_equal(file.read(), "done\n", "an output across the restart")


def a_full_disk_under_the_sandbox_fails_the_task_and_not_the_agent(cluster):
    cluster.start_master()
    small = cluster.path("small")
    os.makedirs(small)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=200", "tmpfs",
                              small], check=False, capture_output=True, text=True)
    expect_equal(mounted.returncode, 0, f"mounting a small tmpfs: {mounted.stderr}")
    try:
        agent = cluster.start_agent(work_dir=small)
        cluster.wait_registered(agent)
        filler = os.path.join(small, "filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
            except OSError:
                pass
        many = 0
        try:
            while True:
                os.mkdir(os.path.join(small, f"inode-{many}"))
                many += 1
        except OSError:
            pass
        done = cluster.tepui("run", "--name=full", "--", "true", check=False)
        expect_equal(done.returncode, 125, f"the status on a full disk ({done.stderr})")
        expect("No space left" in done.stderr or "space" in done.stderr.lower(),
               f"the message does not say that the disk is full: {done.stderr}")
        expect(agent.running(), "the agent died of a full disk")
        os.unlink(filler)
        for number in range(many):
            os.rmdir(os.path.join(small, f"inode-{number}"))
        done = cluster.tepui("run", "--name=better", "--", "true")
        expect_equal(done.returncode, 0, "the status once there is room")
        agent.end()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def an_agent_without_rights_runs_tasks_and_says_what_it_lacks(cluster):
    cluster.start_master()
    os.chmod(cluster.folder, 0o755)
    home = cluster.path("nobody")
    os.makedirs(home)
    shutil.chown(home, "nobody")
    agent = cluster.start_agent(user="nobody", work_dir=home)
    cluster.wait_registered(agent)
    row = cluster.rows("agents")[0]
    expect(row["degraded"], "an agent without rights says nothing of what it lacks")
    expect(row["degraded"][0][:20] in cluster.tepui("agents").stdout,
           "the table does not show what the agent lacks")
    done = cluster.tepui("run", "--", "id", "-un")
    expect_equal(done.stdout, "nobody\n", "the user of the task")
    stubborn = cluster.start_tepui("run", "--name=tree", "--", "sh", "-c",
                                   "trap '' TERM; sleep 9871 & wait; sleep 9872")
    running(cluster)
    wait_until(lambda: alive("9871"), "its child")
    cluster.tepui("kill", "tree", "--grace=100ms")
    stubborn.communicate(timeout=20)
    wait_until(lambda: not alive("9871") and not alive("9872"), "the tree to be killed", 10)


def frame(kind, payload=b"", magic=b"TEPU", version=1, flags=0, length=None, sequence=0):
    size = len(payload) if length is None else length
    head = magic + struct.pack("<BBHII", version, kind, flags, size, sequence)
    return head + payload + b"\0" * (-len(payload) % 16)


def hostile_peers_are_refused_by_name_and_others_go_on(cluster):
    cluster.start_master()
    cluster.wait_registered(cluster.start_agent())
    host, port = cluster.address.rsplit(":", 1)
    watching = cluster.start_tepui("agents", "--watch", "--json")
    attacks = {
        "HTTP": b"GET /state HTTP/1.1\r\nHost: x\r\n\r\n",
        "wrong version": frame(1, b"x" * 16, version=9),
        "unknown type": frame(77, b"x" * 16),
        "oversized": frame(1, length=1 << 30),
        "flags": frame(1, b"x" * 16, flags=8),
        "sequence": frame(1, b"x" * 16, sequence=5),
        "garbage in a frame": frame(1, os.urandom(256)),
        "garbage as agent": frame(3, os.urandom(4096)),
        "garbage as operator": frame(4, os.urandom(64)),
        "padding": frame(1, b"x" * 15)[:-1] + b"\1",
    }
    for name, attack in attacks.items():
        with socket.create_connection((host, int(port)), timeout=10) as peer:
            peer.sendall(attack)
            peer.settimeout(10)
            try:
                while peer.recv(65536):
                    pass  # a goodbye with the reason may come first
            except ConnectionResetError:
                pass
            except socket.timeout:
                raise Failure(f"{name}: the connection was not closed") from None
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(frame(1, b"x" * 64)[:20])  # and goes away in the middle of a frame
    expect_equal(cluster.tepui("run", "--", "echo", "alive").stdout, "alive\n", "others go on")
    expect(watching.poll() is None, "a watcher that did nothing was cut off")
    metrics = cluster.metrics()
    refused = {key: value for key, value in metrics.items()
               if key.startswith("links/frames_refused/") and value > 0}
    expect(len(refused) >= 5, f"the counters name only {sorted(refused)}")
    expect(metrics["links/peers_foreign"] >= 1, "the HTTP client was not counted")


def a_registry_that_is_damaged_is_refused_with_file_and_offset(cluster):
    cluster.start_master()
    cluster.wait_registered(cluster.start_agent())
    cluster.wait_registered(cluster.start_agent())
    for agent in cluster.agents:
        agent.kill()
    cluster.master.kill()
    registry = cluster.path("registry")
    logs = [name for name in os.listdir(registry) if os.path.getsize(f"{registry}/{name}") > 200]
    expect(logs, f"no log in {os.listdir(registry)}")
    path = os.path.join(registry, logs[0])
    with open(path, "r+b") as file:
        file.seek(60)
        byte = file.read(1)
        file.seek(60)
        file.write(bytes([byte[0] ^ 0x40]))
    done = subprocess.run([program("tepui-master"), f"--registry=file:{registry}",
                           "--listen=127.0.0.1:0"], capture_output=True, text=True, timeout=20,
                          check=False)
    expect_equal(done.returncode, 2, "the status")
    expect(path in done.stderr and re.search(r"offset \d+", done.stderr),
           f"file and offset are not named: {done.stderr}")


def a_torn_registry_is_repaired_and_said(cluster):
    cluster.start_master()
    agent = cluster.start_agent()
    old = cluster.wait_registered(agent)
    cluster.master.kill()
    registry = cluster.path("registry")
    for name in os.listdir(registry):
        path = os.path.join(registry, name)
        if os.path.getsize(path) > 200:
            with open(path, "ab") as file:
                file.write(b"\0" * 37)
    cluster.start_master()
    cluster.master.wait_event("registry.repaired")
    wait_until(lambda: [row for row in cluster.rows("agents")
                        if row["id"] == old and row["state"] == "active"], "the agent to come back")


def an_agents_cgroups_are_gone_after_it(cluster):
    cluster.start_master()
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    cluster.tepui("run", "--instances=10", "--cpus=0.1", "--mem=32MB", "--", "true")
    top = cgroup_of(cluster.cgroups[0])
    expect(os.path.isdir(top), f"the agent has no cgroup {top}")
    wait_until(lambda: not [folder for folder, _, _ in os.walk(top)
                            if "run" in os.path.basename(folder)], "containers' cgroups to go", 10)
    expect_equal(agent.terminate(), 0, "the agent's status")
    expect(not os.path.exists(top), f"{top} is left behind")


if __name__ == "__main__":
    sys.exit(run_tests([
        kill_9_of_an_agent_loses_its_tasks_and_a_batch_goes_on_elsewhere,
        kill_9_of_a_framework_kills_its_tasks_after_the_failover_timeout,
        kill_9_of_the_master_and_its_restart_lose_nothing,
        a_full_disk_under_the_sandbox_fails_the_task_and_not_the_agent,
        an_agent_without_rights_runs_tasks_and_says_what_it_lacks,
        hostile_peers_are_refused_by_name_and_others_go_on,
        a_registry_that_is_damaged_is_refused_with_file_and_offset,
        a_torn_registry_is_repaired_and_said,
        an_agents_cgroups_are_gone_after_it,
    ]))
