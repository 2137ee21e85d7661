"""The floor: a plain script that reads the same pages and writes the same records, without Singer's comfort.

python -m tests.benchmarks.plain_loop URL WORKERS
"""

from __future__ import annotations

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

local = threading.local()
decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


def get(url: str) -> Any:  # noqa: ANN401  # JSON
    """Ask for a page."""
    address = urlsplit(url)
    if not hasattr(local, "connection"):
        local.connection = HTTPConnection(address.netloc, timeout=60)
    path = f"{address.path}?{address.query}" if address.query else address.path
    local.connection.request("GET", path, headers={"Authorization": "Bearer token", "Accept": "application/json"})
    return decode(local.connection.getresponse().read())


def pages(origin: str, path: str) -> Iterator[list[dict[str, Any]]]:
    """The pages of a list."""
    link = {"href": path}
    while link:
        page = get(origin + link["href"])
        yield page["_embedded"]["items"]
        link = page["_links"].get("next")


def main() -> None:
    """Read everything with so many workers, a family each."""
    gc.set_threshold(100_000, 50, 1_000)
    origin, workers = sys.argv[1], int(sys.argv[2])
    root = "/api/rest/v1/asset-families"
    write = sys.stdout.buffer.write

    def family(code: str) -> Iterator[bytes]:
        for attribute in get(f"{origin}{root}/{code}/attributes"):
            yield record("asset_attributes", {"asset_family_code": code, **attribute})
        for page in pages(origin, f"{root}/{code}/assets"):
            yield b"".join(record("assets", {"asset_family_code": code, **asset}) for asset in page)

    families = [item for page in pages(origin, root) for item in page]
    for item in families:
        write(record("asset_families", item))
    if workers == 1:
        for item in families:
            for lines in family(item["code"]):
                write(lines)
        return
    with ThreadPoolExecutor(workers) as pool:
        for lines in pool.map(lambda item: b"".join(family(item["code"])), families):
            write(lines)


def record(stream: str, content: dict[str, Any]) -> bytes:
    """A RECORD message."""
    return encode({"type": "RECORD", "stream": stream, "record": content}) + b"\n"


main()
