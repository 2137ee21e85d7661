"""The targets that the README names, each with what the tap writes."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import local_shards
import pytest
import yaml
from akeneo_shards import Pipeline
from psycopg import sql

from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.sandbox.shapes import View

from .conftest import TARGET
from .environments import environment
from .expected import KEYS, by_key, records_of
from .pims import LONG_NUMBER, NOON, odd_pim, value
from .support import beginning_at, full_table, select, sync, sync_pim
from .support import environment as environment_of_tap
from .test_postgres import ORIGIN, assert_equal_to_pim, loaded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_akeneo_assets.sandbox import Pim

    from .conftest import Database

# With a newer duckdb, target-duckdb loses a row per batch.
DUCKDB = ("target-duckdb==0.8.0", "duckdb<1.3")
JSONL = ("target-jsonl==0.1.4",)
SNOWFLAKE = ("meltanolabs-target-snowflake~=0.20.4",)
STATEMENTS = Path(__file__).parent / "targets" / "snowflake_statements.py"
BOTH = pytest.mark.parametrize("use_copy", [False, True], ids=["INSERT", "COPY"])


def run(target: Path, arguments: Iterable[str], output: bytes) -> bytes:
    """Let a target read a tap's output; what it wrote."""
    done = subprocess.run([target, *arguments], input=output, capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def config(folder: Path, **settings: Any) -> tuple[str, str]:  # noqa: ANN401  # settings of any type
    """The arguments that name a file with settings."""
    file = folder / "target.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    return "--config", str(file)


# target-postgres.


def assert_tables(database: Database, pim: Pim, *, use_copy: bool) -> None:
    """Each table holds what the PIM has. COPY makes doubles of numbers, so of those the first 15 digits."""
    if not use_copy:
        assert_equal_to_pim(database, pim)
        return
    for stream, records in records_of(pim, View(link=lambda path: f"{ORIGIN}{path}")).items():
        rows = loaded(database, stream)
        blank = dict.fromkeys(rows[0])
        wanted = [rounded({**blank, **record}) for record in records]
        assert by_key(stream, map(rounded, rows)) == by_key(stream, wanted), stream


def rounded(record: dict[str, Any]) -> dict[str, Any]:
    """A record with its number as a double."""
    number = record.get("number_value")
    return record if number is None else {**record, "number_value": float(number)}


@pytest.mark.long
@BOTH
@pytest.mark.parametrize("hard_delete", [False, True], ids=["marked", "removed"])
def test_hourly_and_weekly_jobs_in_postgres(database: Database, *, hard_delete: bool, use_copy: bool) -> None:
    pim = demo_pim(assets=6, options=Options(clock=lambda: NOON, link_origin=ORIGIN))
    catalog = full_table(select(*KEYS))
    settings: dict[str, Any] = {"hard_delete": hard_delete, "use_copy": use_copy}
    with serve(pim) as server:
        first = sync(server.url, tap_class=beginning_at(1), emit_activate_version_messages=True)
        database.load(first.output, **settings)
        pim.options.clock = lambda: NOON + timedelta(hours=1)
        pim.save_asset("packshots", "new", {"title": [value("New", "en_US")]})
        gone = pim.assets("packshots").records[0]["code"]
        hourly = sync(server.url, state=first.state, tap_class=beginning_at(2), emit_activate_version_messages=True)
        database.load(hourly.output, **settings)
        assert_tables(database, pim, use_copy=use_copy)
        pim.delete_asset("packshots", gone)
        pim.delete_attribute("brand_logos", "name")
        weekly = sync(server.url, catalog=catalog, tap_class=beginning_at(3), emit_activate_version_messages=True)
        database.load(weekly.output, **settings)
        if hard_delete:
            assert_tables(database, pim, use_copy=use_copy)
        marked = database.query("SELECT code FROM assets WHERE _sdc_deleted_at IS NOT NULL")
        assert marked == ([] if hard_delete else [{"code": gone}])
        # What is there again is marked no longer.
        pim.options.clock = lambda: NOON + timedelta(hours=2)
        pim.save_asset("packshots", gone, {})
        database.load(
            sync(server.url, state=hourly.state, tap_class=beginning_at(4), emit_activate_version_messages=True).output,
            **settings,
        )
        assert database.query("SELECT code FROM assets WHERE _sdc_deleted_at IS NOT NULL") == []
        living = {(row["asset_family_code"], row["code"]) for row in loaded(database, "assets")}
    assert living == {(row["asset_family_code"], row["code"]) for row in records_of(pim)["assets"]}


def test_copy_brings_an_odd_pim_into_postgres_but_for_the_last_digits(database: Database) -> None:
    """`test_postgres` has the same by INSERT, with all digits."""
    pim = odd_pim(Options(link_origin=ORIGIN))
    database.load(sync_pim(pim).output, use_copy=True)
    assert_tables(database, pim, use_copy=True)
    numbers = {row["number_value"] for row in loaded(database, "asset_values")}
    assert Decimal("9" * 40) not in numbers


def loader_config() -> dict[str, Any]:
    """What `meltano.yml` sets for target-postgres."""
    project = yaml.safe_load((Path(__file__).parent.with_name("meltano.yml")).read_text(encoding="utf-8"))
    config: dict[str, Any] = next(
        plugin for plugin in project["plugins"]["loaders"] if plugin["name"] == "target-postgres"
    )["config"]
    return config


# For those who load no deletions.
WITHOUT_OWN_COLUMNS: dict[str, Any] = {"add_record_metadata": False, "activate_version": False}


@pytest.mark.parametrize("more", [{}, WITHOUT_OWN_COLUMNS], ids=["with", "without"])
def test_the_settings_for_loading_faster_bring_an_odd_pim_with_all_digits(
    database: Database, more: dict[str, Any]
) -> None:
    pim = odd_pim(Options(link_origin=ORIGIN))
    database.load(sync_pim(pim).output, **loader_config(), **more)
    assert_equal_to_pim(database, pim)
    numbers = {row["number_value"] for row in loaded(database, "asset_values")}
    assert {Decimal(LONG_NUMBER), Decimal("9" * 40)} <= numbers


@pytest.mark.parametrize("hard_delete", [False, True], ids=["marked", "removed"])
def test_who_loaded_without_the_targets_own_columns_can_load_deletions_later(
    database: Database, *, hard_delete: bool
) -> None:
    pim = demo_pim(assets=4, options=Options(link_origin=ORIGIN))
    with serve(pim) as server:
        database.load(sync(server.url).output, **loader_config(), **WITHOUT_OWN_COLUMNS)
        gone = pim.assets("packshots").records[0]["code"]
        pim.delete_asset("packshots", gone)
        full = sync(server.url, catalog=full_table(select(*KEYS)), emit_activate_version_messages=True)
    database.load(full.output, **loader_config(), hard_delete=hard_delete)
    if hard_delete:
        assert_equal_to_pim(database, pim)
    marked = database.query("SELECT code FROM assets WHERE _sdc_deleted_at IS NOT NULL")
    assert marked == ([] if hard_delete else [{"code": gone}])


def test_what_a_killed_target_left_is_completed_by_the_next_run(database: Database, tmp_path: Path) -> None:
    pim = odd_pim(Options(link_origin=ORIGIN))
    output = sync_pim(pim).output
    arguments = config(tmp_path, **database.settings, **loader_config(), batch_size_rows=5)
    lines = output.splitlines(keepends=True)
    (*_, last) = (number for number, line in enumerate(lines) if b'"RECORD"' in line and b'"asset_values"' in line)
    # Without the last value, so that something is missing however late the target is killed.
    messages = tmp_path / "messages"
    messages.write_bytes(b"".join(lines[:last]))
    with (
        messages.open("rb") as stdin,
        subprocess.Popen(  # noqa: S603
            [TARGET, *arguments], stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as target,
    ):
        assert target.stderr
        inserts = (line for line in target.stderr if b"Inserting with SQL" in line and b"value_key" in line)
        next(inserts)
        next(inserts)  # the batch before is committed
        target.kill()
    found = database.query("SELECT count(*) AS rows FROM asset_values")[0]["rows"]
    assert 0 < found < len(records_of(pim)["asset_values"])
    database.load(output, **loader_config())
    assert_equal_to_pim(database, pim)


def two_shards(target: list[str], database: Database, folder: Path, **settings: Any) -> Pipeline:  # noqa: ANN401  # settings of any type
    """Two shards at the same time, loaded as `meltano.yml` sets the target."""
    arguments = config(folder, **database.settings, **loader_config(), **settings)
    tap = [sys.executable, "-m", "tap_akeneo_assets", "--config=ENV"]
    return Pipeline(tap, [*target, *arguments], folder / "states", shards=2, at_once=2)


# Runs a target, and kills the first that has committed rows of `asset_values`.
KILL_ONE = """
import subprocess, sys
marker, *command = sys.argv[1:]
with subprocess.Popen(command, stderr=subprocess.PIPE) as target:
    inserts = 0
    for line in target.stderr:
        inserts += b"Inserting with SQL" in line and b"value_key" in line
        if inserts == 2:
            try:
                open(marker, "x")
            except FileExistsError:
                continue
            target.kill()
sys.exit(target.returncode != 0)
"""


@pytest.mark.long
def test_shards_at_once_bring_an_odd_pim_although_a_target_is_killed(database: Database, tmp_path: Path) -> None:
    pim = odd_pim(Options(link_origin=ORIGIN))
    target = [sys.executable, "-c", KILL_ONE, str(tmp_path / "killed"), str(TARGET)]
    shards = two_shards(target, database, tmp_path, batch_size_rows=20)
    with serve(pim) as server, mock.patch.dict(os.environ, {**environment_of_tap(server.url), "PGTZ": "UTC"}):
        (failure,) = local_shards.run(shards).values()
        assert "target with 1" in failure
        assert local_shards.run(shards) == {}
    assert_equal_to_pim(database, pim)
    numbers = {row["number_value"] for row in loaded(database, "asset_values")}
    assert {Decimal(LONG_NUMBER), Decimal("9" * 40)} <= numbers


def test_stream_maps_in_postgres(database: Database) -> None:
    pim = demo_pim(assets=4)
    maps = {
        "assets": {
            "__filter__": "asset_family_code == 'packshots'",
            "__alias__": "pictures",
            "hashed": "md5(code)",
            "status": "__NULL__",
            "values": None,
            "loaded_by": "'tap'",
        },
        "asset_families": {},
        "__else__": None,
    }
    database.load(sync_pim(pim, stream_maps=maps).output)
    tables = database.query("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
    assert {row["table_name"] for row in tables} == {"pictures", "asset_families"}
    rows = loaded(database, "pictures")
    assert {row["code"] for row in rows} == {asset["code"] for asset in pim.assets("packshots").records}
    assert {(row["asset_family_code"], row["loaded_by"]) for row in rows} == {("packshots", "tap")}
    assert all(re.fullmatch("[0-9a-f]{32}", row["hashed"]) for row in rows)
    assert "values" not in rows[0]


def test_flattening_in_postgres(database: Database) -> None:
    pim = demo_pim(assets=2)
    database.load(sync_pim(pim, flattening_enabled=True, flattening_max_depth=2).output)
    rows = {row["code"]: row for row in loaded(database, "asset_families")}
    for family in pim.families().records:
        convention = family.get("naming_convention") or {}
        assert rows[family["code"]]["naming_convention__pattern"] == convention.get("pattern")


def test_batch_files_in_postgres(database: Database, tmp_path: Path) -> None:
    pim = odd_pim(Options(link_origin=ORIGIN))
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
        "batch_size": 20,
    }
    written = sync_pim(pim, batch_config=batches)
    files = sorted(tmp_path.iterdir())
    assert files
    assert all(gzip.decompress(file.read_bytes()).startswith(b"{") for file in files)
    database.load(written.output)
    assert_equal_to_pim(database, pim)


@pytest.mark.long
def test_100_000_assets_in_postgres_by_two_shards(database: Database, tmp_path: Path) -> None:
    pim = demo_pim(families=5, assets=25_000)
    families = [family["code"] for family in pim.families().records]
    attributes = {family: pim.attributes(family) for family in families}
    assets = [asset for family in families for asset in pim.assets(family).records]
    assert len(assets) == 100_000
    with serve(pim) as server, mock.patch.dict(os.environ, {**environment_of_tap(server.url), "PGTZ": "UTC"}):
        assert local_shards.run(two_shards([str(TARGET)], database, tmp_path)) == {}
    for table, wanted in {
        "asset_families": len(families),
        "asset_attributes": sum(map(len, attributes.values())),
        "attribute_options": sum(
            len(pim.attribute_options(family, attribute["code"]))
            for family in families
            for attribute in attributes[family]
            if attribute["type"] in ("single_option", "multiple_options")
        ),
        "assets": len(assets),
        "asset_values": sum(len(rows) for asset in assets for rows in asset["values"].values()),
    }.items():
        assert database.query(sql.SQL("SELECT count(*) AS rows FROM {}").format(sql.Identifier(table))) == [
            {"rows": wanted}
        ]


# target-jsonl.


@pytest.mark.long
def test_target_jsonl(tmp_path: Path) -> None:
    pim = odd_pim(Options(link_origin=ORIGIN))
    written = sync_pim(pim)
    target = environment("target-jsonl", *JSONL) / "target-jsonl"
    run(target, config(tmp_path, destination_path=str(tmp_path), do_timestamp_file=False), written.output)
    for stream, records in written.records.items():
        lines = (tmp_path / f"{stream}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(records)
        assert json.loads(lines[0]).keys() == records[0].keys()


# target-duckdb.

COUNT = """
import duckdb, json, sys
warehouse, *names = sys.argv[1:]
with duckdb.connect(warehouse, read_only=True) as connection:
    count = lambda name: len(connection.table(f"akeneo.{name}"))
    print(json.dumps({name: count(name) for name in names}))
"""


@pytest.mark.long
def test_target_duckdb_loses_no_row(tmp_path: Path) -> None:
    pim = demo_pim(assets=40)
    written = sync_pim(pim)
    programs, warehouse = environment("target-duckdb", *DUCKDB), str(tmp_path / "warehouse.duckdb")
    settings = config(tmp_path, path=warehouse, default_target_schema="akeneo", batch_size_rows=50)
    run(programs / "target-duckdb", settings, written.output)
    counted = json.loads(run(programs / "python", ["-c", COUNT, warehouse, *written.records], b""))
    assert counted == {stream: len(records) for stream, records in written.records.items()}


# target-snowflake: there is no Snowflake here, so what it would say is looked at.


@pytest.fixture(scope="module")
def full_run() -> bytes:
    """What the tap writes in a full run."""
    with serve(demo_pim(assets=2)) as server:
        return sync(server.url, catalog=full_table(select(*KEYS)), emit_activate_version_messages=True).output


def told_to_snowflake(output: bytes, **settings: Any) -> list[str]:  # noqa: ANN401  # settings of any type
    """All that target-snowflake says to the database for an output."""
    settings |= {"account": "none", "user": "loader", "password": "none", "database": "warehouse"}
    told = run(
        environment("target-snowflake", *SNOWFLAKE) / "python",
        [str(STATEMENTS), json.dumps({**settings, "default_target_schema": "akeneo"})],
        output,
    )
    return [json.loads(line) for line in told.splitlines() if line.startswith(b'"')]


@pytest.fixture(scope="module")
def statements(full_run: bytes) -> list[str]:
    """All that it says by its defaults."""
    return told_to_snowflake(full_run)


def columns_of(statements: list[str], stream: str) -> dict[str, str]:
    """The columns that a stream's table is made with."""
    (statement,) = (text for text in statements if text.startswith(f'CREATE TABLE "AKENEO"."{stream.upper()}"'))
    columns, keys = re.fullmatch(r".*? \( (.*), PRIMARY KEY \((.*)\) \)", statement).groups()  # type: ignore[union-attr]
    assert tuple(keys.split(", ")) == KEYS[stream]
    return dict(column.split(" ", 1) for column in columns.split(", "))


@pytest.mark.long
def test_tables_in_snowflake_have_the_types_that_the_schemas_say(statements: list[str]) -> None:
    values, assets = columns_of(statements, "asset_values"), columns_of(statements, "assets")
    families, attributes = columns_of(statements, "asset_families"), columns_of(statements, "asset_attributes")
    assert columns_of(statements, "attribute_options")["labels"] == "VARIANT"
    assert {families[name] for name in ("labels", "naming_convention", "product_link_rules")} == {"VARIANT"}
    assert (attributes["allowed_extensions"], attributes["max_characters"]) == ("VARIANT", "DECIMAL")
    assert (assets['"VALUES"'], assets["updated"], assets["code"]) == ("VARIANT", "TIMESTAMP_NTZ", "VARCHAR NOT NULL")
    assert (values["option_codes"], values["linked_asset_codes"]) == ("VARIANT", "VARIANT")
    assert (values["number_value"], values["boolean_value"]) == ("FLOAT", "BOOLEAN")
    assert (values["date_value"], values["asset_updated"]) == ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ")


@pytest.mark.long
def test_snowflake_is_told_to_merge_by_key_and_to_mark_what_is_gone(statements: list[str]) -> None:
    for stream, keys in KEYS.items():
        table = f'"WAREHOUSE"."AKENEO"."{stream.upper()}"'
        (merge,) = (text for text in statements if text.startswith(f"merge into {table}"))
        assert " and ".join(f"d.{key} = s.{key}" for key in keys) in merge
        assert "d._sdc_deleted_at = s._sdc_deleted_at" in merge
        marks = [text for text in statements if text.startswith("UPDATE") and table in text]
        assert ["_sdc_table_version < %(version)s" in text for text in marks] == [True]


@pytest.mark.long
def test_snowflake_is_told_to_delete_what_is_gone_by_hard_delete(full_run: bytes, statements: list[str]) -> None:
    (version,) = {
        message["version"]
        for message in map(json.loads, full_run.splitlines())
        if message["type"] == "ACTIVATE_VERSION"
    }
    told = told_to_snowflake(full_run, hard_delete=True)
    tables = [f'"WAREHOUSE"."AKENEO"."{stream.upper()}"' for stream in KEYS]
    deletions = [text for text in told if text.startswith("DELETE")]
    wanted = [f"DELETE FROM {table} WHERE _sdc_table_version < {version}" for table in tables]  # noqa: S608  # a text to compare
    assert sorted(deletions) == sorted(wanted)
    # Instead of the marks; all else is the same.
    kinds, kinds_by_default = (sorted(text.split(" ", 1)[0] for text in texts) for texts in (told, statements))
    assert kinds == sorted("DELETE" if kind == "UPDATE" else kind for kind in kinds_by_default)
    # It deletes before it merges what still waits, and so loses nothing only if it comes to its end.
    for table, deletion in zip(tables, wanted, strict=True):
        (merge,) = (text for text in told if text.startswith(f"merge into {table}"))
        assert told.index(deletion) < told.index(merge)


# BigQuery: there is none here, so it is the columns that the target makes of the schemas.

# Its SDK needs pkg_resources, which newer setuptools have no longer.
BIGQUERY = ("z3-target-bigquery==0.7.2", "setuptools<81")


@pytest.mark.long
def test_bigquery_has_a_column_for_everything() -> None:
    written = sync_pim(demo_pim(assets=2))
    program = Path(__file__).parent / "targets" / "bigquery_columns.py"
    told = run(environment("target-bigquery", *BIGQUERY) / "python", ["-W", "ignore", str(program)], written.output)
    tables: dict[str, dict[str, str]] = json.loads(told)
    for stream, message in written.schemas.items():
        assert list(tables[stream]) == list(message["schema"]["properties"])
    assert tables["assets"]["values"] == tables["attribute_options"]["labels"] == "NULLABLE JSON"
    assert tables["asset_families"]["naming_convention"] == "NULLABLE RECORD"
    assert tables["asset_families"]["product_link_rules"] == "REPEATED RECORD"
    values = tables["asset_values"]
    assert values["option_codes"] == values["linked_asset_codes"] == "REPEATED STRING"
    assert (values["number_value"], values["asset_updated"]) == ("NULLABLE FLOAT", "NULLABLE TIMESTAMP")


# Parquet files: the columns that the target makes of the schemas.

PARQUET = ("plinxore-target-s3==0.1.7",)
OBJECTS = {"labels", "values", "transformations", "product_link_rules"}


@pytest.mark.long
def test_parquet_files_have_a_column_for_everything_but_objects_of_any_names() -> None:
    whole = sync_pim(demo_pim(assets=2))
    without = [(stream, name) for stream in KEYS for name in OBJECTS]
    thin = sync_pim(demo_pim(assets=2), catalog=select(*KEYS, without=without))
    program = str(Path(__file__).parent / "targets" / "parquet_columns.py")
    python = environment("target-parquet", *PARQUET) / "python"
    refused = json.loads(run(python, ["-W", "ignore", program], whole.output))
    assert {stream for stream, columns in refused.items() if isinstance(columns, str)} >= {
        "assets",
        "attribute_options",
    }
    tables = json.loads(run(python, ["-W", "ignore", program], thin.output))
    for stream, message in thin.schemas.items():
        assert list(tables[stream]) == list(message["schema"]["properties"])
        assert not OBJECTS & set(tables[stream])
