"""Waves as FST: what a VCD says is read back from it, by a reader written here and by GTKWave's where that is there."""

from __future__ import annotations

import gzip
import struct
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from rtl.bench.fst import fst_bytes
from rtl.bench.waves import EDGE, FIRST_RISE, Axis, write_fst
from tests.rtl.blocks import SEED
from tests.rtl.fst import Changes, read, sections

HEAD = """$timescale 1ps $end
 $scope module top $end
  $var wire 1 ! clk $end
  $var wire 1 " ready $end
  $scope module inner $end
   $var reg 11 # count [10:0] $end
   $var wire 1 ! clk $end
  $upscope $end
 $upscope $end
$enddefinitions $end
"""
WIDTHS = {"!": 1, '"': 1, "#": 11}


def drawn(edges: int) -> tuple[str, Changes]:
    """A VCD with random changes, and what they are."""
    rng, lines = np.random.default_rng(SEED), [HEAD]
    wanted: Changes = {place: [] for place in range(len(WIDTHS))}
    for time in sorted({0, *(int(at) for at in rng.integers(1, 50 * edges, edges))}):
        lines.append(f"#{time}\n")
        for place, (code, width) in enumerate(WIDTHS.items()):
            if time and rng.random() < 0.5:
                continue
            levels = "01" if rng.random() < 0.8 else "01xz"
            value = "".join(rng.choice(list(levels), width))
            short = value.lstrip("0") or "0"
            lines.append(f"{value}{code}\n" if width == 1 else f"b{value if short[0] in 'xz' else short} {code}\n")
            wanted[place].append((time, value))
    return "".join(lines), wanted


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@pytest.mark.parametrize("edges", [1, 3, 40, 2000])
def test_what_a_vcd_says_is_read_back(edges: int) -> None:
    text, wanted = drawn(edges)
    assert read(fst_bytes(lines(text), -12, lambda step: step), list(WIDTHS.values())) == wanted


def test_the_head_says_what_is_there() -> None:
    found = sections(fst_bytes(lines(drawn(3)[0]), -15, lambda step: step))
    start, end, *_ = struct.unpack_from(">QQ", found[0])
    assert (start, end) == (0, max(time for some in drawn(3)[1].values() for time, _ in some))
    assert struct.unpack_from("<d", found[0], 16)[0] == pytest.approx(2.718281828459045)
    assert struct.unpack_from(">5Q", found[0], 24)[1:] == (2, 4, 3, 1)  # scopes, variables, handles, sections
    assert struct.unpack_from(">b", found[0], 64) == (-15,)
    assert len(found[0]) == 321
    tree = gzip.decompress(found[4][8:])
    assert tree.startswith(b"\xfe\x00top\0\0\x10\0clk\0\x01\0\x10\0ready\0\x01\0\xfe\x00inner\0\0")
    assert tree.endswith(b"\x05\0count [10:0]\0\x0b\0\x10\0clk\0\x01\x01\xff\xff")


if find_spec("pylibfst"):  # GTKWave's own reader: the one above needs nothing

    def test_gtkwaves_reader_finds_the_same(tmp_path: Path) -> None:
        pylibfst = import_module("pylibfst")
        text, wanted = drawn(300)
        path = tmp_path / "waves.fst"
        path.write_bytes(fst_bytes(lines(text), -12, lambda step: step))
        file, found = pylibfst.lib.fstReaderOpen(str(path).encode()), dict[int, list[tuple[int, str]]]()

        def keep(_: object, time: int, handle: int, value: object) -> None:
            found.setdefault(handle - 1, []).append(
                (time, value if isinstance(value, str) else pylibfst.ffi.string(value).decode())
            )

        pylibfst.lib.fstReaderSetFacProcessMaskAll(file)
        pylibfst.fstReaderIterBlocks(file, keep)
        pylibfst.lib.fstReaderClose(file)
        assert found == wanted


def test_tick_0_is_at_time_0_and_what_was_before_shows_there() -> None:
    text, wanted = drawn(40)
    axis = Axis(Fraction(200 * 10**6), 100)
    found = read(fst_bytes(lines(text), axis.exponent, axis.time), list(WIDTHS.values()))
    zero = FIRST_RISE + EDGE * 100
    for place, some in wanted.items():
        before = [value for time, value in some if time <= zero]
        after = [(int((time - zero) * 2500), value) for time, value in some if time > zero]
        assert found[place] == [(0, before[-1]), *after]


@pytest.mark.parametrize(("clock", "exponent", "second"), [(10**9, -12, 10**12), (940 * 10**6, -15, 10**15)])
def test_times_of_edges_are_those_of_ticks(clock: int, exponent: int, second: int) -> None:
    axis = Axis(Fraction(clock), 7)
    assert axis.exponent == exponent
    for tick in (0, 1, 12345, 10**9):
        assert axis.time(FIRST_RISE + EDGE * (7 + tick)) == tick * second // clock
    assert axis.time(0) == 0


def test_a_run_that_does_not_come_to_tick_0_is_shown_whole(tmp_path: Path) -> None:
    text, wanted = drawn(3)
    (tmp_path / "dump.vcd").write_text(text, encoding="ascii")
    write_fst(tmp_path / "dump.vcd", tmp_path / "waves.fst", Axis(Fraction(10**9), 10**6))
    assert read((tmp_path / "waves.fst").read_bytes(), list(WIDTHS.values())) == wanted


def test_what_is_no_wire_is_refused() -> None:
    with pytest.raises(AccelsimError, match=r"^waves: must be of wires and registers, not real x$"):
        fst_bytes(["$var real 64 ! x $end\n"], -12, lambda step: step)
    with pytest.raises(AccelsimError, match=r"^waves: the simulator left no complete VCD$"):
        fst_bytes(["$timescale 1ps $end\n"], -12, lambda step: step)
