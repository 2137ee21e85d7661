"""How a process ends: by a signal, without a reader, killed; and that the next run goes on from there.

A signal is sent when the PIM gets its n-th request, so that every moment can be had again.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tap_akeneo_assets.sandbox import Options, Pim
from tap_akeneo_assets.sandbox.faults import Faults, slow, status
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.singer.pipe import PIPE_BYTES
from tests.support import Outcome, environment, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tap_akeneo_assets.sandbox.records import RequestRecord

TAP = (sys.executable, "-m", "tap_akeneo_assets", "--config=ENV")
OFTEN = """
from tap_akeneo_assets.tap import TapAkeneoAssets, main
TapAkeneoAssets.state_seconds, TapAkeneoAssets.state_records = 0, 1
main()
"""
TAP_WITH_MANY_STATES = (sys.executable, "-c", OFTEN, "--config=ENV")
# Far more than 3 s, for the machine may be busy, and far less than what an ending must not wait for.
PATIENCE_SECONDS = 30
BYTES_A_PIPE_HOLDS = 65_536
CHOOSE = Random(20261125)  # noqa: S311  # which moments are tried

KEYS = ("asset_family_code", "attribute_code", "asset_code", "value_key", "code")


def pim_of(families: int, assets: int, text: str = "", **options: Any) -> Pim:  # noqa: ANN401  # the options' own
    """A PIM with assets of one text each."""
    pim = Pim(Options(page_size=10, **options))
    for number in range(families):
        family = f"family_{number}"
        pim.save_family(family)
        pim.save_attribute(family, "title", type="text")
        for asset in range(assets):
            values = {"title": [{"locale": None, "channel": None, "data": f"{asset} {text}"}]}
            updated = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=asset)
            pim.save_asset(family, f"asset_{asset}", values, updated=updated)
    return pim


@dataclass
class Process:
    """A run of the tap as a process, of which stdout and stderr are read by threads.

    Attributes:
        reads: lets the reader of stdout go on; it does not begin before.
        output: what stdout has given.
        log: what stderr has given.
    """

    url: str
    command: Sequence[str] = TAP
    env: dict[str, str] = field(default_factory=dict)
    reads: threading.Event = field(default_factory=threading.Event)
    output: bytearray = field(default_factory=bytearray)
    log: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(self.url, **self.env)
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.output, self.reads)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.log, None)),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe: Any, into: bytearray, begins: threading.Event | None) -> None:  # noqa: ANN401  # as Popen has it
        if begins:
            begins.wait()
        with pipe:
            while piece := os.read(pipe.fileno(), BYTES_A_PIPE_HOLDS):
                into += piece

    @property
    def unread(self) -> int:
        """How many bytes stand in the pipe."""
        pipe: Any = self.process.stdout
        (size,) = struct.unpack("i", fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)))
        return int(size)

    def wait_until_unread(self, size: int) -> None:
        """Wait until so many bytes stand in the pipe."""
        while self.unread < size:
            assert self.process.poll() is None, self.log.decode()
            threading.Event().wait(0.01)

    def end(self) -> int:
        """Wait until it has ended, whether or not anybody reads, and then read what there is."""
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.reads.set()
            for reader in self._readers:
                reader.join()

    @property
    def run(self) -> Outcome:
        """What it has written, of which each line must be whole."""
        assert self.output.endswith(b"\n") or not self.output
        return Outcome.of(bytes(self.output), self.process.returncode, self.log.decode())


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Starts processes that are gone when the test is."""
    processes: list[Process] = []

    def start(*arguments: Any, **options: Any) -> Process:  # noqa: ANN401  # those of a process
        processes.append(Process(*arguments, **options))
        return processes[-1]

    yield start
    for process in processes:
        process.process.kill()
        process.end()


def on_nth(number: int, act: Callable[[], object], route: str | None = None) -> Callable[[RequestRecord], None]:
    """Act when the n-th request comes, of a route if one is named."""
    lock, counted = threading.Lock(), iter(range(1, 1_000_000))

    def on_request(request: RequestRecord) -> None:
        with lock:
            if route in (None, request.route) and next(counted) == number:
                act()

    return on_request


