"""Media files are stored: each whole or not at all, once, on a local disk, in memory and on S3."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_akeneo_assets.errors import Fatal, NotFound, NotTheFile, RequestFailed, Stopped
from tap_akeneo_assets.media.downloads import Downloads
from tap_akeneo_assets.media.paths import stored_path
from tap_akeneo_assets.media.storage import OWN_FOLDER, PART_BYTES, Storage
from tap_akeneo_assets.sandbox.hostile import HOSTILE_CODES
from tests.media_support import OddServer, PlainClient, http_answer, odd_server, row, s3_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_akeneo_assets.media.checks import Received

PATH = "packshots/0/1/a.png"
KINDS = ("local", "memory", "s3")
README = Path(__file__).parent.with_name("README.md").read_text("utf-8")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
PNG = b"\x89PNG picture"
PAGE = b"<!DOCTYPE html><title>Sign in</title>"


@pytest.fixture(scope="module")
def new_bucket() -> Iterator[Callable[[], str]]:
    with s3_server() as bucket:
        yield bucket


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('new_bucket')()}/media"
    return str(tmp_path / "media") if request.param == "local" else f"memory://{tmp_path.name}"


@pytest.fixture
def server() -> Iterator[OddServer]:
    with odd_server() as serving:
        yield serving


def files(url: str) -> dict[str, bytes]:
    """What lies in a storage, but what the tap keeps there for itself."""
    fs, root = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    found = {path.removeprefix(root).lstrip("/"): fs.cat_file(path) for path in fs.find(root)}
    return {path: content for path, content in found.items() if not path.startswith(OWN_FOLDER)}


def yes(_: Received) -> bool:
    return True


def pieces(size: int, piece: int = 100_000) -> Iterator[bytes]:
    for begin in range(0, size, piece):
        yield bytes([begin // piece % 256]) * min(piece, size - begin)


@pytest.mark.parametrize("size", [0, 1, 100_001, 2 * PART_BYTES + 5, 2 * PART_BYTES])
def test_what_is_written_is_found(url: str, size: int) -> None:
    storage = Storage(url, lambda: NOON)
    storage.prepare()
    content = b"".join(pieces(size))
    assert storage.find(PATH, size) is None
    assert storage.find(PATH, None) is None
    stored = storage.write(PATH, pieces(size), yes)
    assert stored
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert stored.stored_at == "2026-11-25T12:00:00+00:00"
    assert Storage(url).find(PATH, size) == Storage(url).find(PATH, None) == stored
    assert Storage(url).find(PATH, size + 1) is None
    assert files(url) == {PATH: content}


def test_the_judge_sees_what_came(url: str) -> None:
    seen: list[Received] = []

    def see(received: Received) -> bool:
        seen.append(received)
        return True

    Storage(url).write(PATH, pieces(100_001), see)
    assert [(received.size, received.start) for received in seen] == [(100_001, bytes(1024))]


def test_what_is_not_accepted_is_not_seen(url: str) -> None:
    assert Storage(url).write(PATH, [PNG], lambda _: False) is None
    gc.collect()
    assert files(url) == {}


@pytest.mark.parametrize("size", [1, 2 * PART_BYTES + 5])
@pytest.mark.parametrize("error", [ConnectionError("dropped"), Stopped(), KeyboardInterrupt()])
def test_what_breaks_off_is_not_seen(url: str, size: int, error: BaseException) -> None:
    def broken() -> Iterator[bytes]:
        yield from pieces(size)
        assert files(url) == {}
        raise error

    with pytest.raises(type(error)):
        Storage(url).write(PATH, broken(), yes)
    gc.collect()
    assert files(url) == {}
    assert Storage(url).find(PATH, None) is None
    assert not fsspec.open_files(f"{url}/{OWN_FOLDER}/parts/*")


def test_what_the_judge_finds_to_be_no_file_is_not_seen(url: str) -> None:
    def no(_: Received) -> bool:
        raise NotTheFile("HTML")

    with pytest.raises(NotTheFile):
        Storage(url).write(PATH, pieces(2 * PART_BYTES), no)
    gc.collect()
    assert files(url) == {}


def test_what_is_larger_than_it_can_be_is_read_no_further(url: str) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield bytes(1000)

    Storage(url).write(PATH, endless(), lambda received: received.size <= 5000, limit=5000)
    assert read == 6000
    assert files(url) == {}


def test_a_file_of_another_size_is_replaced(url: str) -> None:
    storage = Storage(url)
    storage.write(PATH, [b"short"], yes)
    assert storage.find(PATH, 6) is None
    storage.write(PATH, [b"longer"], yes)
    assert files(url) == {PATH: b"longer"}
    found = storage.find(PATH, 6)
    assert found
    assert found.sha256 == hashlib.sha256(b"longer").hexdigest()


@pytest.mark.parametrize("receipt", [None, b"", b'{"sha256": "', b"[]", b'{"size": 3}'])
def test_a_file_without_a_receipt_is_believed_if_it_has_its_size(url: str, receipt: bytes | None) -> None:
    fs, root = fsspec.core.url_to_fs(url)
    Storage(url).write(PATH, [PNG], yes)
    path = f"{root}/{OWN_FOLDER}/receipts/{PATH}.json"
    if receipt is None:
        fs.rm_file(path)
    else:
        fs.pipe_file(path, receipt)
    assert Storage(url).find(PATH, None) is None
    assert Storage(url).find(PATH, len(PNG) + 1) is None
    found = Storage(url).find(PATH, len(PNG))
    assert found
    assert (found.sha256, found.size) == (hashlib.sha256(PNG).hexdigest(), len(PNG))
    assert abs(datetime.now(UTC) - datetime.fromisoformat(found.stored_at)) < timedelta(minutes=5)
    assert json.loads(fs.cat_file(path))["sha256"] == found.sha256
    assert Storage(url).find(PATH, None) == found


def test_a_receipt_without_its_file_says_nothing(url: str) -> None:
    fs, root = fsspec.core.url_to_fs(url)
    Storage(url).write(PATH, [PNG], yes)
    fs.rm_file(f"{root}/{PATH}")
    assert Storage(url).find(PATH, len(PNG)) is None
    assert Storage(url).find(PATH, None) is None


def test_several_threads_write_at_once(url: str) -> None:
    storage = Storage(url)
    contents = {f"packshots/{number}.png": bytes([number]) * 300_000 for number in range(24)}
    with ThreadPoolExecutor(8) as pool:
        for path, content in contents.items():
            pool.submit(storage.write, path, iter([content[:1000], content[1000:]]), yes)
    assert files(url) == contents


KILLED = """
import os, signal, sys
from tap_akeneo_assets.media.storage import Storage

