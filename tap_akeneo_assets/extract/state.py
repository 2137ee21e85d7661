"""What is kept between runs: a bookmark a family, and the listings that were still open.

It stands in the SDK's own layout, a partition a family under the stream `assets`:

    {"context": {"asset_family_code": "model_pictures"},
     "replication_key": "updated", "replication_key_value": "2026-01-31T09:55:00Z",
     "unfinished": {"began": "…", "newest": "…", "listings": [{"updated_after": "…", "next": "/api/rest/v1/…"}]}}

`asked` beside the bookmark says what the settings narrowed when it was set: a bookmark answers its own question only.
Moments are texts in UTC, whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.errors import UnreadableState
from tap_akeneo_assets.extract.listings import Listing
from tap_akeneo_assets.records.timestamps import to_datetime, to_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence


STREAM = "assets"
CURSOR_LIFE = timedelta(hours=24)
# Enough for what is written before a family is cut, and for a family that is small; it bounds the memory of others.
MAX_REMEMBERED = 1_000


def bookmark(newest: datetime | None, began: datetime | None, lookback: timedelta) -> datetime | None:
    """Where the next listing of a family starts, after one that gave something.

    The API's `>` leaves out the whole second that it names, its search index trails the database, and what is saved
    while a listing runs must be read again. Some PIMs show `updated` hours in the future. Before 6.0 it is not shown.

    Args:
        newest: the latest `updated` seen; none on a PIM that does not show it.
        began: when the listing began, by the PIM's clock; none where the PIM tells no time.
        lookback: how long before its beginning the next one starts at least.

    Returns:
        The timestamp after which assets are asked for, or none where nothing is known.
    """
    if began is None:
        return None if newest is None else newest - lookback
    return min(newest or began, began - lookback)


def same_json(kept: object, asked: object) -> bool:
    """Whether a value that a state kept is the one asked for now.

    Numbers are compared as numbers, whether they are floats or decimals. A state that went through a double has lost
    digits; it is taken for the same where the double of what is asked for has just the digits kept.
    """
    if isinstance(kept, dict) and isinstance(asked, dict):
        return kept.keys() == asked.keys() and all(same_json(kept[name], asked[name]) for name in kept)
    if isinstance(kept, list) and isinstance(asked, list):
        return len(kept) == len(asked) and all(map(same_json, kept, asked))
    first, second = _number(kept), _number(asked)
    if first is None or second is None:
        return type(kept) is type(asked) and kept == asked
    return first == second or first == Decimal(repr(float(second)))


def _number(value: object) -> Decimal | None:
    if isinstance(value, float):
        return Decimal(repr(value))
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


@dataclass(slots=True)
class FamilyProgress:
    """One family's assets on their way: which listings are open, and what they have shown so far.

    Attributes:
        code: the family's.
        since: where the listings start; none for all assets.
        began: the last second, by the PIM's clock, that was over when the first of them began.
        newest: the latest `updated` seen.
        found: whether they gave any asset.
        open: the listings that have not ended.
        resumed: part of it was read by an earlier run.
        cut: it is read by ranges of `updated`, so what moves between them has to be asked for at the end.
        catching_up: that is what is being asked for.
        written: code and `updated` of what was written, as far as it is remembered; it need not be written again.
        damaged: some asset could not be read, or some value not be typed, so that the bookmark must stay.
        was_damaged: so it was in the earlier run on which this one goes on, so that all must be read again.
        by_bookmark: the listings start at the family's bookmark.
        wanted: the only codes asked for; none when all assets are asked for.
        seen: of these, or of others, what has come.
    """

    code: str
    since: str | None = None
    began: datetime | None = None
    newest: datetime | None = None
    found: bool = False
    open: list[Listing] = field(default_factory=list)
    resumed: bool = False
    cut: bool = False
    catching_up: bool = False
    written: dict[str, str | None] = field(default_factory=dict)
    damaged: bool = False
    was_damaged: bool = False
    by_bookmark: bool = False
    wanted: Sequence[str] | None = None
    seen: set[str] = field(default_factory=set)

    @property
    def goes_on(self) -> bool:
        """Whether a run after this one could go on with it, rather than begin anew."""
        return self.began is not None and bool(self.open) and (self.cut or any(listing.next for listing in self.open))

    def fresh(self, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those of some assets that have not been written yet, as far as that is remembered, and take note of them.

        What changed in between has another `updated`, or is read again by the next run.
        """
        if self.wanted is not None:
            records = [record for record in records if record["code"] not in self.seen]
            self.seen.update(record["code"] for record in records)
            return list(records)
        if self.written:
            records = [
                record
                for record in records
                if not record.get("updated") or self.written.get(record["code"]) != record["updated"]
            ]
        if len(self.written) < MAX_REMEMBERED:
            self.written.update((record["code"], record["updated"]) for record in records if record.get("updated"))
        return list(records)

    def see(self, updated: str | None) -> None:
        """Take note of an asset that was written."""
        self.found = True
        if updated:
            timestamp = to_datetime(updated)
            if self.newest is None or timestamp > self.newest:
                self.newest = timestamp

    def to_state(self) -> dict[str, Any]:
        """What the state keeps of it while listings are open."""
        return {
            "since": self.since,
            "began": self.began and to_filter(self.began),
            "newest": self.newest and to_filter(self.newest),
            "found": self.found,
            "cut": self.cut,
            "catching_up": self.catching_up,
            "damaged": self.damaged or self.was_damaged,
            "listings": [listing.to_state() for listing in self.open],
        }

    @classmethod
    def from_state(cls, code: str, kept: Mapping[str, Any]) -> FamilyProgress:
        """The reading that a state kept.

        Raises:
            ValueError, OverflowError, TypeError, KeyError, AttributeError: it is damaged.
        """
        listings = [Listing.from_state(listing) for listing in kept["listings"]]
        # What goes on within a listing gives something, unless the index is sick; only the last listing of ranges may
        # well be empty.
        may_be_empty = kept["catching_up"] and not any(listing.next for listing in listings)
        return cls(
            code,
            since=kept["since"],
            began=kept["began"] and to_datetime(kept["began"]),
            newest=kept["newest"] and to_datetime(kept["newest"]),
            found=bool(kept["found"] and may_be_empty),
            open=listings,
            resumed=True,
            cut=bool(kept["cut"]),
            catching_up=bool(kept["catching_up"]),
            was_damaged=bool(kept["damaged"]),
        )


