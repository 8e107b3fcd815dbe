#!/usr/bin/env python3
"""The demo in small, as a stranger would run it, and again with an interrupt in the middle."""

import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, run_tests  # noqa: E402

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")


def the_demo_in_small_verifies_itself_and_leaves_nothing(_cluster):
    done = subprocess.run([sys.executable, DEMO, "--tasks=30"], capture_output=True, text=True,
                          timeout=180, check=False, stdin=subprocess.DEVNULL)
    expect_equal(done.returncode, 0, f"the demo's status:\n{done.stdout}\n{done.stderr}")
    expect("Verified: the outputs of all 60 tasks" in done.stdout, done.stdout)
    expect("Nothing is left behind" in done.stdout, done.stdout)


def an_interrupted_demo_cleans_up(_cluster):
    demo = subprocess.Popen([sys.executable, DEMO, "--tasks=60"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        while "Two frameworks" not in demo.stdout.readline():
            expect(demo.poll() is None, "the demo ended early")
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=60)
    finally:
        demo.kill()
        demo.wait()
    expect_equal(demo.returncode, 130, f"the status after Ctrl-C: {errors}")
    expect("Left behind" not in errors, errors)


if __name__ == "__main__":
    sys.exit(run_tests([
        the_demo_in_small_verifies_itself_and_leaves_nothing,
        an_interrupted_demo_cleans_up,
    ]))
