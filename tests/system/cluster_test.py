#!/usr/bin/env python3
"""A small cluster of real processes does its job: runs, lists, kills, logs, batches, examples."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (  # noqa: E402
    BUILD, ROOT, Failure, expect, expect_equal, program, run_tests, wait_until)


def small(cluster, agents=1, **options):
    cluster.start_master()
    for _ in range(agents):
        cluster.wait_registered(cluster.start_agent(**options))


def run_streams_output_and_ends_with_the_status_of_its_command(cluster):
    small(cluster)
    done = cluster.tepui("run", "--cpus=0.1", "--mem=32MB", "--", "sh", "-c",
                         "echo to stdout; echo to stderr >&2; exit 7", check=False)
    expect_equal(done.returncode, 7, "the status")
    expect_equal(done.stdout, "to stdout\n", "standard output")
    expect("to stderr\n" in done.stderr, f"standard error: {done.stderr!r}")


def run_passes_the_environment_and_a_signal_shows_in_the_status(cluster):
    small(cluster)
    done = cluster.tepui("run", "--env=COLOUR=dark blue", "--", "sh", "-c",
                         "echo $COLOUR; echo $TEPUI_TASK_ID; pwd; echo $MESOS_SANDBOX")
    lines = done.stdout.splitlines()
    expect_equal(lines[:2], ["dark blue", "run"], "the environment")
    expect_equal(lines[2], lines[3], "the working directory is the sandbox")
    done = cluster.tepui("run", "--", "sh", "-c", "kill -SEGV $$", check=False)
    expect_equal(done.returncode, 128 + 11, "the status after SIGSEGV")


def instances_run_side_by_side_and_their_lines_are_prefixed(cluster):
    small(cluster, agents=2)
    done = cluster.tepui("run", "--instances=5", "--cpus=0.5", "--", "echo", "hello")
    expect_equal(sorted(done.stdout.splitlines()), [f"[run-{i}] hello" for i in range(5)],
                 "the output")


def a_task_is_born_in_a_cgroup_of_its_own(cluster):
    small(cluster)
    running = cluster.start_tepui("run", "--name=seen", "--", "sh", "-c",
                                  "cat /proc/self/cgroup; sleep 4321")
    wait_until(lambda: processes_with("4321"), "the task to run")
    # From outside; inside, it is the root of all cgroups.
    with open(f"/proc/{processes_with('4321')[-1]}/cgroup", encoding="ascii") as file:
        outside = file.read().splitlines()[-1]
    expect(cluster.cgroups[0] in outside and "container-" in outside,
           f"the task's cgroup is not below {cluster.cgroups[0]}: {outside}")
    cluster.tepui("kill", "seen")
    printed, _ = running.communicate(timeout=20)
    expect("0::/\n" in printed, f"the task sees other cgroups than its own: {printed}")


def kill_ends_a_task_and_its_whole_tree(cluster):
    small(cluster)
    running = cluster.start_tepui("run", "--name=stubborn", "--", "sh", "-c",
                                  "trap '' TERM; setsid sleep 1234 & setsid sleep 1235 & wait; "
                                  "sleep 1236")
    wait_until(lambda: [row for row in cluster.rows("tasks") if row["state"] == "TASK_RUNNING"],
               "the task to run")
    wait_until(lambda: processes_with("1234") and processes_with("1235"), "its children to run")
    cluster.tepui("kill", "stubborn", "--grace=100ms")
    running.communicate(timeout=20)
    expect_equal(running.returncode, 128 + 9, "the status of the killed run")
    row = [row for row in cluster.rows("tasks") if row["id"] == "stubborn"][0]
    expect_equal(row["state"], "TASK_KILLED", "the state")
    wait_until(lambda: not processes_with("1234") and not processes_with("1235"),
               "the rest of the tree to be killed", 5)


def processes_with(argument):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[:1] == ["sleep"] and argument in words:
            found.append(int(pid))
    return found


def kill_of_an_unknown_task_says_so(cluster):
    small(cluster)
    done = cluster.tepui("kill", "nobody", check=False)
    expect_equal(done.returncode, 3, "the status")
    expect("there is no task 'nobody'" in done.stderr, done.stderr)


def logs_follow_a_task_until_it_ends(cluster):
    small(cluster)
    fifo = cluster.path("go")
    os.mkfifo(fifo)
    running = cluster.start_tepui("run", "--name=writer", "--", "sh", "-c",
                                  f"echo first; cat {fifo}; echo last")
    wait_until(lambda: cluster.rows("tasks") and
               cluster.rows("tasks")[0]["state"] == "TASK_RUNNING", "the task to run")
    following = cluster.start_tepui("logs", "-f", "writer")
    expect_equal(following.stdout.readline(), "first\n", "the first line")
    with open(fifo, "w", encoding="ascii") as gate:
        gate.write("through the gate\n")
    out, _ = following.communicate(timeout=20)
    expect_equal(out, "through the gate\nlast\n", "the rest")
    expect_equal(following.returncode, 0, "the status of logs")
    running.communicate(timeout=20)
    expect_equal(cluster.tepui("logs", "writer").stdout, "first\nthrough the gate\nlast\n",
                 "the whole file afterwards")


def batch_runs_a_toml_file_and_counts_what_did_not_finish(cluster):
    small(cluster, agents=2)
    path = cluster.path("jobs.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write('role = "night"\ncpus = 0.25\nmem = "32MB"\n'
                   '[[task]]\nname = "many"\ncommand = "echo $TEPUI_TASK_ID"\ninstances = 20\n'
                   '[[task]]\nname = "bad"\ncommand = ["false"]\n')
    out = cluster.path("out")
    done = cluster.tepui("batch", path, "--json", "--output", out, check=False)
    expect_equal(done.returncode, 1, f"the status ({done.stderr.strip()})")
    summary = json.loads(done.stdout)
    expect_equal(summary["states"], {"TASK_FAILED": 1, "TASK_FINISHED": 20}, "the states")
    for number in range(20):
        with open(f"{out}/many-{number}.stdout", encoding="utf-8") as file:
            expect_equal(file.read(), f"many-{number}\n", "an output")
    bad = [task for task in summary["tasks"] if task["name"] == "bad"][0]
    expect_equal(bad["exit_status"], 1, "the exit status of false")


def batch_refuses_a_bad_file_with_its_line(cluster):
    path = cluster.path("jobs.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write('cpus = 0.25\n[[task]]\ncommand = "true"\nmemory = 3\n')
    cluster.address = "127.0.0.1:1"
    done = cluster.tepui("batch", path, check=False)
    expect_equal(done.returncode, 2, "the status")
    expect(f"{path}:4: a task has no key 'memory'" in done.stderr, done.stderr)


def tables_and_json_tell_the_same(cluster):
    small(cluster, agents=2)
    cluster.tepui("run", "--name=once", "--", "true")
    agents = cluster.rows("agents")
    expect_equal([row["state"] for row in agents], ["active", "active"], "agents")
    text = cluster.tepui("agents").stdout
    for row in agents:
        expect(row["id"] in text, f"{row['id']} is missing in the table")
    one = cluster.rows("agents", agents[0]["id"])
    expect_equal([row["id"] for row in one], [agents[0]["id"]], "get by id")
    done = cluster.tepui("agents", "nobody", check=False)
    expect_equal(done.returncode, 3, "the status of a get that finds nothing")
    tasks = cluster.rows("tasks")
    expect_equal([(row["id"], row["state"]) for row in tasks], [("once", "TASK_FINISHED")], "tasks")
    wait_until(lambda: not cluster.rows("roles"), "the role of a framework that left to go")
    expect_equal(cluster.rows("frameworks")[0]["state"], "completed", "the framework")
    metrics = cluster.metrics()
    expect_equal(metrics["master/elected"], 1, "master/elected")
    expect_equal(metrics["master/slaves_active"], 2, "master/slaves_active")
    expect_equal(metrics["master/tasks_finished"], 1, "master/tasks_finished")
    expect(metrics["allocator/mesos/allocation_runs"] > 0, "no allocation runs were counted")


def watch_prints_what_changes(cluster):
    small(cluster)
    watching = cluster.start_tepui("tasks", "--watch", "--json")
    expect_equal(watching.stdout.readline(), "[]\n", "the snapshot")
    cluster.tepui("run", "--name=seen", "--", "true")
    states = []
    while "TASK_FINISHED" not in states:
        change = json.loads(watching.stdout.readline())
        states += [row["state"] for row in change.get("tasks", []) if row["id"] == "seen"]
    expect("TASK_STAGING" in states or "TASK_RUNNING" in states, f"states seen: {states}")


def the_example_framework_is_under_100_lines_and_works(cluster):
    small(cluster)
    with open(os.path.join(ROOT, "sdk/examples/hello_framework.cc"), encoding="utf-8") as file:
        lines = len(file.readlines())
    expect(lines < 100, f"the example has {lines} lines")
    done = subprocess.run([os.path.join(BUILD, "sdk/hello-framework"), cluster.address, "6",
                           "echo $MESOS_SANDBOX"], capture_output=True, text=True, timeout=60,
                          check=False)
    expect_equal(done.returncode, 0, f"the status ({done.stderr})")
    expect_equal(done.stdout.count("TASK_FINISHED"), 6, "finished tasks")


def requests_become_control_files_where_controllers_exist(cluster):
    small(cluster)
    agent = cluster.rows("agents")[0]
    done = cluster.tepui("run", "--cpus=0.5", "--mem=64MB", "--", "sh", "-c",
                         "sleep 0; cat /proc/self/cgroup")
    expect(done.stdout, "the task printed nothing")
    missing = {"cpu", "memory", "pids"} - set(agent["controllers"])
    said = " ".join(agent["degraded"])
    for controller in missing:
        expect(controller in said, f"the agent lacks {controller} and does not say so: {said!r}")


def an_agent_does_not_start_with_an_isolator_that_nobody_knows(cluster):
    cluster.start_master()
    try:
        agent = cluster.start_agent("--isolation=rdma")
        agent.process.wait(20)
    except Failure as failure:
        raise Failure(f"the agent started: {failure}") from None
    expect_equal(agent.process.returncode, 2, "the agent's exit status")


def programs_refuse_bad_usage_with_one_line_and_start_nothing(cluster):
    cluster.start_master()
    free = cluster.path("free-registry")
    cases = [
        ("tepui-master", ["--registry=file:" + free, "--no-such-flag"], "--no-such-flag"),
        ("tepui-master", ["--registry=file:" + free, "--offer-timeout=soon"], "offer-timeout"),
        ("tepui-master", ["--registry=file:" + free, "--weights=a=0"], "--weights"),
        ("tepui-master", ["--registry=file:" + free, "--agent-removal-rate-limit=0/1secs"],
         "NUMBER/DURATION"),
        ("tepui-master", ["--registry=file:" + free, "--recovery-agent-removal-limit=120%"],
         "from 0 to 100"),
        ("tepui-master", ["--registry=file:" + free, "--config=/no/such/file"], "/no/such/file"),
        ("tepui-master", ["--registry=file:" + free, f"--listen={cluster.address}"], "in use"),
        ("tepui-master", ["--registry=file:" + cluster.path("registry"),
                          "--listen=127.0.0.1:0"], "in use by another"),
        ("tepui-master", [], "--registry"),
        ("tepui-agent", ["--master=127.0.0.1:1", "--work-dir=" + cluster.path("w"),
                         "--resources=cpus:-1"], "resources"),
        ("tepui", ["frobnicate"], "frobnicate"),
        ("tepui", ["run", "--cpus=lots", "--", "true"], "cpus"),
    ]
    for name, flags, mentioned in cases:
        done = subprocess.run([program(name), *flags], capture_output=True, text=True, timeout=20,
                              check=False, stdin=subprocess.DEVNULL)
        expect_equal(done.returncode, 2, f"{name} {flags}: {done.stderr}")
        lines = done.stderr.strip().splitlines()
        expect_equal(len(lines), 1, f"lines of {name} {flags}: {lines}")
        expect(mentioned in lines[0], f"{name} {flags} does not mention {mentioned}: {lines[0]}")
    expect(not os.path.exists(free), "a refused master made its registry all the same")


def a_toml_file_configures_with_the_names_of_the_flags(cluster):
    path = cluster.path("master.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write('offer-timeout = "7secs"\n[weights]\ngold = 2\nsilver = 0.5\n')
    cluster.start_master(f"--config={path}")
    cluster.wait_registered(cluster.start_agent())
    weights = {row["name"]: row["weight"] for row in cluster.rows("roles")}
    expect_equal(weights, {"gold": 2.0, "silver": 0.5}, "the weights")
    bad = cluster.path("bad.toml")
    with open(bad, "w", encoding="utf-8") as file:
        file.write('\nofer-timeout = "7secs"\n')
    done = subprocess.run([program("tepui-master"), f"--config={bad}", "--registry=file:/tmp/x"],
                          capture_output=True, text=True, check=False)
    expect_equal(done.returncode, 2, "the status")
    expect(f"{bad}:2" in done.stderr and "ofer-timeout" in done.stderr, done.stderr)


def version_names_the_commit_and_help_teaches(_cluster):
    for name in ("tepui-master", "tepui-agent", "tepui"):
        version = subprocess.run([program(name), "--version"], capture_output=True, text=True,
                                 check=True).stdout
        expect("commit" in version, f"{name} --version says {version!r}")
        text = subprocess.run([program(name), "--help"], capture_output=True, text=True,
                              check=True).stdout
        expect("Examples" in text and "Default" in text, f"{name} --help teaches little")


def everything_ends_cleanly_when_it_is_told_to(cluster):
    small(cluster)
    cluster.start_tepui("run", "--name=long", "--", "sleep", "4321")
    wait_until(lambda: processes_with("4321"), "the task to run")
    expect_equal(cluster.agents[0].end(), 0, "the agent's status")
    expect(not processes_with("4321"), "the task outlived its agent's SIGUSR1")
    expect_equal(cluster.master.terminate(), 0, "the master's status")


if __name__ == "__main__":
    sys.exit(run_tests([
        run_streams_output_and_ends_with_the_status_of_its_command,
        run_passes_the_environment_and_a_signal_shows_in_the_status,
        instances_run_side_by_side_and_their_lines_are_prefixed,
        a_task_is_born_in_a_cgroup_of_its_own,
        kill_ends_a_task_and_its_whole_tree,
        kill_of_an_unknown_task_says_so,
        logs_follow_a_task_until_it_ends,
        batch_runs_a_toml_file_and_counts_what_did_not_finish,
        batch_refuses_a_bad_file_with_its_line,
        tables_and_json_tell_the_same,
        watch_prints_what_changes,
        the_example_framework_is_under_100_lines_and_works,
        requests_become_control_files_where_controllers_exist,
        an_agent_does_not_start_with_an_isolator_that_nobody_knows,
        programs_refuse_bad_usage_with_one_line_and_start_nothing,
        a_toml_file_configures_with_the_names_of_the_flags,
        version_names_the_commit_and_help_teaches,
        everything_ends_cleanly_when_it_is_told_to,
    ]))
