"""Lanes that keep pace by the law: what is claimed of 16, where it fails, and what simulated jobs say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.units.topk.engines import ENGINES
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.law import mean_cycles, quick_mean
from accelsim.units.topk.law_kernel import weights
from accelsim.units.topk.pace import Line, Pace, pace, sweep
from accelsim.units.topk.quick import QuickParams, pass_cycles
from accelsim.units.topk.rate import balance, demand, lanes_needed

QUICK = ENGINES["quickselect"]
SIXTEEN = QuickParams(lanes=16, overhead=3, input_lanes=8)
SIZES, KEEPS = (128, 256, 512, 1024, 2048, 4096), (0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.95)
POINTS = [(n, keep) for n in SIZES for keep in KEEPS]
EIGHT = Line(rate=8, stall=0.05)


def harmonic(n: int) -> Fraction:
    return sum((Fraction(1, i) for i in range(1, n + 1)), Fraction(0))


def passes(n: int, k: int) -> Fraction:
    return harmonic(k) + harmonic(n - k + 1) - 1


def reads(n: int, k: int) -> Fraction:
    """Scores that all passes read: Knuth's mean comparisons of FIND, and one more, of the pivot itself, in each pass.

    Source: Knuth, Mathematical analysis of algorithms, IFIP 1971.
    """
    rest = (n + 3 - k) * harmonic(n + 1 - k) + (k + 2) * harmonic(k)
    return 2 * ((n + 1) * harmonic(n) - rest + n + 3) + passes(n, k)


def kept(n: int, keep: float) -> int:
    return min(max(round(keep * n), 1), n - 1)


def test_the_closed_form_is_the_law() -> None:
    """A lane and no overhead: as fractions."""
    for n in range(1, 8):
        for k in range(1, n + 1):
            assert reads(n, k) == mean_cycles(QuickParams(lanes=1, overhead=0), n, k)


# The claim: at 8 results of Q x K in a cycle, 16 comparators keep up (SpAtten, HPCA 2021, section V).


@pytest.mark.parametrize("n", SIZES)
def test_sixteen_lanes_keep_up_with_the_input(n: int) -> None:
    """As the claim has it: FILL takes as long as the scores, and one pass over all of them half of that."""
    found = pace(QUICK, SIXTEEN, Ranking(n, n // 2), 8)
    assert found.fill == found.budget == n / 8
    assert pass_cycles(replace(SIXTEEN, overhead=0), n) == n / 16


@pytest.mark.parametrize(("n", "keep"), POINTS)
def test_sixteen_lanes_do_not_keep_up_with_the_selection(n: int, keep: float) -> None:
    """By the closed form, without the law: passes read more than 2 n scores, so 16 lanes take more than the budget.

    From 5 % of the scores to 95 % this holds without any cycles between passes. With 3 of them, as in the engine, it
    holds from 1 % on; and where SELECT follows FILL, scores wait more than half of the time.
    """
    k = kept(n, keep)
    least = reads(n, k) / 16 + 3 * passes(n, k)
    found = pace(QUICK, SIXTEEN, Ranking(n, k), 8)
    assert least <= found.select <= least + Fraction(15, 16) * passes(n, k)
    assert least > Fraction(n, 8) / (1 - Fraction(1, 20))
    assert found.beside > 0.05
    assert found.after > 0.5
    if 0.05 <= keep <= 0.95:
        assert reads(n, k) > 2 * n


def test_where_sixteen_lanes_do_keep_up() -> None:
    """With nothing to choose; at a quarter of the rate from 1024 scores on; for the largest if passes are free."""
    nothing = pace(QUICK, SIXTEEN, Ranking(512, 512), 8)
    assert nothing.select == nothing.beside == nothing.after == 0
    for n, keep in POINTS:
        assert n < 1024 or pace(QUICK, SIXTEEN, Ranking(n, kept(n, keep)), 2).beside == 0
    assert pace(QUICK, replace(SIXTEEN, overhead=0), Ranking(4096, 1), 8).beside < 0.05


# What it rests on.


def test_simulated_jobs_lie_between_the_bounds_of_the_law() -> None:
    """Beside FILL from the mean of SELECT to the mean of the longer of FILL and SELECT; after FILL the sum of both."""
    job = Ranking(256, 76)
    found = pace(QUICK, SIXTEEN, job, 8)
    each = weights(job.k - 1, job.n - job.k, 16, 3, 1000)
    longer = float((each * np.maximum(np.arange(1000), found.fill)).sum())
    asked = demand(job, 12, 8, samples=4000)
    intervals = {way: balance(QUICK, replace(SIXTEEN, overlap=way), asked).interval for way in ("all", "filter")}
    assert 0.98 * found.select < intervals["all"] < 1.02 * longer
    assert intervals["filter"] == pytest.approx(found.fill + found.select, rel=0.02)


@pytest.mark.parametrize(("n", "k"), [(512, 153), (1024, 307), (4096, 409)])
def test_simulated_jobs_never_need_fewer_lanes(n: int, k: int) -> None:
    """And at most twice as many: memory for one job ahead does not even out all that SELECT takes."""
    (one,) = sweep(QUICK, SIXTEEN, [(n, k / n)], EIGHT)
    simulated = lanes_needed(QUICK, QuickParams(overlap="all"), demand(Ranking(n, k), 12, 8))
    assert one.beside is not None
    assert simulated is not None
    assert one.beside.lanes <= simulated.params.lanes <= 2 * one.beside.lanes


@pytest.mark.parametrize("name", ["quickselect", "radixselect", "priority-queue"])
def test_the_lanes_needed_are_the_fewest(name: str) -> None:
    engine = ENGINES[name]
    line = Line(rate=2, stall=0.1)
    for one in sweep(engine, engine.params(lanes=4), [(96, 0.25), (200, 0.5)], line):
        for way in ("beside", "after"):
            found: Pace | None = getattr(one, way)
            if found is None:
                continue
            assert getattr(found, way) <= line.stall
            assert (found.sampled == 0) == (name == "quickselect")
        if name == "quickselect" and one.beside is not None and one.beside.lanes > 1:
            fewer = quick_mean(QuickParams(lanes=one.beside.lanes // 2), one.asked.job)
            assert fewer is not None
            assert 1 - one.asked.budget / fewer > line.stall


def test_only_quick_select_has_this_law() -> None:
    """A radix select takes three passes over all scores, whatever they are: no job differs from another."""
    radix = ENGINES["radixselect"]
    found = pace(radix, radix.params(lanes=16, overhead=3), Ranking(128, 40), 8)
    assert (found.select, found.sampled) == (3 * (8 + 3), 300)


def test_an_engine_that_selects_while_scores_enter_has_no_fill() -> None:
    heap = ENGINES["heap"]
    (one,) = sweep(heap, heap.params(lanes=2), [(96, 0.25)], Line(rate=0.1, stall=0.05))
    assert one.asked.fill == 0
    assert one.asked.beside == one.asked.after
    assert one.asked.select >= ceil(96 / 2)


@pytest.mark.parametrize(
    ("point", "line", "message"),
    [
        ((1, 0.5), EIGHT, 'n: must be at least 2, so that there is something to choose, got "1"'),
        ((64, 0.0), EIGHT, 'keep: must be above 0 and below 1, so that there is something to choose, got "0"'),
        (
            (64, float("nan")),
            EIGHT,
            'keep: must be above 0 and below 1, so that there is something to choose, got "nan"',
        ),
        ((64, 0.5), Line(0, 0.05), 'rate: must be above 0 and at most 4096, got "0"'),
        ((64, 0.5), Line(8, 1), 'stall: must be from 0 to below 1, got "1"'),
        ((8192, 0.5), EIGHT, "score_bits: 12 hold 4096 distinct scores, n is 8192: give more bits, or scores=uniform"),
        ((1 << 17, 0.5), Line(8, 0, "uniform"), "n: 300 jobs of 131072 scores are more than 16777216 scores"),
    ],
)
def test_sweeps_that_are_refused(point: tuple[int, float], line: Line, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        sweep(QUICK, SIXTEEN, [point], line)
    assert str(caught.value) == message


# The command line.


def test_the_tables_and_the_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["topk", "--sweep", "--n", "128", "1024", "--keep", "0.05", "0.5"]
    assert main([*words, "--engines", "quickselect", "odd-even-merge", "--out", str(tmp_path), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (found["schema"], found["kind"], found["lanes"], found["rate"]) == (1, "topk-sweep", 16, 8)
    quick, merge = found["engines"]["quickselect"], found["engines"]["odd-even-merge"]
    assert (quick["overhead"], quick["sampled"], merge["sampled"]) == (3, 0, 300)
    assert [(job["n"], job["k"]) for job in quick["jobs"]] == [(128, 6), (128, 64), (1024, 51), (1024, 512)]
    assert [job["lanes_needed"]["beside"] for job in quick["jobs"]] == [None, None, 32, 64]
    assert quick["jobs"][3]["select"] == quick_mean(SIXTEEN, Ranking(1024, 512))
    rows = (tmp_path / "topk-lanes.csv").read_text().splitlines()
    assert rows[0] == "engine,n,keep,k,lanes_beside,lanes_after,waits_beside,waits_after"
    assert [row.split(",")[4] for row in rows[1:5]] == ["", "", "32", "64"]
    assert found["files"] == [str(tmp_path / f"topk-lanes.{suffix}") for suffix in ("png", "svg", "csv")]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "quickselect, exact means: 16 lanes read 2 times the 8 scores that come in a cycle; scores wait at most 5%",
        "of the time in 0 of 4 jobs with SELECT beside FILL, in 0 with it after FILL",
    ]
    assert [line.split() for line in lines[4:6]] == [["128", "none", "none"], ["1024", "32", "64"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--sweep --engines quicksort", '--engines:1:1: no engine "quicksort"; did you mean "quickselect"?'),
        ("--sweep --samples 20", "--samples:1:1: is read without --sweep only"),
        ("--overhead 0", "--overhead:1:1: is read with --sweep only"),
        ("--sweep --lanes 0", 'lanes: must be an integer from 1 to 4096, got "0"'),
        ("--sweep --scores normal", 'scores: must be distinct, uniform or softmax, got "normal"'),
    ],
)
def test_words_that_are_refused(capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert main(["topk", "--n", "64", *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
