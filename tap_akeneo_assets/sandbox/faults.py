"""What goes wrong on purpose: each fault is a function from the real answer to a faulty one.

Which requests meet a fault is said by the methods of `Faults`::

    pim.faults = Faults(seed=7).rate(0.2)
    pim.faults = Faults().nth("assets", 3, status(503)).always("attributes", login_page(), family="packshots")

Routes go by the names of the functions in `app.py`: `token`, `families`, `family`, `attributes`, `options`, `assets`,
`asset`, `media_file`, `system_information`, `endpoints`.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from threading import Lock
from time import sleep
from typing import Any, Literal
from urllib.parse import urlsplit

from werkzeug.http import http_date
from werkzeug.wrappers import Response

from tap_akeneo_assets.sandbox.hangup import HangUp, OnTheWire
from tap_akeneo_assets.sandbox.pim import Pim
from tap_akeneo_assets.sandbox.records import RequestRecord

JSON = "application/json"
HTML = "text/html"
REASONS = {408: "Request Timeout", 425: "Too Early", 429: "Too Many Requests", 500: "Internal Server Error"}
REASONS |= {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}
FIRST_HTML = 500


@dataclass(frozen=True)
class Exchange:
    """A request that meets a fault.

    Attributes:
        pim: The PIM that is asked.
        request: The request.
        body: The request's body.
        real: Gives the answer that it would have got; not calling it means that the PIM never saw the request.
    """

    pim: Pim
    request: RequestRecord
    body: bytes
    real: Callable[[], Response]


Fault = Callable[[Exchange], Response]


def status(code: int, retry_after: int | None = None, *, as_date: bool = False) -> Fault:
    """An answer 408, 425, 429 or 5xx: the latter with HTML, as proxies send it.

    Args:
        code: The status.
        retry_after: Seconds for a `Retry-After` header.
        as_date: Send them as a date, by the PIM's clock.
    """

    def fault(exchange: Exchange) -> Response:
        reason = REASONS.get(code, "Error")
        if code < FIRST_HTML:
            response = Response(json.dumps({"code": code, "message": reason}), code, mimetype=JSON)
        else:
            response = Response(f"<html><body><h1>{code} {reason}</h1></body></html>", code, mimetype=HTML)
        if retry_after is not None:
            date = http_date(exchange.pim.now() + retry_after)
            response.headers["Retry-After"] = date if as_date else str(retry_after)
        return response

    return fault


def drop(*, after: bool = False) -> Fault:
    """The connection ends without an answer; `after` the PIM did what was asked, or before."""

    def fault(exchange: Exchange) -> Response:
        if after:
            exchange.real()
        raise HangUp

    return fault


def reset() -> Fault:
    """The connection is reset without an answer."""

    def fault(_: Exchange) -> Response:
        raise HangUp(reset=True)

    return fault


def cut(kind: Literal["length", "chunked", "closed"], part: float = 0.5) -> Fault:
    """The body is cut short and the connection ends.

    Args:
        kind: What the head promises: a `Content-Length`, chunks with an end, or nothing but the connection's end,
            in which case nothing but the body itself tells that it is not whole.
        part: How much of the body is sent, 0 to 1.
    """

    def fault(exchange: Exchange) -> Response:
        response = exchange.real()
        body = response.get_data()
        sent = body[: int(len(body) * part)]
        framing = {"length": f"Content-Length: {len(body)}", "chunked": "Transfer-Encoding: chunked"}
        head = _head(exchange, response, framing.get(kind, "Connection: close"))
        if kind == "chunked" and sent:
            sent = b"%x\r\n%b\r\n" % (len(sent), sent)
        raise HangUp(head + sent)

    return fault


def interim(*statuses: int, delay: float = 0) -> Fault:
    """Interim answers, such as 103 (Early Hints), come before the real one.

    Args:
        statuses: Their statuses, in order.
        delay: Seconds before each further answer.
    """

    def fault(exchange: Exchange) -> Response:
        def pieces() -> Iterator[bytes]:
            for status in statuses:
                yield f"HTTP/1.1 {status} Interim\r\nLink: </style.css>; rel=preload\r\n\r\n".encode()
                sleep(delay)
            yield _whole(exchange, exchange.real())

        raise OnTheWire(pieces())

    return fault


def compressed(chunk_bytes: int = 500) -> Fault:
    """The real answer compressed and in chunks, as web servers send it; for a client that says that it takes gzip."""

    def fault(exchange: Exchange) -> Response:
        response = exchange.real()
        if "gzip" not in exchange.request.headers.get("Accept-Encoding", ""):
            return response
        content = gzip.compress(response.get_data())
        parts = [content[start : start + chunk_bytes] for start in range(0, len(content), chunk_bytes)]
        head = _head(exchange, response, "Content-Encoding: gzip\r\nTransfer-Encoding: chunked")
        raise OnTheWire([head, *(b"%x\r\n%b\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"])

    return fault


def second_answer(body: bytes = b"[]") -> Fault:
    """The real answer, and right after it one that nobody asked for."""

    def fault(exchange: Exchange) -> Response:
        second = _whole(exchange, Response(body, mimetype=JSON))
        raise OnTheWire([_whole(exchange, exchange.real()) + second])

    return fault


def drip(seconds: float, piece: bytes = b" ") -> Fault:
    """The head of an answer, and then a piece of a body every so many seconds, until the other side goes away."""

    def fault(exchange: Exchange) -> Response:
        def pieces() -> Iterator[bytes]:
            yield _head(exchange, exchange.real(), "Connection: close")
            while True:
                yield piece
                sleep(seconds)

        raise OnTheWire(pieces())

    return fault


def front_server(code: int = 403, name: str = "cloudflare", title: str = "Just a moment...") -> Fault:
    """A front server refuses in HTML; the PIM never sees the request."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>Checking your browser.</body></html>"
    return lambda _: Response(page, code, {"Server": name}, mimetype=HTML)


