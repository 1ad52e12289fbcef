"""The vector engine of the layer machine: what its instructions do to pads and to what it keeps, bit for bit.

R rows (queries) and C lanes (keys) make a tile. Scores of a tile are R words of C sums of the array, products of P and
V as many for each fold of C columns of V. Steps of softmax as in `accelsim.golden.softmax`, sums and the division as in
`accelsim.golden.attention`, each instruction for one tile, with everything in between kept in memories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.fixed import Codes, Flags, Scale, divide, requantise, rescale, saturate
from accelsim.golden.softmax import Rows, causal, no_keys, tile_softmax
from accelsim.program.instruction import FIELDS, Instruction

DIAGONAL = 1 << (FIELDS["imm"] - 1)  # `imm` is offset binary
SCALE_FIELDS = ("a", "b")
T = TypeVar("T", Codes, Flags)
Place = slice | Codes | tuple[int, slice]


@dataclass(frozen=True)
class VectorUnit:
    """The unit: rows and lanes of a tile, slots of P and factors, words of every memory, formats."""

    rows: int
    lanes: int
    slots: int
    states: int
    accumulators: int
    s_words: int
    pv_words: int
    o_words: int
    formats: AttentionFormats = TILED


@dataclass(frozen=True)
class VectorState:
    """All that instructions read and write.

    Attributes:
        s, pv: pads of scores [s_words, lanes] and of products [pv_words, lanes], codes of the array.
        p: pad of P [slots, rows, lanes].
        o: pad of outputs [o_words, lanes].
        old, new: factors [slots, rows].
        maximum, started, denominator: of rows [states].
        sums: accumulators [accumulators, lanes].
        scale: what scores are multiplied by; None before the first SETP.
        empty: whether a row without a valid key has been divided.
    """

    s: Codes
    pv: Codes
    p: Codes
    o: Codes
    old: Codes
    new: Codes
    maximum: Codes
    started: Flags
    denominator: Codes
    sums: Codes
    scale: Scale | None = None
    empty: bool = False


def blank(unit: VectorUnit) -> VectorState:
    """Everything at 0, which is how memories begin."""

    def zeros(*size: int) -> Codes:
        return np.zeros(size, np.int64)

    return VectorState(
        s=zeros(unit.s_words, unit.lanes),
        pv=zeros(unit.pv_words, unit.lanes),
        p=zeros(unit.slots, unit.rows, unit.lanes),
        o=zeros(unit.o_words, unit.lanes),
        old=zeros(unit.slots, unit.rows),
        new=zeros(unit.slots, unit.rows),
        maximum=zeros(unit.states),
        started=np.zeros(unit.states, np.bool_),
        denominator=zeros(unit.states),
        sums=zeros(unit.accumulators, unit.lanes),
    )


def execute(unit: VectorUnit, state: VectorState, instruction: Instruction) -> VectorState:
    """What is there after one instruction.

    Raises:
        AccelsimError: an operation that is not of this engine; rows, keys, folds or words that are not there; SOFTMAX
            before a SETP.
    """
    if instruction.op not in STEPS:
        raise AccelsimError(f"{instruction.op}: is no operation of the vector engine: {', '.join(STEPS)}")
    return STEPS[instruction.op](unit, state, instruction)


def visible(unit: VectorUnit, instruction: Instruction) -> Flags:
    """Which keys of a tile each of its rows sees, [rows, lanes]: those that exist and that the mask lets pass."""
    rows, keys = _tile(unit, instruction)
    exist = np.broadcast_to(np.arange(unit.lanes) < keys, (rows, unit.lanes))
    if "mask" not in instruction.flags:
        return exist
    return exist & causal(rows, unit.lanes, instruction.args.get("imm", 0) - DIAGONAL)


def _softmax(unit: VectorUnit, state: VectorState, instruction: Instruction) -> VectorState:
    if state.scale is None:
        raise AccelsimError("SOFTMAX: must come after a SETP, which gives the scale of scores")
    formats = unit.formats
    rows, _ = _tile(unit, instruction)
    slot = _words(instruction, "dst", 1, unit.slots).start
    source, kept = (_words(instruction, name, rows, most) for name, most in (("a", unit.s_words), ("b", unit.states)))
    scores = requantise(state.s[source], state.scale, formats.scores)
    fresh = "first" in instruction.flags
    before = no_keys(formats, rows) if fresh else Rows(state.maximum[kept], state.started[kept])
    tile = tile_softmax(formats, before, scores[:, None], visible(unit, instruction)[:, None])
    old, new, p = tile.old[:, 0], tile.new[:, 0], tile.p[:, 0]
    sums = np.zeros(rows, np.int64) if fresh else state.denominator[kept]
    sums = merged(formats, sums, p.sum(axis=1), old, new)
    place = slot, slice(rows)
    return replace(
        state,
        p=_with(state.p, place, p),
        old=_with(state.old, place, old),
        new=_with(state.new, place, new),
        maximum=_with(state.maximum, kept, tile.running.rows.maximum),
        started=_with(state.started, kept, tile.running.rows.started),
        denominator=_with(state.denominator, kept, sums),
    )


def _scale_add(unit: VectorUnit, state: VectorState, instruction: Instruction) -> VectorState:
    rows, folds = _folds(unit, instruction)
    slot = _words(instruction, "dst", 1, unit.slots).start
    old, new = (np.tile(factors[slot, :rows], folds)[:, None] for factors in (state.old, state.new))
    source = places(unit, instruction, "a", unit.pv_words)
    kept = places(unit, instruction, "b", unit.accumulators)
    sums = np.zeros((rows * folds, unit.lanes), np.int64) if "first" in instruction.flags else state.sums[kept]
    return replace(state, sums=_with(state.sums, kept, merged(unit.formats, sums, state.pv[source], old, new)))


def _divide(unit: VectorUnit, state: VectorState, instruction: Instruction) -> VectorState:
    rows, folds = _folds(unit, instruction)
    source = places(unit, instruction, "a", unit.accumulators)
    below = state.denominator[_words(instruction, "b", rows, unit.states)]
    none = below == 0
    quotient = divide(state.sums[source], np.tile(np.maximum(below, 1), folds)[:, None], unit.formats.output.fraction)
    codes = np.where(np.tile(none, folds)[:, None], 0, saturate(quotient, unit.formats.output))
    target = places(unit, instruction, "dst", unit.o_words)
    return replace(state, o=_with(state.o, target, codes), empty=state.empty or bool(none.any()))


def _set_scale(unit: VectorUnit, state: VectorState, instruction: Instruction) -> VectorState:
    return replace(state, scale=Scale(*(instruction.args.get(name, 0) for name in SCALE_FIELDS)))


STEPS: Mapping[str, Callable[[VectorUnit, VectorState, Instruction], VectorState]] = MappingProxyType(
    {"SOFTMAX": _softmax, "SCALE_ADD": _scale_add, "DIVIDE": _divide, "SETP": _set_scale}
)


def merged(formats: AttentionFormats, sums: Codes, added: Codes, old: Codes, new: Codes) -> Codes:
    """Sums over what was before and over a tile, each times its factor."""
    fraction = formats.factors.fraction
    return rescale(sums, old, fraction) + rescale(added << formats.guard, new, fraction)


def places(unit: VectorUnit, instruction: Instruction, name: str, most: int) -> Codes:
    """The words of an instruction from the base that a field names on, fold by fold, rows inside.

    Raises:
        AccelsimError: rows, folds or words that are not there.
    """
    rows, folds = _folds(unit, instruction)
    span = _words(instruction, name, (folds - 1) * unit.rows + rows, most)
    found: Codes = (span.start + np.arange(folds)[:, None] * unit.rows + np.arange(rows)).reshape(-1)
    return found


def _tile(unit: VectorUnit, instruction: Instruction) -> tuple[int, int]:
    """Rows and keys of a tile."""
    return _size(instruction, "rows", unit.rows), _size(instruction, "cols", unit.lanes)


def _folds(unit: VectorUnit, instruction: Instruction) -> tuple[int, int]:
    """Rows and folds; no folds are one."""
    return _size(instruction, "rows", unit.rows), max(1, instruction.args.get("cols", 0))


def _size(instruction: Instruction, name: str, most: int) -> int:
    size = instruction.args.get(name, 0)
    if not 1 <= size <= most:
        raise AccelsimError(f"{instruction.op}: {name} must be from 1 to {most}, not {size}")
    return size


def _words(instruction: Instruction, name: str, words: int, most: int) -> slice:
    """So many words from the base that a field names on."""
    base = instruction.args.get(name, 0)
    if base + words > most:
        raise AccelsimError(f"{instruction.op}: {name} must be at most {most - words}, so that {words} fit, not {base}")
    return slice(base, base + words)


def _with(memory: T, place: Place, values: T) -> T:
    """A copy of a memory with other values in a place."""
    found = memory.copy()
    found[place] = values
    return found
