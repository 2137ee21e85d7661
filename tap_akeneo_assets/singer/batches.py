"""BATCH files of one stream."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from singer_sdk.batch import Batcher
from singer_sdk.contrib.msgspec import enc_hook
from singer_sdk.helpers._batch import SDKBatchMessage

from tap_akeneo_assets.errors import OutputLost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_akeneo_assets.singer.stream import AkeneoStream


VERSION_COLUMN = "_sdc_table_version"
"""The column in which the SDK's targets keep a row's version; they do not take it from the BATCH message."""

_ENCODER = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number")


class Batches:
    """BATCH files of one stream, written after selection and stream maps.

    Files of JSON lines are written here, since the SDK compresses them whatever `compression` says. Other formats are
    left to the SDK's batchers.

    Args:
        stream: whose records they hold.
        config: the SDK's `batch_config`.
        version: the version of the stream's rows, as messages have it; empty where they have none.

    Attributes:
        bytes_written: into files of JSON lines, so far.
    """

    def __init__(self, stream: AkeneoStream, config: Any, version: dict[str, int]) -> None:  # noqa: ANN401  # its type is private to the SDK
        self._stream = stream
        self._config = config
        self._version = version
        self._columns = {VERSION_COLUMN: version["version"]} if version else {}
        self._waiting: dict[str, list[dict[str, Any]]] = {}
        self.bytes_written = 0

    def add(self, alias: str, records: Sequence[dict[str, Any]]) -> None:
        """Add records, and write a file when they fill one.

        Raises:
            OutputLost: the file cannot be written.
        """
        waiting = self._waiting.setdefault(alias, [])
        waiting += [{**record, **self._columns} for record in records] if self._columns else records
        if len(waiting) >= self._config.batch_size:
            self.flush()

    def flush(self) -> None:
        """Write files of all records that wait, and a BATCH message for each.

        Raises:
            OutputLost: a file cannot be written.
        """
        waiting, self._waiting = self._waiting, {}
        for alias, records in waiting.items():
            for manifest in self._write_files(alias, records):
                self._stream.tap.write_message(
                    SDKBatchMessage(stream=alias, encoding=self._config.encoding, manifest=manifest, **self._version)
                )

    def _write_files(self, alias: str, records: list[dict[str, Any]]) -> Iterator[list[str]]:
        """Write files, and give the manifest of each."""
        try:
            if self._config.encoding.format == "jsonl":
                for start in range(0, len(records), self._config.batch_size):
                    yield [self._write_json_lines(alias, records[start : start + self._config.batch_size])]
            else:
                yield from Batcher(self._stream.tap_name, alias, self._config).get_batches(iter(records))
        except Exception as error:  # whatever a storage raises
            # The driver's own text may hold an address with credentials in it.
            reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            raise OutputLost(f"batch_config: a file for {alias!r} cannot be written: {reason}.") from error

    def _write_json_lines(self, alias: str, records: Sequence[dict[str, Any]]) -> str:
        """Write one file, and give its URL."""
        storage, compressed = self._config.storage, self._config.encoding.compression == "gzip"
        name = f"{storage.prefix or ''}{self._stream.tap_name}--{alias}-{uuid4()}.json{'.gz' if compressed else ''}"
        lines = _ENCODER.encode_lines(records)
        content = gzip.compress(lines) if compressed else lines
        with storage.open(name, "wb") as file:
            file.write(content)
        self.bytes_written += len(content)
        return str(storage.get_url(name))
