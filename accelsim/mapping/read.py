"""The parts of a mapping document: each function reads one key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from accelsim.einsum.parse import parse_index
from accelsim.errors import AccelsimError, nearest
from accelsim.mapping.model import OVERLAPS, POLICIES, Case, Group, Keep, Kept, Plan, Policy, Tile
from accelsim.overrides import apply_set
from accelsim.yamlfile import Node

HEAD = ("schema", "name", "for", "groups", "bind")
BODY = ("description", "source", "split", "spatial", "forward", "home", "keep", "counts", "cases")
GROUP = ("name", "split", "keep", "at", "overlap", "phases", "exposed", "latency", "in_flight", "order", "together")
CALL = re.compile(r"fit\s*\(\s*([A-Za-z0-9_-]+)\s*\)")
TEST = re.compile(r"(<=|<|==|!=|>=|>)\s*(\d+)")
ARROW = re.compile(r"\s*(\w+)\s*->\s*(\w+)\s*")


def read_plan(document: Node, case: Case | None = None) -> Plan:
    """The plan of a mapping document, with the changes of a case applied.

    Raises:
        AccelsimError: an unknown key, or a value of another kind than it must be, with its place.
    """
    for path, value in case.changes.mapping().items() if case else ():
        document = apply_set(document, path, value, create=True)
    entries = document.fields(HEAD, BODY)
    return Plan(
        splits=_splits(entries),
        groups=tuple(_group(node, at) for at, node in enumerate(entries["groups"].sequence(), 1)),
        spatial={
            name: {dim: _ranks(ranks) for dim, ranks in node.fields((), ("rows", "cols", "lanes")).items()}
            for name, node in _table(entries, "spatial").items()
        },
        bind=_binding(entries["bind"]),
        forward=frozenset(_arrow(node) for node in (entries["forward"].sequence() if "forward" in entries else ())),
        home={tensor: node.name() for tensor, node in _table(entries, "home").items()},
        keep=_keeps(entries),
        counts={name: dict(node.mapping()) for name, node in _table(entries, "counts").items()},
        document=document,
    )


def read_cases(document: Node) -> tuple[Case, ...]:
    cases = document.mapping().get("cases")
    return tuple(_case(node) for node in cases.sequence()) if cases else ()


def _table(entries: Mapping[str, Node], key: str) -> dict[str, Node]:
    return entries[key].mapping() if key in entries else {}


def _case(node: Node) -> Case:
    entries = node.fields(("when", "set"))
    return Case(tuple(_test(name, test) for name, test in entries["when"].mapping().items()), entries["set"])


def _test(name: str, node: Node) -> tuple[str, str, int]:
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return name, "==", node.value
    match = TEST.fullmatch(node.string().strip())
    if not match:
        raise node.expected('a size or a test such as "<= 4096"')
    return name, match[1], int(match[2])


def _ranks(node: Node) -> tuple[str, ...]:
    return node.names() if isinstance(node.value, tuple) else (node.name(),)


def _splits(entries: Mapping[str, Node]) -> dict[str, tuple[tuple[str, Tile], ...]]:
    return {rank: _split(node) for rank, node in _table(entries, "split").items()}


def _split(node: Node) -> tuple[tuple[str, Tile], ...]:
    parts = tuple((part, _tile(tile)) for part, tile in node.mapping().items())
    kinds = [tile.kind for _, tile in parts]
    if not parts or kinds[1:].count("rest") or kinds[0] != "rest":
        raise node.error("the outermost part of a split, and no other, must be `rest`")
    if kinds.count("fit") > 1:
        raise node.error("at most one part of a split can be `fit(level)`")
    return parts


def _tile(node: Node) -> Tile:
    text = node.string().strip()
    if text == "rest":
        return Tile("rest", "", None, node)
    match = CALL.fullmatch(text)
    if match:
        return Tile("fit", match[1], None, node)
    return Tile("size", "", parse_index(node), node)


def _group(node: Node, number: int) -> Group:
    entries = node.fields(("loops", "einsums"), GROUP)
    einsums = entries["einsums"].names()
    overlap = entries["overlap"].string() if "overlap" in entries else "pipeline"
    phases = tuple(phase.names() for phase in entries["phases"].sequence()) if "phases" in entries else ()
    for known in OVERLAPS:
        if overlap == known:
            _check_phases(node, einsums, overlap, phases)
            return Group(
                name=entries["name"].name() if "name" in entries else f"group{number}",
                loops=entries["loops"].names(),
                einsums=einsums,
                splits=_splits(entries),
                keep=_keeps(entries),
                at={e: loops.names() for e, loops in _table(entries, "at").items()},
                overlap=known,
                phases=phases,
                exposed={e: latency.name() for e, latency in _table(entries, "exposed").items()},
                latency={e: latency.name() for e, latency in _table(entries, "latency").items()},
                in_flight=entries["in_flight"].positive_integer() if "in_flight" in entries else None,
                policy=_policy(entries.get("order")),
                order=_order(entries.get("order")),
                together={task: names.names() for task, names in _table(entries, "together").items()},
                node=node,
            )
    raise entries["overlap"].error(f'unknown overlap "{overlap}"{nearest(overlap, OVERLAPS)}')


def _policy(node: Node | None) -> Policy | None:
    """How tasks are issued: lists make it `static`, a word says it, nothing (or null) leaves it open."""
    if node is None or node.value is None:
        return None
    if isinstance(node.value, dict):
        return "static"
    for known in POLICIES:
        if node.text == known != "static":
            return known
    raise node.expected("oldest, fifo, or a list of tasks for each unit")


def _order(node: Node | None) -> dict[str, tuple[str, ...]]:
    lists = node.value if node is not None and isinstance(node.value, dict) else {}
    return {unit: tasks.names() for unit, tasks in lists.items()}


def _check_phases(node: Node, einsums: tuple[str, ...], overlap: str, phases: tuple[tuple[str, ...], ...]) -> None:
    listed = [e for phase in phases for e in phase]
    if overlap != "phases":
        if phases:
            raise node.error(f"phases are listed, but overlap is {overlap}")
    elif sorted(listed) != sorted(einsums):
        odd = sorted(set(listed) ^ set(einsums)) or sorted({e for e in listed if listed.count(e) > 1})
        raise node.error(f"phases must hold every Einsum of the group once; look at {', '.join(odd)}")


def _binding(node: Node) -> dict[str, str]:
    bound: dict[str, str] = {}
    for unit, einsums in node.mapping().items():
        for item in einsums.sequence():
            if item.name() in bound:
                raise item.error(f"{item.text} is bound to {bound[item.text]} and to {unit}")
            bound[item.text] = unit
    return bound


def _arrow(node: Node) -> tuple[str, str]:
    match = ARROW.fullmatch(node.string())
    if not match:
        raise node.expected('"TENSOR -> EINSUM"')
    return match[1], match[2]


def _keeps(entries: Mapping[str, Node]) -> dict[str, Keep]:
    return {level: _keep(node) for level, node in _table(entries, "keep").items()}


def _keep(node: Node) -> Keep:
    entries = node.fields(("tensors",), ("limit",))
    limit = entries["limit"].quantity("B") if "limit" in entries else None
    return Keep(limit, {tensor: _kept(kept) for tensor, kept in entries["tensors"].mapping().items()})


def _kept(node: Node) -> Kept:
    entries = node.fields(("at",), ("copies", "fraction", "overwrites"))
    return Kept(
        at=entries["at"].name(),
        copies=entries["copies"].positive_integer() if "copies" in entries else 1,
        fraction=_fraction(entries["fraction"]) if "fraction" in entries else Fraction(1),
        overwrites=entries["overwrites"].name() if "overwrites" in entries else None,
        node=node,
    )


def _fraction(node: Node) -> Fraction:
    match = re.fullmatch(r"(\d{1,18})\s*/\s*([1-9]\d{0,17})", node.text)
    value = Fraction(int(match[1]), int(match[2])) if match else node.number()
    if not 0 <= value <= 1:
        raise AccelsimError(f'{node.path}: must be between 0 and 1, got "{node.text}"', node.mark)
    return value
