"""A PIM for benchmarks: answers made ahead, so that what is measured is the reader.

    python -m tests.benchmarks.pim --sizes 1000,1000 --latency 0.1

prints its address, then answers until its standard input ends. `GET /stats` tells how many requests it got, how many
were in flight at once, and at which seconds pages of assets were asked for since the last `GET /stats`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 100
TEXT = "A picture of the product as it stands in the shop, taken from the front, on white. " * 3
ATTRIBUTES = 18


class ServedFamily:
    """One family's answers, as bytes."""

    def __init__(self, code: str, size: int, chance: random.Random) -> None:
        self.code = code
        self.assets = sorted(_asset(code, number, chance) for number in range(size))
        self.attributes = _encode([_attribute(number) for number in range(ATTRIBUTES)])

    @lru_cache(maxsize=64)  # noqa: B019  # families live as long as the process
    def wanted(self, search: str) -> list[tuple[str, str, bytes]]:
        """The assets that a filter on `updated` leaves."""
        wanted = self.assets
        for condition in json.loads(search).get("updated", []) if search else ():
            value = condition["value"]
            newer = condition["operator"] == ">"
            wanted = [asset for asset in wanted if (asset[1] > value if newer else asset[1] < value)]
        return wanted

    def page(self, base: str, query: dict[str, list[str]]) -> bytes:
        """A page of its assets."""
        wanted = self.wanted(query.get("search", [""])[0])
        start = int(query.get("search_after", ["0"])[0])
        links = f'"self":{{"href":"{base}"}}'
        if start + PAGE < len(wanted):
            links += f',"next":{{"href":"{base}?search_after={start + PAGE}"}}'
        items = b",".join(content for _, _, content in wanted[start : start + PAGE])
        return b'{"_links":{' + links.encode() + b'},"_embedded":{"items":[' + items + b"]}}"


def _asset(family: str, number: int, chance: random.Random) -> tuple[str, str, bytes]:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(300 * 86_400))
    updated = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    code = f"{family}_{chance.randrange(1 << 40):x}_{number}"
    values = {
        f"attribute_{attribute}": [
            {
                "locale": "en_US" if attribute % 2 else None,
                "channel": None,
                "data": TEXT[:90] if attribute == 0 else f"option_{attribute}",
                "attribute_type": "text" if attribute == 0 else "single_option",
            }
        ]
        for attribute in range(ATTRIBUTES)
    }
    content = {"code": code, "values": values, "created": updated, "updated": updated}
    return code, updated, _encode(content)


def _attribute(number: int) -> dict[str, object]:
    return {"code": f"attribute_{number}", "type": "text", "labels": {"en_US": f"Attribute {number}"}}


def _encode(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


class Pim:
    """The server.

    Args:
        sizes: of the families.
        latency: seconds before each answer.
    """

    def __init__(self, sizes: list[int], latency: float) -> None:
        chance = random.Random(0)  # noqa: S311  # data, no secret
        self.families = {f"family_{n:05}": ServedFamily(f"family_{n:05}", size, chance) for n, size in enumerate(sizes)}
        self.latency = latency
        self.requests = self.in_flight = self.most_in_flight = 0
        self.pages_asked_at: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
                )
                await reader.readexactly(length)
                target = head.split(b" ", 2)[1].decode()
                if target == "/stats":
                    body = self._stats()
                else:
                    self.requests += 1
                    self.in_flight += 1
                    self.most_in_flight = max(self.most_in_flight, self.in_flight)
                    await asyncio.sleep(self.latency)
                    body = self.answer(target)
                    self.in_flight -= 1
                date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
                status = "200 OK" if body else "404 Not Found"
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nDate: {date}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def answer(self, target: str) -> bytes:
        """The body for a request; nothing for what does not exist."""
        url = urlsplit(target)
        query = parse_qs(url.query)
        match [unquote(part) for part in url.path.split("/")][4:]:
            case ["token"]:
                return _encode({"access_token": "token", "refresh_token": "refresh", "expires_in": 3600})
            case ["asset-families"]:
                return self._families(url.path, int(query.get("search_after", ["0"])[0]))
            case ["asset-families", code, "attributes"]:
                return self.families[code].attributes
            case ["asset-families", code, "assets"]:
                self.pages_asked_at.append(time.monotonic())
                return self.families[code].page(url.path, query)
        return b""

    def _stats(self) -> bytes:
        asked_at, self.pages_asked_at = self.pages_asked_at, []
        stats = {"requests": self.requests, "most_in_flight": self.most_in_flight, "pages_asked_at": asked_at}
        return _encode(stats)

    def _families(self, path: str, start: int) -> bytes:
        codes = list(self.families)
        links = {"self": {"href": path}}
        if start + PAGE < len(codes):
            links["next"] = {"href": f"{path}?search_after={start + PAGE}"}
        items = [{"code": code, "labels": {}} for code in codes[start : start + PAGE]]
        return _encode({"_links": links, "_embedded": {"items": items}})


async def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    arguments = parser.parse_args()
    pim = Pim([int(size) for size in arguments.sizes.split(",")], arguments.latency)
    server = await asyncio.start_server(pim.serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
