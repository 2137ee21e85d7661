"""The PIM's addresses: as a person gives them, as its links give them, and as they are sent. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_plus, urljoin, urlsplit, urlunsplit

import requests

from tap_akeneo_assets.errors import DamagedPage
from tap_akeneo_assets.pim.responses import REST_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


DEFAULT_PORTS = {"http": 80, "https": 443}

_PASTED_ROUTE = re.compile(r"/api/(rest|oauth)/v1(/.*)?$")
# All that a query may hold; what is encoded already stays so.
_QUERY_CHARACTERS = "!$&'()*+,/:;=?@~%"


def base_url(text: str) -> str:
    """The PIM's address in one form: scheme, host, the port if it is not the default, the path it is mounted under.

    Args:
        text: as a person gives it: with or without a trailing slash, or with a pasted `/api/rest/v1`.

    Returns:
        Such as `https://my-pim.cloud.akeneo.com`, without a trailing slash.

    Raises:
        ValueError: it is no such address. The line never repeats it, for it may hold a password.
    """
    text = text.strip()
    if "@" in text:
        raise ValueError("api_url holds credentials: give them by the settings that are made for them.")
    if not re.match(r"https?://[^/]", text, re.IGNORECASE):
        raise ValueError(
            "api_url must begin with https:// or http:// and a host, as in https://my-pim.cloud.akeneo.com ."
        )
    if "?" in text or "#" in text:
        raise ValueError("api_url must be the PIM's address alone, without a query (?) or a fragment (#).")
    if not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("api_url holds a blank, a backslash or a control character.")
    try:
        parts = urlsplit(requests.Request("GET", text).prepare().url or "")
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")
    except ValueError:
        raise ValueError("api_url is no valid address: check its host and port.") from None
    address = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}"
    if port is not None and port != DEFAULT_PORTS[parts.scheme]:
        address += f":{port}"
    return address + _PASTED_ROUTE.sub("", parts.path.rstrip("/")).rstrip("/")


def encode_segment(code: str) -> str:
    """A code as one segment of a path: all but letters, digits and `_.-~` percent-encoded.

    `.` and `..` are encoded too; a server may still take them for what they mean in a path, but no code is spelled so.
    """
    encoded = quote(code, safe="", errors="surrogatepass")
    return encoded.replace(".", "%2E") if encoded in (".", "..") else encoded


def encode_media_code(code: str) -> str:
    """A media file's code as the end of a path: its slashes stay, since web servers refuse `%2F`."""
    return "/".join(map(encode_segment, code.split("/")))


def next_query(own: Mapping[str, str], page_path: str, href: str) -> str:
    """The query of a listing's next page.

    The cursor is opaque and may be several parameters, so the link's query is sent back as it is, in its order, with
    repeated and blank parameters. Some versions forget a listing's own parameters in links, so these always win.

    Args:
        own: the listing's own parameters, not encoded.
        page_path: the path of the page that the link came with, below `/api/rest/v1`, encoded.
        href: the link: absolute, a path, or only `?…`. Its scheme and host mean nothing.

    Returns:
        The query to send with the same path, without `?`.

    Raises:
        DamagedPage: the link is none, or leads to another resource, where this listing does not go on.
    """
    try:
        link = urlsplit(urljoin(page_path, href.strip()))
    except ValueError:
        raise DamagedPage(f"GET {REST_ROOT}{page_path}: its next link is no address.") from None
    if not unquote(link.path).rstrip("/").endswith(unquote(page_path).rstrip("/")):
        raise DamagedPage(f"GET {REST_ROOT}{page_path}: its next link leads to another resource.")
    missing = dict(own)
    pairs: list[str] = []
    for pair in link.query.split("&"):
        name = unquote_plus(pair.partition("=")[0])
        if name in missing:
            pairs.append(_encode_parameter(name, missing.pop(name)))
        elif pair and name not in own:
            pairs.append(quote(pair, safe=_QUERY_CHARACTERS, errors="surrogatepass"))
    return "&".join([*pairs, *(_encode_parameter(name, value) for name, value in missing.items())])


def other_host(api_url: str, href: str) -> str | None:
    """The host that a link leads to, with its port if it names one; None if the link names no host or the PIM's own.

    A differing scheme alone is no other host: behind a proxy that ends TLS it is the rule.
    """
    try:
        link, pim = urlsplit(href.strip()), urlsplit(api_url)
        same = not link.netloc or (link.hostname == pim.hostname and link.port in (pim.port, *DEFAULT_PORTS.values()))
    except ValueError:
        return None
    return None if same else link.netloc.rpartition("@")[2]


def path_and_query(link: str) -> str:
    """A link without its scheme and host, which mean nothing behind a proxy."""
    parts = urlsplit(link)
    return urlunsplit(("", "", parts.path, parts.query, ""))


def values_in(link: str) -> Iterator[str]:
    """The values that a link holds, decoded: the segments of its path, and the names and values of its parameters."""
    parts = urlsplit(link)
    yield from map(unquote, parts.path.split("/"))
    for pair in parts.query.split("&"):
        yield from map(unquote_plus, pair.partition("=")[::2])


def is_other_resource(path: str, data: object) -> bool:
    """Whether an answer says that it belongs to another request.

    Args:
        path: the path that was asked, below `/api/rest/v1`, percent-encoded.
        data: the answer, decoded. A page and an item name themselves by `_links.self.href`
            (https://api.akeneo.com/documentation/pagination.html); what does not is taken for what was asked.

    Returns:
        Whether the link's path ends in another one. Scheme, host, a path before, encoding, a slash at the end and the
        case of letters mean nothing: proxies change the first, and the PIM writes codes in its own case.
    """
    href: object = data
    for name in ("_links", "self", "href"):
        href = href.get(name) if isinstance(href, dict) else None
    if not isinstance(href, str):
        return False
    try:
        own_path = urlsplit(urljoin(path, href.strip())).path
    except ValueError:
        return False
    own, requested = (unquote(text).rstrip("/").casefold() for text in (own_path, path))
    return bool(own) and not own.endswith(requested)


def is_loopback(api_url: str) -> bool:
    """Whether an address leads to this machine itself."""
    host = urlsplit(api_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _encode_parameter(name: str, value: str) -> str:
    return f"{quote(name, safe='')}={quote(value, safe='', errors='surrogatepass')}"
