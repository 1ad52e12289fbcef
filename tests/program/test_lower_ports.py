"""Laws of lowering on levels with two ports that count what leaves them: the bytes of depth `analytic`."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accelsim.cost.analytic import step_cost
from accelsim.errors import AccelsimError
from accelsim.program.lower.program import program_of
from accelsim.simulate import simulate
from tests.cost.drawn import GONE
from tests.cost.machines import SAMPLES, Case, Sample, case, sample
from tests.cost.test_ports import machine
from tests.program.random_mappings import draw, iterations
from tests.program.test_lower_laws import check
from tests.program.test_lower_random import KEPT, MOST_ITERATIONS, REFUSED, moved_by
from tests.tries import tries

MACHINES = {
    "one port each": machine(l1="4 GB/s", read_out="l2 l1"),
    "two ports each": machine("{read: 3 GB/s, write: 2 GB/s}", "{read: 5 GB/s, write: 3 GB/s}", read_out="l2 l1"),
    "two ports close to the units": machine("7 GB/s", "unlimited", "{read: 4 GB/s, write: 3 GB/s}", "l1"),
    "reads as fast as needed": machine(
        "{read: unlimited, write: 2 GB/s}", "{read: unlimited, write: 3 GB/s}", read_out="l2"
    ),
    "writes as fast as needed": machine(
        "{read: 2 GB/s, write: unlimited}", "{read: 3 GB/s, write: unlimited}", read_out="l2 l1"
    ),
}


def check_ports(one: Case) -> None:
    """On every port the bytes of depth `analytic` and no others, each transfer rounded up; and all laws of a run."""
    placement = one.placement
    found, starts = moved_by(program_of((placement,), "ports"))
    traffic = step_cost(placement).traffic
    wanted = {
        (port.name, tensor, kind): moved.read if kind == "read" else moved.write
        for level in placement.arch.levels
        for port in level.ports
        for kind in port.kinds
        for tensor, moved in traffic.get(level.name, {}).items()
    }
    assert set(found) <= set(wanted)
    for key, moved in wanted.items():
        assert 0 <= found.get(key, 0) - moved <= starts.get(key, 0), key
    check(placement)
    bound, cycle = (simulate(one.arch, one.workload, one.mapping, depth=depth) for depth in ("bound", "cycle"))
    assert bound.seconds <= cycle.seconds


@pytest.mark.slow
@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.filter_too_much])
@given(seed=st.integers(0, 2**32), which=st.sampled_from(SAMPLES), name=st.sampled_from(tuple(MACHINES)))
def test_random_mappings(seed: int, which: Sample, name: str) -> None:
    one = case(which, *draw(Random(seed), which), MACHINES[name])
    try:
        one.result  # noqa: B018
        assume(iterations(one.placement) <= MOST_ITERATIONS)
        program_of((one.placement,), "ports")
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in (*REFUSED, *GONE)))
        raise
    check_ports(one)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("mapping", KEPT)
def test_unusual_mappings(mapping: str, name: str) -> None:
    which, sizes, text = KEPT[mapping]
    check_ports(case(sample(which), sizes, text, MACHINES[name]))
