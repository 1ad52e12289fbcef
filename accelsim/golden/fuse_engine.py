"""The engine around the array that does softmax itself: what each instruction reads and writes, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.golden.fixed import Codes
from accelsim.golden.fuse_array import MOST_SHIFT, FuseUnit, differences
from accelsim.golden.horner import HornerExp, horner_exponential
from accelsim.program.instruction import Instruction


@dataclass(frozen=True)
class FusePads:
    """What the engine reads, as codes.

    Attributes:
        q: [queries of a tile, words, elements of a word].
        k: [keys of a tile, words, elements of a word].
        v: [keys of a tile, words, elements of a word].
    """

    q: Codes
    k: Codes
    v: Codes


@dataclass(frozen=True)
class FuseState:
    """What the engine holds: by slot scores and P, both [queries, keys of the tile], and by how much it shifts."""

    scores: Mapping[int, Codes] = field(default_factory=lambda: MappingProxyType({}))
    p: Mapping[int, Codes] = field(default_factory=lambda: MappingProxyType({}))
    shift: int = 0


@dataclass(frozen=True)
class Written:
    """What an instruction writes: the pad, or none; the words of it, in order; and the sums [words, queries]."""

    pad: Literal["", "m", "d", "pv"]
    words: Codes
    sums: Codes


def execute(unit: FuseUnit, pads: FusePads, state: FuseState, instruction: Instruction) -> tuple[FuseState, Written]:
    """An instruction of the array's queue: what is held then, and what has been written.

    Raises:
        AccelsimError: operands beyond the end of a pad, more keys than the array has rows or none, other keys than
            those of the scores, a slot that holds nothing yet, a shift beyond 31, or an instruction for another queue.
    """
    args = {name: instruction.args.get(name, 0) for name in ("a", "b", "dst", "rows", "imm")}
    if instruction.op == "SETP":
        if args["b"] > MOST_SHIFT:
            raise AccelsimError(f"b: must be a shift from 0 to {MOST_SHIFT}, got {args['b']}")
        nothing = np.zeros((1, len(pads.q)), np.int64)
        return replace(state, shift=args["b"]), Written("", np.zeros(1, np.int64), nothing)
    if instruction.op == "SOFTMAX":
        return _weigh(unit, state, args)
    if instruction.op != "MATMUL":
        raise AccelsimError(f"{instruction.op}: is no instruction of the array's queue")
    if "transpose" in instruction.flags:
        return _score(unit, pads, state, args)
    p = _held("weights", state.p, args["a"])
    values = _elements("V", pads.v, args["b"], args["imm"])[: p.shape[1]]
    return state, Written("pv", args["dst"] + np.arange(args["imm"]), (p @ values).T)


def _score(unit: FuseUnit, pads: FusePads, state: FuseState, args: Mapping[str, int]) -> tuple[FuseState, Written]:
    """QK and LM: the maximum of each query's scores."""
    if not 1 <= args["rows"] <= len(pads.k):
        raise AccelsimError(f"rows: must be from 1 to the {len(pads.k)} keys of a tile, got {args['rows']}")
    if args["imm"] > unit.length:
        raise AccelsimError(f"imm: must be at most {unit.length}, got {args['imm']}: a longer sum could overflow")
    q = _elements("Q", pads.q, args["a"], args["imm"])
    k = _elements("K", pads.k, args["b"], args["imm"])[: args["rows"]]
    scores, slot = q @ k.T, args["dst"]
    written = Written("m", np.array([slot]), scores.max(axis=1)[None])
    return replace(state, scores={**state.scores, slot: scores}), written


def _weigh(unit: FuseUnit, state: FuseState, args: Mapping[str, int]) -> tuple[FuseState, Written]:
    """SLN and SLD: the sum of each query's P."""
    slot = args["dst"]
    scores = _held("scores", state.scores, slot)
    if args["rows"] != scores.shape[1]:
        raise AccelsimError(f"rows: must be the {scores.shape[1]} keys of the scores, got {args['rows']}")
    p = horner_exponential(HornerExp(unit.source), differences(unit, scores, state.shift))
    return replace(state, p={**state.p, slot: p}), Written("d", np.array([slot]), p.sum(axis=1)[None])


def _held(name: str, held: Mapping[int, Codes], slot: int) -> Codes:
    """What a slot holds."""
    if slot not in held:
        raise AccelsimError(
            f"slot {slot} holds no {name}; those that do: {', '.join(map(str, sorted(held))) or 'none'}"
        )
    return held[slot]


def _elements(name: str, pad: Codes, word: int, number: int) -> Codes:
    """So many elements of each bank from a word on: [banks, number]."""
    if number < 1:
        raise AccelsimError(f"imm: must be at least 1, got {number}")
    found = pad[:, word:].reshape(len(pad), -1)[:, :number]
    if found.shape[1] < number:
        raise AccelsimError(f"{number} elements from word {word} on: {name} has {pad.shape[1]} words of {pad.shape[2]}")
    return found
