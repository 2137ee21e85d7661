"""A request that has been sent, while its answer comes."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from tap_akeneo_assets.errors import AkeneoError
from tap_akeneo_assets.pim.arrival import Arrival, Incoming
from tap_akeneo_assets.pim.responses import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_akeneo_assets.pim.connections import Loan

T = TypeVar("T")

# What a page of 100 assets with 300 short values each comes to. A longer answer is read while it comes.
MAX_BYTES_TAKEN = 4 * 1024 * 1024


class Answer(NamedTuple, Generic[T]):
    """A good answer.

    Attributes:
        data: what its body says.
        size: of the body, decompressed, in bytes.
        date: the PIM's clock when it answered, if it tells.
        elapsed: seconds that the try which succeeded took, waits before it not counted.
    """

    data: T
    size: int
    date: datetime | None
    elapsed: float

    @property
    def began(self) -> datetime | None:
        """The last second, by the PIM's clock, that was over when it was asked; its clock tells whole seconds."""
        return self.date and self.date - timedelta(seconds=math.ceil(self.elapsed) + 1)


Outcome: TypeAlias = Answer[T] | Retry | AkeneoError


class Complete(Protocol[T]):
    """What makes an outcome of an answer."""

    def __call__(self, incoming: Incoming, *, may_wait: bool) -> Outcome[T]:
        """Read what has been taken, and then the rest; wait for others that read large bodies only if it may."""


class Exchange(Generic[T]):
    """A request that has been sent, and what has come of its answer so far.

    Somebody who watches its socket takes what comes, without waiting. Once the answer is whole it can be read at once.
    Where there is more to do (another try, an answer that comes slowly) `answer` waits for it, on any thread.

    Args:
        loan: the connection.
        complete: makes an outcome of the answer.
        go_on: asks again, if need be, until there is a good answer; gets the outcome of this try.
        patience: seconds after which a thread should wait for the answer.

    Attributes:
        patience: as given.
    """

    def __init__(
        self,
        loan: Loan,
        complete: Complete[T],
        go_on: Callable[[Outcome[T]], Answer[T]],
        patience: float,
    ) -> None:
        self.patience = patience
        self._loan = loan
        self._complete = complete
        self._go_on = go_on
        self._incoming = Incoming()
        self._outcome: Outcome[T] | None = None

    def fileno(self) -> int:
        """The file descriptor of the socket, which is readable when something has come."""
        return self._loan.connection.fileno()

    def take(self) -> Arrival:
        """Take what has come, without waiting; how far the answer is."""
        self._loan.connection.take(self._incoming, MAX_BYTES_TAKEN)
        arrival = self._incoming.arrival
        is_long = len(self._incoming.data) >= MAX_BYTES_TAKEN
        return Arrival.UNKNOWN if is_long and arrival is Arrival.PARTIAL else arrival

    def answer_now(self) -> Answer[T] | None:
        """The answer that has come whole; None if more is to be done: `answer` does it.

        Raises:
            AkeneoError: what the reading of the body raises.
        """
        self._outcome = self._complete(self._incoming, may_wait=False)
        return self._go_on(self._outcome) if isinstance(self._outcome, Answer) else None

    def answer(self) -> Answer[T]:
        """Wait for the answer, and ask again if need be.

        Raises:
            AkeneoError: as `Client.get` does.
        """
        return self._go_on(self._outcome or self._complete(self._incoming, may_wait=True))

    def abandon(self) -> None:
        """Close the connection, unless it was given back already; nobody wants the answer any more."""
        if self._outcome is None:
            self._loan.give_back()
