"""Writing: whole lines whatever stdout does to them, and STATE as often as it is worth."""

from __future__ import annotations

import fcntl
import io
import json
import os
import struct
import sys
import termios
from contextlib import contextmanager, suppress
from decimal import Decimal
from io import FileIO
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib.messages import SchemaMessage, StateMessage

from tap_akeneo_assets.errors import OutputLost, Stopped
from tap_akeneo_assets.singer.pipe import LONGEST_NAP_SECONDS, PIPE_BYTES, Pipe
from tap_akeneo_assets.singer.state_budget import STATE_BYTES_A_RUN, STATE_SECONDS, STATE_SHARE, StateBudget
from tap_akeneo_assets.singer.writer import CHUNK_BYTES, ChunkWriter
from tests.support import captured_stdout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RawFile = TypeVar("RawFile", bound=io.RawIOBase)
LAWS = settings(deadline=None, max_examples=100)
ALIVE: dict[str, Any] = {"bookmarks": {"assets": {}}}
LATER: dict[str, Any] = {"bookmarks": {"assets": {"partitions": []}}}


class Stdout(io.RawIOBase):
    """A raw stdout that takes as much of each write as it likes, as a pipe does after a signal.

    Args:
        takes: gives the number of bytes to take, told how many are offered.
    """

    def __init__(self, takes: Callable[[int], int]) -> None:
        super().__init__()
        self._takes = takes
        self.received = bytearray()
        self.writes = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:  # noqa: ANN401  # any buffer
        self.writes += 1
        taken = bytes(piece)[: self._takes(len(piece))]
        self.received += taken
        return len(taken)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines received, each of which must be whole."""
        assert self.received.endswith(b"\n") or not self.received
        return [json.loads(line) for line in self.received.splitlines()]


@contextmanager
def stdout_is(file: RawFile) -> Iterator[RawFile]:
    before, sys.stdout = sys.stdout, io.TextIOWrapper(io.BufferedWriter(file))
    try:
        yield file
    finally:
        sys.stdout.detach()
        sys.stdout = before


def no_time() -> None:
    raise Stopped


def write(writer: ChunkWriter, *sizes: int) -> None:
    """Write a record of each size."""
    writer.write_records("assets", [{"code": "x" * size} for size in sizes], {"time_extracted": "now"})


def test_records_wait_for_each_other_and_a_state_for_none() -> None:
    writer = ChunkWriter()
    with captured_stdout() as output:
        write(writer, 10)
        assert not output.getvalue()
        writer.write_message(StateMessage(value=ALIVE))
        assert [json.loads(line)["type"] for line in output.getvalue().splitlines()] == ["RECORD", "STATE"]
        write(writer, CHUNK_BYTES)
        assert len(output.getvalue()) > CHUNK_BYTES
        assert writer.bytes_written == len(output.getvalue())


def test_a_record_is_written_with_all_that_the_message_holds() -> None:
    writer = ChunkWriter()
    record = {"code": 'é "\n\u2028', "number": Decimal("1234567890.12345678901234567890"), "big": 10**40, "none": None}
    with captured_stdout() as output:
        writer.write_records("as\u00e9ts", [record], {"time_extracted": "now", "version": 7})
        writer.flush()
    assert json.loads(output.getvalue(), parse_float=Decimal) == {
        "type": "RECORD",
        "stream": "as\u00e9ts",
        "record": record,
        "time_extracted": "now",
        "version": 7,
    }


def test_a_record_nested_beyond_reason_leaves_no_trace() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"": deep}
    writer = ChunkWriter()
    with captured_stdout() as output:
        write(writer, 1)
        with pytest.raises(RecursionError):
            writer.write_records("assets", [deep], {})
        write(writer, 2)
        writer.flush()
    assert [json.loads(line)["record"] for line in output.getvalue().splitlines()] == [{"code": "x"}, {"code": "xx"}]
    while deep:  # else Python frees it by recursion
        deep = deep[""]


@settings(LAWS)
@given(st.lists(st.integers(0, 70_000), max_size=5), st.integers(50, 20_000))
def test_lines_are_whole_however_little_is_taken_at_once(sizes: list[int], taken: int) -> None:
    with stdout_is(Stdout(lambda _: taken)) as stdout:
        writer = ChunkWriter()
        write(writer, *sizes)
        writer.write_message(StateMessage(value=LATER))
    *records, state = stdout.lines
    assert [len(record["record"]["code"]) for record in records] == sizes
    assert state["value"] == LATER


@settings(LAWS)
@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=5), st.integers(50, 20_000), st.integers(0, 30))
def test_without_time_the_line_is_ended_and_the_rest_dropped(sizes: list[int], taken: int, writes: int) -> None:
    with stdout_is(Stdout(lambda _: taken)) as stdout:
        writer = ChunkWriter()
        writer.fall_back_to(ALIVE)

        def check_time() -> None:
            if stdout.writes >= writes:
                raise Stopped

        writer.check_time = check_time
        try:
            write(writer, *sizes)
            writer.write_message(StateMessage(value=LATER))
            state = LATER
        except Stopped:
            state = ALIVE
            writer.repeat_last_state()
    *records, last = stdout.lines
    assert last == {"type": "STATE", "value": state}
    assert [len(record["record"]["code"]) for record in records] == sizes[: len(records)]


def test_the_last_state_is_the_last_that_was_written_whole() -> None:
    with stdout_is(Stdout(lambda offered: offered)) as stdout:
        writer = ChunkWriter()
        writer.fall_back_to({})
        writer.write_message(StateMessage(value=ALIVE))
        write(writer, 10)
        writer.flush()
        writer.check_time = no_time
        write(writer, 20)
        with pytest.raises(Stopped):
            writer.write_message(StateMessage(value=LATER))
        writer.repeat_last_state()
    assert [line.get("value") for line in stdout.lines] == [ALIVE, None, ALIVE]


def test_a_state_that_is_the_last_line_is_not_repeated() -> None:
    with stdout_is(Stdout(lambda offered: offered)) as stdout:
        writer = ChunkWriter()
        writer.fall_back_to({})
        writer.write_message(StateMessage(value=ALIVE))
        write(writer, 10)
        writer.repeat_last_state()
    assert [line["value"] for line in stdout.lines] == [ALIVE]


def test_a_reader_that_is_gone_ends_the_run_in_plain_words() -> None:
    def gone(_: int) -> int:
        raise BrokenPipeError

    writer = ChunkWriter()
    with stdout_is(Stdout(gone)):
        write(writer, 10)
        with pytest.raises(OutputLost, match="the target has closed its input"):
            writer.flush()


# What a pipe takes


linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells how full a pipe is")


class Reader:
    """The reading end of a pipe, which reads while the writing end sleeps.

    Args:
        capacity: of the pipe, in bytes, whatever the system allows.
        speed: bytes per second.
    """

    def __init__(self, capacity: int = PIPE_BYTES, speed: float = 0) -> None:
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, capacity)
        self.speed = speed
        self.naps: list[float] = []
        self.seconds = 0.0
        self.starved = 0
        self.received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self.reading, self.writing):
            with suppress(OSError):
                os.close(end)

    def pipe(self, capacity: int = PIPE_BYTES) -> Pipe:
        return Pipe(FileIO(self.writing, "wb", closefd=False), self.sleep, capacity)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds
        self.take(int(self.seconds * self.speed) - len(self.received))

    def take(self, size: int) -> None:
        unread = self.unread
        self.starved += size > unread
        while size > 0 and unread > 0:
            piece = os.read(self.reading, min(size, unread))
            self.received += piece
            size, unread = size - len(piece), unread - len(piece)

    @property
    def unread(self) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self.reading, termios.FIONREAD, bytes(4)))[0])


def never() -> None:
    """There is time."""


@linux
@settings(LAWS)
@given(
    st.lists(st.tuples(st.integers(1, 20_000), st.integers(0, 30_000)), max_size=150), st.sampled_from([65_536, 2**18])
)
def test_what_a_pipe_has_room_for_it_takes_at_once(steps: list[tuple[int, int]], capacity: int) -> None:
    with Reader(capacity) as reader:
        pipe, written = reader.pipe(capacity), 0
        os.set_blocking(reader.writing, False)
        for size, taken in steps:
            if pipe.has_room(size):
                pipe.write(bytes(size))
                written += size
                assert reader.naps == [], "it had no room"
            reader.take(min(taken, reader.unread))
        assert written == len(reader.received) + reader.unread
        reader.take(reader.unread)
        assert pipe.has_room(capacity)
        assert not pipe.can_hold(capacity + 1)


@linux
def test_a_pipe_is_made_as_large_as_linux_grants_to_everybody() -> None:
    with Reader(65_536) as reader:
        pipe = reader.pipe()
        assert fcntl.fcntl(reader.writing, fcntl.F_GETPIPE_SZ) == PIPE_BYTES
        assert pipe.can_hold(PIPE_BYTES)


@linux
def test_what_others_have_put_into_a_pipe_is_reckoned_with() -> None:
    with Reader() as reader:
        os.write(reader.writing, bytes(100))
        pipe = reader.pipe()
        assert pipe.has_room(PIPE_BYTES // 2)
        assert not pipe.has_room(PIPE_BYTES - 4096)
        reader.take(100)
        assert pipe.has_room(PIPE_BYTES)


@linux
@pytest.mark.parametrize("speed", [0, 1e4, 1e6, 1e8, 1e9])
def test_waiting_costs_few_looks_and_starves_no_steady_reader(speed: float) -> None:
    with Reader(speed=speed) as reader:
        pipe, size = reader.pipe(), 16_000
        while reader.seconds < 60 and len(reader.received) < 50_000_000:

            def enough() -> None:
                if reader.seconds > 60:
                    raise Stopped

            with suppress(Stopped):
                pipe.wait_for_room(size, 40_000, enough)
                pipe.write(bytes(size))
        # A look costs less than 0.1 ms: 100 in a second, or 12 for each half of the pipe, are less than 1 % of a core.
        assert len(reader.naps) <= 100 * reader.seconds + 12 * (len(reader.received) / PIPE_BYTES * 2 + 1)
        assert max(reader.naps) <= LONGEST_NAP_SECONDS
        assert reader.starved == 0 or speed > 1e7


@linux
def test_a_pipe_that_nobody_reads_has_room_to_tell_so() -> None:
    with Reader() as reader:
        pipe = reader.pipe()
        pipe.write(bytes(PIPE_BYTES))
        assert not pipe.has_room(1)
        os.close(reader.reading)
        pipe.wait_for_room(1, 0, never)
        with pytest.raises(BrokenPipeError):
            pipe.write(b"x")


@linux
def test_what_is_larger_than_the_pipe_waits_until_the_reader_has_begun_to_read() -> None:
    with Reader() as reader:
        pipe = reader.pipe()
        assert not pipe.has_room(PIPE_BYTES + 1)
        pipe.write(b"SCHEMA\n")
        assert not pipe.has_room(PIPE_BYTES + 1)
        reader.take(7)
        assert pipe.has_room(PIPE_BYTES + 1)


@linux
@settings(LAWS)
@given(
    st.integers(0, 400_000),
    st.lists(st.integers(0, 60_000), max_size=40),
    st.integers(0, 300),
    st.sampled_from([0, 1e5, 1e8]),
)
def test_a_signal_leaves_whole_lines_whatever_the_reader_does(
    state: int, sizes: list[int], naps: int, speed: float
) -> None:
    """In a pipe that stays small; a line that is larger is begun only while its reader reads."""
    large = {"bookmarks": "x" * state}
    with Reader(65_536, speed) as reader:
        os.set_blocking(reader.writing, False)
        stdout = FileIO(reader.writing, "wb", closefd=False)

        def check_time() -> None:
            if len(reader.naps) >= naps:
                raise Stopped

        with stdout_is(stdout):
            writer = ChunkWriter(lambda file: Pipe(file, reader.sleep, 65_536))
            writer.check_time = check_time
            try:
                writer.write_message(StateMessage(value=large))
                writer.write_message(SchemaMessage("assets", {}, []))
                write(writer, *sizes)
                writer.write_message(StateMessage(value=LATER))
            except Stopped:
                writer.repeat_last_state()
        reader.take(reader.unread)
    assert reader.received.endswith(b"\n") or not reader.received
    assert all(json.loads(line) for line in reader.received.splitlines())


# When a STATE is due


class Time:
    """A clock that goes forward as told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_state_is_due_after_some_time() -> None:
    time = Time()
    budget = StateBudget(time)
    time.now = STATE_SECONDS - 0.1
    assert not budget.is_due(9_999, 0)
    time.now = STATE_SECONDS
    assert budget.is_due(0, 0)
    budget.spend(1_000, 0)
    assert not budget.is_due(0, 0)
    time.now *= 2
    assert budget.is_due(0, 0)


