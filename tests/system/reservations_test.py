#!/usr/bin/env python3
"""Reservations and volumes by command: what they make, what they say when they cannot, that it
outlives master and agent; and volumes that are shared and resized by frameworks."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (  # noqa: E402
    Failure, expect, expect_equal, program, run_tests, wait_until)

QUICK = ("--agent-ping-timeout=200ms", "--max-agent-ping-timeouts=3")


def small(cluster):
    cluster.start_master(*QUICK)
    return cluster.wait_registered(cluster.start_agent())


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


def refused(cluster, why, *arguments, status=5):
    done = cluster.tepui(*arguments, check=False)
    expect_equal(done.returncode, status, f"the status of {' '.join(arguments)}: {done.stderr}")
    expect(why in done.stderr, f"{' '.join(arguments)} was refused with {done.stderr!r}")


def resources(cluster):
    """The agent's resources as text, sorted."""
    return sorted(cluster.rows("agents")[0]["resources"]["text"].split("; "))


def volumes(cluster):
    return {row["id"]: row["mb"] for agent in cluster.rows("agents") for row in agent["volumes"]}


def told(cluster, *arguments):
    return json.loads(cluster.tepui(*arguments, "--json").stdout)


def commands_make_and_undo_reservations_and_volumes(cluster):
    agent = small(cluster)
    before = resources(cluster)
    made = told(cluster, "reserve", agent, "cpus:1;disk:100;ports:[31000-31009]", "--role=eng")
    expect_equal((made["operation"], made["agent_id"], made["resources"]["cpus"], made["change"]),
                 ("RESERVE", agent, 1, None), "what reserve says")
    expect(set(resources(cluster)) >= {"cpus(eng):1", "disk(eng):100",
                                       "ports(eng):[31000-31009]"}, f"{resources(cluster)}")
    made = told(cluster, "volume", "create", agent, "data", "--role=eng", "--size=40MB",
                "--path=data")
    expect_equal(made["operation"], "CREATE", "what create says")
    made = told(cluster, "volume", "grow", agent, "data", "--size=20MB")
    expect_equal((made["operation"], made["change"]["disk"]), ("GROW_VOLUME", 20), "grow says")
    expect_equal(volumes(cluster), {"data": 60}, "the volume when it grew")
    made = told(cluster, "volume", "shrink", agent, "data", "--size=50MB")
    expect_equal(volumes(cluster), {"data": 10}, "the volume when it shrank")
    expect("disk(eng):90" in resources(cluster), f"{resources(cluster)}")
    told(cluster, "volume", "destroy", agent, "data")
    expect_equal(volumes(cluster), {}, "the volumes at last")
    made = told(cluster, "unreserve", agent, "cpus:1;disk:100;ports:[31000-31009]", "--role=eng")
    expect_equal(made["operation"], "UNRESERVE", "what unreserve says")
    expect_equal(resources(cluster), before, "the resources after all that")


def operators_refine_and_label_reservations(cluster):
    agent = small(cluster)
    before = resources(cluster)
    cluster.tepui("reserve", agent, "cpus:1;mem:64", "--role=eng", "--label=ticket=4711",
                  "--label=by=ops")
    refused(cluster, "has nothing of 'cpus' reserved to 'ops'", "reserve", agent, "cpus:1",
            "--role=ops/db", "--refine=ops", status=3)
    refused(cluster, "ops", "reserve", agent, "cpus:1", "--role=ops/db", "--refine=eng",
            status=2)
    refused(cluster, "expected KEY=VALUE", "reserve", agent, "cpus:1", "--role=eng",
            "--label==4711", status=2)
    made = told(cluster, "reserve", agent, "cpus:0.5", "--role=eng/search", "--refine=eng",
                "--label=tier=gold")
    expect(made["resources"]["text"] in resources(cluster), f"{made} in {resources(cluster)}")
    expect("eng/search" in made["resources"]["text"], f"the refined: {made}")
    eng, search = [(item["role"], item["type"], item["labels"])
                   for item in made["reservations"][0]["stack"]]
    expect_equal((eng, search), (("eng", "DYNAMIC", {"ticket": "4711", "by": "ops"}),
                                 ("eng/search", "DYNAMIC", {"tier": "gold"})), "the stack")
    known = cluster.rows("agents")[0]["reservations"]
    expect(made["reservations"][0] in known, f"{made['reservations']} in {known}")
    cluster.tepui("unreserve", agent, "cpus:0.5", "--role=eng/search")
    cluster.tepui("unreserve", agent, "cpus:1;mem:64", "--role=eng")
    expect_equal(resources(cluster), before, "the resources after all that")


