"""Random codes, scores and masks of kinds that reach what chance alone would not: ends, ties, sinks, ramps, no key."""

from __future__ import annotations

import numpy as np

from accelsim.formats import FixedFormat
from accelsim.golden.fixed import Codes, Flags

Rng = np.random.Generator
SPREADS = (0.1, 2.0, 20.0)  # of scores, in units of 1: all alike, as in practice, and one far above the rest
DRIFT = 0.3  # how much scores rise or fall from one key to the next, in units of 1
SINK = 20  # how far above all others the score of a sink is, in units of 1
LONGEST_RUN = 8  # of keys that are masked together


def codes(number: FixedFormat, size: tuple[int, ...], rng: Rng) -> Codes:
    """Any codes of a format."""
    return rng.integers(number.lowest, number.highest, size, endpoint=True)


def ends(number: FixedFormat, size: tuple[int, ...], rng: Rng) -> Codes:
    """The lowest and the highest code of a format, at random."""
    return rng.choice((number.lowest, number.highest), size)


def few_or_many(most: int, rng: Rng) -> int:
    """A number up to `most`: as many small ones as large ones, and now and then the largest."""
    return most if rng.random() < 0.05 else int((most + 1) ** rng.random())


def mask(keys: int, rng: Rng) -> Flags:
    """Which keys of a row count: all, up to one, from one on, one, all but one, half, runs of them, or none."""
    each, place = np.arange(keys), int(rng.integers(keys))
    runs = np.repeat(rng.random(keys) < 0.5, rng.integers(2, LONGEST_RUN + 1))[:keys]
    half = rng.random(keys) < 0.5
    kinds = (each >= 0, each <= place, each >= place, each == place, each != place, half, runs, each < 0)
    found: Flags = kinds[int(rng.choice(len(kinds), p=(0.3, 0.12, 0.1, 0.08, 0.08, 0.1, 0.1, 0.12)))]
    return found


def scores(form: FixedFormat, keys: int, rng: Rng) -> Codes:
    """Scores of a row: spread and drifting, any, at the ends, of few values, all equal, with a sink, or a ramp."""
    one, place = 2**form.fraction, np.arange(keys)
    spread = rng.normal(0, rng.choice(SPREADS), keys) + place * rng.normal(0, DRIFT)
    base = int(codes(form, (), rng))
    sink = rng.normal(0, 1, keys) + SINK * (place == rng.integers(keys))
    step = int(rng.choice((-1, 1))) * int(rng.choice((1, max(1, one // 32), one)))
    kinds = (
        np.floor(spread * one).astype(np.int64),
        codes(form, (keys,), rng),
        ends(form, (keys,), rng),
        base + rng.integers(-1, 2, keys),
        np.full(keys, base),
        np.floor(sink * one).astype(np.int64),
        base + step * place,
    )
    found = kinds[int(rng.choice(len(kinds), p=(0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)))]
    return np.clip(found, form.lowest, form.highest)
