"""Media files: paths, rows and what an answer is worth; all pure."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_akeneo_assets import schemas
from tap_akeneo_assets.errors import NotTheFile
from tap_akeneo_assets.media.checks import Expected, Received, is_vouched_for
from tap_akeneo_assets.media.paths import stored_path
from tap_akeneo_assets.media.rows import media_rows, name_in_code
from tap_akeneo_assets.records.assets import Asset
from tap_akeneo_assets.records.values import AttributeInfo
from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.hostile import HOSTILE_CODES
from tests.support import value_records

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox.options import PimVersion

README = Path(__file__).parent.with_name("README.md").read_text("utf-8")
LAWS = settings(deadline=None, max_examples=300)
NORMAL = "0/8/a/1/08a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3_red_mug.png"
# Words that mean something to one system or another, and letters between them.
PIECES = st.one_of(
    st.sampled_from(
        ["..", ".", "/", "//", "\\", "C:", "\0", "nul", "CON", "com1.txt", ":stream", "%2F", "-", "~", " "]
    ),
    st.sampled_from(["a", "A", "é", "e\u0301", "ß", "ss", "SS", "\u0130", "\u212a", "k", "\ud83d", "\u2026"]),
    st.sampled_from(["x.png", ".PNG", "~" + "0" * 32, "x" * 300]),
    st.text(max_size=4),
)
CODES = st.lists(PIECES, max_size=6).map("".join)
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)", re.IGNORECASE)


def folded(path: str) -> str:
    """A path as a file system sees it that ignores case and the form of accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


@LAWS
@given(CODES, CODES)
def test_a_path_never_leads_outside_and_is_sound_everywhere(family: str, code: str) -> None:
    path = stored_path(family, code)
    assert path == stored_path(family, code)
    assert len(path.encode("utf-8", "strict")) < 500
    first, *rest = path.split("/")
    assert rest
    assert "." not in first, "else a family could be the folder in which the tap keeps its own"
    for name in (first, *rest):
        assert 0 < len(name.encode()) < 255
        assert name not in (".", "..")
        assert not RESERVED.match(name)
        assert not set(name) & set('<>:"|?*\\\0')
        assert name.isprintable()
        assert not name.endswith((".", " "))
        assert not name.startswith((".", " "))
    assert not PurePosixPath(path).is_absolute()
    assert not PureWindowsPath(path).is_absolute()
    assert not PureWindowsPath(path).drive


@LAWS
@given(st.lists(st.tuples(CODES, CODES), min_size=2, max_size=8, unique=True))
def test_two_codes_never_share_a_path_nor_stand_in_each_others_way(codes: list[tuple[str, str]]) -> None:
    paths = [folded(stored_path(*pair)) for pair in codes]
    assert len(set(paths)) == len(paths)
    assert not [(one, other) for one in paths for other in paths if other.startswith(f"{one}/")]


@pytest.mark.parametrize(
    "variants",
    [
        [
            "a/b.png",
            "A/b.png",
            "a/B.png",
            "a/b.PNG",
            "a/b.png.",
            "a/b.png ",
            "a//b.png",
            "/a/b.png",
            "a\\b.png",
            "a/b.png/",
        ],
        ["x/été.png", "x/e\u0301te\u0301.png", "x/ete.png", "x/ÉTÉ.png", "x/_t_.png"],
        ["a", "a/b", "a/b/c", "a.png", "a.png/b.png", ""],
        ["../x.png", "..\\x.png", "x.png", "/x.png", "C:/x.png", "C:x.png", "./x.png", "%2e%2e/x.png"],
        ["nul", "NUL", "nul.png", "con/x.png", "com1.tar.gz"],
        [f"{'x' * 300}.png", f"{'x' * 301}.png", f"{'x' * 299}.png", f"{'x/' * 300}a.png"],
        list(HOSTILE_CODES),
    ],
)
def test_codes_that_look_alike_have_paths_that_differ(variants: list[str]) -> None:
    assert len({folded(stored_path("f", code)) for code in variants}) == len(variants)
    assert len({folded(stored_path(code, "0/a.png")) for code in variants}) == len(variants)


def test_a_path_that_is_made_for_one_code_is_not_the_path_of_another() -> None:
    path = stored_path("f", "a/B.png").removeprefix("f/")
    assert stored_path("f", path) != f"f/{path}"


def test_a_normal_code_is_its_own_path() -> None:
    assert stored_path("packshots", NORMAL) == f"packshots/{NORMAL}"
    assert re.fullmatch(
        r"Marken~[0-9a-f]{32}/0/8/a/1/IMG_Etoile_1~[0-9a-f]{32}\.JPG", stored_path("Marken", "0/8/a/1/IMG_Étoile 1.JPG")
    )


