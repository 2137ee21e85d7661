"""Histories of a PIM and of runs of the tap, kills and faults included, and what must hold after them.

Whenever changes stop, one incremental run makes all that lives in the PIM right, and a full one all tables.
"""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tap_akeneo_assets.sandbox.faults import Faults
from tap_akeneo_assets.sandbox.server import serve
from tests.convergence.interference import FAULTS, SHORT, Event, Meddler, Plan, Trouble
from tests.convergence.target import Warehouse
from tests.convergence.world import Change, World
from tests.expected import KEYS, by_key, records_of
from tests.support import FrequentTap, full_table, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_akeneo_assets.sandbox.records import RequestRecord
    from tests.support import Outcome

Record = dict[str, Any]

FAMILIES = ("bags", "shoes", "user_guides")
ASSETS = tuple(f"asset_{number:02}" for number in range(48))
OFTEN = ("save", "import", "delete_value", "delete_asset")
SELDOM = ("new_family", "delete_family", "hide_family", "new_attribute")

exercised: Counter[str] = Counter()


class EagerTap(FrequentTap):
    """A tap that writes a STATE whenever it can, and of which each instance is newer by a second."""

    _starts = itertools.count(1_000, 1_000)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  # as its base takes them
        self._started = next(self._starts)
        super().__init__(**kwargs)

    @property
    def initialized_at(self) -> int:
        return self._started


class SeldomTap(EagerTap):
    """One that writes a STATE now and then."""

    state_records = 20


@cache
def catalog(*, with_values: bool, full: bool) -> Record:
    selected = select(*streams(with_values=with_values))
    return full_table(selected) if full else selected


def streams(*, with_values: bool) -> list[str]:
    return [stream for stream in KEYS if with_values or stream != "asset_values"]


# Histories

families = st.sampled_from(FAMILIES)
changes = st.builds(
    Change,
    st.sampled_from(OFTEN * 3 + SELDOM),
    families,
    st.lists(st.sampled_from(ASSETS), min_size=1, max_size=9, unique=True),
)
fills = st.tuples(st.sampled_from([3, 16, len(ASSETS)]), st.sampled_from([0, SHORT, 7, 3_600]))
numbers = st.integers(1, 30)
times = st.sampled_from([0, 0.001, SHORT, 1, 7, 60, 400, 4_000, 25 * 3_600])
plans = st.builds(
    Plan,
    full=st.sampled_from([False, False, True]),
    activate=st.booleans(),
    frequent=st.booleans(),
    events=st.lists(st.builds(Event, numbers, st.booleans(), changes, times), max_size=4),
    trouble=st.none() | st.builds(Trouble, families, st.sampled_from(sorted(FAULTS)), st.integers(1, 6)),
    refusing=st.none() | numbers,
    sick=st.sampled_from([False, False, False, True]),
    killed=st.none() | st.floats(0, 1),
    flushed=st.booleans(),
)
lookbacks_and_lags = st.sampled_from([0, 1, 60, 600]).flatmap(
    lambda lookback: st.tuples(st.just(lookback), st.sampled_from([0, lookback / 2, lookback]))
)
variants = st.fixed_dictionaries(
    {
        "pim_version": st.sampled_from(["5.0", "6.0", "saas", "saas"]),
        "page_size": st.integers(2, 4),
        "full_last_page_has_next": st.booleans(),
        "empty_pages": st.sampled_from([0, 0, 1, 3]),
        "relative_links": st.sampled_from(["absolute", "path", "query"]),
        "forget_parameters": st.booleans(),
        "index_serves_all": st.booleans(),
        "index_holds_assets": st.booleans(),
        "updated_offset_hours": st.sampled_from([0, 0, -7, 5.5]),
    }
)


