"""Connections to the PIM, on which only the answer to the last request counts.

`http.client` skips interim answers of status 100 alone, and takes whatever comes next on a connection for the answer to
the next request. Here all interim answers are skipped (RFC 9110, 15.2), a connection is lent to one request at a time,
and it is used again only if nothing unexpected happened on it. A read ends when the run does, or when too little comes.

`requests` knows which way leads to the PIM: through which proxy, trusting which certificates. It is asked once per
connection, and `urllib3` connects. The requests themselves go to `http.client`, which costs half as much per answer.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import requests
import urllib3
import urllib3.connection
from requests.adapters import HTTPAdapter

from tap_akeneo_assets.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from _typeshed import WriteableBuffer


# How long a signal may go unnoticed by a read: short to a person, and ten wake-ups per second cost nothing.
TICK_SECONDS = 0.1
# What an answer has to bring within each timeout. The slowest line that deserves the name, a modem of 9,600 baud,
# brings it in a second.
MIN_BYTES_PER_TIMEOUT = 1_000
# A server that is still at work says so every 20 seconds (RFC 2518, 10.1): this is half an hour of that.
MAX_INTERIM_ANSWERS = 100
SWITCHING_PROTOCOLS = 101
BUFFER_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach the PIM.

    Attributes:
        api_url: its address, normalised.
        timeout: seconds, for connecting and for each kilobyte of an answer.
        verify: the file or folder of the certificates to trust; True for those that come with `requests`.
        proxies: addresses of proxies, as `requests` takes them.
    """

    api_url: str
    timeout: float
    verify: str | bool
    proxies: Mapping[str, str]


class Request(NamedTuple):
    """A request to send.

    Attributes:
        method: such as `GET`.
        target: what follows `api_url` in its address, percent-encoded.
        headers: all but `Host` and those that describe the body.
        body: its body, if it has one.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None = None


class Connections:
    """Connections to one server, each lent to one request at a time.

    Args:
        stop: set when the run is to end; whoever waits for an answer then raises `Stopped`.
        route: how to reach the server.
    """

    def __init__(self, stop: threading.Event, route: Route) -> None:
        self._stop = stop
        self._route = route
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._is_closed = False

    @contextmanager
    def lend(self) -> Iterator[Loan]:
        """A connection for the block; it is closed after it unless the block sets `reusable`."""
        with self._lock:
            connection = self._idle.pop() if self._idle else Connection(self._stop, self._route)
        loan = Loan(connection)
        try:
            yield loan
        except BaseException:
            loan.reusable = False
            raise
        finally:
            with self._lock:
                keep = loan.reusable and not self._is_closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def close(self) -> None:
        """Close the connections: those that are lent when they come back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


@dataclass(slots=True)
class Loan:
    """A connection that is lent.

    Attributes:
        connection: sends a request.
        reusable: the answer was read to its end, and is the one that was due.
    """

    connection: Connection
    reusable: bool = False


class _Way(NamedTuple):
    """The way to the server.

    Attributes:
        connection: connects when it is first used.
        target_start: what goes before the target of a request: the whole address for a proxy of plain HTTP.
        headers: what such a proxy wants besides.
        tunnel: the host and port to connect to through a proxy, and what the proxy wants for it.
    """

    connection: urllib3.connection.HTTPConnection
    target_start: str
    headers: Mapping[str, str]
    tunnel: tuple[str, int | None, Mapping[str, str], str] | None


