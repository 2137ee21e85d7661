"""When a STATE is worth its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


STATE_SECONDS = 5.0
STATE_RECORDS = 10_000
STATE_BYTES_A_SECOND = 10_000
STATE_BYTES_A_RUN = 5_000_000
STATE_SHARE = 10


@dataclass(slots=True)
class StateBudget:
    """When a STATE is due: by time and amount, the rarer the larger it is.

    All STATE messages of a run together stay under 5 MB or, when it writes more than 50 MB, a tenth of that.

    Attributes:
        now: seconds, by any clock that only goes forward.
        every_seconds: how long to wait between two.
        every_records: how many records are reason enough to wait no longer.
        size: bytes of the last STATE.
        spent: bytes of all of them.
    """

    now: Callable[[], float]
    every_seconds: float = STATE_SECONDS
    every_records: int = STATE_RECORDS
    size: int = 0
    spent: int = 0
    _since: float = 0.0
    _records: int = 0

    def __post_init__(self) -> None:
        self._since = self.now()

    def is_due(self, records: int, bytes_written: int) -> bool:
        """Whether a STATE is worth its place, after so many records and bytes in the whole run."""
        seconds = self.now() - self._since
        waited = seconds >= max(self.every_seconds, self.size / STATE_BYTES_A_SECOND)
        if not waited and records - self._records < self.every_records:
            return False
        left_for_others = max(STATE_BYTES_A_RUN, bytes_written // STATE_SHARE) - self.spent
        return left_for_others > 2 * self.size + self.size // 4

    def spend(self, size: int, records: int) -> None:
        """Take note of a STATE that was written."""
        self.size, self.spent = size, self.spent + size
        self._since, self._records = self.now(), records
