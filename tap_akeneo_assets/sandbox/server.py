"""The sandbox on a port of this machine."""

import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from tap_akeneo_assets.sandbox.app import create_app
from tap_akeneo_assets.sandbox.hangup import HangUp, OnTheWire
from tap_akeneo_assets.sandbox.pim import Pim


class _Handler(WSGIRequestHandler):
    """Answers requests over connections that stay open, which werkzeug's own handler closes after each answer."""

    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without this, the second waits 40 ms for the first to be acknowledged.
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request."""
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:  # noqa: ANN401, ARG001 (as WSGI has it)
            head[:] = [status, headers]

        self.environ = environ = self.make_environ()
        try:
            body = b"".join(self.server.app(environ, start_response))
        except HangUp as hang_up:
            self.wfile.write(hang_up.sent)
            self.close_connection = True
            if hang_up.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            return
        except OnTheWire as answer:
            for piece in answer.pieces:
                self.wfile.write(piece)
            return
        status, _, reason = head[0].partition(" ")
        self.send_response_only(int(status), reason)
        for name, value in head[1]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 (werkzeug's name)
        """Say nothing: `Pim.requests` tells more."""


class _Server(ThreadedWSGIServer):
    """A thread a connection; knows its connections, so that they can be closed at the end."""

    daemon_threads = True

    def __init__(self, pim: Pim, host: str, port: int, ssl_context: ssl.SSLContext | None) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(host, port, create_app(pim), _Handler, ssl_context=ssl_context)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (as socketserver has them)
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 (likewise)
        self.connections.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):
            self.close_request(request)  # a proper shutdown first would make it no reset
        else:
            super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (likewise)
        """A client that went away is nothing to tell of; anything else is a mistake of the sandbox or of a test."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@dataclass(frozen=True)
class Server:
    """A sandbox that is being served: where, and what.

    Attributes:
        url: The PIM's address, without a trailing slash.
        pim: The PIM.
    """

    url: str
    pim: Pim


@contextmanager
def serve(
    pim: Pim, port: int = 0, host: str = "127.0.0.1", ssl_context: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Serve a PIM, in threads of this process, until the block ends.

    Args:
        pim: The PIM; it may be changed and asked while it is served.
        port: Port to listen on; 0 for a free one.
        host: Address to listen on.
        ssl_context: Certificate and key, for https.
    """
    server = _Server(pim, host, port, ssl_context)
    thread = Thread(target=server.serve_forever, args=(0.02,), name="akeneo-sandbox", daemon=True)
    thread.start()
    scheme = "https" if ssl_context else "http"
    try:
        yield Server(f"{scheme}://{host}:{server.port}{pim.options.base_path}", pim)
    finally:
        server.shutdown()
        server.hang_up()
        thread.join()
