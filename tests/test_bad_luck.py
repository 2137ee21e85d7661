"""What one sick part costs: itself, and nothing beside it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tap_akeneo_assets.sandbox import Options, Pim
from tap_akeneo_assets.sandbox.faults import Faults, damaged, status
from tap_akeneo_assets.sandbox.server import serve
from tests.support import HurryingTap, Outcome, full_table, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.wrappers import Response

    from tap_akeneo_assets.sandbox.faults import Exchange, Fault

START = datetime(2026, 1, 1, tzinfo=UTC)


class House:
    """A PIM of one family, of assets with a title each."""

    def __init__(self, amount: int, **options: Any) -> None:  # noqa: ANN401  # the options' own
        self.now = START
        self.pim = Pim(Options(clock=lambda: self.now, **options))
        self.pim.save_family("bags")
        self.pim.save_attribute("bags", "title", type="text")
        self.codes = [f"a{number:04}" for number in range(amount)]
        for code in self.codes:
            self.save(code)
        self.now += timedelta(days=1)
        self.url = ""

    def save(self, code: str) -> None:
        self.now += timedelta(minutes=1)
        self.pim.save_asset("bags", code, {"title": [{"locale": None, "channel": None, "data": code}]})

    def sync(self, state: dict[str, Any] | None = None, **config: Any) -> Outcome:  # noqa: ANN401  # settings of any type
        return sync(self.url, state=state, **{"tap_class": HurryingTap, "max_retries": 1, **config})


class MakeHouse(Protocol):
    def __call__(self, amount: int, **options: Any) -> House: ...  # noqa: ANN401  # the options' own


@pytest.fixture
def house_of() -> Iterator[MakeHouse]:
    with ExitStack() as servers:

        def make(amount: int, **options: Any) -> House:  # noqa: ANN401  # the options' own
            house = House(amount, **options)
            house.url = servers.enter_context(serve(house.pim)).url
            return house

        yield make


def codes_of(run: Outcome) -> list[str]:
    return sorted(record["code"] for record in run.records["assets"])


# Assets by their codes, one request each


@pytest.mark.parametrize("fault", [status(500), status(400)], ids=["500", "400"])
def test_one_sick_asset_hides_no_other(house_of: MakeHouse, fault: Fault) -> None:
    house = house_of(20, pim_version="6.0")
    sick = house.codes[3]

    def only_this(exchange: Exchange) -> Response:
        return fault(exchange) if exchange.request.path.endswith(sick) else exchange.real()

    house.pim.faults = Faults().always("asset", only_this)
    run = house.sync(asset_codes={"bags": house.codes})
    assert run.status == 1
    assert codes_of(run) == [code for code in house.codes if code != sick]
    assert "has no assets" not in run.log


@pytest.mark.parametrize("locales", [None, ["en_US"]])
@pytest.mark.parametrize("damage", [(b'{"title":', b'["title", '), (b"}]}", b"}}")], ids=["an array", "no JSON"])
def test_odd_shapes_of_one_asset_end_no_run(
    house_of: MakeHouse, damage: tuple[bytes, bytes], locales: list[str] | None
) -> None:
    house = house_of(5, pim_version="6.0")
    house.pim.faults = Faults().always("asset", damaged(lambda body: body.replace(*damage)))
    run = house.sync(asset_codes={"bags": house.codes}, locales=locales)
    assert run.records["asset_families"]
    assert "unexpected error" not in run.log


@pytest.mark.parametrize("locales", [None, ["en_US"]])
def test_values_as_an_array_are_mended_before_they_are_thinned_out(
    house_of: MakeHouse, locales: list[str] | None
) -> None:
    house = house_of(5, pim_version="6.0", php_arrays=True)
    house.pim.save_asset("bags", "bare", {})
    run = house.sync(asset_codes={"bags": [*house.codes, "bare"]}, locales=locales)
    assert run.status == 0, run.log
    assert {record["code"]: record["values"] for record in run.records["assets"]}["bare"] == {}


def test_an_asset_that_the_index_does_not_know_yet_is_found_by_its_code(house_of: MakeHouse) -> None:
    house = house_of(5, index_lag=3_600)
    house.save("new")
    run = house.sync(asset_codes={"bags": ["a0001", "new", "gone"]})
    assert codes_of(run) == ["a0001", "new"]
    told = [line for line in run.log.splitlines() if "has no assets" in line]
    assert told == ["WARNING Family 'bags' has no assets 'gone'."]


# Pages


def leading_nowhere(exchange: Exchange) -> Response:
    return damaged(lambda body: body.replace(b'"next": {"href": "', b'"next": {"href": "/elsewhere?'))(exchange)


def test_a_page_is_written_although_its_link_leads_nowhere(house_of: MakeHouse) -> None:
    house = house_of(20, page_size=10)
    house.pim.faults = Faults().always("assets", leading_nowhere)
    run = house.sync()
    assert run.status == 1
    assert len(codes_of(run)) == 10
    assert run.bookmarks.get("bags") is None


def test_families_are_written_although_the_link_of_their_page_leads_nowhere(house_of: MakeHouse) -> None:
    house = house_of(3)
    for number in range(150):
        house.pim.save_family(f"family_{number}")
    house.pim.faults = Faults().always("families", leading_nowhere)
    run = house.sync()
    assert run.status == 1
    assert 1 < len(run.records["asset_families"]) < 151


def test_an_item_that_is_no_object_fails_its_family_alone(house_of: MakeHouse) -> None:
    house = house_of(3)
    house.pim.faults = Faults().always("assets", damaged(lambda body: body.replace(b'"items": [', b'"items": [null, ')))
    run = house.sync()
    assert run.status == 1
    assert codes_of(run) == house.codes


# Ranges


@pytest.mark.parametrize("workers", [1, 4])
def test_assets_that_the_index_has_lost_are_read_from_the_database(house_of: MakeHouse, workers: int) -> None:
    house = house_of(600, page_size=20, index_lag=30 * 3_600)
    for code in house.codes[::7]:
        house.save(code)
    house.now += timedelta(hours=2)
    run = house.sync(catalog=full_table(select("asset_families", "assets")), max_concurrency=workers)
    assert run.status == 0, run.log
    assert set(codes_of(run)) == set(house.codes)


# Streams and files that are added later


def test_a_stream_that_is_selected_later_is_read_whole(house_of: MakeHouse) -> None:
    house = house_of(12)
    first = house.sync(catalog=select("asset_families", "assets"))
    later = house.sync(first.state)
    assert len(later.records["asset_values"]) == 12
    assert "earlier runs did not read asset_values" in later.log
    again = house.sync(later.state)
    assert "earlier runs" not in again.log
    assert len(again.records["asset_values"]) < 12


def test_files_that_are_stored_later_are_all_stored(house_of: MakeHouse, tmp_path: Path) -> None:
    house = house_of(3)
    house.pim.save_attribute("bags", "picture", type="media_file")
    code = house.pim.save_media_file("x.png", b"picture")
    house.pim.save_asset("bags", "with", {"picture": [{"locale": None, "channel": None, "data": code}]})
    catalog = select("asset_families", "assets", "asset_values", "asset_media_files")
    house.now += timedelta(days=1)
    first = house.sync(catalog=catalog)
    later = house.sync(first.state, catalog=catalog, media_storage=str(tmp_path / "files"))
    assert [row["stored_size"] for row in later.records["asset_media_files"]] == [7]


def test_a_file_that_several_assets_name_is_given_up_once(house_of: MakeHouse, tmp_path: Path) -> None:
    house = house_of(0)
    house.pim.save_attribute("bags", "picture", type="media_file")
    code = house.pim.save_media_file("x.png", b"picture")
    for number in range(10):
        house.pim.save_asset("bags", f"a{number}", {"picture": [{"locale": None, "channel": None, "data": code}]})
    house.pim.faults = Faults().always("media_file", status(500))
    catalog = select("asset_families", "assets", "asset_media_files")
    run = house.sync(catalog=catalog, media_storage=str(tmp_path / "files"))
    assert run.status == 1
    assert [row["stored_size"] for row in run.records["asset_media_files"]] == [None] * 10
    assert sum(request.route == "media_file" for request in house.pim.requests) == 2
