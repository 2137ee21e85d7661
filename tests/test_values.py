from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_akeneo_assets import schemas
from tap_akeneo_assets.records.assets import Asset
from tap_akeneo_assets.records.json_body import decode, encode_text
from tap_akeneo_assets.records.timestamps import to_timestamp, to_utc
from tap_akeneo_assets.records.values import AttributeInfo, attribute_info, needs_attributes
from tests.support import value_records

# A busy machine is no fault of what is tested.
LAWS = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
TYPED = {
    "text": {"text_value"},
    "number": {"number_value"},
    "boolean": {"boolean_value"},
    "date": {"date_value"},
    "single_option": {"option_codes"},
    "multiple_options": {"option_codes"},
    "auto_tagging": {"option_codes"},
    "media_file": {"media_file_code", "media_url"},
    "media_link": {"text_value", "media_url"},
    "record": {"record_code"},
    "asset_family_single_link": {"linked_asset_codes"},
    "asset_family_multiple_links": {"linked_asset_codes"},
    "hologram": set(),
    None: set(),
}
VALIDATOR = Draft202012Validator(schemas.ASSET_VALUES)
TYPED_COLUMNS = set().union(*TYPED.values())

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | texts
    | st.sampled_from(["1E3", "-2.50", "2024-01-31T10:00:00Z", "NaN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.sampled_from(["0", "2"]), inner, max_size=3),
    max_leaves=5,
) | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9)


def rows(
    data: object, kind: str | None, info: AttributeInfo | None = None, **extra: object
) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """The row of one value, and what was not parsed."""
    value = {"locale": None, "channel": None, "data": data, "attribute_type": kind, **extra}
    asset = {"asset_family_code": "packshots", "code": "a", "values": {"x": [value]}}
    unparsed: set[tuple[str, str]] = set()
    (row,) = value_records(asset, {"x": info} if info else None, unparsed)
    return row, unparsed


def typed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in TYPED_COLUMNS if row[name] is not None}


@pytest.mark.parametrize("kind", TYPED)
@given(data=json_values, linked=json_values, links=json_values)
@settings(LAWS, max_examples=25)
def test_any_json_gives_one_valid_row_that_keeps_it(
    kind: str | None, data: object, linked: object, links: object
) -> None:
    extra = {"linked_data": linked if isinstance(linked, dict) else None, "_links": links}
    before = deepcopy(data)

    row, unparsed = rows(data, kind, AttributeInfo("text"), **extra)

    kind = kind or "text"
    assert decode(row["raw_value"].encode()) == (before, [])
    assert list(row) == list(schemas.ASSET_VALUES["properties"])
    assert typed(row).keys() <= TYPED[kind]
    assert bool(unparsed) == (data is not None and bool(TYPED[kind]) and not typed(row))
    assert rows(data, kind, AttributeInfo("text"), **extra) == (row, unparsed)
    VALIDATOR.validate(row)


@given(st.from_regex(r"\A-?(0|[1-9][0-9]{0,60})(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?\Z"))
@LAWS
def test_numbers_go_round_without_loss(text: str) -> None:
    row, unparsed = rows(text, "number")
    written = encode_text(row["number_value"])

    assert not unparsed
    assert Decimal(written) == Decimal(text)
    assert Decimal(written).as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize(
    ("data", "number"),
    [
        ("1", "1"),
        ("-2.50", "-2.50"),
        ("007", "7"),
        ("+.5", "0.5"),
        ("1E3", "1E+3"),
        ("0.1234567890123456789012345678901234567890", "0.1234567890123456789012345678901234567890"),
        (400, "400"),
        (Decimal("1E+21"), "1E+21"),
        ("9" * 4_300, "9" * 4_300),
        ("9" * 4_301, "9" * 4_301 + ".0"),
        ("9" * 131_072, "9" * 131_072 + ".0"),
        ("1E131071", "1E+131071"),
        ("0." + "3" * 16_383, "0." + "3" * 16_383),
    ],
)
def test_number(data: object, number: str) -> None:
    row, unparsed = rows(data, "number")

    assert encode_text(row["number_value"]) == number
    assert not unparsed


