"""The command line: whatever is wrong, one clear line tells it, and nothing secret shows.

Most of it runs in this process, by the function that `main` calls; what only a process shows runs in one.
"""

from __future__ import annotations

import codecs
import json
import logging
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from tap_akeneo_assets import tap as tap_module
from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, login_page, redirect, status
from tap_akeneo_assets.sandbox.options import LIST_ASSETS, LIST_FAMILIES, WEB_API
from tap_akeneo_assets.sandbox.server import serve
from tests.expected import KEYS
from tests.support import CREDENTIALS, captured_stdout, collected_log, environment, select, tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tap_akeneo_assets.sandbox.faults import Fault

PREFIX = "TAP_AKENEO_ASSETS_"
NOWHERE = {"api_url": "http://127.0.0.1:9", **CREDENTIALS}
WRONG_SECRETS = {"client_secret": "wr0ng-client-secret", "password": "wr0ng-password", "access_token": "wr0ng-token"}
SECRETS = (CREDENTIALS["client_secret"], CREDENTIALS["password"], *WRONG_SECRETS.values())
SELECTED_BY_DEFAULT = set(KEYS)
STREAMS = set(tap_module.TapAkeneoAssets(config={}, validate_config=False).streams)
MODES = ("", "--test", "--test=schema")
THAT_ASK = ("", "--test")


@dataclass
class Result:
    """What a run of the command line gave."""

    status: int
    messages: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""

    @property
    def errors(self) -> list[str]:
        """The lines that tell what is wrong."""
        return [line.removeprefix("ERROR ") for line in self.log.splitlines() if line.startswith("ERROR ")]

    @property
    def streams(self) -> set[str]:
        """The streams that records came of."""
        return {message["stream"] for message in self.messages if message["type"] == "RECORD"}


