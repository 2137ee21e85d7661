"""What is read from run to run: bookmarks, what is gone on with after a kill, and what is told to be gone."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from tap_akeneo_assets.sandbox import Options, Pim
from tap_akeneo_assets.sandbox.faults import Faults, damaged, drop, status
from tap_akeneo_assets.sandbox.hangup import HangUp
from tap_akeneo_assets.sandbox.server import serve

from .pims import value
from .support import FrequentTap, Outcome, full_table, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.wrappers import Response

    from tap_akeneo_assets.sandbox.faults import Exchange, Fault
    from tap_akeneo_assets.sandbox.options import PimVersion
    from tap_akeneo_assets.sandbox.records import RequestRecord

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LOOKBACK = timedelta(seconds=300)
STATE_LIMIT = 5_000_000


class House:
    """A PIM whose clock goes on when it is told to, and runs of the tap against it.

    Attributes:
        now: the PIM's clock.
        asked: the requests of the last run.
    """

    def __init__(self, url_of: Callable[[Pim], str], **options: Any) -> None:  # noqa: ANN401  # as the sandbox takes them
        self.now = NOON
        self.pim = Pim(Options(clock=lambda: self.now, **options))
        self.url = url_of(self.pim)
        self.asked: list[RequestRecord] = []

    def fill(self, family: str, assets: int, *, first: datetime = NOON - 300 * DAY, gap: timedelta = HOUR) -> None:
        """Make a family and its assets, one after the other from some moment on."""
        self.pim.save_family(family)
        self.pim.save_attribute(family, "title", type="text")
        for number in range(assets):
            self.save(family, f"asset_{number:03}", first + number * gap)

    def save(self, family: str, asset: str, updated: datetime | None = None, text: str = "first") -> None:
        self.pim.save_asset(family, asset, {"title": [value(text)]}, updated=updated)

    def sync(self, state: dict[str, Any] | None = None, **settings: Any) -> Outcome:  # noqa: ANN401  # as `sync` takes them
        self.pim.requests.clear()
        run = sync(self.url, state=state, **{"max_retries": 0, "max_requests_per_second": 0, **settings})
        self.asked = list(self.pim.requests)
        return run

    def asked_for(self, family: str, route: str = "assets") -> list[RequestRecord]:
        return [request for request in self.asked if (request.route, request.family) == (route, family)]

    def filters(self, family: str) -> list[dict[str, str]]:
        """For each request for a family's assets, the bounds of `updated` by their operators."""
        return [
            {condition["operator"]: condition["value"] for condition in search.get("updated", [])}
            for request in self.asked_for(family)
            for search in [json.loads(parse_qs(request.query).get("search", ["{}"])[0])]
        ]


@pytest.fixture
def house_of() -> Iterator[Callable[..., House]]:
    """Makes houses with the sandbox's options."""
    with ExitStack() as stack:
        yield lambda **options: House(lambda pim: stack.enter_context(serve(pim)).url, **options)