@pytest.mark.parametrize(
    "data",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "1_000",
        "1,5",
        "NaN",
        "-Infinity",
        "0x1F",
        "１２",  # noqa: RUF001 - digits, but not ASCII's
        "1e",
        ".",
        "9" * 131_073,
        "1E131072",
        "0." + "3" * 16_384,
        "1E-16384",
        "1e99999999999999999999",
        "9" * 1_000_000 + "x",
        True,
        ["1"],
        {},
    ],
)
def test_no_number(data: object) -> None:
    row, unparsed = rows(data, "number")

    assert row["number_value"] is None
    assert row["raw_value"] == encode_text(data)
    assert unparsed == {("x", "number")}


@pytest.mark.parametrize(
    ("kind", "data", "columns"),
    [
        ("text", "<p>a\nb</p>", {"text_value": "<p>a\nb</p>"}),
        ("text", "", {"text_value": ""}),
        ("text", 12, {"text_value": "12"}),
        ("boolean", False, {"boolean_value": False}),
        ("date", "2023-03-01T00:00:00+00:00", {"date_value": "2023-03-01T00:00:00+00:00"}),
        ("date", "2023-03-01T00:00:00+0000", {"date_value": "2023-03-01T00:00:00+00:00"}),
        ("single_option", "red", {"option_codes": ["red"]}),
        ("single_option", 42, {"option_codes": ["42"]}),
        ("multiple_options", ["red", 7], {"option_codes": ["red", "7"]}),
        ("multiple_options", {"0": "red", "2": "blue"}, {"option_codes": ["red", "blue"]}),
        ("multiple_options", [], {"option_codes": []}),
        ("multiple_options", {}, {"option_codes": []}),
        ("auto_tagging", ["sky", "sea"], {"option_codes": ["sky", "sea"]}),
        ("media_file", "0/0/9/d/009d_a.png", {"media_file_code": "0/0/9/d/009d_a.png"}),
        ("record", "acme", {"record_code": "acme"}),
        ("record", 12, {"record_code": "12"}),
        ("asset_family_single_link", "b", {"linked_asset_codes": ["b"]}),
        ("asset_family_single_link", ["b"], {"linked_asset_codes": ["b"]}),
        ("asset_family_multiple_links", ["b", 7], {"linked_asset_codes": ["b", "7"]}),
        ("asset_family_multiple_links", {"0": "b", "2": "c"}, {"linked_asset_codes": ["b", "c"]}),
        ("asset_family_multiple_links", [], {"linked_asset_codes": []}),
        ("hologram", {"data": []}, {}),
        (None, "of an attribute that is gone", {}),
        ("number", None, {}),
    ],
)
def test_data_by_type(kind: str | None, data: object, columns: dict[str, Any]) -> None:
    row, unparsed = rows(data, kind)

    assert typed(row) == columns
    assert row["raw_value"] == encode_text(data)
    assert row["attribute_type"] == kind
    assert not unparsed


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text", True),
        ("text", ["a"]),
        ("boolean", 1),
        ("boolean", "true"),
        ("date", "02/03/2021"),
        ("date", "0000-00-00"),
        ("date", "2023-03-01T00:00:00"),
        ("date", "10000-01-01T00:00:00+00:00"),
        ("date", 20230301),
        ("single_option", True),
        ("multiple_options", ["red", None]),
        ("multiple_options", [["red"]]),
        ("multiple_options", {"a": "red"}),
        ("media_file", {}),
        ("media_link", []),
        ("record", False),
        ("asset_family_single_link", True),
        ("asset_family_multiple_links", [{"asset_family_code": "b"}]),
    ],
)
def test_data_that_its_type_does_not_admit(kind: str, data: object) -> None:
    row, unparsed = rows(data, kind)

    assert typed(row) == {}
    assert row["raw_value"] == encode_text(data)
    assert unparsed == {("x", kind)}


@pytest.mark.parametrize(
    ("linked", "info", "url"),
    [
        ({"full_url": "https://a/b.png", "prefix": "no"}, None, "https://a/b.png"),
        ({"prefix": "https://a/", "suffix": None}, None, "https://a/id"),
        ({"prefix": None, "suffix": "?w=1"}, None, "id?w=1"),
        ({"prefix": "https://a/"}, AttributeInfo("media_link", "https://b/", ".png"), "https://a/id.png"),
        (None, AttributeInfo("media_link", "https://b/", ".png"), "https://b/id.png"),
        (None, AttributeInfo("media_link", "", None), "id"),
        (None, AttributeInfo("media_link", None, None, "image"), "id"),
        (None, AttributeInfo("media_link", "", None, "youtube"), "https://youtube.com/watch?v=id"),
        (None, AttributeInfo("media_link", None, "", "vimeo"), "https://vimeo.com/id"),
        (None, AttributeInfo("media_link", "https://y/", "", "youtube"), "https://y/id"),
        ({"prefix": "", "suffix": ""}, AttributeInfo("media_link", "", "", "vimeo"), "https://vimeo.com/id"),
        ({"full_url": ""}, None, None),
        (None, None, None),
    ],
)
def test_media_link(linked: dict[str, Any] | None, info: AttributeInfo | None, url: str | None) -> None:
    row, unparsed = rows("id", "media_link", info, linked_data=linked)

    assert (row["text_value"], row["media_url"]) == ("id", url)
    assert not unparsed


