"""What `--test` tells: address, credentials, version, families, streams."""

from __future__ import annotations

import logging
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_akeneo_assets.extract.checkup import Checkup, Status, status_of, system_text
from tap_akeneo_assets.sandbox import demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, not_json, status
from tap_akeneo_assets.sandbox.options import LIST_ASSETS, LIST_FAMILIES, WEB_API, Options
from tap_akeneo_assets.sandbox.server import serve

from .support import environment, tap

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox import Pim

NOWHERE = "http://127.0.0.1:9"
STATUSES: tuple[Status, ...] = get_args(Status)


def report(pim: Pim | None = None, **env: str) -> tuple[int, dict[str, str], str]:
    """The exit status of `--test`, its report by the first word of each line, and the lines of the log."""
    plain = {"TAP_AKENEO_ASSETS_MAX_RETRIES": "0", **env}
    if pim is None:
        done = tap("--config=ENV", "--test", env={**environment(NOWHERE), **plain})
    else:
        with serve(pim) as server:
            done = tap("--config=ENV", "--test", env={**environment(server.url), **plain})
    lines = done.stderr.decode().splitlines()
    log = [line for line in lines if " | " in line]
    told = [line.split(maxsplit=1) for line in lines if line not in log]
    return done.returncode, {words[0]: words[1] for words in told}, "\n".join(log)


def test_all_is_well_in_a_few_lines() -> None:
    ended, told, log = report(demo_pim(families=5, assets=2))
    assert (ended, log) == (0, "")
    assert told.pop("address").endswith(" answers")
    assert told == {
        "credentials": "accepted",
        "version": "20260801031500 (SaaS)",
        "families": "5",
        **dict.fromkeys(
            ("asset_families", "asset_attributes", "attribute_options", "assets", "asset_values", "asset_media_files"),
            "ok",
        ),
        "All": "is well: the same command without --test reads everything.",
    }


def test_of_a_long_list_of_families_those_seen_are_counted() -> None:
    _, told, _ = report(demo_pim(families=9, assets=2, options=Options(page_size=5)))
    assert told["families"] in ("at least 5", "9")


@pytest.mark.parametrize(
    ("version", "text"),
    [("7.0", "7.0.28 (Enterprise Edition)"), ("5.0", "not told by this PIM (before 6.0, or not to this connection)")],
)
def test_the_version_is_told_where_the_pim_tells_it(version: Any, text: str) -> None:  # noqa: ANN401  # a literal
    ended, told, _ = report(demo_pim(assets=2, options=Options(pim_version=version)))
    assert (ended, told["version"]) == (0, text)


@pytest.mark.parametrize("fault", [status(500), not_json()])
def test_a_pim_that_does_not_tell_its_version_is_well(fault: Any) -> None:  # noqa: ANN401  # a fault
    pim = demo_pim(assets=2)
    pim.faults = Faults().always("system_information", fault)
    ended, told, log = report(pim)
    assert (ended, log) == (0, "")
    assert told["version"].startswith("not told")
    assert sum(request.route == "system_information" for request in pim.requests) == 1


def test_no_answer() -> None:
    ended, told, log = report()
    assert ended == 1
    assert told == {"address": f"{NOWHERE} does not answer: see the error above"}
    assert "connection refused (check api_url" in log


def test_wrong_credentials() -> None:
    ended, told, log = report(demo_pim(assets=2), TAP_AKENEO_ASSETS_PASSWORD="wrong")  # noqa: S106
    assert ended == 1
    assert told.keys() == {"address", "credentials"}
    assert told["credentials"] == "no login, or no PIM: see the error above"
    assert "The PIM refuses username or password" in log


@pytest.mark.parametrize(
    ("right", "failed", "not_tried"),
    [
        (LIST_FAMILIES, {"asset_families"}, 5),
        (WEB_API, {"asset_families"}, 5),
        (LIST_ASSETS, {"assets"}, 2),
    ],
)
@pytest.mark.parametrize("app", [False, True])
def test_a_missing_permission_is_told_by_stream(right: str, failed: set[str], not_tried: int, *, app: bool) -> None:
    pim = demo_pim(assets=2, options=Options(forbidden=frozenset({right})))
    env = {"TAP_AKENEO_ASSETS_ACCESS_TOKEN": pim.tokens.add_app()} if app else {}
    ended, told, log = report(pim, **env)
    assert (ended, told["credentials"]) == (1, "accepted")
    assert {name for name, text in told.items() if text.startswith("failed")} == failed
    assert sum(text.startswith("not tried") for text in told.values()) == not_tried
    assert right in log
    assert "All" not in told


def test_a_level_that_is_set_is_kept() -> None:
    _, _, log = report(demo_pim(assets=2), TAP_AKENEO_ASSETS_LOGLEVEL="INFO")
    assert "METRIC" in log


def test_on_a_terminal_the_report_comes_without_messages() -> None:
    with serve(demo_pim(assets=2)) as server:
        terminal, other_end = pty.openpty()
        command = [sys.executable, "-m", "tap_akeneo_assets", "--config=ENV", "--test"]
        done = subprocess.run(  # noqa: S603
            command, stdout=other_end, stderr=subprocess.PIPE, env=environment(server.url), check=True
        )
        os.close(other_end)
        os.set_blocking(terminal, False)
        try:
            shown = os.read(terminal, 1000)
        except OSError:
            shown = b""
        os.close(terminal)
    assert shown == b""
    assert done.stderr.startswith(b"address")


@given(
    records=st.integers(0, 2), failed=st.booleans(), complete=st.booleans(), above=st.lists(st.sampled_from(STATUSES))
)
def test_only_what_gave_records_is_well(records: int, failed: bool, complete: bool, above: list[Status]) -> None:  # noqa: FBT001
    found = status_of(records=records, failed=failed, complete=complete, above=above)
    assert (found == "ok") == (bool(records) and not failed)
    assert (found == "failed") == failed


@given(statuses=st.lists(st.sampled_from(STATUSES), min_size=1, max_size=4))
def test_all_is_well_only_where_nothing_failed(statuses: list[Status]) -> None:
    checkup = Checkup(NOWHERE, True, True, None, 0, False, dict(zip("abcd", statuses, strict=False)))  # noqa: FBT003
    lines = list(checkup.lines())
    assert lines[-1].startswith("All is well") == checkup.is_good == (not {"failed", "not tried"} & set(statuses))


@pytest.mark.parametrize("answer", [None, [], {}, {"version": 7, "edition": "EE"}, {"version": "7.0"}])
def test_what_tells_no_version(answer: object) -> None:
    assert system_text(answer) is None


def test_an_edition_that_is_not_known_is_told_as_it_is() -> None:
    assert system_text({"version": "8.0", "edition": "X"}) == "8.0 (X)"


def test_the_level_of_the_log_is_left_alone_in_other_modes() -> None:
    with serve(demo_pim(assets=2)) as server:
        done = tap("--config=ENV", "--test=schema", env=environment(server.url))
    assert logging.getLevelName(logging.INFO).encode() in done.stderr
