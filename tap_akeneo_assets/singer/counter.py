"""How many records a stream has given."""

from __future__ import annotations

from singer_sdk.metrics import Counter, Metric, Tag


class RecordCounter(Counter):
    """Counts a stream's records, and logs one METRIC with all of them when it is closed.

    The SDK's own begins anew with each METRIC, once per minute.

    Args:
        stream: its name.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(Metric.RECORD_COUNT, {Tag.STREAM: stream})

    def increment(self, value: int = 1) -> None:
        """Count some more."""
        self.value += value
