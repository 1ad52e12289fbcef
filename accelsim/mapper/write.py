"""What the search found as a mapping document: the YAML that `simulate` reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import yaml

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.group import GroupPoint
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.tensors import Scene
from accelsim.mapping.model import OUTSIDE

Plain = dict[str, Any]
WIDTH = 120


def mapping_text(problem: Problem, name: str, points: Sequence[GroupPoint], limits: Limits) -> str:
    """The YAML of a mapping that runs these groups one after the other."""
    groups = [_Writer(problem, point, limits) for point in points]
    step = problem.step
    document: Plain = {
        "schema": "accelsim/mapping/1",
        "name": name,
        "description": f"{step.function} on {problem.arch.name}, found by accelsim map",
        "for": {"arch": problem.arch.name, "function": step.function, "cascade": step.cascade_name},
    }
    if step.cascade_name == "default":
        del document["for"]["cascade"]
    splits = _cascade_splits(problem)
    if splits:
        document["split"] = splits
    document["groups"] = [writer.group() for writer in groups]
    document["spatial"] = {e: dims for writer in groups for e, dims in writer.spatial().items()}
    document["bind"] = _bindings(points)
    forwarded = [f"{keeping.tensor} -> {e}" for point in points for keeping in point.keeping for e in keeping.forwarded]
    if forwarded:
        document["forward"] = forwarded
    return rendered(document)


def rendered(document: Plain) -> str:
    """The YAML of a document, keys in its order."""
    text: str = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=WIDTH)
    return text


def _cascade_splits(problem: Problem) -> Plain:
    """Splits of the cascade itself, whose sizes are parameters that a mapping sets."""
    cascade, sizes = problem.step.shapes.cascade, problem.sizes
    found: Plain = {}
    for split in dict.fromkeys(cascade.splits.values()):
        outer, inner = split.parts
        found[split.parent] = {outer: "rest", inner: sizes[inner]}
    return found


def _bindings(points: Sequence[GroupPoint]) -> Plain:
    bound: Plain = {}
    for point in points:
        for name in point.einsums:
            bound.setdefault(point.picked[name].unit, []).append(name)
    return bound


@dataclass(frozen=True, eq=False)
class _Writer:
    """One group: the parts of its coordinates, its loops and what it keeps."""

    problem: Problem
    point: GroupPoint
    limits: Limits

    @cached_property
    def einsums(self) -> tuple[Einsum, ...]:
        return tuple(e for e in self.problem.einsums if e.name in self.point.einsums)

    @cached_property
    def scene(self) -> Scene:
        tiles = {c: np.array([tile]) for c, tile in self.point.tiles.items()}
        return Scene(self.problem, self.einsums, self.point.nest, self.point.picked, tiles, self.limits)

    @cached_property
    def parts(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """Coordinate to its parts, outer to inner, each with what one of it spans."""
        found = {}
        for c in dict.fromkeys(c for e in self.einsums for c in e.coordinates):
            spans = {1, *(self.point.picked[e.name].pes.get(c, 1) for e in self.einsums)}
            spans |= {t for t in (self.point.tiles.get(c),) if t}
            inside = sorted((span for span in spans if span < self.problem.sizes[c] or span == 1), reverse=True)
            found[c] = tuple(zip(self._names(c, len(inside)), inside, strict=True))
        return found

    def _names(self, c: str, number: int) -> list[str]:
        if number == 1:
            return [c]
        taken = {*self.problem.step.shapes.sizes, *self.problem.step.shapes.cascade.splits}
        names = [f"{c}{at}" for at in reversed(range(number))]
        return [f"{c}_{at}" for at in reversed(range(number))] if taken & set(names) else names

    def _loop(self, c: str) -> str | None:
        """The part that the nest loops over for a coordinate, None where its tile is the whole."""
        tile = self.point.tiles[c]
        return next((part for part, span in self.parts[c] if span == tile and span < self.problem.sizes[c]), None)

    def loops(self, einsum: Einsum) -> list[str]:
        """Loops around tiles, then those down to what the array takes."""
        nest = [part for c in self.point.nest.loops_of(einsum) if (part := self._loop(c))]
        finest = self.scene.finest(einsum)
        inner = []
        for c in self.problem.coordinates:
            span = finest.get(c)
            if isinstance(span, int):
                outer = self.point.tiles.get(c, self.problem.sizes[c] + 1)
                inner += [part for part, each in self.parts[c] if span <= each < outer and part not in nest]
        return nest + inner

    def group(self) -> Plain:
        loops = {e.name: self.loops(e) for e in self.einsums}
        together = _merged(list(loops.values()) if self.limits.overlap == "pipeline" else self._shared())
        found: Plain = {}
        splits = {c: self._split(parts) for c, parts in self.parts.items() if len(parts) > 1}
        if splits:
            found["split"] = splits
        found["loops"] = together
        found["einsums"] = list(self.point.einsums)
        others = {name: each for name, each in loops.items() if each != together}
        if others:
            found["at"] = others
        found["overlap"] = self.limits.overlap
        if keep := self._keep():
            found["keep"] = keep
        return found

    def _shared(self) -> list[list[str]]:
        """Of each Einsum the loops around tiles that it shares: in these the Einsums take turns."""
        nest = replace(self.point.nest, own=())
        return [[part for c in nest.loops_of(e) if (part := self._loop(c))] for e in self.einsums]

    def _split(self, parts: tuple[tuple[str, int], ...]) -> Plain:
        """Sizes in units of the part inside: of the outermost what is left."""
        sizes: Plain = {parts[0][0]: "rest"}
        for (_, outer), (part, span) in pairwise(parts):
            sizes[part] = outer // span
        return sizes

    def _keep(self) -> Plain:
        found: dict[str, Plain] = {}
        for keeping in self.point.keeping:
            for level, depth in keeping.chain:
                found.setdefault(level, {})[keeping.tensor] = {"at": self._at(keeping.tensor, depth)}
        return {
            level: {"tensors": found[level]} for level in (v.name for v in self.problem.arch.levels) if level in found
        }

    def _at(self, tensor: str, depth: int) -> str:
        nest = self.point.nest
        touches = [*self.scene.readers.get(tensor, ()), *(t for t in (self.scene.made.get(tensor),) if t)]
        inside = (*nest.order, *nest.own_of(touches))
        loops = [part for c in (*nest.batch, *inside[:depth]) if (part := self._loop(c))]
        return loops[-1] if loops else OUTSIDE

    def spatial(self) -> dict[str, Plain]:
        """Einsum to dimension to the parts spread over it."""
        found: dict[str, Plain] = {}
        for einsum in self.einsums:
            for dim, ranks in self.point.picked[einsum.name].spread:
                parts = [part for c, pes in ranks for part, span in self.parts[c] if span < pes]
                found.setdefault(einsum.name, {})[dim] = parts
        return found


def _merged(orders: Sequence[list[str]]) -> list[str]:
    """All loops in an order that agrees with each of these, or the longest of these where there is none.

    Of two that no order tells apart the one that is named first comes first.
    """
    rest, found = [list(order) for order in orders], []
    while any(rest):
        free = (order[0] for order in rest if order and not any(order[0] in other[1:] for other in rest))
        first = next(free, None)
        if first is None:
            return max(orders, key=len)
        found.append(first)
        rest = [[loop for loop in order if loop != first] for order in rest]
    return found
