#!/usr/bin/env python3
"""Tasks in images, made by a real tool: what the image has is their root, what it says is run."""

import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, run_tests, wait_until  # noqa: E402

BUSYBOX = "/bin/busybox"  # of Debian's busybox-static


def umoci(*arguments):
    subprocess.run(["umoci", *arguments], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_image(cluster):
    """An OCI layout with busybox in one layer, and a file replaced in another."""
    images = cluster.path("images")
    layout = os.path.join(images, "app")
    os.makedirs(images)
    umoci("init", "--layout", layout)
    umoci("new", "--image", f"{layout}:v1")
    for content in ("first", "second"):
        bundle = cluster.path("bundle")
        umoci("unpack", "--image", f"{layout}:v1", bundle)
        root = os.path.join(bundle, "rootfs")
        os.makedirs(os.path.join(root, "bin"), exist_ok=True)
        if content == "first":
            shutil.copy(BUSYBOX, os.path.join(root, "bin", "busybox"))
            os.symlink("busybox", os.path.join(root, "bin", "sh"))
        with open(os.path.join(root, "greeting"), "w", encoding="utf-8") as file:
            file.write(content + "\n")
        umoci("repack", "--image", f"{layout}:v1", bundle)
        shutil.rmtree(bundle)
    umoci("config", "--image", f"{layout}:v1", "--config.entrypoint", "/bin/busybox",
          "--config.cmd", "cat", "--config.cmd", "/greeting", "--config.env", "WHO=image")
    return images, layout


def start(cluster):
    images, layout = make_image(cluster)
    cluster.start_master()
    agent = cluster.start_agent(f"--image-dir={images}")
    cluster.wait_registered(agent)
    return agent, layout


def a_task_has_the_files_of_its_image(cluster):
    agent, layout = start(cluster)
    done = cluster.tepui("run", f"--image=oci:{layout}:v1", "--", "/bin/sh", "-c",
                         "busybox cat /greeting; echo $WHO; busybox ls /bin; echo new > /new")
    expect_equal(done.stdout, "second\nimage\nbusybox\nsh\n", "the output")
    # What a task writes is its own.
    done = cluster.tepui("run", f"--image=oci:{layout}:v1", "--", "/bin/sh", "-c",
                         "test ! -e /new")
    expect_equal(len(os.listdir(os.path.join(agent.work_dir, "images", "layers"))), 2, "layers")


def an_image_says_what_to_run(cluster):
    _, layout = start(cluster)
    batch = cluster.path("batch.json")
    with open(batch, "w", encoding="utf-8") as file:
        file.write('{"tasks": [{"image": "oci:%s:v1"}]}' % layout)
    out = cluster.path("out")
    os.makedirs(out)
    cluster.tepui("batch", f"--output={out}", batch)
    with open(os.path.join(out, "task-0.stdout"), encoding="utf-8") as file:
        expect_equal(file.read(), "second\n", "the output")


def an_archive_is_an_image_too(cluster):
    _, layout = start(cluster)
    archive = f"{os.path.dirname(layout)}/app.tar"
    subprocess.run(["tar", "-C", layout, "-cf", archive, "."], check=True)
    done = cluster.tepui("run", f"--image=oci-archive:{archive}", "--", "/bin/busybox", "cat",
                         "/greeting")
    expect_equal(done.stdout, "second\n", "the output")


def an_image_names_its_user(cluster):
    _, layout = start(cluster)
    bundle = cluster.path("bundle")
    umoci("unpack", "--image", f"{layout}:v1", bundle)
    etc = os.path.join(bundle, "rootfs", "etc")
    os.makedirs(etc)
    with open(os.path.join(etc, "passwd"), "w", encoding="ascii") as file:
        file.write("root:x:0:0::/:/bin/sh\nweb:x:4242:4243::/:/bin/sh\n")
    with open(os.path.join(etc, "group"), "w", encoding="ascii") as file:
        file.write("data:x:4244:other\nlog:x:4:web\n")
    umoci("repack", "--image", f"{layout}:v1", bundle)
    shutil.rmtree(bundle)
    command = ["--", "/bin/sh", "-c", "busybox id -u; busybox id -g; busybox id -G; echo x >own"]
    for user, expected in (("web", "4242\n4243\n4243 4\n"), ("web:data", "4242\n4244\n4244\n"),
                           ("4242", "4242\n4243\n4243 4\n")):
        umoci("config", "--image", f"{layout}:v1", "--config.user", user)
        for flags in ([], ["--user-namespace"]):
            done = cluster.tepui("run", f"--image=oci:{layout}:v1", *flags, *command)
            expect_equal(done.stdout, expected, f"who {user} is {flags}")
    # The task's own choice wins.
    done = cluster.tepui("run", f"--image=oci:{layout}:v1", "--user=7:8", *command)
    expect_equal(done.stdout, "7\n8\n8\n", "the task's user")
    umoci("config", "--image", f"{layout}:v1", "--config.user", "db")
    done = cluster.tepui("run", f"--image=oci:{layout}:v1", *command, check=False)
    expect("TASK_FAILED" in done.stderr and f"the image {layout}:v1: there is no user \"db\"" in
           done.stderr, done.stderr)


def a_task_that_had_not_begun_gets_its_image_again(cluster):
    """The agent dies while a task with an image still waits for a server."""
    agent, layout = start(cluster)
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = cluster.start_tepui("run", f"--image=oci:{layout}:v1",
                                  f"--uri=http://127.0.0.1:{server.getsockname()[1]}/x", "--",
                                  "/bin/sh", "-c", "busybox grep second /greeting && "
                                  "busybox grep data /mnt/mesos/sandbox/x")
        server.settimeout(60)
        connection, _ = server.accept()
        used = os.path.join(agent.work_dir, "images", "containers")
        expect_equal(len(os.listdir(used)), 1, "containers with an image")
        agent.kill()
        connection.close()
        again = cluster.restart_agent(agent)
        cluster.wait_registered(again)
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndata\n")
            expect_equal(run.wait(60), 0, "the status of the task")
    wait_until(lambda: not os.listdir(used), "the image to be used by nobody")


def what_is_no_image_fails_the_task(cluster):
    _, layout = start(cluster)
    done = cluster.tepui("run", f"--image=oci:{layout}:v2", "--", "true", check=False)
    expect("TASK_FAILED" in done.stderr and "there is no image 'v2', only: v1" in done.stderr,
           done.stderr)


if __name__ == "__main__":
    missing = [name for name in ("umoci", BUSYBOX) if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        print(f"1..0 # SKIP images need root, umoci and busybox ({missing} missing)")
        sys.exit(0)
    sys.exit(run_tests([
        a_task_has_the_files_of_its_image,
        an_image_says_what_to_run,
        an_archive_is_an_image_too,
        an_image_names_its_user,
        a_task_that_had_not_begun_gets_its_image_again,
        what_is_no_image_fails_the_task,
    ]))
