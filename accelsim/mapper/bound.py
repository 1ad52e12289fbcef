"""What a tensor costs at least, whatever the nest, the tiles and the way to keep it: quick to say, seldom far off.

Tiles are taken to be as large as can be, so that the fewest elements pass between the array and what is next to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.columns import Columns
from accelsim.mapper.known import Known
from accelsim.mapper.nest import Nest, steady
from accelsim.mapper.problem import Touch
from accelsim.mapper.tensors import Scene, passes

Picked = Mapping[str, Assignment]


@dataclass(frozen=True, eq=False)
class Bound:
    """Lower bounds of energy for the tensors of one group."""

    known: Known
    einsums: tuple[Einsum, ...]
    _tensors: dict[tuple[object, ...], float] = field(default_factory=dict)

    def tensor_pj(self, tensor: str, picked: Picked, touching: Sequence[Einsum]) -> float:
        """Energy of one tensor whose makers and readers in the group are all assigned."""
        key = (tensor, *(picked[e.name].key for e in touching))
        if key not in self._tensors:
            scene = self.scene
            maker, readers = scene.made.get(tensor), scene.readers.get(tensor, ())
            if maker is None:
                found = min(self._read_in(touch, picked) for touch in readers)
                found += sum(self._filled_in(touch, picked) for touch in readers)
            else:
                found = self._made(maker, readers, picked)
            self._tensors[key] = found
        return self._tensors[key]

    def own_pj(self, option: Assignment, einsum: Einsum, own: Sequence[str]) -> float:
        """Operators, registers, and the tensors that only this Einsum of the group touches."""
        picked = {option.einsum: option}
        return option.energy_pj + sum([self.tensor_pj(tensor, picked, (einsum,)) for tensor in own])

    @cached_property
    def scene(self) -> Scene:
        return Scene(self.known.problem, self.einsums, Nest((), ()), {}, {}, self.known.limits)

    @cached_property
    def _off_chip(self) -> tuple[float, float]:
        """Energy of a byte read from and written to the off-chip level."""
        return Columns.of(self.known.problem).energies[self.known.problem.arch.off_chip.name]

    @cached_property
    def _inner(self) -> tuple[float, float]:
        """The least energy of a byte read from and written to a level on the chip."""
        off_chip = self.known.problem.arch.off_chip.name
        found = [pj for level, pj in Columns.of(self.known.problem).energies.items() if level != off_chip]
        return min((r for r, _ in found), default=np.inf), min((w for _, w in found), default=np.inf)

    @cached_property
    def _out(self) -> float:
        """The least energy of a byte that a level on the chip gives to the next one out."""
        energies = Columns.of(self.known.problem).energies
        inner = self.known.problem.arch.levels[1:]
        return min((energies[level.name][0] if level.read_out else 0.0 for level in inner), default=0.0)

    @cached_property
    def _steady(self) -> frozenset[str]:
        return steady(self.known.problem, self.einsums)

    def _read_in(self, touch: Touch, picked: Picked) -> float:
        """From off chip at every iteration, or once and then from a level on the chip."""
        off_read, _ = self._off_chip
        read, write = self._inner
        streamed, once = self._streamed(touch, picked), self.known.problem.elements(touch)
        return min(streamed * off_read, streamed * read + once * (off_read + write)) * self._word(touch)

    def _made(self, maker: Touch, readers: Sequence[Touch], picked: Picked) -> float:
        """What others want is written off chip; what cannot pass through registers goes into a level and out of it."""
        off_read, off_write = self._off_chip
        read, write = self._inner
        streamed, once = self._streamed(maker, picked), self.known.problem.elements(maker)
        kept = [reader for reader in readers if not self._passes(maker, reader, picked)]
        inside = streamed * write + (streamed - once) * read + sum(self._streamed(r, picked) for r in kept) * read
        if not self.scene.leaves(maker.tensor):
            return inside * self._word(maker) if kept else 0.0
        straight = streamed * off_write + (streamed - once) * off_read
        return min(np.inf if kept else straight, inside + once * (off_write + self._out)) * self._word(maker)

    def _passes(self, maker: Touch, reader: Touch, picked: Picked) -> bool:
        problem, name = self.known.problem, maker.einsum.name
        if not self.known.limits.registers:
            return False
        if name == reader.einsum.name:
            return problem.recurs.get(name) not in self._steady
        return passes(problem, (maker, picked[name]), (reader, picked[reader.einsum.name]))

    def _filled_in(self, touch: Touch, picked: Picked) -> float:
        """What is written into registers of operands that come from outside the group."""
        found = picked[touch.einsum.name]
        if not found.fill_pj:
            return 0.0
        problem, spans = self.known.problem, self._spans(touch, found)
        each = problem.single[touch.einsum.name][problem.reads[touch.einsum.name].index(touch)]
        return float(sum(problem.pairs(t, spans, found.pes) for t in each)) * found.fill_pj[touch.tensor]

    def _streamed(self, touch: Touch, picked: Picked) -> float:
        """Elements that pass between the array and the level next to it."""
        found = picked[touch.einsum.name]
        written = touch is self.known.problem.writes[touch.einsum.name]
        key = (touch.einsum.name, touch.tensor, written, found.face)
        if key not in self.known.streamed:
            self.known.streamed[key] = float(self.known.problem.pairs(touch, self._spans(touch, found)))
        return self.known.streamed[key]

    def _spans(self, touch: Touch, picked: Assignment) -> dict[str, int]:
        """What one iteration of the innermost loops spans."""
        return picked.inner(touch.einsum, self.known.problem.sizes)

    def _word(self, touch: Touch) -> float:
        return self.known.problem.word(touch.tensor)
