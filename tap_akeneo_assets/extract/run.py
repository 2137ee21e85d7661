"""What all parts of a run share: its settings and streams, its requests, and what it has to report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_akeneo_assets.errors import DamagedPage, UnexpectedShape, UnusableJson, WrongAnswer
from tap_akeneo_assets.extract.report import Report
from tap_akeneo_assets.pim.responses import REST_ROOT
from tap_akeneo_assets.pim.urls import is_other_resource, next_query
from tap_akeneo_assets.records import json_body
from tap_akeneo_assets.records.assets import PlainPage

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from logging import Logger

    from tap_akeneo_assets.extract.fetcher import Fetcher, Rank
    from tap_akeneo_assets.extract.state import Bookmarks
    from tap_akeneo_assets.media.downloads import Downloads
    from tap_akeneo_assets.media.rows import Row
    from tap_akeneo_assets.pim.client import Client
    from tap_akeneo_assets.pim.exchange import Answer
    from tap_akeneo_assets.settings import Settings
    from tap_akeneo_assets.singer.stream import AkeneoStream


class Streams(NamedTuple):
    """The streams of the tap, in the order of their SCHEMA messages."""

    asset_attributes: AkeneoStream
    asset_families: AkeneoStream
    asset_media_files: AkeneoStream
    asset_values: AkeneoStream
    assets: AkeneoStream
    attribute_options: AkeneoStream


class Records(NamedTuple):
    """The records made of a page's items, one per code; `whole` if no item was damaged."""

    records: list[dict[str, Any]]
    whole: bool


class Run:
    """One run.

    Args:
        client: asks the PIM.
        fetcher: sends what is asked for, in order.
        settings: the tap's.
        streams: the tap's.
        bookmarks: of `assets`, moved as families end.
        downloads: stores media files; None if none are stored.
        logger: takes warnings.
        after_page: called when something has been written, and its progress noted; what it raises ends the run.

    Attributes:
        pim_now: the PIM's clock, as far as its answers have told.
        families_are_few: there are fewer families than threads, so that long ones are cut early.
        report: what went wrong.
        progress: counts what is done.
    """

    def __init__(  # noqa: PLR0913  # all that it brings together
        self,
        *,
        client: Client,
        fetcher: Fetcher,
        settings: Settings,
        streams: Streams,
        bookmarks: Bookmarks,
        downloads: Downloads | None,
        logger: Logger,
        after_page: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.streams = streams
        self.bookmarks = bookmarks
        self.after_page = after_page
        self.report = Report(logger)
        self.progress = client.progress
        self.pim_now: datetime | None = None
        self.families_are_few = False
        self.downloads = downloads
        self._client = client
        self._fetcher = fetcher

    def fetch(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        link: str | None = None,
        *,
        rank: Rank,
        decode: Callable[[bytes], tuple[Any, list[str]]] = json_body.decode,
    ) -> asyncio.Future[Answer[Any]]:
        """Ask for a page or an item.

        Args:
            path: below the API's root, encoded.
            parameters: of the query; they hold whatever the link says.
            link: the server's `next` of the page before; None for the first page.
            rank: the lowest goes first.
            decode: decodes the body, and tells in lines what was changed in it.

        Returns:
            The answer to come, with its body decoded; awaiting it raises `AkeneoError`.

        Raises:
            DamagedPage: the link leads to another resource.
        """
        if link:
            self._client.warn_of_other_host(link)
        remarks: list[str] = []

        def read(body: bytes) -> Any:  # noqa: ANN401  # JSON
            try:
                data, remarks[:] = decode(body)
            except UnusableJson as error:
                raise DamagedPage(f"The PIM's answer to {path} cannot be used: {error}") from None
            if is_other_resource(path, {"_links": data.links} if isinstance(data, PlainPage) else data):
                raise WrongAnswer("its link to itself leads elsewhere")
            return data

        def note(answer: asyncio.Future[Answer[Any]]) -> None:
            if answer.cancelled() or answer.exception():
                return
            self.pim_now = answer.result().date or self.pim_now
            for remark in remarks:
                self.report.warn_once(f"The PIM's answer to {path}: {remark}", remark)

        answer = self._fetcher.fetch(path, next_query(parameters or {}, path, link or ""), rank=rank, read=read)
        answer.add_done_callback(note)
        return answer

    def store(self, downloads: Downloads, row: Row) -> asyncio.Future[Row]:
        """Store the file of a row of `asset_media_files`.

        Returns:
            The row to come, with where the file is stored; awaiting it raises `AkeneoError`.
        """
        return self._fetcher.store(lambda: downloads.store(row))

    def link_to_keep(self, link: str) -> str | None:
        """A link as the state keeps it, its path and query; None where it holds a secret."""
        return self._client.link_to_keep(link)

    def url_length(self, path: str, parameters: Mapping[str, str], link: str = "") -> int:
        """How long the URL of a request is, in characters; the link is the `next` of the page before.

        Raises:
            DamagedPage: the link leads to another resource.
        """
        return len(f"{self._client.api_url}{REST_ROOT}{path}?{next_query(parameters, path, link)}")

    def records(
        self, stream: AkeneoStream, items: Iterable[object], parents: Mapping[str, str], family: str
    ) -> Records:
        """Make records of a page's items; one that is damaged fails its family and leaves the others alone.

        Of several items with one code, which a page should not have, the last one counts.
        """
        records: dict[str, dict[str, Any]] = {}
        whole = True
        for item in items:
            try:
                record, remarks = stream.shape.record(item, parents)
            except UnexpectedShape as error:
                code = item.get("code") if isinstance(item, dict) else None
                self.report.fail(family or str(code or ""), f"{stream.name} {code!r}: {error}", stream)
                whole = False
                continue
            for remark in remarks:
                self.report.warn_once(f"{stream.name}: {remark}.", stream.name, remark)
            records[record["code"]] = record
        return Records(list(records.values()), whole)
