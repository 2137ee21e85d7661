"""Settings: what is made of them, and the line for each that cannot be used."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tap_akeneo_assets.pim.auth import AppToken, PasswordGrant
from tap_akeneo_assets.settings import (
    SCHEMA,
    Settings,
    WrongSettings,
    decode_text,
    from_environment,
    parse_json,
    unknown_variables,
    warnings_of,
)

if TYPE_CHECKING:
    from pathlib import Path

CONNECTION = {"client_id": "id", "client_secret": "shh:1", "username": "user", "password": "hush+2"}
CONFIG = {"api_url": "https://pim.example/", **CONNECTION}


def lines(config: dict[str, Any]) -> tuple[str, ...]:
    """What is wrong with a configuration."""
    with pytest.raises(WrongSettings) as wrong:
        Settings.of(config)
    return wrong.value.lines


def test_little_is_needed() -> None:
    settings = Settings.of(CONFIG)
    assert settings.api_url == "https://pim.example"
    assert settings.credentials == PasswordGrant("id", "shh:1", "user", "hush+2")
    assert (settings.families, settings.asset_codes, settings.start_date) == (None, {}, None)
    assert not settings.narrows_assets


def test_an_apps_token_stands_for_the_four() -> None:
    assert Settings.of({"api_url": "https://pim.example", "access_token": "t0ken"}).credentials == AppToken("t0ken")
    assert Settings.of({**CONFIG, "access_token": "t0ken"}).credentials == AppToken("t0ken")


@pytest.mark.parametrize("name", list(CONNECTION))
@pytest.mark.parametrize("value", [None, ""])
def test_each_part_of_a_connection_is_missed(name: str, value: str | None) -> None:
    assert lines({**CONFIG, name: value}) == (f"Credentials are missing: set {name} of a connection.",)


def test_without_any_credentials_both_kinds_are_named() -> None:
    (line,) = lines({"api_url": "https://pim.example"})
    assert "client_id, client_secret, username, password" in line
    assert "access_token" in line


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = lines({"api_url": "pim.example", "start_date": "soon", "asset_codes_file": "codes.txt"})
    assert [line.split()[0] for line in told] == ["api_url", "Credentials", "start_date:", "asset_codes_file:"]


@pytest.mark.parametrize("token", ["two words", "line\n", "é"])
def test_a_token_that_no_header_carries_is_not_repeated(token: str) -> None:
    (line,) = lines({"api_url": "https://pim.example", "access_token": token})
    assert "access_token" in line
    assert token not in line


def test_numbers_are_those_that_others_reckon_with() -> None:
    # The SDK gives a file's numbers as decimals, which sockets do not take.
    numbers = {"max_requests_per_second": Decimal("2.5"), "request_timeout_seconds": Decimal("0.1")}
    settings = Settings.of({**CONFIG, **numbers, "max_retries": 3})
    assert (settings.max_requests_per_second, settings.request_timeout_seconds) == (2.5, 0.1)
    assert type(settings.max_requests_per_second) is type(settings.request_timeout_seconds) is float
    assert settings.max_retries == 3


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-01-31", "2026-01-30T23:59:59Z"),
        ("2026-01-31T08:00:00", "2026-01-31T07:59:59Z"),
        ("2026-01-31T08:00:00+02:00", "2026-01-31T05:59:59Z"),
        ("2026-01-31T08:00:00.9Z", "2026-01-31T07:59:59Z"),
        ("0001-01-01", "0001-01-01T00:00:00Z"),
        ("", None),
    ],
)
def test_a_start_date(given: str, kept: str | None) -> None:
    settings = Settings.of({**CONFIG, "start_date": given})
    assert settings.start_date == kept
    assert settings.narrows_assets == bool(kept)


@pytest.mark.parametrize("given", ["yesterday", "2026-02-30", "2026-01-31T25:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_no_start_date(given: str) -> None:
    (line,) = lines({**CONFIG, "start_date": given})
    assert line.startswith(f"start_date: {given!r} is no date")


# Families and codes of assets


def test_families_are_named_once_each() -> None:
    assert Settings.of({**CONFIG, "asset_families": ["b", "a", "b"]}).families == ("b", "a")
    assert Settings.of({**CONFIG, "asset_families": []}).families is None


def test_codes_of_assets_name_the_families_unless_those_are_named() -> None:
    config = {**CONFIG, "asset_codes": {"a": ["x"], "b": []}}
    settings = Settings.of(config)
    assert settings.families == ("a", "b")
    assert settings.asset_codes == {"a": ["x"], "b": []}
    assert settings.narrows_assets
    assert Settings.of({**config, "asset_families": ["c"]}).families == ("c",)


def test_narrowing_values_narrows_assets() -> None:
    assert Settings.of({**CONFIG, "channel": "print"}).narrows_assets
    assert Settings.of({**CONFIG, "locales": ["en_US"]}).narrows_assets
    assert Settings.of({**CONFIG, "search": {"complete": []}}).narrows_assets


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("codes.json", '{"a": ["x", "é"], "b": ["y"]}'),
        ("CODES.JSON", '\ufeff{"a": ["x", "é"], "b": ["y"]}'),
        ("codes.csv", "asset_family_code,asset_code\na,x\na,é\nb,y\n"),
        ("codes.csv", "\ufeffmore,asset_code,asset_family_code\r\n1,x,a\r\n\r\n2,é,a\r\n3,y,b"),
        ("codes.csv", 'asset_family_code,asset_code\na,"x"\n"a","é"\nb,y'),
    ],
)
def test_codes_from_a_file(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    for address in (str(path), f"file://{path}"):
        settings = Settings.of({**CONFIG, "asset_codes_file": address})
        assert settings.asset_codes == {"a": ["x", "é"], "b": ["y"]}
        assert settings.families == ("a", "b")


def test_a_file_that_names_no_family_reads_none(tmp_path: Path) -> None:
    path = tmp_path / "codes.json"
    path.write_text("{}")
    assert Settings.of({**CONFIG, "asset_codes_file": str(path)}).families == ()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("codes.txt", "a,x", "is neither .json nor .csv"),
        ("codes.json", "{", "is no JSON"),
        ("codes.json", "", "is no JSON"),
        ("codes.json", "[" * 100_000, "is no JSON"),
        ("codes.json", '{"a": NaN}', "is no JSON"),
        ("codes.json", "[]", "is no object of family codes with arrays of asset codes"),
        ("codes.json", '{"a": "x"}', "is no object of family codes with arrays of asset codes"),
        ("codes.json", '{"a": [1]}', "is no object of family codes with arrays of asset codes"),
        ("codes.csv", "", "lacks the columns asset_family_code and asset_code"),
        ("codes.csv", "asset_family_code;asset_code\na;x", "lacks the columns asset_family_code and asset_code"),
        ("codes.csv", "asset_family_code,asset_code\na,x\na", "lacks a code in line 3"),
        ("codes.csv", "asset_family_code,asset_code\n,x", "lacks a code in line 2"),
        ("codes.csv", 'asset_family_code,asset_code\na,"x', "is no CSV: unexpected end of data"),
        (
            "codes.csv",
            "asset_family_code,asset_code\na,\udcff",
            "is no UTF-8 text, and has no byte order mark that says otherwise",
        ),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, name: str, content: str, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode(errors="surrogateescape"))
    assert lines({**CONFIG, "asset_codes_file": str(path)}) == (f"asset_codes_file: {str(path)!r} {reason}.",)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (line,) = lines({**CONFIG, "asset_codes_file": str(tmp_path / "codes.csv")})
    assert line.endswith("codes.csv' cannot be read (FileNotFoundError).")


def test_codes_come_from_one_place() -> None:
    (line,) = lines({**CONFIG, "asset_codes": {"a": ["x"]}, "asset_codes_file": "codes.csv"})
    assert line == "asset_codes and asset_codes_file are set: only one of them can be."


@pytest.mark.parametrize("url", ["nosuch://bob:hunter2@host/codes.csv", "nosuch://host/codes.csv?signature=hunter2"])
def test_a_url_is_told_without_what_is_secret_in_it(url: str) -> None:
    (line,) = lines({**CONFIG, "asset_codes_file": url})
    assert line == "asset_codes_file: 'nosuch://host/codes.csv' cannot be read (ValueError)."


# From the environment, where all is text


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12", "string", "12"),
        ('["a"]', "string", '["a"]'),
        ("12", "integer", 12),
        ("twelve", "integer", "twelve"),
        ("1.5", "number", 1.5),
        ("NaN", "number", "NaN"),
        ("Infinity", "number", "Infinity"),
        ("True", "boolean", True),
        ("1", "boolean", True),
        ("off", "boolean", False),
        ("maybe", "boolean", "maybe"),
        ('["a", "b"]', "array", ["a", "b"]),
        ("a, b", "array", ["a", "b"]),
        ('["a"', "array", '["a"'),
        ('{"a": 1}', "object", {"a": 1}),
        ("{", "object", "{"),
        ("[" * 100_000, "object", "[" * 100_000),
    ],
)
def test_a_setting_in_the_environment(text: str, kind: str, value: object) -> None:
    assert from_environment(text, [kind, "null"]) == value


@pytest.mark.parametrize("text", ["", "NaN", '{"a": -Infinity}', "[" * 100_000, b"\xff"])
def test_what_is_no_json_for_others_is_none_here(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["codes.json", "codes.csv"])
def test_codes_from_a_file_with_a_byte_order_mark(tmp_path: Path, name: str, encoding: str) -> None:
    path = tmp_path / name
    path.write_text('{"a": ["é"]}' if name.endswith("json") else "asset_family_code,asset_code\na,é", encoding=encoding)
    assert Settings.of({**CONFIG, "asset_codes_file": str(path)}).asset_codes == {"a": ["é"]}


@given(st.text(), st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]))
def test_a_marked_text_is_read_as_it_was_written(text: str, encoding: str) -> None:
    # A text that begins with NUL makes the mark of UTF-16 look like that of UTF-32.
    assume(not (encoding == "utf-16" and text.startswith("\0")))
    assert decode_text(text.encode(encoding)) == text


# What can be used, but is worth a warning


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("asset_family", "Did you mean asset_families?"),
        ("Asset-Families", "Did you mean asset_families?"),
        ("locale", "Did you mean locales?"),
        ("token", None),
        ("", None),
        ("batch_config", ""),
        ("api_url", ""),
    ],
)
def test_a_setting_that_does_not_exist(name: str, told: str | None) -> None:
    known = [*SCHEMA["properties"], "batch_config"]
    lines = warnings_of({name: "hunter2"}, known)
    if told == "":
        assert lines == []
    else:
        ignored = f"The setting {name!r} does not exist and is ignored."
        assert lines == [f"{ignored} {told}" if told else ignored]


def test_variables_that_are_no_settings() -> None:
    types = {"api_url": ["string"], "batch_config": ["object", "null"]}
    names = ["T_API_URL", "T_API_ULR", "T_BATCH_CONFIG", "T_BATCH_CONFIG_ENCODING", "T__SELECT", "T_LOGLEVEL", "OTHER"]
    assert unknown_variables(names, "T_", types) == [
        "The environment variable T_API_ULR is no setting and is ignored. Did you mean T_API_URL?"
    ]


def test_a_media_storage_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    assert Settings.of(CONFIG).media_storage is None
    assert Settings.of({**CONFIG, "media_storage": ""}).media_storage is None
    assert Settings.of({**CONFIG, "media_storage": str(tmp_path)}).media_storage == str(tmp_path)
    (line,) = lines({**CONFIG, "media_storage": "gopher://me:secret@host/x"})
    assert line.startswith("media_storage: 'gopher://host/x' is no folder")
