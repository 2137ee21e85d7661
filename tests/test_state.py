"""What is kept between runs, and which states are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tap_akeneo_assets.errors import UnreadableState
from tap_akeneo_assets.extract.listings import Listing
from tap_akeneo_assets.extract.state import Bookmarks, FamilyProgress, bookmark, readable, same_json

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
LOOKBACK = timedelta(seconds=300)


@pytest.mark.parametrize(
    ("newest", "began", "expected"),
    [
        (NOON - timedelta(days=30), NOON, NOON - timedelta(days=30)),
        (NOON, NOON, NOON - LOOKBACK),
        (NOON + timedelta(hours=2), NOON, NOON - LOOKBACK),
        (None, NOON, NOON - LOOKBACK),
        (NOON, None, NOON - LOOKBACK),
        (None, None, None),
    ],
    ids=["old change", "fresh change", "shown in the future", "before 6.0", "no clock", "nothing known"],
)
def test_where_the_next_listing_starts(
    newest: datetime | None, began: datetime | None, expected: datetime | None
) -> None:
    assert bookmark(newest, began, LOOKBACK) == expected


def partition(code: str, value: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    kept = {"replication_key": "updated", "replication_key_value": value} if value else {}
    return {"context": {"asset_family_code": code}, **kept, **more}


def state(*partitions: object) -> dict[str, Any]:
    return {"bookmarks": {"assets": {"partitions": list(partitions)}}}


@pytest.mark.parametrize(
    "damaged",
    [[], "x", None, {"bookmarks": []}, {"bookmarks": {"assets": []}}, {"bookmarks": {"assets": {"partitions": {}}}}],
    ids=str,
)
def test_a_damaged_state_is_refused_in_one_line(damaged: object) -> None:
    with pytest.raises(UnreadableState, match=r"^[^\n]+$"):
        readable(damaged, lambda _: None)


@pytest.mark.parametrize(
    ("odd", "warnings"),
    [
        ({}, 0),
        ({"bookmarks": {}}, 0),
        ({"currently_syncing": None}, 1),
        ({"bookmarks": {"unknown": {"replication_key_value": 1}}}, 0),
        (state("x"), 1),
        (state({"context": {"other": "x"}}), 1),
        (state(partition("shoes", "yesterday")), 1),
    ],
    ids=str,
)
def test_an_odd_state_is_used_as_far_as_it_goes(odd: dict[str, Any], warnings: int) -> None:
    told: list[str] = []
    used = readable(odd, told.append)
    assert len(told) == warnings
    assert Bookmarks(used.get("bookmarks", {}), told.append).since("shoes", {}, NOON) is None


def test_of_two_bookmarks_the_older_wins() -> None:
    older, newer = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00+00:00"
    for first, second in ((older, newer), (newer, older)):
        used = readable(state(partition("shoes", first), partition("shoes", second)), lambda _: None)
        assert Bookmarks(used["bookmarks"], lambda _: None).since("shoes", {}, NOON) == older
    used = readable(state(partition("shoes", older), partition("shoes")), lambda _: None)
    assert Bookmarks(used["bookmarks"], lambda _: None).since("shoes", {}, NOON) is None


def test_a_whole_message_is_taken_for_the_state_in_it() -> None:
    message = {"type": "STATE", "value": state(partition("shoes", "2026-01-01T00:00:00Z"))}
    assert readable(message, lambda _: None) == message["value"]


LONG = Decimal("0.1234567890123456789")


@pytest.mark.parametrize(
    ("kept", "asked", "same"),
    [
        (12.5, Decimal("12.5"), True),
        (Decimal("12.5"), Decimal("12.50"), True),
        (0.1, Decimal("0.1"), True),
        (Decimal("0.1"), 0.1, True),
        (LONG, LONG, True),
        (float(LONG), LONG, True),
        (Decimal(repr(float(LONG))), LONG, True),
        (LONG, Decimal("0.1234567890123456788"), False),
        (12, 12, True),
        (12, Decimal("12.0"), True),
        (1, True, False),
        (False, 0, False),
        ("1", 1, False),
        (None, 0, False),
        ([1, 2], [1, 2], True),
        ([1, 2], [1], False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)
def test_what_was_asked_is_compared_with_what_is_asked(kept: object, asked: object, same: bool) -> None:  # noqa: FBT001
    search = {"search": {"weight": [{"operator": "=", "value": asked}]}}
    state_of_it = {"search": {"weight": [{"operator": "=", "value": kept}]}}
    assert same_json(state_of_it, search) is same


def test_a_bookmark_answers_its_own_question_and_not_from_the_future() -> None:
    kept = {"assets": {"partitions": [partition("shoes", "2026-11-25T11:00:00Z", asked={"channel": "print"})]}}
    told: list[str] = []
    bookmarks = Bookmarks(kept, told.append)
    assert bookmarks.since("shoes", {"channel": "print"}, NOON) == "2026-11-25T11:00:00Z"
    assert bookmarks.since("shoes", {}, NOON) is None
    assert bookmarks.since("shoes", {"channel": "print"}, NOON - timedelta(hours=2)) is None
    assert len(told) == 2


def test_an_unfinished_reading_goes_on_for_a_day_and_for_the_same_question_only() -> None:
    kept: dict[str, dict[str, Any]] = {}
    bookmarks = Bookmarks(kept, lambda _: None)
    reading = FamilyProgress("shoes", began=NOON, newest=NOON, found=True, open=[Listing(next="/x?cursor=1")], cut=True)
    bookmarks.keep_open(reading, {})

    again = Bookmarks(kept, lambda _: None).unfinished("shoes", None, {}, NOON + timedelta(hours=23))
    assert again is not None
    assert again.to_state() == {**reading.to_state(), "found": False}  # a sick index gives nothing either
    assert all(listing.resumed for listing in again.open)
    for since, asked, now in (
        ("2026-01-01T00:00:00Z", {}, NOON),
        (None, {"channel": "print"}, NOON),
        (None, {}, NOON + timedelta(hours=25)),
        (None, {}, None),
    ):
        assert bookmarks.unfinished("shoes", since, asked, now) is None

    bookmarks.close(reading, NOON, {})
    assert kept == {"assets": {"partitions": [partition("shoes", "2026-11-25T12:00:00Z")]}}
    bookmarks.keep_only(["bags"])
    assert kept == {"assets": {"partitions": []}}


def test_a_damaged_unfinished_reading_is_left_aside() -> None:
    told: list[str] = []
    kept = {"assets": {"partitions": [partition("shoes", unfinished={"listings": "x"})]}}
    assert Bookmarks(kept, told.append).unfinished("shoes", None, {}, NOON) is None
    assert len(told) == 1
