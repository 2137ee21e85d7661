"""The body of an answer, decoded so that nothing of its data is lost and nothing in it breaks a target."""

from __future__ import annotations

import codecs
import json
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from tap_akeneo_assets.errors import NotJson, UnusableJson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


MAX_DEPTH = 100
# Python reads and writes no longer integer, and the targets are written in Python.
MAX_DIGITS = 4_300
# Beyond it a reader of doubles sees infinity or nothing.
MAX_EXPONENT = 300

NUL_DROPPED = "NUL characters in its texts are dropped."
SURROGATE_REPLACED = "Halves of characters (lone surrogates) in its texts are replaced by U+FFFD."
NUMBER_AS_TEXT = "Numbers too long or too large to be read by others are given as texts of the same digits."

_BRACKETS = b"[]{}"
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_encode = msgspec.json.Encoder(decimal_format="number").encode


class _OddNumber(Exception):
    """A number that does not stay a number."""


def decode(body: bytes) -> tuple[Any, list[str]]:
    r"""Decode the body of an answer.

    Texts of a PIM may hold NUL, which no Postgres takes: it is dropped, but a text that spells `\u0000` in six
    characters stays. They may hold lone surrogates, which are no UTF-8: each becomes U+FFFD. Numbers keep all digits.

    Args:
        body: as it came; a byte order mark at its beginning is no part of it.

    Returns:
        The value, with `Decimal` for numbers that are no integers; and what was changed in it, a line each.

    Raises:
        NotJson: it is no JSON, or cut.
        UnusableJson: it is nested deeper than 100, or two names in one object differ in nothing but what is dropped.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    changes: set[str] = set()
    try:
        try:
            value = msgspec.json.Decoder(float_hook=_decimal).decode(body)
            odd_text = b"\\u0000" in body
        except (msgspec.DecodeError, UnicodeDecodeError, _OddNumber):
            value = _decode_odd(body, changes)
            odd_text = True
        if _looks_deep(body) and _is_deep(value):
            raise UnusableJson(f"It is nested deeper than {MAX_DEPTH}.")
        if odd_text:
            value = _clean(value, changes)
    except RecursionError:
        raise UnusableJson("It is nested beyond reason.") from None
    return value, sorted(changes)


def encode_text(value: object) -> str:
    """The JSON text of a value that `decode` gave: compact, with all digits."""
    return _encode(value).decode()


def _decimal(digits: str) -> Decimal:
    """The number, if it is one that others can read.

    Raises:
        _OddNumber: it is not.
    """
    try:
        number = Decimal(digits)
    except InvalidOperation:
        raise _OddNumber from None
    if abs(number.adjusted()) > MAX_EXPONENT or len(digits) > MAX_DIGITS:
        raise _OddNumber
    return number


def _decode_odd(body: bytes, changes: set[str]) -> Any:  # noqa: ANN401 - JSON
    """Decode with the standard library, which takes what msgspec refuses: lone surrogates, numbers of any length."""

    def number_or_text(convert: Callable[[str], object]) -> Callable[[str], object]:
        def read(digits: str) -> object:
            try:
                return convert(digits)
            except _OddNumber:
                changes.add(NUMBER_AS_TEXT)
                return digits

        return read

    decoder = json.JSONDecoder(
        parse_int=number_or_text(_int), parse_float=number_or_text(_decimal), parse_constant=_refuse
    )
    try:
        return decoder.decode(body.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise NotJson(f"It is no JSON: {error}.") from None


def _int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise _OddNumber
    return int(digits)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _looks_deep(body: bytes) -> bool:
    """Whether a body may be nested too deep: a cheap look at its brackets, those in texts included.

    Only texts with brackets chosen for it could hide depth from this; the limits of recursion end that.
    """
    brackets = body.translate(None, _ALL_BUT_BRACKETS)
    for _ in range(MAX_DEPTH // 2):  # each turn takes one or two levels away
        size = len(brackets)
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(brackets) == size:
            break
    return bool(brackets)


def _is_deep(value: object) -> bool:
    containers = [value]
    for _ in range(MAX_DEPTH):
        containers = [
            inner for outer in containers for inner in _contents(outer) if type(inner) is dict or type(inner) is list
        ]
    return bool(containers)


def _contents(value: object) -> Iterable[object]:
    if type(value) is dict:
        return value.values()
    return value if type(value) is list else ()


def _clean(value: Any, changes: set[str]) -> Any:  # noqa: ANN401 - JSON
    """The value without NUL and lone surrogates in its texts and names."""
    if type(value) is str:
        return _clean_text(value, changes)
    if type(value) is list:
        return [_clean(inner, changes) for inner in value]
    if type(value) is dict:
        cleaned = {_clean_text(name, changes): _clean(inner, changes) for name, inner in value.items()}
        if len(cleaned) < len(value):
            raise UnusableJson("Two names in one object differ only in characters that no text can hold.")
        return cleaned
    return value


def _clean_text(text: str, changes: set[str]) -> str:
    if "\0" in text:
        changes.add(NUL_DROPPED)
        text = text.replace("\0", "")
    text, replaced = _LONE_SURROGATE.subn("\ufffd", text)
    if replaced:
        changes.add(SURROGATE_REPLACED)
    return text
