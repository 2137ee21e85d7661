from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_akeneo_assets.errors import NotJson, UnusableJson
from tap_akeneo_assets.records.json_body import NUL_DROPPED, NUMBER_AS_TEXT, SURROGATE_REPLACED, decode, encode_text

# A busy machine is no fault of what is tested.
LAWS = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

numbers = st.integers() | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
leaves = (
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(documents)
@LAWS
def test_what_is_encoded_is_decoded_as_it_was(value: object) -> None:
    text = encode_text(value)

    assert decode(text.encode()) == (value, [])
    assert encode_text(decode(text.encode())[0]) == text


@given(st.binary())
@LAWS
def test_any_bytes_give_a_value_or_one_of_two_errors(body: bytes) -> None:
    check_total(body)


def check_total(body: bytes) -> None:
    try:
        value, _changes = decode(body)
    except (NotJson, UnusableJson):
        return
    assert decode(encode_text(value).encode()) == (value, [])


@given(documents, st.data())
@LAWS
def test_damaged_json_gives_a_value_or_one_of_two_errors(value: object, data: st.DataObject) -> None:
    body = bytearray(encode_text([value, "\U0001f600é", 1]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        end = start + data.draw(st.integers(0, 3))
        body[start:end] = data.draw(
            st.sampled_from(
                [b"", b'"', b"\\", b"\\ud83d", b"\\u0000", b"\xed\xa0\x80", b"9" * 5_000, b"[", b"}", b"NaN"]
            )
        )
    check_total(bytes(body))


@pytest.mark.parametrize(
    ("body", "value", "changes"),
    [
        (b"\xef\xbb\xbf[1]", [1], []),
        (b'"a\\u0000b"', "ab", [NUL_DROPPED]),
        (b'{"a\\u0000":{"b":["\\u0000"]}}', {"a": {"b": [""]}}, [NUL_DROPPED]),
        (b'"\\\\u0000"', "\\u0000", []),
        (b'["\\\\u0000","\\\\\\u0000"]', ["\\u0000", "\\"], [NUL_DROPPED]),
        (b'"\\u0001\\u001f\\u007f"', "\x01\x1f\x7f", []),
        (b'"\\ud83d\\ude00"', "\U0001f600", []),
        (b'"\\ud83d"', "\ufffd", [SURROGATE_REPLACED]),
        (b'"a\\ude00\\ud83db"', "a\ufffd\ufffdb", [SURROGATE_REPLACED]),
        (b'{"\\ud83d":"\xed\xa0\x80"}', {"\ufffd": "\ufffd"}, [SURROGATE_REPLACED]),
        (b'["\\ud83d","\\u0000"]', ["\ufffd", ""], [SURROGATE_REPLACED, NUL_DROPPED]),
        (b"[1E+21,-2.50,0.1]", [Decimal("1E+21"), Decimal("-2.50"), Decimal("0.1")], []),
        (b"1" * 4_300, int("1" * 4_300), []),
        (b"-" + b"1" * 4_301, "-" + "1" * 4_301, [NUMBER_AS_TEXT]),
        (b"[1e400,2.5]", ["1e400", Decimal("2.5")], [NUMBER_AS_TEXT]),
        (b"1E-400", "1E-400", [NUMBER_AS_TEXT]),
        (b"1e99999999999999999999", "1e99999999999999999999", [NUMBER_AS_TEXT]),
        (b"0." + b"1" * 5_000, "0." + "1" * 5_000, [NUMBER_AS_TEXT]),
    ],
)
def test_texts_and_numbers(body: bytes, value: object, changes: list[str]) -> None:
    assert decode(body) == (value, sorted(changes))


def test_numbers_keep_their_digits() -> None:
    body = '{"price":12.5000000000000000000000001,"id":123456789012345678901234567890,"zero":-0.00}'

    assert encode_text(decode(body.encode())[0]) == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"[1",
        b'{"a":',
        b'"abc',
        b"[1,]",
        b"<html>",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"01",
        b'"\xe9"',
        b"[1] 2",
    ],
)
def test_not_json(body: bytes) -> None:
    with pytest.raises(NotJson):
        decode(body)


@pytest.mark.parametrize("depth", [100, 101, 150, 200, 900, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_depth(depth: int, opening: str, closing: str) -> None:
    levels = depth // (2 if opening.startswith("[{") else 1)
    body = (opening * levels + "1" + closing * levels).encode()
    deep = levels * (2 if opening.startswith("[{") else 1) > 100

    if deep:
        with pytest.raises(UnusableJson):
            decode(body)
    else:
        decode(body)


def test_brackets_in_texts_are_no_depth() -> None:
    texts: list[Any] = ["[" * 500, "]{" * 300, "[sic]"]

    assert decode(json.dumps(texts).encode()) == (texts, [])


def test_names_that_become_one_lose_no_data() -> None:
    with pytest.raises(UnusableJson):
        decode(b'{"a":1,"a\\u0000":2}')


def test_a_long_text_is_no_trouble() -> None:
    text = "é[" * 4_000_000

    assert decode(encode_text(text).encode()) == (text, [])
