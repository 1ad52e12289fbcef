"""Claims bit by bit, for solvers of bits: Yosys' own for steps of an induction, ABC for runs from reset.

Words with memories are a little for an SMT solver and soon too much; the same claims as gates go further: a whole
engine over tens of edges, in seconds where the other takes minutes.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from accelsim.errors import AccelsimError
from rtl.yosys import run_yosys

Answer = Literal["proved", "failed", "timeout"]
_FRAMES = re.compile(r"No output asserted in (\d+) frames")


def _bits(top: str) -> tuple[str, ...]:
    """Commands from a netlist with claims to registers and gates, memories included."""
    return (
        "read_rtlil in.il",
        f"hierarchy -check -top {top}",
        "proc",
        "flatten",
        "memory_collect",
        "opt_clean -purge",
        "async2sync",
        "chformal -lower",
        "chformal -cover -remove",
        "memory_map",
        "opt -full",
        "dffunmap",
        "opt_clean -purge",
        "setundef -undriven -anyseq",
    )


def holds_from_step_to_step(netlist: str, top: str, depth: int, timeout_s: float) -> Answer:
    """Whether what holds for at most `depth` edges in a row holds at the next, whatever the registers held before."""
    words = "-tempinduct -tempinduct-inductonly -prove-asserts -set-assumes"
    solve = f"tee -q -o log.txt sat {words} -maxsteps {depth} -timeout {max(1, round(timeout_s))} {top}"
    log = run_yosys([*_bits(top), "opt -full", solve], {"in.il": netlist}, ["log.txt"])["log.txt"]
    if "Induction step proven: SUCCESS" in log:
        return "proved"
    if "TIMEOUT" in log:
        return "timeout"
    if "proof failed" in log:
        return "failed"
    raise AccelsimError(f"sat ended without a verdict: {_last(log)}")


def holds_from_reset(netlist: str, top: str, depth: int, timeout_s: float) -> Answer:
    """Whether no run of `depth` edges from reset breaks a claim."""
    with tempfile.TemporaryDirectory(prefix="accelsim-proof-") as folder:
        model = Path(folder, "model.aig")
        gates = ("techmap", "opt -fast", "simplemap", "dffunmap", "aigmap", "opt_clean", f"write_aiger -zinit {model}")
        run_yosys([*_bits(top), *gates], {"in.il": netlist}, [])
        limit = max(1, round(timeout_s))
        log = _abc(f"read_aiger {model}; fold; strash; bmc3 -F {depth} -T {limit}")
    found = _FRAMES.search(log)
    if found:
        return "proved" if int(found[1]) >= depth else "timeout"
    if "was asserted in frame" in log:
        return "failed"
    raise AccelsimError(f"abc ended without a verdict: {_last(log)}")


def _abc(script: str) -> str:
    """What the ABC that comes with pyosys says."""
    spec = importlib.util.find_spec("pyosys")
    program = Path(str(spec and spec.origin)).parent / "yosys-abc"
    done = subprocess.run([str(program), "-c", script], capture_output=True, text=True, check=False)
    return done.stdout


def _last(log: str) -> str:
    lines = log.strip().splitlines()
    return lines[-1] if lines else "no word"
