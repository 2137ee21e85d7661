"""The demo's page: its file, and the same in a real browser."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from tap_akeneo_assets.media.paths import stored_path
from tap_akeneo_assets.media.rows import media_rows
from tap_akeneo_assets.records.assets import Asset
from tap_akeneo_assets.records.values import attribute_info
from tap_akeneo_assets.sandbox import Pim, demo_pim
from tap_akeneo_assets.sandbox.hostile import save_hostile_files
from tests.chromium import Page, chromium
from tests.pims import value
from tests.support import value_records

sys.path.append(str(Path(__file__).parents[1] / "demo"))
from gallery import write_gallery

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">&amp;\"'"


def tables_of(pim: Pim, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What the tap makes of a PIM, its files stored in a folder."""
    tables: dict[str, list[dict[str, Any]]] = {"asset_families": pim.families().records}
    tables |= {name: [] for name in ("asset_attributes", "attribute_options", "assets", "asset_values")}
    tables["asset_media_files"] = []
    for family in pim.families().records:
        parent = {"asset_family_code": family["code"]}
        infos = {record["code"]: attribute_info(record) for record in pim.attributes(family["code"])}
        for attribute in pim.attributes(family["code"]):
            tables["asset_attributes"].append({**attribute, **parent})
            if attribute["type"].endswith(("_option", "_options")):
                tables["attribute_options"] += [
                    {**option, **parent, "attribute_code": attribute["code"]}
                    for option in pim.attribute_options(family["code"], attribute["code"])
                ]
        for found in pim.assets(family["code"]).records:
            asset = {**found, **parent}
            tables["assets"].append(asset)
            tables["asset_values"] += value_records(asset, infos, set())
            tables["asset_media_files"] += [
                stored(pim, row, folder) for row in media_rows(Asset(asset), family["code"], infos)
            ]
    return tables


def stored(pim: Pim, row: dict[str, Any], folder: Path) -> dict[str, Any]:
    file = pim.media_file(row["media_file_code"])
    if file is None:
        return row
    path = stored_path(row["asset_family_code"], row["media_file_code"])
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(file.content)
    return {**row, "stored_path": path, "stored_size": len(file.content)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name must be encoded, with the files of a PIM and the page of it."""
    folder = tmp_path_factory.mktemp("media #1 100% ü")
    pim = demo_pim(3, 8)
    save_hostile_files(pim)
    pim.save_family("evil", labels={"en_US": EVIL})
    pim.save_attribute("evil", "title", type="text", labels={"en_US": EVIL})
    pim.save_attribute("evil", "color", type="single_option", labels={"en_US": EVIL})
    pim.save_attribute("evil", "link", type="media_link", prefix="", suffix="")
    pim.save_attribute("evil", "file", type="media_file")
    pim.save_option("evil", "color", EVIL, labels={"en_US": EVIL})
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><script>alert(1)</script></svg>"
    code = pim.save_media_file(f"{EVIL}.svg", svg, code=f"{EVIL}.svg")
    pim.save_asset(
        "evil",
        EVIL,
        {
            "title": [value(EVIL), value("Größe Ünïcode", "fr_FR")],
            "color": [value(EVIL)],
            "link": [value("javascript:document.title='run'")],
            "file": [value(code), value("0/gone.png", "fr_FR")],
        },
    )
    write_gallery(folder / "gallery.html", tables_of(pim, folder))
    return folder


class Tags(HTMLParser):
    """All tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_but_the_files_beside_it(folder: Path) -> None:
    tags = Tags((folder / "gallery.html").read_text("utf-8")).tags
    assert [attributes for tag, attributes in tags if tag == "script"] == [{}]
    assert not [tag for tag, _ in tags if tag in ("link", "iframe", "object", "embed", "base")]
    sources = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert len(sources) > 40
    assert all((folder / unquote(source or "")).is_file() for source in sources)
    links = [attributes["href"] or "" for tag, attributes in tags if tag == "a"]
    assert all(link.startswith("https://") or (folder / unquote(link)).is_file() for link in links)
    assert not [link for link in links if link.endswith(".svg")], "it could run a script of its own"


def test_nothing_of_the_pim_is_a_tag(folder: Path) -> None:
    for tag, attributes in Tags((folder / "gallery.html").read_text("utf-8")).tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)