def not_json() -> Fault:
    """Status 200 and a proxy's text instead of JSON."""
    return lambda _: Response("upstream temporarily out of service", mimetype="text/plain")


def login_page() -> Fault:
    """Status 200 and a page that asks for a password, as of a PIM behind a single sign-on."""
    page = '<!DOCTYPE html><title>Sign in</title><form method="post"><input name="user"><input type="password"></form>'
    return lambda _: Response(page, mimetype=HTML)


def redirect(to: str, code: int = 302) -> Fault:
    """A redirect to a URL or path; an origin alone (`https://other.example`) keeps the request's path and query."""

    def fault(exchange: Exchange) -> Response:
        asked = exchange.pim.options.base_path + exchange.request.path
        if exchange.request.query:
            asked = f"{asked}?{exchange.request.query}"
        location = to if urlsplit(to).path else f"{to}{asked}"
        return Response(status=code, headers={"Location": location})

    return fault


def token_ended(*, once: bool = False) -> Fault:
    """The request's access token has ended early, for this and every later request: 401. An App's is left alone.

    Args:
        once: Not twice for the same path and query, as a client heals it once a request.
    """
    met: set[tuple[str, str]] = set()

    def fault(exchange: Exchange) -> Response:
        asked = exchange.request.path, exchange.request.query
        token = exchange.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not (exchange.pim.tokens.is_app(token) or (once and asked in met)):
            exchange.pim.tokens.revoke(token)
        met.add(asked)
        return exchange.real()

    return fault


def refresh_refused() -> Fault:
    """A refresh of the token is refused, 422; other requests are answered."""

    def fault(exchange: Exchange) -> Response:
        if b"refresh_token" not in exchange.body:
            return exchange.real()
        message = "Refresh token is invalid or has expired"
        return Response(json.dumps({"code": 422, "message": message}), 422, mimetype=JSON)

    return fault


def slow(seconds: float) -> Fault:
    """The answer takes its time."""

    def fault(exchange: Exchange) -> Response:
        sleep(seconds)
        return exchange.real()

    return fault


def damaged(damage: Callable[[bytes], bytes]) -> Fault:
    """The body goes through a function."""

    def fault(exchange: Exchange) -> Response:
        response = exchange.real()
        response.set_data(damage(response.get_data()))
        return response

    return fault


def content_type(value: str) -> Fault:
    """The body is right, its type is not."""

    def fault(exchange: Exchange) -> Response:
        response = exchange.real()
        response.headers["Content-Type"] = value
        return response

    return fault


def empty() -> Fault:
    """Status 200 and no body, which the head admits."""

    def fault(exchange: Exchange) -> Response:
        response = exchange.real()
        response.set_data(b"")
        return response

    return fault


def gone(part: float = 1) -> Fault:
    """Some media files, always the same, are in the database but not in the storage: 404.

    Args:
        part: how many of all files, 0 to 1.
    """

    def fault(exchange: Exchange) -> Response:
        digest = hashlib.sha256(exchange.request.path.encode("utf-8", "surrogatepass")).digest()
        if int.from_bytes(digest[:4]) >= part * 2**32:
            return exchange.real()
        message = "The media file is not in the storage."
        return Response(json.dumps({"code": 404, "message": message}), 404, mimetype=JSON)

    return fault


