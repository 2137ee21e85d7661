"""How far an answer has come, told from its first bytes without reading it. Pure.

Who reads an answer waits until it ends (`wire.Response`). Here it is told beforehand whether there would be anything to
wait for, in the two framings that nearly all servers use: a `Content-Length`, or chunks (RFC 9112, 6 and 7.1).
"""

from __future__ import annotations

import re
from enum import Enum, auto

_LINE_END = b"\r\n"
_HEAD_END = _LINE_END * 2
# No interim answer, and no line that is folded or is no header, of which readers make different things.
_HEAD = re.compile(rb"HTTP/1\.[01] [2-5]\d\d[^\r\n]*\r\n(?:[!-9;-~]+:[^\r\n]*\r\n)*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_TRANSFER = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
# A size of 15 digits and an extension; no server that is in use sends a longer line.
_MAX_SIZE_LINE = 64


class Arrival(Enum):
    """How far an answer has come."""

    PARTIAL = auto()
    """There is more to come."""
    WHOLE = auto()
    """Reading it takes no waiting."""
    UNKNOWN = auto()
    """Only reading it tells: an interim answer, an odd head, a framing that is rare, or none."""


def arrival(came: bytes | bytearray) -> Arrival:
    """How far an answer has come.

    Args:
        came: what has come for one request.
    """
    if _HEAD_END not in came:
        return Arrival.PARTIAL
    head = _HEAD.match(came)
    if head is None:
        return Arrival.UNKNOWN
    body = head.end()
    length = _LENGTH.search(came, 0, body)
    if length and not _TRANSFER.search(came, 0, body):
        return Arrival.WHOLE if len(came) - body >= int(length[1]) else Arrival.PARTIAL
    if _CHUNKED.search(came, 0, body) and not length:
        return _chunks(came, body)
    return Arrival.UNKNOWN


def _chunks(came: bytes | bytearray, start: int) -> Arrival:
    while (end := came.find(_LINE_END, start, start + _MAX_SIZE_LINE)) >= 0:
        try:
            size = int(came[start:end].partition(b";")[0], 16)
        except ValueError:
            return Arrival.UNKNOWN
        if size < 0:
            return Arrival.UNKNOWN
        start = end + len(_LINE_END) + size + len(_LINE_END)
        if size == 0:
            rest = came[end + len(_LINE_END) : start]
            if rest == _LINE_END:
                return Arrival.WHOLE
            return Arrival.PARTIAL if _LINE_END.startswith(rest) else Arrival.UNKNOWN  # there are trailers
    return Arrival.PARTIAL if len(came) - start < _MAX_SIZE_LINE else Arrival.UNKNOWN
