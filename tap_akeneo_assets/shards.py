"""Which families one of several taps reads, when they share the work. Pure."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

_FORM = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shares of all families. All shards of a number together are the whole, and no two overlap.

    Attributes:
        number: which one, from 1 on.
        total: how many there are.
    """

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read a shard as the setting has it, such as `1/4`.

        Raises:
            ValueError: it is none; the message says what would be.
        """
        form = _FORM.fullmatch(text.strip())
        if not form:
            raise ValueError(f"shard: {text!r} is no shard; 1/4 would be, for the first of four.")
        number, total = map(int, form.groups())
        if not 1 <= number <= total:
            raise ValueError(f"shard: {text!r} does not exist; the first of {total or 4} is 1/{total or 4}.")
        return cls(number, total)

    def holds(self, family_code: str) -> bool:
        """Whether a family falls to this shard, on any machine and in any run.

        Codes that differ in case only fall to the same one, for the PIM may answer to a name in another case.
        """
        return zlib.crc32(family_code.casefold().encode("utf-8", "surrogatepass")) % self.total == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"
