"""The law of quick-select: its definition, its kernel, every order of pivots, our own samples and published ones."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import permutations
from math import factorial, log, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.topk.engines import ENGINES
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.law import distribution, mean_cycles, mean_passes, quick_law, quick_mean
from accelsim.units.topk.law_kernel import weights
from accelsim.units.topk.quick import QuickParams, select, traced, worst_select
from accelsim.units.topk.sample import drawn_jobs, taken

PLAIN = QuickParams(lanes=2, overhead=3)
TERMS = 1e8  # states times cycles of the rows of the table whose quantiles are worked out here


@st.composite
def small_jobs(draw: st.DrawFn) -> tuple[QuickParams, Ranking]:
    n = draw(st.integers(2, 9))
    params = QuickParams(lanes=draw(st.integers(1, 4)), overhead=draw(st.integers(0, 4)))
    return params, Ranking(n, draw(st.integers(1, n - 1)))


def first_of(order: Sequence[int], candidates: Sequence[int]) -> int:
    return next(score for score in order if score in candidates)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_the_law_counts_all_orders_in_which_pivots_may_come(n: int) -> None:
    """Pivots drawn evenly are those of a random order of all scores, without those that are no candidates."""
    for k in range(1, n):
        counts: Counter[int] = Counter()
        for order in permutations(range(n)):
            found = select(PLAIN, range(n), k, partial(first_of, order))
            counts[found.cycles] += 1
        weights = {cycles: Fraction(count, factorial(n)) for cycles, count in counts.items()}
        assert weights == distribution(PLAIN, n, k)


@given(small_jobs())
def test_the_kernel_is_the_definition(case: tuple[QuickParams, Ranking]) -> None:
    params, job = case
    weights = distribution(params, job.n, job.k)
    found = quick_law(params, job)
    assert found is not None
    assert found.mean == pytest.approx(float(mean_cycles(params, job.n, job.k)), rel=1e-12)
    for part, quantile in ((0.95, found.p95), (0.99, found.p99)):
        assert sum(w for cycles, w in weights.items() if cycles <= quantile) >= part - 1e-12
        assert sum(w for cycles, w in weights.items() if cycles < quantile) < part + 1e-12
    assert max(weights) == worst_select(params, job)


@given(small_jobs())
def test_the_kth_largest_costs_what_the_kth_least_does(case: tuple[QuickParams, Ranking]) -> None:
    params, job = case
    assert distribution(params, job.n, job.k) == distribution(params, job.n, job.n + 1 - job.k)


@pytest.mark.parametrize(("n", "k"), [(64, 6), (300, 150), (1024, 1), (1024, 512)])
def test_means_follow_closed_forms(n: int, k: int) -> None:
    """One more cycle for each pass is the mean of passes; a lane and no overhead count the scores that are read.

    These are 2n + 2n H(k / n) for large n, H in nats: Knuth's analysis of FIND, 1971.
    """
    reads, more = (quick_mean(QuickParams(lanes=1, overhead=overhead), Ranking(n, k)) for overhead in (0, 1))
    assert reads is not None
    assert more is not None
    assert more - reads == pytest.approx(mean_passes(n, k), rel=1e-9)
    part = (k - 0.5) / n
    entropy = -part * log(part) - (1 - part) * log(1 - part)
    assert reads == pytest.approx(n * (2 + 2 * entropy), rel=8 * log(n) / n)


@pytest.mark.parametrize("by_ranks", [False, True])
@pytest.mark.parametrize(("n", "k", "lanes"), [(200, 100, 4), (200, 20, 16), (1024, 512, 16), (300, 1, 1)])
def test_samples_agree_within_their_error(n: int, k: int, lanes: int, by_ranks: bool) -> None:
    params, job = QuickParams(lanes=lanes, overhead=0 if lanes == 1 else 3), Ranking(n, k)
    found = taken(ENGINES["quickselect"], params, job, drawn_jobs(job, 12, 4000, 7))[:, 0]
    if by_ranks:
        found = rank_samples(params, job, 40_000, np.random.default_rng(7))
    law = quick_law(params, job)
    assert law is not None
    error = float(found.std()) / sqrt(len(found))
    assert abs(float(found.mean()) - law.mean) < 3 * error
    for part, quantile in ((0.95, law.p95), (0.99, law.p99)):
        spread = 4 * sqrt(part * (1 - part) / len(found))
        assert (found <= quantile).mean() > part - spread
        assert (found < quantile).mean() < part + spread


def rank_samples(params: QuickParams, job: Ranking, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Cycles of so many jobs, all carried on a pass at a time, each by its candidates above and below the one sought.

    No score is drawn. A pivot of the lowest places is the p-th above, one of the highest the p-th below.
    """
    above, below = np.full(count, job.k - 1), np.full(count, job.n - job.k)
    cycles, going = np.zeros(count, np.int64), np.ones(count, bool)
    while going.any():
        size = above + below + 1
        cycles += going * (-(-size // params.lanes) + params.overhead)
        pivot = (rng.random(count) * size).astype(np.int64)
        going &= pivot != above
        above, below = (
            np.where(pivot < above, above - pivot - 1, above),
            np.where(pivot > above, pivot - above - 1, below),
        )
    return cycles


def quick_of(row: dict[str, float]) -> QuickParams:
    return QuickParams(lanes=int(row["P"]), overhead=int(row["overhead"]))


def terms(row: dict[str, float]) -> float:
    """States times cycles: what the law takes."""
    return row["k"] * (row["n"] - row["k"]) * row["p99"]


@pytest.fixture(scope="module")
def rows(reference: Path) -> list[dict[str, float]]:
    """Jobs that were measured on another simulator, about 800 for each row."""
    with (reference / "spatten" / "quickselect_stats.csv").open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.golden
def test_means_of_published_samples(rows: list[dict[str, float]]) -> None:
    """Within 3 % of the exact ones, but for one of the 132, which is 3.15 % off.

    That is 3.1 standard errors of its 800 jobs, a chance of one in 500 for a row and of one in four for 132 rows.
    """
    assert len(rows) == 132
    far = []
    for row in rows:
        params, job = quick_of(row), Ranking(int(row["n"]), int(row["k"]))
        mean = quick_mean(params, job)
        assert mean is not None
        far += [(job.n, job.k)] if row["mean"] != pytest.approx(mean, rel=0.03) else []
        assert row["mean"] == pytest.approx(mean, rel=0.032)
        assert row["worst_case"] == worst_select(params, job)
        assert row["mean_passes"] == pytest.approx(mean_passes(job.n, job.k), rel=0.04)
    assert far == [(4096, 2048)]


@pytest.mark.golden
def test_exact_quantiles_of_published_samples(rows: list[dict[str, float]]) -> None:
    """Of the rows whose law takes a moment; both quantiles within 8 %."""
    short = [row for row in rows if terms(row) < TERMS]
    assert len(short) > 60
    for row in short:
        law = quick_law(quick_of(row), Ranking(int(row["n"]), int(row["k"])))
        assert law is not None
        assert row["p95"] == pytest.approx(law.p95, rel=0.08)
        assert row["p99"] == pytest.approx(law.p99, rel=0.08)


@pytest.mark.golden
def test_quantiles_of_published_samples(rows: list[dict[str, float]]) -> None:
    """The other rows, whose law would take minutes, by 25,000 jobs of our own each; both quantiles within 8 %.

    A quantile of ours is known to three standard errors of its place among the jobs.
    """
    count = 25_000
    rng = np.random.default_rng(5)
    for row in (row for row in rows if terms(row) >= TERMS):
        found = np.sort(rank_samples(quick_of(row), Ranking(int(row["n"]), int(row["k"])), count, rng))
        for name, part in (("p95", 0.95), ("p99", 0.99)):
            spread = 3 * sqrt(count * part * (1 - part))
            least, most = found[int(part * count - spread)], found[int(part * count + spread)]
            assert 0.92 * least <= row[name] <= 1.08 * most


def test_a_tail_beyond_twice_the_mean_is_followed() -> None:
    """The largest of 83: all numbers of cycles that there are, whose mean and sum are those of a distribution."""
    params, job = QuickParams(lanes=1, overhead=0), Ranking(83, 1)
    law = quick_law(params, job)
    each = weights(0, 82, 1, 0, worst_select(params, job) + 1)
    assert law is not None
    assert each.sum() == pytest.approx(1, rel=1e-12)
    assert (each * np.arange(len(each))).sum() == pytest.approx(law.mean, rel=1e-12)
    assert law.p99 > 2 * law.mean + 1
    assert law.p99 == np.searchsorted(np.cumsum(each), 0.99)


def test_a_large_job_has_a_mean_but_no_quantiles() -> None:
    job = Ranking(2**14, 2**13)
    assert quick_law(PLAIN, job) is None
    assert quick_mean(PLAIN, job) == pytest.approx(job.n / 2 * 3.386 + 3.5 * mean_passes(job.n, job.k), rel=0.01)
    assert quick_mean(PLAIN, Ranking(2**20, 2**19)) is None


def test_pivots_of_a_trace() -> None:
    """Seven scores, the third largest: 5 leaves 7 and 9 above, equal to two; 4 is then sought below, and found."""
    scores = [4, 9, 1, 7, 2, 3, 0]
    found = select(QuickParams(lanes=4, overhead=3), scores, 3, traced([7, 2, 4]))
    assert found.kept == (0, 1, 3)
    assert found.cycles == (2 + 3) + (2 + 3) + (1 + 3)
    with pytest.raises(AccelsimError, match="pivots: end while 5 candidates are left"):
        select(QuickParams(), scores, 3, traced([7]))
    with pytest.raises(AccelsimError, match="pivot 2: must be one of the 5 candidates, got 9"):
        select(QuickParams(), scores, 3, traced([7, 9]))


@pytest.mark.parametrize("k", [0, 4])
def test_a_rank_that_no_score_has(k: int) -> None:
    with pytest.raises(AccelsimError, match=f'k: must be an integer from 1 to 3, got "{k}"'):
        distribution(PLAIN, 3, k)
