"""What PHP made of objects, arrays and scalars, given back as the schema declares it.

The PIM is written in PHP, which knows one kind of array for both. So an empty object may arrive as `[]` and an empty
array as `{}`, an array with holes as an object with numbers for keys, and an object whose keys are `"0"`, `"1"`, … as
an array. Numbers and codes of digits may come as texts or as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_akeneo_assets.errors import UnexpectedShape
from tap_akeneo_assets.records.json_body import encode_text
from tap_akeneo_assets.records.timestamps import to_utc
from tap_akeneo_assets.schemas import VALUES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


Reshape: TypeAlias = Callable[[Any], Any]
_LARGEST_INTEGER = 2**63 - 1
_INTEGER_DIGITS = 19
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,8})?", re.ASCII)


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
        self._timestamps: list[str] = []
        for name, declared in schema["properties"].items():
            if name in parents:
                continue
            api_name = api_names.get(name, name)
            reshape = _to_json if name in as_json else reshaper(declared, api_name)
            self._fields[api_name] = (name, _with_codes(reshape) if declared is VALUES else reshape)
            if declared.get("format") == "date-time":
                self._timestamps.append(name)
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
            UnexpectedShape: it cannot be made to fit the schema, or has no code.
        """
        if type(item) is not dict:
            raise UnexpectedShape("item", item, "an object")
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
                raise UnexpectedShape(name, record.get(name), "a code")
        for name in self._timestamps:
            text = record.get(name)
            if text is not None:
                record[name] = to_utc(text)
                if record[name] is None:
                    remarks.append(f"field {name!r} is null where it holds no real date")
        return record, remarks


def reshaper(schema: Mapping[str, Any], path: str) -> Reshape:
    """Compile a schema into a function that gives a value the shape declared, or raises `UnexpectedShape`.

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
            raise UnexpectedShape(path, value, "an object")
        return {name: declared.get(name, of_others)(inner) for name, inner in value.items()}

    return reshape


def _array(schema: Mapping[str, Any], *, nullable: bool, path: str) -> Reshape:
    reshape_item = reshaper(schema["items"], f"{path}[]")

    def reshape(value: Any) -> Any:  # noqa: ANN401 - JSON
        if value is None and nullable:
            return None
        listed = as_list(value)
        if listed is None:
            raise UnexpectedShape(path, value, "an array")
        return [reshape_item(item) for item in listed]

    return reshape


def _with_codes(reshape: Reshape) -> Reshape:
    """Reshape an asset's `values`, each of which needs the code of its attribute."""

    def reshape_values(values: Any) -> Any:  # noqa: ANN401 - JSON
        if type(values) is dict and "" in values:
            raise UnexpectedShape("values", values, "one with a code for each attribute")
        return reshape(values)

    return reshape_values


def _scalar(kind: str, *, nullable: bool, path: str) -> Reshape:
    convert, expected = _SCALARS[kind]

    def reshape(value: Any) -> Any:  # noqa: ANN401 - JSON
        if value is None and nullable:
            return None
        fitting = convert(value)
        if fitting is None:
            raise UnexpectedShape(path, value, expected)
        return fitting

    return reshape


def _as_it_came(value: Any) -> Any:  # noqa: ANN401 - JSON
    return value


def _mend_array(value: Any) -> Any:  # noqa: ANN401 - JSON
    listed = as_list(value)
    return value if listed is None else listed


def _to_json(value: object) -> str | None:
    return None if value is None else encode_text(_mend_array(value))


def as_list(value: object) -> list[Any] | None:
    """The array that PHP meant, with or without holes; None where it is no array."""
    if type(value) is list:
        return value
    if type(value) is dict and all(name.isascii() and name.isdigit() for name in value):
        return list(value.values())
    return None


def as_text(value: object) -> str | None:
    """The text that PHP meant: a text, or a number's digits; None where it is neither."""
    if type(value) is str:
        return value
    return encode_text(value) if type(value) is int or type(value) is Decimal else None


def as_codes(value: object) -> list[str] | None:
    """The array of codes that PHP meant, one code alone included; None where it is something else."""
    if type(value) is str:
        return [value]
    if type(value) is list and set(map(type, value)) <= {str}:
        return value
    codes: list[str] = []
    listed = as_list(value)
    for code in [value] if listed is None else listed:
        text = as_text(code)
        if text is None:
            return None
        codes.append(text)
    return codes


def as_number(value: object) -> int | Decimal | None:
    """The number that PHP meant: a number, or a text of ASCII digits, to the last digit; None where it is neither."""
    if type(value) is int or type(value) is Decimal:
        return value
    if type(value) is str and _NUMBER.fullmatch(value):
        return Decimal(value)
    return None


def as_integer(value: object) -> int | None:
    """The integer of 64 bits that PHP meant; None where it is something else."""
    number = as_number(value)
    if type(number) is Decimal and abs(number.adjusted()) < _INTEGER_DIGITS and number == number.to_integral_value():
        number = int(number)
    return number if type(number) is int and abs(number) <= _LARGEST_INTEGER else None


def as_boolean(value: object) -> bool | None:
    """The boolean that PHP meant: true, false, or 1 and 0 as numbers or texts; None where it is neither."""
    if type(value) is bool:
        return value
    return {"0": False, "1": True}.get(as_text(value) or "")


_SCALARS: dict[str, tuple[Reshape, str]] = {
    "string": (as_text, "a text"),
    "number": (as_number, "a number"),
    "integer": (as_integer, "an integer"),
    "boolean": (as_boolean, "a boolean"),
}
