"""How a family's assets are asked for: questions, the listings that answer them, and where to cut a long one.

Pure: nothing here asks the PIM. A *question* is what the settings narrow; a *listing* is one filter on it and how far
its pages have been read; its place between two pages is the server's own `next` link.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Conditions: TypeAlias = "dict[str, list[dict[str, Any]]]"

MAX_URL_LENGTH = 4_000
# Later pages carry a cursor too. Those of search_after are two short values; this is several times as much.
CURSOR_ROOM = 500
MAX_EMPTY_PAGES = 25
# Two pages in a row may hold the same one item, listed twice; a third that brings nothing new is a circle.
MAX_REPEATED_PAGES = 1
MIN_RANGES = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What the settings ask of a list of assets, whatever the family."""

    search: Mapping[str, Any] = field(default_factory=dict)
    channel: str | None = None
    locales: Sequence[str] = ()
    with_asset_auto_tags: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Question:
        """The question that a tap's settings ask."""
        return cls(
            search=_with_decimals(config.get("search") or {}),
            channel=config.get("channel") or None,
            locales=tuple(config.get("locales") or ()),
            with_asset_auto_tags=bool(config.get("with_asset_auto_tags")),
        )

    @property
    def narrowed(self) -> dict[str, Any]:
        """What it asks beyond everything, as the state keeps it; empty when it asks for everything."""
        asked = {
            "search": dict(self.search),
            "channel": self.channel,
            "locales": list(self.locales),
            "with_asset_auto_tags": self.with_asset_auto_tags,
        }
        return {name: value for name, value in asked.items() if value}

    def parameters(self, conditions: Conditions) -> dict[str, str]:
        """The query parameters of a list of assets with further conditions on it."""
        parameters: dict[str, str] = {}
        if search := merge_search(self.search, conditions):
            parameters["search"] = _to_json(search)
        if self.channel:
            parameters["channel"] = self.channel
        if self.locales:
            parameters["locales"] = ",".join(self.locales)
        if self.with_asset_auto_tags:
            parameters["with_asset_auto_tags"] = "true"
        return parameters


def merge_search(search: Mapping[str, Any], conditions: Conditions) -> dict[str, Any]:
    """Add conditions to a `search`, all of which must hold, in the form that the search has.

    The API has two forms: a map of properties to conditions, and a tree with one `and` or `or` at its root.

    Args:
        search: a search as the user wrote it, of either form.
        conditions: further conditions, by property.

    Returns:
        One search for both.
    """
    if not conditions:
        return dict(search)
    if not search.keys() & {"and", "or"}:
        return {**search, **{name: [*_as_list(search.get(name)), *added] for name, added in conditions.items()}}
    added_branches = [{name: added} for name, added in conditions.items()]
    if search.keys() == {"and"}:
        return {"and": [*_as_list(search["and"]), *added_branches]}
    return {"and": [dict(search), *added_branches]}


