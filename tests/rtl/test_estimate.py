"""Estimates: figures known by hand, laws that hold for any size, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from accelsim.errors import AccelsimError
from accelsim.hardware.catalog import UNITS, find_unit
from rtl.block import Block
from rtl.estimate import (
    FAMILIES,
    Estimate,
    Flow,
    estimate,
    find_family,
    fpga_flow,
    gates_flow,
    library_flow,
    read_library,
    synthesis,
)
from rtl.estimate.family import ECP5, XILINX, resources
from rtl.estimate.synthesis import NO_CELL
from rtl.netlist import rtlil_text
from rtl.streams import Fifo
from rtl.systolic import ArrayForm, SystolicArray
from rtl.verilog import verilog_text
from rtl.yosys import run_yosys
from tests.rtl import liberty

TOP = "top"
FPGA = tuple(FAMILIES)
SIZES = ((2, 2), (2, 4), (4, 4))


class Delay(Block):
    """`depth` registers in a row, with reset, so that none of them is a shift register of an FPGA."""

    def __init__(self, width: int, depth: int) -> None:
        self.depth = depth
        super().__init__({"a": In(unsigned(width)), "y": Out(unsigned(width))})

    def elaborate(self, platform: None) -> Module:
        m, value = Module(), self.a
        for place in range(self.depth):
            register = Signal.like(self.a, name=f"register_{place}", init=0)
            m.d.sync += register.eq(value)
            value = register
        m.d.comb += self.y.eq(value)
        return m


class Nand(Block):
    """The register of a NAND of some inputs."""

    def __init__(self, inputs: int) -> None:
        super().__init__({"a": In(unsigned(inputs)), "y": Out(1)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        register = Signal(reset_less=True)
        m.d.sync += register.eq(~self.a.all())
        m.d.comb += self.y.eq(register)
        return m


class Table(Block):
    """A memory that is written and read at edges."""

    def __init__(self, width: int, depth: int) -> None:
        self.memory = Memory(shape=unsigned(width), depth=depth, init=[])
        address = unsigned((depth - 1).bit_length())
        ports = {"i": In(unsigned(width)), "o": Out(unsigned(width)), "from_": In(address), "to": In(address)}
        super().__init__({**ports, "writes": In(1)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.memory = self.memory
        write, read = self.memory.write_port(), self.memory.read_port()
        m.d.comb += [write.addr.eq(self.to), write.data.eq(self.i), write.en.eq(self.writes)]
        m.d.comb += [read.addr.eq(self.from_), self.o.eq(read.data), read.en.eq(1)]
        return m


class Product(Block):
    """A product of signed numbers."""

    def __init__(self, width: int) -> None:
        super().__init__({"a": In(signed(width)), "b": In(signed(width)), "y": Out(signed(2 * width))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.d.comb += self.y.eq(self.a * self.b)
        return m


class Beside(Block):
    """Two blocks that have nothing to do with each other."""

    def __init__(self, one: Block, other: Block) -> None:
        self.parts = {"one": one, "other": other}
        super().__init__({name: Out(part.signature) for name, part in self.parts.items()})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        for name, part in self.parts.items():
            m.submodules[name] = part
            connect(m, flipped(getattr(self, name)), part)
        return m


def array(rows: int, cols: int, **more: int) -> SystolicArray:
    return SystolicArray(ArrayForm(rows, cols, "ws", left=8, right=8, accumulator=32, **more))


def of(block: wiring.Component, flow: Flow) -> Estimate:
    return estimate(verilog_text(block, TOP), TOP, flow)


@pytest.fixture
def library(tmp_path: Path) -> Callable[[str], Flow]:
    """The flow to the library in a text."""

    def flow(text: str) -> Flow:
        path = tmp_path / "tiny.lib"
        path.write_text(text, encoding="utf-8")
        return library_flow(read_library(path))

    return flow


# By hand.


@pytest.mark.slow
def test_registers_by_hand(library: Callable[[str], Flow]) -> None:
    for flow in (*map(fpga_flow, FAMILIES.values()), gates_flow(), library(liberty.tiny())):
        assert of(Delay(3, 4), flow).figures["ff"] == 3 * 4


def test_gates_by_hand() -> None:
    """A NAND of two, 4 transistors, and a flip-flop, 16."""
    assert dict(of(Nand(2), gates_flow()).figures) == {"gate_equivalents": 5, "ff": 1}


def test_area_and_delay_by_hand(library: Callable[[str], Flow]) -> None:
    """NAND of three: a NAND, an inverter, a NAND; and the flip-flop. Only gates stand between registers."""
    found = of(Nand(3), library(liberty.tiny()))
    area = 2 * liberty.NAND2 + liberty.INVERTER + liberty.FLIP_FLOP
    delay = 1000 * (2 * liberty.NAND2_NS + liberty.INVERTER_NS)
    assert dict(found.figures) == {"area": area, "gate_equivalents": area / 2, "ff": 1, "delay_ps": delay}
    assert dict(found.cells) == {"DFF": 1, "GATE": 2, "INV": 1}


def test_a_library_without_delays_has_areas(library: Callable[[str], Flow]) -> None:
    timed, untimed = (of(Nand(3), library(liberty.tiny(timed))) for timed in (True, False))
    assert untimed.figures == {**timed.figures, "delay_ps": None}


def test_a_design_without_gates_has_no_delay(library: Callable[[str], Flow]) -> None:
    figures = of(Delay(1, 0), library(liberty.tiny())).figures
    assert (figures["area"], figures["delay_ps"]) == (0, None)


def test_the_nand2_is_found_by_what_it_does(library: Callable[[str], Flow]) -> None:
    """Larger ones, others, and the same in other words."""
    more = {
        "large": liberty.gate("NAND2X4", 7, "!(A B)", "AB", 1),
        "small": liberty.gate("OTHER", 1.5, "(!A) + (!B)", "AB", 1),
        "nor": liberty.gate("NAND", 1, "!(A + B)", "AB", 1),
    }
    flow = library(liberty.liberty({**liberty.cells(True), **more}))
    figures = of(Nand(3), flow).figures
    assert "NAND2 = 1.5" in flow.says
    assert figures["gate_equivalents"] == pytest.approx(float(figures["area"] or 0) / 1.5)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "blocks"), [("ecp5", 1), ("xilinx", 0.5), ("ice40", 5)])
def test_multipliers_and_memories_by_hand(family: str, blocks: float) -> None:
    """16 by 16 bits is one of each family's multipliers.

    1024 x 18 bits, 18 Kbit, are one block of ECP5, half of Xilinx', and 5 of 4 Kbit with 16 bits or fewer.
    """
    figures = of(Beside(Product(16), Table(18, 1024)), fpga_flow(FAMILIES[family])).figures
    assert (figures["dsp"], figures["bram"]) == (1, blocks)


def test_a_queue_of_luts_is_counted_as_luts() -> None:
    """8 x 16 bits in two memories of 16 x 4, six LUTs each; in gates its bits are flip-flops."""
    found = of(Fifo(unsigned(8), 16), fpga_flow(ECP5))
    assert found.cells["TRELLIS_DPR16X4"] == 2
    assert found.figures["lut"] == found.cells["LUT4"] + 2 * found.cells.get("CCU2C", 0) + 12
    assert of(Fifo(unsigned(8), 16), gates_flow()).figures["ff"] == (found.figures["ff"] or 0) + 8 * 16


def test_resources_by_hand() -> None:
    assert resources(ECP5, {"LUT4": 3, "CCU2C": 2, "PFUMX": 1})["lut"] == 7
    assert resources(XILINX, {"RAMB18E2": 3})["bram"] == 1.5
    with pytest.raises(AccelsimError, match=r'^no figure for 2 cells of type "ALU54B"$'):
        resources(ECP5, {"ALU54B": 2})


# Laws.


@cache
def sized(rows: int, cols: int, family: str) -> Estimate:
    return of(array(rows, cols), fpga_flow(FAMILIES[family]))


@pytest.mark.slow
@pytest.mark.parametrize("family", FPGA)
def test_an_array_has_a_multiplier_for_each_element(family: str) -> None:
    """And a larger one takes no less of anything."""
    found = [sized(*size, family).figures for size in SIZES]
    assert [figures["dsp"] for figures in found] == [rows * cols for rows, cols in SIZES]
    for kind in ("lut", "ff"):
        numbers = [figures[kind] or 0 for figures in found]
        assert numbers == sorted(numbers)
        assert numbers[0] < numbers[-1]


@pytest.mark.slow
def test_more_lanes_take_more() -> None:
    unit = find_unit("exp")
    blocks = [unit.under_test.build(unit.read({"lanes": lanes, "segments": 4})) for lanes in (1, 3)]
    found = [{**of(block, fpga_flow(ECP5)).figures, **of(block, gates_flow()).figures} for block in blocks]
    for kind in ("lut", "ff", "gate_equivalents"):
        numbers = [figures[kind] or 0 for figures in found]
        assert numbers == sorted(set(numbers)), kind


def netlist(block: wiring.Component, *script: str) -> str:
    """From RTLIL rather than from Verilog, through none of the flows."""
    read = ("read_rtlil in.il", f"hierarchy -check -top {TOP}")
    return run_yosys([*read, *script, "write_rtlil out.il"], {"in.il": rtlil_text(block, TOP)}, ["out.il"])["out.il"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exp", "divide", "systolic"])
def test_flip_flops_are_the_bits_of_registers(name: str) -> None:
    """As many as stand in the netlist of gates of any kind, and no more than were described."""
    assert name in UNITS
    unit = find_unit(name)
    params = next(iter(unit.configurations.values())) if name == "exp" else unit.read(SMALL[name])
    block = unit.under_test.build(params)
    one_bit = len(re.findall(r"^  cell \$_\w*DFF\w*_ ", netlist(block, "synth -flatten -noabc"), re.MULTILINE))
    wide = re.findall(r"^  cell \$\w*dff\w* .*\n(?:    .*\n)*?    parameter \\WIDTH (\d+)", words(block), re.MULTILINE)
    assert one_bit <= sum(map(int, wide))
    assert of(block, gates_flow()).figures["ff"] == one_bit
    assert of(block, fpga_flow(ECP5)).figures["ff"] == one_bit


SMALL: dict[str, dict[str, object]] = {
    "divide": {"numerator": 6, "denominator": 6, "output": "s5.4", "division_bits": 3},
    "systolic": {"rows": 2, "cols": 3},
}


def words(block: wiring.Component) -> str:
    return netlist(block, "proc", "flatten")


@cache
def bare() -> str:
    """An array of 4 x 4 without optional registers: chains of multiply and add."""
    names = ("input_registers", "mac_registers", "output_registers")
    return verilog_text(array(4, 4, **dict.fromkeys(names, 0)), TOP)


@pytest.mark.slow
@pytest.mark.parametrize("family", FPGA)
def test_nothing_is_lost(family: str) -> None:
    """A mapping that drops a part of the design shows in inputs that nothing reads: small figures that are wrong."""
    found = mapped(FAMILIES[family].script)
    assert idle_inputs(found) == idle_inputs(mapped(("synth -flatten -noabc",)))
    kinds = Counter(cell["type"] for cell in found["cells"].values() if cell["type"] != NO_CELL)
    assert resources(FAMILIES[family], kinds)["dsp"] == 16


@pytest.mark.slow
def test_what_is_lost_is_noticed() -> None:
    """The flow that is not used, since it loses three of four rows (Yosys 0.70)."""
    assert len(idle_inputs(mapped(("synth_ice40 -device u -dsp",)))) >= 24


@cache
def mapped(script: tuple[str, ...]) -> dict[str, Any]:
    """The array's cells and ports when the commands of a flow have run over it."""
    read = ("read_verilog in.v", f"hierarchy -check -top {TOP}")
    page = run_yosys([*read, *script, "write_json out.json"], {"in.v": bare()}, ["out.json"])["out.json"]
    found: dict[str, Any] = json.loads(page)["modules"][TOP]
    return found


