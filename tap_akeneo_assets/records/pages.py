"""What a page of the PIM holds: its items, and the link to the page after it. Pure."""

from __future__ import annotations

from typing import Any

from tap_akeneo_assets.errors import UnexpectedShape
from tap_akeneo_assets.records.shapes import as_list, as_text


def items(answer: object) -> list[Any]:
    """The items of a list's answer, whatever each of them is.

    Args:
        answer: a bare array, or a page that has them in `_embedded`, as `items` or `_items`; PHP may have made objects
            of the arrays.

    Raises:
        UnexpectedShape: it is neither of the two; an error's body is not taken for an empty list.
    """
    path, found = "answer", answer
    if type(answer) is dict and "_embedded" in answer:
        embedded = answer["_embedded"]
        if type(embedded) is not dict:
            raise UnexpectedShape("_embedded", embedded, "an object")
        name = "items" if "items" in embedded else "_items"
        path, found = f"_embedded.{name}", embedded.get(name)
    listed = as_list(found)
    if listed is None:
        raise UnexpectedShape(path, found, "an array")
    return listed


def page_items(answer: object) -> list[Any]:
    """The items of a page, as of a list that has several.

    Raises:
        UnexpectedShape: it is no page. Nor is `{}`: PHP may send it for an empty array, other servers for anything.
    """
    if type(answer) is not dict or "_embedded" not in answer:
        raise UnexpectedShape("answer", answer, "a page with `_embedded`")
    return items(answer)


def item(answer: object, code: str) -> dict[str, Any]:
    """The one item of an answer to a question for one; the PIM may spell its code in another case.

    Raises:
        UnexpectedShape: it is no item, or another one; the body of an error has a `code` too.
    """
    if type(answer) is not dict or (as_text(answer.get("code")) or "").casefold() != code.casefold():
        raise UnexpectedShape("answer", answer, f"the item {code!r}")
    return answer


def next_link(answer: object) -> str | None:
    """The address of the page after this one, `_links.next.href`. None ends the list; nothing else does.

    Raises:
        UnexpectedShape: it has a `next` that leads nowhere.
    """
    if type(answer) is not dict:
        return None
    links = answer.get("_links")
    if links is None or links == []:
        return None
    if type(links) is not dict:
        raise UnexpectedShape("_links", links, "an object")
    link = links.get("next")
    if link is None:
        return None
    if type(link) is not dict:
        raise UnexpectedShape("_links.next", link, "an object")
    href = link.get("href")
    if type(href) is not str or not href:
        raise UnexpectedShape("_links.next.href", href, "an address")
    return href
