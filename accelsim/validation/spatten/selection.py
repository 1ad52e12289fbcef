"""Top-k: cycles of quick-select by its exact law, a sorter beside it, and the lanes that keep up with Q x K."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, sqrt

from accelsim.errors import AccelsimError
from accelsim.units.topk.engines import ENGINES
from accelsim.units.topk.job import Ranking, steady
from accelsim.units.topk.law import quick_law, quick_mean
from accelsim.units.topk.merge import MergeParams, worst_select
from accelsim.units.topk.pace import Line, Needed, Pace, sweep
from accelsim.units.topk.quick import QuickParams
from accelsim.validation.check import Allowance, Check, compare, compare_digits
from accelsim.validation.runs import Runs
from accelsim.validation.spatten.points import FOLDER, published
from accelsim.validation.table import Cell, Table, read_table

JOBS = 800
MEAN = Allowance(0.03, f"means of {JOBS} jobs")
FAR = Allowance(0.032, f"3.1 standard errors of its {JOBS} jobs: a chance of one in 4 among 132 rows")
FAR_ROW = ("4096", "2048", "4", "3")
QUANTILES = Allowance(1 / 0.92 - 1, f"quantiles of {JOBS} jobs, 8 % of the exact one; rows whose law takes a moment")
MOST_TERMS = 1e8  # states times cycles of a law
MODEL = "three standard errors of its 100 jobs; places count from 0"
SORTER = Allowance(0.03, "half of the last digit; the released latency model gives 1.43")
SIZES, KEPT, RATE, STALL = (128, 256, 512, 1024), (0.1, 0.3, 0.5, 0.7, 0.9), 8, 0.05


def checks(runs: Runs) -> Iterator[Check]:
    """Samples of quick-select, the released latency model, and the speed over a sorter."""
    yield from _sampled()
    yield from _modelled()
    yield compare_digits("sorter/1024/512", "speed", speed_over_sorter(3), f"{published('sorter')}", SORTER)


def _sampled() -> Iterator[Check]:
    for row in read_table(FOLDER / "quickselect.csv"):
        params = QuickParams(lanes=int(row["lanes"]), overhead=int(row["overhead"]))
        job = Ranking(int(row["n"]), int(row["k"]))
        place = (row["n"], row["k"], row["lanes"], row["overhead"])
        name = f"select/{'/'.join(place)}"
        yield compare(name, "mean", select_mean(params, job), row["mean"], FAR if place == FAR_ROW else MEAN)
        law = quick_law(params, job) if job.k * (job.n - job.k) * float(row["p99"]) < MOST_TERMS else None
        if law is not None:
            yield compare(name, "p95", law.p95, row["p95"], QUANTILES)
            yield compare(name, "p99", law.p99, row["p99"], QUANTILES)


def _modelled() -> Iterator[Check]:
    for row in read_table(FOLDER / "latency.csv"):
        ours = select_mean(QuickParams(lanes=16, overhead=3), job_of_place(int(row["n"]), int(row["place"])))
        error = float(row["deviation"]) / sqrt(100) / float(row["mean"])
        yield compare(f"latency/{row['n']}/{row['place']}", "mean", ours, row["mean"], Allowance(3 * error, MODEL))


def job_of_place(n: int, place: int) -> Ranking:
    """The job of the score at a place that counts from 0: the largest but `place`.

    The model also seeks the place behind the last. It then drops all that is larger until nothing is left, which takes
    as long as to find the last; and that takes as long as to find the first.
    """
    return Ranking(n, 1 if place >= n - 1 else place + 1)


def select_mean(params: QuickParams, job: Ranking) -> float:
    """The mean of SELECT by the law.

    Raises:
        AccelsimError: a law of too many states.
    """
    found = quick_mean(params, job)
    if found is None:
        raise AccelsimError(f"n {job.n}, k {job.k}: the law has too many states")
    return found


def speed_over_sorter(overhead: int) -> float:
    """Cycles in which an odd-even merge sorter reads its rows over those of SELECT: the median of 1024, 16 lanes."""
    job = Ranking(1024, 512)
    return worst_select(MergeParams(lanes=16), job) / select_mean(QuickParams(lanes=16, overhead=overhead), job)


def sorter_table() -> Table:
    """What the speed over a sorter becomes with more of what a job takes."""
    job, claim = Ranking(1024, 512), published("sorter")
    rows: list[tuple[Cell, ...]] = []
    for overhead in (3, 5):
        select = ceil(select_mean(QuickParams(lanes=16, overhead=overhead), job))
        spans = [ENGINES["quickselect"].spans(QuickParams(lanes=16), job.n, cycles) for cycles in (384, select)]
        beside, after = (steady(spans[0], how) / steady(spans[1], how) for how in ("all", "filter"))
        rows.append((f"{overhead} cycles beside each pass", claim, speed_over_sorter(overhead), beside, after))
    head = ("median of 1024, 16 lanes", "published", "SELECT", "jobs, FILL hidden", "jobs, FILL before SELECT")
    return Table("Quick-select against a merge sorter", head, tuple(rows))


def lanes_table() -> Table:
    """The lanes that keep up with 8 scores a cycle, and what 16 make it wait, by candidates and the part kept."""
    points = [(n, kept) for n in SIZES for kept in KEPT]
    needed = sweep(ENGINES["quickselect"], QuickParams(lanes=16, overhead=3), points, Line(RATE, STALL))
    rows = tuple(_lanes_row(n, needed[at * len(KEPT) :][: len(KEPT)]) for at, n in enumerate(SIZES))
    head = ("candidates", *(f"kept {part:g}" for part in KEPT))
    return Table("Lanes that keep up with 8 scores a cycle: FILL hidden / one memory; what 16 wait", head, rows, NOTES)


NOTES = (
    "keeps up: Q x K waits for at most 5 % of the time. FILL hidden: scores of the next job enter while this one is",
    "selected from; one memory: SELECT follows FILL, so that no number of lanes keeps up unless SELECT is very short.",
    "The paper says that 16 comparators match 8 scores a cycle. They take 16 a cycle, but 2.7 to 3.4 times over.",
)


def _lanes_row(n: int, needed: list[Needed]) -> tuple[Cell, ...]:
    return (str(n), *(_lanes_cell(one) for one in needed))


def _lanes_cell(one: Needed) -> str:
    waits = f"{one.asked.beside:.0%} / {one.asked.after:.0%}"
    return f"{_lanes(one.beside)} / {_lanes(one.after)}; {waits}"


def _lanes(pace: Pace | None) -> str:
    return "none" if pace is None else str(pace.lanes)
