"""Streams that are written by one loop of ours instead of a `sync()` per parent record.

The SDK syncs the root stream alone. Its `_sync_records` hands over to `extract.extraction.Extraction`, which reads all
streams and writes through `AkeneoStream.emit`.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.singerlib.messages import ActivateVersionMessage

from tap_akeneo_assets.errors import DamagedPage, Fatal
from tap_akeneo_assets.singer.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.mapper import StreamMap

    from tap_akeneo_assets.records.shapes import Shape
    from tap_akeneo_assets.singer.tap_base import AkeneoTap


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


def _mapped(map_: StreamMap, records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    if type(map_) is SameRecordTransform and not map_.flattening_enabled:
        return records
    try:
        return [mapped for record in records if (mapped := map_.transform(record)) is not None]
    except Exception as error:  # noqa: BLE001  # whatever a user's expression raises
        raise _map_failed(map_, error) from None


def _map_failed(map_: StreamMap, error: Exception) -> Fatal:
    return Fatal(f"stream_maps: that of {map_.stream_alias!r} fails on a record: {error}")