def refusals_say_what_to_do(cluster):
    agent = small(cluster)
    refused(cluster, "the agent does not have cpus:3", "reserve", agent, "cpus:3", "--role=eng")
    refused(cluster, f"first: tepui reserve {agent} disk:4MB --role=eng", "volume", "create", agent,
            "v", "--role=eng", "--size=4MB", "--path=data", status=3)
    refused(cluster, "has no volume 'v'", "volume", "destroy", agent, "v", status=3)
    refused(cluster, "has no disk at '/mnt/none'", "reserve", agent, "disk:1", "--role=eng",
            "--disk=/mnt/none", status=3)
    refused(cluster, "has nothing of 'cpus' reserved to 'eng'", "unreserve", agent, "cpus:1",
            "--role=eng", status=3)
    refused(cluster, "there is no agent 'nobody'", "reserve", "nobody", "cpus:1", "--role=eng",
            status=3)
    refused(cluster, "expected one like cpus:4", "reserve", agent, "cpus", "--role=eng", status=2)
    refused(cluster, "--role", "reserve", agent, "cpus:1", "--role=a//b", status=2)
    refused(cluster, "needs --path", "volume", "create", agent, "v", "--role=eng", "--size=4MB",
            status=2)
    refused(cluster, "volume cannot 'explode'", "volume", "explode", agent, "v", status=2)
    cluster.tepui("reserve", agent, "disk:10", "--role=eng")
    cluster.tepui("reserve", agent, "disk:10", "--role=ops")
    refused(cluster, "container path '/data' is absolute", "volume", "create", agent, "v",
            "--role=eng", "--size=4MB", "--path=/data")
    cluster.tepui("volume", "create", agent, "v", "--role=eng", "--size=4MB", "--path=data")
    refused(cluster, "role 'eng' has a volume 'v' on this agent already", "volume", "create", agent,
            "v", "--role=eng", "--size=4MB", "--path=data")
    refused(cluster, "the volume has 4 MB, 4 MB cannot be taken off it", "volume", "shrink", agent,
            "v", "--size=4MB")
    cluster.tepui("volume", "create", agent, "v", "--role=ops", "--size=4MB", "--path=data")
    refused(cluster, "add --role", "volume", "destroy", agent, "v", status=2)
    cluster.tepui("volume", "destroy", agent, "v", "--role=ops")
    expect_equal(volumes(cluster), {"v": 4}, "the volumes")


def what_was_made_outlives_master_and_agent(cluster):
    agent = small(cluster)
    cluster.tepui("reserve", agent, "cpus:1;disk:100", "--role=eng")
    cluster.tepui("volume", "create", agent, "data", "--role=eng", "--size=40MB", "--path=data")
    cluster.tepui("volume", "grow", agent, "data", "--size=20MB")
    before = resources(cluster)
    # The command is done when the agent was told; now it is durable there, too.
    node = cluster.agents[0]
    node.wait_event("operation.updated", type="GROW_VOLUME", state="OPERATION_FINISHED")
    cluster.master.kill()
    cluster.start_master(*QUICK)
    wait_until(lambda: cluster.rows("agents"), "the agent to come back")
    expect_equal(resources(cluster), before, "the resources under the next master")
    node.kill()
    node = cluster.restart_agent(node)
    cluster.wait_registered(node)
    wait_until(lambda: [r for r in cluster.rows("agents") if r["state"] == "active"],
               "the agent to register")
    row = [r for r in cluster.rows("agents") if r["state"] == "active"][0]
    expect_equal(sorted(row["resources"]["text"].split("; ")), before,
                 "the resources of the next life of the agent")
    cluster.tepui("volume", "destroy", row["id"], "data")
    cluster.tepui("unreserve", row["id"], "cpus:1;disk:100", "--role=eng")


def an_agent_out_of_use_is_prepared(cluster):
    agent = small(cluster)
    cluster.tepui("deactivate", agent)
    cluster.tepui("reserve", agent, "disk:100", "--role=eng")
    cluster.tepui("drain", agent, "--wait")
    cluster.tepui("volume", "create", agent, "kept", "--role=eng", "--size=64MB", "--path=data")
    row, = cluster.rows("agents")
    expect_equal(row["draining"], "drained", "the agent")
    expect_equal(volumes(cluster), {"kept": 64}, "its volumes")
    cluster.tepui("reactivate", agent)
    status, said = finish(framework(cluster, "eng", "echo ready > data/file"))
    expect_equal(status, 0, said)
    expect("found the volume again" in said, f"the framework should use what was prepared: {said}")


