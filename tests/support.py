"""Runs of the tap against the sandbox: in this process, or as a user runs it."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from tap_akeneo_assets.pim.client import Client
from tap_akeneo_assets.pim.rate_limit import Clock
from tap_akeneo_assets.records.assets import Asset
from tap_akeneo_assets.records.values import ValueRows
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.sandbox.tokens import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME
from tap_akeneo_assets.tap import TapAkeneoAssets

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from tap_akeneo_assets.records.values import AttributeInfo
    from tap_akeneo_assets.sandbox import Pim

CREDENTIALS = {
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "username": USERNAME,
    "password": PASSWORD,
}


@dataclass
class Outcome:
    """What a run wrote, and how it ended."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    status: int = 0
    log: str = ""
    output: bytes = b""

    @classmethod
    def of(cls, output: bytes, status: int, log: str = "") -> Outcome:
        """Parse an output, of which every line must be a message; numbers keep their digits."""
        return cls([json.loads(line, parse_float=Decimal) for line in output.splitlines()], status, log, output)

    @property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """The records by stream, in order."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for message in self.of_type("RECORD"):
            found[message["stream"]].append(message["record"])
        return found

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """The SCHEMA messages by stream, of which there must be one each."""
        messages = self.of_type("SCHEMA")
        by_stream = {message["stream"]: message for message in messages}
        assert len(by_stream) == len(messages)
        return by_stream

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        value: dict[str, Any] = self.of_type("STATE")[-1]["value"]
        return value

    @property
    def bookmarks(self) -> dict[str, str | None]:
        """The last state's bookmarks by family."""
        partitions = self.state.get("bookmarks", {}).get("assets", {}).get("partitions", [])
        return {
            partition["context"]["asset_family_code"]: partition.get("replication_key_value")
            for partition in partitions
        }

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type, in order."""
        return [message for message in self.messages if message["type"] == kind]


@contextmanager
def captured_stdout() -> Iterator[io.BytesIO]:
    """Collect the bytes written to stdout."""
    output, before = io.BytesIO(), sys.stdout
    sys.stdout = io.TextIOWrapper(output, write_through=True)
    try:
        yield output
    finally:
        sys.stdout.detach()
        sys.stdout = before


@contextmanager
def collected_log(level: int = logging.WARNING) -> Iterator[io.StringIO]:
    """Collect the lines of all loggers from a level on, such as `ERROR what happened`."""
    text, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handlers, level_before = root.handlers[:], root.level
    filters = [(old, old.filters[:]) for old in handlers]
    root.setLevel(min(level, level_before))
    handler.setLevel(level)
    root.addHandler(handler)
    try:
        yield text
    finally:
        root.handlers[:] = handlers
        root.setLevel(level_before)
        for old, its_filters in filters:  # the tap has added one that knows its secrets
            old.filters[:] = its_filters


class HurryingClock(Clock):
    """A clock on which every wait is over at once."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(stop)
        self._skipped = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._skipped

    def wait(self, seconds: float) -> None:
        super().wait(0)
        self._skipped += max(0.0, seconds)


class HurryingTap(TapAkeneoAssets):
    """The tap with such a clock, or another one."""

    clock_class: ClassVar[type[Clock]] = HurryingClock

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  # the tap's own
        super().__init__(**kwargs)
        self.client = Client(
            api_url=self.settings.api_url,
            credentials=self.settings.credentials,
            request_timeout_seconds=self.settings.request_timeout_seconds,
            max_retries=self.settings.max_retries,
            max_requests_per_second=self.settings.max_requests_per_second,
            user_agent="tests",
            stop=self.stop,
            redactor=self.client.redactor,
            clock=self.clock_class(self.stop),
        )


class FrequentTap(TapAkeneoAssets):
    """The tap, writing a STATE whenever it can."""

    state_records = 0


def beginning_at(second: int) -> type[TapAkeneoAssets]:
    """The tap, beginning its runs at that second: two runs of one second would have the same version."""
    return type("TapOfThatSecond", (TapAkeneoAssets,), {"initialized_at": second * 1000 + 999})


def sync(
    url: str,
    *,
    state: dict[str, Any] | None = None,
    catalog: dict[str, Any] | None = None,
    tap_class: type[TapAkeneoAssets] = TapAkeneoAssets,
    log_level: int = logging.WARNING,
    **config: Any,  # noqa: ANN401  # settings of any type
) -> Outcome:
    """Sync a PIM in this process."""
    with captured_stdout() as output, collected_log(log_level) as log:
        tap = tap_class(config={"api_url": url, **CREDENTIALS, **config}, state=state, catalog=catalog)
        try:
            tap.sync_all()
            status = 0
        except SystemExit as ending:
            status = int(ending.code or 0)
        return Outcome.of(output.getvalue(), status, log.getvalue())


def sync_pim(pim: Pim, **settings: Any) -> Outcome:  # noqa: ANN401  # as `sync` takes them
    """Serve a PIM for one sync in this process."""
    with serve(pim) as server:
        return sync(server.url, **settings)


def value_records(
    record: dict[str, Any], attributes: Mapping[str, AttributeInfo] | None, unparsed: set[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The records of `asset_values` that a record of `assets` gives."""
    value_rows = ValueRows(record["asset_family_code"], attributes or {})
    rows = value_rows.of(Asset(record))
    unparsed |= value_rows.unparsed
    return [json.loads(row, parse_float=Decimal, parse_int=_integer) for row in rows]


def _integer(digits: str) -> int | Decimal:
    return Decimal(digits) if digits == "-0" else int(digits)


def environment(url: str, **more: str) -> dict[str, str]:
    """The environment for a tap of its own process."""
    settings = {"api_url": url, **CREDENTIALS}
    return {**os.environ, **{f"TAP_AKENEO_ASSETS_{name.upper()}": value for name, value in settings.items()}, **more}


def tap(
    *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """Run the tap as a user does."""
    command: Sequence[str] = [sys.executable, "-m", "tap_akeneo_assets", *arguments]
    return subprocess.run(command, capture_output=True, env=env, timeout=timeout, check=False)  # noqa: S603


def select(*streams: str, without: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """A catalog in which only these streams are selected, and not these fields of them."""
    catalog = TapAkeneoAssets(config={}, validate_config=False).catalog_dict
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            breadcrumb = metadata["breadcrumb"]
            if not breadcrumb:
                metadata["metadata"]["selected"] = entry["tap_stream_id"] in streams
            elif (entry["tap_stream_id"], breadcrumb[-1]) in without:
                metadata["metadata"]["selected"] = False
    return dict(catalog)


def full_table(catalog: dict[str, Any]) -> dict[str, Any]:
    """The same catalog with full-table replication of assets."""
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "assets":
            entry["replication_method"] = "FULL_TABLE"
            entry["metadata"][0]["metadata"]["forced-replication-method"] = "FULL_TABLE"
    return catalog
