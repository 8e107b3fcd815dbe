#!/usr/bin/env python3
"""The checker of histories can fail: a good history passes, and each way to spoil it is found."""

import copy
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import faults  # noqa: E402
import history  # noqa: E402
from harness import Failure, expect, expect_equal  # noqa: E402


def status(at, state, uuid="", **more):
    return {"event": "status", "at": at, "task": "t", "state": "TASK_" + state, "uuid": uuid,
            **more}


def line(what, at, end=None, pid=7):
    return {"what": what, "task": "t", "pid": pid, "at": at, "status": end}


def good():
    """One task that finishes; its framework is partition-aware and was once cut off."""
    return history.History(
        frameworks={"f": [
            {"event": "begin", "at": 0.5, "life": 1},
            {"event": "subscribed", "at": 1.0, "framework": "F", "epoch": 1},
            {"event": "launch", "at": 2.0, "task": "t", "agent": "A"},
            status(2.5, "RUNNING", "u1"),
            {"event": "subscribed", "at": 3.0, "framework": "F", "epoch": 2},
            status(3.2, "UNREACHABLE"),
            status(3.4, "RUNNING", "u1"),
            status(4.1, "FINISHED", "u2", exit=0),
            status(4.2, "FINISHED", "u2", exit=0)],
            "g": [{"event": "subscribed", "at": 1.0, "framework": "G", "epoch": 1}]},
        tasks=[line("started", 2.2), line("ended", 4.0, 0)],
        elections=[(1, "master1"), (2, "master2")])


def killed():
    """The same, but that the framework killed it."""
    bad = good()
    bad.frameworks["f"][7:] = [{"event": "kill", "at": 3.5, "task": "t"},
                               status(4.1, "KILLED", "u2", exit=143)]
    bad.tasks[1]["status"] = 143
    return bad


def entries(bad):
    return bad.frameworks["f"]


# What is done to a good history, and a word of what must be found.

def a_second_start(bad):
    bad.tasks.insert(1, line("started", 2.9, pid=8))
    return "started 2 times"


def a_second_launch(bad):
    entries(bad).insert(4, {"event": "launch", "at": 2.6, "task": "t", "agent": "B"})
    return "was launched 2 times"


def a_task_that_nobody_launched(bad):
    bad.tasks.append({**line("started", 5.0), "task": "x"})
    return "task x started and nobody launched it"


def a_status_of_a_task_that_nobody_launched(bad):
    entries(bad).append({**status(5.0, "DROPPED"), "task": "x"})
    return "task x is TASK_DROPPED and nobody launched it"


def a_status_that_another_framework_gets(bad):
    bad.frameworks["g"].append(status(4.2, "FINISHED", "u2", exit=0))
    return "g was told of it"


def a_status_before_the_launch(bad):
    entries(bad).insert(2, status(1.5, "UNKNOWN"))
    return "before it was launched"


def finished_while_it_runs(bad):
    bad.tasks[1]["at"] = 4.9
    return "finished, and had ended with []"


def finished_although_it_failed(bad):
    bad.tasks[1]["status"] = 3
    return "finished, and had ended with [3]"


def failed_with_another_status(bad):
    entries(bad)[7:] = [status(4.1, "FAILED", "u2", exit=4)]
    bad.tasks[1]["status"] = 3
    return "failed with 4, and had ended with [3]"


def failed_although_it_finished(bad):
    entries(bad)[7:] = [status(4.1, "FAILED")]
    return "had ended with [0]"


def failed_before_it_started(bad):
    entries(bad)[3:] = [status(4.1, "FAILED", "u2", message="no space left")]
    bad.tasks[:] = []
    return "failed before it started"


def killed_unasked(bad):
    entries(bad)[7:] = [status(4.1, "KILLED", "u2", exit=143)]
    bad.tasks[1]["status"] = 143
    return "nobody had asked for it"


def dropped_and_ran(bad):
    entries(bad)[3:] = [status(4.1, "DROPPED")]
    return "was told to be TASK_DROPPED, and ran"


def two_ends(bad):
    entries(bad).append(status(5.0, "GONE"))
    return "was TASK_FINISHED and then TASK_GONE"


def life_after_the_end(bad):
    entries(bad).append(status(5.0, "RUNNING"))
    return "was TASK_FINISHED and then TASK_RUNNING"


def a_start_after_the_end(bad):
    entries(bad)[3:] = [status(2.1, "GONE")]
    return "was told to be TASK_GONE at 2.10, and started at 2.20"


def an_end_that_is_not_delivered(bad):
    del entries(bad)[7:]
    return "was last heard of as TASK_RUNNING"


def an_agent_that_stays_unreachable(bad):
    del entries(bad)[6:]
    return "was last heard of as TASK_UNREACHABLE"


def a_launch_of_which_nothing_is_heard(bad):
    del entries(bad)[3:]
    bad.tasks[:] = []
    return "was last heard of as None"


def an_end_that_is_lost(bad):
    entries(bad)[7:] = [status(4.1, "LOST")]
    return "its end is TASK_LOST"


def a_running_task_that_is_gone(bad):
    entries(bad)[7:] = [status(4.1, "GONE")]
    del bad.tasks[1]
    return "its end is TASK_GONE"


def an_update_after_a_later_one(bad):
    entries(bad).append(status(4.5, "FINISHED", "u1", exit=0))
    return "again after a later update"