def two_frameworks_share_a_volume_at_once(cluster):
    agent = small(cluster)
    cluster.tepui("reserve", agent, "disk:100", "--role=eng")
    cluster.tepui("volume", "create", agent, "kept", "--role=eng", "--size=64MB", "--path=data",
                  "--shared")
    # Each ends only when it has seen the other: both run at the same time.
    both = [framework(cluster, "eng", f"touch data/{mine}; while ! test -e data/{other} || "
                                      f"! test -e data/go; do sleep 0.05; done")
            for mine, other in (("a", "b"), ("b", "a"))]
    shared = os.path.join(cluster.agents[0].work_dir, "volumes", "roles", "eng", "kept")
    wait_until(lambda: all(os.path.exists(os.path.join(shared, name)) for name in ("a", "b")),
               "both to write")
    wait_until(lambda: len({t["framework_id"] for t in cluster.rows("tasks")
                            if t["state"] == "TASK_RUNNING"}) == 2, "both to be seen running")
    refused(cluster, "volume 'kept' is in use by a task", "volume", "destroy", agent, "kept")
    refused(cluster, "a shared volume cannot be resized", "volume", "shrink", agent, "kept",
            "--size=1MB")
    with open(os.path.join(shared, "go"), "w", encoding="utf-8"):
        pass
    for process in both:
        status, said = finish(process)
        expect_equal(status, 0, said)
    wait_until(lambda: not [t for t in cluster.rows("tasks") if t["state"] == "TASK_RUNNING"],
               "the tasks to end")
    cluster.tepui("volume", "destroy", agent, "kept")
    wait_until(lambda: not os.path.exists(shared), "the volume to be gone")


def a_framework_grows_and_shrinks_its_volume(cluster):
    small(cluster)
    status, said = finish(framework(cluster, "eng", "echo kept > data/file"))
    expect_equal(status, 0, said)
    for command, size in (("grow", 128), ("shrink", 64)):
        status, said = finish(framework(cluster, "eng", command))
        expect(status == 0 and f"{command} is OPERATION_FINISHED" in said, said)
        expect_equal(volumes(cluster), {"kept": size}, f"the volume after {command}")
    status, said = finish(framework(cluster, "eng", "grep kept data/file"))
    expect_equal(status, 0, f"what was in it: {said}")


def answers_about_maintenance_are_listed(cluster):
    small(cluster)
    host = cluster.rows("agents")[0]["hostname"]
    def plan(start):
        schedule = cluster.path("schedule.json")
        with open(schedule, "w", encoding="utf-8") as file:
            json.dump({"window": [{"hosts": [host], "start": start, "duration": "1hrs"}]}, file)
        cluster.tepui("maintenance", "schedule", schedule)
        return told(cluster, "maintenance", "show")[0]

    framework(cluster, "eng", "sleep 1000")
    wait_until(lambda: [t for t in cluster.rows("tasks") if t["state"] == "TASK_RUNNING"],
               "the task to run")
    row = plan("in 2hrs")
    expect_equal(list(row), ["hostname", "mode", "unavailability", "drain", "answers"],
                 "the keys of a machine")
    answer, = wait_until(lambda: told(cluster, "maintenance", "show")[0]["answers"],
                         "the framework to answer")
    task, = [t for t in cluster.rows("tasks") if t["state"] == "TASK_RUNNING"]
    expect_equal((list(answer), answer["agent_id"], answer["framework_id"], answer["accepted"]),
                 (["agent_id", "framework_id", "accepted", "answered_at"], task["agent_id"],
                  task["framework_id"], True), "the answer")
    expect(answer["framework_id"] in cluster.tepui("maintenance", "show").stdout, "people see it")
    cluster.tepui("teardown", task["framework_id"])
    wait_until(lambda: not told(cluster, "maintenance", "show")[0]["answers"],
               "the answer to go with its framework")


if __name__ == "__main__":
    sys.exit(run_tests([
        commands_make_and_undo_reservations_and_volumes,
        operators_refine_and_label_reservations,
        refusals_say_what_to_do,
        what_was_made_outlives_master_and_agent,
        an_agent_out_of_use_is_prepared,
        two_frameworks_share_a_volume_at_once,
        a_framework_grows_and_shrinks_its_volume,
        answers_about_maintenance_are_listed,
    ]))
