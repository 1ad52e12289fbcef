"""The engine around the array that does softmax itself: every bit and edge, claims proved, and faults on purpose."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.fuse_array import FuseUnit, Operands, key_tile
from accelsim.golden.fuse_engine import FusePads, FuseState, execute
from accelsim.hardware.fuse_array import UNIT as ARRAY
from accelsim.hardware.fuse_engine import UNIT, FuseEngineUnderTest, Program, load, loaded, own, schedule, shape
from accelsim.program.instruction import Instruction
from rtl.bench import Case, Device, Result, device, devices_of, simulate, sweep, unpack
from rtl.bench.plan import CASES
from rtl.formal import Properties, check_ready_paths, prove
from rtl.fuse import FuseArray, FuseForm
from rtl.layer.fuse_array import FuseEngine
from rtl.layer.fuse_array_form import FuseEngineForm
from rtl.layer.fuse_array_unit import FuseEngineUnit, row_layout
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.verilog import lint
from tests.rtl.fuse_array import Blind
from tests.rtl.fuse_engine import (
    TIMING,
    TINY,
    Forgetful,
    Shallow,
    anything_enters,
    beats_enter,
    orders_fit,
    variants,
)
from tests.rtl.rigid import SEED, cases, wrong

pytestmark = pytest.mark.slow

BENCH, FORMS = UNIT.under_test, UNIT.configurations
ARRAY_BENCH = ARRAY.under_test
NAMES = {name: f"fuse_engine_{place}" for place, name in enumerate(FORMS)}
EACH = pytest.mark.parametrize("name", FORMS)
LONG = FuseEngineForm(2, 2, 1, 511, 128, 64, 1, 1)
DRAWN = FuseEngineForm(2, 2, 3, 8, 3, 2, 2, 16)
"""For faults: small, with all that can be wrong."""


@cache
def all_devices() -> tuple[Device, ...]:
    """Every configuration and one with long scores, for one model."""
    return *devices_of(BENCH, list(FORMS.values())), device("long", FuseEngineUnit(LONG))


def run(tried: Sequence[Case], x_seeds: Sequence[int] = (1, 2), sim: str = "verilator") -> list[Result]:
    return simulate(all_devices(), tried, sim=sim, x_seeds=x_seeds)


def case(form: FuseEngineForm, name: str, program: Program, seed: int = SEED) -> Case:
    """These instructions back to back on pads of any elements."""
    assert isinstance(BENCH, FuseEngineUnderTest)
    words = load(form, np.random.default_rng(seed))
    return Case(f"{name} with {len(program)}, seed {seed}", name, BENCH.on_pads(form, [program], words))


def instruction(op: str, *flags: str, post: int = 0, **args: int) -> Instruction:
    return Instruction(op, post=frozenset({post}), flags=frozenset(flags), args=args)


def scores(slot: int, elements: int, keys: int, a: int = 0, b: int = 0) -> Instruction:
    return instruction("MATMUL", "transpose", post=1, imm=elements, dst=slot, rows=keys, a=a, b=b)


def weights(slot: int, keys: int) -> Instruction:
    return instruction("SOFTMAX", post=2, dst=slot, rows=keys)


def values(slot: int, elements: int, dst: int = 0, b: int = 0) -> Instruction:
    return instruction("MATMUL", post=3, a=slot, imm=elements, dst=dst, b=b)


def setup(shift: int, post: int = 4) -> Instruction:
    return instruction("SETP", b=shift, post=post)


# In simulation.


def test_configurations_are_of_every_kind() -> None:
    forms = FORMS.values()
    assert {side for form in forms for side in (form.rows, form.cols)} == {2, 4, 8}
    assert {1, 2, 4} <= {form.tiles for form in forms}
    for stage in ("input_registers", "output_registers"):
        assert {0, 1} <= {getattr(form, stage) for form in forms}


def test_every_bit_and_edge() -> None:
    """Programs lone, 2 and 5 back to back, after resets in mid-stream, with gaps."""
    tried = sweep(BENCH, list(FORMS.values()), SEED)
    assert len(tried) == CASES * len(FORMS) >= 60
    assert wrong(run(tried)) == []


def test_every_bit_and_edge_under_icarus() -> None:
    """Icarus knows of bits that nothing has set; a fresh machine need not have it, and then it is asked for by name."""
    tried = sweep(BENCH, list(FORMS.values()), SEED + 1)[::3]
    if shutil.which("iverilog") is None:
        with pytest.raises(AccelsimError, match="iverilog is not installed"):
            run(tried, sim="icarus")
        return
    assert wrong(run(tried, sim="icarus")) == []


@EACH
def test_programs_mix_tiles_and_numbers(name: str) -> None:
    """Steps of a tile between those of another, tiles with fewer keys, and P that is neither 0 nor 1."""
    assert isinstance(BENCH, FuseEngineUnderTest)
    form, rng = FORMS[name], np.random.default_rng(SEED)
    programs = [shape(form, rng) for _ in range(200)]
    between, repeated = 0, 0
    for program in programs:
        tiles = [(each.op, each.args["dst"]) for each in program if "transpose" in each.flags or each.op == "SOFTMAX"]
        between += sum(before[1] != after[1] for before, after in pairwise(tiles) if after[0] == "SOFTMAX")
        repeated += sum(before == after for before, after in pairwise(tiles))
    assert repeated > 20
    assert between > 20 or form.tiles == 1
    assert any(each.args["rows"] < form.rows for program in programs for each in program if each.op == "SOFTMAX")
    jobs = BENCH.on_pads(form, programs, load(form, rng))
    rows = unpack(row_layout(form), [beat for job in jobs for beat in job.outputs["o"]])
    rest = rows["sums"][rows["pad"] == 2] % (2**15 - 1)
    assert (rest != 0).mean() > 0.2


@pytest.mark.parametrize(("name", "elements"), [("default", 16), ("tall", 8)])
def test_scores_weights_and_values_of_four_tiles_leave_no_gap(name: str, elements: int) -> None:
    """FuseMax's order: scores of a tile, weights of the one two before, values of the one three before."""
    form, slots, tiles = FORMS[name], 4, 12
    keys = [1 + (7 * tile) % form.rows for tile in range(tiles)]
    program = [setup(12)]
    for tile in range(tiles + 3):
        program += [scores(tile % slots, elements, keys[tile])] if tile < tiles else []
        program += [weights((tile - 2) % slots, keys[tile - 2])] if 2 <= tile < tiles + 2 else []
        program += [values((tile - 3) % slots, elements)] if tile > 2 else []
    starts = schedule(form, program)
    busy = [own(form, each).busy for each in program]
    assert [after - before for before, after in pairwise(starts)] == busy[:-1]
    assert sum(busy) == 1 + tiles * (elements + 1 + 8 + elements)
    tried = [case(form, NAMES[name], tuple(program), seed) for seed in range(3)]
    assert wrong(run(tried, (1,))) == []


