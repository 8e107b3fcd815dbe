#!/usr/bin/env python3
"""Runs the tests of the virtual machine, inside it, and writes TAP to the folder of results.

A suite is a module with TESTS, functions that take its cluster, and start(cluster), which brings up
what they share: daemons are slow here. A test whose cluster is hurt ends its suite.
"""

import importlib
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]
from harness import Cluster, Failure, Process  # noqa: E402

SUITES = ["machine_suite", "limits_suite", "hostile_suite", "rootfs_suite", "restart_suite",
          "clock_suite", "programs_suite"]
OUT = "/run/out/tap"


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


def run_suite(tap, module, tests):
    cluster = Cluster()
    started = time.monotonic()
    broken = attempt(getattr(module, "start", lambda _: None), cluster)
    tap.line(f"# {module.__name__} began in {time.monotonic() - started:.1f} s")
    for test in tests:
        started = time.monotonic()
        problem = broken or attempt(test, cluster)
        if test is tests[-1]:
            left = cluster.close()
            problem = problem or ("left behind: " + ", ".join(left) if left else None)
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
