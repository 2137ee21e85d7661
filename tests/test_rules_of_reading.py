"""What is read and what is kept, when something is damaged, listed twice, spelled otherwise, refused or too long."""

from __future__ import annotations

import gc
import json
import threading
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from tap_akeneo_assets.extract.asset_writer import AssetWriter
from tap_akeneo_assets.extract.assets import FamilySync
from tap_akeneo_assets.sandbox import Options, Pim
from tap_akeneo_assets.sandbox.faults import Faults, damaged, status
from tap_akeneo_assets.sandbox.server import serve

from . import support
from .expected import KEYS
from .pims import small_pim, value
from .support import CREDENTIALS, FrequentTap, Outcome, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from werkzeug.wrappers import Response

    from tap_akeneo_assets.sandbox.faults import Exchange, Fault
    from tap_akeneo_assets.sandbox.options import PimVersion
    from tap_akeneo_assets.sandbox.records import RequestRecord

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUICK: dict[str, Any] = {"max_retries": 0, "max_requests_per_second": 0}
Url = str


@pytest.fixture
def served() -> Iterator[Callable[[Pim], Url]]:
    """Serves PIMs until the test ends."""
    with ExitStack() as stack:
        yield lambda pim: stack.enter_context(serve(pim)).url


def filled(assets: int, *, families: tuple[str, ...] = ("shoes",), **options: Any) -> Pim:  # noqa: ANN401
    """A PIM whose assets were saved one an hour, with a title, a link and a picture each."""
    pim = Pim(Options(clock=lambda: NOON, **options))
    for family in families:
        pim.save_family(family)
        pim.save_attribute(family, "title", type="text")
        pim.save_attribute(family, "video", type="media_link", media_type="youtube", prefix=None, suffix="?hd=1")
        pim.save_attribute(family, "color", type="single_option", max_characters=None)
        pim.save_option(family, "color", "red")
        for number in range(assets):
            values = {"title": [value(f"{number}")], "video": [value(f"v{number}")], "color": [value("red")]}
            pim.save_asset(family, f"asset_{number:03}", values, updated=NOON - 300 * DAY + number * HOUR)
    return pim


def killed(run: Outcome, part: float) -> Outcome:
    """What a target has got of a run that was killed after a part of its messages."""
    return Outcome(run.messages[: int(part * len(run.messages))])


def table(stream: str, *runs: Outcome) -> dict[Any, Any]:
    """What a target that upserts by key holds after some runs."""
    return {tuple(record[name] for name in KEYS[stream]): record for run in runs for record in run.records[stream]}


def contents(run: Outcome) -> Counter[str]:
    """All records, however they are ordered."""
    return Counter(
        f"{stream} {json.dumps(record, sort_keys=True, default=str)}"
        for stream, records in run.records.items()
        for record in records
    )


def last_state(*runs: Outcome) -> dict[str, Any]:
    """The last state that a target got."""
    return next((run.state for run in reversed(runs) if run.of_type("STATE")), {})


def partition(run: Outcome, family: str = "shoes") -> dict[str, Any]:
    """What the last state says of a family."""
    kept = run.state.get("bookmarks", {}).get("assets", {}).get("partitions", [])
    return next((entry for entry in kept if entry["context"]["asset_family_code"] == family), {})


def asked_for(pim: Pim, route: str, family: str | None = None) -> list[RequestRecord]:
    return [request for request in pim.requests if request.route == route and family in (None, request.family)]


def lines(run: Outcome, level: str) -> list[str]:
    return [line.removeprefix(f"{level} ") for line in run.log.splitlines() if line.startswith(level)]


def edited(edit: Callable[[Any], None]) -> Fault:
    """The answer's JSON is changed in place."""

    def damage(body: bytes) -> bytes:
        page = json.loads(body)
        edit(page)
        return json.dumps(page).encode()

    return damaged(damage)


# Values that could not be typed


def damage_attribute(code: str, field: str) -> Fault:
    """One attribute of the list has a field of a shape that nothing can be made of."""

    def damage(attributes: list[dict[str, Any]]) -> None:
        for attribute in attributes:
            if attribute["code"] == code:
                attribute[field] = {"of": ["another", "shape"]}

    return edited(damage)


