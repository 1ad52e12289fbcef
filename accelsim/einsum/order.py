"""The order of evaluation: which lines depend on each other, and along which rank they may (recurrences)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from accelsim.einsum.affine import Affine
from accelsim.einsum.ast import Access, Coordinate, Size
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.graph import strongly_connected
from accelsim.einsum.left import Tensors, left_side
from accelsim.einsum.linear import guards, linear
from accelsim.einsum.walk import reads
from accelsim.errors import AccelsimError

RULE = (
    "a recurrence must follow one rank along which no dependency is later and every circle has one that is earlier "
    "(write at r+1, read at i-1, or guard with j < i)"
)


@dataclass(frozen=True)
class Order:
    """Indices of lines, grouped into components in a valid order; for each the coordinate along which it recurs."""

    components: tuple[tuple[int, ...], ...]
    iterative: tuple[str | None, ...]


@dataclass(frozen=True)
class _Link:
    """A read inside a component: line `reader` reads what line `writer` writes; `forms` are >= 0 where it happens."""

    reader: int
    writer: int
    access: Access
    forms: tuple[Affine, ...]


def order(einsums: tuple[Einsum, ...], tensors: Tensors) -> Order:
    """The components of a cascade in dependency order, and inside a component an order for one step of its recurrence.

    Raises:
        AccelsimError: lines that depend on each other in a way that is no recurrence, or one that is never started.
    """
    writers = _writers(einsums)
    needs = [_needs(line, writers, einsums) for line in einsums]
    components, iterative = list[tuple[int, ...]](), list[str | None]()
    for members in strongly_connected(len(einsums), needs.__getitem__):
        recurs = len(members) > 1 or members[0] in needs[members[0]]
        rank, inner = _recurrence(members, einsums, tensors, writers) if recurs else (None, members)
        components.append(inner)
        iterative.append(rank)
    return Order(tuple(components), tuple(iterative))


def _writers(einsums: tuple[Einsum, ...]) -> dict[str, list[int]]:
    """The lines that write each tensor, its start first."""
    found: dict[str, list[int]] = {}
    for position, line in enumerate(einsums):
        lines = found.setdefault(line.tensor, [])
        lines.insert(0 if line.name != line.tensor else len(lines), position)
    return found


def _needs(line: Einsum, writers: dict[str, list[int]], einsums: tuple[Einsum, ...]) -> list[int]:
    """The lines that must come before a line: those that write what it reads, and its own start."""
    start = [i for i in writers[line.tensor] if einsums[i].name != line.tensor and line.name == line.tensor]
    found = [i for access in line.reads for i in writers.get(access.tensor, ())]
    return list(dict.fromkeys(start + found))


def _recurrence(
    members: tuple[int, ...], einsums: tuple[Einsum, ...], tensors: Tensors, writers: dict[str, list[int]]
) -> tuple[str, tuple[int, ...]]:
    """The rank along which a component recurs, and the order of its lines in one step."""
    inside = frozenset(members)
    links = [link for reader in members for link in _links(reader, einsums, writers) if link.writer in inside]
    lefts = [left_side(einsums[i].target) for i in members]
    for rank in lefts[0].dims:
        if isinstance(rank, str) and all(rank in left.dims for left in lefts):
            inner = _step(members, [(link.reader, link.writer, _lag(link, rank, tensors)) for link in links])
            if inner:
                _check_started(inner, rank, einsums, tensors, writers)
                return rank, inner
    names = list(dict.fromkeys(einsums[i].tensor for i in members))
    subject = "depends on itself" if len(names) == 1 else "depend on each other"
    raise AccelsimError(f"{', '.join(names)} {subject}: {RULE}", einsums[members[0]].mark)


def _links(reader: int, einsums: tuple[Einsum, ...], writers: dict[str, list[int]]) -> Iterator[_Link]:
    """The dependencies of a line; the guards of `where` hold for what is read at present points only."""
    line = einsums[reader]
    inside = [(access, guards(line.where, {})) for access in reads(line.expr)]
    outside = [(access, ()) for access in reads(*line.target.indices, line.where, line.otherwise)]
    for access, forms in [*inside, *outside]:
        for writer in writers.get(access.tensor, ()):
            yield _Link(reader, writer, access, forms)
    for writer in writers[line.tensor]:
        if writer != reader and line.name == line.tensor:
            yield _Link(reader, writer, line.target, ())


def _lag(link: _Link, rank: str, tensors: Tensors) -> int | None:
    """The greatest difference between the step that writes and the step that reads; None: it may be anything."""
    tensor = link.access.tensor
    index = link.access.indices[tensors.coordinates[tensor].index(rank)]
    ahead = _at_most(linear(index.expr, {}) - linear(Coordinate(rank), {}), link.forms)
    if ahead is None or index.edge == "wrap":
        return None
    return (max(ahead, 0) if index.edge == "clamp" else ahead) - (tensors.generative.get(tensor) == rank)


def _at_most(form: Affine, forms: tuple[Affine, ...]) -> int | None:
    """An upper bound of `form`, given that coordinates, sizes and `forms` are not negative."""
    sums = [form, *(form + guard for guard in forms)]
    return min(
        (s.constant for s in sums if all(c < 0 and isinstance(a, Coordinate | Size) for a, c in s.terms)), default=None
    )


def _step(members: tuple[int, ...], lags: list[tuple[int, int, int | None]]) -> tuple[int, ...]:
    """The lines in an order for one step; nothing where a dependency is later, or goes in a circle inside a step."""
    if any(lag is None or lag > 0 for _, _, lag in lags):
        return ()
    place = {member: position for position, member in enumerate(members)}
    same: list[list[int]] = [[] for _ in members]
    for reader, writer, lag in lags:
        if lag == 0:
            same[place[reader]].append(place[writer])
    groups = strongly_connected(len(members), same.__getitem__)
    if any(len(group) > 1 or group[0] in same[group[0]] for group in groups):
        return ()
    return tuple(members[group[0]] for group in groups)


def _check_started(
    members: tuple[int, ...], rank: str, einsums: tuple[Einsum, ...], tensors: Tensors, writers: dict[str, list[int]]
) -> None:
    for line in (einsums[i] for i in members):
        needed = tensors.generative.get(line.tensor) == rank and line.otherwise is None
        if needed and len(writers[line.tensor]) == 1:
            dims = ",".join("0" if dim == rank else dim for dim in tensors.coordinates[line.tensor])
            raise AccelsimError(f"{line.tensor} is never started: {line.tensor}[{dims}] = .. is missing", line.mark)
