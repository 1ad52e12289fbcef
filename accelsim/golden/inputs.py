"""Families of inputs that try number formats: noise, sinks, ramps, ties. Integers, with what a step is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, nearest

Floats = NDArray[np.float64]
Int8 = NDArray[np.int8]
LARGEST = 127
DIGIT = 128


@dataclass(frozen=True)
class Sizes:
    """Queries, keys, elements of a query, a key and a value."""

    rows: int
    keys: int
    depth: int


@dataclass(frozen=True)
class Sample:
    """q [rows, depth], k and v [keys, depth]; a score is q . k * score_step, a value v * value_step.

    `floats` are q, k and v before they were made 8 bits, where a family has such; there a score is q . k / sqrt(depth).
    """

    q: Int8
    k: Int8
    v: Int8
    score_step: float
    value_step: float
    floats: tuple[Floats, Floats, Floats] | None = None


Family = Callable[[np.random.Generator, Sizes], Sample]


def sample(family: str, sizes: Sizes, seed: int) -> Sample:
    """Inputs of a family, the same for the same name, sizes and seed.

    Raises:
        AccelsimError: an unknown family, or a ramp over more keys than the depth can tell apart.
    """
    if family not in FAMILIES:
        raise AccelsimError(f'no family of inputs is called "{family}"{nearest(family, FAMILIES)}')
    rng = np.random.default_rng([seed, sizes.keys, *family.encode()])
    return FAMILIES[family](rng, sizes)


def _quantised(values: Floats) -> tuple[Int8, float]:
    """Codes from -127 to 127, symmetric, and the value of a step."""
    step = float(np.abs(values).max()) / LARGEST
    return np.floor(values / step + 0.5).astype(np.int8), step


def _from_floats(q: Floats, k: Floats, v: Floats) -> Sample:
    (q8, q_step), (k8, k_step), (v8, v_step) = _quantised(q), _quantised(k), _quantised(v)
    return Sample(q8, k8, v8, q_step * k_step / math.sqrt(q.shape[1]), v_step, (q, k, v))


def _noise(rng: np.random.Generator, sizes: Sizes, deviation: float) -> tuple[Floats, Floats, Floats]:
    q = deviation * rng.standard_normal((sizes.rows, sizes.depth))
    k = deviation * rng.standard_normal((sizes.keys, sizes.depth))
    return q, k, deviation * rng.standard_normal((sizes.keys, sizes.depth))


def _normal(rng: np.random.Generator, sizes: Sizes, *, deviation: float) -> Sample:
    """Q, K and V normal with a standard deviation: that of a score is its square."""
    return _from_floats(*_noise(rng, sizes, deviation))


def _sink(rng: np.random.Generator, sizes: Sizes, *, above: float, key: int) -> Sample:
    """Normal, and one key whose score is so far above what it would be: element 0 is there for it alone."""
    q, k, v = _noise(rng, sizes, 1.0)
    k[:, 0] = 0.0
    q[:, 0] = k[key, 0] = math.sqrt(above * math.sqrt(sizes.depth))
    return _from_floats(q, k, v)


def _ramp(rng: np.random.Generator, sizes: Sizes, *, slope: float, up: bool) -> Sample:
    """Scores that change by a slope from key to key, exactly; the highest is 0, since only differences matter.

    The distance d of a key from the highest is d % 128 in element 0, and d // 128 shared among pairs of elements
    whose query is -64: no product leaves 8 bits.
    """
    distance = np.arange(sizes.keys)[:: -1 if up else 1]
    pairs = -(-((sizes.keys - 1) // DIGIT) // LARGEST)
    if 2 * pairs + 1 > sizes.depth:
        raise AccelsimError(f"a ramp over {sizes.keys} keys needs a depth of {2 * pairs + 1}, not {sizes.depth}")
    q, k = np.zeros((sizes.rows, sizes.depth), np.int8), np.zeros((sizes.keys, sizes.depth), np.int8)
    q[:, 0], k[:, 0] = -1, distance % DIGIT
    for pair in range(pairs):
        part = np.clip(distance // DIGIT - pair * LARGEST, 0, LARGEST)
        columns = slice(2 * pair + 1, 2 * pair + 3)
        q[:, columns], k[:, columns] = -DIGIT // 2, part[:, None]
    return _with_values(rng, q, k, slope)


def _repeated(rng: np.random.Generator, sizes: Sizes, *, signs: tuple[int, ...]) -> Sample:
    """One normal key again and again, with these signs: scores differ from row to row only, but for the sign."""
    q8, q_step = _quantised(rng.standard_normal((sizes.rows, sizes.depth)))
    key, k_step = _quantised(rng.standard_normal((1, sizes.depth)))
    k8 = key * np.resize(np.array(signs, np.int8), sizes.keys)[:, None]
    return _with_values(rng, q8, k8, q_step * k_step / math.sqrt(sizes.depth))


def _with_values(rng: np.random.Generator, q: Int8, k: Int8, score_step: float) -> Sample:
    v, step = _quantised(rng.standard_normal(k.shape))
    return Sample(q, k, v, score_step, step)


FAMILIES: Mapping[str, Family] = {
    "normal": partial(_normal, deviation=1.0),
    "normal-3": partial(_normal, deviation=3.0),
    "sink-10-first": partial(_sink, above=10.0, key=0),
    "sink-10-last": partial(_sink, above=10.0, key=-1),
    "sink-12.5-first": partial(_sink, above=12.5, key=0),
    "sink-12.5-last": partial(_sink, above=12.5, key=-1),
    "ramp-256-up": partial(_ramp, slope=1 / 256, up=True),
    "ramp-256-down": partial(_ramp, slope=1 / 256, up=False),
    "ramp-32-up": partial(_ramp, slope=1 / 32, up=True),
    "ramp-32-down": partial(_ramp, slope=1 / 32, up=False),
    "equal": partial(_repeated, signs=(1,)),
    "alternating": partial(_repeated, signs=(1, -1)),
}
