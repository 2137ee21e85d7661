"""What is made of an answer once it is there: of its body whole, in pieces, or of what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from tap_akeneo_assets.errors import AkeneoError, DamagedPage, NotJson, NotTheFile, WrongAnswer
from tap_akeneo_assets.pim.bodies import Bodies, TooLarge, first_part
from tap_akeneo_assets.pim.exchange import Answer, Outcome
from tap_akeneo_assets.pim.responses import RequestInfo, Retry, judge_answer
from tap_akeneo_assets.pim.waits import http_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_akeneo_assets.pim.connections import Request
    from tap_akeneo_assets.pim.rate_limit import Clock
    from tap_akeneo_assets.pim.responses import Clean
    from tap_akeneo_assets.pim.wire import Response

# A shorter text may stand in a page by chance; the PIM's tokens have 86 characters.
MIN_ECHO_CHARACTERS = 16

T = TypeVar("T")


class Reply(NamedTuple):
    """What came for a request, its body still to be read.

    Attributes:
        request_info: the request, as messages name it.
        request: the request, as it was sent.
        began: when it was sent, by the client's clock.
        response: its answer.
        may_wait: whether to wait for others that read large bodies.
    """

    request_info: RequestInfo
    request: Request
    began: float
    response: Response
    may_wait: bool


# Makes an answer of a reply of good status.
Consume: TypeAlias = "Callable[[Reply], Outcome[T]]"


class Replies:
    """Reads replies, from any number of threads.

    Args:
        clock: the time; its `check` raises `Stopped` when the run is ending.
        clean: blanks secrets in what is quoted.
    """

    def __init__(self, clock: Clock, clean: Clean) -> None:
        self._clock = clock
        self._clean = clean
        self._bodies = Bodies(clock.check)

    def refusal(self, reply: Reply) -> Retry | AkeneoError:
        """What an answer of another status means; some of its body is read."""
        verdict = self._judge(reply, first_part(reply.response.chunks()))
        assert verdict is not None  # noqa: S101  # only a good status can have none
        return verdict

    def whole(self, read: Callable[[bytes], T]) -> Consume[T]:
        """Read a body whole, and make of it what `read` gives; see `Client.get`."""

        def consume(reply: Reply) -> Outcome[T]:
            response = reply.response
            try:
                with self._bodies.read(response.chunks(), may_wait=reply.may_wait) as body:
                    elapsed = self._clock.monotonic() - reply.began
                    if verdict := self._judge(reply, body):
                        return verdict
                    return _answer(read(_without_token(reply.request, body)), len(body), response, elapsed)
            except TooLarge:
                return DamagedPage(f"{reply.request_info}: the answer is larger than 256 MB.", status=response.status)
            except NotJson as error:
                return Retry(f"200 with a body that is not JSON ({error})")
            except WrongAnswer as error:
                return Retry(f"an answer to another request ({error})")

        return consume

    def in_pieces(self, save: Callable[[Mapping[str, str], Iterator[bytes]], T]) -> Consume[T]:
        """Hand a body on in pieces, as they come, and make of it what `save` gives; see `Client.download`."""

        def consume(reply: Reply) -> Outcome[T]:
            response, size = reply.response, 0

            def chunks() -> Iterator[bytes]:
                nonlocal size
                for chunk in response.chunks():
                    self._clock.check()
                    size += len(chunk)
                    yield chunk

            try:
                data = save(response.fields, chunks())
            except NotTheFile as error:
                return Retry(str(error))
            return _answer(data, size, response, self._clock.monotonic() - reply.began)

        return consume

    def _judge(self, reply: Reply, body: bytes) -> Retry | AkeneoError | None:
        response, now = reply.response, datetime.now(UTC)
        return judge_answer(reply.request_info, response.status, response.fields, body, now=now, clean=self._clean)


def _answer(data: T, size: int, response: Response, elapsed: float) -> Answer[T]:
    return Answer(data, size, http_date(response.headers.get("Date", "")), elapsed)


def _without_token(request: Request, body: bytes) -> bytes:
    """A body that does not repeat the request's token, so that neither a record nor a link in the state hands it on."""
    echo = request.credentials.encode()
    return body if len(echo) < MIN_ECHO_CHARACTERS or echo not in body else body.replace(echo, b"***")
