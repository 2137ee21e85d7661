"""Where to cut a long listing into several that are read at once. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.records.timestamps import to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from tap_akeneo_assets.extract.listings import Listing


MIN_RANGES = 3


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
            spread over some time. A bulk import, one timestamp for all assets, cannot be cut; nor can anything on a
            PIM before 6.0, which shows no `updated`.
        """
        if self._listing.pages > self._sample_pages:
            return False
        self.written.update((record["code"], record.get("updated")) for record in records)
        sample = [to_datetime(updated) for updated in self.written.values() if updated]
        if self._listing.pages < self._sample_pages or not sample or len(sample) < len(self.written):
            return False
        self.ranges = self._listing.cut(quantiles(sample, self._parts))
        return len(self.ranges) >= MIN_RANGES

    @property
    def probe(self) -> Listing:
        """The range to ask for first, to learn whether the listing is long."""
        return self.ranges[len(self.ranges) // 2]
