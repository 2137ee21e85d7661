"""Pages of assets are decoded in two ways; both give the same messages."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_akeneo_assets.errors import NotJson, UnusableJson
from tap_akeneo_assets.records import json_body, pages
from tap_akeneo_assets.records.assets import (
    MAX_BYTES_TO_READ_VALUES_OF,
    Asset,
    AssetPage,
    PlainPage,
    check_values,
    decode_page,
)
from tap_akeneo_assets.records.values import AttributesNeeded, ValueRows, needs_attributes
from tap_akeneo_assets.streams import Assets
from tests.pims import small_pim
from tests.support import sync_pim

if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILY = "packshots"
encoder = msgspec.json.Encoder(decimal_format="number")

codes = st.text(max_size=4) | st.sampled_from(["a", "b", "title", "0", ""])
scalars: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)
anything: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(codes, inner, max_size=3), max_leaves=6
)
objects = st.dictionaries(codes, anything, max_size=2)
timestamps = st.sampled_from(
    [
        "2026-01-31T10:00:00+00:00",
        "2026-01-31T10:00:00+02:00",
        "2026-07-01T10:00:00.5Z",
        "2026-02-30T10:00:00Z",
        "",
        "x",
    ]
)
data: st.SearchStrategy[Any] = scalars | st.lists(codes, max_size=2) | anything
values = st.fixed_dictionaries(
    {
        "locale": st.none() | codes,
        "channel": st.none() | codes,
        "data": scalars | st.lists(codes, max_size=2) | anything,
    },
    optional={
        "attribute_type": st.sampled_from(["text", "number", "media_link", "single_option", None, "hologram", 3]),
        "linked_data": objects | st.just([]),
        "_links": objects,
        "surprise": scalars,
    },
)
assets: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "code": codes | st.integers(),
        "values": st.dictionaries(codes, st.lists(values, max_size=2) | st.none(), max_size=3) | st.just([]),
    },
    optional={
        "created": timestamps | st.none(),
        "updated": timestamps | st.none() | st.just(7),
        "status": st.none() | st.text(max_size=3),
        "_links": objects,
        "asset_family_code": codes,
        "surprise": scalars,
    },
)
bodies = st.fixed_dictionaries(
    {
        "_links": st.fixed_dictionaries(
            {}, optional={"self": st.just({"href": "/a"}), "next": st.just({"href": "/b"})}
        ),
        "_embedded": st.fixed_dictionaries({"items": st.lists(assets, max_size=3)}),
    }
)


def lines(page_assets: Sequence[Asset]) -> list[Any]:
    """What is written of some assets, with and without the attributes, as a target reads it."""
    written: list[Any] = []
    by_attributes, without = ValueRows(FAMILY, {}), ValueRows(FAMILY)
    for asset in page_assets:
        needs = needs_attributes(asset)
        written += [asset.record, *map(msgspec.Raw, by_attributes.of(asset)), asset.code, asset.updated, needs]
        with pytest.raises(AttributesNeeded) if needs else nullcontext():
            written += map(msgspec.Raw, without.of(asset))
    return [json.loads(encoder.encode(line), parse_float=str) for line in written]


def without_loss(body: bytes) -> tuple[list[Asset], Sequence[str]]:
    """The assets of a page decoded by the way that bears everything, and what it has to remark."""
    data, remarks = json_body.decode(body)
    made = {}
    for item in pages.page_items(data):
        record, more = Assets.shape.record(item, {"asset_family_code": FAMILY})
        made[record["code"]] = record
        remarks += more
    return list(map(Asset, made.values())), remarks


def text_of(content: object, *, ascii_only: bool, indent: int | None) -> bytes:
    return json.dumps(content, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")


@given(bodies, st.booleans(), st.sampled_from([None, None, 1]))
@settings(max_examples=400, deadline=None)
def test_what_is_decoded_the_plain_way_is_what_the_other_way_gives(
    content: object,
    ascii_only: bool,  # noqa: FBT001
    indent: int | None,
) -> None:
    body = text_of(content, ascii_only=ascii_only, indent=indent)
    try:
        data, _ = decode_page(body, FAMILY)
    except (NotJson, UnusableJson):
        return
    with_rows, _ = decode_page(body, FAMILY, ValueRows(FAMILY).read)
    assert type(with_rows) is type(data)
    if isinstance(data, PlainPage):
        expected, remarks = without_loss(body)
        for page in map(AssetPage.of, (data, with_rows)):
            assert (lines(page.assets), remarks) == (lines(expected), [])
            assert page.next == pages.next_link(json_body.decode(body)[0])


def test_what_is_kept_of_earlier_values_changes_no_row() -> None:
    """More values than are kept, long and short, some of them again, one in two attributes."""
    texts = [{"locale": None, "channel": None, "data": f"text {n % 700}" * (1 + n % 3 * 20)} for n in range(1_500)]
    items = [
        {
            "code": str(n),
            "values": {"a": [{**text, "attribute_type": "text"}], "b": [{**text, "attribute_type": "record"}]},
        }
        for n, text in enumerate(texts)
    ]
    data, _ = decode_page(text_of({"_links": {}, "_embedded": {"items": items}}, ascii_only=True, indent=None), FAMILY)
    assert isinstance(data, PlainPage)
    value_rows = ValueRows(FAMILY)

    rows = [value_rows.of(asset) for asset in data.assets]

    assert rows == [ValueRows(FAMILY).of(asset) for asset in data.assets]
    assert [[json.loads(row)["raw_value"] for row in its_rows] for its_rows in rows] == [
        [json.dumps(text["data"])] * 2 for text in texts
    ]


@pytest.mark.parametrize(("data", "is_read"), [("x", True), ("x" * MAX_BYTES_TO_READ_VALUES_OF, False)])
def test_rows_are_not_made_ahead_of_large_pages(data: str, is_read: bool) -> None:  # noqa: FBT001
    values = {"a": [{"locale": None, "channel": None, "data": data, "attribute_type": "text"}]}
    content = {"_links": {}, "_embedded": {"items": [{"code": "1", "values": values}]}}
    page, _ = decode_page(text_of(content, ascii_only=True, indent=None), FAMILY, ValueRows(FAMILY).read)
    [asset] = page.assets
    assert (asset.row_middles is not None) is is_read
    assert [json.loads(row)["text_value"] for row in ValueRows(FAMILY).of(asset)] == [data]


VALUE = '{"locale":null,"channel":null,"data":%s}'
ASSET = '{"code":"a","values":{"title":[%s]}%s}'
PAGE = '{"_links":{"self":{"href":"/a"}},"_embedded":{"items":[%s]}}'


@pytest.mark.parametrize(
    ("asset", "is_plain"),
    [
        (ASSET % (VALUE % '"text"', ""), True),
        (ASSET % (VALUE % '["a","b"]', ""), True),
        (ASSET % (VALUE % '"caf\\u00e9 \\ud83d\\ude00"', ""), True),
        (ASSET % ('{"locale":"en_US","data":"x","linked_data":{"size":3,"labels":{"en_US":{"a":"b"}}}}', ""), True),
        (ASSET % (VALUE % '"text"', ',"updated":"2026-01-31T10:00:00+02:00"'), True),
        (ASSET % (VALUE % '"text"', ',"updated":"2026-02-30T10:00:00Z"'), False),
        (ASSET % (VALUE % '"text"', ',"surprise":1'), False),
        (ASSET % (VALUE % "12.50", ""), False),
        (ASSET % (VALUE % '"nul \\u0000"', ""), False),
        (ASSET % (VALUE % '"half \\ud83d"', ""), False),
        (ASSET % (VALUE % '"text",\n"attribute_type":"text"', ""), False),
        ('{"code":"a","values":[]}', False),
        ('{"code":7,"values":{}}', False),
        ('{"code":"a","values":{}},{"code":"a","values":{}}', False),
    ],
)
def test_which_pages_are_decoded_the_plain_way(asset: str, is_plain: bool) -> None:  # noqa: FBT001
    for read_values in (check_values, ValueRows(FAMILY).read, ValueRows(FAMILY, {}).read):
        data, _ = decode_page((PAGE % asset).encode(), FAMILY, read_values)
        assert isinstance(data, PlainPage) is is_plain


def test_a_body_that_is_no_utf_8_is_no_plain_page() -> None:
    body = (PAGE % (ASSET % (VALUE % '"x"', ""))).encode().replace(b'"x"', b'"\xff"')
    for read_values in (check_values, ValueRows(FAMILY, {}).read):
        with pytest.raises(NotJson):
            decode_page(body, FAMILY, read_values)


def test_a_stream_map_that_changes_nothing_changes_no_record() -> None:
    """A map needs records as dicts, so the tap decodes every page the other way."""
    maps = {"assets": {"code": "record['code']"}, "asset_values": {"locale": "record['locale']"}}
    plain = sync_pim(small_pim(), max_concurrency=1)
    mapped = sync_pim(small_pim(), max_concurrency=1, stream_maps=maps)
    assert mapped.records == plain.records
