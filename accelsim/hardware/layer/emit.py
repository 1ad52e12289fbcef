"""Instructions of a head: every task of the program as depth `cycle` starts it, with its fields and its semaphores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.errors import AccelsimError
from accelsim.golden.fixed import Scale
from accelsim.hardware.layer.head import LOOPS, OUTPUT, PRODUCTS, SCORES, Head, K, Q, V
from accelsim.hardware.layer.places import OUTPUT_BYTES, WORD_BYTES, Places
from accelsim.program.instruction import FIELDS, Instruction
from accelsim.program.marked import MarkedGraph, Node
from accelsim.program.semaphores import tokens

PAD_NUMBER = {Q: 0, K: 1, V: 2}
PAD_SHIFT = 13
DIAGONAL = 1 << (FIELDS["imm"] - 1)  # `imm` of SOFTMAX is how many keys row 0 sees less one, and this


@dataclass(frozen=True)
class Emitted:
    """The instructions of a program in the order of their starts, SETP before them, HALT not among them.

    Attributes:
        ticks: for each instruction the tick at which depth `cycle` starts it; SETP starts at 0.
    """

    instructions: tuple[Instruction, ...]
    ticks: tuple[int, ...]


def emitted(head: Head, places: Places, graph: MarkedGraph, scale: Scale) -> Emitted:
    """The instructions of a marked graph whose tasks are those of a head.

    Raises:
        AccelsimError: more semaphores than there are, or a number that its field cannot hold.
    """
    emitter = _Emitter(head, places)
    found = [Instruction("SETP", args={"a": scale.multiplier, "b": scale.shift})]
    ticks = [0]
    for node, each in zip(graph.nodes, tokens(graph), strict=True):
        op, flags, args = emitter.fields(node)
        found.append(Instruction(op, each.wait, each.post, frozenset(flags), args))
        ticks.append(node.start)
    return Emitted(tuple(found), tuple(ticks))


def tile_of(node: Node) -> tuple[int, int]:
    """The tile of queries and the tile of keys that a task works on.

    Raises:
        AccelsimError: it runs in other loops than those over tiles.
    """
    at = dict(node.at)
    if not set(at) <= set(LOOPS):
        raise AccelsimError(f"{node.task} runs in other loops than {', '.join(LOOPS)}: no instruction does it")
    queries, keys = (at.get(loop, 0) for loop in LOOPS)
    return queries, keys


class Slots:
    """Where tiles of Q, K and V lie in their pads: each that is loaded takes the slot behind the last, by turns."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.loaded = dict.fromkeys(PAD_NUMBER, 0)
        self.found: dict[tuple[str, int, int], int] = {}

    def load(self, tensor: str, p1: int, m1: int, width: int) -> Mapping[str, int]:
        """The fields of the LOAD of a tile whose rows are `width` bytes, but for the number of rows."""
        slot = self.loaded[tensor] % self.places.slots[tensor]
        self.loaded[tensor] += 1
        self.found[tensor, p1, 0 if tensor == Q else m1] = slot
        return {
            "address": self.places.address(tensor, p1 if tensor == Q else m1),
            "local": PAD_NUMBER[tensor] << PAD_SHIFT | slot * (width // WORD_BYTES),
            "beats": width // WORD_BYTES,
            "stride": width,
        }

    def base(self, tensor: str, p1: int, m1: int, width: int) -> int:
        """The first word of a tile in each bank of its pad.

        Raises:
            AccelsimError: it was not loaded for this tile of queries and keys.
        """
        key = tensor, p1, 0 if tensor == Q else m1
        if key not in self.found:
            raise AccelsimError(f"{tensor} is not loaded for every tile that uses it; keep it at {LOOPS[tensor != Q]}")
        return self.found[key] * (width // WORD_BYTES)


class _Emitter:
    """What goes into the fields."""

    def __init__(self, head: Head, places: Places) -> None:
        self.head, self.places = head, places
        self.slots = Slots(places)
        self.begun: set[tuple[str, int]] = set()

    def fields(self, node: Node) -> tuple[str, set[str], Mapping[str, int]]:
        """Operation, flags and fields of a task."""
        p1, m1 = tile_of(node)
        name, _, what = node.of.partition(".")
        if what == "load":
            return "LOAD", set(), self._load(name, p1, m1)
        if what == "store":
            return "STORE", set(), self._store(p1)
        if name in (SCORES, PRODUCTS):
            return "MATMUL", {"transpose"} if name == SCORES else set(), self._product(name, p1, m1)
        return name, self._flags(name, p1, m1), self._vector(name, p1, m1)

    # sizes of tiles

    def _rows(self, p1: int) -> int:
        return min(self.head.tile_queries, self.head.queries - p1 * self.head.tile_queries)

    def _keys(self, m1: int) -> int:
        return min(self.head.tile_keys, self.head.keys - m1 * self.head.tile_keys)

    def _turn(self, p1: int, m1: int) -> int:
        """The place of a tile of scores, and of all that is made from it."""
        return (p1 * self.head.key_tiles + m1) % self.places.in_flight

    def _state(self, p1: int) -> int:
        return p1 % self.places.slots["RD"] * self.head.tile_queries

    def _sums(self, p1: int) -> int:
        return p1 % self.places.slots["RNV"] * self.head.folds * self.head.tile_queries

    def _output(self, p1: int) -> int:
        return p1 % self.places.slots[OUTPUT] * self.head.folds * self.head.tile_queries

    # fields

    def _load(self, tensor: str, p1: int, m1: int) -> Mapping[str, int]:
        width = self.head.columns if tensor == V else self.head.depth
        rows = self._rows(p1) if tensor == Q else self._loaded_keys(p1, m1)
        return {**self.slots.load(tensor, p1, m1, width), "rows": rows}

    def _loaded_keys(self, p1: int, m1: int) -> int:
        """Keys of a tile that any of its queries sees."""
        if not self.head.causal:
            return self._keys(m1)
        last = p1 * self.head.tile_queries + self._rows(p1) - 1
        return min(self._keys(m1), last - m1 * self.head.tile_keys + 1)

    def _store(self, p1: int) -> Mapping[str, int]:
        width = self.head.columns * OUTPUT_BYTES
        return {
            "address": self.places.address(OUTPUT, p1),
            "local": self._output(p1),
            "rows": self._rows(p1),
            "beats": width // WORD_BYTES,
            "stride": width,
        }

    def _product(self, name: str, p1: int, m1: int) -> Mapping[str, int]:
        head, turn = self.head, self._turn(p1, m1)
        if name == SCORES:
            q, k = (self.slots.base(tensor, p1, m1, head.depth) for tensor in (Q, K))
            return {"a": q, "b": k, "dst": turn * head.tile_queries, "cols": 1, "imm": head.depth}
        v = self.slots.base(V, p1, m1, head.columns)
        base = turn * head.folds * head.tile_queries
        return {"a": turn, "b": v, "dst": base, "cols": head.folds, "imm": self._loaded_keys(p1, m1)}

    def _flags(self, name: str, p1: int, m1: int) -> set[str]:
        """`first` for what begins the sums of a tile of queries, `mask` where not every query sees every key."""
        flags = set()
        if name in ("SOFTMAX", "SCALE_ADD") and (name, p1) not in self.begun:
            self.begun.add((name, p1))
            flags.add("first")
        if name == "SOFTMAX" and self._is_cut(p1, m1):
            flags.add("mask")
        return flags

    def _is_cut(self, p1: int, m1: int) -> bool:
        """Whether the first query of a tile does not see the last of its keys."""
        return self.head.causal and p1 * self.head.tile_queries < m1 * self.head.tile_keys + self._keys(m1) - 1

    def _vector(self, name: str, p1: int, m1: int) -> Mapping[str, int]:
        head, turn, rows = self.head, self._turn(p1, m1), self._rows(p1)
        if name == "SOFTMAX":
            diagonal = p1 * head.tile_queries - m1 * head.tile_keys if self._is_cut(p1, m1) else 0
            base = {"a": turn * head.tile_queries, "b": self._state(p1), "dst": turn}
            return {**base, "rows": rows, "cols": self._keys(m1), "imm": DIAGONAL + diagonal}
        if name == "SCALE_ADD":
            products = turn * head.folds * head.tile_queries
            return {"a": products, "b": self._sums(p1), "dst": turn, "rows": rows, "cols": head.folds}
        if name == "DIVIDE":
            base = {"a": self._sums(p1), "b": self._state(p1), "dst": self._output(p1)}
            return {**base, "rows": rows, "cols": head.folds}
        raise AccelsimError(f"no instruction does {name}")
