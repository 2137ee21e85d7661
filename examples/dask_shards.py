"""Read an Akeneo PIM on a Dask cluster, one task per shard.

    python dask_shards.py --shards 8 --at-once 2 --states /srv/akeneo --scheduler tcp://scheduler:8786

Without `--scheduler` it starts two workers on this machine. Each worker needs the tap and the target, their settings in
the environment or in files, and the folder of the states. When a worker is lost, Dask gives its shard to another one,
which goes on at the last state. A shard that fails is tried once more, and then reported; the others go on.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import akeneo_shards
from akeneo_shards import Pipeline
from distributed import Client, Future, LocalCluster, as_completed

RETRIES = 1


def run(client: Client, pipeline: Pipeline) -> dict[str, str]:
    """Read all shards, so many at the same time as the pipeline says, however many workers there are.

    Returns:
        What went wrong, by shard; empty if all is well.
    """
    client.submit(pipeline.prepare, pure=False).result()
    waiting = pipeline.names()

    def submit() -> Future:
        shard = waiting.pop(0)
        return client.submit(pipeline.run, shard, key=f"shard {shard}", pure=False, retries=RETRIES)

    running = as_completed([submit() for _ in range(min(pipeline.at_once, len(waiting)))])
    failures: dict[str, str] = {}
    for future in running:
        if future.status != "finished":
            failures[future.key.removeprefix("shard ")] = str(future.exception())
        if waiting:
            running.add(submit())
    return failures


def main() -> int:
    """Read all shards; the exit status is 1 if one of them failed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--shards", type=int, default=8)
    options.add_argument("--at-once", type=int, choices=range(1, akeneo_shards.IN_FLIGHT + 1), default=2)
    options.add_argument("--states", type=Path, required=True, help="folder that all workers see")
    options.add_argument("--scheduler", help="address of a cluster; none for two workers on this machine")
    options.add_argument("--tap", type=shlex.split, default="tap-akeneo-assets --config=ENV")
    options.add_argument("--target", type=shlex.split, default="target-postgres --config postgres.json")
    given = options.parse_args()
    pipeline = Pipeline(given.tap, given.target, given.states, given.shards, given.at_once)
    cluster = given.scheduler or LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with Client(cluster) as client:
        if given.scheduler:
            client.upload_file(akeneo_shards.__file__)
        failures = run(client, pipeline)
    for shard, line in failures.items():
        print(f"{shard}: {line}", file=sys.stderr)  # noqa: T201  # what this script is for
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
