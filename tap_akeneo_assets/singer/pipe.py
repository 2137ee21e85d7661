"""Stdout as a pipe, of which Linux tells how much it takes before it makes the writer wait."""

from __future__ import annotations

import mmap
import sys
import time
from contextlib import suppress
from typing import BinaryIO

if sys.platform == "linux":
    import fcntl
    import select
    import struct
    import termios


NAP_SECONDS = 0.0001


class Pipe:
    """A file that is written whole, and may be asked for room.

    Args:
        out: the raw file: a write to it may be cut short by a signal.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._room = 0
        if sys.platform == "linux":
            with suppress(OSError):  # it is no pipe
                # The first page and the last may be taken by a few bytes.
                self._room = fcntl.fcntl(out.fileno(), fcntl.F_GETPIPE_SZ) - 2 * mmap.PAGESIZE

    def has_room(self, size: int) -> bool:
        """Whether so many bytes fit in at once; if they never do, whether there is nothing else in it.

        Of a file that is no pipe, or where the system does not tell, it is taken for granted.
        """
        if sys.platform != "linux" or not self._room:
            return True
        (unread,) = struct.unpack("i", fcntl.ioctl(self._out.fileno(), termios.FIONREAD, bytes(4)))
        return bool(unread + min(size, self._room) <= self._room) or self._is_broken()

    def wait(self) -> None:
        """Give the reader a moment, about as long as a quick one takes for a piece."""
        time.sleep(NAP_SECONDS)

    def write(self, lines: bytes) -> None:
        """Write all of it.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        while lines:
            lines = lines[self._out.write(lines) or 0 :]

    def _is_broken(self) -> bool:
        """Whether nobody reads any more; a broken pipe has all the room that is needed to tell so."""
        if sys.platform != "linux":
            return False
        poll = select.poll()
        poll.register(self._out.fileno(), 0)
        return bool(poll.poll(0))