def chunks():
    for _ in range(300):
        yield bytes(100_000)
    os.kill(os.getpid(), signal.SIGKILL)

Storage(sys.argv[1]).write("packshots/a.png", chunks(), lambda _: True)
"""


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_a_killed_run_leaves_nothing_under_a_final_name(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = str(tmp_path) if kind == "local" else f"s3://{request.getfixturevalue('new_bucket')()}/media"
    killed = subprocess.run([sys.executable, "-c", KILLED, url], check=False, timeout=60)  # noqa: S603
    assert killed.returncode == -signal.SIGKILL
    assert files(url) == {}
    assert Storage(url).find("packshots/a.png", None) is None


class OddDisk(fsspec.implementations.local.LocalFileSystem):  # type: ignore[misc]  # not typed
    """A local disk under a protocol of its own."""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        stripped: str = super()._strip_protocol(path.removeprefix(f"{cls.protocol}://"))
        return stripped


class Interrupted(OddDisk):
    """A local disk on which the run ends at a certain call."""

    protocol = "interrupted"
    calls_left = 0

    def _count(self) -> None:
        Interrupted.calls_left -= 1
        if Interrupted.calls_left == 0:
            raise KeyboardInterrupt

    def info(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as in the base class
        self._count()
        return super().info(*args, **kwargs)

    def makedirs(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # likewise
        self._count()
        return super().makedirs(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # likewise
        self._count()
        return super().open(*args, **kwargs)

    def mv(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # likewise
        self._count()
        return super().mv(*args, **kwargs)


def test_whenever_a_run_ends_the_next_one_has_the_right_file(tmp_path: Path, server: OddServer) -> None:
    fsspec.register_implementation("interrupted", Interrupted, clobber=True)
    server.answers["0/1/a.png"] = [http_answer(PNG)]
    ended = 0
    for call in range(1, 20):
        folder = tmp_path / str(call)
        Interrupted.calls_left = call
        try:
            downloads(server, f"interrupted://{folder}")[0].store(row("0/1/a.png"))
        except KeyboardInterrupt:
            ended += 1
            assert files(str(folder)) in ({}, {PATH: PNG})
        else:
            break
        stored = downloads(server, str(folder))[0].store(row("0/1/a.png"))
        assert files(str(folder)) == {PATH: PNG}
        assert stored["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert 6 <= ended < 18, "at each call once, and then at none"


def test_what_a_killed_run_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    parts = tmp_path / OWN_FOLDER / "parts"
    parts.mkdir(parents=True)
    (parts / "old").write_bytes(b"x")
    (parts / "new").write_bytes(b"x")
    os.utime(parts / "old", (0, 0))
    Storage(str(tmp_path)).prepare()
    assert [path.name for path in parts.iterdir()] == ["new"]


MEASURED = """
import sys, tracemalloc
from tap_akeneo_assets.media.storage import Storage

