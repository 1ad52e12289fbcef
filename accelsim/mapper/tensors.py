"""What a tensor of a group may cost: bytes held and moved for each way to keep it, over all candidates of tiles.

The rule is that of `accelsim.cost.traffic`, in closed form; a test holds the two equal on mappings drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest, depths, loops_to
from accelsim.mapper.problem import Amount, Problem, Tiles, Touch, indices_of

Chain = tuple[tuple[str, int], ...]
"""Levels that keep a tensor, outermost first, each with the depth of the loops at which it does."""


@dataclass(frozen=True)
class Keeping:
    """One way to keep a tensor during a group; `forwarded` readers are served from registers all the same."""

    tensor: str
    chain: Chain
    forwarded: tuple[str, ...] = ()


@dataclass
class Moved:
    """Elements held at, read from and written to each level, and written into registers."""

    held: dict[str, Amount] = field(default_factory=dict)
    read: dict[str, Amount] = field(default_factory=dict)
    write: dict[str, Amount] = field(default_factory=dict)
    fill_pj: Amount = 0

    def add(self, level: str, read: Amount = 0, write: Amount = 0) -> None:
        self.read[level] = self.read.get(level, 0) + read
        self.write[level] = self.write.get(level, 0) + write


@dataclass(frozen=True, eq=False)
class Scene:
    """A group with its loops, its assignments and its tiles (coordinate of the nest to an entry per candidate).

    Attributes:
        spans, streams: what has been worked out for these assignments and tiles.
        made: tensor that the group makes to its maker's touch.
        readers: tensor to those of the group that read it.
    """

    problem: Problem
    einsums: tuple[Einsum, ...]
    nest: Nest
    picked: Mapping[str, Assignment]
    tiles: Mapping[str, NDArray[np.int64]]
    limits: Limits
    spans: dict[str, Tiles] = field(default_factory=dict)
    streams: dict[Touch, Amount] = field(default_factory=dict)
    made: dict[str, Touch] = field(default_factory=dict)
    readers: dict[str, tuple[Touch, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.made:
            self.made.update((e.tensor, self.problem.writes[e.name]) for e in self.einsums)
            for touch in (touch for e in self.einsums for touch in self.problem.reads[e.name]):
                self.readers[touch.tensor] = (*self.readers.get(touch.tensor, ()), touch)

    def touches(self, tensor: str) -> tuple[Touch, ...]:
        """Who makes a tensor, if one of the group does, and who reads it."""
        readers = self.readers.get(tensor, ())
        return (self.made[tensor], *readers) if tensor in self.made else readers

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """Every tensor that the group touches."""
        return tuple(dict.fromkeys((*self.made, *self.readers)))

    def leaves(self, tensor: str) -> bool:
        """Whether a tensor that the group makes is wanted outside it."""
        if tensor in self.problem.step.shapes.cascade.outputs:
            return True
        inside = {e.name for e in self.einsums}
        return any(name not in inside for name in self.problem.users.get(tensor, ()))

    def finest(self, einsum: Einsum) -> Tiles:
        """What one iteration of all loops of an Einsum spans of each coordinate that is looped over."""
        if einsum.name not in self.spans:
            self.spans[einsum.name] = self._finest(einsum)
        return self.spans[einsum.name]

    def _finest(self, einsum: Einsum) -> Tiles:
        picked = self.picked[einsum.name]
        around = {c: self.tiles[c] for c in einsum.coordinates if c in picked.streamed and c in self.tiles}
        return {**around, **picked.inner(einsum, self.problem.sizes)}

    def around(self, loops: Sequence[str]) -> Tiles:
        """What one iteration of these loops of the nest spans."""
        return {c: self.tiles[c] for c in loops}

    def ways(self, tensor: str) -> Iterator[Keeping]:
        """Every way to keep a tensor that the map space has."""
        touches = self.touches(tensor)
        levels = [level.name for level in self.problem.arch.levels[1:]]
        own = tensor in self.made and tensor in self.readers
        direct = self.direct(tensor) if own else ()
        if not own or (self.limits.registers and self._lives_in_registers(tensor, direct)):
            yield Keeping(tensor, ())
        found = [depth for depth in depths(self.nest, touches) if not own or self._stays(tensor, depth)]
        for mask in range(1, 1 << len(levels)):
            chosen = [level for at, level in enumerate(levels) if mask >> at & 1]
            for at in combinations_with_replacement(found, len(chosen)):
                yield Keeping(tensor, tuple(zip(chosen, at, strict=True)), direct if self.limits.registers else ())

    def _stays(self, tensor: str, depth: int) -> bool:
        """Whether a tile that the group makes and uses is finished, and read, before it makes room for another."""
        maker, readers = self.made[tensor].einsum, self.readers[tensor]
        made = self.nest.loops_of(maker, depth)
        if any(self.nest.loops_of(r.einsum, depth) != made for r in readers):
            return False
        along = self.problem.step.shapes.cascade.generative.get(tensor)
        names = self.made[tensor].names
        return all(c in names and c != along for c in made)

    def _lives_in_registers(self, tensor: str, direct: tuple[str, ...]) -> bool:
        along = self.problem.step.shapes.cascade.generative.get(tensor)
        return not self._loops_over(along) and all(r.einsum.name in direct for r in self.readers[tensor])

    def direct(self, tensor: str) -> tuple[str, ...]:
        """The readers that can take a tensor of the group from where it was made, element by element."""
        maker = self.made[tensor]
        return tuple(r.einsum.name for r in self.readers.get(tensor, ()) if self._is_direct(maker, r))

    def _is_direct(self, maker: Touch, reader: Touch) -> bool:
        """Whether both run in the same loops, and what passes needs no more than the PEs."""
        if maker.einsum.name == reader.einsum.name:
            return not self._loops_over(self.problem.recurs.get(maker.einsum.name))
        same = self.nest.loops_of(maker.einsum) == self.nest.loops_of(reader.einsum)
        first, then = self.picked[maker.einsum.name], self.picked[reader.einsum.name]
        return same and passes(self.problem, (maker, first), (reader, then))

    def _loops_over(self, c: str | None) -> bool:
        return c in self.nest.batch or c in self.nest.order

    def moved(self, way: Keeping) -> Moved:
        """Everything that one way to keep a tensor holds and moves."""
        found = Moved()
        tensor, word = way.tensor, self.problem.word(way.tensor)
        touches = self.touches(tensor)
        for level, depth in way.chain:
            loops = [(t, self.around(self.nest.loops_of(t.einsum, depth))) for t in touches]
            found.held[level] = self.problem.held(loops) * word
        if tensor not in self.made:
            self._bring_in(way, found)
        else:
            self._write(way, found)
            for reader in self.readers.get(tensor, ()):
                if way.chain and reader.einsum.name not in way.forwarded:
                    found.add(way.chain[-1][0], read=self.streamed(reader))
        for table in (found.read, found.write):
            for level in table:
                table[level] = table[level] * word
        found.fill_pj = self._fills(way)
        return found

    @property
    def moments(self) -> int:
        """How often what is held may change in an iteration: for Einsums that take turns, with each."""
        return len(self.einsums) if self.limits.overlap == "sequential" else 1

    @cached_property
    def shared(self) -> tuple[tuple[str, ...], ...]:
        """Of each Einsum the loops of the nest that are not its own."""
        return tuple(self.nest.loops_of(einsum, len(self.nest.order)) for einsum in self.einsums)

    def alive(self, tensor: str, depth: int) -> range:
        """The moments at which a tensor that is kept at a depth takes room (`accelsim.mapping.lifetime`)."""
        every = range(self.moments)
        touches = self.touches(tensor)
        if len(every) == 1 or tensor in self.problem.step.shapes.cascade.generative:
            return every
        if depth > len(self.nest.order):  # at a loop that an Einsum has alone
            own = self.einsums.index(touches[0].einsum)
            return range(own, own + 1)
        names = frozenset(c for touch in touches for c in touch.names)
        found, shared = set[int](), self.shared
        for touch in touches:
            place, around = self.einsums.index(touch.einsum), loops_to(self.nest, touch.einsum, names, depth)
            inside = shared[place][: len(around) + 1]
            together = [
                other for other in every if len(inside) > len(around) and shared[other][: len(inside)] == inside
            ]
            found |= {place, *together}
        return range(min(found), max(found) + 1)

    def places(self, tensor: str, depth: int) -> tuple[frozenset[str], ...]:
        """Around a tile at a depth: the loops of each Einsum that touches the tensor, and those that refill it."""
        touches = self.touches(tensor)
        names = touches[0].names if tensor in self.made else frozenset(c for t in touches for c in t.names)
        loops = [self.nest.loops_of(touch.einsum, depth) for touch in touches]
        filled = [loops_to(self.nest, touch.einsum, names, depth) for touch in touches]
        return tuple(map(frozenset, (*loops, *filled)))

    def streamed(self, touch: Touch) -> Amount:
        """Elements that pass at every iteration of all loops."""
        if touch not in self.streams:
            self.streams[touch] = self.problem.pairs(touch, self.finest(touch.einsum))
        return self.streams[touch]

    def _bring_in(self, way: Keeping, found: Moved) -> None:
        readers, off_chip = self.readers[way.tensor], self.problem.arch.off_chip.name
        if not way.chain:
            found.add(off_chip, read=self._streamed_in(readers))
            return
        for reader in readers:
            found.add(way.chain[-1][0], read=self.streamed(reader))
        source = off_chip
        for level, depth in way.chain:
            filled = self._filled(readers, depth)
            found.add(source, read=filled)
            found.add(level, write=filled)
            source = level

    def _write(self, way: Keeping, found: Moved) -> None:
        maker = self.made[way.tensor]
        first = self.problem.elements(maker)
        moved, inner = self.streamed(maker), ""
        counted = {level.name for level in self.problem.arch.levels if level.read_out}
        for level, depth in reversed(way.chain):
            found.add(level, moved - first, moved)
            if inner:
                found.add(inner, read=moved if inner in counted else 0, write=moved - first)
            moved, inner = self._filled((maker,), depth), level
        if not self.leaves(way.tensor):
            return
        found.add(self.problem.arch.off_chip.name, moved - first, moved + self.problem.untouched(maker))
        if inner:
            found.add(inner, read=moved if inner in counted else 0, write=moved - first)

    def _filled(self, touches: Sequence[Touch], depth: int) -> Amount:
        names = frozenset(c for touch in touches for c in touch.names)
        loops = [loops_to(self.nest, touch.einsum, names, depth) for touch in touches]
        return self._once([(at, touch, self.around(at)) for at, touch in zip(loops, touches, strict=True)])

    def _streamed_in(self, readers: Sequence[Touch]) -> Amount:
        """Elements that pass at every iteration of all loops, once for readers in the same loops.

        A loop inside a tile that is no larger than what the array takes is none: then readers that stream the
        coordinate and readers that loop over it are in the same loops, for these candidates.
        """
        if len(readers) == 1:
            return self.streamed(readers[0])
        whole = self._whole_tiles(readers)
        if not whole:
            return self._once([(self._all_loops(r.einsum, frozenset()), r, self.finest(r.einsum)) for r in readers])
        different, back = np.unique(np.stack(list(whole.values()), axis=1), axis=0, return_inverse=True)
        found = np.empty(len(back.reshape(-1)))
        for at, row in enumerate(different):
            none = frozenset(key for key, is_whole in zip(whole, row, strict=True) if is_whole)
            total = self._once([(self._all_loops(r.einsum, none), r, self.finest(r.einsum)) for r in readers])
            mine = back.reshape(-1) == at
            found[mine] = np.broadcast_to(np.asarray(total, np.float64), found.shape)[mine]
        return found

    def _whole_tiles(self, readers: Sequence[Touch]) -> dict[tuple[str, int], NDArray[np.bool_]]:
        """Coordinate of the nest and PEs to where its tile is just as large."""
        spans = {
            (c, s) for r in readers for c, s in self.finest(r.einsum).items() if c in self.tiles and isinstance(s, int)
        }
        return {(c, span): self.tiles[c] == span for c, span in sorted(spans)}

    def _all_loops(self, einsum: Einsum, none: frozenset[tuple[str, int]]) -> tuple[object, ...]:
        """Every loop of an Einsum: those of the nest, and those inside them but for `none`."""
        finest = self.finest(einsum)
        inner = ((c, finest[c]) for c in self.problem.coordinates if isinstance(finest.get(c), int))
        return (*self.nest.loops_of(einsum), *(each for each in inner if each not in none))

    def _once(self, placed: Sequence[tuple[tuple[object, ...], Touch, Tiles]]) -> Amount:
        """Elements moved by several touches: those in the same loops move together."""
        total: Amount = 0
        together: dict[tuple[object, ...], list[tuple[Touch, Tiles]]] = {}
        for loops, touch, tiles in placed:
            together.setdefault(loops, []).append((touch, tiles))
        for group in together.values():
            total = total + self.problem.pairs_together([touch for touch, _ in group], group[0][1])
        return total

    def _single(self, reader: Touch) -> tuple[Touch, ...]:
        """A touch for each access of a reader."""
        at = self.problem.reads[reader.einsum.name].index(reader)
        return self.problem.single[reader.einsum.name][at]

    def _fills(self, way: Keeping) -> Amount:
        """Energy of what is written into registers because another PE, unit or level holds it."""
        total: Amount = 0
        maker = self.made.get(way.tensor)
        for reader in self.readers.get(way.tensor, ()):
            picked = self.picked[reader.einsum.name]
            served = not way.chain or reader.einsum.name in way.forwarded
            if maker and served and self.picked[maker.einsum.name].unit == picked.unit:
                continue
            if not picked.fill_pj:
                continue
            for touch in self._single(reader):
                elements = self.problem.pairs(touch, self.finest(reader.einsum), picked.pes)
                total = total + elements * picked.fill_pj[way.tensor]
        return total


def passes(problem: Problem, made: tuple[Touch, Assignment], read: tuple[Touch, Assignment]) -> bool:
    """Whether a reader can take results from where they were made, element by element, if both run in the same loops.

    The sum of each element is finished in one iteration, the reader comes to it once, and a PE holds one element:
    either side is the one whose PEs hold all of an iteration, or both step through them alike, and the
    reader does not wait for a sum over steps that are still to come.
    """
    (maker, first), (reader, then) = made, read
    if not _reads_what_was_made(problem, maker, reader):
        return False
    names = maker.names
    loops = [assigned.inner(touch.einsum, problem.sizes) for touch, assigned in (made, read)]
    if any(c not in names for spans in loops for c in spans):
        return False
    if any(loops[0].get(c) != loops[1].get(c) for c in names):
        return False
    steps = [frozenset(spans) | assigned.streamed for spans, (_, assigned) in zip(loops, (made, read), strict=True)]
    if problem.waits(maker.einsum, reader.einsum) & names & steps[0] & steps[1]:
        return False
    mine, its = names & first.streamed, names & then.streamed
    alike = mine == its and all(first.pes.get(c) == then.pes.get(c) for c in mine)
    return not mine or not its or alike


def _reads_what_was_made(problem: Problem, maker: Touch, reader: Touch) -> bool:
    """Whether each access is to what the maker has just written, or to what it has itself just read."""
    known = {indices_of(maker.accesses[0])}
    if maker.tensor in problem.step.shapes.cascade.generative:
        own = (touch for touch in problem.reads[maker.einsum.name] if touch.tensor == maker.tensor)
        known |= {indices_of(access) for touch in own for access in touch.accesses}
    return all(indices_of(access) in known for access in reader.accesses)
