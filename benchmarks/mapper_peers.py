"""The same workloads mapped by accelsim, AccelForge and ZigZag: what each finds, and how long it takes, in one run.

Run with `python benchmarks/mapper_peers.py [--only TOOL] [--cases TEXT] [--peers FILE] [--accelforge-python PATH]
[--zigzag-python PATH] [--limit SECONDS] [--json]`. Each tool runs in a process of its own for each case and looks for
the least energy x time on `arch_configs/reference.yaml` in its own form. Seconds are processor seconds of the mapper's
call alone (threads and children included; files read, modules imported), the quickest after a first call in the same
process: kernels are compiled by then. `--peers FILE` takes from the JSON of an earlier run what is not run.

- `accelsim`: under `mapper_cases/limits.yaml`, the assumptions of AccelForge: one Einsum after the other, weights alone
  in PEs, every intermediate kept, tiles that divide. All ratios are to this line.
- `accelsim, whole space`: without these limits. Units that overlap, outputs or inputs stationary and ragged tiles are
  then allowed, so that less energy or time than a peer's is another use of the machine, not a better search.
- `AccelForge`: as it comes; but for whole layers with `max_fused_loops` 1, as in its tutorial, and for the second case
  of 509^3, where it is told to look at tiles that do not divide and at arrays that are not full.
- `ZigZag`: LOMA with its default limit, and one spatial mapping, that of the reference array. It fuses nothing and has
  no softmax, so its rows are sums of the matrix products, each with the least energy x time. Its cost model adds
  loading and unloading to the time and sends partial sums through the buffer in its own way (here with as many bits as
  all other numbers; its examples have 32), so that its results are near the others', not comparable to the digit.

The first Einsum of the GPT-3 layers copies the input, as AccelForge writes them. AccelForge finds the same energy and
time without that Einsum, so the copy is free there; here it is read and written like every other tensor.

AccelForge 1.0.467 needs Python 3.12 or newer. Peers are never dependencies: where no interpreter is given that can
import them, environments are made under `.cache/`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from shutil import which

from mapper_inputs import ACCELFORGE_RUN, CASES, ZIGZAG_RUN, accelforge_files, chain_text, zigzag_files
from mapper_run import AGAIN_S, SAME, Call, Calls, Search, called, searched

from accelsim.report.numbers import si
from accelsim.workload import Step, load_workload, steps

CACHE = Path(__file__).resolve().parent.parent / ".cache"
HERE, WHOLE, ACCELFORGE, ZIGZAG = "accelsim", "accelsim, whole space", "AccelForge", "ZigZag"
TOOLS = (HERE, WHOLE, ACCELFORGE, ZIGZAG)
RAGGED: Mapping[str, object] = {"explore_imperfect_spatial_loops": True, "explore_imperfect_temporal_loops": True}
TUTORIAL: Mapping[str, object] = {"max_fused_loops": 1}


@dataclass(frozen=True)
class Peer:
    """A tool that is not ours: what it is installed from, and the Python that it needs."""

    packages: tuple[str, ...]
    module: str
    pythons: tuple[str, ...]


PEERS = {
    ACCELFORGE: Peer(("accelforge==1.0.467",), "accelforge", ("python3.12", "python3.13")),
    ZIGZAG: Peer(("zigzag-dse==3.9.1", "six"), "zigzag", (sys.executable,)),
}


@dataclass(frozen=True)
class Case:
    """A workload.

    Attributes:
        workload: a file of `mapper_cases`, or a number: that many matrix products in a chain.
        ragged: whether tiles need not divide and the array need not be full.
        accelforge: what its mapper is told beyond its defaults.
        tools: those that take part.
    """

    name: str
    workload: str | int
    sizes: tuple[str, ...] = ()
    ragged: bool = False
    accelforge: Mapping[str, object] = field(default_factory=dict)
    tools: tuple[str, ...] = TOOLS


CASES_RUN = (
    Case("GEMM 512^3", "gemm", ("M=512",)),
    Case("GEMM 4096^3", "gemm", ("M=4096",)),
    Case("GEMV 4096 x 4096", "gemm", ("M=1", "N=4096", "K=4096")),
    Case("GEMM 509^3", "gemm", ("M=509",)),
    Case("GEMM 509^3, ragged", "gemm", ("M=509",), True, RAGGED, (HERE, ACCELFORGE)),
    *(Case(f"attention {length >> 10}K", "attention", (f"L={length}",)) for length in (1024, 4096, 16384, 65536)),
    *(Case(f"{count} GEMMs of 4096^3", count) for count in (2, 4, 8)),
    Case("GPT-3 6.7B layer, 2048 tokens", "gpt3_layer", (), False, TUTORIAL),
    Case("GPT-3 6.7B layer, decode", "gpt3_decode", (), False, TUTORIAL),
)


@dataclass(frozen=True)
class Row:
    """What a tool did with a case: its quickest call after the first, where it made one, and why it ended early."""

    case: str
    tool: str
    call: Call | None
    calls: int
    why: str = ""

    @property
    def product(self) -> float:
        return self.call.joules * self.call.seconds if self.call else float("nan")


Runner = Callable[[Case, str, Step], Calls]
"""A tool: a case, the path of its workload, and that workload as it is loaded."""


def run_here(limits: str | None, limit: float, case: Case, path: str, step: Step) -> Calls:
    perfect = False if case.ragged and limits else None
    return searched(Search("reference", path, case.sizes, limits, perfect), limit)


def run_accelforge(python: str, limit: float, case: Case, path: str, step: Step) -> Calls:
    files = accelforge_files(step, 0 if case.ragged else 1, dict(case.accelforge), AGAIN_S)
    return called([python, "-c", ACCELFORGE_RUN], files, limit)


def run_zigzag(python: str, limit: float, case: Case, path: str, step: Step) -> Calls:
    return called([python, "-c", ZIGZAG_RUN], zigzag_files(step, AGAIN_S), limit)


def rows(runners: Mapping[str, Runner], cases: Sequence[Case]) -> Iterator[Row]:
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = str(CASES / f"{case.workload}.yaml")
            if isinstance(case.workload, int):
                path = str(Path(folder) / "chain.yaml")
                Path(path).write_text(chain_text(case.workload))
            (step,) = steps(load_workload(path, list(case.sizes)), lambda function: None)
            for tool, run in runners.items():
                if tool in case.tools:
                    found = run(case, path, step)
                    yield Row(case.name, tool, found.warm, len(found.calls), found.why)


def environment(tool: str, given: str | None) -> str:
    """An interpreter that can import a peer: the one given, or that of an environment made from it under `.cache/`.

    Raises:
        OSError: there is no such interpreter, or the peer cannot be installed.
    """
    peer = PEERS[tool]
    found = [path for name in ((given,) if given else peer.pythons) if (path := which(name)) and _imports(path, "venv")]
    if not found:
        raise OSError(f"found no {given or ' or '.join(peer.pythons)} that runs")
    if given and _imports(found[0], peer.module):
        return found[0]
    venv = CACHE / f"venv-{tool.lower()}"
    if not (venv / "ready").exists():
        _ran([found[0], "-m", "venv", "--clear", str(venv)])
        _ran([str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", *peer.packages])
        (venv / "ready").touch()
    return str(venv / "bin" / "python")


def _imports(python: str, module: str) -> bool:
    return not subprocess.run([python, "-c", f"import {module}"], check=False, capture_output=True).returncode


def _ran(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise OSError((done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2])


def runners(tools: Sequence[str], asked: argparse.Namespace) -> dict[str, Runner]:
    """Those of the tools that can run; of each other one, a line that says why not."""
    own: dict[str, Runner] = {
        HERE: partial(run_here, str(SAME), asked.limit),
        WHOLE: partial(run_here, None, asked.limit),
    }
    peers = {ACCELFORGE: (run_accelforge, asked.accelforge_python), ZIGZAG: (run_zigzag, asked.zigzag_python)}
    found: dict[str, Runner] = {}
    for tool in tools:
        if tool in own:
            found[tool] = own[tool]
            continue
        run, python = peers[tool]
        try:
            found[tool] = partial(run, environment(tool, python), asked.limit)
        except OSError as error:
            print(f"{tool} is left out: {error}", file=sys.stderr, flush=True)
    return found


HEADER = (
    f"{'case':30s}{'tool':23s}{'energy':>10s}{'time':>10s}{'e x t':>11s}"
    f"{'processor':>12s}{'ratio':>9s}{'looked at':>12s}"
)


def lines(found: Sequence[Row]) -> Iterator[str]:
    """The table, a case after the other; ratios are to accelsim in the same space."""
    yield HEADER
    for case in dict.fromkeys(row.case for row in found):
        some = sorted((row for row in found if row.case == case), key=lambda row: TOOLS.index(row.tool))
        base = next((row for row in some if row.tool == HERE), None)
        yield from (line(row, base) for row in some)


def line(row: Row, base: Row | None) -> str:
    start = f"{row.case:30s}{row.tool:23s}"
    if not row.call:
        return f"{start}  {row.why}"
    ratios = ""
    if base and base.call:
        times = row.call.cpu_s / base.call.cpu_s
        ratios = f"{times:.{0 if times >= 10 else 2}f}"
    better = _ratio(row.product / base.product) if base and base.call else ""
    cold = "" if row.calls > 1 else f"  first call ({row.why})"
    found = f"{si(row.call.joules, 'J'):>10s}{si(row.call.seconds, 's'):>10s}{better:>11s}"
    return f"{start}{found}{si(row.call.cpu_s, 's'):>12s}{ratios:>9s}{row.call.looked_at:12,}{cold}"


def _ratio(value: float) -> str:
    return f"{value:.4f}" if value < 1000 else f"{value:.3g}"


def saved(path: Path) -> list[Row]:
    """The rows of an earlier run."""
    given = json.loads(path.read_text())["rows"]
    return [Row(**{**row, "call": Call(**row["call"]) if row["call"] else None}) for row in given]


def merged(before: Sequence[Row], now: Sequence[Row]) -> list[Row]:
    """Rows of both, those of this run first where both have one, in the order of cases and tools."""
    every = {(row.case, row.tool): row for row in (*before, *now)}
    return [every[case.name, tool] for case in CASES_RUN for tool in TOOLS if (case.name, tool) in every]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the same workloads mapped by accelsim, AccelForge and ZigZag")
    names = {"accelsim": (HERE, WHOLE), "accelforge": (ACCELFORGE,), "zigzag": (ZIGZAG,)}
    parser.add_argument("--only", choices=names, action="append", help="run this tool alone; may be said again")
    parser.add_argument("--cases", default="", metavar="TEXT", help="run the cases whose names have this text")
    parser.add_argument(
        "--peers", type=Path, metavar="FILE", help="JSON of an earlier run: only accelsim runs, unless --only"
    )
    for tool in PEERS:
        words = f"an interpreter that can import {tool}, or to make an environment from (default: made under .cache/)"
        parser.add_argument(f"--{tool.lower()}-python", metavar="PATH", help=words)
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help="of each call (default: 300)")
    parser.add_argument("--json", action="store_true", help="one document; the table goes to stderr")
    asked = parser.parse_args()
    only = asked.only or (["accelsim"] if asked.peers else list(names))
    asked.tools = [tool for name in names if name in only for tool in names[name]]
    return asked


def main() -> None:
    asked = arguments()
    say = partial(print, flush=True, file=sys.stderr if asked.json else sys.stdout)
    before, now = saved(asked.peers) if asked.peers else [], list[Row]()
    cases = [case for case in CASES_RUN if asked.cases in case.name]
    for row in rows(runners(asked.tools, asked), cases):
        now.append(row)
        print(line(row, None), file=sys.stderr, flush=True)
    found = merged(before, now)
    say("\n".join(lines(found)))
    if asked.json:
        where = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
        document = {"schema": 1, "kind": "benchmark-mapper-peers", **where, "limit_s": asked.limit}
        print(json.dumps({**document, "rows": [asdict(row) for row in found]}, indent=1))


if __name__ == "__main__":
    main()
