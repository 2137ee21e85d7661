"""A page that shows what is in the tables: families, assets, their pictures and values. One file, without a server."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Row = dict[str, Any]

LANGUAGE = "en_US"
PICTURES = ("png", "jpg", "jpeg", "gif", "webp", "avif", "bmp", "svg")
# What a browser shows without running anything that is inside it.
OPENED = ("png", "jpg", "jpeg", "gif", "webp", "avif", "bmp", "pdf", "mp4", "webm", "mp3", "txt")

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
header { position: sticky; top: 0; z-index: 1; padding: .7rem 1rem; background: Canvas; }
header { border-bottom: 1px solid var(--line); }
header form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
h1 { font-size: 1.1rem; margin: 0 .5rem 0 0; }
input, select { font: inherit; padding: .4rem .6rem; min-width: 0; flex: 1 1 11rem; }
main { padding: 0 1rem 3rem; }
h2 { font-size: 1.15rem; margin: 1.6rem 0 .6rem; }
h2 small, .code, .scope { font-weight: normal; font-size: .8rem; opacity: .7; }
.grid { display: grid; gap: 1rem; align-items: start; }
.grid { grid-template-columns: repeat(auto-fill, minmax(min(16rem, 100%), 1fr)); }
article { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem; }
h3 { font-size: 1rem; margin: .4rem 0 0; }
.pictures { display: flex; gap: .5rem; overflow-x: auto; }
figure { margin: 0; flex: none; max-width: 100%; }
figure img { display: block; height: 96px; max-width: 100%; object-fit: contain; }
figure img { background: #fff; border-radius: .3rem; }
figcaption { font-size: .75rem; opacity: .75; max-width: 9rem; }
dl { margin: .4rem 0 0; font-size: .9rem; }
dt { margin-top: .4rem; font-weight: 600; }
dd { margin: 0; white-space: pre-line; }
.chip { display: inline-block; padding: 0 .5rem; margin: .1rem .2rem .1rem 0; }
.chip { border-radius: 1rem; background: var(--soft); }
summary { cursor: pointer; margin-top: .5rem; font-size: .9rem; }
[hidden] { display: none !important; }
"""

SCRIPT = """
const family = document.getElementById("family");
const text = document.getElementById("text");
const plain = (words) => words.normalize("NFKD").replace(/\\p{M}/gu, "").toLowerCase();
const assets = [...document.querySelectorAll("article")].map((element) => [element, plain(element.textContent)]);
function filter() {
  const words = plain(text.value).split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const [element, content] of assets) {
    const its = !family.value || element.dataset.family === family.value;
    const fits = its && words.every((word) => content.includes(word));
    element.hidden = !fits;
    shown += fits;
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = !section.querySelector("article:not([hidden])");
  }
  document.getElementById("shown").textContent = `${shown} of ${assets.length} assets`;
}
family.addEventListener("input", filter);
text.addEventListener("input", filter);
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
filter();
"""


def write_gallery(path: Path, tables: Mapping[str, Sequence[Row]]) -> None:
    """Write a page of all assets.

    Args:
        path: of the page. It is to lie in the folder that is `media_storage`, beside the files that it shows.
        tables: rows of the tables that the tap's streams made, by stream; those that are missing are taken for empty.
    """
    path.write_text(_Gallery(tables).page(), "utf-8", "replace")


