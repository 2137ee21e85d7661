"""Tokens: when they are asked for, by whom, and that nobody else learns of them."""

from __future__ import annotations

import base64
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from tap_akeneo_assets.errors import Fatal, RequestFailed
from tap_akeneo_assets.pim.auth import (
    AppToken,
    Grant,
    PasswordGrant,
    Tokens,
    login_refused,
    stray_ends,
    token_refused,
)
from tap_akeneo_assets.pim.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTION = PasswordGrant("id", "se:crét", "api_user", "pass/w+rd")
WRONG_CLIENT = 'Parameter "client_id" is missing or does not match any client, or secret is invalid'


class TokenRoute:
    """Answers token requests; `answers` holds what it raises or grants next, otherwise it grants a fresh token."""

    def __init__(self, *answers: Exception | Grant | None, lifetime: float = 3600) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.now = 0.0
        self.lifetime = lifetime

    def ask(self, authorization: str, body: Mapping[str, str]) -> Grant:
        assert authorization == CONNECTION.authorization
        self.asked.append(body.get("refresh_token", body["grant_type"]))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        number = len(self.asked)
        return answer or Grant(f"token-{number}", f"refresh-{number}", self.lifetime)

    def tokens(self) -> Tokens:
        return Tokens(CONNECTION, self.ask, lambda: self.now)


def test_a_token_is_asked_for_once() -> None:
    route = TokenRoute()
    tokens = route.tokens()
    assert [tokens.token(), tokens.token()] == ["token-1", "token-1"]
    assert route.asked == ["password"]


@pytest.mark.parametrize(("lifetime", "kept", "renewed"), [(3600, 3569, 3571), (2, 1.4, 1.6), (40, 29, 31)])
def test_a_token_is_renewed_shortly_before_its_end(lifetime: float, kept: float, renewed: float) -> None:
    route = TokenRoute(lifetime=lifetime)
    tokens = route.tokens()
    tokens.token()
    route.now = kept
    assert tokens.token() == "token-1"
    route.now = renewed
    assert tokens.token() == "token-2"
    assert route.asked == ["password", "refresh-1"]


def test_a_refused_token_is_renewed_and_one_renewed_meanwhile_is_not() -> None:
    route = TokenRoute()
    tokens = route.tokens()
    tokens.token()
    assert tokens.token(stale="token-1") == "token-2"
    assert tokens.token(stale="token-1") == "token-2"


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_when_the_refresh_is_refused_the_password_is_good(status: int) -> None:
    route = TokenRoute(None, RequestFailed("no", status=status, reason="Refresh token is invalid or has expired"))
    tokens = route.tokens()
    assert tokens.token(stale=tokens.token()) == "token-3"
    assert route.asked == ["password", "refresh-1", "password"]


def test_without_a_refresh_token_the_password_is_sent_again() -> None:
    route = TokenRoute(Grant("only", None, 3600))
    tokens = route.tokens()
    assert tokens.token(stale=tokens.token()) == "token-2"
    assert route.asked == ["password", "password"]


def test_wrong_credentials_are_sent_once() -> None:
    route = TokenRoute(RequestFailed("no", status=422, reason=WRONG_CLIENT))
    tokens = route.tokens()
    for _ in range(3):
        with pytest.raises(Fatal, match="client_id or client_secret"):
            tokens.token()
    assert route.asked == ["password"]


def test_threads_share_one_request() -> None:
    together = threading.Barrier(8)
    route = TokenRoute()
    tokens = route.tokens()

    def token() -> str:
        together.wait()
        return tokens.token()

    with ThreadPoolExecutor(8) as pool:
        assert {future.result() for future in [pool.submit(token) for _ in range(8)]} == {"token-1"}
    assert route.asked == ["password"]


def test_an_apps_token_is_always_the_same() -> None:
    tokens = Tokens(AppToken("app-token"), TokenRoute().ask, lambda: 0.0)
    assert tokens.token(stale=tokens.token()) == "app-token"


