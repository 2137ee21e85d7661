"""Every stream, against a PIM in every variant that the API's page leaves open: what the PIM has, and nothing else."""

from __future__ import annotations

import json
import logging
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tap_akeneo_assets.sandbox import Options, Pim, demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, damaged
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.sandbox.shapes import View

from . import support
from .expected import KEYS, by_key, records_of
from .pims import VERSIONS, odd_pim, with_unknown_asset_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_akeneo_assets.sandbox.options import PimVersion

    from .support import Outcome

ALL_OF_PHP: dict[str, Any] = dict.fromkeys(("php_arrays", "php_objects", "php_holes", "php_lists", "php_numbers"), True)
VARIANTS: dict[str, dict[str, Any]] = {
    "empty objects as arrays": {"php_arrays": True},
    "empty arrays as objects": {"php_objects": True},
    "arrays with holes": {"php_holes": True},
    "numbered objects as arrays": {"php_lists": True},
    "texts of digits as numbers": {"php_numbers": True},
    "_items": {"items_key": "_items"},
    "full last pages": {"page_size": 3, "full_last_page_has_next": True},
    "empty pages": {"page_size": 3, "empty_pages": 1},
    "paths as links": {"page_size": 5, "relative_links": "path", "base_path": "/pim"},
    "queries as links": {"page_size": 5, "relative_links": "query"},
    "links of another host": {"page_size": 5, "link_origin": "http://internal.example:8080"},
    "links with another scheme": {"page_size": 5, "link_origin": "https://127.0.0.1"},
    "links that forget": {"page_size": 5, "forget_parameters": True},
    "mounted": {"page_size": 5, "base_path": "/a/b"},
    "lists from the index": {"index_serves_all": True, "index_holds_assets": False},
    "all at once": {
        **ALL_OF_PHP,
        "items_key": "_items",
        "page_size": 3,
        "full_last_page_has_next": True,
        "empty_pages": 2,
        "forget_parameters": True,
        "relative_links": "query",
    },
}

checker = FormatChecker(())


@checker.checks("date-time", raises=ValueError)
def is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def check(run: Outcome, pim: Pim, view: View | None = None, streams: dict[str, Any] | None = None) -> None:
    """The run gave the PIM's data, valid and in an order that makes sense."""
    assert run.status == 0
    found = run.records
    for stream, records in (streams or records_of(pim, view)).items():
        assert by_key(stream, found[stream]) == by_key(stream, records), stream
    check_messages(run)


def check_messages(run: Outcome) -> None:
    """One SCHEMA a stream before its records, which are valid by it; families before what is below them."""
    validators = {
        stream: Draft202012Validator(message["schema"], format_checker=checker)
        for stream, message in run.schemas.items()
    }
    assert {message["type"] for message in run.messages} <= {"SCHEMA", "RECORD", "STATE"}
    announced: set[str] = set()
    families: set[str] = set()
    for message in run.messages:
        stream, record = message.get("stream", ""), message.get("record", {})
        if message["type"] == "SCHEMA":
            announced.add(stream)
            assert message["key_properties"] == list(KEYS[stream])
        elif message["type"] == "RECORD":
            assert stream in announced
            assert [str(error) for error in validators[stream].iter_errors(record)] == []
            assert not record.keys() - run.schemas[stream]["schema"]["properties"].keys()
            assert "_links" not in record
            if stream == "asset_families":
                families.add(record["code"])
            else:
                assert record["asset_family_code"] in families


def view_of(url: str) -> View:
    """How a run sees assets whose links lead to a server."""
    return View(link=lambda path: f"{url}{path}")


def run_and_check(pim: Pim, *, auto_tags: bool = False) -> Outcome:
    with serve(pim) as server:
        run = support.sync(server.url, with_asset_auto_tags=auto_tags)
        origin = pim.options.link_origin or server.url.removesuffix(pim.options.base_path)
    check(run, pim, View(auto_tags=auto_tags, link=lambda path: f"{origin}{pim.options.base_path}{path}"))
    return run


