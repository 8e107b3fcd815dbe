#!/usr/bin/env python3
"""The store suite, which runs on files and on fakes elsewhere, on a real ZooKeeper server."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import expect, expect_equal, run_tests  # noqa: E402
from harness_zookeeper import Ensemble  # noqa: E402

PROGRAM = sys.argv.pop(1)


def a_store_in_zookeeper_does_what_every_store_does(cluster):
    ensemble = Ensemble(cluster, size=1)
    done = subprocess.run(
        [PROGRAM, "--gtest_filter=*ZooKeeper*"], capture_output=True, text=True, timeout=240,
        env=dict(os.environ, TEPUI_TEST_ZK=f"127.0.0.1:{ensemble.servers[0].port}"), check=False)
    print("\n".join("# " + line for line in done.stdout.splitlines()), flush=True)
    expect_equal(done.returncode, 0, f"status: {done.stderr[-2000:]}")
    expect("[  PASSED  ] 9 tests." in done.stdout, "not all of the suite ran")


if __name__ == "__main__":
    sys.exit(run_tests([a_store_in_zookeeper_does_what_every_store_does]))
