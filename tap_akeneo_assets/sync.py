"""Where the tap meets the SDK: streams that are written by one loop of ours instead of a `sync()` a parent record.

The SDK syncs the root stream alone. Its `_sync_records` hands over to `extraction.Extraction`, which reads all streams
and writes through `AkeneoStream.emit`. This is the only module that touches private names of the SDK:

| name | why |
| --- | --- |
| `Stream._sync_records` | the one opening in a sync that is otherwise final |
| `Stream._write_schema_message` | writes one SCHEMA a stream, stream maps included |
| `Tap._handle_termination` | the SDK's writes STATE from inside the signal handler, which tears lines |
| `Tap._env_var_config` | the SDK leaves numbers texts, and does not name a setting that it cannot read |
| `helpers._catalog.pop_deselected_record_properties` | selection of fields, as the SDK does it |
| `helpers._batch.SDKBatchMessage` | the message of the SDK's own BATCH files |
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from singer_sdk import Stream, Tap
from singer_sdk.batch import Batcher
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.singerlib.messages import ActivateVersionMessage

from tap_akeneo_assets.errors import DamagedPage, Fatal, Stopped
from tap_akeneo_assets.settings import from_environment
from tap_akeneo_assets.writer import STATE_RECORDS, STATE_SECONDS, ChunkWriter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from types import FrameType

    from singer_sdk.helpers.types import Context
    from singer_sdk.mapper import StreamMap

    from tap_akeneo_assets.php import Shape

GRACE_SECONDS = 1.0
LAST_RESORT_SECONDS = 2.5


class AkeneoStream(Stream):
    """A stream that is written by the one loop: opened once, given records, closed once.

    Attributes:
        path: below the API's root, with `{asset_family_code}` and `{attribute_code}` for encoded codes.
        shape: makes records of the API's items.
    """

    path: ClassVar[str] = ""
    shape: ClassVar[Shape]
    emit_activate_version_messages = False  # the SDK's comes first and for each parent; ours ends a complete sync

    def __init__(self, tap: AkeneoTap) -> None:
        super().__init__(tap)
        self.tap = tap
        self.records = 0
        self.complete = True
        self._ending = ExitStack()

    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        """Not used: records come from the loop, through `emit`."""
        raise NotImplementedError(context)

    @property
    def wanted(self) -> bool:
        """Whether anything has to be read for it: it is selected, or something below it is, and it wants more."""
        return (self.selected and not self.full) or any(child.wanted for child in self.children)

    @property
    def children(self) -> list[AkeneoStream]:
        """The streams whose parent it is."""
        return [child for child in self.child_streams if isinstance(child, AkeneoStream)]

    @property
    def full(self) -> bool:
        """Whether a test run has all records of this stream that it asks for."""
        return self.ABORT_AT_RECORD_COUNT is not None and self.records >= self.ABORT_AT_RECORD_COUNT

    @property
    def incremental(self) -> bool:
        """Whether it goes on from bookmarks."""
        return self.replication_method == "INCREMENTAL"

    @property
    def fed(self) -> bool:
        """Whether records can come to it: no stream map removes a stream above it."""
        for parent in self.tap.streams.values():
            if isinstance(parent, AkeneoStream) and type(parent) is self.parent_stream_type:
                maps = self.tap.mapper.stream_maps.get(parent.name)  # none when the catalog leaves it out
                return parent.fed and not (maps and isinstance(maps[0], RemoveRecordTransform))
        return True

    def announce(self) -> None:
        """Write the SCHEMA."""
        if self.fed:
            self._write_schema_message()

    def open(self) -> None:
        """Write the SCHEMA and begin to count."""
        if not self.selected:
            return
        self.announce()
        self._ending.enter_context(self.get_sync_timer())
        self._counter = self._ending.enter_context(self.get_record_counter())
        self._fields_are_dropped = not all(self.mask.values())
        versioned = self.tap.activates_versions and not self.incremental
        self._version = {"version": self.tap.initialized_at // 1000} if versioned else {}
        batch_config = self.get_batch_config(self.config)
        self._batches = Batches(self, batch_config, self._version) if batch_config else None

    def keeps(self, record: dict[str, Any]) -> bool:
        """Whether the stream's map lets a record, and so what is below it, through."""
        if self.name not in self.tap.mapper.stream_maps:  # the catalog leaves it out
            return True
        map_ = self.stream_maps[0]
        try:
            return map_.get_filter_result(record)
        except Exception as error:  # noqa: BLE001  # whatever a user's expression raises
            raise _map_failed(map_, error) from None

    def emit(self, records: Sequence[dict[str, Any]]) -> None:
        """Write records: fields selected, stream maps applied, as RECORD messages or into BATCH files.

        Raises:
            DamagedPage: a record cannot be written.
        """
        if not self.selected or self.full:
            return
        if self.ABORT_AT_RECORD_COUNT is not None:
            records = records[: self.ABORT_AT_RECORD_COUNT - self.records]
        if self._fields_are_dropped:
            for record in records:
                pop_deselected_record_properties(record, self.schema, self.mask)
        for map_ in self.stream_maps:
            self._write(map_.stream_alias, _mapped(map_, records))
        self.records += len(records)
        self._counter.increment(len(records))

    def _write(self, alias: str, records: Sequence[dict[str, Any]]) -> None:
        if self._batches:
            self._batches.add(alias, records)
            return
        rest = {"time_extracted": datetime.now(UTC), **self._version}
        try:
            self.tap.chunk_writer.write_records(alias, records, rest)
        except RecursionError:
            raise DamagedPage(f"A record of {self.name!r} is nested too deep to be written.") from None

    def flush(self) -> None:
        """Write what a STATE would vouch for."""
        if self.selected and self._batches:
            self._batches.flush()

    def activate_version(self) -> None:
        """Tell the target that rows of earlier versions are gone, if this sync was complete and gave something."""
        if not (self.selected and self._version and self.complete and self.records):
            return
        for map_ in self.stream_maps:
            if not isinstance(map_, RemoveRecordTransform):
                message = ActivateVersionMessage(stream=map_.stream_alias, version=self._version["version"])
                self.tap.write_message(message)

    def close(self) -> None:
        """Log what was counted."""
        self._ending.close()


