"""Writes the parts of this package that follow from the tap's schemas: `python transform/generate.py`.

The sources and a staging model per stream, with the tap's own descriptions; `--check` only says what would change.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tap_akeneo_assets import streams

Properties: TypeAlias = dict[str, Any]
Stream: TypeAlias = tuple[Properties, tuple[str, ...]]

STAGING = Path(__file__).parent / "models" / "staging"
MADE_BY = "Made by transform/generate.py from the tap's schemas."
PARENTS = {
    "asset_attributes": ("asset_families", {"asset_family_code": "code"}),
    "attribute_options": ("asset_attributes", {"asset_family_code": "asset_family_code", "attribute_code": "code"}),
    "assets": ("asset_families", {"asset_family_code": "code"}),
    "asset_values": ("assets", {"asset_family_code": "asset_family_code", "asset_code": "code"}),
    "asset_media_files": ("assets", {"asset_family_code": "asset_family_code", "asset_code": "code"}),
}


def files() -> dict[Path, str]:
    """Each generated file with its content."""
    known = all_streams()
    return {
        **{STAGING / f"stg_{name}.sql": model(name, properties) for name, (properties, _) in known.items()},
        STAGING / "sources.yml": as_yaml({"version": 2, "sources": [source(known)]}),
        STAGING / "staging.yml": as_yaml(
            {"version": 2, "models": [documentation(name, *stream) for name, stream in known.items()]}
        ),
    }


def all_streams() -> dict[str, Stream]:
    """The tap's streams by name."""
    found = (vars(stream) for stream in vars(streams).values() if isinstance(stream, type))
    return {
        stream["name"]: (stream["schema"]["properties"], tuple(stream["primary_keys"]))
        for stream in found
        if stream["__module__"] == streams.__name__
    }


def column_type(schema: Properties) -> str:
    """The staging column's type for a property, as the macro `stage` names it."""
    kind: str
    (kind,) = set(schema["type"]) - {"null"}
    if kind == "string":
        return "timestamp" if schema.get("format") == "date-time" else "text"
    if kind == "array":
        return "texts" if schema["items"]["type"] == ["string"] else "json"
    return {"object": "json"}.get(kind, kind)


def model(stream: str, properties: Properties) -> str:
    """The staging model of a stream."""
    columns = ",\n".join(f"    '{name}': '{column_type(schema)}'" for name, schema in properties.items())
    return f"{{# {MADE_BY} #}}\n{{{{ akeneo_assets.stage('{stream}', {{\n{columns}\n}}) }}}}\n"


def source(known: dict[str, Stream]) -> dict[str, Any]:
    """The tables that a target writes."""
    return {
        "name": "akeneo",
        "description": "What tap-akeneo-assets brought, as the target wrote it.",
        "database": "{{ var('akeneo_database', none) or target.database }}",
        "schema": "{{ var('akeneo_schema', none) or target.schema }}",
        "tables": [
            {
                "name": name,
                "description": f"The stream {name}.",
                "columns": [
                    {"name": column, "description": schema["description"]} for column, schema in properties.items()
                ],
            }
            for name, (properties, _) in known.items()
        ],
    }


def documentation(stream: str, properties: Properties, keys: tuple[str, ...]) -> dict[str, Any]:
    """What a staging model is, with its tests."""
    tests: list[Any] = [{"akeneo_assets.unique_key": {"arguments": {"columns": list(keys)}}}]
    if stream in PARENTS:
        parent, columns = PARENTS[stream]
        arguments = {"parent": f"ref('stg_{parent}')", "columns": columns}
        # A run may bring a child before its parent is there again; that is no reason to build no table.
        tests.append({"akeneo_assets.belongs_to": {"arguments": arguments, "config": {"severity": "warn"}}})
    return {
        "name": f"stg_{stream}",
        "description": f"The rows of {stream} that the PIM has, or had when it was last read in full.",
        "data_tests": tests,
        "columns": [
            {
                "name": name,
                "description": schema["description"],
                **({"data_tests": ["not_null"]} if name in keys else {}),
            }
            for name, schema in properties.items()
        ],
    }


def as_yaml(content: dict[str, Any]) -> str:
    """A file of YAML that says who made it."""
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=118)
    return f"# {MADE_BY}\n{text}"


def main() -> int:
    """Write the files, or with `--check` name those that differ; the exit status."""
    stale = {path: text for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        print(path.relative_to(STAGING.parents[2]))
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
