"""How long tasks of engines take in each iteration: what the timing function of the generated hardware says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

import numpy as np

from accelsim.arch.model import Arch, Level, Unit
from accelsim.cost.images import Counter
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.fold import DROP, Fold
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.mapping.bind import Placement
from accelsim.program.lower.numbers import Integers, total
from accelsim.program.lower.shares import Look, Share, aligned, firings, shares
from accelsim.units.engines import DMA, ENGINES, compute_timing, transfer_timing
from accelsim.units.timing import Timing
from accelsim.yamlfile import Node


@dataclass(frozen=True)
class Span:
    """Ticks of a task in each iteration: how long its unit is taken, and how much later its result is there."""

    busy: Share
    latency: Share


def engine_of(node: Node | None) -> str | None:
    """The engine that an `rtl:` entry names, None where it names something else or there is none."""
    name = node.mapping()["unit"].string() if node is not None else None
    return name if name in ENGINES else None


def steps_of(placement: Placement, counter: Counter, einsum: Einsum, loops: Sequence[str]) -> Share:
    """Steps of the array in each iteration of some loops."""
    return total(firings(placement, counter, einsum, loops), loops)


def folds_of(placement: Placement, counter: Counter, einsum: Einsum, loops: Sequence[str]) -> Share:
    """Parts of the result, as large as the array, that an Einsum makes in each iteration of some loops."""
    spread, kept = placement.spread(einsum), set(coordinates(einsum.target))
    folds = {
        c: Fold(tuple((span, spread[part][1] if part in spread else 1) for part, span in counter.digits[c]))
        if c in kept
        else DROP
        for c in einsum.coordinates
    }
    return total(shares(counter, folds, (Look(einsum.coordinates, counter.presences[einsum.name]),), loops), loops)


def engine_span(unit: Unit, task: str, steps: Share, folds: Share, per_cycle: int) -> Span:
    """What the timing of a unit's engine says of a task, where there is work.

    Raises:
        AccelsimError: a parameter or an operation that the engine does not have, with the place of its entry.
    """
    node, kind = unit.rtl, engine_of(unit.rtl)
    if node is None or kind is None:
        raise AccelsimError(f"unit {unit.name} has no engine")
    params = {**unit.dims, **_params(node)}

    def timing(number: int, parts: int) -> Timing:
        try:
            return compute_timing(kind, params, task, number, parts)
        except AccelsimError as error:
            raise node.error(error.message) from None

    return _spans(timing, [steps, folds], per_cycle)


def transfer_span(arch: Arch, level: Level, kind: str, moved: Share, per_cycle: int) -> Span:
    """What the timing of a level's DMA engine says of transfers of so many bytes.

    Raises:
        AccelsimError: a latency that is not a whole number of cycles, or what the engine cannot do.
    """
    node = level.rtl
    if node is None:
        raise AccelsimError(f"level {level.name} has no engine")
    latency = level.latency_s * arch.clock_hz
    if latency.denominator != 1:
        raise node.error(f"the latency of {level.name} must be a whole number of cycles, not {float(latency):g}")

    def timing(number: int) -> Timing:
        try:
            return transfer_timing(_params(node), int(latency), kind, number)
        except AccelsimError as error:
            raise node.error(error.message) from None

    return _spans(timing, [moved], per_cycle)


def is_moved_by_engine(level: Level) -> bool:
    """Whether a DMA engine moves tiles from and to a level."""
    return engine_of(level.rtl) == DMA


def largest(parts: Sequence[Share], nest: Sequence[str]) -> Share:
    """In each iteration the most that any of several numbers is; `nest` has all loops in their order."""
    loops = tuple(loop for loop in nest if any(loop in share.loops for share in parts))
    return Share(loops, reduce(np.maximum, [aligned(share, loops) for share in parts]))


def scaled(share: Share, by: Fraction) -> Share:
    """A number times another, rounded up."""
    return Share(share.loops, -(-share.values * by.numerator // by.denominator))


def _params(node: Node) -> Mapping[str, int]:
    return {name: value.integer() for name, value in node.mapping().items() if name != "unit"}


def _spans(timing: Callable[..., Timing], numbers: Sequence[Share], per_cycle: int) -> Span:
    """Each different combination of numbers is asked for once; 0 stays 0."""
    loops = tuple(dict.fromkeys(loop for share in numbers for loop in share.loops))
    columns = np.broadcast_arrays(*(aligned(share, loops) for share in numbers))
    rows, places = np.unique(np.stack([column.ravel() for column in columns], axis=1), axis=0, return_inverse=True)
    found = [timing(*row) if row[0] else None for row in rows.tolist()]
    shape = columns[0].shape

    def share(of: Callable[[Timing], int]) -> Share:
        each: Integers = np.array([of(t) * per_cycle if t else 0 for t in found], dtype=np.int64)
        return Share(loops, each[places.ravel()].reshape(shape))

    return Span(share(lambda t: t.busy), share(lambda t: t.last + 1 - t.busy))
