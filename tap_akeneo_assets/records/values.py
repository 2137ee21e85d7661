"""An asset's `values` as typed rows, one row per value. Pure.

The vendor's guide to synchronising assets ends so: look up the type of each value's attribute, and parse the data
according to it. What does not parse keeps its raw value, and so does a type that does not exist yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from itertools import chain, starmap
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from tap_akeneo_assets.records.assets import Asset, PlainAsset, RowMiddles, Value, check_values
from tap_akeneo_assets.records.json_body import MAX_DIGITS
from tap_akeneo_assets.records.shapes import as_codes, as_number, as_text
from tap_akeneo_assets.records.timestamps import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping, Sequence


# What Postgres' `numeric` holds: so many digits before the point, so many after it.
_DIGITS_BEFORE, _DIGITS_AFTER = 131_072, 16_383
_LONGEST_NUMBER = _DIGITS_BEFORE + _DIGITS_AFTER + len("-.e-123456")
# A number with fewer on either side needs no closer look.
_SURE_DIGITS = 4_000
_SHORT_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
# SaaS makes these of a bare id, when the attribute has no prefix.
_MEDIA_SITES = {"youtube": "https://youtube.com/watch?v=", "vimeo": "https://vimeo.com/"}


# A record of `asset_values`, as its JSON text: there are so many that no object is made of each.
ValueRow: TypeAlias = bytes
# A value's type fills one of these, and that of media `media_url` besides.
_TYPED_COLUMNS = (
    "text_value",
    "number_value",
    "boolean_value",
    "date_value",
    "option_codes",
    "media_file_code",
    "media_url",
    "record_code",
    "linked_asset_codes",
)
_NO_URL = b'"media_url":null'
# What is kept of a family's values: some 0.5 MB. All of it is forgotten when it is full.
_MOST_KEPT, _LONGEST_TEXT_KEPT, _MOST_ROWS_KEPT = 512, 256, 4

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode_texts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_values = msgspec.json.Decoder(list[Value]).decode


class AttributesNeeded(Exception):
    """The values of an asset cannot be typed without its family's attributes."""


class AttributeInfo(NamedTuple):
    """What an attribute tells about its values."""

    type: str | None
    prefix: str | None = None
    suffix: str | None = None
    media_type: str | None = None


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
    return any(
        _needs_attribute(value)
        for attribute, values in asset.values.items()
        if attribute not in known
        for value in values
    )


def _needs_attribute(value: Value) -> bool:
    kind = value.attribute_type
    return not kind or (kind == "media_link" and not _tells_full_url(value.linked_data or {}))


def _tells_full_url(linked: Mapping[str, Any]) -> bool:
    """Whether `linked_data` is enough: without a prefix, the attribute's `media_type` decides."""
    return bool(_text_in(linked, "full_url") or (_text_in(linked, "prefix") and "suffix" in linked))


class _Frame(NamedTuple):
    """What the rows of one key have in common.

    Attributes:
        before: their text from `value_key` up to the value of the typed column.
        after: their text from there up to the value of `raw_value`.
        parse: types a value's data for this column; None for a type that has none.
        url: gives the value of `media_url`; None for a type that has none.
    """

    before: bytes
    after: bytes
    parse: _Parse | None
    url: _Url | None


# A family has some hundred keys, and each of its assets has the same.
@lru_cache(maxsize=4096)
def _frame(attribute: str, kind: str | None, locale: str | None, channel: str | None) -> _Frame:
    column, parse = _TYPES.get(kind or "", (_TYPED_COLUMNS[0], None))
    key = value_key(attribute, locale, channel)
    place = {
        "value_key": key,
        "attribute_code": attribute,
        "attribute_type": kind,
        "locale": locale,
        "channel": channel,
    }
    fields = _encode({**place, **dict.fromkeys(_TYPED_COLUMNS), "raw_value": None})[1:-1]
    name = _encode(column) + b":"
    before, after = fields.removesuffix(b"null").rsplit(name + b"null", 1)
    return _Frame(b"," + before + name, after, parse, _URLS.get(kind or ""))


class ValueRows:
    """Makes rows of `asset_values` of a family's assets, one for each value.

    Args:
        family: its code.
        attributes: its attributes, by code; None where they have not been read yet.

    Attributes:
        attributes: as given.
        unparsed: the attribute and type of each value that its type did not admit.
    """

    def __init__(self, family: str, attributes: Mapping[str, AttributeInfo] | None = None) -> None:
        self.attributes = attributes
        self.unparsed: set[tuple[str, str]] = set()
        self._family = family
        self._middles = _Middles(attributes, self.unparsed)
        self._attributes_needed = False

    def of(self, asset: Asset) -> list[ValueRow]:
        """The rows of an asset, each the text of a JSON object with all columns.

        Raises:
            AttributesNeeded: the attributes are None, and have to be read first.
        """
        middles: Iterable[Sequence[bytes]]
        if asset.row_middles is not None and self.attributes is None:
            middles = asset.row_middles
        elif isinstance(asset.record, PlainAsset):
            middles = self._middles.of(asset.record.values)
        else:
            middles = starmap(self._middles.make, asset.values.items())
        start = _encode({"asset_family_code": self._family, "asset_code": asset.code})[:-1]
        end = b"," + _encode({"asset_updated": asset.updated})[1:]
        return [b"".join((start, middle, end)) for middle in chain.from_iterable(middles)]

    def read(self, text: msgspec.Raw) -> RowMiddles | None:
        """Read an asset's values for `of` ahead, on any thread, while its page is decoded.

        Args:
            text: of the JSON object.

        Returns:
            What is made of them; None where that takes the attributes, and they are None.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError: they hold something odd.
        """
        if not self._attributes_needed:
            try:
                return self._middles.of(text)
            except AttributesNeeded:
                self._attributes_needed = True
        check_values(text)
        return None


