"""How many points a masked iteration space has, exactly: one coordinate is solved for, the others are enumerated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod

from accelsim.einsum.affine import Affine, Scope, bounds, conjuncts, mentioned, simplify
from accelsim.einsum.ast import And, Coordinate, IndexOp, Int, Lookup, MapCall, Predicate, Size
from accelsim.einsum.fold import DROP, KEEP, Fold
from accelsim.einsum.halfspaces import Axis, half_space_tree, solve
from accelsim.einsum.walk import walk
from accelsim.errors import AccelsimError

MAX_COMBINATIONS = 1 << 25
MAX_WORK = 1 << 30
MAX_VALUE = 1 << 62


def count_points(
    sizes: Mapping[str, int],
    coordinates: Sequence[str],
    predicate: Predicate | None,
    values: Mapping[str, int],
    maps: Mapping[str, tuple[int, ...]],
    folds: Mapping[str, Fold] | None = None,
) -> int:
    """The number of distinct tuples `fold(c) for c in coordinates` over the points where `predicate` holds.

    Args:
        sizes: extent of every coordinate, those of the predicate included.
        coordinates: what is counted; a coordinate of the predicate that is not among them is dropped.
        predicate: which points exist; None: all.
        values: what upper-case names in the predicate stand for.
        folds: how coordinates are collapsed; one without a fold is kept whole.

    Raises:
        AccelsimError: data-dependent predicates; more than 2**25 combinations that no coordinate can be solved from.

    >>> from accelsim.einsum.ast import Coordinate, Test
    >>> causal = Test("<=", Coordinate("m"), Coordinate("p"))
    >>> count_points({"m": 4, "p": 4, "b": 2}, ("b", "m", "p"), causal, {}, {})
    20
    """
    folds = folds or {}
    if predicate is None:
        return prod(folds.get(c, KEEP).count(sizes[c]) for c in coordinates)
    inside, named, mapped = _names(predicate)
    free = prod(folds.get(c, KEEP).count(sizes[c]) for c in coordinates if c not in inside)
    axes = tuple((c, sizes[c], folds.get(c, KEEP) if c in coordinates else DROP) for c in inside)
    numbers = tuple((name, values[name]) for name in named if name in values)
    return free * _masked(axes, predicate, numbers, tuple((name, tuple(maps[name])) for name in mapped))


Tables = tuple[tuple[str, tuple[int, ...]], ...]


@lru_cache(maxsize=1024)
def _names(predicate: Predicate) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Coordinates, sizes and maps that the predicate mentions."""
    found = list(walk(predicate))
    for node in found:
        if isinstance(node, Lookup):
            reason = f"a mask that depends on the data of {node.tensor}; statistics may say what it holds"
            raise AccelsimError(f"not supported yet: {reason}", node.mark)
    sizes = sorted({node.name for node in found if isinstance(node, Size)})
    maps = sorted({node.name for node in found if isinstance(node, MapCall)})
    return mentioned(predicate), tuple(sizes), tuple(maps)


@lru_cache(maxsize=8192)
def _masked(axes: tuple[Axis, ...], predicate: Predicate, values: tuple[tuple[str, int], ...], maps: Tables) -> int:
    scope = Scope(dict(values), {name: size for name, size, _ in axes}, dict(maps))
    simple = simplify(predicate, scope)
    if simple is False or any(size == 0 for _, size, _ in axes):
        return 0
    parts = sorted(conjuncts(simple), key=repr)  # the same mask in another order is looked up, not counted again
    used = set(mentioned(*parts))
    total = prod(fold.count(size) for name, size, fold in axes if name not in used)
    for group in _independent(parts):
        inside = set(mentioned(*group))
        total *= _joint(tuple(axis for axis in axes if axis[0] in inside), And(group), maps)
    return total


def _independent(parts: Sequence[Predicate]) -> list[tuple[Predicate, ...]]:
    """The parts of a conjunction, grouped so that no two groups share a coordinate."""
    groups: list[tuple[set[str], list[Predicate]]] = []
    for part in parts:
        names, members = set(mentioned(part)), [part]
        apart = []
        for other in groups:
            if other[0] & names:
                names, members = names | other[0], [*other[1], *members]
            else:
                apart.append(other)
        groups = [*apart, (names, members)]
    return [tuple(members) for _, members in groups]


@lru_cache(maxsize=8192)
def _joint(axes: tuple[Axis, ...], predicate: And, maps: Tables) -> int:
    from accelsim.einsum.enumeration import Problem, count_ranges

    scope = Scope({}, {name: size for name, size, _ in axes}, dict(maps))
    forms: list[Affine] = []
    tree = half_space_tree(predicate, scope, forms)
    solved, halves = solve(axes, forms, scope)
    others = tuple(axis for axis in axes if axis is not solved)
    combinations = prod(size for _, size, _ in others)
    if combinations > MAX_COMBINATIONS or combinations * len(halves) ** 2 > MAX_WORK:
        raise AccelsimError(
            f"a mask over {_listed(axes)} is counted by enumerating {_listed(others)}: "
            f"{combinations} combinations for {len(halves)} comparisons are too many"
        )
    places = prod(max(size, fold.places(size)) for _, size, fold in axes)
    if max(places, *(_magnitude(half.rest, scope) for half in halves)) >= MAX_VALUE:
        raise AccelsimError(f"a mask over {_listed(axes)} needs numbers beyond {MAX_VALUE}")
    return count_ranges(solved, others, Problem(tree, halves, scope.maps))


def _magnitude(form: Affine, scope: Scope) -> int:
    """A bound on every number that comes up when `form` is evaluated."""
    atoms = (
        node for atom, _ in form.terms for node in walk(atom) if isinstance(node, Coordinate | Int | IndexOp | MapCall)
    )
    inner = (abs(end) for node in atoms for end in bounds(node, scope))
    terms = (abs(c) * max(map(abs, bounds(atom, scope))) for atom, c in form.terms)
    return max(sum(terms, abs(form.constant)), *inner, 0)


def _listed(axes: Sequence[Axis]) -> str:
    return ", ".join(f"{name} ({size})" for name, size, _ in axes)
