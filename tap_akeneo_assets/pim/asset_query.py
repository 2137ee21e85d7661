"""What the settings ask of a list of assets, as the API's query parameters. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Conditions: TypeAlias = "dict[str, list[dict[str, Any]]]"


@dataclass(frozen=True, slots=True)
class AssetQuery:
    """What the settings ask of a list of assets, whatever the family."""

    search: Mapping[str, Any] = field(default_factory=dict)
    channel: str | None = None
    locales: Sequence[str] = ()
    with_asset_auto_tags: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> AssetQuery:
        """The query that a tap's settings ask for."""
        return cls(
            search=_with_decimals(config.get("search") or {}),
            channel=config.get("channel") or None,
            locales=tuple(config.get("locales") or ()),
            with_asset_auto_tags=bool(config.get("with_asset_auto_tags")),
        )

    @property
    def narrowed(self) -> dict[str, Any]:
        """What it asks beyond everything, as the state keeps it; empty when it asks for everything."""
        restrictions = {
            "search": dict(self.search),
            "channel": self.channel,
            "locales": list(self.locales),
            "with_asset_auto_tags": self.with_asset_auto_tags,
        }
        return {name: value for name, value in restrictions.items() if value}

    def parameters(self, conditions: Conditions) -> dict[str, str]:
        """The query parameters of a list of assets with further conditions on it."""
        parameters: dict[str, str] = {}
        if search := merge_search(self.search, conditions):
            parameters["search"] = _to_json(search)
        if self.channel:
            parameters["channel"] = self.channel
        if self.locales:
            parameters["locales"] = ",".join(self.locales)
        if self.with_asset_auto_tags:
            parameters["with_asset_auto_tags"] = "true"
        return parameters


def merge_search(search: Mapping[str, Any], conditions: Conditions) -> dict[str, Any]:
    """Add conditions to a `search`, all of which must hold, in the form that the search has.

    The API has two forms: a map of properties to conditions, and a tree with one `and` or `or` at its root.

    Args:
        search: a search as the user wrote it, of either form.
        conditions: further conditions, by property.

    Returns:
        One search for both.
    """
    if not conditions:
        return dict(search)
    if not search.keys() & {"and", "or"}:
        return {**search, **{name: [*_as_list(search.get(name)), *added] for name, added in conditions.items()}}
    added_branches = [{name: added} for name, added in conditions.items()]
    if search.keys() == {"and"}:
        return {"and": [*_as_list(search["and"]), *added_branches]}
    return {"and": [dict(search), *added_branches]}


def _with_decimals(value: Any) -> Any:  # noqa: ANN401  # JSON
    """The same JSON with a decimal for each fraction: a file gives decimals, other sources floats."""
    if isinstance(value, dict):
        return {name: _with_decimals(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_decimals(inner) for inner in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def _to_json(value: object) -> str:
    """A JSON text, compact, in which decimals are numbers with all their digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_to_json(name)}:{_to_json(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_to_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _as_list(conditions: object) -> list[Any]:
    if conditions is None:
        return []
    return conditions if isinstance(conditions, list) else [conditions]
