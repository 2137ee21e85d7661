"""An asset's `values` as typed rows, one row per value. Pure.

The vendor's guide to synchronising assets ends so: look up the type of each value's attribute, and parse the data
according to it. What does not parse keeps its raw value, and so does a type that does not exist yet.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from tap_akeneo_assets.records.assets import Asset, Value
from tap_akeneo_assets.records.json_body import MAX_DIGITS, encode_text
from tap_akeneo_assets.records.shapes import as_codes, as_number, as_text
from tap_akeneo_assets.records.timestamps import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping, Sequence


# What Postgres' `numeric` holds: so many digits before the point, so many after it.
_DIGITS_BEFORE, _DIGITS_AFTER = 131_072, 16_383
_LONGEST_NUMBER = _DIGITS_BEFORE + _DIGITS_AFTER + len("-.e-123456")
# A number with fewer on either side needs no closer look.
_SURE_DIGITS = 4_000
# SaaS makes these of a bare id, when the attribute has no prefix.
_MEDIA_SITES = {"youtube": "https://youtube.com/watch?v=", "vimeo": "https://vimeo.com/"}


class ValueRow(msgspec.Struct, gc=False):
    """A record of `asset_values`."""

    asset_family_code: str
    asset_code: str
    value_key: str
    attribute_code: str
    attribute_type: str | None
    locale: str | None
    channel: str | None
    text_value: str | None = None
    number_value: int | Decimal | None = None
    boolean_value: bool | None = None
    date_value: str | None = None
    option_codes: list[str] | None = None
    media_file_code: str | None = None
    media_url: str | None = None
    record_code: str | None = None
    linked_asset_codes: list[str] | None = None
    raw_value: str | None = None
    asset_updated: str | None = None


class AttributeInfo(NamedTuple):
    """What an attribute tells about its values."""

    type: str | None
    prefix: str | None = None
    suffix: str | None = None
    media_type: str | None = None


_Parse: TypeAlias = Callable[[ValueRow, Any, Value, AttributeInfo | None], bool]


def attribute_info(attribute: Mapping[str, Any]) -> AttributeInfo:
    """What a record of `asset_attributes` tells about the attribute's values."""
    return AttributeInfo(
        attribute.get("type"), attribute.get("prefix"), attribute.get("suffix"), attribute.get("media_type")
    )


def needs_attributes(asset: Asset, known: Container[str] = ()) -> bool:
    """Whether an asset's values cannot be typed without the family's attributes, or without more than some of them.

    SaaS sends `attribute_type` with each value, and the full URL of a media link in its `linked_data`; others do not.

    Args:
        asset: the asset.
        known: the codes of attributes that are known already.
    """
    unknown = [values for attribute, values in asset.values.items() if attribute not in known]
    kinds = {value.attribute_type for values in unknown for value in values}
    if None in kinds or "" in kinds:
        return True
    return "media_link" in kinds and any(
        value.attribute_type == "media_link" and not _tells_full_url(value.linked_data or {})
        for values in unknown
        for value in values
    )


def _tells_full_url(linked: Mapping[str, Any]) -> bool:
    """Whether `linked_data` is enough: without a prefix, the attribute's `media_type` decides."""
    return bool(_text_in(linked, "full_url") or (_text_in(linked, "prefix") and "suffix" in linked))


def value_rows(
    asset: Asset, family: str, attributes: Mapping[str, AttributeInfo] | None, unparsed: set[tuple[str, str]]
) -> Iterator[ValueRow]:
    """Make rows of `asset_values`, one for each value of an asset.

    Args:
        asset: the asset.
        family: its family's code.
        attributes: the family's, by code; None where they are not known.
        unparsed: gets the attribute and type of each value that its type does not admit.
    """
    code, updated, known = asset.code, asset.updated, attributes or {}
    for attribute, values in asset.values.items():
        info = known.get(attribute)
        for value in values:
            locale, channel, data = value.locale, value.channel, value.data
            kind = value.attribute_type or (info.type if info else None)
            row = ValueRow(
                family,
                code,
                value_key(attribute, locale, channel),
                attribute,
                kind,
                locale,
                channel,
                raw_value=encode_text(data),
                asset_updated=updated,
            )
            if data is not None and kind is not None:
                parse = _PARSERS.get(kind)
                if parse is not None and not parse(row, data, value, info):
                    unparsed.add((attribute, kind))
            yield row


# A family has some hundred keys, and each of its assets has the same.
@lru_cache(maxsize=4096)
def value_key(attribute: str, locale: str | None, channel: str | None) -> str:
    """`attribute[-locale][-channel]`, as Akeneo's flat files name a column."""
    key = f"{attribute}-{locale}" if locale else attribute
    return f"{key}-{channel}" if channel else key


