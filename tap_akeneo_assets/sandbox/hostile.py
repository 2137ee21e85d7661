"""Codes of media files as no one should make them: each may lead astray whoever makes a path or a URL of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_akeneo_assets.sandbox import pictures

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox.pim import Pim

HOSTILE_CODES = (
    "../../outside.png",
    "..",
    "/etc/outside.png",
    "//host/share/outside.png",
    "C:\\outside.png",
    "C:outside.png",
    "..\\..\\outside.png",
    "a/../../../outside.png",
    "0/1/nul\0byte.png",
    "nul",
    "con.png",
    "0/1/aux.tar.gz",
    f"0/1/{'long' * 75}.png",
    f"{'deep/' * 60}a.png",
    "0/1/trailing.png.",
    "0/1/trailing.png ",
    " leading.png",
    "0/1/caf\u00e9.png",
    "0/1/cafe\u0301.png",
    "0/1/Case.png",
    "0/1/case.png",
    "0/1/CASE.PNG",
    "0/1",
    "0/1/case.png/below.png",
    "0//1/case.png",
    "a b+c&d=e;f.png",
    "100%25.png",
    "%2e%2e%2foutside.png",
    "query?x=1#fragment.png",
    "<script>alert(1)</script>.png",
    "鞋🥿.png",
    "\u202egnp.exe",
    "line\nbreak.png",
    "quote\"'`$(x).png",
    ".tap-akeneo-assets/receipts/x.json",
    "gallery.html",
)


def save_hostile_files(pim: Pim, family: str = "hostile_files", attribute: str = "file") -> dict[str, bytes]:
    """Give a PIM a family with an asset per hostile code.

    Returns:
        The files' bytes, by their codes: pictures, no two of them equal.
    """
    pim.save_family(family, labels={"en_US": "Hostile <b>files</b>"}, attribute_as_main_media=attribute)
    pim.save_attribute(family, attribute, type="media_file", labels={"en_US": "File"})
    files: dict[str, bytes] = {}
    for number, code in enumerate(HOSTILE_CODES):
        files[code] = pictures.png("backpack", (120, 60, 140), str(number))
        pim.save_media_file(code.rpartition("/")[2] or code, files[code], code=code)
        pim.save_asset(family, f"file_{number:02}", {attribute: [{"locale": None, "channel": None, "data": code}]})
    return files