def _find_way(route: Route, stop: threading.Event) -> _Way:
    """The way that `requests` would take.

    `_new_conn` is a private name of `urllib3`: the only place that knows all that a connection is made from.

    Raises:
        OSError, urllib3.exceptions.HTTPError: a proxy or the certificates are not named as they have to be.
    """
    adapter, proxies = HTTPAdapter(), dict(route.proxies)
    root = requests.PreparedRequest()
    root.url = f"{route.api_url}/"
    try:
        found = adapter.get_connection_with_tls_context(root, route.verify, proxies)
    except TypeError:
        # What `requests` makes of a proxy's address with a login but no host.
        raise requests.exceptions.InvalidProxyURL from None
    pool = cast("urllib3.HTTPConnectionPool", found)  # declared as its base class
    adapter.cert_verify(pool, root.url, route.verify, None)  # type: ignore[no-untyped-call]
    connection = cast("urllib3.connection.HTTPConnection", pool._new_conn())  # noqa: SLF001  # see above
    connection.timeout = route.timeout
    connection.response_class = partial(Response, stop)  # type: ignore[assignment]  # called like the class
    target_start = adapter.request_url(root, proxies).removesuffix("/")
    if pool.proxy and route.api_url.startswith("https:"):
        tunnel = (pool.host, pool.port, pool.proxy_headers, pool.proxy.scheme or "http")
        return _Way(connection, target_start, {}, tunnel)
    return _Way(connection, target_start, pool.proxy_headers, None)


class Connection:
    """One connection, made when it is first used, and made anew when the server has ended it meanwhile."""

    def __init__(self, stop: threading.Event, route: Route) -> None:
        self._stop = stop
        self._route = route
        self._way: _Way | None = None

    def exchange(self, request: Request) -> Response:
        """Send a request.

        Returns:
            Its answer; the body is still to be read.

        Raises:
            OSError, urllib3.exceptions.HTTPError, http.client.HTTPException: there is none, see `judge_failure`.
            Stopped: the run is ending.
        """
        way = self._way = self._way or _find_way(self._route, self._stop)
        connection, send = way.connection, http.client.HTTPConnection.request
        if not connection.is_connected:
            connection.close()
            if way.tunnel:
                connection.set_tunnel(*way.tunnel)
        headers = {**request.headers, **way.headers}
        try:
            send(connection, request.method, way.target_start + request.target, request.body, headers)
        except (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
            if connection.proxy and not connection.has_connected_to_proxy:
                raise urllib3.exceptions.ProxyError("proxy", error) from error
            raise
        return cast("Response", http.client.HTTPConnection.getresponse(connection))

    def close(self) -> None:
        """Close it; it would be made again."""
        if self._way:
            self._way.connection.close()


class Response(http.client.HTTPResponse):
    """An answer without the interim ones before it, read from a `_SocketReader`.

    `http.client` looks at the first line of a header only, which may be one of several, or hold several items. Where
    the lines contradict each other, nobody can tell where the body ends (RFC 9112, 6.3).

    `_read_status` is a private name of the standard library: the only place where interim answers pass that is used
    for a proxy's answer to CONNECT too.

    Attributes:
        is_read: the body has been read to its end.
    """

    def __init__(self, stop: threading.Event, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as in the base class
        super().__init__(sock, *args, **kwargs)
        self.is_read = False
        self._reader = _SocketReader(stop, sock, self.fp)
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
    """Reads from a socket in short waits, as long as enough comes and the run goes on.

    The timeout is the one that the socket has. Time between the reads does not count.

    Args:
        stop: set when the run is to end.
        sock: the socket.
        holder: a file on the socket, which keeps it open even if its connection is closed before the body is read.
    """

    def __init__(self, stop: threading.Event, sock: socket.socket, holder: io.BufferedIOBase) -> None:
        super().__init__()
        self._stop, self._sock, self._holder = stop, sock, holder
        self._timeout = sock.gettimeout() or float("inf")
        self._reading = True
        self.restart_window()
        sock.settimeout(min(TICK_SECONDS, self._timeout))

    def restart_window(self) -> None:
        """Give the server the whole timeout again."""
        self._waited, self._received = 0.0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Read what has come.

        Raises:
            TimeoutError: less than 1 kB came within the timeout.
            Stopped: the run is ending.
        """
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

    def stop_reading(self) -> bool:
        """End the reading; whether more has been decrypted than was read."""
        self._reading = False
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def hang_up(self) -> None:
        """End the connection, whoever still holds it."""
        # In TLS through a proxy that speaks TLS itself, the real socket is within another object.
        with suppress(OSError):
            getattr(self._sock, "socket", self._sock).shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._sock.settimeout(None if self._timeout == float("inf") else self._timeout)
        self._holder.close()
        super().close()
