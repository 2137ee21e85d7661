"""When a STATE message is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


STATE_SECONDS = 5.0
"""After a kill, what was read since the last STATE is read again: seconds of work, not minutes."""

STATE_RECORDS = 10_000
"""As many as the SDK's targets collect before they write: a target can hand on no STATE more often."""

STATE_BYTES_A_SECOND = 10_000
"""Time to wait per byte of a STATE: one of 2,000 families (258 KB) comes every 26 seconds."""

STATE_BYTES_A_RUN = 5_000_000
"""What all STATE messages of a run may take together, however little it writes besides."""

STATE_SHARE = 10
"""Of a run that writes much, STATE messages may take one part in ten."""


@dataclass(slots=True)
class StateBudget:
    """Decides when a STATE is due: by time and by number of records. Large ones come less often.

    All STATE messages of a run together stay under 5 MB or, when it writes more than 50 MB, under a tenth of that.

    Attributes:
        now: a clock that only goes forward, in seconds.
        every_seconds: how long to wait between two.
        every_records: after how many records to wait no longer.
        size: of the last STATE, in bytes.
        spent: by all of them, in bytes.
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
        """Whether to write a STATE now.

        Args:
            records: written in the whole run.
            bytes_written: likewise.
        """
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