def test_the_name_of_a_file_is_what_stands_behind_the_hash() -> None:
    assert name_in_code(NORMAL) == "red_mug.png"
    assert name_in_code("0/0/9/d/009d_a_b.png") == "a_b.png"
    assert name_in_code("0/0/9/d/face_cream.png") == "face_cream.png"
    assert name_in_code("face_cream.png") == "face_cream.png"
    assert name_in_code("folder/") == "folder/"


ATTRIBUTES = {"picture": AttributeInfo("media_file"), "title": AttributeInfo("text")}


def asset(*values: dict[str, Any], attribute: str = "picture") -> dict[str, Any]:
    return {
        "asset_family_code": "f",
        "code": "a",
        "updated": "2026-01-31T10:00:00+00:00",
        "values": {attribute: list(values)},
    }


def test_a_row_of_saas_has_all_that_the_pim_tells() -> None:
    linked = {
        "size": 12,
        "mime_type": "image/png",
        "extension": "png",
        "original_filename": "Red mug.png",
        "updated_at": "x",
    }
    value = {
        "locale": "en_US",
        "channel": "print",
        "data": NORMAL,
        "attribute_type": "media_file",
        "linked_data": linked,
        "_links": {"download": {"href": "https://other/x"}, "share_link": {"href": "https://pim/share/x"}},
    }
    [row] = media_rows(Asset(asset(value)), "f", None)
    assert row == {
        "asset_family_code": "f",
        "asset_code": "a",
        "value_key": "picture-en_US-print",
        "attribute_code": "picture",
        "locale": "en_US",
        "channel": "print",
        "media_file_code": NORMAL,
        "original_filename": "Red mug.png",
        "mime_type": "image/png",
        "extension": "png",
        "size": 12,
        "asset_updated": "2026-01-31T10:00:00+00:00",
        "share_url": "https://pim/share/x",
        "sha256": None,
        "stored_path": None,
        "stored_size": None,
        "stored_at": None,
    }
    assert list(row) == list(schemas.ASSET_MEDIA_FILES["properties"])


def test_a_row_of_an_older_pim_has_what_the_code_tells() -> None:
    [row] = media_rows(Asset(asset({"locale": None, "channel": None, "data": NORMAL})), "f", ATTRIBUTES)
    told = {
        name: row[name] for name in ("value_key", "original_filename", "extension", "mime_type", "size", "share_url")
    }
    assert told == {
        "value_key": "picture",
        "original_filename": "red_mug.png",
        "extension": "png",
        "mime_type": None,
        "size": None,
        "share_url": None,
    }


@pytest.mark.parametrize("data", [None, "", [], ["a.png"], {"a": 1}, True])
def test_a_value_that_names_no_file_has_no_row(data: object) -> None:
    assert list(media_rows(Asset(asset({"data": data})), "f", ATTRIBUTES)) == []


def test_other_types_and_unknown_attributes_have_no_rows() -> None:
    assert list(media_rows(Asset(asset({"data": "x"}, attribute="title")), "f", ATTRIBUTES)) == []
    assert list(media_rows(Asset(asset({"data": "x"}, attribute="gone")), "f", ATTRIBUTES)) == []
    assert list(media_rows(Asset(asset({"data": "x"})), "f", {})) == []
    assert list(media_rows(Asset({"asset_family_code": "f", "code": "a"}), "f", None)) == []


@pytest.mark.parametrize(
    "linked", [None, {}, {"0": 1}, {"size": "12.5"}, {"size": -1, "mime_type": None, "extension": 7}]
)
def test_odd_linked_data_harms_nothing(linked: object) -> None:
    [row] = media_rows(Asset(asset({"data": 7, "linked_data": linked, "_links": []})), "f", ATTRIBUTES)
    Draft202012Validator(schemas.ASSET_MEDIA_FILES).validate(row)
    assert (row["media_file_code"], row["size"]) == ("7", None)


@pytest.mark.parametrize("version", ["3.2", "6.0", "saas"])
def test_there_is_a_row_for_each_file_that_values_name(version: PimVersion) -> None:
    pim = demo_pim(3, 20, options=Options(pim_version=version))
    count = 0
    for family in pim.families().records:
        infos = {record["code"]: AttributeInfo(record["type"]) for record in pim.attributes(family["code"])}
        for found in pim.assets(family["code"]).records:
            record = {**found, "asset_family_code": family["code"]}
            rows = list(media_rows(Asset(record), record["asset_family_code"], infos))
            named = [row for row in value_records(record, infos, set()) if row["media_file_code"]]
            same = (
                "asset_family_code",
                "asset_code",
                "value_key",
                "locale",
                "channel",
                "media_file_code",
                "asset_updated",
            )
            assert [[row[name] for name in same] for row in rows] == [[row[name] for name in same] for row in named]
            Draft202012Validator(schemas.ASSET_MEDIA_FILES).validate(rows[0])
            for row in rows:
                file = pim.media_file(row["media_file_code"])
                assert file
                assert row["size"] == (len(file.content) if version == "saas" else None)
                assert row["extension"] == file.original_filename.rpartition(".")[2]
            count += len(rows)
    assert count > 60


