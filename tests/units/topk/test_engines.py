"""Every top-k engine: what it keeps is what numpy keeps, its kernel is its definition, and its bounds hold."""

from __future__ import annotations

import csv
from dataclasses import replace
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.catalog import TOPK
from accelsim.units.topk.digits import BitParams, RadixParams
from accelsim.units.topk.engines import ENGINES, Engine
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.law import quick_mean
from accelsim.units.topk.queues import HeapParams, QueueParams
from accelsim.units.topk.quick import QuickParams
from accelsim.units.topk.sample import drawn_jobs, mean_and_quantiles, taken
from tests.units.topk.draw import BITS, Case, cases, largest

EACH = pytest.mark.parametrize("engine", ENGINES.values(), ids=lambda engine: engine.name)


@settings(max_examples=150)
@given(cases())
def test_it_keeps_what_numpy_keeps(case: Case) -> None:
    found = case.engine.select(case.params, case.scores, case.k, case.draws)
    assert found.kept == largest(case.scores, case.k)


@settings(max_examples=150)
@given(cases())
def test_the_kernel_counts_what_the_definition_counts(case: Case) -> None:
    """Two jobs of other scores beside each other, so that nothing of one is left for the other."""
    if not 0 < case.k < len(case.scores):
        return
    jobs = [case.scores, case.scores[::-1], case.scores]
    counted = case.engine.jobs(case.params, np.array(jobs), case.k, np.array([case.draws] * 3))
    defined = [case.engine.select(case.params, scores, case.k, case.draws)[1:] for scores in jobs]
    assert counted.tolist() == [list(row) for row in defined]


@settings(max_examples=150)
@given(cases())
def test_every_score_is_read_and_no_job_exceeds_the_worst(case: Case) -> None:
    found = case.engine.select(case.params, case.scores, case.k, case.draws)
    job = Ranking(len(case.scores), case.k)
    assert found.cycles <= case.engine.worst(case.params, job)
    if job.bypasses:
        assert found.cycles == 0
        return
    counted_on_fill = getattr(case.params, "first_digit", "select") == "fill" and found.steps == 1
    assert counted_on_fill or found.cycles >= ceil(job.n / case.params.lanes)


@settings(max_examples=200)
@given(cases(), st.integers(1, 4))
def test_more_lanes_never_take_longer_on_the_same_job(case: Case, doublings: int) -> None:
    """But where scores pass a gate row by row: in a longer row more pass that were not too small when it began."""
    if case.engine.streams:
        return
    more = replace(case.params, lanes=case.params.lanes << doublings)
    fewer_cycles, cycles = (
        case.engine.select(params, case.scores, case.k, case.draws).cycles for params in (more, case.params)
    )
    assert fewer_cycles <= cycles


@settings(max_examples=200)
@given(cases())
def test_only_the_order_of_scores_counts(case: Case) -> None:
    """Of those engines that compare scores: other values in the same order take the same cycles."""
    if isinstance(case.params, RadixParams | BitParams):
        return
    stretched = [7 * score - 100 for score in case.scores]
    first, second = (case.engine.select(case.params, scores, case.k, case.draws) for scores in (case.scores, stretched))
    assert first == second


@EACH
def test_the_worst_case_of_a_unit_is_that_of_its_engine(engine: Engine) -> None:
    """The catalogue's timing is FILL, the worst SELECT and FILTER, one behind the other; the last beat ends it."""
    unit = next(unit for unit in TOPK if unit.name == engine.name)
    params, job = engine.params(lanes=4, input_lanes=2, overlap="none", filter_stages=3), Ranking(21, 5)
    fill = 0 if engine.streams else 11
    timing = unit.timing(params, job)
    assert timing.cycles == fill + engine.worst(params, job) + 11 + 3
    assert timing.busy == fill + engine.worst(params, job) + 11
    assert timing.last - timing.first == 2  # five scores in beats of two


@EACH
@pytest.mark.parametrize("scores", ["distinct", "uniform", "softmax"])
def test_samples_depend_on_the_seed_alone(engine: Engine, scores: str) -> None:
    unit = next(unit for unit in TOPK if unit.name == engine.name)
    params, job = unit.request({"n": 50, "k": 20, "scores": scores})
    first, again, other = (taken(engine, params, job, drawn_jobs(job, 12, 20, seed)).tolist() for seed in (1, 1, 2))
    assert first == again
    assert engine.name in ("radixselect", "bitserial", "odd-even-merge") or first != other


def test_a_quantile_is_the_least_that_so_many_do_not_exceed() -> None:
    found = mean_and_quantiles(np.arange(100, 0, -1))
    assert found == {"mean": 50.5, "p95": 95, "p99": 99, "max": 100}


# Worst cases that are met.


@pytest.mark.parametrize(("n", "k", "lanes"), [(9, 4, 2), (16, 15, 16), (30, 1, 7)])
def test_quick_select_meets_its_worst_case_with_pivots_from_both_ends(n: int, k: int, lanes: int) -> None:
    """The pivots are those that leave one score less: larger ones from the top, then smaller ones from the bottom."""
    engine = ENGINES["quickselect"]
    params = engine.params(lanes=lanes, overhead=3)
    scores = list(range(n))
    ends = [0.999999 for _ in range(k - 1)] + [0.0] * n
    assert engine.select(params, scores, k, ends).cycles == engine.worst(params, Ranking(n, k))


