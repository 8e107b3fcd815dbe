#!/usr/bin/env python3
"""Agents that end and start again: their tasks run on, and nothing that happened is lost."""

import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (  # noqa: E402
    cgroup_of, expect, expect_equal, program, run_tests, wait_until)

TASKS = 500
MACHINE = "cpus:8;mem:16GB;disk:1GB;ports:[31000-32000]"
# Ends with a status of its own when it is told to.
COMMAND = "trap 'exit 9' TERM; sleep 5432 & wait"


def processes_by_task(cluster):
    """The pid of the shell of every task that runs, by the task's id."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if words[0] != b"sh":
                continue
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = dict(entry.split(b"=", 1) for entry in file.read().split(b"\0")
                                   if b"=" in entry)
        except OSError:
            continue
        if environment.get(b"MESOS_SANDBOX", b"").decode().startswith(cluster.folder + "/"):
            found[environment[b"TEPUI_TASK_ID"].decode()] = int(pid)
    return found


def states(cluster):
    return {row["id"]: row["state"] for row in cluster.rows("tasks")}


def all_run(cluster, count):
    def condition():
        rows = states(cluster)
        return len(rows) == count and all(state == "TASK_RUNNING" for state in rows.values())
    wait_until(condition, f"{count} tasks to run", 60)


def start_tasks(cluster, count=TASKS, command=COMMAND):
    path = cluster.path("jobs.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"role": "r", "cpus": 0.01, "mem": "8MB", "tasks": [
            {"name": "job", "command": command, "instances": count}]}, file)
    return cluster.start_tepui("batch", path, "--json")


def messages(cluster):
    return {row["id"]: row["message"] for row in cluster.rows("tasks")}


def kill_9_of_an_agent_and_its_restart_lose_nothing(cluster):
    cluster.start_master()
    agent = cluster.start_agent(resources=MACHINE)
    identity = cluster.wait_registered(agent)
    start_tasks(cluster)
    all_run(cluster, TASKS)
    before = processes_by_task(cluster)
    expect_equal(len(before), TASKS, "processes of tasks")
    agent.kill()
    ending = sorted(before)[:TASKS // 3]
    for task in ending:
        os.kill(before[task], signal.SIGTERM)
    wait_until(lambda: not set(ending) & set(processes_by_task(cluster)), "a third to end")
    started = time.monotonic()
    again = cluster.restart_agent(agent)
    recovered = again.wait_event("agent.recovered")
    expect_equal(recovered["containers"], str(TASKS), "containers that were taken up")
    expect_equal(cluster.wait_registered(again), identity, "the id of the restarted agent")
    print(f"# {TASKS} containers: registered {time.monotonic() - started:.2f} s after the start")
    wait_until(lambda: sum(state == "TASK_FAILED" for state in states(cluster).values()) ==
               len(ending), "the ends to be told")
    told = messages(cluster)
    for task in ending:
        expect("exited with status 9" in told[task], f"the true status of {task}: {told[task]}")
    after = processes_by_task(cluster)
    rest = {task: pid for task, pid in before.items() if task not in ending}
    expect_equal(after, rest, "the processes of the others")
    for task in rest:
        expect_equal(states(cluster)[task], "TASK_RUNNING", f"the state of {task}")
    # What was taken up is under control as before.
    victim = sorted(rest)[0]
    cluster.tepui("kill", victim)
    wait_until(lambda: states(cluster)[victim] == "TASK_KILLED", "a task to be killed")
    expect(victim not in processes_by_task(cluster), "its process is still there")


def what_nobody_acknowledged_is_told_again(cluster):
    cluster.start_master()
    agent = cluster.start_agent(resources=MACHINE)
    cluster.wait_registered(agent)
    gate = cluster.path("gate")
    batch = start_tasks(cluster, 10, f"until test -e {gate}; do sleep 0.05; done")
    all_run(cluster, 10)
    os.kill(batch.pid, signal.SIGSTOP)  # it acknowledges nothing
    try:
        with open(gate, "w", encoding="ascii"):
            pass
        wait_until(lambda: not processes_by_task(cluster), "the tasks to end")
        wait_until(lambda: list(states(cluster).values()).count("TASK_FINISHED") == 10,
                   "the ends to be known to the master")
        agent.kill()
        again = cluster.restart_agent(agent)
        recovered = again.wait_event("agent.recovered")
        expect_equal(recovered["containers"], "0", "containers that were taken up")
        expect(int(recovered["updates"]) >= 10, f"updates that wait: {recovered}")
        cluster.wait_registered(again)
    finally:
        os.kill(batch.pid, signal.SIGCONT)
    out, errors = batch.communicate(timeout=60)
    expect_equal(batch.returncode, 0, f"the batch's status: {errors}")
    expect_equal(json.loads(out)["states"], {"TASK_FINISHED": 10}, "states")


def sigterm_leaves_the_tasks_and_sigusr1_ends_them(cluster):
    cluster.start_master()
    agent = cluster.start_agent()
    identity = cluster.wait_registered(agent)
    start_tasks(cluster, 2)
    all_run(cluster, 2)
    before = processes_by_task(cluster)
    expect_equal(agent.terminate(), 0, "the status after SIGTERM")
    stopping = agent.wait_event("agent.stopping")
    expect("--recover=cleanup" in stopping["to_end_them"], f"the log should say how: {stopping}")
    expect_equal(processes_by_task(cluster), before, "the tasks run on")
    again = cluster.restart_agent(agent)
    expect_equal(cluster.wait_registered(again), identity, "the id after SIGTERM")
    expect_equal(again.end(), 0, "the status after SIGUSR1")
    expect_equal(processes_by_task(cluster), {}, "tasks after SIGUSR1")
    expect(not os.path.exists(cgroup_of(cluster.cgroups[0])), "the cgroup is left behind")
    third = cluster.restart_agent(again)
    expect(cluster.wait_registered(third) != identity, "the agent should be a new one")


def cleanup_ends_what_an_earlier_life_left(cluster):
    cluster.start_master()
    agent = cluster.start_agent()
    identity = cluster.wait_registered(agent)
    start_tasks(cluster, 2)
    all_run(cluster, 2)
    agent.kill()
    # Also one that is configured in another way.
    cleaner = cluster.restart_agent(agent, "--recover=cleanup", "--resources=cpus:1;mem:64MB")
    expect_equal(cleaner.process.wait(20), 0, "the status of the cleanup")
    expect_equal(processes_by_task(cluster), {}, "tasks after the cleanup")
    again = cluster.restart_agent(cleaner, "--recover=reconnect", "--resources=cpus:2;mem:1GB")
    expect(cluster.wait_registered(again) != identity, "the agent should be a new one")


def refused(cluster, agent, *flags):
    done = subprocess.run([program("tepui-agent"), *cluster.agent_arguments(agent, *flags)],
                          capture_output=True, text=True, timeout=30, check=False)
    expect_equal(done.returncode, 2, f"the status of a refused change ({done.stderr})")
    path = os.path.join(agent.work_dir, "meta", "agent", "memory.log")
    expect(path in done.stderr, f"it should name {path}: {done.stderr}")
    return done.stderr


def an_agent_may_grow_and_not_change_otherwise(cluster):
    cluster.start_master()
    agent = cluster.start_agent("--attributes=rack:r1")
    identity = cluster.wait_registered(agent)
    start_tasks(cluster, 2)
    all_run(cluster, 2)
    before = processes_by_task(cluster)
    agent.kill()
    more = "--resources=cpus:5;mem:2GB;disk:1GB;ports:[31000-32000]"
    less = "--resources=cpus:1;mem:1GB;disk:1GB;ports:[31000-32000]"
    said = refused(cluster, agent, more)
    expect("resources" in said and "allows no change" in said, said)
    said = refused(cluster, agent, less, "--reconfiguration-policy=additive")
    expect("cpus" in said and "gone" in said, said)
    said = refused(cluster, agent, "--attributes=rack:r2", "--reconfiguration-policy=additive")
    expect("attribute 'rack' has another value" in said, said)
    expect_equal(processes_by_task(cluster), before, "refused starts leave the tasks alone")
    again = cluster.restart_agent(agent, more, "--attributes=rack:r1;zone:a",
                                  "--reconfiguration-policy=additive")
    expect_equal(cluster.wait_registered(again), identity, "the id of the agent that grew")
    wait_until(lambda: "cpus:5" in cluster.rows("agents")[0]["resources"]["text"],
               "the master to know what it has now")
    all_run(cluster, 2)
    expect_equal(processes_by_task(cluster), before, "the tasks of the agent that grew")


def after_a_reboot_its_tasks_are_gone_and_it_is_the_same(cluster):
    cluster.start_master()
    agent = cluster.start_agent()
    identity = cluster.wait_registered(agent)
    start_tasks(cluster, 2)
    all_run(cluster, 2)
    before = processes_by_task(cluster)
    agent.kill()
    # As after a reboot of the machine, but that the tasks did not die with it.
    boot_id = cluster.path("boot_id")
    with open(boot_id, "w", encoding="ascii") as file:
        file.write("11111111-2222-3333-4444-555555555555\n")
    again = cluster.restart_agent(agent, around=(
        "unshare", "--mount", "sh", "-c",
        f"mount --bind {boot_id} /proc/sys/kernel/random/boot_id && exec \"$0\" \"$@\""))
    expect_equal(again.wait_event("agent.recovered")["rebooted"], "true", "that it was rebooted")
    expect_equal(cluster.wait_registered(again), identity, "the id after a reboot")
    # `tepui batch` runs them again there.
    wait_until(lambda: len(processes_by_task(cluster)) == 2 and
               not set(processes_by_task(cluster).values()) & set(before.values()),
               "the tasks to be run again")


def a_torn_memory_is_repaired_and_a_damaged_one_named(cluster):
    cluster.start_master()
    agent = cluster.start_agent()
    identity = cluster.wait_registered(agent)
    start_tasks(cluster, 2)
    all_run(cluster, 2)
    agent.kill()
    path = os.path.join(agent.work_dir, "meta", "agent", "memory.log")
    with open(path, "ab") as file:
        file.write(b"TLOG\1\1half a record")
    again = cluster.restart_agent(agent)
    again.wait_event("agent.memory_repaired")
    expect_equal(cluster.wait_registered(again), identity, "the id after a repair")
    all_run(cluster, 2)
    again.kill()
    with open(path, "r+b") as file:
        file.seek(60)
        byte = file.read(1)
        file.seek(60)
        file.write(bytes([byte[0] ^ 1]))
    said = refused(cluster, again)
    expect("damaged at offset" in said and "remove it" in said, said)
    os.unlink(path)
    third = cluster.restart_agent(again)
    third.wait_event("agent.leftovers_killed")
    expect(cluster.wait_registered(third) != identity, "the agent should be a new one")


if __name__ == "__main__":
    sys.exit(run_tests([
        kill_9_of_an_agent_and_its_restart_lose_nothing,
        what_nobody_acknowledged_is_told_again,
        sigterm_leaves_the_tasks_and_sigusr1_ends_them,
        cleanup_ends_what_an_earlier_life_left,
        an_agent_may_grow_and_not_change_otherwise,
        after_a_reboot_its_tasks_are_gone_and_it_is_the_same,
        a_torn_memory_is_repaired_and_a_damaged_one_named,
    ]))
