"""Laws of lowering on random mappings, and mappings that once broke one of them.

What depth `analytic` accepts is either refused with a reason, or its program does exactly what `analytic` counts.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings

from accelsim.cost.analytic import step_cost
from accelsim.errors import AccelsimError
from accelsim.mapping import Placement
from accelsim.program.lower.program import program_of
from accelsim.program.model import Program
from accelsim.program.text import render_program
from accelsim.simulate import simulate
from tests.cost.drawn import GONE
from tests.cost.machines import Case, case, sample, tiny
from tests.program.random_mappings import cases, iterations
from tests.program.test_lower import instances
from tests.program.test_lower_laws import check
from tests.tries import tries

REFUSED = (
    "at depth cycle a tile cannot stay as at says",
    "is moved once for",
    "runs once for all iterations of",
    "needs it again in every",
    "cannot loop alone, or in that order, at depth cycle",
)
WRITES = ("store", "fill", "write", "empty")
MOST_ITERATIONS = 150
Moved = dict[tuple[str, str, str], int]  # level, tensor, direction


def moved_by(program: Program) -> tuple[Moved, Moved]:
    """What transfers move, and how many there are."""
    found, starts = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for task, times, total in instances(program):
        if task.transfer:
            *_, tensor, what = task.name.split(".")
            key = task.claims[0][0], tensor, "write" if what.rstrip("0123456789") in WRITES else "read"
            found[key] += total
            starts[key] += times
    return dict(found), dict(starts)


def check_bytes(placement: Placement, program: Program) -> None:
    """At every level of limited bandwidth: those of depth `analytic`, and each transfer rounded up to whole bytes."""
    found, starts = moved_by(program)
    limited = [level.name for level in placement.arch.levels if level.bytes_per_s is not None]
    wanted: dict[tuple[str, str, str], Fraction] = {}
    for level in limited:
        for tensor, transfer in step_cost(placement).traffic.get(level, {}).items():
            wanted |= {(level, tensor, "read"): transfer.read, (level, tensor, "write"): transfer.write}
    for key in {*found, *wanted}:
        assert 0 <= found.get(key, 0) - wanted.get(key, Fraction(0)) <= starts.get(key, 0), key


def check_all(one: Case) -> None:
    """Every law of one mapping."""
    placement = one.placement
    check_bytes(placement, program_of((placement,), "laws"))
    check(placement)
    bound, cycle = (simulate(one.arch, one.workload, one.mapping, depth=depth) for depth in ("bound", "cycle"))
    assert bound.seconds <= cycle.seconds


@pytest.mark.slow
@settings(max_examples=tries(80), suppress_health_check=[HealthCheck.filter_too_much])
@given(one=cases())
def test_random_mappings(one: Case) -> None:
    try:
        one.result  # noqa: B018
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in GONE))
        raise
    assume(iterations(one.placement) <= MOST_ITERATIONS)
    try:
        program_of((one.placement,), "laws")
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in REFUSED))
        raise
    check_all(one)


MATMUL = ("matmul", {"M": 5, "K": 4, "N": 3})
CAUSAL = ("causal", {"E": 2, "F": 2, "M": 5, "P": 4})
SOFTMAX = "bind: {grid: [QK, AV], line: [GM, SN, SD, A]}\n"
ONE_PASS = ("one-pass", {"E": 2, "F": 2, "M": 6, "P": 3, "T": 2})
STATES = "bind: {grid: [QK, LM, SLN, SLD, SLNV], line: [RM, PRM, RD, RNV, AV]}\n"
ALL = "QK, LM, RM, SLN, SLD, SLNV, PRM, RD, RNV, AV"

KEPT = {
    "loops of an Einsum that its group lacks": (
        *MATMUL,
        "groups:\n  - {loops: [m], einsums: [C], at: {C: [m, n, k]}, overlap: pipeline}\nbind: {line: [C]}\n",
    ),
    "a tile of a loop that the group lacks": (
        *MATMUL,
        "groups:\n  - {loops: [m], einsums: [C], at: {C: [m, n, k]}, overlap: pipeline}\nbind: {line: [C]}\n"
        "keep: {l2: {tensors: {B: {at: n}, C: {at: n}}}}\n",
    ),
    "a part of a tensor kept on a level of limited bandwidth": (
        *MATMUL,
        "groups:\n  - {loops: [m, n], einsums: [C], overlap: pipeline}\nbind: {line: [C]}\n"
        "keep: {l2: {tensors: {A: {at: m, fraction: 1/3}}}, l1: {tensors: {A: {at: m}, B: {at: m, fraction: 0}}}}\n",
    ),
    "partial results of two levels": (
        *MATMUL,
        "groups:\n  - {loops: [k, m, n], einsums: [C], overlap: pipeline}\nbind: {line: [C]}\n"
        "keep: {l2: {tensors: {C: {at: m, fraction: 1/2}}}, l1: {tensors: {C: {at: n}}}}\n",
    ),
    "results of a sum over nothing": (
        "two-sides",
        {"M": 5, "K": 2},
        "groups:\n  - {loops: [i], einsums: [L, U, Y], overlap: pipeline}\nbind: {line: [L, U, Y]}\nhome: {U: dram}\n",
    ),
    "values of points that are absent": (
        "filled-in",
        {"M": 4, "K": 5},
        "groups:\n  - {loops: [i, j], einsums: [X, Y], overlap: pipeline}\nbind: {line: [X, Y]}\n",
    ),
    "partial results of a masked sum": (
        *CAUSAL,
        "groups:\n  - {name: a, loops: [m, p], einsums: [QK], overlap: pipeline}\n"
        "  - {name: b, loops: [m, p], einsums: [GM], overlap: pipeline}\n"
        f"  - {{name: c, loops: [p], einsums: [SN, SD, A, AV], overlap: pipeline}}\n{SOFTMAX}",
    ),
    "operands of what runs at the end of an outer loop": (
        *CAUSAL,
        "groups:\n  - {name: a, loops: [m, p], einsums: [QK], overlap: pipeline}\n"
        "  - {name: b, loops: [m, p], einsums: [GM, SN], at: {GM: [p, m], SN: [p]}, overlap: pipeline}\n"
        f"  - {{name: c, loops: [p], einsums: [SD, A, AV], overlap: pipeline}}\n{SOFTMAX}",
    ),
    "windows that share a part": (
        "convolution",
        {"C": 2, "K": 3, "M": 6, "S": 3},
        "split: {q: {q1: rest, q0: 2}}\n"
        "groups:\n  - {loops: [k, q1, s], einsums: [O], overlap: pipeline}\nbind: {line: [O]}\n"
        "keep: {l2: {tensors: {A: {at: q1}, O: {at: q1}}}, l1: {tensors: {A: {at: outside, fraction: 1/2}}}}\n",
    ),
    "partial results of a tile that is filled part by part": (
        "convolution",
        {"C": 2, "K": 3, "M": 4, "S": 2},
        "groups:\n  - {loops: [c, q, s, k], einsums: [O], overlap: pipeline}\nbind: {line: [O]}\n"
        "keep: {l1: {tensors: {O: {at: q}}}}\n",
    ),
    "an inner part looped at the end of a ragged outer part": (
        "chain",
        {"M": 3, "K": 2, "N": 2, "J": 2},
        "split: {m: {mx: rest, my: 2}}\n"
        "groups:\n  - {loops: [mx, my], einsums: [Y, Z], at: {Z: [my]}, overlap: pipeline}\nbind: {line: [Y, Z]}\n",
    ),
    "states that go off chip and come back within a tile": (
        *ONE_PASS,
        f"groups:\n  - {{loops: [p], einsums: [{ALL}], overlap: pipeline}}\n{STATES}home: {{RD: dram, RNV: dram}}\n",
    ),
    "states that go off chip and come back in every iteration": (
        *ONE_PASS,
        f"groups:\n  - {{loops: [p, m1], einsums: [{ALL}], overlap: pipeline}}\n{STATES}home: {{RM: dram}}\n",
    ),
}
MACHINES = {
    "off chip": ("levels.l2.bandwidth=unlimited",),
    "l2": (),
    "l1": ("levels.l1.bandwidth=4 GB/s", "levels.l2.bandwidth=unlimited"),
}


def test_a_triangle_is_a_condition_of_two_loops() -> None:
    """Not a table, which could be looked at for one iteration at a time only."""
    which, sizes, text = KEPT["partial results of a masked sum"]
    program = program_of((case(sample(which), sizes, text).placement,), "triangle")
    assert "task a.QK on grid busy 18 holds a.QK.store 2 of m, p for a.QK.store when m <= p" in render_program(program)
    assert "holds b.GM.partial 2 of m, p for b.GM when 0 < m and m <= p" in render_program(program)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", KEPT)
def test_unusual_mappings(name: str, machine: str) -> None:
    which, sizes, text = KEPT[name]
    check_all(case(sample(which), sizes, text, tiny(*MACHINES[machine])))


SENSELESS = {
    "a tile that the loops of the group would need again": (
        *MATMUL,
        "groups:\n  - {name: g, loops: [m, n], einsums: [C], at: {C: [n, m]}, overlap: pipeline}\nbind: {line: [C]}\n"
        "keep: {l2: {tensors: {B: {at: n}}}}\n",
        "B is kept at n for C, which runs m inside n; group g runs n inside m: at depth cycle a tile cannot stay as at "
        "says",
    ),
    "one load for two passes": (
        *CAUSAL,
        "groups:\n  - {name: a, loops: [m, p], einsums: [QK], overlap: pipeline}\n"
        "  - {name: b, loops: [p, m], einsums: [GM, SN], overlap: pipeline}\n"
        f"  - {{name: c, loops: [p], einsums: [SD, A, AV], overlap: pipeline}}\n{SOFTMAX}",
        "QK is moved once for GM and SN in the same loops, but SN runs only when m has ended: keep QK outside m, or "
        "let SN loop on its own (at)",
    ),
    "a tile that is gone when a loop has ended": (
        "shifted",
        {"M": 4, "G": 2},
        "groups:\n  - {loops: [m], einsums: [Y, S, Z], overlap: pipeline}\nbind: {line: [Y, S, Z]}\n"
        "keep: {l1: {tensors: {Y: {at: m}}}}\n",
        "Y is kept at m, but Z, which needs it, runs once for all iterations of m: keep it outside m",
    ),
    "a tile that is gone when a loop outside goes on": (
        *CAUSAL,
        "groups:\n  - {name: a, loops: [p], einsums: [QK, GM, SN, SD], overlap: pipeline}\n"
        f"  - {{name: b, loops: [f, p], einsums: [A, AV], overlap: pipeline}}\n{SOFTMAX}"
        "keep: {l1: {tensors: {A: {at: p}}}}\n",
        "A is kept at p, but AV needs it again in every f, which has p inside: keep it outside f",
    ),
    "the inner part of a recurrence alone": (
        *ONE_PASS,
        "split: {m1: {mx: rest, my: 2}}\n"
        f"groups:\n  - {{loops: [p, my], einsums: [{ALL}], overlap: pipeline}}\n{STATES}",
        "loops of RM: RM recurs along m1, whose parts are mx, my from the outermost inwards; my cannot loop alone, or "
        "in that order, at depth cycle",
    ),
}


@pytest.mark.parametrize("name", SENSELESS)
def test_what_has_no_meaning_is_refused(name: str) -> None:
    which, sizes, text, said = SENSELESS[name]
    one = case(sample(which), sizes, text)
    one.result  # noqa: B018
    with pytest.raises(AccelsimError) as caught:
        program_of((one.placement,), "none")
    assert str(caught.value).endswith(said)