def shortest(form: FuseEngineForm) -> Program:
    """A beat each: nothing but shifts, and values of one element; as many as are under way at once, and more."""
    tile = (setup(9), scores(0, 1, form.rows), weights(0, form.rows))
    many = [each for post in range(form.under_way) for each in (values(0, 1), setup(post % 32, post % 16))]
    return *tile, *many


@EACH
def test_the_shortest_follow_one_another_without_a_gap(name: str) -> None:
    assert wrong(run([case(FORMS[name], NAMES[name], shortest(FORMS[name]))], (1,))) == []


@pytest.mark.parametrize("low", ["k", "none"])
def test_the_longest_scores_do_not_overflow(low: str) -> None:
    """511 products, all of the lowest codes, of which each is largest."""
    assert isinstance(BENCH, FuseEngineUnderTest)
    draws = (load(LONG, np.random.default_rng(seed)) for seed in range(2000))
    lowest = next(words for words in draws if is_lowest(words, low))
    program = setup(0), scores(0, 511, 2), weights(0, 2), values(0, 1)
    jobs = BENCH.on_pads(LONG, [program], lowest)
    assert wrong(run([Case(f"longest {low}", "long", jobs)], (1,))) == []


def is_lowest(words: tuple[int, ...], low: str) -> bool:
    """Whether Q and K are of the lowest codes, or Q is and K of the highest."""
    pads = loaded(LONG, words)
    return bool((pads.q == -(1 << 15)).all() and (pads.k == (-128 if low == "k" else 127)).all())


