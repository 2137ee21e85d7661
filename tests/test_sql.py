"""The ready SQL of `docs/values.md`, run on the real Postgres; `tests/sql` has the same, and that for Snowflake."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.server import serve

from .conftest import SCHEMAS, Database
from .expected import KEYS, records_of
from .pims import NOON, value
from .support import beginning_at, full_table, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_akeneo_assets.sandbox import Pim
    from tap_akeneo_assets.sandbox.options import PimVersion

PAGE = Path(__file__).parents[1] / "docs" / "values.md"
FILES = Path(__file__).parent / "sql"
HEADINGS = {
    "first": "Ready SQL",
    "current_values": "Current values only",
    "wide_rows": "One wide row per asset",
    "option_labels": "Option codes with their labels",
}
QUERIES = list(HEADINGS)[1:]


def blocks(name: str) -> list[str]:
    """The SQL below a heading of the page: for Postgres first, for Snowflake last."""
    heading = re.escape(HEADINGS[name])
    section = re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert section, f"The page has no heading {HEADINGS[name]!r}."
    found = re.findall(r"^```sql\n(.*?)^```$", section[1], re.DOTALL | re.MULTILINE)
    assert found
    return found


@pytest.mark.parametrize("name", QUERIES)
def test_the_page_has_the_queries_for_both_databases(name: str) -> None:
    found = blocks(name)
    assert found[0] == (FILES / f"{name}.sql").read_text(encoding="utf-8")
    assert found[-1] == (FILES / f"{name}_snowflake.sql").read_text(encoding="utf-8")


@dataclass
class Company:
    """A PIM, and a warehouse that was loaded from it.

    Attributes:
        pim: as it is now.
        database: what the loads made.
        url: where the PIM is served.
        state: of the last hourly run.
        hard_delete: whether the target removes what is gone, instead of marking it.
        gone: keys of values that were taken away from assets, and which rows remember.
        seconds: in which weekly runs begin.
    """

    pim: Pim
    database: Database
    url: str
    hard_delete: bool = False
    state: dict[str, Any] | None = None
    gone: set[tuple[str, ...]] = field(default_factory=set)
    seconds: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, name: str) -> list[dict[str, Any]]:
        """What a query of the page gives, below the line that names the schema."""
        with psycopg.connect(host=str(self.database.folder), user="postgres", dbname=self.database.name) as connection:
            cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
            cursor.execute(blocks("first")[0].encode())
            return cursor.execute(blocks(name)[0].encode()).fetchall()

    def hourly(self) -> bytes:
        """What has changed since the last time, for the target."""
        run = sync(self.url, state=self.state)
        self.state = run.state
        return run.output

    def weekly(self) -> bytes:
        """Everything, and what is gone."""
        tap_class = beginning_at(next(self.seconds))
        run = sync(
            self.url, catalog=full_table(select(*KEYS)), tap_class=tap_class, emit_activate_version_messages=True
        )
        assert {message["stream"] for message in run.of_type("ACTIVATE_VERSION")} == set(KEYS)
        return run.output

    def load(self, output: bytes) -> None:
        self.database.load(output, hard_delete=self.hard_delete)

    def an_hour_passes(self) -> None:
        later = self.pim.options.clock() + timedelta(hours=1)
        self.pim.options.clock = lambda: later

    def take_a_value_away(self) -> None:
        """Of the first asset; its `updated` tells."""
        changed = self.pim.assets("packshots").records[0]
        attribute, rows = next((name, rows) for name, rows in changed["values"].items() if name != "picture")
        for row in rows:
            self.pim.delete_value("packshots", changed["code"], attribute, row["locale"], row["channel"])
            key = "-".join(filter(None, (attribute, row["locale"], row["channel"])))
            self.gone.add(("packshots", changed["code"], key))

    def delete_silently(self) -> str:
        """Delete what no `updated` tells and only a full run sees; gives the code of an asset that is gone."""
        pim = self.pim
        code: str = pim.assets("packshots").records[1]["code"]
        pim.delete_asset("packshots", code)
        pim.delete_option("packshots", "main_colors", "mustard")
        pim.delete_attribute("packshots", "width_mm")
        pim.save_attribute("packshots", "width_mm", type="number")
        pim.deactivate_locale("fr_FR")
        pim.delete_family("user_guides")
        return code


@contextmanager
def company_of(postgres: Path, version: PimVersion, *, hard_delete: bool = False) -> Iterator[Company]:
    """A company whose data two hourly runs, with a change between them, brought into a schema `akeneo`."""
    name = f"company_{next(SCHEMAS)}"
    with psycopg.connect(host=str(postgres), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    pim = demo_pim(assets=12, options=Options(version, clock=lambda: NOON))
    pim.save_option("packshots", "main_colors", "unlabelled", labels={"fr_FR": "Sans nom"})
    pim.save_asset("packshots", "nothing", {})
    pim.save_asset("packshots", "odd", {"main_colors": [value(["unlabelled", "mustard", "gone"])]})
    with serve(pim) as server:
        company = Company(pim, Database(postgres, "akeneo", name), server.url, hard_delete)
        first = company.hourly()
        company.an_hour_passes()
        company.take_a_value_away()
        company.load(first + company.hourly())
        yield company


def keys_of(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return sorted((row["asset_family_code"], row["asset_code"], row["value_key"]) for row in rows)


def count(company: Company) -> int:
    ((rows,),) = (row.values() for row in company.database.query("SELECT count(*) FROM asset_values"))
    return int(rows)


def assert_queries_show_the_pim(company: Company) -> None:
    """Each query gives what the PIM has now, and nothing else."""
    records = records_of(company.pim)
    assert keys_of(company.ask("current_values")) == keys_of(records["asset_values"])
    assert_wide_rows_show_the_pim(company, records["asset_values"])
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
    assert sorted(tuple(row.values()) for row in company.ask("option_labels")) == sorted(expected)


def assert_wide_rows_show_the_pim(company: Company, values: list[dict[str, Any]]) -> None:
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


@pytest.mark.parametrize("hard_delete", [False, True], ids=["marked", "removed"])
def test_after_each_run_the_queries_show_the_pim(postgres: Path, hard_delete: bool) -> None:  # noqa: FBT001
    with company_of(postgres, "saas", hard_delete=hard_delete) as company:
        before = count(company)
        assert company.gone
        assert before == len(records_of(company.pim)["asset_values"]) + len(company.gone)
        assert_queries_show_the_pim(company)
        assert all({row[column] for row in company.ask("wide_rows")} - {None} for column in company.ask("wide_rows")[0])
        odd = [row["option_label"] for row in company.ask("option_labels") if row["asset_code"] == "odd"]
        assert odd == ["unlabelled", "mustard", "gone"]

        company.an_hour_passes()
        deleted = company.delete_silently()
        company.load(company.weekly())
        kept = len(records_of(company.pim)["asset_values"])
        assert kept < before - len(company.gone)
        assert count(company) == (kept if hard_delete else before)
        assert_queries_show_the_pim(company)

        # What was gone may come again.
        company.an_hour_passes()
        company.pim.save_asset("packshots", deleted, {"title": [value("Again", "en_US")]})
        company.load(company.hourly())
        assert_queries_show_the_pim(company)


def test_before_6_0_all_values_count_as_current(postgres: Path) -> None:
    with company_of(postgres, "5.0") as company:
        found = company.ask("current_values")
        assert len(found) == count(company)
        assert company.gone < set(keys_of(found))
