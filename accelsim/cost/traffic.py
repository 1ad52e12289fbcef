"""Bytes by level and tensor of one group (SEMANTICS section 3), every count exact.

An input comes from the off-chip level through the levels that keep it, outermost first, and is read by the units from
the innermost; what no level keeps is transferred at every iteration of the loops, once for all Einsums that run in the
same loops. What is made and used inside a group and kept nowhere stays in registers. A result is written, and its
partial result read, at every iteration at the innermost level that keeps it; a tile that must make room takes its
partial results one level out and fetches them from there when its turn comes again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from accelsim.cost.images import Counter, Visit, operands
from accelsim.cost.waits import Waiting
from accelsim.einsum.ast import Access
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.walk import coordinates
from accelsim.mapping.bind import Placement
from accelsim.mapping.lifetime import loops_to
from accelsim.mapping.model import Group, Kept
from accelsim.result import Transfer

ZERO = Transfer(Fraction(0), Fraction(0))
Chain = tuple[tuple[str, Kept], ...]


@dataclass(frozen=True)
class Use:
    """The accesses of an Einsum of the group to a tensor.

    `chain` are the levels that keep the tensor for it, outermost first; `forwarded` reads are served from registers.
    """

    einsum: Einsum
    accesses: tuple[Access, ...]
    loops: tuple[str, ...]
    chain: Chain
    forwarded: bool


@dataclass
class Ledger:
    """Level to tensor to bytes, filled while a group is gone through."""

    found: dict[str, dict[str, Transfer]] = field(default_factory=dict)

    def add(self, level: str, tensor: str, read: Fraction | int = 0, write: Fraction | int = 0) -> None:
        if read or write:
            table = self.found.setdefault(level, {})
            table[tensor] = table.get(tensor, ZERO) + Transfer(Fraction(read), Fraction(write))


@dataclass(frozen=True)
class Life:
    """A tensor in a group: who reads and writes it, whether others want it, and the bytes of an element."""

    tensor: str
    readers: tuple[Use, ...]
    writers: tuple[Use, ...]
    wanted_outside: bool
    through_home: bool
    word: Fraction

    @property
    def fetching(self) -> tuple[Use, ...]:
        return tuple(use for use in self.readers if not use.forwarded)


def group_traffic(placement: Placement, counter: Counter, group: Group) -> dict[str, dict[str, Transfer]]:
    """Level to tensor to bytes of one group.

    Raises:
        AccelsimError: a tensor made in the group whose tile is gone before it is finished or read.
    """
    transfers = _Transfers(placement, counter, group, Ledger())
    for life in lives(placement, group):
        transfers.check_waits(life)
        if not life.writers:
            transfers.bring_in(life)
        elif life.through_home:
            transfers.write(life)
            transfers.bring_in(life)
        else:
            transfers.write(life)
            transfers.read_back(life)
    return transfers.ledger.found


def lives(placement: Placement, group: Group) -> Iterator[Life]:
    cascade = placement.step.shapes.cascade
    inside = [placement.einsum(name) for name in group.einsums]
    others = [e for e in placement.einsums if e.name not in group.einsums]
    tensors = dict.fromkeys(access.tensor for e in inside for access in (e.target, *operands(e)))
    for tensor in tensors:
        writers = [(e, (e.target,)) for e in inside if e.tensor == tensor]
        readers = [(e, accesses) for e in inside if (accesses := reads_of(e, tensor))]
        yield Life(
            tensor=tensor,
            readers=tuple(_use(placement, group, *reader) for reader in readers),
            writers=tuple(_use(placement, group, *writer) for writer in writers),
            wanted_outside=tensor in cascade.outputs
            or any(access.tensor == tensor for e in others for access in e.reads),
            through_home=tensor in placement.plan.home,
            word=placement.step.types[tensor].bytes,
        )


def reads_of(einsum: Einsum, tensor: str) -> tuple[Access, ...]:
    return tuple(access for access in operands(einsum) if access.tensor == tensor)


def _use(placement: Placement, group: Group, einsum: Einsum, accesses: tuple[Access, ...]) -> Use:
    tensor = accesses[0].tensor
    forwarded = (tensor, einsum.name) in placement.plan.forward
    return Use(einsum, accesses, group.loops_of(einsum.name), chain_of(placement, group, einsum, tensor), forwarded)


def chain_of(placement: Placement, group: Group, einsum: Einsum, tensor: str) -> Chain:
    """The levels that keep a tensor for an Einsum, outermost first: those whose loop it runs in."""
    found = []
    for level in placement.arch.levels[1:]:
        keep = placement.plan.keep.get(level.name)
        kept = keep.tensors.get(tensor) if keep else None
        if kept and loops_to(group, einsum.name, kept.at) is not None:
            found.append((level.name, kept))
    return tuple(found)


@dataclass(frozen=True)
class _Transfers:
    """What one group moves."""

    placement: Placement
    counter: Counter
    group: Group
    ledger: Ledger

    def bring_in(self, life: Life) -> None:
        """An input, or a tensor that comes back from the off-chip level: through levels to the units."""
        off_chip = self.placement.arch.off_chip.name
        direct = [use for use in life.fetching if not use.chain]
        self.ledger.add(off_chip, life.tensor, read=self.streamed(direct) * life.word)
        for use in life.fetching:
            if use.chain:
                self.ledger.add(use.chain[-1][0], life.tensor, read=self.streamed([use]) * life.word)
        for (source, level), (kept, uses) in self._fills(life, off_chip).items():
            filled = Fraction(self.filled(uses, kept.at))
            given = filled
            if source == off_chip and kept.fraction < 1:
                given = kept.fraction * filled + (1 - kept.fraction) * self.streamed(uses)
            self.ledger.add(source, life.tensor, read=given * life.word)
            self.ledger.add(level, life.tensor, write=filled * life.word)

    def _fills(self, life: Life, off_chip: str) -> dict[tuple[str, str], tuple[Kept, list[Use]]]:
        """(from, to) of every two neighbouring levels, with the uses that are served through them."""
        found: dict[tuple[str, str], tuple[Kept, list[Use]]] = {}
        for use in life.fetching:
            source = off_chip
            for level, kept in use.chain:
                found.setdefault((source, level), (kept, []))[1].append(use)
                source = level
        return found

    def write(self, life: Life) -> None:
        """A tensor that the group makes: updates at the innermost level, what is finished or evicted further out."""
        (use,) = life.writers
        first, moved, inner = self.counter.images(_visits([use]), ()), self.streamed([use]), ""
        for level, kept in reversed(use.chain):
            self.ledger.add(level, life.tensor, (moved - first) * life.word, moved * life.word)
            if inner:
                self._leave(life, inner, moved, moved - first)
            moved, inner = self.filled([use], kept.at), level
        goes_out = life.wanted_outside or life.through_home
        share = use.chain[0][1].fraction if use.chain else Fraction(1)
        if goes_out:
            untouched = 0 if self._along(life) else self.counter.results(life.tensor) - first
            self._write_off_chip(life, share, moved, moved - first, untouched)
            if inner:
                self._leave(life, inner, moved, moved - first)
        if share < 1:
            updates = self.streamed([use])
            self._write_off_chip(life, 1 - share, updates, updates - first, 0)

    def _leave(self, life: Life, level: str, moved: int, back: int) -> None:
        """Tiles that leave the level that kept them, read from it where it counts that; `back` come in again."""
        left = self.placement.arch.level(level)
        out = moved if left is not None and left.read_out else 0
        self.ledger.add(level, life.tensor, out * life.word, back * life.word)

    def _write_off_chip(self, life: Life, share: Fraction, written: int, back: int, untouched: int) -> None:
        """`untouched` elements are results of a reduction over no points: they are written all the same, whole."""
        write = share * written + untouched
        self.ledger.add(self.placement.arch.off_chip.name, life.tensor, share * back * life.word, write * life.word)

    def read_back(self, life: Life) -> None:
        """What the group's own Einsums read of what it made; the streamed fraction comes from the off-chip level."""
        (maker,) = life.writers
        for use in life.fetching:
            for _, kept in dict([*maker.chain, *use.chain]).items():
                self._check_alive(life, maker, use, kept)
            if use.chain:
                moved, share = self.streamed([use]) * life.word, use.chain[0][1].fraction
                self.ledger.add(use.chain[-1][0], life.tensor, read=moved)
                self.ledger.add(self.placement.arch.off_chip.name, life.tensor, read=(1 - share) * moved)

    def check_waits(self, life: Life) -> None:
        """Refuse a reader that waits for a sum over more than what is left of its operand by then."""
        for maker in life.writers:
            for use in life.readers:
                if use.forwarded or not (use.chain or life.through_home):
                    self._check_wait(maker, use, None)
                elif not life.through_home:
                    for _, kept in use.chain:
                        self._check_wait(maker, use, kept)

    def _check_wait(self, maker: Use, use: Use, kept: Kept | None) -> None:
        if kept is not None and not kept.fraction:
            return
        waiting = Waiting(self.placement, self.counter, self.group)
        found = waiting.outlasting(maker.einsum, use.einsum, kept.at if kept else None)
        if found is None:
            return
        (middle, loop), tensor = found, maker.einsum.tensor
        place = f"is kept at {kept.at}" if kept else f"stays in registers for one iteration of {loop}"
        advice = "do not forward it" if use.forwarded else f"keep it outside {loop}, or give it a home"
        raise (kept or self.group).node.error(
            f"{tensor} {place}, but {use.einsum.name}, which reads it, waits for {middle.name}, which goes through all "
            f"of {loop} first: {advice}"
        )

    def _check_alive(self, life: Life, maker: Use, use: Use, kept: Kept) -> None:
        """Refuse a tile that is gone before it is finished or read: its bytes would be too few."""
        made, read = (loops_to(self.group, u.einsum.name, kept.at) for u in (maker, use))
        if made is None or made != read:
            raise kept.node.error(
                f"{life.tensor} is kept at {kept.at}, but {maker.einsum.name} and {use.einsum.name} reach it in other "
                f"loops: keep it further out, or give it a home"
            )
        carried = [loop for loop in made if self.placement.owner[loop] == self._along(life)]
        cut = self.filled([maker], kept.at) > self.counter.images(_visits([maker]), ())
        if carried or (cut and not life.wanted_outside):
            raise kept.node.error(
                f"{life.tensor} is kept at {kept.at}, but it is carried over {carried[0] if carried else 'its sum'}: "
                "keep it further out"
            )

    def _along(self, life: Life) -> str | None:
        """The rank along which a tensor recurs."""
        return self.counter.shapes.cascade.generative.get(life.tensor)

    def streamed(self, uses: Sequence[Use]) -> int:
        """Elements transferred at every iteration of the loops, once for Einsums in the same loops."""
        return self._shared([(use.loops, use) for use in uses])

    def filled(self, uses: Sequence[Use], at: str) -> int:
        """Elements filled into a level: once per iteration of the loops down to the innermost, at or outside `at`, that
        indexes the tensor."""
        return self._shared([(loops_to(self.group, use.einsum.name, at) or (), use) for use in uses], indexing=True)

    def _shared(self, placed: Sequence[tuple[tuple[str, ...], Use]], indexing: bool = False) -> int:
        together: dict[tuple[str, ...], list[Use]] = {}
        for loops, use in placed:
            together.setdefault(loops, []).append(use)
        return sum(
            self.counter.images(_visits(uses), self._indexing(loops, uses) if indexing else loops)
            for loops, uses in together.items()
        )

    def _indexing(self, loops: tuple[str, ...], uses: Sequence[Use]) -> tuple[str, ...]:
        """The loops down to the innermost one that indexes the tensor."""
        names = set(coordinates(*(access for use in uses for access in use.accesses)))
        while loops and self.placement.owner[loops[-1]] not in names:
            loops = loops[:-1]
        return loops


def _visits(uses: Sequence[Use]) -> list[Visit]:
    return [Visit(use.einsum, access) for use in uses for access in use.accesses]
