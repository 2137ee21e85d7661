"""What may happen on a connection: interim answers, answers nobody asked for, answers that drip, and the run's end."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_akeneo_assets.errors import Fatal, NotJson, RequestFailed, Stopped, WrongAnswer
from tap_akeneo_assets.pim import bodies, wire
from tap_akeneo_assets.pim.auth import AppToken, PasswordGrant
from tap_akeneo_assets.pim.bodies import Bodies
from tap_akeneo_assets.pim.client import Client
from tests.support import HurryingClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_akeneo_assets.pim.auth import Credentials

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


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


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


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


def ask(client: Client, path: str) -> Any:  # noqa: ANN401  # JSON
    return client.get(path, read=json.loads).data


def test_the_standard_library_has_what_is_made_use_of() -> None:
    assert callable(http.client.HTTPResponse._read_status)  # type: ignore[attr-defined]  # noqa: SLF001


# Interim answers, and answers that nobody asked for

statuses = st.lists(st.sampled_from(sorted(INTERIM)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(statuses, st.sampled_from([whole, chunked]), st.booleans(), st.booleans()), min_size=1, max_size=6
    )
)
def test_each_request_gets_its_own_answer(
    answers: list[tuple[list[int], Callable[[bytes], bytes], bool, bool]],
) -> None:
    """Whatever interim answers come before it, in one piece with it or apart, and whatever comes unasked after it."""

    def answer(path: str) -> Iterator[bytes]:
        before, form, at_once, twice = answers[int(path[1:])]
        pieces = [*map(interim, before), form(own_path(path))]
        if twice:
            pieces[-1] += whole(b'{"path": "nobody\'s"}')
        yield from [b"".join(pieces)] if at_once else pieces

    with running_server() as server, client_of(server.url, max_retries=0) as client:
        server.answer = answer
        for number in range(len(answers)):
            assert ask(client, f"/{number}") == {"path": f"/{number}"}


def test_an_answer_that_comes_while_nothing_is_asked_is_nobodys(server: Server) -> None:
    with client_of(server.url, max_retries=0) as client:
        ask(client, "/a")
        server.connections[0].sendall(whole(own_path("/nobody")))
        assert ask(client, "/b") == {"path": "/b"}
    assert len(server.connections) == 2


@pytest.mark.parametrize("trusted", [True, False])
def test_the_same_holds_in_tls(monkeypatch: pytest.MonkeyPatch, *, trusted: bool) -> None:
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    # The second answer is long enough to be in another record of TLS, decrypted or not.
    second = whole(b'{"path": "nobody", "x": "' + b"x" * 40_000 + b'"}')
    with running_server(tls=True) as server, client_of(server.url, max_retries=0) as client:
        server.answer = lambda path: iter([interim(103), interim(102) + whole(own_path(path)) + second])
        if not trusted:
            with pytest.raises(Fatal, match="is not trusted: self-signed certificate"):
                ask(client, "/a")
            return
        for path in ("/a", "/b", "/c"):
            assert ask(client, path) == {"path": path}


@pytest.mark.parametrize("form", [whole, chunked])
def test_a_connection_is_used_again_if_nothing_is_wrong_with_it(server: Server, form: Callable[[bytes], bytes]) -> None:
    server.answer = lambda path: iter([interim(103), form(own_path(path))])
    with client_of(server.url) as client:
        for path in ("/a", "/b", "/c"):
            assert ask(client, path) == {"path": path}
    assert len(server.connections) == 1


def test_the_token_route_may_send_interim_answers_too(server: Server) -> None:
    grant = b'{"access_token": "t", "expires_in": 3600}'

    def answer(path: str) -> Iterator[bytes]:
        yield interim(103)
        yield interim(102)
        yield whole(grant if path.endswith("/token") else own_path(path))

    server.answer = answer
    with client_of(server.url, PasswordGrant("id", "secret", "user", "password"), max_retries=0) as client:
        assert ask(client, "/a") == {"path": "/a"}
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    "odd",
    [
        interim(101),
        interim(103) * (wire.MAX_INTERIM_ANSWERS + 1) + whole(b"{}"),
        b"HTTP/1.1 103 Early Hints\r\n" + b"x" * 100_000,
        b"HTTP/1.1 1xx\r\n\r\n",
        whole(b"not json"),
        whole(b"", "206 Partial Content"),
        whole(b"", "503 Service Unavailable"),
    ],
)
def test_after_an_odd_answer_another_connection_is_asked(server: Server, odd: bytes) -> None:
    server.answer = lambda path: iter([odd if len(server.asked) == 1 else whole(own_path(path))])
    with client_of(server.url) as client:
        assert client.get("/a", read=read_json).data == {"path": "/a"}
    assert len(server.connections) == 2


def read_json(body: bytes) -> Any:  # noqa: ANN401  # JSON
    try:
        return json.loads(body)
    except ValueError:
        raise NotJson("odd") from None


def test_an_answer_to_another_request_ends_its_connection(server: Server) -> None:
    server.answer = lambda path: iter([whole(own_path("/other" if len(server.asked) == 1 else path))])

    def read(body: bytes) -> object:
        if json.loads(body) != {"path": "/a"}:
            raise WrongAnswer("it is for /other")
        return "mine"

    with client_of(server.url) as client:
        assert client.get("/a", read=read).data == "mine"
    assert len(server.connections) == 2


def test_answers_to_others_run_out_of_tries(server: Server) -> None:
    def read(_: bytes) -> object:
        raise WrongAnswer("it is for /other")

    with client_of(server.url) as client, pytest.raises(RequestFailed, match=r"another request \(it is for /other\)"):
        client.get("/a", read=read)
    assert len(server.connections) == 2


# Answers that drip, and the run's end


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    ],
)
def test_what_drips_is_no_answer_in_time(server: Server, head: bytes, drop: bytes) -> None:
    def answer(_: str) -> Iterator[bytes]:
        yield head
        yield from server.drip(drop)

    server.answer = answer
    lost = pytest.raises(RequestFailed, match="asked once, the last answer: no answer in time")
    with client_of(server.url, request_timeout_seconds=0.2, max_retries=0) as client, lost:
        ask(client, "/a")


def test_blanks_before_good_json_are_fine_as_long_as_enough_come(server: Server) -> None:
    """Over several timeouts, as 120 drops take more than one."""

    def answer(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        for _number, blanks in zip(range(120), server.drip(b" " * 2_000), strict=False):
            yield blanks
        yield b"{}"
        server.connections[-1].shutdown(socket.SHUT_WR)

    server.answer = answer
    with client_of(server.url, request_timeout_seconds=1, max_retries=0) as client:
        assert ask(client, "/a") == {}


def test_the_status_of_an_error_that_drips_is_known(server: Server) -> None:
    def answer(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 404 Not Found\r\nContent-Length: 100000\r\n\r\n"
        yield from server.drip(b" ")

    server.answer = answer
    lost = pytest.raises(RequestFailed, match="404 Not Found")
    with client_of(server.url, request_timeout_seconds=1) as client, lost:
        ask(client, "/a")
    assert len(server.asked) == 1


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n", interim(102)])
def test_a_signal_ends_the_wait_for_an_answer(server: Server, head: bytes) -> None:
    stop = threading.Event()

    def answer(_: str) -> Iterator[bytes]:
        yield head
        stop.set()
        yield from server.drip(b"")

    server.answer = answer
    with client_of(server.url, request_timeout_seconds=3_600, stop=stop) as client, ThreadPoolExecutor(1) as pool:
        with pytest.raises(Stopped):
            pool.submit(ask, client, "/a").result(timeout=30)
        server.is_over.set()


# Compressed bodies

ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
    "identity\r\nContent-Encoding:  GZIP ": gzip.compress,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("form", [whole, chunked])
@pytest.mark.parametrize("missing", [0, 8])
def test_a_compressed_body_comes_whole_or_not_at_all(
    server: Server, form: Callable[..., bytes], encoding: str, missing: int
) -> None:
    """Whichever way its length is told; web servers that compress on the fly send chunks."""

    def answer(path: str) -> Iterator[bytes]:
        piece = form(ENCODINGS[encoding](own_path(path)), headers=f"Content-Encoding: {encoding}\r\n")
        yield piece[: len(piece) - missing]
        if missing:
            server.connections[-1].shutdown(socket.SHUT_WR)

    server.answer = answer
    with client_of(server.url, max_retries=0) as client:
        if missing:
            with pytest.raises(RequestFailed, match="a body cut short"):
                ask(client, "/a")
        else:
            assert [ask(client, path) for path in ("/a", "/b")] == [{"path": "/a"}, {"path": "/b"}]
            assert len(server.connections) == 1


def test_the_rest_of_a_compressed_body_is_no_answer(server: Server) -> None:
    """Of an error's body only the beginning is read; its rest comes when the next request has been sent."""
    read_at_once, body = 256 * 1024, gzip.compress(b"".join(b"%064d" % number for number in range(200_000)))

    def answer(path: str) -> Iterator[bytes]:
        if path != "/a":
            yield whole(own_path(path))
            return
        yield whole(body, "403 Forbidden", "Content-Encoding: gzip\r\n")[: -len(body)] + body[:read_at_once]
        if server.connections[0].recv(1, socket.MSG_PEEK):
            yield whole(own_path("/rest"))

    server.answer = answer
    with client_of(server.url) as client:
        with pytest.raises(RequestFailed, match="403 Forbidden"):
            ask(client, "/a")
        assert ask(client, "/b") == {"path": "/b"}


