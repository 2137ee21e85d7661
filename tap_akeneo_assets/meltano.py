"""The command `tap-akeneo-assets-meltano`: prints what a `meltano.yml` needs for the tap and its loaders.

The project's own `meltano.yml` is the source; the wheel carries it. Only `pip_url` differs: it says where the tap that
runs this command was installed from.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

NAME = "tap-akeneo-assets"
_PIP_URL_OF_A_CHECKOUT = "pip_url: -e .[sandbox]"
_COMMENT_OF_A_CHECKOUT = (
    "    # From this checkout; `tap-akeneo-assets-meltano` prints this entry for a project of your own.\n"
)


def main() -> int:
    """Print the section `plugins`."""
    sys.stdout.write(plugins_section(_project_file().read_text(encoding="utf-8"), installed_from()))
    return 0


def plugins_section(project: str, pip_url: str) -> str:
    """The section `plugins` of a `meltano.yml`, for another project.

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


def _project_file() -> Path:
    """The `meltano.yml` of the wheel, or of the checkout that is installed as editable."""
    packaged = Path(__file__).with_name("meltano.yml")
    return packaged if packaged.exists() else Path(__file__).parents[1] / "meltano.yml"


if __name__ == "__main__":
    sys.exit(main())
