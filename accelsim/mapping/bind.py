"""A mapping made definite: a case chosen, parameters of the cascade set, splits given sizes, names checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import eq, ge, gt, le, lt, ne

from accelsim.arch import Arch, Unit
from accelsim.arch.model import DIMENSIONS
from accelsim.einsum.ast import Coordinate, IndexExpr, IndexOp, Int, MapCall, Size
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.sizes import LARGEST, integer_value, size_values
from accelsim.errors import AccelsimError, nearest
from accelsim.mapping.model import Case, Group, Keep, Mapping, Plan, Splits, Tile
from accelsim.mapping.read import read_plan
from accelsim.workload import Step
from accelsim.yamlfile import Node

Digits = Table[str, tuple[tuple[str, int], ...]]
TESTS = {"<": lt, "<=": le, "==": eq, "!=": ne, ">=": ge, ">": gt}


@dataclass(frozen=True, eq=False)
class Placement:
    """A step's cascade placed on an architecture.

    Attributes:
        digits: coordinate of the cascade to its parts, outer to inner, each with the coordinates that one of it spans.
        owner: part to its coordinate.
        own: for a group, by its Einsums, that splits coordinates or keeps tensors in its own way, the digits of the
            coordinates that it splits. Parts, spread ranks and what is kept are those of `within(group)` there.
    """

    arch: Arch
    step: Step
    mapping: Mapping
    plan: Plan
    digits: Digits
    owner: Table[str, str]
    own: Table[tuple[str, ...], Digits] = field(default_factory=dict)

    def within(self, group: Group) -> Placement:
        """The placement as a group sees it, one object for each group: this one where the group says nothing itself.

        Raises:
            AccelsimError: a part of two coordinates.
        """
        return self._views.get(group.einsums, self)

    @cached_property
    def _views(self) -> dict[tuple[str, ...], Placement]:
        return {group.einsums: _view(self, group) for group in self.plan.groups if group.einsums in self.own}

    @property
    def einsums(self) -> tuple[Einsum, ...]:
        """The Einsums that do work: start lines, which only name a first value, are not among them."""
        return tuple(e for e in self.step.shapes.cascade.einsums if not is_start(e))

    def einsum(self, name: str) -> Einsum:
        return next(e for e in self.einsums if e.name == name)

    def unit(self, einsum: str) -> Unit:
        return self.arch.units[self.plan.bind[einsum]]

    def spread(self, einsum: Einsum) -> dict[str, tuple[str, int]]:
        """Part of a rank to the array dimension that it is spread over and its extent, for one Einsum.

        Of several ranks on one dimension the inner ones take all of their extent, the outermost what is left.
        """
        unit = self.unit(einsum.name)
        said = self.plan.spatial.get(einsum.name, self.plan.spatial.get(unit.name, {}))
        inside = {part for c in einsum.coordinates for part, _ in self.digits[c]}
        found: dict[str, tuple[str, int]] = {}
        for dim, ranks in said.items():
            room = unit.dims[dim]
            for rank in reversed([r for r in ranks if r in inside]):
                found[rank] = (dim, max(room, 1))
                room //= min(self.extent(rank), max(room, 1))
        return found

    def extent(self, part: str) -> int:
        """How many values a part of a rank takes at most."""
        coordinate = self.owner[part]
        parts = self.digits[coordinate]
        position = [name for name, _ in parts].index(part)
        outside = parts[position - 1][1] if position else self.step.shapes.sizes[coordinate]
        return -(-min(outside, self.step.shapes.sizes[coordinate]) // parts[position][1])


def is_start(einsum: Einsum) -> bool:
    return einsum.name.endswith("@start")


def mapping_parameters(mapping: Mapping, arch: Arch, step: Step) -> dict[str, int]:
    """Values that the mapping's splits give to parameters of the cascade's own splits (`M0`)."""
    plan = read_plan(mapping.document, _case(mapping, step))
    splits = step.shapes.cascade.splits
    found = {}
    for parts in plan.splits.values():
        inner, tile = parts[-1]
        if inner in splits and splits[inner].parts == tuple(p for p, _ in parts):
            expr = splits[inner].step
            if isinstance(expr, Size):
                found[expr.name] = _tile_size(tile, arch, step)
    return found


def place(mapping: Mapping, arch: Arch, step: Step) -> Placement:
    """The mapping bound to sizes and hardware.

    Raises:
        AccelsimError: no case for the sizes, an unknown rank, loop, Einsum, unit, level or tensor, an Einsum that is
            not in exactly one group or not bound, or kept tensors that fit in no way.
    """
    from accelsim.mapping.capacity import check_capacity, fitted
    from accelsim.mapping.check import check_einsums, check_names
    from accelsim.mapping.sense import check_sense

    plan = read_plan(mapping.document, _case(mapping, step))
    check_einsums(plan, arch, step)
    whole = {c: ((c, 1),) for e in step.shapes.cascade.einsums for c in e.coordinates}
    digits = {**whole, **_split(plan, whole, arch, step)}
    own = {g.einsums: _split_in(g, arch, step) for g in plan.groups if g.splits or g.keep}
    placement = Placement(arch, step, mapping, plan, digits, _owners(plan.document, digits), own)
    check_names(placement)
    check_sense(placement)
    for fit in (*_fits(plan.splits, whole), *(fit for g in plan.groups for fit in _fits(g.splits, whole, g))):
        placement = fitted(placement, fit)
    check_capacity(placement)
    return placement


@dataclass(frozen=True)
class Fit:
    """A part of a rank that takes what its level has room for: in one group, or (None) in all."""

    rank: str
    position: int
    tile: Tile
    group: Group | None


def _fits(splits: Splits, ranks: Iterable[str], group: Group | None = None) -> Iterator[Fit]:
    """The parts of coordinates that must fit."""
    for rank, parts in splits.items():
        for position, (_, tile) in enumerate(parts):
            if tile.kind == "fit" and rank in ranks:
                yield Fit(rank, position, tile, group)


def _view(placement: Placement, group: Group) -> Placement:
    digits = {**placement.digits, **placement.own[group.einsums]}
    plan = replace(placement.plan, keep=_kept_instead(placement.plan.keep, group.keep))
    return replace(placement, plan=plan, digits=digits, owner=_owners(group.node, digits), own={})


def _kept_instead(keep: Table[str, Keep], own: Table[str, Keep]) -> dict[str, Keep]:
    """What a group keeps in place of what the mapping says, level by level and tensor by tensor."""
    found = dict(keep)
    for level, mine in own.items():
        said = keep.get(level, Keep(None, {}))
        limit = said.limit_bytes if mine.limit_bytes is None else mine.limit_bytes
        found[level] = Keep(limit, {**said.tensors, **mine.tensors})
    return found


def _split(plan: Plan, ranks: Iterable[str], arch: Arch, step: Step) -> dict[str, tuple[tuple[str, int], ...]]:
    """The digits of the coordinates that the mapping splits."""
    found = {}
    for rank, parts in plan.splits.items():
        if rank in ranks:
            found[rank] = _digits(rank, parts, arch, step)
        elif not _is_cascade_split(step, parts):
            raise unknown(plan.document, f"split.{rank}", "rank", rank, ranks)
    return found


def _split_in(group: Group, arch: Arch, step: Step) -> dict[str, tuple[tuple[str, int], ...]]:
    """The digits of the coordinates that a group splits for itself."""
    mine = {c: None for e in step.shapes.cascade.einsums if e.name in group.einsums for c in e.coordinates}
    for rank, parts in group.splits.items():
        if rank not in mine and _is_cascade_split(step, parts):
            raise group.node.error(
                f"split.{rank}: the cascade itself has these parts, so all groups have: say it outside the groups"
            )
        if rank not in mine:
            raise unknown(group.node, f"split.{rank}", "rank of this group", rank, mine)
    return {rank: _digits(rank, parts, arch, step) for rank, parts in group.splits.items()}


def _owners(node: Node, digits: Digits) -> dict[str, str]:
    """Part to its coordinate; a part has one only."""
    owner: dict[str, str] = {}
    for coordinate, parts in digits.items():
        for part, _ in parts:
            if part in owner:
                raise node.error(f"split: {part} is a part of {owner[part]} and of {coordinate}")
            owner[part] = coordinate
    return owner


def _case(mapping: Mapping, step: Step) -> Case | None:
    if not mapping.cases:
        return None
    values = size_values(step.shapes)
    for case in mapping.cases:
        for name, _, _ in case.when:
            if name not in values:
                raise unknown(mapping.document, "cases", "size", name, values)
        if all(TESTS[op](values[name], wanted) for name, op, wanted in case.when):
            return case
    tested = sorted({name for case in mapping.cases for name, _, _ in case.when})
    sizes = ", ".join(f"{name}={values[name]}" for name in tested)
    raise mapping.document.error(f"mapping {mapping.name} has no case for {sizes}")


def _is_cascade_split(step: Step, parts: tuple[tuple[str, Tile], ...]) -> bool:
    split = step.shapes.cascade.splits.get(parts[-1][0])
    return split is not None and split.parts == tuple(part for part, _ in parts)


def _digits(rank: str, parts: tuple[tuple[str, Tile], ...], arch: Arch, step: Step) -> tuple[tuple[str, int], ...]:
    """Parts with the coordinates that one of each spans; a part that must fit counts 1 until it is fitted."""
    spans: list[tuple[str, int]] = []
    inside = 1
    for part, tile in reversed(parts):
        spans.append((part, inside))
        if tile.kind == "size":
            inside *= _tile_size(tile, arch, step)
            if inside > LARGEST:
                raise tile.node.error(f"a tile of {rank} has {inside} coordinates; at most {LARGEST} are supported")
    return tuple(reversed(spans))


def _tile_size(tile: Tile, arch: Arch, step: Step) -> int:
    size = placed_value(_with_extents(tile.expr or Int(1), arch, tile.node), step, tile.node)
    if size < 1:
        raise tile.node.error(f"must be positive, got {size}")
    return size


def placed_value(expr: IndexExpr, step: Step, node: Node) -> int:
    """The number that an expression of a mapping stands for; errors name its place."""
    try:
        return integer_value(expr, size_values(step.shapes))
    except AccelsimError as error:
        raise node.error(error.message) from None


def _with_extents(expr: IndexExpr, arch: Arch, node: Node) -> IndexExpr:
    """A size expression with `rows(pe2d)`, `cols(..)` and `lanes(..)` replaced by the extents of units."""
    if isinstance(expr, IndexOp):
        return IndexOp(expr.op, _with_extents(expr.left, arch, node), _with_extents(expr.right, arch, node))
    if not isinstance(expr, MapCall):
        return expr
    if expr.name not in DIMENSIONS or not isinstance(expr.argument, Coordinate):
        raise node.error(f'must be a size, rest, fit(LEVEL), rows(UNIT), cols(UNIT) or lanes(UNIT), got "{node.text}"')
    unit = expr.argument.name
    if unit not in arch.units:
        raise unknown(node, "", "unit", unit, arch.units)
    if expr.name not in arch.units[unit].dims:
        raise node.error(f"unit {unit} has {' and '.join(arch.units[unit].dims)}, not {expr.name}")
    return Int(arch.units[unit].dims[expr.name])


def unknown(node: Node, where: str, noun: str, name: str, known: Iterable[str]) -> AccelsimError:
    """The error for a name that a mapping says at `where` of a node and that nothing has."""
    place = f"{where}: " if where else ""
    return node.error(f'{place}unknown {noun} "{name}"{nearest(name, known)}')
