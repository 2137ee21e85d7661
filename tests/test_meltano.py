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
from tap_akeneo_assets.meltano import hub_definition, pip_url_of, plugins_section

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
    found: dict[str, Any] = project["plugins"]["extractors"][0]
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
    extractor, *inheritors = printed["plugins"]["extractors"]
    assert extractor.pop("pip_url") == "git+https://x.example/it's@main"
    ours, *our_inheritors = project["plugins"]["extractors"]
    assert extractor == {name: content for name, content in ours.items() if name != "pip_url"}
    assert inheritors == our_inheritors
    assert printed["plugins"]["loaders"] == project["plugins"]["loaders"]
    assert printed.keys() == {"plugins", "jobs", "schedules"}


def test_the_command_prints_the_entry() -> None:
    done = subprocess.run([sys.executable, "-m", "tap_akeneo_assets.meltano"], capture_output=True, check=True)  # ours
    assert b"checkout" not in done.stdout
    plugins = yaml.safe_load(done.stdout)["plugins"]
    assert [kind[0]["name"] for kind in plugins.values()] == ["tap-akeneo-assets", "target-postgres", "dbt-postgres"]
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


def test_the_loader_does_not_validate_what_postgres_checks_anyway(project: dict[str, Any]) -> None:
    loader = next(loader for loader in project["plugins"]["loaders"] if loader["name"] == "target-postgres")
    assert loader["config"] == {"validate_records": False}
    assert loader["config"].keys() <= {setting["name"] for setting in loader["settings"]}


def test_the_jobs_run_plugins_that_exist_and_each_has_its_schedule(project: dict[str, Any]) -> None:
    plugins = [plugin for kind in project["plugins"].values() for plugin in kind]
    names = {plugin["name"] for plugin in plugins}
    names |= {f"{plugin['name']}:{command}" for plugin in plugins for command in plugin.get("commands", ())}
    jobs = {job["name"]: job["tasks"] for job in project["jobs"]}
    for tasks in jobs.values():
        assert {name for task in tasks for name in task.split()} <= names
    assert [schedule["job"] for schedule in project["schedules"]] == list(jobs)


@pytest.mark.parametrize("name", ["akeneo-hourly", "akeneo-weekly"])
def test_the_tables_for_analysts_are_made_after_each_load(project: dict[str, Any], name: str) -> None:
    (task,) = next(job["tasks"] for job in project["jobs"] if job["name"] == name)
    assert task.split()[1:] == ["target-postgres", "dbt-postgres:build"]


def test_jobs_that_fill_the_same_tables_write_versions(project: dict[str, Any]) -> None:
    jobs = {plugin["name"].removeprefix("tap-akeneo-assets-"): plugin for plugin in project["plugins"]["extractors"]}
    for name in ("hourly", "weekly"):
        assert jobs[name]["config"] == {"emit_activate_version_messages": True}
    assert jobs["weekly"]["metadata"] == {"assets": {"replication-method": "FULL_TABLE"}}
    assert "metadata" not in jobs["hourly"]


# Meltano Hub

HUB_KEYS = {
    *(
        "capabilities",
        "commands",
        "definition",
        "description",
        "docs",
        "domain_url",
        "executable",
        "hidden",
        "keywords",
    ),
    *("label", "logo_url", "maintenance_status", "metadata", "name", "namespace", "next_steps", "pip_url", "prereq"),
    *("repo", "requires", "schema", "select", "settings", "settings_group_validation", "settings_preamble", "usage"),
    "variant",
}
HUB_KINDS = {"password", "date_iso8601", "file", "email", "integer", "options", "object", "array", "boolean", "string"}


def hub() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(hub_definition())
    return found


def test_the_kept_definition_is_the_one_that_the_command_prints() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tap_akeneo_assets.meltano", "--hub"], capture_output=True, check=True
    )  # ours
    kept = PROJECT.with_name("meltano-hub.yml").read_text(encoding="utf-8")
    assert done.stdout.decode() == kept, "tap-akeneo-assets-meltano --hub > meltano-hub.yml"


def test_the_definition_has_what_the_hub_knows() -> None:
    definition = hub()
    assert definition.keys() <= HUB_KEYS
    assert {"name", "namespace", "variant", "label"} <= definition.keys()
    for setting in definition["settings"]:
        assert setting.keys() <= {"description", "kind", "label", "name", "sensitive", "value"}
        assert setting["kind"] in HUB_KINDS


def test_the_hub_and_the_project_file_tell_the_same(extractor: dict[str, Any]) -> None:
    definition = hub()
    for name in ("name", "namespace", "executable", "settings_group_validation"):
        assert definition[name] == extractor[name]
    assert sorted(definition["capabilities"]) == sorted(extractor["capabilities"])
    ours = {setting["name"]: as_written(setting) for setting in extractor["settings"]}
    for setting in definition["settings"]:
        kind = "string" if setting["kind"] == "password" else setting["kind"]
        assert ours.pop(setting["name"]) == as_written({**setting, "kind": kind})
    assert not ours
