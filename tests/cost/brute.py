"""The analytic rule by enumeration, from SEMANTICS section 3 alone: every iteration, every tile, every transfer.

An Einsum is walked through in the order of its loops; a tile is a set of elements that is emptied when its loop goes
on; what it lacks is brought in and counted, one element at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum import ast
from accelsim.einsum.cascade import Einsum
from accelsim.mapping import Placement
from accelsim.mapping.model import Group, Kept
from tests.cost.points import Columns, Key, Lines, accesses_in, enumerate_lines, names_in

Step = tuple[Key, Key]  # an iteration, and the element that it touches
Seen = tuple[Key, Key, Key]  # an iteration, a PE, and the element that it touches
Users = Iterable[tuple[Einsum, list[ast.Access]]]
Bytes = dict[str, dict[str, tuple[Fraction, Fraction]]]  # level to tensor to bytes (read, written)


@dataclass(frozen=True)
class Brute:
    """A placed step, enumerated."""

    placement: Placement

    @cached_property
    def lines(self) -> Lines:
        return enumerate_lines(self.placement.step.shapes)

    def points(self, einsum: Einsum) -> Columns:
        return self.lines.points[einsum.name]

    def count(self, einsum: Einsum) -> int:
        return len(next(iter(self.points(einsum).values())))

    def digit(self, part: str, at: Columns) -> NDArray[np.int64] | None:
        """The value of a part of a rank at each point, None where the line lacks the rank."""
        for coordinate, parts in self.placement.digits.items():
            value = at.get(coordinate)
            for name, span in parts:
                if name == part:
                    return None if value is None else value // span
                value = None if value is None else value % span
        raise KeyError(part)

    def extent(self, part: str) -> int:
        """How many values a part takes over the whole rank."""
        owner = next(c for c, parts in self.placement.digits.items() if part in dict(parts))
        digit = self.digit(part, {owner: np.arange(self.placement.step.shapes.sizes[owner])})
        return 0 if digit is None else len(set(digit.tolist()))

    def iterations(self, einsum: Einsum, loops: Iterable[str]) -> list[Key]:
        """The iteration that each point belongs to; a loop over a rank that the line lacks stands at 0."""
        at = self.points(einsum)
        digits = [self.digit(loop, at) for loop in loops]
        columns = [[0] * self.count(einsum) if d is None else d.tolist() for d in digits]
        return list(zip(*columns, strict=True)) if columns else [()] * self.count(einsum)

    def lanes(self, einsum: Einsum) -> dict[str, tuple[str, int]]:
        """Part to array dimension and the PEs along it: inner ranks take all of theirs, outer ones what is left."""
        plan, unit = self.placement.plan, self.placement.arch.units[self.placement.plan.bind[einsum.name]]
        found: dict[str, tuple[str, int]] = {}
        for dim, parts in plan.spatial.get(einsum.name, plan.spatial.get(unit.name, {})).items():
            left = unit.dims[dim]
            for part in reversed(parts):
                if any(part in dict(self.placement.digits[c]) for c in einsum.coordinates):
                    found[part] = (dim, max(left, 1))
                    left //= min(self.extent(part), max(left, 1))
        return found

    def parts(self, einsum: Einsum) -> list[str]:
        return [part for c in einsum.coordinates for part, _ in self.placement.digits[c]]

    # Compute

    def firings(self, einsum: Einsum) -> int:
        """Temporal digits and passes over the array with at least one point."""
        at, lanes = self.points(einsum), self.lanes(einsum)
        columns = []
        for part in self.parts(einsum):
            digit = self.digit(part, at)
            assert digit is not None
            columns.append((digit // lanes[part][1] if part in lanes else digit).tolist())
        return len(set(zip(*columns, strict=True)))

    # Bytes

    def walk(self, einsum: Einsum, accesses: Iterable[ast.Access], loops: Iterable[str]) -> list[Step]:
        """The elements touched at every point, with the iteration of the loops."""
        keys = self.iterations(einsum, loops)
        found = []
        for access in accesses:
            touched = self.lines.elements(access, self.points(einsum))
            found += [(key, element) for key, element in zip(keys, touched, strict=True) if element is not None]
        return found

    def group_of(self, name: str) -> Group:
        return next(g for g in self.placement.plan.groups if name in g.einsums)

    def prefix(self, group: Group, einsum: Einsum, at: str) -> tuple[str, ...] | None:
        """The loops of an Einsum at or outside `at`."""
        loops = group.at.get(einsum.name, group.loops)
        if at == "outside":
            return ()
        return tuple(loops[: list(loops).index(at) + 1]) if at in loops else None

    def kept_for(self, group: Group, einsum: Einsum, tensor: str) -> list[tuple[str, Kept]]:
        found = []
        for level in self.placement.arch.levels[1:]:
            keep = self.placement.plan.keep.get(level.name)
            if keep and tensor in keep.tensors and self.prefix(group, einsum, keep.tensors[tensor].at) is not None:
                found.append((level.name, keep.tensors[tensor]))
        return found

    def moved(self, group: Group, users: Users, at: str | None) -> int:
        """Elements moved for some Einsums, shared by those that run in the same loops.

        `at` None: at every iteration of all loops; else once per iteration of the loops from the outermost to the
        innermost one, at or outside `at`, that indexes the tensor.
        """
        nests: dict[tuple[str, ...], list[tuple[Einsum, list[ast.Access]]]] = {}
        for einsum, accesses in users:
            loops = group.at.get(einsum.name, group.loops) if at is None else self.prefix(group, einsum, at) or ()
            nests.setdefault(tuple(loops), []).append((einsum, accesses))
        total = 0
        for loops, members in nests.items():
            if at is not None:
                indexed = {n for _, accesses in members for access in accesses for n in names_in(access)}
                owners = {part: c for c, parts in self.placement.digits.items() for part, _ in parts}
                last = max((i for i, loop in enumerate(loops, 1) if owners[loop] in indexed), default=0)
                loops = loops[:last]
            total += brought_in(step for e, accesses in members for step in self.walk(e, accesses, loops))
        return total

    def distinct(self, einsum: Einsum, accesses: Iterable[ast.Access]) -> int:
        return len({element for _, element in self.walk(einsum, accesses, ())})

    def traffic(self, groups: Iterable[Group] | None = None) -> Bytes:
        """What all groups move, or some of them."""
        ledger = Ledger({t: k.bytes for t, k in self.placement.step.types.items()}, {})
        for group in self.placement.plan.groups if groups is None else groups:
            inside = [self.placement.einsum(name) for name in group.einsums]
            for tensor in dict.fromkeys(a.tensor for e in inside for a in (e.target, *accesses_in(e.expr))):
                makers = [e for e in inside if e.tensor == tensor]
                if makers:
                    self._made(group, makers[0], ledger)
                if not makers or tensor in self.placement.plan.home:
                    self._brought(group, tensor, ledger)
        return ledger.found

    def readers(self, group: Group, tensor: str) -> list[tuple[Einsum, list[ast.Access]]]:
        """Einsums of a group that read a tensor, but not from registers."""
        found = []
        for name in group.einsums:
            einsum = self.placement.einsum(name)
            accesses = [access for access in accesses_in(einsum.expr) if access.tensor == tensor]
            if accesses and (tensor, name) not in self.placement.plan.forward:
                found.append((einsum, accesses))
        return found

    def _brought(self, group: Group, tensor: str, ledger: Ledger) -> None:
        dram = self.placement.arch.levels[0].name
        hops: dict[tuple[str, str], list[tuple[Einsum, list[ast.Access]]]] = {}
        how: dict[str, Kept] = {}
        direct = []
        for user in self.readers(group, tensor):
            source = dram
            for level, kept in self.kept_for(group, user[0], tensor):
                hops.setdefault((source, level), []).append(user)
                how[level], source = kept, level
            if source == dram:
                direct.append(user)
            else:
                ledger.read(source, tensor, self.moved(group, [user], None))
        ledger.read(dram, tensor, self.moved(group, direct, None))
        for (source, level), users in hops.items():
            fill = self.moved(group, users, how[level].at)
            x = how[level].fraction if source == dram else Fraction(1)
            ledger.read(source, tensor, x * fill + (1 - x) * self.moved(group, users, None))
            ledger.written(level, tensor, fill)

    def _made(self, group: Group, maker: Einsum, ledger: Ledger) -> None:
        tensor, dram = maker.tensor, self.placement.arch.levels[0].name
        target = (maker, [maker.target])
        chain = self.kept_for(group, maker, tensor)
        first = self.distinct(maker, [maker.target])
        updates = arriving = self.moved(group, [target], None)
        inner = None
        for level, kept in reversed(chain):
            self._updated(ledger, level, inner, tensor, arriving - first, arriving)
            arriving, inner = self.moved(group, [target], kept.at), level
        x = chain[0][1].fraction if chain else Fraction(1)
        others = [e for e in self.placement.einsums if e.name not in group.einsums]
        outside = tensor in self.placement.step.shapes.cascade.outputs or tensor in self.placement.plan.home
        if outside or any(access.tensor == tensor for e in others for access in e.reads):
            recurs = tensor in self.placement.step.shapes.cascade.generative
            never = 0 if recurs else int(self.lines.exists[tensor].sum()) - first
            ledger.read(dram, tensor, x * (arriving - first))
            ledger.written(dram, tensor, x * arriving + never)
            if inner:
                ledger.written(inner, tensor, arriving - first)
        ledger.read(dram, tensor, (1 - x) * (updates - first))
        ledger.written(dram, tensor, (1 - x) * updates)
        if tensor not in self.placement.plan.home:
            for user in self.readers(group, tensor):
                levels = self.kept_for(group, user[0], tensor)
                if levels:
                    read = self.moved(group, [user], None)
                    ledger.read(levels[-1][0], tensor, read)
                    ledger.read(dram, tensor, (1 - levels[0][1].fraction) * read)

    def _updated(self, ledger: Ledger, level: str, inner: str | None, tensor: str, back: int, arriving: int) -> None:
        """Results arrive at a level; partial ones have been read from it before, and were put into the level inside."""
        ledger.written(level, tensor, arriving)
        ledger.read(level, tensor, back)
        if inner:
            ledger.written(inner, tensor, back)

    # Time

    def cycles(self, einsum: Einsum, operators: list[str]) -> Fraction:
        """Cycles of one point on the Einsum's unit: a subtraction in an exponential may have an entry of its own."""
        ops = self.placement.unit(einsum.name).ops
        return sum((ops[op].cycles for op in spelled(operators, ops)), Fraction(0))

    def seconds(self, operators: Mapping[str, list[str]]) -> Fraction:
        """Groups one after the other: the slowest level, or phases, each its busiest unit and what it waits for."""
        arch, total = self.placement.arch, Fraction(0)
        for group in self.placement.plan.groups:
            moved = self.traffic([group])
            times = [
                sum((sum(pair, Fraction(0)) for pair in moved.get(level.name, {}).values()), Fraction(0))
                / level.bytes_per_s
                for level in arch.levels
                if level.bytes_per_s
            ]
            phases = {
                "phases": group.phases,
                "pipeline": (group.einsums,),
                "sequential": tuple((name,) for name in group.einsums),
            }[group.overlap]
            compute = sum((self._phase(group, phase, operators) for phase in phases), Fraction(0)) / arch.clock_hz
            total += max(*times, compute)
        return total

    def _phase(self, group: Group, names: tuple[str, ...], operators: Mapping[str, list[str]]) -> Fraction:
        busy: dict[str, Fraction] = {}
        exposed = Fraction(0)
        for name in names:
            einsum, unit = self.placement.einsum(name), self.placement.unit(name)
            tiles = self.firings(einsum)
            busy[unit.name] = busy.get(unit.name, Fraction(0)) + tiles * self.cycles(einsum, operators[name])
            if name in group.exposed:
                exposed += tiles * unit.latency[group.exposed[name]]
        return max(busy.values()) + exposed

    # Energy

    def energy_pj(self, operators: Mapping[str, list[str]]) -> Fraction:
        """Bytes over width, uses of components and register accesses, each times its entry."""
        arch, total = self.placement.arch, Fraction(0)
        for level, table in self.traffic().items():
            component = arch.components[next(v.component for v in arch.levels if v.name == level)]
            width = component.width_bytes or Fraction(1)
            for read, written in table.values():
                total += (read * component.energy_pj["read"] + written * component.energy_pj["write"]) / width
        for einsum in self.placement.einsums:
            total += self._unit_energy(einsum, operators[einsum.name])
        return total

    def _unit_energy(self, einsum: Einsum, operators: list[str]) -> Fraction:
        components, unit = self.placement.arch.components, self.placement.unit(einsum.name)
        total = Fraction(0)
        for op in spelled(operators, unit.ops):
            for name, uses in unit.ops[op].uses.items():
                total += self.count(einsum) * uses * components[name].energy_pj["use"]
        if unit.registers:
            file = components[unit.registers]
            share = Fraction(unit.counted, unit.pes) * self.placement.step.types[einsum.tensor].bytes
            reads, writes = self.registers(einsum)
            spent = reads * file.energy_pj["read"] + writes * file.energy_pj["write"]
            total += spent * share / (file.width_bytes or 1)
        return total

    # Registers

    def registers(self, einsum: Einsum) -> tuple[int, int]:
        """(read, written): operands and partial results; results, fills, and latches of neighbours' results."""
        group, points, lanes = self.group_of(einsum.name), self.count(einsum), self.lanes(einsum)
        reads, writes = points * len(accesses_in(einsum.expr)), points
        if einsum.reduced:
            own = [part for part, (dim, _) in lanes.items() if dim == "lanes"]
            partial = points - len(set(self.seen(einsum, einsum.target, (), own)))
            owners = {part: c for c, parts in self.placement.digits.items() for part, _ in parts}
            reads += partial
            if any(owners[part] in einsum.reduced and dim != "lanes" for part, (dim, _) in lanes.items()):
                writes += partial
        for access in accesses_in(einsum.expr):
            if not self.local(group, einsum, access.tensor):
                loops = group.at.get(einsum.name, group.loops)
                writes += len(set(self.seen(einsum, access, loops, list(lanes))))
        return reads, writes

    def seen(self, einsum: Einsum, access: ast.Access, loops: Iterable[str], parts: list[str]) -> list[Seen]:
        """(iteration, PE, element) at every point that touches an element."""
        widths = [self.lanes(einsum)[part][1] for part in parts]
        pes = [tuple(d % w for d, w in zip(key, widths, strict=True)) for key in self.iterations(einsum, parts)]
        elements = self.lines.elements(access, self.points(einsum))
        rows = zip(self.iterations(einsum, loops), pes, elements, strict=True)
        return [(key, pe, element) for key, pe, element in rows if element is not None]

    def local(self, group: Group, einsum: Einsum, tensor: str) -> bool:
        """Made on the same unit, and forwarded or neither kept at a level nor made in another group."""
        bind = self.placement.plan.bind
        makers = [e for e in self.placement.einsums if e.tensor == tensor and bind[e.name] == bind[einsum.name]]
        if (tensor, einsum.name) in self.placement.plan.forward:
            return bool(makers)
        held = self.kept_for(group, einsum, tensor) or tensor in self.placement.plan.home
        return not held and any(e.name in group.einsums for e in makers)

    # Capacity

    def largest_tile(self, group: Group, tensor: str, at: str) -> int:
        """Elements of a kept tensor's fullest tile; of a recurrence only one state stands in it at a time."""
        shapes = self.placement.step.shapes
        along = shapes.cascade.generative.get(tensor)
        dims = [i for i, c in enumerate(shapes.cascade.tensors[tensor]) if c != along]
        tiles: dict[tuple[tuple[str, ...], Key], set[Key]] = {}
        for name in group.einsums:
            einsum = self.placement.einsum(name)
            loops = self.prefix(group, einsum, at)
            accesses = [a for a in (einsum.target, *accesses_in(einsum.expr)) if a.tensor == tensor]
            for key, element in self.walk(einsum, accesses, loops) if loops is not None else ():
                tiles.setdefault((loops or (), key), set()).add(tuple(element[i] for i in dims))
        return max(map(len, tiles.values()), default=0)

    def occupied(self, group: Group, level: str) -> Fraction:
        keep, types = self.placement.plan.keep[level], self.placement.step.types
        return sum(
            (
                kept.copies * kept.fraction * self.largest_tile(group, tensor, kept.at) * types[tensor].bytes
                for tensor, kept in keep.tensors.items()
                if kept.overwrites is None
            ),
            Fraction(0),
        )


