"""The HTTP client that all streams share: one origin, one token, one gate, one rule for retries. It gives bytes."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import random
import re
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import quote, unquote, unquote_plus, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies

from tap_akeneo_assets.auth import Credentials, Grant, Redactor, Tokens, token_refused
from tap_akeneo_assets.errors import (
    REST_ROOT,
    TOKEN_PATH,
    AkeneoError,
    Asked,
    DamagedPage,
    Denied,
    Fatal,
    RequestFailed,
    Retry,
    Stopped,
    back_off,
    http_date,
    judge_answer,
    judge_failure,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_BODY_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MAX_CONNECTIONS = 10
MAX_DENIALS = 3
LOST_IN_A_ROW = 4

DEFAULT_PORTS = {"http": 80, "https": 443}
JSON_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
MEDIA_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}

_PASTED_ROUTE = re.compile(r"/api/(rest|oauth)/v1(/.*)?$")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
# All that a query may hold; what is encoded already stays so.
_QUERY_CHARACTERS = "!$&'()*+,/:;=?@~%"

logger = logging.getLogger(__name__)


class Answer(NamedTuple):
    """A good answer.

    Attributes:
        body: the bytes, decompressed.
        date: the PIM's clock when it answered, if it tells.
        elapsed: seconds that the try which succeeded took, waits before it not counted.
    """

    body: bytes
    date: datetime | None
    elapsed: float


Outcome: TypeAlias = Answer | Retry | AkeneoError


class Clock:
    """Time, and waits that end when the run does.

    Args:
        stop: set when the run is to end.
    """

    def __init__(self, stop: threading.Event) -> None:
        """Watch an event."""
        self._stop = stop

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait; not at all when there is nothing to wait for.

        Raises:
            Stopped: the run is ending.
        """
        if self._stop.is_set() or (seconds > 0 and self._stop.wait(seconds)):
            raise Stopped


