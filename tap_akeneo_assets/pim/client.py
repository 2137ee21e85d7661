"""The HTTP client that all streams share: one origin, one token, one gate, one rule for retries. It gives bytes."""

from __future__ import annotations

import json
import logging
import math
import os
import random
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies

from tap_akeneo_assets.errors import AkeneoError, DamagedPage, Fatal, RequestFailed, Stopped
from tap_akeneo_assets.pim.auth import Credentials, Grant, Tokens, token_refused
from tap_akeneo_assets.pim.rate_limit import Clock, RateLimiter
from tap_akeneo_assets.pim.redaction import Redactor
from tap_akeneo_assets.pim.responses import (
    REST_ROOT,
    TOKEN_PATH,
    Denied,
    RequestInfo,
    Retry,
    back_off,
    http_date,
    judge_answer,
    judge_failure,
)
from tap_akeneo_assets.pim.urls import base_url, is_loopback, other_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


MAX_BODY_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MAX_CONNECTIONS = 10
MAX_DENIALS = 3
MIN_ECHO_CHARACTERS = 16
LOST_IN_A_ROW = 4

JSON_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
MEDIA_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}

_PRINTABLE = re.compile(r"[\x20-\x7e]*")

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

    @property
    def began(self) -> datetime | None:
        """The last second, by the PIM's clock, that was over when it was asked; its clock tells whole seconds."""
        return self.date and self.date - timedelta(seconds=math.ceil(self.elapsed) + 1)


Outcome: TypeAlias = Answer | Retry | AkeneoError


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
        self._gate = RateLimiter(self._clock, max_requests_per_second)
        self._tokens = Tokens(credentials, self._ask_for_token, self._clock.monotonic)
        # An adapter alone does what is wanted of a Session and nothing more.
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=MAX_CONNECTIONS)
        self._proxies: dict[str, str] = get_environ_proxies(self.api_url, no_proxy=None)
        self.redactor.add(*(password for url in self._proxies.values() if (password := urlsplit(url).password)))
        self._verify: bool | str = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._unencrypted = self.api_url.startswith("http://") and not is_loopback(self.api_url)
        # It warns of odd headers, which harm nothing, with a traceback.
        logging.getLogger("urllib3.connection").addFilter(_is_no_warning)
        self._lock = threading.Lock()
        self._warned: set[str] = set()
        self._answered = False
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
        asked = RequestInfo("GET", self.api_url, REST_ROOT + path)
        url = f"{asked.url}?{query}" if query else asked.url
        refused: list[str] = []

        def attempt() -> Outcome:
            outcome = self._try_with_token(asked, url, refused)
            if isinstance(outcome, Denied) and len(refused) == 1 and self._tokens.token(refused[0]) != refused[0]:
                outcome = self._try_with_token(asked, url, refused)
            if not isinstance(outcome, Denied) or len(refused) < min(MAX_DENIALS, self._max_retries + 1):
                return outcome
            line = token_refused(self._credentials, outcome.message)
            if asked.concerns_all or not self._takes_token():
                return Fatal(line)
            return RequestFailed(f"{asked}: {line}", status=401, reason=outcome.message)

        answer = self._until_answered(asked, attempt, after, failures)
        with self._lock:
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
        asked = RequestInfo("POST", self.api_url, TOKEN_PATH)
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
        self, asked: RequestInfo, attempt: Callable[[], Outcome], after: Retry | None, failures: int
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

    def _wait(self, asked: RequestInfo, retry: Retry, failures: int) -> None:
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

    def _gave_up(self, asked: RequestInfo, retry: Retry, failures: int) -> AkeneoError:
        tries = "once" if failures == 1 else f"{failures} times"
        line = f"{asked.method} {asked.url}: asked {tries}, the last answer: {retry.reason}."
        if asked.is_token:
            return Fatal(line)
        with self._lock:
            self._lost_in_a_row += 1
        return RequestFailed(line)

    def _is_alive(self) -> bool:
        """Whether the PIM answers at all: its list of endpoints wants no token and no rights."""
        asked = RequestInfo("GET", self.api_url, REST_ROOT)
        outcome = self._try(asked, lambda: self._request("GET", asked.url, JSON_HEADERS))
        if isinstance(outcome, Retry | Fatal):
            return False
        with self._lock:
            self._lost_in_a_row = 0
        return True

    def _takes_token(self) -> bool:
        """Whether the token is good for something else than what has just been refused."""
        families = RequestInfo("GET", self.api_url, f"{REST_ROOT}/asset-families")
        return not isinstance(self._try_with_token(families, families.url, []), Denied)

    def _try_with_token(self, asked: RequestInfo, url: str, refused: list[str]) -> Outcome:
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
        return _without(token, outcome) if isinstance(outcome, Answer) else outcome

    def _try(self, asked: RequestInfo, prepare: Callable[[], requests.PreparedRequest]) -> Outcome:
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

    def _read(self, asked: RequestInfo, response: requests.Response) -> bytes:
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


def _is_no_warning(record: logging.LogRecord) -> bool:
    return record.levelno < logging.WARNING


def _without(token: str, answer: Answer) -> Answer:
    """An answer that does not repeat the token, so that neither a record nor a link in the state hands it on."""
    echo = token.encode()
    if len(echo) < MIN_ECHO_CHARACTERS or echo not in answer.body:
        return answer
    return answer._replace(body=answer.body.replace(echo, b"***"))
