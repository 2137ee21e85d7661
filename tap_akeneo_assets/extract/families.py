"""The families, and for each its attributes, their options and its assets.

Families come first, page by page; those of other shards are passed over. Each family's own record is written before
those below it; apart from that, pages are written as they arrive.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.errors import DamagedPage, Fatal, NotFound, PaginationLoop, RequestFailed, UnexpectedShape
from tap_akeneo_assets.extract.asset_writer import Family, FamilyAttributes
from tap_akeneo_assets.extract.assets import FamilySync
from tap_akeneo_assets.extract.fetcher import ATTRIBUTES, ATTRIBUTES_AWAITED, FAMILIES, WHEN_THREADS_ARE_FREE
from tap_akeneo_assets.extract.listings import PageHistory
from tap_akeneo_assets.extract.report import listed
from tap_akeneo_assets.pim.urls import encode_segment
from tap_akeneo_assets.records import pages
from tap_akeneo_assets.records.shapes import as_text
from tap_akeneo_assets.records.values import UnseenFilters, attribute_info

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping, Sequence

    from tap_akeneo_assets.extract.fetcher import Rank
    from tap_akeneo_assets.extract.run import Run
    from tap_akeneo_assets.pim.exchange import Answer

# The state of so many unfinished listings stays small; more would not be read any faster.
MAX_OPEN_LISTINGS = 64
TYPES_WITH_OPTIONS = ("single_option", "multiple_options")


class FamiliesSync:
    """Reads the families and all that is below them.

    Args:
        run: what all parts of the run share.
        tasks: runs the coroutines of this run.
    """

    def __init__(self, run: Run, tasks: asyncio.TaskGroup) -> None:
        self._run = run
        self._tasks = tasks
        self._streams = run.streams
        self._asset_codes_by_name = by_casefold(run.settings.asset_codes)
        self._listed: set[str] = set()
        self._written: set[str] = set()
        self._is_list_whole = False
        self._has_more = False
        self._unanswered_names = 0
        self._waiting: deque[Family] = deque()
        self._open: set[FamilySync] = set()
        self._outlooks: dict[str, str] = {}
        self._unseen_filters = UnseenFilters(run.settings.asset_query.channel, run.settings.asset_query.locales)

    def start(self) -> None:
        """Start to read; all has been read when the tasks have ended."""
        named = self._run.settings.families
        self._note_what_settings_leave_out()
        if named is None:
            self._tasks.create_task(self._read_list())
            return
        families = [name for name in named if self._is_ours(name)]
        self._run.families_are_few = len(families) < self._run.settings.max_concurrency
        groups = by_casefold(families)
        self._unanswered_names = len(groups)
        self._run.progress.all_families_known = not groups
        for names in groups.values():
            self._tasks.create_task(self._read_named(names))

    def keep_progress(self) -> None:
        """Note in the state how far all families have been read."""
        for family in self._open:
            family.keep_progress()

    def forget_families_that_are_gone(self) -> None:
        """Drop the bookmarks of families that the PIM does not list, if its whole list has been read.

        Those of other shards are neither used nor dropped while the PIM lists their families.
        """
        if self._is_list_whole and self._listed:
            self._run.bookmarks.keep_only(self._listed)

    def warn_of_unseen_filters(self) -> None:
        """Warn of a channel and locales of the settings of which no value has been seen."""
        for setting, names in self._unseen_filters.found().items():
            self._run.report.warn(
                f"The setting `{setting}` names {listed(names)}, but none of the values read in this run has that "
                f"{'channel' if setting == 'channel' else 'locale'}. Check how the PIM spells it."
            )

    @property
    def seen(self) -> int:
        """How many families have been seen so far, those of other shards included."""
        return len(self._listed or self._written)

    @property
    def has_more(self) -> bool:
        """Whether the PIM's list has more of them."""
        return self._has_more

    def outlook(self, family: str) -> str:
        """How far a family that failed has been read, and what the next run will do."""
        for sync in self._open:
            if sync.code == family:
                return sync.outlook()
        return self._outlooks.get(family, "The next run tries again.")

    def _note_what_settings_leave_out(self) -> None:
        settings, report = self._run.settings, self._run.report
        if settings.shard is not None:
            report.leave_out(self._streams.asset_families)
        if settings.families is not None:
            report.leave_out(self._streams.asset_families)
            named = by_casefold(settings.families)
            if unread := [family for family in settings.asset_codes if family.casefold() not in named]:
                report.warn(
                    f"Families of `asset_codes` that `asset_families` does not name are not read: {listed(unread)}."
                )
        if settings.narrows_assets:
            report.leave_out(self._streams.assets)

    # Families

    async def _read_list(self) -> None:
        path, history, is_whole = self._streams.asset_families.path, PageHistory(), True
        try:
            coming: asyncio.Future[Answer[Any]] | None = self._run.fetch(path, rank=FAMILIES)
            while coming:
                data = (await coming).data
                items, link = pages.page_items(data), pages.next_link(data)
                self._has_more = link is not None
                codes = [_code_of(item) for item in items]
                problem: PaginationLoop | DamagedPage | None = None
                try:
                    history.add(codes, link)
                    coming = self._run.fetch(path, link=link, rank=FAMILIES) if link else None
                except (PaginationLoop, DamagedPage) as error:
                    problem = error
                is_only_page = link is None and history.pages == 1
                ours = [item for item, code in zip(items, codes, strict=True) if self._is_ours(code)]
                self._run.families_are_few = is_only_page and len(ours) < self._run.settings.max_concurrency
                self._listed.update(filter(None, codes))
                is_whole = self._write(ours) and is_whole
                if problem:  # only now, so that it does not cost the page that has come
                    raise problem
        except NotFound as error:
            raise Fatal(f"{error} Is `api_url` the address of an Akeneo PIM with the Asset Manager?") from None
        except (RequestFailed, UnexpectedShape, PaginationLoop) as error:
            message = f"The list of families could not be read: {error}"
            self._run.report.fail("", message, self._streams.asset_families)
            return
        self._is_list_whole = is_whole
        self._run.progress.all_families_known = True

    def _is_ours(self, code: str) -> bool:
        """Whether a family falls to this shard; an item without a code is reported by all of them."""
        shard = self._run.settings.shard
        return shard is None or not code or shard.holds(code)

    async def _read_named(self, names: Sequence[str]) -> None:
        """Read the families of some names that differ in case only, each family once."""
        path = self._streams.asset_families.path
        answers = [self._run.fetch(f"{path}/{encode_segment(name)}", rank=FAMILIES) for name in names]
        found: dict[str, Mapping[str, Any]] = {}
        for name, answer in zip(names, answers, strict=True):
            with self._run.report.failing(name, self._streams.asset_families):
                try:
                    found[name] = pages.item((await answer).data, name)
                except NotFound:
                    self._fail_unknown(name)
        items = {str(as_text(item["code"])): item for item in found.values()}
        spelled = {name: str(as_text(item["code"])) for name, item in found.items()}
        asset_codes: dict[str, list[str]] = {}
        for name in self._asset_codes_by_name.get(names[0].casefold(), ()):
            # A name that was not asked for means the only family there is, whatever its case.
            code = spelled.setdefault(name, next(iter(items)) if len(items) == 1 else name)
            asset_codes.setdefault(code, []).extend(self._run.settings.asset_codes[name])
        for code in items:
            if others := [name for name, its_code in spelled.items() if its_code == code != name]:
                self._run.report.warn(
                    f"The PIM spells the family {listed(others)} of the settings {code!r}; it is read under that code."
                )
        with self._run.report.failing(names[0], self._streams.asset_families):
            self._write(items.values(), asset_codes)
        self._unanswered_names -= 1
        self._run.progress.all_families_known = not self._unanswered_names

    def _fail_unknown(self, name: str) -> None:
        setting = "asset_codes" if name in self._run.settings.asset_codes else "asset_families"
        message = f"The PIM has no such family, or does not show it to this connection; check `{setting}`."
        self._run.report.fail(name, message, self._streams.asset_families)

    def _write(self, items: Iterable[object], asset_codes: Mapping[str, Sequence[str]] | None = None) -> bool:
        """Write families that have not been written yet, and start to read what is below them.

        Args:
            items: of a page.
            asset_codes: the codes of the only assets to read, by family; a family that is not in it is read whole.

        Returns:
            Whether no item was damaged.
        """
        stream = self._streams.asset_families
        found, is_whole = self._run.records(stream, items, {}, "")
        records = [record for record in found if record["code"] not in self._written]
        self._written.update(record["code"] for record in records)
        codes = [record["code"] for record in stream.passing(records)]
        stream.emit(records)
        for code in codes:
            self._start_family(Family(code, (asset_codes or {}).get(code)))
        self._run.after_page()
        return is_whole

    def _start_family(self, family: Family) -> None:
        self._run.progress.families += 1
        if self._streams.asset_attributes.has_to_be_read:
            needed = self._streams.asset_values.has_to_be_read or self._streams.asset_media_files.has_to_be_read
            self._load_attributes(family, ATTRIBUTES if needed else WHEN_THREADS_ARE_FREE)
        if self._streams.assets.has_to_be_read:
            self._waiting.append(family)
            self._start_waiting()
        else:
            self._run.progress.families_done += 1

    # Assets

    def _start_waiting(self) -> None:
        """Start to read the assets of families, in their order, while there is room for their listings."""
        while self._waiting and sum(sync.open_listings for sync in self._open) < MAX_OPEN_LISTINGS:
            family = self._waiting.popleft()
            sync = FamilySync(
                self._run,
                family,
                unseen_filters=self._unseen_filters,
                load_attributes=self._load_attributes,
                on_listing_end=self._start_waiting,
            )
            self._open.add(sync)
            self._tasks.create_task(self._read_assets(sync))

    async def _read_assets(self, sync: FamilySync) -> None:
        self._run.progress.reading[sync.code] = None
        await sync.read()
        del self._run.progress.reading[sync.code]
        self._run.progress.families_done += 1
        sync.keep_progress()
        self._outlooks[sync.code] = sync.outlook()
        self._open.remove(sync)
        self._start_waiting()

    # Attributes and options

    def _load_attributes(
        self, family: Family, rank: Rank = ATTRIBUTES_AWAITED
    ) -> asyncio.Task[FamilyAttributes | None]:
        """The family's attributes, asked for unless they have been; None where they could not be read."""
        if family.attributes is None:
            path = self._streams.asset_attributes.path.format(asset_family_code=family.path_code)
            answer = self._run.fetch(path, rank=rank)
            family.attributes = self._tasks.create_task(self._read_attributes(family, answer))
        return family.attributes

    async def _read_attributes(self, family: Family, coming: asyncio.Future[Answer[Any]]) -> FamilyAttributes | None:
        stream, options = self._streams.asset_attributes, self._streams.attribute_options
        attributes: FamilyAttributes | None = None
        with self._run.report.failing(family.code, stream):
            answer = await coming
            items = pages.items(answer.data)
            records, whole = self._run.records(stream, items, {"asset_family_code": family.code}, family.code)
            attributes = FamilyAttributes(
                {record["code"]: attribute_info(record) for record in records}, answer.began, whole
            )
            with_options = stream.passing([record for record in records if record.get("type") in TYPES_WITH_OPTIONS])
            stream.emit(records)
            for record in with_options if options.has_to_be_read else ():
                self._tasks.create_task(self._read_options(family, record["code"]))
            self._run.after_page()
        return attributes

    async def _read_options(self, family: Family, attribute: str) -> None:
        stream = self._streams.attribute_options
        path = stream.path.format(asset_family_code=family.path_code, attribute_code=encode_segment(attribute))
        with self._run.report.failing(family.code, stream):
            answer = await self._run.fetch(path, rank=WHEN_THREADS_ARE_FREE)
            parents = {"asset_family_code": family.code, "attribute_code": attribute}
            records, _ = self._run.records(stream, pages.items(answer.data), parents, family.code)
            stream.emit(records)
            self._run.after_page()


def _code_of(item: object) -> str:
    return (as_text(item.get("code")) or "") if isinstance(item, dict) else ""


def by_casefold(names: Iterable[str]) -> dict[str, list[str]]:
    """Names in groups of those that differ in case only, by their casefolded form."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    return groups
