"""The generality gate: for any sizes, masks, indices and mappings the closed rule equals enumeration, exactly.

`brute` goes through every point and every tile; the rule counts images. Both are exact, so every number must be equal.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.arch import load_arch
from accelsim.cost.analytic import step_cost
from accelsim.cost.bound import step_bound
from accelsim.cost.images import Counter
from accelsim.cost.registers import register_accesses
from accelsim.errors import AccelsimError
from accelsim.mapping import Placement, load_mapping
from accelsim.mapping.capacity import limit_bytes, occupied
from accelsim.workload import load_workload
from tests.cost.brute import Brute, Bytes
from tests.cost.drawn import GONE, draw
from tests.cost.machines import SAMPLES, Case, Sample, case
from tests.tries import tries

SEEDS = st.integers(0, 2**32)
SOFTMAX = {"QK": ["mac"], "GM": ["max"], "SN": ["exp(a-b)"], "SD": ["add"], "A": ["div"], "AV": ["mac"]}
ONE_PASS = {
    **{name: ["mac"] for name in ("QK", "SLNV")},
    **{name: ["max"] for name in ("LM", "RM")},
    **{name: ["exp(a-b)"] for name in ("SLN", "PRM")},
    **{name: ["add"] for name in ("SLD", "RD", "RNV")},
    **{name: ["mul"] for name in ("SPD", "SPNV")},
    "AV": ["div"],
}
LINEAR = {"Y": ["mac"], "Z": ["mac"]}


def found_bytes(placement: Placement) -> Bytes:
    traffic = step_cost(placement).traffic
    return {level: {t: (x.read, x.write) for t, x in table.items()} for level, table in traffic.items()}


def check(one: Case, operators: dict[str, list[str]]) -> Brute:
    """Every number of the rule against enumeration."""
    placement, result = one.placement, one.result
    brute, works, counter = Brute(placement), step_cost(placement).works, Counter.of(placement)
    for einsum in placement.einsums:
        work, cycles = works[einsum.name], brute.cycles(einsum, operators[einsum.name])
        assert (work.points, work.firings) == (brute.count(einsum), brute.firings(einsum)), einsum.name
        assert work.busy_cycles == result.einsums[einsum.name].busy_cycles == brute.firings(einsum) * cycles
        group = brute.group_of(einsum.name)
        assert register_accesses(placement, counter, group, einsum) == brute.registers(einsum), einsum.name
    assert found_bytes(placement) == brute.traffic()
    assert result.seconds == brute.seconds(operators)
    assert result.energy_pj == brute.energy_pj(operators)
    for name, unit in one.arch.units.items():
        mine = [e for e in placement.einsums if placement.plan.bind[e.name] == name]
        spent = sum((brute.count(e) * brute.cycles(e, operators[e.name]) for e in mine), Fraction(0))
        assert result.units[name].utilization == spent / (unit.pes * result.seconds * one.arch.clock_hz) <= 1
    return brute


def check_capacity(brute: Brute) -> None:
    """What stands in a level at any moment is no more than the rule reserves for it, and that is within the limit."""
    for level in brute.placement.plan.keep:
        limit = limit_bytes(brute.placement, level)
        for group in brute.placement.plan.groups:
            reserved = sum(occupied(brute.placement, level, group).values(), Fraction(0))
            assert brute.occupied(group, level) <= reserved
            assert limit is None or reserved <= limit


def check_bound(one: Case) -> None:
    """No mapping beats the bound, in time or in bytes of the outermost level."""
    bound, cost = step_bound(one.arch, one.placement.step), step_cost(one.placement)
    dram = one.arch.off_chip.name
    moved = [sum((t.total for t in c.traffic.get(dram, {}).values()), Fraction(0)) for c in (bound, cost)]
    assert bound.seconds <= cost.seconds
    assert moved[0] <= moved[1]


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
@settings(max_examples=12)
@given(seed=SEEDS)
def test_drawn_mappings(sample: Sample, seed: int) -> None:
    """Random splits, loops, groups, spatial ranks, kept tensors, fractions, homes and forwards of small cascades."""
    one = case(sample, *draw(Random(seed), sample))
    try:
        one.result  # noqa: B018
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in GONE))
        raise
    brute = check(one, sample.operators)
    check_capacity(brute)
    check_bound(one)


def shipped(arch: str, mapping: str, workload: str, sizes: dict[str, int], machine: dict[str, int]) -> Case:
    """A shipped mapping on a small array, for a function that it may not be written for."""
    units = [f"units.{path}={n}" for path, n in machine.items()]
    function = load_workload(workload, [f"{k}={v}" for k, v in sizes.items()]).resolved.mapping()["name"].text
    return Case(
        load_arch(arch, units),
        load_workload(workload, [f"{k}={v}" for k, v in sizes.items()]),
        load_mapping(mapping, [f"for.function={function}"]),
    )


MACHINES = st.fixed_dictionaries(
    {
        "pe2d.rows": st.sampled_from([3, 4, 8]),
        "pe2d.cols": st.sampled_from([4, 5, 8]),
        "pe1d.lanes": st.sampled_from([2, 4, 5]),
    }
)
LENGTHS = {"M": st.integers(1, 20), "P": st.integers(1, 20)}
HEADS = {"B": st.integers(1, 2), "E": st.integers(1, 4), "F": st.integers(1, 5)}
SIZES = {
    "attention": st.fixed_dictionaries({**HEADS, **LENGTHS, "H": st.integers(1, 3)}),
    "causal-attention": st.fixed_dictionaries({**HEADS, **LENGTHS, "H": st.integers(1, 2)}),
    "window-attention": st.fixed_dictionaries(
        {**HEADS, **LENGTHS, "H": st.just(1), "W": st.integers(1, 9), "SINK": st.integers(0, 3)}
    ),
    "grouped-attention": st.tuples(
        st.fixed_dictionaries({**HEADS, **LENGTHS}), st.integers(1, 2), st.integers(1, 3)
    ).map(lambda drawn: {**drawn[0], "G": drawn[1], "H": drawn[1] * drawn[2]}),
    "linear": st.fixed_dictionaries({name: st.integers(1, 9) for name in "BPDS"}),
    "projection": st.fixed_dictionaries({**{name: st.integers(1, 9) for name in "BHDP"}, "E": st.integers(1, 3)}),
    "output-projection": st.fixed_dictionaries({name: st.integers(1, 7) for name in "BHDFP"}),
}
DESIGNS = {
    **{(arch, arch): ONE_PASS for arch in ("fusemax", "fusemax-arch", "fusemax-cascade")},
    **{(arch, arch): SOFTMAX for arch in ("unfused", "flat")},
}
FORMS = ("attention", "causal-attention", "window-attention", "grouped-attention")


@pytest.mark.slow
@pytest.mark.parametrize("workload", FORMS)
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design[0])
@settings(max_examples=4)
@given(data=st.data())
def test_shipped_mappings_of_attention(design: tuple[str, str], workload: str, data: st.DataObject) -> None:
    """Arrays of any shape, lengths that are no multiple of them, E != F, M != P, masks and shared heads."""
    sizes, machine = data.draw(SIZES[workload]), data.draw(MACHINES)
    form = "1pass" if DESIGNS[design] is ONE_PASS else "3pass"
    one = shipped(*design, f"{workload}-{form}", sizes, machine)
    brute = check(one, DESIGNS[design])
    check_capacity(brute)
    check_bound(one)


@pytest.mark.parametrize("workload", ["linear", "projection", "output-projection"])
@settings(max_examples=6)
@given(data=st.data())
def test_shipped_mappings_of_layers(workload: str, data: st.DataObject) -> None:
    one = shipped("fusemax", workload, workload, data.draw(SIZES[workload]), data.draw(MACHINES))
    check_capacity(check(one, LINEAR))
    check_bound(one)


@pytest.mark.slow
@pytest.mark.parametrize("workload", ["attention", "causal-attention"])
def test_array_of_128_by_128(workload: str) -> None:
    """The size of a real array, with lengths that leave a rest in both directions."""
    machine = {"pe2d.rows": 128, "pe2d.cols": 128, "pe1d.lanes": 128}
    one = shipped("fusemax", "fusemax", workload, {"B": 1, "H": 1, "E": 1, "F": 2, "M": 131, "P": 130}, machine)
    check_capacity(check(one, ONE_PASS))


CASES = load_mapping("flat").cases


@pytest.mark.parametrize("number", range(len(CASES)))
@settings(max_examples=2)
@given(sizes=SIZES["attention"], machine=MACHINES)
def test_every_case_of_flat(number: int, sizes: dict[str, int], machine: dict[str, int]) -> None:
    """Each entry of the table over sizes, used at sizes that can be enumerated."""
    one = shipped("flat", "flat", "attention-3pass", sizes, machine)
    always = replace(CASES[number], when=())
    one = replace(one, mapping=replace(one.mapping, cases=(always,)))
    check_capacity(check(one, SOFTMAX))
    check_bound(one)


@settings(max_examples=tries(25))
@given(data=st.data(), design=st.sampled_from(["fusemax", "fusemax-cascade", "unfused"]))
def test_fit_is_the_largest_divisor_that_fits(design: str, data: st.DataObject) -> None:
    """A buffer that holds what divisor `d` needs, as enumeration counts it, and not a byte more, gives `d`.

    Keys fill whole tiles here: for what a split leaves over room is reserved all the same.
    """
    whole = {"P": data.draw(st.sampled_from([8, 12, 16])), "M": data.draw(st.sampled_from([4, 8]))}
    sizes = {**data.draw(SIZES["attention"]), **whole}
    form = "3pass" if design == "unfused" else "1pass"
    machine = {"pe2d.rows": 4, "pe2d.cols": 2, "pe1d.lanes": 4}
    one = shipped(design, design, f"attention-{form}", sizes, machine)
    tiles = sizes["P"] // 2
    wanted = data.draw(st.sampled_from([d for d in range(1, tiles + 1) if tiles % d == 0]))
    fixed = replace(one, mapping=load_mapping(design, [f"split.p.p1={wanted}"]))
    brute = Brute(fixed.placement)
    needed = max(brute.occupied(group, "buffer") for group in fixed.placement.plan.groups)
    small = load_arch(design, [*(f"units.{k}={v}" for k, v in machine.items()), f"levels.buffer.capacity={needed} B"])
    chosen = replace(one, arch=small).placement.digits["p"]
    assert chosen == (("p2", 2 * wanted), ("p1", 2), ("p0", 1))
