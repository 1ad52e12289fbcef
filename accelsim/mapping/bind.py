"""A mapping made definite: a case chosen, parameters of the cascade set, splits given sizes, names checked."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne

from accelsim.arch import Arch, Unit
from accelsim.arch.model import DIMENSIONS
from accelsim.einsum.ast import Coordinate, IndexExpr, IndexOp, Int, MapCall, Size
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.sizes import LARGEST, integer_value, size_values
from accelsim.errors import AccelsimError, nearest
from accelsim.mapping.model import OUTSIDE, Case, Group, Mapping, Plan, Tile
from accelsim.mapping.read import read_plan
from accelsim.workload import Step
from accelsim.yamlfile import Node

TESTS = {"<": lt, "<=": le, "==": eq, "!=": ne, ">=": ge, ">": gt}


@dataclass(frozen=True, eq=False)
class Placement:
    """A step's cascade placed on an architecture.

    Attributes:
        digits: coordinate of the cascade to its parts, outer to inner, each with the coordinates that one of it spans.
        owner: part to its coordinate.
    """

    arch: Arch
    step: Step
    mapping: Mapping
    plan: Plan
    digits: Table[str, tuple[tuple[str, int], ...]]
    owner: Table[str, str]

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
    plan = read_plan(mapping.document, _case(mapping, step))
    digits: dict[str, tuple[tuple[str, int], ...]] = {
        c: ((c, 1),) for e in step.shapes.cascade.einsums for c in e.coordinates
    }
    fits: list[tuple[str, int, Tile]] = []
    for rank, parts in plan.splits.items():
        if rank in digits:
            digits[rank] = _digits(rank, parts, arch, step, fits)
        elif not _is_cascade_split(step, parts):
            raise _unknown(plan.document, f"split.{rank}", "rank", rank, digits)
    owner = _owners(plan.document, digits)
    placement = Placement(arch, step, mapping, plan, digits, owner)
    _check_names(placement)
    from accelsim.mapping.capacity import check_capacity, fitted
    from accelsim.mapping.sense import check_sense

    check_sense(placement)
    for rank, position, tile in fits:
        placement = fitted(placement, rank, position, tile)
    check_capacity(placement)
    return placement


def _owners(document: Node, digits: Table[str, tuple[tuple[str, int], ...]]) -> dict[str, str]:
    """Part to its coordinate; a part has one only."""
    owner: dict[str, str] = {}
    for coordinate, parts in digits.items():
        for part, _ in parts:
            if part in owner:
                raise document.error(f"split: {part} is a part of {owner[part]} and of {coordinate}")
            owner[part] = coordinate
    return owner


def _case(mapping: Mapping, step: Step) -> Case | None:
    if not mapping.cases:
        return None
    values = size_values(step.shapes)
    for case in mapping.cases:
        for name, _, _ in case.when:
            if name not in values:
                raise _unknown(mapping.document, "cases", "size", name, values)
        if all(TESTS[op](values[name], wanted) for name, op, wanted in case.when):
            return case
    tested = sorted({name for case in mapping.cases for name, _, _ in case.when})
    sizes = ", ".join(f"{name}={values[name]}" for name in tested)
    raise mapping.document.error(f"mapping {mapping.name} has no case for {sizes}")


def _is_cascade_split(step: Step, parts: tuple[tuple[str, Tile], ...]) -> bool:
    split = step.shapes.cascade.splits.get(parts[-1][0])
    return split is not None and split.parts == tuple(part for part, _ in parts)


def _digits(
    rank: str, parts: tuple[tuple[str, Tile], ...], arch: Arch, step: Step, fits: list[tuple[str, int, Tile]]
) -> tuple[tuple[str, int], ...]:
    """Parts with the coordinates that one of each spans; a part that must fit counts 1 until it is fitted."""
    spans: list[tuple[str, int]] = []
    inside = 1
    for position in range(len(parts) - 1, -1, -1):
        part, tile = parts[position]
        spans.append((part, inside))
        if tile.kind == "fit":
            fits.append((rank, position, tile))
        elif tile.kind != "rest":
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
        raise _unknown(node, "", "unit", unit, arch.units)
    if expr.name not in arch.units[unit].dims:
        raise node.error(f"unit {unit} has {' and '.join(arch.units[unit].dims)}, not {expr.name}")
    return Int(arch.units[unit].dims[expr.name])


def _check_names(placement: Placement) -> None:
    plan, arch = placement.plan, placement.arch
    einsums = {e.name: e for e in placement.einsums}
    for einsum, unit in plan.bind.items():
        if unit not in arch.units:
            raise _unknown(plan.document, "bind", "unit", unit, arch.units)
        if einsum not in einsums:
            raise _unknown(plan.document, f"bind.{unit}", "Einsum", einsum, einsums)
    for name in plan.spatial:
        if name not in einsums and name not in arch.units:
            raise _unknown(plan.document, f"spatial.{name}", "unit or Einsum", name, {**einsums, **arch.units})
    _check_spatial(placement, einsums)
    _check_kept(placement)
    _check_routes(placement, einsums)
    _check_groups(placement, einsums)


def _check_kept(placement: Placement) -> None:
    plan, arch, tensors = placement.plan, placement.arch, placement.step.shapes.cascade.tensors
    for level, keep in plan.keep.items():
        if arch.level(level) in (None, arch.off_chip):
            raise _unknown(plan.document, f"keep.{level}", "level", level, [v.name for v in arch.levels[1:]])
        for tensor, kept in keep.tensors.items():
            if tensor not in tensors:
                raise _unknown(kept.node, "", "tensor", tensor, tensors)
            if kept.at != OUTSIDE and kept.at not in placement.owner:
                raise _unknown(kept.node, "at", "loop", kept.at, [*placement.owner, OUTSIDE])


def _check_routes(placement: Placement, einsums: Table[str, Einsum]) -> None:
    plan, arch, tensors = placement.plan, placement.arch, placement.step.shapes.cascade.tensors
    for tensor, einsum in sorted(plan.forward):
        if tensor not in tensors:
            raise _unknown(plan.document, "forward", "tensor", tensor, tensors)
        if einsum not in einsums:
            raise _unknown(plan.document, "forward", "Einsum", einsum, einsums)
    for tensor, level in plan.home.items():
        if tensor not in tensors:
            raise _unknown(plan.document, "home", "tensor", tensor, tensors)
        if level != arch.off_chip.name:
            raise plan.document.error(f"home.{tensor}: must be {arch.off_chip.name}, the outermost level, got {level}")


def _check_spatial(placement: Placement, einsums: Table[str, Einsum]) -> None:
    for name, dims in placement.plan.spatial.items():
        unit = placement.unit(name) if name in einsums else placement.arch.units[name]
        for dim, ranks in dims.items():
            if dim not in unit.dims:
                raise placement.plan.document.error(f"spatial.{name}: unit {unit.name} has no {dim}")
            for rank in ranks:
                if rank not in placement.owner:
                    raise _unknown(placement.plan.document, f"spatial.{name}.{dim}", "rank", rank, placement.owner)


def _check_groups(placement: Placement, einsums: Table[str, Einsum]) -> None:
    seen: set[str] = set()
    for group in placement.plan.groups:
        for name in group.einsums:
            if name not in einsums:
                raise _unknown(group.node, "einsums", "Einsum", name, einsums)
            if name in seen:
                raise group.node.error(f"Einsum {name} is in two groups")
            if name not in placement.plan.bind:
                raise group.node.error(f"Einsum {name} is bound to no unit")
            seen.add(name)
        _check_loops(placement, group)
    missing = [name for name in einsums if name not in seen]
    if missing:
        raise placement.plan.document.error(f"groups: Einsum {missing[0]} is in no group")


def _check_loops(placement: Placement, group: Group) -> None:
    for name in (*group.at, *group.exposed, *group.latency):
        if name not in group.einsums:
            raise _unknown(group.node, "at, exposed, latency", "Einsum", name, group.einsums)
    for name in group.einsums:
        inside = {part for c in placement.einsum(name).coordinates for part, _ in placement.digits[c]}
        for loop in group.loops_of(name):
            if loop not in placement.owner:
                raise _unknown(group.node, "loops", "loop", loop, placement.owner)
            if name in group.at and loop not in inside:
                raise group.node.error(f"at.{name}: {name} has no rank {loop}")
    for unit, tasks in group.order.items():
        mine = [e for e in group.einsums if placement.plan.bind[e] == unit]
        for task in tasks:
            if task.partition("+")[0] not in mine:
                raise _unknown(group.node, f"order.{unit}", "Einsum of that unit", task, mine)
    for where, table in (("exposed", group.exposed), ("latency", group.latency)):
        for name, latency in table.items():
            known = placement.unit(name).latency
            if latency not in known:
                raise _unknown(group.node, f"{where}.{name}", "latency", latency, known)


def _unknown(node: Node, where: str, noun: str, name: str, known: Iterable[str]) -> AccelsimError:
    place = f"{where}: " if where else ""
    return node.error(f'{place}unknown {noun} "{name}"{nearest(name, known)}')
