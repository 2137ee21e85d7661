"""The same streams as the SDK's documentation would make them, fed from memory: what its own path writes."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, Tap

from tap_akeneo_assets import streams
from tap_akeneo_assets.tap import TapAkeneoAssets

from .support import Outcome, captured_stdout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

OURS = (streams.AssetFamilies, streams.AssetAttributes, streams.AttributeOptions, streams.Assets, streams.AssetValues)
NAMES_FOR_CHILDREN = {
    "asset_families": "asset_family_code",
    "asset_attributes": "attribute_code",
    "assets": "asset_code",
}


class StockStream(Stream):
    """A stream with nothing of its own but where its records come from."""

    rows: ClassVar[Sequence[dict[str, Any]]] = ()

    def get_records(self, context: Context | None) -> Iterable[Record]:
        for row in self.rows:
            if all(row[name] == code for name, code in (context or {}).items()):
                yield deepcopy(row)

    def generate_child_contexts(self, record: Record, context: Context | None) -> Iterable[Context | None]:
        if self.child_streams:
            yield {**(context or {}), NAMES_FOR_CHILDREN[self.name]: record["code"]}


class StockTap(Tap):
    """A tap of such streams."""

    name = "tap-akeneo-assets"
    config_jsonschema = TapAkeneoAssets.config_jsonschema
    types: ClassVar[Sequence[type[StockStream]]] = ()

    def discover_streams(self) -> Sequence[Stream]:
        return [kind(self) for kind in self.types]


def sync(records: Mapping[str, Sequence[dict[str, Any]]], catalog: dict[str, Any] | None, **config: Any) -> Outcome:  # noqa: ANN401
    """What the SDK writes for these records by stream.

    Its streams write a SCHEMA for each parent record; those that say the same are given once here.
    """
    types: dict[str, type[StockStream]] = {}
    for ours in OURS:
        parent = getattr(ours.parent_stream_type, "name", None)
        types[ours.name] = type(
            ours.__name__,
            (StockStream,),
            {
                "name": ours.name,
                "schema": ours.schema,
                "primary_keys": ours.primary_keys,
                "replication_key": ours.__dict__.get("replication_key"),
                "parent_stream_type": types[parent] if parent else None,
                "rows": records.get(ours.name, ()),
            },
        )
    catalog = deepcopy(catalog)
    if catalog:
        # The SDK refuses a map of a stream that is not selected.
        catalog["streams"] = [entry for entry in catalog["streams"] if entry["tap_stream_id"] in types]
    for entry in catalog["streams"] if catalog else ():
        if not entry.get("replication_key"):
            entry["replication_method"] = "FULL_TABLE"  # what is incremental without a key, the SDK cannot sync
    tap = type("TapOfTheseRecords", (StockTap,), {"types": tuple(types.values())})
    with captured_stdout() as output:
        tap(config={"api_url": "https://pim.example", **config}, catalog=catalog).sync_all()
        run = Outcome.of(output.getvalue(), 0)
    schemas: list[dict[str, Any]] = []
    for message in run.of_type("SCHEMA"):
        if message not in schemas:
            schemas.append(message)
    return Outcome([*schemas, *(message for message in run.messages if message["type"] != "SCHEMA")])
