#!/usr/bin/env python3
"""A master that kept a journal is run again from it, whatever happened to it and to its end."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, run_tests, wait_until  # noqa: E402

QUICK = ("--agent-ping-timeout=200ms", "--max-agent-ping-timeouts=3")


def live(cluster, *flags):
    """A short, eventful life; the directory of its journals."""
    journals = cluster.path("journals")
    cluster.start_master(*QUICK, f"--journal={journals}", *flags)
    first = cluster.start_agent()
    second = cluster.start_agent()
    cluster.wait_registered(first)
    cluster.wait_registered(second)
    cluster.tepui("run", "--instances=6", "--cpus=0.5", "--mem=32MB", "--", "true")
    cluster.tepui("quota", "set", "eng", "--limit=cpus:1")
    cluster.tepui("weights", "set", "eng=3")
    cluster.start_tepui("run", "--cpus=0.5", "--mem=32MB", "--", "sleep", "600")
    wait_until(lambda: [row for row in cluster.rows("tasks") if row["state"] == "TASK_RUNNING"],
               "a task to run")
    first.kill()
    wait_until(lambda: [row for row in cluster.rows("agents") if row["state"] == "unreachable"],
               "an agent to be unreachable")
    return journals


def replay(cluster, *arguments, check=True):
    done = cluster.tepui("replay", "--json", *arguments, check=check)
    return json.loads(done.stdout)


def a_master_that_ended_is_run_again_to_the_same_outputs(cluster):
    journals = live(cluster)
    expect_equal(cluster.master.terminate(), 0, "the master's status")
    [replayed] = replay(cluster, journals)
    expect(replayed["same"], replayed["difference"])
    expect(replayed["turns"] > 20 and not replayed["torn"], f"a whole journal: {replayed}")
    said = cluster.tepui("replay", "--events", journals).stdout
    for event in ("master.elected", "agent.added", "task.added", "agent.unreachable",
                  "all with the same outputs"):
        expect(event in said, f"{event} is not in the replay")


def an_agent_is_run_again_from_its_lives(cluster):
    journals = cluster.path("journals")
    cluster.start_master(*QUICK)
    agent = cluster.start_agent(f"--journal={journals}")
    cluster.wait_registered(agent)
    cluster.tepui("run", "--instances=3", "--cpus=0.5", "--mem=32MB", "--", "true")
    cluster.start_tepui("run", "--cpus=0.5", "--mem=32MB", "--", "sleep", "600")
    wait_until(lambda: [row for row in cluster.rows("tasks") if row["state"] == "TASK_RUNNING"],
               "a task to run")
    agent.kill()
    cluster.wait_registered(cluster.restart_agent(agent))
    task, = [row for row in cluster.rows("tasks") if row["state"] == "TASK_RUNNING"]
    cluster.tepui("kill", task["id"], "--framework", task["framework_id"])
    wait_until(lambda: not [row for row in cluster.rows("tasks")
                            if row["state"] == "TASK_RUNNING"], "the task to end")
    cluster.agents[-1].kill()
    lives = replay(cluster, journals)
    expect_equal([(life["core"], life["same"], life["difference"]) for life in lives],
                 [("agent", True, "")] * 2, "both lives")
    expect(all(life["turns"] > 5 for life in lives), f"whole journals: {lives}")
    said = cluster.tepui("replay", "--events", journals).stdout
    for event in ("agent.recovered", "container.started", "TASK_KILLED",
                  "all with the same outputs"):
        expect(event in said, f"{event} is not in the replay")


def a_master_that_was_killed_is_run_again_and_stops_where_asked(cluster):
    journals = live(cluster)
    cluster.master.kill()
    [whole] = replay(cluster, journals)
    expect(whole["same"], whole["difference"])
    [part] = replay(cluster, journals, "--until=60")
    expect(part["stopped"] and part["records"] == 60, f"it should stop: {part}")
    lines = cluster.tepui("replay", "--inputs", "--until=60", journals).stdout.splitlines()
    expect_equal(sum(line.lstrip()[0].isdigit() for line in lines), 60, "lines of inputs")


def a_second_life_has_a_journal_of_its_own(cluster):
    journals = live(cluster)
    cluster.master.kill()
    cluster.start_master(*QUICK, f"--journal={journals}")
    wait_until(lambda: cluster.rows("agents"), "the registry's agents")
    cluster.master.terminate()
    both = replay(cluster, journals)
    expect_equal([one["same"] for one in both], [True, True], "both lives")
    done = cluster.tepui("replay", "--until=5", journals, check=False)
    expect(done.returncode == 2 and "name one of them" in done.stderr, done.stderr)


def what_was_damaged_is_named(cluster):
    journals = live(cluster)
    cluster.master.terminate()
    [name] = os.listdir(journals)
    path = os.path.join(journals, name)
    with open(path, "r+b") as file:
        file.seek(3000)
        byte = file.read(1)
        file.seek(3000)
        file.write(bytes([byte[0] ^ 1]))
    done = cluster.tepui("replay", path, check=False)
    expect_equal(done.returncode, 1, "the status for a damaged journal")
    expect("damaged at offset" in done.stdout, done.stdout)
    done = cluster.tepui("replay", cluster.path("nothing"), check=False)
    expect(done.returncode == 3 and "cannot find" in done.stderr, done.stderr)
    with open(path, "wb"):
        pass  # of a program that was killed at once
    [replayed] = replay(cluster, path)
    expect_equal((replayed["same"], replayed["records"]), (True, 0), "an empty journal")


def a_journal_at_its_bound_ends_and_the_master_goes_on(cluster):
    journals = live(cluster, "--journal-bytes=10KB")
    cluster.master.wait_event("journal.ended")
    cluster.master.terminate()
    [replayed] = replay(cluster, journals)
    expect(replayed["same"], replayed["difference"])


if __name__ == "__main__":
    sys.exit(run_tests([
        a_master_that_ended_is_run_again_to_the_same_outputs,
        a_master_that_was_killed_is_run_again_and_stops_where_asked,
        an_agent_is_run_again_from_its_lives,
        a_second_life_has_a_journal_of_its_own,
        what_was_damaged_is_named,
        a_journal_at_its_bound_ends_and_the_master_goes_on,
    ]))
