"""The names in a mapping: every unit, Einsum, level, tensor, loop and rank that it says must exist where it says it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table

from accelsim.arch import Arch
from accelsim.einsum.cascade import Einsum
from accelsim.mapping.bind import Placement, is_start, unknown
from accelsim.mapping.model import OUTSIDE, Group, Keep, Plan
from accelsim.workload import Step
from accelsim.yamlfile import Node


def check_einsums(plan: Plan, arch: Arch, step: Step) -> None:
    """Every Einsum in one group and on one unit.

    Raises:
        AccelsimError: an unknown unit or Einsum, an Einsum that is not in exactly one group or not bound.
    """
    einsums = [e.name for e in step.shapes.cascade.einsums if not is_start(e)]
    for einsum, unit in plan.bind.items():
        if unit not in arch.units:
            raise unknown(plan.document, "bind", "unit", unit, arch.units)
        if einsum not in einsums:
            raise unknown(plan.document, f"bind.{unit}", "Einsum", einsum, einsums)
    seen: set[str] = set()
    for group in plan.groups:
        for name in group.einsums:
            if name not in einsums:
                raise unknown(group.node, "einsums", "Einsum", name, einsums)
            if name in seen:
                raise group.node.error(f"Einsum {name} is in two groups")
            if name not in plan.bind:
                raise group.node.error(f"Einsum {name} is bound to no unit")
            seen.add(name)
    missing = [name for name in einsums if name not in seen]
    if missing:
        raise plan.document.error(f"groups: Einsum {missing[0]} is in no group")


def check_names(placement: Placement) -> None:
    """Everything else that a mapping names, what it says of a group looked up among the parts of that group.

    Raises:
        AccelsimError: an unknown unit, dimension, Einsum, rank, loop, level, tensor or latency, or a part that belongs
            to two coordinates of a group.
    """
    einsums = {e.name: e for e in placement.einsums}
    _check_spatial(placement, einsums)
    _check_kept(placement)
    _check_routes(placement, einsums)
    for group in placement.plan.groups:
        _check_group(placement.within(group), group)


def _check_spatial(placement: Placement, einsums: Table[str, Einsum]) -> None:
    plan, arch = placement.plan, placement.arch
    for name, dims in plan.spatial.items():
        if name not in einsums and name not in arch.units:
            raise unknown(plan.document, f"spatial.{name}", "unit or Einsum", name, {**einsums, **arch.units})
        unit = placement.unit(name) if name in einsums else arch.units[name]
        known = _parts(placement, [g for g in plan.groups if name in g.einsums or name not in einsums])
        for dim, ranks in dims.items():
            if dim not in unit.dims:
                raise plan.document.error(f"spatial.{name}: unit {unit.name} has no {dim}")
            for rank in ranks:
                if rank not in known:
                    raise unknown(plan.document, f"spatial.{name}.{dim}", "rank", rank, known)


def _parts(placement: Placement, groups: Iterable[Group]) -> dict[str, None]:
    """The parts of coordinates that any of some groups has."""
    return dict.fromkeys(part for group in groups for part in placement.within(group).owner)


def _check_kept(placement: Placement) -> None:
    plan = placement.plan
    _check_keep(placement, plan.document, plan.keep, _parts(placement, plan.groups))
    for group in plan.groups:
        _check_keep(placement, group.node, group.keep, placement.within(group).owner)


def _check_keep(placement: Placement, node: Node, kept: Table[str, Keep], loops: Iterable[str]) -> None:
    arch, tensors = placement.arch, placement.step.shapes.cascade.tensors
    for level, keep in kept.items():
        if arch.level(level) in (None, arch.off_chip):
            raise unknown(node, f"keep.{level}", "level", level, [v.name for v in arch.levels[1:]])
        for tensor, how in keep.tensors.items():
            if tensor not in tensors:
                raise unknown(how.node, "", "tensor", tensor, tensors)
            if how.at not in (*loops, OUTSIDE):
                raise unknown(how.node, "at", "loop", how.at, [*loops, OUTSIDE])


def _check_routes(placement: Placement, einsums: Table[str, Einsum]) -> None:
    plan, arch, tensors = placement.plan, placement.arch, placement.step.shapes.cascade.tensors
    for tensor, einsum in sorted(plan.forward):
        if tensor not in tensors:
            raise unknown(plan.document, "forward", "tensor", tensor, tensors)
        if einsum not in einsums:
            raise unknown(plan.document, "forward", "Einsum", einsum, einsums)
    for tensor, level in plan.home.items():
        if tensor not in tensors:
            raise unknown(plan.document, "home", "tensor", tensor, tensors)
        if level != arch.off_chip.name:
            raise plan.document.error(f"home.{tensor}: must be {arch.off_chip.name}, the outermost level, got {level}")


def _check_group(placement: Placement, group: Group) -> None:
    """What a group says, against the placement as it sees it."""
    for name in (*group.at, *group.exposed, *group.latency):
        if name not in group.einsums:
            raise unknown(group.node, "at, exposed, latency", "Einsum", name, group.einsums)
    for name in group.einsums:
        inside = {part for c in placement.einsum(name).coordinates for part, _ in placement.digits[c]}
        for loop in group.loops_of(name):
            if loop not in placement.owner:
                raise unknown(group.node, "loops", "loop", loop, placement.owner)
            if name in group.at and loop not in inside:
                raise group.node.error(f"at.{name}: {name} has no rank {loop}")
    _check_together(placement, group)
    for unit, tasks in group.order.items():
        mine = list(dict.fromkeys(group.task_of(e) for e in group.einsums if placement.plan.bind[e] == unit))
        for task in tasks:
            if task.partition("+")[0] not in mine:
                raise unknown(group.node, f"order.{unit}", "Einsum of that unit", task, mine)
    for where, table in (("exposed", group.exposed), ("latency", group.latency)):
        for name, latency in table.items():
            known = placement.unit(name).latency
            if latency not in known:
                raise unknown(group.node, f"{where}.{name}", "latency", latency, known)


def _check_together(placement: Placement, group: Group) -> None:
    """Einsums that are one task: of this group, on one unit, each in one task, whose name is no other Einsum's."""
    taken: set[str] = set()
    for task, names in group.together.items():
        if not names or (task in group.einsums and task not in names):
            raise group.node.error(f"together.{task}: must name Einsums, and not be the name of another")
        for name in names:
            if name not in group.einsums:
                raise unknown(group.node, f"together.{task}", "Einsum", name, group.einsums)
            if name in taken:
                raise group.node.error(f"together: {name} is in two tasks")
            if placement.plan.bind[name] != placement.plan.bind[names[0]]:
                raise group.node.error(f"together.{task}: {names[0]} and {name} are bound to different units")
            taken.add(name)
