"""What is configured and requested holds: each controller's limits, on tasks of real agents.

Two agents share the machine: `hard` with what an agent does by default, `soft` with what has to be
asked for, and without what would deny a task things before its cgroup does. Their work directories
are on a virtual disk with project quota.
"""

import os
import re
import socket
import time

from containers import (
    DISK, Limited, expect_alive, expect_near, mount_disk, start_agent, usage_over)
from harness import expect, expect_equal, wait_until

BUSY = "while :; do :; done"
PIDS = 150
MB = 1 << 20
SO_RCVBUFFORCE = 33  # which Python has no name for
RESOURCES = "cpus:8;mem:4GB;disk:500;ports:[{}];io_wbps:100;io_rbps:100;hugetlb_2MB:64;network_egress:100"


def start(cluster):
    mount_disk()
    with open("/proc/sys/vm/nr_hugepages", "w", encoding="ascii") as file:
        file.write("16")
    cluster.start_master("--allocation-interval=200ms")
    start_agent(cluster, "hard", f"--pids-max={PIDS}", resources=RESOURCES.format("31000-31099"))
    start_agent(cluster, "soft", "--memory-high-percent=50", "--enforce-cpu-requests",
                "--cpu-burst-percent=50", "--io-max=rbps=8MB", "--swap-percent=50",
                "--isolation=auto,network/ports,-capabilities,-seccomp,-namespaces/mount",
                resources=RESOURCES.format("31100-31199"))
    for agent in cluster.agents:
        cluster.wait_registered(agent)


def nothing_that_the_kernel_has_is_missing(cluster):
    for row in cluster.rows("agents"):
        missing = {"cpu", "cpuset", "devices", "disk", "hugetlb", "io", "memory", "pids"} - set(
            row["controllers"])
        expect(not missing, f"{row['hostname']} lacks {missing}: {row['degraded']}")
        expect_equal(row["degraded"], [], f"what {row['hostname']} lacks")


def a_cpu_limit_holds(cluster):
    task = Limited(cluster, "limited", BUSY, "--cpus=0.3", "--cpus-limit=0.3").wait_running()
    throttled = task.keyed("cpu.stat", "nr_throttled")
    (used,), took = usage_over([task], 10)
    expect_near(used / took, 0.3, 0.1, "processors that a task limited to 0.3 used")
    expect(task.keyed("cpu.stat", "nr_throttled") > throttled + 50,
           "a task at its limit was hardly ever throttled")
    task.kill("--grace=0secs")


def requests_share_processors_as_weights(cluster):
    # On one processor, so that what one does not get the other does.
    command = ["taskset", "-c", "1", "sh", "-c", BUSY]
    large = Limited(cluster, "large", command, "--cpus=1.5").wait_running()
    small = Limited(cluster, "small", command, "--cpus=0.5").wait_running()
    expect_equal((large.read("cpu.weight"), small.read("cpu.weight")), ("150", "50"), "weights")
    used, took = usage_over([large, small], 10)
    expect(sum(used) > 0.7 * took, f"two busy tasks used {used} in {took:.1f} s")
    expect_near(used[0] / used[1], 3.0, 0.15, "how much more a task of three times the cpus got")
    large.kill("--grace=0secs")
    small.kill("--grace=0secs")


def a_request_is_a_limit_where_that_is_configured(cluster):
    task = Limited(cluster, "enforced", "sleep 1000", "--cpus=0.5", agent="soft").wait_running()
    expect_equal(task.read("cpu.max"), "50000 100000", "cpu.max")
    expect_equal(task.read("cpu.max.burst"), "25000", "cpu.max.burst")
    expect_equal(task.read("memory.swap.max"), str(64 * MB), "memory.swap.max")
    task.kill("--grace=0secs")


def what_is_requested_of_memory_is_protected_all_the_way_up(cluster):
    task = Limited(cluster, "protected", "sleep 1000", "--cpus=0.1", "--mem=64MB",
                   "--mem-limit=unlimited").wait_running()
    expect_equal(task.read("memory.low"), str(64 * MB), "memory.low")
    expect_equal(task.read("memory.max"), "max", "memory.max of an unlimited task")
    # A protection reaches no further than that of the cgroup above.
    expect_equal(task.read("../memory.low"), "max", "memory.low of the agent's subtree")
    task.kill("--grace=0secs")


