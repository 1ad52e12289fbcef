"""The vector engine: every bit and edge of instructions in any order, a whole head, faults on purpose, refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.attention import AttentionUnit, attend
from accelsim.golden.attention_formats import TILED, read_formats
from accelsim.golden.fixed import Scale
from accelsim.golden.softmax import causal
from accelsim.hardware.vector import Step, VectorSetup, jobs_of
from accelsim.program.instruction import FLAGS, OPS
from rtl.bench import Case, Device, devices_of, simulate, sweep, unpack
from rtl.bench.plan import CASES
from rtl.formal import check_ready_paths
from rtl.layer.vector import VectorEngine
from rtl.layer.vector_bench import TO_ENGINE, o_layout, step_layout
from rtl.mutation import run_variants
from rtl.sim.case import Job
from rtl.verilog import lint, verilog_text
from tests.golden.head import Head, outputs, turns
from tests.rtl.rigid import SEED, wrong
from tests.rtl.vector import BENCH, OPERATIONS, SETUPS, fullest, in_order, tour
from tests.rtl.vector_faults import SMALL, TIMED, variants

pytestmark = pytest.mark.slow


@cache
def devices() -> dict[str, Device]:
    """A device for every setup, for one model."""
    return dict(zip(SETUPS, devices_of(BENCH, list(SETUPS.values())), strict=True))


@cache
def cases() -> list[Case]:
    """Those of every unit, and for each setup one with every operation behind every other."""
    rng = np.random.default_rng(SEED)
    pairs = [
        Case(f"{name} pairs", f"{BENCH.name}_{place}", tour(setup, rng), rigid=True)
        for place, (name, setup) in enumerate(SETUPS.items())
    ]
    place = list(SETUPS).index("other")
    return [*sweep(BENCH, list(SETUPS.values()), SEED), *pairs, largest(SETUPS["other"], f"{BENCH.name}_{place}")]


def largest(setup: VectorSetup, name: str) -> Case:
    return Case("largest sums", name, fullest(setup), rigid=True)


def test_every_bit_and_edge() -> None:
    assert len(cases()) == (CASES + 1) * len(SETUPS) + 1 >= 100
    assert wrong(simulate(list(devices().values()), cases())) == []


def drawn(case: Case) -> Iterator[tuple[dict[str, int], bool]]:
    """Instructions of a case by field, each with whether it waits."""
    setup = SETUPS[list(SETUPS)[int(case.device.removeprefix("vector_"))]]
    for job in case.jobs:
        step = unpack(step_layout(setup.form), job.inputs["i"][-1:])
        assert step["target"][0] == TO_ENGINE
        yield {name: int(values[0]) for name, values in step["instruction"].items()}, bool(step["waits"][0])


def reached(case: Case) -> Iterator[str]:
    """What a case shows whose edges are exact, by name."""
    steps = list(drawn(case))
    for one, waits in steps:
        op = OPS[one["op"]]
        yield f"{op} waits" if waits else f"{op} does not wait"
        yield f"{op} {'first' if one['flags'] >> FLAGS.index('first') & 1 else 'goes on'}"
        yield f"{op} of one row" if one["rows"] == 1 else f"{op} of rows"
        yield f"{op} of {min(one['cols'], 3)} folds"
        if op == "SOFTMAX" and one["flags"] >> FLAGS.index("mask") & 1:
            yield "mask hides all" if one["imm"] < 2048 else "mask hides none" if one["imm"] > 2055 else "mask cuts"
    for (before, _), (after, waits) in pairwise(steps):
        if not waits:
            yield f"{OPS[after['op']]} at once behind {OPS[before['op']]}"


def test_the_cases_are_of_every_kind() -> None:
    found = Counter(what for case in cases() if case.gap_in == 0 for what in reached(case))
    for op in OPERATIONS:
        assert found[f"{op} waits"]
        assert all(found[f"{op} at once behind {other}"] for other in OPERATIONS), op
    for op in ("SOFTMAX", "SCALE_ADD"):
        assert found[f"{op} first"]
        assert found[f"{op} goes on"]
    for op in ("SCALE_ADD", "DIVIDE"):
        assert all(found[f"{op} of {folds} folds"] for folds in range(4))
    for op in OPERATIONS[:-1]:
        assert found[f"{op} of one row"]
        assert found[f"{op} of rows"]
    assert all(found[f"mask {what}"] for what in ("hides all", "hides none", "cuts"))
    flags = [unpack(o_layout(SETUPS["default"].form), job.outputs["o"])["empty"] for job in default_divisions()]
    assert any((empty[1:] != empty[:-1]).any() for empty in flags), "no row without a key is divided"


def default_divisions() -> Iterator[Job]:
    return (job for case in cases() if case.device == "vector_0" for job in case.jobs if "o" in job.outputs)


# A whole head.


def head_of(queries: int, keys: int, columns: int, seed: int, *, masked: bool) -> Head:
    rng = np.random.default_rng(seed)
    q, k, v = (rng.integers(-128, 128, size) for size in ((queries, 8), (keys, 8), (keys, columns)))
    return Head(q, k, v, Scale(46341, 21), masked)


HEADS = {
    "default": head_of(16, 64, 16, 1, masked=False),
    "deep": head_of(13, 61, 8, 2, masked=True),
    "short": head_of(5, 9, 2, 3, masked=True),
    "odd": head_of(5, 18, 7, 4, masked=False),
}


def steps_of(setup: VectorSetup, head: Head) -> Iterator[Step]:
    """Its instructions, with the words of the pads."""
    for turn, _ in turns(setup.unit, head):
        words = () if turn.words is None else tuple(enumerate(turn.words.tolist(), turn.base))
        yield Step(turn.instruction, s=words if turn.pad == "s" else (), pv=words if turn.pad == "pv" else ())


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_attention(name: str) -> None:
    """Bits of `attend`, at the edges that timing says, from instructions that are no later than their operands."""
    setup, head = SETUPS[name], HEADS[name]
    *_, (_, state) = turns(setup.unit, head)
    whole = AttentionUnit(head.q.shape[1], len(head.k), setup.lanes, setup.formats)
    valid = causal(len(head.q), len(head.k)) if head.causal else None
    wanted = attend(whole, head.q, head.k, head.v, head.scale, valid)
    case = Case(f"head {name}", devices()[name].name, jobs_of(setup, in_order(setup.unit, steps_of(setup, head))))
    (result,) = simulate(list(devices().values()), [case], x_seeds=(1,))
    assert result.failures == ()
    seen = unpack(o_layout(setup.form), [payload for _, payload in result.observed.transfers["o"]])
    memory = np.zeros_like(state.o)
    memory[seen["word"]] = seen["data"]
    assert (outputs(setup.unit, head, replace(state, o=memory)) == wanted.output).all()


# The engine by itself.


@pytest.mark.parametrize("name", SETUPS)
def test_verilog_is_clean(name: str) -> None:
    lint(devices()[name].verilog, f"dut_{devices()[name].name}")


def test_the_engine_has_no_path_from_ready_to_valid() -> None:
    engine = VectorEngine(SMALL.form)
    check_ready_paths(engine)
    lint(verilog_text(engine, "accelsim_vector"), "accelsim_vector")


def test_every_fault_made_by_hand_is_found() -> None:
    tried = [case for case in sweep(BENCH, [SMALL], SEED) if case.free and case.cut is None]
    found = run_variants(BENCH.build(SMALL), variants(), tried)
    assert [mutant.name for mutant in found.survivors] == []
    how = {mutant.name: mutant.found for mutant in found.mutants}
    assert len(how) >= 14
    assert all("output at edge" in how[name] or "begins" in how[name] for name in TIMED)


BAD: list[tuple[dict[str, object], str]] = [
    ({"rows": 1}, 'rows: must be an integer from 2 to 64, got "1"'),
    ({"lanes": 65}, 'lanes: must be an integer from 2 to 64, got "65"'),
    ({"slots": 0}, 'slots: must be an integer from 1 to 1024, got "0"'),
    ({"states": 7}, 'states: must be an integer from 8 to 65536, got "7"'),
    ({"o_words": 1 << 17}, 'o_words: must be an integer from 8 to 65536, got "131072"'),
    ({"formats": read_formats({"p": "u15.15"})}, 'p: must be signed, as operands of the array are, got "u15.15"'),
    ({"formats": read_formats({"output": "s33.15"})}, 'output: must be at most 32 bits, got "s33.15"'),
    (
        {"formats": read_formats({"array": "s25"})},
        'array with tiles of 8 keys: must hold -33553408, which overflows "s25"; s26 would do',
    ),
    (
        {"length": 1 << 25},
        'denominator with a length of 33554432: must hold 281466386776064, which overflows "s48.23"; s49.23 would do',
    ),
    (
        {"stages": replace(SETUPS["default"].stages, division_bits=26)},
        'division_bits: must be an integer from 1 to 25, got "26"',
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_engines_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    setup = replace(VectorSetup(formats=TILED), **changes)  # type: ignore[arg-type]
    with pytest.raises(AccelsimError) as caught:
        _ = setup.form
    assert str(caught.value) == message
