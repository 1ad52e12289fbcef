"""Tables of integers that a workload gives: listed, read from a trace, drawn from a seed, or a ramp over the entries.

A table under `maps:` is read by an index (`kept(l)`). A table under `statistics:` says how many coordinates a rank of
data-dependent size has, or what an index tensor holds, wherever points are counted and no data is there to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from hashlib import blake2b
from math import prod
from pathlib import Path

from accelsim.einsum.cascade import Shapes
from accelsim.errors import AccelsimError, nearest
from accelsim.workload.params import evaluate_parameter
from accelsim.workload.trace import column, read_trace
from accelsim.yamlfile import Node

KINDS = ("values", "trace", "uniform", "chance", "ramp", "share")
LONGEST = 1 << 20
Values = Mapping[str, int]
Tables = Mapping[str, tuple[int, ...]]


def read_maps(nodes: Mapping[str, Node], params: Values) -> dict[str, tuple[int, ...]]:
    """The tables under `maps:`; a `share` is of a table above it.

    Raises:
        AccelsimError: a table of none or of several kinds, a length that is not positive, a trace that is malformed.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, node in nodes.items():
        if isinstance(node.value, tuple):
            found[name] = tuple(item.integer() for item in node.sequence())
        else:
            found[name] = _table(name, node, params, found, None)
    return found


def with_statistics(shapes: Shapes, nodes: Mapping[str, Node], params: Values) -> Shapes:
    """A cascade with sizes, described by `statistics:`; see `Shapes`.

    Raises:
        AccelsimError: as `read_maps`; a name that is neither an index tensor of the cascade nor a rank of
            data-dependent size, a rank that does not count its entries, or more than a rank may have.
    """
    cascade, found = shapes.cascade, dict[str, tuple[tuple[str, ...], tuple[int, ...]]]()
    for name, node in nodes.items():
        if name in cascade.tensors or name in cascade.upto:
            if name in cascade.maps:
                raise node.error(f"a map has the name {name}, too")
            found[name] = _statistic(name, node, shapes, params)
        else:
            known = nearest(name, [*cascade.tensors, *cascade.upto])
            raise AccelsimError(f'{node.path}: no tensor and no rank of data-dependent size "{name}"{known}', node.mark)
    maps = {**cascade.maps, **{name: table for name, (_, table) in found.items()}}
    statistics = {name: by for name, (by, _) in found.items()}
    return replace(shapes, cascade=replace(cascade, maps=maps), statistics=statistics)


def _statistic(name: str, node: Node, shapes: Shapes, params: Values) -> tuple[tuple[str, ...], tuple[int, ...]]:
    fields = node.mapping()
    if "by" not in fields:
        raise node.error('missing key "by"')
    ranks, along = fields["by"].names(), fields["along"].name() if "along" in fields else None
    for rank in (*ranks, *([along] if along else [])):
        others = tuple(rank for rank in shapes.sizes if rank != name)
        known = shapes.cascade.tensors.get(name, others)
        if rank not in known:
            raise AccelsimError(f'{node.path}: {name} has no rank "{rank}"{nearest(rank, known)}', node.mark)
    size = prod(shapes.sizes[rank] for rank in ranks)
    plain = replace(node, value={key: value for key, value in fields.items() if key not in ("by", "along")})
    table = _table(name, plain, params, shapes.cascade.maps, size)
    if len(table) != size:
        raise node.error(f"{' x '.join(ranks)} has {size} entries, the table {len(table)}")
    counted = along or (name if name in shapes.cascade.upto else None)
    if counted and not 0 <= min(table) <= max(table) <= shapes.sizes[counted]:
        wrong = min(table) if min(table) < 0 else max(table)
        raise node.error(f"rank {counted} has 0 to {shapes.sizes[counted]} coordinates, not {wrong}")
    if along is None:
        return ranks, table
    if name in shapes.cascade.upto:
        raise node.error("along belongs to a tensor, whose first entries along that rank are 1")
    return (*ranks, along), tuple(int(at < n) for n in table for at in range(shapes.sizes[along]))


