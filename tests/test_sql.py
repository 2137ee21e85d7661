"""The README's ready SQL, run on the real Postgres; `tests/sql` holds the same queries, and those for Snowflake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.server import serve

from .expected import records_of
from .pims import NOON, value
from .support import sync

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox import Pim
    from tap_akeneo_assets.sandbox.options import PimVersion

    from .conftest import Database

README = Path(__file__).parents[1] / "README.md"
FILES = Path(__file__).parent / "sql"
HEADINGS = {
    "current_values": "Current values only",
    "wide_rows": "One wide row an asset",
    "option_labels": "Option codes with their labels",
}


def blocks(name: str) -> list[str]:
    """The SQL below a heading of the README: for Postgres first, for Snowflake last."""
    heading = re.escape(HEADINGS[name])
    section = re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert section, f"The README has no heading {HEADINGS[name]!r}."
    found = re.findall(r"^```sql\n(.*?)^```$", section[1], re.DOTALL | re.MULTILINE)
    assert found
    return found


@pytest.mark.parametrize("name", HEADINGS)
def test_the_readme_has_the_queries_for_both_databases(name: str) -> None:
    found = blocks(name)
    assert found[0] == (FILES / f"{name}.sql").read_text(encoding="utf-8")
    assert found[-1] == (FILES / f"{name}_snowflake.sql").read_text(encoding="utf-8")


@dataclass
class Company:
    """A PIM that was loaded, changed and loaded again.

    Attributes:
        pim: as it is now.
        database: what the two loads made.
        rows: how many values there were before the change, all of which have a row.
        gone: keys of values that are no longer there.
    """

    pim: Pim
    database: Database
    rows: int
    gone: set[tuple[str, ...]]

    def ask(self, name: str) -> list[dict[str, Any]]:
        """What a query of the README gives."""
        return self.database.query(blocks(name)[0].encode())


def load_twice(database: Database, version: PimVersion) -> Company:
    pim = demo_pim(assets=12, options=Options(version, clock=lambda: NOON))
    pim.save_option("packshots", "main_colors", "unlabelled", labels={"fr_FR": "Sans nom"})
    pim.save_asset("packshots", "nothing", {})
    pim.save_asset("packshots", "odd", {"main_colors": [value(["unlabelled", "mustard", "gone"])]})
    with serve(pim) as server:
        first = sync(server.url)
        pim.options.clock = lambda: NOON + timedelta(hours=1)
        changed = pim.assets("packshots").records[0]
        attribute, rows = next((name, rows) for name, rows in changed["values"].items() if name != "picture")
        for row in rows:
            pim.delete_value("packshots", changed["code"], attribute, row["locale"], row["channel"])
        second = sync(server.url, state=first.state)
    database.load(first.output + second.output)
    keys = {"-".join(filter(None, (attribute, row["locale"], row["channel"]))) for row in rows}
    return Company(
        pim, database, len(first.records["asset_values"]), {("packshots", changed["code"], key) for key in keys}
    )


@pytest.fixture(scope="module")
def company(shared_database: Database) -> Company:
    return load_twice(shared_database, "saas")


def keys_of(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return sorted((row["asset_family_code"], row["asset_code"], row["value_key"]) for row in rows)


def test_current_values_are_those_that_assets_have_now(company: Company) -> None:
    assert company.gone
    assert company.database.query("SELECT count(*) AS rows FROM asset_values") == [{"rows": company.rows}]
    current = records_of(company.pim)["asset_values"]
    assert len(current) == company.rows - len(company.gone)
    assert keys_of(company.ask("current_values")) == keys_of(current)


def test_before_6_0_all_values_count_as_current(database: Database) -> None:
    company = load_twice(database, "5.0")
    found = company.ask("current_values")
    assert len(found) == company.rows
    assert company.gone < set(keys_of(found))


def test_wide_rows_have_a_column_an_attribute(company: Company) -> None:
    values = records_of(company.pim)["asset_values"]

    def only(asset: str, attribute: str, column: str) -> Any:  # noqa: ANN401  # of any type
        found = [
            row[column]
            for row in values
            if (row["asset_family_code"], row["asset_code"], row["attribute_code"]) == ("packshots", asset, attribute)
            and row["locale"] in (None, "en_US")
            and row["channel"] in (None, "ecommerce")
        ]
        assert len(found) <= 1
        return found[0] if found else None

    wide = company.ask("wide_rows")
    assert sorted(wide, key=lambda row: str(row["asset_code"])) == [
        {
            "asset_family_code": "packshots",
            "asset_code": asset,
            "title": only(asset, "title", "text_value"),
            "width_mm": only(asset, "width_mm", "number_value"),
            "main_colors": ", ".join(only(asset, "main_colors", "option_codes") or ()) or None,
            "picture": only(asset, "picture", "media_file_code"),
        }
        for asset in sorted(asset["code"] for asset in company.pim.assets("packshots").records)
    ]
    for column in wide[0]:
        assert {row[column] for row in wide} - {None}, column


def test_options_have_their_labels(company: Company) -> None:
    records = records_of(company.pim)
    labels = {
        (option["asset_family_code"], option["attribute_code"], option["code"]): option["labels"].get("en_US")
        for option in records["attribute_options"]
    }
    expected = [
        (*key, code, labels.get((key[0], row["attribute_code"], code)) or code)
        for row in records["asset_values"]
        if row["attribute_type"] in ("single_option", "multiple_options")
        for key in keys_of([row])
        for code in row["option_codes"]
    ]
    found = [tuple(row.values()) for row in company.ask("option_labels")]
    assert sorted(found) == sorted(expected)
    odd = [row[3:] for row in found if row[1] == "odd"]
    assert odd == [("unlabelled", "unlabelled"), ("mustard", "mustard"), ("gone", "gone")]