def without_linked_data(page: dict[str, Any]) -> None:
    for asset in page["_embedded"]["items"]:
        for link in asset["values"].get("video", ()):
            link.pop("linked_data", None)


UNTYPED: dict[str, tuple[PimVersion, Fault]] = {
    "an attribute is damaged": ("5.0", damage_attribute("color", "type")),
    "an attribute has no code": ("6.0", damage_attribute("color", "code")),
    "a field of no use for types is damaged": ("7.0", damage_attribute("title", "labels")),
    "the prefix of links is damaged": ("saas", damage_attribute("video", "prefix")),
    "there is no answer": ("6.0", status(500)),
    "there is no answer on SaaS": ("saas", status(500)),
    "the answer is no list": ("6.0", damaged(lambda _: b'{"message": "all is well"}')),
}


@pytest.mark.parametrize("name", UNTYPED)
@pytest.mark.parametrize(
    ("streams", "workers", "part"),
    [(KEYS, 4, None), (KEYS, 1, 0.7), (("assets", "asset_values"), 1, 0.3), (("assets", "asset_values"), 4, 0.9)],
    ids=["at once", "after a kill", "without attributes", "without attributes, in ranges"],
)
def test_what_was_not_typed_because_something_was_damaged_is_typed_by_the_first_run_after_the_repair(
    name: str, streams: Collection[str], workers: int, part: float | None, served: Callable[[Pim], Url]
) -> None:
    version, fault = UNTYPED[name]
    pim = filled(60, pim_version=version, page_size=5)
    url, catalog = served(pim), select(*streams)
    settings: dict[str, Any] = {"max_concurrency": workers, "tap_class": FrequentTap, **QUICK}
    links = Faults().always("assets", edited(without_linked_data))
    pim.faults = links
    right = table("asset_values", sync(url, catalog=catalog, **settings))
    assert all(row["attribute_type"] for row in right.values())

    pim.faults = Faults().always("attributes", fault).always("assets", edited(without_linked_data))
    runs = [sync(url, catalog=catalog, **settings)]
    assert runs[0].status == 1
    assert partition(runs[0]).get("replication_key_value") is None
    if part is not None:
        # A second run that goes on with a killed one, while the damage is still there, moves nothing either.
        runs = [killed(runs[0], part)]
        runs.append(sync(url, state=last_state(*runs), catalog=catalog, **settings))
        assert partition(runs[1]).get("replication_key_value") is None
        runs[1] = killed(runs[1], 0.5)

    pim.faults = links
    runs.append(sync(url, state=last_state(*runs), catalog=catalog, **settings))
    assert runs[-1].status == 0
    assert table("asset_values", *runs) == right
    assert partition(runs[-1])["replication_key_value"]


def test_a_damaged_attribute_without_values_holds_no_bookmark_back(served: Callable[[Pim], Url]) -> None:
    pim = filled(3, pim_version="6.0")
    pim.save_attribute("shoes", "unused", type="text")
    pim.faults = Faults().always("attributes", damage_attribute("unused", "type"))
    run = sync(served(pim), **QUICK)
    assert run.status == 1
    assert partition(run)["replication_key_value"]


# Listings that begin anew


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 6])
def test_a_listing_that_begins_anew_meets_its_pages_again_and_ends(
    workers: int, number: int, served: Callable[[Pim], Url]
) -> None:
    pim = filled(200, page_size=5)
    url = served(pim)
    first = killed(sync(url, tap_class=FrequentTap, max_concurrency=workers, **QUICK), 0.3)

    def refused_from_now_on(exchange: Exchange) -> Response:
        pim.refuse_cursors()
        return exchange.real()

    pim.faults = Faults().nth("assets", number, refused_from_now_on)
    second = sync(url, state=first.state, max_concurrency=workers, **QUICK)
    assert (second.status, "come again" in second.log) == (0, False), second.log
    assert len(table("assets", first, second)) == 200
    assert "unfinished" not in partition(second)
    assert partition(second)["replication_key_value"]


