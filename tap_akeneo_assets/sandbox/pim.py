"""The PIM's memory: families, attributes, options, assets, media files, tokens; a plain object, safe under threads."""

import hashlib
import mimetypes
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import RLock
from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.sandbox import edits, shapes
from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.records import AssetState, MediaFile, Record, RequestRecord, Slice
from tap_akeneo_assets.sandbox.refusal import Refusal
from tap_akeneo_assets.sandbox.search import Context, parse
from tap_akeneo_assets.sandbox.tokens import CLIENT_SECRET, PASSWORD, Tokens

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox.faults import Faults

Values = Mapping[str, list[Record]]
_TYPES = mimetypes.MimeTypes()


@dataclass(slots=True)
class StoredAsset:
    """All states of an asset, oldest first; the index may be some states behind."""

    states: list[AssetState]

    def at(self, moment: float) -> AssetState | None:
        """The newest state saved by `moment`."""
        return next((state for state in reversed(self.states) if state.saved <= moment), None)


@dataclass
class StoredFamily:
    """A family and all below it; `live` leads from an asset's code to its internal key, by which lists are ordered."""

    record: Record
    attributes: dict[str, Record] = field(default_factory=dict)
    options: dict[str, dict[str, Record]] = field(default_factory=dict)
    stored: dict[str, StoredAsset] = field(default_factory=dict)
    live: dict[str, str] = field(default_factory=dict)
    order: list[str] | None = None

    def keys_after(self, key: str) -> Iterator[str]:
        """Internal keys of all assets, deleted ones too, from behind `key` on."""
        order = self.order = self.order or sorted(self.stored)
        return (order[position] for position in range(bisect_right(order, key), len(order)))


