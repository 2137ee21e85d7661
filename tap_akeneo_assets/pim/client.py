"""The HTTP client that all streams share: one origin, one token, one rate limit, one retry loop."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies

from tap_akeneo_assets.errors import (
    AkeneoError,
    Fatal,
    Forbidden,
    RequestFailed,
)
from tap_akeneo_assets.pim.arrival import Incoming
from tap_akeneo_assets.pim.auth import Credentials, Grant, Tokens, token_refused
from tap_akeneo_assets.pim.connections import BEARER, WIRE_ERRORS, Connections, Request, Route
from tap_akeneo_assets.pim.exchange import Answer, Exchange, Outcome
from tap_akeneo_assets.pim.failures import judge_failure
from tap_akeneo_assets.pim.rate_limit import Clock, RateLimiter
from tap_akeneo_assets.pim.redaction import Redactor
from tap_akeneo_assets.pim.replies import Replies, Reply
from tap_akeneo_assets.pim.responses import (
    REST_ROOT,
    TOKEN_PATH,
    Denied,
    RequestInfo,
    Retry,
    is_good,
)
from tap_akeneo_assets.pim.urls import base_url, is_loopback, other_host, path_and_query, values_in
from tap_akeneo_assets.pim.waits import back_off
from tap_akeneo_assets.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_akeneo_assets.pim.connections import Loan
    from tap_akeneo_assets.pim.replies import Consume


# A token may be refused because it ended meanwhile, and its successor too on a PIM of several nodes; a third refusal in
# a row has another reason.
MAX_DENIALS = 3
# Each of these has taken a minute or more: if nothing at all is answered by then, the rest of the run is in vain.
LOST_IN_A_ROW = 4

# How long an answer may come without a thread that waits for it; long to most PIMs, short against the timeout.
PATIENCE_SECONDS = 1.0

JSON_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
MEDIA_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}

_PRINTABLE = re.compile(r"[\x20-\x7e]*")

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Question(Generic[T]):
    """What the PIM is asked for until there is a good answer or no hope of one.

    Attributes:
        request_info: the request, as messages name it.
        query: encoded, without `?`.
        consume: makes an answer of a reply of good status.
        refused: the tokens that were refused for it in a row so far.
    """

    request_info: RequestInfo
    query: str
    consume: Consume[T]
    refused: list[str] = field(default_factory=list)


class Sent(NamedTuple):
    """A request that has been sent.

    Attributes:
        request: the request.
        began: when it was sent, by the client's clock.
        loan: the connection.
    """

    request: Request
    began: float
    loan: Loan


class Client:
    """Asks one PIM, from any number of threads.

    Nothing is sent before the first `get`. Requests go to the origin of `api_url` alone: redirects are not followed,
    cookies not kept, `~/.netrc` not read. TLS is always verified; proxies, `NO_PROXY`, `REQUESTS_CA_BUNDLE` and
    `CURL_CA_BUNDLE` are taken from the environment as it is when the client is made.

    Args:
        api_url: the PIM's address, as `base_url` takes it.
        credentials: a connection's or an App's.
        user_agent: the `User-Agent` header.
        request_timeout_seconds: for connecting, and for each kilobyte of an answer.
        max_retries: tries after the first, per request.
        max_requests_per_second: for all threads together; 0 for no limit.
        stop: set when the run is to end; whoever waits then, also for an answer, raises `Stopped`.
        redactor: learns every secret and token; its own if none is given.
        clock: the time, for tests.
        random: gives numbers from 0 to 1, for the jitter.

    Attributes:
        progress: counts requests, retries and bytes.

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
        self._max_retries = max_retries
        self._stop = stop or threading.Event()
        self._clock = clock or Clock(self._stop)
        self._random = random
        self._patience = min(PATIENCE_SECONDS, request_timeout_seconds / 10)
        self.progress = Progress(self._clock.monotonic)
        self._rate_limiter = RateLimiter(self._clock, max_requests_per_second)
        self._tokens = Tokens(credentials, self._ask_for_token, self._clock.monotonic)
        self._replies = Replies(self._clock, self.redactor.clean)
        proxies: dict[str, str] = get_environ_proxies(self.api_url, no_proxy=None)
        self.redactor.add(*(password for url in proxies.values() if (password := urlsplit(url).password)))
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._connections = Connections(self._stop, Route(self.api_url, request_timeout_seconds, verify, proxies))
        self._unencrypted = self.api_url.startswith("http://") and not is_loopback(self.api_url)
        self._lock = threading.Lock()
        self._warned: set[str] = set()
        self._answered = False
        self._admitted = False
        self._lost_in_a_row = 0

    def get(self, path: str, query: str = "", *, read: Callable[[bytes], T]) -> Answer[T]:
        """Ask for something until there is a good answer or no hope of one.

        Args:
            path: below `/api/rest/v1`, beginning with a slash, percent-encoded.
            query: encoded, without `?`.
            read: gives what a body says; called once for each answer that may be good. It raises `NotJson` or
                `WrongAnswer` if another try may help, and any other `AkeneoError` if none does.

        Returns:
            The answer, read.

        Raises:
            RequestFailed: this request is lost.
            Fatal: all others are too.
            Stopped: the run is ending.
        """
        return self._until_answered(self._question(path, query, read))

    def begin(self, path: str, query: str = "", *, read: Callable[[bytes], T]) -> Exchange[T] | None:
        """Send what `get` would send, if nothing has to be waited for: no token, no turn and no connection.

        Args:
            path: as for `get`.
            query: likewise.
            read: likewise; called when the exchange is asked for its answer.

        Returns:
            The exchange, for the answer to come; None if something has to be waited for.

        Raises:
            Stopped: the run is ending.
        """
        self._clock.check()
        token = self._tokens.held
        loan = self._connections.lend_open() if token else None
        if token is None or loan is None:
            return None
        if not self._rate_limiter.enter_now():
            loan.reusable = True
            loan.give_back()
            return None
        question = self._question(path, query, read)
        request = self._request_with(token, question)
        sent = Sent(request, self._note_sending(question), loan)
        loan.connection.send_now(request)
        complete, go_on = partial(self._complete, question, sent), partial(self._until_answered, question)
        return Exchange(loan, complete, go_on, self._patience)

    def download(self, path: str, save: Callable[[Mapping[str, str], Iterator[bytes]], T]) -> T:
        """Ask for a file until there is a good answer or no hope of one. Nothing of it is kept in memory.

        Args:
            path: below `/api/rest/v1`, beginning with a slash, percent-encoded.
            save: gets the headers and the body, in pieces, of each answer of status 200. It raises `NotTheFile` if
                another try may help, and any other `AkeneoError` if none does.

        Returns:
            What `save` gives.

        Raises:
            RequestFailed: this request is lost.
            Fatal: all others are too.
            Stopped: the run is ending.
        """
        return self._until_answered(Question(self._request_info(path), "", self._replies.in_pieces(save))).data

    @property
    def answered(self) -> bool:
        """Whether any answer has come so far."""
        return self._answered

    @property
    def admitted(self) -> bool:
        """Whether the PIM has taken the credentials so far, be it that it refused what was asked for with them."""
        return self._admitted

    def ask_once(self, path: str, *, read: Callable[[bytes], T]) -> T | None:
        """Ask for something that is good to know; None if the first answer is not a good one.

        Args:
            path: below `/api/rest/v1`, beginning with a slash, percent-encoded.
            read: gives what a body says, as for `get`.

        Raises:
            Stopped: the run is ending.
        """
        try:
            outcome = self._try_with_token(self._question(path, "", read))
        except Fatal:
            return None
        return outcome.data if isinstance(outcome, Answer) else None

    def link_to_keep(self, link: str) -> str | None:
        """A link as the state may keep it: its path and query; None if it holds a secret.

        Only a whole value of a parameter, or a whole segment of the path, is a secret: a password may be a common word.
        """
        kept = path_and_query(link)
        return None if any(map(self.redactor.is_secret, values_in(kept))) else kept

    def warn_of_other_host(self, href: str) -> None:
        """Warn, once per host, of a link that leads to another host than the PIM's; it is not followed there."""
        host = other_host(self.api_url, href)
        if host is not None:
            host = self.redactor.clean(host)
            self._warn_once(f"Links of the PIM lead to {host}; everything is asked of {self.api_url} all the same.")

    def close(self) -> None:
        """Close the connections: those that are in use when their answers have been read."""
        self._connections.close()

    def _request_info(self, path: str) -> RequestInfo:
        return RequestInfo("GET", self.api_url, REST_ROOT + path)

    def _question(self, path: str, query: str, read: Callable[[bytes], T]) -> Question[T]:
        return Question(self._request_info(path), query, self._replies.whole(read))

    def _until_answered(self, question: Question[T], first: Outcome[T] | None = None) -> Answer[T]:
        """Ask until there is an answer; `first` is the outcome of a first try that has been made."""

        def attempt() -> Outcome[T]:
            nonlocal first
            outcome, first = first or self._try_with_token(question), None
            refused = question.refused
            if isinstance(outcome, Denied) and len(refused) == 1 and self._tokens.token(refused[0]) != refused[0]:
                outcome = self._try_with_token(question)
            if not isinstance(outcome, Denied) or len(refused) < min(MAX_DENIALS, self._max_retries + 1):
                return outcome
            line = token_refused(self._credentials, outcome.message, outcome.refuser)
            if question.request_info.is_needed_by_all or not self._takes_token():
                return Fatal(line)
            return RequestFailed(f"{question.request_info}: {line}", status=401, reason=outcome.message)

        try:
            answer = self._retry(question.request_info, attempt)
        except Forbidden as error:
            self._admitted = self._admitted or bool(error.reason)
            raise
        with self._lock:
            self._lost_in_a_row = 0
        self._admitted = True
        return answer

    def _ask_for_token(self, authorization: str, grant_request: Mapping[str, str]) -> Grant:
        question = Question(RequestInfo("POST", self.api_url, TOKEN_PATH), "", self._replies.whole(Grant.parse))
        headers = {"Authorization": authorization, "Content-Type": "application/json", **JSON_HEADERS}
        body = json.dumps(grant_request).encode()

        def attempt() -> Outcome[Grant | None]:
            outcome = self._try(question, lambda: self._request(question, headers, body=body))
            return Retry("200 without a token in it") if isinstance(outcome, Answer) and not outcome.data else outcome

        grant = self._retry(question.request_info, attempt).data
        assert grant is not None  # noqa: S101  # an answer without one is tried again
        self.redactor.add_tokens(grant.access_token, grant.refresh_token)
        self._admitted = True
        return grant

    def _retry(self, request_info: RequestInfo, attempt: Callable[[], Outcome[T]]) -> Answer[T]:
        failures = 0
        while True:
            outcome = attempt()
            if isinstance(outcome, Answer):
                return outcome
            if isinstance(outcome, AkeneoError):
                raise outcome
            failures += 1
            self._wait(request_info, outcome, failures)

    def _wait(self, request_info: RequestInfo, retry: Retry, failures: int) -> None:
        if failures > self._max_retries:
            raise self._gave_up(request_info, retry, failures)
        lost_in_a_row = self._lost_in_a_row  # another thread may count anew meanwhile
        if lost_in_a_row >= LOST_IN_A_ROW and not self._is_alive():
            raise Fatal(
                f"The PIM at {self.api_url} answers no more: {lost_in_a_row} requests in a row ran out of tries; "
                f"the last answer, to {request_info}: {retry.reason}."
            )
        wait = back_off(failures, retry.after, self._random)
        tries = self._max_retries + 1
        self.progress.waits(request_info.api_path, wait, crowded=retry.crowded)
        logger.warning(
            "%s: %s; waiting %.1f s before try %d of %d", request_info, retry.reason, wait, failures + 1, tries
        )
        if retry.crowded:
            self._rate_limiter.pause(wait)
        else:
            self._clock.wait(wait)

    def _gave_up(self, request_info: RequestInfo, retry: Retry, failures: int) -> AkeneoError:
        tries = "once" if failures == 1 else f"{failures} times"
        line = f"{request_info.method} {request_info.url}: asked {tries}, the last answer: {retry.reason}."
        if request_info.is_token:
            return Fatal(line)
        with self._lock:
            self._lost_in_a_row += 1
        return RequestFailed(line)

    def _is_alive(self) -> bool:
        """Whether the PIM answers at all. Its list of endpoints needs no token; a refusal of it is an answer too."""
        question = self._question("", "", len)
        outcome = self._try(question, lambda: self._request(question, JSON_HEADERS))
        if isinstance(outcome, Retry | Fatal) and not isinstance(outcome, Denied):
            return False
        with self._lock:
            self._lost_in_a_row = 0
        return True

    def _takes_token(self) -> bool:
        """Whether the token is good for something else than what has just been refused."""
        return not isinstance(self._try_with_token(self._question("/asset-families", "", len)), Denied)

    def _try_with_token(self, question: Question[T]) -> Outcome[T]:
        stale = question.refused[-1] if question.refused else None
        return self._try(question, lambda: self._request_with(self._tokens.token(stale), question))

    def _try(self, question: Question[T], prepare: Callable[[], Request]) -> Outcome[T]:
        """Send once, when it is one's turn; only then is the request prepared, so that its token is fresh."""
        self._rate_limiter.enter()
        request = prepare()
        began = self._note_sending(question)

        def exchange() -> Outcome[T]:
            loan = self._connections.lend()
            loan.send(request)
            return self._receive(question, Sent(request, began, loan), Incoming(), may_wait=True)

        return self._judged(question, request, exchange)

    def _note_sending(self, question: Question[T]) -> float:
        self._warn_if_unencrypted()
        self.progress.sent(question.request_info.api_path)
        return self._clock.monotonic()

    def _judged(self, question: Question[T], request: Request, exchange: Callable[[], Outcome[T]]) -> Outcome[T]:
        """The outcome of a try, whatever went wrong over the wire."""
        try:
            outcome = exchange()
        except WIRE_ERRORS as error:
            outcome = judge_failure(question.request_info, error, answered=self._answered)
        if isinstance(outcome, Denied):
            question.refused.append(request.credentials)
        else:
            question.refused.clear()
        return outcome

    def _complete(self, question: Question[T], sent: Sent, incoming: Incoming, *, may_wait: bool) -> Outcome[T]:
        return self._judged(question, sent.request, lambda: self._receive(question, sent, incoming, may_wait=may_wait))

    def _receive(self, question: Question[T], sent: Sent, incoming: Incoming, *, may_wait: bool) -> Outcome[T]:
        """Read the answer to a request that was sent; some of it may have been taken."""
        with sent.loan as connection, connection.answer(incoming) as response:
            self._answered = True
            reply = Reply(question.request_info, sent.request, sent.began, response, may_wait)
            outcome = question.consume(reply) if is_good(response.status) else self._replies.refusal(reply)
            if isinstance(outcome, Answer):
                self.progress.answered(question.request_info.api_path, outcome.size)
            # Whatever else was wrong with an answer, another connection costs little.
            sent.loan.reusable = isinstance(outcome, Answer | Denied | AkeneoError) and response.is_read
            return outcome

    def _request_with(self, token: str, question: Question[T]) -> Request:
        headers = MEDIA_HEADERS if question.request_info.is_media else JSON_HEADERS
        return self._request(question, {"Authorization": f"{BEARER}{token}", **headers})

    def _request(self, question: Question[T], headers: Mapping[str, str], *, body: bytes | None = None) -> Request:
        info, query = question.request_info, question.query
        target = f"{info.api_path}?{query}" if query else info.api_path
        return Request(info.method, target, {"User-Agent": self._user_agent, **headers}, body)

    def _warn_if_unencrypted(self) -> None:
        if self._unencrypted:
            self._warn_once(f"{self.api_url} is not https: credentials and tokens travel unencrypted.")

    def _warn_once(self, line: str) -> None:
        with self._lock:
            if line in self._warned:
                return
            self._warned.add(line)
        logger.warning("%s", line)
