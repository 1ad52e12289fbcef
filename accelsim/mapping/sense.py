"""Mappings that name only what exists and yet make no sense are refused; what is seldom meant is put in words."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Table

from accelsim.einsum.cascade import Einsum
from accelsim.mapping.bind import Placement
from accelsim.mapping.model import Group, Kept


def check_sense(placement: Placement) -> None:
    """Refuse what cannot be run in any order or place.

    Raises:
        AccelsimError: a group that reads what a later one makes, a loop named twice, or kept tensors that overwrite
            each other in a circle.
    """
    _check_order(placement)
    for group in placement.plan.groups:
        _check_loops(group)
        for keep in placement.within(group).plan.keep.values():
            for tensor in keep.tensors:
                _check_overwriting(keep.tensors, tensor)


def doubts(placement: Placement) -> tuple[str, ...]:
    """What a mapping says that is allowed and seldom meant, in words for a reader of the result."""
    found = dict.fromkeys(
        doubt
        for group in placement.plan.groups
        for einsum in map(placement.einsum, group.einsums)
        for doubt in (
            *_doubts_of(placement.within(group), einsum, group.loops_of(einsum.name)),
            *_unspread(placement, group, einsum),
        )
    )
    return tuple(found)


def _doubts_of(placement: Placement, einsum: Einsum, loops: tuple[str, ...]) -> Iterator[str]:
    unit = placement.unit(einsum.name)
    for part, (dim, _) in placement.spread(einsum).items():
        if part in loops and placement.extent(part) > 1:
            yield (
                f"{einsum.name}: {part} is a loop and also spread over the {dim} of {unit.name}: its bytes are counted "
                "one iteration after the other, its cycles side by side"
            )
    said = placement.plan.spatial.get(einsum.name, placement.plan.spatial.get(unit.name, {}))
    twice = _repeated(tuple(rank for ranks in said.values() for rank in ranks))
    if twice:
        yield f"{einsum.name}: {twice} is spread over {unit.name} twice: only the diagonal of the array works"


def _unspread(placement: Placement, group: Group, einsum: Einsum) -> Iterator[str]:
    """Where other groups have the part that is spread over an array, and the Einsum's own group has none."""
    used = {dim for dim, _ in placement.within(group).spread(einsum).values()}
    for view in dict.fromkeys([placement, *map(placement.within, placement.plan.groups)]):
        for part, (dim, _) in view.spread(einsum).items():
            if dim not in used:
                unit = placement.unit(einsum.name).name
                yield (
                    f"{einsum.name}: group {group.name} has no part {part}: nothing is spread over the {dim} of {unit}"
                )


def _check_order(placement: Placement) -> None:
    """Groups run one after the other: what a group reads, none after it may make."""
    groups = placement.plan.groups
    made_in = {placement.einsum(name).tensor: at for at, group in enumerate(groups) for name in group.einsums}
    for at, group in enumerate(groups):
        for einsum in map(placement.einsum, group.einsums):
            for tensor in (access.tensor for access in einsum.reads):
                if made_in.get(tensor, at) > at:
                    later = groups[made_in[tensor]].name
                    raise group.node.error(f"{einsum.name} reads {tensor}, which the later group {later} makes")


def _check_loops(group: Group) -> None:
    for einsum in group.einsums:
        twice = _repeated(group.loops_of(einsum))
        if twice:
            raise group.node.error(f"loops of {einsum}: {twice} is named twice")


def _check_overwriting(kept: Table[str, Kept], tensor: str) -> None:
    seen = [tensor]
    while (following := kept[seen[-1]].overwrites) is not None and following in kept and following not in seen:
        seen.append(following)
    if following == tensor:
        raise kept[tensor].node.error(f"overwrites: leads back to itself: {' -> '.join([*seen, tensor])}")


def _repeated(names: tuple[str, ...]) -> str | None:
    """The first name that stands twice."""
    return next((name for at, name in enumerate(names) if name in names[:at]), None)