def peak(size):
    tracemalloc.reset_peak()
    storage.write("packshots/a.png", (bytes(262_144) for _ in range(size // 262_144)), lambda _: True)
    return tracemalloc.get_traced_memory()[1]

storage = Storage(sys.argv[1])
tracemalloc.start()
peak(1_000_000)
print(peak(1_000_000), peak(50_000_000), peak(100_000_000))
"""


@pytest.mark.parametrize(("kind", "parts"), [("local", 0.1), ("s3", 5)])
def test_memory_does_not_grow_with_the_file(
    kind: str, parts: float, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = str(tmp_path) if kind == "local" else f"s3://{request.getfixturevalue('new_bucket')()}/media"
    # In a process of its own, since the S3 server keeps what it gets.
    measured = subprocess.run([sys.executable, "-c", MEASURED, url], check=True, timeout=120, capture_output=True)  # noqa: S603
    small, large, larger = map(int, measured.stdout.split())
    assert large < small + parts * PART_BYTES
    assert larger < large + 0.5 * PART_BYTES


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (OSError(28, "No space left on device"), Fatal, "no space is left"),
        (PermissionError("Access Denied: https://user:secret@host"), Fatal, "permission denied"),
        (FileNotFoundError("The specified bucket does not exist"), Fatal, "there is no such folder or bucket"),
        (ValueError("https://user:secret@host"), RequestFailed, "ValueError"),
        (TimeoutError("secret"), RequestFailed, "TimeoutError"),
        (OSError(16, "SlowDown secret"), RequestFailed, "OSError"),
    ],
)
def test_what_is_wrong_with_the_storage_is_said_in_a_line(
    tmp_path: Path, error: Exception, kind: type[Exception], reason: str
) -> None:
    class Broken(OddDisk):
        protocol = "broken"

        def mv(self, *_: object, **__: object) -> None:
            raise error

    fsspec.register_implementation("broken", Broken, clobber=True)
    with pytest.raises(kind) as raised:
        Storage(f"broken://{tmp_path}").write(PATH, [PNG], yes)
    assert str(raised.value) == f"media_storage broken://{tmp_path} cannot be written to: {reason}."
    assert files(str(tmp_path)) == {}


@pytest.mark.usefixtures("new_bucket")
def test_a_bucket_that_is_not_there_is_told_at_the_start() -> None:
    for act in (Storage.prepare, lambda storage: storage.write(PATH, [PNG], yes)):
        with pytest.raises(Fatal, match="media_storage s3://no-such-bucket/x cannot be written to: there is no such"):
            act(Storage("s3://no-such-bucket/x"))


def test_a_folder_that_is_a_file_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(Fatal, match=r"cannot be written to: "):
        Storage(str(tmp_path / "file")).prepare()


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("gopher://x/y", "'gopher://x/y' is no folder that can be written to"),
        ("https://me:secret@host/x?sig=secret", "'https://host/x' is no folder that can be written to"),
        ("simplecache::s3://key:secret@bucket/x", "is no folder that can be written to"),
        ("", "'' is no folder that can be written to"),
        ("/", "'/' names no folder."),
        ("s3://", "'s3://' names no folder."),
        ("zip://key:secret@x", "'zip://x' cannot be used"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_a_line(url: str, line: str) -> None:
    with pytest.raises(ValueError, match=r"^media_storage: ") as raised:
        Storage(url)
    assert line in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "module", "cure"),
    [
        ("s3://bucket/x", "s3fs", "pip install 'tap-akeneo-assets[s3]'"),
        ("gs://bucket/x", "gcsfs", "pip install 'tap-akeneo-assets[gcs]'"),
        ("abfs://container/x", "adlfs", "pip install 'tap-akeneo-assets[azure]'"),
    ],
)
def test_a_driver_that_is_missing_is_named(url: str, module: str, cure: str) -> None:
    code = f"""
import sys
sys.modules[{module!r}] = None
from tap_akeneo_assets.media.storage import Storage
try:
    Storage({url!r})
except ValueError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)  # noqa: S603
    assert said.stdout.startswith(f"media_storage: for {url!r} a driver is missing: {cure}")


def test_a_driver_of_another_store_is_named_too() -> None:
    with pytest.raises(ValueError, match=r"for 'oss://bucket/x' a driver is missing: .*ossfs"):
        Storage("oss://bucket/x")


# Downloads


def downloads(server: OddServer, url: str) -> tuple[Downloads, PlainClient]:
    client = PlainClient(server.server_address[1])
    return Downloads(client, Storage(url)), client


def test_a_file_is_stored_once_and_its_row_stays_the_same(url: str, server: OddServer) -> None:
    server.answers["0/1/a.png"] = [http_answer(PNG)]
    first = downloads(server, url)[0].store(row("0/1/a.png", size=len(PNG), asset_code="a"))
    assert first == row("0/1/a.png", size=len(PNG), asset_code="a") | {
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "stored_path": PATH,
        "stored_size": len(PNG),
        "stored_at": first["stored_at"],
    }
    assert files(url) == {PATH: PNG}
    assert downloads(server, url)[0].store(row("0/1/a.png", size=len(PNG), asset_code="a")) == first
    assert downloads(server, url)[0].store(row("0/1/a.png"))["stored_at"] == first["stored_at"]
    assert len(server.asked) == 1


def test_a_file_of_the_wrong_size_is_asked_for_again(tmp_path: Path, server: OddServer) -> None:
    server.answers["0/1/a.png"] = [http_answer(b"old"), http_answer(PNG)]
    downloads(server, str(tmp_path))[0].store(row("0/1/a.png"))
    downloads(server, str(tmp_path))[0].store(row("0/1/a.png", size=len(PNG)))
    assert files(str(tmp_path)) == {PATH: PNG}


@pytest.mark.parametrize(
    ("answers", "size"),
    [
        ([http_answer(PNG[:-1]), http_answer(PNG)], len(PNG)),
        ([http_answer(PNG[:-1], length=len(PNG)), http_answer(PNG)], None),
        ([http_answer(PNG[:-1], length=-1), http_answer(PNG)], len(PNG)),
        ([http_answer(b""), http_answer(PNG)], len(PNG)),
        ([http_answer(b"", length=-1), http_answer(PNG)], len(PNG)),
        ([http_answer(PAGE, Content_Type="text/html"), http_answer(PNG)], None),
        ([http_answer(PAGE, Content_Type="text/html", length=-1), http_answer(PNG)], None),
        ([http_answer(PAGE, Content_Type="text/html"), http_answer(PNG)], len(PAGE)),
        ([http_answer(PNG + b"x"), http_answer(PNG)], len(PNG)),
        ([http_answer(PNG, length=-1)], len(PNG)),
        # Nothing tells the length: two in a row must be equal, or one must tell.
        ([http_answer(PNG, length=-1)], None),
        ([http_answer(PNG[:3], length=-1), http_answer(PNG)], None),
        ([http_answer(PNG[:3], length=-1), http_answer(PNG, length=-1)], None),
        ([http_answer(PNG[:3], length=-1), http_answer(PNG[:5], length=-1), http_answer(PNG, length=-1)], None),
        ([http_answer(b"", length=-1), http_answer(PNG, length=-1)], None),
    ],
)
def test_only_the_whole_file_is_stored(
    tmp_path: Path, server: OddServer, answers: list[bytes], size: int | None
) -> None:
    if size == len(PAGE):
        answers, size = [answers[0], http_answer(b"x" * len(PAGE))], len(PAGE)
    server.answers["0/1/a.png"] = list(answers)
    stored = downloads(server, str(tmp_path))[0].store(row("0/1/a.png", size=size))
    expected = answers[-1].partition(b"\r\n\r\n")[2]
    assert files(str(tmp_path)) == {PATH: expected}
    assert stored["sha256"] == hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (http_answer(PNG[:-1]), len(PNG)),
        (http_answer(PNG, length=len(PNG) + 1), None),
        (http_answer(b""), 3),
        (http_answer(PAGE, Content_Type="text/html"), None),
        (http_answer(PAGE, Content_Type="text/html"), len(PAGE)),
        (http_answer(PAGE), None),
    ],
)
def test_what_is_never_the_file_is_lost_alone(
    tmp_path: Path, server: OddServer, answer: bytes, size: int | None
) -> None:
    server.answers = {"0/1/a.png": [answer], "0/1/b.png": [http_answer(PNG)]}
    tested, client = downloads(server, str(tmp_path))
    with pytest.raises(RequestFailed):
        tested.store(row("0/1/a.png", size=size))
    assert len(client.refused) == 3
    tested.store(row("0/1/b.png"))
    assert files(str(tmp_path)) == {"packshots/0/1/b.png": PNG}


