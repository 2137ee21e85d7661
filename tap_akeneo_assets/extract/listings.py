"""How a family's assets are asked for: questions, the listings that answer them, and where to cut a long one.

Pure: nothing here asks the PIM. A *question* is what the settings narrow; a *listing* is one filter on it and how far
its pages have been read; its place between two pages is the server's own `next` link.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from tap_akeneo_assets.errors import PaginationLoop
from tap_akeneo_assets.records.timestamps import to_datetime, to_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_akeneo_assets.pim.asset_query import Conditions


MAX_URL_LENGTH = 4_000
# Later pages carry a cursor too. Those of search_after are two short values; this is several times as much.
CURSOR_ROOM = 500
MAX_EMPTY_PAGES = 25
# Two pages in a row may hold the same one item, listed twice; a third that brings nothing new is a circle.
MAX_REPEATED_PAGES = 1


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
            PaginationLoop: this page, or the link it gives, has been seen before.
        """
        self.pages += 1
        self._empty_pages = 0 if codes else self._empty_pages + 1
        if self._empty_pages > MAX_EMPTY_PAGES:
            raise PaginationLoop(f"{self._empty_pages} empty pages in a row")
        page, link_again = hash(tuple(codes)), bool(link) and hash(link) in self._seen
        if codes:
            self._repeated_pages = self._repeated_pages + 1 if page in self._seen else 0
        if self._repeated_pages > MAX_REPEATED_PAGES or (link_again and self._repeated_pages):
            raise PaginationLoop("the same items come again")
        if link_again:
            raise PaginationLoop("a `next` link comes again")
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
        lower = [self.updated_after, *(to_filter(cut - timedelta(seconds=1)) for cut in cuts)]
        upper = [*(to_filter(cut) for cut in cuts), self.updated_before]
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
            kept.get(name) and to_filter(to_datetime(kept[name])) for name in ("updated_after", "updated_before")
        )
        if not isinstance(kept.get("next", ""), str):
            raise TypeError("next")
        return cls(after, before, next=kept.get("next"), resumed=True)


def _latest(first: str | None, second: str | None) -> str | None:
    return max(filter(None, (first, second)), default=None)


def _earliest(first: str | None, second: str | None) -> str | None:
    return min(filter(None, (first, second)), default=None)


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
