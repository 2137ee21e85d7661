"""What arrives in a real Postgres through target-postgres."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.sandbox.shapes import View

from . import support
from .expected import KEYS, by_key, records_of
from .pims import LONG_NUMBER, NOON, TEXTS, odd_pim, value
from .support import beginning_at, full_table, select, sync

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox import Pim

    from .conftest import Database
    from .support import Outcome

ORIGIN = "https://pim.example"


def loaded(database: Database, stream: str) -> list[dict[str, Any]]:
    """The rows of a stream's table, without the target's own columns, and in the API's types."""
    return [
        {name: _as_sent(content) for name, content in row.items() if not name.startswith("_sdc")}
        for row in database.query(sql.SQL("SELECT * FROM {}").format(sql.Identifier(stream)))
    ]


def _as_sent(content: object) -> object:
    return content.replace(tzinfo=UTC).isoformat() if isinstance(content, datetime) else content


def assert_equal_to_pim(database: Database, pim: Pim) -> None:
    """Each table holds what the PIM has, null where a record has no such field."""
    for stream, records in records_of(pim, View(link=lambda path: f"{ORIGIN}{path}")).items():
        columns = database.query(
            sql.SQL(
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_schema = current_schema() AND table_name = {} AND NOT starts_with(column_name, '_sdc')"
            ).format(stream)
        )
        blank = {column["column_name"]: None for column in columns}
        wanted = [{**blank, **record} for record in records]
        assert by_key(stream, loaded(database, stream)) == by_key(stream, wanted), stream


@pytest.fixture(scope="module")
def odd(shared_database: Database) -> tuple[Database, Pim]:
    """An odd PIM, brought by a pipe from tap to target."""
    pim = odd_pim(Options(link_origin=ORIGIN))
    with serve(pim) as server:
        command = [sys.executable, "-m", "tap_akeneo_assets", "--config=ENV"]
        env = support.environment(server.url)
        with subprocess.Popen(  # noqa: S603
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as tap:
            assert tap.stdout
            shared_database.load(tap.stdout.fileno())
        assert tap.returncode == 0
    return shared_database, pim


def test_everything_that_an_odd_pim_has_arrives(odd: tuple[Database, Pim]) -> None:
    database, pim = odd
    assert_equal_to_pim(database, pim)
    texts = {row["asset_code"]: row["text_value"] for row in loaded(database, "asset_values")}
    for name, text in TEXTS.items():
        assert texts[f"text_{name}"] == text.replace("\0", "").replace("\ud83d", "\ufffd"), name
    numbers = {row["number_value"] for row in loaded(database, "asset_values")}
    assert {Decimal(LONG_NUMBER), Decimal("9" * 40), Decimal("-2.50")} <= numbers


def test_tables_have_the_types_and_keys_that_the_schemas_say(odd: tuple[Database, Pim]) -> None:
    database, _ = odd
    types = {
        (row["table_name"], row["column_name"]): row["udt_name"]
        for row in database.query(
            "SELECT table_name, column_name, udt_name FROM information_schema.columns "
            "WHERE table_schema = current_schema()"
        )
    }
    for column, kind in {
        ("asset_families", "labels"): "jsonb",
        ("asset_families", "naming_convention"): "jsonb",
        ("asset_families", "product_link_rules"): "_jsonb",
        ("asset_families", "sharing_enabled"): "bool",
        ("asset_attributes", "max_characters"): "int8",
        ("asset_attributes", "allowed_extensions"): "_text",
        ("asset_attributes", "default_value"): "text",
        ("assets", "values"): "jsonb",
        ("assets", "created"): "timestamp",
        ("assets", "updated"): "timestamp",
        ("asset_values", "number_value"): "numeric",
        ("asset_values", "boolean_value"): "bool",
        ("asset_values", "date_value"): "timestamp",
        ("asset_values", "option_codes"): "_text",
        ("asset_values", "raw_value"): "text",
        ("asset_values", "asset_updated"): "timestamp",
    }.items():
        assert types[column] == kind, column
    keys: dict[str, list[str]] = {}
    for row in database.query(
        "SELECT table_name, column_name FROM information_schema.key_column_usage "
        "WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ):
        keys.setdefault(row["table_name"], []).append(row["column_name"])
    assert {stream: tuple(columns) for stream, columns in keys.items()} == KEYS


def test_a_second_run_updates_and_adds_without_duplicates(database: Database) -> None:
    pim = demo_pim(assets=4, options=Options(clock=lambda: NOON, link_origin=ORIGIN))
    with serve(pim) as server:
        first = sync(server.url)
        database.load(first.output)
        again = sync(server.url)
        pim.options.clock = lambda: NOON + timedelta(hours=1)
        pim.save_family("packshots", labels={"en_US": "Pictures of products"})
        pim.save_asset("packshots", "new", {"title": [value("New", "en_US")]})
        changed = pim.assets("brand_logos").records[0]
        pim.save_asset("brand_logos", changed["code"], {**changed["values"], "name": [value("Renamed")]})
        second = sync(server.url, state=first.state)
    database.load(again.output + second.output)
    assert len(again.records["assets"]) == 3 * 4
    assert len(second.records["assets"]) < 3 * 4
    assert_equal_to_pim(database, pim)


def test_a_full_run_removes_exactly_what_is_gone_from_the_pim(database: Database) -> None:
    catalog, seconds = full_table(select(*KEYS)), count(1)
    pim = demo_pim(families=4, assets=4, options=Options(link_origin=ORIGIN))
    with serve(pim) as server:

        def run(**more: Any) -> Outcome:  # noqa: ANN401  # settings of any type
            tap_class = beginning_at(next(seconds))
            return sync(server.url, catalog=catalog, tap_class=tap_class, emit_activate_version_messages=True, **more)

        first = run()
        database.load(first.output, hard_delete=True)
        gone, thinned, *_ = [asset["code"] for asset in pim.assets("packshots").records]
        pim.delete_family("user_guides")
        pim.delete_asset("packshots", gone)
        pim.delete_attribute("packshots", "title")
        pim.delete_option("packshots", "background", "white")
        attribute, rows = next(iter(pim.asset("packshots", thinned)["values"].items()))
        pim.delete_value("packshots", thinned, attribute, rows[0]["locale"], rows[0]["channel"])
        pim.deactivate_locale("fr_FR")
        pim.save_asset("brand_logos", "new", {"name": [value("New")]})
        second = run()
        database.load(second.output, hard_delete=True)
        assert second.of_type("ACTIVATE_VERSION")[0]["version"] > first.of_type("ACTIVATE_VERSION")[0]["version"]
        assert_equal_to_pim(database, pim)

        # What one run does not see is no proof that it is gone.
        pim.options.hidden_families = frozenset({"packshots"})
        narrowed = run(asset_families=["brand_logos", "packshots"])
        pim.options.hidden_families = frozenset()
        pim.options.index_sick = pim.options.index_serves_all = True
        sick = run()
        pim.options.index_sick = False
    assert (narrowed.status, sick.records["assets"]) == (1, [])
    database.load(narrowed.output + sick.output, hard_delete=True)
    assert_equal_to_pim(database, pim)