def idle_inputs(top: dict[str, Any]) -> list[str]:
    """The bits of inputs that no cell reads."""
    reads = {
        bit
        for cell in top["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input"
        for bit in bits
    }
    ports = {name: port["bits"] for name, port in top["ports"].items() if port["direction"] == "input"}
    return [f"{name}[{place}]" for name, bits in ports.items() for place, bit in enumerate(bits) if bit not in reads]


@pytest.mark.golden
def test_an_array_is_near_the_reference(reference: Path) -> None:
    """A prototype of the same size, 4 x 4 of 8 bits without optional registers: equal multipliers, and as many
    flip-flops and carries within a quarter; where the family keeps all registers in flip-flops."""
    with open(reference / "rtl" / "synth_results.csv", encoding="utf-8", newline="") as file:
        rows = {row["target"]: row for row in csv.DictReader(file) if row["unit"] == "ws4"}
    found = of(array(4, 4, input_registers=0, mac_registers=0, output_registers=0), fpga_flow(ECP5))
    told = rows["ecp5"]
    assert found.figures["dsp"] == int(told["DSP"])
    assert found.figures["ff"] == pytest.approx(int(told["FF"]), rel=0.25)
    assert found.figures["carry"] == pytest.approx(int(told["carry"]), rel=0.25)
    assert sized(4, 4, "xilinx").figures["dsp"] == int(rows["xilinx xcup"]["DSP"])
    assert sized(4, 4, "xilinx").figures["lut"] == pytest.approx(int(rows["xilinx xcup"]["LUT"]), rel=0.5)


# The cache.


def test_the_same_again_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for folder in ("one", "two"):
        monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path / folder))
        found.append(of(Nand(3), gates_flow()))
    text = verilog_text(Nand(3), TOP)
    monkeypatch.setattr(synthesis, "run_yosys", refuse)
    found.append(estimate(text, TOP, gates_flow()))
    assert found[0].figures == found[1].figures == found[2].figures
    assert found[0].cells == found[1].cells == found[2].cells
    with pytest.raises(AssertionError):
        estimate(text.replace("1'h1", "1'h0") + "\n", TOP, gates_flow())


