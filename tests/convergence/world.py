"""A PIM whose data change, and its clock."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_akeneo_assets.sandbox import Options, Pim

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class Change(NamedTuple):
    """Something that happens in the PIM."""

    kind: str
    family: str
    assets: Sequence[str]


@dataclass
class KnownFamily:
    """What the world knows of a family: its attributes, and the live assets with the attributes that have values."""

    attributes: list[str] = field(default_factory=lambda: ["title"])
    assets: dict[str, list[str]] = field(default_factory=dict)


class World:
    """A PIM, and its clock, which goes on only when a history says so."""

    def __init__(self, now: datetime, options: dict[str, Any]) -> None:
        self.now = now
        self.pim = Pim(Options(clock=lambda: self.now, **options))
        self.families: dict[str, KnownFamily] = {}
        self._serial = itertools.count(1)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def fill(self, code: str, assets: Sequence[str], gap: float) -> None:
        """Save assets one after the other."""
        self.apply(Change("new_family", code, []))
        for asset in assets:
            self.apply(Change("save", code, [asset]))
            self.pass_time(gap)

    def apply(self, change: Change) -> None:
        """Let something happen, if it can."""
        code, options = change.family, self.pim.options
        with self.pim.lock:
            family = self.families.get(code)
            if change.kind == "hide_family":
                options.hidden_families ^= {code}
            elif family is not None:
                self._apply_to(code, family, change)
            elif change.kind == "new_family":
                self.families[code] = KnownFamily()
                self.pim.save_family(code)
                self.pim.save_attribute(code, "title", type="text")

    def _apply_to(self, code: str, family: KnownFamily, change: Change) -> None:
        live = [asset for asset in change.assets if asset in family.assets]
        if change.kind == "save":
            self._save(code, family, change.assets[0])
        elif change.kind in ("import", "new_attribute"):
            if change.kind == "new_attribute":
                family.attributes.append(f"number_{next(self._serial)}")
                self.pim.save_attribute(code, family.attributes[-1], type="number")
            for asset in change.assets:
                self._save(code, family, asset)
        elif change.kind == "delete_value":
            for asset in filter(family.assets.get, live):
                self.pim.delete_value(code, asset, family.assets[asset].pop(), None, None)
        elif change.kind == "delete_asset":
            for asset in live:
                self.pim.delete_asset(code, asset)
                del family.assets[asset]
        elif change.kind == "delete_family":
            self.pim.delete_family(code)
            del self.families[code]

    def _save(self, code: str, family: KnownFamily, asset: str) -> None:
        data, attributes = str(next(self._serial)), family.attributes[-3:]
        self.pim.save_asset(
            code, asset, {attribute: [{"locale": None, "channel": None, "data": data}] for attribute in attributes}
        )
        family.assets[asset] = attributes