# The golden model.


@pytest.mark.parametrize("seed", range(5))
def test_a_tile_is_that_of_the_array(seed: int) -> None:
    """Its operands found one by one where they lie, and another tile between all its steps."""
    rng = np.random.default_rng(seed)
    keys, elements = int(rng.integers(1, 5)), 13
    q = rng.integers(-(1 << 15), 1 << 15, (2, 5, 4))
    k, v = (rng.integers(-128, 128, (4, 4, 8)) for _ in range(2))
    pads, unit, found, state = FusePads(q, k, v), FuseUnit(4), [], FuseState()
    other = [scores(0, 5, 4), weights(0, 4), setup(13), values(0, 2)]
    tile = [scores(2, elements, keys, 1, 2), weights(2, keys), values(2, 9, 3, 2)]
    for each in [setup(13), other[0], tile[0], *other[1:], tile[1], *other, tile[2]]:
        state, written = execute(unit, pads, state, each)
        found += [written] if each in tile else []
    at = [[(base + e // lanes, e % lanes) for e in range(number)] for base, number, lanes in ((1, 13, 4), (2, 13, 8))]
    queries = [[int(q[col, w, e]) for w, e in at[0]] for col in range(2)]
    operands = Operands(
        queries,
        [[int(k[row, w, e]) for w, e in at[1]] for row in range(keys)],
        [[int(v[row, 2 + f // 8, f % 8]) for f in range(9)] for row in range(keys)],
        13,
    )
    wanted = key_tile(unit, operands)
    assert [(each.pad, each.words.tolist()) for each in found] == [("m", [2]), ("d", [2]), ("pv", list(range(3, 12)))]
    assert (found[0].sums[0] == wanted.maximum).all()
    assert (found[1].sums[0] == wanted.total).all()
    assert (wanted.pv == found[2].sums.T).all()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ((scores(0, 17, 2),), "17 elements from word 0 on: Q has 1 words of 4"),
        ((scores(0, 1, 3),), "rows: must be from 1 to the 2 keys of a tile, got 3"),
        ((scores(0, 1, 0),), "rows: must be from 1 to the 2 keys of a tile, got 0"),
        ((scores(0, 0, 1),), "imm: must be at least 1, got 0"),
        ((scores(0, 257, 1),), "imm: must be at most 256, got 257: a longer sum could overflow"),
        ((scores(1, 1, 2), weights(0, 2)), "slot 0 holds no scores; those that do: 1"),
        ((scores(1, 1, 2), weights(1, 1)), "rows: must be the 2 keys of the scores, got 1"),
        ((scores(1, 1, 2), values(1, 1)), "slot 1 holds no weights; those that do: none"),
        ((setup(32),), "b: must be a shift from 0 to 31, got 32"),
        ((instruction("DIVIDE"),), "DIVIDE: is no instruction of the array's queue"),
    ],
)
def test_the_golden_model_refuses_what_is_not_there(program: Program, message: str) -> None:
    pads = FusePads(*(np.zeros((2, 1, lanes), np.int64) for lanes in (4, 8, 8)))
    state = FuseState()
    for each in program[:-1]:
        state, _ = execute(FuseUnit(2), pads, state, each)
    with pytest.raises(AccelsimError) as caught:
        execute(FuseUnit(2), pads, state, program[-1])
    assert str(caught.value) == message


# Verilog and proofs.


@EACH
def test_verilog_is_clean(name: str) -> None:
    found = all_devices()[list(FORMS).index(name)]
    lint(found.verilog, f"dut_{found.name}")


@EACH
def test_no_path_from_ready_to_valid(name: str) -> None:
    check_ready_paths(FuseEngineUnit(FORMS[name]))


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements only pass on: nothing that they work out decides when a beat enters."""
    monkeypatch.setattr("rtl.fuse.grid.FusePe", Blind)


@pytest.mark.usefixtures("blind")
def test_no_beat_waits() -> None:
    """Of all programs so long that SLN can meet the beats before it; how long its turns last is for simulation."""
    assert prove(FuseEngine(TINY), beats_enter, 11, "bounded").holds
    assert prove(FuseEngine(TINY), beats_enter, 36, "cover").holds


@pytest.mark.usefixtures("blind")
def test_weights_before_their_scores_would_wait() -> None:
    proof = prove(FuseEngine(TINY), anything_enters, 12, "bounded")
    assert (proof.verdict, proof.broken) == ("refuted", ("beats_enter",))


@pytest.mark.usefixtures("blind")
def test_orders_have_places_and_need_them() -> None:
    assert prove(FuseEngine(TINY), orders_fit, 14, "bounded").holds
    assert prove(FuseEngine(TINY), orders_fit, 16, "cover").holds


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize(("kind", "claims", "broken"), [(Shallow, orders_fit, "orders_fit")])
def test_a_broken_engine_is_refuted(kind: type[FuseEngine], claims: Properties, broken: str) -> None:
    proof = prove(kind(TINY), claims, 14, "bounded")
    assert proof.verdict == "refuted"
    assert broken in proof.broken


# Faults on purpose.


def tried_on_faults() -> list[Case]:
    return [*cases(BENCH, DRAWN), case(DRAWN, "fuse_engine_0", shortest(DRAWN))]


def test_every_fault_made_by_hand_is_found() -> None:
    report = run_variants(FuseEngineUnit(DRAWN), variants(DRAWN), tried_on_faults())
    assert [mutant.name for mutant in report.survivors] == []
    found = {mutant.name: mutant.found for mutant in report.mutants}
    assert len(found) >= 14
    assert all("edge" in found[name] for name in TIMING)


def test_an_array_that_forgets_the_tile_of_sln_is_found() -> None:
    """Of the array by itself, whose next beat may be of another tile; the engine's says the same tile all along."""
    form = FuseForm(3, 2, query=14, key=4, length=8, tiles=2)
    tried = sweep(ARRAY_BENCH, [form], SEED)
    report = run_variants(FuseArray(form), {"forgetful": Forgetful(form)}, tried)
    assert [mutant.name for mutant in report.survivors] == []


SURVIVORS = {
    "const0, at port A bit 9 of $flatten\\engine.\\array.\\grid.\\element_1_0.$76": (
        "a difference above 0 saturates otherwise, which only a key has that the tile has not, and whose P counts as 0"
    ),
    "const1 of shifts.i__ready bit 0, at port Y bit 0 of $flatten\\shifts.$12": (
        "the unit's queue of shifts always has a place"
    ),
}
"""Faults that change nothing which a run could show, each with the reason."""


def test_nine_of_ten_drawn_faults_are_found() -> None:
    report = run_mutants(mutants(FuseEngineUnit(DRAWN), 30, SEED, "fuse_engine_drawn"), tried_on_faults())
    assert len(report.mutants) == 30
    assert report.share >= 0.9
    assert {mutant.name for mutant in report.survivors} == set(SURVIVORS)


# What is refused.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rows": 3}, 'rows: must be one of 2, 4, 8, got "3"'),
        ({"cols": 16}, 'cols: must be one of 2, 4, 8, got "16"'),
        ({"tiles": 0}, 'tiles: must be an integer from 1 to 256, got "0"'),
        ({"k_words": 8193}, 'k_words: must be an integer from 1 to 8192, got "8193"'),
        ({"pv_words": 0}, 'pv_words: must be an integer from 1 to 65536, got "0"'),
        (
            {"length": 512},
            'accumulator of scores of 512 products: must hold 2147483648, which overflows "s32"; s33 would do',
        ),
        ({"output_registers": 9}, 'output_registers: must be an integer from 0 to 8, got "9"'),
        ({"pv_word": 8}, 'pv_word: is no parameter; did you mean "pv_words"?'),
    ],
)
def test_engines_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value) == message