def test_a_state_is_due_after_many_records() -> None:
    budget = StateBudget(Time())
    assert budget.is_due(10_000, 0)
    budget.spend(1_000, 10_000)
    assert not budget.is_due(19_999, 0)
    assert budget.is_due(20_000, 0)


def test_the_larger_a_state_the_rarer() -> None:
    time = Time()
    budget = StateBudget(time)
    budget.spend(258_000, 0)  # 2,000 families
    time.now = 25
    assert not budget.is_due(0, 0)
    time.now = 26
    assert budget.is_due(0, 0)


@settings(LAWS)
@given(
    st.integers(100, 3_000_000),
    st.lists(st.tuples(st.floats(0, 60), st.integers(0, 50_000), st.integers(0, 5_000_000)), max_size=200),
    st.floats(1, 1.07),
)
def test_all_states_together_stay_small(first: int, steps: list[tuple[float, int, int]], growth: float) -> None:
    time = Time()
    budget = StateBudget(time)
    budget.spend(first, 0)  # the one that a run begins with
    records = written = 0
    size = float(first)
    for seconds, more_records, more_bytes in steps:
        time.now += seconds
        records, written = records + more_records, written + more_bytes
        if budget.is_due(records, written):
            size *= growth
            budget.spend(int(size), records)
    last = int(size * growth)
    if first + last < STATE_BYTES_A_RUN:
        assert budget.spent + last <= max(STATE_BYTES_A_RUN, written // STATE_SHARE)


def test_a_run_that_writes_much_may_spend_more() -> None:
    budget = StateBudget(Time())
    budget.spend(2_000_000, 0)
    assert not budget.is_due(10_000, 50_000_000)
    assert budget.is_due(10_000, 80_000_000)
