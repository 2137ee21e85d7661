"""Where every request waits for its turn, and how time passes."""

from __future__ import annotations

import threading
import time

from tap_akeneo_assets.errors import Stopped

# How long a signal may go unnoticed by whoever waits for something else than the clock: short to a person, and ten
# wake-ups per second cost nothing.
TICK_SECONDS = 0.1


class Clock:
    """Time, and waits that end when the run does.

    Args:
        stop: set when the run is to end.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def check(self) -> None:
        """Go on unless the run is ending.

        Raises:
            Stopped: it is.
        """
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Wait; not at all when there is nothing to wait for.

        Raises:
            Stopped: the run is ending.
        """
        if self._stop.is_set() or (seconds > 0 and self._stop.wait(seconds)):
            raise Stopped


class RateLimiter:
    """Where every request waits for its turn: a token bucket, and one pause for all.

    The bucket holds one second's requests, for the vendor tolerates bursts but no constant over-use.

    Args:
        clock: the time.
        rate: requests per second; 0 for no limit.
    """

    def __init__(self, clock: Clock, rate: float) -> None:
        self._clock = clock
        self._rate = rate
        self._lock = threading.Lock()
        self._not_before = self._filled_at = clock.monotonic()
        self._left = self._size = max(1.0, rate)

    def enter(self) -> None:
        """Wait for one's turn.

        Raises:
            Stopped: the run is ending.
        """
        self._clock.check()
        while (wait := self._claim()) > 0:
            self._clock.wait(wait)

    def enter_now(self) -> bool:
        """Take one's turn without waiting; whether it has come."""
        return self._claim() <= 0

    def pause(self, seconds: float) -> None:
        """Let nobody pass for so long, however many are waiting already."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def _claim(self) -> float:
        with self._lock:
            now = self._clock.monotonic()
            if now < self._not_before:
                return self._not_before - now
            if not self._rate:
                return 0.0
            self._left = min(self._size, self._left + (now - self._filled_at) * self._rate)
            self._filled_at = now
            # Without the tolerance, rounding would make a thread wait once more for next to nothing.
            if self._left < 1 - 1e-6:
                return (1 - self._left) / self._rate
            self._left -= 1
            return 0.0
