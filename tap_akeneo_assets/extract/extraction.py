"""What a run reads, in which order, and what it leaves behind.

Families come first, page by page. Each family's own record is written before those below it; apart from that, pages
are written as they arrive. Attributes and options are read here, assets in `asset_reading`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib.messages import StateMessage

from tap_akeneo_assets import errors
from tap_akeneo_assets.errors import PaginationLoop
from tap_akeneo_assets.extract.assets import AssetReading
from tap_akeneo_assets.extract.listings import Listing
from tap_akeneo_assets.extract.run import Family, Run, failure_lines, listed
from tap_akeneo_assets.pim.urls import encode_segment
from tap_akeneo_assets.records import pages
from tap_akeneo_assets.records.shapes import as_text
from tap_akeneo_assets.records.values import attribute_info
from tap_akeneo_assets.singer.state_budget import StateBudget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_akeneo_assets.extract.fetcher import Reading, Ticket
    from tap_akeneo_assets.extract.state import Bookmarks
    from tap_akeneo_assets.pim.client import Client
    from tap_akeneo_assets.settings import Settings
    from tap_akeneo_assets.singer.tap_base import AkeneoTap


FAMILIES_FIRST = (0,)
NEEDED_FOR_VALUES = (1, 0)
WHEN_WORKERS_ARE_FREE = (2,)
OPTION_TYPES = ("single_option", "multiple_options")


class _EnoughRecordsError(Exception):
    """A test run has the few records that it asks for."""


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
        self._seen: set[str] = set()
        self._codes_by_letters = _by_letters(settings.asset_codes)
        self._listed = False
        self._run = Run(client, settings.max_concurrency, tap.logger, self._tick)
        self._assets = AssetReading(
            self._run,
            tap.stream("assets"),
            tap.stream("asset_values"),
            settings,
            bookmarks,
            start_attributes=self._start_attributes,
        )

    def run(self) -> bool:
        """Read and write everything.

        Returns:
            Whether all of it could be had.

        Raises:
            Stopped: a signal ended it; what was written until then has its STATE.
        """
        self._budget.spend(self._tap.chunk_writer.fall_back_to(self._tap.state), 0)  # the SDK has sent it
        try:
            self._begin()
            self._read()
            self._end()
        except errors.Stopped:
            self._leave_last_state()
            raise
        return not self._run.failures

    def _begin(self) -> None:
        for stream in self._streams:
            stream.open()
        self._note_what_settings_leave_out()
        self._start_families()

    def _read(self) -> None:
        try:
            self._run.reader.run()
        except _EnoughRecordsError:
            pass
        except errors.Fatal as error:
            self._run.fail("", str(error), self._families)

    # Families, attributes, options

    def _start_families(self) -> None:
        if self._settings.families is None:
            self._run.reader.start(self._read_family_list())
        else:
            self._assets.families_are_few = len(self._settings.families) < self._settings.max_concurrency
            for names in _by_letters(self._settings.families).values():
                self._run.reader.start(self._run.guard(names[0], [self._families], self._read_named_families(names)))

    def _read_named_families(self, names: Sequence[str]) -> Reading:
        """Read the families of some names that differ in nothing but the case of their letters, each once."""
        found: dict[str, Mapping[str, Any]] = {}
        tickets = [
            self._run.ask(f"{self._families.path}/{encode_segment(name)}", rank=FAMILIES_FIRST) for name in names
        ]
        for name, ticket in zip(names, tickets, strict=True):
            yield from self._run.guard(name, [self._families], self._read_named_family(name, ticket, found))
        items = {str(as_text(item["code"])): item for item in found.values()}
        spelled = {name: str(as_text(item["code"])) for name, item in found.items()}
        wanted: dict[str, list[str]] = {}
        for key in self._codes_by_letters.get(names[0].casefold(), ()):
            # One that was not asked for means the only family there is, whatever its case.
            code = spelled.setdefault(key, next(iter(items)) if len(items) == 1 else key)
            wanted.setdefault(code, []).extend(self._settings.asset_codes[key])
        for code in items:
            others = [name for name, its_code in spelled.items() if its_code == code and name != code]
            if others:
                self._run.warn(
                    f"The PIM spells the family {listed(others)} of the settings {code!r}; it is read under that code."
                )
        self._write_families(items.values(), wanted)

    def _read_named_family(self, name: str, ticket: Ticket, found: dict[str, Mapping[str, Any]]) -> Reading:
        try:
            _, data = yield from self._run.answer(ticket)
        except errors.NotFound:
            setting = "asset_codes" if name in self._settings.asset_codes else "asset_families"
            message = f"The PIM has no such family, or does not show it to this connection; check `{setting}`."
            self._run.fail(name, message, self._families)
            return
        found[name] = pages.item(data, name)

    def _read_family_list(self) -> Reading:
        listing = Listing()
        path = self._families.path
        try:
            ticket: Ticket | None = self._run.ask(path, rank=FAMILIES_FIRST)
            while ticket:
                _, data = yield from self._run.answer(ticket)
                items, link = pages.page_items(data), pages.next_link(data)
                listing.check([str(item.get("code")) for item in items], link)
                ticket = self._run.ask(path, link=link, rank=FAMILIES_FIRST) if link else None
                is_whole_list = link is None and listing.pages == 1
                self._assets.families_are_few = is_whole_list and len(items) < self._settings.max_concurrency
                self._write_families(items)
        except errors.NotFound as error:
            raise errors.Fatal(f"{error} Is `api_url` the address of an Akeneo PIM with the Asset Manager?") from None
        except (errors.RequestFailed, errors.UnexpectedShape, PaginationLoop) as error:
            self._run.fail("", f"The list of families could not be read: {error}", self._families)
            return
        self._listed = True

    def _write_families(
        self, items: Iterable[Mapping[str, Any]], wanted: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Write families that have not been written yet, and start to read what is below them.

        Args:
            items: of a page.
            wanted: the codes of the only assets to read, by family; a family that is not in it is read whole.
        """
        found, _ = self._run.records(self._families, items, {}, "")
        records = [record for record in found if record["code"] not in self._seen]
        self._seen.update(record["code"] for record in records)
        kept = [record["code"] for record in records if self._families.passes_map(record)]
        self._families.emit(records)
        for code in kept:
            self._start_family(Family(code, (wanted or {}).get(code)))

    def _start_family(self, family: Family) -> None:
        if self._attributes.has_to_be_read:
            self._start_attributes(family)
        self._assets.add(family)

    def _start_attributes(self, family: Family) -> Ticket:
        """Ask for a family's attributes, unless somebody has; `family.attributes` holds them once they arrive."""
        if family.attributes_ticket is None:
            path = self._attributes.path.format(asset_family_code=family.path_code)
            rank = NEEDED_FOR_VALUES if self._assets.writes_values else WHEN_WORKERS_ARE_FREE
            family.attributes_ticket = self._run.ask(path, rank=rank)
            reading = self._read_attributes(family, family.attributes_ticket)
            self._run.reader.begin(self._run.guard(family.code, [self._attributes], reading))
        return family.attributes_ticket

    def _read_attributes(self, family: Family, ticket: Ticket) -> Reading:
        answer, data = yield from self._run.answer(ticket)
        items = pages.items(data)
        family.attributes_began = answer.began
        parent = {"asset_family_code": family.code}
        records, family.attributes_whole = self._run.records(self._attributes, items, parent, family.code)
        family.attributes = {record["code"]: attribute_info(record) for record in records}
        with_options = [
            record["code"]
            for record in records
            if record.get("type") in OPTION_TYPES and self._attributes.passes_map(record)
        ]
        self._attributes.emit(records)
        for code in with_options if self._options.has_to_be_read else ():
            self._run.reader.start(self._run.guard(family.code, [self._options], self._read_options(family, code)))

    def _read_options(self, family: Family, attribute: str) -> Reading:
        path = self._options.path.format(asset_family_code=family.path_code, attribute_code=encode_segment(attribute))
        _, data = yield from self._run.answer(self._run.ask(path, rank=WHEN_WORKERS_ARE_FREE))
        parent = {"asset_family_code": family.code, "attribute_code": attribute}
        records, _ = self._run.records(self._options, pages.items(data), parent, family.code)
        self._options.emit(records)

    # Checkpoints and the end

    def _tick(self) -> None:
        if self._tap.stop.is_set():
            raise errors.Stopped
        if self._tap.dry_run and all(stream.has_enough_records for stream in self._streams if stream.selected):
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
            for stream in self._streams:
                stream.flush()
            writer.flush()
            self._assets.keep_open()
            self._tap.write_message(StateMessage(value=self._tap.state))
        except errors.Stopped:
            writer.repeat_last_state()

    def _note_what_settings_leave_out(self) -> None:
        settings = self._settings
        if settings.families is not None:
            self._run.leave_out(self._families)
            named = _by_letters(settings.families)
            if unread := [family for family in settings.asset_codes if family.casefold() not in named]:
                self._run.warn(
                    f"Families of `asset_codes` that `asset_families` does not name are not read: {listed(unread)}."
                )
        if settings.narrows_assets:
            self._run.leave_out(self._tap.stream("assets"))

    def _end(self) -> None:
        if self._listed and self._families.is_complete and self._seen:
            self._bookmarks.keep_only(self._seen)
        if not self._tap.dry_run:
            for stream in self._streams:
                stream.flush()
                stream.activate_version()
        self._checkpoint()
        for stream in self._streams:
            stream.close()
        if not self._tap.dry_run:
            self._assets.warn_of_unseen_filters()
        for line in failure_lines(self._run.failures, self._assets.outlook):
            self._tap.logger.error(line)


def _by_letters(names: Iterable[str]) -> dict[str, list[str]]:
    """Names in groups of those that differ in nothing but the case of their letters."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    return groups
