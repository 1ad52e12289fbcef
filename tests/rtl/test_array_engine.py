"""The array engine between its pads: every bit and every edge, claims proved, and faults on purpose."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.array_engine import Pads, matmul
from accelsim.hardware.array_engine import UNIT, ArrayEngineUnderTest, edges, load, loaded
from accelsim.program.instruction import Instruction
from rtl.bench import Case, Device, Result, device, devices_of, simulate, sweep
from rtl.bench.plan import CASES
from rtl.formal import Properties, check_ready_paths, prove
from rtl.layer.array import ArrayEngine, ArrayEngineForm
from rtl.layer.array_unit import ArrayUnit
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.verilog import lint
from tests.rtl.array_engine import TINY, Bubble, Shallow, Unpadded, beats_enter, orders_fit, variants
from tests.rtl.rigid import SEED, cases, wrong

pytestmark = pytest.mark.slow

BENCH, FORMS = UNIT.under_test, UNIT.configurations
EACH = pytest.mark.parametrize("name", FORMS)
LONG = ArrayEngineForm(2, 2, 512, 512, 1, 1, 2, 2)


@cache
def all_devices() -> tuple[Device, ...]:
    """Every configuration and one with long products, for one model."""
    return *devices_of(BENCH, list(FORMS.values())), device("long", ArrayUnit(LONG))


def run(tried: Sequence[Case], x_seeds: Sequence[int] = (1, 2), sim: str = "verilator") -> list[Result]:
    return simulate(all_devices(), tried, sim=sim, x_seeds=x_seeds)


def case(form: ArrayEngineForm, name: str, instructions: Sequence[Instruction]) -> Case:
    """These instructions back to back on pads of any elements."""
    assert isinstance(BENCH, ArrayEngineUnderTest)
    words = load(form, np.random.default_rng(SEED))
    return Case(f"{name} with {len(instructions)}", name, BENCH.on_pads(form, instructions, words))


def scores(beats: int, dst: int = 0, post: int = 0) -> Instruction:
    args = {"imm": beats, "cols": 1, "dst": dst}
    return Instruction("MATMUL", post=frozenset({post}), flags=frozenset({"transpose"}), args=args)


def weighed(keys: int, folds: int, dst: int = 0, post: int = 0) -> Instruction:
    return Instruction("MATMUL", post=frozenset({post}), args={"imm": keys, "cols": folds, "dst": dst})


# In simulation.


def test_configurations_are_of_every_kind() -> None:
    forms = FORMS.values()
    assert {side for form in forms for side in (form.rows, form.cols)} == {2, 4, 8}
    for stage in ("input_registers", "mac_registers", "output_registers"):
        assert {0, 1} <= {getattr(form, stage) for form in forms}


def test_every_bit_and_edge() -> None:
    """Lone, 2 and 5 back to back, both products mixed, after resets in mid-stream, with gaps."""
    tried = sweep(BENCH, list(FORMS.values()), SEED)
    assert len(tried) == CASES * len(FORMS) >= 100
    assert wrong(run(tried)) == []


def test_every_bit_and_edge_under_icarus() -> None:
    """Icarus knows of bits that nothing has set; a fresh machine need not have it, and then it is asked for by name."""
    tried = sweep(BENCH, list(FORMS.values()), SEED + 1)[::3]
    if shutil.which("iverilog") is None:
        with pytest.raises(AccelsimError, match="iverilog is not installed"):
            run(tried, sim="icarus")
        return
    assert wrong(run(tried, sim="icarus")) == []


def shortest() -> list[Instruction]:
    """Both products in turn, each with a fold of one beat that carries operands; each posts something else."""
    return [each for n in range(0, 14, 2) for each in (scores(1, post=n), weighed(1, 1, post=n + 1))]


@EACH
def test_the_shortest_follow_one_another_without_a_gap(name: str) -> None:
    """As many as are under way at once, and more."""
    form, place = FORMS[name], list(FORMS).index(name)
    assert len(shortest()) > form.under_way
    assert {edges(form, each).busy for each in shortest()} == {form.rows}
    assert wrong(run([case(form, f"array_engine_{place}", shortest())], (1,))) == []


def test_the_longest_product_does_not_overflow() -> None:
    """The most beats that an instruction can name, of the lowest codes, of which each product is largest."""
    assert isinstance(BENCH, ArrayEngineUnderTest)
    lowest = next(
        words for words in (load(LONG, np.random.default_rng(seed)) for seed in range(100)) if all_lowest(words)
    )
    jobs = BENCH.on_pads(LONG, [scores(4095), weighed(2, 1)], lowest)
    assert wrong(run([Case("longest", "long", jobs)], (1,))) == []


def all_lowest(words: tuple[int, ...]) -> bool:
    pads = loaded(LONG, words)
    return bool((pads.q == -128).all() and (pads.k == -128).all())


# The golden model.


@pytest.mark.parametrize("seed", range(5))
def test_the_golden_model_adds_up_what_the_elements_are_said_to_be(seed: int) -> None:
    """One product at a time, each operand found by where it lies."""
    rng = np.random.default_rng(seed)
    rows, cols = rng.choice((2, 4, 8), 2).tolist()
    q, k, v = (rng.integers(-128, 128, (banks, 4, 8)) for banks in (rows, cols, cols))
    pads = Pads(q, k, v, rng.integers(-(1 << 15), 1 << 15, (rows, 3, cols)))
    product = matmul(pads, Instruction("MATMUL", flags=frozenset({"transpose"}), args={"a": 1, "b": 2, "imm": 13}))
    for p, m in np.ndindex(rows, cols):
        total = sum(q[p, 1 + e // 8, e % 8] * k[m, 2 + e // 8, e % 8] for e in range(13))
        assert product.sums[p, m] == total
    args = {"a": 2, "b": 1, "dst": 5, "imm": cols - 1, "cols": 3}
    product = matmul(pads, Instruction("MATMUL", args=args))
    assert (product.pad, product.words.tolist()) == ("pv", list(range(5, 5 + 3 * rows)))
    for fold, p, col in np.ndindex(3, rows, cols):
        place = fold * cols + col
        total = sum(pads.p[p, 2, m] * v[m, 1 + place // 8, place % 8] for m in range(cols - 1))
        assert product.sums[fold * rows + p, col] == total


def test_the_golden_model_refuses_what_is_not_there() -> None:
    pads = Pads(*(np.zeros((2, 1, lanes), np.int64) for lanes in (8, 8, 8, 2)))
    with pytest.raises(AccelsimError, match=r"^9 elements from word 0 on: K has 1 words of 8$"):
        matmul(pads, scores(9))
    with pytest.raises(AccelsimError, match=r"^imm: must be at most the 2 keys of a tile for P x V, got 3$"):
        matmul(pads, weighed(3, 1))


# Verilog and proofs.


@EACH
def test_verilog_is_clean(name: str) -> None:
    found = all_devices()[list(FORMS).index(name)]
    lint(found.verilog, f"dut_{found.name}")


@pytest.mark.parametrize("name", ["default", "wide", "tall"])
def test_no_path_from_ready_to_valid(name: str) -> None:
    check_ready_paths(ArrayUnit(FORMS[name]))


@pytest.mark.parametrize("form", [TINY, FORMS["square"], FORMS["default"]])
def test_no_beat_waits_in_all_runs(form: ArrayEngineForm) -> None:
    """Whether a beat may enter depends on the `rows` edges before."""
    assert prove(ArrayEngine(form), beats_enter, form.rows + 2).holds


def test_folds_meet_in_the_array() -> None:
    assert prove(ArrayEngine(TINY), beats_enter, 16, "cover").holds


@pytest.mark.parametrize("form", [TINY, ArrayEngineForm(2, 4, 1, 1, 1, 1, 2, 2, 1, 0, 1)])
def test_orders_have_places_and_need_them(form: ArrayEngineForm) -> None:
    assert prove(ArrayEngine(form), orders_fit, 10, "bounded").holds
    assert prove(ArrayEngine(form), orders_fit, 16, "cover").holds


@pytest.mark.parametrize(
    ("kind", "claims", "broken"), [(Shallow, orders_fit, "orders_fit"), (Unpadded, beats_enter, "beats_enter")]
)
def test_a_broken_engine_is_refuted(kind: type[ArrayEngine], claims: Properties, broken: str) -> None:
    proof = prove(kind(TINY), claims, 10, "bounded")
    assert proof.verdict == "refuted"
    assert broken in proof.broken


# Faults on purpose.


def test_every_fault_made_by_hand_is_found() -> None:
    form = FORMS["deep"]
    tried = [*cases(BENCH, form), case(form, "array_engine_0", shortest())]
    report = run_variants(ArrayUnit(form), variants(form), tried)
    assert [mutant.name for mutant in report.survivors] == []
    found = {mutant.name: mutant.found for mutant in report.mutants}
    assert len(found) >= 12
    assert all("edge" in found[name] for name in ("later", "sooner", Bubble.__name__))


SURVIVORS = {
    "cnot1 of engine.issued bit 1, at port Q bit 1 of $flatten\\engine.$106": (
        "a base on the left changes where one on the right is 4 or more, and here no bank has more than 4 words"
    ),
}
"""Faults that change nothing which a run could show, each with the reason."""


def test_nine_of_ten_drawn_faults_are_found() -> None:
    form = FORMS["small"]
    tried = [*cases(BENCH, form), case(form, "array_engine_0", shortest())]
    report = run_mutants(mutants(ArrayUnit(form), 30, SEED, "array_engine_small"), tried)
    assert len(report.mutants) == 30
    assert report.share >= 0.9
    assert {mutant.name for mutant in report.survivors} == set(SURVIVORS)


# What is refused.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rows": 3}, 'rows: must be one of 2, 4, 8, got "3"'),
        ({"cols": 16}, 'cols: must be one of 2, 4, 8, got "16"'),
        ({"q_words": 8193}, 'q_words: must be an integer from 1 to 8192, got "8193"'),
        ({"p_words": 0}, 'p_words: must be an integer from 1 to 65536, got "0"'),
        ({"rows": 4, "s_words": 3}, 's_words: must be an integer from 4 to 65536, got "3"'),
        ({"mac_registers": 9}, 'mac_registers: must be an integer from 0 to 8, got "9"'),
        ({"pv_word": 8}, 'pv_word: is no parameter; did you mean "pv_words"?'),
    ],
)
def test_engines_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value) == message
