"""Yosys scripts run in a process of their own: the same names every time, and an error cannot end the caller."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from accelsim.errors import AccelsimError
from rtl.tools import need

_CHILD = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    design.run_pass(line)
"""


def run_yosys(script: Sequence[str], files: Mapping[str, str], results: Sequence[str]) -> dict[str, str]:
    """Run the commands of `script` in an empty folder that holds `files`; the text of the files that it must write.

    Raises AccelsimError with Yosys' own words where a command fails.
    """
    need("pyosys")
    with tempfile.TemporaryDirectory(prefix="accelsim-yosys-") as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", _CHILD],
            input="\n".join(script),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AccelsimError(f"yosys: {_complaint(done)}")
        return {name: Path(folder, name).read_text(encoding="utf-8") for name in results}


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Its error, else the last that it said before it ended."""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return errors[-1] if errors else f"ended with status {done.returncode} after: {lines[-1] if lines else 'nothing'}"
