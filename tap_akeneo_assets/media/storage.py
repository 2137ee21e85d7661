"""Keeps files in a folder of any file system that fsspec knows."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.errors import Fatal, RequestFailed, StorageUnreadable
from tap_akeneo_assets.media.checks import KEPT_BYTES, Received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsspec import AbstractFileSystem

# What the tap itself keeps there. No family's folder begins with a dot.
OWN_FOLDER = ".tap-akeneo-assets"
# Files go to object stores in parts of this size, of which drivers hold a few in memory. S3 takes no smaller ones, and
# 10,000 of them per file: 48 GB.
PART_BYTES = 5 * 1024 * 1024
READ_BYTES = 256 * 1024
# No download takes longer; a part that is older was left by a run that was killed.
LEFT_BEHIND = timedelta(days=1)
README = (
    "Kept by tap-akeneo-assets: receipts/ has the hash, size and time of each file that it stored, under the file's "
    "own path; parts/ has what is being written. A receipt can be deleted with its file.\n"
)
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
READ_ONLY = ("http", "https", "data")

_LASTING = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "it is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "there is no such folder or bucket",
    errno.ENOTDIR: "it is no folder",
}
_LASTING_TYPES = {
    "PermissionError": "permission denied",
    "FileNotFoundError": "there is no such folder or bucket",
    "NoCredentialsError": "no credentials were found",
}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the storage.

    Attributes:
        sha256: of its bytes, in hex digits.
        size: in bytes.
        stored_at: when it was stored, such as `2026-01-31T10:00:00+00:00`.
    """

    sha256: str
    size: int
    stored_at: str


class Storage:
    """A folder that files are written to, each whole or not at all; several threads may write at once.

    Beside each file a receipt is kept in `.tap-akeneo-assets/receipts`: its hash, size and time, so that nothing needs
    to be read back. It is written before its file: a file without one was brought by somebody else.

    Args:
        url: fsspec URL of the folder: a local path, `s3://…`, `gs://…`, `abfs://…`, `memory://…`. Credentials are
            taken from where the driver of each takes them by itself.
        now: the time, for tests.

    Raises:
        ValueError: the URL cannot be used; the line does not repeat what may be a secret in it.
    """

    def __init__(self, url: str, now: Callable[[], datetime] | None = None) -> None:
        self._shown = re.sub(r"(?<=://)[^/]*@|[?#].*", "", url) if "://" in url else url
        self._fs, root = _open(url, self._shown)
        self._root = root.rstrip("/")
        self._now = now or (lambda: datetime.now(UTC))
        self._renames = not _is_object_store(self._fs)

    def prepare(self) -> None:
        """Check that it can be written to, and remove what killed runs left under temporary names.

        Raises:
            Fatal: it cannot be used.
            RequestFailed: it did not answer this time.
        """
        with self._told("written to"):
            if self._renames:
                self._remove_left_behind()
            self._fs.pipe_file(self._path(f"{OWN_FOLDER}/README.txt"), README.encode())

    def _remove_left_behind(self) -> None:
        folder = self._path(f"{OWN_FOLDER}/parts")
        self._fs.makedirs(folder, exist_ok=True)
        for path in self._fs.find(folder):
            # Another run may be writing it, or have removed it.
            with suppress(FileNotFoundError):
                if self._now() - self._modified(path) > LEFT_BEHIND:
                    self._fs.rm_file(path)

    def find(self, path: str, size: int | None) -> StoredFile | None:
        """A file that is there already.

        Args:
            path: relative to the storage.
            size: that it must have, in bytes; none where that is not known. A file without a receipt is believed only
                if it has the size, and is read once to make one.

        Raises:
            Fatal: the storage cannot be used.
            RequestFailed: it did not answer this time.
        """
        with self._told("read"):
            try:
                found = self._fs.info(self._path(path))
            except FileNotFoundError:
                return None
            if found["type"] != "file" or (size is not None and found["size"] != size):
                return None
            receipt = self._receipt(path)
            if receipt is not None and receipt.size == found["size"]:
                return receipt
            return None if size is None else self._read_back(path, size)

    def write(
        self, path: str, chunks: Iterable[bytes], judge: Callable[[Received], bool], *, limit: int | None = None
    ) -> StoredFile | None:
        """Write a file, in pieces as they come.

        Args:
            path: relative to the storage.
            chunks: the bytes. What is raised by them passes through, and nothing is stored.
            judge: called once they are at their end; tells whether they are to be stored, or raises.
            limit: the most bytes that there can be; the judge gets no more than one chunk beyond.

        Returns:
            The file; none where the judge refused it.

        Raises:
            Fatal: the storage cannot be used.
            RequestFailed: it did not take this file.
        """
        final = self._path(path)
        name = self._path(f"{OWN_FOLDER}/parts/{uuid.uuid4().hex}") if self._renames else final
        with self._told("written to"):
            if self._renames:
                self._make_parent(name)
            file = self._fs.open(name, "wb", block_size=PART_BYTES)
        try:
            received = self._copy(chunks, file, limit)
            accepted = judge(received)
            if accepted:
                stored = StoredFile(received.sha256, received.size, self._now().isoformat(timespec="seconds"))
                with self._told("written to"):
                    self._keep_receipt(path, stored)
                    # Only now do object stores show it.
                    file.close()
                    if self._renames:
                        self._make_parent(final)
                        self._fs.mv(name, final)
                return stored
        except BaseException:
            self._abandon(file, name)
            raise
        self._abandon(file, name)
        return None

    def _copy(self, chunks: Iterable[bytes], file: Any, limit: int | None) -> Received:  # noqa: ANN401  # fsspec's
        digest = hashlib.sha256()
        start, size = b"", 0
        for chunk in chunks:
            start += chunk[: KEPT_BYTES - len(start)]
            size += len(chunk)
            digest.update(chunk)
            if limit is not None and size > limit:
                break
            with self._told("written to"):
                file.write(chunk)
        return Received(size, digest.hexdigest(), start)

    def _abandon(self, file: Any, name: str) -> None:  # noqa: ANN401  # fsspec's
        """Let nothing of a file be seen, whatever else is wrong."""
        with suppress(Exception):
            if self._renames:
                file.close()
                self._fs.rm_file(name)
            else:
                file.discard()
        if not self._renames:
            # Else it would be completed when it is closed, at the latest by the garbage collector.
            file.closed = True

    def _receipt(self, path: str) -> StoredFile | None:
        try:
            return StoredFile(**json.loads(self._fs.cat_file(self._receipt_path(path))))
        except (FileNotFoundError, ValueError, TypeError):
            # None, or torn by a kill.
            return None

    def _keep_receipt(self, path: str, stored: StoredFile) -> None:
        receipt = self._receipt_path(path)
        if self._renames:
            self._make_parent(receipt)
        content = {"sha256": stored.sha256, "size": stored.size, "stored_at": stored.stored_at}
        self._fs.pipe_file(receipt, json.dumps(content).encode())

    def _read_back(self, path: str, size: int) -> StoredFile:
        digest = hashlib.sha256()
        with self._fs.open(self._path(path), "rb", block_size=PART_BYTES) as file:
            while chunk := file.read(READ_BYTES):
                digest.update(chunk)
        modified = self._modified(self._path(path)).astimezone(UTC)
        stored = StoredFile(digest.hexdigest(), size, modified.isoformat(timespec="seconds"))
        self._keep_receipt(path, stored)
        return stored

    def _modified(self, path: str) -> datetime:
        moment: datetime = self._fs.modified(path)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _make_parent(self, path: str) -> None:
        self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _receipt_path(self, path: str) -> str:
        return self._path(f"{OWN_FOLDER}/receipts/{path}.json")

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """Say what the storage's error means; drivers have errors of their own, some with addresses in their texts."""
        try:
            yield
        except Exception as error:
            number = error.errno if isinstance(error, OSError) else None
            reason = _LASTING.get(number or 0) or _LASTING_TYPES.get(type(error).__name__, "")
            line = f"media_storage {self._shown} cannot be {done}: {reason or type(error).__name__}."
            if reason:
                raise Fatal(line) from error
            raise (StorageUnreadable if done == "read" else RequestFailed)(line) from error


