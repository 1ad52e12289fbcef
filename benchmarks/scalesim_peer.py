"""The same matrix products in SCALE-Sim and here: cycles side by side, and how long each takes to say them.

Run with `python benchmarks/scalesim_peer.py [--python PATH] [--limit SECONDS] [--json]`. SCALE-Sim runs in an
environment of its own: PATH is an interpreter that can import it, else one is made under `.cache/`.

SCALE-Sim is asked for a run without stalls (`InterfaceBandwidth = CALC`) and writes no traces. Three counts of accelsim
stand beside its own:

- `unit`: the closed form of `accelsim.units.systolic`, padded and serialised;
- `serial`: depth `cycle` of a program with one fold in flight and a memory that is never waited for;
- `cycle`: depth `cycle` with folds that overlap and a DRAM of 400 GiB/s.

The first two must be SCALE-Sim's count and one more (it reports the index of the last cycle). `cycle` differs by
`overlap`, fills and drains that hide behind the next fold, and by `memory`, what the DRAM adds. Both are measured:
depth `cycle` runs with folds that overlap and no DRAM as well, which must give the closed form of overlapped folds.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from shutil import which

from startup import best_of

import accelsim as ac
from accelsim.simulate import simulate_named
from accelsim.units.systolic import Dataflow, Product, SystolicParams, timing

# Every stream is at least as long as an array's side; overlapped folds are otherwise bound by the rows that leave.
GEMMS = (
    Product(128, 128, 128),
    Product(1000, 300, 200),
    Product(509, 509, 509),
    Product(512, 512, 512),
    Product(1024, 1024, 1024),
    Product(2048, 2048, 2048),
)
SIDES = (128, 32)
DATAFLOWS: tuple[Dataflow, ...] = ("ws", "os")
MEMORY_GIB = 8
PACKAGES = ("scalesim==3.0.0", "numpy<2.4")
VENV = Path(__file__).resolve().parent.parent / ".cache" / "venv-scalesim"

# One fold at a time, and no memory that could be waited for: the assumptions of SCALE-Sim without stalls.
ONE_FOLD = "mapping.groups.gemm.in_flight=1"
NO_WAITS = "arch.levels.dram.bandwidth=unlimited"

SCALESIM_CONFIG = """\
[general]
run_name = run
[architecture_presets]
ArrayHeight = {side}
ArrayWidth = {side}
IfmapSramSzkB = 8192
FilterSramSzkB = 8192
OfmapSramSzkB = 8192
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
ReadRequestBuffer = 32
WriteRequestBuffer = 32
[layout]
IfmapCustomLayout = False
FilterCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""
SCALESIM_RUN = f"""\
import resource, time
from scalesim.scale_sim import scalesim
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_GIB} << 30, {MEMORY_GIB} << 30))
start = time.perf_counter()
run = scalesim(save_disk_space=True, verbose=False, config="array.cfg", topology="gemm.csv", layout="layout.csv",
               input_type_gemm=True)
run.run_scale(top_path="out")
print(time.perf_counter() - start)
"""

# A fold's results are there after the fill and the drain; with weights stationary R rows of them enter first.
ARCH = """\
schema: accelsim/arch/1
name: array
description: An array of {side} x {side} MACs
source: benchmarks/scalesim_peer.py
base: fusemax
set:
  units.pe2d.rows: {side}
  units.pe2d.cols: {side}
  units.pe2d.latency: {{os: ROWS + COLS - 2, ws: 2 * ROWS + COLS - 2}}
"""
MAPPINGS: dict[Dataflow, str] = {
    "os": """\
schema: accelsim/mapping/1
name: gemm-os
description: Outputs stationary, B kept as far as it fits
source: benchmarks/scalesim_peer.py
for: {arch: array, function: gemm}
split:
  n: {n2: rest, n1: fit(buffer), n0: cols(pe2d)}
  m: {m1: rest, m0: rows(pe2d)}
groups:
  - {name: gemm, loops: [n2, m1, n1], einsums: [C], latency: {C: os}, in_flight: 4}
spatial: {pe2d: {rows: m0, cols: n0}}
bind: {pe2d: [C]}
keep: {buffer: {tensors: {A: {at: m1, copies: 2}, B: {at: n2}}}}
""",
    "ws": """\
schema: accelsim/mapping/1
name: gemm-ws
description: Weights stationary, the next ones loaded ahead, A kept whole
source: benchmarks/scalesim_peer.py
for: {arch: array, function: gemm}
split:
  n: {n2: rest, n1: 4, n0: cols(pe2d)} # four columns of folds by turns: none waits for the partial sums before it
  k: {k1: rest, k0: rows(pe2d)}
groups:
  - {name: gemm, loops: [n2, k1, n1], einsums: [C], latency: {C: ws}, in_flight: 4}
spatial: {pe2d: {rows: k0, cols: n0}}
bind: {pe2d: [C]}
keep: {buffer: {tensors: {A: {at: outside}, B: {at: n1, copies: 2}, C: {at: n2, copies: 2}}}}
""",
}


