"""A cascade with numbers: sizes of ranks and tensors, and the proof that every index stays inside its tensor."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.einsum.ast import Access, Coordinate, Index, IndexExpr, IndexOp, Int, Lookup, MapCall, Size, Test
from accelsim.einsum.bounds import Bounds, Space, is_looked_up
from accelsim.einsum.cascade import Cascade, Einsum, Shapes
from accelsim.einsum.text import render_index
from accelsim.einsum.walk import Item, walk
from accelsim.errors import AccelsimError, nearest

LARGEST = 1 << 62


def bind(cascade: Cascade, params: Mapping[str, int]) -> Shapes:
    """The cascade with the sizes that `params` give, in time linear in its text.

    Raises:
        AccelsimError: a parameter without a value, a size that is not positive, an index that can leave its tensor
            without `clamp`, `zero` or `wrap`, or a dimension read along a rank of another size.
    """
    sizes = rank_sizes(cascade, params)
    shapes = {name: _shape(cascade, name, sizes) for name in cascade.tensors}
    bound = Shapes(cascade, params, sizes, shapes)
    tables = {name: (min(table, default=0), max(table, default=0)) for name, table in cascade.maps.items()}
    space = Space(sizes, size_values(bound), cascade.splits, tables)
    for line in cascade.einsums:
        _check_line(line, bound, space)
    return bound


def integer_value(expr: IndexExpr, values: Mapping[str, int]) -> int:
    """The number that a size expression stands for.

    Args:
        values: upper-case names with their numbers.

    Raises:
        AccelsimError: a name without a value, a coordinate, a division by zero, a number of 2**62 or more.
    """
    match expr:
        case Int(value):
            return value
        case Size(name):
            if name not in values:
                raise AccelsimError(f'parameter "{name}" has no value{nearest(name, values)}')
            return values[name]
        case IndexOp(op, left, right):
            return _operated(expr, op, integer_value(left, values), integer_value(right, values))
    raise AccelsimError(f'a size is made of numbers and parameters only, got "{render_index(expr)}"')


def _operated(expr: IndexOp, op: str, left: int, right: int) -> int:
    if op in ("//", "%") and right == 0:
        raise AccelsimError(f'division by zero in "{render_index(expr)}"')
    if op in ("//", "%"):
        return left // right if op == "//" else left % right
    value = {"+": left + right, "-": left - right, "*": left * right}[op]
    if abs(value) >= LARGEST:
        raise AccelsimError(f'"{render_index(expr)}" is 2**62 or more')
    return value


def rank_sizes(cascade: Cascade, params: Mapping[str, int]) -> dict[str, int]:
    """The size of every coordinate; of a split the inner part has the step, the outer parent / step, rounded up."""
    sizes: dict[str, int] = {}
    for name in cascade.ranks:
        path = [name]
        while path:
            above = _above(cascade, path[-1])
            if above is None or above in sizes:
                top = path.pop()
                sizes[top] = _rank_size(cascade, top, sizes, params)
            else:
                path.append(above)
    return sizes


def _above(cascade: Cascade, name: str) -> str | None:
    """The coordinate whose size must be known first."""
    if name in cascade.like:
        return cascade.like[name]
    return cascade.splits[name].parent if name in cascade.splits else None


def _rank_size(cascade: Cascade, name: str, sizes: Mapping[str, int], params: Mapping[str, int]) -> int:
    expr = cascade.ranks[name]
    if name in cascade.like:
        return sizes[cascade.like[name]]
    if name in cascade.splits:
        split = cascade.splits[name]
        step = _positive(name, integer_value(split.step, params))
        return step if name == split.parts[1] else -(-sizes[split.parent] // step)
    if expr is None:
        raise AccelsimError(f"rank {name}: has no size")
    return _positive(name, integer_value(expr, params))


def _positive(name: str, size: int) -> int:
    if size <= 0:
        raise AccelsimError(f"rank {name}: size must be positive, got {size}")
    return size


def size_values(shapes: Shapes) -> dict[str, int]:
    """What upper-case names in brackets stand for: sizes of ranks, and parameters, which go first."""
    return {name.upper(): size for name, size in shapes.sizes.items()} | dict(shapes.params)


def _shape(cascade: Cascade, tensor: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    extra = cascade.generative.get(tensor)
    return tuple(sizes[name] + (name == extra) for name in cascade.tensors[tensor])


def _check_line(line: Einsum, shapes: Shapes, space: Space) -> None:
    """Check every index of a line; guards of `where` hold for what is read at present points only."""
    _check_inside(shapes, Bounds(space, line.where, line.mark), line.expr)
    _check_inside(shapes, Bounds(space, None, line.mark), line.target, line.where, line.otherwise)


def _check_inside(shapes: Shapes, bounds: Bounds, *items: Item | None) -> None:
    for item in walk(*items):
        if isinstance(item, Test):
            bounds.settle(item)
        elif isinstance(item, MapCall):
            _check_argument(shapes, item, bounds)
        elif isinstance(item, Access | Lookup):
            for dimension, index in enumerate(item.indices):
                _check_index(shapes, (item.tensor, dimension), index, bounds)


def _check_argument(shapes: Shapes, call: MapCall, bounds: Bounds) -> None:
    if is_looked_up(call.argument):
        return
    entries = len(shapes.cascade.maps[call.name])
    low, high = bounds.of(call.argument)
    if low < 0 or high >= entries:
        shown = f"{render_index(call.argument)} runs from {low} to {high}"
        raise AccelsimError(f"map {call.name} has entries 0 to {entries - 1}, but {shown}", call.mark)


def _check_index(shapes: Shapes, place: tuple[str, int], index: Index, bounds: Bounds) -> None:
    """Refuse an index that can leave its dimension; where a tensor is looked up, evaluation checks it."""
    if is_looked_up(index.expr):
        return
    tensor, dimension = place
    extent, rank = shapes.shapes[tensor][dimension], shapes.cascade.tensors[tensor][dimension]
    low, high = bounds.of(index.expr)
    if index.edge is None and (low < 0 or high >= extent):
        raise AccelsimError(
            f'index "{render_index(index.expr)}" of {tensor} runs from {low} to {high}, but {rank} from 0 to '
            f"{extent - 1}: say clamp, zero or wrap, or guard it with where",
            index.mark,
        )
    size = shapes.sizes[index.expr.name] if isinstance(index.expr, Coordinate) else extent
    if index.edge is None and size not in (shapes.sizes[rank], extent):
        raise AccelsimError(
            f'rank {rank} of {tensor} has size {shapes.sizes[rank]}, but "{render_index(index.expr)}" has size {size}',
            index.mark,
        )
