"""Verilog: names, bytes that never change, the description beside it, lint, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Const, Module, signed
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from rtl.block import Block
from rtl.netlist import without_copies
from rtl.ports import Interface, Pin, StreamPort, interface_of
from rtl.streams import Arbiter, Fifo, Fork, Join, packet_layout
from rtl.verilog import WAIVED, lint, verilog_text, write_verilog
from rtl.yosys import run_yosys
from tests.rtl.blocks import all_devices
from tests.source import ROOT


class Cell(Block):
    """Multiplies and adds."""

    def __init__(self) -> None:
        super().__init__({"a": In(signed(8)), "b": In(signed(8)), "c": In(signed(20)), "y": Out(signed(20))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.d.sync += self.y.eq(self.c + self.a * self.b)
        return m


class Grid(Block):
    """Cells side by side and one behind the other."""

    def __init__(self, side: int) -> None:
        self.side = side
        super().__init__({"a": In(signed(8)).array(side), "b": In(signed(8)), "y": Out(signed(20)).array(side)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        for row in range(self.side):
            value = Const(0, signed(20))
            for place in range(self.side):
                m.submodules[f"cell_{row}_{place}"] = cell = Cell()
                m.d.comb += [cell.a.eq(self.a[row]), cell.b.eq(self.b), cell.c.eq(value)]
                value = cell.y
            m.d.comb += self.y[row].eq(value)
        return m


class Named(Block):
    """Has the ports that it is told to have, and nothing in it."""

    def __init__(self, **ports: Any) -> None:
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        return Module()


MAKE = """
from rtl.streams import *
from rtl.verilog import verilog_text
import hashlib
blocks = Arbiter(packet_layout(8), 3, packets=True), AddressGenerator(3), Fifo(8, 5)
print([hashlib.sha256(verilog_text(block, "made").encode()).hexdigest() for block in blocks])
"""


@pytest.mark.slow
def test_bytes_depend_on_neither_hash_seed_nor_folder(tmp_path: Path) -> None:
    seen = set()
    for seed, folder in (("0", ROOT), ("1", tmp_path), ("77", Path("/"))):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", MAKE], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_bytes_do_not_depend_on_what_was_made_before() -> None:
    first = verilog_text(Fifo(8, 5), "queue")
    verilog_text(Arbiter(8, 3), "other")
    assert verilog_text(Fifo(8, 5), "queue") == first
    assert not re.search(r"/work|site-packages|\.py", first)


def test_ports_are_the_paths_joined_by_one_underscore() -> None:
    text = verilog_text(Fork(packet_layout(8), 2), "fork_two")
    header = re.search(r"module fork_two\((.*?)\);", text)
    assert header
    names = set(header[1].split(", "))
    streams = {f"{port}_{wire}" for port in ("i", "o_0", "o_1") for wire in ("payload", "valid", "ready")}
    assert names == {"clk", "rst"} | streams


def test_clock_and_reset_are_ports_of_a_block_without_registers() -> None:
    text = verilog_text(Join([8, 8]), "join_two")
    assert "input clk;" in text
    assert "input rst;" in text


@pytest.mark.slow
def test_names_need_no_escape() -> None:
    assert not [found.name for found in all_devices() if "\\" in found.verilog]


@pytest.mark.slow
def test_every_block_lints_clean() -> None:
    for found in all_devices():
        lint(found.verilog, f"dut_{found.name}")


def test_lint_finds_what_is_not_waived() -> None:
    text = "module bad(input clk, input [3:0] a, output reg [3:0] y);\n  always @(*) if (a[0]) y = a;\nendmodule\n"
    with pytest.raises(AccelsimError, match=r"^lint of bad: LATCH: .*\(\d+ in all\)$"):
        lint(text, "bad")
    with pytest.raises(AccelsimError, match="lint of bad: "):
        lint("module bad(; endmodule", "bad")


@pytest.mark.slow
def test_each_waiver_is_needed_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(WAIVED) <= 8
    texts = [
        *((found.verilog, f"dut_{found.name}") for found in all_devices()),
        (verilog_text(Grid(2), "grid"), "grid"),
    ]
    needed = {name for name in list(WAIVED) if any(warns(*text, name, monkeypatch) for text in texts)}
    assert needed >= set(WAIVED) - {"UNOPTFLAT"}, "a waiver that nothing needs"


def warns(text: str, name: str, waiver: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    with monkeypatch.context() as patch:
        patch.delitem(WAIVED, waiver)
        try:
            lint(text, name)
        except AccelsimError as error:
            return waiver in str(error)
    return False


@pytest.mark.parametrize("side", [2, 5, 9])
def test_equal_modules_are_emitted_once(side: int) -> None:
    """The first and the last cell of a row have constant and other ports; all rows are the same."""
    text = verilog_text(Grid(side), "grid")
    assert text.count("\nmodule ") <= 4
    assert len(re.findall(r"^  grid_cell_\w+ cell_\d+_\d+ \($", text, re.MULTILINE)) == side * side


def test_copies_are_found_from_the_bottom_up() -> None:
    def module(name: str, *cells: str) -> str:
        body = "".join(f"  cell \\{kind} \\c{place}\n  end\n" for place, kind in enumerate(cells))
        return f'attribute \\generator "x"\nmodule \\{name}\n{body}end\n'

    below = {"t": ["t.a", "t.b", "t.d"], "t.a": ["t.a.x"], "t.a.x": [], "t.b": ["t.b.x"], "t.b.x": [], "t.d": ["$and"]}
    text = "\n".join(module(name, *cells) for name, cells in below.items())
    assert re.findall(r"^module \\(\S+)", without_copies(text), re.MULTILINE) == ["t", "t_a", "t_a_x", "t_d"]
    assert without_copies(text).count("cell \\t_a \\") == 2


def test_description_stands_beside_the_file(tmp_path: Path) -> None:
    paths = write_verilog(Fifo(8, 5), "queue", tmp_path, parameters={"depth": 5}, timing={"first": 1})
    text, page = paths[0].read_bytes(), json.loads(paths[1].read_text(encoding="utf-8"))
    assert [path.name for path in paths] == ["queue.v", "queue.json"]
    assert page["sha256"] == hashlib.sha256(text).hexdigest()
    assert (page["module"], page["parameters"], page["timing"]) == ("queue", {"depth": 5}, {"first": 1})
    assert {"name": "level", "direction": "output", "width": 3} in page["ports"]
    assert {"name": "i", "direction": "input", "width": 8} in page["streams"]
    assert set(page["tools"]) == {"amaranth", "pyosys"}
    ports = {port["name"] for port in page["ports"]}
    assert ports == set(re.findall(r"^  (?:input|output) (?:\[.*?\] )?(\w+);", text.decode(), re.MULTILINE))


def test_interface_of_a_block_with_streams_and_pins() -> None:
    block = Named(mode=In(2), i=In(stream.Signature(8)), done=In(stream.Signature(0)), flag=Out(1))
    streams = (StreamPort("i", "input", 8), StreamPort("done", "input", 0))
    assert interface_of(block) == Interface(streams, (Pin("mode", "input", 2), Pin("flag", "output", 1)))
    assert streams[1].pins() == (Pin("done_valid", "input", 1), Pin("done_ready", "output", 1))
    assert "done_payload" not in verilog_text(block, "named")


@pytest.mark.parametrize(
    ("block", "name", "message"),
    [
        (Named(clk=In(1)), "named", 'port "clk": the name is taken; clk, rst and paths joined by _ must all differ'),
        (
            Named(i=In(stream.Signature(1)), i_valid=In(1)),
            "named",
            'port "i_valid": the name is taken; clk, rst and paths joined by _ must all differ',
        ),
        (Named(a=In(1)), "a b", 'module name: must be letters, digits and underscores, got "a b"'),
        (Named(a=In(1)), "fork", 'module name: "fork" is a word of Verilog'),
        (Named(module=In(1)), "a", 'port "module": the name is a word of Verilog or cannot stand in it'),
        (
            Named(i=In(stream.Signature(1, always_valid=True))),
            "named",
            "stream i: must have both valid and ready, not always_valid or always_ready",
        ),
    ],
)
def test_what_cannot_be_named_is_refused(block: Block, name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AccelsimError) as caught:
        write_verilog(block, name, tmp_path, parameters={})
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AccelsimError, match="file: cannot be written: File exists"):
        write_verilog(Fifo(8, 5), "queue", tmp_path / "file", parameters={})


def test_an_error_of_yosys_is_one_line_and_ends_nothing() -> None:
    with pytest.raises(AccelsimError, match=r"^yosys: ERROR: Module `nothing' not found!$"):
        run_yosys(["hierarchy -top nothing"], {}, [])