def _with_decimals(value: Any) -> Any:  # noqa: ANN401  # JSON
    """The same JSON with a decimal for each fraction: a file gives decimals, other sources floats."""
    if isinstance(value, dict):
        return {name: _with_decimals(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_decimals(inner) for inner in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def _to_json(value: object) -> str:
    """A JSON text, compact, in which decimals are numbers with all their digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_to_json(name)}:{_to_json(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_to_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _as_list(conditions: object) -> list[Any]:
    if conditions is None:
        return []
    return conditions if isinstance(conditions, list) else [conditions]


class Circling(ValueError):
    """A listing gives the same pages again and again; str() tells how."""


@dataclass(slots=True)
class Listing:
    """One filter on a list, and how far its pages have been read.

    Attributes:
        updated_after: only what was updated in a later second, `2026-01-31T10:00:00Z`.
        updated_before: only what was updated in an earlier second.
        codes: only these codes; empty for all.
        next: the server's own link (path and query) to the page to come; none before the first.
        resumed: it goes on where an earlier run stopped.
        pages: how many pages this run has read.
    """

    updated_after: str | None = None
    updated_before: str | None = None
    codes: Sequence[str] = ()
    next: str | None = None
    resumed: bool = False
    pages: int = 0
    _seen: set[int] = field(default_factory=set)
    _empty_pages: int = 0
    _repeated_pages: int = 0

    @property
    def conditions(self) -> Conditions:
        """Its filter as conditions of a `search`, by property."""
        conditions: Conditions = {}
        if self.updated_after:
            conditions["updated"] = [{"operator": ">", "value": self.updated_after}]
        if self.updated_before:
            conditions.setdefault("updated", []).append({"operator": "<", "value": self.updated_before})
        if self.codes:
            conditions["code"] = [{"operator": "IN", "value": list(self.codes)}]
        return conditions

    def check(self, codes: Sequence[str], link: str | None) -> None:
        """Take note of a page that was read.

        Nothing in the API guards against a `next` that repeats itself, be it with the same cursor or with a fresh one
        for the same items. Empty pages are no proof of that, since they occur where index and database disagree, nor is
        one page that repeats another, since an item may be listed twice; but several of either in a row are.

        Args:
            codes: of the page's items.
            link: the page's `next`.

        Raises:
            Circling: this page, or the link it gives, has been seen before.
        """
        self.pages += 1
        self._empty_pages = 0 if codes else self._empty_pages + 1
        if self._empty_pages > MAX_EMPTY_PAGES:
            raise Circling(f"{self._empty_pages} empty pages in a row")
        page, link_again = hash(tuple(codes)), bool(link) and hash(link) in self._seen
        if codes:
            self._repeated_pages = self._repeated_pages + 1 if page in self._seen else 0
        if self._repeated_pages > MAX_REPEATED_PAGES or (link_again and self._repeated_pages):
            raise Circling("the same items come again")
        if link_again:
            raise Circling("a `next` link comes again")
        self._seen.update([page] if codes else [], [hash(link)] if link else [])

    def restart(self) -> None:
        """Begin anew, with no memory of pages: they will come again."""
        self.next, self.resumed = None, False
        self.pages = self._empty_pages = self._repeated_pages = 0
        self._seen.clear()

    def split(self, codes: Sequence[str]) -> list[Listing]:
        """Split what is left of a listing of codes whose next page has too long an address.

        Args:
            codes: those of its codes that have not come yet.

        Returns:
            Listings of at most half as many codes as it has, so that they end in listings of one code.
        """
        size = max(1, len(self.codes) // 2)
        return [Listing(codes=tuple(codes[start : start + size])) for start in range(0, len(codes), size)]

    def cut(self, cuts: Sequence[datetime]) -> list[Listing]:
        """Cut it into listings that together give what it gives, each with its own range of `updated`.

        Ranges touch without a gap: the API's `<` and `>` leave out the whole second that they name.

        Args:
            cuts: moments between the ranges, ascending.

        Returns:
            One listing more than cuts; the outer ones as open as this one.
        """
        lower = [self.updated_after, *(to_text(cut - timedelta(seconds=1)) for cut in cuts)]
        upper = [*(to_text(cut) for cut in cuts), self.updated_before]
        return [
            Listing(_latest(after, self.updated_after), _earliest(before, self.updated_before))
            for after, before in zip(lower, upper, strict=True)
        ]

    def to_state(self) -> dict[str, str]:
        """What the state keeps of it."""
        kept = {"updated_after": self.updated_after, "updated_before": self.updated_before, "next": self.next}
        return {name: value for name, value in kept.items() if value}

    @classmethod
    def from_state(cls, kept: Mapping[str, str]) -> Listing:
        """The listing that a state kept.

        Raises:
            ValueError, OverflowError, TypeError, AttributeError: it is damaged.
        """
        after, before = (
            kept.get(name) and to_text(to_moment(kept[name])) for name in ("updated_after", "updated_before")
        )
        if not isinstance(kept.get("next", ""), str):
            raise TypeError("next")
        return cls(after, before, next=kept.get("next"), resumed=True)


def _latest(first: str | None, second: str | None) -> str | None:
    return max(filter(None, (first, second)), default=None)


def _earliest(first: str | None, second: str | None) -> str | None:
    return min(filter(None, (first, second)), default=None)


def quantiles(moments: Sequence[datetime], parts: int) -> list[datetime]:
    """Moments that cut a sample into about equal parts; fewer, or none, where it holds few different ones."""
    ordered = sorted(moments)
    cuts = {ordered[len(ordered) * part // parts].replace(microsecond=0) for part in range(1, parts)}
    return sorted(cuts - {ordered[0].replace(microsecond=0)})


class Cutter:
    """Finds where to cut a long listing, from the sample of `updated` that its first pages give.

    Args:
        listing: the one to cut.
        parts: how many ranges to aim at.
        sample_pages: how many pages the sample has.
    """

    def __init__(self, listing: Listing, parts: int, sample_pages: int) -> None:
        self._listing = listing
        self._parts = parts
        self._sample_pages = sample_pages
        self.written: dict[str, str | None] = {}
        self.ranges: list[Listing] = []

    def see(self, records: Iterable[Mapping[str, Any]]) -> bool:
        """Take note of a page of the listing.

        Returns:
            Whether it is time to learn, by the probe, if the listing is worth cutting: the sample is complete, and
            spread over some time. A bulk import, one moment for all assets, cannot be cut; nor can anything on a PIM
            before 6.0, which shows no `updated`.
        """
        if self._listing.pages > self._sample_pages:
            return False
        self.written.update((record["code"], record.get("updated")) for record in records)
        sample = [to_moment(updated) for updated in self.written.values() if updated]
        if self._listing.pages < self._sample_pages or not sample or len(sample) < len(self.written):
            return False
        self.ranges = self._listing.cut(quantiles(sample, self._parts))
        return len(self.ranges) >= MIN_RANGES

    @property
    def probe(self) -> Listing:
        """The range to ask for first, to learn whether the listing is long."""
        return self.ranges[len(self.ranges) // 2]


def code_listings(codes: Iterable[str], length_of: Callable[[Listing], int]) -> Iterator[Listing]:
    """Listings for some codes, each with as many as its URL can bear.

    Args:
        codes: of the assets wanted.
        length_of: the length of a listing's URL in characters, which grows by the same amount a code.

    Returns:
        Listings whose URL is shorter than `MAX_URL_LENGTH` by the room for a cursor, if that is possible at all.
    """
    batch: list[str] = []
    room = MAX_URL_LENGTH - CURSOR_ROOM - length_of(Listing(codes=("",)))
    left = room
    for code in dict.fromkeys(codes):
        needed = len(quote(json.dumps(code, ensure_ascii=False) + ",", safe=""))
        if batch and needed >= left:
            yield Listing(codes=tuple(batch))
            batch, left = [], room
        batch.append(code)
        left -= needed
    if batch:
        yield Listing(codes=tuple(batch))


def to_text(moment: datetime) -> str:
    """A moment as the API's filters take it: UTC, whole seconds, `2026-01-31T10:00:00Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def to_moment(text: str) -> datetime:
    """The moment that an ISO 8601 text names; UTC where it says no offset.

    Raises:
        ValueError: it names none.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