@contextmanager
def tidied() -> Iterator[None]:
    """Leave the process as it was: the SDK sets hooks and handlers."""
    hook, handlers = sys.excepthook, {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        sys.excepthook = hook
        logging.captureWarnings(capture=False)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def run(*arguments: str, env: Mapping[str, str] | None = None) -> Result:
    """Run the command line in this process, without whatever the environment says of the tap."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with (
        tidied(),
        mock.patch.dict(os.environ, {**plain, **(env or {})}, clear=True),
        collected_log() as log,
        captured_stdout() as output,
    ):
        ended = tap_module.run([argument for argument in arguments if argument])
        messages = [json.loads(line) for line in output.getvalue().splitlines()]
    return Result(ended, messages, log.getvalue())


def fails(result: Result, *patterns: str) -> None:
    """Check that a run failed with these lines, and gave nothing away."""
    assert len(result.errors) == len(patterns), result.log
    for line, pattern in zip(result.errors, patterns, strict=True):
        assert re.search(pattern, line), line
    assert result.status == 1
    everything = result.log + json.dumps(result.messages)
    assert "Traceback" not in everything
    for secret in SECRETS:
        assert secret not in everything


@pytest.fixture
def write(tmp_path: Path) -> Any:  # noqa: ANN401  # a function
    """Write a file of JSON, or whatever text is given, and give its path."""

    def write(content: object, name: str = "config.json") -> str:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


# Settings


WRONG: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no address": ({"api_url": None}, ("api_url is not of type 'string'",)),
    "an address of another type": ({"api_url": 5}, ("api_url is not of type 'string'",)),
    "an empty address": ({"api_url": ""}, ("api_url must begin with https://",)),
    "no scheme": ({"api_url": "pim.example"}, ("api_url must begin with https://",)),
    "another scheme": ({"api_url": "ftp://pim.example"}, ("api_url must begin with https://",)),
    "no port": ({"api_url": "http://pim.example:99999"}, ("api_url is no valid address",)),
    "credentials in the address": (
        {"api_url": f"https://bob:{WRONG_SECRETS['password']}@pim.example"},
        ("^api_url holds credentials",),
    ),
    "a query in the address": (
        {"api_url": f"https://pim.example/?token={WRONG_SECRETS['access_token']}"},
        ("api_url must be the PIM's address alone",),
    ),
    "no credentials": (
        dict.fromkeys(CREDENTIALS),
        ("set client_id, client_secret, username, password of a connection, or access_token of an App",),
    ),
    "a part of the credentials": ({"password": ""}, ("set password of a connection",)),
    "a password of another type": ({"password": 12345678}, ("^The value of password is not of type 'string'",)),
    "a token of another type": (
        {"access_token": [WRONG_SECRETS["access_token"]]},
        ("^The value of access_token is not of type 'string'",),
    ),
    "a token that cannot be": (
        {"access_token": f"{WRONG_SECRETS['access_token']} \n"},
        ("^access_token is empty, or holds blanks",),
    ),
    "a date that is none": ({"start_date": "yesterday"}, ("start_date: 'yesterday' is no date",)),
    "families as a text": ({"asset_families": "packshots"}, (r"'packshots' is not of type 'array'.*asset_families",)),
    "codes as an array": ({"asset_codes": ["a"]}, (r"is not of type 'object'.*asset_codes",)),
    "codes of a family as a text": ({"asset_codes": {"a": "b"}}, (r"is not of type 'array'.*asset_codes",)),
    "a file that is not there": ({"asset_codes_file": "no/such.csv"}, ("asset_codes_file: 'no/such.csv' cannot",)),
    "too many at once": ({"max_concurrency": 11}, ("11 is greater than the maximum of 10 in.*max_concurrency",)),
    "a text for a number": ({"max_retries": "few"}, ("'few' is not of type 'integer'.*max_retries",)),
    "no time at all": ({"request_timeout_seconds": 0}, ("request_timeout_seconds",)),
    "time without end": ({"request_timeout_seconds": 1e20}, ("greater than the maximum.*request_timeout_seconds",)),
    "to look back beyond time": ({"lookback_seconds": 10**15}, ("greater than the maximum.*lookback_seconds",)),
    "a search as a text": ({"search": "{}"}, (r"'{}' is not of type 'object'.*search",)),
    "what no header carries": ({"user_agent": "two\nlines"}, ("^user_agent holds line breaks",)),
    "a stream map that is no expression": ({"stream_maps": {"assets": {"x": "code +"}}}, ("^stream_maps: .*code +",)),
    "a stream map without the key": ({"stream_maps": {"assets": {"code": None}}}, ("^stream_maps: .*'code'",)),
    "several things": (
        {"max_concurrency": 0, "max_retries": -1},
        ("max_concurrency", "max_retries"),
    ),
    "several things that no schema tells": (
        {"api_url": "pim.example", "username": None, "start_date": "soon"},
        ("^api_url", "^Credentials are missing: set username", "^start_date"),
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", WRONG)
def test_wrong_settings(write: Any, case: str, mode: str) -> None:  # noqa: ANN401
    config, patterns = WRONG[case]
    result = run(f"--config={write({**NOWHERE, **config})}", mode)
    fails(result, *patterns)
    assert not result.messages


@pytest.mark.parametrize("mode", MODES)
def test_no_settings(mode: str) -> None:
    fails(run(mode), "'api_url' is a required property")


@pytest.mark.parametrize(
    ("name", "text", "pattern"),
    [
        ("max_concurrency", "four", "'four' is not of type 'integer'"),
        ("max_retries", "1.5", "1.5 is not of type 'integer'"),
        ("max_requests_per_second", "nan", "'nan' is not of type 'number'"),
        ("with_asset_auto_tags", "maybe", "'maybe' is not of type 'boolean'"),
        ("asset_families", '["packshots"', "is not of type 'array'"),
        ("asset_families", "[1]", "1 is not of type 'string'"),
        ("search", '{"a"', "is not of type 'object'"),
        ("asset_codes", "packshots", "'packshots' is not of type 'object'"),
    ],
)
def test_wrong_settings_in_the_environment(name: str, text: str, pattern: str) -> None:
    result = run("--config=ENV", env=environment(NOWHERE["api_url"], **{PREFIX + name.upper(): text}))
    fails(result, rf"{re.escape(pattern)}.*config\['{name}'\]")


def test_settings_of_each_type_in_the_environment() -> None:
    settings = {
        "MAX_CONCURRENCY": "2",
        "REQUEST_TIMEOUT_SECONDS": "2.5",
        "MAX_REQUESTS_PER_SECOND": "0.5e3",
        "WITH_ASSET_AUTO_TAGS": "True",
        "ASSET_FAMILIES": "packshots, user_guides",
        "LOCALES": '["en_US"]',
        "SEARCH": '{"code": [{"operator": "IN", "value": ["x"]}]}',
        "MAX_RETRIES": "",
        "START_DATE": "",
    }
    with serve(demo_pim(3, 3)) as server:
        names = {PREFIX + name: text for name, text in settings.items()}
        result = run("--config=ENV", env=environment(server.url, **names))
        asked = {request.query for request in server.pim.requests if request.route == "assets"}
    assert (result.status, result.errors) == (0, [])
    (query,) = asked
    assert "with_asset_auto_tags=true" in query
    assert "locales=en_US" in query
    assert "%22IN%22" in query


def test_numbers_of_a_file_need_not_be_whole(write: Any) -> None:  # noqa: ANN401
    numbers = {"request_timeout_seconds": 2.5, "max_requests_per_second": 99.5}
    with serve(demo_pim(3, 3)) as server:
        result = run(f"--config={write({**NOWHERE, 'api_url': server.url, **numbers})}")
    assert (result.status, result.errors) == (0, [])


# Files


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no such file"),
        ("", "it is no JSON"),
        ('{"api_url": ', "it is no JSON"),
        ('{"max_requests_per_second": NaN}', "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "it is no JSON object"),
        ("null", "it is no JSON object"),
    ],
)
def test_a_broken_config(write: Any, content: str | None, reason: str, mode: str) -> None:  # noqa: ANN401
    path = "nowhere/config.json" if content is None else write(content)
    fails(run(f"--config={path}", mode), f"^--config {re.escape(path)}: {reason}")


def test_a_config_that_is_a_folder(tmp_path: Path) -> None:
    fails(run(f"--config={tmp_path}"), r"^--config .*: it cannot be read \(Is a directory\)")


BROKEN = {
    "cut": ('{"bookmarks": ', "it is no JSON"),
    "a constant of Python's": ('{"bookmarks": {}, "streams": [], "x": NaN}', "it is no JSON"),
    "deep": ("[" * 100_000, "it is no JSON"),
    "too deep to be written": (f'{{"bookmarks": {{}}, "streams": {"[" * 900 + "]" * 900}}}', "it is no JSON"),
    "half a character": (r'{"bookmarks": {"\ud83d": {}}, "streams": []}', "it is no JSON that can be used"),
}
NO_STATE = {
    "an array": ("[]", "The state is not a JSON object"),
    "nothing": ("null", "The state is not a JSON object"),
    "bookmarks of another kind": ('{"bookmarks": []}', "`bookmarks` is not an object"),
    "a stream of another kind": ('{"bookmarks": {"assets": []}}', "'assets' is not in the SDK's layout"),
    "partitions of another kind": ('{"bookmarks": {"assets": {"partitions": {}}}}', "is not in the SDK's layout"),
}
NO_CATALOG = {
    "an array": ("[]", "it is no Singer catalog"),
    "nothing": ("null", "it is no Singer catalog"),
    "a state": ('{"bookmarks": {}}', "it is no Singer catalog"),
    "streams of another kind": ('{"streams": 5}', "it is no Singer catalog"),
    "a stream without a name": ('{"streams": [{}]}', "it is no Singer catalog"),
    "a schema of another kind": (
        '{"streams": [{"tap_stream_id": "assets", "schema": [], "metadata": []}]}',
        "it is no Singer catalog",
    ),
    "metadata of another kind": (
        '{"streams": [{"tap_stream_id": "assets", "schema": {}, "metadata": 5}]}',
        "it is no Singer catalog",
    ),
}


@pytest.mark.parametrize(
    ("option", "content", "reason"),
    [
        *(("--state", *case) for case in (*BROKEN.values(), *NO_STATE.values())),
        *(("--catalog", *case) for case in (*BROKEN.values(), *NO_CATALOG.values())),
        ("--catalog", "", "it is no JSON"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_a_broken_file(write: Any, option: str, content: str, reason: str, mode: str) -> None:  # noqa: ANN401
    path = write(content, "file.json")
    result = run(f"--config={write(NOWHERE)}", mode, f"{option}={path}")
    fails(result, f"^{option} {re.escape(path)}: .*{reason}")
    assert not result.messages


@pytest.mark.parametrize("option", ["--state", "--catalog"])
def test_a_missing_file(write: Any, option: str) -> None:  # noqa: ANN401
    fails(run(f"--config={write(NOWHERE)}", option, "no/such.json"), f"'{option}': 'no/such.json': No such file")


# Windows' PowerShell 5 writes UTF-16 by `>`, and a byte order mark by `Out-File -Encoding utf8`.
ENCODINGS = {
    "UTF-8": (b"", "utf-8"),
    "UTF-8 with a mark": (codecs.BOM_UTF8, "utf-8"),
    "UTF-16 little-endian": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "UTF-16 big-endian": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "UTF-32 little-endian": (codecs.BOM_UTF32_LE, "utf-32-le"),
    "UTF-32 big-endian": (codecs.BOM_UTF32_BE, "utf-32-be"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_files_are_read_by_their_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    mark, codec = ENCODINGS[encoding]

    def write(content: object, name: str) -> Path:
        path = tmp_path / name
        text = json.dumps(content, ensure_ascii=False, indent=1).replace("\n", "\r\n") + "\r\n"
        path.write_bytes(mark + text.encode(codec))
        return path

    codes = write({"packshots": ["été_🥿"]}, "codes.json")
    state = {"bookmarks": {"assets": {"partitions": [], "note": "été 🥿"}}}
    with serve(demo_pim(3, 3)) as server:
        server.pim.save_asset("packshots", "été_🥿", {})
        result = run(
            f"--config={write({'api_url': server.url, **CREDENTIALS, 'asset_codes_file': str(codes)}, 'config.json')}",
            f"--catalog={write(select('assets'), 'catalog.json')}",
            f"--state={write(state, 'state.json')}",
        )
    assert (result.status, result.errors) == (0, [])
    assert [message["record"]["code"] for message in result.messages if message["type"] == "RECORD"] == ["été_🥿"]


@pytest.mark.parametrize("option", ["--config", "--catalog", "--state"])
@pytest.mark.parametrize("content", [b"\xff\xfe{", b"\xff\xfe{\0\x3d\xd8", b"\xff", b"\xef\xbb\xbf\xff", b"{\0}\0"])
def test_a_file_of_broken_text(tmp_path: Path, option: str, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    result = run(f"{option}={path}", env=environment("http://127.0.0.1:9"))
    fails(result, f"^{option} .*: it is no JSON")


@pytest.mark.parametrize("content", [b"", b" \r\n", codecs.BOM_UTF8, "\ufeff\r\n".encode("utf-16-le")])
@pytest.mark.parametrize("mode", THAT_ASK)
def test_an_empty_state_file_is_no_state(tmp_path: Path, content: bytes, mode: str) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with serve(demo_pim(3, 3)) as server:
        result = run("--config=ENV", f"--state={path}", mode, env=environment(server.url))
    assert (result.status, result.errors) == (0, [])
    assert result.streams == (STREAMS if mode == "--test" else SELECTED_BY_DEFAULT)


def told_of_settings(result: Result) -> list[str]:
    """The warnings about settings; a `--test` may leave requests in flight, whose warnings come at any time."""
    return [line for line in result.log.splitlines() if re.search("setting|credentials", line)]


@pytest.mark.parametrize("mode", MODES)
def test_names_that_no_setting_has_are_told_once_each(write: Any, mode: str) -> None:  # noqa: ANN401
    known = {"stream_maps": {}, "stream_map_config": {}, "flattening_enabled": False, "max_retries": 0}
    strange = {"asset_family": ["hunter2"], "Locale": "hunter2", "zzz": "hunter2"}
    with serve(demo_pim(3, 3)) as server:
        config = write({**CREDENTIALS, "api_url": server.url, **known, **strange})
        env = {PREFIX + "LOCALE": "hunter2", PREFIX + "LOGLEVEL": "WARNING", PREFIX + "_SELECT": "a", "OTHER": "b"}
        result = run(f"--config={config}", "--config=ENV", mode, env=env)
    assert result.status == 0
    assert told_of_settings(result) == [
        "WARNING The setting 'asset_family' does not exist and is ignored. Did you mean asset_families?",
        "WARNING The setting 'Locale' does not exist and is ignored. Did you mean locales?",
        "WARNING The setting 'zzz' does not exist and is ignored.",
        f"WARNING The environment variable {PREFIX}LOCALE is no setting and is ignored. Did you mean {PREFIX}LOCALES?",
    ]


@pytest.mark.parametrize("mode", MODES)
def test_a_misspelled_name_is_told_where_settings_are_wrong(write: Any, mode: str) -> None:  # noqa: ANN401
    result = run(f"--config={write({**CREDENTIALS, 'api_ulr': 'http://127.0.0.1:9'})}", mode)
    fails(result, "'api_url' is a required property")
    assert "WARNING The setting 'api_ulr' does not exist and is ignored. Did you mean api_url?" in result.log


def test_of_two_kinds_of_credentials_one_wins_and_is_named() -> None:
    pim = demo_pim(3, 3)
    with serve(pim) as server:
        env = environment(server.url, **{PREFIX + "ACCESS_TOKEN": pim.tokens.add_app()})
        result = run("--config=ENV", env=env)
    assert result.status == 0
    (line,) = told_of_settings(result)
    assert line == (
        "WARNING Two kinds of credentials are set: access_token is used, "
        "not client_id, client_secret, username, password."
    )


def test_a_refused_login_says_what_was_pasted_with_it() -> None:
    result = server_run(Options(), "", password=f'"{CREDENTIALS["password"]}"')
    fails(result, "^The PIM refuses username or password: 422 .*password begins with a quotation mark and ends with")


@pytest.mark.parametrize("stream", sorted(STREAMS))
def test_a_catalog_may_leave_streams_out(write: Any, stream: str) -> None:  # noqa: ANN401
    entries = [entry for entry in select(stream)["streams"] if entry["tap_stream_id"] == stream]
    with serve(demo_pim(3, 3)) as server:
        result = run("--config=ENV", f"--catalog={write({'streams': entries})}", env=environment(server.url))
    assert (result.status, result.errors) == (0, [])
    assert result.streams == {stream}


# What the PIM says


def server_run(options: Options, mode: str, faults: Faults | None = None, **env: str) -> Result:
    """Run against a small PIM."""
    pim = demo_pim(3, 3, options=options)
    pim.faults = faults
    with serve(pim) as server:
        env = {PREFIX + "MAX_RETRIES": "0", **{PREFIX + name.upper(): text for name, text in env.items()}}
        return run("--config=ENV", mode, env=environment(server.url, **env))


@pytest.mark.parametrize("mode", THAT_ASK)
@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({"password": WRONG_SECRETS["password"]}, "^The PIM refuses username or password: 422"),
        ({"client_secret": WRONG_SECRETS["client_secret"]}, "^The PIM refuses client_id or client_secret: 422.*header"),
        ({"access_token": WRONG_SECRETS["access_token"]}, "^The PIM refuses access_token: 401.*connect the App anew"),
    ],
)
def test_wrong_credentials(settings: dict[str, str], pattern: str, mode: str) -> None:
    fails(server_run(Options(), mode, None, **settings), pattern)


@pytest.mark.parametrize("mode", THAT_ASK)
@pytest.mark.parametrize(
    ("right", "pattern", "streams"),
    [
        (WEB_API, '"Overall Web API access"', set()),
        (LIST_FAMILIES, '"List asset families" .*read_asset_families', set()),
        (
            LIST_ASSETS,
            '^Families .* failed: 403 .*"List assets" .*read_assets',
            {"asset_families", "asset_attributes", "attribute_options"},
        ),
    ],
)
def test_a_permission_that_is_missing(right: str, pattern: str, streams: set[str], mode: str) -> None:
    result = server_run(Options(forbidden=frozenset({right})), mode)
    fails(result, pattern)
    assert result.streams == streams


@pytest.mark.parametrize("mode", THAT_ASK)
@pytest.mark.parametrize(
    ("route", "fault", "pattern"),
    [
        (None, redirect("https://pim.example", 301), "redirects to https://pim.example : set api_url to that"),
        ("token", redirect("/user/login"), "/api/oauth/v1/token redirects to .*/user/login : if that is a login page"),
        ("token", login_page(), "/api/oauth/v1/token answers with a login page"),
        ("token", status(500), "^POST http://.*/api/oauth/v1/token: asked once, the last answer: 500"),
        ("families", login_page(), "/api/rest/v1/asset-families answers with a login page"),
        ("families", redirect(f"https://x.example/{SECRETS[1]}?{SECRETS[0]}"), "redirects to https://x.example"),
        ("families", status(503), "list of families .*asset-families: asked once, the last answer: 503"),
    ],
)
def test_a_pim_that_cannot_be_had(route: str | None, fault: Fault, pattern: str, mode: str) -> None:
    result = server_run(Options(), mode, Faults().always(route, fault))
    fails(result, pattern)
    assert not result.streams


@pytest.mark.parametrize("mode", THAT_ASK)
@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("http://no-such-host.invalid", "^The host of http://no-such-host.invalid is not found .*check api_url"),
        ("http://127.0.0.1:9", "^POST http://127.0.0.1:9/api/oauth/v1/token: asked once.*connection refused"),
    ],
)
def test_a_host_that_is_not_there(url: str, pattern: str, mode: str) -> None:
    fails(run("--config=ENV", mode, env=environment(url, **{PREFIX + "MAX_RETRIES": "0"})), pattern)


@pytest.mark.parametrize("end", ["", "/", "/api/rest/v1", "/api/rest/v1/", "/api/rest/v1/asset-families", " "])
@pytest.mark.parametrize("mount", ["", "/pim", "/a/b"])
def test_addresses_that_people_give(mount: str, end: str) -> None:
    with serve(demo_pim(3, 1, options=Options(base_path=mount))) as server:
        result = run("--config=ENV", env=environment(server.url + end))
    assert (result.status, result.errors) == (0, [])
    assert result.streams == SELECTED_BY_DEFAULT


def test_the_wrong_path() -> None:
    with serve(demo_pim(3, 1, options=Options(base_path="/pim"))) as server:
        result = run("--config=ENV", env=environment(server.url.removesuffix("/pim")))
    fails(result, "^The token route answers 404 Not Found, as no PIM would: check api_url")


@pytest.mark.parametrize("mode", THAT_ASK)
def test_a_family_that_is_not_there_fails_alone(mode: str) -> None:
    result = server_run(Options(), mode, asset_families="nowhere,packshots")
    fails(result, "^Family 'nowhere' failed: The PIM has no such family")
    assert result.log.count("'nowhere'") == 1
    assert result.streams == (STREAMS if mode == "--test" else SELECTED_BY_DEFAULT)


@pytest.mark.parametrize("expression", ["1 / 0", "int(code)", "nothing", "code + 1", "code.x"])
def test_a_stream_map_that_fails_on_a_record(expression: str) -> None:
    for map_ in ({"x": expression}, {"__filter__": expression}):
        result = server_run(Options(), "", stream_maps=json.dumps({"assets": map_}))
        fails(result, "^stream_maps: that of 'assets' fails on a record")


# What needs no PIM


def test_what_needs_no_credentials() -> None:
    version, about, discovered = tap("--version"), tap("--about", "--format=json"), tap("--discover")
    assert [done.returncode for done in (version, about, discovered)] == [0, 0, 0]
    assert version.stdout.startswith(b"tap-akeneo-assets v")
    assert json.loads(about.stdout)["name"] == "tap-akeneo-assets"
    assert {stream["tap_stream_id"] for stream in json.loads(discovered.stdout)["streams"]} == STREAMS


# What only a process shows


def test_a_process_ends_as_the_function_does(write: Any) -> None:  # noqa: ANN401
    done = tap(f"--config={write({**NOWHERE, 'password': 5})}", "--test")
    assert done.returncode == 1
    assert not done.stdout
    (line,) = done.stderr.decode().splitlines()[-1:]
    assert line.endswith("The value of password is not of type 'string', 'null'.")
    assert b"Traceback" not in done.stderr


def test_a_log_level_that_does_not_exist() -> None:
    done = tap("--version", env={**os.environ, PREFIX + "LOGLEVEL": "loud"})
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["TAP_AKENEO_ASSETS_LOGLEVEL or LOGLEVEL: Unknown level: 'LOUD'"]


def test_a_full_disk(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110  # a device
        pytest.skip("this system has no device that is always full")
    log = tmp_path / "log"
    with serve(demo_pim(3, 3)) as server, open("/dev/full", "wb") as full, log.open("wb") as stderr:  # noqa: PTH123
        command = [sys.executable, "-m", "tap_akeneo_assets", "--config=ENV"]
        done = subprocess.run(command, stdout=full, stderr=stderr, env=environment(server.url), check=False)  # noqa: S603
    assert done.returncode == 1
    text = log.read_text()
    assert "Nothing more can be written: No space left on device." in text
    assert "Traceback" not in text
