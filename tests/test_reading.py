"""The reader: how many requests are in flight, which go first, and who gets an error."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_akeneo_assets.errors import RequestFailed
from tap_akeneo_assets.extract.fetcher import MAX_WAITING_BYTES, Reader, Request
from tap_akeneo_assets.pim.client import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_akeneo_assets.extract.fetcher import Reading, Ticket


class Pim:
    """Answers with what was asked for; `hold` makes requests wait until so many are in flight."""

    def __init__(self, hold: int = 1, body: bytes = b"") -> None:
        self.asked: list[str] = []
        self.in_flight_at: list[int] = []
        self._in_flight = 0
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(hold, timeout=30)
        self._body = body

    def get(self, path: str, query: str, *, read: Callable[[bytes], Any]) -> Answer[Any]:  # noqa: ARG002  # bytes will do
        with self._lock:
            self.asked.append(f"{path}?{query}")
            self._in_flight += 1
            self.in_flight_at.append(self._in_flight)
        self._barrier.wait()
        with self._lock:
            self._in_flight -= 1
        if path == "bad":
            raise RequestFailed("no")
        body = self._body or path.encode()
        return Answer(body, len(body), None, 0.0)


def test_as_many_requests_as_allowed_are_in_flight_and_no_more() -> None:
    pim = Pim(hold=3)
    reader = Reader(pim, 3, lambda: None)
    answers: list[bytes] = []

    def reading(name: str) -> Reading:
        answers.append((yield reader.ask(Request(name))).data)

    for number in range(9):
        reader.start(reading(str(number)))
    reader.run()
    assert sorted(answers) == [str(number).encode() for number in range(9)]
    assert max(pim.in_flight_at) == 3


def test_the_lowest_rank_goes_first_and_equal_ones_in_order() -> None:
    pim = Pim()
    reader = Reader(pim, 1, lambda: None)

    def reading() -> Reading:
        tickets = [reader.ask(Request(name, rank=(rank,))) for name, rank in zip("abcd", (0, 2, 1, 1), strict=True)]
        for ticket in tickets:
            yield ticket

    reader.start(reading())
    reader.run()
    assert [line[0] for line in pim.asked] == ["a", "c", "d", "b"]


def test_an_error_surfaces_where_it_is_waited_for() -> None:
    reader = Reader(Pim(), 2, lambda: None)
    seen: list[str] = []

    def reading() -> Reading:
        bad, good = reader.ask(Request("bad")), reader.ask(Request("good"))
        seen.append((yield good).data.decode())
        with pytest.raises(RequestFailed):
            yield bad
        seen.append("bad")

    reader.start(reading())
    reader.run()
    assert seen == ["good", "bad"]


def test_several_readings_wait_for_one_answer() -> None:
    pim = Pim()
    reader = Reader(pim, 2, lambda: None)
    shared: list[Ticket] = [reader.ask(Request("shared"))]
    seen: list[bytes] = []

    def waiting() -> Reading:
        seen.append((yield shared[0]).data)

    reader.start(waiting())
    reader.start(waiting())
    reader.run()
    assert seen == [b"shared", b"shared"]
    assert pim.asked == ["shared?"]


def test_little_is_asked_for_while_much_waits_to_be_written() -> None:
    pim = Pim(body=bytes(MAX_WAITING_BYTES))
    reader = Reader(pim, 2, lambda: None)

    def hoarding() -> Reading:
        tickets = [reader.ask(Request("page")) for _ in range(4)]
        for ticket in reversed(tickets):
            yield ticket

    reader.start(hoarding())
    reader.run()
    assert pim.in_flight_at[2:] == [1, 1]


@pytest.mark.parametrize("dropped", [False, True])
def test_answers_that_nobody_waits_for_hold_nobody_up(dropped: bool) -> None:  # noqa: FBT001
    """They are dropped, or belong to a reading that has ended; this PIM answers requests in pairs only."""
    pim = Pim(hold=2, body=bytes(MAX_WAITING_BYTES // 4))
    reader = Reader(pim, 2, lambda: None)
    answered: list[bytes] = []

    def careless() -> Reading:
        tickets = [reader.ask(Request("page")) for _ in range(4)]
        answered.append((yield tickets.pop()).data)
        for ticket in tickets if dropped else ():
            reader.drop(ticket)

    def several() -> Reading:
        for _ in range(4):
            if dropped:
                yield from careless()
            else:
                reader.start(careless())
            for ticket in [reader.ask(Request("page")) for _ in range(2)]:
                yield ticket

    reader.start(several())
    reader.run()
    assert len(answered) == 4


def test_what_the_tick_raises_ends_the_run() -> None:
    def tick() -> None:
        raise KeyboardInterrupt

    reader = Reader(Pim(), 1, tick)
    reader.ask(Request("page"))
    with pytest.raises(KeyboardInterrupt):
        reader.run()
