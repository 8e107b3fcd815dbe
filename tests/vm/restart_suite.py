"""Agents that die over tasks with limits: the limits hold meanwhile, and count afterwards."""

import os
import shutil

from containers import Limited, expect_near, mount_disk, start_agent, usage_over
from harness import expect, expect_equal, wait_until

BUSY = "while :; do :; done"


def start(cluster):
    mount_disk()
    cluster.start_master("--allocation-interval=200ms")
    cluster.wait_registered(start_agent(cluster, "hard", resources="cpus:8;mem:1GB;disk:100"))


def restart(cluster):
    agent = cluster.agents[0]
    again = cluster.restart_agent(agent)
    again.hostname = agent.hostname
    return again


def limits_hold_while_the_agent_is_away_and_are_known_afterwards(cluster):
    limited = Limited(cluster, "limited", BUSY, "--cpus=0.3", "--cpus-limit=0.3").wait_running()
    go = os.path.join(cluster.folder, "go")
    bomb = Limited(cluster, "bomb",
                   f"while [ ! -e {go} ]; do sleep 0.2; done; head -c 200M /dev/zero | tail",
                   "--cpus=0.1", "--mem=40MB").wait_running()
    cluster.agents[0].kill()
    (used,), took = usage_over([limited], 5)
    expect_near(used / took, 0.3, 0.1, "processors that the limited task used without its agent")
    again = restart(cluster)
    expect_equal(again.wait_event("agent.recovered")["containers"], "2", "containers taken up")
    cluster.wait_registered(again)
    with open(go, "w", encoding="ascii"):
        pass
    row = bomb.wait_ended()
    expect_equal((row["state"], row["reason"]),
                 ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY"), "how the bomb ended")
    expect("maximum 40 MB" in row["message"], f"the status: {row['message']}")
    expect_equal(limited.read("cpu.max"), "30000 100000", "cpu.max after the restart")
    limited.kill("--grace=0secs")
    limited.expect_gone()


def a_task_that_exceeds_its_memory_without_an_agent_is_told_of(cluster):
    bomb = Limited(cluster, "unseen", "sleep 3; head -c 200M /dev/zero | tail", "--cpus=0.1",
                   "--mem=40MB").wait_running()
    cluster.agents[0].kill()
    wait_until(lambda: bomb.keyed("memory.events", "oom_kill") > 0, "it to be killed", 60)
    cluster.wait_registered(restart(cluster))
    row = bomb.wait_ended()
    expect_equal(row["reason"], "REASON_CONTAINER_LIMITATION_MEMORY", "why it ended")
    expect("peak 40 MB" in row["message"], f"the status: {row['message']}")


def what_nobody_remembers_is_killed_at_the_next_start(cluster):
    orphan = Limited(cluster, "orphan", "sleep 20044 & sleep 20044 & wait",
                     "--cpus=0.1").wait_running()
    agent = cluster.agents[0]
    agent.kill()
    shutil.rmtree(os.path.join(agent.work_dir, "meta"))
    again = restart(cluster)
    expect_equal(again.wait_event("agent.leftovers_killed")["containers"], "1", "leftovers")
    orphan.expect_gone()


TESTS = [
    limits_hold_while_the_agent_is_away_and_are_known_afterwards,
    a_task_that_exceeds_its_memory_without_an_agent_is_told_of,
    what_nobody_remembers_is_killed_at_the_next_start,
]
