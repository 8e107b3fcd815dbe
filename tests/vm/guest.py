#!/usr/bin/env python3
"""Runs the tests of the virtual machine, inside it, and writes TAP to the folder of results.

A suite is a module with TESTS, functions that take its cluster, and start(cluster), which brings up
what they share: daemons are slow here. A test whose cluster is hurt ends its suite.
"""

import importlib
import os
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]
from harness import Cluster, Failure, Process, state_of  # noqa: E402

SUITES = ["machine_suite", "limits_suite", "hostile_suite", "rootfs_suite", "restart_suite",
          "clock_suite", "programs_suite"]
OUT = "/run/out/tap"
# No wait of a test is longer than a minute; what takes so much longer hangs, and is looked at.
HANGS_SECONDS = 150


def sentence(name):
    return name.replace("_", " ")


class Tap:
    """Writes each line through to the host, and to the console."""

    def __init__(self):
        self._number = 0
        self.failed = 0
        self._file = open(OUT, "w", encoding="utf-8")

    def line(self, text):
        self._file.write(text + "\n")
        self._file.flush()
        print(text, flush=True)

    def case(self, name, problem, seconds):
        self._number += 1
        self.failed += problem is not None
        self.line(f"{'not ok' if problem else 'ok'} {self._number} - {name}")
        self.line(f"# {seconds:.1f} s")
        for line in (problem or "").splitlines():
            self.line(f"# {line}")


def attempt(action, cluster):
    """Nothing, or what went wrong."""
    try:
        action(cluster)
    except Failure as failure:
        problem = str(failure)
    except Exception:  # a bug in the test fails the test, not the others
        problem = traceback.format_exc()
    else:
        return None
    for process in cluster.processes:
        if isinstance(process, Process):
            problem += f"\n{process.name} (pid {process.pid}) {process.tail()}"
    return problem


def say_what_hangs(tap, name):
    """Where this program and all others stand, for a test that does not end."""
    tap.line(f"# {name} takes over {HANGS_SECONDS} s")
    for thread, frame in sys._current_frames().items():  # there is no other way to ask
        for line in traceback.format_stack(frame):
            tap.line("# " + " ".join(line.split()) + f" (thread {thread})")
    for pid in sorted((int(pid) for pid in os.listdir("/proc") if pid.isdigit()), reverse=True):
        if os.path.exists(f"/proc/{pid}/exe"):  # no threads of the kernel
            for line in state_of(pid).splitlines():
                tap.line(f"# {pid}: {line}")


def run_suite(tap, module, tests):
    cluster = Cluster()
    started = time.monotonic()
    broken = attempt(getattr(module, "start", lambda _: None), cluster)
    tap.line(f"# {module.__name__} began in {time.monotonic() - started:.1f} s")
    for test in tests:
        started = time.monotonic()
        watch = threading.Timer(HANGS_SECONDS, say_what_hangs, (tap, test.__name__))
        watch.daemon = True
        watch.start()
        problem = broken or attempt(test, cluster)
        if test is tests[-1]:
            left = cluster.close()
            problem = problem or ("left behind: " + ", ".join(left) if left else None)
        watch.cancel()
        tap.case(sentence(test.__name__), problem, time.monotonic() - started)


def main():
    wanted = os.environ.get("TEPUI_VM_CASES", "").split()
    chosen = []
    for name in SUITES:
        module = importlib.import_module(name)
        tests = [test for test in module.TESTS if not wanted or test.__name__ in wanted]
        if tests:
            chosen.append((module, tests))
    tap = Tap()
    tap.line(f"1..{sum(len(tests) for _, tests in chosen)}")
    for _, tests in chosen:
        for test in tests:
            tap.line(f"# case {sentence(test.__name__)}")
    for module, tests in chosen:
        run_suite(tap, module, tests)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
