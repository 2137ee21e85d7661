"""The package: what it says of itself, and that it works when it is installed from a wheel or an sdist."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STREAMS = {"asset_families", "asset_attributes", "attribute_options", "assets", "asset_values"}


def pythons() -> list[str]:
    """The versions of Python that the classifiers name."""
    return re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))


def test_the_metadata_is_complete() -> None:
    told = metadata("tap-akeneo-assets")
    for name in ("Summary", "License-Expression", "Author", "Keywords", "Requires-Python", "Description-Content-Type"):
        assert told[name], name
    labels = {url.partition(", ")[0] for url in told.get_all("Project-URL") or ()}
    assert {"Homepage", "Repository", "Documentation", "Issues", "Changelog"} <= labels


def test_the_classifiers_name_the_versions_that_can_be_used() -> None:
    first, last = pythons()[0], pythons()[-1]
    major, minor = map(int, last.split("."))
    assert PROJECT["requires-python"] == f">={first},<{major}.{minor + 1}"


def workflow(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))
    return found


def test_the_workflow_tests_every_version() -> None:
    job = workflow("test.yml")["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == pythons()
    assert job["steps"][-1]["run"].startswith("make test ")


def test_only_the_publishing_job_may_ask_for_a_token() -> None:
    publish = workflow("publish.yml")
    assert publish["permissions"] == workflow("test.yml")["permissions"] == {"contents": "read"}
    assert [name for name, job in publish["jobs"].items() if "id-token" in job.get("permissions", {})] == ["publish"]
    assert publish["jobs"]["publish"]["needs"] == ["test", "build"]


def test_the_image_runs_the_tap_without_root() -> None:
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    *_, last = stages
    assert re.search(r"^USER tap$", last, re.MULTILINE)
    assert last.rstrip().endswith('ENTRYPOINT ["tap-akeneo-assets"]')
    assert all("USER" in stage for stage in stages if re.match(r"\S+ AS (tap|meltano)\n", stage))


def test_all_that_the_image_is_built_from_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


# Built and installed


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist; the wheel is built from the sdist, as for an index."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)])
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return wheel, sdist


def run(command: list[str], **env: str) -> str:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("TAP_", "PYTHONPATH"))}
    done = subprocess.run(  # noqa: S603  # this test's own commands
        command, env={**plain, **env}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_it_reads_the_sandbox(folder: Path) -> None:
    """The commands in a folder work together."""
    tap, sandbox = str(folder / "tap-akeneo-assets"), str(folder / "akeneo-sandbox")
    assert {stream["tap_stream_id"] for stream in json.loads(run([tap, "--discover"]))["streams"]} > STREAMS
    output = run([sandbox, "run", "--assets=2", "--", tap, "--config=ENV"])
    messages = [json.loads(line) for line in output.splitlines()]
    assert {message["stream"] for message in messages if message["type"] == "RECORD"} == STREAMS
    printed = yaml.safe_load(run([str(folder / "tap-akeneo-assets-meltano")]))
    assert printed["plugins"]["extractors"][0]["name"] == "tap-akeneo-assets"
    assert "tap-akeneo-assets" in run([str(folder / "tap-akeneo-assets-meltano"), "--hub"])


@pytest.mark.long
def test_wheel_and_sdist_hold_what_they_should(built: tuple[Path, Path]) -> None:
    wheel, sdist = built
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"tap_akeneo_assets", f"tap_akeneo_assets-{PROJECT['version']}.dist-info"}
    assert {"tap_akeneo_assets/py.typed", "tap_akeneo_assets/meltano.yml"} <= set(names)
    with tarfile.open(sdist) as archive:
        kept = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "meltano.yml", "meltano-hub.yml", "tests/support.py"} <= kept
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= kept
    assert not [name for name in kept if "__pycache__" in name or name.startswith((".venv", "broken"))]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_pip_installs_it_in_a_clean_environment(built: tuple[Path, Path], kind: str, tmp_path: Path) -> None:
    archive = built[0] if kind == "wheel" else built[1]
    venv.create(tmp_path / "venv", with_pip=True)
    run([str(tmp_path / "venv" / "bin" / "pip"), "install", "--quiet", f"{archive}[sandbox]"])
    assert_it_reads_the_sandbox(tmp_path / "venv" / "bin")


@pytest.mark.long
def test_pipx_installs_its_commands(built: tuple[Path, Path], tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    run([str(tmp_path / "venv" / "bin" / "pip"), "install", "--quiet", "pipx"])
    env = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    run([str(tmp_path / "venv" / "bin" / "pipx"), "install", f"{built[0]}[sandbox]"], **env)
    assert_it_reads_the_sandbox(tmp_path / "bin")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("uvx") is None, reason="uv is not on this machine")
def test_uvx_runs_it_without_an_installation(built: tuple[Path, Path]) -> None:
    command = [
        "uvx",
        "--python",
        sys.executable,
        "--from",
        str(built[0]),
        "tap-akeneo-assets",
        "--about",
        "--format=json",
    ]
    assert json.loads(run(command))["name"] == "tap-akeneo-assets"
