"""The whole tap against a front server that compresses, sends more than one answer, drips, or refuses in HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, compressed, drip, front_server, interim, second_answer
from tap_akeneo_assets.sandbox.server import serve
from tests.support import HurryingTap, Outcome, sync, sync_pim

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox import Pim
    from tap_akeneo_assets.sandbox.faults import Fault


def small_pim() -> Pim:
    return demo_pim(4, 12, options=Options(page_size=3))


@pytest.mark.parametrize("route", [None, "token", "attributes", "options", "assets"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(interim(103), id="103"),
        pytest.param(interim(100, 102, 103, 102), id="several"),
        pytest.param(interim(102, delay=0.002), id="late"),
        pytest.param(second_answer(b'[{"code": "nobody", "labels": {}, "type": "text"}]'), id="second"),
        pytest.param(compressed(), id="compressed"),
    ],
)
def test_the_way_answers_come_changes_nothing(fault: Fault, route: str | None) -> None:
    with serve(small_pim()) as server:
        expected = in_any_order(sync(server.url))
        server.pim.faults = Faults().always(route, fault)
        run = sync(server.url, max_retries=0)
    assert run.status == 0
    assert in_any_order(run) == expected


def in_any_order(run: Outcome) -> dict[str, list[str]]:
    """The records of a run by stream."""
    return {stream: sorted(map(str, records)) for stream, records in run.records.items()}


def test_answers_that_drip_fail_their_family_only() -> None:
    pim = small_pim()
    pim.faults = Faults().always("attributes", drip(0.01), family="packshots")
    run = sync_pim(pim, max_retries=0, request_timeout_seconds=2)
    assert run.status == 1
    assert "no answer in time" in run.log
    assert " 'packshots' failed: " in run.log
    assert run.log.count(" failed: ") == 1
    assert len(run.records["asset_families"]) == 4


@pytest.mark.parametrize("route", ["token", "families", "assets"])
def test_a_front_server_that_refuses_is_named(route: str) -> None:
    pim = small_pim()
    pim.faults = Faults().always(route, front_server())
    run = sync_pim(pim, tap_class=HurryingTap)
    assert run.status == 1
    (line,) = [line for line in run.log.splitlines() if "403 Forbidden" in line]
    for words in ("not by the PIM", '"cloudflare"', '"Just a moment..."', "user_agent"):
        assert words in line
    assert "role" not in line