class _Gallery:
    def __init__(self, tables: Mapping[str, Sequence[Row]]) -> None:
        def rows(stream: str) -> list[Row]:
            return [row for row in tables.get(stream, ()) if not row.get("_sdc_deleted_at")]

        self._families = sorted(rows("asset_families"), key=_label)
        self._assets = _grouped(sorted(rows("assets"), key=lambda row: str(row["code"])), "asset_family_code")
        updated = {(row["asset_family_code"], row["code"]): row.get("updated") for row in rows("assets")}

        def current(stream: str) -> dict[tuple[Any, ...], list[Row]]:
            """A value that was removed keeps its row, with the time when it was last seen."""
            by_asset = _grouped(rows(stream), "asset_family_code", "asset_code")
            return {
                key: [row for row in found if row.get("asset_updated") == updated.get(key)]
                for key, found in by_asset.items()
            }

        self._values, self._files = current("asset_values"), current("asset_media_files")
        self._attributes = {(row["asset_family_code"], row["code"]): _label(row) for row in rows("asset_attributes")}
        self._options = {
            (row["asset_family_code"], row["attribute_code"], row["code"]): _label(row)
            for row in rows("attribute_options")
        }

    def page(self) -> str:
        choices = "".join(
            f'<option value="{escape(str(family["code"]))}">{escape(_label(family))}</option>'
            for family in self._families
        )
        sections = "".join(map(self._section, self._families))
        digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            # Whatever a PIM holds, no script but the one below runs.
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"script-src 'sha256-{digest}'; object-src 'none'; "
            "base-uri 'none'; form-action 'none'\">"
            '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Assets</title>'
            f"<style>{STYLE}</style></head><body><header><form><h1>Assets</h1>"
            f'<select id="family" aria-label="Family"><option value="">All families</option>{choices}</select>'
            '<input id="text" type="search" placeholder="Filter by text" aria-label="Filter by text">'
            f'<output id="shown"></output></form></header><main>{sections}</main><script>{SCRIPT}</script>'
            "</body></html>\n"
        )

    def _section(self, family: Row) -> str:
        assets = self._assets.get((family["code"],), [])
        if not assets:
            return ""
        articles = "".join(map(self._article, assets))
        heading = f"{escape(_label(family))} <small>{escape(str(family['code']))}, {len(assets)} assets</small>"
        return f'<section><h2>{heading}</h2><div class="grid">{articles}</div></section>'

    def _article(self, asset: Row) -> str:
        family, code = str(asset["asset_family_code"]), str(asset["code"])
        files = sorted(self._files.get((family, code), ()), key=lambda row: str(row["value_key"]))
        values = sorted(self._values.get((family, code), ()), key=lambda row: (self._attribute(row), row["value_key"]))
        title = next((row["text_value"] for row in values if row.get("text_value") and _is_title(row)), None)
        pictures = "".join(self._figure(row, code) for row in files if row.get("stored_path") and _is_picture(row))
        others = "".join(
            f"<div>{self._file(row)}</div>" for row in files if not (row.get("stored_path") and _is_picture(row))
        )
        listed = "".join(map(self._value, values))
        return (
            f'<article data-family="{escape(family)}"><div class="pictures">{pictures}</div>'
            f'<h3>{escape(str(title or code))}</h3><div class="code">{escape(code)}</div>{others}'
            + (f"<details><summary>{len(values)} values</summary><dl>{listed}</dl></details>" if values else "")
            + "</article>"
        )

    def _attribute(self, row: Row) -> str:
        return self._attributes.get((row["asset_family_code"], row["attribute_code"])) or str(row["attribute_code"])

    def _figure(self, row: Row, code: str) -> str:
        caption = f"{self._attribute(row)} {_scope(row)}".strip()
        image = f'<img src="{_address(row)}" alt="{escape(f"{code}: {caption}")}">'
        if _extension(row) in OPENED:
            image = f'<a href="{_address(row)}">{image}</a>'
        return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"

    def _file(self, row: Row) -> str:
        name = escape(str(row.get("original_filename") or row.get("media_file_code")))
        caption = escape(f"{self._attribute(row)} {_scope(row)}".strip())
        if not row.get("stored_path"):
            return f'<span class="scope">{caption}: {name}, not stored</span>'
        shown = f'<a href="{_address(row)}">{name}</a>' if _extension(row) in OPENED else name
        return f'{shown} <span class="scope">{caption}, {row["stored_size"]} bytes</span>'

    def _value(self, row: Row) -> str:
        scope = _scope(row)
        badge = f' <span class="scope">{escape(scope)}</span>' if scope else ""
        return f"<dt>{escape(self._attribute(row))}{badge}</dt><dd>{self._shown(row)}</dd>"

    def _shown(self, row: Row) -> str:
        """A value as HTML, by its typed column."""
        if row.get("option_codes") is not None:
            key = row["asset_family_code"], row["attribute_code"]
            return _chips(self._options.get((*key, code)) or code for code in row["option_codes"])
        if row.get("boolean_value") is not None:
            return "Yes" if row["boolean_value"] else "No"
        if row.get("media_url") and str(row["media_url"]).startswith(("https://", "http://")):
            url = escape(str(row["media_url"]))
            return f'<a href="{url}" rel="noreferrer">{url}</a>'
        for column in ("text_value", "number_value", "date_value", "record_code", "media_file_code"):
            if row.get(column) is not None:
                return escape(str(row[column]))
        return _raw(row.get("raw_value"))


def _raw(text: object) -> str:
    try:
        data = json.loads(str(text))
    except ValueError:
        return escape(str(text))
    if isinstance(data, list) and all(isinstance(item, str) for item in data):
        return _chips(data)
    return escape(data if isinstance(data, str) else str(text))


def _chips(texts: Iterable[object]) -> str:
    return "".join(f'<span class="chip">{escape(str(text))}</span>' for text in texts)


def _grouped(rows: Iterable[Row], *columns: str) -> dict[tuple[Any, ...], list[Row]]:
    found: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[column] for column in columns)].append(row)
    return found


def _label(row: Row) -> str:
    labels = row.get("labels") or {}
    return str(labels.get(LANGUAGE) or next(filter(None, labels.values()), None) or row["code"])


def _scope(row: Row) -> str:
    return ", ".join(str(row[name]) for name in ("locale", "channel") if row.get(name))


def _is_title(row: Row) -> bool:
    return row["attribute_code"] in ("title", "name", "label") and row.get("locale") in (None, LANGUAGE)


def _extension(row: Row) -> str:
    return str(row.get("stored_path") or "").rpartition(".")[2].lower()


def _is_picture(row: Row) -> bool:
    return _extension(row) in PICTURES


def _address(row: Row) -> str:
    return escape(quote(str(row["stored_path"])))
