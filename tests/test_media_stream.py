"""The stream `asset_media_files` through the whole tap: every file stored, whatever happens on the way."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tap_akeneo_assets.sandbox import Options, Pim, demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, empty, status
from tap_akeneo_assets.sandbox.server import serve
from tests.support import FrequentTap, HurryingTap, Outcome, full_table, select, sync

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.wrappers import Response

    from tap_akeneo_assets.sandbox.faults import Exchange

STREAMS = ("asset_families", "assets", "asset_media_files")
STORED = ("sha256", "stored_path", "stored_size", "stored_at")


class House:
    """A served PIM and a folder for its files."""

    def __init__(self, pim: Pim, url: str, folder: Path) -> None:
        self.pim = pim
        self.url = url
        self.folder = folder

    def sync(self, state: dict[str, Any] | None = None, *, full: bool = False, **config: Any) -> Outcome:  # noqa: ANN401
        catalog = select(*STREAMS)
        settings = {"tap_class": HurryingTap, "media_storage": str(self.folder), **config}
        return sync(self.url, state=state, catalog=full_table(catalog) if full else catalog, **settings)

    def downloads(self) -> int:
        """How often a media file was asked for since the last call."""
        count = sum(request.route == "media_file" for request in self.pim.requests)
        self.pim.requests.clear()
        return count

    def check(self, rows: list[dict[str, Any]]) -> None:
        """Each row names a stored file with the bytes that the PIM has, and nothing else is in the folder."""
        assert rows
        for row in rows:
            file = self.pim.media_file(row["media_file_code"])
            assert file
            content = (self.folder / row["stored_path"]).read_bytes()
            assert content == file.content
            assert (row["sha256"], row["stored_size"]) == (hashlib.sha256(content).hexdigest(), len(content))
        own = self.folder / ".tap-akeneo-assets"
        paths = {path for path in self.folder.rglob("*") if path.is_file() and own not in path.parents}
        assert paths == {self.folder / row["stored_path"] for row in rows}


@pytest.fixture(params=["saas", "6.0"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    pim = demo_pim(3, 25, options=Options(pim_version=request.param))
    with serve(pim) as server:
        yield House(pim, server.url, tmp_path / "files")


def rows_of(run: Outcome) -> list[dict[str, Any]]:
    return sorted(run.records["asset_media_files"], key=lambda row: sorted(map(str, row.items())))


def test_every_file_is_stored_whatever_passes_on_the_way(house: House) -> None:
    house.pim.faults = Faults(seed=3).rate(0.3)
    run = house.sync(max_retries=30)
    assert run.status == 0, run.log
    house.check(run.records["asset_media_files"])


def test_a_second_run_downloads_nothing_and_gives_the_same_rows(house: House) -> None:
    first = house.sync(full=True)
    assert house.downloads() >= len({row["stored_path"] for row in rows_of(first)})
    second = house.sync(full=True)
    assert house.downloads() == 0
    assert rows_of(second) == rows_of(first)


def test_without_a_storage_there_are_rows_and_no_downloads(house: House) -> None:
    run = house.sync(media_storage=None)
    assert run.status == 0
    assert house.downloads() == 0
    assert {row[name] for row in run.records["asset_media_files"] for name in STORED} == {None}


def one_file(run: Outcome) -> dict[str, Any]:
    return min(run.records["asset_media_files"], key=lambda row: str(row["media_file_code"]))


def for_one_file(house: House, fault: Any) -> str:  # noqa: ANN401  # a fault
    """Let the downloads of one file meet a fault; gives its code."""
    code = str(one_file(house.sync(media_storage=None))["media_file_code"])
    house.pim.requests.clear()

    def only_this(exchange: Exchange) -> Response:
        wrong = exchange.request.path.endswith(code.rpartition("/")[2])
        return fault(exchange) if wrong else exchange.real()

    house.pim.faults = Faults().always("media_file", only_this)
    return code


def test_a_file_that_the_pim_does_not_have_fails_alone_and_does_not_hold_the_bookmark(house: House) -> None:
    code = for_one_file(house, status(404))
    run = house.sync()
    assert run.status == 1
    lost = [row for row in run.records["asset_media_files"] if row["sha256"] is None]
    assert {row["media_file_code"] for row in lost} == {code}
    assert {row[name] for row in lost for name in STORED} == {None}
    assert repr(code) in run.log
    assert run.bookmarks.keys() == {record["code"] for record in run.records["asset_families"]}
    again = house.sync(run.state)
    assert again.status == 0 or again.records["asset_media_files"]


@pytest.mark.parametrize("fault", [status(500), empty()], ids=["500", "empty"])
def test_a_file_that_fails_fails_alone_and_is_tried_again(house: House, fault: Any) -> None:  # noqa: ANN401
    code = for_one_file(house, fault)
    run = house.sync(max_retries=1)
    lost = [row for row in run.records["asset_media_files"] if row["sha256"] is None]
    if not lost:
        assert fault is not status  # an empty file without a size, twice: it is believed
        return
    assert run.status == 1
    assert {row["media_file_code"] for row in lost} == {code}
    assert repr(code) in run.log
    family = lost[0]["asset_family_code"]
    assert run.bookmarks.keys() == {record["code"] for record in run.records["asset_families"]} - {family}
    house.pim.faults = None
    again = house.sync(run.state)
    assert again.status == 0
    assert {row["media_file_code"] for row in again.records["asset_media_files"] if row["sha256"]} >= {code}


@pytest.mark.parametrize("number", [1, 9, 30])
def test_a_state_never_vouches_for_a_file_that_is_not_stored(house: House, number: int) -> None:
    """A run that ends amid its downloads, and the next one, together have all rows with their files."""
    stopping: list[threading.Event] = []

    class StoppingTap(FrequentTap):
        def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  # as its base takes them
            super().__init__(**kwargs)
            stopping.append(self.stop)

        def end_by_signal(self) -> None:  # type: ignore[override]
            raise SystemExit(143)

    def stop(exchange: Exchange) -> Response:
        stopping[-1].set()
        return exchange.real()

    house.pim.faults = Faults().nth("media_file", number, stop)
    first = house.sync(tap_class=StoppingTap, max_concurrency=2)
    house.pim.faults = None
    assert first.status == 143
    assert all(row["sha256"] for row in first.records["asset_media_files"])
    second = house.sync(first.state if first.of_type("STATE") else None)
    rows = {
        (row["asset_family_code"], row["asset_code"], row["value_key"]): row
        for run in (first, second)
        for row in run.records["asset_media_files"]
    }
    whole = house.sync(media_storage=None)
    assert len(rows) == len(whole.records["asset_media_files"])
    house.check(list(rows.values()))


def test_a_storage_that_cannot_be_used_ends_the_run_with_one_line(house: House, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    run = house.sync(media_storage=str(tmp_path / "file" / "folder"))
    assert run.status == 1
    assert run.log.count("media_storage") == 1
