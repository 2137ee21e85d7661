"""The dbt package `akeneo_assets` on real databases: each wide table holds what the PIM has."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from psycopg import sql

from tap_akeneo_assets.sandbox.server import serve

from . import dbt
from .environments import environment
from .expected import KEYS
from .pims import NOON, value
from .support import full_table, select, sync
from .wide import (
    ALIKE_FAMILY,
    CHANNELS,
    LOCALES,
    ODD_FAMILY,
    ODD_NAMES,
    alike_cells,
    save_packshot,
    tables_of,
    wide_pim,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_akeneo_assets.sandbox import Pim

    from .conftest import Database

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="dbt-core 1.11 is for Python up to 3.13")

GOLDEN = Path(__file__).parent / "golden" / "snowflake"
BOTH = {"locales": LOCALES, "channels": CHANNELS}
MODELS = {
    "packshots": dbt.asset_table("packshots", **BOTH),
    "packshots_in_english": dbt.asset_table("packshots", locales="en_us", channels=["print", "Print", "print"]),
    "packshots_in_all": dbt.asset_table("packshots"),
    "empty": dbt.asset_table("empty"),
    "odd": dbt.asset_table(ODD_FAMILY),
    "alike": "{{ config(materialized='table') }}" + dbt.asset_table(ALIKE_FAMILY),
}


def assert_equal_to_pim(pim: Pim, rows: dict[str, list[dict[str, Any]]], *, exact: bool = True) -> None:
    """Each wide table holds what the PIM has, column by column; numbers as doubles if not `exact`."""
    asked = {"packshots": (LOCALES, CHANNELS), "packshots_in_english": (LOCALES[:1], CHANNELS[1:])}
    for name, (locales, channels) in asked.items():
        wanted = tables_of(pim, "packshots", locales, channels)
        assert _cells(rows[name], exact=exact) == _cells(wanted, exact=exact), name
    assert rows["empty"] == []
    assert names_by_code(rows["odd"]) == {
        code: name.replace("#", hashlib.md5(code.encode(), usedforsecurity=False).hexdigest()[:8])
        for code, name in ODD_NAMES.items()
    }
    ((_, _, _, _, *cells),) = ([*row.items()] for row in rows["alike"])
    assert sorted(str(content) for _, content in cells) == alike_cells(pim)
    assert [name for name, _ in cells if not re.fullmatch("[a-z_][a-z0-9_]{0,62}", name)] == []


def _cells(rows: Iterable[dict[str, Any]], *, exact: bool) -> dict[tuple[str, str], object]:
    """Each cell by asset and column."""
    return {
        (row["asset_code"], name): float(content) if isinstance(content, Decimal) and not exact else content
        for row in rows
        for name, content in row.items()
    }


def names_by_code(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The column of each attribute of the odd family, whose values name it."""
    ((_, *columns),) = ([*row.items()] for row in rows)
    return {content[1:-3]: name for name, content in columns if isinstance(content, str) and content.endswith(" \\")}


# Postgres.


def test_wide_tables_in_postgres_equal_the_pim_after_hourly_and_weekly_runs(database: Database, tmp_path: Path) -> None:
    pim = wide_pim()
    catalog = full_table(select(*KEYS))
    settings = {
        "AKENEO_WAREHOUSE": "postgres",
        "AKENEO_POSTGRES_HOST": str(database.folder),
        "AKENEO_SCHEMA": database.schema,
    }
    project = dbt.Project.make(tmp_path / "project", MODELS, settings)

    def tables(*command: str) -> dict[str, list[dict[str, Any]]]:
        project.dbt(*command)
        assert set(project.results().values()) <= {"success", "pass", "no-op"}
        return {name: database.query(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))) for name in MODELS}

    with serve(pim) as server:
        first = sync(server.url)
        database.load(first.output)
        pim.options.clock = lambda: NOON + timedelta(hours=1)
        save_packshot(pim, 5)
        pim.save_attribute("packshots", "new", type="text", value_per_locale=True)
        pim.save_asset(
            "packshots", "mug_1", {"new": [value("New", "fr_FR")], "colors": [value(["red"], None, "print")]}
        )
        pim.delete_value("packshots", "mug_2", "note", None, None)
        pim.save_asset("packshots", "german", {"hologram": [value(None)]})
        hourly = sync(server.url, state=first.state)
        database.load(hourly.output)
        rows = tables("build")
        assert "new_fr_fr" in rows["packshots"][0]
        assert "title_de_de" not in rows["packshots_in_all"][0]
        assert_equal_to_pim(pim, rows)
        assert database.query("SELECT row_count FROM row_counts WHERE table_name = 'assets'") == [{"row_count": 9}]

        pim.delete_asset("packshots", "mug_3")
        pim.delete_attribute("packshots", "video")
        pim.delete_option("packshots", "colors", "white")
        pim.deactivate_locale("fr_FR")
        weekly = sync(server.url, catalog=catalog, emit_activate_version_messages=True)
        database.load(weekly.output)
        assert database.query("SELECT code FROM assets WHERE _sdc_deleted_at IS NOT NULL") == [{"code": "mug_3"}]
        rows = tables("build")
    assert "video" not in rows["packshots"][0]
    assert_equal_to_pim(pim, rows)

    # A file that was stored has its path beside it.
    (file,) = database.query("SELECT * FROM asset_values WHERE asset_code = 'mug_0' AND value_key = 'picture-print'")
    database.load(stored(file))
    paths = {row["asset_code"]: row["picture_print_path"] for row in tables("run")["packshots"]}
    assert paths == {**dict.fromkeys(paths), "mug_0": "packshots/mug_0.png"}

    # A table that the target loads into is never replaced.
    (project.folder / "models" / "assets.sql").write_text(MODELS["packshots"], encoding="utf-8")
    with pytest.raises(AssertionError, match="would replace"):
        project.dbt("run", "--select", "assets")
    assert database.query("SELECT code FROM assets WHERE code = 'mug_0'")