def _table(name: str, node: Node, params: Values, above: Tables, length: int | None) -> tuple[int, ...]:
    kinds = [key for key in node.mapping() if key in KINDS]
    if len(kinds) != 1:
        raise node.error(f"a table is one of {', '.join(KINDS)}, got {', '.join(kinds) or 'none of them'}")
    (kind,) = kinds
    if kind == "trace":
        return _traced(node.fields(("trace", "column"), ("most",)), params)
    if kind == "values":
        return tuple(evaluate_parameter(item, params) for item in node.fields(("values",))["values"].sequence())
    if kind == "share":
        return _shared(node.fields(("share",))["share"], params, above)
    fields = node.fields((kind,), ("seed", "length", "times"))
    times = _number(fields["times"], params, least=1) if "times" in fields else 1
    size = length if "length" not in fields else evaluate_parameter(fields["length"], params)
    if size is None or not 0 < size * times <= LONGEST:
        raise node.error(f"length must be from 1 to {LONGEST}, got {'nothing' if size is None else size * times}")
    entries = _ramp(fields["ramp"], size, params) if kind == "ramp" else _drawn(name, kind, fields, size, params)
    return entries * times


def _traced(fields: Mapping[str, Node], params: Values) -> tuple[int, ...]:
    """A column of a trace."""
    most = fields.get("most")
    limits = () if most is None else most.sequence() if isinstance(most.value, tuple) else (most,)
    names = [limit.string() for limit in limits]
    return column(read_trace(trace_path(fields["trace"])), fields["column"].string(), names, params)


def trace_path(node: Node) -> Path:
    """The file that a `trace:` names, relative to the file that it stands in. Raises AccelsimError for no such file."""
    path = Path(node.mark.source).parent / node.string()
    if not path.is_file():
        raise node.error(f'there is no trace "{path}"')
    return path


def _shared(node: Node, params: Values, above: Tables) -> tuple[int, ...]:
    """`part` of `per` of each entry of another table, rounded down."""
    fields = node.fields(("of", "part", "per"))
    of = fields["of"].name()
    if of not in above:
        raise fields["of"].error(f'no table "{of}" above this one{nearest(of, above)}')
    part, per = _number(fields["part"], params), _number(fields["per"], params, least=1)
    return tuple(entry * part // per for entry in above[of])


def _ramp(node: Node, length: int, params: Values) -> tuple[int, ...]:
    """`whole` for the first `flat` entries, then less by a share that runs from `first` to `last` of `per`."""
    fields = node.fields(("whole", "flat", "first", "last", "per"))
    whole, flat, first, last = (_number(fields[key], params) for key in ("whole", "flat", "first", "last"))
    per, steps = _number(fields["per"], params, least=1), max(length - flat - 1, 1)
    if max(first, last) > per:
        raise node.error(f"first and last are parts of {per}, got {first} and {last}")
    removed = [first + Fraction((last - first) * at, steps) for at in range(max(length - flat, 0))]
    return (whole,) * min(flat, length) + tuple(int(whole * (per - part) / per) for part in removed)


def _drawn(name: str, kind: str, fields: Mapping[str, Node], length: int, params: Values) -> tuple[int, ...]:
    """Draws that belong to their entry: the same for the same seed and name, however many others there are."""
    if "seed" not in fields:
        raise fields[kind].error('missing key "seed"')
    seed = fields["seed"].integer()
    draws = [_unit(f"{seed}/{name}/{at}") for at in range(length)]
    if kind == "chance":
        chance = fields["chance"].number()
        if not 0 <= chance <= 1:
            raise fields["chance"].expected("from 0 to 1")
        return tuple(int(draw < chance) for draw in draws)
    ends = [evaluate_parameter(item, params) for item in fields["uniform"].sequence()]
    if len(ends) != 2 or not 0 <= ends[0] <= ends[1]:
        raise fields["uniform"].expected("a least and a greatest number")
    return tuple(ends[0] + int(draw * (ends[1] - ends[0] + 1)) for draw in draws)


def _unit(text: str) -> Fraction:
    """A number from 0 to 1, without the 1, that a text stands for."""
    return Fraction(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"), 1 << 64)


def _number(node: Node, params: Values, least: int = 0) -> int:
    value = evaluate_parameter(node, params)
    if value < least:
        raise node.error(f"must be at least {least}, got {value}")
    return value
