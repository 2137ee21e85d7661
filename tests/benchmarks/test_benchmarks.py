"""How the tap compares, in one run on one machine: `make bench`.

Each figure is the median of a few runs that take turns, start-up included. Where the tap is compared with others, it is
the median of the ratios within each turn: machines change their speed. Ratios are what counts: seconds depend on the
machine.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from tests.support import select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.benchmark

ROUNDS = 5
WORKERS = 4
LATENCY = 0.1
CORE_STREAMS = ("asset_families", "asset_attributes", "attribute_options", "assets")


@dataclass(frozen=True)
class Figures:
    """What one run took."""

    wall: float
    cpu: float
    peak_mb: float
    sync: float
    states: int

    @classmethod
    def of(cls, command: Sequence[str], output: Path) -> Figures:
        """Run a command to its end."""
        errors = output.with_suffix(".err")
        with output.open("wb") as out, errors.open("wb") as err:
            subprocess.run([sys.executable, "-m", "tests.benchmarks.measure", *command], stdout=out, stderr=err)  # noqa: S603, PLW1510
        log, _, last_line = errors.read_text().rstrip().rpartition("\n")
        figures = json.loads(last_line)
        assert figures.pop("exit_status") == 0, log[-2000:]
        timers = [float(value) for value in re.findall(r'sync_duration","value":([\d.]+)', log)]
        with output.open("rb") as lines:
            states = sum(len(line) for line in lines if line.startswith(b'{"type":"STATE"'))
        return cls(**figures, sync=max(timers, default=figures["wall"]), states=states)


@dataclass(frozen=True)
class Pim:
    """A PIM for benchmarks, and the commands that read it."""

    url: str
    folder: Path

    @property
    def stats(self) -> dict[str, Any]:
        """How many requests it got, how many at once, and when pages were asked for since the last look."""
        with urlopen(f"{self.url}/stats") as answer:  # noqa: S310  # on loopback
            stats: dict[str, Any] = json.load(answer)
        return stats

    def seconds_after(self, pages: int) -> float:
        """How long the last run took for all pages but so many, by the PIM's clock."""
        asked_at = sorted(self.stats["pages_asked_at"])
        seconds: float = asked_at[-1] - asked_at[pages]
        return seconds

    def tap(self, streams: Sequence[str] = CORE_STREAMS, **settings: Any) -> list[str]:  # noqa: ANN401  # of any type
        """The tap, without a limit on requests a second."""
        credentials = {"client_id": "id", "client_secret": "secret", "username": "user", "password": "password"}
        config = {"api_url": self.url, **credentials, "max_requests_per_second": 0, **settings}
        return self._module("tap_akeneo_assets", config, select(*streams))

    def template(self) -> list[str]:
        """A tap as the SDK's template gives it."""
        return self._module("tests.benchmarks.template_tap", {"api_url": self.url}, None)

    def plain_loop(self, workers: int) -> list[str]:
        """The floor."""
        return [sys.executable, "-m", "tests.benchmarks.plain_loop", self.url, str(workers)]

    def _module(self, name: str, config: dict[str, Any], catalog: dict[str, Any] | None) -> list[str]:
        command = [sys.executable, "-m", name]
        for option, content in (("config", config), ("catalog", catalog)):
            if content is not None:
                file = self.folder / f"{name}-{len(list(self.folder.iterdir()))}-{option}.json"
                file.write_text(json.dumps(content))
                command += [f"--{option}", str(file)]
        return command


