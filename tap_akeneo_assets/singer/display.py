"""Shows how far a run is: one line that stays in its place on a terminal, else a line of the log per minute."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Protocol, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_akeneo_assets.progress import Progress

LOG_SECONDS = 60.0
_BAR = "{n_fmt}/{total_fmt} families |{bar:10}| {desc}"


class Display(Protocol):
    """Shows a run's progress."""

    def show(self, records: int) -> None:
        """Show it as it is now; may be called often.

        Args:
            records: how many have been written.
        """

    def close(self) -> None:
        """Leave nothing behind."""


def choose_display(
    progress: Progress, logger: logging.Logger, stdout: TextIO, stderr: TextIO, environment: Mapping[str, str]
) -> Display:
    """A display that fits.

    On a terminal the live line says what lines of level INFO say, so it comes where these do. It is not for a terminal
    that shows the messages too, nor where a file says where the log goes.
    """
    if (
        _has_lines(stderr)
        and not stdout.isatty()
        and logger.isEnabledFor(logging.INFO)
        and not environment.get("SINGER_SDK_LOG_CONFIG")
    ):
        return LiveLine(progress, stderr)
    return LogLines(progress, logger)


def _has_lines(stream: TextIO) -> bool:
    """Whether it is a terminal that tells its size; that of a container may have none."""
    return stream.isatty() and os.get_terminal_size(stream.fileno()).lines > 1


class LogLines:
    """A line of the log per minute."""

    def __init__(self, progress: Progress, logger: logging.Logger) -> None:
        self._progress = progress
        self._logger = logger
        self._next = progress.monotonic() + LOG_SECONDS

    def show(self, records: int) -> None:
        """Log a line if the last one was a minute ago."""
        if self._progress.monotonic() >= self._next:
            self._next = self._progress.monotonic() + LOG_SECONDS
            self._logger.info("Progress: %s.", self._progress.line(records))

    def close(self) -> None:
        """Nothing: lines stay."""


class LiveLine:
    """A line at the bottom of a terminal; lines of the log come above it.

    Args:
        progress: what is shown.
        terminal: where; log handlers that write there are led around the line until it is closed.
    """

    def __init__(self, progress: Progress, terminal: TextIO) -> None:
        from tqdm import tqdm  # noqa: PLC0415  # only a terminal needs it

        self._progress = progress
        tqdm.monitor_interval = 0  # no thread that would redraw a stale line
        self._bar = tqdm(total=0, file=terminal, bar_format=_BAR, dynamic_ncols=True, leave=False)
        above = cast("TextIO", _Above(lambda text: tqdm.write(text, file=terminal, end="")))
        self._led_around = [
            handler
            for handler in logging.getLogger().handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is terminal
        ]
        self._terminal = terminal
        for handler in self._led_around:
            handler.setStream(above)

    def show(self, records: int) -> None:
        """Draw the line anew, some times per second at most."""
        bar, progress = self._bar, self._progress
        bar.total = progress.families
        bar.set_description_str("; ".join(progress.facts(records)), refresh=False)
        bar.update(progress.families_done - bar.n)
        bar.refresh()

    def close(self) -> None:
        """Take the line away, and let the log write to the terminal again."""
        self._bar.close()
        for handler in self._led_around:
            handler.setStream(self._terminal)
        self._led_around = []


class _Above:
    """The stream of a log handler whose lines come above the live line."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def write(self, text: str) -> int:
        self._write(text)
        return len(text)

    def flush(self) -> None:
        """Nothing: each line is written at once."""