@pytest.mark.parametrize("engine", [ENGINES["radixselect"], ENGINES["bitserial"]], ids=lambda engine: engine.name)
@pytest.mark.parametrize("first_digit", ["select", "fill"])
def test_digits_meet_their_worst_case_where_all_are_equal(engine: Engine, first_digit: str) -> None:
    params = engine.params(lanes=4, first_digit=first_digit, early_exit="yes")
    assert engine.select(params, [5] * 30, 7, []).cycles == engine.worst(params, Ranking(30, 7))


def test_queues_meet_their_worst_case_where_scores_ascend() -> None:
    """A heap of 2^m - 1, filled by descending scores that each rise to the root, then by ascending ones that sink."""
    queue, heap = ENGINES["priority-queue"], ENGINES["heap"]
    assert queue.select(QueueParams(lanes=4), list(range(30)), 7, []).cycles == queue.worst(
        QueueParams(lanes=4), Ranking(30, 7)
    )
    scores = [*range(7, 0, -1), *range(8, 31)]
    assert heap.select(HeapParams(lanes=1), scores, 7, []).cycles == heap.worst(HeapParams(), Ranking(30, 7))


@pytest.mark.parametrize("lanes", [1, 2, 8])
def test_insertions_follow_the_law_of_records(lanes: int) -> None:
    """Score i of a random order is among the k largest so far with probability min(1, k / i).

    A gate that is set once for a row lets more pass: score j of a row is inserted if fewer than k before its row exceed
    it, of which there are i - j, so that the probability is min(1, k / (i - j + 1)).
    """
    job = Ranking(64, 10)
    found = taken(ENGINES["heap"], HeapParams(lanes=lanes), job, drawn_jobs(job, 12, 20_000, 3))
    expected = sum(min(1.0, 10 / (lanes * (i // lanes) + 1)) for i in range(64))
    assert found[:, 1].mean() == pytest.approx(expected, rel=0.005)


# Radix select by its parts.


@given(cases("radixselect"))
def test_compaction_and_early_exit_only_save(case: Case) -> None:
    plain = replace(case.params, compaction="no", early_exit="no")
    both = [
        case.engine.select(params, case.scores, case.k, []).cycles
        for params in (replace(plain, compaction="yes", early_exit="yes"), replace(plain, compaction="yes"), plain)
    ]
    assert both == sorted(both)


@given(cases("bitserial"))
def test_bit_serial_is_radix_select_of_one_bit(case: Case) -> None:
    shared = {name: getattr(case.params, name) for name in ("lanes", "overhead", "first_digit", "early_exit")}
    radix = RadixParams(score_bits=BITS, digit_bits=1, **shared)
    found = ENGINES["radixselect"].select(radix, case.scores, case.k, [])
    assert found == case.engine.select(case.params, case.scores, case.k, [])


def test_compaction_by_hand() -> None:
    """Eight scores of two digits of two bits, on one lane, the second largest sought.

    Digit 3 has one score and digit 2 three: the first pass reads 8. The second reads all 8 again and counts among
    three; a third digit would read but those three.
    """
    scores = [0b11_00, 0b10_01, 0b10_11, 0b00_00, 0b01_00, 0b10_00, 0b00_01, 0b00_10]
    params = RadixParams(lanes=1, overhead=0, score_bits=4, digit_bits=2, compaction="yes")
    found = ENGINES["radixselect"].select(params, scores, 2, [])
    assert (found.kept, found.cycles) == ((0, 2), 16)
    deeper = RadixParams(lanes=1, overhead=0, score_bits=6, digit_bits=2, compaction="yes")
    assert ENGINES["radixselect"].select(deeper, [score << 2 for score in scores], 2, []).cycles == 16 + 3


def test_scores_out_of_range_are_refused() -> None:
    engine = ENGINES["radixselect"]
    with pytest.raises(AccelsimError, match=r"scores: must be from 0 to 63, got 64 at 1"):
        engine.select(RadixParams(score_bits=6), [1, 64], 1, [])
    with pytest.raises(AccelsimError, match=r"scores: must be from 0 to 63, got -1 to 2"):
        engine.jobs(RadixParams(score_bits=6), np.array([[-1, 2]]), 1, np.zeros((1, 2)))


# Published counts.


@pytest.fixture(scope="module")
def rows(reference: Path) -> list[dict[str, float]]:
    """Counts of passes of fixed length, worked out by others for engines of 12 bits."""
    with (reference / "spatten" / "quickselect_stats.csv").open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("radixselect", "radix4b_12b"),
        ("bitserial", "bitserial_12b"),
        ("odd-even-merge", "oddeven_mergesort_passes"),
    ],
)
def test_fixed_times_are_the_published_ones(rows: list[dict[str, float]], name: str, column: str) -> None:
    """Those of merge sort have no overhead."""
    engine = ENGINES[name]
    for row in rows:
        overhead = 0 if name == "odd-even-merge" else int(row["overhead"])
        params = engine.params(lanes=int(row["P"]), overhead=overhead)
        assert engine.worst(params, Ranking(int(row["n"]), int(row["k"]))) == row[column]


@pytest.mark.golden
def test_means_of_the_released_latency_model(reference: Path) -> None:
    """A hundred jobs each, 16 lanes, 3 cycles of overhead, for the score of a place that counts from 0."""
    with (reference / "spatten" / "topk_latency_model.csv").open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if row["n"] != row["target0based"]]
    assert len(found) == 4
    for row in found:
        mean = quick_mean(QuickParams(), Ranking(int(row["n"]), int(row["target0based"]) + 1))
        assert mean is not None
        error = float(row["std"]) / sqrt(100)
        assert abs(float(row["mean_cycles_P16_100runs"]) - mean) < 3 * error
