"""Only the assets that are asked for: `asset_codes`, `search`, `channel`, `locales`, `with_asset_auto_tags`."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_akeneo_assets.sandbox import Options, Pim, demo_pim
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.sandbox.shapes import View
from tap_akeneo_assets.tap import TapAkeneoAssets

from . import support
from .expected import by_key, records_of
from .pims import small_pim, value
from .support import CREDENTIALS, select, sync, sync_pim

if TYPE_CHECKING:
    from pathlib import Path

    from tap_akeneo_assets.sandbox.options import PimVersion
    from tap_akeneo_assets.sandbox.records import RequestRecord

LONG_CODES = [f"été_{number}_{'x' * (number % 60)}_鞋&=+?#%" for number in range(1_500)]
ORIGIN = "https://pim.example"


def asked_for_assets(pim: Pim) -> list[RequestRecord]:
    return [request for request in pim.requests if request.route == "assets"]


def codes_of(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((record["asset_family_code"], record["code"]) for record in records)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name == "tap-akeneo-assets"
    ]


def pim_of_codes(version: PimVersion, codes: list[str]) -> Pim:
    pim = Pim(Options(version, longest_url=3_999))
    pim.save_family("shoes")
    pim.save_attribute("shoes", "title", type="text")
    for code in codes:
        pim.save_asset("shoes", code, {"title": [value(code)]})
    return pim


# Codes


def test_any_number_of_codes_is_asked_for_once_each_in_urls_of_fewer_than_4000_characters() -> None:
    pim = pim_of_codes("saas", [*LONG_CODES, *(f"other_{number}" for number in range(200))])
    with serve(pim) as server:
        run = sync(server.url, asset_codes={"shoes": LONG_CODES})
        lengths = [len(f"{server.url}{request.path}?{request.query}") for request in asked_for_assets(pim)]
    assert run.status == 0
    assert codes_of(run.records["assets"]) == sorted(("shoes", code) for code in LONG_CODES)
    assert max(lengths) < 4_000
    asked = [
        code
        for request in asked_for_assets(pim)
        for condition in json.loads(parse_qs(request.query)["search"][0])["code"]
        for code in condition["value"]
        if "search_after" not in request.query
    ]
    assert sorted(asked) == sorted(LONG_CODES)


@pytest.mark.parametrize("version", ["3.2", "6.0", "7.0", "saas"])
def test_only_these_assets_come_and_those_missing_are_named_in_one_warning(
    version: PimVersion, caplog: pytest.LogCaptureFixture
) -> None:
    pim = pim_of_codes(version, ["a", "b/c?d", "e", "f"])
    run = sync_pim(pim, asset_codes={"shoes": ["a", "b/c?d", "gone", "e", "a", "lost"]})
    found = {("shoes", code) for code in ("a", "e")}
    # The web server refuses an encoded slash, so one asset with a slash in its code is beyond reach.
    found |= {("shoes", "b/c?d")} if pim.options.since("7.0") else set()
    assert codes_of(run.records["assets"]) == sorted(found)
    assert {(row["asset_family_code"], row["asset_code"]) for row in run.records["asset_values"]} == found
    assert run.status == 0
    about_missing = [line for line in warnings(caplog) if "'gone'" in line]
    assert len(about_missing) == 1
    assert "'lost'" in about_missing[0]
    assert "'a'" not in about_missing[0]


def test_a_pim_before_7_0_is_asked_for_one_after_the_other() -> None:
    pim = pim_of_codes("6.0", ["a", "b", "c"])
    sync_pim(pim, asset_codes={"shoes": ["a", "b"]})
    assert [request.status for request in asked_for_assets(pim)] == [422]
    assert sorted(request.path for request in pim.requests if request.route == "asset") == [
        "/api/rest/v1/asset-families/shoes/assets/a",
        "/api/rest/v1/asset-families/shoes/assets/b",
    ]


def test_without_asset_families_only_the_families_named_are_read() -> None:
    pim = demo_pim(families=4, assets=4)
    logo = pim.assets("brand_logos").records[0]["code"]
    run = sync_pim(pim, asset_codes={"brand_logos": [logo], "packshots": []})
    assert {family["code"] for family in run.records["asset_families"]} == {"brand_logos", "packshots"}
    assert codes_of(run.records["assets"]) == [("brand_logos", logo)]


def test_families_without_codes_are_read_whole() -> None:
    pim = demo_pim(families=4, assets=4)
    logo = pim.assets("brand_logos").records[0]["code"]
    run = sync_pim(pim, asset_families=["brand_logos", "packshots"], asset_codes={"brand_logos": [logo]})
    whole = [("packshots", asset["code"]) for asset in pim.assets("packshots").records]
    assert codes_of(run.records["assets"]) == sorted([("brand_logos", logo), *whole])


def test_codes_are_read_whatever_the_bookmark_which_stays() -> None:
    pim = demo_pim(assets=4)
    logo = pim.assets("brand_logos").records[0]["code"]
    with serve(pim) as server:
        state = sync(server.url).state
        run = sync(server.url, state=state, asset_codes={"brand_logos": [logo]})
    assert codes_of(run.records["assets"]) == [("brand_logos", logo)]
    assert run.state == state


# The file


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("codes.json", '{"brand_logos": ["first"], "packshots": []}'),
        ("codes.csv", "asset_family_code,asset_code\nbrand_logos,first\n"),
        ("CODES.CSV", '\ufeff"asset_code","note","asset_family_code"\r\n"first","a, b","brand_logos"\r\n'),
    ],
)
def test_codes_come_from_a_file_too(name: str, content: str, tmp_path: Path) -> None:
    pim = demo_pim(assets=4)
    logo = pim.assets("brand_logos").records[0]["code"]
    (tmp_path / name).write_text(content.replace("first", logo), encoding="utf-8")
    for path in (str(tmp_path / name), (tmp_path / name).as_uri()):
        run = sync_pim(pim, asset_codes_file=path)
        assert codes_of(run.records["assets"]) == [("brand_logos", logo)]


BAD_FILES = {
    "array.json": b"[]",
    "cut.json": b'{"a": ["b"',
    "texts.json": b'{"a": "b"}',
    "numbers.json": b'{"a": [1]}',
    "other_columns.csv": b"family,asset\na,b\n",
    "too_short.csv": b"asset_family_code,asset_code\na\n",
    "empty_code.csv": b"asset_family_code,asset_code\na,\n",
    "quotes.csv": b'asset_family_code,asset_code\na,"b\n',
    "latin.csv": "asset_family_code,asset_code\na,\xe9\n".encode("latin-1"),
    "empty.csv": b"",
    "codes.txt": b"a b",
    "missing.json": None,
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_of_another_shape_is_told_in_a_line(name: str, tmp_path: Path) -> None:
    path, content = tmp_path / name, BAD_FILES[name]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigValidationError) as refused:
        TapAkeneoAssets(config={"api_url": ORIGIN, **CREDENTIALS, "asset_codes_file": str(path)})
    assert len(refused.value.errors) == 1
    assert "asset_codes_file" in refused.value.errors[0]
    assert name in refused.value.errors[0]
    assert "\n" not in refused.value.errors[0]


def test_codes_from_both_places_are_refused(tmp_path: Path) -> None:
    config = {"asset_codes": {"a": ["b"]}, "asset_codes_file": str(tmp_path / "codes.json")}
    with pytest.raises(ConfigValidationError, match="asset_codes and asset_codes_file"):
        TapAkeneoAssets(config={"api_url": ORIGIN, **CREDENTIALS, **config})


def test_a_bad_file_ends_the_tap_with_a_line_and_status_1(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"api_url": ORIGIN, **CREDENTIALS, "asset_codes_file": "/nowhere/codes.csv"}))
    ended = support.tap("--config", str(config))
    lines = ended.stderr.decode().splitlines()
    assert ended.returncode == 1
    assert ended.stdout == b""
    assert [line for line in lines if "/nowhere/codes.csv" in line]
    assert not [line for line in lines if "Traceback" in line]


# What is passed through

SETTINGS: dict[str, Any] = {
    "search": {"updated": [{"operator": ">", "value": "2001-01-01T00:00:00Z"}]},
    "channel": "print",
    "locales": ["en_US", "de_DE"],
    "with_asset_auto_tags": True,
}


@pytest.mark.parametrize("forgetful", [False, True])
def test_what_is_asked_for_holds_on_every_page(forgetful: bool) -> None:  # noqa: FBT001
    pim = demo_pim(assets=30, options=Options(page_size=4, forget_parameters=forgetful, link_origin=ORIGIN))
    run = sync_pim(pim, **SETTINGS)
    asked = [parse_qs(request.query) for request in asked_for_assets(pim)]
    assert len(asked) > 3 * 7
    for parameters in asked:
        assert parameters["channel"] == ["print"]
        assert parameters["locales"] == ["en_US,de_DE"]
        assert parameters["with_asset_auto_tags"] == ["true"]
        assert SETTINGS["search"]["updated"][0] in json.loads(parameters["search"][0])["updated"]
    view = View("print", frozenset({"en_US", "de_DE"}), auto_tags=True, link=lambda path: f"{ORIGIN}{path}")
    expected = records_of(pim, view)
    for stream in ("assets", "asset_values"):
        assert by_key(stream, run.records[stream]) == by_key(stream, expected[stream])


@pytest.mark.parametrize("version", ["3.2", "6.0"])
@pytest.mark.parametrize(
    ("channel", "locales"), [("print", None), (None, ["fr_FR"]), ("ecommerce", ["en_US", "fr_FR"])]
)
def test_assets_read_one_by_one_are_thinned_out_too(
    version: PimVersion, channel: str | None, locales: list[str] | None
) -> None:
    pim = demo_pim(assets=6, options=Options(version))
    wanted = {
        family["code"]: [asset["code"] for asset in pim.assets(family["code"]).records]
        for family in pim.families().records
    }
    run = sync_pim(pim, asset_codes=wanted, channel=channel, locales=locales)
    assert {request.route for request in pim.requests} >= {"asset"}
    expected = records_of(pim, View(channel, frozenset(locales) if locales else None))
    for stream in ("assets", "asset_values"):
        assert by_key(stream, run.records[stream]) == by_key(stream, expected[stream])


def title_is(text: str) -> dict[str, Any]:
    return {"title": [{"operator": "=", "value": text, "locale": "en_US"}]}


SEARCHES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "a property": (title_is("Red mug"), {"mug_red"}),
    "without the inner array": ({"code": {"operator": "IN", "value": ["mug_blue"]}}, {"mug_blue"}),
    "and": ({"and": [title_is("Red mug"), {"code": [{"operator": "IN", "value": ["mug_red"]}]}]}, {"mug_red"}),
    "or": (
        {"or": [title_is("Red mug"), {"code": [{"operator": "IN", "value": ["mug_blue"]}]}]},
        {"mug_red", "mug_blue"},
    ),
    "nothing": ({}, {"mug_red", "mug_blue"}),
}


@pytest.mark.parametrize(("search", "found"), SEARCHES.values(), ids=SEARCHES.keys())
def test_a_search_holds_together_with_bookmarks_and_codes(search: dict[str, Any], found: set[str]) -> None:
    with serve(small_pim()) as server:

        def codes(**more: Any) -> set[str]:  # noqa: ANN401  # settings of any type
            run = sync(server.url, asset_families=["packshots"], search=search, **more)
            assert run.status == 0
            return {asset["code"] for asset in run.records["assets"]}

        assert codes() == found
        assert codes(start_date="2026-11-24T00:00:00Z") == found & {"mug_blue"}
        assert codes(asset_codes={"packshots": ["mug_red", "mug_guide"]}) == found & {"mug_red"}


def test_a_filter_that_the_pim_refuses_ends_in_its_own_words(caplog: pytest.LogCaptureFixture) -> None:
    run = sync_pim(demo_pim(assets=2), search={"color": [{"operator": "LIKE", "value": "red"}]})
    assert run.status == 1
    assert len(run.records["asset_families"]) == 3
    assert run.records["assets"] == []
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert 'The property "color" cannot be searched on.' in errors[0]


def test_a_search_cannot_be_had_for_codes_on_a_pim_before_7_0(caplog: pytest.LogCaptureFixture) -> None:
    run = sync_pim(pim_of_codes("6.0", ["a"]), asset_codes={"shoes": ["a"]}, search=SETTINGS["search"])
    assert (run.status, run.records["assets"]) == (1, [])
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "search, asset_codes" in errors[0]
    assert 'The operator "IN" is not supported for the property "code".' in errors[0]


def test_a_refused_filter_gives_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with serve(small_pim()) as server:
        path.write_text(json.dumps({"api_url": server.url, **CREDENTIALS, "search": {"nope": []}}))
        catalog = tmp_path / "catalog.json"
        catalog.write_text(json.dumps(select("assets")))
        ended = support.tap("--config", str(path), "--catalog", str(catalog))
    log = ended.stderr.decode()
    assert ended.returncode == 1
    assert 'The property "nope" cannot be searched on.' in log
    assert "Traceback" not in log
