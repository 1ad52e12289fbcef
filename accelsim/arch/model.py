"""An architecture as data: storage levels, compute units and the components whose actions cost energy and area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Literal

from accelsim.yamlfile import Node

if TYPE_CHECKING:
    from accelsim.memory.setup import Setup
    from accelsim.units.topk.selector import Selector

DIMENSIONS = ("rows", "cols", "lanes")
AccessKind = Literal["read", "write"]
ACCESS_KINDS: tuple[AccessKind, ...] = ("read", "write")
CLASSES = ("measured", "CACTI", "synthesised", "published", "fitted", "guess")


@dataclass(frozen=True)
class Component:
    """An entry of the energy and area table.

    Attributes:
        width_bytes: what one access moves; None for a component that moves no data.
        energy_pj: action to pJ for one access (of `width_bytes`) or one operation.
        area_um2: of one instance; None when unknown.
        kind: how the numbers were come by, one of `CLASSES`.
    """

    name: str
    energy_pj: Mapping[str, Fraction]
    width_bytes: Fraction | None
    area_um2: Fraction | None
    node: str
    voltage: str | None
    source: str
    kind: str


@dataclass(frozen=True)
class Port:
    """A way into a level whose bandwidth the accesses of `kinds` share.

    Attributes:
        name: the level's, `dram`; where reads and writes have a port each, `glb.read` and `glb.write`.
    """

    name: str
    kinds: tuple[AccessKind, ...]
    bytes_per_s: Fraction

    def seconds(self, read_bytes: Fraction, write_bytes: Fraction) -> Fraction:
        """How long the bytes that are read from and written to the level keep the port busy."""
        moved = {"read": read_bytes, "write": write_bytes}
        return sum((moved[kind] for kind in self.kinds), Fraction(0)) / self.bytes_per_s


@dataclass(frozen=True)
class Level:
    """A storage level. `capacity_bytes` None: as large as needed.

    Attributes:
        ports: its ports of limited bandwidth; a kind of access that none of them has is as fast as needed.
        burst_bytes: what a transfer of a tile moves at the least and in multiples of; only depth `cycle` looks at it.
        read_out: whether results that leave for the next level out, or off chip, are counted as read from this one.
        latency_s: from the last byte leaving it to the data being there; only depth `cycle` looks at it.
        chunk_bytes: what one stream moves before another has its turn; None: a row of its tile.
        slots: whether every tile takes the place of the largest one of its tensor, as in a scratchpad.
        rtl: the hardware unit that moves tiles from and to it, `unit`, and its parameters; None: none is generated.
        dram: the DRAM whose commands depth `cycle` simulates; None: its bandwidth is all there is to it.
    """

    name: str
    capacity_bytes: Fraction | None
    ports: tuple[Port, ...]
    component: str
    latency_s: Fraction = Fraction(0)
    chunk_bytes: int | None = None
    burst_bytes: int | None = None
    read_out: bool = False
    slots: bool = False
    rtl: Node | None = field(default=None, compare=False)
    dram: Setup | None = None

    def port(self, kind: AccessKind) -> Port | None:
        """The port of a kind of access, None where that is as fast as needed."""
        return next((port for port in self.ports if kind in port.kinds), None)

    @property
    def bytes_per_s(self) -> Fraction | None:
        """What all ports together move at best; None where some kind of access is as fast as needed."""
        if any(self.port(kind) is None for kind in ACCESS_KINDS):
            return None
        return sum((port.bytes_per_s for port in self.ports), Fraction(0))


@dataclass(frozen=True)
class Op:
    """What an operator costs on a unit: cycles at the PE that issues it, and uses of components.

    Attributes:
        selector: the top-k engine that makes whole selections, whose time takes the place of `cycles`; its `uses` are
            those of a comparison of two scores.
    """

    cycles: Fraction
    uses: Mapping[str, Fraction]
    selector: Selector | None = None


@dataclass(frozen=True)
class Unit:
    """An array of equal PEs.

    Attributes:
        dims: `rows` and `cols`, or `lanes`, to their extents.
        ops: operator or pattern to its cost.
        registers: the component of a PE's register file, None when it has none that counts.
        counted: of how many PEs the register accesses are counted; all of them, unless a study counted fewer.
        latency: name of a latency (`reduction`) to cycles.
        per_pe: component to its number in every PE; what the area counts.
        rtl: the hardware unit that is generated for it, `unit`, and its parameters; None: none is.
    """

    name: str
    dims: Mapping[str, int]
    ops: Mapping[str, Op]
    registers: str | None
    counted: int
    latency: Mapping[str, Fraction]
    per_pe: Mapping[str, Fraction]
    rtl: Node | None = None

    @property
    def pes(self) -> int:
        return prod(self.dims.values())


@dataclass(frozen=True, eq=False)
class Arch:
    """Hardware: `levels` outermost first, units, component tables, and where it came from.

    `lineage` is the name of the file and of every base that it builds on, nearest first.
    """

    name: str
    description: str
    source: str
    path: str
    sha256: str
    lineage: tuple[str, ...]
    clock_hz: Fraction
    levels: tuple[Level, ...]
    units: Mapping[str, Unit]
    components: Mapping[str, Component]
    notes: tuple[str, ...]
    resolved: Node

    def level(self, name: str) -> Level | None:
        return next((level for level in self.levels if level.name == name), None)

    @property
    def off_chip(self) -> Level:
        """The outermost level, where inputs come from and outputs go to."""
        return self.levels[0]

    def instances(self) -> dict[str, tuple[str, Fraction]]:
        """What the area adds up: name in reports to (component, number of instances)."""
        found = {level.name: (level.component, Fraction(1)) for level in self.levels}
        for unit in self.units.values():
            for component, number in unit.per_pe.items():
                found[f"{unit.name}.{component}"] = (component, number * unit.pes)
        return found

    def area_um2(self) -> dict[str, Fraction] | None:
        """Area by component, None when any of them is unknown."""
        areas: dict[str, Fraction] = {}
        for name, (component, number) in self.instances().items():
            area = self.components[component].area_um2
            if area is None:
                return None
            areas[name] = area * number
        return areas
