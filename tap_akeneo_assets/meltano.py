"""The command `tap-akeneo-assets-meltano`: prints what a `meltano.yml` needs for the tap and its loaders.

The project's own `meltano.yml` is the source; the wheel carries it. Only `pip_url` differs: it says where the tap that
runs this command was installed from.

With `--hub` it prints the tap's definition for Meltano Hub instead, made of the settings that the tap declares.
"""

from __future__ import annotations

import argparse
import json
import sys
from copy import deepcopy
from importlib.metadata import PackageNotFoundError, distribution, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "tap-akeneo-assets"
_PIP_URL_OF_A_CHECKOUT = "pip_url: -e .[sandbox]"
_COMMENT_OF_A_CHECKOUT = (
    "    # From this checkout; `tap-akeneo-assets-meltano` prints this entry for a project of your own.\n"
)


def main() -> int:
    """Print the section `plugins` with jobs and schedules, or the definition for the hub."""
    options = argparse.ArgumentParser(description="Prints the tap's entry for a meltano.yml.")
    options.add_argument("--hub", action="store_true", help="print the definition for Meltano Hub instead")
    if options.parse_args().hub:
        sys.stdout.write(hub_definition())
    else:
        sys.stdout.write(plugins_section(_project_file().read_text(encoding="utf-8"), installed_from()))
    return 0


def hub_definition() -> str:
    """The tap's definition as Meltano Hub keeps it: YAML, its keys and settings in alphabetical order."""
    # Slow to import, and not needed for the other output.
    import yaml  # noqa: PLC0415

    from tap_akeneo_assets.settings import CONNECTION  # noqa: PLC0415
    from tap_akeneo_assets.tap import TapAkeneoAssets  # noqa: PLC0415

    schema = deepcopy(TapAkeneoAssets.config_jsonschema)
    TapAkeneoAssets.append_builtin_config(schema)
    repository = _repository()
    definition = {
        "capabilities": sorted(capability.value for capability in TapAkeneoAssets.capabilities),
        "description": "Asset families, attributes, options, assets and typed values of a PIM's Asset Manager",
        "domain_url": "https://api.akeneo.com/concepts/asset-manager.html",
        "executable": NAME,
        "keywords": ["api", "meltano_sdk", "pim"],
        "label": "Akeneo Assets",
        "logo_url": "/assets/logos/extractors/akeneo.png",
        "maintenance_status": "active",
        "name": NAME,
        "namespace": NAME.replace("-", "_"),
        "pip_url": NAME,
        "repo": repository,
        "select": ["*.*", "!asset_media_files.*"],
        "settings": [hub_setting(name, schema["properties"][name]) for name in sorted(schema["properties"])],
        "settings_group_validation": [["api_url", *CONNECTION], ["api_url", "access_token"]],
        "settings_preamble": "Set either an App's `access_token` or the four settings of a connection.",
        "usage": f"What runs read, deletions, files and troubleshooting: see the [documentation]({repository}).",
        "variant": urlsplit(repository).path.split("/")[1],
    }
    text: str = yaml.safe_dump(definition, sort_keys=True, allow_unicode=True, width=100)
    return text


def hub_setting(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A setting in the hub's words.

    Args:
        name: the setting's.
        schema: its JSON schema.
    """
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    (json_type,) = set(types) - {"null"}
    # The hub knows no numbers with a fraction.
    kind = "date_iso8601" if schema.get("format") == "date-time" else {"number": "integer"}.get(json_type, json_type)
    setting = {
        "description": schema["description"],
        "kind": "password" if schema.get("secret") else kind,
        "label": schema["title"],
        "name": name,
    }
    if schema.get("secret"):
        setting["sensitive"] = True
    if "default" in schema:
        setting["value"] = schema["default"]
    return setting


def plugins_section(project: str, pip_url: str) -> str:
    """The sections `plugins`, `jobs` and `schedules` of a `meltano.yml`, for another project.

    Args:
        project: the text of the checkout's `meltano.yml`.
        pip_url: where to install the tap from.
    """
    section = project[project.index("\nplugins:") + 1 :].replace(_COMMENT_OF_A_CHECKOUT, "")
    quoted = pip_url.replace("'", "''")
    return section.replace(_PIP_URL_OF_A_CHECKOUT, f"pip_url: '{quoted}'")


def installed_from() -> str:
    """What pip installs the same tap from: an address, or name and version where it came from an index."""
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:
        return NAME
    return pip_url_of(installed.version, json.loads(installed.read_text("direct_url.json") or "null"))


def pip_url_of(version: str, origin: dict[str, Any] | None) -> str:
    """The `pip_url` for an origin as pip records it, by the specification of direct URLs.

    Args:
        version: the tap's.
        origin: the content of `direct_url.json`; None where the tap came from an index.
    """
    if origin is None:
        return f"{NAME}=={version}"
    url: str = origin["url"]
    if repository := origin.get("vcs_info"):
        revision = repository.get("requested_revision") or repository["commit_id"]
        return f"{repository['vcs']}+{url}@{revision}"
    return url


def _repository() -> str:
    """The address of the tap's repository, as its package says."""
    urls = dict(url.split(", ", 1) for url in metadata(NAME).get_all("Project-URL") or ())
    return str(urls["Repository"])


def _project_file() -> Path:
    """The `meltano.yml` of the wheel, or of the checkout that is installed as editable."""
    packaged = Path(__file__).with_name("meltano.yml")
    return packaged if packaged.exists() else Path(__file__).parents[1] / "meltano.yml"


if __name__ == "__main__":
    sys.exit(main())
