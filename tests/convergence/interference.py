"""What happens in the PIM, and to its answers, while a run goes on."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from tap_akeneo_assets.sandbox.faults import circle, drop, not_json, status
from tap_akeneo_assets.sandbox.hangup import HangUp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Response

    from tap_akeneo_assets.sandbox.faults import Exchange, Fault
    from tests.convergence.world import Change, World

FAULTS: dict[str, Fault] = {"500": status(500), "no JSON": not_json(), "drop": drop(), "loop": circle("same")}
# What a run takes for a second at most, from a request to its answer.
SHORT = 0.3
MAX_REQUESTS = 1_000


class Event(NamedTuple):
    """What happens when the run's request of that number comes in, or when its answer is made but not yet sent.

    Then so much time passes; but while requests are on their way no more than what the tap takes for a second.
    """

    number: int
    answer_is_made: bool
    change: Change
    seconds: float


class Trouble(NamedTuple):
    """What a family's assets meet from its request of that number on."""

    family: str
    kind: str
    number: int


class Plan(NamedTuple):
    """A run, and what happens to it.

    `killed` is the part of its messages after which it is killed, and `flushed` whether the target keeps rows that no
    STATE vouches for; `refusing` is the number of the request from which on the PIM refuses all cursors given so far.
    """

    full: bool = False
    activate: bool = False
    frequent: bool = True
    events: Sequence[Event] = ()
    trouble: Trouble | None = None
    refusing: int | None = None
    sick: bool = False
    killed: float | None = None
    flushed: bool = True


class Meddler:
    """Stands before a PIM during a run, and does what the plan says."""

    def __init__(self, world: World, plan: Plan, *, many_at_once: bool) -> None:
        self._world = world
        self._plan = plan
        self._many_at_once = many_at_once
        self._numbers = itertools.count(1)
        self._of_family = itertools.count(1)
        self.met = False
        self.endless = False

    def __call__(self, exchange: Exchange) -> Response:
        number = next(self._numbers)
        if number > MAX_REQUESTS:
            self.endless = True
            raise HangUp
        if number == self._plan.refusing:
            self._world.pim.refuse_cursors()
            self.met = True
        self._let_happen(number, answer_is_made=False)
        response = self._answer(exchange)
        self._let_happen(number, answer_is_made=True)
        return response

    def _answer(self, exchange: Exchange) -> Response:
        trouble, request = self._plan.trouble, exchange.request
        if (
            trouble
            and (request.route, request.family) == ("assets", trouble.family)
            and next(self._of_family) >= trouble.number
        ):
            self.met = True
            return FAULTS[trouble.kind](exchange)
        return exchange.real()

    def _let_happen(self, number: int, *, answer_is_made: bool) -> None:
        with self._world.pim.lock:
            for event in self._plan.events:
                if (event.number, event.answer_is_made) == (number, answer_is_made):
                    self._world.apply(event.change)
                    on_its_way = answer_is_made or self._many_at_once
                    self._world.pass_time(min(event.seconds, SHORT) if on_its_way else event.seconds)
