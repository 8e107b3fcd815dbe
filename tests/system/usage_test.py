#!/usr/bin/env python3
"""What containers use: agents say it over HTTP, `tepui top` and `tepui stats` show it, and a
recording keeps it, also of an agent that was killed."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, program, run_tests, wait_until  # noqa: E402

SAMPLING = "--sampling-interval=100ms"
BUSY = "while :; do :; done"


def start(cluster, *flags):
    cluster.start_master("--agent-ping-timeout=200ms", "--max-agent-ping-timeouts=3")
    agent = cluster.start_agent(SAMPLING, *flags)
    cluster.wait_registered(agent)
    return agent


def run_pair(cluster):
    """A busy task and an idle one, measured twice at least."""
    cluster.start_tepui("run", "--name=busy", "--cpus=0.5", "--mem=32MB", "--", "sh", "-c", BUSY)
    cluster.start_tepui("run", "--name=idle", "--cpus=0.5", "--mem=32MB", "--", "sleep", "600")
    return wait_until(lambda: measured(cluster), "two tasks with rates")


def top(cluster, *arguments, check=True):
    return json.loads(cluster.tepui("top", "--once", "--json", *arguments, check=check).stdout)


def measured(cluster):
    rows = [row for row in top(cluster)["containers"] if row["cpu_percent"] is not None]
    return rows if len(rows) == 2 else None


def address_of(agent):
    return agent.wait_event("agent.listening")["address"]


def get(agent, target):
    with urllib.request.urlopen(f"http://{address_of(agent)}{target}", timeout=10) as answer:
        return json.load(answer)


def top_and_stats_show_the_busy_task(cluster):
    agent = start(cluster)
    run_pair(cluster)
    busy, idle = wait_until(lambda: [rows for rows in [measured(cluster)]
                                     if rows and rows[0]["cpu_percent"] > 10],
                            "the busy task to be busy")[0]
    expect_equal([busy["tasks"], idle["tasks"]], [["busy"], ["idle"]], "by use of processors")
    expect(idle["cpu_percent"] < 5, f"the idle task uses {idle['cpu_percent']} %")
    expect_equal(busy["hostname"], cluster.rows("agents")[0]["hostname"], "the agent's name")
    by_name = top(cluster, "--sort=name")["containers"]
    expect_equal([row["tasks"] for row in by_name], [busy["tasks"], idle["tasks"]], "by name")
    [only] = top(cluster, "idle")["containers"]
    expect_equal(only["tasks"], idle["tasks"], "with this text")
    expect_equal(top(cluster, "--role=nobody")["containers"], [], "of a role that nobody has")
    lines = cluster.tepui("top", "--once").stdout.splitlines()
    expect_equal(len(lines), 3, "a heading and two tasks")
    expect(lines[0].startswith("TASK") and "CPU%*" in lines[0], lines[0])
    expect(lines[1].startswith(busy["tasks"][0]) and "\033" not in "".join(lines), lines[1])
    expect_equal(len({len(line) for line in lines}), 1, "all lines are of one width")

    wait_until(lambda: len(json.loads(cluster.tepui(
        "stats", busy["tasks"][0], "--json").stdout)["samples"]) > 3, "a history")
    told = json.loads(cluster.tepui("stats", busy["tasks"][0], "--json").stdout)
    expect(told["cpu_percent_peak"] >= told["cpu_percent"] * 0.99, f"its peak: {told}")
    expect(0 <= told["age_secs"] < 10, f"its age: {told['age_secs']}")
    usage = [sample["cpu_usage_ns"] for sample in told["samples"]]
    expect_equal(usage, sorted(usage), "usage only grows")
    text = cluster.tepui("stats", busy["tasks"][0]).stdout
    expect("cpu %" in text and any(mark in text for mark in "▅▆▇█"), text)
    expect_equal(cluster.tepui("stats", "nobody", check=False).returncode, 3, "of no task")
    for bad in (["--sort=size"], ["--agent=nobody"], ["--interval=1ms"]):
        done = cluster.tepui("top", "--once", *bad, check=False)
        expect(done.returncode in (2, 3), f"{bad}: {done.returncode} {done.stderr}")

    # The same over HTTP, under Mesos' names.
    [container] = [one for one in get(agent, "/containers")
                   if one["tasks"][0]["id"] == busy["tasks"][0]]
    statistics = container["statistics"]
    expect(statistics["cpus_user_time_secs"] > 0, f"{statistics}")
    expect_equal(len(get(agent, "/monitor/statistics")), 2, "containers")
    for target, status in (("/nothing", 404), ("/containers?history=x", 400)):
        try:
            get(agent, target)
            expect(False, f"{target} is answered")
        except urllib.error.HTTPError as error:
            expect_equal(error.code, status, target)
    with socket.create_connection(address_of(agent).rsplit(":", 1)) as link:
        link.sendall(b"GET \x00\x00")
        expect(b"400 Bad Request" in link.recv(4096), "no HTTP")
    expect(agent.running(), "the agent goes on")


def an_agent_that_does_not_answer_is_named(cluster):
    agent = start(cluster)
    agent.process.send_signal(signal.SIGSTOP)
    try:
        done = cluster.tepui("--timeout=1secs", "top", "--once", "--json", check=False)
    finally:
        agent.process.send_signal(signal.SIGCONT)
    [silent] = json.loads(done.stdout)["silent_agents"]
    expect(silent["why"], f"it is said why: {silent}")
    expect_equal(done.returncode, 4, "nobody answered")
    expect(silent["agent_id"] in done.stderr, done.stderr)


def top_lives_in_a_terminal_and_leaves_it_as_it_was(cluster):
    start(cluster)
    run_pair(cluster)
    for way_out in (b"q", signal.SIGTERM):
        ours, theirs = pty.openpty()
        process = cluster.keep(subprocess.Popen(
            [program("tepui"), f"--master={cluster.address}", "top", "--interval=100ms"],
            stdin=theirs, stdout=theirs, stderr=subprocess.STDOUT, start_new_session=True))
        shown = b""

        def read_until(mark):
            nonlocal shown
            while mark not in shown:
                ready, _, _ = select.select([ours], [], [], 20)
                expect(ready, f"no {mark} in {shown[-400:]}")
                shown += os.read(ours, 65536)

        read_until(b"idle")
        os.write(ours, b"m")
        read_until(b"MEM*")
        os.write(ours, b"/busy\n")
        read_until(b"1 containers of those asked for")
        if isinstance(way_out, bytes):
            os.write(ours, way_out)
        else:
            process.send_signal(way_out)
        read_until(b"\033[?25h\033[?1049l")
        expect_equal(process.wait(20), 0, "its status")
        os.close(ours)
        os.close(theirs)


def a_recording_survives_the_agent(cluster):
    records = cluster.path("records")
    agent = start(cluster, f"--record={records}")
    busy, idle = run_pair(cluster)
    show = ("recording", "show", "--json", records)
    wait_until(lambda: os.path.isdir(records) and os.listdir(records) and min(
        [one["samples"] for one in json.loads(cluster.tepui(*show).stdout)["containers"]]
        or [0]) > 5, "some samples of both")
    agent.kill()
    told = json.loads(cluster.tepui(*show).stdout)
    [segment] = told["segments"]
    expect_equal(segment["damage"], "", "the damage")
    expect(segment["agent_id"] and segment["boot_id"], f"whose it is: {segment}")
    expect_equal(segment["interval_ns"], 100_000_000, "the interval")
    tasks = {one["tasks"][0]["id"]: one for one in told["containers"]}
    expect_equal(sorted(tasks), [busy["tasks"][0], idle["tasks"][0]], "its tasks")
    expect("cpus:0.5" in tasks[busy["tasks"][0]]["tasks"][0]["resources"], f"{tasks}")

    # The next life adds a segment, and what is torn or damaged costs its own segment only.
    again = cluster.restart_agent(agent)
    cluster.wait_registered(again)
    wait_until(lambda: sum(one["samples"] for one in json.loads(
        cluster.tepui(*show).stdout)["segments"][1:]), "samples in a second segment")
    again.kill()
    first, second = sorted(os.listdir(records))
    with open(os.path.join(records, first), "r+b") as file:
        file.truncate(os.path.getsize(file.name) - 3)
    told = json.loads(cluster.tepui(*show).stdout)
    # The kill may have torn the second, too.
    expect(told["segments"][0]["torn"], f"what is torn: {told['segments']}")
    with open(os.path.join(records, first), "r+b") as file:
        file.seek(os.path.getsize(file.name) // 2)
        file.write(b"\xff" * 64)
    done = cluster.tepui(*show, check=False)
    expect_equal(done.returncode, 1, "the status with damage")
    told = json.loads(done.stdout)
    expect("offset" in told["segments"][0]["damage"], f"{told['segments'][0]}")
    expect(told["segments"][1]["samples"] > 0 and not told["segments"][1]["damage"], second)
    [only] = json.loads(cluster.tepui(*show, "--task", busy["tasks"][0],
                                      check=False).stdout)["containers"]
    expect_equal(only["tasks"][0]["id"], busy["tasks"][0], "the one task")


if __name__ == "__main__":
    sys.exit(run_tests([
        top_and_stats_show_the_busy_task,
        an_agent_that_does_not_answer_is_named,
        top_lives_in_a_terminal_and_leaves_it_as_it_was,
        a_recording_survives_the_agent,
    ]))