@pytest.mark.parametrize("token", ["", "two words", "line\n", "tökén"])
def test_what_no_header_can_carry_is_refused_unrepeated(token: str) -> None:
    with pytest.raises(ValueError, match="access_token") as refused:
        AppToken(token)
    assert not token or token not in str(refused.value)


def test_credentials_do_not_show() -> None:
    assert "crét" not in repr(CONNECTION)
    assert "w+rd" not in repr(CONNECTION)
    assert "secret" not in repr(Grant("secret", "secret", 1)).replace("secret=", "")


def test_the_header_is_basic_in_utf_8() -> None:
    scheme, encoded = CONNECTION.authorization.split()
    assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", "id:se:crét")


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        (3600, 3600.0),
        (2, 2.0),
        (0.5, 0.5),
        ("7200", 7200.0),
        (None, 3600.0),
        (0, 3600.0),
        (-5, 3600.0),
        ("soon", 3600.0),
        (True, 3600.0),
        ([], 3600.0),
        (10**400, 3600.0),
    ],
)
def test_the_lifetime_may_be_anything(expires_in: object, lifetime: float) -> None:
    grant = Grant.parse(json.dumps({"access_token": "a", "refresh_token": "r", "expires_in": expires_in}).encode())
    assert grant == Grant("a", "r", lifetime)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"access_token": null}',
        b'{"access_token": ""}',
        b'{"access_token": "a\\nb"}',
        b"[" * 100_000,
    ],
)
def test_what_holds_no_token_is_no_grant(body: bytes) -> None:
    assert Grant.parse(body) is None


@pytest.mark.parametrize("refresh_token", [None, "", 3])
def test_a_grant_may_lack_a_refresh_token(refresh_token: object) -> None:
    body = json.dumps({"access_token": "a", "refresh_token": refresh_token}).encode()
    assert Grant.parse(body) == Grant("a", None, 3600.0)


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (422, WRONG_CLIENT, "client_id or client_secret: 422"),
        (422, WRONG_CLIENT, "strip the Authorization header"),
        (422, "No user found for the given username and password", "refuses username or password"),
        (400, "Nope", "client_id, client_secret, username or password"),
        (404, "No route found", "check api_url"),
        (405, "Method not allowed", "check api_url"),
    ],
)
def test_a_refused_login_says_what_to_check(status: int, reason: str, words: str) -> None:
    assert words in login_refused(status, reason)
    assert reason in login_refused(status, reason)


def test_a_refused_token_says_what_to_check() -> None:
    assert "revoked" in token_refused(AppToken("app-token"), "")
    assert '"Expired."' in token_refused(CONNECTION, "Expired.")
    foreign = token_refused(CONNECTION, "", "a front server")
    assert "not by the PIM but by a front server" in foreign
    assert "PIM refuses" not in foreign


def test_a_login_that_is_refused_by_others_than_the_pim_is_told_in_their_line() -> None:
    tokens = TokenRoute(RequestFailed("403 by a wall", status=403)).tokens()
    with pytest.raises(Fatal, match=r"^403 by a wall$"):
        tokens.token()