def shown(**tables: list[dict[str, Any]]) -> str:
    """The text of a page, in one line."""
    page = Path("gallery.html")
    write_gallery(page, tables)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text("utf-8").split("<main>")[1].split("<script>")[0]))


def test_values_are_shown_by_their_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = {"asset_family_code": "f", "asset_code": "a", "locale": None, "channel": None, "asset_updated": "u"}
    values: list[dict[str, Any]] = [
        {"attribute_code": "colors", "option_codes": ["red", "blue"]},
        {"attribute_code": "ready", "boolean_value": False, "raw_value": "false"},
        {"attribute_code": "width", "number_value": Decimal("12.50"), "raw_value": '"12.50"'},
        {"attribute_code": "guides", "raw_value": '["one_guide", "two_guide"]'},
        {"attribute_code": "odd", "raw_value": '{"x": 1}'},
        {"attribute_code": "old", "text_value": "removed long ago", "asset_updated": "before"},
        {"attribute_code": "deleted", "text_value": "deleted", "_sdc_deleted_at": "2026"},
    ]
    text = shown(
        asset_families=[{"code": "f", "labels": None}, {"code": "empty", "labels": {"fr_FR": "Vide"}}],
        assets=[{"asset_family_code": "f", "code": "a", "updated": "u"}],
        asset_attributes=[{"asset_family_code": "f", "code": "width", "labels": {"en_US": "Width in mm"}}],
        attribute_options=[
            {"asset_family_code": "f", "attribute_code": "colors", "code": "red", "labels": {"en_US": "Deep red"}}
        ],
        asset_values=[{"value_key": row["attribute_code"], **place, **row} for row in values],
    )
    for words in ("Deep red", "blue", "ready No", "Width in mm 12.50", "one_guide two_guide", "{&quot;x&quot;: 1}"):
        assert words in text
    assert "removed" not in text
    assert "deleted" not in text
    assert "Vide" not in text


def test_tables_that_are_missing_are_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown().strip() == ""
    assert "a" in shown(asset_families=[{"code": "f"}], assets=[{"asset_family_code": "f", "code": "a"}])


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


@pytest.fixture(params=[1200, 360], ids=["wide", "phone"])
def page(browser: Page, folder: Path, request: pytest.FixtureRequest) -> Page:
    browser.open((folder / "gallery.html").as_uri(), width=request.param)
    return browser


def test_every_image_loads(page: Page) -> None:
    broken = page.run("[...document.images].filter((i) => !(i.complete && i.naturalWidth)).map((i) => i.src)")
    assert broken == []
    assert page.run("document.images.length") > 40


def test_what_looks_like_a_script_is_text(page: Page) -> None:
    assert page.run("document.title") == "Assets"
    assert page.run("[...document.querySelectorAll('h3')].some((h) => h.textContent.startsWith('<script>'))")
    assert page.run("document.querySelectorAll('script').length") == 1
    assert not [
        message for message in page.messages if message["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")
    ]


def test_the_page_fits(page: Page) -> None:
    page.run("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")


VISIBLE = "[...document.querySelectorAll('article')].filter((a) => a.offsetParent).map((a) => a.dataset.family)"


def test_the_filter_works(page: Page) -> None:
    def choose(family: str, text: str) -> list[str]:
        for name, chosen in (("family", family), ("text", text)):
            page.run(f"(e => {{ e.value = {chosen!r}; e.dispatchEvent(new Event('input')) }})({name})")
        visible: list[str] = page.run(VISIBLE)
        assert page.run("shown.textContent").startswith(f"{len(visible)} of ")
        return visible

    everything = choose("", "")
    assert set(everything) == {"packshots", "user_guides", "brand_logos", "hostile_files", "evil"}
    assert choose("packshots", "") == ["packshots"] * 8
    assert page.run("[...document.querySelectorAll('h2')].filter((h) => h.offsetParent).length") == 1
    some = choose("packshots", "STEEL bottle")
    assert some
    assert len(some) < 8
    assert choose("", "grÖße unicode") == ["evil"]
    assert choose("", "no such words") == []
    assert choose("", "") == everything
