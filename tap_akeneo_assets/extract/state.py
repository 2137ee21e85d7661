"""What is kept between runs: a bookmark per family, and the listings that were still open. Pure.

It has the SDK's own layout, one partition per family under the stream `assets`:

    {"context": {"asset_family_code": "model_pictures"},
     "replication_key": "updated", "replication_key_value": "2026-01-31T09:55:00Z",
     "unfinished": {"began": "…", "newest": "…", "listings": [{"updated_after": "…", "next": "/api/rest/v1/…"}]}}

`asked` beside the bookmark holds the restrictions that the settings had when it was set (`AssetQuery.restrictions`): a
bookmark holds for the same restrictions only. `covers` names what has been read up to the bookmark, where that is not
just `assets` and `asset_values`: a stream that is selected later has to be read from the beginning. Timestamps are
texts in UTC, whole seconds.
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
    from collections.abc import Callable, Collection, Iterable, Mapping

    from tap_akeneo_assets.records.assets import Asset


STREAM = "assets"
USUALLY_COVERED = frozenset({"assets", "asset_values"})
# The API page says nothing of how long a cursor lives; an index that is rebuilt every night ends it.
CURSOR_LIFE = timedelta(hours=24)


def bookmark(newest: datetime | None, began: datetime | None, lookback: timedelta) -> datetime | None:
    """Where the next listing of a family starts, after one that gave something.

    The API's `>` leaves out the whole second that it names, its search index trails the database, and what is saved
    while a listing runs must be read again. Some PIMs show `updated` hours in the future. Before 6.0 it is not shown.

    Args:
        newest: the latest `updated` seen; None on a PIM that does not show it.
        began: when the listing began, by the PIM's clock; None where the PIM tells no time.
        lookback: how long before its beginning the next one starts at least.

    Returns:
        The timestamp after which assets are asked for, or None where nothing is known.
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
    """How far a family's assets have been read, as the state keeps it.

    Attributes:
        code: the family's.
        since: where the listings start; None for all assets.
        began: the last second, by the PIM's clock, that was over when the first listing began.
        newest: the latest `updated` seen.
        found: whether the listings gave any asset.
        open: the listings that have not ended.
        cut: the family is read by ranges of `updated`; what moves between them is read once more at the end.
        catching_up: that is what is being read.
        damaged: some asset could not be read, or some value not be typed, so that the bookmark must stay.
        was_damaged: so it was in the earlier run that this one continues, so that all must be read again.
    """

    code: str
    since: str | None = None
    began: datetime | None = None
    newest: datetime | None = None
    found: bool = False
    open: list[Listing] = field(default_factory=list)
    cut: bool = False
    catching_up: bool = False
    damaged: bool = False
    was_damaged: bool = False

    @property
    def can_be_resumed(self) -> bool:
        """Whether a later run could resume it, rather than read from the beginning."""
        return self.began is not None and bool(self.open) and (self.cut or any(listing.next for listing in self.open))

    def add(self, assets: Iterable[Asset]) -> None:
        """Take note of assets that were written."""
        newest = ""
        for asset in assets:
            self.found = True
            # All are in UTC, so the latest is also the greatest text; reading that one is enough.
            if asset.updated and asset.updated > newest:
                newest = asset.updated
        if newest:
            timestamp = to_datetime(newest)
            self.newest = max(self.newest or timestamp, timestamp)

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
        """The progress that a state kept.

        Raises:
            ValueError, OverflowError, TypeError, KeyError, AttributeError: it is damaged.
        """
        listings = [Listing.from_state(listing) for listing in kept["listings"]]
        # The rest of a listing holds assets, unless the index is sick; only what is read once more may be empty.
        may_be_empty = kept["catching_up"] and not any(listing.next for listing in listings)
        return cls(
            code,
            since=kept["since"],
            began=kept["began"] and to_datetime(kept["began"]),
            newest=kept["newest"] and to_datetime(kept["newest"]),
            found=bool(kept["found"] and may_be_empty),
            open=listings,
            cut=bool(kept["cut"]),
            catching_up=bool(kept["catching_up"]),
            was_damaged=bool(kept["damaged"]),
        )


