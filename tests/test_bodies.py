"""Bodies: each once in memory, and few large ones at a time."""

from __future__ import annotations

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tap_akeneo_assets.errors import Stopped
from tap_akeneo_assets.pim import bodies
from tap_akeneo_assets.pim.bodies import Bodies

if TYPE_CHECKING:
    from collections.abc import Iterator


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
            with reader.read([b"d" * 16], may_wait=False) as body:
                assert body == b"d" * 16
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
