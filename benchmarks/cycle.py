"""How fast depth `cycle` is: starts executed one by one, tile tasks with skipping, cold and warm runs, peak memory.

Run with `python benchmarks/cycle.py [--limit SECONDS] [--longest L] [--json]`. The design is one-pass attention on
`fusemax` (BERT: 12 heads of 64, 64 sequences). Lengths go up by four; the first that takes longer than the limit is the
last that is tried.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy
from startup import best_of

from accelsim.program.execute import execute
from accelsim.program.lower.program import program_of
from accelsim.simulate import executed, load_named, placed

DESIGN = ("fusemax", "bert")
SHORTEST, LONGEST = 1 << 10, 1 << 20
SMALL = ("L=1024", "B=1")
PEAKS_PER_MIB = 1 << 20 if sys.platform == "darwin" else 1 << 10  # a peak is said in bytes, elsewhere in KiB

# A peak is at least that of the process that starts the other one: so a small one does.
LAUNCHER = """\
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass(frozen=True)
class Unskipped:
    """A program executed start by start."""

    starts: int
    seconds: float

    @property
    def per_s(self) -> float:
        return self.starts / self.seconds


@dataclass(frozen=True)
class Warm:
    """One length in a process that has imported everything and loaded the files.

    Attributes:
        tasks: starts of the whole run; `executed` of them one by one, the others by skipping.
        first: seconds of the first evaluation: placement, lowering, execution.
        again: seconds of the next one, on the same objects.
    """

    tasks: int
    executed: int
    first: float
    again: float

    @property
    def per_s(self) -> float:
        return self.tasks / self.first


@dataclass(frozen=True)
class Cold:
    """`accelsim simulate .. --depth cycle` from the start of its process to its end."""

    seconds: float
    peak_mib: float


def unskipped() -> Unskipped:
    """The best of three, the program being there."""
    program = program_of(placed(*load_named(*DESIGN, SMALL)), "attention")
    return Unskipped(execute(program, skip=False).executed, best_of(3, partial(execute, program, skip=False)))


def warm(length: int) -> Warm:
    """In this process."""
    executed(*load_named(*DESIGN, SMALL))  # imports what is imported late
    loaded = load_named(*DESIGN, [f"L={length}"])
    start = time.perf_counter()
    run = executed(*loaded)[1].run
    first = time.perf_counter() - start
    return Warm(sum(run.starts.values()), run.executed, first, best_of(20, partial(executed, *loaded)))


def output_of(arguments: Sequence[str], limit: float) -> str | None:
    """What a Python process prints; None where it takes longer than `limit` seconds."""
    # A session of its own, so that what it started ends with it.
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as started:
        try:
            found = started.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, 9)
            return None
    if started.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {started.returncode}")
    return found


def cold(length: int, limit: float) -> Cold | None:
    command = [
        sys.executable,
        "-m",
        "accelsim",
        "simulate",
        *DESIGN,
        "--set",
        f"L={length}",
        "--depth",
        "cycle",
        "--json",
    ]
    found = output_of(["-c", LAUNCHER, *command], limit)
    if found is None:
        return None
    seconds, peak = found.split()
    return Cold(float(seconds), float(peak) / PEAKS_PER_MIB)


def warm_elsewhere(length: int, limit: float) -> Warm | None:
    """`warm` in a process of its own, so that it can be stopped."""
    found = output_of([__file__, "--only", str(length)], limit)
    return None if found is None else Warm(**json.loads(found))


def lengths(longest: int, limit: float) -> Iterator[tuple[int, Cold, Warm]]:
    length = SHORTEST
    while length <= longest:
        outside, inside = cold(length, limit), warm_elsewhere(length, limit)
        if outside is None or inside is None:
            print(f"L = {length} takes longer than {limit:g} s", file=sys.stderr)
            return
        yield length, outside, inside
        length *= 4


def machine() -> dict[str, str | int | None]:
    return {"cores": os.cpu_count(), "python": platform.python_version(), "numpy": numpy.__version__}


HEADER = (
    f"{'L':>9s}{'tasks':>16s}{'executed':>10s}{'cold s':>9s}{'peak MiB':>10s}"
    f"{'first s':>9s}{'tasks/s':>12s}{'again ms':>10s}"
)


def line(length: int, outside: Cold, inside: Warm) -> str:
    counts = f"{length:9d}{inside.tasks:16,d}{inside.executed:10,d}"
    times = f"{outside.seconds:9.2f}{outside.peak_mib:10.0f}{inside.first:9.2f}{inside.per_s:12.3g}"
    return f"{counts}{times}{inside.again * 1e3:10.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="how fast depth cycle is")
    parser.add_argument("--limit", type=float, default=120, help="seconds for each run (default: 120)")
    parser.add_argument("--longest", type=int, default=LONGEST, help=f"the last length (default: {LONGEST})")
    parser.add_argument("--json", action="store_true", help="one document; the table goes to stderr")
    parser.add_argument("--only", type=int, metavar="L", help="one length in this process, as JSON")
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps(asdict(warm(asked.only))))
        return
    say = partial(print, flush=True, file=sys.stderr if asked.json else sys.stdout)
    full = unskipped()
    say(", ".join(f"{value} {name}" for name, value in machine().items()))
    say(f"no skipping, {' '.join(SMALL)}: {full.starts} starts, {full.seconds * 1e3:.0f} ms, {full.per_s:.0f} per s")
    say(HEADER)
    rows = []
    for length, outside, inside in lengths(asked.longest, asked.limit):
        say(line(length, outside, inside))
        rows.append({"L": length, "cold": asdict(outside), "warm": {**asdict(inside), "tasks_per_s": inside.per_s}})
    if asked.json:
        started = {**asdict(full), "per_s": full.per_s}
        print(json.dumps({**machine(), "limit_s": asked.limit, "unskipped": started, "lengths": rows}, indent=1))


if __name__ == "__main__":
    main()
