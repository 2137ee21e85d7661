"""What is shown of a run while it goes on, and at its end."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_akeneo_assets.progress import Progress, duration, stream_of
from tap_akeneo_assets.sandbox import demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, status
from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.singer.display import LiveLine, LogLines, choose_display

from .support import CREDENTIALS, HurryingTap, collected_log, environment, full_table, select, sync, tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TAP = [sys.executable, "-m", "tap_akeneo_assets", "--config=ENV"]
ROOT = "/api/rest/v1"


class Time:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# The counters


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/asset-families", "asset_families"),
        ("/asset-families/packshots", "asset_families"),
        ("/asset-families/assets", "asset_families"),
        ("/asset-families/packshots/attributes", "asset_attributes"),
        ("/asset-families/packshots/attributes/color/options", "attribute_options"),
        ("/asset-families/packshots/assets", "assets"),
        ("/asset-families/packshots/assets/options", "assets"),
        ("/asset-media-files/0/1/attributes/options", "asset_media_files"),
        ("/system-information", ""),
        ("", ""),
    ],
)
def test_which_stream_a_request_is_for(path: str, stream: str) -> None:
    assert stream_of(ROOT + path) == stream_of(path) == stream


@given(st.text())
def test_every_path_is_for_some_stream_or_none(path: str) -> None:
    assert isinstance(stream_of(path), str)


def test_what_a_stream_cost() -> None:
    time = Time()
    progress = Progress(time)
    assets = f"{ROOT}/asset-families/a/assets"
    progress.sent(assets)
    progress.waits(assets, 3.0, crowded=True)
    time.now += 4
    progress.sent(assets)
    progress.answered(assets, 2_500_000)
    progress.sent(f"{ROOT}/asset-media-files/0/x.png")
    progress.answered(f"{ROOT}/asset-media-files/0/x.png", 10)
    assert progress.stream_line("assets", 1200) == "assets: 1,200 records, 2 requests, 1 retries, 2.5 MB, 4.0 s"
    assert progress.stream_line("asset_values", 7) == "asset_values: 7 records"
    assert (progress.retries, progress.crowded, progress.waited_seconds, progress.files) == (1, 1, 3.0, 1)


def test_the_line_tells_what_there_is_to_tell() -> None:
    time = Time()
    progress = Progress(time)
    assert progress.line(0) == "0 of 0 or more families; 0 records, 0 per second"
    progress.families, progress.families_done, progress.all_families_known = 40, 10, True
    progress.reading = dict.fromkeys(("a", "b", "c"))
    progress.retries, progress.crowded, progress.waited_seconds, progress.files = 5, 2, 150, 1700
    time.now += 60
    assert progress.line(12_000) == (
        "10 of 40 families; 12,000 records, 200 per second; reading 'a', 'b' and 1 more; about 3 min left; "
        "5 retries (2 after 429), 2 min of waits; 1,700 files"
    )


@given(done=st.integers(0, 50), more=st.integers(0, 50), seconds=st.floats(0, 1e6), known=st.booleans())
def test_the_time_left_is_never_less_than_none(done: int, more: int, seconds: float, known: bool) -> None:  # noqa: FBT001
    time = Time()
    progress = Progress(time, families=done + more, families_done=done, all_families_known=known)
    time.now += seconds
    left = progress.seconds_left
    assert (left is None) == (not known or not done)
    assert left is None or left >= 0
    assert progress.line(5)


def test_times_in_words() -> None:
    assert [duration(seconds) for seconds in (0, 119.4, 120, 3600)] == ["0 s", "119 s", "2 min", "60 min"]


# Lines of the log


def test_without_a_terminal_there_is_a_line_per_minute() -> None:
    time = Time()
    with collected_log(logging.INFO) as log:
        lines = LogLines(Progress(time), logging.getLogger("tap-akeneo-assets"))
        for _ in range(6001):
            lines.show(7)
            time.now += 0.05
        lines.close()
    assert log.getvalue().count("INFO Progress: 0 of 0 or more families; 7 records, ") == 5


def test_at_the_end_each_stream_has_a_line_and_the_next_run_one() -> None:
    pim = demo_pim(families=3, assets=3)
    pim.faults = Faults().nth("attributes", 1, status(503)).nth("assets", 1, status(429))
    with serve(pim) as server:
        run = sync(server.url, tap_class=HurryingTap, log_level=logging.INFO)
    lines = [line.removeprefix("INFO ") for line in run.log.splitlines()]
    for stream, records in run.records.items():
        (line,) = [line for line in lines if line.startswith(f"{stream}: ")]
        assert line.startswith(f"{stream}: {len(records):,} records")
    assert any(re.match(r"asset_attributes: .* 4 requests, 1 retries, \d+\.\d MB, \d+\.\d s\.", line) for line in lines)
    assert any(re.match(r"assets: .* 4 requests, 1 retries, ", line) for line in lines)
    assert [line for line in lines if "the next run" in line] == [next_run(run.bookmarks)]


def next_run(bookmarks: dict[str, str | None]) -> str:
    oldest, *_, newest = sorted(filter(None, bookmarks.values()))
    bookmark = f"{len(bookmarks)} bookmarks: from {oldest} to {newest}"
    return (
        f"With this state the next run reads the assets changed since their family's bookmark ({bookmark}); "
        "families without a bookmark whole."
    )


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"catalog": full_table(select("assets"))}, "The next run reads the same again, whole."),
        ({"catalog": select("asset_families")}, "The next run reads the same again, whole."),
        ({"asset_codes": {"packshots": ["x"]}}, "The next run reads the assets of `asset_codes` again."),
    ],
)
def test_what_the_next_run_reads_otherwise(settings: dict[str, Any], line: str) -> None:
    with serve(demo_pim(families=1, assets=2)) as server:
        assert f"INFO {line}" in sync(server.url, log_level=logging.INFO, **settings).log


def test_an_unfinished_family_is_told() -> None:
    pim = demo_pim(families=1, assets=250, options=Options(page_size=100))
    pim.faults = Faults().nth("assets", 2, status(404))
    with serve(pim) as server:
        run = sync(server.url, log_level=logging.INFO, max_concurrency=1)
    assert "reads the rest of 1 family; families without a bookmark whole." in run.log


# On a terminal


class Terminal:
    """A pseudo terminal that keeps what is written to it."""

    def __init__(self, lines: int = 24, columns: int = 200) -> None:
        self._end, self.end = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._written = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._end, 1000)
            except OSError:  # its other end is closed
                return
            self._written += piece

    def text(self) -> str:
        """All that was written; the other end must be closed everywhere else."""
        os.close(self.end)
        self._thread.join(30)
        os.close(self._end)
        return self._written.decode()


def on_terminal(server: str, terminal: Terminal, **env: str) -> str:
    done = subprocess.run(  # noqa: S603  # this very tap
        TAP, stdout=subprocess.DEVNULL, stderr=terminal.end, env={**environment(server), **env}, check=False
    )
    assert done.returncode == 0
    return terminal.text()


@pytest.fixture
def url() -> Iterator[str]:
    with serve(demo_pim(families=3, assets=3)) as server:
        yield server.url


def test_a_terminal_has_a_live_line_and_whole_lines_of_the_log(url: str) -> None:
    text = on_terminal(url, Terminal(), NO_COLOR="1")
    assert " families |" in text
    assert "\x1b[3" not in text
    drawn = re.sub(r"\r[^\r\n]*(?=\r)", "", text)
    last = drawn.rstrip().splitlines()[-1]
    assert "families |" not in last
    lines = [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").splitlines()]
    logged = [line for line in lines if " | INFO " in line]
    assert all(re.match(r"\d{4}-\d\d-\d\d ", line) for line in logged)
    assert any("With this state the next run" in line for line in logged)


@pytest.mark.parametrize("variable", ["TAP_AKENEO_ASSETS_LOGLEVEL", "LOGLEVEL"])
def test_a_level_above_info_quiets_the_live_line(url: str, variable: str) -> None:
    assert on_terminal(url, Terminal(), **{variable: "WARNING"}) == ""


def test_a_terminal_without_a_size_has_lines_of_the_log(url: str) -> None:
    text = on_terminal(url, Terminal(lines=0, columns=0))
    assert " families |" not in text
    assert "the next run" in text


def test_a_file_that_configures_the_log_is_respected_and_gets_no_secret(tmp_path: Path) -> None:
    config, own = tmp_path / "log.yml", tmp_path / "own.log"
    config.write_text(
        f"""\
