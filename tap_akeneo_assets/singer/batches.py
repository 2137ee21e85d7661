"""BATCH files of one stream, written by the SDK's batcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.batch import Batcher
from singer_sdk.helpers._batch import SDKBatchMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_akeneo_assets.singer.stream import AkeneoStream


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
