"""YAML to architecture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import prod
from pathlib import Path

from accelsim.arch.model import ACCESS_KINDS, CLASSES, DIMENSIONS, AccessKind, Arch, Component, Level, Op, Port, Unit
from accelsim.einsum.ast import Coordinate, IndexExpr, IndexOp, Size
from accelsim.einsum.operators import parse_pattern
from accelsim.einsum.parse import parse_index
from accelsim.einsum.sizes import integer_value
from accelsim.errors import AccelsimError, nearest
from accelsim.overrides import apply_set, resolve_base, split_override
from accelsim.schema import check_schema
from accelsim.shipped import data_dir, find_file, looks_like_path, shipped_names
from accelsim.yamlfile import Node, load_file

KIND = "arch_configs"
REQUIRED = ("schema", "name", "clock", "levels", "units", "components")
OPTIONAL = ("description", "source", "notes")
COMPONENT_KEYS = (("energy", "node", "source", "class"), ("width", "area", "voltage"))
MOST_PES = 1 << 40
LEVEL_KEYS = (("capacity", "bandwidth", "component"), ("latency", "chunk", "burst", "read_out", "slots", "rtl", "dram"))
UNIT_KEYS = (("ops",), (*DIMENSIONS, "registers", "latency", "per_pe", "rtl"))


def load_arch(name: str, overrides: Sequence[str] = ()) -> Arch:
    """The architecture of a path or of a shipped file's name, with `path=value` overrides applied.

    Raises:
        AccelsimError: an unknown name, a file that is not an architecture, or a value out of range, with its place.
    """
    path = find_file(name, KIND, "architecture")
    lineage: list[str] = []
    document = load_file(path)
    check_schema(document, "arch")
    lineage.append(_own_name(document, path))
    document = resolve_base(document, partial(_base, lineage, path.parent))
    for text in overrides:
        where, value = split_override(text)
        document = apply_set(document, where.removeprefix("arch."), value)
    return read_arch(document, path, tuple(lineage))


def find_archs() -> list[tuple[str, str]]:
    """Name and description of every shipped architecture."""
    found = []
    for name in shipped_names(KIND):
        entries = load_file(data_dir(KIND) / f"{name}.yaml").mapping()
        text = entries.get("description")
        found.append((name, " ".join(text.text.split()) if text else ""))
    return found


def _own_name(document: Node, path: Path) -> str:
    entry = document.mapping().get("name")
    return entry.name() if entry else path.stem


def _base(lineage: list[str], folder: Path, name: str) -> Node:
    """The document that a `base:` names: a shipped name, or a path beside the file that says it."""
    path = folder / name if looks_like_path(name) else find_file(name, KIND, "architecture")
    document = load_file(path)
    check_schema(document, "arch")
    lineage.append(_own_name(document, path))
    return document


def read_arch(document: Node, path: Path, lineage: tuple[str, ...]) -> Arch:
    """The architecture in a resolved document."""
    entries = document.fields(REQUIRED, OPTIONAL)
    components = {k: _component(k, n) for k, n in entries["components"].mapping().items()}
    levels = _levels(entries["levels"], components)
    units = {k: _unit(k, n, components) for k, n in entries["units"].mapping().items()}
    if not units:
        raise entries["units"].error("needs at least one unit")
    clash = set(units) & {name for level in levels for name in (level.name, *(port.name for port in level.ports))}
    if clash:
        raise entries["units"].error(f'"{min(clash)}" names a level and a unit')
    return Arch(
        name=entries["name"].name(),
        description=_text(entries, "description"),
        source=_text(entries, "source"),
        path=str(path),
        sha256=hashlib.sha256(repr(document.plain()).encode()).hexdigest(),
        lineage=lineage,
        clock_hz=_positive(entries["clock"], "Hz"),
        levels=levels,
        units=units,
        components=components,
        notes=tuple(n.string() for n in entries["notes"].sequence()) if "notes" in entries else (),
        resolved=document,
    )


def _text(entries: Mapping[str, Node], key: str) -> str:
    return " ".join(entries[key].string().split()) if key in entries else ""


def _positive(node: Node, unit: str) -> Fraction:
    value = node.quantity(unit)
    if value == 0:
        raise node.expected("more than 0")
    return value


def _amount(node: Node, unit: str) -> Fraction | None:
    """A quantity above 0, or None for the word `unlimited`; nothing is unlimited by being left out."""
    return None if node.text == "unlimited" else _positive(node, unit)


def _known(node: Node, components: Mapping[str, Component]) -> str:
    name = node.name()
    if name not in components:
        raise node.error(f'unknown component "{name}"{nearest(name, components)}')
    return name


def _levels(node: Node, components: Mapping[str, Component]) -> tuple[Level, ...]:
    levels = tuple(_level(k, n, components) for k, n in node.mapping().items())
    if not levels:
        raise node.error("needs at least one level, the off-chip one first")
    owners = {port.name: level.name for level in levels for port in level.ports}
    for level in levels:
        if owners.get(level.name, level.name) != level.name:
            raise node.mapping()[level.name].error(f"is the name of a port of {owners[level.name]}")
    if levels[0].read_out:
        said = node.mapping()[levels[0].name].mapping()["read_out"]
        raise said.error("there is no level outside the outermost one that its results could leave for")
    return _with_dram(levels, node)


def _with_dram(levels: tuple[Level, ...], node: Node) -> tuple[Level, ...]:
    """The levels, the outermost one with the DRAM that is said to be behind it."""
    (first, *inner), (said, *others) = levels, node.mapping().values()
    for entry in others:
        if "dram" in entry.mapping():
            raise entry.mapping()["dram"].error(f"only the outermost level, {first.name}, holds whole tensors")
    if "dram" not in said.mapping():
        return levels
    from accelsim.arch.dram import with_dram

    return with_dram(first, said.mapping()), *inner


def _level(name: str, node: Node, components: Mapping[str, Component]) -> Level:
    entries = node.fields(LEVEL_KEYS[0], LEVEL_KEYS[1])
    component = _known(entries["component"], components)
    if components[component].width_bytes is None:
        raise entries["component"].error(f'component "{component}" of a level needs a width')
    latency_s = entries["latency"].quantity("s") if "latency" in entries else Fraction(0)
    if latency_s < 0:
        raise entries["latency"].error(f'must not be negative, got "{entries["latency"].text}"')
    return Level(
        name,
        _amount(entries["capacity"], "B"),
        _ports(name, entries["bandwidth"]),
        component,
        latency_s,
        _whole_bytes(entries["chunk"]) if "chunk" in entries else None,
        _whole_bytes(entries["burst"]) if "burst" in entries else None,
        entries["read_out"].boolean() if "read_out" in entries else False,
        entries["slots"].boolean() if "slots" in entries else False,
        _hardware(entries["rtl"]) if "rtl" in entries else None,
    )


def _ports(name: str, node: Node) -> tuple[Port, ...]:
    """One port that reads and writes share, or a port for each of them; none for what is unlimited."""
    shared = not isinstance(node.value, dict)
    said: dict[tuple[AccessKind, ...], Node] = {ACCESS_KINDS: node}
    if not shared:
        entries = node.fields(ACCESS_KINDS)
        said = {(kind,): entries[kind] for kind in ACCESS_KINDS}
    found = {kinds: _amount(one, "B/s") for kinds, one in said.items()}
    return tuple(
        Port(name if shared else f"{name}.{kinds[0]}", kinds, rate) for kinds, rate in found.items() if rate is not None
    )


def _whole_bytes(node: Node) -> int:
    size = _positive(node, "B")
    if size.denominator != 1:
        raise node.error(f'must be whole bytes, got "{node.text}"')
    return size.numerator


def _component(name: str, node: Node) -> Component:
    entries = node.fields(*COMPONENT_KEYS)
    width = _positive(entries["width"], "B") if "width" in entries else None
    if entries["class"].string() not in CLASSES:
        raise entries["class"].error(
            f'unknown class "{entries["class"].text}"{nearest(entries["class"].text, CLASSES)}'
        )
    return Component(
        name=name,
        energy_pj={action: _energy(n, width) for action, n in entries["energy"].mapping().items()},
        width_bytes=width,
        area_um2=_area(entries.get("area")),
        node=entries["node"].string(),
        voltage=entries["voltage"].string() if "voltage" in entries else None,
        source=" ".join(entries["source"].string().split()),
        kind=entries["class"].string(),
    )


def _area(node: Node | None) -> Fraction | None:
    return None if node is None or node.text == "unknown" else node.quantity("um2")


def _energy(node: Node, width_bytes: Fraction | None) -> Fraction:
    """Energy of one access or operation; an energy per byte or bit is multiplied by the component's width."""
    per = node.string().partition("/")[2].strip()
    if per in ("op", "access", "row", "word", "mac"):
        return node.quantity(f"pJ/{per}")
    if width_bytes is None:
        raise node.error("an energy per byte or bit needs the component's width")
    return node.quantity("pJ/B") * width_bytes


