"""How long to wait before the next try, and the dates of HTTP. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# https://api.akeneo.com/documentation/limitations.html recommends an exponential back-off.
FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 60.0
# A PIM that asks for more is being maintained: nine tries of this length are most of an hour.
MAX_RETRY_AFTER_SECONDS = 300.0
# The longest form of RFC 9110, 5.6.7 has 33 characters.
MAX_DATE_CHARACTERS = 64

_SECONDS = re.compile(r"\d+(\.\d*)?", re.ASCII)


def back_off(failures: int, after: float | None, random: Callable[[], float]) -> float:
    """How long to wait before the next try: exponential with full jitter, and never shorter than the PIM asks.

    Args:
        failures: the number of tries that failed, from 1 on.
        after: the seconds that the PIM asks to wait, if it does.
        random: gives numbers from 0 to 1.

    Returns:
        Seconds: at most 60, or `after` if that is longer.
    """
    # More doublings than this only raise numbers beyond the longest wait.
    doublings = min(failures - 1, 10)
    wait: float = random() * min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**doublings)
    return max(wait, after or 0.0)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that an answer asks for: `Retry-After` in seconds or as a date.

    A date counts from the answer's own `Date`, so that clocks that differ do no harm, else from `now`.

    Returns:
        Seconds, at most 300; None when there is none, or one in the past or that makes no sense.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    date = http_date(text)
    if date is None:
        return None
    seconds = (date - (http_date(headers.get("Date", "")) or now)).total_seconds()
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if seconds >= 0 else None


@lru_cache(maxsize=64)
def http_date(text: str) -> datetime | None:
    """An HTTP-date with its offset; None for anything else."""
    if len(text) > MAX_DATE_CHARACTERS:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