# Heads

CHUNKS = b'5\r\n{"pat\r\n7\r\nh": 1}\n\r\n0\r\n\r\n'


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Transfer-Encoding: Chunked ", CHUNKS),
        ("Transfer-Encoding: identity, chunked", CHUNKS),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", CHUNKS),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKS),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3", CHUNKS),
        ("Content-Length: 11, 11", b'{"path": 1}'),
        ("Content-Length: 11\r\nContent-Length: 11", b'{"path": 1}'),
    ],
)
def test_odd_heads_that_make_sense(server: Server, headers: str, body: bytes) -> None:
    def answer(_: str) -> Iterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body

    server.answer = answer
    with client_of(server.url, max_retries=0) as client:
        assert [ask(client, path) for path in ("/a", "/b")] == [{"path": 1}] * 2


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, "no valid HTTP answer"),
        (b"Content-Length: 5\r\nContent-Length: 11\r\n\r\n" + b'{"path": 1}', "no valid HTTP answer"),
        (b"Content-Length: 11, 5\r\n\r\n" + b'{"path": 1}', "no valid HTTP answer"),
        (b"Transfer-Encoding: chunked\r\n\r\n-5\r\n" + b'{"path": 1}', "no valid HTTP answer"),
        (b"Content-Type: application/json\r\n", "connection dropped without an answer"),
        (b"Content-Len", "connection dropped without an answer"),
    ],
)
def test_a_head_that_makes_no_sense_is_no_answer(server: Server, answer: bytes, problem: str) -> None:
    """Not for a file either, where nothing else may tell that it is not whole."""

    def pieces(_: str) -> Iterator[bytes]:
        connection = server.connections[-1]
        yield b"HTTP/1.1 200 OK\r\n" + answer
        connection.shutdown(socket.SHUT_WR)

    server.answer = pieces
    with client_of(server.url, max_retries=0) as client:
        with pytest.raises(RequestFailed, match=problem):
            ask(client, "/a")
        with pytest.raises(RequestFailed, match=problem):
            client.download("/b", lambda _, chunks: b"".join(chunks))


