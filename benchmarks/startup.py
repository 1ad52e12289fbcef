"""How long a newcomer waits: cold starts of the command line, and evaluations on loaded objects.

Run with `python benchmarks/startup.py`. Each figure is the best of several runs, with its ratio to starting Python and
importing numpy on the same machine in the same run.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import accelsim as ac

COMMANDS: dict[str, Sequence[str]] = {
    "python -c 'import numpy'": ("-c", "import numpy"),
    "accelsim --help": ("-m", "accelsim", "--help"),
    "accelsim list": ("-m", "accelsim", "list"),
    "accelsim analyze attention-1pass": (
        "-m", "accelsim", "analyze", "attention-1pass", "--set", "B=1", "--set", "H=1", "--set", "E=64",
        "--set", "M=4096",
    ),
    "accelsim simulate fusemax bert, L = 1M": (
        "-m", "accelsim", "simulate", "fusemax", "bert", "--set", "L=1048576", "--depth", "analytic", "--json",
    ),
    "accelsim simulate fusemax bert-layer, L = 1M": (
        "-m", "accelsim", "simulate", "fusemax", "bert-layer", "--set", "L=1048576", "--json",
    ),
    "accelsim simulate fusemax causal-attention, 1M keys": (
        "-m", "accelsim", "simulate", "fusemax", "causal-attention", "--set", "B=1", "--set", "H=12", "--set", "E=64",
        "--set", "M=1048576", "--json",
    ),
}  # fmt: skip


def best_of(repeats: int, run: Callable[[], object]) -> float:
    """The least seconds of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def start(arguments: Sequence[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def fresh_sizes() -> Callable[[], object]:
    """Evaluations of the same design at sizes that it has not seen."""
    arch = ac.load_arch("fusemax")
    lengths = iter(range(4096, 1 << 30, 256))
    return lambda: ac.simulate(arch, ac.load_workload("bert", [f"L={next(lengths)}"]))


def main() -> None:
    baseline = 0.0
    for name, arguments in COMMANDS.items():
        seconds = best_of(5, partial(start, arguments))
        baseline = baseline or seconds
        print(f"{name:55s} {seconds * 1e3:8.1f} ms  {seconds / baseline:5.2f} x numpy's import")
    arch, workload = ac.load_arch("fusemax"), ac.load_workload("bert", ["L=65536"])
    ac.simulate(arch, workload)
    print(f"{'again on loaded objects':55s} {best_of(50, lambda: ac.simulate(arch, workload)) * 1e3:8.2f} ms")
    print(f"{'a new length, the workload loaded anew':55s} {best_of(20, fresh_sizes()) * 1e3:8.2f} ms")


if __name__ == "__main__":
    main()
