"""The tap that extracts everything through its root stream, and how its run ends."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from singer_sdk import Tap

from tap_akeneo_assets.errors import Stopped
from tap_akeneo_assets.settings import from_environment
from tap_akeneo_assets.singer.state_budget import STATE_RECORDS, STATE_SECONDS
from tap_akeneo_assets.singer.stream import AkeneoStream
from tap_akeneo_assets.singer.writer import ChunkWriter

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

    from singer_sdk.helpers.types import Context


GRACE_SECONDS = 1.0
LAST_RESORT_SECONDS = 2.5


def nothing_more_written(error: OSError) -> str:
    """The line for the user when stdout takes nothing more."""
    closed = isinstance(error, BrokenPipeError)
    reason = "the target has closed its input" if closed else error.strerror or type(error).__name__
    return f"Nothing more can be written: {reason}."


class RootStream(AkeneoStream):
    """The stream that the SDK syncs, and with it all others."""

    def announce(self) -> None:
        """Nothing: the SDK has written its SCHEMA."""

    def _sync_records(
        self,
        context: Context | None = None,  # noqa: ARG002
        *,
        write_messages: bool = True,  # noqa: ARG002
    ) -> Generator[dict[str, Any], Any, Any]:
        try:
            self.tap.failed = not self.tap.extract()
        except Stopped:
            self.tap.end_by_signal()
        except OSError as error:
            self.logger.error(nothing_more_written(error))  # noqa: TRY400  # there is nothing to trace
            raise SystemExit(1) from None
        if self.tap.dry_run:
            self.tap.end()
        yield from ()

    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Nothing is left to finalize: the loop keeps the state; the SDK calls this last, outside of `sync()`."""
        del state
        self.tap.end()


class AkeneoTap(Tap):
    """A tap whose root stream extracts everything, and that ends well.

    Attributes:
        state_seconds: how long to wait between two STATE messages.
        state_records: how many records are reason enough to wait no longer.
    """

    message_writer_class = ChunkWriter
    state_seconds: ClassVar[float] = STATE_SECONDS
    state_records: ClassVar[int] = STATE_RECORDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # the SDK's own arguments, handed on
        self.stop = threading.Event()
        self.failed = False
        self._stop_signal = 0
        self._stopped_at = 0.0
        super().__init__(*args, **kwargs)
        self.chunk_writer.hurry = lambda: self.stop.is_set() and time.monotonic() > self._stopped_at + GRACE_SECONDS

    def extract(self) -> bool:
        """Read all streams and write them; whether everything could be had."""
        raise NotImplementedError

    def stream(self, name: str) -> AkeneoStream:
        """A stream by its name."""
        stream = self.streams[name]
        if not isinstance(stream, AkeneoStream):
            raise TypeError(stream)
        return stream

    @property
    def chunk_writer(self) -> ChunkWriter:
        """The writer of all messages."""
        writer = self.message_writer
        if not isinstance(writer, ChunkWriter):
            raise TypeError(writer)
        return writer

    @property
    def activates_versions(self) -> bool:
        """Whether full-table streams shall tell targets what is gone."""
        return bool(self.config.get("emit_activate_version_messages"))

    @property
    def dry_run(self) -> bool:
        """Whether this is a test that asks for a few records only."""
        return any(stream.ABORT_AT_RECORD_COUNT is not None for stream in self.streams.values())

    def end(self) -> None:
        """The end of a run.

        Raises:
            SystemExit: it failed.
        """
        if self.failed:
            raise SystemExit(1)

    def end_by_signal(self) -> NoReturn:
        """Leave at once, with requests still in flight, and the signal in the exit status."""
        logging.shutdown()
        os._exit(128 + self._stop_signal)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        del frame
        if self.stop.is_set():
            return
        self._stop_signal = signum
        self._stopped_at = time.monotonic()
        self.stop.set()
        last_resort = threading.Timer(LAST_RESORT_SECONDS, self.end_by_signal)
        last_resort.daemon = True
        last_resort.start()

    @property
    def _env_var_config(self) -> dict[str, Any]:
        with suppress(ValueError):
            super()._env_var_config  # noqa: B018  # for what it does: it reads `.env` into the environment
        prefix = f"{self.name.upper().replace('-', '_')}_"
        return {
            name: from_environment(text, declared.get("type", ()))
            for name, declared in self.config_jsonschema["properties"].items()
            if (text := os.environ.get(prefix + name.upper()))
        }