@dataclass(frozen=True)
class Case:
    """A product on a square array."""

    side: int
    dataflow: Dataflow
    gemm: Product

    @property
    def sizes(self) -> list[str]:
        return [f"{name}={getattr(self.gemm, name)}" for name in "MNK"]

    @property
    def name(self) -> str:
        return f"{self.side:4d} {self.dataflow} {self.gemm.M} x {self.gemm.N} x {self.gemm.K}"


@dataclass(frozen=True)
class Count:
    """What one tool answered.

    Attributes:
        cycles: as the tool reports them.
        seconds: in a process that is running, its modules imported; files are read.
        process: seconds from starting the process to its end.
    """

    cycles: int
    seconds: float
    process: float


@dataclass(frozen=True)
class Stopped:
    """A run that came to the limit of time or memory: it would have taken longer than this."""

    seconds: float
    process: float


@dataclass(frozen=True)
class Row:
    """One case.

    Attributes:
        overlapped: cycles at depth `cycle` of folds in flight together and no DRAM.
        unit_overlapped: the same by the closed form.
    """

    case: Case
    scalesim: Count | Stopped
    unit: Count
    serial: Count
    cycle: Count
    overlapped: int
    unit_overlapped: int

    @property
    def overlap(self) -> int:
        """Cycles that folds in flight together add: fewer, so negative."""
        return self.overlapped - self.serial.cycles

    @property
    def memory(self) -> int:
        """Cycles that the DRAM adds to overlapped folds."""
        return self.cycle.cycles - self.overlapped

    @property
    def agrees(self) -> bool:
        """Whether depth `cycle` and the closed form agree, and with SCALE-Sim's count and one more."""
        peer = self.scalesim.cycles + 1 if isinstance(self.scalesim, Count) else self.unit.cycles
        return peer == self.unit.cycles == self.serial.cycles and self.overlapped == self.unit_overlapped

    def document(self) -> dict[str, object]:
        """For JSON, with what follows from the rest."""
        return {**asdict(self), "overlap": self.overlap, "memory": self.memory, "agrees": self.agrees}


def environment() -> str:
    """The interpreter of the environment under `.cache/`, made where it is missing."""
    python = VENV / "bin" / "python"
    if not (VENV / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True, stdout=sys.stderr)
        (VENV / "ready").touch()
    return str(python)


def run_scalesim(python: str, case: Case, limit: float) -> Count | Stopped:
    """SCALE-Sim in a process of its own, with `limit` seconds and `MEMORY_GIB` to spend."""
    with tempfile.TemporaryDirectory() as name:
        folder, gemm = Path(name), case.gemm
        (folder / "array.cfg").write_text(SCALESIM_CONFIG.format(side=case.side, dataflow=case.dataflow))
        (folder / "gemm.csv").write_text(f"Layer,M,N,K,\ngemm,{gemm.M},{gemm.N},{gemm.K},\n")
        (folder / "layout.csv").write_text("Layer,\n")
        start = time.perf_counter()
        try:
            command = [python, "-c", SCALESIM_RUN]
            done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return Stopped(limit, limit)
        process = time.perf_counter() - start
        if "MemoryError" in done.stderr:
            return Stopped(process, process)
        if done.returncode:
            raise SystemExit(f"{python} cannot run SCALE-Sim: {done.stderr.strip().rpartition(chr(10))[2]}")
        total, stalls = (folder / "out" / "run" / "COMPUTE_REPORT.csv").read_text().splitlines()[1].split(",")[2:4]
    if float(stalls):
        raise SystemExit(f"{case.name}: SCALE-Sim reports {stalls.strip()} stalls, a run without stalls was asked for")
    return Count(int(float(total)), float(done.stdout.split()[-1]), process)