@pytest.mark.parametrize(
    ("links", "url"),
    [
        ({"share_link": {"href": "https://a/share"}, "download": {"href": "https://a/load"}}, "https://a/share"),
        ({"share_link": []}, None),
        ({"share_link": {"href": None}}, None),
        ([], None),
        (None, None),
    ],
)
def test_share_link_of_a_media_file(links: object, url: str | None) -> None:
    row, _ = rows("a.png", "media_file", _links=links)

    assert (row["media_file_code"], row["media_url"]) == ("a.png", url)


def test_rows_of_an_asset() -> None:
    asset = {
        "asset_family_code": "packshots",
        "code": "a",
        "updated": "2024-01-31T10:00:00+00:00",
        "values": {
            "description": [
                {"locale": "en_US", "channel": "ecommerce", "data": "text"},
                {"locale": "fr_FR", "channel": None, "data": "texte"},
                {"locale": None, "channel": "print", "data": "text"},
            ],
            "logo": [{"data": 1, "attribute_type": "number"}, {}],
            "gone": None,
        },
    }

    made = value_records(asset, {"description": attribute_info({"type": "text"})}, set())

    assert [(row["value_key"], row["attribute_code"], row["locale"], row["channel"]) for row in made] == [
        ("description-en_US-ecommerce", "description", "en_US", "ecommerce"),
        ("description-fr_FR", "description", "fr_FR", None),
        ("description-print", "description", None, "print"),
        ("logo", "logo", None, None),
        ("logo", "logo", None, None),
    ]
    assert [row["attribute_type"] for row in made] == ["text", "text", "text", "number", None]
    assert [row["raw_value"] for row in made] == ['"text"', '"texte"', '"text"', "1", "null"]
    assert {(row["asset_family_code"], row["asset_code"], row["asset_updated"]) for row in made} == {
        ("packshots", "a", "2024-01-31T10:00:00+00:00")
    }


@pytest.mark.parametrize("values", [None, {}, {"a": None}, {"a": []}])
def test_an_asset_without_values(values: object) -> None:
    asset = {"asset_family_code": "packshots", "code": "a", "values": values}

    assert value_records(asset, None, set()) == []
    assert not needs_attributes(Asset(asset))


@pytest.mark.parametrize(
    ("value", "needed"),
    [
        ({"attribute_type": "text"}, False),
        ({}, True),
        ({"attribute_type": None}, True),
        ({"attribute_type": "media_link"}, True),
        ({"attribute_type": "media_link", "linked_data": {}}, True),
        ({"attribute_type": "media_link", "linked_data": {"prefix": None, "suffix": None}}, True),
        ({"attribute_type": "media_link", "linked_data": {"prefix": "https://a/"}}, True),
        ({"attribute_type": "media_link", "linked_data": {"prefix": "https://a/", "suffix": None}}, False),
        ({"attribute_type": "media_link", "linked_data": {"full_url": "https://a"}}, False),
        ({"attribute_type": "media_file"}, False),
    ],
)
def test_when_attributes_are_needed(value: dict[str, Any], needed: bool) -> None:  # noqa: FBT001 - a table's column
    assert needs_attributes(Asset({"code": "a", "values": {"a": [{"attribute_type": "text"}, value]}})) is needed


def test_attribute_info() -> None:
    attribute = {"code": "x", "type": "media_link", "prefix": "a", "suffix": "b", "media_type": "image"}

    assert attribute_info(attribute) == AttributeInfo("media_link", "a", "b", "image")


