"""What the other suites stand on: the kernel, its controllers, and a cluster that runs a task."""

import os

from harness import expect, expect_equal


def start(cluster):
    cluster.start_master()
    cluster.wait_registered(cluster.start_agent())


def the_kernel_has_every_controller(_cluster):
    with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as file:
        missing = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} - set(file.read().split())
    expect(not missing, f"the kernel {os.uname().release} lacks {missing}")


def a_cluster_runs_a_task(cluster):
    done = cluster.tepui("run", "--", "sh", "-c", "echo hello from $(uname -r)")
    expect_equal(done.stdout, f"hello from {os.uname().release}\n", "what the task said")


TESTS = [the_kernel_has_every_controller, a_cluster_runs_a_task]
