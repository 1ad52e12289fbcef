"""The merge engine: tiles whose softmax an array has done become attention, a lane for each query, bit for bit.

A tile of keys comes as words of C numbers, one per query: the maximum m of its scores, the sum d of P, and F words of
P x V, with P against m (`accelsim.golden.fuse_array`). A query keeps a maximum M, a denominator and F accumulators.

SCALE_ADD: M becomes max(M, m). Sums so far are multiplied by old = exp(M before - M after) and rounded; those of the
tile, moved up by the guard bits, by new = exp(m - M after) and rounded. One of both is exactly 1. DIVIDE: accumulators
by the denominator, rounded once and saturated.

Maxima are scores as the array has them, 32 bits. One times 2^-shift has `shifted` bits behind its point; a distance of
two is shifted and rounded half up to the bits that the source of exp has behind its own, which are more, so that what
many small growths lose by it does not add up; then it is saturated, where exp is 0 in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.exp import exponential
from accelsim.golden.fixed import MOST_BITS, Codes, divide, round_half_up, saturate
from accelsim.golden.horner import SOURCE
from accelsim.golden.softmax import factor
from accelsim.golden.vector import merged
from accelsim.program.instruction import Instruction

# Many small growths multiply many factors, so these need a finer source and shorter chords of exp than P does.
MERGED = replace(TILED, scores=FixedFormat(25, 20), segments=128)
MOST_SHIFT = 31


@dataclass(frozen=True)
class MergeUnit:
    """The unit: lanes (queries of a tile), words of every memory, formats.

    Attributes:
        slots: words of the pads of maxima and of sums of P.
        states: words of maxima and denominators.
        formats: those of P, V and all behind them; a distance of maxima has the bits of `scores`, without a sign.
        shifted: bits behind the point of a maximum times 2^-shift.

    Raises:
        AccelsimError: distances with fewer bits behind the point, with more than the shift can leave exact in 62 bits,
            or that saturate where the factor is not yet 0.
    """

    lanes: int
    slots: int
    states: int
    accumulators: int
    pv_words: int
    o_words: int
    formats: AttentionFormats = MERGED
    shifted: int = SOURCE.fraction

    def __post_init__(self) -> None:
        scores, most = self.formats.scores, MOST_BITS - self.formats.array.width
        if not 0 <= scores.fraction - self.shifted <= most:
            raise AccelsimError(
                f"scores must have {self.shifted} to {self.shifted + most} bits behind the point, "
                f"as maxima have {self.shifted}, not {scores}"
            )
        if exponential(self.formats.factor_unit, np.array(self.source.highest)):
            raise AccelsimError(f"scores must reach to where a factor is 0, as {MERGED.scores} does, not {scores}")

    @property
    def source(self) -> FixedFormat:
        """A distance of two maxima."""
        return self.formats.factor_unit.source


@dataclass(frozen=True)
class MergeState:
    """All that instructions read and write.

    Attributes:
        m, d: pads of maxima and of sums of P [slots, lanes]; `d` and `pv` have the bits of P behind the point.
        pv: pad of P x V [pv_words, lanes].
        o: pad of outputs [o_words, lanes].
        maximum, denominator: of queries [states, lanes].
        sums: accumulators [accumulators, lanes].
        shift: by how much scores are shifted; None before it is known.
        empty: whether a query without a key has been divided.
    """

    m: Codes
    d: Codes
    pv: Codes
    o: Codes
    maximum: Codes
    denominator: Codes
    sums: Codes
    shift: int | None = None
    empty: bool = False


def blank(unit: MergeUnit) -> MergeState:
    """Everything at 0, which is how memories begin."""

    def zeros(words: int) -> Codes:
        return np.zeros((words, unit.lanes), np.int64)

    return MergeState(
        m=zeros(unit.slots),
        d=zeros(unit.slots),
        pv=zeros(unit.pv_words),
        o=zeros(unit.o_words),
        maximum=zeros(unit.states),
        denominator=zeros(unit.states),
        sums=zeros(unit.accumulators),
    )


def execute(unit: MergeUnit, state: MergeState, instruction: Instruction) -> MergeState:
    """What is there after one instruction.

    Raises:
        AccelsimError: an operation that is not of this engine, words that are not there, or SCALE_ADD without a shift.
    """
    if instruction.op not in STEPS:
        raise AccelsimError(f"{instruction.op}: is no operation of the merge engine: {', '.join(STEPS)}")
    return STEPS[instruction.op](unit, state, instruction)


def distance(unit: MergeUnit, one: Codes, other: Codes, shift: int) -> Codes:
    """How far two maxima lie apart, as codes of the source of exp."""
    more = unit.formats.scores.fraction - unit.shifted
    return saturate(round_half_up(np.abs(one - other) << more, shift), unit.source)


def _scale_add(unit: MergeUnit, state: MergeState, instruction: Instruction) -> MergeState:
    if state.shift is None or not 0 <= state.shift <= MOST_SHIFT:
        raise AccelsimError(f"SCALE_ADD: needs the shift of scores, from 0 to {MOST_SHIFT}, not {state.shift}")
    formats, words = unit.formats, _rows(instruction)
    slot, kept = (_words(instruction, name, 1, most).start for name, most in (("dst", unit.slots), ("b", unit.states)))
    source = _words(instruction, "a", words, unit.pv_words)
    target = _words(instruction, "imm", words, unit.accumulators)
    fresh = "first" in instruction.flags
    own = state.m[slot]
    before = own if fresh else state.maximum[kept]
    after = np.maximum(before, own)
    known = np.ones(unit.lanes, np.bool_)
    old = factor(formats, distance(unit, after, before, state.shift), known)
    new = factor(formats, distance(unit, after, own, state.shift), known)
    sums = np.vstack([state.denominator[kept], state.sums[target]])
    added = np.vstack([state.d[slot], state.pv[source]])
    found = merged(formats, np.zeros_like(sums) if fresh else sums, added, old, new)
    return replace(
        state,
        maximum=_with(state.maximum, kept, after),
        denominator=_with(state.denominator, kept, found[0]),
        sums=_with(state.sums, target, found[1:]),
    )


def _divide(unit: MergeUnit, state: MergeState, instruction: Instruction) -> MergeState:
    words, form = _rows(instruction), unit.formats.output
    source = _words(instruction, "a", words, unit.accumulators)
    below = state.denominator[_words(instruction, "b", 1, unit.states).start]
    none = below == 0
    quotient = divide(state.sums[source], np.maximum(below, 1), form.fraction)
    target = _words(instruction, "dst", words, unit.o_words)
    codes = np.where(none, 0, saturate(quotient, form))
    return replace(state, o=_with(state.o, target, codes), empty=state.empty or bool(none.any()))


STEPS: Mapping[str, Callable[[MergeUnit, MergeState, Instruction], MergeState]] = MappingProxyType(
    {"SCALE_ADD": _scale_add, "DIVIDE": _divide}
)


def _rows(instruction: Instruction) -> int:
    """Words of P x V, or of the output."""
    words = instruction.args.get("rows", 0)
    if words < 1:
        raise AccelsimError(f"{instruction.op}: rows must be 1 at least, not {words}")
    return words


def _words(instruction: Instruction, name: str, words: int, most: int) -> slice:
    """So many words from the base that a field names on."""
    base = instruction.args.get(name, 0)
    if base + words > most:
        raise AccelsimError(f"{instruction.op}: {name} must be at most {most - words}, so that {words} fit, not {base}")
    return slice(base, base + words)


def _with(memory: Codes, place: slice | int, values: Codes) -> Codes:
    """A copy of a memory with other values in a place."""
    found = memory.copy()
    found[place] = values
    return found