def assets_of(run: Outcome) -> dict[str, list[str]]:
    """Codes of the assets that a run gave, by family, in order."""
    found: dict[str, list[str]] = {}
    for record in run.records["assets"]:
        found.setdefault(record["asset_family_code"], []).append(record["code"])
    return {family: sorted(codes) for family, codes in found.items()}


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def partitions(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    kept = state.get("bookmarks", {}).get("assets", {}).get("partitions", [])
    return {partition["context"]["asset_family_code"]: partition for partition in kept}


def killed(run: Outcome, part: float) -> Outcome:
    """What a target has got of a run that was killed after a part of its messages."""
    return replace(run, messages=run.messages[: int(part * len(run.messages))])


# Bookmarks


@pytest.mark.parametrize("version", ["3.2", "5.0", "6.0", "saas"])
@pytest.mark.parametrize("gap", [timedelta(0), HOUR], ids=["imported at one moment", "one after the other"])
def test_an_unchanged_family_costs_one_request(
    version: PimVersion, gap: timedelta, house_of: Callable[..., House]
) -> None:
    house = house_of(pim_version=version, page_size=20)
    house.fill("shoes", 90, gap=gap)
    first = house.sync()
    assert len(first.records["assets"]) == 90
    again = house.sync(first.state)
    assert len(house.asked_for("shoes")) == 1
    assert not again.records["assets"]
    assert again.bookmarks == first.bookmarks


@pytest.mark.parametrize("hours", [-7, 5.5])
def test_an_import_of_just_now_is_read_once_more_and_then_costs_one_request(
    hours: float, house_of: Callable[..., House]
) -> None:
    house = house_of(page_size=20, updated_offset_hours=max(hours, 0))
    house.fill("shoes", 90, first=NOON - MINUTE, gap=timedelta(0))
    state = house.sync().state
    for again in (90, 0, 0):
        house.now += 10 * MINUTE
        run = house.sync(state)
        state = run.state
        assert len(run.records["assets"]) == again
    assert len(house.asked_for("shoes")) == 1


def test_a_new_family_is_read_whole_and_what_changed_in_others(house_of: Callable[..., House]) -> None:
    house = house_of(page_size=20)
    house.fill("shoes", 50)
    state = house.sync().state
    house.now += DAY
    house.fill("bags", 30)
    house.save("shoes", "asset_007")
    house.save("shoes", "new")
    run = house.sync(state)
    assert assets_of(run) == {"shoes": ["asset_007", "new"], "bags": [f"asset_{number:03}" for number in range(30)]}
    assert house.filters("shoes") == [{">": partitions(state)["shoes"]["replication_key_value"]}]


@pytest.mark.parametrize("sick_at_first", [True, False])
def test_a_sick_index_moves_nothing(sick_at_first: bool, house_of: Callable[..., House]) -> None:  # noqa: FBT001
    house = house_of(index_serves_all=True)
    house.fill("shoes", 5)
    state = {} if sick_at_first else house.sync().state
    before = partitions(state)
    house.now += DAY
    house.save("shoes", "new")
    house.pim.options.index_sick = True
    run = house.sync(state)
    assert (run.status, assets_of(run), partitions(run.state)) == (0, {}, before)
    house.pim.options.index_sick = False
    assert "new" in assets_of(house.sync(run.state))["shoes"]


@pytest.mark.parametrize("year", [1999, 2026, 2061])
@pytest.mark.parametrize("version", ["5.0", "saas"])
def test_a_bookmark_is_told_by_the_pims_clock(year: int, version: PimVersion, house_of: Callable[..., House]) -> None:
    house = house_of(pim_version=version)
    house.now = NOON.replace(year=year)
    house.fill("shoes", 3, first=house.now - MINUTE, gap=timedelta(seconds=1))
    bookmark = datetime.fromisoformat(str(house.sync().bookmarks["shoes"]))
    assert timedelta(0) <= house.now - LOOKBACK - bookmark <= timedelta(seconds=3)


def test_a_bookmark_is_the_newest_change_where_that_is_longer_ago(house_of: Callable[..., House]) -> None:
    house = house_of()
    house.fill("shoes", 3, first=NOON - DAY)
    assert house.sync().bookmarks == {"shoes": text(NOON - DAY + 2 * HOUR)}


def test_what_is_shown_in_the_future_makes_no_bookmark_there(house_of: Callable[..., House]) -> None:
    house = house_of(updated_offset_hours=9)
    house.fill("shoes", 3, first=NOON - 3 * HOUR)
    bookmark = datetime.fromisoformat(str(house.sync().bookmarks["shoes"]))
    assert bookmark <= NOON - LOOKBACK


def test_a_bookmark_in_the_pims_future_is_of_no_use(house_of: Callable[..., House]) -> None:
    house = house_of()
    house.fill("shoes", 3)
    run = house.sync(state_of("shoes", text(NOON + DAY)))
    assert len(assets_of(run)["shoes"]) == 3
    assert "future" in run.log


def state_of(family: str, bookmark: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    kept = {"replication_key": "updated", "replication_key_value": bookmark} if bookmark else {}
    partition = {"context": {"asset_family_code": family}, **kept, **more}
    return {"bookmarks": {"assets": {"partitions": [partition]}}}


@pytest.mark.parametrize("lookback", [0, 60])
def test_what_is_saved_in_the_second_in_which_a_listing_begins_is_not_lost(
    lookback: int, house_of: Callable[..., House]
) -> None:
    """It may be saved when the answer has just been made, and the next second begin before the answer is sent."""
    house = house_of(index_lag=lookback)
    house.now = NOON + timedelta(seconds=0.999)
    house.fill("shoes", 1, first=house.now - timedelta(seconds=lookback + 0.5))

    def saved_meanwhile(exchange: Exchange) -> Response:
        response = exchange.real()
        house.save("shoes", "new", house.now - timedelta(seconds=max(0, lookback - 0.0001)))
        house.now += timedelta(seconds=0.002)
        return response

    house.pim.faults = Faults().nth("assets", 1, saved_meanwhile)
    state = house.sync(lookback_seconds=lookback).state
    house.now += DAY
    assert "new" in assets_of(house.sync(state, lookback_seconds=lookback))["shoes"]


# The start date


@pytest.mark.parametrize(
    ("start_date", "first"),
    [
        ("2026-11-20", 20),
        ("2026-11-20T00:00:00", 20),
        ("2026-11-20T00:00:00Z", 20),
        ("2026-11-20T01:30:00+02:00", 20),
        ("2026-11-20T00:00:01Z", 21),
        ("2026-11-19T23:00:00-02:00", 21),
    ],
)
def test_a_start_date_bounds_the_first_sync_only(start_date: str, first: int, house_of: Callable[..., House]) -> None:
    house = house_of()
    house.fill("shoes", 0)
    for day in range(18, 25):
        house.save("shoes", f"day_{day}", NOON.replace(day=day, hour=0))
    run = house.sync(start_date=start_date)
    assert assets_of(run) == {"shoes": [f"day_{day}" for day in range(first, 25)]}
    house.save("shoes", "day_18", NOON - HOUR)
    run = house.sync(run.state, start_date="2026-11-25T12:00:00Z")
    assert assets_of(run) == {"shoes": ["day_18"]}


# Families that go


def test_a_deleted_family_leaves_the_state_by_a_complete_list_only(house_of: Callable[..., House]) -> None:
    house = house_of(page_size=1)
    for family in ("bags", "shoes"):
        house.fill(family, 1)
    state = house.sync().state
    house.pim.delete_family("shoes")
    house.pim.save_family("trousers")

    assert partitions(house.sync(state, asset_families=["bags"]).state).keys() == {"bags", "shoes"}
    house.pim.faults = Faults().nth("families", 2, drop())
    run = house.sync(state)
    assert run.status == 1
    assert partitions(run.state).keys() == {"bags", "shoes"}
    house.pim.faults = None
    assert partitions(house.sync(state).state).keys() == {"bags"}


def test_an_empty_list_of_families_is_no_proof_that_all_are_gone(house_of: Callable[..., House]) -> None:
    house = house_of()
    house.fill("shoes", 1)
    state = house.sync().state
    house.pim.options.hidden_families = frozenset({"shoes"})
    assert partitions(house.sync(state).state).keys() == {"shoes"}


@pytest.mark.parametrize("route", ["assets", "attributes"])
def test_a_family_that_goes_while_the_run_goes_on_is_a_warning_and_stays_in_the_state(
    route: str, house_of: Callable[..., House]
) -> None:
    house = house_of()
    for family in ("bags", "shoes"):
        house.fill(family, 2)
    state = house.sync().state
    house.pim.faults = Faults().always(route, status(404), "shoes")
    run = house.sync(
        state, catalog=full_table(select("asset_attributes", "assets")), emit_activate_version_messages=True
    )
    assert run.status == 0
    assert partitions(run.state).keys() == {"bags", "shoes"}
    assert "'shoes'" in run.log
    left = {"assets": "asset_attributes", "attributes": "assets"}[route]
    assert [message["stream"] for message in run.of_type("ACTIVATE_VERSION")] == [left]


# Failures


def test_a_family_that_fails_keeps_its_bookmark_and_fails_no_other(house_of: Callable[..., House]) -> None:
    house = house_of()
    for family in ("bags", "shoes", "trousers"):
        house.fill(family, 2)
    before = house.sync()
    house.now += DAY
    for family in ("bags", "shoes", "trousers"):
        house.save(family, "new")
    house.pim.faults = Faults().always("assets", status(500), "shoes")
    run = house.sync(before.state)
    assert (run.status, assets_of(run)) == (1, {"bags": ["new"], "trousers": ["new"]})
    assert run.bookmarks == dict.fromkeys(("bags", "trousers"), run.bookmarks["bags"]) | {
        "shoes": before.bookmarks["shoes"]
    }
    assert [line for line in run.log.splitlines() if line.startswith("ERROR")] == [
        line for line in run.log.splitlines() if "'shoes' failed" in line
    ]
    house.pim.faults = None
    assert assets_of(house.sync(run.state)) == {family: ["new"] for family in ("bags", "shoes", "trousers")}


def test_an_asset_that_cannot_be_read_fails_its_family_again_after_a_kill(house_of: Callable[..., House]) -> None:
    house = house_of(page_size=5)
    house.fill("shoes", 50)
    broken = house.pim.assets("shoes").records[0]["code"]
    house.pim.faults = Faults().always(
        "assets", damaged(lambda page: page.replace(f'"{broken}", "values": {{'.encode(), b'"x", "values": 5, "y": {'))
    )
    run = house.sync(tap_class=FrequentTap)
    assert run.status == 1
    again = house.sync(killed(run, 0.6).state, tap_class=FrequentTap)
    assert "shoes" not in again.bookmarks


# Resuming


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_killed_sync_goes_on_where_it_was(workers: int, part: float, house_of: Callable[..., House]) -> None:
    house = house_of(page_size=5)
    house.fill("shoes", 400)
    first = house.sync(tap_class=FrequentTap, max_concurrency=workers)
    pages = len(house.asked_for("shoes"))
    first = killed(first, part)
    house.now += 23 * HOUR
    second = house.sync(first.state, tap_class=FrequentTap, max_concurrency=workers)
    assert {*assets_of(first)["shoes"], *assets_of(second)["shoes"]} == {f"asset_{n:03}" for n in range(400)}
    assert len(house.asked_for("shoes")) <= (1 - part) * pages + 2 * 4 * workers
    # Which of several ranges had begun, the machine decides.
    assert workers > 1 or "search_after" in house.asked_for("shoes")[0].query
    assert partitions(second.state)["shoes"].keys() == {"context", "replication_key", "replication_key_value"}


@pytest.mark.parametrize("workers", [1, 3])
def test_a_state_vouches_only_for_what_is_written_before_it(workers: int, house_of: Callable[..., House]) -> None:
    """Also while pages wait for the attributes by which their values are typed."""
    house = house_of(pim_version="6.0", page_size=5)
    house.fill("shoes", 60)
    pages = threading.Event()

    def after_the_second_page(exchange: Exchange) -> Response:
        assert workers == 1 or pages.wait(20)
        return exchange.real()

    def second_page(exchange: Exchange) -> Response:
        response = exchange.real()
        pages.set()
        return response

    house.pim.faults = Faults().nth("attributes", 1, after_the_second_page).nth("assets", 2, second_page)
    run = house.sync(catalog=select("assets", "asset_values"), tap_class=FrequentTap, max_concurrency=workers)
    states = [number for number, message in enumerate(run.messages) if message["type"] == "STATE"]
    for number in states[1:-1:2]:
        before = Outcome(run.messages[: number + 1])
        after = house.sync(before.state, max_concurrency=workers)
        for stream in ("assets", "asset_values"):
            codes = {
                record["asset_code" if stream == "asset_values" else "code"]
                for record in [*before.records[stream], *after.records[stream]]
            }
            assert len(codes) == 60


@pytest.mark.parametrize("workers", [1, 4])
def test_the_bookmark_of_such_a_pair_is_of_the_firsts_beginning(workers: int, house_of: Callable[..., House]) -> None:
    house = house_of(page_size=5)
    house.fill("shoes", 200)
    house.save("shoes", "of_today")
    first = killed(house.sync(tap_class=FrequentTap, max_concurrency=workers), 0.6)
    house.now += HOUR
    for asset in assets_of(first)["shoes"]:
        house.save("shoes", asset, text="second")
    house.now += HOUR
    second = house.sync(first.state, max_concurrency=workers)
    bookmark = datetime.fromisoformat(str(second.bookmarks["shoes"]))
    assert timedelta(0) <= NOON - LOOKBACK - bookmark <= timedelta(seconds=3)
    assert set(assets_of(house.sync(second.state))["shoes"]) >= set(assets_of(first)["shoes"])


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("how", ["refused", "too old", "of another question", "leads elsewhere"])
def test_a_cursor_that_is_of_no_use_is_given_up(how: str, workers: int, house_of: Callable[..., House]) -> None:
    house = house_of(page_size=5)
    house.fill("shoes", 200)
    state = killed(house.sync(tap_class=FrequentTap, max_concurrency=workers), 0.6).state
    settings: dict[str, Any] = {}
    if how == "refused":
        house.pim.refuse_cursors()
    elif how == "too old":
        house.now += timedelta(hours=25)
    elif how == "of another question":
        settings["channel"] = "print"
    else:
        for listing in partitions(state)["shoes"]["unfinished"]["listings"]:
            listing["next"] = "/api/rest/v1/asset-families/bags/assets?search_after=x"
    run = house.sync(state, max_concurrency=workers, **settings)
    assert run.status == 0
    if workers == 1 or how in ("too old", "of another question"):
        assert len(set(assets_of(run)["shoes"])) == 200
    assert {request.status for request in house.asked_for("shoes")} == ({200, 422} if how == "refused" else {200})
    assert "unfinished" not in partitions(run.state)["shoes"]


def test_a_killed_sync_loses_nothing_to_a_sick_index(house_of: Callable[..., House]) -> None:
    house = house_of(page_size=5, index_serves_all=True)
    house.fill("shoes", 100)
    first = killed(house.sync(tap_class=FrequentTap), 0.6)
    house.pim.options.index_sick = True
    second = house.sync(first.state)
    house.pim.options.index_sick = False
    third = house.sync(second.state)
    found = {asset for run in (first, second, third) for asset in assets_of(run).get("shoes", [])}
    assert len(found) == 100


# Ranges


def test_what_moves_between_ranges_is_read_at_the_end(house_of: Callable[..., House]) -> None:
    house = house_of(page_size=5)
    house.fill("shoes", 200)
    codes = [asset["code"] for asset in house.pim.assets("shoes").records]

    def moved(exchange: Exchange) -> Response:
        for code in codes:
            house.save("shoes", code, NOON + HOUR, text="second")
        return exchange.real()

    house.pim.faults = Faults().nth("assets", 12, moved)
    run = house.sync()
    assert any("<" in bounds for bounds in house.filters("shoes"))
    last = {record["code"]: record["values"]["title"][0]["data"] for record in run.records["assets"]}
    assert last == dict.fromkeys(codes, "second")


def test_what_has_moved_is_read_by_one_listing_however_much_it_is(house_of: Callable[..., House]) -> None:
    house = house_of(page_size=5)
    house.fill("shoes", 200, first=NOON - 200 * timedelta(seconds=1), gap=timedelta(seconds=1))
    run = house.sync()
    assert len(set(assets_of(run)["shoes"])) == 200
    bounds = house.filters("shoes")
    caught_up = len(bounds) - max(number for number, bound in enumerate(bounds) if "<" in bound)
    assert caught_up > 40
    assert len(bounds) < 120


def test_a_pim_that_tells_no_time_is_read_by_one_listing(house_of: Callable[..., House]) -> None:
    house = house_of(page_size=5)
    house.fill("shoes", 200)

    def without_date(exchange: Exchange) -> Response:
        body = exchange.real().get_data()
        raise HangUp(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body)

    house.pim.faults = Faults().always(None, without_date)
    run = house.sync()
    assert (run.status, len(assets_of(run)["shoes"])) == (0, 200)
    assert not any(house.filters("shoes"))
    newest = NOON - 300 * DAY + 199 * HOUR
    assert run.bookmarks == {"shoes": text(newest - LOOKBACK)}


# Values


@pytest.mark.parametrize("version", ["5.0", "6.0", "saas"])
def test_a_value_of_an_attribute_that_is_newer_than_the_list_of_attributes_is_typed_by_the_next_run(
    version: PimVersion, house_of: Callable[..., House]
) -> None:
    house = house_of(pim_version=version)
    house.fill("shoes", 1)

    def created_in_between(exchange: Exchange) -> Response:
        house.pim.save_attribute("shoes", "width", type="number")
        house.pim.save_asset("shoes", "new", {"width": [value("42")]}, updated=house.now)
        house.now += HOUR
        return exchange.real()

    house.pim.faults = Faults().nth("assets", 1, created_in_between)
    first = house.sync(max_concurrency=1)
    house.now += DAY
    second = house.sync(first.state)
    rows = [row for run in (first, second) for row in run.records["asset_values"] if row["asset_code"] == "new"]
    assert (rows[-1]["attribute_type"], rows[-1]["number_value"]) == ("number", 42)


# States that nobody wrote as they are


ODD_STATES: dict[str, dict[str, Any]] = {
    "unknown streams": {"bookmarks": {"products": {"replication_key_value": 5}, "asset_values": {}}},
    "other keys": {"bookmarks": {"assets": {"x": 1, "partitions": []}}, "version": 3, "currently_syncing": None},
    "no partitions": {"bookmarks": {"assets": {"replication_key": "updated", "replication_key_value": "2026-01-01"}}},
    "unknown family": state_of("gone", "2026-01-01T00:00:00Z"),
    "no date": state_of("shoes", "yesterday"),
    "a number": state_of("shoes", 5),  # type: ignore[arg-type]
    "another key": {
        "bookmarks": {
            "assets": {
                "partitions": [
                    {
                        "context": {"asset_family_code": "shoes"},
                        "replication_key": "created",
                        "replication_key_value": "2026-11-25T00:00:00Z",
                    }
                ]
            }
        }
    },
    "year 1": state_of("shoes", "0001-01-01T00:00:00Z"),
    "end of time": state_of("shoes", "9999-12-31T23:59:59-10:00"),
    **{
        f"unfinished {name}": state_of("shoes", unfinished=unfinished)
        for name, unfinished in {
            "text": "x",
            "empty": {},
            "no listings": {"since": None, "began": text(NOON), "newest": None, "found": True, "listings": []},
        }.items()
    },
    **{
        f"listings {name}": state_of(
            "shoes",
            unfinished={
                "since": None,
                "began": text(NOON - HOUR),
                "newest": text(NOON - DAY),
                "found": True,
                "cut": False,
                "catching_up": False,
                "damaged": False,
                "listings": listings,
            },
        )
        for name, listings in {
            "of numbers": [5],
            "object": {"next": "x"},
            "with a number for a link": [{"next": 5}],
            "with another link": [{"next": "https://elsewhere.example/x?y"}],
            "with another cursor": [{"next": "?search_after[0]=x"}],
            "with a bound that is no date": [{"updated_after": "soon", "next": "?search_after[0]=x"}],
            "with a number for a bound": [{"updated_before": 5}],
        }.items()
    },
    "unfinished since the end of time": state_of(
        "shoes",
        unfinished={
            "since": None,
            "began": "9999-12-31T23:59:59-10:00",
            "newest": None,
            "found": True,
            "cut": False,
            "catching_up": False,
            "damaged": False,
            "listings": [{}],
        },
    ),
}


@pytest.mark.parametrize("name", ODD_STATES)
def test_an_odd_state_hides_nothing(name: str, house_of: Callable[..., House]) -> None:
    house = house_of()
    house.fill("shoes", 5)
    run = house.sync(json.loads(json.dumps(ODD_STATES[name])))
    assert (run.status, len(assets_of(run)["shoes"])) == (0, 5)
    assert partitions(run.state).keys() == {"shoes"}


def test_of_two_bookmarks_for_one_family_the_older_wins(house_of: Callable[..., House]) -> None:
    house = house_of()
    house.fill("shoes", 5, first=NOON - 5 * DAY, gap=DAY)
    older, newer = (state_of("shoes", text(NOON - days * DAY)) for days in (4, 2))
    both = [*older["bookmarks"]["assets"]["partitions"], *newer["bookmarks"]["assets"]["partitions"]]
    for listed in (both, both[::-1]):
        run = house.sync({"bookmarks": {"assets": {"partitions": listed}}})
        assert assets_of(run) == {"shoes": ["asset_002", "asset_003", "asset_004"]}


# What is told to be gone

FULL = full_table(select("asset_families", "asset_attributes", "attribute_options", "assets", "asset_values"))
WHOLE = ["asset_families", "asset_attributes", "attribute_options", "assets", "asset_values"]
BELOW_ASSETS = ["asset_families", "asset_attributes", "attribute_options"]


def company(house: House) -> None:
    for family in ("bags", "shoes"):
        house.fill(family, 12)
        house.pim.save_attribute(family, "color", type="single_option")
        house.pim.save_option(family, "color", "red")


def activated(run: Outcome) -> list[str]:
    """The streams whose versions were activated: each once, after its last record, with the version that these have."""
    messages = run.of_type("ACTIVATE_VERSION")
    for message in messages:
        own = [other for other in run.messages if other.get("stream") == message["stream"]]
        assert own[-1] == message
        assert {record["version"] for record in own if record["type"] == "RECORD"} == {message["version"]}
    return [message["stream"] for message in messages]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_complete_full_sync_tells_what_is_gone(workers: int, house_of: Callable[..., House]) -> None:
    house = house_of(page_size=2)
    company(house)
    run = house.sync(catalog=FULL, emit_activate_version_messages=True, max_concurrency=workers)
    assert sorted(activated(run)) == sorted(WHOLE)
    assert run.messages[-1]["type"] == "STATE"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"catalog": FULL, "emit_activate_version_messages": False}, []),
        ({"catalog": None}, BELOW_ASSETS),
        ({"catalog": full_table(select("assets"))}, ["assets"]),
        ({"asset_families": ["bags", "shoes"]}, []),
        ({"asset_codes": {"bags": ["asset_001"]}}, []),
        ({"search": {"code": [{"operator": "IN", "value": ["asset_001"]}]}}, BELOW_ASSETS),
        ({"channel": "print"}, BELOW_ASSETS),
        ({"locales": ["en_US"]}, BELOW_ASSETS),
        ({"start_date": "2020-01-01"}, BELOW_ASSETS),
        ({"with_asset_auto_tags": True}, WHOLE),
    ],
    ids=str,
)
def test_a_sync_that_leaves_something_out_tells_nothing_of_it(
    settings: dict[str, Any], expected: list[str], house_of: Callable[..., House]
) -> None:
    house = house_of()
    company(house)
    run = house.sync(**{"catalog": FULL, "emit_activate_version_messages": True, **settings})
    assert run.status == 0
    assert sorted(activated(run)) == sorted(expected)


