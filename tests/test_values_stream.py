"""`asset_values`: every value of every asset once, typed as its attribute is, and at no further cost."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_akeneo_assets.sandbox import Options, Pim, demo_pim
from tap_akeneo_assets.sandbox.server import serve

from .expected import TYPED_COLUMNS, by_key, records_of
from .pims import LONG_NUMBER, NOON, value
from .support import full_table, select, sync, sync_pim

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox.options import PimVersion

ORIGIN = "https://pim.example"


def asked(pim: Pim) -> Counter[tuple[str, str]]:
    """All requests for data, by path and query."""
    return Counter((request.path, request.query) for request in pim.requests if request.route != "token")


def asked_for_attributes(pim: Pim) -> Counter[str]:
    return Counter(request.family or "" for request in pim.requests if request.route == "attributes")


@pytest.mark.parametrize("version", ["3.2", "6.0", "saas"])
def test_every_value_comes_once(version: PimVersion) -> None:
    pim = demo_pim(families=4, assets=25, options=Options(version, page_size=10))
    run = sync_pim(pim)
    values = Counter(
        (family["code"], asset["code"], attribute)
        for family in pim.families().records
        for asset in pim.assets(family["code"]).records
        for attribute, rows in asset["values"].items()
        for _ in rows
    )
    assert values
    rows = run.records["asset_values"]
    assert Counter((row["asset_family_code"], row["asset_code"], row["attribute_code"]) for row in rows) == values


def test_saas_is_asked_the_same_with_and_without_values() -> None:
    pim = demo_pim(families=4, assets=25, options=Options(page_size=10))
    with serve(pim) as server:
        sync(server.url, catalog=select("asset_families", "assets"), max_concurrency=1)
        without = asked(pim)
        pim.requests.clear()
        sync(server.url, catalog=select("asset_families", "assets", "asset_values"), max_concurrency=1)
        assert asked(pim) == without


@pytest.mark.parametrize(
    "streams", [("asset_values",), ("asset_values", "assets"), ("asset_values", "asset_attributes")]
)
def test_other_pims_are_asked_for_a_familys_attributes_once(streams: tuple[str, ...]) -> None:
    pim = demo_pim(families=4, assets=25, options=Options("6.0", page_size=10))
    run = sync_pim(pim, catalog=select(*streams))
    with_assets = {asset["asset_family_code"] for asset in records_of(pim)["assets"]}
    families = asked_for_attributes(pim)
    assert set(families.values()) == {1}
    assert with_assets <= families.keys()
    assert "asset_attributes" in streams or with_assets == families.keys()
    assert by_key("asset_values", run.records["asset_values"]) == by_key(
        "asset_values", records_of(pim)["asset_values"]
    )


CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("text", "<p>Hello</p>\n", {"text_value": "<p>Hello</p>\n"}),
    ("text", 400, {"text_value": "400"}),
    ("number", "-2.50", {"number_value": Decimal("-2.50")}),
    ("number", "1E3", {"number_value": Decimal("1E3")}),
    ("number", LONG_NUMBER, {"number_value": Decimal(LONG_NUMBER)}),
    ("number", 400, {"number_value": 400}),
    ("boolean", True, {"boolean_value": True}),
    ("boolean", False, {"boolean_value": False}),
    ("date", "2023-03-01T00:00:00+00:00", {"date_value": "2023-03-01T00:00:00+00:00"}),
    ("single_option", "red", {"option_codes": ["red"]}),
    ("single_option", 42, {"option_codes": ["42"]}),
    ("multiple_options", ["red", "blue"], {"option_codes": ["red", "blue"]}),
    ("multiple_options", {"0": "red", "2": "blue"}, {"option_codes": ["red", "blue"]}),
    ("multiple_options", [], {"option_codes": []}),
    ("multiple_options", {}, {"option_codes": []}),
    ("auto_tagging", ["mug", 7], {"option_codes": ["mug", "7"]}),
    ("record", "nordlys", {"record_code": "nordlys"}),
    ("asset_family_single_link", "mug_guide", {"linked_asset_codes": ["mug_guide"]}),
    ("asset_family_multiple_links", ["mug_guide", 7], {"linked_asset_codes": ["mug_guide", "7"]}),
    ("record", 7, {"record_code": "7"}),
    ("media_file", "a/b/c.png", {"media_file_code": "a/b/c.png"}),
    ("hologram", {"x": [1, None]}, {}),
]
UNPARSED: list[tuple[str, Any]] = [
    ("number", "about ten"),
    ("date", "02/03/2021"),
    ("date", "0000-00-00"),
    ("date", "2023-02-30T00:00:00+00:00"),
    ("date", "12023-01-01T00:00:00+00:00"),
    ("boolean", "maybe"),
    ("text", ["a"]),
    ("multiple_options", [["a"]]),
    ("record", {"a": "b"}),
    ("media_file", [1]),
]


def pim_of_cases(cases: list[tuple[str, Any]], version: PimVersion, assets: int = 1) -> Pim:
    """A family with an attribute, and in each asset a value, for each case."""
    pim = Pim(Options(version, link_origin=ORIGIN))
    pim.save_family("cases")
    for number, (kind, _) in enumerate(cases):
        pim.save_attribute("cases", f"case_{number}", type=kind)
    for asset in range(assets):
        values = {f"case_{number}": [value(data)] for number, (_, data) in enumerate(cases)}
        pim.save_asset("cases", f"asset_{asset}", values)
    return pim


@pytest.mark.parametrize("version", ["6.0", "saas"])
def test_one_column_is_filled_by_the_attributes_type(version: PimVersion) -> None:
    run = sync_pim(pim_of_cases([(kind, data) for kind, data, _ in CASES], version))
    rows = {row["attribute_code"]: row for row in run.records["asset_values"]}
    for number, (kind, data, filled) in enumerate(CASES):
        row = rows[f"case_{number}"]
        assert row["attribute_type"] == kind
        assert {name: row[name] for name in TYPED_COLUMNS} == {**dict.fromkeys(TYPED_COLUMNS), **filled}, (kind, data)
        assert json.loads(row["raw_value"]) == data


@pytest.mark.parametrize("version", ["6.0", "saas"])
def test_a_value_that_does_not_parse_keeps_its_raw_value_and_warns_once_an_attribute(
    version: PimVersion, caplog: pytest.LogCaptureFixture
) -> None:
    run = sync_pim(pim_of_cases(UNPARSED, version, assets=3))
    assert run.status == 0
    rows = run.records["asset_values"]
    assert len(rows) == 3 * len(UNPARSED)
    for row in rows:
        assert {row[name] for name in TYPED_COLUMNS} == {None}
        kind, data = UNPARSED[int(row["attribute_code"].removeprefix("case_"))]
        assert (row["attribute_type"], json.loads(row["raw_value"])) == (kind, data)
    warned = Counter(
        record.getMessage().split("'")[3] for record in caplog.records if "raw_value" in record.getMessage()
    )
    assert warned == Counter({f"case_{number}": 1 for number in range(len(UNPARSED))})


@pytest.mark.parametrize("version", ["6.0", "saas"])
@pytest.mark.parametrize("missing", ["absent", "null"])
def test_a_value_of_an_attribute_that_is_gone_keeps_its_raw_value(version: PimVersion, missing: str) -> None:
    pim = Pim(Options(version))
    pim.save_family("shoes")
    pim.save_attribute("shoes", "kept", type="text")
    more = {} if missing == "absent" else {"attribute_type": None}
    pim.save_asset("shoes", "boot", {"gone": [value("x", "en_US", "print", **more)], "kept": [value("y")]})
    rows = {row["value_key"]: row for row in sync_pim(pim).records["asset_values"]}
    assert rows.keys() == {"gone-en_US-print", "kept"}
    gone = rows["gone-en_US-print"]
    assert (gone["attribute_type"], gone["raw_value"], gone["text_value"]) == (None, '"x"', None)
    assert (gone["locale"], gone["channel"]) == ("en_US", "print")


def test_values_follow_their_assets_from_run_to_run() -> None:
    pim = demo_pim(assets=5, options=Options(clock=lambda: NOON, link_origin=ORIGIN))
    with serve(pim) as server:
        first = sync(server.url)
        code = pim.assets("packshots").records[0]["code"]
        pim.options.clock = lambda: NOON + timedelta(hours=1)
        pim.save_asset("packshots", code, {"title": [value("new", "en_US")]})
        second = sync(server.url, state=first.state, catalog=select("asset_values"))
    changed = [row for row in second.records["asset_values"] if row["asset_code"] == code]
    assert [(row["value_key"], row["text_value"]) for row in changed] == [("title-en_US", "new")]
    assert changed[0]["asset_updated"] == "2026-11-25T13:00:00+00:00"
    assert "2026-11-25T12:50:00Z" < str(second.bookmarks["packshots"]) <= "2026-11-25T12:55:00Z"
    assert len({row["asset_code"] for row in second.records["asset_values"]}) < 5 * 3


@pytest.mark.parametrize("full", [False, True])
def test_a_version_of_values_is_activated_only_when_all_assets_were_read(full: bool) -> None:  # noqa: FBT001
    catalog = select("assets", "asset_values")
    run = sync_pim(
        demo_pim(assets=3),
        catalog=full_table(catalog) if full else catalog,
        emit_activate_version_messages=True,
    )
    activated = {message["stream"] for message in run.of_type("ACTIVATE_VERSION")}
    assert activated == ({"assets", "asset_values"} if full else set())
