"""What PHP made of objects, arrays and scalars, given back as the schema declares it.

The PIM is written in PHP, which knows one kind of array for both. So an empty object may arrive as `[]` and an empty
array as `{}`, an array with holes as an object with numbers for keys, and an object whose keys are `"0"`, `"1"`, … as
an array. Numbers and codes of digits may come as texts or as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_akeneo_assets.pages import encode_text
from tap_akeneo_assets.schemas import VALUES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Reshape: TypeAlias = Callable[[Any], Any]

_KINDS = {dict: "an object", list: "an array", str: "a text", bool: "a boolean", int: "a number", Decimal: "a number"}
_LARGEST_INTEGER = 2**63 - 1
_INTEGER_DIGITS = 19
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,8})?", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d:[0-5]\d|2[0-3]:[0-5]\d)(:[0-5]\d)?(\.\d{1,9})?(?:([Zz])|([+-][01]\d):?([0-5]\d))?",
    re.ASCII,
)
# What is real and right at a glance; `_MOMENT` and the calendar judge the rest.
_USUAL_MOMENT = re.compile(
    r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)",
    re.ASCII,
)
# Postgres takes no larger one, and none is in use.
_LARGEST_OFFSET = timedelta(hours=15, minutes=59)


class Misshapen(ValueError):
    """An answer has a shape that its schema does not admit.

    Attributes:
        path: where, such as `values.*[].locale`.
        expected: what is due there, such as `an object`.
    """

    def __init__(self, path: str, value: object, expected: str) -> None:
        super().__init__(f"`{path}` holds {_KINDS.get(type(value), 'nothing')} where {expected} is due.")
        self.path = path
        self.expected = expected


def items(answer: object) -> list[dict[str, Any]]:
    """The items of a list's answer.

    Args:
        answer: a bare array, or a page that has them in `_embedded`, as `items` or `_items`; PHP may have made objects
            of the arrays.

    Raises:
        Misshapen: it is neither, so that an error's body is not taken for an empty list.
    """
    path, found = "answer", answer
    if type(answer) is dict and "_embedded" in answer:
        embedded = answer["_embedded"]
        if type(embedded) is not dict:
            raise Misshapen("_embedded", embedded, "an object")
        name = "items" if "items" in embedded else "_items"
        path, found = f"_embedded.{name}", embedded.get(name)
    listed = _as_list(found)
    if listed is None:
        raise Misshapen(path, found, "an array")
    for item in listed:
        if type(item) is not dict:
            raise Misshapen(f"{path}[]", item, "an object")
    return listed


def page_items(answer: object) -> list[dict[str, Any]]:
    """The items of a page, as of a list that has several.

    Raises:
        Misshapen: it is none; nor is `{}`, as which PHP might send an empty array, but others send anything.
    """
    if type(answer) is not dict or "_embedded" not in answer:
        raise Misshapen("answer", answer, "a page with `_embedded`")
    return items(answer)


def item(answer: object, code: str) -> dict[str, Any]:
    """The one item of an answer to a question for one; the PIM may spell its code in another case.

    Raises:
        Misshapen: it is none, or another one; an error's body has a `code` too.
    """
    if type(answer) is not dict or (as_text(answer.get("code")) or "").casefold() != code.casefold():
        raise Misshapen("answer", answer, f"the item {code!r}")
    return answer


def next_link(answer: object) -> str | None:
    """The address of the page after this one, `_links.next.href`; only where there is none the list ends.

    Raises:
        Misshapen: it has a `next` that leads nowhere.
    """
    if type(answer) is not dict:
        return None
    links = answer.get("_links")
    if links is None or links == []:
        return None
    if type(links) is not dict:
        raise Misshapen("_links", links, "an object")
    link = links.get("next")
    if link is None:
        return None
    if type(link) is not dict:
        raise Misshapen("_links.next", link, "an object")
    href = link.get("href")
    if type(href) is not str or not href:
        raise Misshapen("_links.next.href", href, "an address")
    return href


class Shape:
    """How the items of one stream become its records.

    Args:
        schema: of the records.
        rename: the record's name of a field, by the API's.
        as_json: fields of any JSON type but objects, which become JSON texts.
        parents: the fields that hold the codes of parents.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        *,
        rename: Mapping[str, str] | None = None,
        as_json: Collection[str] = (),
        parents: Collection[str] = (),
    ) -> None:
        api_names = {ours: theirs for theirs, ours in (rename or {}).items()}
        self._fields: dict[str, tuple[str, Reshape]] = {}
        self._moments: list[str] = []
        for name, declared in schema["properties"].items():
            if name in parents:
                continue
            api_name = api_names.get(name, name)
            reshape = _to_json if name in as_json else reshaper(declared, api_name)
            self._fields[api_name] = (name, _unless_plain(reshape) if declared is VALUES else reshape)
            if declared.get("format") == "date-time":
                self._moments.append(name)
        self._keys = [name for name in schema["required"] if name not in parents]
        self._left_out = {"_links", *parents}

    def record(self, item: object, parents: Mapping[str, str]) -> tuple[dict[str, Any], Sequence[str]]:
        """Make a record of an item.

        Args:
            item: one of a list's, or the answer to a question for one; left as it is.
            parents: the codes of its parents, by field; they win over fields of that name.

        Returns:
            The record, valid by the schema, and what was left out of it, a line each; lines name fields, never values.

        Raises:
            Misshapen: it cannot be made to fit the schema, or has no code.
        """
        if type(item) is not dict:
            raise Misshapen("item", item, "an object")
        record: dict[str, Any] = dict(parents)
        remarks: list[str] = []
        for name, value in item.items():
            field = self._fields.get(name)
            if field is not None:
                record[field[0]] = field[1](value)
            elif name not in self._left_out:
                remarks.append(f"field {name!r} is left out: this version does not know it")
        for name in self._keys:
            if not record.get(name):
                raise Misshapen(name, record.get(name), "a code")
        for name in self._moments:
            text = record.get(name)
            if text is not None:
                record[name] = moment(text)
                if record[name] is None:
                    remarks.append(f"field {name!r} is null where it holds no real date")
        return record, remarks


