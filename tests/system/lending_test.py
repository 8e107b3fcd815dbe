#!/usr/bin/env python3
"""Guarantees that nobody uses, lent as revocable resources and taken back, by real processes."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, run_tests, wait_until  # noqa: E402

LENT = "allocator/mesos/resources/cpus/lent"
OFFERED = "allocator/mesos/resources/cpus/lent_offered"
RECALLS = "allocator/mesos/recalls"


def promised(cluster, *flags):
    """One agent, all of it guaranteed to a role that has no framework."""
    cluster.start_master(*flags)
    cluster.wait_registered(cluster.start_agent(resources="cpus:2;mem:1GB"))
    cluster.tepui("quota", "set", "eng", "--guarantee=cpus:2;mem:1GB")


def running(cluster):
    return {row["id"]: row for row in cluster.rows("tasks") if row["state"] == "TASK_RUNNING"}


def framework_of_role(cluster, role):
    rows = [row for row in cluster.rows("frameworks") if role in row["roles"]]
    return rows[0]["id"] if rows else None


def why(cluster, role):
    framework = wait_until(lambda: framework_of_role(cluster, role), f"a framework of {role}")
    return str(json.loads(cluster.tepui("why", framework, role, "--json").stdout))


def what_is_guaranteed_and_not_used_runs_revocable_tasks(cluster):
    promised(cluster, "--lend-guarantees")
    cluster.start_tepui("run", "--name=borrower", "--revocable", "--cpus=1.5", "--mem=64MB",
                        "--role=night", "--", "sleep", "1000")
    wait_until(lambda: "borrower" in running(cluster), "the borrower to run")
    expect("1.5 revocable" in str(running(cluster)["borrower"]),
           f"the borrower runs on {running(cluster)['borrower']}")
    expect("cpus:1.5" in cluster.tepui("agents").stdout, "the agents do not show what is lent")
    wait_until(lambda: cluster.metrics().get(LENT) == 1.5, "the metrics to show what is lent")

    # Who does not take revocable resources gets none of it, and the guaranteed no more than is
    # left: what runs is not taken back.
    cluster.start_tepui("run", "--name=other", "--role=day", "--cpus=0.5", "--", "true")
    wait_until(lambda: "held back" in why(cluster, "day"), "why to name the guarantee")
    eng = cluster.start_tepui("run", "--name=eng", "--role=eng", "--cpus=2", "--mem=512MB", "--",
                              "echo", "mine")
    wait_until(lambda: "refused" in why(cluster, "eng") or "lent" in why(cluster, "eng"),
               "why to say what the role waits for")
    cluster.tepui("kill", "borrower", "--grace=1secs")
    out, _ = eng.communicate(timeout=30)
    expect_equal(out, "mine\n", "what the guaranteed role ran")


def offers_of_what_is_lent_are_rescinded_for_the_guaranteed(cluster):
    promised(cluster, "--lend-guarantees")
    # It never gets enough; stopped, it keeps the offer that comes next.
    greedy = cluster.start_tepui("run", "--name=greedy", "--revocable", "--cpus=64",
                                 "--role=night", "--", "true")
    wait_until(lambda: framework_of_role(cluster, "night"), "the borrower to subscribe")
    os.kill(greedy.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: cluster.metrics().get(OFFERED) == 2, "all to be lent and offered")
        done = cluster.tepui("run", "--name=eng", "--role=eng", "--cpus=2", "--mem=512MB", "--",
                             "echo", "mine")
        expect_equal(done.stdout, "mine\n", "what the guaranteed role ran")
        expect(cluster.metrics()[RECALLS] >= 1, "nothing was recalled")
    finally:
        os.kill(greedy.pid, signal.SIGCONT)


def without_the_flag_nothing_is_lent(cluster):
    promised(cluster)
    cluster.start_tepui("run", "--name=borrower", "--revocable", "--cpus=1", "--role=night", "--",
                        "true")
    wait_until(lambda: "held back" in why(cluster, "night"), "why to name the guarantee")
    expect_equal(cluster.metrics().get(LENT, 0), 0, "what is lent")
    expect_equal(cluster.metrics()["allocator/mesos/loans"], 0, "the loans")


if __name__ == "__main__":
    sys.exit(run_tests([
        what_is_guaranteed_and_not_used_runs_revocable_tasks,
        offers_of_what_is_lent_are_rescinded_for_the_guaranteed,
        without_the_flag_nothing_is_lent,
    ]))
