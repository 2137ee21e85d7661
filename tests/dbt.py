"""dbt in an environment of its own, and projects that use the package in `transform/`."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .environments import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = Path(__file__).parents[1] / "transform"
# dbt-core 1.12 needs a download from elsewhere when it is installed.
REQUIREMENTS = ("dbt-core~=1.11.0", "dbt-postgres~=1.10", "dbt-duckdb~=1.10", "dbt-snowflake~=1.10", "sqlglot~=30.0")


@dataclass(frozen=True)
class Project:
    """Somebody's dbt project, with the package and models of their own.

    Attributes:
        folder: where it is.
        settings: the environment variables that the package's `profiles.yml` reads.
    """

    folder: Path
    settings: Mapping[str, str]

    @classmethod
    def make(
        cls, folder: Path, models: Mapping[str, str], settings: Mapping[str, str], **configuration: object
    ) -> Project:
        """Write the project's files; models are SQL by name."""
        (folder / "models").mkdir(parents=True)
        for name, text in models.items():
            (folder / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
        written = {
            "name": "warehouse",
            "version": "1.0.0",
            "profile": "akeneo_assets",
            "flags": {"send_anonymous_usage_stats": False},
            **configuration,
        }
        (folder / "dbt_project.yml").write_text(json.dumps(written), encoding="utf-8")
        (folder / "packages.yml").write_text(json.dumps({"packages": [{"local": str(PACKAGE)}]}), encoding="utf-8")
        (folder / "profiles.yml").write_text((PACKAGE / "profiles.yml").read_text("utf-8"), encoding="utf-8")
        (folder / "dbt_packages").mkdir()
        (folder / "dbt_packages" / "akeneo_assets").symlink_to(PACKAGE)  # as `dbt deps` does
        return cls(folder, settings)

    def dbt(self, *arguments: str) -> str:
        """Run a command of dbt, which must succeed; what it said."""
        others = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "AKENEO_"))}
        done = subprocess.run(  # noqa: S603  # the tests' own
            [environment("dbt", *REQUIREMENTS) / "dbt", "--no-use-colors", "--log-path=logs", *arguments],
            cwd=self.folder,
            env={**others, **self.settings},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def results(self) -> dict[str, str]:
        """How each model and test of the last command ended, by its name."""
        told: dict[str, Any] = json.loads((self.folder / "target" / "run_results.json").read_text("utf-8"))
        return {result["unique_id"]: result["status"] for result in told["results"]}

    def compiled(self, model: str) -> str:
        """The SQL of a model, as the last command compiled it."""
        (found,) = (self.folder / "target" / "compiled").rglob(f"models/**/{model}.sql")
        return found.read_text("utf-8")


def python(program: str, *arguments: str) -> bytes:
    """Run a program with the libraries of dbt's environment; what it wrote."""
    command = [str(environment("dbt", *REQUIREMENTS) / "python"), "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  # the tests' own
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def asset_table(family: str, **asked: object) -> str:
    """A model that is a family's wide table."""
    arguments = ", ".join([json.dumps(family), *(f"{name}={json.dumps(value)}" for name, value in asked.items())])
    return f"{{{{ akeneo_assets.asset_table({arguments}) }}}}"
