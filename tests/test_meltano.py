"""`meltano.yml` says of the tap what the tap says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_akeneo_assets import settings
from tap_akeneo_assets.meltano import pip_url_of, plugins_section

PROJECT = Path(__file__).parent.with_name("meltano.yml")
# Meltano 4.4 cannot hand on a decimal that comes from the environment.
KINDS = {"number": "integer"}


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    command = [sys.executable, "-m", "tap_akeneo_assets", "--about", "--format=json"]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)  # noqa: S603  # this very tap
    return answer


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def extractor(project: dict[str, Any]) -> dict[str, Any]:
    (extractor,) = project["plugins"]["extractors"]
    found: dict[str, Any] = extractor
    return found


def as_meltano(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A setting of `--about` the way Meltano writes it; the SDK's own without their words, which it may change."""
    (json_type,) = {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"]) - {"null"}
    kind = "date_iso8601" if schema.get("format") == "date-time" else KINDS.get(json_type, json_type)
    setting = {"name": name, "kind": kind, "value": schema.get("default"), "sensitive": schema.get("secret", False)}
    if name in settings.SCHEMA["properties"]:
        setting |= {"label": schema["title"], "description": schema["description"]}
    return setting


def as_written(setting: dict[str, Any]) -> dict[str, Any]:
    own = setting["name"] in settings.SCHEMA["properties"]
    setting = {"value": None, "sensitive": False, **setting}
    return {key: value for key, value in setting.items() if own or key not in ("label", "description")}


def test_the_settings_are_those_of_about(about: dict[str, Any], extractor: dict[str, Any]) -> None:
    assert [as_written(setting) for setting in extractor["settings"]] == [
        as_meltano(name, schema) for name, schema in about["settings"]["properties"].items()
    ]


def test_the_capabilities_are_those_of_about(about: dict[str, Any], extractor: dict[str, Any]) -> None:
    assert sorted(extractor["capabilities"]) == sorted(about["capabilities"])


def test_either_kind_of_credentials_is_enough(extractor: dict[str, Any]) -> None:
    assert extractor["settings_group_validation"] == [["api_url", *settings.CONNECTION], ["api_url", "access_token"]]


def test_the_entry_for_another_project_is_the_same_from_another_place(project: dict[str, Any]) -> None:
    printed = yaml.safe_load(plugins_section(PROJECT.read_text(encoding="utf-8"), "git+https://x.example/it's@main"))
    (extractor,) = printed["plugins"]["extractors"]
    assert extractor.pop("pip_url") == "git+https://x.example/it's@main"
    (ours,) = project["plugins"]["extractors"]
    assert extractor == {name: content for name, content in ours.items() if name != "pip_url"}
    assert printed["plugins"]["loaders"] == project["plugins"]["loaders"]
    assert printed.keys() == {"plugins"}


def test_the_command_prints_the_entry() -> None:
    done = subprocess.run([sys.executable, "-m", "tap_akeneo_assets.meltano"], capture_output=True, check=True)  # ours
    assert b"checkout" not in done.stdout
    plugins = yaml.safe_load(done.stdout)["plugins"]
    assert [plugin["name"] for kind in plugins.values() for plugin in kind][:2] == [
        "tap-akeneo-assets",
        "target-postgres",
    ]
    assert not plugins["extractors"][0]["pip_url"].startswith("-e")


def test_the_wheel_carries_the_project_file() -> None:
    build = tomllib.loads(PROJECT.with_name("pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["force-include"] == {"meltano.yml": "tap_akeneo_assets/meltano.yml"}
    assert "/meltano.yml" in build["targets"]["sdist"]["include"]


@pytest.mark.parametrize(
    ("origin", "pip_url"),
    [
        (None, "tap-akeneo-assets==1.2"),
        ({"url": "file:///src/tap", "dir_info": {"editable": True}}, "file:///src/tap"),
        ({"url": "file:///x/tap.whl", "archive_info": {}}, "file:///x/tap.whl"),
        (
            {"url": "https://x.example/t.git", "vcs_info": {"vcs": "git", "commit_id": "c0"}},
            "git+https://x.example/t.git@c0",
        ),
        (
            {
                "url": "https://x.example/t.git",
                "vcs_info": {"vcs": "git", "commit_id": "c0", "requested_revision": "v1"},
            },
            "git+https://x.example/t.git@v1",
        ),
    ],
)
def test_where_the_tap_was_installed_from(origin: dict[str, Any] | None, pip_url: str) -> None:
    assert pip_url_of("1.2", origin) == pip_url


def test_the_loaders_session_is_in_utc(project: dict[str, Any]) -> None:
    loader = next(loader for loader in project["plugins"]["loaders"] if loader["name"] == "target-postgres")
    assert loader["env"] == {"PGTZ": "UTC"}
