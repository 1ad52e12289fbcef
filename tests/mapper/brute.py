"""The map space by brute force: every group of Einsums with every nest, tile, run and keep, each read from its YAML.

Nothing here is from the search: what may share a loop, what a PE can hold and which loops follow is written again from
the definition of the space, more generously than the search needs it: every tile, every set of streamed coordinates,
every order of every loop. What a tensor moves and holds is asked of depth `analytic`, one tensor at a time; a group is
the sum over its tensors, and the test of a whole front asks the rule again for whole mappings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, pairwise, permutations, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.arch import Unit
from accelsim.cost.compute import point_cost, work_of
from accelsim.cost.images import Counter, Visit, operands
from accelsim.cost.registers import register_accesses
from accelsim.cost.traffic import group_traffic
from accelsim.einsum.ast import Coordinate
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.mapper.problem import Problem
from accelsim.mapping import Placement, place
from accelsim.mapping.capacity import occupied
from accelsim.mapping.lifetime import alive
from accelsim.mapping.load import parse_mapping
from accelsim.mapping.model import OUTSIDE
from accelsim.mapping.model import Group as PlacedGroup
from accelsim.result import Transfer

Floats = NDArray[np.float64]
Loops = tuple[tuple[str, int], ...]
"""Coordinates that a group loops over, outer to inner, each with what one iteration spans."""
Way = tuple[tuple[str, int], ...]
"""Levels that keep a tensor, outermost first, each with how many loops of the nest are around its tile."""
Spread = tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
"""Dimension of a unit to coordinates and their PEs."""
Seen = tuple[Placement, Counter, PlacedGroup]
"""A group as the analytic rule sees it."""


@dataclass(frozen=True)
class Run:
    """How an Einsum runs: dimension to coordinates and their PEs, and the coordinates stepped through inside."""

    einsum: str
    unit: str
    spread: Spread
    streamed: frozenset[str]

    @property
    def pes(self) -> dict[str, int]:
        return pes_of(self.spread)


def pes_of(spread: Spread) -> dict[str, int]:
    return {c: n for _, ranks in spread for c, n in ranks}


@dataclass
class Space:
    """The space of a problem; `free` is the problem on the same hardware with room for everything."""

    problem: Problem
    free: Problem
    capacity: Floats
    overlap: str = "pipeline"
    known: dict[tuple[object, ...], Any] = field(default_factory=dict)
    last: tuple[Seen, dict[str, dict[str, Transfer]]] | None = None

    def einsum(self, name: str) -> Einsum:
        return next(e for e in self.problem.einsums if e.name == name)

    def runs(self, einsum: Einsum, barred: frozenset[str]) -> list[Run]:
        """Every unit that can, every spread with the fewest steps but of what is barred, every set to stream."""
        found = []
        for unit in self.problem.arch.units.values():
            able = self._works(einsum, unit)
            spreads = [s for s in self.spreads(einsum, unit) if able and not barred & pes_of(s).keys()]
            least = min((self._steps(einsum, s) for s in spreads), default=0)
            best = [s for s in spreads if self._steps(einsum, s) == least]
            few = min((sum(len(r) for _, r in s) for s in best), default=0)
            for spread in (s for s in best if sum(len(r) for _, r in s) == few):
                pes = pes_of(spread)
                more = [c for c in einsum.coordinates if self.problem.sizes[c] > pes.get(c, 1)]
                for number in range(len(more) + 1):
                    for names in map(frozenset, combinations(more, number)):
                        if one_element_each(einsum, names, pes):
                            found.append(Run(einsum.name, unit.name, spread, names))
        return found

    def batch(self, einsums: Sequence[Einsum]) -> frozenset[str]:
        """The coordinates that index every tensor of a group."""
        accesses = [a for e in einsums for a in (e.target, *operands(e))]
        plain = [{i.expr.name for i in a.indices if isinstance(i.expr, Coordinate) and not i.edge} for a in accesses]
        return frozenset(set.intersection(*plain) - {self.along(e) for e in einsums})

    def plain(self, einsum: Einsum) -> Run:
        """Any way to run an Einsum."""
        unit = next(u.name for u in self.problem.arch.units.values() if self._works(einsum, u))
        return Run(einsum.name, unit, (), frozenset())

    def _works(self, einsum: Einsum, unit: Unit) -> bool:
        try:
            point_cost(einsum, unit)
        except AccelsimError:
            return False
        return True

    def trial(self, einsum: Einsum, run: Run) -> tuple[float, float]:
        """Busy cycles, and energy without that of what is written into registers, of an Einsum on its own."""
        key = ("trial", run.einsum, run.unit, run.spread)
        if key not in self.known:
            group = Group(self, (einsum,), (), (run,))
            seen = view, counter, _ = group.opened({})
            work = work_of(view, counter, view.einsum(einsum.name))
            uses = sum(
                float(n * work.points * self.problem.arch.components[c].energy_pj["use"]) for c, n in work.uses.items()
            )
            self.known[key] = float(work.busy_cycles), uses + group.registers_pj(seen, run)
        cycles, energy = self.known[key]
        return cycles, energy

    def spreads(self, einsum: Einsum, unit: Unit) -> Iterator[Spread]:
        """No coordinate, one, or two on each dimension; sums only where neighbours can pass them on."""
        sizes, options = self.problem.sizes, []
        for dim, extent in unit.dims.items():
            usable = [
                c
                for c in einsum.coordinates
                if sizes[c] > 1 and not (dim == "lanes" and c in einsum.reduced) and self.along(einsum) != c
            ]
            one = [((c, min(sizes[c], extent)),) for c in usable]
            two = [
                ((a, min(sizes[a], extent // sizes[b])), (b, sizes[b]))
                for a, b in permutations(usable, 2)
                if 2 * sizes[b] <= extent
            ]
            options.append([(), *one, *two])
        for chosen in product(*options):
            names = [c for ranks in chosen for c, _ in ranks]
            if len(names) == len(set(names)):
                yield tuple((dim, ranks) for dim, ranks in zip(unit.dims, chosen, strict=True) if ranks)

    def along(self, einsum: Einsum) -> str | None:
        cascade = self.problem.step.shapes.cascade
        for component, rank in zip(cascade.components, cascade.iterative, strict=True):
            if rank and any(cascade.einsums[at].name == einsum.name for at in component):
                return rank
        return None

    def _steps(self, einsum: Einsum, spread: Spread) -> int:
        pes = pes_of(spread)
        return prod(-(-self.problem.sizes[c] // pes.get(c, 1)) for c in einsum.coordinates)

    def nests(self, einsums: Sequence[Einsum]) -> Iterator[tuple[str, ...]]:
        sizes = self.problem.sizes
        names = dict.fromkeys(c for e in einsums for c in e.coordinates if sizes[c] > 1)
        common = [c for c in names if self.may_share(einsums, c)]
        must = {c for e in einsums if (c := self.along(e)) is not None and sizes[c] > 1}
        for number in range(len(common) + 1):
            yield from (order for order in permutations(common, number) if must <= set(order))

    def may_share(self, einsums: Sequence[Einsum], c: str) -> bool:
        """All Einsums of the group have a loop in common, but for those that wait for its end."""
        made = {e.tensor: e for e in einsums}
        inside = {e.name for e in einsums if c in e.coordinates}
        waiting: set[str] = set()
        for _ in einsums:
            for e in einsums:
                makers = {made[a.tensor].name for a in e.reads if a.tensor in made and made[a.tensor] is not e}
                if makers & waiting or (e.name not in inside and makers & inside):
                    waiting.add(e.name)
        if inside & waiting or inside | waiting != {e.name for e in einsums} or len(inside) < min(2, len(einsums)):
            return False
        return all(self._now(made[a.tensor], a.indices, c) for e in einsums for a in e.reads if a.tensor in made)

    def _now(self, maker: Einsum, indices: Sequence[Any], c: str) -> bool:
        """What is read along `c` was made in the same iteration, or recurs."""
        if self.problem.step.shapes.cascade.generative.get(maker.tensor) == c or c not in maker.coordinates:
            return True
        pairs = zip(maker.target.indices, indices, strict=True)
        return all(read.expr == Coordinate(c) and not read.edge for made, read in pairs if c in coordinates(made))


def one_element_each(einsum: Einsum, names: frozenset[str], pes: dict[str, int]) -> bool:
    """Whether a PE holds one element of each tensor while it steps through `names`: idle coordinates nest."""
    accesses = [einsum.target, *operands(einsum)]
    idle = [names - {c for i in a.indices for c in coordinates(i)} for a in accesses]
    if any(not (x <= y or y <= x) for x in idle for y in idle):
        return False
    for index in (i for a in accesses for i in a.indices):
        mixed = set(coordinates(index))
        if len(mixed) > 1 and mixed & names and (mixed & set(pes) or len(mixed & names) > 1):
            return False
    return True


@dataclass
class Group:
    """Einsums that run together in loops around tiles, each in its own way; `own`: an Einsum's loop of its own."""

    space: Space
    einsums: tuple[Einsum, ...]
    nest: Loops
    runs: tuple[Run, ...]
    own: tuple[tuple[str, str, int], ...] = ()

    @property
    def tiles(self) -> dict[str, int]:
        return dict(self.nest) | {c: tile for _, c, tile in self.own}

    def nest_of(self, einsum: Einsum) -> Loops:
        """The loops of the group, and the one that an Einsum has for itself inside them."""
        return (*self.nest, *((c, tile) for name, c, tile in self.own if name == einsum.name))

    def spans(self, c: str) -> list[int]:
        """What the parts of a coordinate span, outermost first."""
        size = self.space.problem.sizes[c]
        spans = {1, *(run.pes.get(c, 1) for run in self.runs), *([self.tiles[c]] if c in self.tiles else [])}
        return sorted((s for s in spans if s < size or s == 1), reverse=True)

    def is_regular(self) -> bool:
        """Whether what the Einsums take of each coordinate, and its tile, are multiples of each other.

        Coordinates of all tensors lie on as many PEs for each Einsum: there the space is narrower than it could be.
        """
        for c in self.space.batch(self.einsums):
            if len({run.pes.get(c, 1) for run in self.runs}) > 1:
                return False
        for c in {c for e in self.einsums for c in e.coordinates}:
            taken = sorted({run.pes.get(c, 1) for e, run in self.each() if c in e.coordinates})
            wanted = [*taken, *([self.tiles[c]] if c in self.tiles else [])]
            if any(b % a for a, b in pairwise(wanted)):
                return False
        return True

    def each(self) -> Iterator[tuple[Einsum, Run]]:
        return zip(self.einsums, self.runs, strict=True)

    def around(self, einsum: Einsum, depth: int | None = None) -> list[str]:
        """The loops of the nest around an Einsum."""
        return [f"{c}_{tile}" for c, tile in self.nest_of(einsum)[:depth] if c in einsum.coordinates]

    def loops(self, einsum: Einsum, run: Run) -> list[str]:
        """And those inside a tile, down to what the array takes."""
        found = self.around(einsum)
        for c in (c for c in self.space.problem.coordinates if c in einsum.coordinates):
            size, pes = self.space.problem.sizes[c], run.pes.get(c, 1)
            if c not in run.streamed and pes < size:
                outer = self.tiles.get(c, size + 1)
                found += [f"{c}_{s}" for s in self.spans(c) if pes <= s < outer]
        return found

    def ways(self, tensor: str) -> list[Way]:
        """Kept nowhere, or at every choice of levels at every depth, inner levels no further out."""
        levels = [level.name for level in self.space.problem.arch.levels[1:]]
        touching = self.touching(tensor)
        nest = self.nest_of(touching[0][0]) if len(touching) == 1 else self.nest
        depths = [0] + [at for at, (c, _) in enumerate(nest, 1) if all(c in e.coordinates for e, _ in touching)]
        found: list[Way] = []
        if not self.is_inner(tensor) or self.fits_registers(tensor):
            found.append(())
        for number in range(1, len(levels) + 1):
            for chosen in combinations(levels, number):
                for at in product(depths, repeat=number):
                    if list(at) == sorted(at) and (not self.is_inner(tensor) or all(map(self.stays(tensor), at))):
                        found.append(tuple(zip(chosen, at, strict=True)))
        return found

    def touching(self, tensor: str) -> list[tuple[Einsum, Run]]:
        return [(e, r) for e, r in self.each() if tensor in (e.tensor, *(a.tensor for a in operands(e)))]

    def is_inner(self, tensor: str) -> bool:
        """Whether the group makes and reads a tensor."""
        made = any(e.tensor == tensor for e in self.einsums)
        return made and any(a.tensor == tensor for e in self.einsums for a in operands(e))

    def stays(self, tensor: str) -> Any:
        """Whether a tile at a depth is finished and read before the next: all its loops index the tensor."""
        maker = next(e for e in self.einsums if e.tensor == tensor)
        along = self.space.problem.step.shapes.cascade.generative.get(tensor)
        named = {c for i in maker.target.indices for c in coordinates(i)} - {along}

        def check(depth: int) -> bool:
            same = {tuple(self.around(e, depth)) for e, _ in self.touching(tensor)}
            return len(same) == 1 and all(c in named for c, _ in self.nest[:depth] if c in maker.coordinates)

        return check

    def forwarded(self, tensor: str) -> list[str]:
        """The readers that can take each element as it is made."""
        maker, mine = next((e, r) for e, r in self.each() if e.tensor == tensor)
        found = []
        for e, r in self.each():
            if any(a.tensor == tensor for a in operands(e)) and self._passes(tensor, (maker, mine), (e, r)):
                found.append(e.name)
        return found

    def _passes(self, tensor: str, maker: tuple[Einsum, Run], reader: tuple[Einsum, Run]) -> bool:
        """In the same loops an element is finished, and either side holds a whole iteration of them in its PEs."""
        along = self.space.problem.step.shapes.cascade.generative.get(tensor)
        if maker[0] is reader[0]:
            return along not in self.tiles
        if along is not None:
            return False
        target = [i.expr for i in maker[0].target.indices]
        accesses = [a for a in operands(reader[0]) if a.tensor == tensor]
        if any([i.expr for i in a.indices] != target for a in accesses):
            return False
        named = set(coordinates(maker[0].target))
        if any(c in maker[0].reduced for c, _ in self.nest if c in maker[0].coordinates):
            return False
        if self.around(maker[0]) != self.around(reader[0]):
            return False
        inside = [set(self.loops(*one)) - set(self.around(one[0])) for one in (maker, reader)]
        owner = {f"{c}_{s}": c for e in self.einsums for c in e.coordinates for s in self.spans(c)}
        if any(owner[part] not in named for parts in inside for part in parts) or inside[0] != inside[1]:
            return False
        passing = [one[1].streamed & named for one in (maker, reader)]
        alike = all(maker[1].pes.get(c) == reader[1].pes.get(c) for c in passing[0])
        return not passing[0] or not passing[1] or (passing[0] == passing[1] and alike)

    def fits_registers(self, tensor: str) -> bool:
        along = self.space.problem.step.shapes.cascade.generative.get(tensor)
        readers = [e.name for e in self.einsums if any(a.tensor == tensor for a in operands(e))]
        return along not in self.tiles and set(readers) == set(self.forwarded(tensor))

    def document(self, ways: dict[str, Way]) -> dict[str, Any]:
        """The group, what is spread, bound and forwarded, as a mapping says it."""
        keep: dict[str, Any] = {}
        for tensor, way in ways.items():
            for level, depth in way:
                inside = self.around(self.touching(tensor)[0][0], depth)
                keep.setdefault(level, {"tensors": {}})["tensors"][tensor] = {"at": inside[-1] if inside else OUTSIDE}
        splits = {}
        for c in dict.fromkeys(c for e in self.einsums for c in e.coordinates):
            spans = self.spans(c)
            inner = {f"{c}_{s}": a // s for a, s in pairwise(spans)}
            splits[c] = {f"{c}_{spans[0]}": "rest", **inner}
        at = {e.name: self.loops(e, r) for e, r in self.each()}
        shared = [f"{c}_{tile}" for c, tile in self.nest]  # where Einsums take turns it matters which are shared
        loops = shared if self.space.overlap == "sequential" else max(at.values(), key=len)
        group = {"split": splits, "loops": [*loops], "einsums": list(at), "at": at, "overlap": self.space.overlap}
        spatial = {
            e.name: {dim: [f"{c}_{s}" for c, n in ranks for s in self.spans(c) if s < n] for dim, ranks in r.spread}
            for e, r in self.each()
        }
        forward = [f"{t} -> {e}" for t, way in ways.items() if way and self.is_inner(t) for e in self.forwarded(t)]
        return {"group": {**group, **({"keep": keep} if keep else {})}, "spatial": spatial, "forward": forward}

    def opened(self, ways: dict[str, Way]) -> Seen:
        """This group as the analytic rule sees it; all other Einsums run one by one."""
        others = [e for e in self.space.problem.einsums if e not in self.einsums]
        alone = [Group(self.space, (e,), (), (self.space.plain(e),)) for e in others]
        order = [e.name for e in self.space.problem.einsums]
        groups = sorted([self, *alone], key=lambda g: order.index(g.einsums[0].name))
        placement = placed(self.space.free, groups, [ways if g is self else {} for g in groups])
        (mine,) = [g for g in placement.plan.groups if set(g.einsums) == {e.name for e in self.einsums}]
        view = placement.within(mine)
        return view, Counter.of(view), mine

    def registers_pj(self, seen: Seen, run: Run, tensor: str | None = None) -> float:
        """Energy of a run's register accesses but for fills, or of the fills of one tensor."""
        arch, einsum, (view, counter, mine) = self.space.problem.arch, self.space.einsum(run.einsum), seen
        unit = arch.units[run.unit]
        if unit.registers is None:
            return 0.0
        file = arch.components[unit.registers]
        share = view.step.types[einsum.tensor].bytes / (file.width_bytes or 1) * unit.counted / unit.pes
        fills = {
            a: counter.images([Visit(einsum, a)], mine.loops_of(einsum.name), view.spread(einsum))
            for a in operands(einsum)
        }
        reads, writes = register_accesses(view, counter, mine, einsum)
        if tensor is not None:
            return float(share * sum(n for a, n in fills.items() if a.tensor == tensor) * file.energy_pj["write"])
        writes -= sum(fills[a] for a in operands(einsum))
        return float(share * (reads * file.energy_pj["read"] + writes * file.energy_pj["write"]))

    def columns(self) -> dict[str, list[tuple[Way, Floats]]]:
        """Tensor to its ways, each with bytes held at each level, energy and seconds of each port."""
        ways = {tensor: self.ways(tensor) for tensor in self.tensors}
        keys = {(tensor, way): self._key(tensor, way) for tensor, each in ways.items() for way in each}
        new = {t: [way for way in each if keys[t, way] not in self.space.known] for t, each in ways.items()}
        for at in range(max(map(len, new.values()))):
            together = {tensor: each[at] for tensor, each in new.items() if at < len(each)}
            seen = self.opened(together)
            for tensor, way in together.items():
                self.space.known[keys[tensor, way]] = self._column(tensor, way, seen)
        return {t: [(way, self.space.known[keys[t, way]]) for way in each] for t, each in ways.items()}

    def _key(self, tensor: str, way: Way) -> tuple[object, ...]:
        """All that a tensor's column depends on."""
        touching = self.touching(tensor)
        spans = tuple(tuple(self.spans(c)) for e, _ in touching for c in e.coordinates)
        return (
            tensor,
            way,
            self.nest,
            self.own,
            tuple(r for _, r in touching),
            spans,
            tuple(e.name for e in self.einsums),
        )

    def _column(self, tensor: str, way: Way, seen: Seen) -> Floats:
        arch, (view, _, mine) = self.space.problem.arch, seen
        moved = {level: table.get(tensor) for level, table in self._traffic(seen).items()}
        held, energy, ports = [], 0.0, []
        for level in arch.levels:
            found, component = moved.get(level.name), arch.components[level.component]
            read, write = (found.read, found.write) if found else (Fraction(0), Fraction(0))
            width = component.width_bytes or 1
            energy += float((read * component.energy_pj["read"] + write * component.energy_pj["write"]) / width)
            ports += [float(port.seconds(read, write)) for port in level.ports]
            if level.capacity_bytes is not None:
                held += self._held(tensor, level.name, view, mine)
        for e, r in self.touching(tensor):
            if any(a.tensor == tensor for a in operands(e)) and not self._is_local(tensor, way, e, r):
                energy += self.registers_pj(seen, r, tensor)
        return np.array([*held, energy, *ports])

    def _held(self, tensor: str, level: str, view: Placement, mine: PlacedGroup) -> list[float]:
        """Bytes held: once, or while each of the Einsums runs if they take turns."""
        moments = range(len(self.einsums) if self.space.overlap == "sequential" else 1)
        if level not in view.plan.keep or tensor not in view.plan.keep[level].tensors:
            return [0.0 for _ in moments]
        size = float(occupied(view, level, mine).get(tensor, 0))
        during = alive(view, mine, tensor, view.plan.keep[level].tensors[tensor].at)
        return [size if at in during else 0.0 for at in moments]

    def room(self) -> Floats:
        """The capacity of each level at each moment."""
        return np.repeat(self.space.capacity, len(self.einsums) if self.space.overlap == "sequential" else 1)

    def _traffic(self, seen: Seen) -> dict[str, dict[str, Transfer]]:
        """Of the last placement only: it is asked for each of its tensors."""
        last = self.space.last
        if last is None or last[0] is not seen:
            self.space.last = last = seen, group_traffic(*seen)
        return last[1]

    def _is_local(self, tensor: str, way: Way, reader: Einsum, run: Run) -> bool:
        """Whether the PE has what it reads because it, or another of its unit, has just made it."""
        makers = [r for e, r in self.each() if e.tensor == tensor]
        if not makers or makers[0].unit != run.unit:
            return False
        return not way or reader.name in self.forwarded(tensor)

    @property
    def tensors(self) -> list[str]:
        return list(dict.fromkeys(t for e in self.einsums for t in (e.tensor, *(a.tensor for a in operands(e)))))


def placed(problem: Problem, groups: Sequence[Group], ways: Sequence[dict[str, Way]]) -> Placement:
    """Groups with what each keeps, written as YAML and read again."""
    parts = [group.document(keep) for group, keep in zip(groups, ways, strict=True)]
    bind: dict[str, list[str]] = {}
    for run in (run for group in groups for run in group.runs):
        bind.setdefault(run.unit, []).append(run.einsum)
    cascade = problem.step.cascade_name
    document = {
        "schema": "accelsim/mapping/1",
        "name": "enumerated",
        "for": {"arch": problem.arch.name, "function": problem.step.function}
        | ({"cascade": cascade} if cascade != "default" else {}),
        "groups": [part["group"] for part in parts],
        "spatial": {name: dims for part in parts for name, dims in part["spatial"].items()},
        "bind": bind,
        "forward": [line for part in parts for line in part["forward"]],
    }
    return place(parse_mapping(json.dumps(document), "enumerated.yaml"), problem.arch, problem.step)