version: 1
disable_existing_loggers: false
formatters: {{plain: {{format: '%(levelname)s %(message)s'}}}}
handlers:
  own: {{class: logging.FileHandler, filename: {own}, formatter: plain}}
loggers:
  tap-akeneo-assets: {{handlers: [own], level: DEBUG, propagate: false}}
  tap_akeneo_assets.pim.client: {{handlers: [own], level: DEBUG, propagate: false}}
"""
    )
    pim = demo_pim(families=1, assets=1)
    secret = CREDENTIALS["password"]
    pim.save_family(f"x-{secret}")
    pim.faults = Faults().nth("assets", 1, status(404), family=f"x-{secret}").nth("families", 1, status(503))
    with serve(pim) as server:
        text = on_terminal(server.url, Terminal(), SINGER_SDK_LOG_CONFIG=str(config))
    assert " families |" not in text
    logged = own.read_text()
    assert "INFO With this state the next run" in logged
    assert "waiting" in logged
    assert "x-***" in logged
    assert secret not in logged + text


@pytest.mark.parametrize("lines", [1, 24])
def test_the_log_writes_to_the_terminal_again_afterwards(lines: int) -> None:
    terminal = Terminal(lines)
    logger = logging.getLogger("tap-akeneo-assets")
    with os.fdopen(os.dup(terminal.end), "w") as stream, collected_log(logging.INFO):
        handler = logging.StreamHandler(stream)
        logging.getLogger().addHandler(handler)
        display = choose_display(Progress(Time()), logger, io.StringIO(), stream, {})
        assert isinstance(display, LiveLine) == (lines > 1)
        display.show(3)
        logger.info("between")
        display.close()
        assert handler.stream is stream
        logger.info("afterwards")
    text = terminal.text()
    assert "between" in text
    assert text.endswith("afterwards\r\n")


@pytest.mark.parametrize("content", ["version: [", "version: 7", "version: 1\nhandlers: {x: {class: no.Such}}"])
def test_a_file_that_configures_no_log_is_named_in_one_line(tmp_path: Path, content: str) -> None:
    config = tmp_path / "log.yml"
    config.write_text(content)
    done = tap("--config=ENV", env={**environment("http://127.0.0.1:9"), "SINGER_SDK_LOG_CONFIG": str(config)})
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "LOGLEVEL or the file of SINGER_SDK_LOG_CONFIG: " in line