class _Middles(dict[tuple[str, bytes], list[bytes]]):
    """By an attribute's code and the text of an asset's values of it, their rows from `value_key` to `raw_value`.

    Most values are one of a few, such as options: they need not be read and written again and again. It does not know
    its `ValueRows`, so that both are freed without the garbage collector, which rarely runs. Several threads share it:
    what is kept for a key depends on the key alone, so it does not matter which of them was first.
    """

    def __init__(self, attributes: Mapping[str, AttributeInfo] | None, unparsed: set[tuple[str, str]]) -> None:
        super().__init__()
        self._attributes = attributes
        self._unparsed = unparsed

    def of(self, text: msgspec.Raw) -> list[list[bytes]]:
        """Those of an asset's values.

        Raises:
            AttributesNeeded: as `make` does.
            msgspec.DecodeError, UnicodeDecodeError: they hold something odd.
        """
        texts = _decode_texts(text)  # of a name that comes twice, the last one counts
        if "" in texts:
            raise msgspec.ValidationError
        return list(map(self.__getitem__, zip(texts, map(bytes, texts.values()), strict=True)))

    def __missing__(self, key: tuple[str, bytes]) -> list[bytes]:
        attribute, text = key
        middles = self.make(attribute, _decode_values(text))
        if len(text) <= _LONGEST_TEXT_KEPT and len(middles) <= _MOST_ROWS_KEPT:
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[key] = middles
        return middles

    def make(self, attribute: str, values: Sequence[Value]) -> list[bytes]:
        """Make them of values that have been decoded.

        Raises:
            AttributesNeeded: the attributes are None, and have to be read first.
        """
        info = self._attributes.get(attribute) if self._attributes else None
        middles = []
        for value in values:
            if self._attributes is None and _needs_attribute(value):
                raise AttributesNeeded
            kind, data = value.attribute_type or (info.type if info else None), value.data
            before, after, parse, url = _frame(attribute, kind, value.locale, value.channel)
            text, typed = _encode(data), None
            if parse is not None and data is not None:
                typed = parse(data)
                if typed is None:
                    self._unparsed.add((attribute, str(kind)))
                elif url is not None:
                    after = after.replace(_NO_URL, b'"media_url":' + _encode(url(str(typed), value, info)))
            typed_text = text if typed is data else _encode(typed)
            if type(data) is str and b"\\" not in text:
                middles.append(b"".join((before, typed_text, after, b'"\\', text[:-1], b'\\""')))
            else:
                middles.append(b"".join((before, typed_text, after, _encode(text.decode()))))
        return middles


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


def _number(data: object) -> int | Decimal | None:
    if type(data) is str and _SHORT_INTEGER.fullmatch(data):
        return int(data)
    number = as_number(data) if type(data) is not str or len(data) <= _LONGEST_NUMBER else None
    if type(number) is Decimal and (abs(number.adjusted()) > _SURE_DIGITS or len(str(data)) > _SURE_DIGITS):
        return _bearable(number)
    return number


def _bearable(number: Decimal) -> Decimal | None:
    """A number that Postgres holds, in a form that Python reads; None where there is no such number."""
    exponent = int(number.as_tuple().exponent)
    if number.adjusted() >= _DIGITS_BEFORE or -exponent > _DIGITS_AFTER:
        return None
    # Written without a point it would be an integer, and Python reads none so long.
    return Decimal(f"{number}.0") if exponent == 0 and number.adjusted() >= MAX_DIGITS else number


def _boolean(data: object) -> bool | None:
    return data if type(data) is bool else None


def _date(data: object) -> str | None:
    return to_timestamp(data, with_offset=True) if type(data) is str else None


def _share_url(_code: str, value: Value, _info: AttributeInfo | None) -> str | None:
    return _text_in(_object_in(value.links, "share_link"), "href")


def _link_url(text: str, value: Value, info: AttributeInfo | None) -> str | None:
    linked = value.linked_data or {}
    return _text_in(linked, "full_url") or _full_url(text, linked, info)


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


_Parse: TypeAlias = Callable[[Any], object]
_Url: TypeAlias = Callable[[str, Value, AttributeInfo | None], str | None]
# By a value's type, the column that it fills, and what types its data: to None where the type does not admit them.
_TYPES: Mapping[str, tuple[str, _Parse]] = {
    "text": ("text_value", as_text),
    "number": ("number_value", _number),
    "boolean": ("boolean_value", _boolean),
    "date": ("date_value", _date),
    "single_option": ("option_codes", as_codes),
    "multiple_options": ("option_codes", as_codes),
    "auto_tagging": ("option_codes", as_codes),
    "media_file": ("media_file_code", as_text),
    "media_link": ("text_value", as_text),
    "record": ("record_code", as_text),
    "asset_family_single_link": ("linked_asset_codes", as_codes),
    "asset_family_multiple_links": ("linked_asset_codes", as_codes),
}
_URLS: Mapping[str, _Url] = {"media_file": _share_url, "media_link": _link_url}
