"""Pages of assets, decoded. Pure.

Most pages hold nothing odd: exactly the fields that the API documents, in the shapes that it documents. Such a page is
decoded into structs that state this shape, and each asset's `values` go to the output as the very bytes that came; they
are decoded only to see whether they fit, or to make rows of them. What does not fit (unknown fields, shapes
that PHP changed, numbers that are no texts, characters that no target takes) is decoded without loss by `json_body` and
mended by `shapes`. Both ways give the same records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tap_akeneo_assets.errors import UnexpectedShape
from tap_akeneo_assets.records import json_body, pages
from tap_akeneo_assets.records.timestamps import to_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_Scalar: TypeAlias = str | int | bool | None
_Inner: TypeAlias = _Scalar | dict[str, _Scalar]
_Object: TypeAlias = dict[str, _Scalar | dict[str, _Inner]]
# Rows of values without their beginnings and ends, one list per attribute: see `ValueRows`.
RowMiddles: TypeAlias = "Sequence[Sequence[bytes]]"
# Rows take several times the bytes of their values, and several pages wait to be written.
MAX_BYTES_TO_READ_VALUES_OF = 512 * 1024
_Code: TypeAlias = Annotated[str, Meta(min_length=1)]
_LINE_FEED, _CARRIAGE_RETURN, _BACKSLASH = b"\n\r\\"


class Value(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename={"links": "_links"}):
    """One value of an asset.

    Attributes:
        locale: the locale that it holds for; None for all.
        channel: the channel that it holds for; None for all.
        data: the value itself, of any JSON type if it was mended.
        attribute_type: the attribute's type, where the PIM tells it (SaaS).
        linked_data: what the PIM knows about the data (SaaS).
        links: links to download and share a media file (SaaS).
    """

    locale: str | None = None
    channel: str | None = None
    data: str | list[str] | bool | None = None
    attribute_type: str | None = None
    linked_data: _Object | None = None
    links: _Object | None = None

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Value:
        """The value in a record of `assets`."""
        return cls(
            value.get("locale"),
            value.get("channel"),
            value.get("data"),
            value.get("attribute_type"),
            value.get("linked_data"),
            value.get("_links"),
        )


class PlainAsset(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False, rename={"links": "_links"}):
    """An asset that holds nothing odd; with its family's code and without links it is a record."""

    asset_family_code: str | UnsetType = UNSET
    code: _Code
    values: msgspec.Raw
    created: str | UnsetType | None = UNSET
    updated: str | UnsetType | None = UNSET
    status: str | UnsetType | None = UNSET
    start_date: str | UnsetType | None = UNSET
    end_date: str | UnsetType | None = UNSET
    links: msgspec.Raw | UnsetType = UNSET


class Asset:
    """An asset to write.

    Args:
        record: its record: a dict, or a plain asset.
        row_middles: what `ValueRows.read` made of its values while its page was decoded; None if it was not asked.

    Attributes:
        code: its code.
        updated: when it was last updated, in UTC; None on a PIM that does not tell.
        record: its record.
        row_middles: as given.
    """

    __slots__ = ("code", "record", "row_middles", "updated")

    def __init__(self, record: dict[str, Any] | PlainAsset, row_middles: RowMiddles | None = None) -> None:
        self.record = record
        self.row_middles = row_middles
        if isinstance(record, PlainAsset):
            self.code: str = record.code
            self.updated: str | None = None if record.updated is UNSET else record.updated
        else:
            self.code = record["code"]
            self.updated = record.get("updated")

    @property
    def values(self) -> Mapping[str, Sequence[Value]]:
        """Its values by attribute, made anew each time: a page's values take far more memory than their text."""
        if isinstance(self.record, PlainAsset):
            return _decode_values(self.record.values)
        values = self.record.get("values") or {}
        return {code: [Value.of(value) for value in its_values or ()] for code, its_values in values.items()}


