"""What all tests share: reproducible properties, no skip where the tests run strictly, and the reference data."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parent.parent
STRICT = os.environ.get("ACCELSIM_STRICT", "") not in ("", "0")

# Cascades, programs and netlists are many objects that live long: Python would look through them again and again.
gc.set_threshold(200_000, 20, 100)

set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("few", settings.get_profile("ci"), max_examples=20)
settings.load_profile("ci")


def _without_skips(report: pytest.TestReport | pytest.CollectReport) -> None:
    """With ACCELSIM_STRICT a skip is a failure; an expected failure stays what it is."""
    if STRICT and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: skipped under ACCELSIM_STRICT: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _without_skips(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _without_skips(report)
    return report


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of bulk reference data, which is not part of the project."""
    folder = os.environ.get("ACCELSIM_REFERENCE")
    if not folder:
        pytest.skip("ACCELSIM_REFERENCE does not name the folder of reference data; `make test` sets it where it lies")
    return Path(folder)
