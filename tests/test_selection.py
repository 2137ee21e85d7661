"""Discovery, selection, stream maps, flattening and BATCH files: as in the SDK, and nothing is asked for in vain."""

from __future__ import annotations

import gzip
import json
import logging
import re
import signal
import subprocess
import sys
from collections import Counter
from copy import deepcopy
from decimal import Decimal
from itertools import combinations, count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tap_akeneo_assets.sandbox import Options, Pim, demo_pim
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.tap import TapAkeneoAssets

from . import stock, support
from .expected import ALL_KEYS, KEYS, by_key, records_of
from .pims import small_pim
from .support import CREDENTIALS, Outcome, select, sync, sync_pim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_akeneo_assets.sandbox.records import RequestRecord

STREAMS = tuple(KEYS)
SELECTIONS = [chosen for size in range(1, 6) for chosen in combinations(STREAMS, size)]


# Discovery and --test


def test_discovery_tells_streams_and_keys_without_a_pim() -> None:
    told = support.tap("--discover", env={})
    assert told.returncode == 0
    catalog = json.loads(told.stdout)
    entries = {entry["tap_stream_id"]: entry for entry in catalog["streams"]}
    assert {name: tuple(entry["key_properties"]) for name, entry in entries.items()} == ALL_KEYS
    assert {name: entry.get("replication_key") for name, entry in entries.items()} == {
        **dict.fromkeys(ALL_KEYS),
        "assets": "updated",
    }


def test_a_discovered_catalog_changes_nothing() -> None:
    with serve(small_pim()) as server:
        without, with_catalog = sync(server.url), sync(server.url, catalog=select(*STREAMS))
    assert with_catalog.schemas == without.schemas
    for stream in STREAMS:
        assert by_key(stream, with_catalog.records[stream]) == by_key(stream, without.records[stream])


def test_a_test_run_writes_a_record_a_stream_and_asks_for_no_further_pages() -> None:
    pim = demo_pim(assets=30, options=Options(page_size=3))
    with serve(pim) as server:
        ended = support.tap("--config=ENV", "--test", env=support.environment(server.url))
    run = Outcome.of(ended.stdout, ended.returncode)
    assert run.status == 0
    assert {stream: len(records) for stream, records in run.records.items()} == dict.fromkeys(ALL_KEYS, 1)
    expected = records_of(pim)
    for stream in ("asset_families", "asset_attributes", "attribute_options"):
        assert run.records[stream][0] in expected[stream]
    assert len([request for request in pim.requests if request.route == "assets"]) <= 4


def test_a_schema_test_writes_all_schemas_and_asks_for_nothing() -> None:
    pim = small_pim()
    with serve(pim) as server:
        full = sync(server.url)
        pim.requests.clear()
        ended = support.tap("--config=ENV", "--test=schema", env=support.environment(server.url))
    run = Outcome.of(ended.stdout, ended.returncode)
    assert run.status == 0
    assert run.schemas.items() >= full.schemas.items()
    assert run.schemas.keys() == ALL_KEYS.keys()
    assert len(run.messages) == len(ALL_KEYS)
    assert pim.requests == []


# Selection


def routes(pim: Pim) -> Counter[tuple[str, str]]:
    """How often each list was asked for, by route and path."""
    return Counter(
        (request.route or "", request.path) for request in pim.requests if request.route not in ("token", "endpoints")
    )


def needed(pim: Pim, chosen: Sequence[str]) -> Counter[tuple[str, str]]:
    """The requests that streams cannot do without, in a PIM whose lists have one page each."""
    root = "/api/rest/v1/asset-families"
    asked = Counter({("families", root): 1})
    for family in pim.families().records:
        path = f"{root}/{family['code']}"
        values = pim.assets(family["code"]).records and "asset_values" in chosen and not pim.options.saas
        if {"asset_attributes", "attribute_options"} & set(chosen) or values:
            asked["attributes", f"{path}/attributes"] += 1
        if "attribute_options" in chosen:
            for attribute in pim.attributes(family["code"]):
                if attribute["type"] in ("single_option", "multiple_options"):
                    asked["options", f"{path}/attributes/{attribute['code']}/options"] += 1
        if {"assets", "asset_values"} & set(chosen):
            asked["assets", f"{path}/assets"] += 1
    return asked


@pytest.mark.parametrize("version", ["6.0", "saas"])
def test_only_what_selected_streams_need_is_asked_for_and_only_they_are_written(version: Any) -> None:  # noqa: ANN401
    pim = small_pim(Options(version, link_origin="https://pim.example"))
    with serve(pim) as server:
        whole = sync(server.url)
        for chosen in SELECTIONS:
            pim.requests.clear()
            run = sync(server.url, catalog=select(*chosen))
            assert routes(pim) == needed(pim, chosen), chosen
            assert run.schemas == {stream: whole.schemas[stream] for stream in chosen}
            for stream in STREAMS:
                wanted = whole.records[stream] if stream in chosen else []
                assert by_key(stream, run.records[stream]) == by_key(stream, wanted), (chosen, stream)


