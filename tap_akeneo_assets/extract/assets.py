"""The assets of many families on their way, and the values that come with them.

A family is read by one listing or, when it turns out long, by several at once, each with its own range of `updated`.
Only so many listings are open at once that the state stays small; those with the fewest pages read go first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets import errors
from tap_akeneo_assets.errors import PaginationLoop
from tap_akeneo_assets.extract.listings import MAX_URL_LENGTH, Listing, code_listings
from tap_akeneo_assets.extract.ranges import Cutter
from tap_akeneo_assets.extract.run import MAX_NAMES, listed
from tap_akeneo_assets.extract.state import FamilyProgress, bookmark
from tap_akeneo_assets.pim.responses import describe
from tap_akeneo_assets.pim.urls import encode_segment
from tap_akeneo_assets.records import pages
from tap_akeneo_assets.records.timestamps import to_filter
from tap_akeneo_assets.records.values import UnseenFilters, needs_attributes, thin_out, value_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from tap_akeneo_assets.extract.fetcher import Reading, Ticket
    from tap_akeneo_assets.extract.run import Family, Run
    from tap_akeneo_assets.extract.state import Bookmarks
    from tap_akeneo_assets.pim.client import Answer
    from tap_akeneo_assets.settings import Settings
    from tap_akeneo_assets.singer.stream import AkeneoStream


MAX_OPEN_LISTINGS = 64
RANGES_A_WORKER = 4
SAMPLE_PAGES = 3
SAMPLE_PAGES_OF_FEW = 1
PAGES_WITHOUT_CIRCLE = 6
PAGES_RANK = 1
READ_TO_THE_END = "All that were due have been read; the next run reads attributes and options again."


@dataclass(slots=True)
class Progress:
    """How far a family's assets have been read in this run."""

    pages: int = 0
    assets: int = 0


