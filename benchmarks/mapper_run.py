"""One search for mappings in a process of its own, called again and again: what it finds, and processor seconds.

`searched` is what `mapper_peers.py` and `mapper_growth.py` call; run as a program with the JSON of a `Search`, this
file is the process. The first call loads compiled kernels, or compiles them; peers are run by the same rule.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from accelsim.arch import load_arch
from accelsim.mapper.fold import FASTEST, PARETO
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits, load_limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import Found, best_mappings
from accelsim.workload import load_workload, steps

AGAIN_S = 1.0  # wall clock after the first call in which it is called again, at least once
SAME = Path(__file__).resolve().parent / "mapper_cases" / "limits.yaml"


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        arch: a name or a path, as is `workload`.
        sizes: as for `--set`.
        limits: the path of a file of limits; None: the whole space.
        perfect: in place of what the limits say.
        goal: `edp`, the least energy x time, or `latency`.
    """

    arch: str
    workload: str
    sizes: tuple[str, ...] = ()
    limits: str | None = None
    perfect: bool | None = None
    goal: str = "edp"


@dataclass(frozen=True)
class Call:
    """One call: processor seconds of it, energy and latency of what it found, and how many ways it looked at."""

    cpu_s: float
    joules: float
    seconds: float
    looked_at: int


@dataclass(frozen=True)
class Calls:
    """All calls of a process, and why it ended before its time: empty where it did not."""

    calls: tuple[Call, ...]
    why: str = ""

    @property
    def warm(self) -> Call | None:
        """The quickest call after the first; the first where it is the only one."""
        return min(self.calls[1:] or self.calls, key=lambda call: call.cpu_s, default=None)

    @property
    def is_warm(self) -> bool:
        return len(self.calls) > 1


def searched(search: Search, limit: float) -> Calls:
    """The mapper of accelsim."""
    return called([sys.executable, __file__, json.dumps(asdict(search))], {}, limit)


def called(command: Sequence[str], files: Mapping[str, str], limit: float) -> Calls:
    """What a process prints, a call a line, in a folder of these files; it has `limit` seconds for each of two."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        said, errors = Path(folder) / "said.txt", Path(folder) / "errors.txt"
        with said.open("w") as out, errors.open("w") as err:
            try:
                done = subprocess.run(
                    command, check=False, cwd=folder if files else None, stdout=out, stderr=err, timeout=2 * limit
                )
                last = errors.read_text().strip().rpartition("\n")[2]
                why = (last or f"exit status {done.returncode}") if done.returncode else ""
            except subprocess.TimeoutExpired:
                why = f"two calls take more than {2 * limit:g} s"
        lines = [line for line in said.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
    return Calls(tuple(Call(**json.loads(line)) for line in lines), why)


def turns(search: Search) -> Iterator[Call]:
    """Searches from nothing but loaded files, until AGAIN_S have passed since the first."""
    arch = load_arch(search.arch)
    limits = load_limits(Path(search.limits), arch) if search.limits else Limits()
    if search.perfect is not None:
        limits = replace(limits, perfect=search.perfect)
    (step,) = steps(load_workload(search.workload, list(search.sizes)), lambda function: None)
    goal = PARETO if search.goal == "edp" else FASTEST
    again, end = 2, 0.0
    while again or time.perf_counter() < end:
        tally, start = Tally(), spent()
        found = best_mappings(Problem(arch, step), limits, tally, goal)
        cpu_s = spent() - start
        best = min(found, key=_product) if search.goal == "edp" else found[0]
        yield Call(cpu_s, best.energy_pj * 1e-12, best.seconds, tally.looked_at)
        end = end or time.perf_counter() + AGAIN_S
        again = max(0, again - 1)


def spent() -> float:
    """Processor seconds of this process, its threads and the children that have ended."""
    used = os.times()
    return time.process_time() + used.children_user + used.children_system


def _product(found: Found) -> float:
    return found.seconds * found.energy_pj


def main() -> None:
    asked = json.loads(sys.argv[1])
    for call in turns(Search(**{**asked, "sizes": tuple(asked["sizes"])})):
        print(json.dumps(asdict(call)), flush=True)


if __name__ == "__main__":
    main()
