"""Readers that wait for a sum over what they read: a tile that stays for an iteration is gone when the sum is there.

Only a wait that holds for every point counts: each Einsum on the way from the maker to the sum reads all that was made,
and each on the way to the reader reads its operand at the very indices at which it was written. So what recurs, and
reads what an earlier step has left, waits for nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from accelsim.cost.images import Counter, Visit, operands
from accelsim.einsum.ast import Access, Index, Int, Lookup
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.walk import coordinates, walk
from accelsim.mapping.bind import Placement
from accelsim.mapping.lifetime import loops_to
from accelsim.mapping.model import Group


@dataclass(frozen=True)
class Waiting:
    """Who waits for what in a group."""

    placement: Placement
    counter: Counter
    group: Group

    def outlasting(self, maker: Einsum, reader: Einsum, at: str | None) -> tuple[Einsum, str] | None:
        """A sum that a reader waits for, over more than a tile of what it reads.

        Args:
            at: the loop for one iteration of which the tile stays; None: for an iteration of all loops, in registers.

        Returns:
            The Einsum that sums, and the outermost of the loops that it goes through first; None: there is none.
        """
        access, loops = _read_as_made(maker, reader), self._loops(maker, reader, at)
        for middle, over in self._sums(maker, reader) if access and loops else ():
            around = [p for p in loops if self.placement.owner[p] in over]
            if access and around and self._is_cut(Visit(reader, access), over, around):
                return middle, around[0]
        return None

    def _loops(self, maker: Einsum, reader: Einsum, at: str | None) -> list[str]:
        """Loops outside the tile of both, over what a sum may go through.

        One that is spread over the array as well does not come one after the other.
        """
        group, placement = self.group, self.placement
        summed = {c for name in group.einsums for c in placement.einsum(name).reduced} & set(coordinates(maker.target))
        made, read = (
            [p for p in self._outside(e, at) if placement.owner[p] in summed and p not in placement.spread(e)]
            for e in (maker, reader)
        )
        return [p for p in read if p in made and placement.extent(p) > 1]

    def _outside(self, einsum: Einsum, at: str | None) -> tuple[str, ...]:
        return self.group.loops_of(einsum.name) if at is None else loops_to(self.group, einsum.name, at) or ()

    def _is_cut(self, visit: Visit, over: frozenset[str], loops: list[str]) -> bool:
        """Whether elements that differ along some coordinates only are of different iterations of the loops."""
        if any(isinstance(item, Lookup) for item in walk(visit.access)):
            return False
        indices = tuple(_without(index, over) for index in visit.access.indices)
        fibers = Visit(visit.einsum, replace(visit.access, indices=indices))
        return self.counter.images([fibers], loops) > self.counter.images([fibers], ())

    def _sums(self, maker: Einsum, reader: Einsum) -> Iterator[tuple[Einsum, frozenset[str]]]:
        """Sums between two Einsums, with the coordinates of the maker's tensor that they sum over."""
        names = frozenset(coordinates(maker.target))
        for middle in self._after(maker, whole=True):
            over = names & set(middle.reduced)
            if over and reader in self._after(middle, whole=False):
                yield middle, over

    def _after(self, first: Einsum, *, whole: bool) -> list[Einsum]:
        """Einsums that need the result of one at the same indices: every point of theirs, or all of it too."""
        found: list[Einsum] = []
        ahead = [first]
        while ahead:
            maker = ahead.pop()
            for name in self.group.einsums:
                reader = self.placement.einsum(name)
                if reader not in (*found, first) and self._needs(maker, reader, whole):
                    found.append(reader)
                    ahead.append(reader)
        return found

    def _needs(self, maker: Einsum, reader: Einsum, whole: bool) -> bool:
        access = _read_as_made(maker, reader)
        return access is not None and (
            not whole or self._elements(maker, maker.target) == self._elements(reader, access)
        )

    def _elements(self, einsum: Einsum, access: Access) -> int:
        return self.counter.images([Visit(einsum, access)], ())


def _read_as_made(maker: Einsum, reader: Einsum) -> Access | None:
    """The access by which an Einsum reads another's result at the indices at which it is written, None: it does not."""
    made = [(index.expr, index.edge) for index in maker.target.indices]
    reads = (access for access in operands(reader) if access.tensor == maker.tensor)
    return next((access for access in reads if [(index.expr, index.edge) for index in access.indices] == made), None)


def _without(index: Index, names: frozenset[str]) -> Index:
    """An index that is the same for all of some coordinates."""
    return replace(index, expr=Int(0)) if set(coordinates(index)) <= names else index
