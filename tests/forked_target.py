"""target-postgres, forked from a process that has imported it: its start takes longer than most loads."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.forked_target", "target_postgres.target"])


def load(config: Path, messages: Path, log: Path, zone: str | None, timeout: float) -> int:
    """Let target-postgres load some messages.

    Args:
        config: file of its settings.
        messages: file of the messages.
        log: file for what it says.
        zone: of its session; the server's own if None.
        timeout: in seconds.

    Returns:
        Its exit status.
    """
    process = _context.Process(target=_run, args=(config, messages, log, zone), daemon=True)
    process.start()
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(log.read_text("utf-8"))
    return process.exitcode


def _run(config: Path, messages: Path, log: Path, zone: str | None) -> None:
    from target_postgres.target import TargetPostgres  # type: ignore[import-untyped]  # noqa: PLC0415  # not needed in the tests' own process

    for number, path in ((1, Path(os.devnull)), (2, log)):
        os.dup2(os.open(path, os.O_WRONLY), number)
    sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115
    for name in [name for name in os.environ if name.startswith(("TARGET_POSTGRES_", "PGTZ"))]:
        del os.environ[name]
    if zone:
        os.environ["PGTZ"] = zone
    TargetPostgres.cli(["--config", str(config), "--input", str(messages)])
