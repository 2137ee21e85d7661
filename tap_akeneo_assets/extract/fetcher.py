"""Reading ahead: many readings at once, each a plain generator, on a bounded number of threads.

A *reading* is a generator that asks for pages and waits for them:

    ticket = reader.ask(Request(path))
    answer = yield ticket

What a reading has asked for and not waited for when it ends is dropped, unless another one waits for it.

Workers do nothing but wait on sockets. Everything else, the readings included, runs on the thread that calls
`Reader.run`, so what a reading writes needs no lock, and an error surfaces in the reading that asked, when it waits
for that answer.
"""

from __future__ import annotations

import heapq
import itertools
import queue
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from tap_akeneo_assets.errors import DamagedPage, UnusableJson, WrongAnswer
from tap_akeneo_assets.pim.urls import is_other_resource
from tap_akeneo_assets.records import json_body

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tap_akeneo_assets.pim.client import Answer


MAX_WAITING_BYTES = 64 * 1024 * 1024
TICK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask for: a path below the API's root, encoded, with its query; the lowest rank goes first."""

    path: str
    query: str = ""
    rank: tuple[int, ...] = (0,)


class Getter(Protocol):
    """The part of the client that a reader needs."""

    def get(self, path: str, query: str, *, read: Callable[[bytes], Any]) -> Answer[Any]:
        """Answer a request, or raise what stands in its way."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way: `yield` it to wait for its answer; any number of readings may."""

    request: Request
    outcome: Answer[Any] | Exception | None = None
    size: int = 0
    waiting: list[Reading] = field(default_factory=list)
    owner: Reading | None = None
    dropped: bool = False


Reading: TypeAlias = "Generator[Ticket, Answer[Any], Any]"


class Reader:
    """Runs readings until all have ended, with at most `max_concurrency` requests in flight.

    Args:
        client: answers requests; called from worker threads.
        max_concurrency: the number of requests in flight.
        tick: called on the running thread between answers and at least every 0.2 s; what it raises ends the run.
    """

    def __init__(self, client: Getter, max_concurrency: int, tick: Callable[[], None]) -> None:
        self._client = client
        self._max_concurrency = max_concurrency
        self._tick = tick
        self._pool = ThreadPoolExecutor(max_concurrency, thread_name_prefix="akeneo")
        self._asked: list[tuple[tuple[int, ...], int, Ticket]] = []
        self._order = itertools.count()
        self._arrivals: queue.SimpleQueue[tuple[Ticket, Answer[Any] | Exception]] = queue.SimpleQueue()
        self._ready: deque[tuple[Reading, Ticket | None]] = deque()
        self._waiting: set[Reading] = set()
        self._running: Reading | None = None
        self._unclaimed: dict[Reading | None, set[Ticket]] = {}
        self._in_flight = 0
        self._waiting_bytes = 0

    def start(self, reading: Reading) -> None:
        """Let a reading begin, as soon as the running one waits."""
        self._ready.append((reading, None))

    def begin(self, reading: Reading) -> None:
        """Let a reading begin at once, ahead of the running one, so that what it waits for comes to it first."""
        self._resume(reading, None)

    def ask(self, request: Request) -> Ticket:
        """Ask ahead: the request is sent when its turn comes, whether or not anybody waits for it yet."""
        ticket = Ticket(request, owner=self._running)
        self._unclaimed.setdefault(self._running, set()).add(ticket)
        self._enqueue(ticket)
        return ticket

    def drop(self, ticket: Ticket) -> None:
        """Give up an answer that nobody will wait for: it is not asked for any more, or let go when it comes."""
        ticket.dropped = True
        self._claim(ticket)

    def run(self) -> None:
        """Drive all readings to their end.

        Raises:
            Exception: whatever a reading or the tick lets through; readings still open are abandoned then.
        """
        try:
            while self._ready or self._asked or self._in_flight:
                self._tick()
                while self._ready:
                    self._resume(*self._ready.popleft())
                self.send()
                self._receive()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            # Python would close them in an order that makes it complain.
            for reading in self._waiting:
                reading.close()

    def _enqueue(self, ticket: Ticket) -> None:
        heapq.heappush(self._asked, (ticket.request.rank, next(self._order), ticket))
        self.send()

    def send(self) -> None:
        """Send what has been asked for, lowest rank first, as far as workers are free."""
        while (
            self._asked
            and self._in_flight < self._max_concurrency
            and (self._waiting_bytes < MAX_WAITING_BYTES or not self._in_flight)
        ):
            *_, ticket = heapq.heappop(self._asked)
            if ticket.dropped:
                continue
            self._in_flight += 1
            self._pool.submit(self._get, ticket)

    def _get(self, ticket: Ticket) -> None:
        """Answer a ticket, on a worker's thread."""
        request = ticket.request
        outcome: Answer[Any] | Exception
        try:
            outcome = self._client.get(request.path, request.query, read=partial(_decode, request.path))
        except Exception as error:  # noqa: BLE001  # it is raised where the answer is waited for
            outcome = error
        self._arrivals.put((ticket, outcome))

    def _receive(self) -> None:
        if not self._in_flight:
            return
        try:
            ticket, outcome = self._arrivals.get(timeout=TICK_SECONDS)
        except queue.Empty:
            return
        self._in_flight -= 1
        if ticket.dropped:
            return
        ticket.outcome = outcome
        if not isinstance(outcome, Exception):
            ticket.size = outcome.size
            self._waiting_bytes += ticket.size
        waiting, ticket.waiting = ticket.waiting, []
        self._ready.extend((reading, ticket) for reading in waiting)

    def _resume(self, reading: Reading, ticket: Ticket | None) -> None:
        self._waiting.discard(reading)
        outer, self._running = self._running, reading
        try:
            while ticket is None or ticket.outcome is not None:
                ticket = self._advance(reading, ticket)
        except StopIteration:
            for asked in self._unclaimed.pop(reading, ()):
                if not asked.waiting:
                    self.drop(asked)
            return
        finally:
            self._running = outer
        ticket.waiting.append(reading)
        self._waiting.add(reading)

    def _advance(self, reading: Reading, ticket: Ticket | None) -> Ticket:
        if ticket is None or ticket.outcome is None:
            return next(reading)
        self._claim(ticket)
        if isinstance(ticket.outcome, Exception):
            return reading.throw(ticket.outcome)
        return reading.send(ticket.outcome)

    def _claim(self, ticket: Ticket) -> None:
        """An answer is made use of, or given up: it does not wait any more."""
        self._waiting_bytes -= ticket.size
        ticket.size = 0
        if ticket.owner in self._unclaimed:
            self._unclaimed[ticket.owner].discard(ticket)


def _decode(path: str, body: bytes) -> tuple[Any, list[str]]:
    """The JSON of an answer to a path, and what was changed in it."""
    try:
        data, warnings = json_body.decode(body)
    except UnusableJson as error:
        raise DamagedPage(f"The PIM's answer to {path} cannot be used: {error}") from None
    if is_other_resource(path, data):
        raise WrongAnswer("its link to itself leads elsewhere")
    return data, warnings
