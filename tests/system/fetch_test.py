#!/usr/bin/env python3
"""What tasks fetch, by a real agent from a real server: it is there before the command begins, or
the task says why it is not; a kill does not wait for a server; an agent that dies fetches again."""

import gzip
import hashlib
import http.server
import io
import json
import os
import sys
import tarfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, run_tests, wait_until  # noqa: E402


class Server:
    """Serves `files`; a path in `held` gets no answer before it is taken out."""

    def __init__(self, files):
        self.files = files
        self.held = set()
        self.requests = []
        self.changed = threading.Condition()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with owner.changed:
                    owner.requests.append(self.path)
                    owner.changed.notify_all()
                    owner.changed.wait_for(lambda: self.path not in owner.held)
                body = owner.files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                try:
                    self.wfile.write(body or b"")
                except OSError:
                    pass  # whoever asked is gone

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        with self.changed:
            self.held.clear()
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def wait_for_requests(self, path, count):
        with self.changed:
            expect(self.changed.wait_for(lambda: self.requests.count(path) >= count, timeout=30),
                   f"{path} was asked for {self.requests.count(path)} times, not {count}")


def packed(files):
    """A tar.gz with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, (content, mode) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue())


def start(cluster, *flags):
    cluster.start_master()
    agent = cluster.start_agent(*flags)
    cluster.wait_registered(agent)
    return agent


def what_was_fetched_is_there(cluster):
    start(cluster)
    job = packed({"job/start": (b"#!/bin/sh\necho started $1\n", 0o755)})
    with Server({"/job.tgz": job, "/data": b"data"}) as server:
        checksum = hashlib.sha256(b"data").hexdigest()
        done = cluster.tepui(
            "run", f"--uri={server.url('/job.tgz')}",
            f"--uri={server.url('/data')},cache,output=in/data,checksum=sha256:{checksum}",
            "--uri=/etc/hostname,executable", "--", "sh", "-c",
            "./job/start now; cat in/data; test -x hostname && echo yes; ls")
        expect_equal(done.stdout, "started now\ndatayes\nhostname\nin\njob\nstderr\nstdout\n",
                     "the output")
        cluster.tepui("run", "--instances=3", f"--uri={server.url('/data')},cache", "--", "cat",
                      "data")
        expect_equal(server.requests.count("/data"), 2, "downloads, one for each checksum")


def what_cannot_be_fetched_fails_the_task(cluster):
    start(cluster)
    with Server({"/data": b"data"}) as server:
        for uri, why in ((f"{server.url('/none')}", "HTTP status 404"),
                         (f"{server.url('/data')},checksum=sha256:{'0' * 64}",
                          "expected sha256:0000"),
                         ("/no/such/file", "ENOENT")):
            done = cluster.tepui("run", f"--uri={uri}", "--", "true", check=False)
            expect(done.returncode != 0, f"{uri} should fail the task")
            expect("TASK_FAILED" in done.stderr and why in done.stderr and
                   uri.split(",")[0] in done.stderr, f"{uri} should say {why}: {done.stderr}")
        done = cluster.tepui("run", "--image=oci:/srv/app", "--", "true", check=False)
        expect("TASK_FAILED" in done.stderr and "--image-dir" in done.stderr, done.stderr)


def a_kill_does_not_wait_for_the_server(cluster):
    agent = start(cluster)
    with Server({}) as server:
        server.held.add("/slow")
        process = cluster.start_tepui("run", "--json", f"--uri={server.url('/slow')}", "--", "true")
        server.wait_for_requests("/slow", 1)
        task = wait_until(lambda: [row["id"] for row in cluster.rows("tasks")], "the task")[0]
        cluster.tepui("kill", task)
        out, _ = process.communicate(timeout=30)
        said = json.loads(out)["tasks"][0]
        expect_equal(said["state"], "TASK_KILLED", "the state")
        wait_until(lambda: not helpers_of(agent), "the helper to end")


def helpers_of(agent):
    """The pids of its tepui-fetch."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "tepui-fetch" and int(rest.split()[1]) == agent.pid:
            found.append(int(pid))
    return found


def an_agent_that_dies_takes_its_helpers_along_and_fetches_again(cluster):
    agent = start(cluster)
    with Server({"/slow": b"data"}) as server:
        server.held.add("/slow")
        process = cluster.start_tepui("run", f"--uri={server.url('/slow')}", "--", "cat", "slow")
        server.wait_for_requests("/slow", 1)
        helpers = helpers_of(agent)
        expect_equal(len(helpers), 1, "helpers at work")
        agent.kill()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in helpers),
                   "the helper to die with its agent")
        with server.changed:
            server.held.clear()
            server.changed.notify_all()
        cluster.restart_agent(agent)
        out, errors = process.communicate(timeout=60)
        expect_equal((process.returncode, out), (0, "data"), f"status and output ({errors})")
        expect_equal(server.requests.count("/slow"), 2, "downloads")


def downloads_that_hang_delay_no_other_launch(cluster):
    start(cluster)
    at_once = 16  # limits::kFetchesInFlightMax
    with Server({"/slow": b"data"}) as server:
        server.held.add("/slow")
        process = cluster.start_tepui("run", f"--instances={at_once + 4}", "--cpus=0.01",
                                      "--mem=8MB", f"--uri={server.url('/slow')}", "--", "cat",
                                      "slow")
        server.wait_for_requests("/slow", at_once)
        done = cluster.tepui("run", "--cpus=0.01", "--mem=8MB", "--", "echo", "in", "time")
        expect_equal(done.stdout, "in time\n", "the output of a task that fetches nothing")
        expect_equal(server.requests.count("/slow"), at_once, "downloads at once")
        with server.changed:
            server.held.clear()
            server.changed.notify_all()
        out, errors = process.communicate(timeout=60)
        expect_equal((process.returncode, out.count("data")), (0, at_once + 4),
                     f"status and output ({errors})")


if __name__ == "__main__":
    sys.exit(run_tests([
        what_was_fetched_is_there,
        what_cannot_be_fetched_fails_the_task,
        a_kill_does_not_wait_for_the_server,
        an_agent_that_dies_takes_its_helpers_along_and_fetches_again,
        downloads_that_hang_delay_no_other_launch,
    ]))
