#!/usr/bin/env python3
"""Boots Debian's kernel under QEMU once and passes on what the tests in it say, as TAP.

usage: vm_test.py [CASE ...]

The series of the kernel is in TEPUI_VM_KERNEL (6.1 if it is not set), programs with GoogleTest cases to
run there as well in TEPUI_VM_PROGRAMS. A guest that hangs, panics or
ends before all its tests have fails those that are missing, with the end of its console.
"""

import os
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from initramfs import BUSYBOX, write_initramfs  # noqa: E402
from kernel import KernelError, get_kernel  # noqa: E402
from machine import QEMU, Machine  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TEPUI_BUILD", os.path.join(SOURCE, "build"))
SECONDS = int(os.environ.get("TEPUI_VM_SECONDS", "480"))


class Results:
    """The TAP that the guest writes to a file, passed on as it grows."""

    def __init__(self, path):
        self._path = path
        self._read = 0
        self._rest = ""
        self.names = []  # all that are to come, from lines "# case NAME" before the first
        self.done = set()

    def pump(self):
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                file.seek(self._read)
                text = self._rest + file.read()
                self._read = file.tell()
        except FileNotFoundError:
            return
        *lines, self._rest = text.split("\n")
        for line in lines:
            if line.startswith("# case "):
                self.names.append(line[len("# case "):])
                continue
            print(line, flush=True)
            words = line.split(" - ", 1)
            if len(words) == 2 and words[0].startswith(("ok ", "not ok ")):
                self.done.add(words[1].split(" # ")[0])

    def fail_missing(self, why):
        """One failed case for each that said nothing; how many."""
        missing = [name for name in self.names if name not in self.done]
        if not self.names:
            print("1..1")
            missing = ["the guest runs its tests"]
        for number, name in enumerate(missing, len(self.done) + 1):
            print(f"not ok {number} - {name}")
            for line in why if number == len(self.done) + 1 else ["as above"]:
                print(f"# {line}", flush=True)
        return len(missing)


def skip(why):
    print(f"1..0 # SKIP {why}")
    return 0


def run(kernel, folder, cases):
    """Boots, and waits for the end or the time limit; the exit status of this test."""
    os.makedirs(os.path.join(folder, "out"))
    out = os.path.join(folder, "out")
    with open(os.path.join(out, "environment"), "w", encoding="utf-8") as file:
        programs = os.environ.get("TEPUI_VM_PROGRAMS", "")
        file.write(f"export TEPUI_BUILD='{BUILD}' TEPUI_VM_CASES='{' '.join(cases)}' "
                   f"TEPUI_VM_PROGRAMS='{programs}'\n")
    initramfs = os.path.join(folder, "initramfs")
    write_initramfs(kernel, initramfs)
    results = Results(os.path.join(out, "tap"))
    machine = Machine(kernel, initramfs, out, SOURCE)
    try:
        while machine.status() is None and time.monotonic() < machine.started + SECONDS:
            time.sleep(0.2)  # the pace at which results are passed on
            results.pump()
        status = machine.status()
        if status is None:
            why = f"the guest was still running after {SECONDS} s, and was ended"
        else:
            why = f"the guest ended with {status}" if status >= 0 else "the guest ended unasked"
        machine.end()
        results.pump()
        failed = results.fail_missing([why + "; the end of its console:"] + machine.console_tail())
        print(f"# the guest ran for {time.monotonic() - machine.started:.0f} s")
        return 1 if failed or status != 0 else 0
    finally:
        machine.end()


def main():
    version = os.environ.get("TEPUI_VM_KERNEL", "6.1")
    if not shutil.which(QEMU) or not os.path.exists(BUSYBOX):
        return skip(f"{QEMU} or {BUSYBOX} is not installed: ./dev deps installs them")
    # Whoever ends us ends by exception, so that the machine goes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        kernel = get_kernel(version, os.path.join(BUILD, "vm"))
    except KernelError as error:
        print(f"1..1\nnot ok 1 - the kernel {version} can be had\n# {error}")
        return 1
    print(f"# kernel {version}", flush=True)
    folder = tempfile.mkdtemp(prefix="tepui-vm-")
    try:
        return run(kernel, folder, sys.argv[1:])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
