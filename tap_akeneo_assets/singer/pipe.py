"""Stdout: lines are written whole, and of a pipe it is known how much it takes before it makes the writer wait.

Linux keeps a pipe's content in pages. Each write takes pages of its own, but for a remainder that may go into the last
one, so bytes alone do not tell how much room is left. `Pipe` therefore remembers the pages of each of its writes until
the reader has taken them.
"""

from __future__ import annotations

import mmap
import sys
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

if sys.platform == "linux":
    import fcntl
    import select
    import struct
    import termios

if TYPE_CHECKING:
    from collections.abc import Callable


PIPE_BYTES = 1024 * 1024
"""The largest pipe that Linux grants to everybody: room for the STATE of thousands of families."""

SHORTEST_NAP_SECONDS = 0.0001
"""About as long as a quick reader takes for the content of a small pipe."""

LONGEST_NAP_SECONDS = 0.05
"""Costs less than 0.1 % of a core, and nobody notices such a delay after a signal."""


PIECES_PER_PIPE = 4
"""So that pieces fit in while a STATE's room is kept free, and the reader finds some while the next one is made."""


class Pipe:
    """A file that takes whole lines, and may be asked for room.

    Of a file that is no pipe, and on other systems than Linux, room is taken for granted: writing waits by itself.

    Args:
        out: the raw file: a write to it may be cut short by a signal.
        sleep: waits for a number of seconds.
        capacity: how large to make a pipe that is smaller, in bytes, if the system lets it.

    Attributes:
        piece_bytes: how many bytes to write at once.
    """

    def __init__(self, out: BinaryIO, sleep: Callable[[float], None] = time.sleep, capacity: int = PIPE_BYTES) -> None:
        self._out = out
        self._sleep = sleep
        self._capacity = _grow(out, capacity)
        self._written = 0
        self._unread_writes: deque[tuple[int, int]] = deque()  # where each ends, and its pages
        self._has_been_read = False
        self.piece_bytes = self._capacity * mmap.PAGESIZE // PIECES_PER_PIPE or sys.maxsize
        if self._capacity and (unread := self._unread()):  # somebody else's, in pages that may hold a byte each
            self._remember(unread, min(unread, self._capacity))

    def has_room(self, size: int, spare: int = 0) -> bool:
        """Whether a line or some can be written whole without waiting.

        What does not fit into the pipe at all has room once the pipe is empty and its reader has shown that it reads.
        A broken pipe has room: writing to it tells so.

        Args:
            size: of the lines, in bytes.
            spare: bytes that must fit in after them; of no account where the pipe can never hold both.
        """
        return not self._capacity or self._has_pages(self._wanted_pages(size, spare), size) or self._is_broken()

    def can_hold(self, size: int) -> bool:
        """Whether so many bytes fit in at all."""
        return not self._capacity or _pages(size) <= self._capacity

    def wait_for_room(self, size: int, spare: int, check: Callable[[], None]) -> None:
        """Wait until there is room.

        Once there is none, wait until half of the pipe is free, so that a slow reader costs few looks. Each nap is
        twice as long as the one before: a steady reader does not find the pipe empty, however quick it is.

        Args:
            size: as for `has_room`.
            spare: likewise.
            check: called before each nap, and once before there is room; what it raises ends the waiting.
        """
        check()
        if self.has_room(size, spare):
            return
        wanted = max(self._wanted_pages(size, spare), self._capacity // 2)
        nap = SHORTEST_NAP_SECONDS
        while not self._has_pages(wanted, size) and not self._is_broken():
            check()
            self._sleep(nap)
            nap = min(2 * nap, LONGEST_NAP_SECONDS)
        check()

    def write(self, lines: bytes | memoryview) -> None:
        """Write all of it.

        Raises:
            OSError: nothing more can be written; a `BrokenPipeError` where nobody reads any more.
        """
        if self._capacity:
            self._remember(len(lines), _pages(len(lines)))
        while lines:
            taken = self._out.write(lines) or 0
            if not taken:  # a file that somebody has made non-blocking, and that is full
                self._sleep(LONGEST_NAP_SECONDS)
            lines = lines[taken:]

    def _wanted_pages(self, size: int, spare: int) -> int:
        """How many pages must be free; all of them where the pipe cannot hold so much."""
        return min(_pages(size) + _pages(spare), self._capacity)

    def _has_pages(self, wanted: int, size: int) -> bool:
        return self._free_pages() >= wanted and (self.can_hold(size) or self._has_been_read)

    def _free_pages(self) -> int:
        unread = self._unread()
        read = self._written - unread
        while self._unread_writes and self._unread_writes[0][0] <= read:
            self._unread_writes.popleft()
            self._has_been_read = True
        taken = sum(pages for _, pages in self._unread_writes)
        if self._unread_writes:
            # The first write may have been read in part: its pages are free but for what is left of it.
            end, pages = self._unread_writes[0]
            taken -= max(0, pages - _pages(end - read) - 1)
        return self._capacity - taken

    def _remember(self, size: int, pages: int) -> None:
        self._written += size
        self._unread_writes.append((self._written, pages))

    def _unread(self) -> int:
        if sys.platform != "linux":
            return 0
        (unread,) = struct.unpack("i", fcntl.ioctl(self._out.fileno(), termios.FIONREAD, bytes(4)))
        return int(unread)

    def _is_broken(self) -> bool:
        """Whether nobody reads any more."""
        if sys.platform != "linux":
            return False
        poll = select.poll()
        poll.register(self._out.fileno(), 0)
        return bool(poll.poll(0))


def _pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE)


def _grow(out: BinaryIO, capacity: int) -> int:
    """Make a pipe larger if the system lets it, and give its capacity in pages; 0 of what is no pipe."""
    if sys.platform != "linux":
        return 0
    try:
        size = fcntl.fcntl(out.fileno(), fcntl.F_GETPIPE_SZ)
    except OSError:
        return 0
    if size < capacity:
        with suppress(OSError):  # the user has many pipes, or the system allows less
            size = fcntl.fcntl(out.fileno(), fcntl.F_SETPIPE_SZ, capacity)
    return size // mmap.PAGESIZE
