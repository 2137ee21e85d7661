"""Laws of asset queries, listings and ranges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_akeneo_assets.errors import PaginationLoop
from tap_akeneo_assets.extract.listings import (
    CURSOR_ROOM,
    MAX_EMPTY_PAGES,
    MAX_URL_LENGTH,
    Listing,
    PageHistory,
    code_listings,
)
from tap_akeneo_assets.extract.ranges import Sample, cut, quantiles
from tap_akeneo_assets.pim.asset_query import AssetQuery, merge_search
from tap_akeneo_assets.records.assets import Asset
from tap_akeneo_assets.records.timestamps import to_datetime, to_filter

START = datetime(2026, 1, 1, tzinfo=UTC)
seconds = st.integers(0, 400).map(lambda offset: START + timedelta(seconds=offset))


def gives(listing: Listing, moment: datetime) -> bool:
    """Whether the API's strict, whole-second filters let a moment through."""
    second = to_filter(moment)
    return (not listing.updated_after or second > listing.updated_after) and (
        not listing.updated_before or second < listing.updated_before
    )


@given(st.lists(seconds, min_size=1, max_size=60), st.integers(2, 20), seconds, st.none() | seconds)
def test_ranges_give_what_the_whole_gives_and_nothing_twice(
    sample: list[datetime], parts: int, moment: datetime, after: datetime | None
) -> None:
    whole = Listing(to_filter(after) if after else None)
    ranges = cut(whole, quantiles(sample, parts))
    assert sum(gives(part, moment) for part in ranges) == gives(whole, moment)


def test_one_moment_cannot_be_cut() -> None:
    assert quantiles([START] * 300, 16) == []


@pytest.mark.parametrize("sample_pages", [1, 3])
def test_a_sample_is_used_once_when_it_is_complete(sample_pages: int) -> None:
    listing = Listing()
    sample = Sample(listing, 16, sample_pages)
    complete = []
    for page in range(1, 6):
        moments = {f"{page}-{number}": to_filter(START + timedelta(hours=page * 100 + number)) for number in range(100)}
        if sample.add([Asset({"code": code, "updated": updated}) for code, updated in moments.items()]):
            complete.append(page)
    assert complete == [sample_pages]
    assert len(sample.ranges) == 16
    assert sample.probe in sample.ranges


codes = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=80), max_size=200)


@given(codes)
def test_codes_are_asked_for_once_each_in_short_urls(wanted: list[str]) -> None:
    base = "https://pim.example/api/rest/v1/asset-families/family/assets?"

    def url(listing: Listing) -> str:
        parameters = AssetQuery(locales=("en_US",)).parameters(listing.conditions)
        return base + "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())

    listings = list(code_listings(wanted, lambda listing: len(url(listing))))
    assert [code for listing in listings for code in listing.codes] == list(dict.fromkeys(wanted))
    assert all(len(url(listing)) < MAX_URL_LENGTH - CURSOR_ROOM for listing in listings)


NEWER = {"updated": [{"operator": ">", "value": "2026-01-01T00:00:00Z"}]}
IN = {"operator": "IN", "value": ["a"]}


@pytest.mark.parametrize(
    ("search", "merged"),
    [
        ({}, NEWER),
        ({"code": [IN]}, {"code": [IN], **NEWER}),
        ({"code": IN}, {"code": IN, **NEWER}),
        (
            {"updated": [{"operator": "<", "value": "2027-01-01T00:00:00Z"}]},
            {"updated": [{"operator": "<", "value": "2027-01-01T00:00:00Z"}, *NEWER["updated"]]},
        ),
        (
            {"updated": {"operator": "<", "value": "2027-01-01T00:00:00Z"}},
            {"updated": [{"operator": "<", "value": "2027-01-01T00:00:00Z"}, *NEWER["updated"]]},
        ),
        ({"and": [{"code": [IN]}]}, {"and": [{"code": [IN]}, NEWER]}),
        ({"or": [{"code": [IN]}, {"x": IN}]}, {"and": [{"or": [{"code": [IN]}, {"x": IN}]}, NEWER]}),
    ],
)
def test_a_search_keeps_its_form(search: dict[str, object], merged: dict[str, object]) -> None:
    assert merge_search(search, NEWER) == merged
    assert merge_search(search, {}) == search


@given(st.integers(1, 9), st.booleans())
def test_a_loop_ends_within_30_requests(length: int, fresh_links: bool) -> None:  # noqa: FBT001
    history = PageHistory()
    with pytest.raises(PaginationLoop):
        for request in range(30):
            page = request % length
            history.add([f"{page}"], f"?cursor={request if fresh_links else page}")


def test_a_page_that_comes_twice_is_borne_but_not_three_times() -> None:
    history = PageHistory()
    for page, link in (("a", "?1"), ("a", "?2"), ("b", "?3"), ("b", "?4")):
        history.add([page], link)
    with pytest.raises(PaginationLoop):
        history.add(["b"], "?5")


@given(st.integers(2, 300), st.integers(0, 300))
def test_a_listing_of_codes_is_split_until_each_has_one(amount: int, come: int) -> None:
    listing = Listing(codes=tuple(map(str, range(amount))))
    left = list(listing.codes)[come:]
    parts = listing.split(left)
    assert [code for part in parts for code in part.codes] == left
    assert all(len(part.codes) <= max(1, amount // 2) for part in parts)


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        (Decimal("12.50"), "12.50"),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (12.5, "12.5"),
        (12, "12"),
        (10**30, "1" + "0" * 30),
        (True, "true"),
    ],
)
def test_a_number_of_a_search_is_sent_with_all_its_digits(number: object, sent: str) -> None:
    search = {"weight": [{"operator": "=", "value": number}]}
    parameters = AssetQuery.of({"search": search}).parameters({})
    assert parameters == {"search": f'{{"weight":[{{"operator":"=","value":{sent}}}]}}'}


def test_empty_pages_are_borne_but_not_for_ever() -> None:
    history = PageHistory()
    for page in range(MAX_EMPTY_PAGES):
        history.add([], f"?{page}")
    history.add(["asset"], "?x")
    with pytest.raises(PaginationLoop):
        for page in range(MAX_EMPTY_PAGES + 1):
            history.add([], f"?y{page}")


def test_moments_are_read_with_or_without_an_offset() -> None:
    assert to_filter(to_datetime("2026-01-31")) == "2026-01-31T00:00:00Z"
    assert to_filter(to_datetime("2026-01-31T10:00:00+02:00")) == "2026-01-31T08:00:00Z"


def test_a_listing_survives_the_state() -> None:
    listing = Listing("2026-01-01T00:00:00Z", None, next="/api/rest/v1/x?a=1")
    again = Listing.from_state(listing.to_state())
    assert (again.conditions, again.next, again.resumed) == (listing.conditions, listing.next, True)
