"""A tap as the SDK's template gives it: REST streams, parents and children, nothing tuned.

python -m tests.benchmarks.template_tap --config config.json
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.pagination import BaseHATEOASPaginator

from tap_akeneo_assets import schemas

if TYPE_CHECKING:
    from urllib.parse import ParseResult

    import requests


class Paginator(BaseHATEOASPaginator):
    """Follows `_links.next`."""

    def get_next_url(self, response: requests.Response) -> str | None:
        """The next page's address."""
        answer = response.json()
        links = answer.get("_links", {}) if isinstance(answer, dict) else {}
        href: str | None = links.get("next", {}).get("href")
        return href


class TemplateStream(RESTStream[Any]):
    """What all streams share."""

    records_jsonpath = "$._embedded.items[*]"

    @property
    def url_base(self) -> str:
        """The API's root."""
        return f"{self.config['api_url']}/api/rest/v1"

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """A token that this benchmark's PIM takes."""
        return BearerTokenAuthenticator(token="token")  # noqa: S106  # nobody's

    def get_new_paginator(self) -> Paginator:
        """Follow links."""
        return Paginator()

    def get_url_params(self, context: Any, next_page_token: ParseResult | None) -> dict[str, Any]:  # noqa: ANN401, ARG002
        """The link's query."""
        return dict(parse_qsl(next_page_token.query)) if next_page_token else {}


class Families(TemplateStream):
    """Families."""

    name = "asset_families"
    path = "/asset-families"
    primary_keys = ("code",)
    schema = schemas.ASSET_FAMILIES

    def get_child_context(self, record: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002
        """A family's code."""
        return {"asset_family_code": record["code"]}


class Attributes(TemplateStream):
    """Attributes."""

    name = "asset_attributes"
    path = "/asset-families/{asset_family_code}/attributes"
    primary_keys = ("asset_family_code", "code")
    schema = schemas.ASSET_ATTRIBUTES
    parent_stream_type = Families
    records_jsonpath = "$[*]"


class Assets(TemplateStream):
    """Assets."""

    name = "assets"
    path = "/asset-families/{asset_family_code}/assets"
    primary_keys = ("asset_family_code", "code")
    replication_key = "updated"
    schema = schemas.ASSETS
    parent_stream_type = Families


class TemplateTap(Tap):
    """The tap."""

    name = "tap-template"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(th.Property("api_url", th.StringType)).to_dict()

    def discover_streams(self) -> list[TemplateStream]:
        """The streams."""
        return [Families(self), Attributes(self), Assets(self)]


if __name__ == "__main__":
    TemplateTap.cli()
