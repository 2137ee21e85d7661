"""Requests that are sent without waiting: when they are, and that their answers are those that waiting would bring."""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import ssl
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_akeneo_assets.errors import NotFound, RequestFailed, Stopped, WrongAnswer
from tap_akeneo_assets.pim import exchange as exchanges
from tap_akeneo_assets.pim.arrival import Arrival
from tap_akeneo_assets.pim.auth import PasswordGrant
from tests.raw_server import (
    CERTIFICATE,
    answer_of,
    ask,
    chunked,
    client_of,
    interim,
    own_path,
    read_json,
    running_server,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_akeneo_assets.pim.client import Client
    from tap_akeneo_assets.pim.exchange import Exchange
    from tests.raw_server import Server

BUSY = whole(b"", "503 Service Unavailable")
DENIED = whole(b'{"code": 401, "message": "The access token provided is invalid."}', "401 Unauthorized")


def begin(client: Client, path: str) -> Exchange[Any]:
    """An exchange, on the connection of a request before."""
    ask(client, "/before")
    exchange = client.begin(path, read=read_json)
    assert exchange
    return exchange


# When a request is sent


def test_nothing_is_sent_where_something_has_to_be_waited_for(server: Server) -> None:
    """A token, a connection, a turn."""
    server.answer = lambda path: iter([whole(b'{"access_token": "t"}' if path.endswith("token") else own_path(path))])
    login = PasswordGrant("id", "secret", "user", "password")
    with client_of(server.url, login, max_requests_per_second=3) as client:
        assert client.begin("/a", read=read_json) is None  # no token
        ask(client, "/b")
        first = client.begin("/c", read=read_json)
        assert first
        assert client.begin("/d", read=read_json) is None  # no connection
        assert answer_of(first).data == {"path": "/c"}
        assert client.begin("/e", read=read_json) is None  # three requests have been sent
    assert [path for path in server.asked if not path.endswith("token")] == ["/b", "/c"]
    assert len(server.connections) == 1


def test_nothing_is_sent_on_a_connection_that_the_server_has_ended(server: Server) -> None:
    with client_of(server.url) as client:
        ask(client, "/a")
        server.connections[0].shutdown(socket.SHUT_RDWR)
        assert client.begin("/b", read=read_json) is None
        assert ask(client, "/c") == {"path": "/c"}
    assert server.asked == ["/a", "/c"]


def test_nothing_is_sent_once_the_run_ends(server: Server) -> None:
    stop = threading.Event()
    with client_of(server.url, stop=stop) as client:
        ask(client, "/a")
        stop.set()
        with pytest.raises(Stopped):
            client.begin("/b", read=read_json)
    assert server.asked == ["/a"]


# What comes


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([whole, chunked]), st.integers(0, 3_000))
def test_an_answer_comes_in_any_pieces(data: st.DataObject, form: Callable[[bytes], bytes], size: int) -> None:
    body = json.dumps("x" * size).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=4)))
    pieces = [form(body)[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    with running_server() as server, client_of(server.url, max_retries=0) as client:
        exchange = begin_with(server, client, pieces)
        assert answer_of(exchange).data == "x" * size
        assert answer_of(begin_with(server, client, pieces)).data == "x" * size
    assert len(server.connections) == 1


def begin_with(server: Server, client: Client, pieces: list[bytes]) -> Exchange[Any]:
    server.answer = lambda path: iter([whole(own_path(path))] if path == "/before" else pieces)
    return begin(client, "/a")


def test_an_answer_in_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several records, which are decrypted one by one."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    body = json.dumps("x" * 100_000).encode()
    with running_server(tls=True) as server, client_of(server.url, max_retries=0) as client:
        answer = whole(body)
        assert answer_of(begin_with(server, client, [answer[:20_000], answer[20_000:]])).data == "x" * 100_000
        assert ask(client, "/before") == {"path": "/before"}
    assert len(server.connections) == 1


@pytest.mark.parametrize("more", [whole(b'{"path": "nobody\'s"}'), b"\r\n"])
def test_what_comes_with_an_answer_is_nobodys(server: Server, more: bytes) -> None:
    with client_of(server.url, max_retries=0) as client:
        exchange = begin_with(server, client, [whole(b'"mine"') + more])
        assert answer_of(exchange).data == "mine"
        assert ask(client, "/before") == {"path": "/before"}


def test_a_connection_that_tls_has_ended_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its farewell comes in one packet with the answer, and the connection below stays open."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    with running_server(tls=True) as server, client_of(server.url, max_retries=0) as client:

        def answer(path: str) -> Iterator[bytes]:
            connection = cast("ssl.SSLSocket", server.connections[0])
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, path == "/a")
            yield whole(own_path(path))
            if path == "/a":
                connection.settimeout(0)
                with suppress(ssl.SSLWantReadError):
                    connection.unwrap()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
                server.is_over.wait()

        server.answer = answer
        exchange = begin(client, "/a")
        assert answer_of(exchange).data == {"path": "/a"}
        assert ask(client, "/b") == {"path": "/b"}
    assert len(server.connections) == 2


@pytest.mark.parametrize("length", ["", "Content-Length: 9\r\n"])
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_connection_that_is_reset_is_no_end_of_a_body(server: Server, length: str, body: bytes) -> None:
    def answer(path: str) -> Iterator[bytes]:
        if path == "/before":
            yield whole(own_path(path))
            return
        yield f"HTTP/1.1 200 OK\r\n{length}\r\n".encode() + body
        server.connections[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(server.connections[0].detach())

    server.answer = answer
    lost = pytest.raises(RequestFailed, match=r"the last answer: connection dropped\.$")
    with client_of(server.url, max_retries=0) as client:
        exchange = begin(client, "/a")
        with lost:
            answer_of(exchange)


@pytest.mark.parametrize("odd", [BUSY, whole(b"not json"), whole(b"{}")[:-1], b"", interim(103) + BUSY, DENIED])
def test_another_try_is_made_where_waiting_would_make_one(server: Server, odd: bytes) -> None:
    def answer(path: str) -> Iterator[bytes]:
        if path == "/a" and server.asked.count("/a") == 1:
            yield odd
            server.connections[0].shutdown(socket.SHUT_WR)
        else:
            grant = b'{"access_token": "token-%d"}' % len(server.asked)
            yield whole(grant if path.endswith("token") else own_path(path))

    server.answer = answer
    with client_of(server.url, PasswordGrant("id", "secret", "user", "password"), max_retries=1) as client:
        assert answer_of(begin(client, "/a")).data == {"path": "/a"}
    assert server.asked.count("/a") == 2


def test_tries_are_counted_and_waits_told_as_ever(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with client_of(server.url, max_retries=2) as client, caplog.at_level(logging.WARNING):
        exchange = begin_with(server, client, [BUSY])
        with pytest.raises(RequestFailed, match="asked 3 times, the last answer: 503"):
            answer_of(exchange)
    assert len(caplog.messages) == 2
    assert server.asked == ["/before", *["/a"] * 3]


def test_what_no_other_try_would_mend_is_raised(server: Server) -> None:
    with client_of(server.url) as client:
        exchange = begin_with(server, client, [whole(b'{"code": 404, "message": "No."}', "404 Not Found")])
        with pytest.raises(NotFound):
            answer_of(exchange)
    assert server.asked == ["/before", "/a"]


def test_an_answer_to_another_request_is_asked_for_again(server: Server) -> None:
    def read(body: bytes) -> str:
        if body != b'"mine"':
            raise WrongAnswer("it is for /other")
        return "mine"

    with client_of(server.url) as client:
        ask(client, "/before")
        server.answer = lambda path: iter([whole(b'"mine"' if server.asked.count(path) == 2 else b'"other"')])
        exchange = client.begin("/a", read=read)
        assert exchange
        assert answer_of(exchange).data == "mine"
    assert len(server.connections) == 2


def test_a_thread_may_wait_for_an_answer_that_comes_slowly(server: Server) -> None:
    answer, goes_on = whole(own_path("/a")), threading.Event()

    def slowly(path: str) -> Iterator[bytes]:
        if path == "/before":
            yield whole(b"{}")
            return
        yield answer[:-3]
        assert goes_on.wait(30)
        yield answer[-3:]

    server.answer = slowly
    with client_of(server.url) as client, ThreadPoolExecutor(1) as pool:
        exchange = begin(client, "/a")
        assert select.select([exchange], [], [], 30)[0]
        assert exchange.take() is Arrival.PARTIAL
        waiting = pool.submit(exchange.answer)
        goes_on.set()
        assert waiting.result(timeout=30).data == {"path": "/a"}


def test_more_than_enough_is_left_to_a_thread(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MAX_BYTES_TAKEN", 1_000)
    body = json.dumps("x" * 1_000_000).encode()
    with client_of(server.url, max_retries=0) as client:
        exchange = begin_with(server, client, [whole(body)])
        while (how_far := exchange.take()) is Arrival.PARTIAL:
            pass
        assert how_far is Arrival.UNKNOWN
        assert exchange.answer().data == "x" * 1_000_000


def test_the_connection_of_an_abandoned_exchange_is_closed(server: Server) -> None:
    with client_of(server.url) as client:
        begin(client, "/a").abandon()
        assert ask(client, "/b") == {"path": "/b"}
    assert len(server.connections) == 2
