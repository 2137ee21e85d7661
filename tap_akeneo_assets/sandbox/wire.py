"""What happens to every request before and after its route: log, latency, faults, the PIM's clock."""

import io
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Request, Response

from tap_akeneo_assets.sandbox.faults import Exchange
from tap_akeneo_assets.sandbox.pim import Pim
from tap_akeneo_assets.sandbox.records import RequestRecord

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


class Wire:
    """A layer of WSGI between the server and the routes."""

    def __init__(self, app: Flask, pim: Pim) -> None:
        """Stand before the routes of `app`."""
        self._app = app
        self._routes = app.wsgi_app
        self._pim = pim

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        # Read whole, whatever the route does with it: a rest would be taken for the next request.
        body = Request(environ).get_data(cache=False)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        mounted = self._unmount(environ)
        record = self._record(environ)
        self._pim.begin(record)
        try:
            if self._pim.on_request:
                self._pim.on_request(record)
            if self._pim.options.latency:
                time.sleep(self._pim.options.latency)
            response = self._answer(environ, record, body) if mounted else _html(404, "Not Found")
            record.status = response.status_code
        finally:
            self._pim.end()
        response.headers["Date"] = http_date(self._pim.now())
        return response(environ, start_response)

    def _unmount(self, environ: "WSGIEnvironment") -> bool:
        """Whether the request is for the path that the PIM is mounted under; takes that path away."""
        mount, path = self._pim.options.base_path, environ["PATH_INFO"]
        if not mount:
            return True
        if path != mount and not path.startswith(f"{mount}/"):
            return False
        environ["PATH_INFO"] = path[len(mount) :]
        return True

    def _record(self, environ: "WSGIEnvironment") -> RequestRecord:
        request = Request(environ)
        try:
            endpoint, arguments = self._app.url_map.bind_to_environ(environ).match()
        except (HTTPException, RequestRedirect):
            endpoint, arguments = None, {}
        route = endpoint.removeprefix("api.") if endpoint else None
        family = arguments.get("code" if route == "family" else "family_code")
        query = environ.get("QUERY_STRING", "")
        headers = dict(request.headers.items())
        return RequestRecord(request.method, request.path, query, request.host, route, family, headers)

    def _answer(self, environ: "WSGIEnvironment", record: RequestRecord, body: bytes) -> Response:
        asked = environ.get("REQUEST_URI", "")
        if len(asked) > self._pim.options.longest_url:
            return _html(414, "Request-URI Too Long")
        # Apache's AllowEncodedSlashes is off unless somebody turns it on.
        if "%2f" in asked.partition("?")[0].lower():
            return _html(404, "Not Found")

        def real() -> Response:
            return Response.from_app(self._routes, environ, buffered=True)

        if self._pim.faults is None:
            return real()
        return self._pim.faults.answer(Exchange(self._pim, record, body, real))


def _html(status: int, reason: str) -> Response:
    return Response(HTML.format(f"{status} {reason}"), status, mimetype="text/html")
