"""Tasks that mean harm, or were written badly: their agent and their neighbours stay well, and
nothing of them is left."""

import os

from containers import Limited, expect_alive, mount_disk, start_agent
from harness import Failure, expect, expect_equal, wait_until

PIDS = 200


def start(cluster):
    mount_disk()
    cluster.start_master("--allocation-interval=200ms")
    cluster.wait_registered(start_agent(cluster, "hard", f"--pids-max={PIDS}",
                                        resources="cpus:8;mem:1GB;disk:100"))


def processes_named(word):
    """Pids of all processes of the machine with that word in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if word.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            continue  # it just ended
    return found


def a_fork_bomb_is_contained_and_killed_at_once(cluster):
    neighbour = Limited(cluster, "neighbour", "sleep 1001", "--cpus=0.1").wait_running()
    # Each that cannot fork tries again for ever.
    command = ["bash", "-c", "bomb() { while :; do bomb & done; }; bomb 2>/dev/null # b-o-m-b"]
    bomb = Limited(cluster, "bomb", command, "--cpus=0.1", "--mem=256MB").wait_running()
    wait_until(lambda: bomb.keyed("pids.events", "max") > 0, "the bomb to reach its limit")
    expect(int(bomb.read("pids.current")) <= PIDS, "there are more processes than the limit")
    expect_alive(cluster)
    bomb.kill("--grace=0secs")
    expect_equal(bomb.wait_ended()["state"], "TASK_KILLED", "the bomb")
    bomb.expect_gone()
    expect_equal(processes_named("b-o-m-b"), [], "processes of the bomb")
    expect_equal(neighbour.row()["state"], "TASK_RUNNING", "the neighbour")
    neighbour.kill("--grace=0secs")


def what_a_task_left_in_the_background_ends_with_it(cluster):
    task = Limited(cluster, "daemon", "setsid sh -c 'setsid sleep 20022 & setsid sleep 20022' & "
                   "sleep 1", "--cpus=0.1")
    expect_equal(task.wait_ended()["state"], "TASK_FINISHED", "the task itself")
    wait_until(lambda: not processes_named("20022"), "what it left to be killed")


def who_ignores_sigterm_is_killed_after_its_grace(cluster):
    task = Limited(cluster, "deaf", "trap '' TERM; echo deaf; while :; do sleep 20033; done",
                   "--cpus=0.1").wait_running()
    wait_until(lambda: processes_named("20033"), "it to have begun")
    task.kill("--grace=1secs")
    row = task.wait_ended()
    expect_equal((row["state"], row["signal"]), ("TASK_KILLED", 9), f"its end ({row['message']})")
    expect_equal(processes_named("20033"), [], "processes of it")


ESCAPES = """
mount -t tmpfs none /mnt 2>/dev/null && echo mounted something
mknod null c 1 3 2>/dev/null && echo made a device
unshare -m true 2>/dev/null && echo made a namespace
nsenter -t 1 -m true 2>/dev/null && echo entered another namespace
for procs in $(find /sys/fs/cgroup -name cgroup.procs 2>/dev/null); do
  (echo $$ >$procs) 2>/dev/null && echo moved to $procs; done
for limit in $(find /sys/fs/cgroup -name memory.max 2>/dev/null); do
  (echo max >$limit) 2>/dev/null && echo lifted $limit; done
(echo 1 >/proc/sys/kernel/sysrq) 2>/dev/null && echo changed the kernel
cat SECRET 2>/dev/null
kill -9 PID 2>/dev/null && echo killed another
true
"""


def who_tries_to_get_out_stays_in(cluster):
    other = Limited(cluster, "other", "echo my secret >secret; sleep 1004",
                    "--cpus=0.1").wait_running()

    def secret():
        return [os.path.join(folder, "secret")
                for folder, _, names in os.walk(cluster.agents[0].work_dir) if "secret" in names]

    (path,) = wait_until(secret, "the other's file")
    script = ESCAPES.replace("SECRET", path).replace("PID", str(max(other.pids())))
    done = cluster.tepui("run", "--cpus=0.1", "--mem=64MB", "--", "sh", "-c", script)
    expect_equal(done.stdout, "", f"what a task could do ({done.stderr})")
    expect_equal(other.row()["state"], "TASK_RUNNING", "the other")
    other.kill("--grace=0secs")


HOARD = """
import os, time
held = []
try:
    while True:
        held.append(os.open('/dev/null', os.O_RDONLY))