class AssetReading:
    """Reads the assets of families as they are added.

    Args:
        run: gives answers and takes failures.
        assets: the stream of assets.
        values: the stream of their values.
        settings: the tap's.
        bookmarks: where families start, and what is kept of them.
        start_attributes: asks for a family's attributes, and gives the ticket of their answer.

    Attributes:
        families_are_few: fewer than workers, which would have nothing to do if long families were not cut early.
    """

    def __init__(  # noqa: PLR0913  # all that it works with
        self,
        run: Run,
        assets: AkeneoStream,
        values: AkeneoStream,
        settings: Settings,
        bookmarks: Bookmarks,
        *,
        start_attributes: Callable[[Family], Ticket],
    ) -> None:
        self._run = run
        self._assets = assets
        self._values = values
        self._settings = settings
        self._bookmarks = bookmarks
        self._start_attributes = start_attributes
        self.families_are_few = False
        self._coming: deque[Family] = deque()
        self._open = 0
        self._readings: dict[str, FamilyProgress] = {}
        self._progress: dict[str, Progress] = {}
        self._next_runs: dict[str, str] = {}
        self._unseen = UnseenFilters(settings.question.channel, settings.question.locales)
        self._probes: dict[str, Ticket] = {}
        self._held: dict[str, list[Listing]] = {}

    @property
    def writes_values(self) -> bool:
        """Whether values are typed in this run, for which attributes may be needed."""
        return self._values.has_to_be_read

    def add(self, family: Family) -> None:
        """Read a family's assets when there is room for its listings."""
        if self._assets.has_to_be_read:
            self._coming.append(family)
            self._begin_families()

    def keep_open(self) -> None:
        """Note in the state how far all open families have been read."""
        for reading in self._readings.values():
            if reading.began:
                self._bookmarks.keep_open(reading, self._settings.question.narrowed)

    def outlook(self, family: str) -> str:
        """How far a family that failed has been read, and what the next run will do, in words that fit several."""
        progress = self._progress.get(family)
        if progress is None:
            return "The next run tries again."
        pages = "1 page" if progress.pages == 1 else f"{progress.pages} pages"
        so_far = f"{progress.assets} (from {pages})" if progress.pages else "none"
        reading = self._readings.get(family)
        next_run = self._next_runs.get(family) or (_next_run(reading) if reading else READ_TO_THE_END)
        return f"Assets read in this run: {so_far}. {next_run}"

    def warn_of_unseen_filters(self) -> None:
        """Warn of a channel and locales of the settings of which no value has been seen."""
        for setting, names in self._unseen.found().items():
            self._run.warn(
                f"The setting `{setting}` names {listed(names)}, but none of the values read in this run has that "
                f"{'channel' if setting == 'channel' else 'locale'}. Check how the PIM spells it."
            )

    # Families

    def _begin_families(self) -> None:
        while self._coming and self._open < MAX_OPEN_LISTINGS:
            self._begin(self._coming.popleft())

    def _begin(self, family: Family) -> None:
        self._progress[family.code] = Progress()
        if family.wanted is not None:
            self._begin_codes(family, family.wanted)
            return
        asked, now = self._settings.question.narrowed, self._run.now
        since = self._bookmarks.since(family.code, asked, now) if self._assets.is_incremental else None
        by_bookmark = since is not None
        since = since or self._settings.start_date
        reading = self._bookmarks.unfinished(family.code, since, asked, now)
        if reading is None:
            reading = FamilyProgress(family.code, since, open=[Listing(since)])
        else:
            self._run.leave_out(self._assets)
        reading.by_bookmark = by_bookmark
        self._begin_reading(family, reading)

    def _begin_reading(self, family: Family, reading: FamilyProgress) -> None:
        self._readings[family.code] = reading
        for listing in reading.open:
            self._start(family, reading, listing)

    def _start(self, family: Family, reading: FamilyProgress, listing: Listing, ticket: Ticket | None = None) -> None:
        self._open += 1
        self._run.reader.start(self._guard(family, reading, listing, ticket))

    def _guard(self, family: Family, reading: FamilyProgress, listing: Listing, ticket: Ticket | None) -> Reading:
        yield from self._run.guard(family.code, [self._assets], self._read(family, reading, listing, ticket))
        self._open -= 1
        self._begin_families()

    def _begin_codes(self, family: Family, codes: Sequence[str]) -> None:
        """Read only some assets of a family, whole and whatever its bookmark says, which stays as it is."""
        path = self._path(family)
        listings = list(code_listings(codes, lambda listing: self._run.url_length(path, self._parameters(listing))))
        reading = FamilyProgress(family.code, open=listings, wanted=codes)
        self._next_runs[family.code] = "The next run reads the assets of `asset_codes` again."
        for listing in listings:
            self._start(family, reading, listing)

    def _end_listing(self, family: Family, reading: FamilyProgress, listing: Listing) -> None:
        reading.open.remove(listing)
        if reading.open:
            return
        if reading.wanted is not None:
            self._warn_of_missing(family, reading.wanted, reading.seen)
            return
        if reading.was_damaged and not reading.damaged:
            self._run.warn(f"Family {family.code!r}: an interrupted run met damaged data in it; it is read once more.")
            again = FamilyProgress(family.code, reading.since, open=[Listing(reading.since)])
            again.by_bookmark = reading.by_bookmark
            self._begin_reading(family, again)
            return
        lookback = timedelta(seconds=self._settings.lookback_seconds)
        if reading.cut and not reading.catching_up and reading.began is not None:
            reading.catching_up = True
            reading.written.clear()
            moved = Listing(max(filter(None, (reading.since, to_filter(reading.began - lookback)))))
            reading.open.append(moved)
            self._start(family, reading, moved)
            return
        del self._readings[family.code]
        moves = self._assets.is_incremental and reading.found and not reading.damaged
        if reading.damaged:
            self._next_runs[family.code] = _from_the_start(reading)
        value = bookmark(reading.newest, reading.began, lookback) if moves else None
        self._bookmarks.close(reading, value, self._settings.question.narrowed)

    def _warn_of_missing(self, family: Family, wanted: Sequence[str], seen: set[str]) -> None:
        spelled = {code.casefold(): code for code in seen}
        missing = sorted(set(wanted) - seen)
        otherwise = [f"{code!r} is {spelled[code.casefold()]!r}" for code in missing if code.casefold() in spelled]
        if otherwise:
            more = f" and {len(otherwise) - MAX_NAMES} more" if len(otherwise) > MAX_NAMES else ""
            self._run.warn(
                f"Family {family.code!r}: the PIM spells some codes of `asset_codes` in another case: "
                f"{', '.join(otherwise[:MAX_NAMES])}{more}."
            )
        if gone := [code for code in missing if code.casefold() not in spelled]:
            self._run.warn(f"Family {family.code!r} has no assets {', '.join(map(repr, gone))}.")

    # Pages

    def _read(self, family: Family, reading: FamilyProgress, listing: Listing, ticket: Ticket | None) -> Reading:
        """Read a listing to its end, or until it is cut into several."""
        sample_pages = SAMPLE_PAGES_OF_FEW if self.families_are_few else SAMPLE_PAGES
        cutter = Cutter(listing, RANGES_A_WORKER * self._settings.max_concurrency, sample_pages)
        may_cut = self._may_cut(reading, listing)
        coming: Ticket | None = ticket or self._ask_first(family, listing)
        while coming:
            # In a frame of its own, a page is let go before the next one is waited for.
            coming = yield from self._read_page(family, reading, listing, coming, cutter if may_cut else None)

    def _read_page(
        self, family: Family, reading: FamilyProgress, listing: Listing, ticket: Ticket, cutter: Cutter | None
    ) -> Generator[Ticket, Answer, Ticket | None]:
        """Read and write a page, and ask for the next one in between.

        Returns:
            The next page's ticket; none where the listing has come to an end.
        """
        try:
            answer, data = yield from self._run.answer(ticket)
        except errors.Refused as refusal:
            return (yield from self._after_refusal(family, reading, listing, refusal))
        reading.began = reading.began or answer.began
        items, link = pages.page_items(data), pages.next_link(data)
        self._check(listing, items, link)
        probe = self._probes.pop(family.code, None)
        if probe and link is None:
            self._run.reader.drop(probe)
        if cutter and probe and link and (yield from self._is_long(family, cutter.probe, probe)):
            records = self._records(family, reading, items)
            yield from self._write(family, reading, records)
            self._progress[family.code].pages += 1
            cutter.written.update((record["code"], record.get("updated")) for record in records)
            self._cut(family, reading, listing, cutter, probe)
            return None
        goes_on = link is not None and self._goes_on(len(items))
        too_long = link is not None and self._is_too_long(family, listing, link)
        coming = self._ask(family, listing, link) if goes_on and not too_long else None
        records = self._records(family, reading, items)
        if cutter and coming and reading.began and cutter.see(records):
            self._probes[family.code] = self._ask(family, cutter.probe)
        self._run.reader.send()
        yield from self._write(family, reading, records)
        self._progress[family.code].pages += 1
        if too_long and goes_on:
            yield from self._split(family, reading, listing)
            return None
        listing.next = self._run.to_keep(link) if link else None
        if link is None or listing.pages >= PAGES_WITHOUT_CIRCLE:
            self._start_held(family, reading)
        if link is None:
            self._end_listing(family, reading, listing)
        return coming

    def _check(self, listing: Listing, items: Sequence[Mapping[str, Any]], link: str | None) -> None:
        try:
            listing.check([str(item.get("code")) for item in items], link)
        except PaginationLoop:
            listing.next = None  # the next run begins anew, rather than in the circle
            raise

    def _goes_on(self, coming: int) -> bool:
        """Whether more than so many further assets are wanted, which only a test run leaves in doubt."""
        limit = self._assets.ABORT_AT_RECORD_COUNT
        return limit is None or self._assets.records + coming < limit

    def _records(self, family: Family, reading: FamilyProgress, items: Sequence[object]) -> list[dict[str, Any]]:
        records, whole = self._run.records(self._assets, items, {"asset_family_code": family.code}, family.code)
        reading.damaged = reading.damaged or not whole
        return records

    def _write(self, family: Family, reading: FamilyProgress, records: list[dict[str, Any]]) -> Reading:
        """Write a page: assets, and the values of those that the stream map of assets lets through."""
        if self._unseen:
            self._unseen.see(records)
        records = reading.fresh(records)
        rows: list[dict[str, Any]] = []
        unparsed: set[tuple[str, str]] = set()
        if self.writes_values:
            if any(map(needs_attributes, records)):
                yield from self._wait_for_attributes(family, reading)
                if not family.attributes_whole and any(
                    needs_attributes(record, family.attributes or ()) for record in records
                ):
                    reading.damaged = True
            for record in filter(self._assets.passes_map, records):
                rows += value_rows(record, family.attributes, unparsed)
            self._warn_of_unparsed(family, unparsed)
        for record in records:
            reading.see(record.get("updated"))
        self._assets.emit(records)
        self._values.emit(rows)
        self._progress[family.code].assets += len(records)

    def _warn_of_unparsed(self, family: Family, unparsed: set[tuple[str, str]]) -> None:
        for attribute, kind in sorted(unparsed):
            self._run.warn_once(
                f"Family {family.code!r}: the attribute {attribute!r} has values that are no {kind}: see `raw_value`.",
                family.code,
                attribute,
            )

    def _wait_for_attributes(self, family: Family, reading: FamilyProgress) -> Reading:
        """Let the family's attributes be known; what is saved after they were read must be read again."""
        ticket = self._start_attributes(family)
        if family.attributes is None:
            yield ticket
        if family.attributes is None:
            raise errors.DamagedPage("The values cannot be typed, since the attributes could not be read.")
        reading.began = min(filter(None, (reading.began, family.attributes_began)), default=None)

    # Refusals

    def _ask_first(self, family: Family, listing: Listing) -> Ticket:
        try:
            return self._ask(family, listing)
        except errors.DamagedPage:
            return self._ask_anew(family, listing)

    def _ask_anew(self, family: Family, listing: Listing) -> Ticket:
        self._run.warn(f"Family {family.code!r}: an earlier listing cannot be gone on with; it starts anew.")
        listing.restart()
        return self._ask(family, listing)

    def _after_refusal(
        self, family: Family, reading: FamilyProgress, listing: Listing, refusal: errors.Refused
    ) -> Generator[Ticket, Answer, Ticket | None]:
        if listing.resumed and listing.next:
            return self._ask_anew(family, listing)
        if listing.codes and not listing.pages and not self._settings.question.search:
            yield from self._read_one_by_one(family, reading, listing.codes)
            self._end_listing(family, reading, listing)
            return None
        if self._settings.question.narrowed and not listing.pages:
            settings = ", ".join([*self._settings.question.narrowed, *(["asset_codes"] if listing.codes else [])])
            answer = describe(refusal.status or 422, refusal.reason)
            raise errors.RequestFailed(f"The PIM refuses what is asked for by {settings}: {answer}.")
        raise refusal

    def _is_too_long(self, family: Family, listing: Listing, link: str) -> bool:
        """Whether the address of the next page is too long, where fewer codes would make it shorter."""
        if len(listing.codes) == 1 and self._settings.question.search:
            return False  # it is no shorter by any other way
        length = self._run.url_length(self._path(family), self._parameters(listing), link) if listing.codes else 0
        return length >= MAX_URL_LENGTH

    def _split(self, family: Family, reading: FamilyProgress, listing: Listing) -> Reading:
        """Ask anew for the codes that have not come yet, instead of following a link that is too long."""
        left = [code for code in listing.codes if code not in reading.seen]
        if len(listing.codes) == 1:
            yield from self._read_one_by_one(family, reading, left)
        else:
            parts = listing.split(left)
            reading.open += parts
            for part in parts:
                self._start(family, reading, part)
        self._end_listing(family, reading, listing)

    def _read_one_by_one(self, family: Family, reading: FamilyProgress, codes: Sequence[str]) -> Reading:
        """Before 7.0 there is no filter on codes, nor a way to thin out the values of one asset."""
        path, question = self._path(family), self._settings.question
        tickets = [self._run.ask(f"{path}/{encode_segment(code)}", rank=(PAGES_RANK, 0)) for code in codes]
        for code, ticket in zip(codes, tickets, strict=True):
            try:
                _, data = yield from self._run.answer(ticket)
            except errors.NotFound:
                continue
            records = self._records(family, reading, [pages.item(data, code)])
            for record in records:
                if record.get("values"):
                    record["values"] = thin_out(record["values"], question.channel, question.locales)
            yield from self._write(family, reading, records)

    # Cutting a long listing

    def _may_cut(self, reading: FamilyProgress, listing: Listing) -> bool:
        """Whether several listings could be faster than this one."""
        return self._settings.max_concurrency > 1 and not reading.cut and not listing.resumed and not listing.codes

    def _is_long(self, family: Family, part: Listing, probe: Ticket) -> Generator[Ticket, Answer, bool]:
        """Whether the listing of one range, asked for as a probe, has more than a page, which is not the same again."""
        try:
            _, first = yield from self._run.answer(probe)
            link = pages.next_link(first)
            if link is None:
                return False
            _, second = yield from self._run.answer(self._ask(family, part, link))
            return pages.page_items(second) != pages.page_items(first)
        except errors.Fatal:
            raise
        except (errors.RequestFailed, errors.UnexpectedShape):
            return False

    def _cut(self, family: Family, reading: FamilyProgress, listing: Listing, cutter: Cutter, probe: Ticket) -> None:
        reading.cut = True
        reading.written |= cutter.written
        reading.open.remove(listing)
        reading.open += cutter.ranges
        first = cutter.ranges[: self._settings.max_concurrency]
        self._held[family.code] = [part for part in cutter.ranges if part not in first and part is not cutter.probe]
        self._start(family, reading, cutter.probe, probe)
        for part in first:
            if part is not cutter.probe:
                self._start(family, reading, part)

    def _start_held(self, family: Family, reading: FamilyProgress) -> None:
        """Start the ranges that were held back until the first ones showed that they do not go in circles."""
        for part in self._held.pop(family.code, ()):
            self._start(family, reading, part)

    # Requests

    def _ask(self, family: Family, listing: Listing, link: str | None = None) -> Ticket:
        rank = (PAGES_RANK, listing.pages)
        return self._run.ask(self._path(family), self._parameters(listing), link or listing.next, rank=rank)

    def _parameters(self, listing: Listing) -> dict[str, str]:
        return self._settings.question.parameters(listing.conditions)

    def _path(self, family: Family) -> str:
        return self._assets.path.format(asset_family_code=family.path_code)


def _next_run(reading: FamilyProgress) -> str:
    """What the run after this one will do with a family that was not read to its end."""
    return "The next run goes on at the unfinished listing." if reading.goes_on else _from_the_start(reading)


def _from_the_start(reading: FamilyProgress) -> str:
    if reading.by_bookmark:
        return "The next run reads again from the bookmark."
    return "The next run reads from the beginning."
