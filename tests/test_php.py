from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_akeneo_assets import schemas
from tap_akeneo_assets.errors import UnexpectedShape
from tap_akeneo_assets.records.json_body import encode_text
from tap_akeneo_assets.records.pages import item, items, next_link
from tap_akeneo_assets.records.shapes import Shape, reshaper

if TYPE_CHECKING:
    from collections.abc import Callable

# A busy machine is no fault of what is tested.
LAWS = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
FAMILY = {"asset_family_code": "packshots"}
SHAPES = {
    "asset_families": (Shape(schemas.ASSET_FAMILIES), schemas.ASSET_FAMILIES, {}),
    "asset_attributes": (
        Shape(
            schemas.ASSET_ATTRIBUTES,
            rename={"asset_family_code": "linked_asset_family_code"},
            as_json=("default_value",),
            parents=("asset_family_code",),
        ),
        schemas.ASSET_ATTRIBUTES,
        FAMILY,
    ),
    "attribute_options": (
        Shape(schemas.ATTRIBUTE_OPTIONS, parents=("asset_family_code", "attribute_code")),
        schemas.ATTRIBUTE_OPTIONS,
        {**FAMILY, "attribute_code": "colors"},
    ),
    "assets": (Shape(schemas.ASSETS, parents=("asset_family_code",)), schemas.ASSETS, FAMILY),
}
VALIDATORS = {stream: Draft202012Validator(schema) for stream, (_, schema, _) in SHAPES.items()}
ATTRIBUTES, ASSETS = SHAPES["asset_attributes"][0], SHAPES["assets"][0]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(["12", "0", "1", "-3"])
names = st.text("abc-_ é", min_size=1, max_size=3) | st.sampled_from(["0", "1", "2"])
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts | st.just(Decimal("1.50")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
default_values = texts | st.booleans() | st.lists(texts, max_size=3)
timestamps = st.sampled_from(["2024-02-29T10:00:00+00:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])


def kind_of(schema: dict[str, Any]) -> str:
    kinds = set(schema.get("type", ())) - {"null"}
    return kinds.pop() if len(kinds) == 1 else "array" if "items" in schema else "any"


def valid(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema as they are."""
    kind = kind_of(schema)
    made: st.SearchStrategy[Any]
    if kind == "object":
        declared = schema.get("properties", {})
        made = st.fixed_dictionaries({}, optional={name: valid(inner) for name, inner in declared.items()})
        if "additionalProperties" in schema:
            made = st.dictionaries(names, valid(schema["additionalProperties"]), max_size=3)
    elif kind == "array":
        made = st.lists(valid(schema["items"]), max_size=3)
    else:
        made = {
            "any": json_values,
            "string": timestamps if "format" in schema else texts,
            "integer": st.integers(-(2**63) + 1, 2**63 - 1),
            "boolean": st.booleans(),
        }[kind]
    return st.none() | made if "null" in schema.get("type", ()) else made


def as_php_sends(value: Any, schema: dict[str, Any], data: st.DataObject) -> Any:  # noqa: ANN401 - JSON
    """The value as PHP may send it; now and then as it is."""
    kind = kind_of(schema)
    if value is None or kind == "any" or "format" in schema:
        return value
    if kind == "object":
        inner_schemas = {**dict.fromkeys(value, schema.get("additionalProperties", {})), **schema.get("properties", {})}
        sent = {name: as_php_sends(inner, inner_schemas[name], data) for name, inner in value.items()}
        counted = list(sent) == [str(index) for index in range(len(sent))]
        return list(sent.values()) if counted and data.draw(st.booleans()) else sent
    if kind == "array":
        listed = [as_php_sends(inner, schema["items"], data) for inner in value]
        if data.draw(st.booleans()):
            return listed
        numbers = sorted(data.draw(st.sets(st.integers(0, 99), min_size=len(listed), max_size=len(listed))))
        return {str(number): inner for number, inner in zip(numbers, listed, strict=True)}
    return data.draw(st.sampled_from(scalar_ways(value)))


def scalar_ways(value: object) -> list[object]:
    if type(value) is bool:
        return [value, int(value), str(int(value))]
    if type(value) is int:
        return [value, str(value)]
    digits = type(value) is str and value.isascii() and value.isdigit() and str(int(value)) == value
    return [value, int(str(value))] if digits else [value]


def same(one: object, other: object) -> bool:
    """Whether two values are the same JSON; Python takes 1 for true."""
    return encode_text(one) == encode_text(other)


@pytest.mark.parametrize("stream", SHAPES)
@given(data=st.data())
@LAWS
def test_whatever_php_made_of_it_comes_out_as_it_was_meant(stream: str, data: st.DataObject) -> None:
    shape, schema, parents = SHAPES[stream]
    own = {
        **schema,
        "type": ["object"],
        "properties": {n: s for n, s in schema["properties"].items() if n not in parents},
    }
    meant = data.draw(valid(own)) | {"code": data.draw(names)}
    sent = {name: as_php_sends(value, own["properties"][name], data) for name, value in meant.items()}
    if "linked_asset_family_code" in sent:
        sent["asset_family_code"] = sent.pop("linked_asset_family_code")
    if meant.get("default_value") is not None:
        default = data.draw(default_values)
        array = {"type": ["array"], "items": {}}
        sent["default_value"] = as_php_sends(default, array if isinstance(default, list) else {}, data)
        meant["default_value"] = encode_text(default)
    before = deepcopy(sent)

    record, remarks = shape.record(sent, parents)

    assert record == parents | meant
    assert same(dict(sorted(record.items())), dict(sorted((parents | meant).items())))
    assert remarks == []
    assert same(sent, before)
    VALIDATORS[stream].validate(record)


@given(st.data())
@LAWS
def test_reshaping_twice_is_reshaping_once(data: st.DataObject) -> None:
    reshape = reshaper(schemas.VALUES, "values")
    meant = data.draw(valid(schemas.VALUES))
    once = reshape(as_php_sends(meant, schemas.VALUES, data))

    assert same(once, meant)
    assert same(reshape(once), once)


@pytest.mark.parametrize("stream", SHAPES)
@given(data=st.data())
@LAWS
def test_a_record_is_valid_or_refused(stream: str, data: st.DataObject) -> None:
    shape, schema, parents = SHAPES[stream]
    fields = st.sampled_from([*schema["properties"], "_links", "new"])
    item = data.draw(st.dictionaries(fields, json_values | values_of_assets, max_size=6))

    try:
        record, _remarks = shape.record(item, parents)
    except UnexpectedShape:
        return
    VALIDATORS[stream].validate(record)
    assert all(record[key] for key in schema["required"])
    assert not record.keys() - schema["properties"].keys()


values_of_assets = st.dictionaries(
    names,
    st.lists(
        st.dictionaries(st.sampled_from(["locale", "channel", "attribute_type", "data"]), json_values), max_size=2
    ),
    max_size=2,
)


@given(values_of_assets)
@LAWS
def test_the_quick_look_at_values_differs_in_nothing(values: dict[str, Any]) -> None:
    quick = outcome(lambda: ASSETS.record({"code": "a", "values": values}, FAMILY)[0]["values"])

    assert quick == outcome(lambda: reshaper(schemas.VALUES, "values")(values))


def outcome(reshape: Callable[[], object]) -> str:
    try:
        return encode_text(reshape())
    except UnexpectedShape as error:
        return str(error)


def test_only_the_frame_of_a_value_is_touched() -> None:
    entry = {"locale": 1, "data": {"0": []}, "_links": [], "new": {}, "linked_data": [{"labels": []}]}

    record, _ = ASSETS.record({"code": 12, "values": [{"7": entry}, []]}, FAMILY)

    assert record["code"] == "12"
    assert record["values"] == {
        "0": [{"locale": "1", "data": {"0": []}, "_links": [], "new": {}, "linked_data": {"0": {"labels": []}}}],
        "1": [],
    }


def test_a_selections_value_is_an_array_when_php_sent_one_with_holes() -> None:
    rules = [
        {"product_selections": {"1": {"value": {"0": "a", "2": "b"}}, "3": {"value": "c"}}, "assign_assets_to": {}}
    ]

    record, _ = SHAPES["asset_families"][0].record({"code": "a", "product_link_rules": rules}, {})

    assert record["product_link_rules"] == [
        {"product_selections": [{"value": ["a", "b"]}, {"value": "c"}], "assign_assets_to": []}
    ]


def test_fields_are_renamed_left_out_and_told_of() -> None:
    item = {
        "code": "see_also",
        "asset_family_code": "videos",
        "linked_asset_family_code": "not the API's",
        "default_value": ["a", Decimal("1.50")],
        "new\n": 1,
        "_links": {"self": {}},
    }

    record, remarks = ATTRIBUTES.record(item, FAMILY)

    assert record == {
        "asset_family_code": "packshots",
        "code": "see_also",
        "linked_asset_family_code": "videos",
        "default_value": '["a",1.50]',
    }
    assert remarks == [
        "field 'linked_asset_family_code' is left out: this version does not know it",
        "field 'new\\n' is left out: this version does not know it",
    ]


def test_the_parents_code_wins() -> None:
    record, remarks = ASSETS.record({"asset_family_code": "other", "code": "a"}, FAMILY)

    assert (record, remarks) == ({"asset_family_code": "packshots", "code": "a"}, [])


def test_what_is_no_date_is_null_and_told_of() -> None:
    item = {"code": "a", "created": "0000-00-00", "updated": "2024-01-31T10:00:00+0000"}

    record, remarks = ASSETS.record(item, FAMILY)

    assert (record["created"], record["updated"]) == (None, "2024-01-31T10:00:00+00:00")
    assert remarks == ["field 'created' is null where it holds no real date"]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (None, "`item` holds nothing where an object is due."),
        ([{"code": "a"}], "`item` holds an array where an object is due."),
        ({}, "`code` holds nothing where a code is due."),
        ({"code": None}, "`code` holds nothing where a text is due."),
        ({"code": ""}, "`code` holds a text where a code is due."),
        ({"code": True}, "`code` holds a boolean where a text is due."),
        ({"code": "a", "labels": "a"}, "`labels` holds a text where an object is due."),
        ({"code": "a", "labels": {"en_US": ["a"]}}, "`labels.*` holds an array where a text is due."),
        ({"code": "a", "max_characters": "12a"}, "`max_characters` holds a text where an integer is due."),
        ({"code": "a", "max_characters": "9" * 19}, "`max_characters` holds a text where an integer is due."),
        ({"code": "a", "max_characters": Decimal("1.5")}, "`max_characters` holds a number where an integer is due."),
        ({"code": "a", "is_textarea": 2}, "`is_textarea` holds a number where a boolean is due."),
        ({"code": "a", "is_textarea": "yes"}, "`is_textarea` holds a text where a boolean is due."),
        (
            {"code": "a", "allowed_extensions": {"a": "b"}},
            "`allowed_extensions` holds an object where an array is due.",
        ),
        ({"code": "a", "allowed_extensions": [None]}, "`allowed_extensions[]` holds nothing where a text is due."),
    ],
)
def test_what_does_not_fit_is_refused(item: object, message: str) -> None:
    with pytest.raises(UnexpectedShape) as raised:
        ATTRIBUTES.record(item, FAMILY)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "values", ["a", ["a"], {"a": "b"}, {"a": ["b"]}, {"a": {"b": {}}}, {"a": [{"linked_data": "b"}]}]
)
def test_values_that_do_not_fit_are_refused(values: object) -> None:
    with pytest.raises(UnexpectedShape, match=r"^`values"):
        ASSETS.record({"code": "a", "values": values}, FAMILY)


@pytest.mark.parametrize(
    ("schema", "sent", "meant"),
    [
        ("string", 12, "12"),
        ("string", Decimal("1.50"), "1.50"),
        ("integer", "-12", -12),
        ("integer", Decimal("1E+2"), 100),
        ("boolean", "1", True),
        ("boolean", 0, False),
        ("number", "1.50", Decimal("1.50")),
        ("number", 3, 3),
    ],
)
def test_scalars_are_converted_where_nothing_is_lost(schema: str, sent: object, meant: object) -> None:
    assert same(reshaper({"type": [schema]}, "field")(sent), meant)


@pytest.mark.parametrize(
    "answer",
    [
        [{"code": "a"}, {"code": "b"}],
        {"0": {"code": "a"}, "7": {"code": "b"}},
        {"_embedded": {"items": [{"code": "a"}, {"code": "b"}]}},
        {"_embedded": {"_items": {"1": {"code": "a"}, "2": {"code": "b"}}}, "_links": []},
    ],
)
def test_items_of_a_list(answer: object) -> None:
    assert items(answer) == [{"code": "a"}, {"code": "b"}]


@pytest.mark.parametrize("answer", [[], {}, {"_embedded": {"items": []}}, {"_embedded": {"_items": {}}}])
def test_an_empty_list(answer: object) -> None:
    assert items(answer) == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "[]",
        1,
        {"code": 401, "message": "The access token provided has expired."},
        {"_links": {}},
        {"_embedded": []},
        {"_embedded": {}},
        {"_embedded": {"items": None}},
        {"_embedded": {"items": {"a": {"code": "a"}}}},
        {"items": [{"code": "a"}]},
    ],
)
def test_what_is_no_list_is_refused(answer: object) -> None:
    with pytest.raises(UnexpectedShape):
        items(answer)


@pytest.mark.parametrize(
    ("answer", "link"),
    [
        ([], None),
        ({"_embedded": {"items": []}}, None),
        ({"_links": None}, None),
        ({"_links": []}, None),
        ({"_links": {"self": {"href": "a"}}}, None),
        ({"_links": {"next": None}}, None),
        ({"_links": {"next": {"href": "?search_after=b"}}}, "?search_after=b"),
    ],
)
def test_next_link(answer: object, link: str | None) -> None:
    assert next_link(answer) == link


@pytest.mark.parametrize(
    "links",
    ["", "a", ["a"], {"next": "a"}, {"next": []}, {"next": {}}, {"next": {"href": ""}}, {"next": {"href": None}}],
)
def test_a_next_that_leads_nowhere_does_not_end_the_list(links: object) -> None:
    with pytest.raises(UnexpectedShape):
        next_link({"_links": links})


@pytest.mark.parametrize("code", ["7", 7])
def test_an_answer_to_a_question_for_one(code: object) -> None:
    assert item({"code": code, "labels": {}}, "7") == {"code": code, "labels": {}}


@pytest.mark.parametrize("answer", [{"code": 404, "message": "Not here."}, {"labels": {}}, [{"code": "7"}], None])
def test_another_item_than_asked_for_is_refused(answer: object) -> None:
    with pytest.raises(UnexpectedShape):
        item(answer, "7")
