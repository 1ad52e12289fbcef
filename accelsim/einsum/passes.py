"""Passes: how often every mapping must traverse a rank, and what must stay on chip if it is to be traversed once.

Two lines that read the same fiber are ordered, e1 before e2, if e2 needs a value that exists only once e1 has seen the
whole fiber. The longest chain of such lines is the number of passes; a tensor that both ends of a link read must keep a
whole fiber alive between them. Source: FuseMax, MICRO 2024, section III-A.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from math import prod
from operator import or_

from accelsim.einsum.ast import Access, Int
from accelsim.einsum.cascade import Cascade, Einsum, Shapes
from accelsim.einsum.groups import Groups
from accelsim.einsum.walk import coordinates, unique
from accelsim.errors import AccelsimError, nearest


def passes(cascade: Cascade) -> dict[str, int]:
    """Rank to its number of passes, 1 at least; of a split the parts and, like its outer part, the whole rank."""
    return {rank: max(1, len(chain)) for rank, chain in chains(cascade).items()}


def chains(cascade: Cascade) -> dict[str, tuple[str, ...]]:
    """Rank to the names of the lines in a longest chain, one for each pass."""
    graph = _Graph(cascade)
    return {rank: graph.sweeps(rank).chain() for rank in cascade.ranks}


def explain_passes(cascade: Cascade, rank: str) -> tuple[str, ...]:
    """The chain that makes the passes of one rank. Raises AccelsimError for an unknown rank."""
    if rank not in cascade.ranks:
        raise AccelsimError(f'no rank "{rank}"{nearest(rank, cascade.ranks)}')
    return _Graph(cascade).sweeps(rank).chain()


def stages(cascade: Cascade, rank: str) -> dict[str, int]:
    """Line to the pass over a rank in which it can run at the earliest, from 1."""
    graph = _Graph(cascade)
    return {line.name: stage for line, stage in zip(graph.lines, graph.sweeps(rank).stages(), strict=True)}


def footprints(shapes: Shapes) -> dict[str, dict[str, int]]:
    """Rank to the tensors of which a fiber must stay alive, and its elements; ranks without any are left out.

    A fiber along the outer part of a split is one along the whole rank. Where no tensor is read by both ends of a link
    (each pass reads its own), the tensor that the last pass reads stands for all of them.
    """
    graph = _Graph(shapes.cascade)
    found = {rank: graph.sweeps(rank).live() for rank in shapes.cascade.ranks}
    return {
        rank: {tensor: min(_extent(shapes, rank), _held(shapes, graph, rank, tensor)) for tensor in tensors}
        for rank, tensors in found.items()
        if tensors
    }


def _extent(shapes: Shapes, rank: str) -> int:
    splits = shapes.cascade.splits
    while rank in splits and splits[rank].parts[0] == rank:
        rank = splits[rank].parent
    return shapes.sizes[rank]


def _held(shapes: Shapes, graph: _Graph, rank: str, tensor: str) -> int:
    """The elements that a tensor has in the dimensions that are read along a rank, all parts of it together."""
    return max(
        prod(
            size
            for index, size in zip(access.indices, shapes.shapes[tensor], strict=True)
            if any(graph.top(graph.base(name)) == graph.top(graph.base(rank)) for name in coordinates(index.expr))
        )
        for line in graph.lines
        for access in line.reads
        if access.tensor == tensor
    )


@dataclass(frozen=True)
class _Graph:
    """The lines in order of evaluation, and who reads whom; a set of lines is an integer, line i being bit i.

    A dependency on an earlier step of a recurrence is left out: what it leads to is another fiber.
    """

    cascade: Cascade

    @cached_property
    def lines(self) -> tuple[Einsum, ...]:
        return tuple(self.cascade.einsums[i] for component in self.cascade.components for i in component)

    @cached_property
    def links(self) -> tuple[tuple[tuple[int, Access], ...], ...]:
        """For each line the earlier lines that it reads, and how."""
        writers: dict[str, list[int]] = {}
        found = []
        for at, line in enumerate(self.lines):
            found.append(tuple((writer, access) for access in line.reads for writer in writers.get(access.tensor, ())))
            writers.setdefault(line.tensor, []).append(at)
        return tuple(found)

    def base(self, name: str) -> str:
        return self.cascade.like.get(name, name)

    def top(self, rank: str) -> str:
        while rank in self.cascade.splits:
            rank = self.base(self.cascade.splits[rank].parent)
        return rank

    def carried(self, access: Access) -> frozenset[str]:
        """The ranks along which an access runs: its coordinates, and split ranks of which it has both parts."""
        known = {self.base(name) for name in coordinates(*(index.expr for index in access.indices))}
        pending = set(self.cascade.splits.values())
        while ready := {split for split in pending if known.issuperset(split.parts)}:
            known |= {self.base(split.parent) for split in ready}
            pending -= ready
        return frozenset(known)

    @cached_property
    def reads(self) -> tuple[dict[str, frozenset[str]], ...]:
        """For each line the tensors that it reads, and the ranks along which it does."""
        return tuple(_joined((access.tensor, self.carried(access)) for access in line.reads) for line in self.lines)

    @cached_property
    def writes(self) -> tuple[frozenset[str], ...]:
        return tuple(self.carried(line.target) for line in self.lines)

    def sweeps(self, rank: str) -> _Sweeps:
        return _Sweeps(self, self.base(rank))


def _joined(pairs: Iterable[tuple[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for name, ranks in pairs:
        found[name] = found.get(name, frozenset()) | ranks
    return found


@dataclass(frozen=True)
class _Sweeps:
    """One rank: which lines read a whole fiber of it, and which of them must wait for which others."""

    graph: _Graph
    rank: str

    def whole(self, ranks: frozenset[str]) -> bool:
        return self.rank in ranks and self.graph.top(self.rank) in ranks

    @cached_property
    def outermost(self) -> frozenset[str]:
        """The coordinates that complete a sweep when they end: the rank and its outer parts, and those like them."""
        found = {self.rank}
        splits = set(self.graph.cascade.splits.values())
        while ready := {split.parts[0] for split in splits if self.graph.base(split.parent) in found} - found:
            found |= ready
        return frozenset({name for name in self.graph.cascade.ranks if self.graph.base(name) in found})

    def completes(self, access: Access) -> bool:
        """Whether what is read is the end of a recurrence along the rank."""
        cascade = self.graph.cascade
        along = cascade.generative.get(access.tensor)
        if along is None or along not in self.outermost:
            return False
        index = access.indices[cascade.tensors[access.tensor].index(along)].expr
        return not coordinates(index) and index != Int(0)

    @cached_property
    def before(self) -> tuple[int, ...]:
        """For each line those that must have swept the rank before it: some path to it passes the end of a sweep."""
        needed: list[int] = []
        barred: list[int] = []
        for links in self.graph.links:
            need = bar = 0
            for writer, access in links:
                inside = needed[writer] | 1 << writer
                ends = not self.outermost.isdisjoint(self.graph.lines[writer].reduced) or self.completes(access)
                need, bar = need | inside, bar | (inside if ends else barred[writer])
            needed.append(need)
            barred.append(bar)
        return tuple(barred)

    @cached_property
    def families(self) -> tuple[tuple[str, ...], ...]:
        """Tensors with fibers along the rank, joined where a line makes one out of another element by element."""
        joined = Groups()
        for line, reads, written in zip(self.graph.lines, self.graph.reads, self.graph.writes, strict=True):
            for tensor in (tensor for tensor, ranks in reads.items() if self.whole(ranks)):
                joined.join(tensor, line.tensor if self.whole(written) else tensor)
        return joined.groups()

    @cached_property
    def reading(self) -> dict[str, int]:
        """Tensor to the lines that read a whole fiber of it."""
        found: dict[str, int] = {}
        for at, reads in enumerate(self.graph.reads):
            for tensor in self.read_from(at, tuple(reads)):
                found[tensor] = found.get(tensor, 0) | 1 << at
        return found

    def readers(self, tensors: tuple[str, ...]) -> int:
        return reduce(or_, (self.reading.get(tensor, 0) for tensor in tensors), 0)

    def levels(self, family: tuple[str, ...]) -> list[int]:
        """The readers of a family by the length of the longest chain that ends with them."""
        levels: list[int] = []
        for at in _bits(self.readers(family)):
            height = next((n for n in range(len(levels), 0, -1) if levels[n - 1] & self.before[at]), 0)
            levels += [0] if height == len(levels) else []
            levels[height] |= 1 << at
        return levels

    @cached_property
    def longest(self) -> tuple[tuple[str, ...], list[int]]:
        """The family with the longest chain, and its readers by level."""
        found = ((family, self.levels(family)) for family in self.families)
        return max(found, key=lambda item: len(item[1]), default=((), []))

    def chain(self) -> tuple[str, ...]:
        """The names of a longest chain; of equal links the one whose ends read the same tensor is taken."""
        family, levels = self.longest
        chain = [_bits_first(levels[-1])] if levels else []
        for level in levels[-2::-1]:
            known = level & self.before[chain[0]]
            same = known & self.readers(self.read_from(chain[0], family))
            chain.insert(0, _bits_first(same or known))
        return tuple(self.graph.lines[at].name for at in chain)

    def stages(self) -> list[int]:
        """For each line one more than the longest chain of readers that it must wait for, the last pass at most."""
        levels = self.longest[1]
        waits = (sum(1 for level in levels[:-1] if level & before) for before in self.before)
        return [1 + number for number in waits]

    def read_from(self, line: int, family: tuple[str, ...]) -> tuple[str, ...]:
        reads = self.graph.reads[line]
        return tuple(tensor for tensor in family if self.whole(reads.get(tensor, frozenset())))

    def live(self) -> tuple[str, ...]:
        """The tensors of which a fiber must stay alive."""
        return unique(tensor for family in self.families for tensor in self.live_of(family))

    def live_of(self, family: tuple[str, ...]) -> tuple[str, ...]:
        levels = self.levels(family)
        if len(levels) < 2:
            return ()
        both = tuple(
            t for t in family if any(self.before[at] & self.reading.get(t, 0) for at in _bits(self.reading.get(t, 0)))
        )
        return both or self.read_from(_bits_first(levels[-1]), family)[:1]


def _bits(lines: int) -> Iterator[int]:
    while lines:
        yield _bits_first(lines)
        lines &= lines - 1


def _bits_first(lines: int) -> int:
    return (lines & -lines).bit_length() - 1
