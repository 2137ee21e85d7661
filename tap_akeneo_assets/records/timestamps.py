"""Dates and times: as the PIM writes them, as its filters take them, as records carry them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d:[0-5]\d|2[0-3]:[0-5]\d)(:[0-5]\d)?(\.\d{1,9})?(?:([Zz])|([+-][01]\d):?([0-5]\d))?",
    re.ASCII,
)
# What is real and right at a glance; `_TIMESTAMP` and the calendar judge the rest.
_USUAL_TIMESTAMP = re.compile(
    r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)",
    re.ASCII,
)
# Postgres takes no larger one, and none is in use.
_LARGEST_OFFSET = timedelta(hours=15, minutes=59)


def to_timestamp(text: str, *, with_offset: bool = False) -> str | None:
    """The date and time that a text holds, as RFC 3339 has it.

    Args:
        text: ISO 8601; an offset without a colon, as `linked_data` has it, is mended.
        with_offset: refuse a text without an offset, instead of taking it for UTC.

    Returns:
        The text itself where nothing had to be mended; None where it is no real date of the years 1 to 9999, in its
        own offset or in UTC.
    """
    if _USUAL_TIMESTAMP.fullmatch(text):
        return text
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return None
    date, time, seconds, fraction, zulu, hours, minutes = found.groups()
    if with_offset and not zulu and not hours:
        return None
    time += seconds or ":00"
    offset = "Z" if zulu else f"{hours}:{minutes}" if hours else "+00:00"
    try:
        read = datetime.fromisoformat(f"{date}T{time}{offset}")
        read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if abs(read.utcoffset() or timedelta()) > _LARGEST_OFFSET:
        return None
    mended = f"{date}T{time}{fraction or ''}{offset}"
    return text if mended == text else mended


# Assets that were imported together have the same, and so have those that never changed.
@lru_cache(maxsize=1024)
def to_utc(text: str) -> str | None:
    """The timestamp that a text holds, in UTC and in the vendor's form: `2026-01-31T10:00:00+00:00`.

    Targets keep it in columns without a time zone, so any other offset would be lost or converted there.

    Args:
        text: as `to_timestamp` takes it.

    Returns:
        The text itself where it has that form already; fractions of a second stay. None where `to_timestamp` gives
        None.
    """
    timestamp = to_timestamp(text)
    if timestamp is None or timestamp.endswith("+00:00"):
        return timestamp
    if timestamp.endswith("Z"):
        return f"{timestamp[:-1]}+00:00"
    # The fraction stays as text: it may have more digits than a `datetime` holds, and no offset changes it.
    local_time, fraction, offset = timestamp[:19], timestamp[19:-6], timestamp[-6:]
    utc = datetime.fromisoformat(f"{local_time}{offset}").astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat()}{fraction}+00:00"


def to_filter(timestamp: datetime) -> str:
    """A timestamp as the API's filters take it: UTC, whole seconds, `2026-01-31T10:00:00Z`."""
    return timestamp.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def to_datetime(text: str) -> datetime:
    """The timestamp that an ISO 8601 text names; UTC where it says no offset.

    Raises:
        ValueError: it names none.
    """
    timestamp = datetime.fromisoformat(text)
    return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).astimezone(UTC)
