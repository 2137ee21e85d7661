"""What can be chosen about a PIM: its version, and every variant that the API's documentation leaves open."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal, get_args

PimVersion = Literal["3.2", "4.0", "5.0", "6.0", "7.0", "saas"]

#: Rights of a connection's role, as the PIM's own settings page names them.
WEB_API = "Overall Web API access"
LIST_FAMILIES = "List asset families"
LIST_ASSETS = "List assets"


def utc_now() -> datetime:
    """The clock of a PIM whose clock is right."""
    return datetime.now(UTC)


@dataclass
class Options:
    """Choices about a PIM. All of them may be changed while it is being served.

    Attributes:
        pim_version: Version of the PIM; newer fields, filters and rights are not there in older ones.
        php_arrays: Empty objects come as `[]`.
        php_objects: Empty arrays come as `{}`.
        php_holes: Arrays come as objects with numbers for keys, one number missing.
        php_lists: Objects whose keys are `"0"`, `"1"`, … come as arrays.
        php_numbers: Numbers and codes made of digits come as JSON numbers.
        items_key: Name of the list in a page.
        page_size: Items in a page.
        full_last_page_has_next: A full last page has a `next`, which leads to an empty page.
        empty_pages: After this many pages comes an empty one with a `next`; 0 for never.
        relative_links: Whether links are absolute, a path, or only `?…`.
        link_origin: Origin of absolute links instead of the one asked, as of a PIM behind a proxy or a hostile one.
        forget_parameters: Links forget `search`, `channel`, `locales` and `with_asset_auto_tags`.
        base_path: Path that the PIM is mounted under, such as `/pim`.
        longest_url: Longest path and query, in bytes, that the web server takes; longer ones are answered 414.
        token_seconds: Life of an access token (`expires_in`).
        index_lag: Seconds by which the search index trails the database.
        index_serves_all: Lists without a filter come from the index too.
        index_holds_assets: Lists from the index show assets as the index has them; otherwise the index only finds
            them and the database shows them, so that deleted ones leave pages short.
        index_sick: The index finds nothing.
        updated_offset_hours: Hours by which `created` and `updated` are shown wrong; filters use the real ones.
        time_zone: Zone whose offset `created` and `updated` are shown with.
        clock: Gives the PIM's now; also the `Date` header.
        latency: Seconds before each answer.
        forbidden: Rights that the connection's role lacks.
        hidden_families: Codes of families that the connection's group may not see.
        any_case: Codes of families in paths and of assets in paths and filters are found in any case.
    """

    pim_version: PimVersion = "saas"
    php_arrays: bool = False
    php_objects: bool = False
    php_holes: bool = False
    php_lists: bool = False
    php_numbers: bool = False
    items_key: Literal["items", "_items"] = "items"
    page_size: int = 100
    full_last_page_has_next: bool = False
    empty_pages: int = 0
    relative_links: Literal["absolute", "path", "query"] = "absolute"
    link_origin: str | None = None
    forget_parameters: bool = False
    base_path: str = ""
    longest_url: int = 8190
    token_seconds: int = 3600
    index_lag: float = 0
    index_serves_all: bool = False
    index_holds_assets: bool = True
    index_sick: bool = False
    updated_offset_hours: float = 0
    time_zone: tzinfo = UTC
    clock: Callable[[], datetime] = utc_now
    latency: float = 0
    forbidden: frozenset[str] = frozenset()
    hidden_families: frozenset[str] = frozenset()
    any_case: bool = False

    def __post_init__(self) -> None:
        """Refuse a version that does not exist."""
        if self.pim_version not in get_args(PimVersion):
            raise ValueError(f"pim_version is one of {', '.join(get_args(PimVersion))}, not {self.pim_version!r}")

    @property
    def saas(self) -> bool:
        """Whether this is the SaaS edition."""
        return self.pim_version == "saas"

    def since(self, version: PimVersion) -> bool:
        """Whether something that came with `version` is there; SaaS has everything."""
        versions = get_args(PimVersion)
        return versions.index(self.pim_version) >= versions.index(version)

    def lacks(self, right: str) -> bool:
        """Whether the connection's role lacks a right; the two about assets are asked for from 6.0 on only."""
        return right in self.forbidden and (right == WEB_API or self.since("6.0"))
