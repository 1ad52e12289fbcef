"""The GEMV unit in hardware: every bit and every edge, proofs, and faults on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from amaranth.hdl import Signal
from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from accelsim.formats import FP32
from accelsim.golden.floating import Singles, add, from_bf16, multiply
from accelsim.golden.gemv import in_beats
from accelsim.hardware.gemv import UNIT, GemvSetup, build, edges, operands
from accelsim.units.gemv import Matrix
from rtl.bench import Device, devices_of, simulate, soak, sweep
from rtl.bench.plan import CASES, sum_of
from rtl.formal import Claims, check_ready_paths, goes_on, prove, stream_rules, together
from rtl.gemv import Gemv
from rtl.gemv_parts import Turns, VectorStore
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.verilog import lint, verilog_text
from tests.rtl.gemv import DRAWN, SMALL, TINY, Hasty, OneTurn, variants
from tests.rtl.rigid import SEED, TIMING, WAITING, Lossy, cases, wrong

pytestmark = pytest.mark.slow
BENCH, SETUPS = UNIT.under_test, UNIT.configurations
EACH = pytest.mark.parametrize("name", SETUPS)


@cache
def devices() -> list[Device]:
    return devices_of(BENCH, list(SETUPS.values()))


def test_every_bit_and_edge() -> None:
    tried = sweep(BENCH, list(SETUPS.values()), SEED)
    assert len(tried) == (CASES + 1) * len(SETUPS) >= 100
    assert wrong(simulate(devices(), tried)) == []


def larger(setup: GemvSetup, rng: np.random.Generator) -> Matrix:
    """A few hundred beats, in groups of which most are full."""
    form = setup.form
    return Matrix(int(rng.integers(1, 60)), int(rng.integers(1, form.words * form.lanes + 1)))


def test_a_hundred_thousand_beats() -> None:
    tried = soak(replace(BENCH, shape=larger), SETUPS["scalar"], "gemv_1", SEED)
    assert sum(sum_of(case.jobs) for case in tried) >= 100_000
    assert wrong(simulate(devices(), tried, x_seeds=(1,))) == []


def sums(left: Singles, right: Singles) -> Iterator[tuple[str, int]]:
    """How many of these additions are of a kind, by double precision where that is exact: terms of similar size."""
    finite = np.isfinite(left) & np.isfinite(right)
    with np.errstate(all="ignore"):
        exact = left.astype(np.float64) + right.astype(np.float64)
        known = finite & (exact - right == left) & (exact - left == right)
        found = add(left, right)
        off, step = abs(exact - found), np.spacing(abs(found)).astype(np.float64)
    smallest = 2.0 ** (1 - FP32.bias)
    yield "tie", int((known & (off == step / 2)).sum())
    yield "rounded", int((known & (off > 0)).sum())
    yield "overflow", int((finite & np.isinf(found)).sum())
    yield "cancelled", int((known & (left != 0) & (exact == 0)).sum())
    yield "too small", int((known & (exact != 0) & (abs(exact) < smallest)).sum())
    yield "infinity less infinity", int((np.isinf(left) & np.isinf(right) & np.isnan(found)).sum())


def test_sums_of_every_kind_are_among_the_inputs() -> None:
    """Of neighbours in the tree, for weights and vectors as the bench draws them."""
    rng = np.random.default_rng(SEED)
    found: Counter[str] = Counter()
    for _ in range(200):
        w, x = (in_beats(codes, 2) for codes in operands(SETUPS["shared"], Matrix(20, 8), rng))
        products = multiply(w, x[:1])
        found.update(dict(sums(products[..., 0], products[..., 1])))
        with np.errstate(all="ignore"):
            exact = from_bf16(w).astype(np.float64) * from_bf16(x[:1])
        tiny = abs(exact) < 2.0 ** (1 - FP32.bias)
        found["product too small"] += int(((exact != 0) & tiny).sum())
        found["product too large"] += int((np.isfinite(exact) & np.isinf(products)).sum())
    assert min(found.values()) >= 5, found


@EACH
def test_verilog_is_clean(name: str) -> None:
    lint(verilog_text(build(SETUPS[name]), "accelsim_gemv"), "accelsim_gemv")


# Proofs.


@EACH
def test_streams_keep_their_rules(name: str) -> None:
    check_ready_paths(build(SETUPS[name]))
    assert prove(build(SETUPS[name]), stream_rules, 2).holds


def whole_jobs(claims: Claims, unit: wiring.Component) -> None:
    """Vectors fill their buffer and a job has one full group: only then is there an edge up to which each must end."""
    assert isinstance(unit, Gemv)
    store, weights = unit.store, unit.w.payload
    full = (store.word_place == unit.form.words - 1) & (store.vector == unit.form.vectors - 1)
    claims.given("vectors_fill", unit.x.payload.last == full)
    claims.given("groups_fill", weights.ends == (unit.turns.slot == unit.form.outputs - 1))
    claims.given("job_ends", weights.last == (weights.ends & store.last_word))


def test_proofs_speak_of_runs_that_exist() -> None:
    assert prove(build(TINY), stream_rules, 16, "cover").holds


def test_a_willing_neighbour_is_served() -> None:
    within = edges(TINY, Matrix(TINY.form.outputs, TINY.form.words)).first + 1
    claims = together(whole_jobs, goes_on(within))
    assert prove(build(TINY), claims, 30, "bounded").holds
    assert prove(build(TINY), claims, 20, "cover").holds


def test_a_broken_variant_is_refuted() -> None:
    proof = prove(Lossy(build(TINY), "w"), stream_rules, 16)
    assert (proof.verdict, proof.broken) == ("refuted", ("o_keeps",))


SPACING = 5


def sums_are_there(claims: Claims, turns: wiring.Component) -> None:
    """A beat that goes on with a sum comes `SPACING` edges after the one before of its row, whatever gaps are between.

    `age` counts edges since the last beat of any one row; the others say by when its next can come.
    """
    assert isinstance(turns, Turns)
    m = claims.m
    row = claims.constant("row", range(turns.outputs))
    claims.given("row_fits", row < turns.outputs)
    claims.given("rows_fit", (turns.slot < turns.outputs - 1) | turns.ends)
    claims.given("taken_when_ready", ~turns.taken | turns.ready)
    age = Signal(range(SPACING + 1), init=SPACING)
    first, hit = turns.word == 0, turns.taken & (turns.slot == row)
    m.d.sync += age.eq(age + (age < SPACING))
    with m.If(hit):
        m.d.sync += age.eq(1)
    ahead = row >= turns.slot
    claims.always("sum_is_there", ~hit | first | (age >= SPACING))
    claims.always("row_comes_late_enough", first | ~ahead | (age + turns.wait + row - turns.slot >= SPACING))
    claims.always("row_has_been", ahead | (age >= SPACING) | (age >= turns.slot - row))
    claims.always("waits_before_a_turn", (turns.wait == 0) | (turns.slot == 0))
    claims.reached("goes_on_at_once", hit & ~first & (age == SPACING) & (turns.wait == 0))
    claims.reached("has_waited", hit & ~first & (claims.past(turns.wait) == 1))


@pytest.mark.parametrize("outputs", [1, 3, 8])
def test_no_sum_is_read_before_it_is_written(outputs: int) -> None:
    assert prove(Turns(outputs, 4, SPACING), sums_are_there, 2).holds
    assert outputs > 3 or prove(Turns(outputs, 4, SPACING), sums_are_there, 16, "cover").holds


def test_a_hasty_turn_is_refuted() -> None:
    assert prove(Hasty(3, 4, SPACING), sums_are_there, 16).verdict == "refuted"


def vectors_are_kept(claims: Claims, store: wiring.Component) -> None:
    """No word is put where vectors lie that are in use, or that are the next to be used."""
    assert isinstance(store, VectorStore)
    claims.given("room_for_words", ~(store.present & store.full))
    claims.given("used_before_given_up", ~store.done | store.held)
    claims.always("no_more_than_buffers", store.jobs <= store.buffers)
    if store.buffers == 2:
        claims.always("takes_turns", (store.fills ^ store.uses) == (store.jobs == 1))
        claims.always("other_buffer", ~(store.present & store.held) | (store.fills != store.uses))
        claims.reached("loads_beside", store.present & store.held & store.last & store.done)
    else:
        claims.always("loads_alone", ~(store.present & store.held))
    claims.reached("is_full", store.full)


@pytest.mark.parametrize("buffers", [1, 2])
def test_vectors_in_use_are_not_overwritten(buffers: int) -> None:
    assert prove(VectorStore(1, 2, 3, buffers), vectors_are_kept, 2).holds
    assert prove(VectorStore(1, 2, 3, buffers), vectors_are_kept, 8, "cover").holds


def test_a_store_that_does_not_take_turns_is_refuted() -> None:
    assert prove(OneTurn(1, 2, 3, 2), vectors_are_kept, 8).verdict == "refuted"


# Faults on purpose.


def test_every_fault_made_by_hand_is_found() -> None:
    found = run_variants(build(SMALL), variants(), cases(BENCH, SMALL))
    assert [mutant.name for mutant in found.survivors] == []
    how = {mutant.name: mutant.found for mutant in found.mutants}
    assert len(how) >= 10
    assert all("output at edge" in how[name] or "begins" in how[name] for name in (*TIMING, "Slow", "quicker"))
    assert all("gaps" in how[name] for name in WAITING)


SURVIVORS: dict[str, str] = {}
"""Faults that change nothing which a run could show, each with the reason."""


def test_nine_of_ten_drawn_faults_are_found() -> None:
    found = run_mutants(mutants(build(DRAWN), 30, SEED, "gemv_small"), cases(BENCH, DRAWN))
    assert len(found.mutants) == 30
    assert found.share >= 0.9
    assert {mutant.name for mutant in found.survivors} == set(SURVIVORS)


# What is refused.

BAD: list[tuple[dict[str, object], str]] = [
    ({"lanes": 0}, 'lanes: must be an integer from 1 to 256, got "0"'),
    ({"vectors": 65}, 'vectors: must be an integer from 1 to 64, got "65"'),
    ({"outputs": 0}, 'outputs: must be an integer from 1 to 4096, got "0"'),
    ({"words": 5000}, 'words: must be an integer from 1 to 4096, got "5000"'),
    ({"vector_buffers": 3}, 'vector_buffers: must be an integer from 1 to 2, got "3"'),
    ({"round_stages": 9}, 'round_stages: must be an integer from 0 to 8, got "9"'),
    ({"lane": 2}, 'lane: is no parameter; did you mean "lanes"?'),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_units_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value) == message