def test_empty_pages_before_a_new_beginning_do_not_count(served: Callable[[Pim], Url]) -> None:
    """25 in a row are borne: so are 15 before a cursor is refused and 15 after it."""
    pim = filled(40, page_size=2)
    url = served(pim)
    first = killed(sync(url, tap_class=FrequentTap, max_concurrency=1, **QUICK), 0.5)
    pages = iter(range(1, 1_000))

    def sparse(exchange: Exchange) -> Response:
        number = next(pages)
        if number == 16:
            pim.refuse_cursors()
        response = exchange.real()
        if number <= 31 and response.status_code == 200:
            page = json.loads(response.get_data())
            href = page["_links"]["self"]["href"]
            page["_links"]["next"] = {"href": f"{href}{'&' if '?' in href else '?'}empty={number}"}
            page["_embedded"]["items"] = []
            response.set_data(json.dumps(page))
        return response

    pim.faults = Faults().always("assets", sparse)
    second = sync(url, state=first.state, max_concurrency=1, **QUICK)
    assert second.status == 0, second.log
    assert len(table("assets", first, second)) == 40


# What is listed twice


def items_of(page: Any) -> list[Any]:  # noqa: ANN401  # JSON
    items: list[Any] = page if isinstance(page, list) else page["_embedded"]["items"]
    return items


def twice_on_a_page(page: Any) -> None:  # noqa: ANN401  # JSON
    items = items_of(page)
    items += items


def again_on_later_pages() -> Callable[[Any], None]:
    met: list[Any] = []

    def edit(page: Any) -> None:  # noqa: ANN401  # JSON
        items = items_of(page)
        items[:0] = met[-1:]
        met.extend(items)

    return edit


def lists_asked_for(pim: Pim) -> Counter[str]:
    """How often each list was asked for from its beginning."""
    return Counter(request.path for request in pim.requests if not request.query)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("how", ["on a page", "on later pages"])
@pytest.mark.parametrize("route", ["families", "attributes", "options", "assets"])
def test_what_is_listed_twice_is_read_once(route: str, how: str, workers: int, served: Callable[[Pim], Url]) -> None:
    pim = filled(7, families=("bags", "shoes", "trousers"), page_size=2)
    url = served(pim)
    whole = sync(url, max_concurrency=workers, **QUICK)
    requests = lists_asked_for(pim)
    pim.requests.clear()
    pim.faults = Faults()
    if how == "on a page":
        pim.faults.always(route, edited(twice_on_a_page))
    elif route == "families":
        pim.faults.always(route, edited(again_on_later_pages()))
    else:
        for family in ("bags", "shoes", "trousers"):
            pim.faults.always(route, edited(again_on_later_pages()), family=family)
    run = sync(url, max_concurrency=workers, **QUICK)
    assert run.status == 0, run.log
    assert contents(run) == contents(whole)
    assert lists_asked_for(pim) == requests
    assert run.bookmarks == whole.bookmarks


@pytest.mark.parametrize("route", ["families", "assets"])
def test_a_page_that_holds_nothing_but_the_item_before_is_no_circle(route: str, served: Callable[[Pim], Url]) -> None:
    pim = filled(3, families=("bags", "shoes"), page_size=1)
    url = served(pim)
    whole = sync(url, max_concurrency=1, **QUICK)

    def onward(page: dict[str, Any]) -> None:
        """This page once more, by another cursor."""
        href = page["_links"]["self"]["href"]
        page["_links"]["next"] = {"href": f"{href}{'&' if '?' in href else '?'}again=1"}

    pim.faults = Faults().nth(route, 1, edited(onward))
    run = sync(url, max_concurrency=1, **QUICK)
    assert (run.status, contents(run)) == (0, contents(whole)), run.log


def test_a_family_named_twice_is_read_once(served: Callable[[Pim], Url]) -> None:
    pim = filled(3)
    run = sync(served(pim), asset_families=["shoes", "shoes"], **QUICK)
    assert run.status == 0
    assert len(run.records["asset_families"]) == len(asked_for(pim, "assets")) == 1


# Answers that nobody waits for


