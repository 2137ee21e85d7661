"""The DAG of the examples in a real Airflow, in an environment of its own (`make long`)."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_akeneo_assets.sandbox import demo_pim
from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.server import serve

from .conftest import TARGET
from .support import environment
from .test_postgres import ORIGIN, assert_equal_to_pim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .conftest import Database

pytestmark = pytest.mark.long

EXAMPLES = Path(__file__).parents[1] / "examples"
REQUIREMENT = "apache-airflow>=3.1,<4"
SHARDS = 8
TAP = f"{sys.executable} -m tap_akeneo_assets --config=ENV"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs a command of Airflow's, and gives what it printed."""
    home = tmp_path_factory.mktemp("airflow")
    venv.create(home / "venv", with_pip=True)
    python = home / "venv" / "bin" / "python"
    # uv takes a fraction of pip's time for the many packages.
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "uv"], check=True, timeout=600)  # noqa: S603
    uv = [str(python.with_name("uv")), "pip", "install", "--quiet", "--python", str(python)]
    subprocess.run([*uv, REQUIREMENT], check=True, timeout=1200)  # noqa: S603
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(  # noqa: S603
            [python.with_name("airflow"), *arguments],
            env={**os.environ, **settings, **(env or {})},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("db", "migrate")
    return run


def test_the_dag_is_imported_without_errors(airflow: Callable[..., str]) -> None:
    assert "No data found" in airflow("dags", "list-import-errors")
    assert airflow("tasks", "list", "akeneo_assets").split()[-2:] == ["prepare", "read"]


@pytest.mark.parametrize("number", [1, SHARDS])
def test_each_task_is_rendered_with_its_shard(airflow: Callable[..., str], number: int) -> None:
    variables = {"AIRFLOW_VAR_AKENEO_STATES": "/srv/states", "AIRFLOW_VAR_AKENEO_TAP": "tap --config=ENV"}
    index = ("--map-index", str(number - 1))
    rendered = airflow("tasks", "render", "akeneo_assets", "read", "2026-01-02", *index, env=variables)
    arguments = next(line for line in rendered.splitlines() if line.startswith("{"))
    assert ast.literal_eval(arguments) == {
        "tap": "tap --config=ENV",
        "target": "target-postgres --config /etc/akeneo/postgres.json",
        "states": "/srv/states",
        "shard": f"{number}/{SHARDS}",
    }


def test_a_run_of_the_dag_loads_everything(airflow: Callable[..., str], database: Database, tmp_path: Path) -> None:
    config = tmp_path / "postgres.json"
    url = f"postgresql+psycopg://postgres:@/{database.name}?host={database.folder}"
    config.write_text(json.dumps({"sqlalchemy_url": url, "default_target_schema": database.schema}))
    pim = demo_pim(families=9, assets=3, options=Options(link_origin=ORIGIN))
    with serve(pim) as server:
        settings = {
            **environment(server.url),
            "PGTZ": "UTC",
            "AIRFLOW_VAR_AKENEO_STATES": str(tmp_path / "states"),
            "AIRFLOW_VAR_AKENEO_TAP": TAP,
            "AIRFLOW_VAR_AKENEO_TARGET": f"{TARGET} --config {config}",
        }
        airflow("dags", "test", "akeneo_assets", env=settings)
    assert len(list((tmp_path / "states").glob("*-of-8.jsonl"))) == SHARDS
    assert_equal_to_pim(database, pim)
