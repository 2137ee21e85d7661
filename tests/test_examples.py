"""The examples: shards on a Dask cluster into a real Postgres."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tap_akeneo_assets.sandbox import demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, damaged
from tap_akeneo_assets.sandbox.options import Options
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.shards import Shard

from .conftest import TARGET
from .support import environment
from .test_postgres import ORIGIN, assert_equal_to_pim, loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_akeneo_assets.sandbox import Pim
    from tap_akeneo_assets.sandbox.records import RequestRecord

    from .conftest import Database

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

import akeneo_shards  # noqa: E402  # beside the script, as for a user
import dask_shards  # noqa: E402
from distributed import Client, LocalCluster  # noqa: E402

SHARDS = 3
AT_ONCE = 2
TAP = [sys.executable, "-m", "tap_akeneo_assets", "--config=ENV"]


def pipeline(database: Database, folder: Path) -> akeneo_shards.Pipeline:
    config = folder / "postgres.json"
    settings = {
        "sqlalchemy_url": f"postgresql+psycopg://postgres:@/{database.name}?host={database.folder}",
        "default_target_schema": database.schema,
    }
    config.write_text(json.dumps(settings))
    return akeneo_shards.Pipeline(TAP, [str(TARGET), "--config", str(config)], folder / "states", SHARDS, AT_ONCE)


@contextmanager
def two_workers(url: str) -> Iterator[Client]:
    """A cluster whose workers have the tap's settings in their environment."""
    env = {**environment(url), "PGTZ": "UTC", "PYTHONPATH": str(EXAMPLES)}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, env=env) as cluster,
        Client(cluster) as client,
    ):
        yield client


def one_family_of(shard: str, pim: Pim) -> str:
    """A family of a shard that has assets."""
    codes: list[str] = [family["code"] for family in pim.families().records]
    return next(code for code in codes if Shard.parse(shard).holds(code) and pim.assets(code).records)


def test_shards_on_two_workers_are_one_run_although_a_worker_is_killed(database: Database, tmp_path: Path) -> None:
    pim = demo_pim(families=9, assets=3, options=Options(link_origin=ORIGIN))
    lost = "1/3"
    family = one_family_of(lost, pim)
    reached, go_on = threading.Event(), threading.Event()
    failures: dict[str, str] = {"not": "run"}

    def hold(request: RequestRecord) -> None:
        if request.route == "assets" and request.family == family and not go_on.is_set():
            reached.set()
            go_on.wait(60)

    pim.on_request = hold
    steps = pipeline(database, tmp_path)

    def run(client: Client) -> None:
        nonlocal failures
        failures = dask_shards.run(client, steps)

    with serve(pim) as server, two_workers(server.url) as client:
        processes = client.run(os.getpid)
        thread = threading.Thread(target=run, args=(client,))
        thread.start()
        assert reached.wait(120)
        (worker,) = [address for address, keys in client.processing().items() if f"shard {lost}" in keys]
        os.kill(processes[worker], signal.SIGKILL)
        go_on.set()
        thread.join(240)
    assert failures == {}
    assert sum(request.route == "assets" and request.family == family for request in pim.requests) > 1
    assert_equal_to_pim(database, pim)


@pytest.mark.long
def test_a_shard_that_fails_is_reported_and_the_others_are_loaded(database: Database, tmp_path: Path) -> None:
    pim = demo_pim(families=9, assets=3, options=Options(link_origin=ORIGIN))
    family = one_family_of("2/3", pim)
    broken = damaged(lambda body: body.replace(b'"values":', b'"values":5,"other":'))
    pim.faults = Faults().always("assets", broken, family=family)
    with serve(pim) as server, two_workers(server.url) as client:
        failures = dask_shards.run(client, pipeline(database, tmp_path))
    assert list(failures) == ["2/3"]
    assert family in failures["2/3"]
    assert "tap ended with status 1, target with 0" in failures["2/3"]
    found = {row["asset_family_code"] for row in loaded(database, "assets")}
    others = {code["code"] for code in pim.families().records if pim.assets(code["code"]).records} - {family}
    assert found == others
    assert pim.max_in_flight <= akeneo_shards.IN_FLIGHT


@pytest.mark.long
def test_a_shard_goes_on_at_its_last_state(database: Database, tmp_path: Path) -> None:
    pim = demo_pim(families=9, assets=3)
    steps = pipeline(database, tmp_path)
    with serve(pim) as server, mock.patch.dict(os.environ, {**environment(server.url), "PGTZ": "UTC"}):
        steps.prepare()
        kept = steps.states / "1-of-3.jsonl"
        assert steps.run("1/3") == "1/3"
        (first,) = kept.read_text().splitlines()
        # As it is left by a worker that was killed while the target wrote.
        kept.write_text(f"{first}\n{first[:20]}")
        pim.requests.clear()
        steps.run("1/3")
    queries = [request.query for request in pim.requests if request.route == "assets"]
    assert queries
    assert any("updated" in query for query in queries)
    assert json.loads(kept.read_text()).keys() == {"bookmarks"}


def test_a_target_that_fails_ends_its_tap(database: Database, tmp_path: Path) -> None:
    pim = demo_pim(families=9, assets=3)
    broken = replace(pipeline(database, tmp_path), target=[sys.executable, "-c", "raise SystemExit('ERROR: no room')"])
    broken.states.mkdir()
    with (
        serve(pim) as server,
        mock.patch.dict(os.environ, environment(server.url)),
        pytest.raises(akeneo_shards.ShardFailed, match=r"Shard 3/3 failed: .*target with 1.*no room"),
    ):
        broken.run("3/3")


@pytest.mark.parametrize("at_once", [1, 2, 3, 4])
def test_shards_share_what_the_vendor_allows(at_once: int, tmp_path: Path) -> None:
    shards = akeneo_shards.Pipeline([], [], tmp_path, 8, at_once)
    assert shards.names() == [str(Shard(number, 8)) for number in range(1, 9)]
    settings = shards.settings("1/8")
    in_flight, per_second = (
        float(settings[f"TAP_AKENEO_ASSETS_{name}"]) for name in ("MAX_CONCURRENCY", "MAX_REQUESTS_PER_SECOND")
    )
    assert in_flight >= 1
    assert in_flight * at_once <= akeneo_shards.IN_FLIGHT
    assert per_second * at_once <= akeneo_shards.PER_SECOND + 1e-9
