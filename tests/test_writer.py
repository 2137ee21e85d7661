"""Writing: whole lines whatever stdout does to them, and STATE as often as it is worth."""

from __future__ import annotations

import io
import json
import sys
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib.messages import StateMessage

from tap_akeneo_assets.errors import Stopped
from tap_akeneo_assets.singer.state_budget import STATE_BYTES_A_RUN, STATE_SECONDS, STATE_SHARE, StateBudget
from tap_akeneo_assets.singer.writer import CHUNK_BYTES, ChunkWriter
from tests.support import captured_stdout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAWS = settings(deadline=None, max_examples=100)
ALIVE: dict[str, Any] = {"bookmarks": {"assets": {}}}
LATER: dict[str, Any] = {"bookmarks": {"assets": {"partitions": []}}}


class Pipe(io.RawIOBase):
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
def stdout_is(pipe: Pipe) -> Iterator[Pipe]:
    before, sys.stdout = sys.stdout, io.TextIOWrapper(io.BufferedWriter(pipe))
    try:
        yield pipe
    finally:
        sys.stdout = before


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
    with stdout_is(Pipe(lambda _: taken)) as pipe:
        writer = ChunkWriter()
        write(writer, *sizes)
        writer.write_message(StateMessage(value=LATER))
    *records, state = pipe.lines
    assert [len(record["record"]["code"]) for record in records] == sizes
    assert state["value"] == LATER


@settings(LAWS)
@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=5), st.integers(50, 20_000), st.integers(0, 30))
def test_in_a_hurry_the_line_is_ended_and_the_rest_let_go(sizes: list[int], taken: int, writes: int) -> None:
    with stdout_is(Pipe(lambda _: taken)) as pipe:
        writer = ChunkWriter()
        writer.fall_back_to(ALIVE)
        writer.hurry = lambda: pipe.writes >= writes
        try:
            write(writer, *sizes)
            writer.write_message(StateMessage(value=LATER))
            state = LATER
        except Stopped:
            state = ALIVE
            writer.repeat_last_state()
    *records, last = pipe.lines
    assert last == {"type": "STATE", "value": state}
    assert [len(record["record"]["code"]) for record in records] == sizes[: len(records)]


def test_the_last_state_is_the_last_that_was_written_whole() -> None:
    with stdout_is(Pipe(lambda offered: offered)) as pipe:
        writer = ChunkWriter()
        writer.fall_back_to({})
        writer.write_message(StateMessage(value=ALIVE))
        write(writer, 10)
        writer.flush()
        writer.hurry = lambda: True
        write(writer, 20)
        with pytest.raises(Stopped):
            writer.write_message(StateMessage(value=LATER))
        writer.repeat_last_state()
    assert [line.get("value") for line in pipe.lines] == [ALIVE, None, ALIVE]


def test_a_state_that_is_the_last_line_is_not_repeated() -> None:
    with stdout_is(Pipe(lambda offered: offered)) as pipe:
        writer = ChunkWriter()
        writer.fall_back_to({})
        writer.write_message(StateMessage(value=ALIVE))
        write(writer, 10)
        writer.repeat_last_state()
    assert [line["value"] for line in pipe.lines] == [ALIVE]


def test_a_reader_that_is_gone_is_told_of() -> None:
    def gone(_: int) -> int:
        raise BrokenPipeError

    writer = ChunkWriter()
    with stdout_is(Pipe(gone)):
        write(writer, 10)
        with pytest.raises(BrokenPipeError):
            writer.flush()


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
