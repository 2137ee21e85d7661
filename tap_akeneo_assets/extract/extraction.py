"""One run of the tap: all streams opened, read, written and closed, with a STATE now and then."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

import click
from singer_sdk.singerlib.messages import StateMessage

from tap_akeneo_assets.errors import Fatal, Stopped, UnusableJson
from tap_akeneo_assets.extract.checkup import SYSTEM_INFORMATION, Checkup, status_of, system_text
from tap_akeneo_assets.extract.families import FamiliesSync
from tap_akeneo_assets.extract.fetcher import Fetcher
from tap_akeneo_assets.extract.report import failure_lines
from tap_akeneo_assets.extract.run import Run, Streams
from tap_akeneo_assets.records import json_body
from tap_akeneo_assets.singer.display import choose_display
from tap_akeneo_assets.singer.state_budget import StateBudget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_akeneo_assets.extract.checkup import Status
    from tap_akeneo_assets.extract.state import Bookmarks
    from tap_akeneo_assets.media.downloads import Downloads
    from tap_akeneo_assets.pim.client import Client
    from tap_akeneo_assets.settings import Settings
    from tap_akeneo_assets.singer.display import Display
    from tap_akeneo_assets.singer.stream import AkeneoStream
    from tap_akeneo_assets.singer.tap_base import AkeneoTap

# How soon a signal ends a run that waits for the PIM.
WATCH_SECONDS = 0.2
# How long a run waits for its threads after a fatal error, so that none of them logs behind its last words.
THREADS_END_SECONDS = 2.0


class _EnoughRecordsError(Exception):
    """A test run has the few records that it asks for."""


class Extraction:
    """Reads all streams of a tap and writes them.

    Args:
        tap: whose streams are written.
        client: asks the PIM.
        settings: the tap's.
        bookmarks: of `assets`, moved as families end.
        downloads: stores media files; None if none are stored.
    """

    def __init__(
        self,
        tap: AkeneoTap,
        client: Client,
        settings: Settings,
        bookmarks: Bookmarks,
        downloads: Downloads | None = None,
    ) -> None:
        self._tap = tap
        self._client = client
        self._settings = settings
        self._bookmarks = bookmarks
        self._downloads = downloads
        self._streams = Streams(*(tap.stream(name) for name in Streams._fields))
        self._budget = StateBudget(time.monotonic, tap.state_seconds, tap.state_records)
        self._families: FamiliesSync | None = None
        self._display: Display | None = None

    def run(self) -> bool:
        """Read and write everything.

        Returns:
            Whether nothing failed.

        Raises:
            Stopped: a signal ended the run; the STATE of what was written has been written.
        """
        self._budget.spend(self._tap.chunk_writer.fall_back_to(self._tap.state), 0)  # the SDK has sent it
        try:
            for stream in self._streams:
                stream.open()
            if not self._tap.dry_run:
                logger = self._tap.logger
                self._display = choose_display(self._client.progress, logger, sys.stdout, sys.stderr, os.environ)
            # The kind that watches sockets on every system.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                return runner.run(self._read())
        except Stopped:
            self._close_display()
            self._write_last_state()
            raise
        finally:
            self._close_display()
            self._client.close()

    async def _read(self) -> bool:
        fetcher = Fetcher(self._client, self._settings.max_concurrency)
        self._tap.chunk_writer.while_waiting = fetcher.hand_over_what_is_late
        try:
            return await self._read_by(fetcher)
        finally:
            fetcher.close()

    async def _read_by(self, fetcher: Fetcher) -> bool:
        run = Run(
            client=self._client,
            fetcher=fetcher,
            settings=self._settings,
            streams=self._streams,
            bookmarks=self._bookmarks,
            downloads=self._downloads,
            logger=self._tap.logger,
            after_page=self._after_page,
        )
        fatal = False
        try:
            await self._read_families(run)
        except _EnoughRecordsError:
            pass
        except Fatal as error:
            run.report.fail("", str(error), self._streams.asset_families)
            fatal = True
        system = await self._ask_for_system(fetcher) if self._tap.dry_run else None
        fetcher.close()
        if fatal:
            self._tap.stop.set()
            await fetcher.wait_until_idle(THREADS_END_SECONDS)
        self._end(run, system)
        return not run.report.failed_families

    async def _read_families(self, run: Run) -> None:
        try:
            async with asyncio.TaskGroup() as watch:
                watching = watch.create_task(self._watch())
                async with asyncio.TaskGroup() as tasks:
                    self._families = FamiliesSync(run, tasks)
                    self._families.start()
                watching.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from None

    async def _watch(self) -> None:
        """Notice a signal, and write a STATE when it is time, while nothing arrives."""
        while True:
            self._after_page()
            if self._display:
                self._display.show(self._records_written)
            await asyncio.sleep(WATCH_SECONDS)

    def _after_page(self) -> None:
        if self._tap.stop.is_set():
            raise Stopped
        if self._tap.dry_run and all(stream.has_enough_records for stream in self._streams if stream.selected):
            raise _EnoughRecordsError
        bytes_written = self._tap.chunk_writer.bytes_written + sum(stream.batch_bytes for stream in self._streams)
        if self._budget.is_due(self._records_written, bytes_written):
            self._checkpoint()

    @property
    def _records_written(self) -> int:
        return sum(stream.records for stream in self._streams)

    def _checkpoint(self) -> None:
        """Write all records that are still held back, and then a STATE that vouches for them."""
        writer = self._tap.chunk_writer
        self._flush()
        before = writer.bytes_written
        writer.write_changed_state(self._tap.state)
        self._budget.spend(writer.bytes_written - before, self._records_written)

    def _write_last_state(self) -> None:
        try:
            self._flush()
            self._tap.write_message(StateMessage(value=self._tap.state))
        except Stopped:
            self._tap.chunk_writer.repeat_last_state()

    def _flush(self) -> None:
        for stream in self._streams:
            stream.flush()
        self._tap.chunk_writer.flush()
        if self._families:
            self._families.keep_progress()

    def _close_display(self) -> None:
        if self._display:
            self._display.close()
            self._display = None

    async def _ask_for_system(self, fetcher: Fetcher) -> str | None:
        await fetcher.wait_until_idle(THREADS_END_SECONDS)  # or it would be one request too many
        client = self._client
        return client.ask_once(SYSTEM_INFORMATION, read=_system) if client.admitted else None

    def _end(self, run: Run, system: str | None) -> None:
        self._close_display()
        if self._families:
            self._families.forget_families_that_are_gone()
        if not self._tap.dry_run:
            for stream in self._streams:
                stream.flush()
                stream.activate_version()
        self._checkpoint()
        for stream in self._streams:
            stream.close()
        if self._families and not self._tap.dry_run:
            self._families.warn_of_unseen_filters()
        if not self._tap.dry_run:
            self._tell_totals()
        outlook = self._families.outlook if self._families else str
        for line in failure_lines(run.report.failed_families, outlook):
            self._tap.logger.error(line)
        if self._tap.dry_run:
            for line in self._checkup(run, system).lines():
                click.echo(line, err=True)

    def _tell_totals(self) -> None:
        for stream in self._streams:
            if stream.selected:
                self._tap.logger.info("%s.", self._client.progress.stream_line(stream.name, stream.records))
        assets = self._streams.assets
        if not assets.has_to_be_read or not assets.is_incremental:
            line = "The next run reads the same again, whole."
        elif self._settings.asset_codes:
            line = "The next run reads the assets of `asset_codes` again."
        else:
            line = self._bookmarks.outlook()
        self._tap.logger.info(line)

    def _checkup(self, run: Run, system: str | None) -> Checkup:
        client, families = self._client, self._families
        statuses: dict[str, Status] = {}

        def note(stream: AkeneoStream, above: Sequence[Status] = ()) -> None:
            failed = stream.name in run.report.failed_streams
            statuses[stream.name] = status_of(
                records=stream.records, failed=failed, complete=stream.is_complete, above=above
            )
            for child in stream.children:
                note(child, [statuses[stream.name]])

        note(self._streams.asset_families)
        return Checkup(
            api_url=client.api_url,
            answered=client.answered,
            admitted=client.admitted,
            system=system,
            families=families.seen if families else 0,
            has_more_families=families.has_more if families else False,
            streams=statuses,
        )


def _system(body: bytes) -> str | None:
    try:
        return system_text(json_body.decode(body)[0])
    except UnusableJson:
        return None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first of the exceptions that ended the tasks; the others ended because of it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
