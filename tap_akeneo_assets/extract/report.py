"""What a run has to report: warnings, families that failed, and streams that are not complete."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_akeneo_assets.errors import NotFound, PaginationLoop, RequestFailed, UnexpectedShape, release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from logging import Logger

    from tap_akeneo_assets.singer.stream import AkeneoStream

# A line with more names is not read to its end.
MAX_NAMES = 20


class Report:
    """Takes note of what goes wrong.

    Args:
        logger: takes warnings.

    Attributes:
        failures: messages by family code; `""` for what belongs to no family.
        failed_streams: the names of the streams that something failed in.
    """

    def __init__(self, logger: Logger) -> None:
        self.failures: dict[str, list[str]] = {}
        self.failed_streams: set[str] = set()
        self._file_failures: dict[str, str] = {}
        self._logger = logger
        self._warned: set[tuple[str, ...]] = set()

    @contextmanager
    def failing(self, family: str, *streams: AkeneoStream) -> Iterator[None]:
        """Let what fails in a `with` block fail its family, and nothing else.

        Args:
            family: its code.
            streams: those that are not complete then.
        """
        try:
            yield
        except NotFound as error:
            release(error)
            self.warn(f"Family {family!r}: {error} It is passed over in this run.")
            self.leave_out(*streams)
        except (RequestFailed, UnexpectedShape, PaginationLoop) as error:
            release(error)
            self.fail(family, str(error), *streams)

    def fail(self, family: str, message: str, *streams: AkeneoStream) -> None:
        """Note that a family could not be read whole."""
        self.failures.setdefault(family, []).append(message)
        self.failed_streams.update(stream.name for stream in streams)
        self.leave_out(*streams)

    def fail_file(self, family: str, message: str) -> None:
        """Note that a media file of a family could not be stored; told unless something worse failed the family."""
        self._file_failures.setdefault(family, message)

    @property
    def failed_families(self) -> dict[str, list[str]]:
        """All failures: messages by family code, those of files only where there are no others."""
        files = {family: [message] for family, message in self._file_failures.items()}
        return {**files, **self.failures}

    def leave_out(self, *streams: AkeneoStream) -> None:
        """Note that something of these streams, and so of those below them, is not read in this run."""
        for stream in streams:
            stream.is_complete = False
            self.leave_out(*stream.children)

    def warn(self, message: str) -> None:
        """Log a warning."""
        self._logger.warning(message)

    def warn_once(self, message: str, *subject: str) -> None:
        """Log a warning unless there was one about the same subject."""
        if subject not in self._warned:
            self._warned.add(subject)
            self.warn(message)


def failure_lines(failures: Mapping[str, Sequence[str]], outlook: Callable[[str], str]) -> list[str]:
    """What to tell of the families that failed: one line per family, or one for all that share the same text.

    Args:
        failures: messages by family code; `""` for what belongs to no family.
        outlook: how far a family has been read, and what the next run will do.
    """
    by_message: dict[str, list[str]] = {}
    for family, messages in failures.items():
        message = messages[0]
        if family:
            message = f"{message if message.endswith(('.', '?', '!')) else message + '.'} {outlook(family)}"
        by_message.setdefault(message, []).append(family)
    lines = []
    for message, families in by_message.items():
        names = sorted(filter(None, families))
        subject = f"{'Family' if len(names) == 1 else 'Families'} {listed(names)} failed: " if names else ""
        lines.append(subject + message)
    return lines


def listed(names: Sequence[str]) -> str:
    """Some names for a message, quoted; of many only the first."""
    shown = ", ".join(map(repr, names[:MAX_NAMES]))
    return shown + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
