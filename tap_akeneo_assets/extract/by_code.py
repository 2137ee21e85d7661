"""Assets that are asked for by their code, a request each: those of `asset_codes` that no list gives."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.errors import NotFound, release
from tap_akeneo_assets.extract.fetcher import page_rank
from tap_akeneo_assets.extract.report import MAX_NAMES
from tap_akeneo_assets.pim.urls import encode_segment
from tap_akeneo_assets.records import pages
from tap_akeneo_assets.records.assets import Asset
from tap_akeneo_assets.records.values import thin_out

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from tap_akeneo_assets.extract.asset_writer import AssetWriter
    from tap_akeneo_assets.extract.run import Run
    from tap_akeneo_assets.extract.state import FamilyProgress
    from tap_akeneo_assets.extract.written import WrittenCodes
    from tap_akeneo_assets.pim.exchange import Answer


class AssetsByCode:
    """Reads assets of one family by their codes.

    Args:
        run: what all parts of the run share.
        path: of the family's assets, below the API's root, encoded.
        writer: writes the family's assets.
        written: the codes of the assets that have been written.
        progress: the family's.
    """

    def __init__(
        self, run: Run, path: str, writer: AssetWriter, written: WrittenCodes, progress: FamilyProgress
    ) -> None:
        self._run = run
        self._report = run.report
        self._query = run.settings.asset_query
        self._family = progress.code
        self._path = path
        self._writer = writer
        self._written = written
        self._progress = progress
        self._asked: set[str] = set()
        self._failed: set[str] = set()

    async def read(self, codes: Sequence[str]) -> None:
        """Read the assets of some codes. Before 7.0 there is no filter on codes."""
        self._asked.update(codes)
        waiting = deque(codes)
        coming: deque[tuple[str, asyncio.Future[Answer[Any]]]] = deque()
        while waiting or coming:
            while waiting and len(coming) < self._run.settings.max_concurrency:
                code = waiting.popleft()
                path = f"{self._path}/{encode_segment(code)}"
                coming.append((code, self._run.fetch(path, rank=page_rank(0))))
            await self._read_one(*coming.popleft())

    async def read_missing(self, codes: Sequence[str]) -> None:
        """Read those of some codes that no list has shown: an asset answers at once, lists lag behind.

        Args:
            codes: those of `asset_codes`; a warning names those that the family does not have.
        """
        found = {code.casefold() for code in self._written.codes}
        missing = [code for code in codes if code.casefold() not in found and code not in self._asked]
        if not self._query.search:
            await self.read(missing)
        self._warn_of_missing(codes)

    async def _read_one(self, code: str, coming: asyncio.Future[Answer[Any]]) -> None:
        self._failed.add(code)
        with self._report.failing(self._family, self._run.streams.assets):
            try:
                item = pages.item((await coming).data, code)
            except NotFound as error:
                release(error)
                self._failed.remove(code)
                return
            records = self._writer.records([item], self._progress)
            if self._query.channel or self._query.locales:
                # There is no way to ask for some values of one asset.
                for record in records:
                    values = record.get("values") or {}
                    record["values"] = thin_out(values, self._query.channel, self._query.locales)
            await self._writer.write(list(map(Asset, records)), self._progress)
            if records:
                self._failed.remove(code)
            self._run.after_page()

    def _warn_of_missing(self, codes: Sequence[str]) -> None:
        spelled = {code.casefold(): code for code in self._written.codes}
        missing = sorted(set(codes) - self._written.codes - self._failed)
        otherwise = [f"{code!r} is {spelled[code.casefold()]!r}" for code in missing if code.casefold() in spelled]
        if otherwise:
            more = f" and {len(otherwise) - MAX_NAMES} more" if len(otherwise) > MAX_NAMES else ""
            self._report.warn(
                f"Family {self._family!r}: the PIM spells some codes of `asset_codes` in another case: "
                f"{', '.join(otherwise[:MAX_NAMES])}{more}."
            )
        if gone := [code for code in missing if code.casefold() not in spelled]:
            self._report.warn(f"Family {self._family!r} has no assets {', '.join(map(repr, gone))}.")
