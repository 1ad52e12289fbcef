"""A mapping as a tree of loops in plain text: what runs in which loop, on which PEs, and what is kept where meanwhile.

group group1: QK GM; buffer holds 17 KiB of 512 KiB
in registers: QK -> GM
for p1 in 2, 32 p each
  buffer keeps Q 1 KiB, GM 64 B
  for m1 in 4, 16 m each
    QK  on pe2d, rows m0=16, cols p0=32, 8 steps of e, 50% of the PEs
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from accelsim.cost.analytic import StepCost, step_cost
from accelsim.mapping import Placement
from accelsim.mapping.capacity import fullest, kept_bytes, limit_bytes
from accelsim.mapping.lifetime import accesses
from accelsim.mapping.model import OUTSIDE, Group
from accelsim.report.text import binary, percent

INDENT = "  "
Loops = tuple[str, ...]


def looptree_text(placement: Placement) -> str:
    """Every group of a placed step as a tree of its loops, in the order in which the groups run."""
    cost = step_cost(placement)
    return "\n".join(line for group in placement.plan.groups for line in _Tree(placement, group, cost).lines())


@dataclass(frozen=True, eq=False)
class _Tree:
    """One group; `view` is the placement as the group sees it."""

    placement: Placement
    group: Group
    cost: StepCost

    @cached_property
    def view(self) -> Placement:
        return self.placement.within(self.group)

    def lines(self) -> Iterator[str]:
        names = " ".join(self.group.einsums)
        side = "" if self.group.overlap == "pipeline" or len(self.group.einsums) == 1 else f", {self.group.overlap}"
        yield "; ".join([f"group {self.group.name}: {names}{side}", *self._rooms()])
        yield from self._elsewhere()
        yield from self._kept(OUTSIDE, self.group.einsums, 0)
        yield from self._inside([(name, self.group.loops_of(name)) for name in self.group.einsums], 0)

    def _rooms(self) -> Iterator[str]:
        """How full each level is."""
        for level in self.view.plan.keep:
            held = sum(fullest(self.view, level, self.group).values())
            limit = limit_bytes(self.view, level)
            if held:
                yield f"{level} holds {binary(held)}{'' if limit is None else f' of {binary(limit)}'}"

    def _elsewhere(self) -> Iterator[str]:
        """What no level keeps: passed on in registers, or moved to and from the outermost level each time."""
        kept = {t for keep in self.view.plan.keep.values() for t, how in keep.tensors.items() if self._held(t, how.at)}
        made = {self.placement.einsum(name).tensor for name in self.group.einsums}
        reads = {(a.tensor, name) for name in self.group.einsums for a in self.placement.einsum(name).reads}
        passed = [
            f"{tensor} -> {name}"
            for tensor, name in sorted(reads)
            if tensor in made and tensor not in self.view.plan.home
            if tensor not in kept or (tensor, name) in self.view.plan.forward
        ]
        if passed:
            yield f"in registers: {', '.join(passed)}"
        streamed = sorted(({t for t, _ in reads} | made) - kept - {text.partition(" ")[0] for text in passed})
        if streamed:
            yield f"kept at no level: {', '.join(streamed)}"

    def _held(self, tensor: str, at: str) -> bool:
        """Whether this group touches a tensor inside the loop at which it is kept."""
        return any(
            accesses(self.placement.einsum(name), tensor) and at in (OUTSIDE, *self.group.loops_of(name))
            for name in self.group.einsums
        )

    def _inside(self, runs: Sequence[tuple[str, Loops]], depth: int) -> Iterator[str]:
        """Einsums with the loops that are left to them: those that share the next loop stand in it."""
        width = max(len(name) for name, _ in runs)
        for loop, members in self._blocks(runs):
            if not loop:
                yield from (f"{INDENT * depth}{name:<{width}}  {self._einsum(name)}" for name, _ in members)
                continue
            yield f"{INDENT * depth}{self._loop(loop)}"
            yield from self._kept(loop, [name for name, _ in members], depth + 1)
            yield from self._inside([(name, loops[1:]) for name, loops in members], depth + 1)

    def _blocks(self, runs: Sequence[tuple[str, Loops]]) -> list[tuple[str, list[tuple[str, Loops]]]]:
        """Einsums by their next loop ("": none), each block after those that make what it reads, as far as can be.

        What waits for the end of a sum over a loop runs in a second pass over it.
        """
        blocks: list[tuple[str, list[tuple[str, Loops]]]] = []
        for name, loops in runs:
            shared = [members for loop, members in blocks if loops and loop == loops[0]]
            if shared and not self._waits(name, [each for each, _ in shared[-1]], loops[0]):
                shared[-1].append((name, loops))
            else:
                blocks.append((loops[0] if loops else "", [(name, loops)]))
        ordered = []
        while blocks:
            ready = (block for block in blocks if not any(self._feeds(other, block) for other in blocks))
            ordered.append(next(ready, blocks[0]))
            blocks.remove(ordered[-1])
        return ordered

    def _waits(self, name: str, members: Sequence[str], loop: str) -> bool:
        """Whether an Einsum needs a sum, over a loop, of what others in that loop make."""
        along, makers = self.view.owner[loop], {self.placement.einsum(e).tensor: e for e in self.group.einsums}
        ahead, seen = [(name, False)], set[tuple[str, bool]]()
        while ahead:
            at, summed = ahead.pop()
            if summed and at in members:
                return True
            for access in self.placement.einsum(at).reads:
                maker = makers.get(access.tensor)
                if maker is not None and maker != at:
                    step = (maker, summed or along in self.placement.einsum(maker).reduced)
                    if step not in seen:
                        seen.add(step)
                        ahead.append(step)
        return False

    def _feeds(self, one: tuple[str, list[tuple[str, Loops]]], other: tuple[str, list[tuple[str, Loops]]]) -> bool:
        made = {self.placement.einsum(name).tensor for name, _ in one[1]}
        reads = {access.tensor for name, _ in other[1] for access in self.placement.einsum(name).reads}
        return one is not other and bool(made & reads)

    def _loop(self, part: str) -> str:
        coordinate = self.view.owner[part]
        spans = dict(self.view.digits[coordinate])
        each = f", {spans[part]} {coordinate} each" if spans[part] > 1 else ""
        return f"for {part} in {self.view.extent(part)}{each}"

    def _kept(self, loop: str, einsums: Sequence[str], depth: int) -> Iterator[str]:
        """What each level keeps for an iteration of a loop, as far as these Einsums touch it."""
        for level, keep in self.view.plan.keep.items():
            found = []
            for tensor, how in keep.tensors.items():
                touched = any(accesses(self.placement.einsum(name), tensor) for name in einsums)
                if how.at == loop and touched:
                    size = kept_bytes(self.view, self.group, tensor, how)
                    place = f" in place of {how.overwrites}" if how.overwrites else ""
                    found.append(f"{tensor} {binary(size)}{place}")
            if found:
                yield f"{INDENT * depth}{level} keeps {', '.join(found)}"

    def _einsum(self, name: str) -> str:
        """The unit, the ranks on its PEs, what is stepped through inside, and how many PEs that uses."""
        einsum, work = self.placement.einsum(name), self.cost.works[name]
        spread = self.view.spread(einsum)
        dims = [f"{dim} {self._across(dim, spread)}" for dim in dict.fromkeys(dim for dim, _ in spread.values())]
        loops = self.group.loops_of(name)
        steps = [self._steps(c, loops, spread) for c in einsum.coordinates]
        inside = [f"{number} steps of {c}" for c, number in zip(einsum.coordinates, steps, strict=True) if number > 1]
        used = work.points / (work.firings * work.unit.pes) if work.firings else 0
        return ", ".join([f"on {work.unit.name}", *dims, *inside, f"{percent(used)} of the PEs"])

    def _across(self, dim: str, spread: dict[str, tuple[str, int]]) -> str:
        """The parts on a dimension, outer to inner, each with the PEs that it takes."""
        taken = {part: min(self.view.extent(part), room) for part, (of, room) in spread.items() if of == dim}
        return " ".join(f"{part}={number}" for part, number in reversed(taken.items()))

    def _steps(self, coordinate: str, loops: Loops, spread: dict[str, tuple[str, int]]) -> int:
        """Steps along a coordinate inside one iteration of the loops: what is spread takes as many at once as fit."""
        return prod(
            -(-self.view.extent(part) // spread.get(part, ("", 1))[1])
            for part, _ in self.view.digits[coordinate]
            if part not in loops
        )
