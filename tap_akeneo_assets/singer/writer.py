"""Writing Singer messages: in large chunks, whole lines whatever happens, and with no more state than its worth."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook
from singer_sdk.singerlib.messages import StateMessage

from tap_akeneo_assets.errors import Stopped
from tap_akeneo_assets.singer.pipe import Pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from singer_sdk.singerlib.messages import Message


CHUNK_BYTES = 256 * 1024
PIECE_BYTES = 16 * 1024


class ChunkWriter(MsgSpecWriter):
    """Writes messages to stdout: records in chunks, anything else at once with the records before it.

    It writes to the file below `sys.stdout`, in small pieces of whole lines, each of which a pipe takes at once: it
    waits until there is room, and leaves enough of it for the last STATE. So when `hurry` says that the reader is too
    slow, it lets the rest go and can still end with that STATE, and nobody ever sees half a line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hurry: Callable[[], bool] = lambda: False
        self.bytes_written = 0
        self._chunk = bytearray()
        self._last_state = b""
        self._ends_with_state = False
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
        if not isinstance(message, StateMessage):
            self._chunk += line
            self.flush()
            return
        self.flush()
        self._write(line, spare=0)
        self._last_state, self._ends_with_state = line, True

    def flush(self) -> None:
        """Write what has been collected.

        Raises:
            Stopped: there was no time to write it all.
            OSError: nothing more can be written; a `BrokenPipeError` where nobody reads any more.
        """
        lines, self._chunk = bytes(self._chunk), bytearray()
        self._write(lines, spare=len(self._last_state))

    def _write(self, lines: bytes, spare: int) -> None:
        self.bytes_written += len(lines)
        pipe = _stdout()
        start = 0
        while start < len(lines):
            end = _end_of_piece(lines, start)
            while not self.hurry() and not pipe.has_room(end - start + spare):
                pipe.wait()
            if self.hurry():
                raise Stopped
            pipe.write(lines[start:end])
            self._ends_with_state = False
            start = end
        sys.stdout.flush()

    def fall_back_to(self, state: Mapping[str, Any]) -> int:
        """Take note of the state that holds before any STATE has been written; gives its size in bytes."""
        self._last_state = self._line(StateMessage(value=state))
        return len(self._last_state)

    def repeat_last_state(self) -> None:
        """Let go what has been collected, and see to it that the last STATE is the last line."""
        self._chunk = bytearray()
        if not self._ends_with_state:
            _stdout().write(self._last_state)

    def _line(self, message: Message) -> bytes:
        return self._encoder.encode(message.to_dict()) + b"\n"


def _stdout() -> Pipe:
    buffer = sys.stdout.buffer
    return Pipe(getattr(buffer, "raw", buffer))


def _end_of_piece(lines: bytes, start: int) -> int:
    return (lines.rfind(b"\n", start, start + PIECE_BYTES) + 1) or (lines.index(b"\n", start) + 1)
