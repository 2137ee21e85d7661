"""How answers come over the wire: interim ones, heads, compressed bodies, drips, and the run's end."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tap_akeneo_assets.errors import RequestFailed, Stopped
from tests.raw_server import ask, chunked, client_of, interim, own_path, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.raw_server import Server


def test_the_standard_library_has_what_is_made_use_of() -> None:
    assert callable(http.client.HTTPResponse._read_status)  # type: ignore[attr-defined]  # noqa: SLF001


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
