"""Streams that are written by one loop of ours instead of a `sync()` per parent record.

The SDK syncs the root stream alone. Its `_sync_records` hands over to `extract.extraction.Extraction`, which reads all
streams and writes through `AkeneoStream.emit`.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, TypeVar

import msgspec
from singer_sdk import Stream
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.singerlib.messages import ActivateVersionMessage

from tap_akeneo_assets.errors import DamagedPage, Fatal
from tap_akeneo_assets.singer.batches import Batches
from tap_akeneo_assets.singer.counter import RecordCounter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.mapper import StreamMap

    from tap_akeneo_assets.singer.tap_base import AkeneoTap


Record: TypeAlias = dict[str, Any] | msgspec.Struct | bytes
_Record = TypeVar("_Record", bound=Record)
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


class RecordMaker(Protocol):
    """What makes records of the API's items."""

    def record(self, item: object, parents: Mapping[str, str]) -> tuple[dict[str, Any], Sequence[str]]:
        """Make a record of an item; see `records.shapes.Shape.record`."""


class AkeneoStream(Stream):
    """A stream that is written by the one loop: opened once, given records, closed once.

    Attributes:
        path: below the API's root, with `{asset_family_code}` and `{attribute_code}` for encoded codes.
        shape: makes records of the API's items.
        records: how many it has been given.
        is_complete: nothing of it had to be left out so far.
    """

    path: ClassVar[str] = ""
    shape: ClassVar[RecordMaker]
    emit_activate_version_messages = False  # the SDK's comes first and for each parent; ours ends a complete sync

    def __init__(self, tap: AkeneoTap) -> None:
        super().__init__(tap)
        self.tap = tap
        self.records = 0
        self.is_complete = True
        self._ending = ExitStack()
        self._counter = RecordCounter(self.name)
        self._drops_fields = False
        self._version: dict[str, int] = {}
        self._batches: Batches | None = None

    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        """Not used: records come from the loop, through `emit`."""
        raise NotImplementedError(context)

    @property
    def has_to_be_read(self) -> bool:
        """Whether records of it are still needed, for itself or for a stream below it."""
        needs_more = self._is_written and not self.has_enough_records
        return needs_more or any(child.has_to_be_read for child in self.children)

    @property
    def has_enough_records(self) -> bool:
        """Whether a test run has all records of this stream that it asks for."""
        limit = self.ABORT_AT_RECORD_COUNT
        return limit is not None and (self.records >= limit or not self._is_written)

    @property
    def children(self) -> list[AkeneoStream]:
        """The streams whose parent it is."""
        return [child for child in self.child_streams if isinstance(child, AkeneoStream)]

    @property
    def is_incremental(self) -> bool:
        """Whether it begins at bookmarks."""
        return self.replication_method == "INCREMENTAL"

    @property
    def _is_written(self) -> bool:
        """Whether it is selected, and stream maps leave anything of it."""
        return self.selected and any(not _removes(map_) for map_ in self._maps)

    @property
    def _maps(self) -> Sequence[StreamMap]:
        """Its stream maps, that of its own name first; none when the catalog leaves it out."""
        return self.tap.mapper.stream_maps.get(self.name, ())

    def announce(self) -> None:
        """Write the SCHEMA."""
        self._write_schema_message()

    def open(self) -> None:
        """Write the SCHEMA and begin to count."""
        if not self.selected:
            return
        self.announce()
        self._ending.enter_context(self.get_sync_timer())
        self._ending.enter_context(self._counter)
        self._drops_fields = not all(self.mask.values())
        # Rows of incremental runs have a version too: a target built on the SDK never deletes one that has none, and
        # one that is newer than a full run survives what that run activates.
        self._version = {"version": self.tap.version} if self.tap.activates_versions else {}
        batch_config = self.get_batch_config(self.config)
        self._batches = Batches(self, batch_config, self._version) if batch_config else None

    @property
    def writes_records_unchanged(self) -> bool:
        """Whether records go to the output as they are: no map, selection of fields or BATCH file needs dicts."""
        return not self._drops_fields and not self._batches and all(map(_is_identity, self._maps))

    def passing(self, records: Sequence[_Record]) -> Sequence[_Record]:
        """The records of which the streams below it get what belongs to them.

        A `__filter__` takes what is below a record with it. A map that removes the whole stream removes the stream's
        own messages only.

        Returns:
            Those records; the very list that was given where no filter chooses among them.

        Raises:
            Fatal: the filter's expression fails.
        """
        if not self._maps or _is_identity(map_ := self._maps[0]) or _removes(map_):
            return records
        try:
            return [record for record in records if map_.get_filter_result(_as_dict(record))]
        except Exception as error:  # noqa: BLE001  # whatever a user's expression raises
            raise _map_failed(map_, error) from None

    def emit(self, records: Sequence[Record]) -> None:
        """Write records: fields selected, stream maps applied, as RECORD messages or into BATCH files.

        Args:
            records: dicts, structs or JSON texts with the fields of the schema; they are left as they are.

        Raises:
            DamagedPage: a record cannot be written.
            Fatal: an expression of a stream map fails.
            OutputLost: nothing more can be written.
        """
        if not self.selected or self.has_enough_records:
            return
        if self.ABORT_AT_RECORD_COUNT is not None:
            records = records[: self.ABORT_AT_RECORD_COUNT - self.records]
        if self.writes_records_unchanged:
            for map_ in self._maps:
                self._write_messages(map_.stream_alias, records)
        else:
            self._change_and_write([_as_dict(record) for record in records])
        self.records += len(records)
        self._counter.increment(len(records))

    def _change_and_write(self, records: list[dict[str, Any]]) -> None:
        if self._drops_fields:
            for record in records:
                pop_deselected_record_properties(record, self.schema, self.mask)
        for map_ in self._maps:
            mapped = _mapped(map_, records)
            if self._batches:
                self._batches.add(map_.stream_alias, mapped)
            else:
                self._write_messages(map_.stream_alias, mapped)

    def _write_messages(self, alias: str, records: Sequence[Record]) -> None:
        rest = {"time_extracted": datetime.now(UTC), **self._version}
        try:
            self.tap.chunk_writer.write_records(alias, records, rest)
        except RecursionError:
            raise DamagedPage(f"A record of {self.name!r} is nested too deep to be written.") from None

    @property
    def batch_bytes(self) -> int:
        """How many bytes have been written into BATCH files."""
        return self._batches.bytes_written if self._batches else 0

    def flush(self) -> None:
        """Write what a STATE would vouch for."""
        if self._batches:
            self._batches.flush()

    def activate_version(self) -> None:
        """Tell the target that rows of earlier versions are gone, after a full sync that was complete."""
        if not self._version or self.is_incremental or not self.is_complete or not self.records:
            return
        for map_ in self._maps:
            if not _removes(map_):
                self.tap.write_message(ActivateVersionMessage(stream=map_.stream_alias, version=self.tap.version))

    def close(self) -> None:
        """Log what was counted."""
        self._ending.close()


def _removes(map_: StreamMap) -> bool:
    return isinstance(map_, RemoveRecordTransform)


def _is_identity(map_: StreamMap) -> bool:
    return type(map_) is SameRecordTransform and not map_.flattening_enabled


def _as_dict(record: Record) -> dict[str, Any]:
    if isinstance(record, bytes):
        return _decode(record)
    return dict(record) if isinstance(record, dict) else msgspec.structs.asdict(record)


def _mapped(map_: StreamMap, records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    if _is_identity(map_):
        return records
    if _removes(map_):
        return ()
    try:
        return [mapped for record in records if (mapped := map_.transform(record)) is not None]
    except Exception as error:  # noqa: BLE001  # whatever a user's expression raises
        raise _map_failed(map_, error) from None


def _map_failed(map_: StreamMap, error: Exception) -> Fatal:
    return Fatal(f"stream_maps: that of {map_.stream_alias!r} fails on a record: {error}")
