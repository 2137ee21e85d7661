"""Rows of `asset_media_files`, one per value that is a media file. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_akeneo_assets.records.shapes import as_integer, as_text
from tap_akeneo_assets.records.values import AttributesNeeded, value_key
from tap_akeneo_assets.schemas import ASSET_MEDIA_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_akeneo_assets.records.assets import Asset, Value
    from tap_akeneo_assets.records.values import AttributeInfo

Row: TypeAlias = dict[str, Any]

_EMPTY_ROW: Row = dict.fromkeys(ASSET_MEDIA_FILES["properties"])
# `0/0/9/d/009d…_name.png`: the folders repeat how the hash begins.
_NAME_BEHIND_HASH = re.compile(
    r"(?:.*/)?(?:([0-9a-f])/([0-9a-f])/([0-9a-f])/([0-9a-f])/\1\2\3\4[0-9a-f]*|[0-9a-f]{40})_(.+)", re.DOTALL
)


def media_rows(asset: Asset, family: str, attributes: Mapping[str, AttributeInfo] | None) -> Iterator[Row]:
    """Make the rows of an asset.

    Args:
        asset: the asset.
        family: its family's code.
        attributes: the family's, by code; None where they have not been read yet. SaaS tells the type with each value.

    Yields:
        A row per value of type `media_file` that names a file; what is known of stored files is null in it.

    Raises:
        AttributesNeeded: the attributes are None, and a value does not tell its type.
    """
    for attribute, values in asset.values.items():
        info = attributes.get(attribute) if attributes else None
        for value in values:
            if attributes is None and not value.attribute_type:
                raise AttributesNeeded
            kind = value.attribute_type or (info.type if info else None)
            code = as_text(value.data) if kind == "media_file" else None
            if code:
                yield _row(asset, family, attribute, value, code)


def _row(asset: Asset, family: str, attribute: str, value: Value, code: str) -> Row:
    linked = value.linked_data
    name = _text_in(linked, "original_filename") or name_in_code(code)
    size = as_integer(linked.get("size")) if isinstance(linked, dict) else None
    return {
        **_EMPTY_ROW,
        "asset_family_code": family,
        "asset_code": asset.code,
        "value_key": value_key(attribute, value.locale, value.channel),
        "attribute_code": attribute,
        "locale": value.locale,
        "channel": value.channel,
        "media_file_code": code,
        "original_filename": name,
        "mime_type": _text_in(linked, "mime_type"),
        "extension": _text_in(linked, "extension") or _extension(name),
        "size": size if size is not None and size >= 0 else None,
        "asset_updated": asset.updated,
        "share_url": _text_in(_in(value.links, "share_link"), "href"),
    }


def name_in_code(code: str) -> str:
    """The name that a file had when it was uploaded, as its code keeps it: what stands behind the hash."""
    found = _NAME_BEHIND_HASH.fullmatch(code)
    return found[5] if found else code.rpartition("/")[2] or code


def _extension(name: str) -> str | None:
    stem, _, extension = name.rpartition(".")
    return extension if stem and extension else None


def _in(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _text_in(value: object, name: str) -> str | None:
    text = _in(value, name)
    return text if isinstance(text, str) and text else None