# Stream maps, flattening, fields: the SDK's own path gives the same

DESELECTED_FIELDS = (
    ("asset_families", "labels"),
    ("asset_families", "pattern"),
    ("asset_attributes", "type"),
    ("assets", "values"),
    ("assets", "updated"),
    ("asset_values", "raw_value"),
)
FLAT = {"flattening_enabled": True, "flattening_max_depth": 1}
MAPS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "expressions": {
        "stream_maps": {
            "assets": {"loud": "code.upper()", "hash": "md5(config['salt'] + code)", "values": None, "code": "self"},
            "asset_values": {"number": "float(number_value) if number_value else None", "raw_value": "__NULL__"},
        },
        "stream_map_config": {"salt": "pepper"},
    },
    "filters": {
        "stream_maps": {
            "asset_values": {"__filter__": "locale == 'fr_FR' or locale is None"},
            "attribute_options": {"__filter__": "'e' in code"},
        }
    },
    "a filter on families": {"stream_maps": {"asset_families": {"__filter__": "code != 'user_guides'"}}},
    "a filter on attributes": {"stream_maps": {"asset_attributes": {"__filter__": "code != 'background'"}}},
    "a filter on assets": {"stream_maps": {"assets": {"__filter__": "'red' in code"}}},
    "an alias": {"stream_maps": {"assets": {"__alias__": "'pictures'", "created": None}}},
    "an alias from the name": {"stream_maps": {"asset_*": {"__alias__": "'pim_' + __stream_name__"}}},
    "two of one": {"stream_maps": {"reds": {"__source__": "assets", "__filter__": "'red' in code", "values": None}}},
    "other keys": {"stream_maps": {"assets": {"id": "asset_family_code + code", "__key_properties__": ["id"]}}},
    "only these fields": {"stream_maps": {"assets": {"asset_family_code": "self", "code": "self", "__else__": None}}},
    "only these streams": {"stream_maps": {"asset_families": {}, "assets": {}, "__else__": None}},
    "not these streams": {"stream_maps": {"attribute_options": None, "asset_values": "__NULL__"}},
    "flat": FLAT,
    "flatter": {**FLAT, "flattening_max_depth": 4, "flattening_separator": ".", "flattening_max_key_length": 20},
    "flat and mapped": {
        **FLAT,
        "stream_maps": {
            "assets": {"__filter__": "'red' in code", "first_title": "record.get('values', {}).get('title')"}
        },
    },
}


def texts(records: Sequence[dict[str, Any]]) -> list[str]:
    """Records in a form that can be sorted and compared."""
    return sorted(json.dumps(record, sort_keys=True, default=str) for record in records)


@pytest.fixture(scope="module")
def company() -> Iterator[tuple[str, Outcome]]:
    """A PIM that is served, and all that a plain run makes of it."""
    with serve(small_pim()) as server:
        yield server.url, sync(server.url)


@pytest.mark.parametrize("without", [(), DESELECTED_FIELDS], ids=["all fields", "some fields"])
@pytest.mark.parametrize("config", MAPS.values(), ids=MAPS.keys())
def test_maps_flattening_and_selection_are_the_sdks(
    config: dict[str, Any], without: tuple[tuple[str, str], ...], company: tuple[str, Outcome]
) -> None:
    url, plain = company
    catalog = select(*STREAMS, without=without)
    ours = sync(url, catalog=deepcopy(catalog), **deepcopy(config))
    theirs = stock.sync(plain.records, catalog, **deepcopy(config))
    assert ours.schemas == theirs.schemas
    assert ours.records.keys() == theirs.records.keys()
    for stream, records in theirs.records.items():
        assert texts(ours.records[stream]) == texts(records), stream


def test_a_filter_of_attributes_is_asked_only_about_those_with_options_when_only_options_are_wanted() -> None:
    pim = Pim(Options())
    pim.save_family("packshots")
    pim.save_attribute("packshots", "title", type="text")
    pim.save_attribute("packshots", "color", type="single_option", default_value="red")
    pim.save_option("packshots", "color", "red")
    fails_on_null = {"asset_attributes": {"__filter__": "default_value + '!' != ''"}}

    run = sync_pim(pim, catalog=select("attribute_options"), stream_maps=fails_on_null)

    assert run.status == 0
    assert [record["code"] for record in run.records["attribute_options"]] == ["red"]


