#!/usr/bin/env python3
"""Hours of real faults on a real cluster: three masters, three ZooKeeper servers, five agents and
three frameworks in network namespaces; processes are killed and stopped, networks cut, disks filled.
After every round the history of every task is checked, and the books, the registry and the masters'
journals. A round is drawn from its seed: the same seed hurts in the same way again."""

import argparse
import os
import random
import sys
import time

import namespaces

ROUND_SECONDS = 120


def arguments():
    parser = argparse.ArgumentParser(
        prog="./dev chaos", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""\
Exit status: 0 all is well, 1 something was wrong, 2 bad usage, 77 not possible here,
130 interrupted. Needs root. Nothing of the host's network is touched; its clock is never
changed.

Examples:
  ./dev chaos                   one round, about two and a half minutes
  ./dev chaos --minutes 120     rounds for two hours, each with the next seed
  ./dev chaos --seed 7 --keep   the faults of seed 7, and everything to look at afterwards""")
    parser.add_argument("--seed", type=int, metavar="S",
                        help="of the first round; later ones count on (default: a fresh one)")
    parser.add_argument("--minutes", type=float, default=0, metavar="M",
                        help="begin rounds for so long (default: one round)")
    parser.add_argument("--round-seconds", type=float, default=ROUND_SECONDS, metavar="N",
                        help="faults of a round (default: %(default)s)")
    parser.add_argument("--keep", action="store_true",
                        help="keep logs and histories of good rounds, too")
    return parser.parse_args()


def report(results, folder):
    print(f"\n{'seed':>10} {'faults':>7} {'elections':>9} {'tasks':>7} {'replayed':>9} "
          f"{'seconds':>8}  verdict")
    for one in results:
        verdict = f"{len(one.wrong)} wrong" if one.wrong else "well"
        print(f"{one.seed:>10} {one.faults:>7} {one.elections:>9} {one.tasks:>7} {one.inputs:>9} "
              f"{one.seconds:>8.0f}  {verdict}")
    bad = [one for one in results if one.wrong]
    for one in bad:
        print(f"\nwrong with seed {one.seed} (logs and histories in {folder}/seed-{one.seed}):")
        for sentence in one.wrong[:20]:
            print(f"  {sentence}")
        if len(one.wrong) > 20:
            print(f"  and {len(one.wrong) - 20} more")
        print(f"again: ./dev chaos --seed {one.seed}")
    print(f"\n{len(results)} rounds, {sum(one.faults for one in results)} faults, "
          f"{sum(one.tasks for one in results)} tasks: "
          f"{f'{len(bad)} rounds were not well' if bad else 'all well'}", flush=True)


def main():
    options = arguments()
    why = namespaces.missing()
    if why:
        print(f"chaos: {why}", file=sys.stderr)
        return 77
    folder = namespaces.enter()
    import rounds  # only inside
    from harness import signal_as_exception
    signal_as_exception()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10 ** 6)
    ends = time.monotonic() + options.minutes * 60
    results, interrupted = [], False
    try:
        while not results or time.monotonic() < ends:
            print(f"round {len(results) + 1}: seed {seed}", flush=True)
            result = rounds.run_round(seed, options.round_seconds, folder,
                                      lambda seconds, text: print(f"{seconds:8.1f}  {text}",
                                                                  flush=True))
            results.append(result)
            for sentence in result.wrong or ["all is well"]:
                print(f"{result.seconds:8.1f}  {'wrong: ' if result.wrong else ''}{sentence}",
                      flush=True)
            if not result.wrong and not options.keep:
                rounds.remove(os.path.join(folder, f"seed-{seed}"))
            seed += 1
    except KeyboardInterrupt:
        interrupted = True
        rounds.remove(os.path.join(folder, f"seed-{seed}"))
    if interrupted:
        print("\ninterrupted")
    report(results, folder)
    if options.keep:
        print(f"logs and histories: {folder}")
    if any(one.wrong for one in results):
        return 1
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