def test_answers_that_nobody_waits_for_do_not_slow_the_others_down(served: Callable[[Pim], Url]) -> None:
    """Families that fail leave more behind than may wait in memory; two requests must be in flight all the same."""
    failing = [f"a_{number}" for number in range(6)]
    pim = filled(24, families=(*failing, "y", "z"), pim_version="6.0", page_size=2)
    long = {"title": [value("x" * 7_000_000)]}
    for family in failing:
        for number in range(24):
            pim.save_asset(family, f"asset_{number:03}", long, updated=NOON)
    both = threading.Barrier(2, timeout=20)

    def together(exchange: Exchange) -> Response:
        both.wait()
        return exchange.real()

    pim.faults = Faults()
    for family in failing:
        pim.faults.always("attributes", status(500), family=family)
    for number in range(9, 12):
        pim.faults.nth("assets", number, together, family="y").nth("assets", number, together, family="z")
    for family in ("y", "z"):
        for number in range(24):
            pim.save_asset(family, f"asset_{number:03}", {"title": [value("same time")]}, updated=NOON - DAY)
    run = sync(served(pim), catalog=select("assets", "asset_values"), max_concurrency=2, **QUICK)
    assert not both.broken
    assert {record["asset_family_code"] for record in run.records["assets"]} == {"y", "z"}


def searched(exchange: Exchange) -> Response:
    """Lists with a filter fail."""
    return status(500)(exchange) if "search=" in exchange.request.query else exchange.real()


AWKWARD: dict[str, tuple[Faults, dict[str, Any]]] = {
    "a page fails": (Faults().nth("assets", 3, status(500)), {}),
    "the family has gone": (Faults().nth("assets", 3, status(404)), {}),
    "a page is no page": (Faults().nth("assets", 3, damaged(lambda _: b"[]")), {}),
    "the attributes fail": (Faults().always("attributes", status(500)), {}),
    "a cursor is refused": (Faults().nth("assets", 3, status(422)), {}),
    "a probe fails": (Faults().always("assets", searched), {}),
    "a filter is refused": (Faults().nth("assets", 1, status(422)), {"asset_codes": {"shoes": ["asset_001"]}}),
    "an asset is missing": (Faults(), {"asset_codes": {"shoes": ["asset_001", "none"]}}),
    "a file is missing": (Faults().always("media_file", status(404)), {"media_storage": "files"}),
    "a file fails": (Faults().always("media_file", status(500)), {"media_storage": "files"}),
}


