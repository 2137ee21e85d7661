"""`meltano.yml` says of the tap what the tap says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_akeneo_assets import settings

# Meltano 4.4 cannot hand on a decimal that comes from the environment.
KINDS = {"number": "integer"}


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    command = [sys.executable, "-m", "tap_akeneo_assets", "--about", "--format=json"]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)  # noqa: S603  # this very tap
    return answer


@pytest.fixture(scope="module")
def extractor() -> dict[str, Any]:
    project = yaml.safe_load(Path(__file__).parent.with_name("meltano.yml").read_text(encoding="utf-8"))
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
