"""Reads the bodies of answers: each once, none without end, and few large ones at a time."""

from __future__ import annotations

import http.client
import io
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import urllib3

from tap_akeneo_assets.pim.rate_limit import TICK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


# A page of 100 assets with a thousand values each comes to some 20 MB; nothing that is sound is ten times as long.
MAX_BODY_BYTES = 256 * 1024 * 1024
# Ten of these, the most that are in flight, are less than one body of the greatest length.
LARGE_BODY_BYTES = 16 * 1024 * 1024
# Two, so that one that comes slowly does not hold all others up.
MAX_LARGE_BODIES = 2
# The PIM's errors have a few hundred bytes; a list of what is wrong with a long filter may have some more.
MAX_ERROR_BYTES = 1024 * 1024


class TooLarge(ValueError):
    """A body is longer than 256 MB."""


class Bodies:
    """Reads bodies from any number of threads; together they hold some 950 MB at most.

    Args:
        check: called while waiting and after each chunk; raises `Stopped` when the run is ending.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._large = threading.Semaphore(MAX_LARGE_BODIES)

    @contextmanager
    def read(self, chunks: Iterable[bytes], *, may_wait: bool = True) -> Iterator[bytes]:
        """The whole body, for the block. A body of more than 16 MB waits while two such are held by others.

        Args:
            chunks: of the body.
            may_wait: False on the thread of the event loop, which reads one body at a time, and waits for nobody.

        Raises:
            TooLarge: it is longer than 256 MB.
        """
        is_large = False
        buffer = io.BytesIO()
        try:
            for chunk in chunks:
                self._check()
                size = buffer.tell() + len(chunk)
                if size > MAX_BODY_BYTES:
                    raise TooLarge
                if size > LARGE_BODY_BYTES and may_wait and not is_large:
                    self._wait_for_room()
                    is_large = True
                if buffer.tell():
                    buffer.write(chunk)
                else:
                    # Most bodies come in one chunk: this takes no copy of it.
                    buffer = io.BytesIO(chunk)
                    buffer.seek(0, io.SEEK_END)
            # Unlike joined chunks, this is no second copy.
            yield buffer.getvalue()
        finally:
            if is_large:
                self._large.release()

    def _wait_for_room(self) -> None:
        while not self._large.acquire(timeout=TICK_SECONDS):
            self._check()


def first_part(chunks: Iterable[bytes]) -> bytes:
    """What can be read of an error's body, at most 1 MB; whatever is wrong with the body, the error stays the same."""
    buffer = io.BytesIO()
    with suppress(OSError, urllib3.exceptions.HTTPError, http.client.HTTPException):
        for chunk in chunks:
            buffer.write(chunk)
            if buffer.tell() > MAX_ERROR_BYTES:
                break
    return buffer.getvalue()[:MAX_ERROR_BYTES]
