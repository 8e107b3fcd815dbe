#!/usr/bin/env python3
"""Builds and runs the tests of the given tiers with meson, and counts every case.

Each tier is one meson suite. The fuzz tier lives in a build directory of its own, because libFuzzer
needs clang and sanitizers. The counts are of cases (GoogleTest cases, TAP points), from the JUnit
file that meson writes. The last line is what machines read: N passed, N failed, N skipped.
"""

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

DIRECTORIES = {"fuzz": "build-fuzz"}


def run_tier(tier, patterns, fuzz_seconds):
    directory = DIRECTORIES.get(tier, "build")
    junit = os.path.join(directory, "meson-logs", "testlog.junit.xml")
    if os.path.exists(junit):
        os.unlink(junit)
    command = ["meson", "test", "-C", directory, "--suite", tier, "--print-errorlogs"]
    if tier in ("system", "vm"):
        # Real processes on two cores: one at a time, so that none starves another.
        command += ["--num-processes", "1"]
    environment = dict(os.environ)
    if fuzz_seconds:
        environment["TEPUI_FUZZ_SECONDS"] = str(fuzz_seconds)
        command += ["--timeout-multiplier", "0"]
    command += patterns
    started = time.monotonic()
    print(f"== {tier}", flush=True)
    code = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL).returncode
    passed, failed, skipped, names = count(junit)
    if code != 0 and failed == 0:
        failed = 1  # it did not build, or a test crashed before it could report
        names.append(f"{tier}: meson test ended with status {code}")
    seconds = time.monotonic() - started
    print(f"== {tier}: {passed} passed, {failed} failed, {skipped} skipped in {seconds:.0f} s\n",
          flush=True)
    return passed, failed, skipped, names


def count(junit):
    """Cases in a JUnit file: (passed, failed, skipped, names of the failed)."""
    if not os.path.exists(junit):
        return 0, 0, 0, []
    passed = failed = skipped = 0
    names = []
    for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                names.append(f"{suite.get('name')}: {case.get('name')}")
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
    return passed, failed, skipped, names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tiers", nargs="+")
    parser.add_argument("--filter", action="append", default=[], help="a meson test name")
    parser.add_argument("--fuzz-seconds", type=int, default=0)
    arguments = parser.parse_args()
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

    totals = [0, 0, 0]
    failures = []
    for tier in arguments.tiers:
        *counts, names = run_tier(tier, arguments.filter, arguments.fuzz_seconds)
        totals = [total + more for total, more in zip(totals, counts)]
        failures += names
    for name in failures:
        print(f"failed: {name}")
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main())
