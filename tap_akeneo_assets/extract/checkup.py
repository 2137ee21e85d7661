"""What `--test` tells at its end: address, credentials, version, families, and each stream. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SYSTEM_INFORMATION = "/system-information"
_EDITIONS = {"Serenity": "SaaS", "EE": "Enterprise Edition", "GE": "Growth Edition", "CE": "Community Edition"}
_WIDTH = 18

Status = Literal["ok", "failed", "nothing", "not tried", "passed over"]
_WORDS: dict[Status, str] = {
    "ok": "ok",
    "failed": "failed: see the error above",
    "nothing": "nothing to read was found",
    "not tried": "not tried, since something before it failed",
    "passed over": "passed over: see the warning above",
}


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a test has found.

    Attributes:
        api_url: the address that was asked.
        answered: something answered there.
        admitted: it took the credentials, and answered as a PIM.
        system: the PIM's version and edition as it tells them; None where it does not.
        families: how many families were seen.
        has_more_families: there are more of them.
        streams: each stream, and what became of it.
    """

    api_url: str
    answered: bool
    admitted: bool
    system: str | None
    families: int
    has_more_families: bool
    streams: dict[str, Status]

    @property
    def is_good(self) -> bool:
        """Whether a run can be expected to succeed."""
        return self.admitted and not {"failed", "not tried"} & set(self.streams.values())

    def lines(self) -> Iterator[str]:
        """What to tell the user."""
        see = "see the error above"
        yield _line("address", f"{self.api_url} {'answers' if self.answered else f'does not answer: {see}'}")
        if not self.answered:
            return
        yield _line("credentials", "accepted" if self.admitted else f"no login, or no PIM: {see}")
        if not self.admitted:
            return
        yield _line("version", self.system or "not told by this PIM (before 6.0, or not to this connection)")
        least = "at least " if self.has_more_families else ""
        yield _line("families", f"{least}{self.families}" + ("" if self.families else ": the list is empty or refused"))
        for name, status in self.streams.items():
            yield _line(name, _WORDS[status])
        if self.is_good:
            yield "All is well: the same command without --test reads everything."


def status_of(*, records: int, failed: bool, complete: bool, above: Iterable[Status]) -> Status:
    """What became of a stream in a test.

    Args:
        records: how many records it gave.
        failed: whether reading it failed.
        complete: whether nothing of it was left out.
        above: what became of the streams that it depends on.
    """
    if failed:
        return "failed"
    if records:
        return "ok"
    if {"failed", "not tried"} & set(above):
        return "not tried"
    return "nothing" if complete else "passed over"


def system_text(answer: Any) -> str | None:  # noqa: ANN401  # JSON
    """Version and edition of a PIM, in words; None where the answer does not tell them."""
    version, edition = (
        (answer.get(name) for name in ("version", "edition")) if isinstance(answer, dict) else (None,) * 2
    )
    if not isinstance(version, str) or not isinstance(edition, str):
        return None
    return f"{version} ({_EDITIONS.get(edition, edition)})"


def _line(name: str, text: str) -> str:
    return f"{name:{_WIDTH}} {text}"
