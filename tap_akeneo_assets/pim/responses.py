"""What an answer means, and what a person can do about it. Pure: nothing here asks the PIM, waits or logs."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from http.client import IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from tap_akeneo_assets.errors import AkeneoError, Fatal, Forbidden, NotFound, Refused, RequestFailed, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator


REST_ROOT = "/api/rest/v1"
TOKEN_PATH = "/api/oauth/v1/token"  # noqa: S105  # an address, no secret

FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 300.0
MAX_QUOTED_CHARACTERS = 300

_PASSWORD_FIELD = re.compile(rb"""<input\b[^>]*\btype\s*=\s*["']?password\b""", re.IGNORECASE)
_SECONDS = re.compile(r"\d+(\.\d*)?", re.ASCII)

_PASSING = frozenset({408, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_LOGIN = "api_url must be the address of the PIM's API, reachable without one"
_UNREADABLE_BUNDLE = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment names no file of certificates."
_FAILURES: tuple[tuple[type[BaseException], str], ...] = (
    (requests.exceptions.ConnectTimeout, "no connection in time"),
    (requests.exceptions.ProxyError, "no connection by the proxy"),
    (urllib3.exceptions.DecodeError, "a body that cannot be decompressed"),
    (socket.gaierror, "host not found"),
    (ConnectionRefusedError, "connection refused"),
    (TimeoutError, "no answer in time"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
    (RemoteDisconnected, "connection dropped without an answer"),
    (IncompleteRead, "a body cut short"),
    (ConnectionError, "connection dropped"),
)

Clean: TypeAlias = Callable[[str], str]


_JSON_KINDS: Mapping[int, type[RequestFailed]] = {400: Refused, 403: Forbidden, 404: NotFound, 422: Refused}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What was asked for, as messages name it and as its answer is judged.

    Attributes:
        method: `GET`, or `POST` for a token.
        api_url: the PIM's address, normalised.
        api_path: the path below it, from `/api/` on, percent-encoded.
    """

    method: str
    api_url: str
    api_path: str

    def __str__(self) -> str:
        """What was asked for, without the host and the query."""
        return f"{self.method} {self.api_path}"

    @property
    def url(self) -> str:
        """The address asked, without a query."""
        return self.api_url + self.api_path

    @property
    def is_token(self) -> bool:
        """Whether a token was asked for."""
        return self.api_path == TOKEN_PATH

    @property
    def is_media(self) -> bool:
        """Whether the bytes of a media file were asked for, which need not be JSON."""
        return self.api_path.startswith(f"{REST_ROOT}/asset-media-files/")

    @property
    def concerns_all(self) -> bool:
        """Whether nothing can be read without it: the token and the list of families."""
        return self.is_token or self.api_path == f"{REST_ROOT}/asset-families"

    @property
    def concerns_assets(self) -> bool:
        """Whether the permission for assets is needed, not that for families."""
        return self.is_media or self.api_path.removeprefix(REST_ROOT).split("/")[3:4] == ["assets"]


@dataclass(frozen=True, slots=True)
class Retry:
    """Worth another try.

    Attributes:
        reason: why, for the log and for the line when tries run out.
        after: the seconds that the PIM asks to wait, if it does.
        crowded: whether the PIM has too many requests (429), so that all others should wait too.
    """

    reason: str
    after: float | None = None
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Denied(Retry):
    """Worth another try with another token: this one was refused (401).

    Attributes:
        message: the PIM's own, in one line, or "".
    """

    message: str = ""


Verdict: TypeAlias = Retry | AkeneoError | None


def judge_answer(  # noqa: PLR0913  # an answer has that many parts
    asked: RequestInfo, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime, clean: Clean = str
) -> Verdict:
    """Judge an answer by the vendor's rules: 408, 429 and 5xx pass, and so does what proxies do beyond.

    Args:
        asked: what was asked for.
        status: the HTTP status.
        headers: the answer's headers; names in any case if the mapping takes them so.
        body: the decoded body.
        now: the local time, for a `Retry-After` with a date in an answer without a `Date`.
        clean: takes secrets out of a text of the PIM before it is quoted.

    Returns:
        None for a good answer, otherwise what to do about it.
    """
    if status in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION):
        return _judge_body(asked, headers, body)
    if status in _PASSING or 500 <= status < 600:  # noqa: PLR2004
        return Retry(describe(status), retry_after(headers, now), crowded=status == HTTPStatus.TOO_MANY_REQUESTS)
    if 200 <= status < 300:  # noqa: PLR2004
        return Retry(f"{describe(status)} instead of 200")
    if status in _REDIRECTS:
        return _redirected(asked, status, clean(headers.get("Location", "")))
    reason = pim_message(body, clean)
    if status == HTTPStatus.UNAUTHORIZED and not asked.is_token:
        return Denied(describe(status), message=reason)
    kind = RequestFailed if asked.is_token else _JSON_KINDS.get(status, RequestFailed)
    line = (
        _permission_line(assets=asked.concerns_assets) if kind is Forbidden else f"{asked}: {describe(status, reason)}."
    )
    return kind(line, status=status, reason=reason)


def judge_failure(asked: RequestInfo, error: Exception, *, answered: bool) -> Retry | AkeneoError:
    """Judge what came instead of an answer.

    Args:
        asked: what was asked for.
        error: what `requests` or `urllib3` raised.
        answered: whether anything has been answered in this run: an unknown host is a typing error before, a passing
            fault of the network after.

    Returns:
        What to do about it. No text of the exception is quoted: it may hold queries or a proxy's password.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = cause.verify_message.rstrip(".")
            return Fatal(
                f"The TLS certificate of {asked.api_url} is not trusted: {reason}. If an authority of your own "
                "issued it, name that authority's file in the environment variable REQUESTS_CA_BUNDLE."
            )
        if isinstance(cause, socket.gaierror) and not answered:
            return Fatal(f"The host of {asked.api_url} is not found ({cause.strerror}): check api_url.")
        if type(cause) is OSError and "CA certificate" in str(cause):
            return Fatal(_UNREADABLE_BUNDLE)
        if isinstance(cause, ssl.SSLError) and getattr(cause, "library", None) in ("X509", "PEM"):
            return Fatal(_UNREADABLE_BUNDLE)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return Fatal(
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY in the environment is not the address of a proxy that is supported."
        )
    return Retry(_describe_failure(error, causes))


def back_off(failures: int, after: float | None, random: Callable[[], float]) -> float:
    """How long to wait before the next try: exponential with full jitter, and never shorter than the PIM asks.

    Args:
        failures: the number of tries that failed, from 1 on.
        after: the seconds that the PIM asks to wait, if it does.
        random: gives numbers from 0 to 1.

    Returns:
        Seconds: at most 60, or `after` if that is longer.
    """
    doublings = min(failures - 1, 10)
    wait: float = random() * min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**doublings)
    return max(wait, after or 0.0)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that an answer asks for: `Retry-After` in seconds or as a date.

    A date counts from the answer's own `Date`, so that clocks that differ do no harm, else from `now`.

    Returns:
        Seconds, at most 300; None when there is none, or one in the past or that makes no sense.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    date = http_date(text)
    if date is None:
        return None
    seconds = (date - (http_date(headers.get("Date", "")) or now)).total_seconds()
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if seconds >= 0 else None


@lru_cache(maxsize=64)
def http_date(text: str) -> datetime | None:
    """An HTTP-date with its offset; None for anything else."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def pim_message(body: bytes, clean: Clean = str) -> str:
    """The PIM's own message in an error's body, in one line without secrets; "" when there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = answer.get("message") if isinstance(answer, dict) else None
    return quotable(message, clean) if isinstance(message, str) else ""


def quotable(text: str, clean: Clean) -> str:
    """A foreign text fit for a message: without secrets, in one line, and short."""
    # Secrets go first: a shortened or unfolded one would not be known any more.
    line = one_line(clean(text))
    return line if len(line) <= MAX_QUOTED_CHARACTERS else line[: MAX_QUOTED_CHARACTERS - 1] + "…"


def describe(status: int, reason: str = "") -> str:
    """A status with its name and the PIM's own message: `404 Not Found ("…")`."""
    try:
        name = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = str(status)
    return f'{name} ("{reason}")' if reason else name


def _judge_body(asked: RequestInfo, headers: Mapping[str, str], body: bytes) -> Verdict:
    # Both return the body itself, not a copy, when there is nothing to strip.
    inner = body.lstrip(b"\xef\xbb\xbf \t\r\n").rstrip()
    if not asked.is_media and (inner[:1] + inner[-1:]) in (b"{}", b"[]"):
        return None
    html = "html" in headers.get("Content-Type", "").lower() or (not asked.is_media and inner[:1] == b"<")
    if html and _PASSWORD_FIELD.search(body):
        return _astray(asked, f"{asked.url} answers with a login page: {_NO_LOGIN}.")
    if asked.is_media:
        return None
    return Retry(f"200 with {'HTML instead of' if html else 'a body that is not'} JSON")


def _redirected(asked: RequestInfo, status: int, location: str) -> AkeneoError:
    try:
        target = urlsplit(urljoin(asked.url, location))
    except ValueError:
        return _astray(asked, f"{asked.url} redirects to what is no address: check api_url.", status)
    origin = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
    if target.path.endswith(asked.api_path):
        address = quotable(origin + target.path.removesuffix(asked.api_path), str)
        if address != asked.api_url:
            return _astray(asked, f"{asked.api_url} redirects to {address} : set api_url to that.", status)
    line = f"{asked.url} redirects to {quotable(origin + target.path, str)} : if that is a login page, {_NO_LOGIN}."
    return _astray(asked, line, status)


def _astray(asked: RequestInfo, line: str, status: int = 200) -> AkeneoError:
    return Fatal(line) if asked.concerns_all else RequestFailed(line, status=status)


def _permission_line(*, assets: bool) -> str:
    permission, scope = ("List assets", "read_assets") if assets else ("List asset families", "read_asset_families")
    return (
        f'403 Forbidden: in the role of the connection\'s user, tick "{permission}" under Web API permissions, and '
        f'"Overall Web API access"; an App needs the scope {scope}.'
    )


def _describe_failure(error: Exception, causes: list[BaseException]) -> str:
    for kind, description in _FAILURES:
        if any(isinstance(cause, kind) for cause in causes):
            return description
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return f"TLS broken off ({getattr(cause, 'reason', None)})"
        if type(cause) is OSError and cause.strerror:
            return f"no connection ({cause.strerror})"
    return f"no valid HTTP answer ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it was made from: `requests` and `urllib3` wrap what really happened several times."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        pending += [cause.__context__, cause.__cause__, getattr(cause, "reason", None), *cause.args]