class UnseenFilters:
    """The channel and locales wanted of which no value has been seen yet; false when none is left.

    Args:
        channel: code of the only channel wanted; None for all.
        locales: codes of the only locales wanted; empty for all.
    """

    def __init__(self, channel: str | None, locales: Sequence[str]) -> None:
        self._names = {"channel": [channel] if channel else [], "locales": list(locales)}
        self._has_values = False

    def __bool__(self) -> bool:
        return any(self._names.values())

    def see(self, assets: Sequence[Asset]) -> None:
        """Take note of some assets."""
        values = [value for asset in assets for its_values in asset.values.values() for value in its_values]
        self._has_values = self._has_values or bool(values)
        for setting, codes in (
            ("channel", {value.channel or "" for value in values}),
            ("locales", {value.locale or "" for value in values}),
        ):
            if self._names[setting]:
                seen = {code.casefold() for code in codes}
                self._names[setting] = [name for name in self._names[setting] if name.casefold() not in seen]

    def found(self) -> dict[str, list[str]]:
        """By setting, the names of which no value was seen, although values were."""
        return {setting: names for setting, names in self._names.items() if names and self._has_values}


def thin_out(
    values: Mapping[str, Sequence[Mapping[str, Any]] | None], channel: str | None, locales: Collection[str]
) -> dict[str, Any]:
    """The values that a list of assets would give for a channel and some locales; those without one always stay.

    Args:
        values: of one asset, by attribute.
        channel: the only one wanted; None for all.
        locales: the only ones wanted; empty for all.
    """

    def is_wanted(value: Mapping[str, Any]) -> bool:
        return (not channel or value.get("channel") in (None, channel)) and (
            not locales or value.get("locale") is None or value["locale"] in locales
        )

    thinned = {attribute: list(filter(is_wanted, entries or ())) for attribute, entries in values.items()}
    return {attribute: entries for attribute, entries in thinned.items() if entries}


def _text(row: ValueRow, data: object, _value: Value, _info: AttributeInfo | None) -> bool:
    row.text_value = text = as_text(data)
    return text is not None


def _number(row: ValueRow, data: object, _value: Value, _info: AttributeInfo | None) -> bool:
    number = as_number(data) if type(data) is not str or len(data) <= _LONGEST_NUMBER else None
    if type(number) is Decimal and (abs(number.adjusted()) > _SURE_DIGITS or len(str(data)) > _SURE_DIGITS):
        number = _bearable(number)
    row.number_value = number
    return number is not None


def _bearable(number: Decimal) -> Decimal | None:
    """A number that Postgres holds, in a form that Python reads; None where there is no such number."""
    exponent = int(number.as_tuple().exponent)
    if number.adjusted() >= _DIGITS_BEFORE or -exponent > _DIGITS_AFTER:
        return None
    # Written without a point it would be an integer, and Python reads none so long.
    return Decimal(f"{number}.0") if exponent == 0 and number.adjusted() >= MAX_DIGITS else number


def _boolean(row: ValueRow, data: object, _value: Value, _info: AttributeInfo | None) -> bool:
    if type(data) is not bool:
        return False
    row.boolean_value = data
    return True


def _date(row: ValueRow, data: object, _value: Value, _info: AttributeInfo | None) -> bool:
    row.date_value = date = to_timestamp(data, with_offset=True) if type(data) is str else None
    return date is not None


def _options(row: ValueRow, data: object, _value: Value, _info: AttributeInfo | None) -> bool:
    row.option_codes = codes = as_codes(data)
    return codes is not None


def _record(row: ValueRow, data: object, _value: Value, _info: AttributeInfo | None) -> bool:
    row.record_code = code = as_text(data)
    return code is not None


def _links(row: ValueRow, data: object, _value: Value, _info: AttributeInfo | None) -> bool:
    row.linked_asset_codes = codes = as_codes(data)
    return codes is not None


def _media_file(row: ValueRow, data: object, value: Value, _info: AttributeInfo | None) -> bool:
    row.media_file_code = code = as_text(data)
    if code is None:
        return False
    row.media_url = _text_in(_object_in(value.links, "share_link"), "href")
    return True


def _media_link(row: ValueRow, data: object, value: Value, info: AttributeInfo | None) -> bool:
    row.text_value = text = as_text(data)
    if text is None:
        return False
    linked = value.linked_data or {}
    row.media_url = _text_in(linked, "full_url") or _full_url(text, linked, info)
    return True


def _full_url(text: str, linked: Mapping[str, Any], info: AttributeInfo | None) -> str | None:
    """What SaaS calls `full_url`, from prefix and suffix; None where neither the value nor the attribute has them."""
    if info is None and not linked.keys() & {"prefix", "suffix"}:
        return None
    prefix = _text_in(linked, "prefix") if "prefix" in linked or info is None else info.prefix
    suffix = _text_in(linked, "suffix") if "suffix" in linked or info is None else info.suffix
    if not prefix and info is not None:
        prefix = _MEDIA_SITES.get(info.media_type or "")
    return f"{prefix or ''}{text}{suffix or ''}"


def _object_in(value: object, name: str) -> object:
    return value.get(name) if type(value) is dict else None


def _text_in(value: object, name: str) -> str | None:
    text = _object_in(value, name)
    return text if type(text) is str and text else None


_PARSERS: dict[str, _Parse] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "single_option": _options,
    "multiple_options": _options,
    "auto_tagging": _options,
    "media_file": _media_file,
    "media_link": _media_link,
    "record": _record,
    "asset_family_single_link": _links,
    "asset_family_multiple_links": _links,
}
