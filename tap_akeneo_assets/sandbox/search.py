"""The `search` parameter of the list of assets: JSON in, a function that says whether an asset is found out."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tap_akeneo_assets.sandbox.options import Options, PimVersion
from tap_akeneo_assets.sandbox.refusal import Refusal

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)", re.ASCII)
DAY = 24 * 3600
# `!=`, EMPTY and NOT EMPTY are presumed; the documentation shows the others.
VALUE_OPERATORS = ("=", "!=", "IN", "NOT IN", "CONTAINS", "EMPTY", "NOT EMPTY")


@dataclass(frozen=True, slots=True)
class Document:
    """What the index knows of an asset: code, last change in whole seconds, values as the API shows them."""

    code: str
    updated: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Context:
    """What a condition is read with: the PIM's choices and time, and the family's attributes by code."""

    options: Options
    now: float
    attributes: Mapping[str, Mapping[str, Any]]


Found = Callable[[Document], bool]


def parse(text: str | None, context: Context) -> Found | None:
    """Read a `search` parameter; None means that it says nothing, and the list is unfiltered.

    Raises:
        Refusal: 400 for what is not JSON, 422 for what this version of the PIM does not know.
    """
    if text is None:
        return None
    try:
        tree = json.loads(text)
    except ValueError:
        raise Refusal(400, "The search parameter must be a valid JSON.") from None
    if tree in ([], {}):
        return None
    return _tree(tree, context)


def _tree(tree: object, context: Context) -> Found:
    if not isinstance(tree, dict):
        raise Refusal(422, "The search parameter must be an object.")
    operator = next((key for key in ("and", "or") if key in tree), None)
    if operator is None:
        return _all([_property(name, conditions, context) for name, conditions in tree.items()])
    if not context.options.saas:
        raise Refusal(422, f'The property "{operator}" cannot be searched on.')
    if len(tree) > 1 or not isinstance(tree[operator], list) or not tree[operator]:
        raise Refusal(422, f'"{operator}" must stand alone, with a list of conditions.')
    branches = [_tree(branch, context) for branch in tree[operator]]
    return _all(branches) if operator == "and" else lambda document: any(found(document) for found in branches)


def _all(conditions: list[Found]) -> Found:
    return conditions[0] if len(conditions) == 1 else lambda document: all(found(document) for found in conditions)


def _property(name: str, conditions: object, context: Context) -> Found:
    """All conditions on one property: an array or, on SaaS, one condition without it."""
    if isinstance(conditions, dict) and context.options.saas:
        conditions = [conditions]
    if not isinstance(conditions, list) or not all(isinstance(condition, dict) for condition in conditions):
        raise Refusal(422, f'The conditions on "{name}" must be an array of objects.')
    if name == "updated":
        read: Callable[[Mapping[str, Any], Context], Found] = _updated
    elif name == "code":
        read = _code
    elif name == "complete" and context.options.saas:
        read = _complete
    elif name in context.attributes and context.options.saas:
        return _all([_value(context.attributes[name], condition) for condition in conditions])
    else:
        raise Refusal(422, f'The property "{name}" cannot be searched on.')
    return _all([read(condition, context) for condition in conditions])


def _operator(name: str, condition: Mapping[str, Any], context: Context, since: Mapping[str, PimVersion]) -> str:
    operator = condition.get("operator")
    if not isinstance(operator, str) or operator not in since or not context.options.since(since[operator]):
        raise Refusal(422, f'The operator "{operator}" is not supported for the property "{name}".')
    return operator


def _updated(condition: Mapping[str, Any], context: Context) -> Found:
    since: dict[str, PimVersion] = {
        ">": "3.2",
        "<": "6.0",
        "BETWEEN": "6.0",
        "NOT BETWEEN": "6.0",
        "SINCE LAST N DAYS": "6.0",
    }
    operator = _operator("updated", condition, context, since)
    value = condition.get("value")
    if operator == "SINCE LAST N DAYS":
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refusal(422, 'The operator "SINCE LAST N DAYS" expects an integer.')
        begin = context.now - value * DAY
        return lambda document: document.updated >= begin
    if operator in (">", "<"):
        moment = _seconds(value)
        return lambda document: document.updated > moment if operator == ">" else document.updated < moment
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 (a beginning and an end)
        raise Refusal(422, f'The operator "{operator}" expects two dates.')
    first, last = _seconds(value[0]), _seconds(value[1])
    inside = operator == "BETWEEN"
    return lambda document: (first <= document.updated <= last) is inside


def _seconds(value: object) -> int:
    """A date in one of the two formats that are documented, in seconds since 1970."""
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            return int(datetime.fromisoformat(value).timestamp())
        except ValueError:
            pass
    raise Refusal(
        422, 'The property "updated" expects a date such as 2018-07-04T10:00:00Z or 2018-07-04T10:00:00+00:00.'
    )


def _strings(name: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refusal(422, f'The property "{name}" expects an array of strings.')
    return frozenset(value)


def _code(condition: Mapping[str, Any], context: Context) -> Found:
    _operator("code", condition, context, {"IN": "7.0"})
    codes = _strings("code", condition.get("value"))
    if context.options.any_case:
        in_lower_case = {code.lower() for code in codes}
        return lambda document: document.code.lower() in in_lower_case
    return lambda document: document.code in codes


def _complete(condition: Mapping[str, Any], context: Context) -> Found:
    """Complete means: a value for each required attribute, in the channel and each of the locales asked for."""
    _operator("complete", condition, context, {"=": "saas"})
    wanted, channel, locales = condition.get("value"), condition.get("channel"), condition.get("locales")
    if not isinstance(wanted, bool) or not isinstance(channel, str):
        raise Refusal(422, 'The property "complete" expects a boolean, a channel and an array of locales.')
    needed = {
        (code, locale if attribute.get("value_per_locale") else None)
        for code, attribute in context.attributes.items()
        if attribute.get("is_required_for_completeness")
        for locale in _strings("complete", locales)
    }

    def found(document: Document) -> bool:
        given = {
            (code, value.get("locale"))
            for code, values in document.values.items()
            for value in values
            if value.get("channel") in (None, channel)
        }
        return (needed <= given) is wanted

    return found


def _value(attribute: Mapping[str, Any], condition: Mapping[str, Any]) -> Found:
    """A condition on an attribute's values: one of them, in the locale and channel if asked for, must meet it."""
    code = attribute["code"]
    operator, value = condition.get("operator"), condition.get("value")
    if operator not in VALUE_OPERATORS:
        raise Refusal(422, f'The operator "{operator}" is not supported for the property "{code}".')
    codes = _strings(code, value) if operator in ("IN", "NOT IN") else frozenset[str]()
    if operator == "CONTAINS" and not isinstance(value, str):
        raise Refusal(422, f'The property "{code}" expects a string.')

    def meets(data: object) -> bool:
        if operator == "=":
            return data == value
        if operator == "CONTAINS":
            return str(value).lower() in str(data).lower()
        return operator == "NOT EMPTY" or bool(codes & set(data if isinstance(data, list) else [str(data)]))

    def found(document: Document) -> bool:
        data = [
            item["data"]
            for item in document.values.get(code, [])
            if all(condition.get(scope) in (None, item.get(scope)) for scope in ("locale", "channel"))
        ]
        if operator == "EMPTY":
            return not data
        if operator == "!=":
            return all(item != value for item in data)
        if operator == "NOT IN":
            return not any(meets(item) for item in data)
        return any(meets(item) for item in data)

    return found
