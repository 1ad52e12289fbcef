"""What a scheme costs at least, whatever its tiles are and whatever is kept: what makes most schemes needless."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.columns import Columns
from accelsim.mapper.known import Known
from accelsim.mapper.nest import Nest
from accelsim.mapper.problem import Touch
from accelsim.mapper.scheme import Scheme
from accelsim.mapper.tensors import Scene


@dataclass(frozen=True, eq=False)
class Bound:
    """Lower bounds for the schemes of one group."""

    known: Known
    einsums: tuple[Einsum, ...]
    _streams: dict[tuple[object, ...], float] = field(default_factory=dict)

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
    def _compulsory_seconds(self) -> float:
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

    def seconds(self, scheme: Scheme) -> float:
        return max(scheme.seconds, self._compulsory_seconds)

    def energy_pj(self, scheme: Scheme) -> float:
        """Operators, registers, and for each tensor that crosses the group's border the cheaper way to stream it."""
        scene = self._scene
        total = scheme.energy_pj
        for tensor in scene.tensors:
            if tensor not in scene.made:
                total += min(self._read_in(touch, scheme) for touch in scene.readers[tensor])
            elif scene.leaves(tensor):
                total += self._write_out(scene.made[tensor], scheme)
        return total

    def _streamed(self, touch: Touch, scheme: Scheme) -> float:
        """Elements that pass between the array and the level next to it when tiles are as large as can be."""
        picked = scheme.picked[touch.einsum.name]
        key = (touch.einsum.name, touch.tensor, touch is self.known.problem.writes[touch.einsum.name], picked.face)
        if key not in self._streams:
            sizes = self.known.problem.sizes
            spans = {
                c: picked.pes.get(c, 1)
                for c in touch.einsum.coordinates
                if c not in picked.streamed and picked.pes.get(c, 1) < sizes[c]
            }
            self._streams[key] = float(self.known.problem.pairs(touch, spans))
        return self._streams[key]

    def _read_in(self, touch: Touch, scheme: Scheme) -> float:
        problem = self.known.problem
        off_read, _ = self._table.energies[problem.arch.off_chip.name]
        read, write = self._inner
        streamed, once = self._streamed(touch, scheme), problem.elements(touch)
        return min(streamed * off_read, streamed * read + once * (off_read + write)) * problem.word(touch.tensor)

    def _write_out(self, touch: Touch, scheme: Scheme) -> float:
        problem = self.known.problem
        off_read, off_write = self._table.energies[problem.arch.off_chip.name]
        read, write = self._inner
        streamed, once = self._streamed(touch, scheme), problem.elements(touch)
        straight = streamed * off_write + (streamed - once) * off_read
        kept = streamed * write + (streamed - once) * read + once * off_write
        return min(straight, kept) * problem.word(touch.tensor)
