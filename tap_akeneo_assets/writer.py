"""Writing Singer messages: in large chunks, whole lines whatever happens, and with no more state than its worth."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook
from singer_sdk.singerlib.messages import StateMessage

from tap_akeneo_assets.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from singer_sdk.singerlib.messages import Message

CHUNK_BYTES = 256 * 1024
PIECE_BYTES = 16 * 1024

STATE_SECONDS = 5.0
STATE_RECORDS = 10_000
STATE_BYTES_A_SECOND = 10_000
STATE_BYTES_A_RUN = 5_000_000
STATE_SHARE = 10


class ChunkWriter(MsgSpecWriter):
    """Writes messages to stdout: records in chunks, anything else at once with the records before it.

    It writes to the file below `sys.stdout`, since a write may return short after a signal, and in small pieces that
    end with a line where one is short enough. When `hurry` says so, it ends the line it is in and lets the rest go: a
    reader sees no half line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hurry: Callable[[], bool] = lambda: False
        self.bytes_written = 0
        self._chunk = bytearray()
        self._last_state = b""
        self._encoder = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number")

    def write_records(self, stream: str, records: Iterable[Mapping[str, Any]], rest: Mapping[str, Any]) -> None:
        """Write RECORD messages.

        Args:
            stream: whose records they are.
            records: each becomes a message.
            rest: what all of these messages hold besides, such as `time_extracted`.

        Raises:
            RecursionError: a record is nested beyond reason; nothing of it is written.
        """
        head = b'{"type":"RECORD","stream":' + self._encoder.encode(stream) + b',"record":'
        tail = b"," + self._encoder.encode(rest)[1:] + b"\n"
        encode_into = self._encoder.encode_into
        for record in records:
            chunk = self._chunk
            line_start = len(chunk)
            chunk += head
            try:
                encode_into(record, chunk, -1)
            except RecursionError:
                del chunk[line_start:]
                raise
            chunk += tail
            if len(chunk) >= CHUNK_BYTES:
                self.flush()

    def write_message(self, message: Message) -> None:
        """Write any message, and all that came before it."""
        line = self._line(message)
        self._chunk += line
        self.flush()
        if isinstance(message, StateMessage):
            self._last_state = line

    def flush(self) -> None:
        """Write what has been collected.

        Raises:
            Stopped: there was no time to write it all.
            BrokenPipeError: nobody reads any more.
        """
        chunk, self._chunk = bytes(self._chunk), bytearray()
        self.bytes_written += len(chunk)
        out = _raw_stdout()
        start = 0
        while start < len(chunk):
            if self.hurry():
                rest = _rest_of_line(chunk, start)
                _write_all(out, rest)
                if start + len(rest) < len(chunk):
                    raise Stopped
                break
            end = chunk.rfind(b"\n", start, start + PIECE_BYTES) + 1
            start += out.write(chunk[start : end or start + PIECE_BYTES]) or 0
        sys.stdout.flush()

    def fall_back_to(self, state: Mapping[str, Any]) -> int:
        """Take note of the state that holds before any STATE has been written; gives its size in bytes."""
        self._last_state = self._line(StateMessage(value=state))
        return len(self._last_state)

    def repeat_last_state(self) -> None:
        """Write the last STATE once more, and nothing of what has been collected since."""
        self._chunk = bytearray()
        _write_all(_raw_stdout(), self._last_state)

    def _line(self, message: Message) -> bytes:
        return self._encoder.encode(message.to_dict()) + b"\n"


def _raw_stdout() -> BinaryIO:
    buffer = sys.stdout.buffer
    return getattr(buffer, "raw", buffer)


def _rest_of_line(chunk: bytes, start: int) -> bytes:
    if start == 0 or chunk[start - 1 : start] == b"\n":
        return b""
    return chunk[start : chunk.index(b"\n", start) + 1]


def _write_all(out: BinaryIO, rest: bytes) -> None:
    while rest:
        rest = rest[out.write(rest) or 0 :]


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
