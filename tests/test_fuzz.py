"""Damaged pages by the thousand: each gives right records, or a clear failure of its family and of no other."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from singer_sdk.singerlib.messages import StateMessage

from tap_akeneo_assets import errors
from tap_akeneo_assets.extract.state import FamilyProgress
from tap_akeneo_assets.pim.urls import next_query
from tap_akeneo_assets.records import json_body, pages
from tap_akeneo_assets.records.assets import Asset
from tap_akeneo_assets.records.values import attribute_info, needs_attributes
from tap_akeneo_assets.sandbox import Options, Pim, demo_pim
from tap_akeneo_assets.sandbox.app import create_app
from tap_akeneo_assets.sandbox.faults import Faults, damaged
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.singer.writer import ChunkWriter
from tap_akeneo_assets.tap import TapAkeneoAssets
from tests import support
from tests.support import HurryingTap, Outcome, captured_stdout, value_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_akeneo_assets.sandbox.faults import Exchange

Records = dict[str, list[dict[str, Any]]]

FAMILY = "packshots"
PATH = f"/asset-families/{FAMILY}"
EXPECTED = (errors.NotJson, errors.UnusableJson, errors.DamagedPage, errors.UnexpectedShape)

sync = partial(support.sync, tap_class=HurryingTap, max_retries=0)

# What comes of a page


checker = FormatChecker(())


@checker.checks("date-time", raises=ValueError)
def is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


TAP = TapAkeneoAssets(config={}, validate_config=False)
KEYS = {name: tuple(stream.primary_keys) for name, stream in TAP.streams.items()}
VALIDATORS = {name: Draft202012Validator(stream.schema, format_checker=checker) for name, stream in TAP.streams.items()}


def texts(value: object) -> Iterator[str]:
    """All texts in a value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def check(stream: str, record: dict[str, Any]) -> None:
    """A record is valid by its SCHEMA, and a database takes it."""
    assert [str(error) for error in VALIDATORS[stream].iter_errors(record)] == []
    for text in texts(record):
        assert "\0" not in text
        assert not re.search("[\ud800-\udfff]", text)
    for key in KEYS[stream]:
        assert record[key]


def written(records: Records) -> Records:
    """The records as a target reads them."""
    writer = ChunkWriter()
    found: Records = defaultdict(list)
    with captured_stdout() as output:
        for stream, its_records in records.items():
            writer.write_records(stream, its_records, {"time_extracted": "2026-11-25T12:00:00Z"})
        writer.write_message(StateMessage(value={}))
    for line in output.getvalue().splitlines()[:-1]:
        message = json.loads(line)
        found[message["stream"]].append(message["record"])
    return found


def made_of(stream: str, body: bytes) -> Records:
    """The records that a page's body gives; or what is wrong with it, by one of the exceptions foreseen.

    What the tap does with a page, in its order, and nothing of HTTP.
    """
    data, _ = json_body.decode(body)
    items, link = pages.items(data), pages.next_link(data)
    if link:
        next_query({}, PATH, link)
    parents = {"asset_family_code": FAMILY, "attribute_code": "a"}
    shape_parents = {name: code for name, code in parents.items() if name in KEYS[stream] and name != "code"}
    made = [TAP.stream(stream).shape.record(item, shape_parents)[0] for item in items]
    records: Records = {stream: made}
    progress = FamilyProgress(FAMILY)
    if stream == "asset_attributes":
        for record in made:
            attribute_info(record)
    if stream == "assets":
        for record in made:
            needs_attributes(Asset(record))
            progress.add([Asset(record)])
        records["asset_values"] = [row for record in made for row in value_records(record, None, set())]
    return records


# Damage


STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    10**400,
    0.5,
    1e-320,
    "",
    " ",
    "text",
    "0",
    "\0",
    "a\0b",
    "\ud83d",
    "\udc00x",
    "\ufeff",
    "\\u0000",
    "2026-02-30T00:00:00+00:00",
    "0000-00-00",
    "9999-12-31T23:59:59-14:00",
    "1e999999999",
    "9" * 5_000,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"0": "a"},
    {"1": {"code": "x"}},
    {"": ""},
    {"code": None},
    {"\0": 1, "": 2},
)
RAW = ("1e400", "-1e400", "1e-400", "9" * 5_000, "-0", "NaN", "Infinity", "1.0" + "0" * 5_000, '"\\ud800"', "[" * 300)


def places(value: object) -> list[tuple[Any, Any]]:
    """Every place in a value that something stands in: its container, and the name or index in there."""
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        container = pending.pop()
        names = list(container) if isinstance(container, dict) else range(len(container))  # type: ignore[arg-type]
        for name in names:
            found.append((container, name))
            inner = container[name]  # type: ignore[index]
            if isinstance(inner, dict | list):
                pending.append(inner)
    return found


def damage_value(random: Random, value: Any) -> None:  # noqa: ANN401  # JSON
    """Damage one place in a value."""
    found = places(value)
    if not found:
        return
    container, name = random.choice(found)
    old = container[name]
    kind = random.randrange(7)
    if kind == 0:
        del container[name]
    elif kind == 1:
        container[name] = random.choice([[old], {"0": old}, {"x": old}, str(old)])
    elif kind == 2 and isinstance(container, list):
        container.insert(name, copy.deepcopy(old))
    elif kind == 3 and isinstance(container, dict):
        container[random.choice(["code", "labels", "values", "data", "0", "", "x\0", "\ud800"])] = container.pop(name)
    elif kind == 4:
        other, other_name = random.choice(found)
        container[name] = copy.deepcopy(other[other_name])
    else:
        container[name] = copy.deepcopy(random.choice(STRANGE))


def damage(random: Random, body: bytes) -> bytes:
    """Damage a page: its values mostly, its bytes sometimes."""
    value = json.loads(body)
    for _ in range(random.choice([1, 1, 2, 3])):
        damage_value(random, value)
    text = json.dumps(value)
    kind = random.randrange(20)
    if kind == 0:
        return text[: random.randrange(len(text))].encode()
    if kind == 1:
        return b"\xef\xbb\xbf" + text.encode()
    if kind == 2:
        return text.encode(random.choice(["utf-16", "utf-32", "cp037"]))
    if kind in (3, 4, 5):
        return re.sub(r"(?<=: )(null|true|false|\d+|\"\w+\")", lambda found: _strange(random, found[0]), text).encode()
    if kind == 6:
        place = random.randrange(len(text))
        return text[:place].encode() + random.randbytes(random.randrange(1, 9)) + text[place:].encode()
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") if kind == 7 else text.encode()


def _strange(random: Random, text: str) -> str:
    return random.choice(RAW) if random.random() < 0.02 else text


