"""The quick-select engine in hardware: every bit and every edge, proofs, and faults on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware.topk import CORNERS, TopkJob, corners_of, drawn, job_of, scores_like, some_k
from accelsim.hardware.topk_quick import UNIT, QuickJob, QuickSetup, build, edges_of, params_of, with_pivots
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.law import quick_mean
from accelsim.units.topk.quick import select
from rtl.bench import Case, Device, devices_of, simulate, soak, sweep
from rtl.bench.plan import CASES, sum_of
from rtl.formal import check_ready_paths
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.verilog import lint, verilog_text
from tests.rtl.rigid import SEED, WAITING, cases, wrong
from tests.rtl.topk_quick import SMALL, TIMING, TINY, variants

pytestmark = pytest.mark.slow
BENCH, SETUPS = UNIT.under_test, UNIT.configurations
EACH = pytest.mark.parametrize("name", SETUPS)
JOBS, LONG_JOBS, LONGEST = 10_000, 200, 1024
FULL_JOBS = 300
LONG: QuickSetup = UNIT.large["full"]


@cache
def devices() -> dict[str, Device]:
    """A device for every setup, and the long one, for one model."""
    setups = {**SETUPS, "full": LONG}
    return dict(zip(setups, devices_of(BENCH, list(setups.values())), strict=True))


def test_every_bit_and_edge() -> None:
    tried = sweep(BENCH, list(SETUPS.values()), SEED)
    assert len(tried) == (CASES + 1) * len(SETUPS) >= 100
    assert wrong(simulate(list(devices().values()), tried)) == []


def back_to_back(device: str, setup: QuickSetup, jobs: list[TopkJob], rng: np.random.Generator) -> Case:
    """Jobs in one run without a gap."""
    shapes = [with_pivots(setup, job, rng) for job in jobs]
    alone = [BENCH.job(setup, shape, rng) for shape in shapes]
    return Case(f"{len(jobs)} jobs", device, BENCH.chained(setup, shapes, alone), seed=SEED)


def test_ten_thousand_jobs() -> None:
    rng, setup = np.random.default_rng(SEED), SETUPS["traced"]
    jobs = [drawn(setup.form, rng) for _ in range(JOBS)]
    met = Counter(corner for job in jobs for corner in corners_of(setup.form, job))
    assert set(met) == set(CORNERS)
    assert min(met.values()) >= 20
    assert (
        wrong(
            simulate(list(devices().values()), [back_to_back(devices()["traced"].name, setup, jobs, rng)], x_seeds=(1,))
        )
        == []
    )


def every_way(setup: QuickSetup, job: TopkJob, pivots: tuple[int, ...] = ()) -> Iterator[QuickJob]:
    """A job with pivots of every value, one pass after the other."""
    seen: list[set[int]] = []

    def choose(candidates: Sequence[int]) -> int:
        seen.append(set(candidates))
        return pivots[len(seen) - 1] if len(seen) <= len(pivots) else candidates[0]

    select(params_of(setup), job.scores, job.k, choose)
    if len(seen) <= len(pivots):
        yield QuickJob(job, pivots)
    else:
        for pivot in sorted(seen[len(pivots)]):
            yield from every_way(setup, job, (*pivots, pivot))


def test_every_job_of_up_to_four_scores_of_two_bits() -> None:
    """Whatever is sought, with whatever pivots, one behind the other."""
    rng, form = np.random.default_rng(SEED), TINY.form
    shapes = [
        shape
        for n in range(form.most + 1)
        for scores in product(range(1 << form.score_bits), repeat=n)
        for k in range(form.most + 1)
        for shape in every_way(TINY, job_of(form, np.array(scores, np.int64), k, rng))
    ]
    assert len(shapes) > 4**4 * 5
    alone = [BENCH.job(TINY, shape, rng) for shape in shapes]
    case = Case("every job", "topk_quick_0", BENCH.chained(TINY, shapes, alone), seed=SEED)
    assert wrong(simulate(devices_of(BENCH, [TINY]), [case], x_seeds=(1,))) == []


def test_two_hundred_long_jobs() -> None:
    rng, form = np.random.default_rng(SEED), LONG.form
    jobs = [job_of(form, scores_like(form, LONGEST, rng), some_k(form, LONGEST, rng), rng) for _ in range(LONG_JOBS)]
    assert (
        wrong(simulate(list(devices().values()), [back_to_back(devices()["full"].name, LONG, jobs, rng)], x_seeds=(1,)))
        == []
    )


def larger(setup: QuickSetup, rng: np.random.Generator) -> QuickJob:
    """Any job of half as many scores as there may be, or more."""
    form = setup.form
    n = int(rng.integers(form.most // 2, form.most, endpoint=True))
    return with_pivots(setup, job_of(form, scores_like(form, n, rng), some_k(form, n, rng), rng), rng)


def test_a_hundred_thousand_beats() -> None:
    tried = soak(replace(BENCH, shape=larger), SETUPS["single"], devices()["single"].name, SEED)
    assert sum(sum_of(case.jobs) for case in tried) >= 100_000
    assert wrong(simulate(list(devices().values()), tried, x_seeds=(1,))) == []


def test_pivots_that_are_drawn_are_as_good_as_any() -> None:
    """The engine's own draws take what the law of quick-select says, which knows nothing of them."""
    rng, ranking = np.random.default_rng(SEED), Ranking(300, 100)
    form, number = LONG.form, 400
    jobs = [job_of(form, rng.choice(1 << form.score_bits, 300, replace=False), 100, rng) for _ in range(number)]
    each = edges_of(LONG, [QuickJob(job) for job in jobs])
    beats = 300 // form.input_lanes + 1
    mean = sum(timing.busy - beats for timing in each) / number
    assert mean == pytest.approx(quick_mean(params_of(LONG), ranking), rel=0.03)


