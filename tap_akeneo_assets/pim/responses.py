"""What an answer means, and what a person can do about it. Pure: nothing here asks the PIM, waits or logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin, urlsplit

from tap_akeneo_assets.errors import AkeneoError, Fatal, Forbidden, NotFound, Refused, RequestFailed, one_line
from tap_akeneo_assets.pim.foreign_pages import has_login_form, is_html, page_title, server_name
from tap_akeneo_assets.pim.waits import retry_after

if TYPE_CHECKING:
    from datetime import datetime


REST_ROOT = "/api/rest/v1"
TOKEN_PATH = "/api/oauth/v1/token"  # noqa: S105  # an address, no secret

# Two lines of a terminal; the PIM's longest known message has 200.
MAX_QUOTED_CHARACTERS = 300
# Of names and titles that others choose.
MAX_NAME_CHARACTERS = 80
# Far more than is quoted, so that no secret that is quoted is cut before it is blanked.
MAX_CLEANED_CHARACTERS = 64 * 1024

# What https://api.akeneo.com/documentation/limitations.html asks to send again, besides all 5xx; 425 is what
# proxies answer while a connection is too young (RFC 8470).
_PASSING = frozenset({408, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_LOGIN = "api_url must be the address of the PIM's API, reachable without one"

PROXY_WANTS_LOGIN = (
    "The proxy wants a login: put user and password into HTTP_PROXY or HTTPS_PROXY in the environment, or name the "
    "PIM's host in NO_PROXY."
)

Clean: TypeAlias = Callable[[str], str]

_KINDS: Mapping[int, type[RequestFailed]] = {400: Refused, 403: Forbidden, 404: NotFound, 422: Refused}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request, as messages name it and as its answer is judged.

    Attributes:
        method: `GET`, or `POST` for a token.
        api_url: the PIM's address, normalised.
        api_path: the path below it, from `/api/` on, percent-encoded.
    """

    method: str
    api_url: str
    api_path: str

    def __str__(self) -> str:
        """The request without the host and the query."""
        return f"{self.method} {self.api_path}"

    @property
    def url(self) -> str:
        """The address, without the query."""
        return self.api_url + self.api_path

    @property
    def is_token(self) -> bool:
        """Whether it asks for a token."""
        return self.api_path == TOKEN_PATH

    @property
    def is_media(self) -> bool:
        """Whether it asks for the bytes of a media file, which need not be JSON."""
        return self.api_path.startswith(f"{REST_ROOT}/asset-media-files/")

    @property
    def is_needed_by_all(self) -> bool:
        """Whether nothing can be read without it: the token and the list of families."""
        return self.is_token or self.api_path == f"{REST_ROOT}/asset-families"

    @property
    def needs_right_to_assets(self) -> bool:
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
        message: the PIM's own, in one line; "" if the answer was not the PIM's.
        refuser: who refused, if it was not the PIM.
    """

    message: str = ""
    refuser: str = ""


Verdict: TypeAlias = Retry | AkeneoError | None


def judge_answer(  # noqa: PLR0913  # an answer has that many parts
    request_info: RequestInfo,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    clean: Clean = str,
) -> Verdict:
    """Judge an answer by the vendor's rules: 408, 429 and 5xx pass, and so does what proxies do beyond.

    The rules are those of https://api.akeneo.com/documentation/responses.html and
    https://api.akeneo.com/documentation/limitations.html .

    Args:
        request_info: what it answers.
        status: the HTTP status.
        headers: the answer's headers; names in any case if the mapping takes them so.
        body: the decoded body, or what there is of it.
        now: the local time, for a `Retry-After` with a date in an answer without a `Date`.
        clean: takes secrets out of a foreign text before it is quoted.

    Returns:
        None for an answer whose body can be read, otherwise what to do about it.
    """
    if is_good(status):
        return _judge_page(request_info, headers, body)
    if status in _PASSING or 500 <= status < 600:  # noqa: PLR2004
        return Retry(describe(status), retry_after(headers, now), crowded=status == HTTPStatus.TOO_MANY_REQUESTS)
    if 200 <= status < 300:  # noqa: PLR2004
        return Retry(f"{describe(status)} instead of 200")
    if status in _REDIRECTS:
        return _redirected(request_info, status, clean(headers.get("Location", "")))
    return _judge_refusal(request_info, status, headers, body, clean)


def is_good(status: int) -> bool:
    """Whether a status promises what was asked for; 203 is a 200 that a proxy has changed something in."""
    return status in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION)


def pim_message(body: bytes, clean: Clean = str) -> str:
    """The message of the PIM's own error, in one line without secrets; "" if the body is not such an error.

    It has a `code` and a `message` (https://api.akeneo.com/documentation/responses.html); what else sends JSON, such as
    a gateway, seldom has both.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = answer.get("message") if isinstance(answer, dict) and "code" in answer else None
    return quotable(message, clean) if isinstance(message, str) else ""


def describe_refuser(headers: Mapping[str, str], body: bytes, clean: Clean = str) -> str:
    """Who sent an answer that is not the PIM's, as far as it tells: `a front server, which calls itself "nginx"`."""
    what = "a proxy or front server" if headers.get("Via") else "a front server"
    name = quotable(server_name(headers), clean, MAX_NAME_CHARACTERS)
    title = quotable(page_title(body), clean, MAX_NAME_CHARACTERS) if is_html(headers, body) else ""
    parts = [f'calls itself "{name}"'] if name else []
    parts += [f'shows a page "{title}"'] if title else []
    return f"{what}, which {' and '.join(parts)}" if parts else what


def quotable(text: str, clean: Clean, longest: int = MAX_QUOTED_CHARACTERS) -> str:
    """A foreign text fit for a message: without secrets, in one line, and short."""
    # Secrets go first: a shortened or unfolded one would not be known any more.
    line = one_line(clean(text[:MAX_CLEANED_CHARACTERS]))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def describe(status: int, reason: str = "") -> str:
    """A status with its name and the PIM's own message: `404 Not Found ("…")`."""
    try:
        name = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = str(status)
    return f'{name} ("{reason}")' if reason else name


def _judge_refusal(
    request_info: RequestInfo, status: int, headers: Mapping[str, str], body: bytes, clean: Clean
) -> Retry | AkeneoError:
    reason = pim_message(body, clean)
    refuser = "" if reason else describe_refuser(headers, body, clean)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return Fatal(f"{PROXY_WANTS_LOGIN} {describe(status)} came from {refuser or 'the PIM'}.")
    if status == HTTPStatus.UNAUTHORIZED and not request_info.is_token:
        return Denied(describe(status), message=reason, refuser=refuser)
    kind = RequestFailed if request_info.is_token else _KINDS.get(status, RequestFailed)
    line = _refusal_line(request_info, status, reason, refuser)
    return kind(line, status=status, reason=reason)


def _judge_page(request_info: RequestInfo, headers: Mapping[str, str], body: bytes) -> Verdict:
    if not is_html(headers, body):
        return None
    if has_login_form(body):
        return _astray(request_info, f"{request_info.url} answers with a login page: {_NO_LOGIN}.")
    return None if request_info.is_media else Retry("200 with HTML instead of JSON")


def _redirected(request_info: RequestInfo, status: int, location: str) -> AkeneoError:
    try:
        target = urlsplit(urljoin(request_info.url, location))
    except ValueError:
        return _astray(request_info, f"{request_info.url} redirects to what is no address: check api_url.", status)
    origin = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
    if target.path.endswith(request_info.api_path):
        address = quotable(origin + target.path.removesuffix(request_info.api_path), str)
        if address != request_info.api_url:
            line = f"{request_info.api_url} redirects to {address} : set api_url to that."
            return _astray(request_info, line, status)
    address = quotable(origin + target.path, str)
    line = f"{request_info.url} redirects to {address} : if that is a login page, {_NO_LOGIN}."
    return _astray(request_info, line, status)


def _astray(request_info: RequestInfo, line: str, status: int = 200) -> AkeneoError:
    return Fatal(line) if request_info.is_needed_by_all else RequestFailed(line, status=status)


def _refusal_line(request_info: RequestInfo, status: int, reason: str, refuser: str) -> str:
    if status == HTTPStatus.FORBIDDEN and refuser:
        # The same for all resources, so that families that fail by it are told together.
        line = (
            f"403 Forbidden, not by the PIM but by {refuser}: let its operator allow the address of this machine, or "
            "set user_agent to one that it lets through."
        )
        return f"The token route answers {line}" if request_info.is_token else line
    if request_info.is_token and refuser:
        return (
            f"The token route answers {describe(status)}, as no PIM would: check api_url, and what stands in front of "
            f"the PIM. The answer came from {refuser}."
        )
    if status == HTTPStatus.FORBIDDEN and not request_info.is_token:
        return _permission_line(is_about_assets=request_info.needs_right_to_assets)
    origin = f" from {refuser}" if refuser else ""
    return f"{request_info}: {describe(status, reason)}{origin}."


def _permission_line(*, is_about_assets: bool) -> str:
    # https://api.akeneo.com/documentation/permissions.html
    permission, scope = (
        ("List assets", "read_assets") if is_about_assets else ("List asset families", "read_asset_families")
    )
    return (
        f'403 Forbidden: in the role of the connection\'s user, tick "{permission}" under Web API permissions, and '
        f'"Overall Web API access"; an App needs the scope {scope}.'
    )
