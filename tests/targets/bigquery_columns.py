"""The columns that z3-target-bigquery makes of each SCHEMA on stdin; it runs in the target's own environment."""

# mypy: ignore-errors
from __future__ import annotations

import json
import sys

from target_bigquery.core import SchemaTranslator

if __name__ == "__main__":
    tables = {}
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "SCHEMA":
            columns = SchemaTranslator(message["schema"], {}).translated_schema
            tables[message["stream"]] = {column.name: f"{column.mode} {column.field_type}" for column in columns}
    print(json.dumps(tables))
