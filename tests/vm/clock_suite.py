"""A clock that jumps: what was promised for a span of time is kept, whatever the time of day."""

import time

from containers import Limited, expect_alive, mount_disk, start_agent
from harness import expect, expect_equal, wait_until

DAY = 86400.0
YEAR = 365 * DAY


def start(cluster):
    mount_disk()
    cluster.start_master("--allocation-interval=200ms", "--agent-ping-timeout=2secs",
                         "--max-agent-ping-timeouts=3")
    cluster.wait_registered(start_agent(cluster, "hard", resources="cpus:8;mem:1GB"))


class Stepped:
    """The clock is so many seconds off, and right again afterwards."""

    def __init__(self, seconds):
        self._seconds = seconds

    def __enter__(self):
        self._right = time.time() - time.monotonic()
        time.clock_settime(time.CLOCK_REALTIME, time.time() + self._seconds)

    def __exit__(self, *_):
        time.clock_settime(time.CLOCK_REALTIME, self._right + time.monotonic())


def expect_nobody_was_given_up(cluster):
    given_up = [event for event in cluster.master.events if event.get("event") == "agent.unreachable"]
    expect_equal(given_up, [], "agents that were given up")


def tasks_outlive_steps_of_the_clock(cluster):
    steady = Limited(cluster, "steady", "sleep 1000", "--cpus=0.1").wait_running()
    for seconds in (DAY, -YEAR):
        with Stepped(seconds):
            expect_alive(cluster)
            time.sleep(8)  # what must not happen has more than three ping timeouts to do so
            expect_alive(cluster)
            expect_nobody_was_given_up(cluster)
        expect_alive(cluster)
    expect_equal(steady.row()["state"], "TASK_RUNNING", "the task that ran all the time")
    steady.kill("--grace=0secs")
    steady.expect_gone()


def spans_of_time_are_as_long_as_they_were_promised(cluster):
    limited = Limited(cluster, "limited", "sleep 1000", "--cpus=0.1",
                      "--max-completion-time=20secs").wait_running()
    began = time.monotonic()
    with Stepped(DAY):
        expect_alive(cluster)
        expect_equal(limited.row()["state"], "TASK_RUNNING", "a task with time left")
    with Stepped(-YEAR):
        row = limited.wait_ended()
    took = time.monotonic() - began
    expect_equal(row["reason"], "REASON_MAX_COMPLETION_TIME_REACHED", "why it ended")
    expect(took > 10, f"it ended after {took:.1f} s of 20")


def a_restart_in_another_year_takes_up_what_runs(cluster):
    steady = Limited(cluster, "kept", "sleep 1000", "--cpus=0.1").wait_running()
    cluster.agents[0].kill()
    with Stepped(YEAR):
        again = cluster.restart_agent(cluster.agents[0])
        again.hostname = "hard"
        expect_equal(again.wait_event("agent.recovered")["containers"], "1", "containers taken up")
        cluster.wait_registered(again)
        wait_until(lambda: steady.row()["state"] == "TASK_RUNNING", "the task to be known to run")
    steady.kill("--grace=0secs")
    steady.expect_gone()


TESTS = [
    tasks_outlive_steps_of_the_clock,
    spans_of_time_are_as_long_as_they_were_promised,
    a_restart_in_another_year_takes_up_what_runs,
]
