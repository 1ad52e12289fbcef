"""What narrows the map space: said by the user, or what another tool assumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from accelsim.arch import Arch
from accelsim.errors import AccelsimError, nearest
from accelsim.schema import check_schema
from accelsim.yamlfile import Node, load_file

Overlap = Literal["pipeline", "sequential"]
OVERLAPS: tuple[Overlap, ...] = ("pipeline", "sequential")
RULES = ("reduced", "shared")
KEYS = ("name", "description", "source", "overlap", "slack", "units", "dims", "stationary", "registers", "most_fused")
MOST_OPERANDS = 16


@dataclass(frozen=True)
class Limits:
    """Bounds of a search.

    Attributes:
        overlap: whether units of a group work side by side or one Einsum after the other.
        slack: an Einsum may run on units that take it at most so many times as long as the whole group takes when each
            Einsum has its fastest unit and one runs after the other.
        units: Einsum to the only unit that it may run on.
        dims: unit to dimension to what may lie on it: `reduced` coordinates, or `shared` ones, which do not index the
            first operand, so that it is passed on along them.
        stationary: unit to what its PEs can hold while other things pass by: operands by their place on the right
            (0, 1, ..) and `result`; a unit that is not named can hold each of them.
        registers: whether a tensor that a group makes and uses may live in registers alone.
        most_fused: Einsums in a group, at most.
        perfect: whether tiles must divide what they are tiles of.
    """

    overlap: Overlap = "pipeline"
    slack: float = 1.0
    units: Mapping[str, str] = field(default_factory=dict)
    dims: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    stationary: Mapping[str, frozenset[int | str]] = field(default_factory=dict)
    registers: bool = True
    most_fused: int | None = None
    perfect: bool = False


def load_limits(path: Path, arch: Arch) -> Limits:
    """The limits of a YAML file for an architecture.

    Raises:
        AccelsimError: an unknown key, unit, dimension or rule, or a value of another kind than it must be.
    """
    document = load_file(path)
    check_schema(document, "limits")
    entries = document.fields(("schema",), (*KEYS, "perfect"))
    limits = Limits()
    return Limits(
        overlap=_overlap(entries["overlap"]) if "overlap" in entries else limits.overlap,
        slack=float(entries["slack"].number()) if "slack" in entries else limits.slack,
        units={e: _known(node, node.name(), arch.units, "unit") for e, node in _table(entries, "units").items()},
        dims={unit: _dims(node, unit, arch) for unit, node in _table(entries, "dims").items()},
        stationary={unit: _held(node, unit, arch) for unit, node in _table(entries, "stationary").items()},
        registers=entries["registers"].boolean() if "registers" in entries else limits.registers,
        most_fused=entries["most_fused"].positive_integer() if "most_fused" in entries else None,
        perfect=entries["perfect"].boolean() if "perfect" in entries else limits.perfect,
    )


def _table(entries: Mapping[str, Node], key: str) -> Mapping[str, Node]:
    return entries[key].mapping() if key in entries else {}


def _overlap(node: Node) -> Overlap:
    for known in OVERLAPS:
        if node.text == known:
            return known
    raise node.error(f'unknown overlap "{node.text}"{nearest(node.text, OVERLAPS)}')


def _known(node: Node, name: str, known: Mapping[str, object], noun: str) -> str:
    if name not in known:
        raise node.error(f'unknown {noun} "{name}"{nearest(name, known)}')
    return name


def _dims(node: Node, unit: str, arch: Arch) -> dict[str, str]:
    """Dimension of a unit to what may lie on it."""
    extents = arch.units[_known(node, unit, arch.units, "unit")].dims
    rules = dict.fromkeys(RULES)
    return {
        _known(rule, dim, extents, "dimension"): _known(rule, rule.name(), rules, "rule")
        for dim, rule in node.mapping().items()
    }


def _held(node: Node, unit: str, arch: Arch) -> frozenset[int | str]:
    """Operands of a unit that its PEs hold, by their place, and `result`."""
    _known(node, unit, arch.units, "unit")
    found: set[int | str] = set()
    for item in node.sequence():
        if item.text == "result":
            found.add("result")
        elif item.text.isdecimal() and int(item.text) < MOST_OPERANDS:
            found.add(int(item.text))
        else:
            raise AccelsimError(
                f'{item.path}: must be result or the place of an operand, 0 the first, got "{item.text}"', item.mark
            )
    return frozenset(found)
