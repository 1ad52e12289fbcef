"""FPGA families: how Yosys maps to each, and which of its cells take LUTs, flip-flops, multipliers and memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from accelsim.errors import AccelsimError, nearest
from rtl.estimate.synthesis import Figures, Flow, Netlist

KINDS = ("lut", "ff", "dsp", "bram", "carry")
HALF = Fraction(1, 2)
WITHOUT = (
    "placement, packing, routing, timing, clock, pads, and registers within DSPs and LUTs; "
    "other tools come to other numbers"
)


@dataclass(frozen=True)
class Family:
    """A family of FPGAs.

    Attributes:
        says: the family, and the units that its figures count.
        script: the commands of Yosys that map to it.
        takes: kind of resource to type of cell to how many one such cell takes; a type may take several kinds.
        free: types that take none: they are part of what others take.
    """

    name: str
    says: str
    script: tuple[str, ...]
    takes: Mapping[str, Mapping[str, Fraction]]
    free: frozenset[str] = frozenset()


def _each(number: int | Fraction, *cells: str) -> dict[str, Fraction]:
    return dict.fromkeys(cells, Fraction(number))


# What `synth_ice40 -dsp` does up to its DSPs, less `ice40_dsp`: to chains of multiply and add that Yosys 0.70 fuses
# with it, it does wrong (12 of the 16 multipliers of an array of 4 x 4 go, and inputs are left without effect).
ICE40_SCRIPT = (
    "proc",
    "flatten",
    "opt_expr",
    "opt_clean",
    "opt -nodffe -nosdff",
    "opt",
    "wreduce",
    "peepopt",
    "opt_clean",
    "memory_dff",
    "wreduce t:$mul",
    "techmap -map +/mul2dsp.v -map +/ice40/dsp_map.v -D DSP_NAME=$__MUL16X16 -D DSP_A_MAXWIDTH=16 -D DSP_B_MAXWIDTH=16 "
    "-D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=11",
    "chtype -set $mul t:$__soft_mul",
    "synth_ice40 -device u",
)
# iCE40 LP/HX and UltraPlus family data sheets, Lattice: a logic cell is a LUT, a carry and a flip-flop.
ICE40 = Family(
    "ice40",
    "Lattice iCE40 UltraPlus: LUT4, DSP of 16 x 16 bits, BRAM of 4 Kbit",
    ICE40_SCRIPT,
    {
        "lut": _each(1, "SB_LUT4"),
        "ff": _each(1, "SB_DFF", *(f"SB_DFF{kind}" for kind in ("E", "SR", "SS", "R", "S", "ESR", "ESS", "ER", "ES"))),
        "dsp": _each(1, "SB_MAC16"),
        "bram": _each(1, "SB_RAM40_4K"),
        "carry": _each(1, "SB_CARRY"),
    },
)
# ECP5 data sheet, Lattice FPGA-DS-02012: a carry cell is a slice's two LUTs; 16 x 4 bits of memory are three slices.
ECP5 = Family(
    "ecp5",
    "Lattice ECP5: LUT4, DSP of 18 x 18 bits, BRAM of 18 Kbit",
    ("synth_ecp5",),
    {
        "lut": {**_each(1, "LUT4"), **_each(2, "CCU2C"), **_each(6, "TRELLIS_DPR16X4")},
        "ff": _each(1, "TRELLIS_FF"),
        "dsp": _each(1, "MULT18X18D"),
        "bram": _each(1, "DP16KD", "PDPW16KD"),
        "carry": _each(1, "CCU2C"),
    },
    frozenset({"PFUMX", "L6MUX21"}),
)
# UltraScale CLB user guide, Xilinx UG574: memories and shift registers are LUTs; UG573: block RAM of 36 Kbit, or two.
XILINX = Family(
    "xilinx",
    "Xilinx UltraScale+: LUT6, DSP48E2 of 27 x 18 bits, BRAM of 36 Kbit",
    ("synth_xilinx -family xcup -flatten -noiopad -noclkbuf",),
    {
        "lut": {
            **_each(1, *(f"LUT{inputs}" for inputs in range(1, 7)), "INV", "SRL16E", "SRLC16E", "SRLC32E"),
            **_each(1, "RAM32X1S", "RAM64X1S"),
            **_each(2, "RAM32X1D", "RAM64X1D", "RAM128X1S"),
            **_each(4, "RAM128X1D", "RAM256X1S", "RAM32M", "RAM64M"),
            **_each(8, "RAM256X1D", "RAM512X1S", "RAM32M16", "RAM64M8", "RAM32X16DR8", "RAM64X8SW"),
        },
        "ff": _each(1, "FDRE", "FDSE", "FDCE", "FDPE"),
        "dsp": _each(1, "DSP48E2"),
        "bram": {**_each(1, "RAMB36E2"), **_each(HALF, "RAMB18E2")},
        "carry": _each(1, "CARRY4", "CARRY8"),
    },
    frozenset({"MUXF7", "MUXF8", "MUXF9"}),
)
FAMILIES: Mapping[str, Family] = {family.name: family for family in (ICE40, ECP5, XILINX)}


def find_family(name: str) -> Family:
    """The family of that name. AccelsimError with the nearest name where there is none."""
    if name not in FAMILIES:
        raise AccelsimError(f'no FPGA family "{name}"{nearest(name, FAMILIES)}')
    return FAMILIES[name]


def fpga_flow(family: Family) -> Flow:
    """Synthesis for a family. Figures: `lut`, `ff`, `dsp`, `bram` and `carry`.

    Registers in DSPs and in LUTs that are shift registers or memories are no flip-flops.
    """

    def figures(netlist: Netlist) -> Figures:
        return resources(family, netlist.cells)

    return Flow(family.name, family.says, WITHOUT, family.script, "stat -json", {}, figures)


def resources(family: Family, cells: Mapping[str, int]) -> Figures:
    """What these cells take of each kind.

    Raises:
        AccelsimError: a type of cell that the family's table does not have.
    """
    known = {cell for takes in family.takes.values() for cell in takes} | family.free
    for cell in cells:
        if cell not in known:
            raise AccelsimError(f'no figure for {cells[cell]} cells of type "{cell}"')
    totals = {kind: sum(takes.get(cell, 0) * n for cell, n in cells.items()) for kind, takes in family.takes.items()}
    return {kind: int(total) if total == int(total) else float(total) for kind, total in totals.items()}