def stored(value_row: dict[str, Any]) -> bytes:
    """What the tap says of a stored file."""
    keys = ["asset_family_code", "asset_code", "value_key"]
    record = {name: value_row[name] for name in (*keys, "media_file_code")} | {"stored_path": "packshots/mug_0.png"}
    schema = {"properties": {name: {"type": ["string", "null"]} for name in record}}
    schema["properties"] |= {name: {"type": ["string"]} for name in keys}
    messages = (
        {"type": "SCHEMA", "stream": "asset_media_files", "schema": schema, "key_properties": keys},
        {"type": "RECORD", "stream": "asset_media_files", "record": record},
    )
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


# DuckDB.

# With a newer one, target-duckdb loses a row per batch.
DUCKDB = ("target-duckdb==0.8.0", "duckdb<1.3")
TABLES_OF_DUCKDB = """
import duckdb, pickle, sys
warehouse, *names = sys.argv[1:]
tables = {}
with duckdb.connect(warehouse, read_only=True) as connection:
    connection.execute("SET enable_progress_bar = false")  # it writes to stdout
    for name in names:
        found = connection.execute(f"SELECT * FROM akeneo.{name}")
        columns = [column[0] for column in found.description]
        tables[name] = [dict(zip(columns, row)) for row in found.fetchall()]
sys.stdout.buffer.write(pickle.dumps(tables))
"""


def test_wide_tables_in_duckdb_equal_the_pim(tmp_path: Path) -> None:
    pim = wide_pim()
    with serve(pim) as server:
        output = sync(server.url).output
    warehouse = tmp_path / "warehouse.duckdb"
    settings = tmp_path / "target.json"
    settings.write_text(json.dumps({"path": str(warehouse), "default_target_schema": "akeneo"}), encoding="utf-8")
    target = environment("target-duckdb", *DUCKDB) / "target-duckdb"
    subprocess.run([target, "--config", settings], input=output, capture_output=True, check=True)  # noqa: S603
    project = dbt.Project.make(
        tmp_path / "project",
        MODELS,
        {"AKENEO_WAREHOUSE": "duckdb", "AKENEO_DUCKDB_PATH": str(warehouse), "AKENEO_SCHEMA": "akeneo"},
    )
    project.dbt("build")
    assert set(project.results().values()) <= {"success", "pass", "no-op"}
    told = dbt.python(TABLES_OF_DUCKDB, str(warehouse), *MODELS)
    assert_equal_to_pim(pim, pickle.loads(told), exact=False)  # noqa: S301  # of our own making


# Snowflake: there is none to run on, so the SQL is compared with what was reviewed, and parsed.
# `RENEW_GOLDEN=1 pytest tests/test_transform.py` writes it anew, to be read in the diff.

