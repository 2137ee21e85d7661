"""A headless Chromium, spoken to over a pipe in its own protocol, so that nothing else needs to be installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60
# It reads from 3 and writes to 4.
START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """A page in a browser.

    Attributes:
        messages: what the browser told without being asked, such as dialogs and errors.
    """

    def __init__(self, to_browser: BinaryIO | FileIO, from_browser: BinaryIO) -> None:
        self._to, self._from = to_browser, from_browser
        self._numbers = count(1)
        self._session: str | None = None
        self.messages: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self.messages.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "Chromium ended"
            text += byte
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, url: str, *, width: int = 1200) -> None:
        """Open a page and wait until all that it shows has loaded."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        self.messages.clear()
        self.ask("Page.navigate", url=url)
        while not any(message["method"] == "Page.loadEventFired" for message in self.messages):
            self.messages.append(self._next())

    def run(self, script: str) -> Any:  # noqa: ANN401  # JSON
        """The value of a script."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def close(self) -> None:
        self._session = None
        self.ask("Browser.close")


@contextmanager
def chromium() -> Iterator[Page]:
    """Start Chromium; a test without one is skipped."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"No Chromium is installed ({', '.join(NAMES)}): the gallery is not tested in a browser.")
    to_browser, from_browser = os.pipe(), os.pipe()
    its_ends = to_browser[0], from_browser[1]
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", START, *map(str, its_ends), program, *options, f"--user-data-dir={home}"],
            pass_fds=its_ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": home},
        )
        for end in its_ends:
            os.close(end)
        with os.fdopen(to_browser[1], "wb", 0) as to, os.fdopen(from_browser[0], "rb") as answers:
            try:
                page = Page(to, answers)
                yield page
                page.close()
                process.wait(SECONDS)
            finally:
                process.kill()
                process.wait()