class Gate:
    """Where every request waits for its turn: a token bucket, and one pause for all.

    The bucket holds one second's requests, for the vendor tolerates bursts but no constant over-use.

    Args:
        clock: the time.
        rate: requests a second; 0 for no limit.
    """

    def __init__(self, clock: Clock, rate: float) -> None:
        """Begin with a full bucket."""
        self._clock = clock
        self._rate = rate
        self._lock = threading.Lock()
        self._not_before = self._filled_at = clock.monotonic()
        self._left = self._size = max(1.0, rate)

    def enter(self) -> None:
        """Wait for one's turn.

        Raises:
            Stopped: the run is ending.
        """
        self._clock.wait(0)
        while (wait := self._claim()) > 0:
            self._clock.wait(wait)

    def pause(self, seconds: float) -> None:
        """Let nobody pass for so long, however many are waiting already."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def _claim(self) -> float:
        with self._lock:
            now = self._clock.monotonic()
            if now < self._not_before:
                return self._not_before - now
            if not self._rate:
                return 0.0
            self._left = min(self._size, self._left + (now - self._filled_at) * self._rate)
            self._filled_at = now
            # Without the tolerance, rounding would make a thread wait once more for next to nothing.
            if self._left < 1 - 1e-6:
                return (1 - self._left) / self._rate
            self._left -= 1
            return 0.0


class Client:
    """Asks one PIM, from any number of threads.

    Nothing is sent before the first `get`. Requests go to the origin of `api_url` alone: redirects are not followed,
    cookies not kept, `~/.netrc` not read. TLS is always verified; proxies, `NO_PROXY`, `REQUESTS_CA_BUNDLE` and
    `CURL_CA_BUNDLE` are taken from the environment as it is when the client is made.

    Args:
        api_url: the PIM's address, as `base_url` takes it.
        credentials: a connection's or an App's.
        user_agent: the `User-Agent` header.
        request_timeout_seconds: for connecting and for each read.
        max_retries: tries after the first, a request.
        max_requests_per_second: for all threads together; 0 for no limit.
        stop: set when the run is to end; whoever waits then, or is between two reads, raises `Stopped`.
        redactor: learns every secret and token; its own if none is given.
        clock: the time, for tests.
        random: gives numbers from 0 to 1, for the jitter.

    Raises:
        ValueError: `api_url` or `user_agent` cannot be used; the message repeats neither.
    """

    def __init__(  # noqa: PLR0913  # settings, by name
        self,
        *,
        api_url: str,
        credentials: Credentials,
        user_agent: str,
        request_timeout_seconds: float = 60,
        max_retries: int = 8,
        max_requests_per_second: float = 100,
        stop: threading.Event | None = None,
        redactor: Redactor | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Prepare, without any I/O."""
        if not _PRINTABLE.fullmatch(user_agent):
            raise ValueError("user_agent holds line breaks or letters that no header can carry.")
        self.api_url = base_url(api_url)
        self.redactor = redactor or Redactor()
        self.redactor.add(*credentials.secrets)
        self._credentials = credentials
        self._user_agent = user_agent
        self._timeout = request_timeout_seconds
        self._max_retries = max_retries
        self._stop = stop or threading.Event()
        self._clock = clock or Clock(self._stop)
        self._random = random
        self._gate = Gate(self._clock, max_requests_per_second)
        self._tokens = Tokens(credentials, self._ask_for_token, self._clock.monotonic)
        # An adapter alone does what is wanted of a Session and nothing more.
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=MAX_CONNECTIONS)
        self._proxies: dict[str, str] = get_environ_proxies(self.api_url, no_proxy=None)
        self.redactor.add(*(password for url in self._proxies.values() if (password := urlsplit(url).password)))
        self._verify: bool | str = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._unencrypted = self.api_url.startswith("http://") and not is_loopback(self.api_url)
        self._lock = threading.Lock()
        self._warned: set[str] = set()
        self._answered = False
        self._good_answers = 0
        self._lost_in_a_row = 0

    def get(self, path: str, query: str = "", *, after: Retry | None = None, failures: int = 0) -> Answer:
        """Ask for something until there is a good answer or no hope of one.

        Args:
            path: below `/api/rest/v1`, beginning with a slash, percent-encoded.
            query: encoded, without `?`.
            after: what was wrong with the last answer to the same request, if the caller found it of no use.
            failures: how often that happened already; counts as tries.

        Returns:
            The answer: JSON by its first and last character, or a media file's bytes.

        Raises:
            RequestFailed: this request is lost.
            Fatal: all others are too.
            Stopped: the run is ending.
        """
        asked = Asked("GET", self.api_url, REST_ROOT + path)
        url = f"{asked.url}?{query}" if query else asked.url
        refused: list[str] = []
        known_good = 0

        def attempt() -> Outcome:
            nonlocal known_good
            outcome = self._try_with_token(asked, url, refused)
            if isinstance(outcome, Denied) and len(refused) == 1:
                known_good = self._good_answers
                if self._tokens.token(refused[0]) != refused[0]:
                    outcome = self._try_with_token(asked, url, refused)
            if not isinstance(outcome, Denied):
                return outcome
            if len(refused) < MAX_DENIALS:
                return outcome
            line = token_refused(self._credentials, outcome.message)
            if known_good == self._good_answers:
                return Fatal(line)
            # The token is good for others, so it is this resource that answers so.
            return RequestFailed(f"{asked}: {line}", status=401, reason=outcome.message)

        answer = self._until_answered(asked, attempt, after, failures)
        with self._lock:
            self._good_answers += 1
            self._lost_in_a_row = 0
        return answer

    def warn_of_other_host(self, href: str) -> None:
        """Warn, once a host, of a link that leads to another host than the PIM's; it is not followed there."""
        host = other_host(self.api_url, href)
        if host is not None:
            host = self.redactor.clean(host)
            self._warn_once(f"Links of the PIM lead to {host}; everything is asked of {self.api_url} all the same.")

    def close(self) -> None:
        """Close connections that are not in use."""
        self._adapter.close()

    def _ask_for_token(self, authorization: str, grant_request: Mapping[str, str]) -> Grant:
        asked = Asked("POST", self.api_url, TOKEN_PATH)
        headers = {"Authorization": authorization, "Content-Type": "application/json", **JSON_HEADERS}
        body = json.dumps(grant_request).encode()
        grants: list[Grant] = []

        def attempt() -> Outcome:
            outcome = self._try(asked, lambda: self._request("POST", asked.url, headers, body))
            if not isinstance(outcome, Answer):
                return outcome
            grant = Grant.parse(outcome.body)
            if grant is None:
                return Retry("200 without a token in it")
            self.redactor.add_tokens(grant.access_token, grant.refresh_token)
            grants.append(grant)
            return outcome

        self._until_answered(asked, attempt, None, 0)
        return grants[0]

    def _until_answered(
        self, asked: Asked, attempt: Callable[[], Outcome], after: Retry | None, failures: int
    ) -> Answer:
        if after is not None:
            self._wait(asked, after, max(1, failures))
        while True:
            outcome = attempt()
            if isinstance(outcome, Answer):
                return outcome
            if isinstance(outcome, AkeneoError):
                raise outcome
            failures += 1
            self._wait(asked, outcome, failures)

    def _wait(self, asked: Asked, retry: Retry, failures: int) -> None:
        if failures > self._max_retries:
            raise self._gave_up(asked, retry, failures)
        if self._lost_in_a_row >= LOST_IN_A_ROW and not self._is_alive():
            raise Fatal(
                f"The PIM at {self.api_url} answers no more: {self._lost_in_a_row} requests in a row ran out of tries; "
                f"the last answer, to {asked}: {retry.reason}."
            )
        wait = back_off(failures, retry.after, self._random)
        tries = self._max_retries + 1
        logger.warning("%s: %s; waiting %.1f s before try %d of %d", asked, retry.reason, wait, failures + 1, tries)
        if retry.crowded:
            self._gate.pause(wait)
        else:
            self._clock.wait(wait)

    def _gave_up(self, asked: Asked, retry: Retry, failures: int) -> AkeneoError:
        tries = "once" if failures == 1 else f"{failures} times"
        line = f"{asked}: asked {tries}, the last answer: {retry.reason}."
        if asked.is_token:
            return Fatal(line)
        with self._lock:
            self._lost_in_a_row += 1
        return RequestFailed(line)

    def _is_alive(self) -> bool:
        """Whether the PIM answers at all: its list of endpoints wants no token and no rights."""
        asked = Asked("GET", self.api_url, REST_ROOT)
        outcome = self._try(asked, lambda: self._request("GET", asked.url, JSON_HEADERS))
        if isinstance(outcome, Retry | Fatal):
            return False
        with self._lock:
            self._lost_in_a_row = 0
        return True

    def _try_with_token(self, asked: Asked, url: str, refused: list[str]) -> Outcome:
        """Try once; `refused` are the tokens refused in a row so far, and then those after this try."""
        token = ""

        def prepare() -> requests.PreparedRequest:
            nonlocal token
            token = self._tokens.token(refused[-1] if refused else None)
            headers = {"Authorization": f"Bearer {token}", **(MEDIA_HEADERS if asked.is_media else JSON_HEADERS)}
            return self._request("GET", url, headers)

        outcome = self._try(asked, prepare)
        if isinstance(outcome, Denied):
            refused.append(token)
        else:
            refused.clear()
        return outcome

    def _try(self, asked: Asked, prepare: Callable[[], requests.PreparedRequest]) -> Outcome:
        """Send once, when it is one's turn; only then is the request prepared, so that its token is fresh."""
        self._gate.enter()
        self._warn_if_unencrypted()
        request = prepare()
        began = self._clock.monotonic()
        try:
            with self._adapter.send(
                request, stream=True, timeout=self._timeout, verify=self._verify, proxies=self._proxies
            ) as response:
                self._answered = True
                body = self._read(asked, response)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            return judge_failure(asked, error, answered=self._answered)
        headers = response.headers
        verdict = judge_answer(
            asked, response.status_code, headers, body, now=datetime.now(UTC), clean=self.redactor.clean
        )
        if verdict is not None:
            return verdict
        return Answer(body, http_date(headers.get("Date", "")), self._clock.monotonic() - began)

    def _read(self, asked: Asked, response: requests.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(CHUNK_BYTES):
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                kind = RequestFailed if asked.is_media else DamagedPage
                raise kind(f"{asked}: the answer is larger than 256 MB.", status=response.status_code)
            if self._stop.is_set():
                raise Stopped
            chunks.append(chunk)
        return b"".join(chunks)

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> requests.PreparedRequest:
        # By hand, since `prepare()` would rewrite what is encoded (`%2E%2E` to `..`) and costs as much as sending.
        request = requests.PreparedRequest()
        request.method, request.url, request.body = method, url, body
        request.headers = CaseInsensitiveDict({"User-Agent": self._user_agent, **headers})
        if body is not None:
            request.headers["Content-Length"] = str(len(body))
        return request

    def _warn_if_unencrypted(self) -> None:
        if self._unencrypted:
            self._warn_once(f"{self.api_url} is not https: credentials and tokens travel unencrypted.")

    def _warn_once(self, line: str) -> None:
        with self._lock:
            if line in self._warned:
                return
            self._warned.add(line)
        logger.warning("%s", line)


def base_url(text: str) -> str:
    """The PIM's address in one form: scheme, host, the port if it is not the default, the path it is mounted under.

    Args:
        text: as a person gives it: with or without a trailing slash, or with a pasted `/api/rest/v1`.

    Returns:
        Such as `https://my-pim.cloud.akeneo.com`, without a trailing slash.

    Raises:
        ValueError: it is no such address. The line never repeats it, for it may hold a password.
    """
    text = text.strip()
    if "@" in text:
        raise ValueError("api_url holds credentials: give them by the settings that are made for them.")
    if not re.match(r"https?://[^/]", text, re.IGNORECASE):
        raise ValueError(
            "api_url must begin with https:// or http:// and a host, as in https://my-pim.cloud.akeneo.com ."
        )
    if "?" in text or "#" in text:
        raise ValueError("api_url must be the PIM's address alone, without a query (?) or a fragment (#).")
    if not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("api_url holds a blank, a backslash or a control character.")
    try:
        parts = urlsplit(requests.Request("GET", text).prepare().url or "")
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")
    except ValueError:
        raise ValueError("api_url is no valid address: check its host and port.") from None
    address = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}"
    if port is not None and port != DEFAULT_PORTS[parts.scheme]:
        address += f":{port}"
    return address + _PASTED_ROUTE.sub("", parts.path.rstrip("/")).rstrip("/")