class Histories(RuleBasedStateMachine):
    """A PIM, a target, and runs between them."""

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()

    @initialize(
        year=st.sampled_from([2011, 2026, 2044]),
        variant=variants,
        lookback_and_lag=lookbacks_and_lags,
        max_concurrency=st.integers(1, 4),
        with_values=st.booleans(),
        fills=st.tuples(*[fills] * len(FAMILIES)),
    )
    def begin(  # noqa: PLR0913
        self,
        *,
        year: int,
        variant: Record,
        lookback_and_lag: tuple[int, float],
        max_concurrency: int,
        with_values: bool,
        fills: Sequence[tuple[int, float]],
    ) -> None:
        lookback, self.lag = lookback_and_lag
        self.world = World(datetime(year, 3, 1, 12, tzinfo=UTC), {**variant, "index_lag": self.lag})
        for family, (amount, gap) in zip(FAMILIES, fills, strict=True):
            self.world.fill(family, ASSETS[:amount], gap)
        self.url = self.resources.enter_context(serve(self.world.pim)).url
        self.warehouse = Warehouse()
        self.with_values = with_values
        self.streams = streams(with_values=with_values)
        self.settings = {
            "lookback_seconds": lookback,
            "max_concurrency": max_concurrency,
            "max_requests_per_second": 0,
            "max_retries": 0,
        }

    def teardown(self) -> None:
        self.resources.close()

    # Rules

    @rule(several=st.lists(changes, min_size=1, max_size=4))
    def change(self, several: list[Change]) -> None:
        for change in several:
            self.world.apply(change)

    @rule(family=families, fill=fills)
    def fill(self, family: str, fill: tuple[int, float]) -> None:
        amount, gap = fill
        self.world.fill(family, ASSETS[:amount], gap)

    @rule(seconds=times)
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(plan=plans)
    def sync(self, plan: Plan) -> None:
        self.run(plan)

    @rule(family=families, fill=fills, killed=st.floats(0.3, 1), several=st.lists(changes, max_size=2), plan=plans)
    def resume_after_a_kill(
        self, family: str, fill: tuple[int, float], killed: float, several: list[Change], plan: Plan
    ) -> None:
        self.fill(family, fill)
        self.run(Plan(killed=killed))
        self.change(several)
        self.run(plan)

    @rule(refused=st.booleans())
    def lose_cursors(self, *, refused: bool) -> None:
        """Cursors get too old, or the PIM forgets them."""
        if refused:
            self.world.pim.refuse_cursors()
        else:
            self.world.pass_time(25 * 3_600)

    @rule(trouble=st.builds(Trouble, families, st.sampled_from(sorted(FAULTS)), st.integers(1, 4)))
    def others_go_on(self, trouble: Trouble) -> None:
        """A failing family fails the run and keeps its bookmark, and all others are right after it."""
        self.settle()
        for _ in range(1 + bool(self.warehouse.unfinished)):
            before = self.bookmark(trouble.family)
            failed = self.run(Plan(trouble=trouble)).status
            assert not failed or self.bookmark(trouble.family) == before
        self.check_what_lives(but=trouble.family)

    @rule()
    def incremental_makes_right_what_lives(self) -> None:
        self.settle()
        for _ in range(1 + bool(self.warehouse.unfinished)):
            self.run(Plan())
        self.check_what_lives()
        assert not self.warehouse.unfinished
        assert not self.world.families or self.warehouse.partitions.keys() <= self.world.families.keys()

    @rule()
    def full_makes_right_all_tables(self) -> None:
        self.settle()
        for _ in range(1 + bool(self.warehouse.unfinished)):
            self.run(Plan(full=True, activate=True))
        for stream, records in records_of(self.world.pim).items():
            if records and stream in self.streams:  # an empty answer is no proof that all is gone
                assert self.warehouse.rows(stream) == by_key(stream, records), stream

    # Parts of rules

    def bookmark(self, family: str) -> object:
        return self.warehouse.partitions.get(family, {}).get("replication_key_value")

    def settle(self) -> None:
        """Changes stop, and the index catches up."""
        self.world.pim.options.hidden_families = frozenset()
        self.world.pass_time(self.lag + 1)

    def run(self, plan: Plan) -> Outcome:
        """Run the tap, and let the target load what it writes."""
        world, pim = self.world, self.world.pim
        meddler = Meddler(world, plan, many_at_once=self.settings["max_concurrency"] > 1)
        pim.faults = Faults().always(None, meddler)
        pim.options.index_sick = plan.sick
        note_age(self.warehouse.unfinished, world.now)
        asked = len(pim.requests)
        run = sync(
            self.url,
            state=self.warehouse.state,
            catalog=catalog(with_values=self.with_values, full=plan.full),
            tap_class=EagerTap if plan.frequent else SeldomTap,
            emit_activate_version_messages=plan.activate,
            **self.settings,
        )
        pim.faults, pim.options.index_sick = None, False
        self.check_run(run, meddler)
        note_requests(pim.requests[asked:])
        self.deliver(run, plan)
        return run

    def deliver(self, run: Outcome, plan: Plan) -> None:
        """Give the target what was written until the kill."""
        messages = run.messages
        if plan.killed is not None:
            messages = messages[: int(plan.killed * len(messages))]
            states = [number for number, message in enumerate(messages) if message["type"] == "STATE"]
            if not plan.flushed:
                messages = messages[: states[-1] + 1 if states else 0]
            exercised["killed between two STATEs"] += bool(states)
        self.warehouse.load(messages)

    def check_run(self, run: Outcome, meddler: Meddler) -> None:
        """What holds of each run."""
        assert not meddler.endless
        assert run.status == 0 or meddler.met
        assert set(run.schemas) == set(self.streams)
        assert self.world.pim.max_in_flight <= self.settings["max_concurrency"]
        for message in run.of_type("STATE"):
            for partition in message["value"]["bookmarks"].get("assets", {}).get("partitions", []):
                value = partition.get("replication_key_value")
                assert value is None or datetime.fromisoformat(value) <= self.world.now

    def check_what_lives(self, but: str = "") -> None:
        expected = records_of(self.world.pim)
        for stream in self.streams:
            rows = self.warehouse.rows(stream)
            for key, record in by_key(stream, expected[stream]).items():
                if key[0] != but or stream not in ("assets", "asset_values"):
                    assert rows.get(key) == record, stream


