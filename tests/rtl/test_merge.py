"""The merge engine: every bit and edge of instructions in any order, a whole head, faults on purpose, refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.accuracy import exact, relative_error
from accelsim.golden.attention_formats import read_formats
from accelsim.golden.fuse_array import FuseUnit, Operands, folded, key_tile
from accelsim.golden.inputs import Sample, Sizes, sample
from accelsim.golden.merge import MERGED
from accelsim.hardware.merge import MergeSetup, Step, beats_of, edges, jobs_of
from accelsim.program.instruction import FLAGS, OPS, Instruction
from accelsim.units.merge_engine import MergeWords
from rtl.bench import Case, Device, devices_of, simulate, sweep, unpack
from rtl.bench.plan import CASES
from rtl.formal import check_ready_paths
from rtl.layer.merge import MergeEngine
from rtl.layer.merge_bench import TARGETS, o_layout, step_layout
from rtl.mutation import run_variants
from rtl.sim.case import Job
from rtl.verilog import lint, verilog_text
from tests.rtl.merge import BENCH, FIRST, OPERATIONS, SETUPS, chain, fullest, in_order, tour
from tests.rtl.merge_faults import SMALL, TIMED, variants
from tests.rtl.rigid import SEED, wrong

pytestmark = pytest.mark.slow

LIMIT = 1e-3


@cache
def devices() -> dict[str, Device]:
    """A device for every setup, for one model."""
    return dict(zip(SETUPS, devices_of(BENCH, list(SETUPS.values())), strict=True))


def at_once(setup: MergeSetup) -> int:
    """The fewest words with which a tile may follow the one before on the same sums at once."""
    return setup.stages.rescale_stages + setup.stages.add_stages + 1


@cache
def cases() -> list[Case]:
    """Those of every unit; for each setup every operation behind every other, and chains; the largest sums."""
    rng = np.random.default_rng(SEED)
    more = []
    for place, (name, setup) in enumerate(SETUPS.items()):
        device = f"{BENCH.name}_{place}"
        more.append(Case(f"{name} pairs", device, tour(setup, rng), rigid=True))
        for words in (at_once(setup), at_once(setup) + 1):
            more.append(Case(f"{name} chain of {words}", device, jobs_of(setup, chain(setup, words, rng)), rigid=True))
    place = list(SETUPS).index("other")
    largest = Case("largest sums", f"{BENCH.name}_{place}", fullest(SETUPS["other"]), rigid=True)
    return [*sweep(BENCH, list(SETUPS.values()), SEED), *more, largest]


def test_every_bit_and_edge() -> None:
    assert len(cases()) == (CASES + 3) * len(SETUPS) + 1 >= 100
    assert wrong(simulate(list(devices().values()), cases())) == []


def drawn(case: Case) -> Iterator[tuple[dict[str, int], bool]]:
    """Instructions of a case by field, each with whether it waits."""
    setup = SETUPS[list(SETUPS)[int(case.device.removeprefix("merge_"))]]
    for job in case.jobs:
        step = unpack(step_layout(setup.form), job.inputs["i"])
        assert TARGETS[step["target"][-1]] == "engine"
        yield (
            {name: int(values[-1]) for name, values in step["instruction"].items()} | {"payloads": len(step["waits"])},
            bool(step["waits"][-1]),
        )


def reached(case: Case) -> Iterator[str]:
    """What a case shows whose edges are exact, by name."""
    steps = list(drawn(case))
    for one, waits in steps:
        op = OPS[one["op"]]
        yield f"{op} waits" if waits else f"{op} does not wait"
        yield f"{op} {'first' if one['flags'] >> FLAGS.index('first') & 1 else 'goes on'}"
        yield f"{op} of one word" if one["rows"] == 1 else f"{op} of words"
    for (before, _), (after, waits) in pairwise(steps):
        if not waits and after["payloads"] == 1:
            yield f"{OPS[after['op']]} at once behind {OPS[before['op']]}"
        if after["payloads"] == 2 and not waits:
            yield "a shift while an instruction is under way"


def test_the_cases_are_of_every_kind() -> None:
    found = Counter(what for case in cases() if case.gap_in == 0 for what in reached(case))
    for op in OPERATIONS:
        assert found[f"{op} waits"]
        assert found[f"{op} of one word"]
        assert found[f"{op} of words"]
        assert all(found[f"{op} at once behind {other}"] for other in OPERATIONS), op
    assert found["SCALE_ADD first"]
    assert found["SCALE_ADD goes on"]
    assert found["a shift while an instruction is under way"]
    for place, setup in enumerate(SETUPS.values()):
        beats = [
            beat for case in cases() if case.device == f"merge_{place}" for job in case.jobs for beat in written(job)
        ]
        shown = unpack(o_layout(setup.form), beats)
        assert {0, 1} == set(shown["empty"].tolist()), "no query without a key is divided"
        highest = setup.formats.output.highest
        assert np.isin(shown["data"], (0, highest, -highest - 1)).mean() < 0.5, "most outputs show nothing"


def written(job: object) -> tuple[int, ...]:
    outputs: dict[str, tuple[int, ...]] = vars(job)["outputs"]
    return outputs.get("o", ())


@pytest.mark.parametrize("name", SETUPS)
def test_tiles_on_the_same_sums_need_not_wait(name: str) -> None:
    """As the engine says: with more words than edges of the merge, and for the division one more."""
    setup, rng = SETUPS[name], np.random.default_rng(0)
    fewest = at_once(setup)
    for words, tiles_wait, division_waits in (
        (fewest + 1, False, False),
        (fewest, False, True),
        (fewest - 1, True, True),
    ):
        if words:
            *tiles, division = (step.waits for step in chain(setup, words, rng)[1:])
            assert (set(tiles), division) == ({tiles_wait}, division_waits)


# A whole head, of tiles as the array makes them.


def head_steps(inputs: Sample, setup: MergeSetup) -> Iterator[Step]:
    """Each tile with its words, in slots and places of the pads that go round, and the division."""
    array, (queries, columns) = FuseUnit(setup.rows, length=inputs.k.shape[1]), inputs.v[: setup.lanes].shape
    q, shift = folded(array, inputs.q, inputs.score_step)
    assert (queries, len(q)) == (setup.lanes, setup.lanes)
    for turn, at in enumerate(range(0, len(inputs.k), setup.rows)):
        keys = slice(at, at + setup.rows)
        tile = key_tile(array, Operands(q, inputs.k[keys], inputs.v[keys], shift))
        slot = turn % setup.slots
        pads = [("m", slot, tile.maximum), ("d", slot, tile.total)]
        pads += [("pv", slot * columns + column, word) for column, word in enumerate(tile.pv.T)]
        args = {"a": slot * columns, "dst": slot, "rows": columns}
        one = Instruction("SCALE_ADD", flags=FIRST if turn == 0 else frozenset(), args=args)
        yield Step(one, pads=tuple((pad, place, word.tolist()) for pad, place, word in pads), shift=shift)
    yield Step(Instruction("DIVIDE", args={"rows": columns}))


@pytest.mark.parametrize("family", ["normal", "ramp-32-up", "alternating"])
def test_a_head_is_attention(family: str) -> None:
    """The last tile has fewer keys; no tile waits for the one before, which is on the same sums."""
    setup = SETUPS["default"]
    inputs = sample(family, Sizes(setup.lanes, 10 * setup.rows + 5, 8), 3)
    steps = in_order(setup, head_steps(inputs, setup))
    assert not any(step.waits for step in steps)
    case = Case(f"head {family}", devices()["default"].name, jobs_of(setup, steps))
    (result,) = simulate(list(devices().values()), [case], x_seeds=(1,))
    assert result.failures == ()
    seen = unpack(o_layout(setup.form), [payload for _, payload in result.observed.transfers["o"]])
    values = seen["data"].T * (2.0**-setup.formats.output.fraction * inputs.value_step)
    assert relative_error(values, exact(inputs)) < LIMIT


# The engine by itself.


@pytest.mark.parametrize("name", ["default", "bare"])
def test_other_operations_only_complete(name: str) -> None:
    """Behind the same registers as a word of SCALE_ADD."""
    setup = SETUPS[name]
    nop = Step(Instruction("NOP", post=frozenset({0, 15}), args={"imm": 2}))
    last = edges(setup, MergeWords("SCALE_ADD")).first
    job = Job({"i": beats_of(setup, nop)}, {"done0": (1 | 1 << 15,)}, last, last, 1)
    case = Case(f"nop {name}", devices()[name].name, (job,) * 3)
    assert wrong(simulate(list(devices().values()), [case])) == []


@pytest.mark.parametrize("name", SETUPS)
def test_verilog_is_clean(name: str) -> None:
    lint(devices()[name].verilog, f"dut_{devices()[name].name}")


def test_the_engine_has_no_path_from_ready_to_valid() -> None:
    engine = MergeEngine(SETUPS["short"].form)
    check_ready_paths(engine)
    lint(verilog_text(engine, "accelsim_merge"), "accelsim_merge")


def test_every_fault_made_by_hand_is_found() -> None:
    rng = np.random.default_rng(SEED)
    tried = [case for case in sweep(BENCH, [SMALL], SEED) if case.free and case.cut is None]
    chains = jobs_of(SMALL, chain(SMALL, at_once(SMALL) + 1, rng))
    tried += [Case("pairs", "merge_0", tour(SMALL, rng)), Case("chains", "merge_0", chains)]
    found = run_variants(BENCH.build(SMALL), variants(), tried)
    assert [mutant.name for mutant in found.survivors] == []
    how = {mutant.name: mutant.found for mutant in found.mutants}
    assert len(how) >= 14
    assert all("output at edge" in how[name] or "begins" in how[name] for name in TIMED)


BAD: list[tuple[dict[str, object], str]] = [
    ({"rows": 1}, 'rows: must be an integer from 2 to 64, got "1"'),
    ({"lanes": 65}, 'lanes: must be an integer from 2 to 64, got "65"'),
    ({"slots": 0}, 'slots: must be an integer from 1 to 65536, got "0"'),
    ({"accumulators": 4097}, 'accumulators: must be an integer from 1 to 4096, got "4097"'),
    ({"shifted": 21}, 'shifted: must be an integer from 0 to 20, got "21"'),
    (
        {"formats": read_formats({"scores": "s24.20"}, MERGED)},
        'scores: must reach to where factors of u25.24 are 0, got "s24.20"',
    ),
    (
        {"formats": read_formats({"array": "s46"}, MERGED), "shifted": 0},
        'bits of a distance: must be an integer from 1 to 62, got "66"',
    ),
    ({"formats": read_formats({"output": "s33.15"}, MERGED)}, 'output: must be at most 32 bits, got "s33.15"'),
    (
        {"formats": read_formats({"array": "s25"}, MERGED)},
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
    setup = replace(MergeSetup(), **changes)  # type: ignore[arg-type]
    with pytest.raises(AccelsimError) as caught:
        _ = setup.form
    assert str(caught.value) == message