except OSError as error:
    print('holds', len(held), error.strerror, flush=True)
time.sleep(1000)
"""


def who_hoards_descriptors_has_no_more_than_its_own(cluster):
    task = Limited(cluster, "hoarder", ["python3", "-S", "-c", HOARD], "--cpus=0.1",
                   "--mem=64MB").wait_running()

    def said():
        return "Too many open files" in cluster.tepui("logs", "hoarder").stdout

    wait_until(said, "its descriptors to be used up")
    expect_alive(cluster)
    task.kill("--grace=0secs")


TRACER = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for pid in (1, os.getppid(), SHIM):
    done = libc.ptrace(16, pid, 0, 0)  # PTRACE_ATTACH
    print('attached' if done == 0 else os.strerror(ctypes.get_errno()), flush=True)
    try:
        os.open(f'/proc/{pid}/mem', os.O_RDWR)
        print('opened its memory')
    except OSError as error:
        pass
"""


def who_traces_its_supervisor_is_refused(cluster):
    other = Limited(cluster, "traced", "sleep 1005", "--cpus=0.1").wait_running()
    with open(f"/proc/{min(other.pids())}/stat", encoding="ascii") as file:
        shim = file.read().rsplit(")", 1)[1].split()[1]
    done = cluster.tepui("run", "--cpus=0.1", "--mem=64MB", "--", "python3", "-S", "-c",
                         TRACER.replace("SHIM", shim))
    lines = done.stdout.splitlines()
    expect_equal(len(lines), 3, f"attempts ({done.stdout} {done.stderr})")
    expect(not {"attached", "opened its memory"} & set(lines), f"what it could do: {lines}")
    expect_equal(other.row()["state"], "TASK_RUNNING", "the other")
    other.kill("--grace=0secs")


def ten_thousand_files_hurt_nobody(cluster):
    done = cluster.tepui("run", "--cpus=0.1", "--mem=64MB", "--", "sh", "-c",
                         "mkdir many; cd many; seq 10000 | xargs touch; ls | wc -l")
    expect_equal(done.stdout, "10000\n", f"files that it made ({done.stderr})")
    expect_alive(cluster)


def a_command_that_dies_at_once_again_and_again_leaves_nothing(cluster):
    done = cluster.tepui("run", "--name=brief", "--instances=20", "--cpus=0.1", "--mem=32MB", "--",
                         "sh", "-c", "kill -SEGV $$", check=False)
    expect(done.returncode != 0, "commands that died ended well")
    states = {row["state"] for row in cluster.rows("tasks") if row["id"].startswith("brief")}
    expect_equal(states, {"TASK_FAILED"}, "their states")
    root = os.path.join("/sys/fs/cgroup", cluster.cgroups[0])

    def left():
        return [name for name in os.listdir(root) if name.startswith("container-")]

    try:
        wait_until(lambda: not left(), "their cgroups to go")
    except Failure as failure:
        raise Failure(f"{failure}: {left()}") from None


TESTS = [
    a_fork_bomb_is_contained_and_killed_at_once,
    what_a_task_left_in_the_background_ends_with_it,
    who_ignores_sigterm_is_killed_after_its_grace,
    who_tries_to_get_out_stays_in,
    who_hoards_descriptors_has_no_more_than_its_own,
    who_traces_its_supervisor_is_refused,
    ten_thousand_files_hurt_nobody,
    a_command_that_dies_at_once_again_and_again_leaves_nothing,
]
