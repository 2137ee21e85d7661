"""What people wait for: from a PIM into a real Postgres, by target-postgres's defaults and by what `meltano.yml` sets.

Ratios within one run are what counts: times depend on the machine and on what else it does.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from tests.conftest import TARGET, Database
from tests.test_targets import loader_config

from .test_benchmarks import CORE_STREAMS, ROUNDS, pim, show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.benchmark

STREAMS = (*CORE_STREAMS, "asset_values")
SIZES = [500] * 6


def load(
    tap_command: Sequence[str], database: Database, settings: dict[str, Any], folder: Path, env: dict[str, str]
) -> tuple[float, float]:
    """Run tap and target; seconds until both have ended, and the target's processor time."""
    config = folder / f"{database.schema}.json"
    config.write_text(json.dumps({**database.settings, **settings}))
    with (folder / "log").open("wb") as log:
        began = time.monotonic()
        tap = subprocess.Popen(tap_command, stdout=subprocess.PIPE, stderr=log, env=env)  # noqa: S603
        target = subprocess.Popen(  # noqa: S603
            [TARGET, "--config", config], stdin=tap.stdout, stdout=log, stderr=log, env={**env, "PGTZ": "UTC"}
        )
        assert tap.stdout
        tap.stdout.close()  # else the tap would outlive a target that failed
        _, status, usage = os.wait4(target.pid, 0)
        target.returncode = status
        assert (tap.wait(), status) == (0, 0), (folder / "log").read_text()[-2000:]
        return time.monotonic() - began, usage.ru_utime + usage.ru_stime


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
    # Settings of the tap, settings of the target.
    ways: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "the target's defaults": ({}, {}),
        "as meltano.yml sets it": ({}, shipped),
        "by BATCH files": ({"batch_config": batches}, shipped),
        "by use_copy, which makes doubles of numbers": ({}, {**shipped, "use_copy": True}),
        "by both": ({"batch_config": batches}, {**shipped, "use_copy": True}),
    }
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    made: list[Database] = []
    # Both start from compiled files, as they do everywhere but on machines that forbid writing these.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(tmp_path / "compiled")
    for program in ([sys.executable, "-m", "tap_akeneo_assets"], [str(TARGET)]):
        subprocess.run([*program, "--about"], env=env, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    with pim(SIZES, tmp_path) as served:
        for turn in range(ROUNDS):
            for way, (of_tap, of_target) in ways.items():
                made.append(Database(postgres, f"pipeline_{turn}_{list(ways).index(way)}"))
                runs[way].append(load(served.tap(STREAMS, **of_tap), made[-1], of_target, tmp_path, env))
    for other in made[1 : len(ways)]:
        assert_same_rows(made[0], other)
    assets = sum(SIZES)
    (floor, floor_cpu), *_ = medians = [tuple(map(statistics.median, zip(*runs[name], strict=True))) for name in ways]
    for name, (wall, cpu) in zip(ways, medians, strict=True):
        show(
            f"{assets:,} assets into Postgres, {name}: {wall:.1f} s, {floor / wall:.1f} x as fast; "
            f"the target's processor time {cpu:.1f} s, {floor_cpu / cpu:.1f} x less"
        )
