"""Stores the files of rows of `asset_media_files`, each once."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from tap_akeneo_assets.errors import NotTheFile, RequestFailed
from tap_akeneo_assets.media.checks import Expected, is_vouched_for
from tap_akeneo_assets.media.paths import stored_path
from tap_akeneo_assets.pim.urls import encode_media_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_akeneo_assets.media.checks import Received
    from tap_akeneo_assets.media.rows import Row
    from tap_akeneo_assets.media.storage import Storage, StoredFile

T = TypeVar("T")


class Downloader(Protocol):
    """What asks the PIM."""

    def download(self, path: str, save: Callable[[Mapping[str, str], Iterator[bytes]], T]) -> T:
        """Ask for a file until there is a good answer or no hope of one.

        Args:
            path: below `/api/rest/v1`, percent-encoded.
            save: gets the headers and the body of each answer of status 200; `NotTheFile` asks for another one.
        """


class Downloads:
    """Stores files, from any number of threads.

    Args:
        client: asks the PIM.
        storage: keeps the files.
    """

    def __init__(self, client: Downloader, storage: Storage) -> None:
        self._client = client
        self._storage = storage
        self._locks = _Locks()
        self._failed: dict[str, RequestFailed] = {}

    def store(self, row: Row) -> Row:
        """Store the file of a row, unless it is there already.

        Args:
            row: of `asset_media_files`.

        Returns:
            The row with `sha256`, `stored_path`, `stored_size` and `stored_at`. They are the same each time.

        Raises:
            NotFound: the PIM does not have the file.
            RequestFailed: it could not be had, or not be stored.
            Fatal: nothing more can be had from this PIM, or the storage cannot be used.
            Stopped: the run is ending.
        """
        path = stored_path(row["asset_family_code"], row["media_file_code"])
        # Several values may name one file.
        with self._locks.held(path):
            if path in self._failed:
                raise self._failed[path]
            try:
                stored = self._storage.find(path, row["size"]) or self._download(row, path)
            except RequestFailed as error:
                # Several values may name one file: it is not tried again for each of them.
                self._failed[path] = error.with_traceback(None)
                raise
        return {
            **row,
            "sha256": stored.sha256,
            "stored_path": path,
            "stored_size": stored.size,
            "stored_at": stored.stored_at,
        }

    def _download(self, row: Row, path: str) -> StoredFile:
        expected = Expected.of(row)
        asked = f"/asset-media-files/{encode_media_code(row['media_file_code'])}"
        unproven: list[str] = []

        def save(headers: Mapping[str, str], chunks: Iterator[bytes]) -> StoredFile | None:
            def judge(received: Received) -> bool:
                if is_vouched_for(expected, headers, received):
                    return True
                before = unproven[-1:]
                unproven.append(received.sha256)
                if before and before != [received.sha256]:
                    raise NotTheFile("200 without a length, and with another body than before")
                return bool(before)

            return self._storage.write(path, chunks, judge, limit=expected.size)

        # An answer that nothing vouches for is believed when the next one is equal.
        stored = self._client.download(asked, save) or self._client.download(asked, save)
        assert stored is not None  # noqa: S101  # the second is stored, or raises
        return stored


class _Locks:
    """A lock per name, as long as somebody wants it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks.pop(name)
                if users > 1:
                    self._locks[name] = lock, users - 1