def reshaper(schema: Mapping[str, Any], path: str) -> Reshape:
    """Compile a schema into a function that gives a value the shape declared, or raises `Misshapen`.

    The function leaves its argument as it is. What the schema leaves open stays as it came: fields not declared, and
    those of any type; but one of any type whose `items` are declared becomes an array where PHP sent one with holes.

    Args:
        schema: a JSON schema.
        path: where the value stands, for messages.
    """
    types = set(schema.get("type", ()))
    nullable = "null" in types
    types.discard("null")
    if types == {"object"}:
        return _object(schema, nullable=nullable, path=path)
    if types == {"array"}:
        return _array(schema, nullable=nullable, path=path)
    if len(types) == 1:
        return _scalar(types.pop(), nullable=nullable, path=path)
    return _mend_array if "items" in schema else _as_it_came


def _object(schema: Mapping[str, Any], *, nullable: bool, path: str) -> Reshape:
    declared = {name: reshaper(inner, f"{path}.{name}") for name, inner in schema.get("properties", {}).items()}
    of_others = reshaper(schema.get("additionalProperties", {}), f"{path}.*")

    def reshape(value: Any) -> Any:  # noqa: ANN401 - JSON
        if value is None and nullable:
            return None
        if type(value) is list:
            value = {str(index): inner for index, inner in enumerate(value)}
        if type(value) is not dict:
            raise Misshapen(path, value, "an object")
        return {name: declared.get(name, of_others)(inner) for name, inner in value.items()}

    return reshape


def _array(schema: Mapping[str, Any], *, nullable: bool, path: str) -> Reshape:
    reshape_item = reshaper(schema["items"], f"{path}[]")

    def reshape(value: Any) -> Any:  # noqa: ANN401 - JSON
        if value is None and nullable:
            return None
        listed = _as_list(value)
        if listed is None:
            raise Misshapen(path, value, "an array")
        return [reshape_item(item) for item in listed]

    return reshape


def _unless_plain(reshape: Reshape) -> Reshape:
    """Reshape an asset's `values` only where a quick look finds cause.

    It is most of the work on most of the records, and what is compiled from the schema takes several times as long
    to give it back as it came.
    """

    def reshape_if_needed(values: Any) -> Any:  # noqa: ANN401 - JSON
        if type(values) is dict and "" in values:
            raise Misshapen("values", values, "one with a code for each attribute")
        return values if type(values) is dict and _is_plain(values) else reshape(values)

    return reshape_if_needed


