"""Read an Akeneo PIM on this machine by several taps at the same time, each with a target of its own.

    python local_shards.py --shards 2 --states states

It uses as many cores as there are shards, which loads faster than one tap and one target can. The tap's settings come
from the environment (`TAP_AKENEO_ASSETS_API_URL`, …). A run goes on from the states that the last one left.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import akeneo_shards
from akeneo_shards import Pipeline, ShardFailed


def run(pipeline: Pipeline) -> dict[str, str]:
    """Read all shards, so many at the same time as the pipeline says.

    Returns:
        What went wrong, by shard; empty if all is well.
    """

    def failure_of(shard: str) -> str:
        try:
            pipeline.run(shard)
        except ShardFailed as failure:
            return str(failure)
        return ""

    pipeline.prepare()
    shards = pipeline.names()
    with ThreadPoolExecutor(pipeline.at_once) as pool:
        failures = dict(zip(shards, pool.map(failure_of, shards), strict=True))
    return {shard: failure for shard, failure in failures.items() if failure}


def main() -> int:
    """Read all shards; the exit status is 1 if one of them failed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--shards", type=int, choices=range(1, akeneo_shards.IN_FLIGHT + 1), default=2)
    options.add_argument("--states", type=Path, required=True, help="folder for states and logs")
    options.add_argument("--tap", type=shlex.split, default="tap-akeneo-assets --config=ENV")
    options.add_argument("--target", type=shlex.split, default="target-postgres --config postgres.json")
    given = options.parse_args()
    failures = run(Pipeline(given.tap, given.target, given.states, given.shards, given.shards))
    for shard, line in failures.items():
        print(f"{shard}: {line}", file=sys.stderr)  # noqa: T201  # what this script is for
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
