"""A real S3 server, and a plain client for downloads from a server whose answers are written by hand."""

from __future__ import annotations

import http.client
import logging
import os
import socket
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock
from urllib.parse import unquote

from tap_akeneo_assets.errors import NotFound, NotTheFile, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")


@contextmanager
def s3_server() -> Iterator[Callable[[], str]]:
    """Serve S3 on a port of this machine, with the environment set to it; gives what makes a new bucket."""
    import boto3  # noqa: PLC0415  # slow
    from moto.server import ThreadedMotoServer  # noqa: PLC0415
    from s3fs import S3FileSystem  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # Older versions of moto take 0 for a port, but do not tell which one it became.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    settings = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    numbers = iter(range(1_000_000))
    try:
        with mock.patch.dict(os.environ, settings):
            S3FileSystem.clear_instance_cache()
            client = boto3.client("s3")

            def bucket() -> str:
                name = f"bucket-{next(numbers)}"
                client.create_bucket(Bucket=name)
                return name

            yield bucket
            client.close()
    finally:
        S3FileSystem.clear_instance_cache()
        server.stop()


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.wfile.write(self.server.answer(target))  # type: ignore[attr-defined]  # the class below


class OddServer(socketserver.ThreadingTCPServer):
    """Answers each request with the next of the bytes that a test wrote for its path, the last of them again and again.

    Attributes:
        answers: by decoded path below `/asset-media-files/`.
        asked: the targets of all requests, in order.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[bytes]] = {}
        self.asked: list[str] = []

    def answer(self, target: str) -> bytes:
        self.asked.append(target)
        answers = self.answers.get(unquote(target).removeprefix("/asset-media-files/"), [http_answer(b"", status=404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


def http_answer(body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> bytes:
    """An answer with a `Content-Length`, that of the body or another one; none for -1."""
    promised = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    lines += [f"Content-Length: {promised}"] if promised >= 0 else ["Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := response.read(1000):
        yield piece


class PlainClient:
    """Downloads as the tap's client does: asks again, three times at most, as long as it gets no file."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.refused: list[str] = []

    def download(self, path: str, save: Callable[[Mapping[str, str], Iterator[bytes]], T]) -> T:
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                if response.status == 404:
                    raise NotFound(f"GET {path}: 404", status=404)
                return save(dict(response.headers), _pieces(response))
            except (NotTheFile, http.client.IncompleteRead) as error:
                self.refused.append(str(error))
            finally:
                connection.close()
        raise RequestFailed(f"GET {path}: no file came.")


@contextmanager
def odd_server() -> Iterator[OddServer]:
    """Serve on a port of this machine."""
    with OddServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def row(code: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # columns of any type
    """A row of `asset_media_files`, as far as downloads need it."""
    return {
        "asset_family_code": "packshots",
        "media_file_code": code,
        "size": None,
        "mime_type": None,
        "extension": "png",
        **more,
    }
