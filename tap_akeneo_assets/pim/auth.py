"""Credentials, the tokens got for them, and keeping both out of every text."""

from __future__ import annotations

import base64
import json
import logging
import math
import re
import threading
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from tap_akeneo_assets.errors import Fatal, RequestFailed
from tap_akeneo_assets.pim.responses import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# The PIM's own default (https://api.akeneo.com/documentation/authentication.html).
DEFAULT_LIFETIME_SECONDS = 3600.0
# A request may wait that long between getting its token and being judged by it.
MAX_MARGIN_SECONDS = 30.0
# A sound answer has some 300 bytes.
MAX_GRANT_BYTES = 64 * 1024

_QUOTATION_MARKS = "\"'`\u00b4\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
# Zero-width space and byte order mark: what `isspace` leaves out.
_INVISIBLE = "\u200b\ufeff"
_TOKEN = re.compile(r"[\x21-\x7e]+")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PasswordGrant:
    """A connection's credentials."""

    client_id: str
    client_secret: str = field(repr=False)
    username: str
    password: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """The `Authorization` header of token requests: Basic, in UTF-8, any character allowed."""
        pair = f"{self.client_id}:{self.client_secret}"
        return f"Basic {base64.b64encode(pair.encode('utf-8', 'surrogatepass')).decode()}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must show nowhere."""
        return self.client_secret, self.password, f"{self.client_id}:{self.client_secret}"


@dataclass(frozen=True, slots=True)
class AppToken:
    """An App's token, without end until a user of the PIM revokes it.

    Raises:
        ValueError: the text can be no token; it is not repeated.
    """

    access_token: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what no header can carry, before the HTTP library does so and repeats it."""
        if not _TOKEN.fullmatch(self.access_token):
            raise ValueError("access_token is empty, or holds blanks, line breaks or letters that no token has.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must show nowhere."""
        return (self.access_token,)


Credentials: TypeAlias = PasswordGrant | AppToken


@dataclass(frozen=True, slots=True)
class Grant:
    """A token route's answer.

    Attributes:
        access_token: the bearer token.
        refresh_token: good for one renewal; None when there is none.
        lifetime: seconds from the answer on.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    lifetime: float

    @classmethod
    def parse(cls, body: bytes) -> Grant | None:
        """The grant in an answer's body; None if there is no usable token in it.

        `expires_in` may be of any length on premises; one that is absent or makes no sense counts as the default hour:
        a token that ends sooner is renewed when it is refused.
        """
        if len(body) > MAX_GRANT_BYTES:
            return None
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(answer, dict):
            return None
        token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            return None
        usable = isinstance(refresh_token, str) and refresh_token
        return cls(token, refresh_token if usable else None, _lifetime(answer.get("expires_in")))


class Tokens:
    """The one token that all threads share.

    Args:
        credentials: what to get tokens for.
        ask: sends an `Authorization` header and a JSON body to the token route, by the client's rule for retries, and
            gives the grant; raises `RequestFailed` for an answer 4xx.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self, credentials: Credentials, ask: Callable[[str, Mapping[str, str]], Grant], monotonic: Callable[[], float]
    ) -> None:
        self._credentials = credentials
        self._ask = ask
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._held: tuple[Grant, float] | None = None
        self._refusal: str | None = None

    def token(self, stale: str | None = None) -> str:
        """A token to send now; waits while another thread gets one.

        Args:
            stale: a token that the PIM has refused: another one than this is wanted.

        Returns:
            The token. An App's is always the same.

        Raises:
            Fatal: the PIM refuses the credentials, now or earlier in this run.
        """
        if isinstance(self._credentials, AppToken):
            return self._credentials.access_token
        token = self._current(stale)
        if token is not None:
            return token
        with self._lock:
            token = self._current(stale)
            if token is not None:
                return token
            if self._refusal is not None:
                # Each waiting thread would ask anew, and wrong logins by the dozen get accounts locked.
                raise Fatal(self._refusal)
            began = self._monotonic()
            try:
                grant = self._renew(self._credentials)
            except Fatal as error:
                self._refusal = str(error)
                raise
            margin = min(MAX_MARGIN_SECONDS, grant.lifetime / 4)
            self._held = grant, began + grant.lifetime - margin
            return grant.access_token

    @property
    def held(self) -> str | None:
        """A token to send now; None if the PIM has to be asked for one."""
        return self._credentials.access_token if isinstance(self._credentials, AppToken) else self._current(None)

    def _current(self, stale: str | None) -> str | None:
        if self._held is None:
            return None
        grant, renew_at = self._held
        return grant.access_token if grant.access_token != stale and self._monotonic() < renew_at else None

    def _renew(self, credentials: PasswordGrant) -> Grant:
        refresh_token = self._held[0].refresh_token if self._held else None
        self._held = None
        if refresh_token is not None:
            try:
                return self._ask(
                    credentials.authorization, {"grant_type": "refresh_token", "refresh_token": refresh_token}
                )
            except RequestFailed as error:
                # The vendor refuses refresh tokens at any time; the password stays good.
                logger.info("The PIM does not take the refresh token (%s): logging in again", error.status)
        try:
            return self._ask(
                credentials.authorization,
                {"grant_type": "password", "username": credentials.username, "password": credentials.password},
            )
        except RequestFailed as error:
            if not error.reason:
                raise Fatal(str(error)) from error
            raise Fatal(login_refused(error.status or 0, error.reason, stray_ends(credentials))) from error