@pytest.mark.parametrize("php", [{}, ALL_OF_PHP], ids=["plain", "php"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_gives_what_a_pim_of_any_version_has(version: PimVersion, php: dict[str, Any]) -> None:
    run_and_check(odd_pim(Options(version, **php)))


@pytest.mark.parametrize("version", ["4.0", "saas"])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_run_gives_what_the_pim_has_in_whatever_way_it_answers(variant: dict[str, Any], version: PimVersion) -> None:
    run_and_check(odd_pim(Options(version, **variant)))


@pytest.mark.parametrize("php", [{}, ALL_OF_PHP], ids=["plain", "php"])
def test_automatic_tags_come_with_their_labels(php: dict[str, Any]) -> None:
    run = run_and_check(odd_pim(Options(**php)), auto_tags=True)
    tags = [asset["values"]["auto_tags"] for asset in run.records["assets"] if "auto_tags" in asset["values"]]
    assert [[set(value["linked_data"]) for value in values] for values in tags] == [[{"0", "1"}, {"mug", "red"}]]


@pytest.mark.parametrize("variant", ["full last pages", "empty pages", "links that forget"])
def test_a_run_gives_what_a_company_has(variant: str) -> None:
    run_and_check(demo_pim(families=4, assets=12, options=Options(**VARIANTS[variant])))


def test_a_pim_without_families_has_no_records() -> None:
    run = run_and_check(Pim())
    assert run.records == {}
    assert run.schemas.keys() == KEYS.keys()


@pytest.mark.parametrize("version", ["5.0", "saas"])
def test_a_company_gives_no_cause_for_warnings(version: PimVersion, caplog: pytest.LogCaptureFixture) -> None:
    support.sync_pim(demo_pim(families=4, assets=3, options=Options(version)))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_fields_that_nobody_knows_are_left_out_with_a_warning_a_field_and_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pim = with_unknown_asset_fields(odd_pim())
    with caplog.at_level(logging.WARNING), serve(pim) as server:
        run = support.sync(server.url)
        expected = records_of(pim, view_of(server.url))
    expected["assets"] = [{**asset, "status": "ready", "start_date": None} for asset in expected["assets"]]
    check(run, pim, streams=expected)
    about_fields = sorted(
        (record.getMessage() for record in caplog.records if "known" in record.getMessage()),
    )
    assert [(line.split(":")[0], line.split("'")[1]) for line in about_fields] == [
        ("asset_attributes", "also_unknown"),
        ("asset_attributes", "not_yet_known"),
        ("asset_families", "also_unknown"),
        ("asset_families", "not_yet_known"),
        ("assets", "also_unknown"),
        ("assets", "not_yet_known"),
        ("attribute_options", "not_yet_known"),
    ]


def bared(keep: Callable[[dict[str, Any]], dict[str, Any]]) -> Faults:
    """Let every item of every list go through a function."""

    def bare(body: bytes) -> bytes:
        answer = json.loads(body)
        if isinstance(answer, list):
            return json.dumps([keep(item) for item in answer]).encode()
        if "_embedded" in answer:
            answer["_embedded"]["items"] = [keep(item) for item in answer["_embedded"]["items"]]
        return json.dumps(answer).encode()

    return Faults().always(None, damaged(bare))


@pytest.mark.parametrize(
    "keep",
    [lambda item: {"code": item["code"]}, lambda item: {**dict.fromkeys(item), "code": item["code"]}],
    ids=["absent", "null"],
)
def test_every_field_but_the_code_may_be_missing(keep: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    pim = demo_pim(assets=3)
    pim.faults = bared(keep)
    run = support.sync_pim(pim)
    expected = records_of(pim)
    check_messages(run)
    assert run.status == 0
    for stream in ("asset_families", "asset_attributes", "assets"):
        keys = set(KEYS[stream])
        assert by_key(stream, run.records[stream]).keys() == by_key(stream, expected[stream]).keys()
        assert all(value is None or name in keys for record in run.records[stream] for name, value in record.items())
    assert run.records["asset_values"] == run.records["attribute_options"] == []


def test_families_named_come_from_their_own_endpoint_alone() -> None:
    pim = odd_pim()
    named = ["été", "100%", "q?x=1&y#z", "a b+c", "Shoes"]
    with serve(pim) as server:
        run = support.sync(server.url, asset_families=named)
        expected = records_of(pim, view_of(server.url))
    check(
        run,
        pim,
        streams={
            stream: [
                record
                for record in records
                if record["code" if stream == "asset_families" else "asset_family_code"] in named
            ]
            for stream, records in expected.items()
        },
    )
    assert Counter(request.family for request in pim.requests if request.route == "family") == Counter(named)
    assert not [request for request in pim.requests if request.route == "families"]


def test_a_family_that_is_not_there_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    pim = odd_pim()
    with serve(pim) as server:
        run = support.sync(server.url, asset_families=["shoes", "nowhere", "SHOES", "bare"])
    assert run.status == 1
    assert {family["code"] for family in run.records["asset_families"]} == {"shoes", "bare"}
    assert len(run.records["assets"]) == 3
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line for line in lines if "'nowhere'" in line]
    assert [line for line in lines if "'SHOES'" in line]


def test_nothing_but_messages_comes_on_stdout() -> None:
    with serve(odd_pim()) as server:
        ended = support.tap("--config=ENV", env=support.environment(server.url))
    assert ended.returncode == 0
    check_messages(support.Outcome.of(ended.stdout, ended.returncode))
