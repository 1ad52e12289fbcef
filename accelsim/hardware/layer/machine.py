"""The machine that an architecture describes: parameters of all its engines and scratchpads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

from accelsim.arch import Arch
from accelsim.errors import AccelsimError, nearest
from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.merge import MERGED
from accelsim.hardware.attention import formats_of
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.program.lower.engine import engine_of
from accelsim.units.engines import ARRAY, DMA, FUSE, MERGE, VECTOR
from accelsim.yamlfile import Node
from rtl.layer.fuse_machine import FuseMachineForm, fuse_parts
from rtl.layer.machine import Machine, Parts, attention_parts
from rtl.layer.machine_form import MachineForm
from rtl.layer.merge_form import MergeStages
from rtl.layer.vector_form import VectorStages
from rtl.tools import need
from rtl.verilog import write_verilog

PADS = "pads"
SIZES = ("q_words", "k_words", "v_words", "tiles", "folds", "copies", "length", "queue")
FUSE_SIZES = ("q_words", "k_words", "v_words", "tiles", "columns", "copies", "length", "queue")
REGISTERS = ("input_registers", "mac_registers", "output_registers")
FUSE_REGISTERS = ("input_registers", "output_registers")


def is_fused(arch: Arch) -> bool:
    """Whether the array of an architecture's machine does softmax itself."""
    return any(engine_of(unit.rtl) == FUSE for unit in arch.units.values())


def machine_form(arch: Arch, formats: AttentionFormats = TILED) -> MachineForm:
    """The machine of an architecture: its array engine, vector engine, DMA engine and pads.

    Raises:
        AccelsimError: an engine that is missing or there twice, or a parameter that is none or out of range, with its
            place.
    """
    found = _entries(arch, (ARRAY, VECTOR))
    stages = tuple(to_plain(VectorStages()))
    for each, known in ((found.array, REGISTERS), (found.vector, stages), (found.pads, SIZES)):
        _check_names(each, known)
    values = {
        **_values(found.array),
        **_values(found.pads),
        "stages": from_plain(VectorStages(), _values(found.vector)),
    }
    with _at(arch, found):
        return MachineForm(formats_of(formats), found.rows, found.cols, **values)


def fuse_machine_form(arch: Arch, formats: AttentionFormats = MERGED) -> FuseMachineForm:
    """The machine whose array does softmax itself.

    Raises:
        AccelsimError: as `machine_form`.
    """
    found = _entries(arch, (FUSE, MERGE))
    stages = tuple(to_plain(MergeStages()))
    for each, known in ((found.array, FUSE_REGISTERS), (found.vector, stages), (found.pads, FUSE_SIZES)):
        _check_names(each, known)
    values = {**_values(found.array), **_values(found.pads)}
    with _at(arch, found):
        stages_of = from_plain(MergeStages(), _values(found.vector))
        return FuseMachineForm(formats_of(formats), found.rows, found.cols, **values, stages=stages_of)


def machine_parts(arch: Arch) -> tuple[MachineForm | FuseMachineForm, Parts]:
    """The machine of an architecture and what it is made of."""
    if is_fused(arch):
        fused = fuse_machine_form(arch)
        return fused, fuse_parts(fused)
    form = machine_form(arch)
    return form, attention_parts(form)


@dataclass(frozen=True)
class _Entries:
    """The `rtl:` entries of a machine, and the extents of its array."""

    array: Node
    vector: Node
    pads: Node
    rows: int
    cols: int


def _entries(arch: Arch, kinds: tuple[str, str]) -> _Entries:
    array, vector = (_unit(arch, kind) for kind in kinds)
    if not any(engine_of(level.rtl) == DMA for level in arch.levels):
        raise AccelsimError(f"{arch.name}: a machine needs a level whose rtl is {DMA}")
    pads = [level.rtl for level in arch.levels if level.rtl is not None and _name(level.rtl) == PADS]
    if len(pads) != 1:
        raise AccelsimError(f"{arch.name}: a machine has one level whose rtl is {PADS}, not {len(pads)}")
    dims = next(unit.dims for unit in arch.units.values() if unit.rtl is array)
    return _Entries(array, vector, pads[0], dims["rows"], dims["cols"])


@contextmanager
def _at(arch: Arch, found: _Entries) -> Iterator[None]:
    """Says where a machine that cannot be is described."""
    try:
        yield
    except AccelsimError as error:
        raise AccelsimError(f"{arch.name}: {error.message}", found.pads.mark) from None


def write_machine(arch: Arch, folder: Path) -> tuple[str, tuple[Path, Path], dict[str, object]]:
    """Write the Verilog of a machine and the JSON beside it; its module, both files and all parameters.

    Raises:
        AccelsimError: what `machine_form` refuses, a missing tool, or a folder that cannot be written.
    """
    need("amaranth", "pyosys")
    form, parts = machine_parts(arch)
    name = f"accelsim_{arch.name}".replace("-", "_")
    parameters = {"arch": arch.name, **{key: _plain(value) for key, value in vars(form).items()}}
    return name, write_verilog(Machine(parts), name, folder, parameters=parameters), parameters


def _plain(value: object) -> object:
    return to_plain(value) if is_dataclass(value) else value


def _unit(arch: Arch, kind: str) -> Node:
    found = [unit.rtl for unit in arch.units.values() if unit.rtl is not None and engine_of(unit.rtl) == kind]
    if len(found) != 1:
        raise AccelsimError(f"{arch.name}: a machine has one unit whose rtl is {kind}, not {len(found)}")
    return found[0]


def _name(node: Node) -> str:
    return node.mapping()["unit"].string()


def _values(node: Node) -> dict[str, Any]:
    return {name: value.integer() for name, value in node.mapping().items() if name != "unit"}


def _check_names(node: Node, known: tuple[str, ...]) -> None:
    for name, value in node.mapping().items():
        if name not in (*known, "unit"):
            raise value.error(f'{_name(node)} has no parameter "{name}"{nearest(name, known)}')