def accelsim(*arguments: str) -> float:
    """Seconds of one command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "accelsim", *arguments, "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}".strip())
    return time.perf_counter() - start


def settings(texts: Sequence[str]) -> list[str]:
    return [part for text in texts for part in ("--set", text)]


def run_unit(case: Case) -> Count:
    """The closed form; it takes microseconds, so the best of many."""
    params = SystolicParams(case.side, case.side, case.dataflow)
    found = timing(params, case.gemm)
    given = [f"rows={case.side}", f"cols={case.side}", f"dataflow={case.dataflow}", *case.sizes]
    process = accelsim("unit", "systolic", *settings(given))
    return Count(found.cycles, best_of(200, partial(timing, params, case.gemm)), process)


def unit_overlapped(case: Case) -> int:
    """Cycles by the closed form of folds that overlap; stationary weights have a second buffer."""
    buffers = 2 if case.dataflow == "ws" else 1
    params = SystolicParams(case.side, case.side, case.dataflow, folds="overlapped", weight_buffers=buffers)
    return timing(params, case.gemm).cycles


def run_cycle(case: Case, folder: Path, *said: str) -> Count:
    """Depth `cycle`, from reading the files to the result, at sizes that this process has not seen."""
    arch, mapping = folder / f"array-{case.side}.yaml", folder / f"{case.dataflow}.yaml"
    arch.write_text(ARCH.format(side=case.side))
    mapping.write_text(MAPPINGS[case.dataflow])
    given = [*case.sizes, *said]
    gc.collect()  # else an evaluation now and then pays for what others left behind
    start = time.perf_counter()
    result = simulate_named(str(arch), "gemm", given, str(mapping), depth="cycle")
    seconds = time.perf_counter() - start
    flags = ("--mapping", str(mapping), "--depth", "cycle", *settings(given))
    return Count(result.cycles or 0, seconds, accelsim("simulate", str(arch), "gemm", *flags))


def measured(case: Case, folder: Path, python: str, limit: float) -> Row:
    serial, overlapped = run_cycle(case, folder, ONE_FOLD, NO_WAITS), run_cycle(case, folder, NO_WAITS)
    peer, cycle = run_scalesim(python, case, limit), run_cycle(case, folder)
    return Row(case, peer, run_unit(case), serial, cycle, overlapped.cycles, unit_overlapped(case))


HEADER = (
    f"{'array, M x N x K':28s}{'SCALE-Sim':>10s}{'s':>8s}{'s, proc.':>9s} |{'unit':>9s}{'us':>6s} |"
    f"{'serial':>9s}{'ms':>6s}{'faster':>10s} |"
    f"{'cycle':>9s}{'overlap':>9s}{'memory':>8s}{'ms':>7s}{'s, proc.':>9s}{'faster':>9s}{'proc.':>7s}"
)


def line(row: Row) -> str:
    """A row of the table; `faster` is SCALE-Sim's time over that of depth `cycle`, both in a running process."""
    peer = row.scalesim
    sign, cycles = ("", f"{peer.cycles}") if isinstance(peer, Count) else (">", "")
    left = f"{cycles:>10s}{sign + f'{peer.seconds:.2f}':>8s}{sign + f'{peer.process:.2f}':>9s}"
    unit = f"{row.unit.cycles:9d}{row.unit.seconds * 1e6:6.0f}"
    ratios = [peer.seconds / row.serial.seconds, peer.seconds / row.cycle.seconds, peer.process / row.cycle.process]
    same, faster, whole = (f"{sign}{ratio:.{0 if ratio >= 10 else 1}f}" for ratio in ratios)
    serial = f"{row.serial.cycles:9d}{row.serial.seconds * 1e3:6.1f}{same:>10s}"
    cycle = f"{row.cycle.cycles:9d}{row.overlap:+9d}{row.memory:+8d}{row.cycle.seconds * 1e3:7.0f}"
    return f"{row.case.name:28s}{left} |{unit} |{serial} |{cycle}{row.cycle.process:9.2f}{faster:>9s}{whole:>7s}"


def main() -> None:
    parser = argparse.ArgumentParser(description="matrix products in SCALE-Sim and in accelsim")
    parser.add_argument("--python", help="an interpreter that can import scalesim (default: made under .cache/)")
    parser.add_argument("--limit", type=float, default=120, help="seconds for each run of SCALE-Sim (default: 120)")
    parser.add_argument("--json", action="store_true", help="one document; the table goes to stderr")
    asked = parser.parse_args()
    if asked.python and not which(asked.python):
        parser.error(f'--python: no such program, "{asked.python}"')
    python = asked.python or environment()
    cases = [Case(side, dataflow, gemm) for gemm in GEMMS for side in SIDES for dataflow in DATAFLOWS]
    simulate_named("edge", "gemm", ["M=64"], depth="cycle")  # imports what is imported late, as SCALE-Sim's process has
    rows = []
    say = partial(print, flush=True, file=sys.stderr if asked.json else sys.stdout)
    say(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            rows.append(measured(case, Path(folder), python, asked.limit))
            say(line(rows[-1]))
    if asked.json:
        document = {"limit_s": asked.limit, "memory_gib": MEMORY_GIB, "version": ac.__version__}
        print(json.dumps({**document, "rows": [row.document() for row in rows]}, indent=1))
    if differing := [row.case.name for row in rows if not row.agrees]:
        sys.exit(f"counts differ that must agree: {'; '.join(differing)}")


if __name__ == "__main__":
    main()