def _is_plain(values: dict[str, Any]) -> bool:
    for entries in values.values():
        if type(entries) is not list:
            return False
        for entry in entries:
            if type(entry) is not dict:
                return False
            locale, channel, kind = entry.get("locale"), entry.get("channel"), entry.get("attribute_type")
            if not (
                (locale is None or type(locale) is str)
                and (channel is None or type(channel) is str)
                and (kind is None or type(kind) is str)
                and ("linked_data" not in entry or type(entry["linked_data"]) is dict)
            ):
                return False
    return True


def _scalar(kind: str, *, nullable: bool, path: str) -> Reshape:
    convert, expected = _SCALARS[kind]

    def reshape(value: Any) -> Any:  # noqa: ANN401 - JSON
        if value is None and nullable:
            return None
        fitting = convert(value)
        if fitting is None:
            raise Misshapen(path, value, expected)
        return fitting

    return reshape


def _as_it_came(value: Any) -> Any:  # noqa: ANN401 - JSON
    return value


def _mend_array(value: Any) -> Any:  # noqa: ANN401 - JSON
    listed = _as_list(value)
    return value if listed is None else listed


def _to_json(value: object) -> str | None:
    return None if value is None else encode_text(_mend_array(value))


def _as_list(value: object) -> list[Any] | None:
    """The array that PHP meant, with or without holes; none where it is no array."""
    if type(value) is list:
        return value
    if type(value) is dict and all(name.isascii() and name.isdigit() for name in value):
        return list(value.values())
    return None


def as_text(value: object) -> str | None:
    """The text that PHP meant: a text, or a number's digits; none where it is neither."""
    if type(value) is str:
        return value
    return encode_text(value) if type(value) is int or type(value) is Decimal else None


def as_codes(value: object) -> list[str] | None:
    """The array of codes that PHP meant, one code alone included; none where it is no such array."""
    codes: list[str] = []
    listed = _as_list(value)
    for code in [value] if listed is None else listed:
        text = as_text(code)
        if text is None:
            return None
        codes.append(text)
    return codes


def as_number(value: object) -> int | Decimal | None:
    """The number that PHP meant: a number, or a text of ASCII digits, to the last digit; none where it is neither."""
    if type(value) is int or type(value) is Decimal:
        return value
    if type(value) is str and _NUMBER.fullmatch(value):
        return Decimal(value)
    return None


def as_integer(value: object) -> int | None:
    """The integer of 64 bits that PHP meant; none where it is no such."""
    number = as_number(value)
    if type(number) is Decimal and abs(number.adjusted()) < _INTEGER_DIGITS and number == number.to_integral_value():
        number = int(number)
    return number if type(number) is int and abs(number) <= _LARGEST_INTEGER else None


def as_boolean(value: object) -> bool | None:
    """The boolean that PHP meant: true, false, or 1 and 0 as numbers or texts; none where it is neither."""
    if type(value) is bool:
        return value
    return {"0": False, "1": True}.get(as_text(value) or "")


_SCALARS: dict[str, tuple[Reshape, str]] = {
    "string": (as_text, "a text"),
    "number": (as_number, "a number"),
    "integer": (as_integer, "an integer"),
    "boolean": (as_boolean, "a boolean"),
}


def moment(text: str, *, with_offset: bool = False) -> str | None:
    """The date and time that a text holds, as RFC 3339 has it.

    Args:
        text: ISO 8601; an offset without a colon, as `linked_data` has it, is mended.
        with_offset: refuse a text without an offset, instead of taking it for UTC.

    Returns:
        The text itself where nothing was to be mended; none where it is no real date of the years 1 to 9999, in its
        own offset or in UTC.
    """
    if _USUAL_MOMENT.fullmatch(text):
        return text
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    date, time, seconds, fraction, zulu, hours, minutes = found.groups()
    if with_offset and not zulu and not hours:
        return None
    time += seconds or ":00"
    offset = "Z" if zulu else f"{hours}:{minutes}" if hours else "+00:00"
    try:
        read = datetime.fromisoformat(f"{date}T{time}{offset}")
        read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if abs(read.utcoffset() or timedelta()) > _LARGEST_OFFSET:
        return None
    mended = f"{date}T{time}{fraction or ''}{offset}"
    return text if mended == text else mended
