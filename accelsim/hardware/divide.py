"""The divider: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from amaranth.lib import data

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.attention_formats import OUTPUT
from accelsim.golden.fixed import MOST_BITS, Codes, divide, saturate
from accelsim.hardware.draw import few_or_many
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.divide import DivideParams, Quotients, timing
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.divide import Divider, division_input
from rtl.fixed import shape_of
from rtl.sim.case import Streams

Rng = np.random.Generator
MOST_BEATS = 40
MOST_CORNERS = 1024  # beats
EVERY = 10  # bits of numerator and denominator together, up to which all pairs of them are divided


@dataclass(frozen=True)
class DivideSetup:
    """Parameters of the unit: bits of a numerator (signed) and of a denominator (unsigned), and of what comes out."""

    numerator: int = 44
    denominator: int = 43
    output: FixedFormat = OUTPUT
    lanes: int = 1
    division_bits: int = 1

    @property
    def widths(self) -> tuple[int, int]:
        return self.numerator, self.denominator


def build(setup: DivideSetup) -> Divider:
    return Divider(setup.widths, setup.output, setup.lanes, setup.division_bits)


def shape(setup: DivideSetup, rng: Rng) -> Quotients:
    return Quotients(few_or_many(MOST_BEATS * setup.lanes, rng))


def inputs(setup: DivideSetup, job: Quotients, rng: Rng) -> Streams:
    """Numbers of any size, so that quotients are of any size too, and saturate; some that lie on or by a rounding."""
    beats = -(-job.quotients // setup.lanes)
    size = (beats, setup.lanes)
    denominator = up_to(setup.denominator, (beats,), rng)
    numerator = up_to(setup.numerator - 1, size, rng) * rng.choice((-1, 1), size)
    rounded = rng.random(size) < 0.5
    near = np.where(rounded, multiples(setup, denominator[:, None], size, rng), numerator)
    return beats_of(setup, near, denominator)


def up_to(bits: int, size: tuple[int, ...], rng: Rng) -> Codes:
    """Integers from 0 on, of any number of bits up to so many."""
    return rng.integers(0, 1 << rng.integers(0, bits + 1, size))


def multiples(setup: DivideSetup, denominator: Codes, size: tuple[int, ...], rng: Rng) -> Codes:
    """Numerators whose quotient lies half a step from a code or just below, if they have so many bits."""
    halves = 2 * rng.integers(setup.output.lowest, setup.output.highest, size, endpoint=True) + 1
    exact = (halves.astype(object) * denominator) >> (setup.output.fraction + 1)
    low, high = -(1 << (setup.numerator - 1)), (1 << (setup.numerator - 1)) - 1
    found: Codes = np.clip(exact, low, high).astype(np.int64)
    return found


def corners(setup: DivideSetup, rng: Rng) -> Iterator[tuple[Quotients, Streams]]:
    """All pairs of small formats; else pairs of powers of two, of what is beside them, and of the ends."""
    low, high, most = -(1 << (setup.numerator - 1)), (1 << (setup.numerator - 1)) - 1, (1 << setup.denominator) - 1
    if sum(setup.widths) <= EVERY:
        numerators, denominators = np.arange(low, high + 1), np.arange(most + 1)
    else:
        powers = 1 << np.arange(setup.numerator - 1)
        numerators = np.concatenate([powers, -powers, powers - 1, [low, low + 1, high]])
        bases = 1 << np.arange(setup.denominator)
        denominators = np.concatenate([bases, bases - 1, [most, most - 1]])
    pairs = np.array(np.meshgrid(numerators, denominators)).reshape(2, -1)
    some = pairs if pairs.shape[1] <= MOST_CORNERS else pairs[:, rng.choice(pairs.shape[1], MOST_CORNERS)]
    shifted = [np.roll(some[0], lane) for lane in range(setup.lanes)]
    yield Quotients(some.shape[1] * setup.lanes), beats_of(setup, np.stack(shifted, axis=1), some[1])


def beats_of(setup: DivideSetup, numerator: Codes, denominator: Codes) -> Streams:
    """Beats as the stream carries them, from numerators [beats, lanes] and denominators [beats]."""
    fields = {"numerator": numerator, "denominator": denominator}
    return {"i": pack(division_input(setup.widths, setup.lanes), fields)}


def golden(setup: DivideSetup, job: Quotients, streams: Streams) -> Streams:
    """A denominator of 0, which stands for a row without a key, gives 0."""
    given = unpack(division_input(setup.widths, setup.lanes), streams["i"])
    below = given["denominator"][:, None]
    quotient = saturate(divide(given["numerator"], np.maximum(below, 1), setup.output.fraction), setup.output)
    return {"o": pack(data.ArrayLayout(shape_of(setup.output), setup.lanes), np.where(below == 0, 0, quotient))}


def edges(setup: DivideSetup, job: Quotients) -> Timing:
    return timing(DivideParams(setup.lanes, setup.output.width, setup.division_bits), job)


def read(values: Mapping[str, object]) -> DivideSetup:
    """Parameters by name: numerator, denominator, output, lanes, division_bits. AccelsimError for what cannot be."""
    setup = from_plain(DivideSetup(), values)
    build(setup)
    for name, width, most in (
        ("numerator", setup.numerator, MOST_BITS - setup.output.fraction),
        ("denominator", setup.denominator, MOST_BITS),
    ):
        if width > most:
            raise AccelsimError(f'{name}: must be at most {most} bits for an output of {setup.output}, got "{width}"')
    return setup


CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "small": {"numerator": 6, "denominator": 4, "output": "s5.2"},
    "once": {"numerator": 6, "denominator": 4, "output": "s5.2", "division_bits": 6},
    "fraction": {"numerator": 9, "denominator": 6, "output": "s4.3", "lanes": 2, "division_bits": 5},
    "lanes": {"lanes": 3, "division_bits": 3},
    "whole": {"numerator": 40, "denominator": 30, "output": "s16", "lanes": 4, "division_bits": 9},
}
LARGE: Mapping[str, Mapping[str, object]] = {"wide": {"lanes": 16, "division_bits": 5}}

UNIT = HardwareUnit(
    name="divide",
    under_test=UnitUnderTest("divide", build, shape, inputs, golden, edges, rigid=True, corners=corners),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
