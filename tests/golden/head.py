"""One head of attention as instructions of the vector engine, with the words of the pads that the array would write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from accelsim.golden.fixed import Codes, Scale
from accelsim.golden.vector import DIAGONAL, VectorState, VectorUnit, blank, execute
from accelsim.program.instruction import Instruction


@dataclass(frozen=True)
class Head:
    """Queries [queries, depth], keys [keys, depth], values [keys, columns], the scale, and whether it is causal."""

    q: Codes
    k: Codes
    v: Codes
    scale: Scale
    causal: bool

    def folds(self, lanes: int) -> int:
        """Words of a row of the output."""
        columns: int = self.v.shape[1]
        return -(-columns // lanes)


@dataclass(frozen=True)
class Turn:
    """An instruction, and the words of S or PV that must be there before it: their first place, and [words, lanes]."""

    instruction: Instruction
    pad: str = ""
    base: int = 0
    words: Codes | None = None

    def load(self, state: VectorState) -> VectorState:
        """What is there when the words are."""
        if self.words is None:
            return state
        memory = getattr(state, self.pad).copy()
        memory[self.base : self.base + len(self.words)] = self.words
        return replace(state, **{self.pad: memory})


def unit_for(head: Head, unit: VectorUnit) -> VectorUnit:
    """The unit with memories as large as the head needs them, two tiles at a time."""
    folds, tiles = head.folds(unit.lanes), -(-len(head.q) // unit.rows)
    sums = 2 * folds * unit.rows
    kept = replace(unit, states=2 * unit.rows, accumulators=sums)
    return replace(kept, s_words=2 * unit.rows, pv_words=sums, o_words=tiles * folds * unit.rows)


def turns(unit: VectorUnit, head: Head) -> Iterator[tuple[Turn, VectorState]]:
    """All instructions in order, each with the state behind it; with two slots SCALE_ADD is one tile behind SOFTMAX."""
    state = blank(unit)
    for turn in _plan(unit, head):
        ready = turn if turn.pad != "pv" else replace(turn, words=_products(unit, head, turn, state))
        state = execute(unit, ready.load(state), ready.instruction)
        yield ready, state


def outputs(unit: VectorUnit, head: Head, state: VectorState) -> Codes:
    """The head's output [queries, columns] out of the O pad."""
    folds = head.folds(unit.lanes)
    tiles = state.o.reshape(-1, folds, unit.rows, unit.lanes).transpose(0, 2, 1, 3)
    return tiles.reshape(-1, folds * unit.lanes)[: len(head.q), : head.v.shape[1]]


def _plan(unit: VectorUnit, head: Head) -> Iterator[Turn]:
    yield Turn(Instruction("SETP", args={"a": head.scale.multiplier, "b": head.scale.shift}))
    lag = 1 if unit.slots > 1 else 0
    for query in range(0, len(head.q), unit.rows):
        tiles = range(0, len(head.k), unit.lanes)
        for place in range(len(tiles) + lag):
            if place < len(tiles):
                yield _softmax(unit, head, query, tiles[place])
            if place >= lag:
                yield _scale_add(unit, head, query, tiles[place - lag])
        yield _divide(unit, head, query)


def _softmax(unit: VectorUnit, head: Head, query: int, key: int) -> Turn:
    q, k = head.q[query : query + unit.rows], head.k[key : key + unit.lanes]
    scores = np.zeros((len(q), unit.lanes), np.int64)
    scores[:, : len(k)] = q @ k.T
    tile = key // unit.lanes
    base = tile % 2 * unit.rows
    args = {"a": base, "b": _states(unit, query), "dst": tile % unit.slots, "rows": len(q), "cols": len(k)}
    flags = {"first"} if key == 0 else set()
    if head.causal:
        flags, args = flags | {"mask"}, {**args, "imm": DIAGONAL + query - key}
    return Turn(Instruction("SOFTMAX", flags=frozenset(flags), args=args), "s", base, scores)


def _scale_add(unit: VectorUnit, head: Head, query: int, key: int) -> Turn:
    rows, folds, tile = len(head.q[query : query + unit.rows]), head.folds(unit.lanes), key // unit.lanes
    base = tile % 2 * folds * unit.rows
    args = {"a": base, "b": _sums(unit, head, query), "dst": tile % unit.slots, "rows": rows, "cols": folds}
    flags = frozenset({"first"} if key == 0 else ())
    return Turn(Instruction("SCALE_ADD", flags=flags, args=args), "pv", base, head.v[key : key + unit.lanes])


def _divide(unit: VectorUnit, head: Head, query: int) -> Turn:
    rows, folds = len(head.q[query : query + unit.rows]), head.folds(unit.lanes)
    args = {"a": _sums(unit, head, query), "b": _states(unit, query), "dst": query * folds, "rows": rows, "cols": folds}
    return Turn(Instruction("DIVIDE", args=args))


def _products(unit: VectorUnit, head: Head, turn: Turn, state: VectorState) -> Codes:
    """P x V of a tile, fold by fold, from the P that its SOFTMAX has left."""
    assert turn.words is not None
    folds, slot = head.folds(unit.lanes), turn.instruction.args["dst"]
    v = np.zeros((unit.lanes, folds * unit.lanes), np.int64)
    v[: len(turn.words), : head.v.shape[1]] = turn.words
    products: Codes = state.p[slot] @ v
    return products.reshape(unit.rows, folds, unit.lanes).transpose(1, 0, 2).reshape(-1, unit.lanes)


def _states(unit: VectorUnit, query: int) -> int:
    return query % (2 * unit.rows)


def _sums(unit: VectorUnit, head: Head, query: int) -> int:
    return query % (2 * unit.rows) * head.folds(unit.lanes)