@pytest.mark.parametrize(
    ("route", "fault", "expected"),
    [
        ("families", drop(), []),
        ("attributes", status(500), ["asset_families", "assets", "asset_values"]),
        ("attributes", status(403), ["asset_families", "assets", "asset_values"]),
        ("attributes", status(404), ["asset_families", "assets", "asset_values"]),
        ("options", status(500), [stream for stream in WHOLE if stream != "attribute_options"]),
        ("options", status(404), [stream for stream in WHOLE if stream != "attribute_options"]),
        ("assets", status(500), BELOW_ASSETS),
        ("assets", status(403), BELOW_ASSETS),
        ("assets", status(404), BELOW_ASSETS),
    ],
)
def test_a_sync_that_fails_somewhere_tells_nothing_of_what_it_could_not_read(
    route: str,
    fault: Fault,
    expected: list[str],
    house_of: Callable[..., House],
) -> None:
    house = house_of(page_size=1)
    company(house)
    house.pim.faults = Faults().nth(route, 2, fault)
    run = house.sync(catalog=FULL, emit_activate_version_messages=True)
    assert set(activated(run)) <= set(expected)
    assert "asset_values" in expected or "assets" not in expected or "assets" in activated(run)


def test_a_stream_that_gave_no_record_tells_nothing(house_of: Callable[..., House]) -> None:
    house = house_of(index_serves_all=True)
    company(house)
    house.pim.options.index_sick = True
    run = house.sync(catalog=FULL, emit_activate_version_messages=True)
    assert sorted(activated(run)) == sorted(BELOW_ASSETS)


