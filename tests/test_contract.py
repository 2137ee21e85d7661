"""What README says is what the tap does."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

from tap_akeneo_assets.singer.stream import AkeneoStream
from tap_akeneo_assets.tap import TapAkeneoAssets

from .expected import TYPED_COLUMNS
from .support import tap, value_records

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = "\n".join([README, *(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))])
LINKS = {"share_link": {"href": "https://pim.example/share"}}
LINKED = {"full_url": "https://pim.example/x"}


def table(heading: str) -> dict[str, list[str]]:
    """The first table below a heading, of the README or a page: its rows by their first cell."""
    section = PAGES.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    lines = itertools.dropwhile(lambda line: not line.startswith("|"), section.splitlines())
    rows = [line.strip("| ").split(" | ") for line in itertools.takewhile(lambda line: line.startswith("|"), lines)]
    return {row[0].strip("`"): [cell.strip() for cell in row[1:]] for row in rows[2:]}


def shown_type(declared: dict[str, Any]) -> str:
    """A setting's type and default, as the table of settings words them."""
    kinds = declared["type"]
    kind = kinds if isinstance(kinds, str) else next(kind for kind in kinds if kind != "null")
    remarks = [str(declared["default"]).lower()] if "default" in declared else []
    return ", ".join([kind, *remarks, *(["secret"] if declared.get("secret") else [])])


def test_the_settings_are_those_of_about() -> None:
    settings = json.loads(tap("--about", "--format=json").stdout)["settings"]
    own = table("## Settings")
    builtin = settings["properties"].keys() - own.keys()
    for name, (kind, meaning) in own.items():
        declared = settings["properties"][name]
        required = ", required" if name in settings["required"] else ""
        assert (name, kind) == (name, shown_type(declared) + required)
        assert meaning == declared["description"]
    section = README.split("\n## Settings\n", 1)[1].split("\n###", 1)[0]
    assert builtin == set(re.findall(r"`(\w+)`", section.split("the SDK's own: ")[1].split(". Each")[0]))


def test_the_streams_are_those_of_the_tap() -> None:
    streams = TapAkeneoAssets(config={}, validate_config=False).streams
    shown = table("## Streams")
    assert shown.keys() == streams.keys()
    for name, (source, keys, replication) in shown.items():
        stream = streams[name]
        assert isinstance(stream, AkeneoStream)
        assert source == (f"`{stream.path}`" if stream.path else "the pages of `assets`")
        assert keys == ", ".join(f"`{key}`" for key in stream.primary_keys)
        if name not in ("asset_values", "asset_media_files"):
            key = stream.replication_key
            assert replication == (f"incremental on `{key}`" if key else "full table")
        assert set(stream.primary_keys) <= stream.schema["properties"].keys()


def test_the_map_names_every_module_in_its_room() -> None:
    package = ROOT / "tap_akeneo_assets"
    rooms = {
        re.sub(r"\W.*", "", room): set(re.findall(r"\w+\.py", text))
        for room, (text,) in table("## Development").items()
    }
    assert rooms.pop("sandbox") == set()
    folders = {"the": package, **{room: package / room for room in rooms.keys() - {"the"}}}
    assert folders.keys() == {"the", *(path.parent.name for path in package.glob("*/__init__.py"))} - {"sandbox"}
    for room, folder in folders.items():
        assert rooms[room] == {path.name for path in folder.glob("*.py") if not path.name.startswith("__")}


def columns_page() -> str:
    """`docs/columns.md`, from the schemas."""
    streams = TapAkeneoAssets(config={}, validate_config=False).discover_streams()
    parts = [
        "# Columns\n",
        "\nThe fields of each stream, as its SCHEMA message describes them; a target makes a column of each.",
        " The primary key is in **bold**.\n",
    ]
    for stream in streams:
        parts.append(f"\n## {stream.name}\n\n| column | type | meaning |\n| --- | --- | --- |\n")
        for column, declared in stream.schema["properties"].items():
            shown = f"**`{column}`**" if column in stream.primary_keys else f"`{column}`"
            parts.append(f"| {shown} | {column_type(declared)} | {declared['description']} |\n")
    return "".join(parts)


def column_type(declared: dict[str, Any]) -> str:
    """A column's type in the words of people."""
    (kind,) = set(declared["type"]) - {"null"}
    if kind == "array":
        return "array of texts" if declared["items"]["type"] == ["string"] else "array of objects"
    if "format" in declared:
        return "timestamp"
    return "text" if kind == "string" else str(kind)


def test_the_page_of_columns_is_that_of_the_schemas() -> None:
    page = ROOT / "docs" / "columns.md"
    if os.environ.get("RENEW_GOLDEN"):
        page.parent.mkdir(exist_ok=True)
        page.write_text(columns_page(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == columns_page()


def test_the_table_of_typed_values_is_what_the_parsers_do() -> None:
    samples = ["x", ["x"], True, "1", "2026-01-31T10:00:00+00:00"]
    for kinds, (columns, *_) in table("### Typed values").items():
        for kind in re.findall(r"\w+", kinds) if kinds != "any other" else ["table", "hologram"]:
            values = [
                {"data": data, "attribute_type": kind, "_links": LINKS, "linked_data": LINKED} for data in samples
            ]
            asset = {"asset_family_code": "f", "code": "a", "values": {"x": values}}
            filled = {
                column
                for row in value_records(asset, {}, set())
                for column, content in row.items()
                if content is not None and column in TYPED_COLUMNS
            }
            assert filled == set(re.findall(r"`(\w+)`", columns)), kind
