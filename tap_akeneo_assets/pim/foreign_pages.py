"""What answers tell that are not the PIM's own: a front server's name, a page's title, a login form. Pure.

Such a text may be anything, so only its first part is looked at, once from left to right.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


# Heads with inlined styles and scripts come before the form, and seldom reach half of this.
LOOKED_AT_BYTES = 64 * 1024

_FIRST_CHARACTER = re.compile(rb"[\xef\xbb\xbf \t\r\n]*(.?)")
_PASSWORD_TYPE = re.compile(rb"""\btype\s*=\s*["']?password\b""")


def is_html(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a body is HTML: by its first character, and by its type if that leaves a doubt."""
    found = _FIRST_CHARACTER.match(body, 0, LOOKED_AT_BYTES)
    first = found[1] if found else b""
    return first == b"<" or ("html" in headers.get("Content-Type", "").lower() and first not in (b"{", b"["))


def has_login_form(body: bytes) -> bool:
    """Whether a page asks for a password."""
    tags = body[:LOOKED_AT_BYTES].lower().split(b"<")[1:]
    return any(tag.startswith(b"input") and _PASSWORD_TYPE.search(tag.partition(b">")[0]) for tag in tags)


def page_title(body: bytes) -> str:
    """The title of a page, as it stands there; "" if it has none."""
    page = body[:LOOKED_AT_BYTES]
    begin = page.lower().find(b"<title")
    if begin < 0:
        return ""
    title = page[begin:].partition(b">")[2].partition(b"<")[0]
    return html.unescape(title.decode("utf-8", "replace")).strip()


def server_name(headers: Mapping[str, str]) -> str:
    """What the server that answered calls itself by its headers; "" if it does not tell."""
    # Cloudflare names itself in `Server` too, unless told otherwise; this header always comes.
    names = ["cloudflare"] if "cf-ray" in headers else []
    names += [headers.get("Server", ""), headers.get("Via", "")]
    return ", ".join(dict.fromkeys(name for name in names if name))
