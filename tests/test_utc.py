"""Timestamps of a PIM in a zone with summer time: UTC in the records, and in the columns of a Postgres in any zone."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tap_akeneo_assets.sandbox import Options, Pim
from tap_akeneo_assets.sandbox.server import serve

from .pims import value
from .support import Outcome, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from .conftest import Database

PARIS = ZoneInfo("Europe/Paris")
# Half an hour apart: in Paris 02:00 and 02:30 come twice.
SAVED = [datetime(2026, 10, 24, 23, 30, tzinfo=UTC) + timedelta(minutes=30 * number) for number in range(6)]


def pim_in(zone: tzinfo) -> Pim:
    pim = Pim(Options(time_zone=zone, clock=lambda: SAVED[-1] + timedelta(days=1)))
    pim.save_family("shoes")
    pim.save_attribute("shoes", "shot_on", type="date")
    for number, saved in enumerate(SAVED):
        values = {"shot_on": [value("2026-03-01T00:00:00+01:00")]}
        pim.save_asset("shoes", f"asset_{number}", values, created=saved, updated=saved)
    return pim


def two_runs(pim: Pim) -> tuple[Outcome, Outcome]:
    with serve(pim) as server:
        first = sync(server.url, max_concurrency=1)
        pim.save_asset("shoes", "later", {}, updated=SAVED[-1] + timedelta(hours=1))
        return first, sync(server.url, max_concurrency=1, state=first.state)


def records_of(run: Outcome) -> dict[str, Any]:
    return dict(run.records)


def test_the_zone_of_the_pim_changes_nothing() -> None:
    in_utc, in_paris = two_runs(pim_in(UTC)), two_runs(pim_in(PARIS))
    for one, other in zip(in_utc, in_paris, strict=True):
        assert records_of(one) == records_of(other)
        assert one.bookmarks == other.bookmarks
    assert [asset["code"] for asset in in_paris[1].records["assets"]] == ["later"]


def test_timestamps_are_utc_and_dates_are_as_somebody_typed_them() -> None:
    run, _ = two_runs(pim_in(PARIS))
    shown = [saved.isoformat() for saved in SAVED]
    assert all(text.endswith("+00:00") for text in shown)
    assert sorted(asset["updated"] for asset in run.records["assets"]) == shown
    assert sorted(asset["created"] for asset in run.records["assets"]) == shown
    assert sorted(row["asset_updated"] for row in run.records["asset_values"]) == shown
    assert {row["date_value"] for row in run.records["asset_values"]} == {"2026-03-01T00:00:00+01:00"}


@contextmanager
def server_zone(database: Database, zone: str) -> Iterator[None]:
    def change(sql: psycopg.sql.SQL | psycopg.sql.Composed) -> None:
        with psycopg.connect(
            host=str(database.folder), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(sql)

    change(psycopg.sql.SQL("ALTER DATABASE postgres SET timezone TO {}").format(zone))
    try:
        yield
    finally:
        change(psycopg.sql.SQL("ALTER DATABASE postgres RESET timezone"))


@pytest.mark.parametrize(
    ("zone", "use_copy"),
    [("UTC", False), ("UTC", True), (None, True)],
    ids=["INSERT with PGTZ=UTC", "COPY with PGTZ=UTC", "COPY"],
)
def test_columns_hold_utc_where_the_server_is_in_paris(database: Database, zone: str | None, use_copy: bool) -> None:  # noqa: FBT001
    run, _ = two_runs(pim_in(PARIS))
    with server_zone(database, "Europe/Paris"):
        database.load(run.output, zone=zone, use_copy=use_copy)
    wall_times = [saved.replace(tzinfo=None) for saved in SAVED]
    for query in (
        "SELECT updated AS at FROM assets ORDER BY code",
        "SELECT created AS at FROM assets ORDER BY code",
        "SELECT asset_updated AS at FROM asset_values ORDER BY asset_code",
    ):
        assert [row["at"] for row in database.query(query.encode())] == wall_times