class Pim:
    """An Akeneo PIM as far as the Asset Manager's API shows it.

    What is handed in belongs to the PIM from then on: it is neither copied nor may it be changed.

    Attributes:
        options: Version and variants; may be changed at any time.
        tokens: Tokens given out.
        faults: What goes wrong on purpose, if anything does (see `faults.py`).
        requests: Every request so far, oldest first.
        max_in_flight: The most requests that were ever being answered at once.
        on_request: Called with each request before it is answered, so that a test may change the PIM between two
            pages. It runs on the server's threads.
        cursor_key: What cursors are sealed with.
        lock: Held while the memory is read or changed; hold it to make several changes at once.
    """

    def __init__(self, options: Options | None = None) -> None:
        """Start empty."""
        self.options = options or Options()
        self.tokens = Tokens(self.now)
        self.faults: Faults | None = None
        self.requests: list[RequestRecord] = []
        self.max_in_flight = 0
        self.on_request: Callable[[RequestRecord], None] | None = None
        self.lock = RLock()
        self.cursor_key = "1"
        self._in_flight = 0
        self._serial = 0
        self._families: dict[str, StoredFamily] = {}
        self._media: dict[str, MediaFile] = {}

    def now(self) -> float:
        """The PIM's time in seconds since 1970."""
        return self.options.clock().timestamp()

    def secrets(self) -> list[str]:
        """All that must never be seen in a log: the sandbox's credentials and every token it gave out."""
        return [CLIENT_SECRET, PASSWORD, *self.tokens.issued]

    def refuse_cursors(self) -> None:
        """Refuse, with 422, all cursors given out so far."""
        self.cursor_key = str(int(self.cursor_key) + 1)

    # Requests, as the server sees them.

    def begin(self, request: RequestRecord) -> None:
        """Note that a request came in."""
        with self.lock:
            self.requests.append(request)
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)

    def end(self) -> None:
        """Note that a request was answered."""
        with self.lock:
            self._in_flight -= 1

    # Families, attributes and options.

    def save_family(self, code: str, **fields: Any) -> None:  # noqa: ANN401 (fields of the API's family)
        """Make a family, or change the given fields of one."""
        with self.lock:
            family = self._families.setdefault(code, StoredFamily({"code": code, "labels": {}}))
            family.record = {**family.record, **fields}

    def delete_family(self, code: str) -> None:
        """Delete a family and all below it."""
        with self.lock:
            del self._families[code]

    def save_attribute(self, family: str, code: str, **fields: Any) -> None:  # noqa: ANN401 (fields of the API's attribute)
        """Make an attribute of a family, or change the given fields of one; `type` is needed to make one."""
        with self.lock:
            attributes = self._families[family].attributes
            attributes[code] = {"code": code, "labels": {}, **attributes.get(code, {}), **fields}

    def delete_attribute(self, family: str, code: str) -> None:
        """Delete an attribute; its values go with it, and no asset's `updated` tells."""
        with self.lock:
            del self._families[family].attributes[code]
            self._families[family].options.pop(code, None)
            self._thin_out(self._families[family], lambda attribute, _: attribute != code)

    def save_option(self, family: str, attribute: str, code: str, **fields: Any) -> None:  # noqa: ANN401 (fields of the API's option)
        """Make an option of an attribute, or change the given fields of one."""
        with self.lock:
            options = self._families[family].options.setdefault(attribute, {})
            options[code] = {"code": code, "labels": {}, **options.get(code, {}), **fields}

    def delete_option(self, family: str, attribute: str, code: str) -> None:
        """Delete an option of an attribute."""
        with self.lock:
            del self._families[family].options[attribute][code]

    def deactivate_locale(self, locale: str) -> None:
        """Take a locale's values away from all assets; no asset's `updated` tells."""
        with self.lock:
            for family in self._families.values():
                self._thin_out(family, lambda _, value: value.get("locale") != locale)

    # Assets.

    def save_asset(
        self,
        family: str,
        code: str,
        values: Values,
        *,
        created: datetime | None = None,
        updated: datetime | None = None,
    ) -> None:
        """Make an asset, or replace all values of one.

        Args:
            family: Code of its family.
            code: Its code.
            values: As the API shows them: attribute code → list of `{"locale", "channel", "data"}`.
            created: When it was made, if that is not now by the PIM's clock.
            updated: When it was changed, likewise.
        """
        with self.lock:
            stored = self._families[family]
            saved = updated.timestamp() if updated else self.now()
            key = stored.live.get(code)
            if key is None:
                self._serial += 1
                key = hashlib.sha1(f"{self._serial}".encode(), usedforsecurity=False).hexdigest()
                stored.live[code] = key
                stored.stored[key] = StoredAsset([])
                stored.order = None
            states = stored.stored[key].states
            made = int(created.timestamp()) if created else states[0].created if states else int(saved)
            states.append(AssetState(code, int(saved), values, made, saved))

    def patch_asset(self, family: str, code: str, body: object) -> bool:
        """Change the values that a body of the API names, or make the asset; whether it is a new one.

        404 for a family that there is not or that is hidden, 422 for a body that cannot be.
        """
        with self.lock:
            stored = self._visible(family)
            new = edits.new_values(body, code, stored.attributes)
            is_new = code not in stored.live
            old = {} if is_new else self._state(stored.record["code"], code).values
            self.save_asset(stored.record["code"], code, edits.merged(old, new))
            return is_new

    def remove_asset(self, family: str, code: str) -> None:
        """Delete an asset as the API does; 404 if there is none."""
        with self.lock:
            stored = self._visible(family)
            if code not in stored.live:
                raise Refusal(404, f'Asset "{code}" does not exist for the asset family "{family}".')
            self.delete_asset(stored.record["code"], code)

    def delete_value(self, family: str, code: str, attribute: str, locale: str | None, channel: str | None) -> None:
        """Take one value away from an asset."""
        with self.lock:
            values = dict(self._state(family, code).values)
            values[attribute] = [
                value for value in values[attribute] if (value.get("locale"), value.get("channel")) != (locale, channel)
            ]
            self.save_asset(family, code, {key: kept for key, kept in values.items() if kept})

    def delete_asset(self, family: str, code: str) -> None:
        """Delete an asset; the index finds it for `index_lag` more seconds."""
        with self.lock:
            state = replace(self._state(family, code), saved=self.now(), deleted=True)
            self._families[family].stored[self._families[family].live.pop(code)].states.append(state)

    def _state(self, family: str, code: str) -> AssetState:
        stored = self._families[family]
        return stored.stored[stored.live[code]].states[-1]

    @staticmethod
    def _thin_out(family: StoredFamily, keep: Callable[[str, Record], bool]) -> None:
        for key in family.live.values():
            states = family.stored[key].states
            values = {
                attribute: kept
                for attribute, rows in states[-1].values.items()
                if (kept := [value for value in rows if keep(attribute, value)])
            }
            states[-1] = replace(states[-1], values=values)

    # Media files.

    def save_media_file(
        self, filename: str, content: bytes, *, code: str | None = None, updated: datetime | None = None
    ) -> str:
        """Keep a file and give its code, such as `0/0/9/d/009d…_name.png`."""
        with self.lock:
            self._serial += 1
            moment = updated.timestamp() if updated else self.now()
            if code is None:
                digest = hashlib.sha1(f"{self._serial} {filename}".encode(), usedforsecurity=False).hexdigest()
                code = f"{'/'.join(digest[:4])}/{digest}_{re.sub('[^A-Za-z0-9.]', '_', filename)}"
            # Not what this machine's registry says.
            mime_type = _TYPES.guess_type(filename)[0] or "application/octet-stream"
            self._media[code] = MediaFile(content, filename, mime_type, int(moment))
            return code

    def delete_media_file(self, code: str) -> None:
        """Forget a file; assets that name it stay as they are."""
        with self.lock:
            del self._media[code]

    def media_file(self, code: str) -> MediaFile | None:
        """A media file, if there is one of this code."""
        return self._media.get(code)

    # What the API shows. `link` makes a link of a path; without it, values have no links.

    def _spelled(self, code: str, codes: Collection[str]) -> str:
        if not self.options.any_case or code in codes:
            return code
        return next((stored for stored in codes if stored.lower() == code.lower()), code)

    def _visible(self, family: str) -> StoredFamily:
        family = self._spelled(family, self._families.keys())
        if family not in self._families or family in self.options.hidden_families:
            raise Refusal(404, f'Asset family "{family}" does not exist.')
        return self._families[family]

    def families(self, after: str = "", size: int | None = None) -> Slice:
        """Families behind the code `after`."""
        with self.lock:
            codes = sorted(self._families.keys() - self.options.hidden_families)
            codes = codes[bisect_right(codes, after) :]
            shown = codes[:size]
            records = [shapes.family(self._families[code].record, self.options) for code in shown]
            return Slice(records, shown[-1] if shown else after, len(shown) == size, len(codes) > len(shown))

    def family(self, code: str) -> Record:
        """One family; 404 if there is none or it is hidden."""
        with self.lock:
            return shapes.family(self._visible(code).record, self.options)

    def attributes(self, family: str) -> list[Record]:
        """A family's attributes."""
        with self.lock:
            return [shapes.attribute(record, self.options) for record in self._visible(family).attributes.values()]

    def attribute_options(self, family: str, attribute: str) -> list[Record]:
        """An attribute's options; 404 for an attribute that is not there or, a guess, of a type without options."""
        with self.lock:
            stored = self._visible(family)
            record = stored.attributes.get(attribute)
            if record is None:
                raise Refusal(404, f'Attribute "{attribute}" does not exist for the asset family "{family}".')
            if record["type"] not in ("single_option", "multiple_options"):
                raise Refusal(404, f'Attribute "{attribute}" does not support options.')
            return list(stored.options.get(attribute, {}).values())

    def asset(self, family: str, code: str, view: shapes.View = shapes.WHOLE) -> Record:
        """One asset, always current; 404 if there is none."""
        with self.lock:
            stored = self._visible(family)
            code = self._spelled(code, stored.live.keys())
            if code not in stored.live:
                raise Refusal(404, f'Asset "{code}" does not exist for the asset family "{family}".')
            return self._show(stored, self._state(stored.record["code"], code), view)

    def assets(
        self,
        family: str,
        search: str | None = None,
        after: str = "",
        size: int | None = None,
        view: shapes.View = shapes.WHOLE,
    ) -> Slice:
        """Assets behind the internal key `after`.

        A filtered list comes from the index, which is as old as `index_lag` says; an unfiltered one from the
        database, unless `index_serves_all`.
        """
        with self.lock:
            stored = self._visible(family)
            found = parse(search, Context(self.options, self.now(), stored.attributes))
            from_index = found is not None or self.options.index_serves_all
            if from_index and self.options.index_sick:
                return Slice([], after, full=False, more=False)
            horizon = self.now() - self.options.index_lag if from_index and self.options.index_lag else None
            hits: list[tuple[str, AssetState]] = []
            more = False
            for key in stored.keys_after(after):
                asset = stored.stored[key]
                state = asset.states[-1] if horizon is None else asset.at(horizon)
                if state is None or state.deleted or (found and not found(state)):
                    continue
                if len(hits) == size:
                    more = True
                    break
                hits.append((key, state))
            last, full = hits[-1][0] if hits else after, len(hits) == size
            if from_index and not self.options.index_holds_assets:
                hits = [(key, stored.stored[key].states[-1]) for key, _ in hits]
            shown = [self._show(stored, state, view) for _, state in hits if not state.deleted]
            return Slice(shown, last, full, more)

    def _show(self, family: StoredFamily, state: AssetState, view: shapes.View) -> Record:
        around = shapes.Surroundings(family.record, family.attributes, self._media, self.options)
        return shapes.asset(state, around, view)