@pytest.mark.parametrize("deselected", STREAMS)
def test_maps_work_below_a_deselected_stream(deselected: str, company: tuple[str, Outcome]) -> None:
    url, plain = company
    filters = {
        "asset_families": "code != 'user_guides'",
        "asset_attributes": "code != 'background'",
        "assets": "'red' in code",
    }
    config: dict[str, Any] = {
        "stream_maps": {stream: {"__filter__": rule} for stream, rule in filters.items() if stream != deselected}
    }
    catalog = select(*(stream for stream in STREAMS if stream != deselected))
    ours = sync(url, catalog=deepcopy(catalog), **deepcopy(config))
    theirs = stock.sync(plain.records, catalog, **deepcopy(config))
    assert ours.schemas == theirs.schemas
    for stream in STREAMS:
        assert texts(ours.records[stream]) == texts(theirs.records[stream]), stream


def test_what_is_not_selected_is_left_out_of_a_copy() -> None:
    catalog = select("assets", without=[("assets", "created")])
    assets = TapAkeneoAssets(config={"api_url": "https://pim.example", **CREDENTIALS}, catalog=catalog).stream("assets")
    record = {"asset_family_code": "packshots", "code": "red", "created": "2026-01-31T10:00:00+00:00"}
    with support.captured_stdout() as output:
        assets.open()
        assets.emit([record])
        assets.tap.chunk_writer.flush()
    assert "created" in record
    assert Outcome.of(output.getvalue(), 0).records["assets"] == [{"asset_family_code": "packshots", "code": "red"}]


def messages_without(messages: Sequence[dict[str, Any]], removed: Sequence[str]) -> list[str]:
    """The SCHEMAs and RECORDs of other streams, comparable."""
    kept = [message for message in messages if message.get("stream") not in (None, *removed)]
    return texts([{**message, "time_extracted": None} for message in kept])


@pytest.mark.parametrize("removal", [None, "__NULL__", "__else__"])
def test_a_map_that_removes_a_stream_removes_its_own_messages_only(
    removal: str | None, company: tuple[str, Outcome]
) -> None:
    url, plain = company
    for removed in SELECTIONS[:-1]:
        kept = [stream for stream in STREAMS if stream not in removed]
        if removal == "__else__":
            maps: dict[str, Any] = {**{stream: {} for stream in kept}, "__else__": None}
        else:
            maps = dict.fromkeys(removed, removal)
        run = sync(url, stream_maps=maps)
        assert run.status == 0
        assert messages_without(run.messages, ()) == messages_without(plain.messages, removed), removed


def test_a_filter_above_a_removed_stream_still_holds(company: tuple[str, Outcome]) -> None:
    url, _ = company
    rule = {"asset_families": {"__filter__": "code != 'user_guides'"}}
    filtered = sync(url, stream_maps=rule)
    removed = sync(url, stream_maps={**rule, "asset_attributes": None, "assets": None})
    assert filtered.records["asset_values"]
    gone = ("asset_attributes", "assets")
    assert messages_without(removed.messages, ()) == messages_without(filtered.messages, gone)


def test_one_stream_in_place_of_another_takes_nothing_else_away(company: tuple[str, Outcome]) -> None:
    url, plain = company
    run = sync(url, stream_maps={"reds": {"__source__": "assets", "__filter__": "'red' in code"}, "assets": None})
    reds = [record for record in plain.records["assets"] if "red" in record["code"]]
    assert texts(run.records["reds"]) == texts(reds)
    assert "assets" not in run.schemas
    assert texts(run.records["asset_values"]) == texts(plain.records["asset_values"])


def test_what_a_map_removes_is_not_asked_for() -> None:
    pim = small_pim(Options("6.0"))
    with serve(pim) as server:
        for kept in SELECTIONS:
            pim.requests.clear()
            sync(server.url, stream_maps={**{stream: {} for stream in kept}, "__else__": None})
            assert routes(pim) == needed(pim, kept), kept


def test_a_test_run_ends_although_a_map_removes_a_stream() -> None:
    pim = demo_pim(assets=30, options=Options(page_size=3))
    env = {"TAP_AKENEO_ASSETS_STREAM_MAPS": '{"attribute_options": null}'}
    with serve(pim) as server:
        ended = support.tap("--config=ENV", "--test", env=support.environment(server.url, **env))
    run = Outcome.of(ended.stdout, ended.returncode)
    assert {stream: len(records) for stream, records in run.records.items()} == dict.fromkeys(
        [stream for stream in ALL_KEYS if stream != "attribute_options"], 1
    )
    assert len([request for request in pim.requests if request.route == "assets"]) <= 4