def test_a_file_that_the_pim_does_not_have_passes_through(tmp_path: Path, server: OddServer) -> None:
    with pytest.raises(NotFound):
        downloads(server, str(tmp_path))[0].store(row("0/1/gone.png"))
    assert files(str(tmp_path)) == {}


def test_every_hostile_code_has_its_own_bytes_inside_the_folder(url: str, server: OddServer, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if path != tmp_path / "media"}
    contents = {code: f"{number} {code!r}".encode() for number, code in enumerate(HOSTILE_CODES)}
    server.answers = {code: [http_answer(content)] for code, content in contents.items()}
    store = downloads(server, url)[0].store
    with ThreadPoolExecutor(8) as pool:
        rows = dict(zip(contents, pool.map(lambda code: store(row(code)), contents), strict=True))
    assert {code: stored["sha256"] for code, stored in rows.items()} == {
        code: hashlib.sha256(content).hexdigest() for code, content in contents.items()
    }
    assert files(url) == {stored_path("packshots", code): content for code, content in contents.items()}
    outside = [path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "media")]
    assert set(outside) == before


def test_a_code_keeps_its_slashes_in_the_url(tmp_path: Path, server: OddServer) -> None:
    server.answers["0/1/a b#?%é.png"] = [http_answer(PNG)]
    downloads(server, str(tmp_path))[0].store(row("0/1/a b#?%é.png"))
    assert server.asked == ["/asset-media-files/0/1/a%20b%23%3F%25%C3%A9.png"]


