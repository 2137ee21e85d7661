"""Where the command line begins: `tap-akeneo-assets`, or `python -m tap_akeneo_assets`."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType


def main() -> NoReturn:
    """Import the tap, which takes a moment, and run it; a signal meanwhile ends the process without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    # What is imported stays, and pages are freed without it: there is little to collect.
    gc.set_threshold(100_000, 50, 1_000)
    from tap_akeneo_assets import tap  # noqa: PLC0415  # see above

    tap.main()


def _leave(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)


if __name__ == "__main__":
    main()
