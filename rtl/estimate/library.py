"""A cell library from a liberty file: its areas, what it calls an inverter and a NAND2, and whether it has delays."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from rtl.yosys import run_yosys

DEBIAN = {"osu018": Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")}
DEBIAN_INSTALL = "apt install qflow-tech-{name}"
NAND2, INVERTER, BUFFER = (True, True, True, False), (True, False), (False, True)
READ = (
    "read_liberty -ignore_miss_func -ignore_miss_dir -ignore_miss_data_latch cells.lib",
    "write_json cells.json",
)
GATES: Mapping[str, Callable[[bool, bool], bool]] = {
    "$_NOT_": lambda a, b: not a,
    "$_BUF_": lambda a, b: a,
    "$_AND_": lambda a, b: a and b,
    "$_OR_": lambda a, b: a or b,
    "$_XOR_": lambda a, b: a != b,
}
CONSTANTS = {"0": False, "1": True}
_STORES = re.compile(r"\$_S?(?:DFF|DLATCH)")
_TIMING = re.compile(r"\btiming\s*\(")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
Table = tuple[bool, ...]


@dataclass(frozen=True)
class Library:
    """A cell library.

    Attributes:
        path: the liberty file.
        text: what stands in it.
        areas: cell to area, in the file's own unit: um2 in most, which no liberty file says.
        registers: the cells that store a bit.
        nand2_area: the smallest area of a NAND of two inputs: one gate equivalent.
        inverter: the smallest inverter, which stands for a register's output where delays are computed.
        timed: whether its cells have delays.
    """

    name: str
    path: Path
    text: str
    areas: Mapping[str, float]
    registers: frozenset[str]
    nand2_area: float
    inverter: str
    timed: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def debian_library(name: str) -> Path | None:
    """The liberty file of a library that Debian has, where it is installed."""
    return DEBIAN[name] if DEBIAN[name].is_file() else None


def read_library(path: Path, name: str | None = None) -> Library:
    """The library of a liberty file, called after the file where it has no other name.

    Raises:
        AccelsimError: a file that cannot be read, that Yosys does not take for liberty (in its words), or that lacks
            one of what a design is made of: inverter, buffer, NAND2 and flip-flop with an area.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise AccelsimError(f"{path}: cannot be read: {error.strerror}") from None
    return _library(path, name or path.stem, text)


@cache
def _library(path: Path, name: str, text: str) -> Library:
    try:
        modules: Mapping[str, Any] = json.loads(run_yosys(READ, {"cells.lib": text}, ["cells.json"])["cells.json"])
    except AccelsimError as error:
        raise AccelsimError(f"{path}: {error.message}") from None
    cells = {cell: page for cell, page in modules["modules"].items() if float(page["attributes"].get("area", 0)) > 0}
    areas = {cell: float(page["attributes"]["area"]) for cell, page in cells.items()}
    registers = frozenset(cell for cell, page in cells.items() if _stores(page))
    tables = {cell: table_of(page) for cell, page in cells.items() if cell not in registers}
    if not registers:
        raise AccelsimError(f"{path}: has no flip-flop with an area")
    _smallest(path, "buffer", BUFFER, tables, areas)
    return Library(
        name=name,
        path=path,
        text=text,
        areas=areas,
        registers=registers,
        nand2_area=areas[_smallest(path, "NAND of two inputs", NAND2, tables, areas)],
        inverter=_smallest(path, "inverter", INVERTER, tables, areas),
        timed=bool(_TIMING.search(_COMMENT.sub("", text))),
    )


def _smallest(path: Path, what: str, table: Table, tables: Mapping[str, Table], areas: Mapping[str, float]) -> str:
    """The cell of least area with this function, of several the first by name."""
    found = [(areas[cell], cell) for cell, has in tables.items() if has == table]
    if not found:
        raise AccelsimError(f"{path}: has no {what} with an area")
    return min(found)[1]


def _stores(page: Mapping[str, Any]) -> bool:
    return any(_STORES.match(cell["type"]) for cell in page["cells"].values())


def table_of(page: Mapping[str, Any]) -> Table:
    """The truth table of a cell with one output and at most two inputs, the first input slowest; else nothing."""
    pins = {name: (pin["direction"], pin["bits"][0]) for name, pin in page["ports"].items()}
    inputs = [bit for direction, bit in pins.values() if direction == "input"]
    outputs = [bit for direction, bit in pins.values() if direction == "output"]
    if len(outputs) != 1 or not 1 <= len(inputs) <= 2:
        return ()
    drivers = {cell["connections"]["Y"][0]: cell for cell in page["cells"].values() if cell["type"] in GATES}
    rows = product((False, True), repeat=len(inputs))
    values = [_value(outputs[0], dict(zip(inputs, row, strict=True)), drivers) for row in rows]
    return () if None in values else tuple(bool(value) for value in values)


def _value(bit: int | str, known: Mapping[int | str, bool], drivers: Mapping[int, Any]) -> bool | None:
    """What a wire is; None for one that no gate drives."""
    if bit in CONSTANTS or bit in known:
        return CONSTANTS[str(bit)] if bit in CONSTANTS else known[bit]
    if bit not in drivers:
        return None
    cell = drivers[int(bit)]
    wires = [cell["connections"][port][0] for port in ("A", "B") if port in cell["connections"]]
    left, right = _value(wires[0], known, drivers), _value(wires[-1], known, drivers)
    return None if left is None or right is None else GATES[cell["type"]](left, right)
