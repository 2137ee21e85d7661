"""Shards: together they are the whole, and no two overlap."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_akeneo_assets.sandbox import demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, damaged
from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.settings import Settings, WrongSettings
from tap_akeneo_assets.shards import Shard

from .expected import KEYS, by_key
from .support import CREDENTIALS, full_table, select, sync, sync_pim

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox import Pim

FAMILIES = 12
SHARDS = ("1/3", "2/3", "3/3")


def many_families() -> Pim:
    return demo_pim(families=FAMILIES, assets=2, options=Options(page_size=5, link_origin="https://pim.example"))


def codes_of(pim: Pim) -> list[str]:
    return [family["code"] for family in sync_pim(pim).records["asset_families"]]


@given(code=st.text(), total=st.integers(1, 50))
def test_each_family_falls_to_one_shard(code: str, total: int) -> None:
    assert sum(Shard(number, total).holds(code) for number in range(1, total + 1)) == 1


@given(code=st.text(), total=st.integers(1, 50))
def test_codes_that_differ_in_case_only_fall_to_the_same_shard(code: str, total: int) -> None:
    for spelling in (code.upper(), code.lower(), code.title()):
        if spelling.casefold() == code.casefold():
            assert Shard(1, total).holds(spelling) == Shard(1, total).holds(code)


def test_where_a_family_falls_never_changes() -> None:
    # States of earlier versions rely on it.
    held = {
        code: [n for n in range(1, 5) if Shard(n, 4).holds(code)] for code in ("packshots", "Packshots", "é", "a b")
    }
    assert held == {"packshots": [2], "Packshots": [2], "é": [3], "a b": [4]}


@pytest.mark.parametrize("text", ["1/1", "1/4", "4/4", " 2/3 "])
def test_a_shard_reads_as_it_is_written(text: str) -> None:
    assert str(Shard.parse(text)) == text.strip()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0/4", "shard: '0/4' does not exist; the first of 4 is 1/4."),
        ("5/4", "shard: '5/4' does not exist; the first of 4 is 1/4."),
        ("1/0", "shard: '1/0' does not exist; the first of 4 is 1/4."),
        *((text, f"shard: {text!r} is no shard; 1/4 would be, for the first of four.") for text in ("x", "1", "-1/4")),
        ("1.5/4", "shard: '1.5/4' is no shard; 1/4 would be, for the first of four."),
        ("\u0661/4", "shard: '\u0661/4' is no shard; 1/4 would be, for the first of four."),
    ],
)
def test_a_shard_that_is_none(text: str, line: str) -> None:
    with pytest.raises(WrongSettings) as error:
        Settings.of({"api_url": "https://pim.example", **CREDENTIALS, "shard": text})
    assert error.value.lines == (line,)


def test_without_a_shard_everything_is_read() -> None:
    for shard in (None, ""):
        assert Settings.of({"api_url": "https://pim.example", **CREDENTIALS, "shard": shard}).shard is None


def test_shards_together_are_the_whole_and_do_not_overlap() -> None:
    pim = many_families()
    whole = sync_pim(pim)
    parts = [sync_pim(pim, shard=shard) for shard in SHARDS]
    for stream in KEYS:
        together = [record for part in parts for record in part.records[stream]]
        assert by_key(stream, together) == by_key(stream, whole.records[stream])
        assert len(together) == len(whole.records[stream])
    bookmarks = [part.bookmarks for part in parts]
    assert len(whole.bookmarks) == sum(map(len, bookmarks))
    assert set(whole.bookmarks) == set().union(*bookmarks)


def test_a_family_that_is_named_is_read_by_its_shard_alone() -> None:
    pim = many_families()
    names = codes_of(pim)[:5]
    asked = []
    for shard in SHARDS:
        pim.requests.clear()
        found = sync_pim(pim, shard=shard, asset_families=names)
        ours = {name for name in names if Shard.parse(shard).holds(name)}
        assert {family["code"] for family in found.records["asset_families"]} == ours
        asked += [str(request.family) for request in pim.requests if request.route == "family"]
    assert sorted(asked) == sorted(names)


def test_a_shard_activates_no_version() -> None:
    catalog = full_table(select(*KEYS))
    for shard in (*SHARDS, "1/1"):
        run = sync_pim(many_families(), shard=shard, catalog=deepcopy(catalog), emit_activate_version_messages=True)
        assert run.records["assets"]
        assert not run.of_type("ACTIVATE_VERSION")


def test_a_shard_without_families_is_no_failure() -> None:
    pim = demo_pim(families=1, assets=1)
    runs = [sync_pim(pim, shard=f"{number}/5") for number in range(1, 6)]
    assert [run.status for run in runs] == [0] * 5
    assert sorted(len(run.records["assets"]) for run in runs) == [0, 0, 0, 0, 1]
    assert all(run.schemas.keys() == set(KEYS) for run in runs)


def test_a_state_of_all_families_serves_each_shard() -> None:
    with serve(many_families()) as server:
        state = sync(server.url).state
        for shard in SHARDS:
            run = sync(server.url, state=deepcopy(state), shard=shard)
            # The demo's assets are older than the lookback.
            assert (run.status, run.records["assets"]) == (0, [])
            assert run.bookmarks.keys() == codes_of_state(state)


def test_a_family_that_is_gone_is_forgotten_by_each_shard() -> None:
    pim = many_families()
    with serve(pim) as server:
        state = sync(server.url).state
        gone = min(codes_of_state(state))
        pim.delete_family(gone)
        for shard in SHARDS:
            assert gone not in sync(server.url, state=deepcopy(state), shard=shard).bookmarks


def codes_of_state(state: dict[str, Any]) -> set[str]:
    return {partition["context"]["asset_family_code"] for partition in state["bookmarks"]["assets"]["partitions"]}


def test_a_family_that_is_damaged_fails_its_shard_alone() -> None:
    pim = many_families()
    code = codes_of(pim)[0]

    def damage(body: bytes) -> bytes:
        page = json.loads(body)
        for item in page["_embedded"]["items"]:
            if item["code"] == code:
                item["labels"] = 5
        return json.dumps(page).encode()

    pim.faults = Faults().always("families", damaged(damage))
    failed = [shard for shard in SHARDS if sync_pim(pim, shard=shard).status]
    assert failed == [shard for shard in SHARDS if Shard.parse(shard).holds(code)]
