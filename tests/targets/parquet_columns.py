"""The columns that plinxore-target-s3 gives a Parquet file for each SCHEMA on stdin, or why it cannot; no S3 is asked.

It runs in the target's own environment.
"""

# mypy: ignore-errors
from __future__ import annotations

import datetime as dt
import json
import logging
import sys

from target_s3.formats.format_parquet import FormatParquet

NOBODY = {"aws_bucket": "none", "aws_region": "none", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
CONFIG = {
    "append_date_to_prefix": False,
    "append_date_to_filename": False,
    "cloud_provider": {"cloud_provider_type": "aws", "aws": NOBODY},
    "format": {"format_type": "parquet"},
}

if __name__ == "__main__":
    tables = {}
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "SCHEMA":
            context = {
                "stream_name": message["stream"],
                "stream_schema": message["schema"],
                "logger": logging.getLogger(),
                "batch_start_time": dt.datetime.now(tz=dt.UTC),
                "records": [],
                "batch_number": 1,
                "batch_uuid": "none",
            }
            try:
                schema = FormatParquet(CONFIG, context).create_schema()
                tables[message["stream"]] = {column.name: str(column.type) for column in schema}
            except AttributeError as error:
                tables[message["stream"]] = str(error)
    print(json.dumps(tables))
