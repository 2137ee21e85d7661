"""A server that answers byte by byte as a test says, and a client of it."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.errors import NotJson
from tap_akeneo_assets.pim.arrival import Arrival
from tap_akeneo_assets.pim.auth import AppToken
from tap_akeneo_assets.pim.client import Client
from tests.support import HurryingClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_akeneo_assets.pim.auth import Credentials
    from tap_akeneo_assets.pim.exchange import Answer, Exchange

ROOT = "/api/rest/v1"
# Of this machine, signed by itself, good for a hundred years; its key is worth nothing.
CERTIFICATE = Path(__file__).parent / "tls" / "localhost.pem"
INTERIM = {100: "Continue", 102: "Processing", 103: "Early Hints", 199: "Odd"}


def whole(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """An answer on a connection that stays open."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def interim(status: int) -> bytes:
    return f"HTTP/1.1 {status} {INTERIM.get(status, '')}\r\nLink: </x>; rel=preload\r\n\r\n".encode()


def own_path(path: str) -> bytes:
    """A body that tells which request it answers."""
    return json.dumps({"path": path}).encode()


def in_tls(connection: socket.socket) -> socket.socket:
    """The server's side of a connection, encrypted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context.wrap_socket(connection, server_side=True)


class Server:
    """Answers each request with the pieces that `answer` makes of its path, each sent by itself.

    Attributes:
        connections: those that were opened, oldest first.
        asked: the paths, below the API's root, in order.
    """

    def __init__(self, *, tls: bool = False) -> None:
        self.tls = tls
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        self.asked: list[str] = []
        self.answer: Callable[[str], Iterator[bytes]] = lambda path: iter([whole(own_path(path))])
        self.is_over = threading.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.listening.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.tls:
                    connection = in_tls(connection)
                self.connections.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as received:
            while line := received.readline():
                if b" HTTP/1." not in line:
                    connection.sendall(whole(b"", "400 Bad Request"))
                    return
                path = line.split()[1].decode().removeprefix(ROOT)
                length = int(http.client.parse_headers(received).get("Content-Length", 0))
                received.read(length)
                self.asked.append(path)
                for piece in self.answer(path):
                    connection.sendall(piece)

    def drip(self, piece: bytes) -> Iterator[bytes]:
        """A piece every now and then, until the other side goes away."""
        while not self.is_over.wait(0.01):
            yield piece


@contextmanager
def running_server(*, tls: bool = False) -> Iterator[Server]:
    server = Server(tls=tls)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()
        thread.join()
        for connection in server.connections:
            connection.close()


@contextmanager
def client_of(url: str, credentials: Credentials | None = None, **settings: Any) -> Iterator[Client]:  # noqa: ANN401  # the client's own
    stop = settings.pop("stop", None) or threading.Event()
    client = Client(
        api_url=url,
        credentials=credentials or AppToken("app-token"),
        user_agent="test",
        stop=stop,
        clock=HurryingClock(stop),
        **{"request_timeout_seconds": 20, "max_retries": 1, "max_requests_per_second": 0, **settings},
    )
    try:
        yield client
    finally:
        client.close()


def ask(client: Client, path: str, read: Callable[[bytes], Any] = json.loads) -> Any:  # noqa: ANN401  # JSON
    """Ask as the fetcher does: by an exchange where nothing has to be waited for."""
    exchange = client.begin(path, read=read)
    return (answer_of(exchange) if exchange else client.get(path, read=read)).data


def answer_of(exchange: Exchange[Any]) -> Answer[Any]:
    """The answer of an exchange, once it has come."""
    while select.select([exchange], [], [], exchange.patience)[0]:
        how_far = exchange.take()
        if how_far is Arrival.WHOLE:
            return exchange.answer_now() or exchange.answer()
        if how_far is Arrival.UNKNOWN:
            break
    return exchange.answer()


def read_json(body: bytes) -> Any:  # noqa: ANN401  # JSON
    try:
        return json.loads(body)
    except ValueError:
        raise NotJson("odd") from None