def test_the_last_metric_of_a_stream_counts_all_of_its_records(company: tuple[str, Outcome]) -> None:
    url, plain = company
    run = sync(url, log_level=logging.INFO)
    counted = {
        metric["tags"]["stream"]: metric["value"]
        for metric in map(json.loads, re.findall("METRIC: (.*)", run.log))
        if metric["metric"] == "record_count"
    }
    assert counted == {stream: len(records) for stream, records in plain.records.items()}


# BATCH files


def batch_config(root: Path, size: int) -> dict[str, Any]:
    return {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": root.as_uri()},
        "batch_size": size,
    }


def in_files(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The records in the files that a BATCH message names."""
    assert message["encoding"] == {"format": "jsonl", "compression": "gzip"}
    return [
        json.loads(line, parse_float=Decimal)
        for url in message["manifest"]
        for line in gzip.decompress(Path(urlsplit(url).path).read_bytes()).splitlines()
    ]


@pytest.mark.parametrize("name", ["nothing", "expressions", "filters", "two of one", "an alias", "flat"])
def test_batch_files_hold_what_records_would(name: str, company: tuple[str, Outcome], tmp_path: Path) -> None:
    url, _ = company
    catalog = select(*STREAMS, without=[("asset_families", "labels"), ("assets", "updated")])
    as_records = sync(url, catalog=deepcopy(catalog), **deepcopy(MAPS[name]))
    as_files = sync(url, catalog=catalog, batch_config=batch_config(tmp_path, 5), **deepcopy(MAPS[name]))
    assert as_files.status == 0
    assert as_files.schemas == as_records.schemas
    assert as_files.records == {}
    held: dict[str, list[dict[str, Any]]] = {}
    for message in as_files.of_type("BATCH"):
        records = in_files(message)
        assert 0 < len(records) <= 5
        held.setdefault(message["stream"], []).extend(records)
    assert held.keys() == as_records.records.keys()
    for stream, records in as_records.records.items():
        assert texts(held[stream]) == texts(records), stream


def keys_in_files(run: Outcome, stream: str) -> set[tuple[str, ...]]:
    """The keys of a stream's records in all files that a run names."""
    return {
        tuple(record[name] for name in KEYS[stream])
        for batch in run.of_type("BATCH")
        if batch["stream"] == stream
        for record in in_files(batch)
    }


def test_a_state_vouches_for_nothing_that_is_not_in_a_file_before_it(tmp_path: Path) -> None:
    pim = demo_pim(families=4, assets=200, options=Options(page_size=20))
    everything = set(by_key("assets", records_of(pim)["assets"]))
    with serve(pim) as server:
        run = sync(server.url, batch_config=batch_config(tmp_path, 100_000))
        states = [position for position, message in enumerate(run.messages) if message["type"] == "STATE"]
        assert len(states) > 1
        for position in states:
            until_then = keys_in_files(Outcome(run.messages[:position]), "assets")
            rest = sync(server.url, state=run.messages[position]["value"], catalog=select("assets"))
            assert until_then | set(by_key("assets", rest.records["assets"])) == everything
    assert until_then == everything


def test_batch_files_have_their_streams_version(tmp_path: Path) -> None:
    run = sync_pim(
        small_pim(),
        catalog=support.full_table(select("asset_families", "assets")),
        batch_config=batch_config(tmp_path, 5),
        emit_activate_version_messages=True,
    )
    activated = {message["stream"]: message["version"] for message in run.of_type("ACTIVATE_VERSION")}
    assert activated.keys() == {"asset_families", "assets"}
    assert {(message["stream"], message["version"]) for message in run.of_type("BATCH")} == set(activated.items())


def test_what_waits_for_a_file_when_a_signal_comes_is_not_lost(tmp_path: Path) -> None:
    pim = demo_pim(assets=40, options=Options(page_size=10))
    config = {**CREDENTIALS, "max_concurrency": 1, "batch_config": batch_config(tmp_path, 100_000)}
    pages = count(1)
    processes: list[subprocess.Popen[bytes]] = []

    def end_at_the_seventh_page(request: RequestRecord) -> None:
        if request.route == "assets" and next(pages) == 7:
            processes[0].terminate()

    pim.on_request = end_at_the_seventh_page
    with serve(pim) as server:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"api_url": server.url, **config}))
        command = [sys.executable, "-m", "tap_akeneo_assets", "--config", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tap:  # noqa: S603
            processes.append(tap)
            output, _ = tap.communicate()
        cut_short = Outcome.of(output, tap.returncode)
        rest = sync(server.url, state=cut_short.state)
    assert cut_short.status == 128 + signal.SIGTERM
    assert cut_short.messages[-1]["type"] == "STATE"
    for stream in ("assets", "asset_values"):
        everything = set(by_key(stream, records_of(pim)[stream]))
        read_later = set(by_key(stream, rest.records[stream]))
        assert read_later < everything
        assert keys_in_files(cut_short, stream) | read_later == everything