# What never gets better


def test_https_asked_of_an_http_server_fails_at_once(server: Server) -> None:
    url = server.url.replace("http:", "https:")
    fails = pytest.raises(Fatal, match=rf"^{url} does not speak TLS; is api_url http://\?$")
    with client_of(url, max_retries=8) as client, fails:
        ask(client, "/a")
    assert len(server.connections) == 1


def test_a_proxy_that_refuses_to_connect_is_told_from_the_pim(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("https_proxy", server.url)
    for status, words in (("407 Login", "proxy wants a login"), ("403 No", "proxy refuses to connect")):
        answer = interim(103) + whole(b"", status)
        server.answer = lambda _, answer=answer: iter([answer])  # type: ignore[misc]
        with client_of("https://pim.invalid", max_retries=8) as client, pytest.raises(Fatal, match=words):
            ask(client, "/a")
    assert len(server.asked) == 2


@pytest.mark.parametrize("proxy", ["http://me:hunter2@", "http://me:hunter2@127.0.0.1:99999", "ftp://127.0.0.1"])
def test_an_address_that_is_no_proxys_ends_the_run(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("https_proxy", proxy)
    fatal = pytest.raises(Fatal, match="is not the address of a proxy")
    with client_of("https://pim.invalid") as client, fatal as raised:
        ask(client, "/a")
    assert "hunter2" not in str(raised.value)


# Proxies


def test_what_is_dropped_behind_a_proxy_is_not_the_proxys_fault(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(_: str) -> Iterator[bytes]:
        server.connections[-1].shutdown(socket.SHUT_RDWR)
        yield b""

    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("http_proxy", server.url)
    server.answer = hang_up
    lost = pytest.raises(RequestFailed, match="the last answer: connection dropped without an answer")
    with client_of("http://pim.invalid", max_retries=0) as client, lost:
        ask(client, "/a")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_tls_through_a_proxy_that_wants_a_login(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the proxy gets the login, and one tunnel serves all requests."""
    heads: list[bytes] = []

    def tunnel(listening: socket.socket) -> None:
        near, _ = listening.accept()
        if scheme == "https":
            near = in_tls(near)
        while not heads or not heads[0].endswith(b"\r\n\r\n"):
            heads[:] = [b"".join([*heads, near.recv(1)])]
        host, port = heads[0].split()[1].decode().split(":")
        with near, socket.create_connection((host, int(port))) as far:
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            there, back = (threading.Thread(target=copy, args=ends) for ends in ((near, far), (far, near)))
            there.start()
            back.start()
            there.join()
            back.join()

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    with running_server(tls=True) as server, socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("https_proxy", f"{scheme}://me:pa%20ss@127.0.0.1:{listening.getsockname()[1]}")
        with ThreadPoolExecutor(1) as pool:
            tunnelling = pool.submit(tunnel, listening)
            with client_of(server.url) as client:
                assert [ask(client, path) for path in ("/a", "/b")] == [{"path": "/a"}, {"path": "/b"}]
            tunnelling.result(timeout=30)
    assert heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic bWU6cGEgc3M=\r\n" in heads[0]
    assert len(server.connections) == 1


# Memory


def test_of_large_bodies_only_two_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGE_BODY_BYTES", 10)
    waiting, third = threading.Event(), threading.Event()
    reader = Bodies(lambda: waiting.set() if third.is_set() else None)

    def read(name: bytes) -> bytes:
        with reader.read([name * 8, name * 8]) as body:
            return body

    def third_chunks() -> Iterator[bytes]:
        yield b"c" * 8
        third.set()
        yield b"c" * 8

    def read_third() -> bytes:
        with reader.read(third_chunks()) as body:
            return body

    with ThreadPoolExecutor(1) as pool:
        with ExitStack() as held:
            for name in (b"a", b"b"):
                held.enter_context(reader.read([name * 8, name * 8]))
            future = pool.submit(read_third)
            assert waiting.wait(30)
            assert read(b"")[:1] == b""  # a small one need not wait
            assert not future.done()
        assert future.result(timeout=30) == b"c" * 16


def test_who_waits_for_room_ends_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGE_BODY_BYTES", 10)
    checks = iter(range(100))

    def check() -> None:
        if next(checks) > 3:
            raise Stopped

    reader = Bodies(check)
    with ExitStack() as held:
        for _ in range(bodies.MAX_LARGE_BODIES):
            held.enter_context(reader.read([b"x" * 11]))
        with pytest.raises(Stopped), reader.read([b"x" * 11]):
            pass


def test_a_body_is_in_memory_once() -> None:
    size, chunk = 32 * 1024 * 1024, b"x" * 1024 * 256
    tracemalloc.start()
    try:
        with Bodies(lambda: None).read(chunk for _ in range(size // len(chunk))) as body:
            assert len(body) == size
            assert tracemalloc.get_traced_memory()[1] < 1.5 * size
    finally:
        tracemalloc.stop()
