"""Read an Akeneo PIM with Airflow, one task per shard.

Copy this file and `akeneo_shards.py` into the folder of the DAGs. The workers need the tap and the target, the tap's
settings in their environment (`TAP_AKENEO_ASSETS_API_URL`, …), and a folder that all of them see. The Airflow variables
`akeneo_tap`, `akeneo_target` and `akeneo_states` name the two commands and the folder.
"""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import dag, task
from akeneo_shards import Pipeline

SHARDS = 8
AT_ONCE = 2
STATES = "{{ var.value.get('akeneo_states', '/var/lib/akeneo') }}"
TAP = "{{ var.value.get('akeneo_tap', 'tap-akeneo-assets --config=ENV') }}"
TARGET = "{{ var.value.get('akeneo_target', 'target-postgres --config /etc/akeneo/postgres.json') }}"
NAMES = [f"{number}/{SHARDS}" for number in range(1, SHARDS + 1)]


def _pipeline(tap: str, target: str, states: str) -> Pipeline:
    return Pipeline(shlex.split(tap), shlex.split(target), Path(states), SHARDS, AT_ONCE)


@dag(
    schedule="@hourly",
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001  # Airflow takes it as UTC
    catchup=False,
    # A run begins where the one before has ended.
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["akeneo"],
)
def akeneo_assets() -> None:
    """One task per shard, two at the same time; a task that is tried again goes on at its last state."""

    @task
    def prepare(tap: str, target: str, states: str) -> None:
        _pipeline(tap, target, states).prepare()

    @task(max_active_tis_per_dag=AT_ONCE, map_index_template="{{ task.op_kwargs['shard'] }}")
    def read(tap: str, target: str, states: str, shard: str) -> str:
        return _pipeline(tap, target, states).run(shard)

    commands = {"tap": TAP, "target": TARGET, "states": STATES}
    prepare(**commands) >> read.partial(**commands).expand(shard=NAMES)


akeneo_assets()
