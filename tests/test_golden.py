"""Golden files: all messages of a small PIM, in their order.

`RENEW_GOLDEN=1 pytest tests/test_golden.py` writes them anew, to be read in the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .pims import small_pim
from .support import Outcome, full_table, select, sync_pim

if TYPE_CHECKING:
    from decimal import Decimal

GOLDEN = Path(__file__).parent / "golden"
MAPPED = {
    "catalog": select(
        "asset_families",
        "asset_attributes",
        "assets",
        "asset_values",
        without=[("asset_families", "product_link_rules"), ("assets", "created"), ("asset_values", "raw_value")],
    ),
    "stream_maps": {
        "asset_attributes": {"__filter__": "type in ('text', 'number')", "is_read_only": None},
        "assets": {"__alias__": "'pictures'", "loud": "code.upper()", "code": "self"},
        "titles": {
            "__source__": "asset_values",
            "__filter__": "attribute_code == 'title'",
            "asset_family_code": "self",
            "asset_code": "self",
            "value_key": "self",
            "text_value": "self",
            "__else__": None,
        },
        "asset_values": None,
    },
    "flattening_enabled": True,
    "flattening_max_depth": 1,
}
RUNS: dict[str, dict[str, Any]] = {
    "everything": {},
    "mapped_flattened_deselected": MAPPED,
    "full_table_with_versions": {
        "catalog": full_table(select("asset_families", "assets", "asset_values")),
        "emit_activate_version_messages": True,
    },
}


def lines_of(run: Outcome) -> str:
    """A run's messages, a line each, without what differs from run to run."""
    for message in run.messages:
        for name in {"time_extracted", "version"} & message.keys():
            message[name] = f"<{name}>"
    return "".join(f"{json.dumps(message, ensure_ascii=False, default=number)}\n" for message in run.messages)


def number(digits: Decimal) -> str:
    return f"<number {digits}>"


@pytest.mark.parametrize("name", RUNS)
def test_a_run_writes_these_messages(name: str) -> None:
    written = lines_of(sync_pim(small_pim(), max_concurrency=1, **RUNS[name]))
    golden = GOLDEN / f"{name}.jsonl"
    if os.environ.get("RENEW_GOLDEN"):
        golden.write_text(written, encoding="utf-8")
    assert written.splitlines() == golden.read_text(encoding="utf-8").splitlines()
