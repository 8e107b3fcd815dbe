#!/usr/bin/env python3
"""A whole cluster in network namespaces: faults with a name, then faults at random."""

import os
import shutil
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "chaos"))
import namespaces  # noqa: E402
import scenarios  # noqa: E402
from harness import Failure, signal_as_exception  # noqa: E402
from topology import Topology  # noqa: E402


def run_scenario(folder, scenario):
    """What went wrong, or None."""
    topology = Topology(os.path.join(folder, scenario.__name__[:24]), agents=3, frameworks=2)
    problem = None
    try:
        topology.start()
        scenario(topology)
    except Failure as failure:
        problem = "\n".join([str(failure)] + [f"{node.name}: {node.tail()}"
                                              for node in topology.nodes])
    except Exception:  # a bug in one test must not hide the others
        problem = traceback.format_exc()
    finally:
        topology.close()
        shutil.rmtree(topology.folder)
    return problem


def main():
    why = namespaces.missing()
    if why:
        print(f"1..0 # SKIP {why}")
        return 0
    folder = namespaces.enter()
    signal_as_exception()
    wanted = sys.argv[1:]
    tests = [test for test in scenarios.ALL if not wanted or test.__name__ in wanted]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        started = time.monotonic()
        problem = run_scenario(folder, test)
        failed += problem is not None
        print(f"{'not ok' if problem else 'ok'} {number} - {test.__name__.replace('_', ' ')}\n"
              f"# {time.monotonic() - started:.0f} s", flush=True)
        for line in (problem or "").splitlines():
            print(f"# {line}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
