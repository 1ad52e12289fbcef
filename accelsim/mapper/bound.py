"""What a scheme costs at least, whatever its tiles are and whatever is kept: what makes most schemes needless."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, eq=False)
class Bound:
    """Lower bounds for the schemes of one group."""

    known: Known
    einsums: tuple[Einsum, ...]
    _streams: dict[tuple[object, ...], float] = field(default_factory=dict)
    _direct: dict[tuple[object, ...], bool] = field(default_factory=dict)

    @cached_property
    def _scene(self) -> Scene:
        return Scene(self.known.problem, self.einsums, Nest((), ()), {}, {}, self.known.limits)

    @cached_property
    def _table(self) -> Columns:
        return Columns.of(self.known.problem)

    @cached_property
    def _inner(self) -> tuple[float, float]:
        """The least energy of a byte read from and written to a level on the chip."""
        off_chip = self.known.problem.arch.off_chip.name
        found = [pj for level, pj in self._table.energies.items() if level != off_chip]
        return min((r for r, _ in found), default=np.inf), min((w for _, w in found), default=np.inf)

    @cached_property
    def compulsory_seconds(self) -> float:
        """What comes in and goes out once takes so long at the ports of the off-chip level."""
        problem, scene = self.known.problem, self._scene
        moved = {"read": 0.0, "write": 0.0}
        for tensor in scene.tensors:
            if tensor not in scene.made:
                moved["read"] += problem.elements(scene.readers[tensor][0]) * problem.word(tensor)
            elif scene.leaves(tensor):
                moved["write"] += problem.elements(scene.made[tensor]) * problem.word(tensor)
        ports = (port for port in self._table.ports if port[0] == problem.arch.off_chip.name)
        return max((sum(moved[kind] for kind in kinds) / per_s for _, kinds, per_s in ports), default=0.0)

    def own_pj(self, option: Assignment) -> float:
        """Operators, registers, and the tensors that only this Einsum brings in or writes for others."""
        key = ("own", option.key)
        if key not in self._streams:
            scene, total = self._scene, option.energy_pj
            for touch in self.known.problem.reads[option.einsum]:
                if touch.tensor not in scene.made and len(scene.readers[touch.tensor]) == 1:
                    total += self._read_in(touch, option) + self._filled_in(touch, option)
            write = self.known.problem.writes[option.einsum]
            if scene.leaves(write.tensor):
                total += self._write_out(write, option)
            self._streams[key] = total
        return self._streams[key]

    def between_pj(self, picked: Mapping[str, Assignment]) -> float:
        """What passes between Einsums and cannot pass through registers: into a level on the chip, and out of it."""
        problem, scene, total = self.known.problem, self._scene, 0.0
        read, write = self._inner
        for tensor, maker in scene.made.items():
            first = picked.get(maker.einsum.name)
            readers = [r for r in scene.readers.get(tensor, ()) if r.einsum.name in picked] if first else []
            kept = [r for r in readers if first and not self._passes(maker, first, r, picked[r.einsum.name])]
            if kept and first:
                moved = sum(self._streamed(r, picked[r.einsum.name]) for r in kept) * read
                if not scene.leaves(tensor):
                    moved += self._streamed(maker, first) * write
                total += moved * problem.word(tensor)
        return total

    def _passes(self, maker: Touch, first: Assignment, reader: Touch, then: Assignment) -> bool:
        key = (maker.tensor, first.key, then.key)
        if key not in self._direct:
            own = maker.einsum.name == reader.einsum.name
            steady = own and self.known.problem.recurs.get(maker.einsum.name) in self._steady
            allowed = self.known.limits.registers and not steady
            through = own or passes(self.known.problem, (maker, first), (reader, then))
            self._direct[key] = allowed and through
        return self._direct[key]

    @cached_property
    def _steady(self) -> frozenset[str]:
        return steady(self.known.problem, self.einsums)

    def shared_pj(self, picked: Mapping[str, Assignment]) -> float:
        """Tensors that several Einsums read: what the one that needs least of each of them needs."""
        scene = self._scene
        total = 0.0
        for tensor, readers in scene.readers.items():
            if tensor not in scene.made and len(readers) > 1:
                total += min(self._read_in(touch, picked[touch.einsum.name]) for touch in readers)
        return total

    def _streamed(self, touch: Touch, picked: Assignment) -> float:
        """Elements that pass between the array and the level next to it when tiles are as large as can be."""
        key = (touch.einsum.name, touch.tensor, touch is self.known.problem.writes[touch.einsum.name], picked.face)
        if key not in self._streams:
            self._streams[key] = float(self.known.problem.pairs(touch, self._spans(touch, picked)))
        return self._streams[key]

    def _read_in(self, touch: Touch, picked: Assignment) -> float:
        problem = self.known.problem
        off_read, _ = self._table.energies[problem.arch.off_chip.name]
        read, write = self._inner
        streamed, once = self._streamed(touch, picked), problem.elements(touch)
        return min(streamed * off_read, streamed * read + once * (off_read + write)) * problem.word(touch.tensor)

    def _filled_in(self, touch: Touch, picked: Assignment) -> float:
        """What is written into registers of operands that come from outside the group."""
        if not picked.fill_pj:
            return 0.0
        problem, spans = self.known.problem, self._spans(touch, picked)
        at = problem.reads[touch.einsum.name].index(touch)
        each = problem.single[touch.einsum.name][at]
        return float(sum(problem.pairs(t, spans, picked.pes) for t in each)) * picked.fill_pj[touch.tensor]

    def _spans(self, touch: Touch, picked: Assignment) -> dict[str, int]:
        """What one iteration of the innermost loops spans when tiles are as large as can be."""
        return {
            c: picked.pes.get(c, 1)
            for c in touch.einsum.coordinates
            if c not in picked.streamed and picked.pes.get(c, 1) < self.known.problem.sizes[c]
        }

    def _write_out(self, touch: Touch, picked: Assignment) -> float:
        problem = self.known.problem
        off_read, off_write = self._table.energies[problem.arch.off_chip.name]
        read, write = self._inner
        streamed, once = self._streamed(touch, picked), problem.elements(touch)
        straight = streamed * off_write + (streamed - once) * off_read
        kept = streamed * write + (streamed - once) * read + once * off_write
        return min(straight, kept) * problem.word(touch.tensor)
