"""The recipes of README and pages, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tap_akeneo_assets.sandbox import Options, Pim, demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, status
from tap_akeneo_assets.sandbox.server import serve

from .support import CREDENTIALS, select, sync
from .test_contract import PAGES, table

# A target that keeps what it gets, and prints each state once it has kept what came before it.
TARGET = """\
import json, os, sys
with open("loaded.jsonl", "a") as file:
    for line in sys.stdin:
        if os.path.exists("broken"):
            sys.exit("The warehouse is closed.")
        message = json.loads(line)
        if message["type"] == "STATE":
            file.flush()
            print(json.dumps(message["value"]), flush=True)
        elif message["type"] == "RECORD":
            file.write(line)
"""


def section(heading: str) -> str:
    return PAGES.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]


class Job:
    """The script of the pages in a folder, with what it needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (script,) = re.findall(r"^```bash\n(.*?)^```$", PAGES, re.DOTALL | re.MULTILINE)
        self.command("sync.sh", script)
        self.command("bin/tap-akeneo-assets", f'#!/bin/sh\nexec {sys.executable} -m tap_akeneo_assets "$@"\n')
        self.command("bin/target-postgres", f"#!/bin/sh\nexec {sys.executable} target.py\n")
        self.write("target.py", TARGET)
        self.write("catalog.json", json.dumps(select("asset_families", "assets", "asset_values")))
        self.write("postgres.json", "{}")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def command(self, name: str, text: str) -> None:
        path = self.write(name, text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(self, url: str, **settings: Any) -> int:  # noqa: ANN401  # of any type
        """Run it; gives its exit status."""
        self.write("config.json", json.dumps({"api_url": url, "max_retries": 0, **CREDENTIALS, **settings}))
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).parents[1])}
        script = self.folder / "sync.sh"
        return subprocess.run([script], env=env, capture_output=True, check=False, timeout=120).returncode  # noqa: S603

    @property
    def state(self) -> dict[str, Any] | None:
        text = (self.folder / "state.json").read_text()
        return dict(json.loads(text)) if text else None

    def loaded(self) -> list[str]:
        """Codes of the assets that were loaded since this was asked last."""
        path = self.folder / "loaded.jsonl"
        messages = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        return sorted(message["record"]["code"] for message in messages if message["stream"] == "assets")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def codes_of(pim: Pim) -> list[str]:
    families = [family["code"] for family in pim.families().records]
    return sorted(asset["code"] for family in families for asset in pim.assets(family).records)


def test_the_state_is_kept_on_the_first_run_and_on_each_run_after_it(job: Job) -> None:
    pim = demo_pim(3, 4)
    with serve(pim) as server:
        assert job.run(server.url, lookback_seconds=0) == 0
        assert job.loaded() == codes_of(pim)
        first = job.state
        assert first
        pim.save_asset("packshots", "new", {})
        assert job.run(server.url, lookback_seconds=0) == 0
        assert "new" in job.loaded()
        assert job.state != first
        assert job.run(server.url, lookback_seconds=0) == 0
        assert len(job.loaded()) < len(codes_of(pim))


def test_a_first_run_that_fails_leaves_no_state_and_the_next_reads_everything(job: Job) -> None:
    pim = demo_pim(3, 4)
    with serve(pim) as server:
        job.write("broken", "")
        assert job.run(server.url) == 1
        assert job.state is None
        assert job.loaded() == []
        (job.folder / "broken").unlink()
        assert job.run(server.url, password="wrong") == 1  # noqa: S106  # on purpose
        assert job.run(server.url) == 0
        assert set(codes_of(pim)) <= set(job.loaded())


def test_a_later_run_that_fails_keeps_the_state(job: Job) -> None:
    pim = demo_pim(3, 4)
    with serve(pim) as server:
        assert job.run(server.url, lookback_seconds=0) == 0
        job.loaded()
        good = job.state
        job.write("broken", "")
        pim.save_asset("packshots", "new", {})
        assert job.run(server.url, lookback_seconds=0) == 1
        assert job.state == good
        (job.folder / "broken").unlink()
        pim.faults = Faults().always("assets", status(500), family="packshots")
        assert job.run(server.url, lookback_seconds=0) == 1
        pim.faults = None
        job.loaded()
        assert job.run(server.url, lookback_seconds=0) == 0
        assert "new" in job.loaded()


@pytest.mark.parametrize("version", ["saas", "6.0"])
def test_an_hourly_run_sends_as_many_requests_as_the_readme_says(version: Any) -> None:  # noqa: ANN401  # a literal
    rows = table("## What a run reads")
    shown = {name.replace("`", ""): int(number) for name, (_, number) in rows.items()}
    routes = {"a token": "token", "asset_families": "families", "asset_attributes": "attributes"}
    routes |= {"attribute_options": "options", "assets, asset_values": "assets"}

    def requests_of_a_second_run(catalog: dict[str, Any] | None) -> Counter[str | None]:
        pim = demo_pim(3, 20, options=Options(version))
        with serve(pim) as server:
            first = sync(server.url, catalog=catalog)
            before = len(pim.requests)
            assert sync(server.url, catalog=catalog, state=first.state).status == 0
        return Counter(request.route for request in pim.requests[before:])

    assert requests_of_a_second_run(None) == {routes[name]: number for name, number in shown.items()}
    lean = requests_of_a_second_run(select("asset_families", "assets", "asset_values")).total()
    said = re.search(r"the run above has (\d+) requests\s+instead of (\d+)", section("## What a run reads"))
    assert said
    assert [lean, sum(shown.values())] == [int(number) for number in said.groups()]
