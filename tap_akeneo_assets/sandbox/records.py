"""What is handed from one part of the sandbox to another."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from tap_akeneo_assets.sandbox.search import Document

Record = dict[str, Any]


class Slice(NamedTuple):
    """A part of a list.

    Attributes:
        records: Its records.
        last: Internal key of the last one, or where it began.
        full: Whether it is as long as asked for; even with fewer records, as the index finds what is deleted.
        more: Whether more follow.
    """

    records: list[Record]
    last: str
    full: bool
    more: bool


@dataclass(frozen=True, slots=True)
class AssetState(Document):
    """An asset as one save left it: also when that was, by the PIM's clock, and whether it was its deletion."""

    created: int
    saved: float
    deleted: bool = False


@dataclass(frozen=True)
class MediaFile:
    """A media file's bytes and what `linked_data` tells of them."""

    content: bytes
    original_filename: str
    mime_type: str
    updated: int


@dataclass
class RequestRecord:
    """A request as it came; `route` is the name of the function in `app.py`, `path` is decoded, `query` is not."""

    method: str
    path: str
    query: str
    host: str
    route: str | None
    family: str | None
    headers: dict[str, str]
    status: int | None = None

    @property
    def authorized(self) -> bool:
        """Whether it came with an `Authorization` header."""
        return "Authorization" in self.headers