class Batches:
    """BATCH files of one stream, written by the SDK's batcher after selection and stream maps.

    Args:
        stream: whose records they hold.
        config: the SDK's `batch_config`.
        version: what their messages say of the stream's version, if anything.
    """

    def __init__(self, stream: AkeneoStream, config: Any, version: dict[str, int]) -> None:  # noqa: ANN401  # its type is private to the SDK
        self._stream = stream
        self._config = config
        self._version = version
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    def add(self, alias: str, records: Sequence[dict[str, Any]]) -> None:
        """Add records, and write a file when they fill one."""
        waiting = self._waiting.setdefault(alias, [])
        waiting += records
        if len(waiting) >= self._config.batch_size:
            self.flush()

    def flush(self) -> None:
        """Write files of all records that wait, and a BATCH message for each."""
        waiting, self._waiting = self._waiting, {}
        for alias, records in waiting.items():
            batcher = Batcher(self._stream.tap_name, alias, self._config)
            for manifest in batcher.get_batches(iter(records)):
                self._stream.tap.write_message(
                    SDKBatchMessage(stream=alias, encoding=self._config.encoding, manifest=manifest, **self._version)
                )


def _mapped(map_: StreamMap, records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    if type(map_) is SameRecordTransform and not map_.flattening_enabled:
        return records
    try:
        return [mapped for record in records if (mapped := map_.transform(record)) is not None]
    except Exception as error:  # noqa: BLE001  # whatever a user's expression raises
        raise _map_failed(map_, error) from None


def _map_failed(map_: StreamMap, error: Exception) -> Fatal:
    return Fatal(f"stream_maps: that of {map_.stream_alias!r} fails on a record: {error}")


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


def nothing_more_written(error: OSError) -> str:
    """The line for the user when stdout takes nothing more."""
    closed = isinstance(error, BrokenPipeError)
    reason = "the target has closed its input" if closed else error.strerror or type(error).__name__
    return f"Nothing more can be written: {reason}."


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
