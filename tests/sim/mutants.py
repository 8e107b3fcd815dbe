#!/usr/bin/env python3
"""Plants each bug of tests/sim/mutants into a copy of the product and demands that the simulation
catches it.

Each patch begins with lines of explanation; `expect: NAME` there names the checker that must see
the bug (any, where it is left out); `hunt: ARGUMENTS` are given to the simulation, for bugs that
only show in lives of another size. The copies are built one after another in one build directory,
so that only what a patch touches is compiled again.

usage: mutants.py [--seeds N] [--only WORD] [--keep] [--check]
Exit status 1: a bug got away, or a patch does not apply.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MUTANTS = ROOT / "tests" / "sim" / "mutants"
RUN_SECONDS_MAX = 240


def run(command, **more):
    return subprocess.run(command, text=True, capture_output=True, check=False, **more)


def copy_tree(target):
    tracked = run(["git", "ls-files", "-z"], cwd=ROOT)
    if tracked.returncode != 0:
        sys.exit("mutants: cannot list the tracked files: " + tracked.stderr.strip())
    for name in filter(None, tracked.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def build(tree):
    cache = {"CCACHE_BASEDIR": str(tree), "CCACHE_NOHASHDIR": "1"}
    made = run(["ninja", "-C", "build", "tests/sim/tepui-sim"], cwd=tree, env=os.environ | cache)
    return "" if made.returncode == 0 else "\n".join(made.stdout.splitlines()[-20:])


def hunt(tree, seeds, more=()):
    """(checker, seeds needed), with a checker of None if the bug got away."""
    command = ["build/tests/sim/tepui-sim", "--seeds", str(seeds), *more]
    try:
        hunted = run(command, cwd=tree, timeout=RUN_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return "none: no answer in time", 0
    failed = re.search(r"^seed (\d+) failed: ([\w-]+):", hunted.stdout, re.MULTILINE)
    if failed:
        return failed.group(2), int(failed.group(1))
    if hunted.returncode < 0:
        progress = re.findall(r"(\d+) of \d+ seeds passed", hunted.stdout)
        return "abort", int(progress[-1]) + 1 if progress else 1
    return None, seeds


def read(patch):
    text = patch.read_text()
    expected = re.search(r"^expect: (\S+)$", text, re.MULTILINE)
    more = re.search(r"^hunt: (.+)$", text, re.MULTILINE)
    return (text.splitlines()[0], expected.group(1) if expected else None,
            more.group(1).split() if more else [])


def plant(tree, patch, seeds):
    """(row of the table, passed)."""
    title, expected, more = read(patch)
    applied = run(["git", "apply", "-C1", str(patch)], cwd=tree)
    try:
        if applied.returncode != 0:
            print(applied.stdout + applied.stderr, file=sys.stderr)
            return (title, "the patch does not apply", ""), False
        problem = build(tree)
        if problem:
            print(problem, file=sys.stderr)
            return (title, "does not build", ""), False
        checker, needed = hunt(tree, seeds, more)
    finally:
        for name in re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.MULTILINE):
            shutil.copyfile(ROOT / name, tree / name)
    if checker is None:
        return (title, "GOT AWAY", f"{seeds}"), False
    if checker.startswith("none"):
        return (title, checker, ""), False
    if expected and checker != expected:
        return (title, f"{checker}, expected {expected}", f"{needed}"), False
    return (title, checker, f"{needed}"), True


def check(patches):
    """Only whether all of them can still be planted."""
    stale = [(patch.name, applied.stderr.strip()) for patch in patches
             if (applied := run(["git", "apply", "--check", "-C1", str(patch)], cwd=ROOT)).returncode]
    for name, why in stale:
        print(f"{name} does not apply: {why}")
    print(f"{len(patches)} patches, {len(stale)} stale")
    return 1 if stale or not patches else 0


def main():
    parser = argparse.ArgumentParser(prog="./dev sim --mutants")
    parser.add_argument("--seeds", type=int, default=10000, help="at most, per bug (10000)")
    parser.add_argument("--only", default="", help="only patches with one of these words, between commas, in their name")
    parser.add_argument("--keep", action="store_true", help="keep the copy that was built")
    parser.add_argument("--check", action="store_true", help="only see whether they all apply")
    given = parser.parse_args()
    words = given.only.split(",")
    patches = sorted(p for p in MUTANTS.glob("*.patch") if any(word in p.name for word in words))
    if not patches:
        sys.exit("mutants: no patch matches")
    if given.check:
        return check(patches)
    tree = pathlib.Path(tempfile.mkdtemp(prefix="tepui-mutants-"))
    rows = []
    passed = True
    try:
        copy_tree(tree)
        configured = run(["meson", "setup", "build", "-Doptimization=1", "-Dwerror=false"], cwd=tree)
        if configured.returncode != 0:
            sys.exit("mutants: cannot configure:\n" + configured.stdout[-2000:])
        problem = build(tree)
        if problem:
            sys.exit("mutants: the product without a bug does not build:\n" + problem)
        clean, _ = hunt(tree, 20)
        if clean is not None:
            sys.exit(f"mutants: the product fails without a bug ({clean})")
        for number, patch in enumerate(patches, 1):
            print(f"{number} of {len(patches)}: {patch.stem}: ", end="", flush=True)
            row, caught = plant(tree, patch, given.seeds)
            print(f"{row[1]}, {row[2]}" if caught else "NOT caught", flush=True)
            rows.append(row)
            passed = passed and caught
    finally:
        if given.keep:
            print(f"the copy is in {tree}")
        else:
            shutil.rmtree(tree, ignore_errors=True)
    rows.insert(0, ("bug", "caught by", "after seeds"))
    width = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print(f"{row[0]:{width[0]}}  {row[1]:{width[1]}}  {row[2]:>{width[2]}}")
    print(f"{sum(1 for _ in rows) - 1} bugs, " + ("all caught" if passed else "NOT all caught"))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
