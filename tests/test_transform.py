"""The dbt package `akeneo_assets` on real databases: each wide table holds what the PIM has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from tap_akeneo_assets.sandbox.server import serve

from . import dbt
from .environments import environment
from .expected import KEYS
from .pims import NOON, value
from .support import full_table, select, sync
from .wide import CHANNELS, LOCALES, ODD_FAMILY, ODD_NAMES, save_packshot, tables_of, wide_pim

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_akeneo_assets.sandbox import Pim

    from .conftest import Database

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="dbt-core 1.11 is for Python up to 3.13")

GOLDEN = Path(__file__).parent / "golden" / "snowflake"
BOTH = {"locales": LOCALES, "channels": CHANNELS}
MODELS = {
    "packshots": dbt.asset_table("packshots", **BOTH),
    "packshots_in_english": dbt.asset_table("packshots", locales=["en_US"], channels=["print"]),
    "packshots_in_all": dbt.asset_table("packshots"),
    "empty": dbt.asset_table("empty"),
    "odd": dbt.asset_table(ODD_FAMILY),
}


def assert_equal_to_pim(pim: Pim, rows: dict[str, list[dict[str, Any]]], *, exact: bool = True) -> None:
    """Each wide table holds what the PIM has, column by column; numbers as doubles if not `exact`."""
    asked = {"packshots": (LOCALES, CHANNELS), "packshots_in_english": (LOCALES[:1], CHANNELS[1:])}
    for name, (locales, channels) in asked.items():
        wanted = tables_of(pim, "packshots", locales, channels)
        found = sorted(rows[name], key=lambda row: str(row["asset_code"]))
        assert _as_kept(found, exact=exact) == _as_kept(wanted, exact=exact), name
    assert rows["empty"] == []
    (odd,) = rows["odd"]
    contents = {name: content for name, content in odd.items() if isinstance(content, str)}
    assert {contents[name] for name in contents if name not in ("asset_family_code", "asset_code")} == {
        f"'{code}' \\" for code in ODD_NAMES
    }


def _as_kept(rows: Iterable[dict[str, Any]], *, exact: bool) -> list[dict[str, Any]]:
    return [{name: _number(content, exact=exact) for name, content in row.items()} for row in rows]


def _number(content: object, *, exact: bool) -> object:
    return content if exact or isinstance(content, str | bool | list) or not hasattr(content, "__float__") else float(content)


def names_by_code(row: dict[str, Any]) -> dict[str, str]:
    """The column of each attribute of the odd family."""
    by_content = {content: name for name, content in row.items()}
    return {code: by_content[f"'{code}' \\"] for code in ODD_NAMES}


# Postgres.


def test_wide_tables_in_postgres_equal_the_pim_after_hourly_and_weekly_runs(
    database: Database, tmp_path: Path
) -> None:
    pim = wide_pim()
    catalog = full_table(select(*KEYS))
    settings = {"AKENEO_WAREHOUSE": "postgres", "AKENEO_POSTGRES_HOST": str(database.folder), "AKENEO_SCHEMA": database.schema}
    project = dbt.Project.make(tmp_path / "project", MODELS, settings)

    def tables() -> dict[str, list[dict[str, Any]]]:
        project.dbt("build")
        assert set(project.results().values()) <= {"success", "pass", "no-op"}
        return {name: database.query(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))) for name in MODELS}

    with serve(pim) as server:
        first = sync(server.url)
        database.load(first.output)
        pim.options.clock = lambda: NOON + timedelta(hours=1)
        save_packshot(pim, 5)
        pim.save_attribute("packshots", "new", type="text", value_per_locale=True)
        pim.save_asset("packshots", "mug_1", {"new": [value("New", "fr_FR")], "colors": [value(["red"], None, "print")]})
        pim.delete_value("packshots", "mug_2", "note", None, None)
        hourly = sync(server.url, state=first.state)
        database.load(hourly.output)
        rows = tables()
        assert "new_fr_fr" in rows["packshots"][0]
        assert_equal_to_pim(pim, rows)
        names = names_by_code(rows["odd"][0])
        assert database.query("SELECT row_count FROM row_counts WHERE table_name = 'assets'") == [{"row_count": 7}]

        pim.delete_asset("packshots", "mug_3")
        pim.delete_attribute("packshots", "video")
        pim.delete_option("packshots", "colors", "white")
        pim.deactivate_locale("fr_FR")
        weekly = sync(server.url, catalog=catalog, emit_activate_version_messages=True)
        database.load(weekly.output)
        assert database.query("SELECT code FROM assets WHERE _sdc_deleted_at IS NOT NULL") == [{"code": "mug_3"}]
        pim.delete_attribute(ODD_FAMILY, "Shoes")
        rows = tables()
    assert "video" not in rows["packshots"][0]
    assert_equal_to_pim(pim, rows)
    assert names_by_code(rows["odd"][0]) == names

    # A file that was stored has its path beside it.
    (file,) = database.query("SELECT * FROM asset_values WHERE asset_code = 'mug_0' AND value_key = 'picture-print'")
    database.load(stored(file))
    assert tables()["packshots"][0]["picture_print_path"] in (None, "packshots/mug_0.png")
    assert database.query("SELECT picture_print_path AS path FROM packshots WHERE asset_code = 'mug_0'") == [
        {"path": "packshots/mug_0.png"}
    ]


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