@contextmanager
def pim(sizes: Sequence[int], folder: Path, latency: float = 0.0) -> Iterator[Pim]:
    """Serve families of these sizes from a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.pim", "--sizes", ",".join(map(str, sizes))]
    command += ["--latency", str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdin
        assert server.stdout
        yield Pim(server.stdout.readline().strip(), folder)
        server.stdin.close()


def in_turn(commands: dict[str, list[str]], folder: Path) -> dict[str, list[Figures]]:
    """Run the commands in turn, several times."""
    runs: dict[str, list[Figures]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            runs[name].append(Figures.of(command, folder / "output.jsonl"))
    return runs


def median(runs: Sequence[Figures], figure: str) -> float:
    """The median of a figure."""
    value: float = statistics.median(getattr(run, figure) for run in runs)
    return value


def ratio(times: Sequence[float], base: Sequence[float]) -> float:
    """The median of the ratios within each turn."""
    return statistics.median(time / base_time for time, base_time in zip(times, base, strict=True))


def show(line: str) -> None:
    """Print a line of the results."""
    print(f"\n{line}", end="")  # noqa: T201  # the result


def zipf(families: int, assets: int) -> list[int]:
    """Sizes of families as they are found: few large, many small."""
    harmonic = sum(1 / rank for rank in range(1, families + 1))
    return [round(assets / harmonic / (1 + rank * 7 % families)) for rank in range(families)]


READERS: dict[str, Callable[[Pim], list[str]]] = {
    "plain loop, 1 worker": lambda pim: pim.plain_loop(1),
    "plain loop, 4 workers": lambda pim: pim.plain_loop(WORKERS),
    "tap, 4 workers": lambda pim: pim.tap(),
    "tap, 1 worker": lambda pim: pim.tap(max_concurrency=1),
    "tap with values, 4 workers": lambda pim: pim.tap((*CORE_STREAMS, "asset_values")),
    "template's tap": lambda pim: pim.template(),
}


def test_no_latency(tmp_path: Path) -> None:
    small: dict[str, list[float]] = defaultdict(list)
    further: dict[str, list[float]] = defaultdict(list)
    with pim([1_000] * 20, tmp_path) as small_pim, pim([1_000] * 60, tmp_path) as large_pim:
        commands = {name: (reader(small_pim), reader(large_pim)) for name, reader in READERS.items()}
        for _, (name, (read_small, read_large)) in product(range(ROUNDS), commands.items()):
            small[name].append(Figures.of(read_small, tmp_path / "output.jsonl").wall)
            Figures.of(read_large, tmp_path / "output.jsonl")
            further[name].append(large_pim.seconds_after(pages=200))
    for name in READERS:
        show(
            f"{name}: 20 x 1,000 in {statistics.median(small[name]):.2f} s; 40,000 more in "
            f"{statistics.median(further[name]):.2f} s, {ratio(further[name], further['plain loop, 1 worker']):.2f} x"
        )
    quicker = ratio(small["template's tap"], small["tap, 4 workers"])
    show(f"20 x 1,000: {quicker:.1f} x as fast as the template's tap")


FAMILIES = {
    "40 families, zipf": zipf(40, 8_000),
    "5 families of 5,000 and 20 of 500": [5_000] * 5 + [500] * 20,
    "one family": [20_000],
}


@pytest.mark.parametrize(("name", "sizes"), FAMILIES.items())
def test_latency(name: str, sizes: list[int], tmp_path: Path) -> None:
    with pim(sizes, tmp_path, latency=LATENCY) as served:
        runs = [Figures.of(served.tap(), tmp_path / "output.jsonl") for _ in range(ROUNDS)]
        stats = served.stats
        plain_loop = Figures.of(served.plain_loop(WORKERS), tmp_path / "output.jsonl")
    requests, sync = stats["requests"] / ROUNDS, median(runs, "sync")
    pages = sum(-(-size // 100) for size in sizes)
    show(
        f"{name}: {sync:.2f} s for {requests:.0f} requests, {sync * WORKERS / requests / LATENCY:.2f} x the limit; "
        f"for the {pages} pages alone {sync * WORKERS / pages / LATENCY:.2f} x; at most {stats['most_in_flight']} in "
        f"flight; a plain loop with a family a worker {plain_loop.wall:.2f} s"
    )


def test_values(tmp_path: Path) -> None:
    with pim([1_000] * 56, tmp_path) as served:
        runs = in_turn({"without": served.tap(), "with": served.tap((*CORE_STREAMS, "asset_values"))}, tmp_path)
    values = 56_000 * 18
    cost = (median(runs["with"], "cpu") - median(runs["without"], "cpu")) / values
    show(f"a value: {cost * 1e6:.1f} µs; 1,008,000 of them; memory {median(runs['with'], 'peak_mb'):.0f} MB")


@pytest.mark.parametrize("sizes", [[1_000], [10_000], [100_000], [2_000] * 100], ids=lambda sizes: f"{sum(sizes):,}")
def test_growth_with_assets(sizes: list[int], tmp_path: Path) -> None:
    with pim(sizes, tmp_path) as served:
        figures = Figures.of(served.tap(), tmp_path / "output.jsonl")
    show(f"{sum(sizes):,} assets: {figures.wall:.1f} s, {figures.peak_mb:.0f} MB at its peak")


@pytest.mark.parametrize("families", [10, 100, 2_000])
def test_growth_with_families(families: int, tmp_path: Path) -> None:
    with pim([2] * families, tmp_path) as served:
        figures = Figures.of(served.tap(), tmp_path / "output.jsonl")
    show(f"{families:,} families of 2: {figures.wall:.1f} s, STATE {figures.states / 1e6:.2f} MB")
