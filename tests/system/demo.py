#!/usr/bin/env python3
"""The demo: a cluster on this machine, shared fairly between two frameworks that do real work.

Starts tepui-master (file registry) and three tepui-agents on loopback, then two frameworks in roles
`silver` (weight 1) and `gold` (weight 2). Each compresses and hashes real files of this machine, with
more demand than there are resources. One task fails and one is killed on purpose. At the end: tables,
and a check of every output against the same command run without Tepui. Nothing is left behind.
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402  (found through the line above)
from harness import Cluster, Failure, expect  # noqa: E402

WEIGHTS = {"silver": 1, "gold": 2}
AGENTS = 3
AGENT_RESOURCES = "cpus:2;mem:1GB;disk:1GB;ports:[31000-32000]"
TASK_CPUS = 0.5
TASK_MEM_MB = 64
BUNDLE_BYTES = 1_500_000
SAMPLES_MIN = 8  # fewer say nothing about shares


def bundles(count):
    """`count` commands over real files: each compresses about 1.5 MB and hashes the result."""
    files = []
    for folder, folders, names in os.walk("/usr/share"):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if "'" in path or os.path.islink(path) or not os.path.isfile(path):
                continue
            size = os.path.getsize(path)
            if 2_000 <= size <= 4 * BUNDLE_BYTES and os.access(path, os.R_OK):
                files.append((path, size))
    groups, group, total = [], [], 0
    for path, size in files:
        group.append(path)
        total += size
        if total >= BUNDLE_BYTES or len(group) == 400:
            groups.append(group)
            group, total = [], 0
    if group:
        groups.append(group)
    expect(groups, "there are no readable files under /usr/share to work on")
    # A small machine has fewer files than we want commands: go round again, compressing differently.
    commands = []
    while len(commands) < count:
        turn, index = divmod(len(commands), len(groups))
        names = " ".join(f"'{path}'" for path in groups[index])
        commands.append(f"gzip -{9 - turn % 9} -nc {names} | sha256sum")
    return commands


def batch_file(path, role, commands, extra):
    tasks = [{"name": f"{role}-{number:03}", "command": command}
             for number, command in enumerate(commands)] + extra
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"name": role, "role": role, "cpus": TASK_CPUS, "mem": f"{TASK_MEM_MB}MB",
                   "tasks": tasks}, file)


class Progress:
    """One line, rewritten, on a terminal; a line now and then elsewhere."""

    def __init__(self):
        self._terminal = sys.stderr.isatty()
        self._last = 0.0

    def show(self, text):
        if self._terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._last > 5:
            print(text, file=sys.stderr, flush=True)
            self._last = time.monotonic()

    def end(self):
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def table(headings, rows):
    cells = [headings] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        line = "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                         for column, (cell, width) in enumerate(zip(row, widths)))
        print("  " + line.rstrip())
    print(flush=True)


def watch(cluster, frameworks, total, sleeper):
    """Samples shares until both frameworks have ended; kills the sleeper on the way."""
    samples, progress, killed = [], Progress(), False
    started = time.monotonic()
    while any(process.poll() is None for process in frameworks.values()):
        roles = {row["name"]: row for row in cluster.rows("roles")}
        share = {role: roles.get(role, {}).get("allocated", {}).get("cpus", 0.0) /
                 (AGENTS * 2) for role in WEIGHTS}
        running = {role for role, process in frameworks.items() if process.poll() is None}
        metrics = cluster.metrics()
        done = sum(int(metrics.get(f"master/tasks_{state}", 0))
                   for state in ("finished", "failed", "killed", "lost", "error", "dropped"))
        elapsed = time.monotonic() - started
        samples.append((elapsed, share, running, done))
        progress.show(f"{elapsed:5.1f} s  {done}/{total} tasks done   " + "   ".join(
            f"{role} {100 * share[role]:3.0f}%" for role in WEIGHTS))
        if not killed:
            for row in cluster.rows("tasks"):
                if row["name"] == sleeper and row["state"] == "TASK_RUNNING":
                    cluster.tepui("kill", row["id"], "--framework", row["framework_id"])
                    killed = True
        expect(elapsed < 110, "the tasks did not end within 110 s")
        time.sleep(0.25)  # the pace of sampling
    progress.end()
    expect(killed, f"the task {sleeper} was never seen running, so it could not be killed")
    return samples


def contended(samples):
    """The samples in which both frameworks had more demand than resources."""
    both = [sample for sample in samples if len(sample[2]) == len(WEIGHTS)]
    full = [sample for sample in both if sum(sample[1].values()) > 0.9]
    # The end of the first framework has no more demand than running tasks: leave its tail out.
    return full[:max(1, int(len(full) * 0.85))]


def verify(commands, output, workers):
    """Runs every command without Tepui and compares; how many were equal."""
    def reference(item):
        name, command = item
        wanted = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True).stdout
        with open(os.path.join(output, f"{name}.stdout"), "rb") as file:
            return name, wanted == file.read()

    progress, equal, wrong = Progress(), 0, []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for name, same in pool.map(reference, commands.items()):
            equal += same
            if not same:
                wrong.append(name)
            progress.show(f"checking the outputs without Tepui: {equal}/{len(commands)}")
    progress.end()
    expect(not wrong, f"{len(wrong)} outputs differ from the plain commands', first {wrong[:3]}")
    return equal


def report(summaries, samples):
    print("Tasks by final state")
    states = sorted({state for summary in summaries.values() for state in summary["states"]})
    table(["role", *states], [[role, *(summary["states"].get(state, 0) for state in states)]
                              for role, summary in summaries.items()])

    print("Dominant share against weight, while both wanted more than there is")
    fair = contended(samples)
    step = max(1, len(fair) // 8)
    rows = []
    for first in range(0, len(fair), step):
        part = fair[first:first + step]
        mean = {role: sum(sample[1][role] for sample in part) / len(part) for role in WEIGHTS}
        rows.append([f"{part[0][0]:.1f} s", *(f"{100 * mean[role]:.1f}%" for role in WEIGHTS),
                     f"{mean['gold'] / mean['silver']:.2f}" if mean["silver"] else "-"])
    # Who comes first gets all there is, until tasks have ended and made room, twice over.
    settled = [sample for sample in fair if sample[3] >= 2 * AGENTS * 2 / TASK_CPUS] or fair
    mean = {role: sum(sample[1][role] for sample in settled) / len(settled) for role in WEIGHTS}
    ratio = mean["gold"] / max(mean["silver"], 1e-9)
    rows.append(["mean, once settled", *(f"{100 * mean[role]:.1f}%" for role in WEIGHTS), f"{ratio:.2f}"])
    rows.append(["weights say", *(f"{100 * weight / sum(WEIGHTS.values()):.1f}%"
                                  for weight in WEIGHTS.values()), "2.00"])
    table(["from", *(f"{role} (weight {weight})" for role, weight in WEIGHTS.items()),
           "gold/silver"], rows)

    print("Launches (accept to TASK_RUNNING, as the frameworks saw it)")
    table(["role", "tasks", "seconds", "launches/s", "latency p50", "latency p99"],
          [[role, len(summary["tasks"]), f"{summary['wall_secs']:.1f}",
            f"{summary['launches_per_sec']:.1f}", f"{summary['launch_ms']['p50']:.1f} ms",
            f"{summary['launch_ms']['p99']:.1f} ms"] for role, summary in summaries.items()])
    return ratio if len(settled) >= SAMPLES_MIN else None


def check_leftovers(cluster, cgroups, pids):
    """What is still there after the cluster was closed."""
    left = [f"process {pid}" for pid in pids if os.path.exists(f"/proc/{pid}")]
    left += [f"cgroup {path}" for path in cgroups if path and os.path.exists(path)]
    if os.path.exists(cluster.folder):
        left.append(f"folder {cluster.folder}")
    return left


def run(cluster, count):
    weights = ",".join(f"{role}={weight}" for role, weight in WEIGHTS.items())
    cluster.start_master(f"--weights={weights}")
    agents = [cluster.start_agent(resources=AGENT_RESOURCES) for _ in range(AGENTS)]
    for agent in agents:
        cluster.wait_registered(agent)
    print(f"tepui-master listens on {cluster.address} (pid {cluster.master.pid}); {AGENTS} agents "
          f"with {AGENT_RESOURCES} each are registered.")
    print(f"Two frameworks compress and hash files of /usr/share: {count} tasks each, {TASK_CPUS} "
          f"cpus a task, so {2 * count} tasks want {int(2 * count * TASK_CPUS)} cpus of "
          f"{2 * AGENTS}.\n", flush=True)

    commands = bundles(2 * count)
    work = {"silver": commands[:count], "gold": commands[count:]}
    extra = {"silver": [{"name": "silver-fails",
                         "command": "echo this task fails on purpose >&2; exit 3"}],
             "gold": [{"name": "gold-sleeps", "command": "sleep 3600"}]}
    frameworks = {}
    for role in WEIGHTS:
        path = cluster.path(f"{role}.json")
        # The odd one goes first, so that it is running while there is much to do.
        batch_file(path, role, work[role], extra[role])
        frameworks[role] = cluster.start_tepui("batch", path, "--json", "--output",
                                               cluster.path("out"))
    samples = watch(cluster, frameworks, 2 * count + 2, "gold-sleeps")

    summaries = {}
    for role, process in frameworks.items():
        out, errors = process.communicate(timeout=30)
        expect(process.returncode == 1, f"the batch of {role} ended with {process.returncode}, "
               f"expected 1 (one of its tasks does not finish): {errors.strip()[-600:]}")
        summaries[role] = json.loads(out)
    ratio = report(summaries, samples)

    expect(summaries["silver"]["states"] == {"TASK_FINISHED": count, "TASK_FAILED": 1},
           f"silver ended as {summaries['silver']['states']}")
    expect(summaries["gold"]["states"] == {"TASK_FINISHED": count, "TASK_KILLED": 1},
           f"gold ended as {summaries['gold']['states']}")
    for role in WEIGHTS:
        for task in summaries[role]["tasks"]:
            if task["state"] != "TASK_FINISHED":
                message = " ".join(task["message"].split())
                print(f"  {task['name']}: {task['state']}, as intended: {message}")
    checked = verify({f"{role}-{number:03}": command for role in WEIGHTS
                      for number, command in enumerate(work[role])},
                     cluster.path("out"), os.cpu_count() or 1)
    print(f"\nVerified: the outputs of all {checked} tasks equal those of the same commands run "
          "without Tepui.")
    if ratio is None:
        print("The run was too short to judge the shares.")
    else:
        expect(1.5 <= ratio <= 2.6, f"gold had {ratio:.2f} times silver's share, not twice")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=150, help="tasks per framework (default 150)")
    arguments = parser.parse_args()
    harness.signal_as_exception()
    started = time.monotonic()
    cluster = Cluster("tepui-demo-")
    status = 1
    try:
        run(cluster, arguments.tasks)
        status = 0
    except Failure as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted; cleaning up.", file=sys.stderr)
        status = 130
    finally:
        pids = [process.process.pid for process in cluster.processes]
        cgroups = [harness.cgroup_of(root) for root in cluster.cgroups]
        problems = cluster.close() + check_leftovers(cluster, cgroups, pids)
    if problems:
        print("Left behind, which is a bug: " + "; ".join(problems), file=sys.stderr)
        status = status or 1
    elif status == 0:
        print("Nothing is left behind: no process, cgroup, socket or file. "
              f"{time.monotonic() - started:.0f} s in all.")
    return status


if __name__ == "__main__":
    sys.exit(main())
