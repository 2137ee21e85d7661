"""The SDK's own standard suite for taps, against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_akeneo_assets.sandbox import demo_pim
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.tap import TapAkeneoAssets

from .support import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG: dict[str, Any] = {"api_url": "http://127.0.0.1", **CREDENTIALS}  # the address as soon as there is a server


@pytest.fixture(scope="module", autouse=True)
def _served() -> Iterator[None]:
    with serve(demo_pim(assets=10)) as server:
        CONFIG["api_url"] = server.url
        yield


TestSuite = pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records:UserWarning")(
    get_tap_test_class(
        TapAkeneoAssets, config=CONFIG, suite_config=SuiteConfig(max_records_limit=500), parse_env_config=False
    )
)
