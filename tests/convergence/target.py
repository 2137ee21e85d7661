"""A target in memory, as strict as a database with keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.expected import KEYS, by_key

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = dict[str, Any]
Key = tuple[str, ...]


@dataclass
class Warehouse:
    """A target that upserts by key and, told a version, removes rows of earlier ones or of none, as target-postgres."""

    tables: dict[str, dict[Key, tuple[int, Record]]] = field(default_factory=lambda: {stream: {} for stream in KEYS})
    state: Record = field(default_factory=dict)

    def load(self, messages: Iterable[Record]) -> None:
        for message in messages:
            if message["type"] == "STATE":
                self.state = message["value"]
            elif message["type"] == "RECORD":
                table, record = self.tables[message["stream"]], message["record"]
                key = tuple(record[name] for name in KEYS[message["stream"]])
                table[key] = message.get("version", 0), record
            elif message["type"] == "ACTIVATE_VERSION":
                table = self.tables[message["stream"]]
                for key in [key for key, (version, _) in table.items() if version < message["version"]]:
                    del table[key]

    def rows(self, stream: str) -> dict[Key, Any]:
        return by_key(stream, (record for _, record in self.tables[stream].values()))

    @property
    def partitions(self) -> dict[str, Record]:
        """What the state says of each family."""
        partitions = self.state.get("bookmarks", {}).get("assets", {}).get("partitions", [])
        return {partition["context"]["asset_family_code"]: partition for partition in partitions}

    @property
    def unfinished(self) -> dict[str, Record]:
        """What the state says of listings that an earlier run left open."""
        return {code: kept["unfinished"] for code, kept in self.partitions.items() if "unfinished" in kept}
