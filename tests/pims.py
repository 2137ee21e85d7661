"""PIMs made by hand for the tests: a small one to read, and an odd one with everything that may go wrong in data."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.sandbox import Options, Pim
from tap_akeneo_assets.sandbox.faults import Faults, damaged

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox.options import PimVersion

VERSIONS: tuple[PimVersion, ...] = ("3.2", "4.0", "5.0", "6.0", "7.0", "saas")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
LONG_NUMBER = "1234567890123456789012345678901234567890.0987654321"

# Codes as no one should choose them, and as somebody has: each has its own way to break a path or a text.
ODD_CODES = ("Shoes", "shoes", "100%", "a b+c", "q?x=1&y#z", "été", "e\u0301te\u0301", "鞋🥿", "שלום", "007", "42", "-")

TEXTS = {
    "html": "<p>Tom & 'Jerry' &amp; \"friends\"</p>",
    "lines": "one\r\ntwo\n\tthree\u2028four",
    "emoji": "👩🏽\u200d🚀 and 🇫🇷",
    "right_to_left": "\u202eabc\u202c שלום",
    "control": "bell\u0007 escape\u001b delete\u007f",
    "nul": "before\0after",
    "spelled_nul": "before\\u0000after",
    "lone_surrogate": "half \ud83d of it",
    "empty": "",
    "blank": " ",
    "long": "x" * 100_000,
    "json": '{"type": "RECORD"}\n{"type": "STATE"}',
}

NUMBERS = ("1", "-2.50", "1E3", "0", "007", LONG_NUMBER, "9" * 40, "1E300", "-1E-300", f"0.{'1' * 1000}")


def value(data: object, locale: str | None = None, channel: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A value of an asset."""
    return {"locale": locale, "channel": channel, "data": data, **more}


def small_pim(options: Options | None = None) -> Pim:
    """Two families, a value of each type, and nothing odd."""
    pim = Pim(options or Options(clock=lambda: NOON, link_origin="https://pim.example"))
    pim.save_family(
        "packshots",
        labels={"en_US": "Packshots", "fr_FR": "Photos"},
        attribute_as_main_media="picture",
        naming_convention={
            "source": {"property": "code", "channel": None, "locale": None},
            "pattern": "/(?P<product>.*)_/",
            "abort_asset_creation_on_error": True,
        },
        product_link_rules=[
            {
                "product_selections": [{"field": "sku", "operator": "EQUALS", "value": "{{product}}"}],
                "assign_assets_to": [{"attribute": "packshots", "mode": "replace"}],
            }
        ],
        transformations=[],
        sharing_enabled=True,
    )
    pim.save_family("user_guides", labels={"en_US": "User guides"})
    for attribute, kind, more in (
        ("title", "text", {"value_per_locale": True, "max_characters": 80}),
        ("picture", "media_file", {"allowed_extensions": ["png"], "max_file_size": "10"}),
        ("video", "media_link", {"media_type": "youtube", "prefix": None, "suffix": None}),
        ("background", "single_option", {"default_value": "white"}),
        ("colors", "multiple_options", {"value_per_channel": True, "default_value": ["red"]}),
        ("width", "number", {"decimals_allowed": True, "min_value": "0"}),
        ("retouched", "boolean", {"default_value": False}),
        ("shot_on", "date", {}),
        ("brand", "record", {"reference_entity": "brands"}),
        ("auto_tags", "auto_tagging", {}),
        ("guide", "asset_family_single_link", {"asset_family_code": "user_guides"}),
    ):
        pim.save_attribute("packshots", attribute, type=kind, **more)
    pim.save_attribute("user_guides", "title", type="text")
    pim.save_option("packshots", "background", "white", labels={"en_US": "White", "fr_FR": "Blanc"})
    pim.save_option("packshots", "background", "grey", labels={"en_US": "Grey"})
    for color, label in (("red", "Red"), ("blue", "Blue")):
        pim.save_option("packshots", "colors", color, labels={"en_US": label})
    file = pim.save_media_file("mug.png", b"picture", updated=NOON - timedelta(days=3))
    pim.save_asset(
        "packshots",
        "mug_red",
        {
            "title": [value("Red mug", "en_US"), value("Mug rouge", "fr_FR")],
            "picture": [value(file)],
            "video": [value("dQw4w9WgXcQ")],
            "background": [value("white")],
            "colors": [value(["red", "blue"], None, "print"), value(["red"], None, "ecommerce")],
            "width": [value("-2.50")],
            "retouched": [value(data=True)],
            "shot_on": [value("2026-03-01T00:00:00+00:00")],
            "brand": [value("nordlys")],
            "auto_tags": [value(["mug", "red"])],
            "guide": [value("mug_guide")],
        },
        created=NOON - timedelta(days=3),
        updated=NOON - timedelta(days=2),
    )
    pim.save_asset("packshots", "mug_blue", {}, updated=NOON - timedelta(days=1))
    pim.save_asset("user_guides", "mug_guide", {"title": [value("Guide")]}, updated=NOON - timedelta(days=9))
    return pim