def note_age(unfinished: dict[str, Record], now: datetime) -> None:
    for kept in unfinished.values():
        age = now - datetime.fromisoformat(kept["began"] or "0001-01-01T00:00:00Z")
        exercised["a listing too old to be resumed"] += age > timedelta(hours=24)


def note_requests(requests: Iterable[RequestRecord]) -> None:
    """Count what of the tap's ways to read a family a run has gone."""
    by_family: dict[str, list[RequestRecord]] = {}
    for request in requests:
        if request.route == "assets" and request.family:
            by_family.setdefault(request.family, []).append(request)
    for asked in by_family.values():
        queries = [unquote_plus(request.query) for request in asked]
        ranges = [number for number, query in enumerate(queries) if '"<"' in query]
        exercised["ranges"] += bool(ranges)
        exercised["catching up after ranges"] += bool(ranges) and "search_after" not in queries[-1]
        exercised["resumed"] += "search_after" in queries[0]
        exercised["ranges resumed"] += "search_after" in queries[0] and '"<"' in queries[0]
        exercised["a cursor refused"] += any(request.status == 422 for request in asked)


# The campaigns


def campaign(examples: int, *, derandomize: bool = False) -> None:
    exercised.clear()
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            derandomize=derandomize,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert {"catching up after ranges", "resumed", "killed between two STATEs", "ranges"} <= {
        name for name, count in exercised.items() if count
    }


def test_tables_converge() -> None:
    campaign(20, derandomize=True)


@pytest.mark.long
def test_tables_converge_in_many_more_histories() -> None:
    campaign(600)
