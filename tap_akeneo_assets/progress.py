"""What a run has done so far: plain counters, and the words for them. No I/O."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS_PER_MINUTE = 60
SHOWN_FAMILIES = 2
_MEGABYTE = 1_000_000
# The last segment of a path that names a list, and the stream that it is of.
_LISTS = {"attributes": "asset_attributes", "options": "attribute_options", "assets": "assets"}


@dataclass(slots=True)
class StreamTotals:
    """What a stream has cost.

    Attributes:
        requests: sent, those that were sent again included.
        retries: how many of them were sent again.
        answer_bytes: of good answers, decompressed.
        began: when the first request was sent, in seconds of the run's clock; None before.
        ended: when the last good answer came.
    """

    requests: int = 0
    retries: int = 0
    answer_bytes: int = 0
    began: float | None = None
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        """From the first request to the last good answer."""
        return max(0.0, self.ended - self.began) if self.began is not None else 0.0


@dataclass(slots=True)
class Progress:
    """Counts what happens; the methods that take a path are called from several threads.

    Attributes:
        monotonic: the run's clock, in seconds.
        families: how many families are to be read, as far as is known.
        families_done: how many have been.
        all_families_known: no more will be found.
        reading: the families whose assets are being read, in the order in which they began.
        retries: requests that were sent again.
        crowded: how many of these because of 429.
        waited_seconds: what the waits before them were in all.
        files: media files that were downloaded.
        streams: what each stream has cost, by its name; `""` for logins and what belongs to none.
    """

    monotonic: Callable[[], float]
    families: int = 0
    families_done: int = 0
    all_families_known: bool = False
    reading: dict[str, None] = field(default_factory=dict)
    retries: int = 0
    crowded: int = 0
    waited_seconds: float = 0.0
    files: int = 0
    streams: dict[str, StreamTotals] = field(default_factory=dict)
    _began: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._began = self.monotonic()

    def sent(self, path: str) -> None:
        """A request goes out."""
        with self._lock:
            totals = self._totals(path)
            totals.requests += 1
            if totals.began is None:
                totals.began = self.monotonic()

    def answered(self, path: str, size: int) -> None:
        """A good answer has come; its size is in bytes, decompressed."""
        with self._lock:
            totals = self._totals(path)
            totals.answer_bytes += size
            totals.ended = self.monotonic()
            self.files += stream_of(path) == "asset_media_files"

    def waits(self, path: str, seconds: float, *, crowded: bool) -> None:
        """A request will be sent again after a wait."""
        with self._lock:
            self._totals(path).retries += 1
            self.retries += 1
            self.crowded += crowded
            self.waited_seconds += seconds

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return self.monotonic() - self._began

    @property
    def seconds_left(self) -> float | None:
        """How long it will still take, if the families left are as long as those done; None where nobody knows."""
        if not self.all_families_known or not self.families_done:
            return None
        return self.seconds / self.families_done * (self.families - self.families_done)

    def line(self, records: int) -> str:
        """All of it in one line.

        Args:
            records: how many have been written.
        """
        parts = [f"{self.families_done} of {self.families}{'' if self.all_families_known else ' or more'} families"]
        return "; ".join(parts + self.facts(records))

    def facts(self, records: int) -> list[str]:
        """What there is to tell besides the number of families, most important first."""
        per_second = records / self.seconds if self.seconds > 0 else 0
        facts = [f"{records:,} records, {per_second:,.0f} per second"]
        if self.reading:
            names = list(self.reading)
            more = f" and {len(names) - SHOWN_FAMILIES} more" if len(names) > SHOWN_FAMILIES else ""
            facts.append(f"reading {', '.join(map(repr, names[:SHOWN_FAMILIES]))}{more}")
        if self.seconds_left is not None and self.families_done < self.families:
            facts.append(f"about {duration(self.seconds_left)} left")
        if self.retries:
            facts.append(f"{self.retries} retries ({self.crowded} after 429), {duration(self.waited_seconds)} of waits")
        if self.files:
            facts.append(f"{self.files:,} files")
        return facts

    def stream_line(self, stream: str, records: int) -> str:
        """What a stream gave and cost, at the end."""
        totals = self.streams.get(stream)
        line = f"{stream}: {records:,} records"
        if totals is None:
            return line
        return (
            f"{line}, {totals.requests:,} requests, {totals.retries:,} retries, "
            f"{totals.answer_bytes / _MEGABYTE:,.1f} MB, {totals.seconds:,.1f} s"
        )

    def _totals(self, path: str) -> StreamTotals:
        return self.streams.setdefault(stream_of(path), StreamTotals())


def stream_of(path: str) -> str:
    """The stream that a request is for.

    Args:
        path: of the request, encoded, with or without what comes before `asset-families`.

    Returns:
        Its name; `""` for a login and what else belongs to none.
    """
    if "/asset-media-files/" in path:
        return "asset_media_files"
    before, found, below = path.rpartition("/asset-families")
    if not found:
        return ""
    del before
    # Behind a family's code, lists and items take turns: "", family, list, item, list.
    lists = below.split("/")[2::2]
    return _LISTS.get(lists[-1], "") if lists else "asset_families"


def duration(seconds: float) -> str:
    """A time in words: seconds, or minutes from two of them on."""
    if seconds < 2 * SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / SECONDS_PER_MINUTE:.0f} min"