def another_identity(bad):
    entries(bad)[4]["framework"] = "F2"
    return "several identities"


def an_error(bad):
    entries(bad).append({"event": "error", "at": 5.0, "message": "torn down"})
    return "ended by a master"


def an_epoch_that_goes_back(bad):
    entries(bad).append({"event": "subscribed", "at": 5.0, "framework": "F", "epoch": 1})
    return "from epoch 2 back to 1"


def two_leaders_of_an_epoch(bad):
    bad.elections.append((2, "master3"))
    return "epoch 2 had several leaders"


SPOILERS = [
    a_second_start, a_second_launch, a_task_that_nobody_launched,
    a_status_of_a_task_that_nobody_launched, a_status_that_another_framework_gets,
    a_status_before_the_launch, finished_while_it_runs, finished_although_it_failed,
    failed_with_another_status, failed_although_it_finished, failed_before_it_started,
    killed_unasked, dropped_and_ran, two_ends, life_after_the_end, a_start_after_the_end,
    an_end_that_is_not_delivered, an_agent_that_stays_unreachable,
    a_launch_of_which_nothing_is_heard, an_end_that_is_lost, a_running_task_that_is_gone,
    an_update_after_a_later_one, another_identity, an_error, an_epoch_that_goes_back,
    two_leaders_of_an_epoch]


def good_histories_pass():
    lost = good()  # called lost by the old word, and then back
    entries(lost)[5] = status(3.2, "LOST")
    never_sent = good()
    entries(never_sent)[3:] = [status(4.1, "UNKNOWN")]
    never_sent.tasks[:] = []
    no_room = good()
    failed_before_it_started(no_room)
    no_room.disk_was_full = True
    for name, one in [("good", good()), ("killed", killed()), ("lost", lost),
                      ("never sent", never_sent), ("no room", no_room)]:
        expect_equal(history.check(one), [], f"complaints about the history '{name}'")


def every_way_to_spoil_one_is_found():
    for spoil in SPOILERS:
        bad = good()
        wanted = spoil(bad)
        found = history.check(bad)
        expect(any(wanted in sentence for sentence in found),
               f"{spoil.__name__}: expected {wanted!r} among {found}")


def balanced():
    return {
        "agents": [{"id": "A", "hostname": "agent1", "state": "active", "tasks": 1,
                    "allocated": {"cpus": 0.1, "mem": 32.0, "text": "cpus:0.1; mem:32"}},
                   {"id": "B", "hostname": "agent2", "state": "active", "tasks": 0,
                    "allocated": {"text": ""}}],
        "frameworks": [{"id": "F", "name": "f", "allocated": {"cpus": 0.1, "mem": 32.0}}],
        "tasks": [{"id": "t", "agent_id": "A", "framework_id": "F", "state": "TASK_RUNNING",
                   "resources": {"cpus": 0.1, "mem": 32.0, "text": "cpus:0.1; mem:32"}},
                  {"id": "old", "agent_id": "gone", "framework_id": "F", "state": "TASK_FINISHED",
                   "resources": {"cpus": 0.1}}],
        "processes": {"agent1": {"t"}}}


def books_that_do_not_balance_are_found():
    expect_equal(history.check_books(**balanced()), [], "complaints about good books")
    for part, change, wanted in [
            ("agents", lambda a: a[0]["allocated"].update(cpus=0.2), "'cpus': 200"),
            ("agents", lambda a: a[1]["allocated"].update(mem=1), "agent2 has {'mem': 1000}"),
            ("agents", lambda a: a[0].update(tasks=2), "counts 2 tasks, and has 1"),
            ("agents", lambda a: a[1].update(state="unreachable"), "agent2 is unreachable"),
            ("agents", lambda a: a.pop(0), "on agent A, which is not there"),
            ("frameworks", lambda f: f[0].update(allocated={}), "framework f has {}"),
            ("tasks", lambda t: t[0].update(state="TASK_STAGING"), "is TASK_STAGING in the books"),
            ("processes", lambda p: p.pop("agent1"), "agent1 runs []"),
            ("processes", lambda p: p.update(agent2={"x"}), "agent2 runs ['x']")]:
        books = copy.deepcopy(balanced())
        change(books[part])
        found = history.check_books(**books)
        expect(any(wanted in sentence for sentence in found), f"expected {wanted!r} among {found}")


def a_seed_is_a_plan():
    groups = {"masters": ["master1", "master2"], "agents": ["agent1", "agent2"],
              "servers": ["zk1", "zk2", "zk3"]}
    one, again, other = [faults.plan(seed, 600, groups, ["agent1"]) for seed in (5, 5, 6)]
    expect_equal(one, again, "two plans of one seed")
    expect(one != other, "two seeds have one plan")
    expect_equal({fault.kind for fault in one}, {"kill", "stop", "cut", "cut_one_way", "full_disk"},
                 "kinds of faults in ten minutes")
    expect(all(not set(fault.targets) & set(fault.others) for fault in one), "a node cut off itself")


def main():
    tests = [good_histories_pass, every_way_to_spoil_one_is_found,
             books_that_do_not_balance_are_found, a_seed_is_a_plan]
    print(f"1..{len(tests)}")
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__.replace('_', ' ')}")
        except Failure as failure:
            failed += 1
            print(f"not ok {number} - {test.__name__.replace('_', ' ')}\n# {failure}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
