"""An answer as it comes over the wire.

`http.client` skips interim answers of status 100 alone, and looks at the first line of a header only, which may be one
of several, or hold several items. Here all interim answers are skipped (RFC 9110, 15.2), and what tells where a body
ends is read whole (RFC 9112, 6.3). A read ends when the run does, or when too little comes.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import urllib3

from tap_akeneo_assets.errors import Stopped
from tap_akeneo_assets.pim.arrival import Arrival, Incoming

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from _typeshed import WriteableBuffer


# What an answer has to bring within each timeout. The slowest line that deserves the name, a modem of 9,600 baud,
# brings it in a second.
MIN_BYTES_PER_TIMEOUT = 1_000
# A server that is still at work says so every 20 seconds (RFC 2518, 10.1): this is half an hour of that.
MAX_INTERIM_ANSWERS = 100
SWITCHING_PROTOCOLS = 101
# A page of 100 assets comes in few reads: after each of them, a thread has to wait for the interpreter.
BUFFER_BYTES = CHUNK_BYTES = 256 * 1024


class Response(http.client.HTTPResponse):
    """An answer without the interim ones before it.

    `_read_status` is a private name of the standard library: the only place where interim answers pass that is used
    for a proxy's answer to CONNECT too.

    Args:
        stop: set when the run is to end; whoever reads then raises `Stopped`.
        timeout: seconds, for each kilobyte.
        incoming: what has been taken from the socket already.
        sock: the socket, and what else `http.client` gives to an answer.

    Attributes:
        is_read: the body has been read to its end.
    """

    def __init__(
        self,
        stop: threading.Event,
        timeout: float,
        incoming: Incoming,
        sock: socket.socket,
        *args: Any,  # noqa: ANN401  # as in the base class
        **kwargs: Any,  # noqa: ANN401  # as in the base class
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        self.is_read = False
        self._reader = _SocketReader(stop, timeout, incoming, sock, self.fp)
        self._file = self.fp = _AnswerFile(self._reader, BUFFER_BYTES)

    def begin(self) -> None:
        """Read the head.

        Raises:
            OSError: it cannot be read to its end.
            http.client.HTTPException: it makes no sense.
            Stopped: the run is ending.
        """
        super().begin()
        if not self._file.last_line:
            raise http.client.RemoteDisconnected("unfinished head")
        # Front servers repeat what the server behind them said.
        transfer, lengths = set(self._items("Transfer-Encoding")), set(self._items("Content-Length"))
        if not transfer <= {"chunked"} or len(lengths) > 1:
            raise http.client.HTTPException("contradictory framing")
        if transfer and self.length != 0:
            self.chunked, self.chunk_left, self.length = True, None, None
        elif self.length is None and lengths and (length := lengths.pop()).isdecimal():
            self.length = int(length)

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM_ANSWERS + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not declared
            if not 100 <= status < 200:  # noqa: PLR2004  # the interim answers
                return version, status, reason
            if status == SWITCHING_PROTOCOLS:
                raise http.client.HTTPException("101 without a request for it")
            http.client.parse_headers(self.fp)
            self._reader.restart_window()
        raise http.client.HTTPException("too many interim answers")

    @property
    def fields(self) -> Mapping[str, str]:
        """The headers, names in any case; what came in several lines is joined by commas."""
        return urllib3.HTTPHeaderDict(self.headers.items())

    def chunks(self) -> Iterator[bytes]:
        """The body in chunks, decompressed.

        Raises:
            OSError, http.client.HTTPException: it cannot be read to its end.
            urllib3.exceptions.HTTPError: it cannot be decompressed.
            Stopped: the run is ending.
        """
        try:
            if encodings := self._items("Content-Encoding"):
                headers = {"Content-Encoding": ", ".join(encodings)}
                yield from urllib3.HTTPResponse(self, headers, preload_content=False).stream(CHUNK_BYTES)
            else:
                while chunk := self.read(CHUNK_BYTES):
                    yield chunk
        except ValueError:
            raise http.client.HTTPException("negative chunk") from None
        if self.length:
            raise http.client.IncompleteRead(b"", self.length)
        self.is_read = True

    def _items(self, header: str) -> list[str]:
        """The items of a header that is a list, in lower case; without `identity`, which means that nothing is done."""
        items = ",".join(self.headers.get_all(header, [])).lower().split(",")
        return [item for item in map(str.strip, items) if item not in ("", "identity")]


class _AnswerFile(io.BufferedReader):
    """An answer's bytes; at its end it is noticed whether more came than the answer has.

    Attributes:
        last_line: the last one that `readline` gave; empty at the end of the file.
    """

    raw: _SocketReader
    last_line = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last_line = super().readline(size)
        return self.last_line

    def close(self) -> None:
        if not self.closed and (self.raw.stop_reading() or self.peek(1)):
            self.raw.hang_up()
        super().close()


class _SocketReader(io.RawIOBase):
    """Reads what has been taken, and then from the socket, as long as enough comes and the run goes on.

    Time between the reads does not count.

    Args:
        stop: set when the run is to end; noticed after each wait, so after as long as the socket's own timeout.
        timeout: seconds, for each kilobyte.
        incoming: what has been taken from the socket already.
        sock: the socket.
        holder: a file on the socket, which keeps it open even if its connection is closed before the body is read.
    """

    def __init__(
        self,
        stop: threading.Event,
        timeout: float,
        incoming: Incoming,
        sock: socket.socket,
        holder: io.BufferedIOBase,
    ) -> None:
        super().__init__()
        self._taken, self._error = memoryview(incoming.data), incoming.error
        # Whoever reads what was taken for whole must not wait, even where `http.client` would want more.
        self._is_whole = incoming.arrival is Arrival.WHOLE
        self._stop, self._timeout, self._sock, self._holder = stop, timeout, sock, holder
        self._reading = True
        self.restart_window()

    def restart_window(self) -> None:
        """Give the server the whole timeout again."""
        self._waited, self._received = 0.0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Read what has come.

        Raises:
            OSError: the connection is broken.
            TimeoutError: less than 1 kB came within the timeout.
            Stopped: the run is ending.
        """
        if self._reading and (self._taken or self._error or self._is_whole):
            return self._read_taken(buffer)
        while self._reading:
            began = time.monotonic()
            try:
                size = self._sock.recv_into(buffer)
            except TimeoutError:
                size = None
            self._waited += time.monotonic() - began
            if self._stop.is_set():
                raise Stopped
            if size == 0:
                return 0
            self._received += size or 0
            if self._waited >= self._timeout:
                if self._received < MIN_BYTES_PER_TIMEOUT:
                    raise TimeoutError
                self.restart_window()
            if size is not None:
                return size
        return None

    def _read_taken(self, buffer: WriteableBuffer) -> int:
        if self._error and not self._taken:
            raise self._error
        view = memoryview(buffer)
        length = min(len(view), len(self._taken))
        view[:length], self._taken = self._taken[:length], self._taken[length:]
        return length

    def stop_reading(self) -> bool:
        """End the reading; whether more has come, or been decrypted, than was read."""
        self._reading = False
        return bool(self._taken) or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0)

    def hang_up(self) -> None:
        """End the connection, whoever still holds it."""
        # In TLS through a proxy that speaks TLS itself, the real socket is within another object.
        with suppress(OSError):
            getattr(self._sock, "socket", self._sock).shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._holder.close()
        super().close()
