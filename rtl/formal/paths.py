"""Paths through logic without a register: no output's valid or payload may depend on a ready."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from rtl.netlist import rtlil_text
from rtl.ports import Interface, interface_of
from rtl.yosys import run_yosys

TOP = "paths"
SCRIPT = (
    "read_rtlil in.il",
    f"hierarchy -check -top {TOP}",
    "proc",
    "flatten",
    "memory_collect",
    "opt_clean -purge",
    "simplemap",
    "write_json out.json",
)
_REGISTERS = ("$dff", "$sdff", "$dffe", "$sdffe", "$adff", "$aldff", "$_DFF", "$_SDFF")
_MEMORY = "$mem_v2"
Wire = int | str


def ready_paths(component: wiring.Component) -> list[tuple[str, str]]:
    """All pairs of a ready input and a valid or payload output that it reaches without a register; should be none.

    Each bit of logic gates counts for itself; an adder or a shifter counts as a whole, so that a pair may be found
    that is none in fact, but none is missed.
    """
    text = run_yosys(SCRIPT, {"in.il": rtlil_text(component, TOP)}, ["out.json"])["out.json"]
    module = json.loads(text)["modules"][TOP]
    follows = _follows(module["cells"].values())
    interface = interface_of(component)
    ports = {name: set(port["bits"]) for name, port in module["ports"].items()}
    found = []
    for source in _ready_inputs(interface):
        reached = _reached(ports[source], follows)
        found += [(source, sink) for sink in _forward_outputs(interface) if ports.get(sink, set()) & reached]
    return found


def check_ready_paths(component: wiring.Component) -> None:
    """Raise AccelsimError, naming the first, where a valid or payload depends on a ready."""
    for source, sink in ready_paths(component):
        raise AccelsimError(f"{sink}: depends on {source} without a register between them")


def _ready_inputs(interface: Interface) -> Iterator[str]:
    return (f"{port.name}_ready" for port in interface.outputs())


def _forward_outputs(interface: Interface) -> Iterator[str]:
    return (f"{port.name}_{wire}" for port in interface.outputs() for wire in ("valid", "payload"))


def _follows(cells: Iterable[Mapping[str, Any]]) -> Mapping[Wire, set[Wire]]:
    """Which bits each bit can change at once."""
    follows: defaultdict[Wire, set[Wire]] = defaultdict(set)
    for cell in cells:
        if cell["type"].startswith(_REGISTERS):
            continue
        ends = {bit for port, bits in cell["connections"].items() if _goes(cell, port, "output") for bit in bits}
        for port, bits in cell["connections"].items():
            if _goes(cell, port, "input"):
                for bit in bits:
                    follows[bit] |= ends
    return follows


def _goes(cell: Mapping[str, Any], port: str, direction: str) -> bool:
    """Whether a port of a cell has this direction; what is written to a memory shows at the next edge only."""
    if cell["type"] == _MEMORY and port.startswith("WR_"):
        return False
    return bool(cell["port_directions"][port] == direction)


def _reached(begin: Iterable[Wire], follows: Mapping[Wire, set[Wire]]) -> set[Wire]:
    seen, ahead = set(begin), list(begin)
    while ahead:
        for bit in follows.get(ahead.pop(), set()) - seen:
            seen.add(bit)
            ahead.append(bit)
    return seen
