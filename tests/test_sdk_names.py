"""The SDK's private names: only the package `singer` uses some, its table tells all, and they are what they were."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk import Stream, Tap
from singer_sdk.batch import Batcher
from singer_sdk.helpers import _batch, _catalog
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform, StreamMap
from singer_sdk.metrics import Counter, Metric

import tap_akeneo_assets
from tap_akeneo_assets import singer

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(tap_akeneo_assets.__file__).parent
SINGER = PACKAGE / "singer"
MODULES = [path for path in PACKAGE.rglob("*.py") if path.parent != SINGER]
TABLE = set(re.findall(r"^\| `([\w.]+)` \|", singer.__doc__ or "", re.MULTILINE))


def private_names(source: str) -> Iterator[str]:
    """The SDK's private names in a module, by import or as a name of one of its classes."""
    sdk = {name for kind in (Stream, Tap) for name in dir(kind) if name.startswith("_") and not name.startswith("__")}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("singer_sdk"):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            if any(name.startswith("_") for name in names):
                yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and node.attr in sdk:
            yield node.attr
        elif isinstance(node, ast.FunctionDef) and node.name in sdk:
            yield node.name


def test_the_table_names_all_that_are_used() -> None:
    used = {name for path in SINGER.glob("*.py") for name in private_names(path.read_text(encoding="utf-8"))}
    assert used == {name.rpartition(".")[2] for name in TABLE}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_other_module_uses_any(module: Path) -> None:
    assert list(private_names(module.read_text(encoding="utf-8"))) == []


def parameters(function: Any) -> list[str]:  # noqa: ANN401  # any function
    return list(inspect.signature(function).parameters)


def test_every_name_in_the_table_exists() -> None:
    for name in TABLE:
        *owner, last = name.split(".")
        where: Any = {"Stream": Stream, "Tap": Tap}.get(owner[0]) or import_module(".".join(["singer_sdk", *owner]))
        assert inspect.getattr_static(where, last), name


def test_they_are_what_is_relied_upon() -> None:
    assert parameters(Stream._sync_records) == ["self", "context", "write_messages"]  # noqa: SLF001
    assert inspect.isgeneratorfunction(Stream._sync_records)  # noqa: SLF001
    assert parameters(Stream._write_schema_message) == ["self"]  # noqa: SLF001
    assert parameters(Tap._handle_termination) == ["self", "signum", "frame"]  # noqa: SLF001
    assert isinstance(inspect.getattr_static(Tap, "_env_var_config"), property)
    assert parameters(_catalog.pop_deselected_record_properties)[:3] == ["record", "schema", "mask"]
    assert parameters(_batch.SDKBatchMessage) == ["stream", "encoding", "manifest", "version"]


def test_public_hooks_are_what_is_relied_upon() -> None:
    assert parameters(Stream.finalize_state_progress_markers) == ["self", "state"]
    assert parameters(Batcher) == ["tap_name", "stream_name", "batch_config"]
    assert parameters(Counter) == ["metric", "tags", "log_interval"]
    assert {"value", "last_log_time", "log_interval", "logger"} <= vars(Counter(Metric.RECORD_COUNT)).keys()
    assert parameters(StreamMap.transform) == parameters(StreamMap.get_filter_result) == ["self", "record"]
    record = {"code": "x"}
    assert SameRecordTransform("assets", {}, None, None).get_filter_result(record)
    assert not RemoveRecordTransform("assets", {}, None, None).get_filter_result(record)