def memory_above_the_limit_kills_only_the_offender_and_says_so(cluster):
    neighbour = Limited(cluster, "neighbour", "sleep 1000", "--cpus=0.1",
                        "--mem=32MB").wait_running()
    # A pipe's reader keeps all that has no line end.
    bomb = Limited(cluster, "bomb", "echo I eat memory >&2; head -c 200M /dev/zero | tail",
                   "--cpus=0.1", "--mem=48MB")
    row = bomb.wait_ended()
    expect_equal((row["state"], row["reason"]),
                 ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY"), "how the offender ended")
    # Rounded down: the last page that was asked for was not given.
    for words in ("requested 48 MB", "maximum 48 MB", "peak 4[78] MB", "in use at its end",
                  "I eat memory"):
        expect(re.search(words, row["message"]),
               f"the status does not say '{words}': {row['message']}")
    expect_equal(neighbour.row()["state"], "TASK_RUNNING", "the neighbour")
    expect_equal(neighbour.keyed("memory.events", "oom_kill"), 0, "OOM kills of the neighbour")
    neighbour.kill("--grace=0secs")


def memory_above_the_high_mark_is_reclaimed_and_slowed_down(cluster):
    # Pages of files can be reclaimed: the writer goes on, and stays below.
    command = "dd if=/dev/zero of=$MESOS_SANDBOX/filler bs=256k count=400 2>/dev/null; sleep 1000"
    task = Limited(cluster, "high", command, "--cpus=1", "--mem=64MB", agent="soft").wait_running()
    expect_equal(task.read("memory.high"), str(32 * MB), "memory.high")
    wait_until(lambda: task.keyed("memory.events", "high") > 0, "the high mark to be passed")
    wait_until(lambda: "dd" not in names_of(task), "the file to be written", 90)
    expect_equal(task.keyed("memory.events", "oom_kill"), 0, "OOM kills")
    peak = int(task.read("memory.peak"))
    expect(peak < 40 * MB, f"a task with a high mark of 32 MB had {peak / MB:.0f} MB")
    task.kill("--grace=0secs")


def names_of(task):
    names = []
    for pid in task.pids():
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                names.append(file.read().strip())
        except OSError:
            continue  # it just ended
    return names


def processes_above_the_limit_cannot_be_started(cluster):
    # The shell that cannot fork gives up, the one around it stays.
    command = f"(for i in $(seq {PIDS + 50}); do sleep 1000 & done); exec sleep 1000"
    task = Limited(cluster, "many", command, "--cpus=0.5", "--mem=256MB").wait_running()
    wait_until(lambda: task.keyed("pids.events", "max") > 0, "a refused fork")
    expect(int(task.read("pids.current")) <= PIDS, "there are more processes than the limit")
    task.kill("--grace=0secs")
    task.expect_gone()


def writes_to_a_disk_hold_their_limit(cluster):
    command = ("exec dd if=/dev/zero of=$MESOS_SANDBOX/filler bs=128k count=2000 conv=notrunc "
               "oflag=direct")
    task = Limited(cluster, "writer", command, "--cpus=0.5",
                   "--resources=io_wbps:4").wait_running()
    device = os.stat(DISK).st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    expect_equal(task.read("io.max"), f"{name} rbps=max wbps={4 * MB} riops=max wiops=max",
                 "io.max")

    def written():
        for line in task.read("io.stat").splitlines():
            if line.startswith(name + " "):
                return int(dict(word.split("=") for word in line.split()[1:])["wbytes"])
        return 0

    wait_until(lambda: written() > MB, "the first writes")
    before, began = written(), time.monotonic()
    time.sleep(10)  # what is measured is a span of time
    rate = (written() - before) / (time.monotonic() - began)
    expect_near(rate / MB, 4.0, 0.1, "MB a second of a writer limited to 4")
    task.kill("--grace=0secs")


def the_configured_limit_of_a_disk_is_for_all(cluster):
    task = Limited(cluster, "reader", "sleep 1000", "--cpus=0.1", agent="soft").wait_running()
    expect(f"rbps={8 * MB} wbps=max" in task.read("io.max"), f"io.max: {task.read('io.max')}")
    task.kill("--grace=0secs")


def who_asks_for_a_numa_node_gets_one(cluster):
    flags = ("--cpus=0.6", "--mem=32MB", "--label=tepui.cpuset=numa")
    first = Limited(cluster, "near", "sleep 1000", *flags).wait_running()
    second = Limited(cluster, "far", "sleep 1000", *flags).wait_running()
    anywhere = Limited(cluster, "anywhere", "sleep 1000", "--cpus=0.1").wait_running()
    for name in ("cpuset.cpus.effective", "cpuset.mems.effective"):
        expect_equal({first.read(name), second.read(name)}, {"0", "1"}, f"{name} of the two")
        expect_equal(anywhere.read(name), "0-1", f"{name} of one that did not ask")
    for task in (first, second, anywhere):
        task.kill("--grace=0secs")


HUGE = """
import mmap, sys
for megabytes in (4, 8):
    try:
        m = mmap.mmap(-1, megabytes << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
        m[0] = 1
        m.close()
        print(megabytes, 'yes')
    except OSError as error:
        print(megabytes, 'no')
"""


def huge_pages_are_for_those_who_request_them(cluster):
    def pages(name, *flags):
        done = cluster.tepui("run", f"--name={name}", "--constraint=hostname=hard", *flags, "--",
                             "python3", "-S", "-c", HUGE)
        return done.stdout.splitlines()

    expect_equal(pages("huge", "--resources=hugetlb_2MB:4"), ["4 yes", "8 no"], "with a request")
    expect_equal(pages("plain"), ["4 no", "8 no"], "without a request")


def devices_that_are_not_permitted_are_denied(cluster):
    command = """
for path in /dev/null /dev/zero /dev/urandom; do
  head -c 1 $path >/dev/null || echo denied $path; done
echo x >/dev/null || echo denied writing
(: </dev/vda) 2>/dev/null && echo opened /dev/vda
(: </dev/kmsg) 2>/dev/null && echo opened /dev/kmsg
mknod $MESOS_SANDBOX/disk b 254 0 2>/dev/null && echo made a disk
mknod $MESOS_SANDBOX/null c 1 3 || echo could not make a null
"""
    # Where root is only root, so that nothing else denies it.
    done = cluster.tepui("run", "--constraint=hostname=soft", "--", "sh", "-c", command)
    expect_equal(done.stdout, "", "what the task was denied or permitted wrongly")


SEND = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(1000):
    s.sendto(bytes(972), ('127.0.0.1', int(sys.argv[1])))
"""


def a_container_sends_no_more_than_its_limit(cluster):
    # With their headers datagrams have 1,000 bytes. A bucket has 128 kB at once, then 1,048 a second.
    def received(name, *flags):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 * MB)
            receiver.bind(("127.0.0.1", 0))
            began = time.monotonic()
            cluster.tepui("run", f"--name={name}", "--constraint=hostname=hard", *flags, "--",
                          "python3", "-S", "-c", SEND, str(receiver.getsockname()[1]))
            took = time.monotonic() - began
            count = 0
            try:
                while receiver.recv(2000, socket.MSG_DONTWAIT):
                    count += 1
            except BlockingIOError:
                return count, took

    count, _ = received("talker")
    expect_equal(count, 1000, "datagrams of a sender without a limit")
    count, took = received("whisperer", "--resources=network_egress:0.001")
    expect(131 <= count <= 131 + 1.1 * took + 1,
           f"{count} datagrams of a limited sender came, who ran for less than {took:.1f} s")


BIND = """
import socket, sys
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for port in (0, 31110, 31111, 31112, 80):
        try:
            socket.socket(socket.AF_INET6, kind).bind(('::', port))
        except OSError as error:
            print(port, error.strerror)
"""


def a_task_binds_only_the_ports_that_it_requested(cluster):
    def refused(*flags):
        done = cluster.tepui("run", *flags, "--", "python3", "-S", "-c", BIND)
        return done.stdout.splitlines()

    denied = "Operation not permitted"
    expect_equal(refused("--constraint=hostname=soft", "--resources=ports:[31110-31111]"),
                 [f"31112 {denied}", f"80 {denied}"] * 2, "ports that were refused")
    expect_equal(refused("--constraint=hostname=hard"), [], "where nobody asked for it")


def fillers(cluster):
    """Sizes in bytes of the files of that name in sandboxes."""
    return [os.path.getsize(os.path.join(folder, "filler"))
            for folder, _, names in os.walk(cluster.agents[0].work_dir) if "filler" in names]


def a_sandbox_holds_no_more_than_its_task_requests(cluster):
    # Root is not bound on ext4. What the command says of it has no room in the sandbox either.
    command = ["dd", "if=/dev/zero", "of=filler", "bs=1M", "count=20", "conv=fsync"]
    flags = ["--constraint=hostname=hard", "--user=nobody"]
    before = len(fillers(cluster))
    free = cluster.tepui("run", "--name=free", *flags, "--", *command, check=False)
    expect_equal(free.returncode, 0, f"a writer that requested no disk ({free.stderr})")
    bound = cluster.tepui("run", "--name=bound", *flags, "--resources=disk:8", "--", *command,
                          check=False)
    expect_equal(bound.returncode, 1, f"a writer of more than it requested ({bound.stderr})")
    sizes = sorted(fillers(cluster))
    expect_equal(len(sizes), before + 2, "files that were written")
    expect(20 * MB in sizes, f"no file has what the one that was not bound wrote: {sizes}")
    expect(any(7 * MB <= size <= 8 * MB for size in sizes), f"none has nearly 8 MB: {sizes}")


def both_agents_are_well(cluster):
    expect_alive(cluster)


TESTS = [
    nothing_that_the_kernel_has_is_missing,
    a_cpu_limit_holds,
    requests_share_processors_as_weights,
    a_request_is_a_limit_where_that_is_configured,
    what_is_requested_of_memory_is_protected_all_the_way_up,
    memory_above_the_limit_kills_only_the_offender_and_says_so,
    memory_above_the_high_mark_is_reclaimed_and_slowed_down,
    processes_above_the_limit_cannot_be_started,
    writes_to_a_disk_hold_their_limit,
    the_configured_limit_of_a_disk_is_for_all,
    who_asks_for_a_numa_node_gets_one,
    huge_pages_are_for_those_who_request_them,
    devices_that_are_not_permitted_are_denied,
    a_container_sends_no_more_than_its_limit,
    a_task_binds_only_the_ports_that_it_requested,
    a_sandbox_holds_no_more_than_its_task_requests,
    both_agents_are_well,
]
