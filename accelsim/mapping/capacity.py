"""What kept tensors occupy: tile bytes, the capacity check, and `fit`, the largest tile that passes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import isqrt, prod

from accelsim.einsum.ast import IndexExpr
from accelsim.errors import AccelsimError, nearest
from accelsim.mapping.bind import Digits, Fit, Placement
from accelsim.mapping.extent import tile_elements
from accelsim.mapping.lifetime import accesses, alive, loops_to
from accelsim.mapping.model import Group, Kept

MOST_TILES = 1 << 40


def kept_bytes(placement: Placement, group: Group, tensor: str, kept: Kept) -> Fraction:
    """Bytes that a kept tensor occupies during a group: copies x its largest tile, times the fraction kept.

    Of a tensor that is touched at several places all their tiles are held, never more than the whole of it.
    """
    shapes = placement.step.shapes
    state = shapes.cascade.generative.get(tensor)
    dims = [at for at, name in enumerate(shapes.cascade.tensors[tensor]) if name != state]
    largest: dict[tuple[IndexExpr, ...], int] = {}
    for name in group.einsums:
        loops = loops_to(group, name, kept.at)
        einsum = placement.einsum(name)
        for access in accesses(einsum, tensor) if loops is not None else ():
            place = tuple(access.indices[at].expr for at in dims)
            largest[place] = max(largest.get(place, 0), tile_elements(placement, einsum, access, loops or ()))
    held = min(sum(largest.values()), prod(shapes.shapes[tensor][at] for at in dims))
    return kept.copies * kept.fraction * held * placement.step.types[tensor].bytes


def occupied(placement: Placement, level: str, group: Group) -> dict[str, Fraction]:
    """Tensor to the bytes that it occupies at a level during a group; what the group does not touch is left out."""
    kept = placement.plan.keep[level].tensors
    found = {tensor: kept_bytes(placement, group, tensor, how) for tensor, how in kept.items()}
    for tensor, how in kept.items():
        if how.overwrites is not None:
            if how.overwrites not in kept:
                raise how.node.error(
                    f'overwrites: nothing is kept as "{how.overwrites}"{nearest(how.overwrites, kept)}'
                )
            found[tensor] = max(Fraction(0), found[tensor] - found[how.overwrites])
    return {tensor: size for tensor, size in found.items() if size}


def fullest(placement: Placement, level: str, group: Group) -> dict[str, Fraction]:
    """What a level holds when it holds most during a group: tensor to bytes."""
    found, kept = occupied(placement, level, group), placement.plan.keep[level].tensors
    spans = {tensor: alive(placement, group, tensor, kept[tensor].at) for tensor in found}
    moments = [{t: size for t, size in found.items() if place in spans[t]} for place in range(len(group.einsums))]
    return max(moments, key=lambda moment: sum(moment.values()))


def limit_bytes(placement: Placement, level: str) -> Fraction | None:
    """What a level's kept tensors may occupy: the mapping's limit, never more than the capacity."""
    limits = (placement.plan.keep[level].limit_bytes, _capacity(placement, level))
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _capacity(placement: Placement, level: str) -> Fraction | None:
    found = placement.arch.level(level)
    return found.capacity_bytes if found else None


def excess(
    placement: Placement, level: str, groups: Iterable[Group]
) -> tuple[Group, dict[str, Fraction], Fraction] | None:
    """The first of some groups whose kept tensors exceed the level's limit, with what they occupy and the limit."""
    for group, view in _keeping(placement, level, groups):
        limit, found = limit_bytes(view, level), fullest(view, level, group)
        if limit is not None and sum(found.values()) > limit:
            return group, found, limit
    return None


def _keeping(placement: Placement, level: str, groups: Iterable[Group]) -> Iterator[tuple[Group, Placement]]:
    """The groups for which something is kept at a level, with the placement as each sees it."""
    for group in groups:
        view = placement.within(group)
        if level in view.plan.keep:
            yield group, view


