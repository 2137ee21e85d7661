"""One run: what is read, in which order, what it leaves behind, and what failed.

Families come first, page by page. Each family's own record is written before those below it; apart from that, pages
are written as they arrive. Attributes and options are read here, assets in `asset_reading`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib.messages import StateMessage

from tap_akeneo_assets import errors, pages, php
from tap_akeneo_assets.addresses import encode_segment, next_query
from tap_akeneo_assets.asset_reading import AssetReading
from tap_akeneo_assets.errors import REST_ROOT
from tap_akeneo_assets.listings import Circling, Listing
from tap_akeneo_assets.reading import Reader, Request
from tap_akeneo_assets.values import AttributeInfo, attribute_info
from tap_akeneo_assets.writer import StateBudget

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from datetime import datetime

    from tap_akeneo_assets.client import Answer, Client
    from tap_akeneo_assets.reading import Reading, Ticket
    from tap_akeneo_assets.settings import Settings
    from tap_akeneo_assets.state import Bookmarks
    from tap_akeneo_assets.sync import AkeneoStream, AkeneoTap

FAMILIES_FIRST = (0,)
NEEDED_FOR_VALUES = (1, 0)
WHEN_WORKERS_ARE_FREE = (2,)
MAX_NAMES = 20
OPTION_TYPES = ("single_option", "multiple_options")


class _EnoughRecordsError(Exception):
    """A test run has the few records that it asks for."""


@dataclass(slots=True)
class Family:
    """A family on its way: its code, encoded for paths, and its attributes once somebody has read them."""

    code: str
    attributes: Mapping[str, AttributeInfo] | None = None
    attributes_ticket: Ticket | None = None

    @property
    def path_code(self) -> str:
        """The code as a segment of a path."""
        return encode_segment(self.code)


class Extraction:
    """Reads all streams of a tap and writes them.

    Args:
        tap: whose streams are written.
        client: answers requests.
        settings: the tap's.
        bookmarks: of `assets`, moved as families end.
    """

    def __init__(self, tap: AkeneoTap, client: Client, settings: Settings, bookmarks: Bookmarks) -> None:
        self._tap = tap
        self._settings = settings
        self._bookmarks = bookmarks
        self._streams = [tap.stream(name) for name in tap.streams]
        self._families = tap.stream("asset_families")
        self._attributes = tap.stream("asset_attributes")
        self._options = tap.stream("attribute_options")
        self._budget = StateBudget(time.monotonic, tap.state_seconds, tap.state_records)
        self._warned: set[tuple[str, ...]] = set()
        self._seen: set[str] = set()
        self._listed = False
        self.failures: dict[str, list[str]] = {}
        self.now: datetime | None = None
        self._client = client
        self.reader = Reader(client, settings.max_concurrency, self._tick)
        self._assets = AssetReading(self, tap.stream("assets"), tap.stream("asset_values"), settings, bookmarks)

    def run(self) -> bool:
        """Read and write everything.

        Returns:
            Whether all of it could be had.

        Raises:
            Stopped: a signal ended it; what was written until then has its STATE.
        """
        self._tap.chunk_writer.fall_back_to(self._tap.state)
        for stream in self._streams:
            stream.open()
        self._note_what_settings_leave_out()
        self._start_families()
        try:
            self.reader.run()
        except _EnoughRecordsError:
            pass
        except errors.Stopped:
            self._leave_last_state()
            raise
        except errors.Fatal as error:
            self.fail("", str(error), self._families)
        self._end()
        return not self.failures

    # What other modules of the run need

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
                data, warnings = pages.decode(answer.body)
            except pages.NotJson as error:
                self.reader.ask_again(ticket, errors.Retry(f"200 with a body that is not JSON ({error})"))
                continue
            except pages.DamagedPage as error:
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

    def url_length(self, path: str, parameters: Mapping[str, str]) -> int:
        """How long the address of a request is, in characters."""
        return len(f"{self._client.api_url}{REST_ROOT}{path}?{next_query(parameters, path, '')}")

    def records(
        self, stream: AkeneoStream, items: Iterable[object], parents: Mapping[str, str], family: str
    ) -> list[dict[str, Any]]:
        """Make records of a page's items; one that is damaged fails the family and leaves the others alone."""
        records = []
        for item in items:
            try:
                record, remarks = stream.shape.record(item, parents)
            except php.Misshapen as error:
                code = item.get("code") if isinstance(item, dict) else None
                self.fail(family or str(code or ""), f"{stream.name} {code!r}: {error}", stream)
                continue
            for remark in remarks:
                self.warn_once(f"{stream.name}: {remark}.", stream.name, remark)
            records.append(record)
        return records

    def guard(self, family: str, streams: Sequence[AkeneoStream], reading: Reading) -> Reading:
        """A reading whose failure fails its family, and nothing else."""
        try:
            yield from reading
        except errors.NotFound as error:
            self.warn(f"Family {family!r}: {error} It is passed over in this run.")
            self.leave_out(*streams)
        except errors.Fatal:
            raise
        except (errors.RequestFailed, php.Misshapen, Circling) as error:
            self.fail(family, str(error), *streams)

    def fail(self, family: str, message: str, *streams: AkeneoStream) -> None:
        """Note that a family could not be read whole."""
        self.failures.setdefault(family, []).append(message)
        self.leave_out(*streams)

    def leave_out(self, *streams: AkeneoStream) -> None:
        """Note that something of these streams, and so of those below them, is not read in this run."""
        for stream in streams:
            stream.complete = False
            self.leave_out(*stream.children)

    def warn(self, message: str) -> None:
        """Log a warning."""
        self._tap.logger.warning(message)

    def warn_once(self, message: str, *subject: str) -> None:
        """Log a warning unless there was one about the same subject."""
        if subject not in self._warned:
            self._warned.add(subject)
            self.warn(message)

    # Families, attributes, options

    def _start_families(self) -> None:
        if self._settings.families is None:
            self.reader.start(self._read_family_list())
        for code in self._settings.families or ():
            self.reader.start(self.guard(code, [self._families], self._read_named_family(code)))

    def _read_named_family(self, code: str) -> Reading:
        path = self._families.path + "/" + encode_segment(code)
        try:
            _, data = yield from self.answer(self.ask(path, rank=FAMILIES_FIRST))
        except errors.NotFound:
            self.warn(f"The family {code!r} of the setting `asset_families` is not to be had from this PIM.")
            self.fail(code, "The PIM has no such family, or does not show it to this connection.", self._families)
            return
        self._write_families([data])

    def _read_family_list(self) -> Reading:
        listing = Listing()
        path = self._families.path
        try:
            ticket: Ticket | None = self.ask(path, rank=FAMILIES_FIRST)
            while ticket:
                _, data = yield from self.answer(ticket)
                items, link = php.items(data), php.next_link(data)
                listing.check([str(item.get("code")) for item in items], link)
                ticket = self.ask(path, link=link, rank=FAMILIES_FIRST) if link else None
                self._write_families(items)
        except errors.NotFound as error:
            raise errors.Fatal(f"{error} Is `api_url` the address of an Akeneo PIM with the Asset Manager?") from None
        except (errors.RequestFailed, php.Misshapen, Circling) as error:
            self.fail("", f"The list of families could not be read: {error}", self._families)
            return
        self._listed = True

    def _write_families(self, items: Iterable[Mapping[str, Any]]) -> None:
        records = self.records(self._families, items, {}, "")
        kept = [record["code"] for record in records if self._families.keeps(record)]
        self._families.emit(records)
        for code in kept:
            if code not in self._seen:
                self._start_family(Family(code))
        self._seen.update(record["code"] for record in records)

    def _start_family(self, family: Family) -> None:
        if self._attributes.wanted:
            self.start_attributes(family)
        self._assets.add(family)

    def start_attributes(self, family: Family) -> Ticket:
        """Ask for a family's attributes, unless somebody has; `family.attributes` holds them once they arrive."""
        if family.attributes_ticket is None:
            path = self._attributes.path.format(asset_family_code=family.path_code)
            rank = NEEDED_FOR_VALUES if self._assets.writes_values else WHEN_WORKERS_ARE_FREE
            family.attributes_ticket = self.ask(path, rank=rank)
            reading = self._read_attributes(family, family.attributes_ticket)
            self.reader.begin(self.guard(family.code, [self._attributes], reading))
        return family.attributes_ticket

    def _read_attributes(self, family: Family, ticket: Ticket) -> Reading:
        _, data = yield from self.answer(ticket)
        items = php.items(data)
        records = self.records(self._attributes, items, {"asset_family_code": family.code}, family.code)
        family.attributes = {record["code"]: attribute_info(record) for record in records}
        with_options = [
            record["code"]
            for record in records
            if record.get("type") in OPTION_TYPES and self._attributes.keeps(record)
        ]
        self._attributes.emit(records)
        for code in with_options if self._options.wanted else ():
            self.reader.start(self.guard(family.code, [self._options], self._read_options(family, code)))

    def _read_options(self, family: Family, attribute: str) -> Reading:
        path = self._options.path.format(asset_family_code=family.path_code, attribute_code=encode_segment(attribute))
        _, data = yield from self.answer(self.ask(path, rank=WHEN_WORKERS_ARE_FREE))
        parent = {"asset_family_code": family.code, "attribute_code": attribute}
        self._options.emit(self.records(self._options, php.items(data), parent, family.code))

    # Checkpoints and the end

    def _tick(self) -> None:
        if self._tap.stop.is_set():
            raise errors.Stopped
        if self._tap.dry_run and all(stream.full for stream in self._streams if stream.selected):
            raise _EnoughRecordsError
        if self._budget.is_due(self._records_written, self._tap.chunk_writer.bytes_written):
            self._checkpoint()

    @property
    def _records_written(self) -> int:
        return sum(stream.records for stream in self._streams)

    def _checkpoint(self) -> None:
        writer = self._tap.chunk_writer
        for stream in self._streams:
            stream.flush()
        writer.flush()
        self._assets.keep_open()
        before = writer.bytes_written
        self._tap.state_writer.write_state(self._tap.state)
        self._budget.spend(writer.bytes_written - before, self._records_written)

    def _leave_last_state(self) -> None:
        writer = self._tap.chunk_writer
        try:
            writer.flush()
            self._assets.keep_open()
            self._tap.write_message(StateMessage(value=self._tap.state))
        except errors.Stopped:
            writer.repeat_last_state()

    def _note_what_settings_leave_out(self) -> None:
        settings = self._settings
        if settings.families is not None:
            self.leave_out(self._families)
        if settings.narrows_assets:
            self.leave_out(self._tap.stream("assets"))

    def _end(self) -> None:
        if self._listed and self._seen:
            self._bookmarks.keep_only(self._seen)
        if not self._tap.dry_run:
            for stream in self._streams:
                stream.flush()
                stream.activate_version()
        self._checkpoint()
        for stream in self._streams:
            stream.close()
        for line in failure_lines(self.failures):
            self._tap.logger.error(line)


def failure_lines(failures: Mapping[str, Sequence[str]]) -> list[str]:
    """What to tell of the families that failed: a line each, or one for all that failed for the same reason.

    Args:
        failures: messages by family code; `""` for what belongs to no family.
    """
    by_message: dict[str, list[str]] = {}
    for family, messages in failures.items():
        by_message.setdefault(messages[0], []).append(family)
    lines = []
    for message, families in by_message.items():
        names = [repr(family) for family in families if family]
        shown = ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
        subject = f"{'Family' if len(names) == 1 else 'Families'} {shown} failed: " if names else ""
        lines.append(subject + message)
    return lines
