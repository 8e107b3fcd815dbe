#!/usr/bin/env python3
"""Persistent volumes: real data, written by a task, survives whatever ends; others do not see it."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (  # noqa: E402
    Failure, expect, expect_equal, program, run_tests, wait_until)

QUICK = ("--agent-ping-timeout=200ms", "--max-agent-ping-timeouts=3")
VOLUME = ("volumes", "roles", "eng", "kept")


def start(cluster, role, command):
    process = subprocess.Popen(
        [program("volume-framework"), cluster.address, role, command], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    cluster.keep(process)
    return process


def run(cluster, role, command, seconds=40):
    process = start(cluster, role, command)
    try:
        out, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
        raise Failure(f"volume-framework {command!r} did not end: {out} {errors}") from None
    return process.returncode, out + errors


def content(agent, name):
    try:
        with open(os.path.join(agent.work_dir, *VOLUME, name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def data_survives_the_task_the_agent_the_master_and_the_framework(cluster):
    master = cluster.start_master(*QUICK)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    # The task writes, and then everything is killed while it runs.
    first = start(cluster, "eng", "echo precious > data/file; sync; touch data/ready; sleep 1000")
    wait_until(lambda: content(agent, "ready") is not None, "the task to write")
    first.kill()
    agent.kill()
    master.kill()
    first.communicate()
    cluster.start_master(*QUICK)
    work_dir = agent.work_dir
    agent = cluster.restart_agent(agent)
    agent.work_dir = work_dir
    cluster.wait_registered(agent)
    # The task outlived agent, master and framework; only an operator can end it now.
    first_task = wait_until(lambda: [row["id"] for row in cluster.rows("tasks")
                                     if row["state"] == "TASK_RUNNING"], "the task to be back")[0]
    cluster.tepui("kill", first_task, "--grace=0secs")
    wait_until(lambda: not [row for row in cluster.rows("tasks")
                            if row["state"] in ("TASK_RUNNING", "TASK_KILLING")],
               "the first task to end")
    status, said = run(cluster, "eng", "grep precious data/file && echo again >> data/file")
    expect_equal(status, 0, f"the second task's status: {said}")
    expect("found the volume again" in said, f"it should be the same volume: {said}")
    expect_equal(content(agent, "file"), "precious\nagain\n", "the content of the volume")


def another_role_does_not_see_it(cluster):
    cluster.start_master(*QUICK)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    status, said = run(cluster, "eng", "echo secret > data/file")
    expect_equal(status, 0, said)
    status, said = run(cluster, "ops", "test ! -e data/file")
    expect_equal(status, 0, f"another role has a volume of its own: {said}")
    expect("found the volume again" not in said, f"ops found what eng made: {said}")
    expect_equal(content(agent, "file"), "secret\n", "eng's data")


def what_is_destroyed_is_gone_and_its_disk_is_free_again(cluster):
    cluster.start_master(*QUICK)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    status, said = run(cluster, "eng", "echo old > data/file")
    expect_equal(status, 0, said)
    status, said = run(cluster, "eng", "destroy")
    expect_equal(status, 0, said)
    expect("destroy is OPERATION_FINISHED" in said, said)
    expect(not os.path.exists(os.path.join(agent.work_dir, *VOLUME)), "the data is still there")
    status, said = run(cluster, "eng", "test ! -e data/file")
    expect_equal(status, 0, f"a volume of the same name begins empty: {said}")


def a_restarted_agent_refuses_to_lose_what_is_reserved(cluster):
    cluster.start_master(*QUICK)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    status, said = run(cluster, "eng", "true")
    expect_equal(status, 0, said)
    agent.end()  # it is somebody new then, and the reservations are still there
    arguments = cluster.agent_arguments(
        agent, "--resources=cpus:2;mem:1GB;disk:10;ports:[31000-32000]")
    done = subprocess.run([program("tepui-agent"), *arguments],
                          capture_output=True, text=True, timeout=30, check=False)
    expect(done.returncode != 0 and "lack disk:54" in done.stderr,
           f"it should say what is missing: {done.stderr}")


def a_corrupt_checkpoint_is_named(cluster):
    cluster.start_master(*QUICK)
    agent = cluster.start_agent()
    cluster.wait_registered(agent)
    status, said = run(cluster, "eng", "true")
    expect_equal(status, 0, said)
    agent.terminate()
    path = os.path.join(agent.work_dir, "meta", "resources")
    with open(path, "r+b") as file:
        file.seek(40)
        byte = file.read(1)
        file.seek(40)
        file.write(bytes([byte[0] ^ 1]))
    done = subprocess.run([program("tepui-agent"), *cluster.agent_arguments(agent)],
                          capture_output=True, text=True, timeout=30,
                          check=False)
    expect(done.returncode != 0 and path in done.stderr and "checksum" in done.stderr,
           f"it should name the file: {done.stderr}")


if __name__ == "__main__":
    sys.exit(run_tests([
        data_survives_the_task_the_agent_the_master_and_the_framework,
        another_role_does_not_see_it,
        what_is_destroyed_is_gone_and_its_disk_is_free_again,
        a_restarted_agent_refuses_to_lose_what_is_reserved,
        a_corrupt_checkpoint_is_named,
    ]))
