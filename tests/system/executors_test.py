#!/usr/bin/env python3
"""Checks, groups and custom executors with real processes: what is killed, what goes on when the
agent is killed, and what ends when it never comes back."""

import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, program, run_tests, wait_until  # noqa: E402

BUSYBOX = "/bin/busybox"  # of Debian's busybox-static
SOON = "delay=0secs,interval=50ms,grace=0secs,timeout=5secs"


def cluster_with_agent(cluster, *flags):
    cluster.start_master("--agent-ping-timeout=500ms", "--max-agent-ping-timeouts=20")
    agent = cluster.start_agent(*flags)
    cluster.wait_registered(agent)
    return agent


def task(cluster, name):
    return next((row for row in cluster.rows("tasks") if row["id"] == name), None)


def wait_task(cluster, name, what, **fields):
    def found():
        row = task(cluster, name)
        return row if row and all(row[key] == value for key, value in fields.items()) else None

    return wait_until(found, f"task {name} {what}")


class Pod:
    """A pod-framework in the background; its lines as they come."""

    def __init__(self, cluster, *arguments):
        self.output = cluster.path(f"pod-{len(cluster.processes)}.out")
        with open(self.output, "w", encoding="utf-8") as file:
            self.process = cluster.keep(subprocess.Popen(
                [program("pod-framework"), cluster.address, *arguments],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT))

    def lines(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def wait_line(self, start):
        return wait_until(lambda: [line for line in self.lines() if line.startswith(start)],
                          f"a line that begins with '{start}'")[0]

    def wait_end(self, status):
        expect_equal(self.process.wait(60), status, f"the framework's status: {self.lines()}")


def alive(marker):
    """Processes with this word in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if marker in words:
            found.append(int(pid))
    return found


def executors():
    """The shell-executors that run; not those who only name the program."""
    path = program("shell-executor")
    return [pid for pid in alive(path) if first_word(pid) == path]


def first_word(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").split("\0")[0]
    except OSError:
        return ""


def a_command_check_kills_a_task_that_became_unhealthy(cluster):
    cluster_with_agent(cluster)
    gate = cluster.path("healthy")
    with open(gate, "w", encoding="ascii"):
        pass
    run = cluster.start_tepui("run", "--name=sick", f"--health-check=command:test -e {gate}",
                              f"--health-check-options={SOON},failures=2", "--", "sleep", "4321")
    wait_task(cluster, "sick", "to be healthy", healthy=True, state="TASK_RUNNING")
    os.unlink(gate)
    row = wait_task(cluster, "sick", "to be killed", state="TASK_KILLED")
    expect_equal(row["healthy"], False, "healthy")
    expect_equal(row["reason"], "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", "the reason")
    run.wait(30)
    wait_until(lambda: not alive("4321"), "the command to be dead")


def http_and_tcp_checks_see_a_server(cluster):
    cluster_with_agent(cluster)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = ["--", sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    options = f"--health-check-options={SOON},failures=1000"
    http = cluster.start_tepui("run", "--name=web", f"--health-check=http:{port}/", options, *serve)
    wait_task(cluster, "web", "to answer", healthy=True)
    tcp = cluster.start_tepui("run", "--name=seen", f"--health-check=tcp:{port}", options, "--",
                              "sleep", "1234")
    wait_task(cluster, "seen", "to see the port", healthy=True)
    cluster.tepui("kill", "web")
    http.wait(30)
    wait_task(cluster, "seen", "to see nothing", healthy=False, state="TASK_RUNNING")
    cluster.tepui("kill", "seen")
    tcp.wait(30)


def a_task_that_takes_too_long_has_failed(cluster):
    cluster_with_agent(cluster)
    run = cluster.start_tepui("run", "--name=slow", "--max-completion-time=200ms", "--", "sleep",
                              "2345")
    row = wait_task(cluster, "slow", "to fail", state="TASK_FAILED")
    expect_equal(row["reason"], "REASON_MAX_COMPLETION_TIME_REACHED", "the reason")
    run.wait(30)


def a_group_finishes_together_or_dies_together(cluster):
    cluster_with_agent(cluster)
    Pod(cluster, "group", "echo one", "echo two").wait_end(0)
    gate = cluster.path("gate")
    failing = Pod(cluster, "group", "sleep 3456",
                  f"until test -e {gate}; do sleep 0.05; done; exit 3")
    # One that is still being launched would say that, and not why it is killed.
    failing.wait_line("pod-0 TASK_RUNNING")
    with open(gate, "w", encoding="ascii"):
        pass
    failing.wait_end(1)
    expect(any(line.startswith("pod-1 TASK_FAILED") for line in failing.lines()),
           f"the failed one: {failing.lines()}")
    expect(any(line.startswith("pod-0 TASK_KILLED") and "of its group" in line
               for line in failing.lines()), f"the other one: {failing.lines()}")
    wait_until(lambda: not alive("3456"), "the other command to be dead")
    wait_until(lambda: not any(cluster.rows("agents")[0]["allocated"].values()),
               "everything to be free again")


def a_group_goes_on_when_the_agent_is_killed(cluster):
    agent = cluster_with_agent(cluster)
    gate = cluster.path("gate")
    wait = f"until test -e {gate}; do sleep 0.05; done"
    pod = Pod(cluster, "group", wait, wait)
    pod.wait_line("pod-0 TASK_RUNNING")
    pod.wait_line("pod-1 TASK_RUNNING")
    agent.kill()
    again = cluster.restart_agent(agent)
    cluster.wait_registered(again)
    with open(gate, "w", encoding="ascii"):
        pass
    pod.wait_end(0)


def tasks_of_one_executor_finish_and_it_talks_with_its_framework(cluster):
    cluster_with_agent(cluster)
    gate = cluster.path("gate")
    wait = f"until test -e {gate}; do sleep 0.05; done"
    pod = Pod(cluster, "executor", program("shell-executor"), wait, wait)
    pod.wait_line("pod-0 TASK_RUNNING")
    pod.wait_line("pod-1 TASK_RUNNING")
    pod.wait_line("message 2 run")
    expect_equal(len(executors()), 1, "executors for two tasks")
    expect_equal(task(cluster, "pod-0")["executor_id"], "pod", "the executor")
    with open(gate, "w", encoding="ascii"):
        pass
    pod.wait_end(0)
    # The framework is torn down: its executor has no reason to live.
    wait_until(lambda: not executors(), "the executor to end")


def an_executor_survives_kill_9_of_its_agent_and_its_tasks_go_on(cluster):
    agent = cluster_with_agent(cluster)
    gate = cluster.path("gate")
    pod = Pod(cluster, "executor", program("shell-executor"),
              f"until test -e {gate}; do sleep 0.05; done")
    pod.wait_line("pod-0 TASK_RUNNING")
    before = executors()
    agent.kill()
    # It ends while there is no agent: the executor keeps the news.
    with open(gate, "w", encoding="ascii"):
        pass
    again = cluster.restart_agent(agent)
    cluster.wait_registered(again)
    pod.wait_line("pod-0 TASK_FINISHED")
    expect(not any("executor pod is gone" in line for line in pod.lines()), f"{pod.lines()}")
    pod.wait_end(0)
    expect(before, "the executor was not seen")


def an_executor_ends_itself_when_its_agent_never_comes_back(cluster):
    agent = cluster_with_agent(cluster, "--recovery-timeout=500ms")
    pod = Pod(cluster, "executor", program("shell-executor"), "sleep 5678")
    pod.wait_line("pod-0 TASK_RUNNING")
    expect(executors(), "the executor does not run")
    agent.kill()
    wait_until(lambda: not executors(), "the executor to end itself")
    wait_until(lambda: not alive("5678"), "its task to be dead")


def an_executor_that_dies_takes_its_tasks_along(cluster):
    cluster_with_agent(cluster)
    pod = Pod(cluster, "executor", program("shell-executor"), "sleep 6789")
    pod.wait_line("pod-0 TASK_RUNNING")
    os.kill(executors()[0], 9)
    line = pod.wait_line("pod-0 TASK_FAILED")
    expect("REASON_EXECUTOR_TERMINATED" in line, line)
    pod.wait_end(1)
    wait_until(lambda: not alive("6789"), "the command to be dead")


def make_root(cluster):
    """A directory that looks as / should, with the executor, what it is linked with, and a shell."""
    images = cluster.path("images")
    root = os.path.join(images, "executor")
    for folder in ("bin", "etc"):
        os.makedirs(os.path.join(root, folder))
    shutil.copy(BUSYBOX, os.path.join(root, "bin", "busybox"))
    os.symlink("busybox", os.path.join(root, "bin", "sh"))
    shutil.copy(program("shell-executor"), os.path.join(root, "bin", "executor"))
    linked = subprocess.run(["ldd", program("shell-executor")], check=True, capture_output=True,
                            text=True).stdout
    for library in {word for word in linked.split() if word.startswith("/")}:
        os.makedirs(root + os.path.dirname(library), exist_ok=True)
        shutil.copy(library, root + library)
    with open(os.path.join(root, "etc", "marker"), "w", encoding="ascii"):
        pass
    return images, root


def run_in_root(cluster, mode, condition):
    if os.geteuid() != 0 or shutil.which(BUSYBOX) is None:
        return  # only root makes roots
    images, root = make_root(cluster)
    agent = cluster_with_agent(cluster, f"--image-dir={images}")
    # It is inside, and sees nothing of the machine.
    command = (f"test -e /etc/marker && test ! -e {images} && {condition} && "
               "until test -e /mnt/mesos/sandbox/gate; do busybox sleep 0.05; done")
    pod = Pod(cluster, mode, root, "/bin/executor", command)
    pod.wait_line("pod-0 TASK_RUNNING")
    pod.wait_line("message 1 run")
    # It finds the socket of the next life of the agent, too.
    agent.kill()
    again = cluster.restart_agent(agent)
    cluster.wait_registered(again)
    sandbox, = [path for path, folders, files in os.walk(agent.work_dir)
                if "/executors/pod/runs/" in path and "stdout" in files]
    with open(os.path.join(sandbox, "gate"), "w", encoding="ascii"):
        pass
    pod.wait_end(0)
    return os.stat(sandbox).st_uid


def an_executor_runs_in_a_root_file_system(cluster):
    run_in_root(cluster, "executor-in", "true")


def an_executor_runs_in_a_root_file_system_and_a_user_namespace(cluster):
    condition = "test $(busybox id -u) = 0 && ! busybox grep -q '^ *0 *0 ' /proc/self/uid_map"
    owner = run_in_root(cluster, "mapped-executor-in", condition)
    expect(owner is None or owner >= 65536, f"the sandbox belongs to {owner}")


if __name__ == "__main__":
    sys.exit(run_tests([
        a_command_check_kills_a_task_that_became_unhealthy,
        http_and_tcp_checks_see_a_server,
        a_task_that_takes_too_long_has_failed,
        a_group_finishes_together_or_dies_together,
        a_group_goes_on_when_the_agent_is_killed,
        tasks_of_one_executor_finish_and_it_talks_with_its_framework,
        an_executor_survives_kill_9_of_its_agent_and_its_tasks_go_on,
        an_executor_ends_itself_when_its_agent_never_comes_back,
        an_executor_that_dies_takes_its_tasks_along,
        an_executor_runs_in_a_root_file_system,
        an_executor_runs_in_a_root_file_system_and_a_user_namespace,
    ]))
