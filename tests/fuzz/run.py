#!/usr/bin/env python3
"""Runs one fuzz target, bounded, on a fresh corpus: run.py NAME TARGET MAKE_SEEDS.

Without more, a fixed number of runs from a fixed seed: the same everywhere. TEPUI_FUZZ_SECONDS
makes it a search instead, for that long and from another seed each time. What crashes a target
stays in the build directory, and the command that replays it is printed.
"""

import os
import subprocess
import sys
import tempfile


def main():
    name, target, make_seeds = sys.argv[1:4]
    seconds = os.environ.get("TEPUI_FUZZ_SECONDS")
    bound = [f"-max_total_time={seconds}"] if seconds else ["-runs=500000", "-seed=1"]
    kept = os.path.join(os.path.dirname(os.path.dirname(__file__)), "fuzz", "corpus", name)
    found = os.path.abspath(f"fuzz-{name}-")
    with tempfile.TemporaryDirectory(prefix="tepui-fuzz-") as corpus:
        subprocess.run([make_seeds, name, corpus], check=True)
        command = [target, *bound, "-max_len=65536", "-rss_limit_mb=2048", "-timeout=20",
                   "-print_final_stats=1", f"-artifact_prefix={found}", corpus]
        command += [kept] if os.path.isdir(kept) else []
        result = subprocess.run(command, stdout=subprocess.PIPE,
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
