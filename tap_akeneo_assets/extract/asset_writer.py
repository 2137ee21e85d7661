"""A page's assets, and the values and media files that come with them, written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_akeneo_assets.errors import DamagedPage, NotFound, RequestFailed, StorageUnreadable, release
from tap_akeneo_assets.media.rows import media_rows
from tap_akeneo_assets.pim.urls import encode_segment
from tap_akeneo_assets.records.assets import Asset, check_values
from tap_akeneo_assets.records.values import AttributesNeeded, ValueRows, needs_attributes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import msgspec

    from tap_akeneo_assets.extract.run import Run
    from tap_akeneo_assets.extract.state import FamilyProgress
    from tap_akeneo_assets.extract.written import WrittenAssets, WrittenCodes
    from tap_akeneo_assets.media.rows import Row
    from tap_akeneo_assets.records.assets import RowMiddles
    from tap_akeneo_assets.records.values import AttributeInfo, UnseenFilters, ValueRow


class FamilyAttributes(NamedTuple):
    """The attributes of a family.

    Attributes:
        infos: what they tell about values, by code.
        began: the last second, by the PIM's clock, that was over when they were asked for.
        whole: none of them was damaged.
    """

    infos: Mapping[str, AttributeInfo]
    began: datetime | None
    whole: bool


@dataclass(slots=True, eq=False)
class Family:
    """A family whose own record has been written.

    Attributes:
        code: its code.
        asset_codes: the codes of the only assets to read; None for all.
        attributes: reads its attributes, once somebody has asked for them; gives None if it cannot.
    """

    code: str
    asset_codes: Sequence[str] | None = None
    attributes: asyncio.Task[FamilyAttributes | None] | None = None

    @property
    def path_code(self) -> str:
        """The code as a segment of a path."""
        return encode_segment(self.code)


class AssetWriter:
    """Writes the assets of one family.

    Args:
        run: what all parts of the run share.
        family: the family.
        written: the assets that this run has written.
        unseen_filters: takes note of locales and channels seen.
        load_attributes: gives the task that reads the family's attributes.

    Attributes:
        assets_written: how many it has written so far.
    """

    def __init__(
        self,
        run: Run,
        family: Family,
        written: WrittenAssets | WrittenCodes,
        *,
        unseen_filters: UnseenFilters,
        load_attributes: Callable[[Family], asyncio.Task[FamilyAttributes | None]],
    ) -> None:
        self.assets_written = 0
        self._run = run
        self._report = run.report
        self._family = family
        self._code = family.code
        self._assets = run.streams.assets
        self._values = run.streams.asset_values
        self._media_files = run.streams.asset_media_files
        self._written = written
        self._unseen_filters = unseen_filters
        self._load_attributes = load_attributes
        self._value_rows = ValueRows(self._code)
        self._value_rows_by_attributes: ValueRows | None = None

    @property
    def read_values(self) -> Callable[[msgspec.Raw], RowMiddles | None]:
        """What reads the values of a page's assets while it is decoded: for rows, as long as rows are needed."""
        return self._value_rows.read if self._values.has_to_be_read else check_values

    def records(self, items: Sequence[object], progress: FamilyProgress) -> list[dict[str, Any]]:
        """Make records of what a page holds, as far as it is sound.

        Args:
            items: of a page.
            progress: takes note of damage.
        """
        records, whole = self._run.records(self._assets, items, {"asset_family_code": self._code}, self._code)
        progress.damaged = progress.damaged or not whole
        return records

    async def write(self, assets: Sequence[Asset], progress: FamilyProgress) -> None:
        """Write assets that have not been written yet, and what is below those that pass the stream map.

        Args:
            assets: of a page.
            progress: takes note of what was written, and of what could not be typed or stored.

        Raises:
            DamagedPage: values cannot be typed, since the attributes could not be read.
        """
        if self._unseen_filters:
            self._unseen_filters.see(assets)
        assets = self._written.new(assets)
        records = [asset.record for asset in assets]
        values: list[ValueRow] = []
        media_files: list[Row] = []
        if self._values.has_to_be_read or self._media_files.has_to_be_read:
            passing_records = self._assets.passing(records)
            passing = assets if passing_records is records else list(map(Asset, passing_records))
            try:
                values, media_files = self._rows(passing, self._value_rows)
            except AttributesNeeded:
                values, media_files = self._rows(passing, await self._with_attributes(passing, progress))
            media_files = await self._stored(media_files, progress)
        progress.add(assets)
        self._assets.emit(records)
        self._values.emit(values)
        self._media_files.emit(media_files)
        self.assets_written += len(assets)

    def _rows(self, assets: Sequence[Asset], value_rows: ValueRows) -> tuple[list[ValueRow], list[Row]]:
        """The rows of values and of media files.

        Raises:
            AttributesNeeded: the attributes have to be read first.
        """
        values: list[ValueRow] = []
        media_files: list[Row] = []
        if self._values.has_to_be_read:
            for asset in assets:
                values += value_rows.of(asset)
        if self._media_files.has_to_be_read:
            for asset in assets:
                media_files += media_rows(asset, self._code, value_rows.attributes)
        for attribute, kind in sorted(value_rows.unparsed):
            self._report.warn_once(
                f"Family {self._code!r}: the attribute {attribute!r} has values that are no {kind}: see `raw_value`.",
                self._code,
                attribute,
            )
        return values, media_files

    async def _with_attributes(self, assets: Sequence[Asset], progress: FamilyProgress) -> ValueRows:
        """What makes the rows of some assets whose values cannot be typed without the attributes.

        Raises:
            DamagedPage: the attributes could not be read.
        """
        attributes = await self._load_attributes(self._family)
        if attributes is None:
            raise DamagedPage("The values cannot be typed, since the attributes could not be read.")
        # What is saved after the attributes were read must be read again.
        progress.began = min(filter(None, (progress.began, attributes.began)), default=None)
        if not attributes.whole and any(needs_attributes(asset, attributes.infos) for asset in assets):
            progress.damaged = True
        if self._value_rows_by_attributes is None:
            self._value_rows_by_attributes = ValueRows(self._code, attributes.infos)
        return self._value_rows_by_attributes

    async def _stored(self, rows: list[Row], progress: FamilyProgress) -> list[Row]:
        """Store the files of some rows; a row whose file fails stays as it is."""
        downloads = self._run.downloads
        if downloads is None:
            return rows
        coming = [self._run.store(downloads, row) for row in rows]
        ended = [await self._stored_or_failed(row, stored, progress) for row, stored in zip(rows, coming, strict=True)]
        return [row for row in ended if row is not None]

    async def _stored_or_failed(self, row: Row, stored: asyncio.Future[Row], progress: FamilyProgress) -> Row | None:
        """The row with where its file is, or without if it failed; None where an earlier row may be the better one."""
        file = f"media file {row['media_file_code']!r} of asset {row['asset_code']!r}"
        try:
            return await stored
        except NotFound as error:
            release(error)
            # Asking again would not help, so the bookmark moves.
            self._report.fail_file(self._code, f"The PIM does not have some of its media files, such as {file}.")
            self._report.warn(f"Family {self._code!r}: the PIM does not have {file}.")
        except RequestFailed as error:
            release(error)
            progress.damaged = True
            self._report.fail_file(self._code, f"Some of its media files could not be stored, such as {file}.")
            self._report.warn(f"Family {self._code!r}: {file} could not be stored: {error}")
            if isinstance(error, StorageUnreadable):
                return None
        return row