def _open(url: str, shown: str) -> tuple[AbstractFileSystem, str]:
    # Slow to import, and seldom needed.
    from fsspec.core import url_to_fs  # noqa: PLC0415
    from fsspec.registry import known_implementations, registry  # noqa: PLC0415

    protocol = url.partition("://")[0] if "://" in url else "file"
    known = protocol in known_implementations or protocol in registry
    if not url or "::" in url or not known or protocol in READ_ONLY:
        raise ValueError(
            f"media_storage: {shown!r} is no folder that can be written to; a path or s3://bucket/folder is."
        )
    try:
        fs, root = url_to_fs(url)
    except ImportError:
        extra = EXTRAS.get(protocol)
        cure = f"pip install 'tap-akeneo-assets[{extra}]'" if extra else known_implementations[protocol].get("err")
        raise ValueError(f"media_storage: for {shown!r} a driver is missing: {cure}") from None
    except Exception as error:  # noqa: BLE001  # each driver has errors of its own
        raise ValueError(f"media_storage: {shown!r} cannot be used ({type(error).__name__}).") from None
    if not root.strip("/"):
        raise ValueError(f"media_storage: {shown!r} names no folder.")
    return fs, root


def _is_object_store(fs: AbstractFileSystem) -> bool:
    """Whether a file can be seen only once it is whole, and folders are but a part of names.

    That holds for the drivers that speak HTTP, which are all that are asynchronous; what they write is seen once it is
    closed. Others write under the name that they are given.
    """
    from fsspec.asyn import AsyncFileSystem  # noqa: PLC0415

    return isinstance(fs, AsyncFileSystem)
