"""An answer while it comes: whether it is whole is told without reading it. Pure.

Who reads an answer waits until it ends (`wire.Response`). Here it is told beforehand whether there would be anything to
wait for, in the two framings that nearly all servers use: a `Content-Length`, or chunks (RFC 9112, 6 and 7.1).
"""

from __future__ import annotations

import re
from enum import Enum, auto

_LINE_END = b"\r\n"
_HEAD_END = _LINE_END * 2
# No interim answer, none that has no body, and no line that is folded or is no header: readers differ about these.
_HEAD = re.compile(rb"HTTP/1\.[01] (?!204|304)[2-5]\d\d[\t -~]*\r\n(?:[!-9;-~]+:[\t -~]*\r\n)*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_TRANSFER = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
# A size and an extension; no server that is in use sends a longer line.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t -~]*)?")
_MAX_SIZE_LINE = 64


class Arrival(Enum):
    """How far an answer has come."""

    PARTIAL = auto()
    """There is more to come."""
    WHOLE = auto()
    """Reading it takes no waiting."""
    UNKNOWN = auto()
    """Only reading it tells: an interim answer, an odd head, a framing that is rare, or none."""


class Incoming:
    """An answer as far as it has come.

    Attributes:
        data: what has come for one request.
        is_ended: nothing more comes on the connection.
        error: what ended it, if it did not end well.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_ended = False
        self.error: OSError | None = None
        self._arrival = Arrival.PARTIAL
        self._end: int | None = None
        self._next_chunk: int | None = None

    @property
    def arrival(self) -> Arrival:
        """How far it has come; what was looked at is not looked at again."""
        if self._arrival is Arrival.PARTIAL:
            self._arrival = self._look()
        if self.is_ended and self._arrival is Arrival.PARTIAL:
            self._arrival = Arrival.UNKNOWN
        return self._arrival

    def _look(self) -> Arrival:
        if self._end is None and self._next_chunk is None:
            if _HEAD_END not in self.data:
                return Arrival.UNKNOWN if _BARE_LINE_FEED.search(self.data) else Arrival.PARTIAL
            self._look_at_head()
        if self._end is not None:
            return Arrival.WHOLE if len(self.data) >= self._end else Arrival.PARTIAL
        return Arrival.UNKNOWN if self._next_chunk is None else self._look_at_chunks(self._next_chunk)

    def _look_at_head(self) -> None:
        """Find where the body ends, or where its first chunk begins; neither if only reading it tells."""
        head = _HEAD.match(self.data)
        if head is None:
            return
        body = head.end()
        length = _LENGTH.search(self.data, 0, body)
        if length and not _TRANSFER.search(self.data, 0, body):
            self._end = body + int(length[1])
        elif _CHUNKED.search(self.data, 0, body) and not length:
            self._next_chunk = body

    def _look_at_chunks(self, start: int) -> Arrival:
        while (end := self.data.find(_LINE_END, start, start + _MAX_SIZE_LINE)) >= 0:
            line = _SIZE_LINE.fullmatch(self.data, start, end)
            if line is None:
                return Arrival.UNKNOWN
            size = int(line[1], 16)
            if size == 0:
                return self._look_at_end(end + len(_LINE_END))
            self._next_chunk = start = end + len(_LINE_END) + size + len(_LINE_END)
        return Arrival.PARTIAL if len(self.data) - start < _MAX_SIZE_LINE else Arrival.UNKNOWN

    def _look_at_end(self, start: int) -> Arrival:
        rest = self.data[start : start + len(_LINE_END)]
        if rest == _LINE_END:
            return Arrival.WHOLE
        return Arrival.PARTIAL if _LINE_END.startswith(rest) else Arrival.UNKNOWN  # there are trailers