def odd_pim(options: Options | None = None) -> Pim:
    """A PIM of odd codes, texts, numbers, types and fields; some of its families are empty, or all but."""
    pim = Pim(options)
    _odd_families(pim)
    for code in ODD_CODES:
        pim.save_family(code, labels={code: code})
        pim.save_attribute(code, code, type="single_option", labels={code: code})
        pim.save_option(code, code, code, labels={code: code})
        for asset in ODD_CODES[:3] if code != "Shoes" else ODD_CODES:
            pim.save_asset(code, asset, {code: [value(code)]})
    _odd_attributes(pim)
    _odd_values(pim)
    return pim


def _odd_families(pim: Pim) -> None:
    pim.save_family("empty_family")
    pim.save_family("bare")
    pim.save_family("unlabelled", labels=None)
    pim.save_family("one_of_each")
    pim.save_family(
        "nulls",
        labels={"en_US": None},
        attribute_as_main_media=None,
        naming_convention=None,
        product_link_rules=None,
        transformations=None,
        sharing_enabled=None,
    )
    pim.save_family("hollow", labels={}, naming_convention={}, product_link_rules=[], transformations=[])
    pim.save_family("newer", labels={"0": "zero", "1": "one"}, not_yet_known="x", also_unknown={"a": []})
    pim.save_family("newest", not_yet_known="y")
    selection = {"field": "family", "operator": "IN"}
    pim.save_family(
        "ruled",
        naming_convention={"source": {"property": "code", "channel": None, "locale": None}, "pattern": "/a/", "new": 1},
        product_link_rules=[
            {
                "product_selections": [
                    selection,
                    *({**selection, "value": value} for value in ("", "x", [], ["x"], ["x", "y", "z"], None)),
                ],
                "assign_assets_to": [{"attribute": "a", "mode": "add"}, {"attribute": "b", "mode": "add"}],
            },
            {"product_selections": [], "assign_assets_to": []},
        ],
        transformations=[
            {
                "label": "Thumbnail",
                "filename_suffix": "_small",
                "source": {"attribute": "picture", "channel": None, "locale": None},
                "target": {"attribute": "thumbnail", "channel": None, "locale": None},
                "operations": [
                    {"type": "resolution", "parameters": {"resolution-x": 72, "resolution-unit": "ppi"}},
                    {"type": "greyscale", "parameters": {}},
                    {"type": "odd", "parameters": {"0": 1, "1": 2}},
                ],
            },
            {"label": "None", "operations": []},
            {"label": "Third"},
        ],
    )


