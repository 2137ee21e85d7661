"""A PIM for wide tables, and what its tables must hold, told from the PIM's own memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.sandbox import Options, Pim
from tap_akeneo_assets.sandbox.shapes import View

from .pims import NOON, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ORIGIN = "https://pim.example"
LOCALES = ("en_US", "fr_FR")
CHANNELS = ("ecommerce", "print")
ODD_FAMILY = 'it\'s "odd" {{ x }} \\ 100%'

# Odd codes, and the names of their columns, where # stands for the hash.
ODD_NAMES = {
    "order": "order",
    "select": "select",
    "null": "null",
    "Title": "title",
    "Shoes": "shoes_#",
    "shoes": "shoes_#",
    "été": "ete_#",
    "007": "_007_#",
    "O'Neill\\": "o_neill__#",
    "a b-c": "a_b_c_#",
    "鞋": "__#",
    "-": "__#",
    "asset_code": "asset_code_#",
    "x" * 63: "x" * 63,
    "y" * 90 + "1": "y" * 54 + "_#",
    "y" * 90 + "2": "y" * 54 + "_#",
}

# A family whose attributes, locales and channels make the same names when case is folded or texts are joined.
ALIKE_FAMILY = "alike"
ALIKE_LOCALES = ("en", "en_US", "en_us", "de_AT")
ALIKE_CHANNELS = ("print", "Print", "US_print", "été", "c" * 100, "c" * 99 + "d", "label")
# By code, whether there is a value per locale and per channel. `ete_deaf6a1e` is what `été` is called.
ALIKE_ATTRIBUTES = {
    "a": (True, True),
    "A": (True, False),
    "a_en_us": (False, True),
    "a_en_us_print": (False, False),
    "été": (False, False),
    "ete_deaf6a1e": (False, False),
    "xmin": (False, False),
    "ctid": (False, True),
    "y" * 90: (True, True),
}


def wide_pim() -> Pim:
    """A family of every type of attribute, with and without locale and channel, and some of odd codes."""
    pim = Pim(Options(clock=lambda: NOON, link_origin=ORIGIN))
    pim.save_family("packshots", labels={"en_US": "Packshots"}, sharing_enabled=True)
    pim.save_family("empty")
    for code, kind, more in (
        ("title", "text", {"value_per_locale": True}),
        ("slogan", "text", {"value_per_locale": True, "value_per_channel": True}),
        ("note", "text", {}),
        ("width", "number", {"value_per_channel": True, "decimals_allowed": True}),
        ("retouched", "boolean", {}),
        ("approved", "boolean", {"value_per_channel": True}),
        ("shot_on", "date", {}),
        ("background", "single_option", {"value_per_locale": True}),
        ("colors", "multiple_options", {"value_per_channel": True}),
        ("tags", "auto_tagging", {}),
        ("picture", "media_file", {"value_per_channel": True}),
        ("video", "media_link", {"media_type": "youtube", "prefix": None, "suffix": None}),
        ("brand", "record", {"reference_entity": "brands"}),
        ("guide", "asset_family_single_link", {"asset_family_code": "packshots"}),
        ("guides", "asset_family_multiple_links", {"asset_family_code": "packshots"}),
        ("hologram", "hologram", {}),
    ):
        pim.save_attribute("packshots", code, type=kind, **more)
    for attribute in ("background", "colors"):
        pim.save_option("packshots", attribute, "white", labels={"en_US": "White", "fr_FR": "Blanc"})
        pim.save_option("packshots", attribute, "red", labels={"en_US": ""})
        pim.save_option("packshots", attribute, "o'c", labels={"fr_FR": "L'ocre"})
    for number in range(4):
        save_packshot(pim, number)
    pim.save_asset("packshots", "nothing", {})
    pim.save_asset(
        "packshots", "german", {"title": [value("Becher", "de_DE")], "note": [value("")], "hologram": [value(None)]}
    )
    pim.save_family(ODD_FAMILY)
    for code in ODD_NAMES:
        pim.save_attribute(ODD_FAMILY, code, type="text")
    pim.save_asset(ODD_FAMILY, "odd", {code: [value(f"'{code}' \\")] for code in ODD_NAMES})
    _save_alike(pim)
    return pim


def _save_alike(pim: Pim) -> None:
    pim.save_family(ALIKE_FAMILY)
    values: dict[str, list[dict[str, Any]]] = {}
    for code, (per_locale, per_channel) in ALIKE_ATTRIBUTES.items():
        pim.save_attribute(
            ALIKE_FAMILY, code, type="single_option", value_per_locale=per_locale, value_per_channel=per_channel
        )
        for locale in ALIKE_LOCALES if per_locale else [None]:
            for channel in ALIKE_CHANNELS if per_channel else [None]:
                option = f"{code}-{locale}-{channel}"
                pim.save_option(ALIKE_FAMILY, code, option, labels={"en_US": f"label of {option}"})
                values.setdefault(code, []).append(value(option, locale, channel))
    pim.save_asset(ALIKE_FAMILY, "alike", values)


def alike_cells(pim: Pim) -> list[str]:
    """The texts in the one row of that family's table, each of which has a column of its own."""
    options = [option for code in ALIKE_ATTRIBUTES for option in pim.attribute_options(ALIKE_FAMILY, code)]
    return sorted([option["code"] for option in options] + [option["labels"]["en_US"] for option in options])


