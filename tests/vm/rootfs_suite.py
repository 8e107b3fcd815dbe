"""Tasks with a root file system of their own: limits hold there, and nothing leads out."""

import os
import shutil

from containers import DISK, Limited, expect_alive, mount_disk, start_agent
from harness import expect, expect_equal, wait_until

IMAGES = os.path.join(DISK, "images")
IMAGE = os.path.join(IMAGES, "busybox")
PROGRAMS = ["sh", "cat", "dd", "echo", "grep", "id", "ls", "mkdir", "mknod", "mount", "rm", "sleep",
            "tail", "touch", "true", "umount", "wc"]


def make_image():
    os.makedirs(os.path.join(IMAGE, "bin"))
    os.makedirs(os.path.join(IMAGE, "etc"))
    shutil.copy("/bin/busybox", os.path.join(IMAGE, "bin"))
    for name in PROGRAMS:
        os.symlink("busybox", os.path.join(IMAGE, "bin", name))
    with open(os.path.join(IMAGE, "etc/passwd"), "w", encoding="ascii") as file:
        file.write("root:x:0:0::/:/bin/sh\nweb:x:4242:4242::/:/bin/sh\n")
    os.symlink("/etc", os.path.join(IMAGES, "machine"))


def start(cluster):
    mount_disk()
    make_image()
    cluster.start_master("--allocation-interval=200ms")
    cluster.wait_registered(start_agent(cluster, "rooted", f"--image-dir={IMAGES}", "--pids-max=64",
                                        resources="cpus:8;mem:1GB;disk:200"))


def output(cluster, script, *flags):
    done = cluster.tepui("run", "--cpus=0.1", "--mem=64MB", f"--rootfs={IMAGE}", *flags, "--", "sh",
                         "-c", script, check=False)
    return done.stdout + done.stderr


def refusal(cluster, *flags):
    done = cluster.tepui("run", "--cpus=0.1", "--mem=64MB", *flags, "--", "true", check=False)
    expect(done.returncode != 0, f"a task with {flags} ran")
    return done.stderr


def a_task_sees_its_own_root(cluster):
    expect_equal(output(cluster, "pwd; id -u; ls /; hostname; echo x >/etc/x; touch file",
                        "--user=web", "--hostname=inside"),
                 "/mnt/mesos/sandbox\n4242\nbin\ndev\netc\nmnt\nproc\nsys\ntmp\n"
                 "inside\nsh: can't create /etc/x: Permission denied\n",
                 "what it saw")
    expect_equal(sorted(os.listdir(IMAGE)), ["bin", "etc"], "the image afterwards")
    roots = os.path.join(cluster.agents[0].work_dir, "roots")
    wait_until(lambda: not os.listdir(roots), "what it wrote to be removed")


def what_it_writes_counts_against_its_disk(cluster):
    said = output(cluster, "dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null && echo all of it; "
                  "rm /big; echo refused", "--resources=disk:16")
    expect_equal(said, "refused\n", "writing more than its disk")
    said = output(cluster, "dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null && echo all of it",
                  "--resources=disk:16")
    expect_equal(said, "all of it\n", "writing less than its disk")


def limits_hold_inside(cluster):
    task = Limited(cluster, "eater", ["sh", "-c", "tail /dev/zero"], f"--rootfs={IMAGE}",
                   "--cpus=0.1", "--mem=32MB", agent="rooted")
    row = task.wait_ended()
    expect_equal((row["state"], row["reason"]),
                 ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY"),
                 f"its end ({row['message']})")
    # Memory that is a directory is memory of the container's.
    task = Limited(cluster, "hoarder", ["sh", "-c", "dd if=/dev/zero of=/m/x bs=1M count=256"],
                   f"--rootfs={IMAGE}", "--tmpfs=/m:256MB", "--cpus=0.1", "--mem=32MB",
                   agent="rooted")
    expect_equal(task.wait_ended()["reason"], "REASON_CONTAINER_LIMITATION_MEMORY", "the hoarder")
    said = output(cluster, "i=0; while [ $i -lt 100 ]; do sleep 5 & i=$((i+1)); done; wait")
    expect("fork" in said, f"more processes than --pids-max: {said}")
    expect_alive(cluster)


ESCAPES = """
mount -t tmpfs none /mnt 2>/dev/null && echo mounted something
mount -o remount,rw /sys 2>/dev/null && echo made /sys writable
umount /proc 2>/dev/null && echo unmounted something
mknod /disk b 254 0 2>/dev/null && echo made a device
touch /sys/kernel/x 2>/dev/null && echo changed /sys
(echo 1 >/proc/sys/kernel/sysrq) 2>/dev/null && echo changed the kernel
for procs in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
  (echo $$ >$procs) 2>/dev/null && echo moved to $procs; done
cat SECRET 2>/dev/null
cat /proc/1/root/SECRET 2>/dev/null
ls /mnt/mesos/sandbox/../../../../../../run/disk 2>/dev/null
true
"""


def nothing_leads_out(cluster):
    folder = os.path.join(cluster.agents[0].work_dir, "volumes/roles/other/v")
    os.makedirs(folder)
    secret = os.path.join(folder, "secret")
    with open(secret, "w", encoding="ascii") as file:
        file.write("my secret\n")
    expect_equal(output(cluster, ESCAPES.replace("SECRET", secret)), "", "what a task could do")
    # What it may not see it cannot ask for either.
    expect("--volume-host-paths" in refusal(cluster, f"--volume={folder}:/x"), "another's volume")
    expect("--image-dir" in refusal(cluster, f"--rootfs={folder}"), "another's volume as a root")
    expect("EXDEV" in refusal(cluster, f"--rootfs={IMAGES}/machine"), "a link out as a root")
    expect("CAP_SYS_ADMIN" in refusal(cluster, "--cap=SYS_ADMIN"), "a capability")
    expect("--allow-unconfined" in refusal(cluster, "--seccomp=unconfined"), "no filter")


def root_within_is_nobody_outside(cluster):
    said = output(cluster, "id -u; grep -c '^ *0 *0 ' /proc/self/uid_map; echo new >/etc/new; "
                  "mknod /disk b 254 0 2>/dev/null || echo no device; touch file; ls -n / | grep etc | "
                  "while read m l u g rest; do echo $u:$g; done", "--user-namespace")
    expect_equal(said, "0\n0\nno device\n0:0\n", "what root within is")
    expect_equal(os.listdir(os.path.join(IMAGE, "etc")), ["passwd"], "the image afterwards")
    expect_equal(output(cluster, "id -u; id -g; touch /x 2>/dev/null || echo no", "--user-namespace",
                        "--user=web"), "4242\n4242\nno\n", "another user")
    # Limits are of the cgroup, whoever is in it.
    task = Limited(cluster, "mapped-eater", ["sh", "-c", "tail /dev/zero"], f"--rootfs={IMAGE}",
                   "--user-namespace", "--cpus=0.1", "--mem=32MB", agent="rooted")
    expect_equal(task.wait_ended()["reason"], "REASON_CONTAINER_LIMITATION_MEMORY", "the eater")
    said = output(cluster, "dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null && echo all of it; "
                  "rm /big; echo refused", "--user-namespace", "--resources=disk:16")
    expect_equal(said, "refused\n", "writing more than its disk")


TESTS = [
    a_task_sees_its_own_root,
    what_it_writes_counts_against_its_disk,
    limits_hold_inside,
    nothing_leads_out,
    root_within_is_nobody_outside,
]