def _unit(name: str, node: Node, components: Mapping[str, Component]) -> Unit:
    entries = node.fields(*UNIT_KEYS)
    dims = {d: entries[d].positive_integer() for d in DIMENSIONS if d in entries}
    if tuple(dims) not in (("rows", "cols"), ("lanes",)):
        raise node.error("needs rows and cols, or lanes")
    if prod(dims.values()) > MOST_PES:
        raise node.error(f"has {prod(dims.values())} PEs; at most {MOST_PES} are supported")
    registers, counted = _registers(entries.get("registers"), prod(dims.values()), components)
    latency = entries["latency"].mapping() if "latency" in entries else {}
    per_pe = entries["per_pe"].mapping() if "per_pe" in entries else {}
    return Unit(
        name=name,
        dims=dims,
        ops={
            _operator(pattern, n): _op(pattern, n, dims, components) for pattern, n in entries["ops"].mapping().items()
        },
        registers=registers,
        counted=counted,
        latency={key: Fraction(_extent(n, dims)) for key, n in latency.items()},
        per_pe=_uses(per_pe, node, components),
        rtl=_hardware(entries["rtl"]) if "rtl" in entries else None,
    )


def _hardware(node: Node) -> Node:
    """An `rtl:` entry, which must name its unit; which units and parameters there are, only their generators know."""
    entries = node.mapping()
    if "unit" not in entries:
        raise node.error('needs "unit", the hardware unit that is generated: see accelsim list rtl')
    entries["unit"].string()
    return node


