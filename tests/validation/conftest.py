"""One run of each suite for all tests."""

from __future__ import annotations

import pytest

from accelsim.validation import Report, validate


@pytest.fixture(scope="session")
def study() -> Report:
    return validate("fusemax")
