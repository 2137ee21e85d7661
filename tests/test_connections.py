"""What may happen on a connection: answers nobody asked for, connections that cannot be made, proxies."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_akeneo_assets.errors import Fatal, RequestFailed, WrongAnswer
from tap_akeneo_assets.pim import wire
from tap_akeneo_assets.pim.auth import PasswordGrant
from tests.raw_server import (
    CERTIFICATE,
    INTERIM,
    ask,
    chunked,
    client_of,
    in_tls,
    interim,
    own_path,
    read_json,
    running_server,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.raw_server import Server


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


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
    """Only the proxy gets the login, and one tunnel serves all requests, until the PIM drops it within an answer."""
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

    def cut(server: Server, path: str) -> Iterator[bytes]:
        yield whole(own_path(path))[:-1]
        server.connections[0].shutdown(socket.SHUT_RDWR)

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
            with client_of(server.url, max_retries=0) as client:
                assert [ask(client, path) for path in ("/a", "/b")] == [{"path": "/a"}, {"path": "/b"}]
                server.answer = lambda path: cut(server, path)
                with pytest.raises(RequestFailed, match=r"the last answer: (a body cut short|connection dropped)"):
                    ask(client, "/c")
            tunnelling.result(timeout=30)
    assert heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic bWU6cGEgc3M=\r\n" in heads[0]
    assert len(server.connections) == 1
