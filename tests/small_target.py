"""A small target on the SDK's own SQL classes and SQLite: deletions are the SDK's, rows are replaced by their key."""

from __future__ import annotations

import io
import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.sql import SQLConnector, SQLSink, SQLTarget

if TYPE_CHECKING:
    from pathlib import Path

    from singer_sdk.sql.connector import FullyQualifiedName
    from sqlalchemy import Executable


class SmallSink(SQLSink[SQLConnector]):
    """Writes rows as they come, in place of those with the same key."""

    connector_class = SQLConnector

    def generate_insert_statement(
        self, full_table_name: str | FullyQualifiedName, schema: dict[str, Any]
    ) -> Executable:
        statement: Any = super().generate_insert_statement(full_table_name, schema)
        replacing: Executable = statement.prefix_with("OR REPLACE")
        return replacing

    def process_batch(self, context: dict[str, Any]) -> None:
        context["records"] = [
            {name: _storable(content) for name, content in record.items()} for record in context["records"]
        ]
        super().process_batch(context)


def _storable(content: object) -> object:
    """What SQLite takes: JSON texts of arrays and objects, texts of decimals and times."""
    if isinstance(content, list | dict):
        return json.dumps(content, default=str)
    return content if content is None or isinstance(content, bool | int | float | str) else str(content)


class SmallTarget(SQLTarget):
    """The target."""

    name = "small-target"
    default_sink_class = SmallSink
    config_jsonschema: ClassVar[dict[str, Any]] = {"properties": {"sqlalchemy_url": {"type": "string"}}}


@dataclass(frozen=True)
class SmallDatabase:
    """A database of SQLite that the target fills."""

    path: Path

    def load(self, output: bytes, *, hard_delete: bool = False) -> None:
        """Let the target load a tap's output."""
        config = {"sqlalchemy_url": f"sqlite:///{self.path}", "hard_delete": hard_delete, "add_record_metadata": True}
        target = SmallTarget(config=config)
        target.listen(io.StringIO(output.decode()))

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows that a query gives; of other statements, what they do is kept."""
        connection = sqlite3.connect(self.path)
        try:
            connection.row_factory = sqlite3.Row
            with connection:
                return [dict(row) for row in connection.execute(sql)]
        finally:
            connection.close()