@pytest.mark.parametrize(
    "text",
    [
        "2023-03-01T00:00:00+00:00",
        "2024-02-29T23:59:59Z",
        "2023-12-31T10:00:00.123456-11:00",
        "1066-10-14T09:00:00+00:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59+15:59",
    ],
)
def test_a_moment_is_kept_as_it_came(text: str) -> None:
    assert to_timestamp(text) is text
    assert to_timestamp(text, with_offset=True) is text


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("2023-03-01T00:00:00+0000", "2023-03-01T00:00:00+00:00"),
        ("2023-03-01 00:00:00-0530", "2023-03-01T00:00:00-05:30"),
        ("2023-03-01t00:00:00z", "2023-03-01T00:00:00Z"),
        ("2023-03-01T00:00+01:00", "2023-03-01T00:00:00+01:00"),
        ("2023-03-01T00:00:00", "2023-03-01T00:00:00+00:00"),
    ],
)
def test_a_moment_is_mended(text: str, mended: str) -> None:
    assert to_timestamp(text) == mended


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-03-01",
        "02/03/2021",
        "0000-00-00",
        "0000-00-00T00:00:00+00:00",
        "10000-01-01T00:00:00+00:00",
        "2023-02-29T00:00:00+00:00",
        "2023-03-01T24:00:00+00:00",
        "2023-03-01T00:00:60+00:00",
        "2023-03-01T00:00:00+16:00",
        "2023-03-01T00:00:00+00:00\n",
        "2023-03-01T00:00:00+00:00 ",
        "\uff12\uff10\uff12\uff13-03-01T00:00:00+00:00",
        "2023-W01-1T00:00:00+00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_no_moment(text: str) -> None:
    assert to_timestamp(text) is None


def test_a_moment_without_an_offset_can_be_refused() -> None:
    assert to_timestamp("2023-03-01T00:00:00", with_offset=True) is None


@given(st.datetimes(timezones=st.builds(timezone, st.integers(-959, 959).map(lambda m: timedelta(minutes=m)))))
@LAWS
def test_every_real_moment_is_one(instant: datetime) -> None:
    text = instant.isoformat()

    assert to_timestamp(text) == (text if 1 < instant.year < 9999 or in_utc(instant) else None)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-31T10:00:00+00:00", "2026-01-31T10:00:00+00:00"),
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00+00:00"),
        ("2026-01-31 10:00:00z", "2026-01-31T10:00:00+00:00"),
        ("2026-01-31T10:00:00", "2026-01-31T10:00:00+00:00"),
        ("2026-01-31T10:00:00-00:00", "2026-01-31T10:00:00+00:00"),
        ("2026-01-31T10:00:00+0100", "2026-01-31T09:00:00+00:00"),
        ("2026-01-31T10:00+05:45", "2026-01-31T04:15:00+00:00"),
        ("2026-01-01T00:30:00+12:45", "2025-12-31T11:45:00+00:00"),
        ("2026-12-31T23:30:00-09:30", "2027-01-01T09:00:00+00:00"),
        ("2024-02-28T23:59:59-15:59", "2024-02-29T15:58:59+00:00"),
        ("2026-01-31T10:00:00.5+01:00", "2026-01-31T09:00:00.5+00:00"),
        ("2026-01-31T10:00:00.123456789-01:00", "2026-01-31T11:00:00.123456789+00:00"),
        ("2026-01-31T10:00:00.120Z", "2026-01-31T10:00:00.120+00:00"),
        # The hour that comes twice when summer time ends.
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00+00:00"),
        ("2026-10-25T02:00:00+01:00", "2026-10-25T01:00:00+00:00"),
        ("0001-01-01T00:00:00-01:00", "0001-01-01T01:00:00+00:00"),
        ("9999-12-31T23:59:59+00:01", "9999-12-31T23:58:59+00:00"),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2026-01-31T10:00:00+16:00", None),
        ("2026-01-31", None),
    ],
)
def test_utc_in_the_form_of_the_vendor(text: str, utc: str | None) -> None:
    assert to_utc(text) == utc


@given(st.datetimes(timezones=st.builds(timezone, st.integers(-959, 959).map(lambda m: timedelta(minutes=m)))))
@LAWS
def test_utc_names_the_same_instant(instant: datetime) -> None:
    instant = instant.replace(microsecond=0)
    text = to_utc(instant.isoformat())

    assert (text is None) == (in_utc(instant) is None)
    if text is not None:
        assert datetime.fromisoformat(text) == instant
        assert text.endswith("+00:00")
        assert to_utc(text) is text


def in_utc(instant: datetime) -> datetime | None:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return None
