"""Where to cut a long listing into several that are read at once. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tap_akeneo_assets.extract.listings import Listing
from tap_akeneo_assets.records.timestamps import to_datetime, to_filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_akeneo_assets.records.assets import Asset

# Two ranges would gain little: what moves between ranges has to be read once more at the end.
MIN_RANGES = 3


def quantiles(timestamps: Sequence[datetime], parts: int) -> list[datetime]:
    """Timestamps that cut a sample into about equal parts.

    Args:
        timestamps: the sample, in any order, not empty.
        parts: how many parts to aim at.

    Returns:
        Whole seconds, ascending: `parts - 1` of them, or fewer where the sample holds few different ones.
    """
    ordered = sorted(timestamps)
    cuts = {ordered[len(ordered) * part // parts].replace(microsecond=0) for part in range(1, parts)}
    return sorted(cuts - {ordered[0].replace(microsecond=0)})


def cut(listing: Listing, cuts: Sequence[datetime]) -> list[Listing]:
    """Cut a listing into several that together give what it gives, each with its own range of `updated`.

    Ranges touch without a gap: the API's `<` and `>` leave out the whole second that they name.

    Args:
        listing: the one to cut.
        cuts: timestamps between the ranges, ascending.

    Returns:
        One listing more than cuts; the outer ones as open as the listing itself.
    """
    lower = [listing.updated_after, *(to_filter(cut - timedelta(seconds=1)) for cut in cuts)]
    upper = [*(to_filter(cut) for cut in cuts), listing.updated_before]
    return [
        Listing(_latest(after, listing.updated_after), _earliest(before, listing.updated_before))
        for after, before in zip(lower, upper, strict=True)
    ]


class Sample:
    """The `updated` of the assets on a listing's first pages: where to cut the listing.

    Args:
        listing: the one to cut.
        parts: how many ranges to aim at.
        pages: how many pages the sample has.

    Attributes:
        written: `updated` of the assets in it, by code.
        ranges: what the listing is cut into, once the sample is complete.
    """

    def __init__(self, listing: Listing, parts: int, pages: int) -> None:
        self._listing = listing
        self._parts = parts
        self._pages_missing = pages
        self.written: dict[str, str | None] = {}
        self.ranges: list[Listing] = []

    def add(self, assets: Iterable[Asset]) -> bool:
        """Add the assets of the listing's next page, unless the sample is complete.

        Returns:
            Whether the sample has just become complete and shows where to cut. An import that gave all assets one
            timestamp cannot be cut, nor can anything on a PIM before 6.0, which shows no `updated`.
        """
        if not self._pages_missing:
            return False
        self._pages_missing -= 1
        self.written.update((asset.code, asset.updated) for asset in assets)
        if self._pages_missing or not self.written or not all(self.written.values()):
            return False
        timestamps = [to_datetime(updated) for updated in self.written.values() if updated]
        self.ranges = cut(self._listing, quantiles(timestamps, self._parts))
        return len(self.ranges) >= MIN_RANGES

    @property
    def probe(self) -> Listing:
        """The range to read first: if it has few pages, the listing is too short to be cut."""
        return self.ranges[len(self.ranges) // 2]


def _latest(first: str | None, second: str | None) -> str | None:
    return max(filter(None, (first, second)), default=None)


def _earliest(first: str | None, second: str | None) -> str | None:
    return min(filter(None, (first, second)), default=None)