def _odd_attributes(pim: Pim) -> None:
    family = "one_of_each"
    pim.save_attribute(family, "bare", type="text", labels=None)
    pim.save_attribute(family, "newer", type="hologram", labels={}, not_yet_known=[1], also_unknown=None)
    pim.save_attribute(family, "0", type="text", max_characters="255", is_rich_text_editor=None, is_textarea=True)
    pim.save_attribute(family, "1", type="text", max_characters=80, validation_regexp=None, validation_rule="none")
    pim.save_attribute(family, "texts", type="text", value_per_locale=True, value_per_channel=True)
    pim.save_attribute(family, "numbers", type="number", decimals_allowed=True, min_value="-1.5", max_value=None)
    pim.save_attribute(family, "nothing_allowed", type="media_file", allowed_extensions=[], max_file_size=None)
    pim.save_attribute(family, "file", type="media_file", allowed_extensions=["png", "jpg"], max_file_size="20.50")
    for name, prefix, suffix, media in (
        ("path", "https://cdn.example/", ".png", "image"),
        ("bare_path", "", "", "other"),
        ("null_path", None, None, "pdf"),
        ("tube", None, "", "youtube"),
        ("own_tube", "https://tube.example/", None, "youtube"),
        ("film", "", None, "vimeo"),
    ):
        pim.save_attribute(family, name, type="media_link", prefix=prefix, suffix=suffix, media_type=media)
    pim.save_attribute(family, "color", type="single_option", default_value="red", labels={})
    pim.save_attribute(family, "colors", type="multiple_options", default_value=["red"])
    pim.save_attribute(family, "no_colors", type="multiple_options", default_value=[])
    pim.save_attribute(family, "flag", type="boolean", default_value=True)
    pim.save_attribute(family, "day", type="date", default_value=None)
    pim.save_attribute(family, "brand", type="record", reference_entity="brands")
    pim.save_attribute(family, "auto_tags", type="auto_tagging")
    pim.save_attribute(family, "guide", type="asset_family_single_link", asset_family_code="guides")
    pim.save_attribute(family, "guides", type="asset_family_multiple_links", asset_family_code="guides")
    for attribute in ("color", "colors"):
        for code in ("0", "1", "red", "007"):
            pim.save_option(family, attribute, code, labels={}, not_yet_known=None)


def _odd_values(pim: Pim) -> None:
    file = pim.save_media_file("Étoile & co.png", b"picture")
    family = "one_of_each"
    for number, (name, text) in enumerate(TEXTS.items()):
        pim.save_asset(family, f"text_{name}", {"texts": [value(text, "fr_FR", ("print", "ecommerce")[number % 2])]})
    for number, digits in enumerate(NUMBERS):
        pim.save_asset(family, f"number_{number}", {"numbers": [value(digits)]})
    pim.save_asset(family, "no_values", {})
    pim.save_asset(family, "hollow_attribute", {"texts": []})
    pim.save_asset(
        family,
        "four_combinations",
        {"texts": [value(f"{at} {to}", at, to) for at in (None, "en_US") for to in (None, "print")]},
    )
    pim.save_asset(family, "numbered", {"0": [value("zero")], "1": [value("one")]})
    pim.save_asset(family, "neither_locale_nor_channel", {"texts": [{"data": "plain"}]})
    shapes: dict[str, object] = {
        "object": {"x": []},
        "array": [[], {}],
        "number": 1.5,
        "long": 10**400,
        "yes": True,
        "nothing": None,
    }
    pim.save_asset(family, "unknown_type", {"newer": [value(data, name) for name, data in shapes.items()]})
    pim.save_asset(family, "unknown_attribute", {"gone": [value("x", attribute_type="text"), value(["y"], "en_US")]})
    pim.save_asset(
        family,
        "newer_fields",
        {
            "flag": [
                value(data=False, confidence={"0": 1, "1": []}, linked_data={}),
                value(data=True, locale="en_US", linked_data=None),
            ]
        },
    )
    pim.save_asset(
        family,
        "one_of_each",
        {
            "file": [value(file), value("0/0/gone.png", "en_US")],
            **{name: [value("x1")] for name in ("path", "bare_path", "null_path", "tube", "own_tube", "film")},
            "color": [value("007"), value("red", "en_US")],
            "colors": [value(["red", "blue", "0"]), value(["1"], "en_US"), value([], "fr_FR")],
            "day": [
                value("2023-03-01T00:00:00+00:00"),
                value("02/03/2021", "en_US"),
                value("0000-00-00", "fr_FR"),
                value("0001-01-01T00:00:00+00:00", "de_DE"),
                value("9999-12-31T23:59:59+00:00", "es_ES"),
            ],
            "brand": [value("nordlys"), value("1234", "en_US")],
            "auto_tags": [value(["0", "1"]), value(["mug", "red"], "en_US")],
            "guide": [value("mug_guide")],
            "guides": [value(["mug_guide", "lamp_guide", "42"])],
        },
    )


def with_unknown_asset_fields(pim: Pim) -> Pim:
    """Let all assets have a field that the API page names, one that is null, and one that nobody knows."""

    def add(body: bytes) -> bytes:
        page = json.loads(body)
        for item in page["_embedded"]["items"]:
            item |= {"status": "ready", "start_date": None, "not_yet_known": {"a": 1}, "also_unknown": 2}
        return json.dumps(page).encode()

    pim.faults = Faults().always("assets", damaged(add))
    return pim