def test_several_values_that_name_one_file_ask_for_it_once(tmp_path: Path, server: OddServer) -> None:
    server.answers["0/1/a.png"] = [http_answer(PNG)]
    store = downloads(server, str(tmp_path))[0].store
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda number: store(row("0/1/a.png", asset_code=str(number))), range(20)))
    assert len(server.asked) == 1
    assert len({json.dumps({**stored, "asset_code": ""}) for stored in rows}) == 1


@settings(deadline=None, max_examples=60)
@given(body=st.binary(min_size=1, max_size=40), cuts=st.lists(st.integers(0, 39), max_size=2), tells=st.booleans())
def test_the_right_bytes_are_stored_or_none(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, cuts: list[int], *, tells: bool
) -> None:
    """With a size from the PIM, no answer that was cut is ever believed, whatever comes before the right one."""
    folder = str(tmp_path_factory.mktemp("law"))
    with odd_server() as server:
        cut = [http_answer(body[: min(at, len(body) - 1)], length=-1 if tells else len(body)) for at in cuts]
        server.answers["0/1/a.png"] = [*cut, http_answer(body, length=-1)]
        downloads(server, folder)[0].store(row("0/1/a.png", size=len(body), extension="html"))
    assert files(folder) == {PATH: body}


def test_the_readmes_script_removes_what_no_row_names(tmp_path: Path) -> None:
    script = README.split("```python\n# clean_up.py", 1)[1].split("```", 1)[0].partition("\n")[2]
    storage = Storage(str(tmp_path))
    storage.prepare()
    for name in ("kept", "gone"):
        storage.write(f"packshots/0/{name}.png", [PNG], yes)
    (tmp_path / "gallery.html").write_text("page")

    def clean_up(kept: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.run(command, check=False, timeout=60, capture_output=True, text=True, input=kept)  # noqa: S603

    assert clean_up("\n").stderr == "No path came: nothing is removed.\n"
    assert clean_up("packshots/0/kept.png\n").stdout == "packshots/0/gone.png\n"
    assert set(files(str(tmp_path))) == {"gallery.html", "packshots/0/kept.png"}
    receipts = [path.name for path in (tmp_path / OWN_FOLDER / "receipts").rglob("*.json")]
    assert receipts == ["kept.png.json"]