class Bookmarks:
    """The partitions of `assets` in a tap's state, by family code.

    Args:
        bookmarks: the states of all streams, by name, changed in place.
        warn: told, in one line, what cannot be used.
    """

    def __init__(self, bookmarks: dict[str, dict[str, Any]], warn: Callable[[str], None]) -> None:
        self._stream = bookmarks.setdefault(STREAM, {})
        self._partitions: dict[str, dict[str, Any]] = {
            partition["context"]["asset_family_code"]: partition for partition in self._stream.get("partitions", [])
        }
        self._warn = warn

    def since(self, code: str, asked: Mapping[str, Any], now: datetime | None) -> str | None:
        """Where a family's next listing starts.

        Args:
            code: the family's.
            asked: what the settings narrow in this run.
            now: by the PIM's clock; none where it is unknown.

        Returns:
            The timestamp after which assets are asked for; none where no bookmark answers this run's question.
        """
        partition = self._partitions.get(code, {})
        value = partition.get("replication_key_value")
        if not value:
            return None
        if not same_json(partition.get("asked", {}), asked):
            self._warn(f"Family {code!r} is read whole: its bookmark belongs to other settings.")
            return None
        if now is not None and to_datetime(value) > now:
            self._warn(f"Family {code!r} is read whole: its bookmark {value} lies in the future of the PIM.")
            return None
        return to_filter(to_datetime(value))

    def unfinished(
        self, code: str, since: str | None, asked: Mapping[str, Any], now: datetime | None
    ) -> FamilyProgress | None:
        """The reading of a family that an earlier run left open, if it can be gone on with.

        Args:
            code: the family's.
            since: where a fresh listing would start; one that started elsewhere answers another question.
            asked: what the settings narrow in this run.
            now: by the PIM's clock; cursors older than 24 hours are not tried.
        """
        partition = self._partitions.get(code, {})
        kept = partition.get("unfinished")
        if not kept:
            return None
        try:
            reading = FamilyProgress.from_state(code, kept)
        except (ValueError, OverflowError, TypeError, KeyError, AttributeError):
            self._warn(f"Family {code!r} is read from its beginning: its unfinished listing in the state is damaged.")
            return None
        fresh = reading.began is not None and now is not None and abs(now - reading.began) < CURSOR_LIFE
        if reading.since != since or not same_json(kept.get("asked", {}), asked) or not fresh or not reading.open:
            return None
        return reading

    def keep_open(self, reading: FamilyProgress, asked: Mapping[str, Any]) -> None:
        """Keep how far a family has been read."""
        kept = reading.to_state()
        if asked:
            kept["asked"] = dict(asked)
        self._partition(reading.code)["unfinished"] = kept

    def close(self, reading: FamilyProgress, value: datetime | None, asked: Mapping[str, Any]) -> None:
        """A family has been read to its end: move its bookmark, unless the value is none."""
        if value is None:
            self.drop_open(reading.code)
            return
        partition = self._partition(reading.code)
        partition.pop("unfinished", None)
        partition.update(replication_key="updated", replication_key_value=to_filter(value))
        partition.pop("asked", None)
        if asked:
            partition["asked"] = dict(asked)

    def drop_open(self, code: str) -> None:
        """Forget how far a family had been read, not its bookmark."""
        partition = self._partitions.get(code)
        if partition is None:
            return
        partition.pop("unfinished", None)
        if partition.keys() == {"context"}:
            self._remove(code)

    def keep_only(self, codes: Collection[str]) -> None:
        """Forget the families that the PIM does not list any more."""
        for code in self._partitions.keys() - set(codes):
            self._remove(code)

    def _partition(self, code: str) -> dict[str, Any]:
        partition = self._partitions.get(code)
        if partition is None:
            partition = self._partitions[code] = {"context": {"asset_family_code": code}}
            self._stream.setdefault("partitions", []).append(partition)
        return partition

    def _remove(self, code: str) -> None:
        self._stream["partitions"].remove(self._partitions.pop(code))


