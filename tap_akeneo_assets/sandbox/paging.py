"""Pages in the manner of search_after: where a page begins, and the links that lead on."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.records import Slice
from tap_akeneo_assets.sandbox.refusal import Refusal
from tap_akeneo_assets.sandbox.shapes import as_php_sends

# An opaque cursor that is more than one query parameter: the place, and a seal that only this list understands.
PLACE, SEAL = "search_after[0]", "search_after[1]"
LISTING_PARAMETERS = ("search", "channel", "locales", "with_asset_auto_tags")

Fetch = Callable[[str, int], Slice]


@dataclass(frozen=True)
class Cursor:
    """Where a page begins: behind which key, and the how-manieth page it is."""

    after: str = ""
    number: int = 1

    def parameters(self, listing: str, key: str) -> dict[str, str]:
        """The cursor as query parameters; `listing` is the path of the list, `key` changes when cursors are refused."""
        place = urlsafe_b64encode(json.dumps([self.after, self.number]).encode()).decode()
        return {PLACE: place, SEAL: _seal(place, listing, key)}


def _seal(place: str, listing: str, key: str) -> str:
    return hmac.new(key.encode(), f"{listing}\n{place}".encode(), hashlib.sha256).hexdigest()[:16]


def cursor_of(parameters: Mapping[str, str], listing: str, key: str) -> Cursor:
    """The cursor in a request's query, or the beginning; 422 for one that this list did not give out."""
    place, seal = parameters.get(PLACE), parameters.get(SEAL)
    if place is None and seal is None:
        return Cursor()
    if place is None or seal is None or not hmac.compare_digest(seal.encode(), _seal(place, listing, key).encode()):
        raise Refusal(422, "The parameter search_after is invalid.")
    return Cursor(*json.loads(urlsafe_b64decode(place)))


@dataclass(frozen=True)
class Links:
    """Makes links as the PIM's options say.

    Attributes:
        options: The PIM's options.
        origin: Scheme, host and port that the request came to.
    """

    options: Options
    origin: str

    def absolute(self, path: str) -> str:
        """A link to an item or a file."""
        return f"{self.options.link_origin or self.origin}{self.options.base_path}{path}"

    def to_page(self, path: str, parameters: Mapping[str, str]) -> str:
        """A link to a page of a list."""
        if self.options.forget_parameters:
            parameters = {name: value for name, value in parameters.items() if name not in LISTING_PARAMETERS}
        query = urlencode(parameters)
        if self.options.relative_links == "query":
            return f"?{query}"
        path = f"{self.options.base_path}{path}" if self.options.relative_links == "path" else self.absolute(path)
        return f"{path}?{query}" if query else path


def page(fetch: Fetch, path: str, parameters: Mapping[str, str], key: str, links: Links) -> dict[str, Any]:
    """A page of a list.

    Args:
        fetch: Gives a slice of the list from behind a key, of a size.
        path: Path of the list, percent-encoded.
        parameters: Query of the request.
        key: The PIM's key for cursors.
        links: Makes the links; knows the PIM's options.
    """
    options = links.options
    cursor = cursor_of(parameters, path, key)
    if options.empty_pages and cursor.number % (options.empty_pages + 1) == 0:
        rest = fetch(cursor.after, 1)
        found = Slice([], cursor.after, full=False, more=rest.full)
    else:
        found = fetch(cursor.after, options.page_size)
    own = {name: parameters[name] for name in LISTING_PARAMETERS if name in parameters}
    cursors = {name: parameters[name] for name in (PLACE, SEAL) if name in parameters}
    hrefs = {"self": links.to_page(path, {**cursors, **own}), "first": links.to_page(path, own)}
    if found.more or (found.full and options.full_last_page_has_next):
        onward = Cursor(found.last, cursor.number + 1).parameters(path, key)
        hrefs["next"] = links.to_page(path, {**onward, **own})
    return {
        "_links": {name: {"href": href} for name, href in hrefs.items()},
        "_embedded": {options.items_key: as_php_sends(found.records, options)},
    }
