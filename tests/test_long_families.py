"""Laws of families that are cut into ranges: what that costs, and that it does not slow the others down."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tap_akeneo_assets.extract.assets import SAMPLE_PAGES
from tap_akeneo_assets.extract.fetcher import ANSWERS_PER_THREAD
from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.pim import Pim
from tap_akeneo_assets.sandbox.server import serve
from tests.support import sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_akeneo_assets.sandbox.records import RequestRecord

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAGE = 10


def filled(pages: Mapping[str, int]) -> Pim:
    """A PIM with families of so many pages, whose assets were saved in another order than that of their codes."""
    pim = Pim(Options(clock=lambda: NOON, page_size=PAGE))
    for family, its_pages in pages.items():
        pim.save_family(family)
        hours = list(range(PAGE * its_pages))
        random.Random(family).shuffle(hours)  # noqa: S311  # data, no secret
        for number, hour in enumerate(hours):
            pim.save_asset(family, f"asset_{number:04}", {}, updated=NOON - timedelta(days=300, hours=hour))
    return pim


def lists_of_assets(pages: Mapping[str, int], workers: int) -> Sequence[RequestRecord]:
    """The requests for lists of assets of a run that finds them all."""
    pim = filled(pages)
    with serve(pim) as server:
        run = sync(server.url, max_concurrency=workers, max_requests_per_second=0)
    assert run.status == 0
    assert len(run.records["assets"]) == PAGE * sum(pages.values())
    return [request for request in pim.requests if request.route == "assets"]


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("pages", [1, 4, 10, 18, 33, 40])
def test_where_families_are_many_cutting_costs_a_third_of_the_requests_at_most(pages: int, workers: int) -> None:
    families = {f"family_{number}": pages for number in range(workers)}
    assert len(lists_of_assets(families, workers)) <= workers * (4 / 3 * pages + 1)


def test_few_answers_wait_while_it_is_found_out_which_families_are_long() -> None:
    """While many answers are held, one request at a time is in flight; so a probe must not wait for other families."""
    probed: set[str | None] = set()
    pages: Counter[str | None] = Counter()
    most = 0
    for request in lists_of_assets({f"family_{number:02}": 7 for number in range(20)}, workers := 2):
        if "search=" not in request.query:
            pages[request.family] += 1
            probed.discard(request.family)
        elif "search_after" not in request.query and pages[request.family] <= SAMPLE_PAGES:
            probed.add(request.family)
        most = max(most, len(probed))
    assert 0 < most <= ANSWERS_PER_THREAD * workers