def _operator(pattern: str, node: Node) -> str:
    """The key of an entry for an operator, refused where it is neither an operator nor a pattern of them."""
    try:
        parse_pattern(pattern)
    except AccelsimError as error:
        raise AccelsimError(f"{node.path}: {error.message}", node.key_mark or node.mark) from None
    return pattern


def _registers(node: Node | None, pes: int, components: Mapping[str, Component]) -> tuple[str | None, int]:
    if node is None:
        return None, pes
    entries = node.fields(("component",), ("counted",))
    counted = entries["counted"].positive_integer() if "counted" in entries else pes
    if counted > pes:
        raise entries["counted"].expected(f"at most {pes}, the PEs of the unit")
    return _known(entries["component"], components), counted


def _op(pattern: str, node: Node, dims: Mapping[str, int], components: Mapping[str, Component]) -> Op:
    if "engine" in node.mapping():
        from accelsim.arch.engine import engine_op

        entries = node.fields(("engine", "uses"))
        return engine_op(pattern, entries["engine"], dims, _uses(entries["uses"].mapping(), node, components))
    entries = node.fields(("cycles", "uses"))
    cycles = entries["cycles"].number()
    if cycles < 0:
        raise entries["cycles"].expected("not negative")
    return Op(cycles, _uses(entries["uses"].mapping(), node, components))


def _uses(entries: Mapping[str, Node], node: Node, components: Mapping[str, Component]) -> dict[str, Fraction]:
    for key, value in entries.items():
        if key not in components:
            raise AccelsimError(f'{node.path}: unknown component "{key}"{nearest(key, components)}', value.mark)
        if value.number() < 0:
            raise value.expected("not negative")
    return {key: value.number() for key, value in entries.items()}


def _extent(node: Node, dims: Mapping[str, int]) -> int:
    """A number of cycles; an expression may name the array's `rows`, `cols` or `lanes`."""
    try:
        value = integer_value(_sized(parse_index(node)), {d.upper(): n for d, n in dims.items()})
    except AccelsimError as error:
        raise error if error.mark else node.error(error.message) from None
    if value < 0:
        raise node.expected("not negative")
    return value


def _sized(expr: IndexExpr) -> IndexExpr:
    if isinstance(expr, Coordinate):
        return Size(expr.name.upper())
    if isinstance(expr, IndexOp):
        return IndexOp(expr.op, _sized(expr.left), _sized(expr.right))
    return expr
