"""The stream library in simulation: every bit and every edge, with gaps, after resets, and over many payloads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from accelsim.errors import AccelsimError
from rtl.bench import Result, UnitUnderTest, simulate, soak, unpack
from rtl.bench.plan import GAPS, sum_of
from rtl.block import Block
from rtl.streams import AddressGenerator, Arbiter, Fifo, Fork, Join, Narrow, SkidBuffer, Widen, granted_layout
from tests.rtl.blocks import (
    ADDRESS,
    ADDRESSES,
    ARBITER_SHAPE,
    ARBITERS,
    SEED,
    UNITS,
    all_cases,
    all_devices,
    arbiter_cases,
)

PAIRS = [(gap_in, gap_out) for gap_in in GAPS for gap_out in GAPS]


def wrong(results: list[Result]) -> list[str]:
    return [f"{result.case.name}, seed {result.x_seed}: {result.failures[0]}" for result in results if result.failures]


def test_there_are_cases_enough() -> None:
    cases = all_cases()
    configurations = {case.device for case in cases}
    assert len(cases) >= 200
    assert len(configurations) >= 16
    assert max(sum(case.device == name for case in cases) for name in configurations) <= 30


@pytest.mark.slow
def test_every_bit_and_edge_under_verilator() -> None:
    results = simulate(all_devices(), all_cases())
    assert len(results) == 2 * len(all_cases())
    assert wrong(results) == []


@pytest.mark.slow
def test_every_bit_and_edge_under_icarus() -> None:
    """Pip has no Icarus, so that a fresh machine need not have it; it is then asked for by name."""
    if shutil.which("iverilog") is None:
        with pytest.raises(AccelsimError, match="iverilog is not installed; it comes with: apt install iverilog"):
            simulate(all_devices(), all_cases(), sim="icarus")
        return
    assert wrong(simulate(all_devices(), all_cases(), sim="icarus")) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(UNITS)), ids=[unit.name for unit, _ in UNITS])
def test_a_hundred_thousand_payloads(place: int) -> None:
    unit: UnitUnderTest[Any, Any] = ADDRESSES if UNITS[place][0] is ADDRESS else UNITS[place][0]
    cases = soak(unit, UNITS[place][1][0], f"{unit.name}_0", SEED)
    assert sum(sum_of(case.jobs) for case in cases) >= 100_000
    assert wrong(simulate(all_devices(), cases, x_seeds=(1,))) == []


@pytest.mark.slow
def test_arbiter_serves_all_in_turn() -> None:
    cases = [case for place in range(len(ARBITERS)) for case in arbiter_cases(place, [(0, 0)], 7, 5)]
    assert wrong(simulate(all_devices(), cases)) == []


def in_order(result: Result) -> None:
    """Each input's payloads leave in their order, at the edge at which they were taken, packets whole."""
    seen = result.observed
    inputs = len(result.case.jobs[0].inputs)
    columns = unpack(granted_layout(ARBITER_SHAPE, inputs), [payload for _, payload in seen.transfers["o"]])
    sources = columns["source"].tolist()
    edges = [edge for edge, _ in seen.transfers["o"]]
    beats = columns["payload"]["data"].tolist()
    ends = columns["payload"]["last"].tolist()
    assert seen.trouble == ""
    for source in range(inputs):
        taken = seen.transfers[f"i_{source}"]
        sent = unpack(ARBITER_SHAPE, [beat for job in result.case.jobs for beat in job.inputs[f"i_{source}"]])["data"]
        own = [n for n, found in enumerate(sources) if found == source]
        assert [edges[n] for n in own] == [edge for edge, _ in taken]
        assert [beats[n] for n in own] == sent.tolist()
    assert all(a == b for a, b, end in zip(sources, sources[1:], ends, strict=False) if not end)


@pytest.mark.slow
def test_arbiter_keeps_order_with_gaps() -> None:
    cases = arbiter_cases(2, PAIRS, 650, 3)
    assert sum(sum_of(case.jobs) for case in cases) >= 100_000
    for result in simulate(all_devices(), cases, x_seeds=(1,)):
        in_order(result)


BAD: list[tuple[Callable[[], Block], str]] = [
    (lambda: Fifo(8, 0), 'depth of a queue: must be an integer from 1 to 65536, got "0"'),
    (lambda: Fifo(0, 4), 'bits of the payload of a queue: must be an integer from 1 to 65536, got "0"'),
    (lambda: Fifo("wide", 4), 'payload of a queue: must be a shape, got "wide"'),
    (
        lambda: SkidBuffer(1 << 17),
        'bits of the payload of a skid buffer: must be an integer from 0 to 65536, got "131072"',
    ),
    (lambda: Fork(8, 0), 'outputs of a fork: must be an integer from 1 to 256, got "0"'),
    (lambda: Join([]), 'inputs of a join: must be an integer from 1 to 256, got "0"'),
    (lambda: Join([8, None]), 'payload of a join: must be a shape, got "None"'),
    (lambda: Arbiter(8, True), 'inputs of an arbiter: must be an integer from 1 to 256, got "True"'),
    (lambda: Arbiter(8, 2, packets=True), "payload of an arbiter: must have a field last where it arbitrates packets"),
    (lambda: Widen(8, -1), 'lanes of a width converter: must be an integer from 1 to 1024, got "-1"'),
    (lambda: Narrow(8, 2000), 'lanes of a width converter: must be an integer from 1 to 1024, got "2000"'),
    (lambda: AddressGenerator(0), 'loops of an address generator: must be an integer from 1 to 16, got "0"'),
    (lambda: AddressGenerator(2, 65), 'address width: must be an integer from 1 to 64, got "65"'),
    (lambda: AddressGenerator(2, 8, 0), 'count width: must be an integer from 1 to 32, got "0"'),
]


@pytest.mark.parametrize(("build", "message"), BAD, ids=[message.split(":")[0] for _, message in BAD])
def test_bad_parameters_are_refused(build: Callable[[], Block], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        build()
    assert str(caught.value) == message