@contextmanager
def bodies(pim: Pim) -> Iterator[Callable[[str], bytes]]:
    """Ask a PIM without HTTP."""
    client, token = create_app(pim).test_client(), pim.tokens.add_app()

    def ask(path: str) -> bytes:
        answer = client.get(f"/api/rest/v1{path}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        return answer.get_data()

    yield ask


def rich_pim() -> Pim:
    pim = demo_pim(3, 3)
    pim.save_family(
        FAMILY,
        product_link_rules=[
            {
                "product_selections": [{"field": "sku", "operator": "EQUALS", "value": "x", "locale": None}],
                "assign_assets_to": [{"attribute": "pictures", "mode": "add", "channel": None}],
            }
        ],
        transformations=[
            {
                "label": "small",
                "source": {"attribute": "picture", "channel": None, "locale": None},
                "target": {"attribute": "small", "channel": None, "locale": None},
                "operations": [{"type": "scale", "parameters": {"ratio": 50}}],
            }
        ],
    )
    return pim


with bodies(rich_pim()) as ask:
    PAGES = {
        "asset_families": ask("/asset-families"),
        "asset_attributes": ask(f"{PATH}/attributes"),
        "attribute_options": ask(f"{PATH}/attributes/background/options"),
        "assets": ask(f"{PATH}/assets"),
    }


@pytest.mark.parametrize("stream", PAGES)
@settings(deadline=None, max_examples=400)
@given(st.integers(0, 2**32))
def test_a_damaged_page_gives_right_records_or_is_refused(stream: str, seed: int) -> None:
    body = damage(Random(seed), PAGES[stream])  # noqa: S311  # a test's choice
    try:
        records = made_of(stream, body)
    except EXPECTED:
        return
    for name, its_records in written(records).items():
        for record in its_records:
            check(name, record)


@pytest.mark.parametrize("stream", PAGES)
def test_undamaged_pages_are_right(stream: str) -> None:
    records = written(made_of(stream, PAGES[stream]))
    assert records[stream]
    for name, its_records in records.items():
        for record in its_records:
            check(name, record)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_no_page(body: bytes) -> None:
    for stream in PAGES:
        try:
            records = made_of(stream, body)
        except EXPECTED:
            continue
        assert not any(records.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(STRANGE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(json_values, st.sampled_from(list(PAGES)))
def test_any_json_is_right_or_refused(value: object, stream: str) -> None:
    item = {"code": "x", "labels": value, "values": value, "updated": value, "type": value}
    for body in (value, [value], {"_embedded": {"items": [value]}}, [{"code": "x", "values": {"a": value}}], [item]):
        try:
            records = made_of(stream, json.dumps(body).encode())
        except EXPECTED:
            continue
        for name, its_records in written(records).items():
            for record in its_records:
                check(name, record)


# Whole runs


def damages(seed: int, families: set[str]) -> Faults:
    """Damage each answer about some families, each in its own way, the same one whenever it is asked for."""

    def fault(exchange: Exchange) -> Any:  # noqa: ANN401  # a response
        request = exchange.request
        if request.family not in families:
            return exchange.real()
        random = Random(crc32(f"{seed} {request.path} {request.query}".encode()))  # noqa: S311
        return damaged(partial(damage, random))(exchange)

    return Faults().always("attributes", fault).always("options", fault).always("assets", fault)


def contents(run: Outcome, families: set[str]) -> Counter[str]:
    return Counter(
        f"{stream} {json.dumps(record, sort_keys=True, default=str)}"
        for stream, records in run.records.items()
        for record in records
        if (record.get("asset_family_code") or record["code"]) in families
    )


def many_families(families: int) -> Pim:
    """A PIM of families with something of everything."""
    pim = Pim(Options(page_size=2))
    for number in range(families):
        family = f"family_{number}"
        pim.save_family(family, labels={"en_US": f"Family {number}"})
        pim.save_attribute(family, "title", type="text", value_per_locale=True)
        pim.save_attribute(family, "size", type="number", decimals_allowed=True)
        pim.save_attribute(family, "colors", type="multiple_options")
        pim.save_option(family, "colors", "red", labels={"en_US": "Red"})
        for asset in range(3):
            pim.save_asset(
                family,
                f"asset_{asset}",
                {
                    "title": [{"locale": "en_US", "channel": None, "data": "A title"}],
                    "size": [{"locale": None, "channel": None, "data": "2.50"}],
                    "colors": [{"locale": None, "channel": None, "data": ["red"]}],
                },
            )
    return pim


@pytest.mark.parametrize("seed", range(2))
def test_runs_with_damaged_pages(seed: int) -> None:
    pim = many_families(120)
    hurt = {f"family_{number}" for number in range(100)}
    sound = {f"family_{number}" for number in range(100, 120)}
    with serve(pim) as server:
        whole = sync(server.url)
        pim.faults = damages(seed, hurt)
        run = sync(server.url)
    assert run.status == 1
    assert contents(run, sound) == contents(whole, sound)
    assert "Traceback" not in run.log
    told = {line.split(" failed: ")[0] for line in run.log.splitlines() if line.startswith("ERROR ")}
    assert all(re.fullmatch(r"ERROR Famil(y|ies) '[^']+'.*", line) for line in told)
    for stream, records in run.records.items():
        for record in records:
            check(stream, record)
    # A family that no line names is whole, though not as it was.
    named = {name for line in told for name in re.findall(r"'([^']+)'", line)}
    assert sound.isdisjoint(named)
    assert hurt & named
    for family in hurt - named:
        assert run.bookmarks[family]


def run_with(change: Callable[[bytes], bytes], route: str = "assets") -> Outcome:
    """A run in which the answers of one route about one family are changed."""
    pim = demo_pim(3, 2)
    pim.faults = Faults().always(route, damaged(change), family=FAMILY)
    with serve(pim) as server:
        run = sync(server.url)
    for stream, records in run.records.items():
        for record in records:
            check(stream, json.loads(json.dumps(record, default=float)))
    return run


def with_title(text: str) -> Callable[[bytes], bytes]:
    """Give the first asset a text."""

    def change(body: bytes) -> bytes:
        page = json.loads(body)
        page["_embedded"]["items"][0]["values"] = {"title": [{"locale": None, "channel": None, "data": text}]}
        return json.dumps(page).encode()

    return change


def titles(run: Outcome) -> list[str]:
    return [
        value["data"]
        for record in run.records["assets"]
        for value in record["values"].get("title", ())
        if value["locale"] is None and record["asset_family_code"] == FAMILY
    ]


@pytest.mark.parametrize(
    ("text", "given", "warning"),
    [
        ("a\0b\0", "ab", "NUL characters"),
        ("half \ud83d of it", "half \ufffd of it", "lone surrogates"),
        ("\ude00\ud83d", "\ufffd\ufffd", "lone surrogates"),
        ("whole \U0001f600 one", "whole \U0001f600 one", ""),
        ("spelled \\u0000 out", "spelled \\u0000 out", ""),
        ("bell \x07, escape \x1b, delete \x7f", "bell \x07, escape \x1b, delete \x7f", ""),
        ("x" * 12_000_000, "x" * 12_000_000, ""),
        ("\0" + "é" * 2_000_000, "é" * 2_000_000, "NUL characters"),
    ],
    ids=["nul", "surrogate", "surrogates", "emoji", "spelled", "control", "12 MB", "megabytes with nul"],
)
def test_texts_that_break_others(text: str, given: str, warning: str) -> None:
    run = run_with(with_title(text))
    assert run.status == 0
    assert titles(run) == [given]
    warnings = [line for line in run.log.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == bool(warning)
    assert warning in run.log


def test_a_byte_order_mark_harms_nothing() -> None:
    run = run_with(lambda body: b"\xef\xbb\xbf" + body)
    assert (run.status, run.log) == (0, "")


@pytest.mark.parametrize("route", ["attributes", "options", "assets"])
@pytest.mark.parametrize("depth", [101, 1_000, 100_000])
def test_nesting_beyond_reason_fails_the_family(route: str, depth: int) -> None:
    run = run_with(lambda _: b'{"a":' * depth + b"1" + b"}" * depth, route)
    assert run.status == 1
    (line,) = [line for line in run.log.splitlines() if line.startswith("ERROR")]
    assert line.startswith(f"ERROR Family '{FAMILY}' failed: ")
    assert "nested" in line


def test_an_item_that_comes_twice_on_a_page_is_read_once() -> None:
    def twice(body: bytes) -> bytes:
        page = json.loads(body)
        page["_embedded"]["items"] *= 2
        return json.dumps(page).encode()

    run = run_with(twice)
    assert run.status == 0
    assert len([record for record in run.records["assets"] if record["asset_family_code"] == FAMILY]) == 2
