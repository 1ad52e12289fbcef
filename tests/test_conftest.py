"""A skipped test is a failed one where the tests run strictly, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
SKIPS = {
    "call": "import pytest\ndef test_it() -> None:\n    pytest.skip('no reason')\n",
    "mark": "import pytest\n@pytest.mark.skip(reason='no reason')\ndef test_it() -> None: ...\n",
    "module": "import pytest\npytest.skip('no reason', allow_module_level=True)\n",
}
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it() -> None:\n    assert 1 > 2\n"


def run(folder: Path, text: str, strict: str) -> tuple[int, str]:
    """pytest's exit status and output for one file under our hooks."""
    (folder / "test_it.py").write_text(text)
    words = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", os.devnull]
    environment = {**os.environ, "ACCELSIM_STRICT": strict}
    command = [*words, "--rootdir", str(folder), str(folder / "test_it.py")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("kind", SKIPS)
def test_strictly_a_skip_fails(kind: str, tmp_path: Path) -> None:
    status, output = run(tmp_path, SKIPS[kind], "1")
    assert status in (1, 2)
    assert "skipped under ACCELSIM_STRICT" in output
    assert "no reason" in output


def test_elsewhere_a_skip_is_a_skip(tmp_path: Path) -> None:
    status, output = run(tmp_path, SKIPS["call"], "")
    assert status == 0
    assert "1 skipped" in output


def test_an_expected_failure_stays_one(tmp_path: Path) -> None:
    status, output = run(tmp_path, EXPECTED_FAILURE, "1")
    assert status == 0
    assert "1 xfailed" in output
