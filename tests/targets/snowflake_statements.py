"""What target-snowflake would say to Snowflake; it runs in the target's own environment, with messages on stdin.

The connection is replaced by one that writes each statement to stdout as a JSON text; nothing is connected to.
"""

# mypy: ignore-errors
from __future__ import annotations

import json
import sys

import sqlalchemy as sa
from sqlalchemy.engine.mock import MockConnection
from target_snowflake.connector import SnowflakeConnector
from target_snowflake.sinks import SnowflakeSink
from target_snowflake.target import TargetSnowflake


class Recorder(MockConnection):
    """An engine and a connection that only writes down what it is asked."""

    def __init__(self, dialect):
        super().__init__(dialect, self.write_down)

    def write_down(self, statement, parameters=None):
        text = statement if isinstance(statement, str) else str(statement.compile(dialect=self.dialect))
        sys.stdout.write(json.dumps(" ".join(text.split())) + "\n")  # at once: streams are loaded by threads
        return self

    def execute(self, statement, parameters=None, **_):
        return self.write_down(statement, parameters)

    def connect(self):
        return self

    def begin(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def execution_options(self, **_):
        return self

    def fetchone(self):
        return None

    rowcount = 0


class Connector(SnowflakeConnector):
    """Its own in all but the connection, and the questions that need an answer."""

    tables = set()

    def create_engine(self):
        return Recorder(sa.create_mock_engine("snowflake://", lambda *_: None).dialect)

    def schema_exists(self, schema_name):
        return True

    def table_exists(self, full_table_name):
        known = str(full_table_name) in self.tables
        self.tables.add(str(full_table_name))
        return known

    def column_exists(self, full_table_name, column_name):
        return True


class Sink(SnowflakeSink):
    connector_class = Connector


class Target(TargetSnowflake):
    default_sink_class = Sink

    def get_sink_class(self, stream_name):
        return Sink


if __name__ == "__main__":
    Target(config=json.loads(sys.argv[1])).listen(sys.stdin)
