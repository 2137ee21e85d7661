"""The streams: what each is called, where it comes from, what makes a record of it unique."""

from __future__ import annotations

from tap_akeneo_assets import schemas
from tap_akeneo_assets.records.shapes import Shape
from tap_akeneo_assets.singer.root_stream import RootStream
from tap_akeneo_assets.singer.stream import AkeneoStream


class AssetFamilies(RootStream):
    """The families."""

    name = "asset_families"
    path = "/asset-families"
    primary_keys = ("code",)
    schema = schemas.ASSET_FAMILIES
    shape = Shape(schema)


class AssetAttributes(AkeneoStream):
    """The attributes of each family, at most 100."""

    name = "asset_attributes"
    path = "/asset-families/{asset_family_code}/attributes"
    primary_keys = ("asset_family_code", "code")
    parent_stream_type = AssetFamilies
    schema = schemas.ASSET_ATTRIBUTES
    shape = Shape(
        schema,
        rename={"asset_family_code": "linked_asset_family_code"},
        as_json=("default_value",),
        parents=("asset_family_code",),
    )


class AttributeOptions(AkeneoStream):
    """The options of each attribute that has some, at most 100."""

    name = "attribute_options"
    path = "/asset-families/{asset_family_code}/attributes/{attribute_code}/options"
    primary_keys = ("asset_family_code", "attribute_code", "code")
    parent_stream_type = AssetAttributes
    schema = schemas.ATTRIBUTE_OPTIONS
    shape = Shape(schema, parents=("asset_family_code", "attribute_code"))


class Assets(AkeneoStream):
    """The assets of each family, with their values as the API gives them."""

    name = "assets"
    path = "/asset-families/{asset_family_code}/assets"
    primary_keys = ("asset_family_code", "code")
    replication_key = "updated"
    parent_stream_type = AssetFamilies
    schema = schemas.ASSETS
    shape = Shape(schema, parents=("asset_family_code",))


class AssetValues(AkeneoStream):
    """Each value of each asset, typed as its attribute is; from the pages of `assets`."""

    name = "asset_values"
    primary_keys = ("asset_family_code", "asset_code", "value_key")
    parent_stream_type = Assets
    schema = schemas.ASSET_VALUES

    @property
    def replication_method(self) -> str:
        """That of `assets`: with incremental assets it is not all values that come."""
        return self.tap.stream("assets").replication_method


class AssetMediaFiles(AkeneoStream):
    """Each media file of each asset, stored if `media_storage` is set; from the pages of `assets`."""

    name = "asset_media_files"
    primary_keys = ("asset_family_code", "asset_code", "value_key")
    parent_stream_type = Assets
    selected_by_default = False
    schema = schemas.ASSET_MEDIA_FILES

    @property
    def replication_method(self) -> str:
        """That of `assets`: with incremental assets it is not all files that come."""
        return self.tap.stream("assets").replication_method