def circle(kind: Literal["same", "fresh", "pages", "fresh pages"]) -> Fault:
    """The list goes in circles.

    Args:
        kind: `same`: each page's `next` is the page itself. `pages`: the last page's `next` is the first page.
            With `fresh`, every cursor is new, although the items are the same again.
    """
    serial = count(1)

    def fault(exchange: Exchange) -> Response:
        response = exchange.real()
        page: dict[str, Any] = json.loads(response.get_data())
        links = page.get("_links", {}) if isinstance(page, dict) else {}
        if not links:
            return response
        goal = links["self"] if kind in ("same", "fresh") else links.get("next", links["first"])
        href = goal["href"]
        if "fresh" in kind:
            # A third parameter of the cursor, which the list does not mind.
            joint = "" if href.endswith("?") else "&" if "?" in href else "?"
            href += f"{joint}search_after%5B2%5D={next(serial)}"
        links["next"] = {"href": href}
        response.set_data(json.dumps(page))
        return response

    return fault


def passing() -> tuple[Fault, ...]:
    """Faults that pass, which a client has to sit out; a login page, a redirect or a circle do not pass."""
    return (
        status(408),
        status(425),
        status(429),
        status(429, retry_after=1),
        status(429, retry_after=1, as_date=True),
        status(500),
        status(502),
        status(503),
        status(503, retry_after=1),
        drop(),
        drop(after=True),
        reset(),
        cut("length"),
        cut("length", 0),
        cut("chunked"),
        interim(103),
        interim(102, 103, 100),
        compressed(),
        # Of a media file nobody could tell these, where the PIM does not tell its size.
        _if_it_can_be_told(cut("closed", 0.9)),
        _if_it_can_be_told(not_json()),
        token_ended(once=True),
        refresh_refused(),
    )


def _whole(exchange: Exchange, response: Response) -> bytes:
    """An answer as it is on the wire."""
    body = response.get_data()
    return _head(exchange, response, f"Content-Length: {len(body)}") + body


def _head(exchange: Exchange, response: Response, framing: str) -> bytes:
    """The head of an answer as it is on the wire; `framing` is the header that says how its body ends."""
    return (
        f"HTTP/1.1 {response.status}\r\nContent-Type: {response.content_type}\r\n"
        f"Date: {http_date(exchange.pim.now())}\r\n{framing}\r\n\r\n"
    ).encode()


def _if_it_can_be_told(fault: Fault) -> Fault:
    def chosen(exchange: Exchange) -> Response:
        can_be_told = exchange.request.route != "media_file" or exchange.pim.options.saas
        return fault(exchange) if can_be_told else exchange.real()

    return chosen


@dataclass(frozen=True)
class _Rule:
    """Which requests meet which fault."""

    route: str | None
    family: str | None
    choose: Callable[[], Fault | None]


class Faults:
    """Which requests meet which faults. The first rule that has one for a request decides."""

    def __init__(self, seed: int = 0) -> None:
        """Start without any; `seed` is that of `rate`."""
        self._random = Random(seed)  # noqa: S311 (a test's choice)
        self._lock = Lock()
        self._rules: list[_Rule] = []

    def rate(self, part: float, faults: Iterable[Fault] | None = None, route: str | None = None) -> "Faults":
        """Let a part of all requests, or of those of a route, meet one of `faults`, `passing()` for None, by chance."""
        kinds = tuple(faults or passing())
        return self._add(route, None, lambda: self._random.choice(kinds) if self._random.random() < part else None)

    def nth(self, route: str | None, number: int, fault: Fault, family: str | None = None) -> "Faults":
        """Let the `number`-th request of a route from now on, 1 for the next, meet a fault, once."""
        seen = count(1)
        return self._add(route, family, lambda: fault if next(seen) == number else None)

    def always(self, route: str | None, fault: Fault, family: str | None = None) -> "Faults":
        """Let every request of a route, or of all for None, meet a fault; of one family only, if given."""
        return self._add(route, family, lambda: fault)

    def clear(self) -> "Faults":
        """Forget all rules."""
        self._rules = []
        return self

    def _add(self, route: str | None, family: str | None, choose: Callable[[], Fault | None]) -> "Faults":
        self._rules = [*self._rules, _Rule(route, family, choose)]
        return self

    def answer(self, exchange: Exchange) -> Response:
        """The answer to a request, faulty or not."""
        fault = self._fault(exchange.request)
        return fault(exchange) if fault else exchange.real()

    def _fault(self, request: RequestRecord) -> Fault | None:
        with self._lock:
            for rule in self._rules:
                if rule.route in (None, request.route) and rule.family in (None, request.family):
                    fault = rule.choose()
                    if fault:
                        return fault
        return None