def spelled(operators: list[str], table: Iterable[str]) -> list[str]:
    """Operators as a unit's table has them: `exp(a-b)` at once, or a subtraction and an exponential."""
    return [op for one in operators for op in (["sub", "exp"] if one == "exp(a-b)" and one not in table else [one])]


def brought_in(steps: Iterable[Step]) -> int:
    """Elements that a tile lacks, over a walk through the iterations in order; it is emptied when the next begins."""
    count, now, held = 0, None, set[Key]()
    for key, element in sorted(steps):
        if key != now:
            now, held = key, set()
        if element not in held:
            held.add(element)
            count += 1
    return count


@dataclass(frozen=True)
class Ledger:
    """Bytes by level and tensor, (read, written)."""

    words: Mapping[str, Fraction]
    found: Bytes

    def read(self, level: str, tensor: str, elements: Fraction | int) -> None:
        self._add(level, tensor, elements * self.words[tensor], Fraction(0))

    def written(self, level: str, tensor: str, elements: Fraction | int) -> None:
        self._add(level, tensor, Fraction(0), elements * self.words[tensor])

    def _add(self, level: str, tensor: str, read: Fraction, written: Fraction) -> None:
        if read or written:
            table = self.found.setdefault(level, {})
            before = table.get(tensor, (Fraction(0), Fraction(0)))
            table[tensor] = (before[0] + read, before[1] + written)
