"""How many records a stream has given."""

from __future__ import annotations

from time import time

from singer_sdk.metrics import Counter, Metric, Tag


class RecordCounter(Counter):
    """Counts a stream's records, and logs one METRIC with all of them when it is closed.

    The SDK's own begins anew with each METRIC, once per minute. This one logs a plain line instead, so that a long run
    shows that it lives.

    Args:
        stream: its name.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(Metric.RECORD_COUNT, {Tag.STREAM: stream})
        self._stream = stream

    def increment(self, value: int = 1) -> None:
        """Count some more."""
        self.value += value
        if (now := time()) - self.last_log_time > self.log_interval:
            self.last_log_time = now
            self.logger.info("%s: %d records so far", self._stream, self.value)
