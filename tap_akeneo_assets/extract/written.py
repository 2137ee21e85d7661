"""Which assets a run has written, so that it writes none twice. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_akeneo_assets.records.assets import Asset

# Enough for what is written before a family is cut, and for a small family whole; it bounds the memory of large ones.
MAX_REMEMBERED = 1_000


class WrittenAssets:
    """The assets of a family that have been written, by code and `updated`, as far as they are remembered.

    What changed in between has another `updated`, and is written again.
    """

    def __init__(self) -> None:
        self._updated: dict[str, str | None] = {}

    def new(self, assets: Sequence[Asset]) -> list[Asset]:
        """Those of some assets that have not been written; from now on they count as written."""
        if self._updated:
            assets = [asset for asset in assets if not asset.updated or self._updated.get(asset.code) != asset.updated]
        if len(self._updated) < MAX_REMEMBERED:
            self._updated.update((asset.code, asset.updated) for asset in assets if asset.updated)
        return list(assets)

    def add(self, updated: Mapping[str, str | None]) -> None:
        """Remember some more, whatever their number."""
        self._updated |= updated

    def clear(self) -> None:
        """Forget all, so that whatever comes is written."""
        self._updated.clear()


class WrittenCodes:
    """The same for a family of which some assets are read by their codes: each is written once.

    Attributes:
        codes: those written.
    """

    def __init__(self) -> None:
        self.codes: set[str] = set()

    def new(self, assets: Sequence[Asset]) -> list[Asset]:
        """Those of some assets that have not been written; from now on they count as written."""
        new = [asset for asset in assets if asset.code not in self.codes]
        self.codes.update(asset.code for asset in new)
        return new
