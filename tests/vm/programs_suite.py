"""Programs with GoogleTest cases that can do more on this kernel than on most: one case each."""

import os
import subprocess

from containers import mount_disk
from harness import Failure, expect

SECONDS = 100


def start(_cluster):
    mount_disk()


def case_of(path):
    def run(_cluster):
        try:
            done = subprocess.run([path, "--gtest_color=no", "--gtest_brief=1"], timeout=SECONDS,
                                  capture_output=True, text=True, check=False, errors="replace",
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"did not end within {SECONDS} s: {late.output or b''!r}") from None
        expect(done.returncode == 0, f"ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    run.__name__ = os.path.basename(path)
    return run


TESTS = [case_of(path) for path in os.environ.get("TEPUI_VM_PROGRAMS", "").split()]
