"""How long searches take: processor seconds with kernels compiled, each search from nothing but loaded files.

`mapper_peers.py` runs other mappers beside it, `mapper_growth.py` looks at how the time grows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from accelsim.arch import load_arch
from accelsim.mapper.fold import FASTEST, PARETO
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits, load_limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import best_mappings
from accelsim.workload import load_workload, steps

CASES = Path(__file__).parent / "mapper_cases"
ON_REFERENCE = [  # name, workload, sizes
    ("GEMM 512^3", "gemm", ["M=512"]),
    ("GEMM 4096^3", "gemm", ["M=4096"]),
    ("GEMV 4096 x 4096", "gemm", ["M=1", "N=4096", "K=4096"]),
    ("attention 1K", "attention", ["L=1024"]),
    ("attention 4K", "attention", ["L=4096"]),
    ("attention 16K", "attention", ["L=16384"]),
    ("attention 64K", "attention", ["L=65536"]),
]
SHIPPED = [  # on fusemax
    ("llama3-8b-decode-attention", ["B=32", "M=2048"]),
    ("mixtral-8x7b-experts", ["T=64"]),
    ("gated-linear-attention", ["B=1", "H=4", "C=16", "I=64", "E=128"]),
    ("resnet50-conv3", ["B=1"]),
]
FORMS = ("attention-3pass", "attention-3pass-deferred", "attention-2pass", "attention-1pass")
LENGTHS = (1024, 4096, 16384, 65536)
TURNS = 3


@dataclass(frozen=True)
class Row:
    """A search: processor seconds of the quickest turn, and what it looked at."""

    what: str
    seconds: float
    points: int
    looked_at: int


def searched(what: str, arch: str, workload: str, sizes: list[str], goal: int, limits: Limits) -> Row:
    """The quickest of TURNS searches; the first compiles kernels, or loads them."""
    loaded = load_arch(arch)
    step = steps(load_workload(workload, sizes), lambda function: None)[0]
    best, tally, found = float("inf"), Tally(), []
    for _ in range(TURNS):
        tally, start = Tally(), time.process_time()
        found = best_mappings(Problem(loaded, step), limits, tally, goal)
        best = min(best, time.process_time() - start)
    return Row(what, best, len(found), tally.looked_at)


def rows() -> Iterator[Row]:
    limits = load_limits(CASES / "limits.yaml", load_arch("reference"))
    for what, name, sizes in ON_REFERENCE:
        yield searched(what, "reference", str(CASES / f"{name}.yaml"), sizes, PARETO, limits)
    for name in ("gpt3_layer", "gpt3_decode"):
        yield searched(f"{name} (10 Einsums)", "reference", str(CASES / f"{name}.yaml"), [], FASTEST, limits)
    for form in FORMS:
        for length in LENGTHS:
            sizes = ["B=64", "H=12", "E=64", f"M={length}"]
            yield searched(f"{form} {length} on fusemax", "fusemax", form, sizes, FASTEST, Limits())
    for name, sizes in SHIPPED:
        yield searched(f"{name} on fusemax", "fusemax", name, sizes, FASTEST, Limits())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = []
    for row in rows():
        found.append(row)
        if not arguments.json:
            print(f"{row.what:44} {row.seconds * 1e3:9.1f} ms {row.looked_at:10,} ways looked at", flush=True)
    if arguments.json:
        print(json.dumps({"schema": 1, "kind": "benchmark-mapper", "rows": [asdict(row) for row in found]}))


if __name__ == "__main__":
    main()
