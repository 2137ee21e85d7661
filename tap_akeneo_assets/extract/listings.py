"""A family's assets as listings: filters, cursors, and how a listing that repeats itself is noticed. Pure.

A *listing* is one filter on a family's assets and the server's own `next` link to the page to come.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tap_akeneo_assets.errors import PaginationLoop
from tap_akeneo_assets.records.timestamps import to_datetime, to_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_akeneo_assets.pim.asset_query import Conditions


# What web servers and proxies of the field accept with room to spare; many refuse 8,000.
MAX_URL_LENGTH = 4_000
# Later pages carry a cursor too. Those of search_after are two short values; this is several times as much.
CURSOR_ROOM = 500
# Where the search index knows assets that the database has lost, pages come empty; more than this in a row never end.
MAX_EMPTY_PAGES = 25
# Two pages in a row may hold the same one item, listed twice; a third that brings nothing new is a loop.
MAX_REPEATED_PAGES = 1


@dataclass(slots=True)
class Listing:
    """One filter on a family's assets, and the page that comes next.

    Attributes:
        updated_after: only what was updated in a later second, `2026-01-31T10:00:00Z`.
        updated_before: only what was updated in an earlier second.
        codes: only these codes; empty for all.
        next: the server's own link (path and query) to the page to come; None before the first page.
        resumed: an earlier run has read its first pages.
    """

    updated_after: str | None = None
    updated_before: str | None = None
    codes: Sequence[str] = ()
    next: str | None = None
    resumed: bool = False

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

    def restart(self) -> None:
        """Start again at the first page."""
        self.next, self.resumed = None, False

    def split(self, codes: Sequence[str]) -> list[Listing]:
        """Split the rest of a listing of codes, when the URL of its next page is too long.

        Args:
            codes: those of its codes that have not come yet.

        Returns:
            Listings of at most half as many codes as it has, so that they end in listings of one code.
        """
        size = max(1, len(self.codes) // 2)
        return [Listing(codes=tuple(codes[start : start + size])) for start in range(0, len(codes), size)]

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


class PageHistory:
    """The pages that this run has read of one listing.

    Attributes:
        pages: how many.
        last_code: of the last item; "" before there is one.
    """

    def __init__(self) -> None:
        self.pages = 0
        self.last_code = ""
        self._seen: set[int] = set()
        self._empty_in_a_row = 0
        self._repeated_in_a_row = 0

    def add(self, codes: Sequence[str], link: str | None) -> None:
        """Add a page.

        Nothing in the API guards against a `next` that repeats itself, be it with the same cursor or with a fresh one
        for the same items. An empty page is no proof, since index and database may disagree; nor is one page that
        repeats another, since an item may be listed twice. Several of either in a row are.

        Args:
            codes: of the page's items.
            link: the page's `next`.

        Raises:
            PaginationLoop: the listing repeats itself.
        """
        self.pages += 1
        self.last_code = codes[-1] if codes else self.last_code
        self._empty_in_a_row = 0 if codes else self._empty_in_a_row + 1
        if self._empty_in_a_row > MAX_EMPTY_PAGES:
            raise PaginationLoop(f"{self._empty_in_a_row} empty pages in a row")
        page, is_link_known = hash(tuple(codes)), bool(link) and hash(link) in self._seen
        if codes:
            self._repeated_in_a_row = self._repeated_in_a_row + 1 if page in self._seen else 0
        if self._repeated_in_a_row > MAX_REPEATED_PAGES or (is_link_known and self._repeated_in_a_row):
            raise PaginationLoop("the same items come again")
        if is_link_known:
            raise PaginationLoop("a `next` link comes again")
        self._seen.update([page] if codes else [], [hash(link)] if link else [])


def code_listings(codes: Iterable[str], length_of: Callable[[Listing], int]) -> Iterator[Listing]:
    """Listings for some codes, each with as many as its URL can hold.

    Args:
        codes: of the assets wanted.
        length_of: the length of a listing's URL in characters, which grows by the same amount a code.

    Returns:
        Listings whose URL is shorter than `MAX_URL_LENGTH` by the room for a cursor; one code alone may be longer.
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
