"""Bytes by level and tensor of one group (SEMANTICS section 3), every count exact.

A tensor comes from the off-chip level through the levels that keep it, outermost first, and is read by the units from
the innermost; what no level keeps is transferred at every iteration of the loops. What is made and used inside a group
and kept nowhere stays in registers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from accelsim.cost.images import Counter
from accelsim.einsum.ast import Access
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.walk import coordinates
from accelsim.mapping.bind import Placement
from accelsim.mapping.capacity import loops_to
from accelsim.mapping.model import OUTSIDE, Group, Kept
from accelsim.result import Transfer

ZERO = Transfer(Fraction(0), Fraction(0))


@dataclass(frozen=True)
class Use:
    """One access of an Einsum of the group to a tensor; `forwarded` reads are served from registers."""

    einsum: Einsum
    access: Access
    loops: tuple[str, ...]
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
    """A tensor in a group: who reads and writes it, and whether it comes from or goes to the outside."""

    tensor: str
    readers: tuple[Use, ...]
    writers: tuple[Use, ...]
    external: bool
    wanted_outside: bool
    through_home: bool
    word: Fraction


def group_traffic(placement: Placement, counter: Counter, group: Group) -> dict[str, dict[str, Transfer]]:
    """Level to tensor to bytes of one group."""
    ledger = Ledger()
    for life in _lives(placement, group):
        chain = _chain(placement, group, life)
        if life.external:
            _bring_in(placement, counter, life, chain, ledger)
        else:
            _make(placement, counter, life, chain, ledger)
    return ledger.found


def _lives(placement: Placement, group: Group) -> Iterator[Life]:
    cascade = placement.step.shapes.cascade
    inside = [placement.einsum(name) for name in group.einsums]
    others = [e for e in placement.einsums if e.name not in group.einsums]
    tensors = dict.fromkeys(access.tensor for e in inside for access in (e.target, *e.reads))
    for tensor in tensors:
        writers = tuple(_use(placement, group, e, e.target) for e in inside if e.tensor == tensor)
        readers = tuple(_use(placement, group, e, a) for e in inside for a in _reads(e, tensor))
        yield Life(
            tensor=tensor,
            readers=readers,
            writers=writers,
            external=not writers,
            wanted_outside=tensor in cascade.outputs or any(_reads(e, tensor) for e in others),
            through_home=tensor in placement.plan.home,
            word=placement.step.types[tensor].bytes,
        )


def _reads(einsum: Einsum, tensor: str) -> list[Access]:
    """The accesses of an Einsum that read a tensor; one that is read at several places by one Einsum counts once."""
    found = [access for access in einsum.reads if access.tensor == tensor]
    return found[:1]


def _use(placement: Placement, group: Group, einsum: Einsum, access: Access) -> Use:
    forwarded = (access.tensor, einsum.name) in placement.plan.forward
    return Use(einsum, access, group.loops_of(einsum.name), forwarded)


def _chain(placement: Placement, group: Group, life: Life) -> list[tuple[str, Kept]]:
    """Levels that keep the tensor in this group, outermost first."""
    found = []
    for level in placement.arch.levels[1:]:
        keep = placement.plan.keep.get(level.name)
        kept = keep.tensors.get(life.tensor) if keep else None
        uses = (*life.readers, *life.writers)
        if kept and any(loops_to(group, use.einsum.name, kept.at) is not None for use in uses):
            found.append((level.name, kept))
    return found


def _filled(counter: Counter, group_use: Use, at: str) -> int:
    """Elements filled into a level that keeps the tensor for loop `at`.

    Once per iteration of the loops from the outermost to the innermost one, at or outside `at`, that indexes it.
    """
    loops = group_use.loops
    outside = loops[: loops.index(at) + 1] if at in loops else ()
    owner = counter.placement.owner
    names = {name for index in group_use.access.indices for name in coordinates(index.expr)}
    while outside and owner[outside[-1]] not in names:
        outside = outside[:-1]
    return counter.touched(group_use.einsum, group_use.access, outside)


def _streamed(counter: Counter, use: Use) -> int:
    """Elements transferred when the tensor is moved at every iteration of the Einsum's loops."""
    return counter.touched(use.einsum, use.access, use.loops)


