"""When an answer is whole: never before reading it takes no more waiting, and for usual framings at the last byte."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_akeneo_assets.pim.arrival import Arrival, Incoming
from tap_akeneo_assets.pim.connections import WIRE_ERRORS
from tap_akeneo_assets.pim.wire import Response
from tests.raw_server import chunked, interim, whole

HEAD = "HTTP/1.1 200 OK\r\n"


class Waited(Exception):  # no error of the code
    """Somebody waited for more."""


class SilentSocket(socket.socket):
    """A socket on which nothing comes."""

    def makefile(self, *_: object, **__: object) -> io.BytesIO:  # type: ignore[override]
        """What `http.client` asks for."""
        return io.BytesIO()

    def recv_into(self, *_: object, **__: object) -> int:
        """Tell that more was wanted."""
        raise Waited


def incoming(*pieces: bytes) -> Incoming:
    """An answer that has come so far, looked at after each piece."""
    answer = Incoming()
    for piece in pieces:
        answer.data += piece
        assert answer.arrival
    return answer


def arrival(*pieces: bytes) -> Arrival:
    return incoming(*pieces).arrival


class Judged(Incoming):
    """An answer of which somebody says how far it has come."""

    def __init__(self, data: bytes, arrival: Arrival) -> None:
        super().__init__()
        self.data += data
        self._said = arrival

    @property
    def arrival(self) -> Arrival:
        """What was said."""
        return self._said


def read(data: bytes, said: Arrival = Arrival.UNKNOWN) -> bytes:
    with SilentSocket() as silent:
        response = Response(threading.Event(), 60, Judged(data, said), silent, method="GET")
        response.begin()
        return b"".join(response.chunks())


def in_chunks(sizes: list[int], extension: str, zeros: str) -> bytes:
    parts = [f"{zeros}{size:x}{extension}\r\n".encode() + b"x" * size + b"\r\n" for size in sizes]
    return f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + b"".join(parts) + b"0\r\n\r\n"


USUAL = st.one_of(
    st.builds(whole, st.binary(max_size=100), headers=st.sampled_from(["", "X: y\r\n", "transfer: z\r\n"])),
    st.builds(chunked, st.binary(min_size=1, max_size=100)),
    st.builds(
        in_chunks,
        st.lists(st.integers(1, 40), max_size=5),
        st.sampled_from(["", ";name=value", " "]),
        st.sampled_from(["", "000"]),
    ),
)


@given(USUAL)
def test_an_answer_is_whole_at_its_last_byte_and_not_before(answer: bytes) -> None:
    coming = Incoming()
    for byte in answer:
        assert coming.arrival is Arrival.PARTIAL
        coming.data.append(byte)
    assert coming.arrival is arrival(answer) is arrival(answer + b"HTTP/1.1 200") is Arrival.WHOLE


@given(USUAL, st.data())
def test_what_has_ended_before_it_is_whole_has_to_be_read(answer: bytes, data: st.DataObject) -> None:
    cut = incoming(answer[: data.draw(st.integers(0, len(answer) - 1))])
    cut.is_ended = True
    assert cut.arrival is Arrival.UNKNOWN


LINES = st.sampled_from(
    [
        *["Content-Length: 3", "Transfer-Encoding: chunked"] * 5,
        "content-length:5 ",
        "Content-Length: 3, 3",
        "Content-Length: -3",
        "Content-Length: +3",
        "Content-Length: 3\r\n ,3",
        "transfer-encoding:\tCHUNKED ",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: gzip",
        "Content-Encoding: gzip",
        "X: Content-Length: 3",
        " folded",
        "PHP Warning",
        "X-Träger: y",
        "X: a\rb",
        "X: a\x0bb",
        "X: ä",
        ": y",
    ]
)
HEADS = st.builds(
    lambda before, status, lines, end: (
        before + f"HTTP/1.1 {status} Odd{end}{end.join([*lines, '', ''])}".encode("latin-1")
    ),
    st.sampled_from([b"", interim(103)]),
    st.sampled_from([100, 200, 200, 204, 304, 404]),
    st.lists(LINES, max_size=3),
    st.sampled_from(["\r\n", "\r\n", "\n"]),
)
BODIES = st.lists(
    st.sampled_from(
        [
            b"abc",
            b"\r\n",
            b"3\r\n",
            b"2;\n",
            b"\n",
            b"0\r\n",
            b"-1\r\n",
            b"0x3\r\n",
            b"3_0\r\n",
            b"\r\n\r\n",
            b"3;a\r\n",
            b"T: x\r\n",
        ]
    ),
    max_size=8,
).map(b"".join)


@settings(max_examples=1_000, deadline=None)
@given(HEADS, BODIES)
def test_what_is_whole_is_read_without_waiting(head: bytes, body: bytes) -> None:
    """Whatever it is; that it makes no sense is an answer too."""
    if arrival(head + body) is Arrival.WHOLE:
        with suppress(*WIRE_ERRORS):
            read(head + body)


def test_what_is_partial_is_waited_for() -> None:
    """So that the law above could fail."""
    assert read(whole(b"abc")) == b"abc"
    with pytest.raises(Waited):
        read(whole(b"abc")[:-1])


def test_what_was_taken_for_whole_is_not_waited_for() -> None:
    """Though it should never happen, nothing else would go on meanwhile."""
    with pytest.raises(http.client.IncompleteRead):
        read(whole(b"abc")[:-1], Arrival.WHOLE)


@pytest.mark.parametrize(
    "answer",
    [
        interim(103) + whole(b"{}"),
        f"{HEAD}\r\nbody".encode(),
        whole(b"", "204 No Content"),
        whole(b"", "304 Not Modified"),
        f"{HEAD}Content-Length: 3, 3\r\n\r\nabc".encode(),
        f"{HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".encode(),
        f"{HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n".encode(),
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n".encode(),
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n-5\r\n".encode(),
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\nmany\r\n".encode(),
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n2;\nXY\r\nab\r\n0\r\n\r\n".encode(),
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\n",
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n1;{'x' * 100}".encode(),
    ],
)
def test_what_is_rare_is_left_to_who_reads_it(answer: bytes) -> None:
    assert arrival(answer) is Arrival.UNKNOWN
