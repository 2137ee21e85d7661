"""What a run must give for a PIM, told from the PIM's own memory and the API's page: nothing of the tap is used."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.sandbox.shapes import View, as_php_sends

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_akeneo_assets.sandbox import Pim

Record = dict[str, Any]

KEYS = {
    "asset_families": ("code",),
    "asset_attributes": ("asset_family_code", "code"),
    "attribute_options": ("asset_family_code", "attribute_code", "code"),
    "assets": ("asset_family_code", "code"),
    "asset_values": ("asset_family_code", "asset_code", "value_key"),
}
# Also those of the stream that is not selected by default.
ALL_KEYS = {**KEYS, "asset_media_files": ("asset_family_code", "asset_code", "value_key")}
UNKNOWN_FIELDS = ("not_yet_known", "also_unknown")
VIDEO_PAGES = {"youtube": "https://youtube.com/watch?v=", "vimeo": "https://vimeo.com/"}
TYPED_COLUMNS = (
    "text_value",
    "number_value",
    "boolean_value",
    "date_value",
    "option_codes",
    "media_file_code",
    "media_url",
    "record_code",
    "linked_asset_codes",
)


def records_of(pim: Pim, view: View | None = None) -> dict[str, list[Record]]:
    """The records of all streams.

    Args:
        pim: whose data are told; its options say which version and what PHP makes of it.
        view: channel, locales and links that the run asks for.
    """
    view = view or View()
    found: dict[str, list[Record]] = {stream: [] for stream in KEYS}
    for family in pim.families().records:
        code = family["code"]
        found["asset_families"].append(_known(family))
        attributes = {attribute["code"]: attribute for attribute in pim.attributes(code)}
        for attribute in attributes.values():
            found["asset_attributes"].append(_attribute(code, attribute))
            if attribute["type"] in ("single_option", "multiple_options"):
                for option in pim.attribute_options(code, attribute["code"]):
                    parents = {"asset_family_code": code, "attribute_code": attribute["code"]}
                    found["attribute_options"].append({**parents, **_known(option)})
        for asset in pim.assets(code, view=view).records:
            found["assets"].append({"asset_family_code": code, **asset, "values": _values(asset["values"], pim)})
            found["asset_values"] += _rows(code, asset, attributes, pim)
    return {stream: [_clean(record) for record in records] for stream, records in found.items()}


def by_key(stream: str, records: Iterable[Record]) -> dict[tuple[str, ...], Any]:
    """Records of a stream by their key, none twice, in a form that differs where they do."""
    listed = list(records)
    found = {tuple(record[name] for name in KEYS[stream]): _strict(_parsed(record)) for record in listed}
    assert len(found) == len(listed), "the same key comes twice"
    return found


def _known(item: Record) -> Record:
    return {name: value for name, value in item.items() if name not in UNKNOWN_FIELDS}


def _attribute(family: str, item: Record) -> Record:
    record = _known(item)
    if "asset_family_code" in record:
        record["linked_asset_family_code"] = record["asset_family_code"]
    if isinstance(record.get("max_characters"), str):
        record["max_characters"] = int(record["max_characters"])
    if record.get("default_value") is not None:
        record["default_value"] = json.dumps(record["default_value"], separators=(",", ":"))
    return {**record, "asset_family_code": family}


def _values(values: Mapping[str, list[Record]], pim: Pim) -> Record:
    """Values with objects as objects, but with `data`, and what nobody knows, as PHP sends it."""

    def shown(name: str, content: Any) -> Any:  # noqa: ANN401 - JSON
        if name in ("locale", "channel", "attribute_type"):
            return content
        if name == "linked_data":
            return content and {key: as_php_sends(inner, pim.options) for key, inner in content.items()}
        return as_php_sends(content, pim.options)

    return {
        code: [{name: shown(name, content) for name, content in row.items()} for row in rows]
        for code, rows in values.items()
    }


def _rows(family: str, asset: Record, attributes: Mapping[str, Record], pim: Pim) -> Iterable[Record]:
    for code, values in asset["values"].items():
        attribute = attributes.get(code, {})
        for value in values:
            kind = value.get("attribute_type") or attribute.get("type")
            locale, channel = value.get("locale"), value.get("channel")
            yield {
                "asset_family_code": family,
                "asset_code": asset["code"],
                "value_key": "-".join(filter(None, (code, locale, channel))),
                "attribute_code": code,
                "attribute_type": kind,
                "locale": locale,
                "channel": channel,
                **dict.fromkeys(TYPED_COLUMNS),
                **_typed(kind, value, attribute),
                "raw_value": json.dumps(as_php_sends(value["data"], pim.options)),
                "asset_updated": asset.get("updated"),
            }


def _typed(kind: str | None, value: Record, attribute: Record) -> Record:
    """The column that an attribute's type fills."""
    data = value["data"]
    text = str(data) if isinstance(data, int) and not isinstance(data, bool) else data
    if kind == "media_link":
        start = attribute["prefix"] or VIDEO_PAGES.get(attribute["media_type"], "")
        return {"text_value": text, "media_url": f"{start}{text}{attribute['suffix'] or ''}"}
    if kind == "media_file":
        share_link = value.get("_links", {}).get("share_link", {})
        return {"media_file_code": text, "media_url": share_link.get("href")}
    if kind in ("single_option", "multiple_options", "auto_tagging"):
        return {"option_codes": [str(code) for code in (data if isinstance(data, list) else [data])]}
    if kind in ("asset_family_single_link", "asset_family_multiple_links"):
        return {"linked_asset_codes": [str(code) for code in (data if isinstance(data, list) else [data])]}
    columns: dict[str | None, tuple[str, Any]] = {
        "text": ("text_value", text),
        "number": ("number_value", Decimal(str(data)) if kind == "number" else None),
        "boolean": ("boolean_value", data),
        "date": ("date_value", data if _is_moment(data) else None),
        "record": ("record_code", text),
    }
    return dict([columns[kind]]) if kind in columns else {}


def _is_moment(data: object) -> bool:
    with suppress(ValueError):
        return isinstance(data, str) and datetime.fromisoformat(data).tzinfo is not None
    return False


def _clean(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Without what no target takes: NUL is dropped, half a character becomes U+FFFD."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value.replace("\0", ""))
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(inner) for name, inner in value.items()}
    return value


def _parsed(record: Record) -> Record:
    """With `raw_value` parsed, for a JSON text has more than one spelling."""
    if "raw_value" not in record:
        return record
    return {**record, "raw_value": _clean(json.loads(record["raw_value"], parse_float=Decimal))}


def _strict(value: Any) -> Any:  # noqa: ANN401 - JSON
    """True is not 1."""
    if isinstance(value, bool):
        return f"<{value}>"
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, list):
        return [_strict(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _strict(inner) for name, inner in value.items()}
    return value