def readable(state: Any, warn: Callable[[str], None]) -> dict[str, Any]:  # noqa: ANN401  # JSON
    """The state as far as it can be used.

    Args:
        state: what a state file holds.
        warn: told, in one line, what is left out.

    Returns:
        A state in the SDK's layout, one partition a family.

    Raises:
        UnreadableState: it is damaged, so that nothing can be concluded from it.
    """
    if not isinstance(state, dict):
        raise UnreadableState("The state is not a JSON object.")
    if state.get("type") == "STATE" and isinstance(state.get("value"), dict):
        state = state["value"]
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict):
        raise UnreadableState("The state is damaged: `bookmarks` is not an object.")
    if state and "bookmarks" not in state:
        warn("The state holds no bookmarks: everything is read.")
    for name, stream in bookmarks.items():
        if not isinstance(stream, dict) or not isinstance(stream.get("partitions", []), list):
            raise UnreadableState(f"The state is damaged: that of the stream {name!r} is not in the SDK's layout.")
    kept: dict[str, Any] = {}
    for name, stream in bookmarks.items():
        partitions = [_usable(partition) for partition in stream.get("partitions", []) if isinstance(partition, dict)]
        if name == STREAM:
            partitions = _one_a_family(stream, warn)
        kept[name] = {**_usable(stream), "partitions": partitions}
        if not partitions:
            del kept[name]["partitions"]
    return {**state, "bookmarks": kept} if state else {}


def _usable(state: Mapping[str, Any]) -> dict[str, Any]:
    """What is of use of a stream's or a partition's state: markers of the SDK are thrown away when a run begins."""
    return {name: value for name, value in state.items() if name != "progress_markers"}


def _one_a_family(stream: Mapping[str, Any], warn: Callable[[str], None]) -> list[dict[str, Any]]:
    families: dict[str, dict[str, Any]] = {}
    partitions: list[Any] = stream.get("partitions", [])
    for partition in partitions:
        context = partition.get("context") if isinstance(partition, dict) else None
        code = context.get("asset_family_code") if isinstance(context, dict) else None
        if not isinstance(code, str):
            warn("The state holds a partition of `assets` that names no family: it is left out.")
            continue
        value = _moment(partition.get("replication_key_value"))
        if value is None and partition.get("replication_key_value") is not None:
            warn(f"The state's bookmark of family {code!r} is no date: the family is read whole.")
        cleaned = {**_usable(partition), "context": {"asset_family_code": code}}
        if value is None or partition.get("replication_key", "updated") != "updated":
            cleaned.pop("replication_key_value", None)
        families[code] = _older(families[code], cleaned) if code in families else cleaned
    return list(families.values())


def _older(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return min(
        first,
        second,
        key=lambda partition: _moment(partition.get("replication_key_value")) or to_datetime("0001-01-01"),
    )


def _moment(value: object) -> datetime | None:
    try:
        return to_datetime(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