SECRETS = ["pass/w+rd", "se:crét", 'quo"te\\', "a b&c=d%20", "emoji 🎨"]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_blanked_in_every_spelling(secret: str) -> None:
    clean = Redactor(secret, f"id:{secret}").clean
    spellings = [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower() if secret.islower() else quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        repr(secret)[1:-1],
        base64.b64encode(secret.encode()).decode().rstrip("="),
        base64.b64encode(f"id:{secret}".encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    ]
    for spelling in spellings:
        assert clean(f"<{spelling}>") == "<***>"


@pytest.mark.parametrize("secret", SECRETS)
def test_a_text_is_a_secret_only_as_a_whole(secret: str) -> None:
    redactor = Redactor(secret)
    assert all(map(redactor.is_secret, (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode())))
    assert not redactor.is_secret(f"{secret}x")


def test_the_longest_secret_goes_first() -> None:
    assert Redactor("abcd", "abcdefgh").clean("abcdefgh abcd") == "*** ***"


def test_a_secret_too_short_to_be_one_garbles_nothing() -> None:
    assert Redactor("", "a", "pim").clean("a pim in spring") == "a pim in spring"


def test_only_the_latest_tokens_are_kept_in_mind_but_all_settings() -> None:
    redactor = Redactor("password")
    for number in range(150):
        redactor.add_tokens(f"access-{number:03}", f"refresh-{number:03}")
    redactor.add_tokens("last-token", None)
    assert redactor.clean("access-149 last-token password") == "*** *** ***"
    assert redactor.clean("access-000") == "access-000"


class Lines(logging.Handler):
    """Keeps what it is given, formatted."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def record(message: object, *args: object, **rest: object) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.INFO, "x.py", 1, message, args, None)
    made.__dict__.update(rest)
    return made


@pytest.fixture
def handler() -> Lines:
    lines = Lines()
    Redactor("hunter22").install(lines)
    return lines


def test_messages_and_arguments_are_cleaned(handler: Lines) -> None:
    handler.handle(record("got %s and %r", "hunter22", {"password": "hunter22"}))
    handler.handle(record("got %d", 3))
    assert handler.lines == ["got *** and {'password': '***'}", "got 3"]


def test_a_message_that_does_not_fit_its_arguments_is_cleaned(handler: Lines) -> None:
    handler.handle(record("got %d", "hunter22"))
    assert handler.lines == ["got %d ('***',)"]


def test_tracebacks_and_stacks_are_cleaned(handler: Lines) -> None:
    try:
        raise ValueError("no hunter22")  # noqa: TRY301  # a traceback is wanted
    except ValueError:
        handler.handle(record("failed", exc_info=sys.exc_info(), stack_info="at hunter22"))
    assert "ValueError: no ***" in handler.lines[0]
    assert "at ***" in handler.lines[0]


def test_a_traceback_without_secrets_is_left_to_the_formatter(handler: Lines) -> None:
    try:
        raise ValueError("no")  # noqa: TRY301  # a traceback is wanted
    except ValueError:
        handler.handle(record("failed", exc_info=sys.exc_info()))
    assert "ValueError: no" in handler.lines[0]


@pytest.mark.parametrize("name", ["client_id", "client_secret", "username", "password"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("middle 'x' \n of", None),
        ("", None),
        (" hunter2", "begins with a blank"),
        ("hunter2\t", "ends with a blank"),
        ("hunter2\u00a0", "ends with a blank"),
        ("\ufeffhunter2", "begins with a blank"),
        ("hunter2\r\n", "ends with a line break"),
        ('"hunter2"', "begins with a quotation mark and ends with a quotation mark"),
        ("\u201chunter2 ", "begins with a quotation mark and ends with a blank"),
    ],
)
def test_what_was_pasted_with_a_credential_is_told_once_it_is_refused(name: str, text: str, told: str | None) -> None:
    parts = {"client_id": "id", "client_secret": "secret", "username": "user", "password": "word", name: text}
    hint = stray_ends(PasswordGrant(**parts))
    assert hint == (f" Was something pasted with them? {name} {told}." if told else "")
    assert "hunter2" not in hint
    for reason in (WRONG_CLIENT, "No user found for the given username and password", "No."):
        assert login_refused(422, reason, hint).endswith(hint)
    assert login_refused(404, "Not Found", hint) == login_refused(404, "Not Found")


def test_a_token_may_be_pasted_with_its_quotation_marks() -> None:
    line = token_refused(AppToken("'t0ken'"), "")
    assert line.endswith("access_token begins with a quotation mark and ends with a quotation mark.")
    assert "t0ken" not in line
