"""At most N requests in flight, the lowest rank first.

A coroutine that reads something asks for it and awaits the answer; whoever reads ahead asks first and awaits later:

    coming = fetcher.fetch("/asset-families", rank=FAMILIES, read=decode)
    ...
    answer = await coming

The event loop watches the sockets on which answers come, and reads an answer once it is whole: threads that take turns
cost more than the reading. What has to be waited for is left to worker threads: connections and tokens, further tries,
answers that come slowly, files. They do nothing but ask the PIM and read its answers. Everything else runs on the
thread of the event loop, so what a coroutine writes needs no lock.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from tap_akeneo_assets.pim.arrival import Arrival
from tap_akeneo_assets.pim.exchange import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tap_akeneo_assets.pim.exchange import Exchange

T = TypeVar("T")
Rank: TypeAlias = tuple[int, int, str]
Read: TypeAlias = "Callable[[bytes], Any]"

# Families first, so that there is work for all threads. Attributes that a page waits for come before further pages;
# those that a page may need are as urgent as the family's first page.
FAMILIES: Rank = (0, 0, "")
ATTRIBUTES_AWAITED: Rank = (0, 1, "")
ATTRIBUTES: Rank = (1, 0, "")
WHEN_THREADS_ARE_FREE: Rank = (2, 0, "")

# A page is decoded to about ten times its bytes; two per thread are enough to keep all threads busy.
ANSWERS_PER_THREAD = 2
MAX_ANSWER_BYTES = 64 * 1024 * 1024


def page_rank(pages_read: int) -> Rank:
    """The rank of a page of assets: the listing of which the fewest pages have been read goes first."""
    return 1, pages_read, ""


def range_rank(last_code: str) -> Rank:
    """The rank of a page of a range where few families are read.

    Pages come in the order of codes, so the range with the lowest code so far has the most still to come. It goes
    first, so that it is not read alone at the end. Listings that are not cut go before, since each takes longer.
    """
    return 1, 1, last_code


class Getter(Protocol):
    """The part of the client that the fetcher needs."""

    def get(self, path: str, query: str, *, read: Read) -> Answer[Any]:
        """Answer a request, or raise what stands in its way."""

    def begin(self, path: str, query: str, *, read: Read) -> Exchange[Any] | None:
        """Send a request if nothing has to be waited for."""


@dataclass(slots=True)
class _Job:
    """Something to do, and the future of what comes of it.

    Attributes:
        future: gives the future; None when nobody holds it any more.
        work: does it, on a worker thread.
        begin: sends a request if nothing has to be waited for.
    """

    future: Callable[[], asyncio.Future[Any] | None]
    work: Callable[[], Any]
    begin: Callable[[], Exchange[Any] | None] = lambda: None


class Fetcher:
    """Sends a bounded number of requests at a time; to be made and used on the thread of a running event loop.

    Answers that somebody holds are bounded too: while there are many, one request at a time is in flight.

    Args:
        client: answers requests; called from several threads.
        max_concurrency: the number of requests in flight.
    """

    def __init__(self, client: Getter, max_concurrency: int) -> None:
        self._client = client
        self._max_concurrency = max_concurrency
        self._max_answers = ANSWERS_PER_THREAD * max_concurrency
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._pool = ThreadPoolExecutor(max_concurrency, thread_name_prefix="akeneo")
        self._queue: list[tuple[Rank, int, _Job]] = []
        self._order = itertools.count()
        self._files: deque[_Job] = deque()
        self._in_flight = 0
        self._watched: dict[Exchange[Any], tuple[_Job, asyncio.TimerHandle]] = {}
        self._one_ended = asyncio.Event()
        self._answers = 0
        self._answer_bytes = 0

    def fetch(self, path: str, query: str = "", *, rank: Rank, read: Read) -> asyncio.Future[Answer[Any]]:
        """Ask for something when its turn comes.

        Args:
            path: below the API's root, encoded.
            query: encoded, without `?`.
            rank: the lowest goes first; of equal ones the first.
            read: reads the body, on any thread; see `Client.get`.

        Returns:
            The answer to come; awaiting it raises what `Client.get` raises. Drop it if nobody will await it: then it
            is not asked for.
        """
        answer: asyncio.Future[Answer[Any]] = self._loop.create_future()
        get, begin = self._client.get, self._client.begin
        job = _Job(weakref.ref(answer), partial(get, path, query, read=read), partial(begin, path, query, read=read))
        heapq.heappush(self._queue, (rank, next(self._order), job))
        self._send()
        return answer

    def store(self, store: Callable[[], T]) -> asyncio.Future[T]:
        """Store a file when its turn comes: when no request is waiting, or too many answers are held.

        Args:
            store: downloads and stores it, on a worker thread.

        Returns:
            What `store` gives; awaiting it raises what `store` raises.
        """
        stored: asyncio.Future[T] = self._loop.create_future()
        self._files.append(_Job(lambda: stored, store))
        self._send()
        return stored

    def close(self) -> None:
        """Send nothing more; what is in flight is given up, but for what worker threads do, which ends by itself."""
        self._stop_sending()
        for exchange in list(self._watched):
            self._stop_watching(exchange)
            exchange.abandon()
            self._in_flight -= 1
        self._pool.shutdown(wait=False, cancel_futures=True)

    def hand_over_what_is_late(self) -> None:
        """Leave to threads what has been watched for long; for who keeps the event loop waiting.

        A server would not wait as long until somebody takes its answers.
        """
        for exchange, (_, hand_over) in list(self._watched.items()):
            if hand_over.when() <= self._loop.time():
                self._hand_over(exchange)

    async def wait_until_idle(self, seconds: float) -> None:
        """Send nothing more, and wait until nothing is in flight any more, so many seconds at most."""
        self._stop_sending()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._in_flight:
                    self._one_ended.clear()
                    await self._one_ended.wait()

    def _stop_sending(self) -> None:
        self._queue.clear()
        self._files.clear()

    def _send(self) -> None:
        while self._in_flight < self._max_concurrency:
            job = self._next_job()
            if job is None:
                return
            self._in_flight += 1
            self._start(job)

    def _next_job(self) -> _Job | None:
        while self._queue and self._has_room():
            *_, job = heapq.heappop(self._queue)
            if job.future() is not None:
                return job
        return self._files.popleft() if self._files else None

    def _has_room(self) -> bool:
        # Whoever holds an answer may wait for another request, so there must always be one.
        return not self._in_flight or (self._answers < self._max_answers and self._answer_bytes < MAX_ANSWER_BYTES)

    def _start(self, job: _Job) -> None:
        exchange = _outcome(job.begin)
        if isinstance(exchange, BaseException):
            self._loop.call_soon(self._end, job, exchange)
        elif exchange is None:
            self._leave_to_thread(job, job.work)
        else:
            self._loop.add_reader(exchange.fileno(), self._on_arrival, exchange)
            self._watched[exchange] = job, self._loop.call_later(exchange.patience, self._hand_over, exchange)

    def _on_arrival(self, exchange: Exchange[Any]) -> None:
        """Take what has come of an answer, and read it if that is all."""
        arrival = _outcome(exchange.take)
        if isinstance(arrival, BaseException):
            job = self._stop_watching(exchange)
            exchange.abandon()
            self._end(job, arrival)
        elif arrival is Arrival.UNKNOWN:
            self._hand_over(exchange)
        elif arrival is Arrival.WHOLE:
            job = self._stop_watching(exchange)
            outcome = _outcome(exchange.answer_now)
            if outcome is None:
                self._leave_to_thread(job, exchange.answer, exchange)
            else:
                self._end(job, outcome)

    def _hand_over(self, exchange: Exchange[Any]) -> None:
        job = self._stop_watching(exchange)
        self._leave_to_thread(job, exchange.answer, exchange)

    def _stop_watching(self, exchange: Exchange[Any]) -> _Job:
        self._loop.remove_reader(exchange.fileno())
        job, hand_over = self._watched.pop(exchange)
        hand_over.cancel()
        return job

    def _leave_to_thread(self, job: _Job, work: Callable[[], Any], exchange: Exchange[Any] | None = None) -> None:
        self._pool.submit(self._do, job, work).add_done_callback(partial(self._give_up_if_cancelled, exchange))

    def _give_up_if_cancelled(self, exchange: Exchange[Any] | None, done: Future[None]) -> None:
        """Give up what no thread had begun when the pool was shut down, on the thread that did so."""
        if done.cancelled():
            self._in_flight -= 1
            if exchange:
                exchange.abandon()

    def _do(self, job: _Job, work: Callable[[], Any]) -> None:
        """Do a job, on a worker thread."""
        outcome = _outcome(work)
        with suppress(RuntimeError):  # the loop is closed: the run has ended
            self._loop.call_soon_threadsafe(self._end, job, outcome)

    def _end(self, job: _Job, outcome: Any) -> None:  # noqa: ANN401  # whatever a job gives
        self._in_flight -= 1
        self._one_ended.set()
        future = job.future()
        if future is None or future.cancelled():
            pass
        elif isinstance(outcome, BaseException):
            future.set_exception(outcome)
            future.exception()  # so that asyncio does not complain if nobody comes to await it
        else:
            if isinstance(outcome, Answer):
                self._answers += 1
                self._answer_bytes += outcome.size
                weakref.finalize(future, self._release, outcome.size).atexit = False
            future.set_result(outcome)
        self._send()

    def _release(self, size: int) -> None:
        """An answer is not held any more; any thread may be the one that notices."""
        is_ours = threading.get_ident() == self._thread
        call_soon = self._loop.call_soon if is_ours else self._loop.call_soon_threadsafe  # which costs system calls
        with suppress(RuntimeError):  # the loop is closed: the run has ended
            call_soon(self._make_room, size)

    def _make_room(self, size: int) -> None:
        self._answers -= 1
        self._answer_bytes -= size
        self._send()


def _outcome(work: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever a job gives
    try:
        return work()
    except BaseException as error:  # noqa: BLE001  # it is raised where the future is awaited
        return error
