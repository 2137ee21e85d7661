"""Writing Singer messages to stdout: records in large chunks, and whole lines whatever happens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook
from singer_sdk.singerlib.messages import StateMessage

from tap_akeneo_assets.errors import OutputLost
from tap_akeneo_assets.singer.pipe import Pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.singerlib.messages import Message


CHUNK_BYTES = 256 * 1024
"""Large enough that a write costs nothing per record, small enough that a target gets its first records soon."""

RECORDS_AT_ONCE = 64
"""So that a page's values, of which there may be a hundred thousand, are not copied all at once."""


def no_time_limit() -> None:
    """Let writing wait for the reader as long as it takes."""


def nothing() -> None:
    """Do nothing while writing waits for the reader."""


class ChunkWriter(MsgSpecWriter):
    """Writes messages to stdout: records in chunks, anything else at once with the records before it.

    It writes to the file below `sys.stdout`, in pieces of whole lines. It begins a piece only when the pipe has
    room for it and for the last STATE. So when `check_time` says that the reader is too slow, it drops the rest and can
    still end with that STATE, and nobody ever sees half a line. A single line that is larger than the pipe is begun
    only when the pipe is empty and its reader has begun to read.

    Args:
        open_pipe: makes a pipe of a raw file.

    Attributes:
        check_time: called while it waits for the reader; raises `Stopped` when there is no time left.
        while_waiting: called then too, for what else has to go on meanwhile.
        bytes_written: so far.
    """

    def __init__(self, open_pipe: Callable[[BinaryIO], Pipe] = Pipe) -> None:
        super().__init__()
        self._open_pipe = open_pipe
        self.check_time: Callable[[], None] = no_time_limit
        self.while_waiting: Callable[[], None] = nothing
        self.bytes_written = 0
        self._chunk: list[bytes] = []
        self._chunk_bytes = 0
        self._last_state = b""
        self._written_state = b""
        self._ends_with_state = False
        self._held_back = False
        self._encoder = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number")
        self._stdout = sys.stdout
        self._pipe: Pipe | None = None

    def write_records(self, stream: str, records: Sequence[object], rest: Mapping[str, Any]) -> None:
        """Write RECORD messages.

        Args:
            stream: whose records they are.
            records: each becomes a message; either all are bytes, the JSON texts of records, or none is.
            rest: what all of these messages hold besides, such as `time_extracted`.

        Raises:
            RecursionError: a record is nested too deep; neither it, nor some before it, nor those after it are written.
        """
        head = b'{"type":"RECORD","stream":' + self._encoder.encode(stream) + b',"record":'
        tail = b"," + self._encoder.encode(rest)[1:] + b"\n"
        encode, between = self._encoder.encode, tail + head
        for start in range(0, len(records), RECORDS_AT_ONCE):
            some = records[start : start + RECORDS_AT_ONCE]
            texts = cast("Sequence[bytes]", some) if isinstance(some[0], bytes) else [encode(record) for record in some]
            self._add(head, between.join(texts), tail)
            if self._chunk_bytes >= CHUNK_BYTES:
                self.flush()

    def write_message(self, message: Message) -> None:
        """Write any message, and all that came before it."""
        line = self._line(message)
        if isinstance(message, StateMessage):
            self.flush()
            self._write_state(line)
            return
        self._add(line)
        self.flush()
        if self._held_back:
            self._write_state(self._last_state)

    def write_changed_state(self, state: Mapping[str, Any]) -> None:
        """Write all that came before, and then a STATE message unless it would repeat the last one."""
        line = self._line(StateMessage(value=state))
        self.flush()
        if line != self._written_state:
            self._write_state(line)

    def _write_state(self, line: bytes) -> None:
        # A run begins with the STATE that it was given. One that is larger than the pipe waits until the reader has
        # shown itself by taking a SCHEMA.
        self._held_back = not self.bytes_written and not self._out().can_hold(len(line))
        if not self._held_back:
            self._write(line, spare=0)
            self._written_state = line
            self._ends_with_state = True
        self._last_state = line

    def flush(self) -> None:
        """Write what has been collected.

        Raises:
            Stopped: there was no time to write it all.
            OutputLost: nothing more can be written.
        """
        lines = b"".join(self._chunk)
        self._drop_chunk()
        self._write(lines, spare=len(self._last_state))

    def _add(self, *parts: bytes) -> None:
        self._chunk += parts
        self._chunk_bytes += sum(map(len, parts))

    def _drop_chunk(self) -> None:
        self._chunk, self._chunk_bytes = [], 0

    def _write(self, lines: bytes, spare: int) -> None:
        pipe, view = self._out(), memoryview(lines)
        start = 0
        try:
            while start < len(lines):
                end = _end_of_piece(lines, start, pipe.piece_bytes)
                pipe.wait_for_room(end - start, spare, self._on_wait)
                pipe.write(view[start:end])
                self._ends_with_state = False
                self.bytes_written += end - start
                start = end
            sys.stdout.flush()
        except OSError as error:
            raise output_lost(error) from None

    def _on_wait(self) -> None:
        self.check_time()
        self.while_waiting()

    def fall_back_to(self, state: Mapping[str, Any]) -> int:
        """Take note of the state that holds before any STATE has been written; gives its size in bytes."""
        self._last_state = self._line(StateMessage(value=state))
        return len(self._last_state)

    def repeat_last_state(self) -> None:
        """Drop what has been collected, and make the last STATE the last line, if there is room for all of it.

        Raises:
            OutputLost: nothing more can be written.
        """
        self._drop_chunk()
        if self._ends_with_state or not self._out().has_room(len(self._last_state)):
            return
        try:
            self._out().write(self._last_state)
        except OSError as error:
            raise output_lost(error) from None

    def _line(self, message: Message) -> bytes:
        # `to_dict` copies a state piece by piece, and there are many STATE messages.
        if isinstance(message, StateMessage):
            return self._encoder.encode({"type": message.type, "value": message.value}) + b"\n"
        return self._encoder.encode(message.to_dict()) + b"\n"

    def _out(self) -> Pipe:
        """The file below `sys.stdout`, which may be another one by now."""
        if self._pipe is None or self._stdout is not sys.stdout:
            self._stdout = sys.stdout
            buffer = sys.stdout.buffer
            self._pipe = self._open_pipe(getattr(buffer, "raw", buffer))
        return self._pipe


def _end_of_piece(lines: bytes, start: int, size: int) -> int:
    if len(lines) - start <= size:
        return len(lines)
    return (lines.rfind(b"\n", start, start + size) + 1) or (lines.index(b"\n", start) + 1)


def output_lost(error: OSError) -> OutputLost:
    """What to raise, or tell, when stdout takes nothing more."""
    closed = isinstance(error, BrokenPipeError)
    reason = "the target has closed its input" if closed else error.strerror or type(error).__name__
    return OutputLost(f"Nothing more can be written: {reason}.")