def refuse(*words: object) -> dict[str, str]:
    raise AssertionError("ran again")


def test_another_library_is_not_the_same(library: Callable[[str], Flow]) -> None:
    areas = []
    for area in (liberty.FLIP_FLOP, 20):
        text = liberty.tiny().replace(f"area : {liberty.FLIP_FLOP};", f"area : {area};")
        areas.append(of(Nand(3), library(text)).figures["area"] or 0)
    assert areas[1] - areas[0] == 20 - liberty.FLIP_FLOP


def test_a_broken_file_of_the_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path))
    first = of(Nand(2), gates_flow()).figures
    (path,) = (tmp_path / "rtl" / "estimates").iterdir()
    path.write_text("{", encoding="utf-8")
    assert of(Nand(2), gates_flow()).figures == first


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path / "file"))
    with pytest.raises(AccelsimError, match="cannot be written: Not a directory; set ACCELSIM_CACHE"):
        of(Nand(2), gates_flow())


# What is refused.


def test_a_family_that_is_not_there() -> None:
    with pytest.raises(AccelsimError, match=r'^no FPGA family "xlinx"; did you mean "xilinx"\?$'):
        find_family("xlinx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "yosys: ERROR: No entries found in liberty file `cells.lib'."),
        ("hello", "yosys: ERROR: Syntax error in liberty file on line 1"),
        (liberty.tiny()[:300], "yosys: ERROR: Syntax error in liberty file on line"),
    ],
    ids=["empty", "other", "cut"],
)
def test_a_file_that_is_no_liberty(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AccelsimError) as caught:
        read_library(path)
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("inverter", "has no inverter with an area"),
        ("buffer", "has no buffer with an area"),
        ("nand2", "has no NAND of two inputs with an area"),
        ("flip-flop", "has no flip-flop with an area"),
    ],
)
def test_a_library_that_lacks_something(missing: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(liberty.liberty({k: v for k, v in liberty.cells(True).items() if k != missing}), encoding="utf-8")
    with pytest.raises(AccelsimError) as caught:
        read_library(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.lib"
    with pytest.raises(AccelsimError) as caught:
        read_library(path)
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"
