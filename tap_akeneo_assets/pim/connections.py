"""Connections to the PIM, on which only the answer to the last request counts.

`http.client` takes whatever comes next on a connection for the answer to the next request. Here a connection is lent to
one request at a time, and it is used again only if nothing unexpected happened on it.

`requests` knows which way leads to the PIM: through which proxy, trusting which certificates. It is asked once per
connection, and `urllib3` connects. The requests themselves go to `http.client`, which costs half as much per answer.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import requests
import urllib3
import urllib3.connection
from requests.adapters import HTTPAdapter

from tap_akeneo_assets.pim.arrival import Incoming
from tap_akeneo_assets.pim.rate_limit import TICK_SECONDS
from tap_akeneo_assets.pim.wire import BUFFER_BYTES, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


BEARER = "Bearer "

WIRE_ERRORS = (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException)


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

    @property
    def credentials(self) -> str:
        """What it is sent with: a token, or `Basic` and a login; "" if nothing."""
        return self.headers.get("Authorization", "").removeprefix(BEARER)


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

    def lend(self) -> Loan:
        """A connection, idle or new.

        Raises:
            OSError, urllib3.exceptions.HTTPError: as `Connection` raises them.
        """
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        return Loan(idle or Connection(self._stop, self._route), self._take_back)

    def lend_open(self) -> Loan | None:
        """A connection that is open, and idle so far; None if there is none."""
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_open:
                    return Loan(connection, self._take_back)
                connection.close()
        return None

    def _take_back(self, connection: Connection, reusable: bool) -> None:  # noqa: FBT001  # named in `Loan`
        with self._lock:
            keep = reusable and not self._is_closed
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
    """A connection that is lent, for a block or until it is given back. An error in the block closes it.

    Attributes:
        connection: sends requests, and reads their answers.
        take_back: takes the connection, and whether it may be used again.
        reusable: the answer was read to its end, and is the one that was due.
    """

    connection: Connection
    take_back: Callable[[Connection, bool], None]
    reusable: bool = False

    def __enter__(self) -> Connection:
        return self.connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.reusable = self.reusable and kind is None
        self.give_back()

    def send(self, request: Request) -> None:
        """Send a request; connect before if need be, and give the connection back if it fails.

        Raises:
            OSError, urllib3.exceptions.HTTPError, http.client.HTTPException: as `Connection.send` does.
        """
        try:
            self.connection.send(request)
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Give it back: to be closed, unless it is reusable."""
        self.take_back(self.connection, self.reusable)


class Connection:
    """One connection, by the way that `requests` would take; made anew when the server has ended it meanwhile.

    `_new_conn` is a private name of `urllib3`: the only place that knows all that a connection is made from.

    Args:
        stop: as for `Connections`.
        route: likewise.

    Raises:
        OSError, urllib3.exceptions.HTTPError: a proxy or the certificates are not named as they have to be.
    """

    def __init__(self, stop: threading.Event, route: Route) -> None:
        adapter, proxies = HTTPAdapter(), dict(route.proxies)
        root = requests.PreparedRequest()
        root.url = f"{route.api_url}/"
        try:
            found = adapter.get_connection_with_tls_context(root, route.verify, proxies)
        except TypeError:
            # What `requests` makes of a proxy's address with a login but no host.
            raise requests.exceptions.InvalidProxyURL from None
        self._pool = pool = cast("urllib3.HTTPConnectionPool", found)  # declared as its base class
        adapter.cert_verify(pool, root.url, route.verify, None)  # type: ignore[no-untyped-call]
        self._connection = cast("urllib3.connection.HTTPConnection", pool._new_conn())  # noqa: SLF001  # see above
        self._connection.timeout = route.timeout
        # Where only answers are waited for: a request fits into the buffer that the system keeps for sending.
        self._tick = min(TICK_SECONDS, route.timeout)
        self._stop, self._timeout = stop, route.timeout
        self._has_ended = False
        self._expect_after(Incoming())
        self._tunnelled_by = pool.proxy if route.api_url.startswith("https:") else None
        # A proxy for plain HTTP has to be told the whole address, and who asks.
        self._target_start = adapter.request_url(root, proxies).removesuffix("/")
        self._headers = {} if self._tunnelled_by else pool.proxy_headers

    @property
    def is_open(self) -> bool:
        """Whether it is connected, and nothing has come that nobody asked for."""
        return self._connection.is_connected and not self._has_ended

    def fileno(self) -> int:
        """The file descriptor of its socket."""
        return self._connection.sock.fileno()

    def send(self, request: Request) -> None:
        """Send a request; connect before if need be.

        Raises:
            OSError, urllib3.exceptions.HTTPError, http.client.HTTPException: it cannot be sent, see `judge_failure`.
        """
        connection = self._connection
        try:
            if not self.is_open:
                self._connect()
            self._send(request)
        except WIRE_ERRORS as error:
            if connection.proxy and not connection.has_connected_to_proxy:
                raise urllib3.exceptions.ProxyError("proxy", error) from error
            raise

    def send_now(self, request: Request) -> None:
        """Send a request on a connection that was open a moment ago; whoever reads the answer learns if it is not."""
        with suppress(*WIRE_ERRORS):
            self._send(request)

    def take(self, incoming: Incoming, limit: int) -> None:
        """Take what has come, without waiting.

        Args:
            incoming: gets it.
            limit: how many bytes are enough.
        """
        sock = self._connection.sock
        sock.settimeout(0)
        try:
            while len(incoming.data) < limit:
                part = sock.recv(BUFFER_BYTES)
                if not part:  # in TLS through a proxy that speaks TLS itself, it may be the number 0
                    incoming.is_ended = self._has_ended = True
                    break
                incoming.data += part
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            incoming.is_ended, incoming.error, self._has_ended = True, error, True
        finally:
            sock.settimeout(self._tick)

    def answer(self, incoming: Incoming) -> Response:
        """The answer to the request that was sent; its body is still to be read.

        Args:
            incoming: what has been taken of it.

        Raises:
            OSError, http.client.HTTPException: there is none, see `judge_failure`.
            Stopped: the run is ending.
        """
        self._expect_after(incoming)
        try:
            return cast("Response", http.client.HTTPConnection.getresponse(self._connection))
        finally:
            self._expect_after(Incoming())  # that of a proxy, perhaps; an idle connection holds no answer

    def _connect(self) -> None:
        connection, pool = self._connection, self._pool
        connection.close()
        if self._tunnelled_by:
            connection.set_tunnel(pool.host, pool.port, pool.proxy_headers, self._tunnelled_by.scheme or "http")
        connection.connect()
        self._has_ended = False
        connection.sock.settimeout(self._tick)

    def _send(self, request: Request) -> None:
        headers = {**request.headers, **self._headers}
        target = self._target_start + request.target
        http.client.HTTPConnection.request(self._connection, request.method, target, request.body, headers)

    def _expect_after(self, incoming: Incoming) -> None:
        self._connection.response_class = partial(Response, self._stop, self._timeout, incoming)  # type: ignore[assignment]  # called like the class

    def close(self) -> None:
        """Close it; it would be made again."""
        self._connection.close()
