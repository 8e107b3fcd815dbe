#!/usr/bin/env python3
"""Runs one fuzz target for a bounded time on a fresh corpus: run.py NAME TARGET MAKE_SEEDS.

TEPUI_FUZZ_SECONDS says for how long (15 by default). What crashes a target stays in the build
directory, and the command that replays it is printed.
"""

import os
import subprocess
import sys
import tempfile


def main():
    name, target, make_seeds = sys.argv[1:4]
    seconds = os.environ.get("TEPUI_FUZZ_SECONDS", "15")
    kept = os.path.join(os.path.dirname(os.path.dirname(__file__)), "fuzz", "corpus", name)
    found = os.path.abspath(f"fuzz-{name}-")
    with tempfile.TemporaryDirectory(prefix="tepui-fuzz-") as corpus:
        subprocess.run([make_seeds, name, corpus], check=True)
        command = [target, f"-max_total_time={seconds}", "-max_len=65536", "-rss_limit_mb=2048",
                   "-timeout=20", "-print_final_stats=1", f"-artifact_prefix={found}", corpus]
        command += [kept] if os.path.isdir(kept) else []
        # In seeds order and with a fixed seed, so that a second run finds the same first.
        result = subprocess.run(command + ["-seed=1"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
    lines = result.stdout.splitlines()
    if result.returncode == 0:
        print("\n".join(line for line in lines if line.startswith(("Done", "stat::"))))
        return 0
    print("\n".join(lines[-60:]))
    print(f"replay with: {target} {found}*")
    return 1


if __name__ == "__main__":
    sys.exit(main())