PNG = b"\x89PNG and more"
PAGE = b"\n<!DOCTYPE html><html><form><input type=password></form>"


def judge(body: bytes, headers: dict[str, str], expected: Expected | None = None) -> bool:
    return is_vouched_for(expected or Expected(), headers, Received(len(body), "", body))


def length(body: bytes, **more: str) -> dict[str, str]:
    return {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in more.items()}}


def test_a_length_of_the_pim_or_of_the_answer_vouches_for_a_body() -> None:
    assert judge(PNG, length(PNG))
    assert judge(PNG, {"content-length": f"{len(PNG)}, {len(PNG)}"})
    assert judge(PNG, {}, Expected(len(PNG)))
    assert judge(PNG, {"Transfer-Encoding": "chunked"})
    assert judge(b"", {"Content-Length": "0"})
    assert judge(b"", {"Content-Length": "0"}, Expected(0))


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Length": "x"}, {"Content-Length": ""}, {"Content-Length": "3, 4"}, {"Content-Length": "-3"}],
)
def test_nothing_vouches_for_a_body_without_any_length(headers: dict[str, str]) -> None:
    assert not judge(PNG, headers)
    assert not judge(b"", headers)


def test_a_length_of_compressed_bytes_says_nothing() -> None:
    assert not judge(PNG, {"Content-Length": "3", "Content-Encoding": "gzip"})
    assert judge(PNG, {"Content-Length": "3", "Content-Encoding": "gzip"}, Expected(len(PNG)))


@pytest.mark.parametrize("expected", [Expected(), Expected(len(PNG))])
def test_a_body_of_another_length_is_not_the_file(expected: Expected) -> None:
    with pytest.raises(NotTheFile):
        judge(PNG[:-1], length(PNG), expected)
    with pytest.raises(NotTheFile):
        judge(PNG + b"x", length(PNG), expected)


@pytest.mark.parametrize("body", [b"", PNG[:-1], PNG * 2])
def test_a_body_of_another_size_than_the_pim_says_is_not_the_file(body: bytes) -> None:
    with pytest.raises(NotTheFile):
        judge(body, length(body), Expected(len(PNG)))


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"])
def test_a_page_is_not_the_file(kind: str) -> None:
    for size in (None, len(PAGE)):
        with pytest.raises(NotTheFile):
            judge(PAGE, length(PAGE, Content_Type=kind), Expected(size))
    with pytest.raises(NotTheFile):
        judge(PNG, length(PNG, Content_Type=kind))


def test_a_page_under_another_type_is_not_the_file_unless_it_has_its_size() -> None:
    headers = length(PAGE, Content_Type="text/plain")
    with pytest.raises(NotTheFile):
        judge(PAGE, headers)
    assert judge(PAGE, headers, Expected(len(PAGE)))


def test_a_picture_under_a_wrong_type_is_believed_where_it_has_its_size() -> None:
    assert judge(PNG, length(PNG, Content_Type="text/html"), Expected(len(PNG)))


@pytest.mark.parametrize(
    "row", [{"mime_type": "text/html"}, {"extension": "HTM"}, {"extension": "xhtml", "size": None}]
)
def test_a_page_is_a_file_where_one_is_due(row: dict[str, object]) -> None:
    assert judge(PAGE, length(PAGE, Content_Type="text/html"), Expected.of(row))


TEXT = b"upstream temporarily out of service"


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=utf-8"])
def test_a_text_is_not_a_picture(kind: str) -> None:
    picture = Expected.of({"extension": "PNG"})
    with pytest.raises(NotTheFile):
        judge(TEXT, length(TEXT, Content_Type=kind), picture)
    assert judge(PNG, length(PNG, Content_Type="application/octet-stream"), picture)
    assert judge(PNG, length(PNG), picture)
    assert judge(TEXT, length(TEXT, Content_Type=kind), Expected.of({"extension": "txt"}))
    assert judge(TEXT, length(TEXT, Content_Type=kind), Expected.of({"extension": None}))
    assert judge(PNG, length(PNG, Content_Type=kind), Expected.of({"extension": "png", "size": len(PNG)}))


def test_svg_begins_with_a_tag() -> None:
    with pytest.raises(NotTheFile):
        judge(TEXT, length(TEXT), Expected.of({"extension": "svg"}))
    assert judge(b"", {"Content-Length": "0"}, Expected.of({"extension": "svg"}))
    assert judge(b"\xef\xbb\xbf<svg/>", length(b"\xef\xbb\xbf<svg/>"), Expected.of({"extension": "svg"}))


def test_svg_is_no_page() -> None:
    body = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    assert judge(body, length(body, Content_Type="image/svg+xml"))


def test_the_readme_lists_the_columns() -> None:
    section = README.split("\n## Files\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
    assert dict(rows) == {
        name: column["description"] for name, column in schemas.ASSET_MEDIA_FILES["properties"].items()
    }
