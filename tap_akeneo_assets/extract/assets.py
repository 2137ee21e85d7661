"""One family's assets being read: its listings, its pages, its end.

A family is read by one listing or, when it turns out long, by several at once, each with its own range of `updated`.
The listing of which the fewest pages have been read goes first; where families are few, the range that has come least
far.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.errors import (
    DamagedPage,
    PaginationLoop,
    Refused,
    RequestFailed,
    UnexpectedShape,
    release,
)
from tap_akeneo_assets.extract.asset_writer import AssetWriter
from tap_akeneo_assets.extract.by_code import AssetsByCode
from tap_akeneo_assets.extract.fetcher import page_rank, range_rank
from tap_akeneo_assets.extract.listings import MAX_URL_LENGTH, Listing, PageHistory, code_listings
from tap_akeneo_assets.extract.ranges import Sample
from tap_akeneo_assets.extract.state import FamilyProgress, bookmark
from tap_akeneo_assets.extract.written import WrittenAssets, WrittenCodes
from tap_akeneo_assets.pim.responses import describe
from tap_akeneo_assets.records import json_body
from tap_akeneo_assets.records.assets import Asset, AssetPage, decode_page
from tap_akeneo_assets.records.timestamps import to_datetime, to_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_akeneo_assets.extract.asset_writer import Family, FamilyAttributes
    from tap_akeneo_assets.extract.fetcher import Rank
    from tap_akeneo_assets.extract.run import Run
    from tap_akeneo_assets.pim.exchange import Answer
    from tap_akeneo_assets.records.values import UnseenFilters

    ComingPage = asyncio.Future[Answer[Any]]

# Ranges differ in length, so several per thread keep all threads busy to the end.
RANGES_PER_THREAD = 4
# Few pages make an uneven cut; many delay it. Where threads are idle meanwhile, one page has to do.
SAMPLE_PAGES = 3
SAMPLE_PAGES_IF_FEW_FAMILIES = 1
# So many pages show that a listing does not repeat itself, before more ranges of the family ask for the same.
PAGES_BEFORE_HELD_RANGES = 6


@dataclass(slots=True, eq=False)
class OpenListing:
    """A listing that is being read in this run.

    Attributes:
        listing: what is kept of it between runs.
        sample: where to cut it; None if it is not to be cut.
        ahead: the first pages of ranges that it may be cut into, while it is not known yet whether it is; the first one
            is the probe, which tells.
        history: the pages that this run has read of it.
    """

    listing: Listing
    sample: Sample | None = None
    ahead: list[tuple[Listing, ComingPage]] = field(default_factory=list)
    history: PageHistory = field(default_factory=PageHistory)


class FamilySync:
    """Reads one family's assets.

    Args:
        run: what all parts of the run share.
        family: the family.
        unseen_filters: takes note of locales and channels seen.
        load_attributes: gives the task that reads the family's attributes.
        on_listing_end: called when a listing has ended or failed.
    """

    def __init__(
        self,
        run: Run,
        family: Family,
        *,
        unseen_filters: UnseenFilters,
        load_attributes: Callable[[Family], asyncio.Task[FamilyAttributes | None]],
        on_listing_end: Callable[[], None],
    ) -> None:
        self.code = family.code
        self._run = run
        self._report = run.report
        self._settings = run.settings
        self._query = run.settings.asset_query
        self._assets = run.streams.assets
        self._family = family
        self._path = self._assets.path.format(asset_family_code=family.path_code)
        self._on_listing_end = on_listing_end
        self._pages_read = 0
        self._starts_at_bookmark = False
        self._is_closed = False
        self._codes = WrittenCodes()
        self._written = WrittenAssets()
        self._writer = AssetWriter(
            run,
            family,
            self._written if family.asset_codes is None else self._codes,
            unseen_filters=unseen_filters,
            load_attributes=load_attributes,
        )
        self._progress = self._first_progress()
        self._by_code = AssetsByCode(run, self._path, self._writer, self._codes, self._progress)
        self._tasks = asyncio.TaskGroup()
        self._running = 0
        self._held_ranges: list[Listing] = []
        self._may_be_cut = run.settings.max_concurrency > 1
        self._to_come_again: dict[str, str] = {}

    @property
    def open_listings(self) -> int:
        """How many of its listings are being read; a family that is about to start counts as one."""
        return max(1, self._running)

    async def read(self) -> None:
        """Read the family to its end, or until what fails leaves some of its listings unfinished."""
        progress = self._progress
        await self._read_listings(progress.open)
        if progress.open:
            return
        if self._family.asset_codes is not None:
            await self._by_code.read_missing(self._family.asset_codes)
            self._is_closed = True
        elif progress.was_damaged and not progress.damaged:
            self._report.warn(f"Family {self.code!r}: an interrupted run met damaged data in it; it is read once more.")
            self._progress = FamilyProgress(self.code, progress.since, open=[Listing(progress.since)])
            self._written.clear()
            await self.read()
        elif progress.cut and not progress.catching_up and progress.began is not None:
            progress.catching_up = True
            progress.open.append(
                Listing(max(filter(None, (progress.since, to_filter(progress.began - self._lookback)))))
            )
            self._written.clear()
            await self.read()
        elif self._to_come_again:
            self._report.warn(
                f"Family {self.code!r}: the PIM's search index lacks assets that the PIM lists, such as "
                f"{min(self._to_come_again)!r}; the family is read again by one listing without a filter."
            )
            self._may_be_cut, self._to_come_again = False, {}
            self._progress = FamilyProgress(self.code, open=[Listing()])
            self._written.clear()
            await self.read()
        else:
            self._close()

    def keep_progress(self) -> None:
        """Note in the state how far the family has been read."""
        if not self._is_closed and self._progress.open and self._progress.began and self._family.asset_codes is None:
            self._run.bookmarks.keep_open(self._progress, self._query.restrictions)

    def outlook(self) -> str:
        """How far the family has been read, and what the next run will do, in words that fit several families."""
        read_pages = "1 page" if self._pages_read == 1 else f"{self._pages_read} pages"
        so_far = f"{self._writer.assets_written} (from {read_pages})" if self._pages_read else "none"
        return f"Assets read in this run: {so_far}. {self._next_run()}"

    def _next_run(self) -> str:
        if self._family.asset_codes is not None:
            return "The next run reads the assets of `asset_codes` again."
        if not self._is_closed and self._progress.can_be_resumed:
            return "The next run goes on at the unfinished listing."
        if self._is_closed and not self._progress.damaged:
            return "All that were due have been read; the next run reads attributes and options again."
        if self._starts_at_bookmark:
            return "The next run reads again from the bookmark."
        return "The next run reads from the beginning."

    # Where to start, and the end

    @property
    def _lookback(self) -> timedelta:
        return timedelta(seconds=self._settings.lookback_seconds)

    def _first_progress(self) -> FamilyProgress:
        codes, restrictions, now = self._family.asset_codes, self._query.restrictions, self._run.pim_now
        if codes is not None:
            # Whatever its bookmark says, which stays as it is.
            listings = code_listings(codes, lambda part: self._run.url_length(self._path, self._parameters(part)))
            return FamilyProgress(self.code, open=list(listings))
        since = self._run.bookmarks.since(self.code, restrictions, now) if self._assets.is_incremental else None
        self._starts_at_bookmark = since is not None
        since = since or self._settings.start_date
        unfinished = self._run.bookmarks.unfinished(self.code, since, restrictions, now)
        if unfinished is None:
            return FamilyProgress(self.code, since, open=[Listing(since)])
        self._report.leave_out(self._assets)
        return unfinished

    def _close(self) -> None:
        progress = self._progress
        moves = self._assets.is_incremental and progress.found and not progress.damaged
        value = bookmark(progress.newest, progress.began, self._lookback) if moves else None
        self._run.bookmarks.close(progress, value, self._query.restrictions)
        self._is_closed = True

    # Listings

    async def _read_listings(self, listings: Iterable[Listing]) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            for listing in listings:
                self._start(listing)

    def _start(self, listing: Listing, coming: ComingPage | None = None) -> None:
        self._running += 1
        self._tasks.create_task(self._read_listing(OpenListing(listing, self._sample_for(listing)), coming))

    async def _read_listing(self, open_listing: OpenListing, coming: ComingPage | None) -> None:
        """Read a listing to its end, until it is cut into several, or until it fails."""
        with self._report.failing(self.code, self._assets):
            coming = coming or self._fetch_first(open_listing)
            while coming:
                coming = await self._read_page(open_listing, coming)
        self._running -= 1
        self._on_listing_end()

    async def _read_page(self, open_listing: OpenListing, coming: ComingPage) -> ComingPage | None:
        """Read and write a page, and ask for the next one in between.

        Returns:
            The next page to come; None if there is none.
        """
        listing, progress = open_listing.listing, self._progress
        problem: PaginationLoop | DamagedPage | None
        try:
            answer = await coming
        except Refused as refusal:
            return await self._after_refusal(open_listing, refusal)
        progress.began = progress.began or answer.began
        page = AssetPage.of(answer.data)
        link, sample = page.next, open_listing.sample
        is_too_long, next_page, problem = False, None, self._add_to_history(open_listing, page)
        has_next = link is not None and self._needs_more(len(page.codes))
        assets = self._assets_of(page)
        if not problem and sample and await self._is_long(open_listing, sample, has_next=link is not None):
            await self._write_page(assets)
            self._cut(open_listing, sample, assets)
            self._run.after_page()
            return None
        if link and has_next and not problem:
            if progress.began and sample and sample.add(assets):
                self._ask_ahead(open_listing, [sample.probe])
            try:
                is_too_long = self._is_url_too_long(listing, link)
                next_page = None if is_too_long else self._fetch(open_listing, link)
            except DamagedPage as error:
                problem = error
        await self._write_page(assets)
        if problem:  # only now, so that it does not cost the page that has come
            raise problem
        if is_too_long:
            await self._split(listing)
            next_page = None
        elif link is None:
            progress.open.remove(listing)
        else:
            listing.next = self._run.link_to_keep(link)
        if link is None or open_listing.history.pages >= PAGES_BEFORE_HELD_RANGES:
            self._start_held_ranges()
        self._run.after_page()
        return next_page

    def _add_to_history(self, open_listing: OpenListing, page: AssetPage) -> PaginationLoop | DamagedPage | None:
        """Take note of a page; gives what is wrong with going on from it."""
        for code in page.codes if self._to_come_again else ():
            self._to_come_again.pop(code, None)
        try:
            open_listing.history.add(page.codes, page.next)
        except PaginationLoop as loop:
            open_listing.listing.next = None  # the next run reads from the beginning, rather than in the loop
            return loop
        return None

    def _needs_more(self, coming: int) -> bool:
        """Whether more than so many further assets are needed; always, but for a test run."""
        limit = self._assets.ABORT_AT_RECORD_COUNT
        return limit is None or self._assets.records + coming < limit

    def _assets_of(self, page: AssetPage) -> Sequence[Asset]:
        return page.assets or list(map(Asset, self._writer.records(page.items, self._progress)))

    async def _write_page(self, assets: Sequence[Asset]) -> None:
        await self._writer.write(assets, self._progress)
        self._pages_read += 1

    # Refusals

    def _fetch_first(self, open_listing: OpenListing) -> ComingPage:
        try:
            return self._fetch(open_listing)
        except DamagedPage:
            return self._fetch_from_the_beginning(open_listing)

    def _fetch_from_the_beginning(self, open_listing: OpenListing) -> ComingPage:
        self._report.warn(
            f"Family {self.code!r}: an unfinished listing cannot be resumed; reading it from the beginning."
        )
        open_listing.listing.restart()
        open_listing.history = PageHistory()
        return self._fetch(open_listing)

    async def _after_refusal(self, open_listing: OpenListing, refusal: Refused) -> ComingPage | None:
        listing, is_first_page = open_listing.listing, not open_listing.history.pages
        release(refusal)
        if listing.resumed and listing.next:
            return self._fetch_from_the_beginning(open_listing)
        if listing.codes and is_first_page and not self._query.search:
            await self._by_code.read(listing.codes)
            self._progress.open.remove(listing)
            return None
        if self._query.restrictions and is_first_page:
            settings = ", ".join([*self._query.restrictions, *(["asset_codes"] if listing.codes else [])])
            answer = describe(refusal.status or 422, refusal.reason)
            raise RequestFailed(f"The PIM refuses what is asked for by {settings}: {answer}.")
        raise refusal

    def _is_url_too_long(self, listing: Listing, link: str) -> bool:
        """Whether the URL of the next page is too long, where fewer codes would make it shorter."""
        if not listing.codes or (len(listing.codes) == 1 and self._query.search):
            return False
        return self._run.url_length(self._path, self._parameters(listing), link) >= MAX_URL_LENGTH

    async def _split(self, listing: Listing) -> None:
        """Ask for the codes that have not come yet by new listings, instead of following a link that is too long."""
        left = [code for code in listing.codes if code not in self._codes.codes]
        if len(listing.codes) == 1:
            await self._by_code.read(left)
        else:
            parts = listing.split(left)
            self._progress.open += parts
            for part in parts:
                self._start(part)
        self._progress.open.remove(listing)

    # Cutting a long listing

    def _sample_for(self, listing: Listing) -> Sample | None:
        """What finds where to cut a listing; None where several listings would not be faster."""
        if not self._may_be_cut or self._progress.cut or listing.resumed or listing.codes:
            return None
        sample_pages = SAMPLE_PAGES_IF_FEW_FAMILIES if self._run.families_are_few else SAMPLE_PAGES
        return Sample(listing, RANGES_PER_THREAD * self._settings.max_concurrency, sample_pages)

    async def _is_long(self, open_listing: OpenListing, sample: Sample, *, has_next: bool) -> bool:
        """Whether a listing is worth cutting: its probe has two pages, or three where families are many."""
        if not open_listing.ahead:
            return False
        if has_next:
            try:
                _, probe = open_listing.ahead[0]
                first = AssetPage.of((await probe).data)
                if first.next is not None:
                    next_page = self._fetch(OpenListing(sample.probe), first.next)
                    if self._run.families_are_few:  # threads are idle
                        self._ask_ahead(open_listing, self._first_ranges(sample))
                    second = AssetPage.of((await next_page).data)
                    if second.codes != first.codes and (second.next is not None or self._run.families_are_few):
                        return True
            except (RequestFailed, UnexpectedShape) as error:
                release(error)
        open_listing.ahead.clear()
        return False

    def _first_ranges(self, sample: Sample) -> list[Listing]:
        return sample.ranges[: self._settings.max_concurrency]

    def _ask_ahead(self, open_listing: OpenListing, ranges: Iterable[Listing]) -> None:
        asked = [part for part, _ in open_listing.ahead]
        open_listing.ahead += [(part, self._fetch(OpenListing(part))) for part in ranges if part not in asked]

    def _cut(self, open_listing: OpenListing, sample: Sample, assets: Iterable[Asset]) -> None:
        """Read a listing by ranges from here on; most of them wait until the first ones turn out to be sound."""
        listing = open_listing.listing
        written = {**sample.written, **{asset.code: asset.updated for asset in assets}}
        self._written.add(written)
        if not self._query.parameters(listing.conditions).get("search") and self._progress.began:
            # A list without a filter may come from the database, and ranges from a search index that has lost some.
            settled = to_filter(self._progress.began - self._lookback)
            self._to_come_again = {
                code: at for code, at in written.items() if at and to_filter(to_datetime(at)) < settled
            }
        self._progress.cut = True
        self._progress.open.remove(listing)
        self._progress.open += sample.ranges
        self._ask_ahead(open_listing, self._first_ranges(sample))
        started = [part for part, _ in open_listing.ahead]
        self._held_ranges = [part for part in sample.ranges if part not in started]
        for part, coming in open_listing.ahead:
            self._start(part, coming)

    def _start_held_ranges(self) -> None:
        """Start the ranges that waited until the first ones showed that they do not repeat themselves."""
        ranges, self._held_ranges = self._held_ranges, []
        for listing in ranges:
            self._start(listing)

    # Requests

    def _fetch(self, open_listing: OpenListing, link: str | None = None) -> ComingPage:
        listing, rank = open_listing.listing, self._rank(open_listing)
        decode = (
            partial(decode_page, family=self.code, read_values=self._writer.read_values)
            if self._assets.writes_records_unchanged
            else json_body.decode
        )
        parameters, link = self._parameters(listing), link or listing.next
        return self._run.fetch(self._path, parameters, link, rank=rank, decode=decode)

    def _rank(self, open_listing: OpenListing) -> Rank:
        if self._run.families_are_few:
            return range_rank(open_listing.history.last_code) if self._progress.cut else page_rank(0)
        # A probe's answer is held until the listing's next page has come, so that page is asked for with it.
        return page_rank(0 if open_listing.ahead else open_listing.history.pages)

    def _parameters(self, listing: Listing) -> dict[str, str]:
        return self._query.parameters(listing.conditions)