TOLD = """
{% macro snowflake__columns_of(relation) %}
{%- set found = {} -%}
{%- for name, type in {'asset_family_code': 'varchar', 'asset_code': 'varchar', 'code': 'varchar',
    'updated': 'timestamp_ntz', 'asset_updated': 'timestamp_tz', 'values': 'variant', 'labels': 'variant',
    'option_codes': 'variant', 'number_value': 'double', '_sdc_deleted_at': 'timestamp_ntz'}.items() -%}
    {%- set spelled = adapter.quote(name if name == 'values' else name | upper) -%}
    {%- do found.update({name: {'quoted': spelled, 'data_type': type}}) -%}
{%- endfor -%}
{{ return({} if relation.identifier == 'asset_media_files' else found) }}
{% endmacro %}

{% macro snowflake__attributes_of(family) %}
{%- set found = [] -%}
{%- for code, type, per_locale, per_channel in [
    ('title', 'text', true, false), ('order', 'number', false, true), ('on', 'boolean', false, false),
    ('day', 'date', false, false), ('color', 'single_option', false, false), ('Color', 'text', false, false),
    ("O'Neill\\\\", 'multiple_options', false, false), ('picture', 'media_file', true, true),
    ('guide', 'asset_family_single_link', false, false), ('guides', 'asset_family_multiple_links', false, false),
    ('hologram', 'hologram', false, false)
] -%}
    {%- do found.append({'code': code, 'type': type, 'per_locale': per_locale, 'per_channel': per_channel}) -%}
{%- endfor -%}
{{ return(found) }}
{% endmacro %}

{% macro snowflake__contexts_of(family, column, codes) %}
{{ return(['en_US', 'fr_FR'] if column == 'locale' else ['print']) }}
{% endmacro %}
"""


PARSE = """
import pathlib, sqlglot, sys
for file in sys.argv[1:]:
    (statement,) = sqlglot.parse(pathlib.Path(file).read_text("utf-8"), read="snowflake")
    assert isinstance(statement, sqlglot.exp.Query), file
    assert not list(statement.find_all(sqlglot.exp.Command, sqlglot.exp.Anonymous)), statement
"""


@pytest.fixture(scope="module")
def snowflake(tmp_path_factory: pytest.TempPathFactory) -> dbt.Project:
    """The package compiled for Snowflake, told what it would ask there."""
    project = dbt.Project.make(
        tmp_path_factory.mktemp("snowflake") / "project",
        {
            "packshots": dbt.asset_table("it's"),
            "attributes_query": """{{ akeneo_assets.attributes_query("it's") }}""",
            "contexts_query": """{{ akeneo_assets.contexts_query("it's", "locale", ["title", "O'Neill\\\\"]) }}""",
        },
        {
            "AKENEO_WAREHOUSE": "snowflake",
            "AKENEO_SNOWFLAKE_ACCOUNT": "none",
            "AKENEO_SNOWFLAKE_DATABASE": "warehouse",
            "AKENEO_SCHEMA": "akeneo",
        },
        dispatch=[{"macro_namespace": "akeneo_assets", "search_order": ["warehouse", "akeneo_assets"]}],
    )
    (project.folder / "macros").mkdir()
    (project.folder / "macros" / "told.sql").write_text(TOLD, encoding="utf-8")
    project.dbt("compile", "--no-populate-cache")
    return project


COMPILED = [
    "packshots",
    "attributes_query",
    "contexts_query",
    "asset_options",
    "current_values",
    "row_counts",
    "stg_assets",
    "stg_asset_values",
    "stg_attribute_options",
    "stg_asset_media_files",
]


@pytest.mark.parametrize("model", COMPILED)
def test_sql_for_snowflake_is_as_it_was_reviewed(snowflake: dbt.Project, model: str) -> None:
    compiled = snowflake.compiled(model).strip() + "\n"
    golden = GOLDEN / f"{model}.sql"
    if os.environ.get("RENEW_GOLDEN"):
        golden.write_text(compiled, encoding="utf-8")
    assert compiled == golden.read_text(encoding="utf-8")


def test_sql_for_snowflake_parses_in_its_dialect(snowflake: dbt.Project) -> None:
    compiled = list((snowflake.folder / "target" / "compiled").rglob("*.sql"))
    assert len(compiled) > len(COMPILED)
    dbt.python(PARSE, *map(str, compiled))


# What follows from the tap's schemas.


def test_generated_files_are_those_that_the_schemas_give() -> None:
    """Else: `python transform/generate.py`."""
    done = subprocess.run(  # noqa: S603  # this repository's own
        [sys.executable, dbt.PACKAGE / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_is_reported_to_anybody() -> None:
    project = yaml.safe_load((dbt.PACKAGE / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["flags"]["send_anonymous_usage_stats"] is False


def test_meltano_installs_what_the_tests_run() -> None:
    project = yaml.safe_load(dbt.PACKAGE.with_name("meltano.yml").read_text(encoding="utf-8"))
    (utility,) = project["plugins"]["utilities"]
    assert set(utility["pip_url"].split()) < set(dbt.REQUIREMENTS)
    variables = {setting["env"]: setting.get("value") for setting in utility["settings"]}
    assert variables["DBT_SEND_ANONYMOUS_USAGE_STATS"] is False
    profile = (dbt.PACKAGE / "profiles.yml").read_text(encoding="utf-8")
    assert all(f"'{name}'" in profile for name in variables if not name.startswith("DBT_"))
