"""What the SDK needs of the tap: signals, endings, settings from the environment."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from singer_sdk import Tap

from tap_akeneo_assets.errors import Stopped
from tap_akeneo_assets.singer.state_budget import STATE_RECORDS, STATE_SECONDS
from tap_akeneo_assets.singer.stream import AkeneoStream
from tap_akeneo_assets.singer.writer import ChunkWriter

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import FrameType


GRACE_SECONDS = 1.0
"""How long a reader may take, after a signal, for what has been read already."""

LAST_RESORT_SECONDS = 2.5
"""When the process leaves after a signal whatever holds it: a container is killed 10 seconds after it."""


class AkeneoTap(Tap):
    """A tap whose root stream extracts everything, and whose process ends within seconds of a signal.

    It is apart from `TapAkeneoAssets` because only the package `singer` touches private names of the SDK.

    Attributes:
        stop: set when the run is to end: whoever waits for a request then gives up.
        failed: something could not be read.
        state_seconds: how long to wait between two STATE messages.
        state_records: after how many records to wait no longer.
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
        self.chunk_writer.check_time = self._check_time

    def extract(self) -> bool:
        """Read all streams and write them.

        Returns:
            Whether everything could be read.
        """
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
        """Whether rows have versions, so that targets learn at the end of a full-table sync what is gone."""
        return bool(self.config.get("emit_activate_version_messages"))

    @property
    def version(self) -> int:
        """When this run began, in seconds: target-postgres keeps versions in 32 bits."""
        return self.initialized_at // 1000

    @property
    def dry_run(self) -> bool:
        """Whether this is a test that asks for a few records only."""
        return any(stream.ABORT_AT_RECORD_COUNT is not None for stream in self.streams.values())

    def end(self) -> None:
        """End the run.

        Raises:
            SystemExit: something could not be read.
        """
        if self.failed:
            raise SystemExit(1)

    def _check_time(self) -> None:
        if self._stop_signal and time.monotonic() > self._stopped_at + GRACE_SECONDS:
            raise Stopped(signal=self._stop_signal)

    def end_by_signal(self) -> NoReturn:
        """Leave at once, with requests still in flight, and the signal in the exit status."""
        logging.shutdown()
        os._exit(128 + self._stop_signal)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Take note of the first signal; the run looks for it between two answers, and while it waits."""
        del frame
        if self._stop_signal:
            return
        self._stop_signal = signum
        self._stopped_at = time.monotonic()
        self.stop.set()
        last_resort = threading.Timer(LAST_RESORT_SECONDS, self.end_by_signal)
        last_resort.daemon = True
        last_resort.start()

    def setup_mapper(self) -> None:
        """Set up stream maps, which know the fields of all streams.

        The SDK hides the fields of a stream that is not selected, so that a map of it would be refused, and `--test`,
        which selects all streams, would write empty records of it.
        """
        deselected = [stream for stream in self.streams.values() if not stream.selected]
        for stream in deselected:
            stream.selected = True
        try:
            super().setup_mapper()
        finally:
            for stream in deselected:
                stream.selected = False

    @staticmethod
    def read_variable(text: str, types: Collection[str]) -> Any:  # noqa: ANN401  # of any type
        """The value that an environment variable has for a setting of some types."""
        del types
        return text

    @property
    def _env_var_config(self) -> dict[str, Any]:
        with suppress(ValueError):
            super()._env_var_config  # noqa: B018  # for what it does: it reads `.env` into the environment
        prefix = f"{self.name.upper().replace('-', '_')}_"
        return {
            name: self.read_variable(text, declared.get("type", ()))
            for name, declared in self.config_jsonschema["properties"].items()
            if (text := os.environ.get(prefix + name.upper()))
        }
