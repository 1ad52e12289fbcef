"""The divider in hardware: all small numbers, random large ones, every edge, proofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from amaranth.lib import data

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.fixed import Codes, divide, saturate
from accelsim.units.timing import Timing
from rtl.bench import Case, UnitUnderTest, devices_of, pack, simulate, sweep, unpack
from rtl.divide import Divider, division_input
from rtl.fixed import shape_of
from rtl.formal import check_ready_paths, prove, stream_rules
from rtl.sim.case import Job, Streams
from tests.rtl.rigid import SEED, Lossy, wrong


@dataclass(frozen=True)
class Setup:
    """Bits of numerators and of the denominator, format of quotients, lanes, bits per stage."""

    numerator: int
    denominator: int
    output: FixedFormat
    lanes: int
    bits: int


SETUPS = [
    Setup(6, 4, FixedFormat(5, 2), 1, 1),
    Setup(6, 4, FixedFormat(5, 2), 1, 4),
    Setup(9, 6, FixedFormat(4, 3), 2, 5),
    Setup(48, 47, FixedFormat(24, 15), 2, 3),
    Setup(40, 30, FixedFormat(16, 0), 3, 9),
]


def build(setup: Setup) -> Divider:
    return Divider((setup.numerator, setup.denominator), setup.output, setup.lanes, setup.bits)


def beats(setup: Setup, rng: np.random.Generator) -> int:
    return int(rng.integers(1, 20))


def inputs(setup: Setup, number: int, rng: np.random.Generator) -> Streams:
    """Numbers of any size, so that quotients are of any size too, and saturate; now and then a denominator of 0."""
    bits = rng.integers(1, setup.numerator, (number, setup.lanes))
    numerator = rng.integers(-(1 << bits), 1 << bits)
    denominator = rng.integers(0, 1 << rng.integers(1, setup.denominator + 1, number))
    return packed(setup, numerator, denominator)


def packed(setup: Setup, numerator: Codes, denominator: Codes) -> Streams:
    layout = division_input((setup.numerator, setup.denominator), setup.lanes)
    return {"i": pack(layout, {"numerator": numerator, "denominator": denominator})}


def golden(setup: Setup, number: int, streams: Streams) -> Streams:
    given = unpack(division_input((setup.numerator, setup.denominator), setup.lanes), streams["i"])
    below = given["denominator"][:, None]
    quotient = saturate(divide(given["numerator"], np.maximum(below, 1), setup.output.fraction), setup.output)
    layout = data.ArrayLayout(shape_of(setup.output), setup.lanes)
    return {"o": pack(layout, np.where(below == 0, 0, quotient))}


def timing(setup: Setup, number: int) -> Timing:
    """One beat per edge; as many stages as give each bit of a quotient and one more."""
    stages = -(-(setup.output.width + 1) // setup.bits)
    return Timing(stages, stages + number - 1, number)


DIVIDER = UnitUnderTest("divider", build, beats, inputs, golden, timing, rigid=True)


def test_every_bit_and_edge() -> None:
    assert wrong(simulate(devices_of(DIVIDER, SETUPS), sweep(DIVIDER, SETUPS, SEED))) == []


@pytest.mark.parametrize("place", [0, 1])
def test_all_small_numbers(place: int) -> None:
    """Every numerator of 6 bits by every denominator of 4."""
    setup = SETUPS[place]
    numerator, denominator = (grid.ravel() for grid in np.meshgrid(np.arange(-32, 32), np.arange(16)))
    streams = packed(setup, numerator[:, None], denominator)
    edges = timing(setup, len(numerator))
    job = Job(streams, golden(setup, len(numerator), streams), edges.first, edges.last, edges.busy)
    case = Case("all", f"divider_{place}", (job,))
    assert wrong(simulate(devices_of(DIVIDER, SETUPS), [case], x_seeds=(1,))) == []


@pytest.mark.parametrize("setup", [SETUPS[0], SETUPS[3]], ids=["small", "real"])
def test_streams_keep_their_rules(setup: Setup) -> None:
    check_ready_paths(build(setup))
    assert prove(build(setup), stream_rules, 2).holds


def test_proofs_speak_of_runs_that_exist() -> None:
    assert prove(build(SETUPS[0]), stream_rules, 14, "cover").holds


def test_a_broken_variant_is_refuted() -> None:
    assert prove(Lossy(build(SETUPS[1])), stream_rules, 14).verdict == "refuted"


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        (
            Setup(8, 8, FixedFormat(8, 8), 1, 1),
            'output: must be signed and hold -1, as s9.8 does, got "s8.8"',
        ),
        (Setup(0, 8, FixedFormat(8, 2), 1, 1), 'bits of the numerator: must be an integer from 1 to 128, got "0"'),
        (
            Setup(8, 200, FixedFormat(8, 2), 1, 1),
            'bits of the denominator: must be an integer from 1 to 128, got "200"',
        ),
        (Setup(8, 8, FixedFormat(8, 2), 0, 1), 'lanes: must be an integer from 1 to 256, got "0"'),
        (Setup(8, 8, FixedFormat(8, 2), 1, 10), 'division_bits: must be an integer from 1 to 9, got "10"'),
    ],
)
def test_dividers_that_cannot_be_are_refused(setup: Setup, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        build(setup)
    assert str(caught.value) == message
