#!/usr/bin/env python3
"""A whole cluster in network namespaces: faults with a name on one, then faults at random on another.
At the end of each everything that happened is checked. TEPUI_CHAOS_SEED chooses the random ones."""

import os
import random
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "chaos"))
import namespaces  # noqa: E402
import rounds  # noqa: E402
import scenarios  # noqa: E402
from harness import Failure, signal_as_exception  # noqa: E402
from topology import Topology  # noqa: E402

RANDOM_SECONDS = 60


def comment(text):
    for line in text.splitlines():
        print(f"# {line}", flush=True)


class Scenarios:
    """Runs them on one cluster; after one that failed, the next gets a new one."""

    def __init__(self, folder):
        self.folder = folder
        self.topology = None
        self.count = 0

    def run(self, scenario):
        if self.topology is None:
            self.count += 1
            self.topology = Topology(os.path.join(self.folder, f"scenarios-{self.count}"))
            self.topology.start()
        try:
            scenario(self.topology)
        except BaseException:
            for node in self.topology.nodes:
                comment(f"{node.name}: {node.tail()}")
            self.close()
            raise

    def the_histories_are_sound(self):
        """Of all that the scenarios did."""
        if self.topology is None:
            raise Failure("the last scenario failed")
        result = rounds.Result(seed=0)
        try:
            counter = rounds.Counter(self.topology)
            rounds.end_in_peace(self.topology, counter, comment, result)
        finally:
            self.close()
        comment(f"{self.count} clusters; of the last {result.elections} elections, "
                f"{result.inputs} inputs replayed")
        if result.wrong:
            raise Failure("\n".join(result.wrong))

    def close(self):
        self.topology.close()
        rounds.remove(self.topology.folder)
        self.topology = None


def random_faults(folder):
    seed = int(os.environ.get("TEPUI_CHAOS_SEED") or random.SystemRandom().randrange(10 ** 6))
    again = f"./dev chaos --seed {seed} --round-seconds {RANDOM_SECONDS}"
    comment(f"seed {seed}: {again}")
    result = rounds.run_round(seed, RANDOM_SECONDS, folder,
                              lambda seconds, text: comment(f"{seconds:6.1f} {text}"))
    rounds.remove(os.path.join(folder, f"seed-{seed}"))
    comment(f"{result.faults} faults, {result.elections} elections, {result.tasks} tasks, "
            f"{result.inputs} inputs replayed")
    if result.wrong:
        raise Failure("\n".join(result.wrong + [f"again: {again}"]))


def main():
    why = namespaces.missing()
    if why:
        print(f"1..0 # SKIP {why}")
        return 0
    folder = namespaces.enter()
    signal_as_exception()
    runner = Scenarios(folder)
    tests = [(test.__name__, lambda test=test: runner.run(test)) for test in scenarios.ALL]
    tests.append(("the_histories_of_all_these_are_sound", runner.the_histories_are_sound))
    tests.append(("random_faults", lambda: random_faults(folder)))
    wanted = sys.argv[1:]
    tests = [test for test in tests if not wanted or test[0] in wanted]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        started = time.monotonic()
        problem = None
        try:
            test()
        except Failure as failure:
            problem = str(failure)
        except Exception:  # a bug in one test must not hide the others
            problem = traceback.format_exc()
        failed += problem is not None
        print(f"{'not ok' if problem else 'ok'} {number} - {name.replace('_', ' ')}", flush=True)
        comment(problem or f"{time.monotonic() - started:.0f} s")
    if runner.topology:
        runner.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
