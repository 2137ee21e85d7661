"""The stream that the SDK syncs, and with it all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_akeneo_assets.errors import AkeneoError, Stopped, one_line
from tap_akeneo_assets.singer.stream import AkeneoStream

if TYPE_CHECKING:
    from collections.abc import Generator

    from singer_sdk.helpers.types import Context


def unexpected(error: Exception) -> str:
    """The line for the user about an exception that nobody foresaw."""
    return one_line(f"An unexpected error ended the run: {type(error).__name__}: {error}")


class RootStream(AkeneoStream):
    """The stream that the SDK syncs, and with it all others; whatever ends its sync becomes one line and a status."""

    def announce(self) -> None:
        """Nothing: the SDK has written its SCHEMA."""

    def _sync_records(
        self,
        context: Context | None = None,  # noqa: ARG002
        *,
        write_messages: bool = True,  # noqa: ARG002
    ) -> Generator[dict[str, Any], Any, Any]:
        try:
            self.tap.failed = not self.tap.extract()
        except Stopped:
            self.tap.end_by_signal()
        except Exception as error:  # a traceback would tell the user nothing
            self.tap.stop.set()  # so that no thread goes on asking
            line = str(error) if isinstance(error, AkeneoError) else unexpected(error)
            self.logger.error(line)  # noqa: TRY400  # see above
            self.logger.debug("The traceback:", exc_info=True)
            raise SystemExit(1) from None
        if self.tap.dry_run:
            self.tap.end()
        yield from ()

    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Nothing is left to finalize: the loop keeps the state; the SDK calls this last, outside of `sync()`."""
        del state
        self.tap.end()
