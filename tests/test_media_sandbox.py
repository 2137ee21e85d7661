"""The sandbox's media files: pictures that differ, codes that lead astray, links to other hosts, faults."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
import requests

from tap_akeneo_assets.errors import NotTheFile
from tap_akeneo_assets.media.checks import Expected, Received, is_vouched_for
from tap_akeneo_assets.media.rows import media_rows
from tap_akeneo_assets.records.assets import Asset
from tap_akeneo_assets.sandbox import Options, Pim, demo_pim
from tap_akeneo_assets.sandbox.cli import main
from tap_akeneo_assets.sandbox.faults import Faults, cut, empty, gone, login_page
from tap_akeneo_assets.sandbox.hostile import HOSTILE_CODES, save_hostile_files
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.sandbox.tokens import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_akeneo_assets.sandbox.faults import Fault
    from tap_akeneo_assets.sandbox.options import PimVersion


def file_rows(pim: Pim) -> list[dict[str, object]]:
    return [
        row
        for family in pim.families().records
        for asset in pim.assets(family["code"]).records
        for row in media_rows(Asset(dict(asset)), family["code"], None)
    ]


def asker(url: str) -> Callable[[str], requests.Response]:
    session = requests.Session()
    grant = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    answer = session.post(f"{url}/api/oauth/v1/token", json=grant, auth=(CLIENT_ID, CLIENT_SECRET), timeout=10)
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ask(path: str) -> requests.Response:
        # By hand, since `requests` would resolve `..`.
        request = requests.Request("GET", url, headers=dict(session.headers)).prepare()
        request.url = f"{url}/api/rest/v1/asset-media-files/{path}"
        return session.send(request, timeout=10, allow_redirects=False)

    return ask


def encoded(code: str) -> str:
    return "/".join(quote(part, safe="").replace(".", "%2E") for part in code.split("/"))


def test_no_two_pictures_are_equal() -> None:
    pim = demo_pim(3, 60)
    contents = [file.content for row in file_rows(pim) if (file := pim.media_file(str(row["media_file_code"])))]
    assert len(contents) > 400
    assert len({hashlib.sha256(content).digest() for content in contents}) == len(contents)


def test_every_hostile_code_is_served_with_its_own_bytes() -> None:
    pim = Pim()
    files = save_hostile_files(pim)
    assert len(set(files.values())) == len(HOSTILE_CODES) == len(file_rows(pim))
    with serve(pim) as server:
        ask = asker(server.url)
        assert {code: ask(encoded(code)).content for code in files} == files


def test_links_may_name_another_host() -> None:
    pim = demo_pim(3, 5, options=Options(link_origin="https://cdn.example"))
    with serve(pim) as server:
        ask = asker(server.url)
        assert ask("../asset-families/packshots/assets").status_code == 404
        code = next(str(row["media_file_code"]) for row in file_rows(pim))
        session = ask(code)
    assert session.status_code == 200
    assert pim.requests[-1].host == urlsplit(server.url).netloc


def test_some_files_are_gone_always_the_same() -> None:
    pim = demo_pim(3, 20)
    pim.faults = Faults().always("media_file", gone(0.3))
    codes = [str(row["media_file_code"]) for row in file_rows(pim)]
    with serve(pim) as server:
        ask = asker(server.url)
        first = {code for code in codes if ask(code).status_code == 404}
        assert first == {code for code in codes if ask(code).status_code == 404}
    assert 0.1 < len(first) / len(codes) < 0.5
    assert all(row["size"] for row in file_rows(pim)), "the database still tells of them"


@pytest.mark.parametrize("version", ["saas", "6.0"])
@pytest.mark.parametrize("fault", [empty(), login_page(), cut("closed"), cut("closed", 0)])
def test_no_faulty_answer_is_vouched_for(fault: Fault, version: PimVersion) -> None:
    pim = demo_pim(3, 3, options=Options(pim_version=version))
    code = pim.assets("packshots").records[0]["values"]["picture"][0]["data"]
    file = pim.media_file(code)
    assert file
    pim.faults = Faults().always("media_file", fault)
    with serve(pim) as server:
        answer = asker(server.url)(code)
    received = Received(len(answer.content), hashlib.sha256(answer.content).hexdigest(), answer.content[:1024])
    if version == "saas":
        with pytest.raises(NotTheFile):
            is_vouched_for(Expected(len(file.content)), answer.headers, received)
    elif answer.headers.get("Content-Length") == "0":
        assert is_vouched_for(Expected(), answer.headers, received), "nobody can tell it from an empty file"
    elif received.start.startswith(b"<!DOCTYPE"):
        with pytest.raises(NotTheFile):
            is_vouched_for(Expected(), answer.headers, received)
    else:
        assert not is_vouched_for(Expected(), answer.headers, received)


def test_the_command_line_offers_hostile_and_missing_files(capfd: pytest.CaptureFixture[str]) -> None:
    command = "import os; print(os.environ['TAP_AKENEO_ASSETS_API_URL'])"
    options = ["--assets=3", "--hostile-files", "--missing-files=0.5", "--fault-rate=0"]
    assert main(["run", *options, "--", "python3", "-c", command]) == 0
    assert capfd.readouterr().out.startswith("http://127.0.0.1:")