@pytest.mark.parametrize("what", AWKWARD)
def test_a_family_that_met_a_failure_leaves_nothing_in_memory(
    what: str, served: Callable[[Pim], Url], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it holds may be large, and Python looks for circles of objects that nobody needs very rarely."""
    monkeypatch.chdir(tmp_path)
    pim = small_pim() if "file" in what else filled(40, page_size=4, pim_version="6.0")
    pim.faults, settings = AWKWARD[what]
    url = served(pim)
    gc.collect()
    gc.disable()
    try:
        sync(url, catalog=select("assets", "asset_values", "asset_media_files"), **settings, **QUICK)
        left = [item for item in gc.get_objects() if isinstance(item, (FamilySync, AssetWriter))]
    finally:
        gc.enable()
    assert pim.requests
    assert not left


# Numbers in `search`


NUMBERS = ["12.5", "0.1", "0.12345678901234567890123", "1E+30", "12", "-0.50"]


def test_numbers_in_search_keep_their_digits_and_are_the_same_from_a_file_and_from_the_environment(
    served: Callable[[Pim], Url], tmp_path: Path
) -> None:
    pim = filled(3)
    url = served(pim)
    conditions = ",".join(f'{{"operator":"!=","value":{number}}}' for number in NUMBERS)
    search = f'{{"title":[{conditions}]}}'
    config, state = tmp_path / "config.json", tmp_path / "state.json"
    config.write_text(f'{json.dumps({"api_url": url, **CREDENTIALS})[:-1]}, "search": {search}}}')
    environment = support.environment(url, TAP_AKENEO_ASSETS_SEARCH=search)
    by_file: tuple[list[str], dict[str, str] | None] = ["--config", str(config)], None
    by_environment = ["--config=ENV"], environment
    for sources in ((by_file, by_environment), (by_environment, by_file)):
        state.write_text("{}")
        for (arguments, its_environment), amount in zip(sources, (3, 0), strict=True):
            ended = support.tap(*arguments, "--state", str(state), env=its_environment)
            run = Outcome.of(ended.stdout, ended.returncode)
            assert (run.status, len(run.records["assets"])) == (0, amount), ended.stderr.decode()
            assert b"other settings" not in ended.stderr
            state.write_bytes(ended.stdout.splitlines()[-1])
    sent = [parse_qs(request.query)["search"][0] for request in asked_for(pim, "assets")]
    assert len(sent) == 4
    assert all(text.startswith(search[:-1]) for text in sent)


def test_a_state_of_floats_answers_the_question_of_decimals(served: Callable[[Pim], Url]) -> None:
    pim = filled(3)
    url = served(pim)
    search = {"title": [{"operator": "!=", "value": 0.1}]}
    state = sync(url, search=search, **QUICK).state
    as_floats = json.loads(json.dumps(state, default=float))
    run = sync(url, state=as_floats, search=search, **QUICK)
    assert (run.records["assets"], "other settings" in run.log) == ([], False)
    other = sync(url, state=as_floats, search={"title": [{"operator": "!=", "value": 0.2}]}, **QUICK)
    assert (len(other.records["assets"]), "other settings" in other.log) == (3, True)


# Another case


@pytest.mark.parametrize("version", ["6.0", "saas"])
@pytest.mark.parametrize("names", [["PackShots"], ["PackShots", "packshots"], ["packshots", "PackShots", "PACKSHOTS"]])
def test_a_family_is_read_under_the_pims_spelling(
    names: list[str], version: PimVersion, served: Callable[[Pim], Url]
) -> None:
    pim = small_pim(Options(version, any_case=True, link_origin="https://pim.example", clock=lambda: NOON))
    url = served(pim)
    whole = sync(url, asset_families=["packshots"], **QUICK)
    run = sync(url, asset_families=names, **QUICK)
    assert (run.status, contents(run), run.state) == (0, contents(whole), whole.state)
    (line,) = lines(run, "WARNING")
    assert "'packshots'" in line
    assert all(repr(name) in line for name in names)
    again = sync(url, state=run.state, asset_families=names, **QUICK)
    assert not again.records["assets"]


def test_families_that_differ_by_case_alone_are_families_of_their_own(served: Callable[[Pim], Url]) -> None:
    pim = filled(2, families=("shoes", "Shoes"))
    url = served(pim)
    for names in (["shoes"], ["Shoes"], ["shoes", "Shoes"]):
        run = sync(url, asset_families=names, asset_codes={"Shoes": ["asset_001"]}, **QUICK)
        found = Counter(record["asset_family_code"] for record in run.records["assets"])
        assert (run.status, "spells" in run.log) == (0, names == ["shoes"])
        assert found == {name: 1 if name == "Shoes" or names == ["shoes"] else 2 for name in names}


def test_another_family_than_the_one_asked_for_fails(served: Callable[[Pim], Url]) -> None:
    pim = filled(2, families=("shoes", "bags"))
    pim.faults = Faults().always("family", damaged(lambda _: b'{"code": "shoe", "labels": {}}'), family="shoes")
    run = sync(served(pim), asset_families=["shoes", "bags"], **QUICK)
    assert run.status == 1
    assert [record["code"] for record in run.records["asset_families"]] == ["bags"]
    (line,) = lines(run, "ERROR")
    assert line.startswith("Family 'shoes' failed: ")


@pytest.mark.parametrize("version", ["6.0", "7.0", "saas"])
@pytest.mark.parametrize("families", [None, ["packshots"], ["PACKSHOTS"]])
def test_codes_of_assets_are_found_in_any_case_and_their_spelling_is_told_once(
    version: PimVersion, families: list[str] | None, served: Callable[[Pim], Url]
) -> None:
    pim = small_pim(Options(version, any_case=True, clock=lambda: NOON))
    codes = {"PackShots": ["MUG_RED", "gone"], "packshots": ["mug_red", "Mug_Blue", "mug_blue"]}
    run = sync(served(pim), asset_families=families, asset_codes=codes, **QUICK)
    assert run.status == 0
    assert sorted(record["code"] for record in run.records["assets"]) == ["mug_blue", "mug_red"]
    assert [record["code"] for record in run.records["asset_families"]] == ["packshots"]
    told = lines(run, "WARNING")
    assert len(told) == 3
    about_family, about_case, about_missing = (
        next(line for line in told if word in line) for word in ("the family", "'MUG_RED' is 'mug_red'", "'gone'")
    )
    assert "'PackShots'" in about_family
    assert "'Mug_Blue' is 'mug_blue'" in about_case
    assert "mug" not in about_missing.lower()


def test_families_of_asset_codes_that_asset_families_leaves_out_are_told_once(served: Callable[[Pim], Url]) -> None:
    pim = filled(2, families=("bags", "shoes", "trousers"))
    codes = {"bags": ["asset_000"], "shoes": ["asset_000"], "trousers": ["asset_001"]}
    run = sync(served(pim), asset_families=["shoes"], asset_codes=codes, **QUICK)
    assert (run.status, len(run.records["assets"])) == (0, 1)
    (line,) = lines(run, "WARNING")
    assert "'bags', 'trousers'" in line
    assert "'shoes'" not in line
    assert not lines(sync(served(pim), asset_codes=codes, **QUICK), "WARNING")


def test_a_family_that_is_not_there_is_told_once(served: Callable[[Pim], Url]) -> None:
    run = sync(served(filled(1)), asset_families=["shoes", "nowhere"], **QUICK)
    assert (run.status, run.log.count("'nowhere'")) == (1, 1)
    assert "`asset_families`" in run.log


# How far a failed family got


def outlook(run: Outcome) -> str:
    """The end of the one line that tells of the failed family."""
    (line,) = lines(run, "ERROR")
    assert line.startswith("Family 'shoes' failed: ")
    return line[line.index("Assets read in this run: ") :].removeprefix("Assets read in this run: ")


@pytest.mark.parametrize("with_bookmark", [False, True])
def test_a_failed_family_says_how_far_it_got_and_what_the_next_run_will_do(
    with_bookmark: bool,  # noqa: FBT001
    served: Callable[[Pim], Url],
) -> None:
    pim = filled(0, page_size=2)
    url = served(pim)

    def fill(moment: datetime) -> None:
        for number in range(20):
            pim.save_asset("shoes", f"asset_{number:03}", {"title": [value("x")]}, updated=moment)

    fill(NOON - 2 * DAY)
    state = sync(url, **QUICK).state if with_bookmark else {}
    fill(NOON - DAY)
    from_start = (
        "The next run reads again from the bookmark." if with_bookmark else "The next run reads from the beginning."
    )

    def told(faults: Faults) -> str:
        pim.faults = faults
        run = sync(url, state=json.loads(json.dumps(state)), max_concurrency=1, **QUICK)
        assert run.status == 1
        return outlook(run)

    assert told(Faults().nth("assets", 1, status(500))) == f"none. {from_start}"
    assert (
        told(Faults().nth("assets", 4, status(500)))
        == "6 (from 3 pages). The next run goes on at the unfinished listing."
    )
    assert (
        told(Faults().nth("assets", 2, status(422)))
        == "2 (from 1 page). The next run goes on at the unfinished listing."
    )
    broken = edited(lambda page: page["_embedded"]["items"][0].update(values=5))
    assert told(Faults().nth("assets", 2, broken)) == f"19 (from 10 pages). {from_start}"
    rest = "20 (from 10 pages). All that were due have been read; the next run reads attributes and options again."
    assert told(Faults().always("attributes", status(500))) == rest


def test_families_that_got_as_far_as_each_other_share_a_line(served: Callable[[Pim], Url]) -> None:
    pim = filled(3, families=("bags", "shoes"))
    pim.faults = Faults().always("assets", status(403))
    (line,) = lines(sync(served(pim), **QUICK), "ERROR")
    assert line.startswith("Families 'bags', 'shoes' failed: 403")
    assert line.endswith("Assets read in this run: none. The next run reads from the beginning.")


# Codes in short addresses


@pytest.mark.parametrize("cursor", [0, 200, 450, 2_000, 3_900, 9_000])
@pytest.mark.parametrize("page_size", [1, 7, 100])
def test_all_codes_come_by_addresses_of_fewer_than_4000_characters_however_long_a_cursor_is(
    cursor: int, page_size: int, served: Callable[[Pim], Url]
) -> None:
    amount = 120 if page_size == 1 else 400
    pim = filled(amount, page_size=page_size, full_last_page_has_next=True)
    url = served(pim)

    def pad(page: dict[str, Any]) -> None:
        if "next" in page["_links"]:
            page["_links"]["next"]["href"] += f"&search_after%5B2%5D={'x' * cursor}"

    pim.faults = Faults().always("assets", edited(pad))
    wanted = [f"asset_{number:03}" for number in range(amount)]
    run = sync(url, asset_codes={"shoes": [*wanted, "gone"]}, **QUICK)
    assert run.status == 0, run.log
    assert sorted(record["code"] for record in run.records["assets"]) == wanted
    assert max(len(f"{url}{request.path}?{request.query}") for request in pim.requests) < 4_000
    assert lines(run, "WARNING") == ["Family 'shoes' has no assets 'gone'."]


def test_empty_pages_with_long_cursors_lose_no_code(served: Callable[[Pim], Url]) -> None:
    pim = filled(40, page_size=3, empty_pages=1)
    url = served(pim)

    def pad(page: dict[str, Any]) -> None:
        page["_links"]["next"] = {"href": f"{page['_links']['self']['href']}&search_after%5B2%5D={'x' * 4_000}"}
        page["_embedded"]["items"] = page["_embedded"]["items"][:1]

    pim.faults = Faults().always("assets", edited(pad))
    wanted = [f"asset_{number:03}" for number in range(40)]
    run = sync(url, asset_codes={"shoes": wanted}, **QUICK)
    assert (run.status, sorted(record["code"] for record in run.records["assets"])) == (0, wanted)
    assert max(len(f"{url}{request.path}?{request.query}") for request in pim.requests) < 4_000


# Filters that match nothing


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, {}),
        ({"locales": ["xx_XX"]}, {"locales": ["xx_XX"]}),
        ({"locales": ["en_US", "xx_XX", "yy_YY"]}, {"locales": ["xx_XX", "yy_YY"]}),
        ({"locales": ["en_US", "fr_FR"]}, {}),
        ({"channel": "shop"}, {"channel": ["shop"]}),
        ({"channel": "print"}, {}),
        ({"channel": "shop", "locales": ["xx_XX"]}, {"channel": ["shop"], "locales": ["xx_XX"]}),
    ],
    ids=str,
)
@pytest.mark.parametrize("version", ["5.0", "saas"])
def test_a_channel_or_locale_without_any_value_is_told_once(
    settings: dict[str, Any], named: dict[str, list[str]], version: PimVersion, served: Callable[[Pim], Url]
) -> None:
    url = served(small_pim(Options(version)))
    for more in ({}, {"catalog": select("assets")}, {"asset_codes": {"packshots": ["mug_red"]}}):
        run = sync(url, **settings, **more, **QUICK)
        told = lines(run, "WARNING")
        assert (run.status, len(told)) == (0, len(named))
        for setting, names in named.items():
            (line,) = [line for line in told if f"`{setting}`" in line]
            assert ", ".join(map(repr, names)) in line
            assert "en_US" not in line


def test_nothing_is_told_of_locales_where_nothing_was_read(served: Callable[[Pim], Url]) -> None:
    pim = small_pim()
    url = served(pim)
    state = sync(url, locales=["xx_XX"], **QUICK).state
    assert not lines(sync(url, state=state, locales=["xx_XX"], **QUICK), "WARNING")
    assert not lines(sync(url, asset_codes={"packshots": ["mug_blue"]}, locales=["xx_XX"], **QUICK), "WARNING")