def latest(runs: Sequence[Outcome]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What a target holds after some runs: the last record of each key."""
    return {
        (stream, *(record.get(key) for key in KEYS)): record
        for run in runs
        for stream, records in run.records.items()
        for record in records
    }


def ended_by(process: Process, number: signal.Signals) -> Outcome:
    """Check that a signal has ended a process as it should."""
    assert process.end() == 128 + number, process.log.decode()
    run = process.run
    assert run.messages[-1]["type"] == "STATE"
    assert "Traceback" not in run.log
    return run


# Signals


@pytest.mark.parametrize("moment", CHOOSE.sample(range(2, 25), 2))
@pytest.mark.parametrize(("number", "unbuffered"), [(signal.SIGTERM, ""), (signal.SIGINT, "1")])
def test_a_signal_at_any_moment(
    start: Callable[..., Process], moment: int, number: signal.Signals, unbuffered: str
) -> None:
    pim = pim_of(4, 60, latency=0.01)
    with serve(pim) as server:
        process = start(server.url, env={"PYTHONUNBUFFERED": unbuffered})
        process.reads.set()
        pim.on_request = on_nth(moment, lambda: process.process.send_signal(number))
        run = ended_by(process, number)
        rest = sync(server.url, state=run.state)
        pim.on_request = None
        assert latest([run, rest]) == latest([sync(server.url)])


@pytest.mark.parametrize("fault", [status(503, retry_after=300), status(429, retry_after=300), slow(60)])
def test_a_signal_while_requests_wait(start: Callable[..., Process], fault: Any) -> None:  # noqa: ANN401  # a fault
    pim = pim_of(4, 60)
    pim.faults = Faults().always("assets", fault)
    with serve(pim) as server:
        process = start(server.url)
        process.reads.set()
        pim.on_request = on_nth(1, lambda: process.process.send_signal(signal.SIGTERM), "assets")
        run = ended_by(process, signal.SIGTERM)
    assert len(run.records["asset_families"]) == 4


def test_two_signals_are_as_good_as_one(start: Callable[..., Process]) -> None:
    pim = pim_of(4, 60, "x" * 5_000)
    with serve(pim) as server:
        process = start(server.url)
        process.reads.set()

        def interrupt() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
                process.process.send_signal(number)

        pim.on_request = on_nth(12, interrupt)
        assert process.end() in (128 + signal.SIGINT, 128 + signal.SIGTERM)
        assert process.run.messages[-1]["type"] == "STATE"


linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells how full a pipe is")


def state_of(families: int, folder: Path) -> str:
    """The option for a state of some families that the PIM has no more."""
    partitions = [
        {"context": {"asset_family_code": f"a_family_of_earlier_times_{number}"}, "replication_key_value": "2026-01-01"}
        for number in range(families)
    ]
    path = folder / "state.json"
    path.write_text(json.dumps({"bookmarks": {"assets": {"partitions": partitions}}}))
    return f"--state={path}"


@linux
@pytest.mark.parametrize(("size", "unbuffered"), [(0, ""), (3_000, "1"), (20_000, "")])
def test_a_signal_while_nobody_reads(start: Callable[..., Process], tmp_path: Path, size: int, unbuffered: str) -> None:
    """The pipe fills up; there is room left for the last STATE all the same, be it large, and no half line."""
    with serve(pim_of(4, 80 if size else 800, "x" * size)) as server:  # more than the pipe holds
        process = start(server.url, (*TAP, state_of(50, tmp_path)), {"PYTHONUNBUFFERED": unbuffered})
        process.wait_until_unread(BYTES_A_PIPE_HOLDS * 3 // 8)
        process.process.send_signal(signal.SIGTERM)
        run = ended_by(process, signal.SIGTERM)
    assert BYTES_A_PIPE_HOLDS * 3 // 8 < len(process.output) <= PIPE_BYTES
    assert run.records["asset_families"]
    assert run.bookmarks.keys() >= {"a_family_of_earlier_times_0"}


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("families", [300, 1_500, 5_000, 12_000])
def test_a_signal_with_a_large_state_while_nobody_reads(
    start: Callable[..., Process], tmp_path: Path, families: int, number: signal.Signals
) -> None:
    """Whatever the size of the state, from the first byte that is written on."""
    with serve(pim_of(1, 10)) as server:
        process = start(server.url, (*TAP, state_of(families, tmp_path)))
        process.wait_until_unread(1)
        process.process.send_signal(number)
        assert process.end() == 128 + number, process.log.decode()
    assert "Traceback" not in process.run.log
    assert "ERROR" not in process.run.log


def test_a_signal_before_the_tap_is_imported() -> None:
    script = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "tap_akeneo_assets.tap":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from tap_akeneo_assets.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=PATIENCE_SECONDS, check=False)  # noqa: S603
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, b"", b"")


# A reader that dies


@pytest.mark.parametrize("lines", [0, 1, 20])
def test_a_reader_that_dies(lines: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serve(pim_of(4, 60, "x" * 2_000)) as server, log.open("wb") as stderr:
        process = subprocess.Popen(TAP, stdout=subprocess.PIPE, stderr=stderr, env=environment(server.url))  # noqa: S603
        stdout: Any = process.stdout
        with process, stdout:
            for _ in range(lines):
                stdout.readline()
        assert process.returncode == 1
    text = log.read_text()
    assert "Traceback" not in text
    assert text.count("ERROR") == text.count("Nothing more can be written: the target has closed its input.") == 1


@pytest.mark.parametrize("arguments", [("--discover",), ("--about",), ("--test",), ("--test=schema",)])
def test_a_reader_that_is_gone_from_the_beginning(arguments: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "log"
    reading, writing = os.pipe()
    os.close(reading)
    with serve(pim_of(1, 1)) as server, log.open("wb") as stderr, os.fdopen(writing, "wb") as stdout:
        env = environment(server.url)
        done = subprocess.run([*TAP, *arguments], stdout=stdout, stderr=stderr, env=env, check=False)  # noqa: S603
    assert done.returncode == 1
    assert "Traceback" not in log.read_text()


# Whatever else ends a run


def ends_by_itself(start: Callable[..., Process], script: str, url: str, **settings: str) -> str:
    """Let a run end, although requests of it are still to be sent again minutes later; gives its one line."""
    process = start(url, (sys.executable, "-c", script, "--config=ENV"), settings)
    process.reads.set()
    assert process.end() == 1, process.log.decode()
    assert "Traceback" not in process.run.log
    (line,) = (line for line in process.run.log.splitlines() if "ERROR" in line)
    return line


PLAIN = "from tap_akeneo_assets.tap import main; main()"


def busy_pim() -> Pim:
    """A PIM that gives assets once it has bidden the one who asks for options to come again in 5 minutes."""
    pim = pim_of(1, 10)
    pim.save_attribute("family_0", "color", type="single_option")
    pim.faults = Faults().always("options", status(503, retry_after=300))
    refused = threading.Event()

    def on_request(request: RequestRecord) -> None:
        if request.route == "options":
            refused.set()
        elif request.route == "assets":
            refused.wait(PATIENCE_SECONDS)

    pim.on_request = on_request
    return pim


def test_files_that_cannot_be_written_end_the_run(start: Callable[..., Process], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": (tmp_path / "file" / "folder").as_uri()},
        "batch_size": 5,
    }
    with serve(busy_pim()) as server:
        line = ends_by_itself(start, PLAIN, server.url, TAP_AKENEO_ASSETS_BATCH_CONFIG=json.dumps(config))
    assert "batch_config: a file for" in line
    assert "cannot be written" in line


def test_what_nobody_foresaw_ends_the_run(start: Callable[..., Process]) -> None:
    script = """
from tap_akeneo_assets import streams, tap

class Assets(streams.Assets):
    def emit(self, records):
        raise LookupError("nobody foresaw this")

streams.Assets = Assets
streams.AssetValues.parent_stream_type = streams.AssetMediaFiles.parent_stream_type = Assets
tap.main()
"""
    with serve(busy_pim()) as server:
        line = ends_by_itself(start, script, server.url)
    assert "An unexpected error ended the run: LookupError: nobody foresaw this" in line


# Killed


@pytest.mark.parametrize("moment", CHOOSE.sample(range(12, 40), 4))
def test_killed_at_any_moment_nothing_is_missing(start: Callable[..., Process], moment: int) -> None:
    pim = pim_of(4, 60, latency=0.01)
    with serve(pim) as server:
        whole = sync(server.url)
        pim.requests.clear()
        process = start(server.url, TAP_WITH_MANY_STATES)
        process.reads.set()
        pim.on_request = on_nth(moment, process.process.kill)
        assert process.end() == -signal.SIGKILL
        end = process.output.rindex(b"\n") + 1 if process.output else 0
        killed = Outcome.of(bytes(process.output[:end]), 0)
        pim.on_request = None
        # A target loads what comes before a STATE, and hands that on.
        states = [number for number, message in enumerate(killed.messages) if message["type"] == "STATE"]
        loaded = Outcome(killed.messages[: states[-1] + 1] if states else [])
        state = loaded.state if states else {}
        rest = sync(server.url, state=json.loads(json.dumps(state)))
    assert rest.status == 0
    assert latest([loaded, rest]) == latest([whole])
    assert rest.bookmarks == whole.bookmarks
    assert len(rest.records["assets"]) < len(whole.records["assets"]) or '"next"' not in json.dumps(state)
