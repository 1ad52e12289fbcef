"""Flows to gates: of a generic library, for a count of gate equivalents, and of a liberty file, for area and delay."""

from __future__ import annotations

import re

from accelsim.errors import AccelsimError
from rtl.estimate.library import Library
from rtl.estimate.synthesis import LOG, Figures, Flow, Netlist

TRANSISTORS_PER_NAND2 = 4
PREPARE = ("synth -flatten -noabc", "setattr -unset init w:*")
"""A register's initial value is that of its reset, and no gate keeps one."""
LOGIC = "strash;ifraig;dc2;strash;&get,-n;&dch,-f;&nf;&put"
"""abc's default with a quicker sweep: its own, `&fraig -x`, takes minutes where multipliers stand side by side."""
SIZES = "buffer;upsize;dnsize;stime,-p"
LIBRARY_WITHOUT = "placement, wires, clock tree, test logic and memory macros (memories are flip-flops)"
GATES_WITHOUT = f"a cell library, {LIBRARY_WITHOUT}"
DELAY_IS = (
    "the longest path of gates from register or input to register or output, by abc's static timing (stime): an "
    "inverter stands for the register's output, fan-out is buffered; without clock-to-output and setup of registers"
)
_DELAY = re.compile(r"Delay =\s*([0-9.]+) ps")


def gates_flow() -> Flow:
    """Figures: `gate_equivalents`, transistors in static CMOS by Yosys' table over the 4 of a NAND2, and `ff`."""
    script = (*PREPARE, "dfflegalize -cell $_DFF_P_ x", f"abc -g cmos -script +{LOGIC}", "opt_clean -purge")
    says = "generic gates, NAND2 = 1: transistors in static CMOS over 4, a flip-flop 4"
    return Flow("gates", says, GATES_WITHOUT, script, "stat -json -tech cmos", {}, _gates)


def _gates(netlist: Netlist) -> Figures:
    transistors = str(netlist.page["estimated_num_transistors"])
    if not transistors.isdigit():
        raise AccelsimError(f"Yosys knows only a part of the transistors: {transistors}")
    return {
        "gate_equivalents": int(transistors) / TRANSISTORS_PER_NAND2,
        "ff": sum(number for cell, number in netlist.cells.items() if cell == "$_DFF_P_"),
    }


def library_flow(library: Library) -> Flow:
    """Figures: `area` in the library's unit, `gate_equivalents` by its NAND2, `ff`, and `delay_ps`, see `DELAY_IS`."""
    drive = f"set_driving_cell {library.inverter}\nset_load 0\n"
    timed = f"-constr drive.txt -script +{LOGIC};{SIZES}" if library.timed else f"-script +{LOGIC}"
    script = (
        *PREPARE,
        "dfflibmap -liberty cells.lib",
        f"tee -o {LOG} abc -liberty cells.lib {timed}",
        "opt_clean -purge",
    )

    def figures(netlist: Netlist) -> Figures:
        return _mapped(library, netlist)

    files = {"cells.lib": library.text, "drive.txt": drive}
    says = f"cells of {library.name}, NAND2 = {library.nand2_area:g}"
    return Flow(library.name, says, LIBRARY_WITHOUT, script, "stat -json -liberty cells.lib", files, figures)


def _mapped(library: Library, netlist: Netlist) -> Figures:
    for cell, number in netlist.cells.items():
        if cell not in library.areas:
            raise AccelsimError(f'no area for {number} cells of type "{cell}"')
    area = sum(library.areas[cell] * number for cell, number in netlist.cells.items())
    delays = _DELAY.findall(netlist.log)
    return {
        "area": area,
        "gate_equivalents": area / library.nand2_area,
        "ff": sum(number for cell, number in netlist.cells.items() if cell in library.registers),
        "delay_ps": float(delays[-1]) if delays else None,
    }