@EACH
def test_verilog_is_clean(name: str) -> None:
    lint(verilog_text(build(SETUPS[name]), "accelsim_topk_quick"), "accelsim_topk_quick")


@EACH
def test_no_path_from_ready_to_valid(name: str) -> None:
    check_ready_paths(build(SETUPS[name]))


# Faults on purpose.


@cache
def tried_on_faults() -> list[Case]:
    """The cases of any unit, and many jobs of several rows: full rows behind part of one come about in few of them."""
    rng, form = np.random.default_rng(SEED), SMALL.form
    sizes = rng.integers(2 * form.lanes, form.most, FULL_JOBS, endpoint=True)
    jobs = [job_of(form, rng.integers(0, 1 << form.score_bits, n), int(rng.integers(1, n)), rng) for n in sizes]
    return [*cases(BENCH, SMALL), back_to_back("topk_quick_0", SMALL, jobs, rng)]


def test_every_fault_made_by_hand_is_found() -> None:
    found = run_variants(build(SMALL), variants(), tried_on_faults())
    assert [mutant.name for mutant in found.survivors] == []
    how = {mutant.name: mutant.found for mutant in found.mutants}
    assert len(how) >= 20
    assert all("output at edge" in how[name] or "begins" in how[name] for name in TIMING)
    assert all("gaps" in how[name] for name in WAITING)


SURVIVORS: dict[str, str] = {}
"""Faults that change nothing which a run could show, each with the reason."""


def test_nine_of_ten_drawn_faults_are_found() -> None:
    found = run_mutants(mutants(build(SMALL), 30, SEED, "quick_small"), tried_on_faults())
    assert len(found.mutants) == 30
    assert found.share >= 0.9
    assert {mutant.name for mutant in found.survivors} == set(SURVIVORS)


# What is refused.

BAD: list[tuple[dict[str, object], str]] = [
    ({"score_bits": 49}, 'score_bits: must be an integer from 1 to 48, got "49"'),
    ({"input_lanes": 3}, 'input_lanes: must be a power of two, got "3"'),
    ({"lanes": 2}, 'lanes: must be at least the 4 of the input, got "2"'),
    ({"close_stages": 9}, 'close_stages: must be an integer from 0 to 8, got "9"'),
    ({"pivots": "steam"}, 'pivots: must be one of sampled, stream, got "steam"; did you mean "stream"?'),
    ({"pivot": "stream"}, 'pivot: is no parameter; did you mean "pivots"?'),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_engines_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value) == message