def test_a_sync_that_goes_on_with_another_tells_nothing_of_assets(house_of: Callable[..., House]) -> None:
    house = house_of(page_size=2)
    company(house)
    first = house.sync(catalog=FULL, emit_activate_version_messages=True, tap_class=FrequentTap)
    records = [number for number, message in enumerate(first.messages) if message.get("stream") == "assets"]
    state = killed(first, records[len(records) // 2] / len(first.messages)).state
    second = house.sync(state, catalog=FULL, emit_activate_version_messages=True)
    assert sorted(activated(second)) == sorted(BELOW_ASSETS)
    third = house.sync(second.state, catalog=FULL, emit_activate_version_messages=True)
    assert sorted(activated(third)) == sorted(WHOLE)


def test_a_full_sync_leaves_bookmarks_as_they_are(house_of: Callable[..., House]) -> None:
    house = house_of()
    company(house)
    incremental = house.sync()
    house.now += DAY
    house.save("shoes", "new")
    full = house.sync(incremental.state, catalog=FULL, emit_activate_version_messages=True)
    assert (full.bookmarks, len(full.records["assets"])) == (incremental.bookmarks, 25)
    assert assets_of(house.sync(full.state)) == {"shoes": ["new"]}


def test_named_assets_are_read_each_time_and_move_no_bookmark(house_of: Callable[..., House]) -> None:
    house = house_of()
    company(house)
    first = house.sync(asset_codes={"bags": ["asset_001"]}, asset_families=["bags", "shoes"])
    assert assets_of(first).keys() == {"bags", "shoes"}
    assert first.bookmarks.keys() == {"shoes"}
    again = house.sync(first.state, asset_codes={"bags": ["asset_001"]}, asset_families=["bags", "shoes"])
    assert assets_of(again) == {"bags": ["asset_001"]}
    assert again.state == first.state


# Many families


def test_two_hundred_families_cost_one_schema_a_stream(house_of: Callable[..., House]) -> None:
    house = house_of()
    for number in range(200):
        house.pim.save_family(f"family_{number}")
    house.fill("family_7", 3)
    assert house.sync().schemas.keys() == set(WHOLE)


def test_the_state_of_two_thousand_families_is_written_seldom(house_of: Callable[..., House]) -> None:
    house = house_of()
    codes = [f"family_{number:04}" for number in range(2_000)]
    for code in codes:
        house.pim.save_family(code)
        house.save(code, "asset", NOON - HOUR)
    known = [state_of(code, text(NOON - DAY))["bookmarks"]["assets"]["partitions"][0] for code in codes]
    state = {"bookmarks": {"assets": {"partitions": known}}}
    run = house.sync(state, catalog=select("assets"), tap_class=FrequentTap)
    assert run.bookmarks == dict.fromkeys(codes, text(NOON - HOUR))
    sizes = [len(json.dumps(message, separators=(",", ":"))) for message in run.of_type("STATE")]
    assert len(sizes) > 5
    assert sum(sizes) < STATE_LIMIT