def save_packshot(pim: Pim, number: int) -> None:
    """An asset with a value for each attribute, locale and channel."""
    file = pim.save_media_file(f"mug_{number}.png", b"picture %d" % number)
    pim.save_asset(
        "packshots",
        f"mug_{number}",
        {
            "title": [value(f"Mug {number} {at}", at) for at in LOCALES],
            "slogan": [value(f"It's mug {number} {at} {to}", at, to) for at in LOCALES for to in CHANNELS],
            "note": [value(f'It\'s "{number}"\n\\ {{{{ x }}}} %s')],
            "width": [value("-2.50", None, "print"), value("1234567890123456789.5", None, "ecommerce")],
            "retouched": [value(bool(number % 2))],
            "approved": [value(data=False, channel="print")],
            "shot_on": [value("2026-03-01T00:00:00+00:00")],
            "background": [value("white", "en_US"), value("o'c", "fr_FR")],
            "colors": [value(["white", "gone", "red", "o'c"], None, "print"), value([], None, "ecommerce")],
            "tags": [value(["mug", "it's"])],
            "picture": [value(file, None, "print")],
            "video": [value("dQw4w9WgXcQ")],
            "brand": [value("nordlys")],
            "guide": [value("mug_0")],
            "guides": [value(["mug_0", "mug_1"])],
            "hologram": [value({"x": number})],
        },
    )


def tables_of(pim: Pim, family: str, locales: Sequence[str], channels: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a family's wide table; for a family of plain codes."""
    attributes = pim.attributes(family)
    labels = {
        attribute["code"]: {
            option["code"]: (option.get("labels") or {}).get("en_US") or option["code"]
            for option in pim.attribute_options(family, attribute["code"])
        }
        for attribute in attributes
        if attribute["type"] in ("single_option", "multiple_options")
    }
    return [
        {
            "asset_family_code": family,
            "asset_code": asset["code"],
            "asset_created": _timestamp(asset["created"]),
            "asset_updated": _timestamp(asset["updated"]),
            **{
                name: content
                for attribute in attributes
                for at in (locales if attribute.get("value_per_locale") else [None])
                for to in (channels if attribute.get("value_per_channel") else [None])
                for name, content in _columns(
                    attribute,
                    _name(attribute["code"], at if len(locales) > 1 else None, to if len(channels) > 1 else None),
                    _value(asset, attribute["code"], at, to),
                    labels.get(attribute["code"], {}),
                )
            },
        }
        for asset in pim.assets(family, view=View(link=lambda path: f"{ORIGIN}{path}")).records
    ]


def _name(*parts: str | None) -> str:
    return "_".join(filter(None, parts)).lower()


def _value(asset: dict[str, Any], code: str, locale: str | None, channel: str | None) -> dict[str, Any]:
    """The asset's value, or an empty one."""
    found = [
        row
        for row in asset["values"].get(code, [])
        if (row.get("locale"), row.get("channel")) == (locale, channel) and row["data"] is not None
    ]
    return found[0] if found else {"data": None}


def _columns(
    attribute: dict[str, Any], name: str, row: dict[str, Any], labels: dict[str, str]
) -> Iterator[tuple[str, object]]:
    data, kind = row["data"], attribute["type"]
    if kind == "number":
        yield name, data and Decimal(data)
    elif kind == "date":
        yield name, data and _timestamp(data)
    elif kind == "single_option":
        yield name, data
        yield f"{name}_label", labels.get(data, data)
    elif kind == "multiple_options":
        yield name, data
        yield f"{name}_labels", None if data is None else [labels.get(code, code) for code in data]
    elif kind == "media_file":
        yield name, data
        yield f"{name}_url", data and row.get("_links", {}).get("share_link", {}).get("href")
        yield f"{name}_path", None
    elif kind == "media_link":
        yield name, data
        yield f"{name}_url", data and f"https://youtube.com/watch?v={data}"
    elif kind in ("asset_family_single_link", "asset_family_multiple_links"):
        yield name, data
    elif kind == "hologram":
        yield name, data and json.dumps(data, separators=(",", ":"))
    else:
        yield name, data


def _timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