class Bookmarks:
    """The partitions of `assets` in a tap's state, by family code.

    Args:
        bookmarks: the states of all streams, by name, changed in place.
        warn: told, in one line, what cannot be used.
        covers: what this run reads: names of streams below `assets` or itself, and `stored files`.
    """

    def __init__(
        self,
        bookmarks: dict[str, dict[str, Any]],
        warn: Callable[[str], None],
        covers: Collection[str] = USUALLY_COVERED,
    ) -> None:
        self._covers = frozenset(covers)
        self._stream = bookmarks.setdefault(STREAM, {})
        self._partitions: dict[str, dict[str, Any]] = {
            partition["context"]["asset_family_code"]: partition for partition in self._stream.get("partitions", [])
        }
        self._warn = warn

    def since(self, code: str, restrictions: Mapping[str, Any], now: datetime | None) -> str | None:
        """Where a family's next listing starts.

        Args:
            code: the family's.
            restrictions: those of this run's settings.
            now: by the PIM's clock; None where it is unknown.

        Returns:
            The timestamp after which assets are asked for; None where there is no bookmark for what this run reads.
        """
        partition = self._partitions.get(code, {})
        value = partition.get("replication_key_value")
        if not value:
            return None
        if missing := self._covers - _covered(partition):
            self._warn(f"Family {code!r} is read whole: earlier runs did not read {', '.join(sorted(missing))}.")
            return None
        if not same_json(partition.get("asked", {}), restrictions):
            self._warn(f"Family {code!r} is read whole: its bookmark belongs to other settings.")
            return None
        if now is not None and to_datetime(value) > now:
            self._warn(f"Family {code!r} is read whole: its bookmark {value} lies in the future of the PIM.")
            return None
        return to_filter(to_datetime(value))

    def unfinished(
        self, code: str, since: str | None, restrictions: Mapping[str, Any], now: datetime | None
    ) -> FamilyProgress | None:
        """The progress of a family that an earlier run left unfinished, if it can be resumed.

        Args:
            code: the family's.
            since: where a fresh listing would start; one that started elsewhere is of no use.
            restrictions: those of this run's settings.
            now: by the PIM's clock; cursors older than 24 hours are not tried.
        """
        partition = self._partitions.get(code, {})
        kept = partition.get("unfinished")
        if not kept:
            return None
        try:
            progress = FamilyProgress.from_state(code, kept)
        except (ValueError, OverflowError, TypeError, KeyError, AttributeError):
            self._warn(f"Family {code!r} is read from its beginning: its unfinished listing in the state is damaged.")
            return None
        fresh = progress.began is not None and now is not None and abs(now - progress.began) < CURSOR_LIFE
        if (
            progress.since != since
            or not self._covers <= _covered(kept)
            or not same_json(kept.get("asked", {}), restrictions)
            or not fresh
            or not progress.open
        ):
            return None
        return progress

    def keep_open(self, progress: FamilyProgress, restrictions: Mapping[str, Any]) -> None:
        """Keep how far a family has been read."""
        kept = progress.to_state()
        if restrictions:
            kept["asked"] = dict(restrictions)
        if self._covers != USUALLY_COVERED:
            kept["covers"] = sorted(self._covers)
        self._partition(progress.code)["unfinished"] = kept

    def close(self, progress: FamilyProgress, value: datetime | None, restrictions: Mapping[str, Any]) -> None:
        """A family has been read to its end: move its bookmark, unless the value is None."""
        if value is None:
            self.drop_open(progress.code)
            return
        partition = self._partition(progress.code)
        partition.pop("unfinished", None)
        partition.update(replication_key="updated", replication_key_value=to_filter(value))
        partition.pop("asked", None)
        partition.pop("covers", None)
        if restrictions:
            partition["asked"] = dict(restrictions)
        if self._covers != USUALLY_COVERED:
            partition["covers"] = sorted(self._covers)

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

    def outlook(self) -> str:
        """What the next run with this state will read of the assets, in one line."""
        partitions = self._partitions.values()
        values = sorted(filter(None, (partition.get("replication_key_value") for partition in partitions)))
        unfinished = sum("unfinished" in partition for partition in partitions)
        parts = []
        if values:
            bookmarks = "1 bookmark" if len(values) == 1 else f"{len(values)} bookmarks"
            span = values[0] if values[0] == values[-1] else f"from {values[0]} to {values[-1]}"
            parts.append(f"the assets changed since their family's bookmark ({bookmarks}: {span})")
        if unfinished:
            parts.append(f"the rest of {'1 family' if unfinished == 1 else f'{unfinished} families'}")
        parts.append("families without a bookmark whole")
        return f"With this state the next run reads {'; '.join(parts)}."

    def _partition(self, code: str) -> dict[str, Any]:
        partition = self._partitions.get(code)
        if partition is None:
            partition = self._partitions[code] = {"context": {"asset_family_code": code}}
            self._stream.setdefault("partitions", []).append(partition)
        return partition

    def _remove(self, code: str) -> None:
        self._stream["partitions"].remove(self._partitions.pop(code))


def _covered(kept: Mapping[str, Any]) -> frozenset[str]:
    """What has been read up to a bookmark, or within an unfinished listing."""
    covers = kept.get("covers")
    return frozenset(filter(_is_text, covers)) if isinstance(covers, list) else USUALLY_COVERED


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def readable(state: Any, warn: Callable[[str], None]) -> dict[str, Any]:  # noqa: ANN401  # JSON
    """The state as far as it can be used.

    Args:
        state: what a state file holds.
        warn: told, in one line, what is left out.

    Returns:
        A state in the SDK's layout, one partition per family.

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
        partitions = [
            _without_markers(partition) for partition in stream.get("partitions", []) if isinstance(partition, dict)
        ]
        if name == STREAM:
            partitions = _one_per_family(stream, warn)
        kept[name] = {**_without_markers(stream), "partitions": partitions}
        if not partitions:
            del kept[name]["partitions"]
    return {**state, "bookmarks": kept} if state else {}


def _without_markers(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a stream or a partition without the SDK's markers, which hold for one run only."""
    return {name: value for name, value in state.items() if name != "progress_markers"}


def _one_per_family(stream: Mapping[str, Any], warn: Callable[[str], None]) -> list[dict[str, Any]]:
    families: dict[str, dict[str, Any]] = {}
    partitions: list[Any] = stream.get("partitions", [])
    for partition in partitions:
        context = partition.get("context") if isinstance(partition, dict) else None
        code = context.get("asset_family_code") if isinstance(context, dict) else None
        if not isinstance(code, str):
            warn("The state holds a partition of `assets` that names no family: it is left out.")
            continue
        value = _timestamp(partition.get("replication_key_value"))
        if value is None and partition.get("replication_key_value") is not None:
            warn(f"The state's bookmark of family {code!r} is no date: the family is read whole.")
        cleaned = {**_without_markers(partition), "context": {"asset_family_code": code}}
        if value is None or partition.get("replication_key", "updated") != "updated":
            cleaned.pop("replication_key_value", None)
        families[code] = _older(families[code], cleaned) if code in families else cleaned
    return list(families.values())


def _older(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return min(
        first,
        second,
        key=lambda partition: _timestamp(partition.get("replication_key_value")) or to_datetime("0001-01-01"),
    )


def _timestamp(value: object) -> datetime | None:
    try:
        return to_datetime(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