def login_refused(status: int, reason: str, hint: str = "") -> str:
    """What to do about a login that the PIM refuses: the line for the user.

    Args:
        status: the token route's status.
        reason: the PIM's own message.
        hint: what looks odd about the credentials, from `stray_ends`.
    """
    answer = describe(status, reason)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return f"The token route answers {answer}, as no PIM would: check api_url, and what stands in front of the PIM."
    stripped = "If they are right, a web server in front of the PIM may strip the Authorization header."
    if "client" in reason.lower():
        return f"The PIM refuses client_id or client_secret: {answer}. {stripped}{hint}"
    if "user" in reason.lower() or "password" in reason.lower():
        return f"The PIM refuses username or password: {answer}.{hint}"
    return f"The PIM refuses client_id, client_secret, username or password: {answer}. {stripped}{hint}"


def token_refused(credentials: Credentials, reason: str, refuser: str = "") -> str:
    """The line for the user when a token keeps being answered with 401.

    Args:
        credentials: what the token was got for.
        reason: the PIM's own message, or "".
        refuser: who refuses, if the answer is not the PIM's.
    """
    answer = describe(HTTPStatus.UNAUTHORIZED, reason)
    if refuser:
        return (
            f"{answer}, not by the PIM but by {refuser}. If it wants a login of its own: api_url must be reachable "
            "without one. If not, the token was revoked or is wrong, or the Authorization header is lost on its way."
        )
    if isinstance(credentials, AppToken):
        advice = f"It was revoked or is wrong: connect the App anew for another.{stray_ends(credentials)}"
        return f"The PIM refuses access_token: {answer}. {advice}"
    return (
        f"The PIM refuses the tokens that it has just given: {answer}. See whether the connection's user is enabled, "
        "and whether a web server in front of the PIM strips the Authorization header."
    )


def stray_ends(credentials: Credentials) -> str:
    """A sentence that names the settings which may have been pasted with more than they are; "" if none looks so.

    Passwords may begin and end with anything, so this is told only once the PIM has refused them.
    """
    found = [
        f"{item.name} {' and '.join(places)}"
        for item in fields(credentials)
        if (places := _stray(getattr(credentials, item.name)))
    ]
    return f" Was something pasted with them? {'; '.join(found)}." if found else ""


def _stray(text: str) -> list[str]:
    return [
        f"{place} with {kind}"
        for place, character in (("begins", text[:1]), ("ends", text[-1:]))
        if (kind := _stray_kind(character))
    ]


def _stray_kind(character: str) -> str | None:
    if not character:
        return None
    if character in _QUOTATION_MARKS:
        return "a quotation mark"
    if character in "\r\n\x85\u2028\u2029":
        return "a line break"
    return "a blank" if character.isspace() or character in _INVISIBLE else None


def _lifetime(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return DEFAULT_LIFETIME_SECONDS
    try:
        seconds = float(expires_in)
    except (ValueError, OverflowError):
        return DEFAULT_LIFETIME_SECONDS
    return seconds if 0 < seconds < math.inf else DEFAULT_LIFETIME_SECONDS
