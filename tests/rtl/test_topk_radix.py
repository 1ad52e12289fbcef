"""The radix engine in hardware: every bit and every edge, and faults on purpose."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware.topk import CORNERS, TopkJob, corners_of, drawn, job_of, scores_like, some_k
from accelsim.hardware.topk_radix import UNIT, build
from rtl.bench import Case, Device, devices_of, simulate, soak, sweep
from rtl.bench.plan import CASES, sum_of
from rtl.formal import check_ready_paths
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.sim.case import Cut
from rtl.topk.radix import RadixSetup
from rtl.verilog import lint, verilog_text
from tests.rtl.rigid import SEED, WAITING, cases, wrong
from tests.rtl.topk_radix import SMALL, TIMING, variants

pytestmark = pytest.mark.slow
BENCH, SETUPS = UNIT.under_test, UNIT.configurations
EACH = pytest.mark.parametrize("name", SETUPS)
JOBS, LONG_JOBS, LONGEST = 10_000, 200, 1024
LONG: RadixSetup = UNIT.large["full"]
NARROW: RadixSetup = UNIT.read({"input_lanes": 1, "lanes": 16, "score_bits": 7, "first_digit": "fill"})
EVERY: RadixSetup = UNIT.read({"input_lanes": 2, "lanes": 4, "most": 8, "score_bits": 2, "digit_bits": 1})


@cache
def devices() -> list[Device]:
    return devices_of(BENCH, [*SETUPS.values(), LONG, NARROW, EVERY])


def test_every_bit_and_edge() -> None:
    tried = sweep(BENCH, list(SETUPS.values()), SEED)
    assert len(tried) == (CASES + 1) * len(SETUPS) >= 100
    assert wrong(simulate(devices(), tried)) == []


def back_to_back(name: str, setup: RadixSetup, jobs: list[TopkJob], rng: np.random.Generator) -> Case:
    """Jobs in one run without a gap."""
    alone = [BENCH.job(setup, job, rng) for job in jobs]
    return Case(f"{len(jobs)} jobs", name, BENCH.chained(setup, jobs, alone), seed=SEED)


def resets(setup: RadixSetup, name: str, rng: np.random.Generator) -> list[Case]:
    """A job that has every step, a reset at each of its edges, and another such job behind it."""
    form = setup.form
    scores = rng.permutation(form.most)
    jobs = [job_of(form, scores, k, rng) for k in (form.most // 2, form.most - 1)]
    before, after = (BENCH.job(setup, job, rng) for job in jobs)
    edges = range(1, before.last + 1)
    return [Case(f"{name} reset at {edge}", name, (after,), cut=Cut((before,), edge)) for edge in edges]


def test_ten_thousand_jobs() -> None:
    rng = np.random.default_rng(SEED)
    setup = SETUPS["early"]
    jobs = [drawn(setup.form, rng) for _ in range(JOBS)]
    met = Counter(corner for job in jobs for corner in corners_of(setup.form, job))
    assert set(met) == set(CORNERS)
    assert min(met.values()) >= 20
    assert wrong(simulate(devices(), [back_to_back("topk_radix_1", setup, jobs, rng)], x_seeds=(1,))) == []


def test_every_small_job() -> None:
    """All of up to four scores of two bits, and all of eight scores that are 1 or 2, each with every k."""
    rng, form = np.random.default_rng(SEED), EVERY.form
    few = [scores for n in range(5) for scores in product(range(4), repeat=n)]
    jobs = [job_of(form, np.array(s, np.int64), k, rng) for s in few for k in range(len(s) + 2)]
    jobs += [job_of(form, np.array(s), k, rng) for s in product((1, 2), repeat=8) for k in range(9)]
    jobs = [jobs[place] for place in rng.permutation(len(jobs))]
    assert len(jobs) == sum(4**n * (n + 2) for n in range(5)) + 2**8 * 9
    name = f"topk_radix_{len(SETUPS) + 2}"
    assert wrong(simulate(devices(), [back_to_back(name, EVERY, jobs, rng)], x_seeds=(1,))) == []


def test_two_hundred_long_jobs() -> None:
    rng = np.random.default_rng(SEED)
    form = LONG.form
    jobs = [job_of(form, scores_like(form, LONGEST, rng), some_k(form, LONGEST, rng), rng) for _ in range(LONG_JOBS)]
    name = f"topk_radix_{len(SETUPS)}"
    assert wrong(simulate(devices(), [back_to_back(name, LONG, jobs, rng)], x_seeds=(1,))) == []


def larger(setup: RadixSetup, rng: np.random.Generator) -> TopkJob:
    """As many scores as there may be, or half of them."""
    n = int(rng.integers(setup.form.most // 2, setup.form.most, endpoint=True))
    return job_of(setup.form, scores_like(setup.form, n, rng), some_k(setup.form, n, rng), rng)


def test_a_hundred_thousand_beats() -> None:
    tried = soak(replace(BENCH, shape=larger), NARROW, f"topk_radix_{len(SETUPS) + 1}", SEED)
    assert sum(sum_of(case.jobs) for case in tried) >= 100_000
    assert wrong(simulate(devices(), tried, x_seeds=(1,))) == []


@EACH
def test_verilog_is_clean(name: str) -> None:
    lint(verilog_text(build(SETUPS[name]), "accelsim_topk_radix"), "accelsim_topk_radix")


@EACH
def test_no_path_from_ready_to_valid(name: str) -> None:
    check_ready_paths(build(SETUPS[name]))


def test_a_reset_at_any_edge() -> None:
    tried = resets(SMALL, "topk_radix_0", np.random.default_rng(SEED))
    assert wrong(simulate(devices_of(BENCH, [SMALL]), tried)) == []


# Faults on purpose.


def test_every_fault_made_by_hand_is_found() -> None:
    resets_too = resets(SMALL, "topk_radix_0", np.random.default_rng(SEED))
    found = run_variants(build(SMALL), variants(), [*cases(BENCH, SMALL), *resets_too])
    assert [mutant.name for mutant in found.survivors] == []
    how = {mutant.name: mutant.found for mutant in found.mutants}
    assert len(how) >= 20
    assert all("output at edge" in how[name] or "begins" in how[name] for name in TIMING)
    assert all("gaps" in how[name] for name in WAITING)


SURVIVORS: dict[str, str] = {}
"""Faults that change nothing which a run could show, each with the reason."""


def test_nine_of_ten_drawn_faults_are_found() -> None:
    found = run_mutants(mutants(build(SMALL), 30, SEED, "radix_small"), cases(BENCH, SMALL))
    assert len(found.mutants) == 30
    assert found.share >= 0.9
    assert {mutant.name for mutant in found.survivors} == set(SURVIVORS)


# What is refused.

BAD: list[tuple[dict[str, object], str]] = [
    ({"digit_bits": 9}, 'digit_bits: must be an integer from 1 to 8, got "9"'),
    ({"score_bits": 3}, 'digit_bits: must be at most the 3 of a score, got "4"'),
    ({"input_lanes": 3}, 'input_lanes: must be a power of two, got "3"'),
    ({"lanes": 2}, 'lanes: must be at least the 4 of the input, got "2"'),
    ({"most": 0}, 'most: must be an integer from 1 to 65536, got "0"'),
    ({"find_stages": 9}, 'find_stages: must be an integer from 0 to 8, got "9"'),
    ({"first_digit": "fil"}, 'first_digit: must be one of fill, select, got "fil"; did you mean "fill"?'),
    ({"early_exit": "maybe"}, 'early_exit: must be one of no, yes, got "maybe"; known: no, yes'),
    ({"lane": 2}, 'lane: is no parameter; did you mean "lanes"?'),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_engines_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value) == message
