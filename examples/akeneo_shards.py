"""One shard of an Akeneo PIM from tap to target: what `airflow_dag.py` and `dask_shards.py` beside this file share.

The tap's settings come from the environment (`TAP_AKENEO_ASSETS_API_URL`, …). Nothing but Python's own library is
needed here, so an engine's workers may have the tap and the target in environments of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the vendor allows: requests in flight per connection, and requests per second.
IN_FLIGHT = 4
PER_SECOND = 100
ERRORS_SHOWN = 3


class ShardFailed(Exception):  # it is called what it tells
    """A shard could not be read or loaded whole; what was loaded stays, and the next run goes on from there."""


@dataclass(frozen=True)
class Pipeline:
    """How each shard is read and loaded.

    Attributes:
        tap: its command, such as `["tap-akeneo-assets", "--config=ENV"]`.
        target: its command, such as `["target-postgres", "--config", "postgres.json"]`.
        states: a folder that all workers see, for states and logs.
        shards: how many shards there are; states belong to this number.
        at_once: how many of them run at the same time, 1 to 4; they share what the vendor allows one connection.
    """

    tap: Sequence[str]
    target: Sequence[str]
    states: Path
    shards: int
    at_once: int

    def names(self) -> list[str]:
        """The shards, as the tap's setting has them."""
        return [f"{number}/{self.shards}" for number in range(1, self.shards + 1)]

    def settings(self, shard: str) -> dict[str, str]:
        """The environment of one shard's tap."""
        return {
            "TAP_AKENEO_ASSETS_SHARD": shard,
            "TAP_AKENEO_ASSETS_MAX_CONCURRENCY": str(max(1, IN_FLIGHT // self.at_once)),
            "TAP_AKENEO_ASSETS_MAX_REQUESTS_PER_SECOND": str(PER_SECOND / self.at_once),
        }

    def prepare(self) -> None:
        """Let the target make its tables, before several of them would do so at the same time."""
        self.states.mkdir(parents=True, exist_ok=True)
        schemas = subprocess.run([*self.tap, "--test=schema"], stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(self.target, input=schemas, stdout=subprocess.DEVNULL, check=True)

    def run(self, shard: str) -> str:
        """Read and load a shard from where its state says.

        Returns:
            The shard.

        Raises:
            ShardFailed: tap or target failed; the message has the first errors of its log.
        """
        base = self.states / shard.replace("/", "-of-")
        kept, log_path = base.with_suffix(".jsonl"), base.with_suffix(".log")
        state = last_state(kept)
        with tempfile.TemporaryDirectory() as folder, log_path.open("wb") as log, kept.open("ab") as states:
            state_path = Path(folder) / "state.json"
            state_path.write_text(state, encoding="utf-8")
            tap_command = [*self.tap, "--state", str(state_path)]
            environment = {**os.environ, **self.settings(shard)}
            # The target appends the states of what it has loaded: they outlive this process, whatever ends it.
            with (
                subprocess.Popen(tap_command, stdout=subprocess.PIPE, stderr=log, env=environment) as tap,
                subprocess.Popen(self.target, stdin=subprocess.PIPE, stdout=states, stderr=log) as target,
            ):
                _pump(tap, target)
        if tap.returncode or target.returncode:
            statuses = f"tap ended with status {tap.returncode}, target with {target.returncode}"
            raise ShardFailed(f"Shard {shard} failed: {statuses}. {_errors_of(log_path)}")
        if state := last_state(kept):
            _replace(kept, state + "\n")
        return shard


def last_state(path: Path) -> str:
    """The last whole line of a file of states; nothing before the first run."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in reversed(lines):
        with suppress(ValueError):
            json.loads(line)
            return line
    return ""


def _pump(tap: subprocess.Popen[bytes], target: subprocess.Popen[bytes]) -> None:
    """Hand the messages on, instead of by a pipe between the two: so both end when this process is killed."""
    assert tap.stdout  # noqa: S101  # a pipe
    assert target.stdin  # noqa: S101  # a pipe
    try:
        with suppress(BrokenPipeError):
            shutil.copyfileobj(tap.stdout, target.stdin)
    finally:
        tap.stdout.close()
        if tap.poll() is None and target.poll() is not None:
            tap.terminate()
        with suppress(BrokenPipeError):
            target.stdin.close()


def _errors_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if "ERROR" in line] or lines[-ERRORS_SHOWN:]
    return " ".join(errors[:ERRORS_SHOWN]) + f" The whole log: {log}"


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
