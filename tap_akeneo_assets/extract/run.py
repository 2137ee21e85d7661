"""What all parts of a run share: its talk with the PIM, its families, and what failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_akeneo_assets import errors
from tap_akeneo_assets.errors import PaginationLoop
from tap_akeneo_assets.extract.fetcher import Reader, Request
from tap_akeneo_assets.pim.responses import REST_ROOT, Retry
from tap_akeneo_assets.pim.urls import encode_segment, next_query, path_and_query
from tap_akeneo_assets.records import json_body

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from datetime import datetime
    from logging import Logger

    from tap_akeneo_assets.extract.fetcher import Reading, Ticket
    from tap_akeneo_assets.pim.client import Answer, Client
    from tap_akeneo_assets.records.values import AttributeInfo
    from tap_akeneo_assets.singer.stream import AkeneoStream


MAX_NAMES = 20


@dataclass(slots=True)
class Family:
    """A family on its way.

    Attributes:
        code: its code.
        attributes: its attributes by code, once somebody has read them.
        attributes_ticket: their answer.
        attributes_began: the last second, by the PIM's clock, that was over when they were asked for.
        attributes_whole: none of them had to be left out because it was damaged.
        wanted: the codes of the only assets to read; none for all.
    """

    code: str
    wanted: Sequence[str] | None = None
    attributes: Mapping[str, AttributeInfo] | None = None
    attributes_ticket: Ticket | None = None
    attributes_began: datetime | None = None
    attributes_whole: bool = True

    @property
    def path_code(self) -> str:
        """The code as a segment of a path."""
        return encode_segment(self.code)


class Records(NamedTuple):
    """What has been made of a page's items: one record per code; `whole` where no item is damaged."""

    records: list[dict[str, Any]]
    whole: bool


class Run:
    """One run's talk with the PIM.

    Args:
        client: answers requests.
        max_concurrency: the number of requests in flight.
        logger: takes warnings.
        tick: called between answers; what it raises ends the run.

    Attributes:
        reader: runs readings.
        now: the PIM's clock, as far as it has told.
        failures: messages by family code; `""` for what belongs to no family.
    """

    def __init__(self, client: Client, max_concurrency: int, logger: Logger, tick: Callable[[], None]) -> None:
        self.reader = Reader(client, max_concurrency, tick)
        self.now: datetime | None = None
        self.failures: dict[str, list[str]] = {}
        self._client = client
        self._logger = logger
        self._warned: set[tuple[str, ...]] = set()

    def answer(self, ticket: Ticket) -> Generator[Ticket, Answer, tuple[Answer, Any]]:
        """Wait for a page.

        Returns:
            The answer, and what its body says.

        Raises:
            RequestFailed: there is no answer that can be used.
        """
        while True:
            answer = yield ticket
            self.now = answer.date or self.now
            try:
                data, warnings = json_body.decode(answer.body)
            except errors.NotJson as error:
                self.reader.ask_again(ticket, Retry(f"200 with a body that is not JSON ({error})"))
                continue
            except errors.UnusableJson as error:
                raise errors.DamagedPage(f"The PIM's answer to {ticket.request.path} cannot be used: {error}") from None
            for warning in warnings:
                self.warn_once(f"The PIM's answer to {ticket.request.path}: {warning}", warning)
            return answer, data

    def ask(
        self, path: str, parameters: Mapping[str, str] | None = None, link: str | None = None, *, rank: tuple[int, ...]
    ) -> Ticket:
        """Ask for something, ahead of time.

        Args:
            path: below the API's root, encoded.
            parameters: of the query, which hold whatever the link says.
            link: the server's `next` of the page before, if it is a further page that is wanted.
            rank: the lowest goes first.

        Raises:
            DamagedPage: the link leads nowhere.
        """
        if link:
            self._client.warn_of_other_host(link)
        return self.reader.ask(Request(path, next_query(parameters or {}, path, link or ""), rank))

    def to_keep(self, link: str) -> str | None:
        """A link as the state keeps it, its path and query; none where it holds a secret."""
        kept = path_and_query(link)
        return kept if self._client.redactor.clean(kept) == kept else None

    def url_length(self, path: str, parameters: Mapping[str, str], link: str = "") -> int:
        """How long the address of a request is, in characters; the link is the `next` of the page before.

        Raises:
            DamagedPage: the link leads nowhere.
        """
        return len(f"{self._client.api_url}{REST_ROOT}{path}?{next_query(parameters, path, link)}")

    def records(
        self, stream: AkeneoStream, items: Iterable[object], parents: Mapping[str, str], family: str
    ) -> Records:
        """Make records of a page's items; one that is damaged fails the family and leaves the others alone.

        Of items of one code, which a page should not have, the last one counts.
        """
        records: dict[str, dict[str, Any]] = {}
        whole = True
        for item in items:
            try:
                record, remarks = stream.shape.record(item, parents)
            except errors.UnexpectedShape as error:
                code = item.get("code") if isinstance(item, dict) else None
                self.fail(family or str(code or ""), f"{stream.name} {code!r}: {error}", stream)
                whole = False
                continue
            for remark in remarks:
                self.warn_once(f"{stream.name}: {remark}.", stream.name, remark)
            records[record["code"]] = record
        return Records(list(records.values()), whole)

    def guard(self, family: str, streams: Sequence[AkeneoStream], reading: Reading) -> Reading:
        """A reading whose failure fails its family, and nothing else."""
        try:
            yield from reading
        except errors.NotFound as error:
            self.warn(f"Family {family!r}: {error} It is passed over in this run.")
            self.leave_out(*streams)
        except errors.Fatal:
            raise
        except (errors.RequestFailed, errors.UnexpectedShape, PaginationLoop) as error:
            self.fail(family, str(error), *streams)

    def fail(self, family: str, message: str, *streams: AkeneoStream) -> None:
        """Note that a family could not be read whole."""
        self.failures.setdefault(family, []).append(message)
        self.leave_out(*streams)

    def leave_out(self, *streams: AkeneoStream) -> None:
        """Note that something of these streams, and so of those below them, is not read in this run."""
        for stream in streams:
            stream.is_complete = False
            self.leave_out(*stream.children)

    def warn(self, message: str) -> None:
        """Log a warning."""
        self._logger.warning(message)

    def warn_once(self, message: str, *subject: str) -> None:
        """Log a warning unless there was one about the same subject."""
        if subject not in self._warned:
            self._warned.add(subject)
            self.warn(message)


def failure_lines(failures: Mapping[str, Sequence[str]], outlook: Callable[[str], str]) -> list[str]:
    """What to tell of the families that failed: a line each, or one for all of which the same is to be told.

    Args:
        failures: messages by family code; `""` for what belongs to no family.
        outlook: how far a family has been read, and what the next run will do.
    """
    by_message: dict[str, list[str]] = {}
    for family, messages in failures.items():
        message = messages[0]
        if family:
            message = f"{message if message.endswith(('.', '?', '!')) else message + '.'} {outlook(family)}"
        by_message.setdefault(message, []).append(family)
    lines = []
    for message, families in by_message.items():
        names = [family for family in families if family]
        subject = f"{'Family' if len(names) == 1 else 'Families'} {listed(names)} failed: " if names else ""
        lines.append(subject + message)
    return lines


def listed(names: Sequence[str]) -> str:
    """Some names for a message, quoted; of many only the first."""
    shown = ", ".join(map(repr, names[:MAX_NAMES]))
    return shown + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
