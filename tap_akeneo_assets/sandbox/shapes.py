"""What the API makes of the PIM's memory: fields that a version has, `linked_data`, and PHP's ways with JSON. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.records import AssetState, MediaFile, Record

CODED_TYPES = ("single_option", "multiple_options", "record", "asset_family_single_link", "asset_family_multiple_links")
VIDEO_PAGES = {"youtube": "https://youtube.com/watch?v=", "vimeo": "https://vimeo.com/"}


@dataclass(frozen=True)
class View:
    """How a request wants to see assets.

    Attributes:
        channel: Leave out values of other channels.
        locales: Leave out values of other locales.
        auto_tags: Whether automatic tags come with their labels (`with_asset_auto_tags`).
        link: Makes a link of a path; without it, values have no `_links`.
    """

    channel: str | None = None
    locales: frozenset[str] | None = None
    auto_tags: bool = False
    link: Callable[[str], str] | None = None


WHOLE = View()


@dataclass(frozen=True)
class Surroundings:
    """What an asset's appearance depends on besides itself: its family, media files by code, the PIM's options."""

    family: Record
    attributes: Mapping[str, Record]
    media: Mapping[str, MediaFile]
    options: Options


def family(record: Record, options: Options) -> Record:
    """A family: transformations from 4.0, sharing and automatic tagging on SaaS."""
    absent = () if options.saas else ("sharing_enabled", "auto_tagging_enabled")
    if not options.since("4.0"):
        absent = (*absent, "transformations")
    return {key: value for key, value in record.items() if key not in absent}


def attribute(record: Record, options: Options) -> Record:
    """An attribute: `default_value` on SaaS."""
    return {key: value for key, value in record.items() if key != "default_value" or options.saas}


def asset(state: AssetState, around: Surroundings, view: View) -> Record:
    """An asset: `created` and `updated` from 6.0; values with their type, `linked_data` and `_links` on SaaS."""
    values = {}
    for code, rows in state.values.items():
        definition = around.attributes.get(code)
        shown = [_value(row, definition, around, view) for row in rows if _wanted(row, view)]
        if shown:
            values[code] = shown
    record: Record = {"code": state.code, "values": values}
    if around.options.since("6.0"):
        record["created"] = _date(state.created, around.options)
        record["updated"] = _date(state.updated, around.options)
    return record


def _wanted(row: Record, view: View) -> bool:
    """Values of no channel or no locale always stay."""
    return (not view.channel or row.get("channel") in (None, view.channel)) and (
        view.locales is None or row.get("locale") is None or row["locale"] in view.locales
    )


def _date(seconds: int, options: Options) -> str:
    shown = datetime.fromtimestamp(seconds + options.updated_offset_hours * 3600, options.time_zone)
    return shown.isoformat(timespec="seconds")


def _value(row: Record, definition: Record | None, around: Surroundings, view: View) -> Record:
    if definition is None:
        return row
    if around.options.php_numbers:
        row = {**row, "data": _as_numbers(row["data"], definition["type"])}
    if not around.options.saas:
        return row
    shown = {**row, "attribute_type": definition["type"]}
    data = row["data"]
    if definition["type"] == "media_link" and isinstance(data, str):
        shown["linked_data"] = _link_data(data, definition)
    elif definition["type"] == "auto_tagging" and view.auto_tags:
        shown["linked_data"] = {tag: {"labels": {"en_US": tag.replace("_", " ").capitalize()}} for tag in data}
    elif definition["type"] == "media_file" and isinstance(data, str) and (file := around.media.get(data)):
        shown["linked_data"] = _file_data(file)
        if view.link:
            path = quote(data, errors="surrogatepass")
            shown["_links"] = {"download": {"href": view.link(f"/api/rest/v1/asset-media-files/{path}")}}
            if around.family.get("sharing_enabled"):
                shown["_links"]["share_link"] = {"href": view.link(f"/share/asset/{path}")}
    return {**shown, **row}


def _link_data(data: str, definition: Record) -> Record:
    prefix, suffix = definition.get("prefix"), definition.get("suffix")
    start = prefix or VIDEO_PAGES.get(definition.get("media_type", ""), "")
    return {"full_url": f"{start}{data}{suffix or ''}", "prefix": prefix, "suffix": suffix}


def _file_data(file: MediaFile) -> Record:
    return {
        "size": len(file.content),
        "mime_type": file.mime_type,
        "extension": file.original_filename.rpartition(".")[2],
        "original_filename": file.original_filename,
        "updated_at": datetime.fromtimestamp(file.updated, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
    }


def _as_numbers(data: object, kind: str) -> object:
    if kind in CODED_TYPES:
        return [_digits(item) for item in data] if isinstance(data, list) else _digits(data)
    if kind == "number" and isinstance(data, str):
        try:
            return json.loads(data, parse_constant=str)
        except ValueError:
            pass
    return data


def _digits(code: object) -> object:
    """A code of digits as PHP turns it to an integer when it was an array's key."""
    return int(code) if isinstance(code, str) and code.isascii() and code.isdigit() and str(int(code)) == code else code


def as_php_sends(data: object, options: Options) -> object:
    """Data as PHP writes it, which has but one kind of array for lists and maps."""
    chosen = options.php_arrays, options.php_objects, options.php_holes, options.php_lists, options.php_numbers
    return _php(data, options) if any(chosen) else data


def _php(data: object, options: Options) -> object:
    if isinstance(data, dict):
        sent = {key: _php(value, options) for key, value in data.items()}
        if options.php_numbers and "code" in sent:
            sent["code"] = _digits(sent["code"])
        if not sent:
            return [] if options.php_arrays else {}
        counted = list(sent) == [str(number) for number in range(len(sent))]
        return list(sent.values()) if options.php_lists and counted else sent
    if isinstance(data, list):
        items = [_php(item, options) for item in data]
        if not items:
            return {} if options.php_objects else []
        if options.php_holes:
            # The second item is the one that was filtered out, or the first where only one is left.
            return {str(number + (number > 0 or len(items) == 1)): item for number, item in enumerate(items)}
        return items
    return data