def _most(counts: list[int]) -> int:
    """A tensor that several Einsums of a group read is filled once."""
    return max(counts, default=0)


def _bring_in(
    placement: Placement, counter: Counter, life: Life, chain: list[tuple[str, Kept]], ledger: Ledger
) -> None:
    """An input, or a tensor of an earlier group: off-chip level, levels that keep it, units."""
    off_chip = placement.arch.off_chip.name
    fetched = [use for use in life.readers if not use.forwarded]
    streamed = _most([_streamed(counter, use) for use in fetched])
    if not chain:
        ledger.add(off_chip, life.tensor, read=streamed * life.word)
        return
    source, share = off_chip, chain[0][1].fraction
    for level, kept in chain:
        filled = _most([_filled(counter, use, kept.at) for use in fetched])
        off = source == off_chip
        ledger.add(source, life.tensor, read=(share * filled + (1 - share) * streamed if off else filled) * life.word)
        ledger.add(level, life.tensor, write=filled * life.word)
        source = level
    for use in fetched:
        ledger.add(source, life.tensor, read=_streamed(counter, use) * life.word)


def _make(placement: Placement, counter: Counter, life: Life, chain: list[tuple[str, Kept]], ledger: Ledger) -> None:
    """A tensor that the group itself makes."""
    off_chip = placement.arch.off_chip.name
    fetched = [use for use in life.readers if not use.forwarded]
    for use in life.writers:
        _write(placement, counter, life, use, chain, ledger)
    if life.through_home:
        _bring_in(placement, counter, life, _reading_chain(life, chain), ledger)
    elif chain:
        for use in fetched:
            ledger.add(chain[-1][0], life.tensor, read=_streamed(counter, use) * life.word)
        share = chain[0][1].fraction
        if share < 1 and not life.wanted_outside:
            spilled = sum(_streamed(counter, use) for use in fetched)
            written = sum(_streamed(counter, use) for use in life.writers)
            ledger.add(off_chip, life.tensor, (1 - share) * spilled * life.word, (1 - share) * written * life.word)


def _reading_chain(life: Life, chain: list[tuple[str, Kept]]) -> list[tuple[str, Kept]]:
    """Levels that keep a tensor for its readers, when it has gone through the off-chip level in between."""
    return [(level, kept) for level, kept in chain if any(kept.at in use.loops for use in life.readers)]


def _write(
    placement: Placement, counter: Counter, life: Life, use: Use, chain: list[tuple[str, Kept]], ledger: Ledger
) -> None:
    """What one Einsum writes: at the innermost level that keeps the tensor, and off chip where it is wanted there."""
    off_chip = placement.arch.off_chip.name
    word = life.word
    here = [(level, kept) for level, kept in chain if kept.at in use.loops or kept.at == OUTSIDE]
    updates = _streamed(counter, use)
    first = _first_updates(counter, use)
    if here:
        level, kept = here[-1]
        ledger.add(level, life.tensor, read=(updates - first) * word, write=updates * word)
    if not (life.wanted_outside or life.through_home):
        return
    if here:
        kept = here[0][1]
        drained = _at_least_once(counter, use, _filled(counter, use, kept.at))
        ledger.add(off_chip, life.tensor, write=(kept.fraction * drained + (1 - kept.fraction) * updates) * word)
        ledger.add(off_chip, life.tensor, read=(1 - kept.fraction) * (updates - first) * word)
    else:
        ledger.add(off_chip, life.tensor, (updates - first) * word, _at_least_once(counter, use, updates) * word)


def _first_updates(counter: Counter, use: Use) -> int:
    """Updates that begin an accumulation: those of the loops that the reduction does not go over."""
    owner = counter.placement.owner
    kept = tuple(loop for loop in use.loops if owner[loop] not in use.einsum.reduced)
    return counter.touched(use.einsum, use.access, kept)


def _at_least_once(counter: Counter, use: Use, count: int) -> int:
    """A reduction has a value at every element of its tensor, also where a mask leaves no point."""
    if not use.einsum.reduced:
        return count
    return max(count, counter.touched(use.einsum, use.access, (), masked=False))
