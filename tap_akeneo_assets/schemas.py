"""JSON schemas of the streams' records: every field of Akeneo's asset API, under the API's own names.

Every field but the keys may be null, since the API promises no other. Objects inside a record admit fields beyond those
declared, for a newer PIM sends more.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

_ANY = ["string", "number", "boolean", "array", "object", "null"]


def _key(description: str) -> Schema:
    return {"type": ["string"], "description": description}


def _text(description: str) -> Schema:
    return {"type": ["string", "null"], "description": description}


def _boolean(description: str) -> Schema:
    return {"type": ["boolean", "null"], "description": description}


def _integer(description: str) -> Schema:
    return {"type": ["integer", "null"], "description": description}


def _number(description: str) -> Schema:
    return {"type": ["number", "null"], "description": description}


def _timestamp(description: str) -> Schema:
    return {"type": ["string", "null"], "format": "date-time", "description": description}


def _any(description: str) -> Schema:
    return {"type": _ANY, "description": description}


def _texts(description: str) -> Schema:
    return {"type": ["array", "null"], "items": {"type": ["string"]}, "description": description}


def _object(description: str, properties: Schema) -> Schema:
    return {"type": ["object", "null"], "properties": properties, "description": description}


def _objects(description: str, properties: Schema) -> Schema:
    return {
        "type": ["array", "null"],
        "items": {"type": ["object"], "properties": properties},
        "description": description,
    }


def _map(description: str, of: Schema) -> Schema:
    return {"type": ["object", "null"], "additionalProperties": of, "description": description}


def _record(properties: Schema) -> Schema:
    keys = [name for name, schema in properties.items() if "null" not in schema["type"]]
    return {"type": "object", "properties": properties, "required": keys}


_FAMILY_CODE = _key("Code of the asset family.")
_LOCALE = _text("Code of the locale; null where it does not depend on one.")
_CHANNEL = _text("Code of the channel; null where it does not depend on one.")
_LABELS = _map("Labels by locale code.", {"type": ["string", "null"]})

_ATTRIBUTE_IN_CONTEXT = {
    "attribute": _text("Code of the attribute that holds the media file."),
    "channel": _CHANNEL,
    "locale": _LOCALE,
}

_NAMING_CONVENTION = _object(
    "How a new asset's code, or its main media's file name, is split into values.",
    {
        "source": _object(
            "What the pattern is applied to.",
            {
                "property": _text("`code`, or the code of the attribute that is the main media."),
                "channel": _CHANNEL,
                "locale": _LOCALE,
            },
        ),
        "pattern": _text("Regular expression whose named groups are codes of attributes."),
        "abort_asset_creation_on_error": _boolean("Whether an asset is refused when the naming convention fails."),
    },
)

_PRODUCT_LINK_RULES = _objects(
    "Rules that link new assets to products, at most 2.",
    {
        "product_selections": _objects(
            "Conditions that a product must meet.",
            {
                "field": _text("Product property or attribute code."),
                "operator": _text("Operator of the condition."),
                # `items` beside other types: `shapes.reshaper` makes it an array when PHP sent one with holes.
                "value": {**_any("Value of the condition, of whatever JSON type."), "items": {"type": _ANY}},
                "channel": _CHANNEL,
                "locale": _LOCALE,
            },
        ),
        "assign_assets_to": _objects(
            "Product attributes that the asset is assigned to.",
            {
                "attribute": _text("Code of the product's asset collection attribute."),
                "mode": _text("`add` to the collection, or `replace` it."),
                "channel": _CHANNEL,
                "locale": _LOCALE,
            },
        ),
    },
)

_TRANSFORMATIONS = _objects(
    "Transformations that make further media files out of one, at most 10 (from PIM 4.0 on).",
    {
        "label": _text("Label of the transformation."),
        "filename_prefix": _text("What is put before the source's file name."),
        "filename_suffix": _text("What is put after the source's file name."),
        "source": _object("The media file that is transformed.", _ATTRIBUTE_IN_CONTEXT),
        "target": _object("Where the transformed media file is kept.", _ATTRIBUTE_IN_CONTEXT),
        "operations": _objects(
            "Operations, in their order.",
            {
                "type": _text("Type of the operation, such as `thumbnail` or `colorspace`."),
                "parameters": _map("Parameters of the operation, by name.", {"type": _ANY}),
            },
        ),
    },
)

VALUES = _map(
    "Values by attribute code, one for each locale and channel that the attribute depends on.",
    {
        "type": ["array", "null"],
        "items": {
            "type": ["object"],
            "properties": {
                "locale": _LOCALE,
                "channel": _CHANNEL,
                "attribute_type": _text("Type of the attribute, where the PIM tells it (SaaS)."),
                "linked_data": _map("What the PIM knows about the data (SaaS).", {"type": _ANY}),
                "data": _any("The value itself, exactly as the PIM sent it."),
                "_links": _any("Links to download and share a media file (SaaS), as the PIM sent them."),
            },
        },
    },
)

ASSET_FAMILIES = _record(
    {
        "code": _FAMILY_CODE,
        "labels": _LABELS,
        "attribute_as_main_media": _text("Code of the attribute that is the family's main media."),
        "naming_convention": _NAMING_CONVENTION,
        "product_link_rules": _PRODUCT_LINK_RULES,
        "transformations": _TRANSFORMATIONS,
        "sharing_enabled": _boolean("Whether share links are made for the family's media files (SaaS)."),
        "auto_tagging_enabled": _boolean("Whether the family's assets are tagged automatically (SaaS)."),
    }
)

ASSET_ATTRIBUTES = _record(
    {
        "asset_family_code": _FAMILY_CODE,
        "code": _key("Code of the attribute, unique in its family."),
        "labels": _LABELS,
        "type": _text("Type of the attribute, such as `text` or `media_file`."),
        "value_per_locale": _boolean("Whether an asset can have one value per locale."),
        "value_per_channel": _boolean("Whether an asset can have one value per channel."),
        "is_required_for_completeness": _boolean("Whether an asset without a value is incomplete."),
        "is_read_only": _boolean("Whether its values cannot be changed in the PIM's user interface."),
        "max_characters": _integer("Largest number of characters allowed (text)."),
        "is_textarea": _boolean("Whether it is entered in a text area, with several lines (text)."),
        "is_rich_text_editor": _boolean("Whether it is entered in a rich text editor, as HTML (text)."),
        "validation_rule": _text("What a text must be: `email`, `url`, `regexp`, or `none` (text)."),
        "validation_regexp": _text("Regular expression that a text must match (text)."),
        "allowed_extensions": _texts("File extensions allowed; an empty array means all (media_file)."),
        "max_file_size": _text("Largest file allowed, in megabytes (media_file)."),
        "media_type": _text("Kind of media, such as `image`, `pdf` or `youtube` (media_file, media_link)."),
        "prefix": _text("What stands before the data in the full URL (media_link)."),
        "suffix": _text("What stands after the data in the full URL (media_link)."),
        "decimals_allowed": _boolean("Whether decimals are allowed (number)."),
        "min_value": _text("Smallest number allowed (number)."),
        "max_value": _text("Largest number allowed (number)."),
        "reference_entity": _text("Code of the reference entity whose records it links to (record)."),
        "default_value": _text("Value that a new asset begins with, as a JSON text (SaaS)."),
        "linked_asset_family_code": _text(
            "Code of the asset family that it links to (asset family links); the API names it `asset_family_code`."
        ),
    }
)

ATTRIBUTE_OPTIONS = _record(
    {
        "asset_family_code": _FAMILY_CODE,
        "attribute_code": _key("Code of the attribute that the option belongs to."),
        "code": _key("Code of the option, unique in its attribute."),
        "labels": _LABELS,
    }
)

ASSETS = _record(
    {
        "asset_family_code": _FAMILY_CODE,
        "code": _key("Code of the asset, unique in its family."),
        "values": VALUES,
        "created": _timestamp("When the asset was created, in UTC (from PIM 6.0 on)."),
        "updated": _timestamp("When the asset was last updated, in UTC (from PIM 6.0 on)."),
        "status": _text("Status of the asset, where the PIM sends one."),
        "start_date": _text("Since when the asset may be used, where the PIM sends it."),
        "end_date": _text("Until when the asset may be used, where the PIM sends it."),
    }
)

ASSET_VALUES = _record(
    {
        "asset_family_code": _FAMILY_CODE,
        "asset_code": _key("Code of the asset."),
        "value_key": _key("`attribute[-locale][-channel]`, as Akeneo's flat files name a column."),
        "attribute_code": _text("Code of the attribute."),
        "attribute_type": _text("Type of the attribute; null where the PIM has the attribute no longer."),
        "locale": _LOCALE,
        "channel": _CHANNEL,
        "text_value": _text("Text (text), or what stands between prefix and suffix (media_link)."),
        "number_value": _number("Number, with all its digits (number)."),
        "boolean_value": _boolean("True or false (boolean)."),
        "date_value": _timestamp("Date as it was entered, with its offset; null where it is no real date (date)."),
        "option_codes": _texts("Codes of options or tags (single_option, multiple_options, auto_tagging)."),
        "media_file_code": _text("Code of the media file (media_file)."),
        "media_url": _text("Full URL (media_link), or the link that shares the file (media_file, SaaS)."),
        "record_code": _text("Code of the reference entity's record (record)."),
        "linked_asset_codes": _texts(
            "Codes of the assets linked to, of the attribute's `linked_asset_family_code` "
            "(asset_family_single_link, asset_family_multiple_links)."
        ),
        "raw_value": _text("The value's `data` as the PIM sent it, as a JSON text."),
        "asset_updated": _timestamp(
            "When the asset was last updated, in UTC; a row older than its asset is a removed value."
        ),
    }
)

ASSET_MEDIA_FILES = _record(
    {
        "asset_family_code": _FAMILY_CODE,
        "asset_code": _key("Code of the asset."),
        "value_key": _key("`attribute[-locale][-channel]`, as in `asset_values`."),
        "attribute_code": _text("Code of the attribute."),
        "locale": _LOCALE,
        "channel": _CHANNEL,
        "media_file_code": _text("Code of the media file."),
        "original_filename": _text("Name that the file had when it was uploaded."),
        "mime_type": _text("Type of the file, such as `image/png`, where the PIM tells it (SaaS)."),
        "extension": _text("Extension of the file's name, without the dot."),
        "size": _integer("Size in bytes, where the PIM tells it (SaaS)."),
        "asset_updated": _timestamp("When the asset was last updated; an older row is a file that was removed."),
        "share_url": _text("The link that shares the file, where there is one (SaaS)."),
        "sha256": _text("SHA-256 of the stored file, in hex digits; null where it is not stored."),
        "stored_path": _text("Path of the stored file, relative to `media_storage`; null where it is not stored."),
        "stored_size": _integer("Size of the stored file, in bytes."),
        "stored_at": _timestamp("When the file was stored."),
    }
)