class PlainPage(NamedTuple):
    """A page of assets that hold nothing odd.

    Attributes:
        links: the page's `_links`.
        assets: its assets, none twice.
        codes: their codes.
    """

    links: Mapping[str, Any]
    assets: Sequence[Asset]
    codes: Sequence[str]


class AssetPage(NamedTuple):
    """A page of assets, decoded either way.

    Attributes:
        codes: of its items, as far as they have one.
        next: the address of the page after this one; None if it is the last.
        assets: its assets, if they hold nothing odd.
        items: its items otherwise, of which records are still to be made.
    """

    codes: Sequence[str]
    next: str | None
    assets: Sequence[Asset] = ()
    items: Sequence[object] = ()

    @classmethod
    def of(cls, data: PlainPage | Any) -> AssetPage:  # noqa: ANN401  # JSON
        """The page in what `decode_page` gave.

        Raises:
            UnexpectedShape: it is no page.
        """
        if isinstance(data, PlainPage):
            return cls(data.codes, pages.next_link({"_links": data.links}), assets=data.assets)
        items = pages.page_items(data)
        codes = [str(item.get("code")) if isinstance(item, dict) else "" for item in items]
        return cls(codes, pages.next_link(data), items=items)


class _Embedded(msgspec.Struct, gc=False):
    items: list[PlainAsset]


class _Page(msgspec.Struct, gc=False, rename={"embedded": "_embedded", "links": "_links"}):
    embedded: _Embedded
    links: dict[str, dict[str, str]]


_decode_page = msgspec.json.Decoder(_Page).decode
_decode_values = msgspec.json.Decoder(dict[str, list[Value]]).decode


def check_values(text: msgspec.Raw) -> None:
    """See whether an asset's values hold nothing odd.

    Args:
        text: of the JSON object.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: they do.
    """
    if "" in _decode_values(text):
        raise msgspec.ValidationError


def decode_page(
    body: bytes, family: str, read_values: Callable[[msgspec.Raw], RowMiddles | None] = check_values
) -> tuple[PlainPage | Any, list[str]]:
    """Decode a page of assets.

    Args:
        body: as it came.
        family: the code of their family.
        read_values: reads an asset's values, unless the page is large; what it gives goes to the `Asset`. It raises
            what `check_values` raises.

    Returns:
        A `PlainPage`, or what `json_body.decode` gives.

    Raises:
        NotJson, UnusableJson: as `json_body.decode` raises them.
    """
    page = _plain_page(body, family, read_values if len(body) <= MAX_BYTES_TO_READ_VALUES_OF else check_values)
    return json_body.decode(body) if page is None else (page, [])


def _plain_page(body: bytes, family: str, read_values: Callable[[msgspec.Raw], RowMiddles | None]) -> PlainPage | None:
    # A line break would end the message; NUL is what no Postgres takes. Looking for one character is much quicker.
    if _LINE_FEED in body or _CARRIAGE_RETURN in body or (_BACKSLASH in body and b"\\u0000" in body):
        return None
    try:
        page = _decode_page(body)
        assets = [Asset(_completed(asset, family), read_values(asset.values)) for asset in page.embedded.items]
    except (msgspec.DecodeError, UnicodeDecodeError, UnexpectedShape, RecursionError):
        return None
    codes = [asset.code for asset in assets]
    return PlainPage(page.links, assets, codes) if len(set(codes)) == len(codes) else None


def _completed(asset: PlainAsset, family: str) -> PlainAsset:
    """Make a record of what a page holds: complete, and with its timestamps in UTC.

    Raises:
        UnexpectedShape: it holds something odd all the same.
    """
    asset.asset_family_code, asset.links = family, UNSET
    if isinstance(asset.created, str):
        asset.created = _utc(asset.created)
    if isinstance(asset.updated, str):
        asset.updated = _utc(asset.updated)
    return asset


def _utc(text: str) -> str:
    utc = to_utc(text)
    if utc is None:
        raise UnexpectedShape("updated", text, "a date")
    return utc
