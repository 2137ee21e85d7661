from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tap_akeneo_assets import schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {
    "ASSET_FAMILIES": ["code"],
    "ASSET_ATTRIBUTES": ["asset_family_code", "code"],
    "ATTRIBUTE_OPTIONS": ["asset_family_code", "attribute_code", "code"],
    "ASSETS": ["asset_family_code", "code"],
    "ASSET_VALUES": ["asset_family_code", "asset_code", "value_key"],
    "ASSET_MEDIA_FILES": ["asset_family_code", "asset_code", "value_key"],
}
ALL = pytest.mark.parametrize(("schema", "keys"), [(getattr(schemas, name), keys) for name, keys in KEYS.items()])


def properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from properties(inner, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if part in schema:
            yield from properties(schema[part], f"{path}[]")


@ALL
def test_is_a_json_schema(schema: dict[str, Any], keys: list[str]) -> None:
    Draft202012Validator.check_schema(schema)
    assert "additionalProperties" not in schema
    assert schema["required"] == keys


@ALL
def test_every_property_is_described(schema: dict[str, Any], keys: list[str]) -> None:
    assert keys
    assert [path for path, inner in properties(schema) if not inner.get("description", "").endswith(".")] == []


@ALL
def test_keys_are_texts_and_all_else_may_be_null(schema: dict[str, Any], keys: list[str]) -> None:
    assert all(schema["properties"][key]["type"] == ["string"] for key in keys)
    assert [
        path for path, inner in properties(schema) if path.removeprefix(".") not in keys and "null" not in inner["type"]
    ] == []


@ALL
def test_columns_have_one_type(schema: dict[str, Any], keys: list[str]) -> None:
    assert keys
    assert all(len(set(inner["type"]) - {"null"}) == 1 for inner in schema["properties"].values())
    assert not {"oneOf", "anyOf", "allOf"} & {word for _, inner in properties(schema) for word in inner}


@pytest.mark.parametrize(
    "dynamic",
    [
        schemas.ASSET_FAMILIES["properties"]["labels"],
        schemas.ASSET_ATTRIBUTES["properties"]["labels"],
        schemas.ATTRIBUTE_OPTIONS["properties"]["labels"],
        schemas.VALUES,
        schemas.VALUES["additionalProperties"]["items"]["properties"]["linked_data"],
    ],
)
def test_maps_admit_any_name_and_null(dynamic: dict[str, Any]) -> None:
    assert set(dynamic["type"]) == {"object", "null"}
    assert "null" in dynamic["additionalProperties"]["type"]


def test_value_columns_stand_in_the_order_of_the_design() -> None:
    assert list(schemas.ASSET_VALUES["properties"]) == [
        "asset_family_code",
        "asset_code",
        "value_key",
        "attribute_code",
        "attribute_type",
        "locale",
        "channel",
        "text_value",
        "number_value",
        "boolean_value",
        "date_value",
        "option_codes",
        "media_file_code",
        "media_url",
        "record_code",
        "linked_asset_codes",
        "raw_value",
        "asset_updated",
    ]
