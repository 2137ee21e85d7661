"""Hourly and weekly jobs side by side: what is gone from the PIM goes, what lives stays, in whichever order they load.

An hourly job is incremental, a weekly one reads everything and activates its version. Both have
`emit_activate_version_messages`. They are loaded by a target on the SDK's own classes, and by target-postgres into a
real Postgres; with rows that are marked as deleted, and with rows that are deleted.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import pytest

from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.server import serve

from .expected import KEYS, by_key, records_of
from .pims import value
from .small_target import SmallDatabase
from .support import Outcome, beginning_at, full_table, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_akeneo_assets.sandbox import Pim

INCREMENTAL = ("assets", "asset_values")
SMALL_TARGETS = ("small target marks", "small target deletes")
POSTGRES = ("postgres marks", "postgres deletes")
BOTH_ORDERS = ("weekly then hourly", "hourly then weekly")


class Database(Protocol):
    """What a target fills."""

    def load(self, output: bytes, *, hard_delete: bool) -> None: ...

    def query(self, sql: str) -> list[dict[str, Any]]: ...


@dataclass
class Warehouse:
    """A database, and how its target deletes."""

    database: Database
    hard_delete: bool

    def load(self, *runs: Outcome) -> None:
        """Load what some runs wrote, one after the other."""
        outputs = [run.output for run in runs]
        if not isinstance(self.database, SmallDatabase):
            outputs = [
                b"".join(outputs)
            ]  # target-postgres writes all it has before it activates; a start takes seconds
        for output in outputs:
            self.database.load(output, hard_delete=self.hard_delete)

    def living(self, stream: str) -> set[tuple[Any, ...]]:
        """The keys of the rows that are not marked as deleted."""
        table = f"SELECT * FROM {stream}"  # noqa: S608  # a stream's name
        rows = [row for row in self.database.query(table) if not row.get("_sdc_deleted_at")]
        return {tuple(row[name] for name in KEYS[stream]) for row in rows}


@pytest.fixture(params=[*SMALL_TARGETS, *POSTGRES])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    target, _, does = request.param.rpartition(" ")
    if target == "postgres":
        return Warehouse(request.getfixturevalue("database"), does == "deletes")
    return Warehouse(SmallDatabase(tmp_path / "warehouse.sqlite"), does == "deletes")


@dataclass
class Jobs:
    """An hourly and a weekly job for a PIM.

    Attributes:
        url: the PIM's.
        config: settings of both.
        state: the hourly job's.
        streams: of both; a target takes a second or so for each table.
    """

    url: str
    config: dict[str, Any] = field(default_factory=lambda: {"emit_activate_version_messages": True})
    state: dict[str, Any] | None = None
    streams: tuple[str, ...] = tuple(KEYS)

    def hourly(self, second: int) -> Outcome:
        """Run the hourly job, which begins at a second."""
        catalog = select(*self.streams)
        run = sync(self.url, catalog=catalog, state=self.state, tap_class=beginning_at(second), **self.config)
        self.state = run.state
        return run

    def weekly(self, second: int) -> Outcome:
        """Run the weekly job, which begins at a second."""
        catalog = full_table(select(*self.streams))
        return sync(self.url, catalog=catalog, tap_class=beginning_at(second), **self.config)


@pytest.fixture
def pim() -> Pim:
    return demo_pim(families=3, assets=3, options=Options(page_size=10))


@pytest.fixture
def jobs(pim: Pim) -> Iterator[Jobs]:
    with serve(pim) as server:
        yield Jobs(server.url)


def assert_equal_to_pim(warehouse: Warehouse, pim: Pim, streams: Sequence[str] = tuple(KEYS)) -> None:
    expected = records_of(pim)
    for stream in streams:
        assert warehouse.living(stream) == set(by_key(stream, expected[stream])), stream


def make_asset(pim: Pim, code: str = "new") -> None:
    pim.save_asset("packshots", code, {"title": [value("New", "en_US")]})


# What the jobs write


def test_hourly_rows_have_a_version_that_is_not_activated(jobs: Jobs) -> None:
    run = jobs.hourly(100)
    assert {message["version"] for message in run.of_type("RECORD")} == {100}
    assert set(run.records) == set(KEYS)
    activated = {message["stream"] for message in run.of_type("ACTIVATE_VERSION")}
    assert activated == set(KEYS) - set(INCREMENTAL)


def test_without_the_setting_nothing_has_a_version(jobs: Jobs) -> None:
    jobs.config = {}
    messages = [*jobs.hourly(100).messages, *jobs.weekly(200).messages]
    assert all("version" not in message for message in messages)
    assert all(message["type"] != "ACTIVATE_VERSION" for message in messages)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_rows_in_batch_files_have_their_version(jobs: Jobs, compression: str, tmp_path: Path) -> None:
    jobs.config["batch_config"] = batch_config(tmp_path, compression)
    for run, version in ((jobs.hourly(100), 100), (jobs.weekly(200), 200)):
        assert run.of_type("BATCH")
        for message in run.of_type("BATCH"):
            assert message["version"] == version
            for url in message["manifest"]:
                assert url.endswith(".json.gz" if compression == "gzip" else ".json")
                content = Path(urlsplit(url).path).read_bytes()
                lines = (gzip.decompress(content) if compression == "gzip" else content).splitlines()
                assert {json.loads(line)["_sdc_table_version"] for line in lines} == {version}


def batch_config(folder: Path, compression: str) -> dict[str, Any]:
    return {
        "encoding": {"format": "jsonl", "compression": compression},
        "storage": {"root": (folder / "files").as_uri()},
        "batch_size": 100,
    }


# What arrives


in_small_target = pytest.mark.parametrize("warehouse", SMALL_TARGETS, indirect=True)


def test_the_weekly_job_deletes_what_hourly_ones_have_loaded(pim: Pim, jobs: Jobs, warehouse: Warehouse) -> None:
    assert_the_weekly_job_deletes(pim, jobs, warehouse)


@pytest.mark.parametrize(
    ("warehouse", "compression"),
    [("small target deletes", "gzip"), ("small target deletes", "none"), ("postgres deletes", "none")],
    indirect=["warehouse"],
)
def test_so_it_does_through_batch_files(
    pim: Pim, jobs: Jobs, warehouse: Warehouse, compression: str, tmp_path: Path
) -> None:
    jobs.config["batch_config"] = batch_config(tmp_path, compression)
    assert_the_weekly_job_deletes(pim, jobs, warehouse)


def assert_the_weekly_job_deletes(pim: Pim, jobs: Jobs, warehouse: Warehouse) -> None:
    weekly = jobs.weekly(100)
    make_asset(pim)
    warehouse.load(weekly, jobs.hourly(200))
    assert ("packshots", "new") in warehouse.living("assets")
    pim.delete_asset("packshots", "new")
    pim.delete_asset("brand_logos", pim.assets("brand_logos").records[0]["code"])
    pim.delete_family("user_guides")
    pim.delete_attribute("packshots", "title")
    warehouse.load(jobs.weekly(300))
    assert_equal_to_pim(warehouse, pim)


@pytest.mark.parametrize(
    ("warehouse", "order", "versions_before"),
    [*product(SMALL_TARGETS, BOTH_ORDERS, [True, False]), *product(POSTGRES, BOTH_ORDERS, [False])],
    indirect=["warehouse"],
)
def test_what_is_made_while_the_weekly_job_runs_survives_it(
    pim: Pim, jobs: Jobs, warehouse: Warehouse, order: str, *, versions_before: bool
) -> None:
    """The weekly job has read its last page; then an asset is made, and the hourly job reads it."""
    jobs.streams = INCREMENTAL
    versioned = jobs.config
    jobs.config = versioned if versions_before else {}
    before = jobs.hourly(100)
    jobs.config = versioned
    gone = pim.assets("packshots").records[0]["code"]
    pim.delete_asset("packshots", gone)
    runs = {"weekly": jobs.weekly(200)}
    make_asset(pim)
    runs["hourly"] = jobs.hourly(210)
    assert ("packshots", "new") in by_key("assets", runs["hourly"].records["assets"])
    first, second = order.split(" then ")
    warehouse.load(before, runs[first])
    warehouse.load(runs[second])
    if versions_before or not isinstance(warehouse.database, SmallDatabase):
        assert_equal_to_pim(warehouse, pim, INCREMENTAL)
        return
    # Such a target never deletes a row without a version. The full run has given one to all that live.
    assert ("packshots", gone) in warehouse.living("assets")
    for stream in INCREMENTAL:
        warehouse.database.query(f"DELETE FROM {stream} WHERE _sdc_table_version IS NULL")  # noqa: S608
    assert_equal_to_pim(warehouse, pim, INCREMENTAL)


@in_small_target
def test_what_is_loaded_in_the_second_of_the_weekly_job_survives_it(pim: Pim, jobs: Jobs, warehouse: Warehouse) -> None:
    weekly = jobs.weekly(200)
    make_asset(pim)
    warehouse.load(jobs.hourly(200), weekly)
    assert_equal_to_pim(warehouse, pim)


@in_small_target
def test_a_marked_row_that_comes_again_lives_again(pim: Pim, jobs: Jobs, warehouse: Warehouse) -> None:
    warehouse.load(jobs.hourly(100))
    asset = pim.assets("packshots").records[0]
    pim.delete_asset("packshots", asset["code"])
    warehouse.load(jobs.weekly(200))
    assert_equal_to_pim(warehouse, pim)
    pim.save_asset("packshots", asset["code"], asset["values"])
    warehouse.load(jobs.hourly(300))
    assert_equal_to_pim(warehouse, pim)
