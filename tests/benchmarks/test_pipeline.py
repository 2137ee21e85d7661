"""What people wait for: from a PIM into a real Postgres, by target-postgres's defaults and by what `meltano.yml` sets.

Ratios within one run are what counts: times depend on the machine and on what else it does.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import local_shards
import pytest
from akeneo_shards import Pipeline
from psycopg import sql

from tests.conftest import TARGET, Database
from tests.test_targets import WITHOUT_OWN_COLUMNS, loader_config

from .test_benchmarks import CORE_STREAMS, ROUNDS, pim, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.benchmark

STREAMS = (*CORE_STREAMS, "asset_values")
# So many that shards have equal shares.
SIZES = [250] * 12


def piped(tap: Sequence[str], target: Sequence[str], folder: Path) -> None:
    """Run tap and target, one to the other."""
    with (folder / "log").open("wb") as log:
        left = subprocess.Popen(tap, stdout=subprocess.PIPE, stderr=log)  # noqa: S603
        right = subprocess.Popen(target, stdin=left.stdout, stdout=log, stderr=log)  # noqa: S603
        assert left.stdout
        left.stdout.close()  # else the tap would outlive a target that failed
        assert (right.wait(), left.wait()) == (0, 0), (folder / "log").read_text()[-2000:]


def in_shards(shards: int) -> Callable[[Sequence[str], Sequence[str], Path], None]:
    """As `examples/local_shards.py` does it."""

    def run(tap: Sequence[str], target: Sequence[str], folder: Path) -> None:
        states = folder / f"states-{len(list(folder.iterdir()))}"
        pipeline = Pipeline([*tap, "--config=ENV"], target, states, shards, shards)
        assert local_shards.run(pipeline) == {}

    return run


@contextmanager
def measured(results: list[tuple[float, float]]) -> Iterator[None]:
    """Add the seconds that something takes, and the processor time of the programs that it ran."""

    def cpu() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    began, before = time.monotonic(), cpu()
    yield
    results.append((time.monotonic() - began, cpu() - before))


def assert_same_rows(one: Database, other: Database) -> None:
    """All tables of two schemas hold the same, without the target's own columns."""
    for table in STREAMS:
        columns = one.query(
            sql.SQL(
                "SELECT column_name AS name FROM information_schema.columns "
                "WHERE table_schema = {} AND table_name = {} AND NOT starts_with(column_name, '_sdc')"
            ).format(one.schema, table)
        )
        names = sql.SQL(", ").join(sql.Identifier(column["name"]) for column in columns)
        left, right = (
            sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(database.schema, table))
            for database in (one, other)
        )
        for first, second in ((left, right), (right, left)):
            assert one.query(sql.SQL("({} EXCEPT ALL {}) LIMIT 1").format(first, second)) == [], table


def test_into_postgres(postgres: Path, tmp_path: Path) -> None:
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
        "batch_size": 10_000,
    }
    shipped = loader_config()
    # How, settings of the tap, settings of the target.
    ways: dict[str, tuple[Callable[[Sequence[str], Sequence[str], Path], None], dict[str, Any], dict[str, Any]]] = {
        "the target's defaults": (piped, {}, {}),
        "as meltano.yml sets it": (piped, {}, shipped),
        "so by two shards at once": (in_shards(2), {}, shipped),
        "so without the target's own columns": (piped, {}, {**shipped, **WITHOUT_OWN_COLUMNS}),
        "so without them by two shards at once": (in_shards(2), {}, {**shipped, **WITHOUT_OWN_COLUMNS}),
        "by BATCH files": (piped, {"batch_config": batches}, shipped),
        "by use_copy, which makes doubles of numbers": (piped, {}, {**shipped, "use_copy": True}),
        "by both": (piped, {"batch_config": batches}, {**shipped, "use_copy": True}),
    }
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    made: list[Database] = []
    # Both start from compiled files, as they do everywhere but on machines that forbid writing these.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= {"PYTHONPYCACHEPREFIX": str(tmp_path / "compiled"), "PGTZ": "UTC"}
    with mock.patch.dict(os.environ, env, clear=True), pim(SIZES, tmp_path) as served:
        for program in ([sys.executable, "-m", "tap_akeneo_assets"], [str(TARGET)]):
            subprocess.run([*program, "--about"], stdout=subprocess.DEVNULL, check=True)  # noqa: S603
        for turn in range(ROUNDS):
            for way, (run, of_tap, of_target) in ways.items():
                made.append(Database(postgres, f"pipeline_{turn}_{list(ways).index(way)}"))
                config = tmp_path / f"{made[-1].schema}.json"
                config.write_text(json.dumps({**made[-1].settings, **of_target}))
                tap = served.tap(STREAMS, **of_tap)
                with measured(runs[way]):
                    run(tap, [str(TARGET), "--config", str(config)], tmp_path)
    for other in made[1 : len(ways)]:
        assert_same_rows(made[0], other)
    assets = sum(SIZES)
    (floor, floor_cpu), *_ = medians = [tuple(map(statistics.median, zip(*runs[name], strict=True))) for name in ways]
    for name, (wall, cpu) in zip(ways, medians, strict=True):
        show(
            f"{assets:,} assets into Postgres, {name}: {wall:.1f} s, {floor / wall:.1f} x as fast; "
            f"processor time of tap and target {cpu:.1f} s, {floor_cpu / cpu:.1f} x less"
        )
