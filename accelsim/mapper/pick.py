"""Which assignment each Einsum of a group takes: every combination that no other is better than for all tiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.known import Known
from accelsim.mapper.nest import batch_of
from accelsim.mapper.problem import Problem


@dataclass(frozen=True)
class _Partial:
    """Assignments of the first Einsums: cycles by unit, energy, and operands that come from another unit."""

    picked: tuple[Assignment, ...]
    cycles: tuple[float, ...]
    energy_pj: float
    foreign: frozenset[tuple[str, str]]

    def beats(self, other: _Partial) -> bool:
        return (
            all(a <= b for a, b in zip(self.cycles, other.cycles, strict=True))
            and self.energy_pj <= other.energy_pj
            and self.foreign <= other.foreign
        )


def picks_of(
    known: Known, einsums: Sequence[Einsum], looped: frozenset[str], alone: frozenset[str]
) -> Iterator[Mapping[str, Assignment]]:
    """Einsum to assignment, for every combination that may be the best one.

    What is moved depends on which coordinates are spread over how many PEs and streamed, not on the unit: of
    combinations that agree in that, one that is no slower on any unit, needs no more energy, and has no other operands
    come from another unit, makes the others needless.
    """
    problem = known.problem
    units = list(problem.arch.units)
    shared = batch_of(problem, einsums)
    made = {e.tensor: e.name for e in einsums}
    found: dict[tuple[object, ...], list[_Partial]] = {(): [_Partial((), (0.0,) * len(units), 0.0, frozenset())]}
    for at, einsum in enumerate(einsums):
        wanted = {made.get(access.tensor) for later in einsums[at + 1 :] for access in later.reads}
        options = known.assignments(einsum, looped, alone)
        wider: dict[tuple[object, ...], list[_Partial]] = {}
        for each in (each for alike in found.values() for each in alike):
            for option in options:
                if not _alike(each.picked, option, shared):
                    continue
                new = _with(each, option, units, made, problem)
                seen = tuple(a.unit if a.einsum in wanted else "" for a in new.picked)
                _add(wider.setdefault((*(a.face for a in new.picked), *seen), []), new)
        found = wider
    for alike in found.values():
        for each in alike:
            yield {assignment.einsum: assignment for assignment in each.picked}


def _alike(picked: Sequence[Assignment], option: Assignment, shared: frozenset[str]) -> bool:
    """Whether batch coordinates lie on as many PEs as for the first Einsum: what passes between them is one tile."""
    return not picked or all(picked[0].pes.get(c, 1) == option.pes.get(c, 1) for c in shared)


def _with(
    partial: _Partial, option: Assignment, units: Sequence[str], made: Mapping[str, str], problem: Problem
) -> _Partial:
    """The combination with one Einsum more; operands are compared with their makers as soon as both are known."""
    cycles = tuple(c + (option.cycles if u == option.unit else 0.0) for c, u in zip(partial.cycles, units, strict=True))
    where = {assignment.einsum: assignment.unit for assignment in (*partial.picked, option)}
    foreign = set(partial.foreign)
    for reader, unit in where.items():
        for touch in problem.reads[reader]:
            maker = made.get(touch.tensor)
            if maker in where and option.einsum in (maker, reader) and where[maker] != unit:
                foreign.add((touch.tensor, reader))
    return _Partial((*partial.picked, option), cycles, partial.energy_pj + option.energy_pj, frozenset(foreign))


def _add(found: list[_Partial], new: _Partial) -> None:
    if not any(old.beats(new) for old in found):
        found[:] = [old for old in found if not new.beats(old)]
        found.append(new)
