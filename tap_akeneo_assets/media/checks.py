"""Whether the answer to a download is the media file: all of it, and nothing else. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_akeneo_assets.errors import NotTheFile

if TYPE_CHECKING:
    from collections.abc import Mapping

HTML_TYPES = ("text/html", "application/xhtml+xml")
HTML_EXTENSIONS = ("html", "htm", "xhtml")
# Extensions of files that are never text, whatever the PIM took them for.
PICTURES = ("avif", "bmp", "gif", "heic", "jpeg", "jpg", "png", "psd", "tif", "tiff", "webp")
FILMS = ("avi", "m4v", "mkv", "mov", "mp3", "mp4", "mpg", "ogg", "wav", "webm")
DOCUMENTS = ("docx", "pdf", "pptx", "xlsx", "zip")
TEXT_TYPES = ("text/", "application/json")
# What a file begins with, as far as it is kept to tell HTML from others.
KEPT_BYTES = 1024
_BLANKS = b"\xef\xbb\xbf \t\r\n"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a media file before it is asked for.

    Attributes:
        size: in bytes; none where the PIM does not tell.
        is_html: whether it is a page of HTML itself.
        extension: of its name, in lower case; "" where it has none.
    """

    size: int | None = None
    is_html: bool = False
    extension: str = ""

    @classmethod
    def of(cls, row: Mapping[str, object]) -> Expected:
        """What a row of `asset_media_files` tells."""
        size = row.get("size")
        mime_type, extension = (str(row.get(name) or "").lower() for name in ("mime_type", "extension"))
        is_html = mime_type.startswith(HTML_TYPES) or extension in HTML_EXTENSIONS
        return cls(size if isinstance(size, int) else None, is_html, extension)


@dataclass(frozen=True, slots=True)
class Received:
    """What came.

    Attributes:
        size: in bytes.
        sha256: of all bytes, in hex digits.
        start: the first bytes, up to `KEPT_BYTES`.
    """

    size: int
    sha256: str
    start: bytes


def is_vouched_for(expected: Expected, headers: Mapping[str, str], received: Received) -> bool:
    """Judge an answer of status 200 whose body came to its end.

    Args:
        expected: what the PIM told of the file.
        headers: of the answer.
        received: its body.

    Returns:
        Whether anything tells that the body is whole. Nothing does where neither the PIM nor the answer says a length
        and the end of the connection is the end of the body: then a second answer must be equal
        (https://www.rfc-editor.org/rfc/rfc9112#section-6.3).

    Raises:
        NotTheFile: it is not the file, or only a part of it.
    """
    known = {name.lower(): value for name, value in headers.items()}
    if expected.size is not None and received.size != expected.size:
        raise NotTheFile(f"200 with {received.size} bytes where the PIM says {expected.size}")
    length = content_length(known)
    if length is not None and received.size != length:
        raise NotTheFile(f"200 with {received.size} of {length} bytes")
    if not expected.is_html:
        signs = _says(known, HTML_TYPES) + _looks_like_html(received.start)
        if signs > (expected.size is not None):
            raise NotTheFile("200 with a page of HTML instead of the file")
    if expected.size is None and _is_text_instead(expected, known, received):
        raise NotTheFile("200 with a text instead of the file")
    is_chunked = "chunked" in known.get("transfer-encoding", "").lower()
    return expected.size is not None or length is not None or is_chunked


def content_length(headers: Mapping[str, str]) -> int | None:
    """How many bytes an answer's body has by its own account; none where the account is of other bytes or missing.

    Args:
        headers: their names in lower case.
    """
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return None
    if "transfer-encoding" in headers:
        return None
    texts = {text.strip() for text in headers.get("content-length", "").split(",")}
    text = texts.pop()
    return int(text) if not texts and text.isascii() and text.isdigit() else None


def _is_text_instead(expected: Expected, headers: Mapping[str, str], received: Received) -> bool:
    """Whether a front server's text came, as far as the file's name tells that it is no text."""
    if expected.extension == "svg":
        return received.size > 0 and not received.start.lstrip(_BLANKS).startswith(b"<")
    return expected.extension in (*PICTURES, *FILMS, *DOCUMENTS) and _says(headers, TEXT_TYPES)


def _says(headers: Mapping[str, str], types: tuple[str, ...]) -> bool:
    return headers.get("content-type", "").strip().lower().startswith(types)


def _looks_like_html(start: bytes) -> bool:
    return start.lstrip(_BLANKS).lower().startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
