"""The machine that an architecture describes: parameters of all its engines and scratchpads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path

from accelsim.arch import Arch
from accelsim.errors import AccelsimError, nearest
from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.hardware.attention import formats_of
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.program.lower.engine import engine_of
from accelsim.units.engines import ARRAY, DMA, VECTOR
from accelsim.yamlfile import Node
from rtl.layer.machine import Machine, attention_parts
from rtl.layer.machine_form import MachineForm
from rtl.layer.vector_form import VectorStages
from rtl.tools import need
from rtl.verilog import write_verilog

PADS = "pads"
SIZES = ("q_words", "k_words", "v_words", "tiles", "folds", "copies", "length", "queue")
REGISTERS = ("input_registers", "mac_registers", "output_registers")


def machine_form(arch: Arch, formats: AttentionFormats = TILED) -> MachineForm:
    """The machine of an architecture: its array engine, vector engine, DMA engine and pads.

    Raises:
        AccelsimError: an engine that is missing or there twice, or a parameter that is none or out of range, with its
            place.
    """
    array, vector = (_unit(arch, kind) for kind in (ARRAY, VECTOR))
    if not any(engine_of(level.rtl) == DMA for level in arch.levels):
        raise AccelsimError(f"{arch.name}: a machine needs a level whose rtl is {DMA}")
    pads = [level.rtl for level in arch.levels if level.rtl is not None and _name(level.rtl) == PADS]
    if len(pads) != 1:
        raise AccelsimError(f"{arch.name}: a machine has one level whose rtl is {PADS}, not {len(pads)}")
    for each, known in ((array, REGISTERS), (vector, tuple(to_plain(VectorStages()))), (pads[0], SIZES)):
        _check_names(each, known)
    stages = from_plain(VectorStages(), _values(vector))
    dims = {unit.name: unit.dims for unit in arch.units.values()}
    shape = next(dims[unit.name] for unit in arch.units.values() if unit.rtl is array)
    try:
        return MachineForm(
            formats_of(formats), shape["rows"], shape["cols"], **_values(array), **_values(pads[0]), stages=stages
        )
    except AccelsimError as error:
        raise AccelsimError(f"{arch.name}: {error.message}", pads[0].mark) from None


def write_machine(arch: Arch, folder: Path) -> tuple[str, tuple[Path, Path], dict[str, object]]:
    """Write the Verilog of a machine and the JSON beside it; its module, both files and all parameters.

    Raises:
        AccelsimError: what `machine_form` refuses, a missing tool, or a folder that cannot be written.
    """
    need("amaranth", "pyosys")
    form = machine_form(arch)
    name = f"accelsim_{arch.name}".replace("-", "_")
    parameters = {"arch": arch.name, **{key: _plain(value) for key, value in vars(form).items()}}
    return name, write_verilog(Machine(attention_parts(form)), name, folder, parameters=parameters), parameters


def _plain(value: object) -> object:
    return to_plain(value) if is_dataclass(value) else value


def _unit(arch: Arch, kind: str) -> Node:
    found = [unit.rtl for unit in arch.units.values() if unit.rtl is not None and engine_of(unit.rtl) == kind]
    if len(found) != 1:
        raise AccelsimError(f"{arch.name}: a machine has one unit whose rtl is {kind}, not {len(found)}")
    return found[0]


def _name(node: Node) -> str:
    return node.mapping()["unit"].string()


def _values(node: Node) -> Mapping[str, int]:
    return {name: value.integer() for name, value in node.mapping().items() if name != "unit"}


def _check_names(node: Node, known: tuple[str, ...]) -> None:
    for name, value in node.mapping().items():
        if name not in (*known, "unit"):
            raise value.error(f'{_name(node)} has no parameter "{name}"{nearest(name, known)}')
