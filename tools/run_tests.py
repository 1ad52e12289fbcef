"""Runs every stage of the tests, also after one failed, and tells what each took; `make test` and `make check` call it.

The last line is `N passed, N failed`: tests as pytest counts them, and one for each other command. Exit status 1 if
anything failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "junit"
LIMIT_S = 60 * 60
Stages = dict[str, tuple[tuple[str, ...], ...]]
PYTHON = (sys.executable, "-m")
PYTEST = (*PYTHON, "pytest")
FEW = ("--hypothesis-profile=few",)  # a fifth of the examples of each property: tests/tries.py
OTHER = "not golden and not validation and not wheel"
LINT = ((*PYTHON, "ruff", "check", "."), (*PYTHON, "ruff", "format", "--check", "."))
TYPES = ((*PYTHON, "mypy"),)
# Each process takes a half from the front, then from the other's rest: kernels and fixtures of a file are made once.
TWO = ("-n", "2", "--dist", "worksteal")
UNIT = (*PYTEST, *TWO, "--doctest-modules", "tests", "accelsim", "-m")
RTL = ("tests/rtl", "tests/hardware")
VALIDATE = (str(Path(sys.executable).parent / "accelsim"), "validate")

CHECK: Stages = {"ruff": LINT, "mypy": TYPES, "fast": ((*UNIT, f"{OTHER} and not slow", *FEW),)}
TEST: Stages = {
    "ruff": LINT,
    "mypy": TYPES,
    "unit": ((*UNIT, OTHER, *(f"--ignore={folder}" for folder in RTL)),),
    "rtl": ((*PYTEST, *TWO, *RTL, "-m", OTHER),),
    "golden": ((*PYTEST, *TWO, "-m", "golden"),),
    "validation": (VALIDATE, (*PYTEST, *TWO, "-m", "validation")),
    "wheel": ((*PYTEST, "-m", "wheel"),),
}


@dataclass(frozen=True)
class Outcome:
    passed: int
    failed: int

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.passed + other.passed, self.failed + other.failed)


def run(command: tuple[str, ...]) -> int:
    """The exit status of a command in the project's folder; one that does not start or end counts as failed."""
    try:
        return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1


def counted(report: Path) -> Outcome:
    """What pytest wrote of a run; nothing where it wrote nothing."""
    if not report.exists():
        return Outcome(0, 0)
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.get(key, "0")) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    return Outcome(total - failures - errors - skipped, failures + errors)


def outcome_of(command: tuple[str, ...], name: str) -> Outcome:
    """Tests of a pytest run, else one for the command; a run that failed has at least one failure."""
    if "pytest" not in command:
        return Outcome(0, 1) if run(command) else Outcome(1, 0)
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    status = run((*command, f"--junitxml={report}"))
    found = counted(report)
    return Outcome(found.passed, max(found.failed, 1)) if status else found


def run_stages(stages: Stages) -> Iterator[tuple[str, Outcome, float]]:
    """Each stage's name, outcome and seconds, one after the other."""
    for name, commands in stages.items():
        print(f"== {name}", flush=True)
        start = time.monotonic()
        outcome = sum((outcome_of(command, name) for command in commands), Outcome(0, 0))
        yield name, outcome, time.monotonic() - start


def main(words: list[str]) -> int:
    if words not in (["check"], ["test"]):
        print("usage: tools/run_tests.py check|test", file=sys.stderr)
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    rows = list(run_stages(CHECK if words == ["check"] else TEST))
    total = sum((outcome for _, outcome, _ in rows), Outcome(0, 0))
    print()
    for name, outcome, seconds in rows:
        print(f"{name:12} {'FAILED' if outcome.failed else 'ok':7} {seconds:7.1f} s")
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