def encode_segment(code: str) -> str:
    """A code as one segment of a path: all but letters, digits and `_.-~` percent-encoded.

    `.` and `..` are encoded too; a server may still take them for what they mean in a path, but no code is spelled so.
    """
    encoded = quote(code, safe="", errors="surrogatepass")
    return encoded.replace(".", "%2E") if encoded in (".", "..") else encoded


def encode_media_code(code: str) -> str:
    """A media file's code as the end of a path: its slashes stay, since web servers refuse `%2F`."""
    return "/".join(map(encode_segment, code.split("/")))


def next_query(own: Mapping[str, str], page_path: str, href: str) -> str:
    """The query of a listing's next page.

    The cursor is opaque and may be several parameters, so the link's query is sent back as it is, in its order, with
    repeated and blank parameters. Some versions forget a listing's own parameters in links, so these always win.

    Args:
        own: the listing's own parameters, not encoded.
        page_path: the path of the page that the link came with, below `/api/rest/v1`, encoded.
        href: the link: absolute, a path, or only `?…`. Its scheme and host mean nothing.

    Returns:
        The query to send with the same path, without `?`.

    Raises:
        DamagedPage: the link is none, or leads to another resource, where this listing does not go on.
    """
    try:
        link = urlsplit(urljoin(page_path, href.strip()))
    except ValueError:
        raise DamagedPage(f"GET {REST_ROOT}{page_path}: its next link is no address.") from None
    if not unquote(link.path).rstrip("/").endswith(unquote(page_path).rstrip("/")):
        raise DamagedPage(f"GET {REST_ROOT}{page_path}: its next link leads to another resource.")
    missing = dict(own)
    pairs: list[str] = []
    for pair in link.query.split("&"):
        name = unquote_plus(pair.partition("=")[0])
        if name in missing:
            pairs.append(_encode_parameter(name, missing.pop(name)))
        elif pair and name not in own:
            pairs.append(quote(pair, safe=_QUERY_CHARACTERS, errors="surrogatepass"))
    return "&".join([*pairs, *(_encode_parameter(name, value) for name, value in missing.items())])


def other_host(api_url: str, href: str) -> str | None:
    """The host that a link leads to, with its port if it names one; None if the link names no host or the PIM's own.

    A differing scheme alone is no other host: behind a proxy that ends TLS it is the rule.
    """
    try:
        link, pim = urlsplit(href.strip()), urlsplit(api_url)
        same = not link.netloc or (link.hostname == pim.hostname and link.port in (pim.port, *DEFAULT_PORTS.values()))
    except ValueError:
        return None
    return None if same else link.netloc.rpartition("@")[2]


def is_loopback(api_url: str) -> bool:
    """Whether an address leads to this machine itself."""
    host = urlsplit(api_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _encode_parameter(name: str, value: str) -> str:
    return f"{quote(name, safe='')}={quote(value, safe='', errors='surrogatepass')}"