def check_capacity(placement: Placement) -> None:
    """Refuse a mapping whose kept tensors do not fit, with their bytes, or are kept at a loop that nothing runs in."""
    plan = placement.plan
    for said, groups in ((plan.keep, plan.groups), *((group.keep, (group,)) for group in plan.groups)):
        for keep in said.values():
            for tensor, kept in keep.tensors.items():
                whole = replace(kept, fraction=Fraction(1))
                if not any(kept_bytes(placement.within(group), group, tensor, whole) for group in groups):
                    raise kept.node.error(f"at: no Einsum that touches {tensor} runs in a loop {kept.at}")
    for level in placement.arch.levels:
        over = excess(placement, level.name, plan.groups)
        if over:
            raise plan.document.error(_shortfall(level.name, *over))


def check_reservations(placement: Placement, group: Group) -> None:
    """Refuse a group that fits only because its Einsums take turns: what runs in time reserves every tile's place.

    Args:
        placement: as the group sees it.
    """
    for level in placement.plan.keep:
        limit, found = limit_bytes(placement, level), occupied(placement, level, group)
        if limit is not None and sum(found.values()) > limit:
            needs = _shortfall(level, group, found, limit)
            raise group.node.error(f"at depth cycle each tensor has a place of its own: {needs}")


def _shortfall(level: str, group: Group, found: dict[str, Fraction], limit: Fraction) -> str:
    listed = ", ".join(f"{tensor} {_bytes(size)}" for tensor, size in found.items())
    total = sum(found.values(), Fraction(0))
    need = f"need {_bytes(total)} bytes, the limit is {_bytes(limit)}"
    return f"keep.{level}: tensors of group {group.name} {need}: {listed}"


def _bytes(size: Fraction) -> str:
    return str(size.numerator) if size.denominator == 1 else f"{float(size):.1f}"


def fitted(placement: Placement, fit: Fit) -> Placement:
    """The placement with the largest divisor for `fit(level)` that passes the level's limit.

    Raises:
        AccelsimError: not even a tile of 1 fits; what it would need is printed.
    """
    tile, groups = fit.tile, (fit.group,) if fit.group else placement.plan.groups
    if not any(_keeping(placement, tile.of, groups)):
        raise tile.node.error(f"fit({tile.of}): nothing is kept at {tile.of}")
    digits = placement.own[fit.group.einsums] if fit.group else placement.digits
    span = digits[fit.rank][fit.position][1]
    tiles = -(-_size(placement, fit.rank) // span)
    if tiles > MOST_TILES:
        raise tile.node.error(f"{fit.rank} has {tiles} tiles of {span}; {MOST_TILES} are the most that can be tried")
    for divisor in sorted(_divisors(tiles), reverse=True):
        candidate = _with_tile(placement, fit, divisor)
        if excess(candidate, tile.of, groups) is None:
            return candidate
    over = excess(placement, tile.of, groups)
    needed = _shortfall(tile.of, *over) if over else ""
    raise AccelsimError(f"{tile.node.path}: no tile fits: {needed}", tile.node.mark)


def _with_tile(placement: Placement, fit: Fit, size: int) -> Placement:
    """The placement with one part of a rank `size` times what it spans now: everything outside it grows."""
    if fit.group is None:
        return replace(placement, digits=_grown(placement.digits, fit, size))
    key = fit.group.einsums
    return replace(placement, own={**placement.own, key: _grown(placement.own[key], fit, size)})


def _grown(digits: Digits, fit: Fit, size: int) -> Digits:
    parts = enumerate(digits[fit.rank])
    return {**digits, fit.rank: tuple((p, span * size if i < fit.position else span) for i, (p, span) in parts)}


def _size(placement: Placement, rank: str) -> int:
    return placement.step.shapes.sizes[rank]


def _divisors(number: int) -> set[int]:
    small = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    return {*small, *(number // d for d in small)}
