"""What the routes that change an asset take: the body's shape, its values, and how they are merged. Pure.

Values that a body does not name stay; one whose `data` is null is taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.sandbox.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_akeneo_assets.sandbox.records import Record

Values = dict[str, list[dict[str, Any]]]

MAX_ASSETS_PER_REQUEST = 100
INVALID_FORMAT = "The asset has an invalid format."
INVALID_DATA = "The asset has data that does not comply with the business rules."
_LISTS = ("multiple_options", "auto_tagging", "asset_family_multiple_links")
_VALUE_FIELDS = {"locale", "channel", "data"}


def new_values(body: object, code: str, attributes: Mapping[str, Record]) -> Values:
    """The values that a body brings to an asset.

    Args:
        body: the parsed body.
        code: the asset's, from the path.
        attributes: the family's, by code.

    Raises:
        Refusal: 422; the body has another shape or code, or a value that its attribute does not admit.
    """
    if not isinstance(body, dict) or not isinstance(body.get("code"), str):
        raise Refusal(422, INVALID_FORMAT, [{"property": "code", "message": "The property code is required"}])
    if body["code"] != code:
        message = "The code of the asset provided in the URI must be the same as the one provided in the request body."
        raise Refusal(422, message)
    values = body.get("values", {})
    if not isinstance(values, dict) or not all(_is_shaped(rows) for rows in values.values()):
        raise Refusal(422, INVALID_FORMAT, [{"property": "values", "message": "The property values has a wrong shape"}])
    wrong = [
        {"property": f"values.{name}", "message": message}
        for name, rows in values.items()
        for row in rows
        for message in _faults(row, attributes.get(name))
    ]
    if wrong:
        raise Refusal(422, INVALID_DATA, wrong)
    return values


def merged(old: Mapping[str, list[Record]], new: Values) -> Values:
    """An asset's values after a change; those of `old` stay as they are."""
    result = {name: list(rows) for name, rows in old.items()}
    for name, rows in new.items():
        for row in rows:
            scope = row.get("locale"), row.get("channel")
            kept = [other for other in result.get(name, []) if (other.get("locale"), other.get("channel")) != scope]
            if row["data"] is not None:
                kept.append({"locale": scope[0], "channel": scope[1], "data": row["data"]})
            result[name] = kept
    return {name: rows for name, rows in result.items() if rows}


def _is_shaped(rows: object) -> bool:
    return isinstance(rows, list) and all(
        isinstance(row, dict)
        and "data" in row
        and row.keys() <= _VALUE_FIELDS
        and all(isinstance(row.get(name), str | None) for name in ("locale", "channel"))
        for row in rows
    )


def _faults(row: Record, attribute: Record | None) -> Iterator[str]:
    """Why a value does not fit its attribute, if it does not."""
    if attribute is None:
        yield "This attribute does not exist for the asset family."
        return
    for scope in ("locale", "channel"):
        has_scope, needs_scope = bool(row.get(scope)), bool(attribute.get(f"value_per_{scope}"))
        if has_scope != needs_scope:
            yield f"This attribute {'requires' if needs_scope else 'does not admit'} a {scope}."
    if row["data"] is not None and not _is_of_type(row["data"], attribute["type"]):
        yield "The data has a wrong type."


def _is_of_type(data: object, kind: str) -> bool:
    if kind in _LISTS:
        return isinstance(data, list) and all(isinstance(item, str) for item in data)
    return isinstance(data, bool) if kind == "boolean" else isinstance(data, str)
