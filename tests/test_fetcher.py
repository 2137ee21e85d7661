"""The fetcher: how many requests are in flight, which go first, who gets an error, and what memory answers take."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_akeneo_assets.errors import RequestFailed, Stopped
from tap_akeneo_assets.extract.fetcher import ANSWERS_PER_THREAD, MAX_ANSWER_BYTES, Fetcher
from tap_akeneo_assets.pim.exchange import Answer, Exchange
from tests.raw_server import client_of, interim, own_path, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from tap_akeneo_assets.extract.fetcher import Getter, Read
    from tap_akeneo_assets.pim.arrival import Arrival
    from tests.raw_server import Server


class Pim:
    """Answers with the path that was asked for; `hold` makes requests wait until so many are in flight."""

    def __init__(self, hold: int = 1, size: int = 1) -> None:
        self.paths: list[str] = []
        self.in_flight_at: list[int] = []
        self._in_flight = 0
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(hold, timeout=30)
        self._size = size

    def begin(self, path: str, query: str, *, read: Read) -> Exchange[Any] | None:
        """Leave everything to threads."""

    def get(self, path: str, query: str, *, read: Read) -> Answer[Any]:
        with self._lock:
            self.paths.append(path + query)
            self._in_flight += 1
            self.in_flight_at.append(self._in_flight)
        self._barrier.wait()
        with self._lock:
            self._in_flight -= 1
        if path == "bad":
            raise RequestFailed("no")
        return Answer(read(path.encode()), self._size, None, 0.0)


def run(pim: Getter, max_concurrency: int, main: Callable[[Fetcher], Coroutine[Any, Any, None]]) -> None:
    async def with_fetcher() -> None:
        fetcher = Fetcher(pim, max_concurrency)
        try:
            await asyncio.wait_for(main(fetcher), timeout=60)
        finally:
            fetcher.close()

    asyncio.run(with_fetcher())


def fetch(fetcher: Fetcher, path: str, rank: int = 0) -> asyncio.Future[Answer[Any]]:
    return fetcher.fetch(path, rank=(rank, 0, ""), read=bytes.decode)


async def read_all(fetcher: Fetcher, paths: Iterable[str]) -> list[str]:
    """The answers, none of which is held for long."""

    async def read_one(path: str) -> str:
        return str((await fetch(fetcher, path)).data)

    return await asyncio.gather(*map(read_one, paths))


def test_as_many_requests_as_allowed_are_in_flight_and_no_more() -> None:
    pim = Pim(hold=3)

    async def read(fetcher: Fetcher) -> None:
        assert await read_all(fetcher, map(str, range(9))) == [str(number) for number in range(9)]

    run(pim, 3, read)
    assert max(pim.in_flight_at) == 3


def test_the_lowest_rank_goes_first_and_equal_ones_in_order() -> None:
    pim = Pim()

    async def read(fetcher: Fetcher) -> None:
        for answer in [fetch(fetcher, path, rank) for path, rank in zip("abcd", (0, 2, 1, 1), strict=True)]:
            await answer

    run(pim, 1, read)
    assert pim.paths == ["a", "c", "d", "b"]


def test_an_error_is_raised_where_the_answer_is_awaited() -> None:
    async def read(fetcher: Fetcher) -> None:
        bad, good = fetch(fetcher, "bad"), fetch(fetcher, "good")
        assert (await good).data == "good"
        with pytest.raises(RequestFailed):
            await bad

    run(Pim(), 2, read)


def test_what_the_reader_of_a_body_raises_is_raised_where_the_answer_is_awaited() -> None:
    def read_body(_: bytes) -> None:
        raise RequestFailed("of no use")

    async def read(fetcher: Fetcher) -> None:
        with pytest.raises(RequestFailed, match="of no use"):
            await fetcher.fetch("page", rank=(0, 0, ""), read=read_body)

    run(Pim(), 1, read)


def test_several_tasks_may_await_one_answer() -> None:
    pim = Pim()

    async def read(fetcher: Fetcher) -> None:
        shared = fetch(fetcher, "shared")

        async def wait() -> str:
            return str((await shared).data)

        assert list(await asyncio.gather(wait(), wait())) == ["shared", "shared"]

    run(pim, 2, read)
    assert pim.paths == ["shared"]


def test_what_nobody_waits_for_is_not_asked_for() -> None:
    pim = Pim()

    async def read(fetcher: Fetcher) -> None:
        first, dropped, last = (fetch(fetcher, path) for path in ("first", "dropped", "last"))
        del dropped
        await first
        await last

    run(pim, 1, read)
    assert pim.paths == ["first", "last"]


@pytest.mark.parametrize(("size", "answers"), [(MAX_ANSWER_BYTES, 1), (1, 2 * ANSWERS_PER_THREAD)])
def test_one_request_at_a_time_is_in_flight_while_many_answers_are_held(size: int, answers: int) -> None:
    pim = Pim(size=size)

    async def read(fetcher: Fetcher) -> None:
        held = []
        for number in range(answers):
            held.append(fetch(fetcher, f"held {number}"))
            await held[-1]
        for answer in [fetch(fetcher, f"further {number}") for number in range(4)]:
            await answer

    run(pim, 2, read)
    assert pim.in_flight_at[answers:] == [1, 1, 1, 1]


@pytest.mark.parametrize("fails", [False, True])
def test_answers_that_nobody_holds_take_no_room(fails: bool) -> None:  # noqa: FBT001
    """This PIM answers requests in pairs only, so that the test ends only if two are in flight to the end."""
    pim = Pim(hold=2, size=MAX_ANSWER_BYTES // 4)

    async def careless(fetcher: Fetcher) -> None:
        answers = [fetch(fetcher, "page") for _ in range(4)]
        await answers.pop()
        await answers[0]
        if fails:
            raise RequestFailed("no")

    async def read(fetcher: Fetcher) -> None:
        for _ in range(6):
            await asyncio.gather(careless(fetcher), return_exceptions=True)
            gc.collect()

    run(pim, 2, read)
    assert min(pim.in_flight_at[-2:]) >= 1


def test_whatever_stands_in_the_way_of_a_request_is_raised_where_its_answer_is_awaited() -> None:
    class Broken(Pim):
        def begin(self, path: str, query: str, *, read: Read) -> None:
            raise LookupError(path, query, read)

    async def read(fetcher: Fetcher) -> None:
        for _ in range(2):
            with pytest.raises(LookupError):
                await fetch(fetcher, "page")

    run(Broken(), 1, read)


def test_whatever_stands_in_the_way_of_an_answer_is_raised_where_it_is_awaited() -> None:
    class Broken(Exchange[Any]):
        def __init__(self, socket: socket.socket) -> None:
            self.patience = 60
            self.fileno = socket.fileno  # type: ignore[method-assign]
            self.is_given_up = False

        def take(self) -> Arrival:
            raise LookupError

        def abandon(self) -> None:
            self.is_given_up = True

    class Coming(Pim):
        def begin(self, *_: object, **__: object) -> Exchange[Any]:
            return exchange

    async def read(fetcher: Fetcher) -> None:
        for _ in range(2):
            with pytest.raises(LookupError):
                await fetch(fetcher, "page")

    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"HTTP/1.1 200 OK")
        exchange = Broken(near)
        run(Coming(), 1, read)
    assert exchange.is_given_up


# Together with the client, on connections that are used again


def test_requests_on_open_connections_are_as_many_as_allowed(server: Server) -> None:
    """This server answers requests in threes only."""
    lock, together, in_flight = threading.Lock(), threading.Barrier(3, timeout=30), [0]

    def answer(path: str) -> Iterator[bytes]:
        with lock:
            in_flight.append(in_flight[-1] + 1)
        together.wait()
        with lock:
            in_flight.append(in_flight[-1] - 1)
        yield whole(own_path(path))

    async def read(fetcher: Fetcher) -> None:
        await read_all(fetcher, [f"/{number}" for number in range(12)])

    server.answer = answer
    with client_of(server.url) as client:
        run(client, 3, read)
    assert max(in_flight) == len(server.connections) == 3


def test_an_answer_that_comes_slowly_holds_up_no_other(server: Server) -> None:
    """Its last bytes come when all others have been asked for."""
    others = [f"/{number}" for number in range(9)]

    def answer(path: str) -> Iterator[bytes]:
        if path == "/slow":
            yield whole(own_path(path))[:-5]
            for drop in server.drip(b""):
                yield drop
                if set(others) <= set(server.asked):
                    break
            yield whole(own_path(path))[-5:]
        else:
            yield whole(own_path(path))

    async def read(fetcher: Fetcher) -> None:
        for path in ("/before", "/too"):
            await fetch(fetcher, path)
        await read_all(fetcher, ["/slow", *others])

    server.answer = answer
    with client_of(server.url) as client:
        run(client, 2, read)


def test_threads_take_the_answers_while_the_event_loop_waits_for_something_else(server: Server) -> None:
    """For a target that takes nothing. The answer is longer than all buffers on its way."""
    body, taken = b"x" * 16_000_000, threading.Event()

    def answer(path: str) -> Iterator[bytes]:
        yield whole(body if path == "/long" else own_path(path))
        if path == "/long":
            taken.set()

    async def read(fetcher: Fetcher) -> None:
        await fetch(fetcher, "/before")
        answer = fetch(fetcher, "/long")
        for _ in range(3_000):
            fetcher.hand_over_what_is_late()
            if taken.wait(0.01):
                break
        assert taken.is_set()
        assert (await answer).size == len(body)

    server.answer = answer
    with client_of(server.url) as client:
        run(client, 1, read)


def test_what_is_in_flight_is_given_up_when_the_fetcher_is_closed(server: Server) -> None:
    closed = threading.Event()

    async def read(fetcher: Fetcher) -> None:
        await fetch(fetcher, "/before")
        never = fetch(fetcher, "/never")
        fetcher.close()
        await fetcher.wait_until_idle(120)
        assert not never.done()

    def answer(path: str) -> Iterator[bytes]:
        if path == "/before":
            yield whole(own_path(path))
        elif not server.connections[0].recv(1):
            closed.set()

    server.answer = answer
    with client_of(server.url) as client:
        run(client, 1, read)
        assert closed.wait(30)


def test_connections_are_closed_whatever_is_in_flight_at_the_end(server: Server) -> None:
    """Some of the exchanges are watched then, some are left to a thread that has begun with them or has not."""

    async def read(fetcher: Fetcher) -> None:
        await fetch(fetcher, "/before")
        coming = fetch(fetcher, "/never")
        for _ in range(next(steps)):
            await asyncio.sleep(0)
        fetcher.close()
        assert not coming.done()

    def answer(path: str) -> Iterator[bytes]:
        yield whole(own_path(path)) if path == "/before" else interim(103)

    steps = iter([0, 1, 2, 3, 5, 8, 13, 21, 34, 55] * 5)
    server.answer = answer
    for _ in range(50):
        with client_of(server.url, stop=(stop := threading.Event())) as client:
            run(client, 1, read)
            stop.set()
    gc.collect()  # which would complain of a socket


def test_the_end_of_the_run_is_raised_where_answers_are_awaited(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()

    async def read(fetcher: Fetcher) -> None:
        await fetch(fetcher, "/before")
        stop.set()
        for answer in [fetch(fetcher, path) for path in ("/a", "/b")]:
            with pytest.raises(Stopped):
                await answer

    with client_of(server.url, stop=stop) as client:
        run(client, 1, read)
    assert server.asked == ["/before"]
    assert not caplog.messages
