"""Reading architectures: what a file says arrives exactly, and what it says wrongly is refused at its place."""

from __future__ import annotations

from fractions import Fraction

import pytest

from accelsim.arch import Port, find_archs, load_arch
from accelsim.errors import AccelsimError
from tests.cost.machines import ARCH, CYCLES, written

LEVELS = ARCH[ARCH.index("levels:") : ARCH.index("units:")]
UNITS = ARCH[ARCH.index("units:") : ARCH.index("components:")]
REFUSED = [
    ("rows: 4", "rows: 0", '10:11: units.grid.rows: must be a positive integer, got "0"'),
    ("rows: 4", "rows: -4", '10:11: units.grid.rows: must be a positive integer, got "-4"'),
    ("rows: 4", "rows: 1.5", '10:11: units.grid.rows: must be a positive integer, got "1.5"'),
    ("rows: 4", "rows: many", '10:11: units.grid.rows: must be a positive integer, got "many"'),
    ("rows: 4\n", "rows: 4\n    lanes: 3\n", "10:5: units.grid: needs rows and cols, or lanes"),
    ("    rows: 4\n", "", "10:5: units.grid: needs rows and cols, or lanes"),
    (
        "lanes: 5",
        "lanes: 1099511627777",
        "23:5: units.line: has 1099511627777 PEs; at most 1099511627776 are supported",
    ),
    (UNITS, "units: {}\n", "8:8: units: needs at least one unit"),
    (LEVELS, "levels: {}\n", "4:9: levels: needs at least one level, the off-chip one first"),
    ("component: sram", "component: sran", '7:62: levels.l1.component: unknown component "sran"; did you mean "sram"?'),
    ("width: 64 bit, ", "", '7:62: levels.l1.component: component "sram" of a level needs a width'),
    ("  l2: ", "  grid: ", '9:3: units: "grid" names a level and a unit'),
    ("  l1: ", "  l2: ", '7:3: duplicate key "l2"'),
    ("capacity: unlimited, ", "", '5:9: levels.dram: missing key "capacity"'),
    (
        "bandwidth: 3 GB/s",
        "bandwidth: infinite",
        '5:42: levels.dram.bandwidth: expected a quantity in B/s, such as "1 B/s", got "infinite"',
    ),
    ("bandwidth: 3 GB/s", "bandwidth: 0 GB/s", '5:42: levels.dram.bandwidth: must be more than 0, got "0 GB/s"'),
    ("bandwidth: 3 GB/s", "bandwidth: 3 GB", '5:42: levels.dram.bandwidth: expected a quantity in B/s, got "3 GB"'),
    (
        "bandwidth: 5 GB/s",
        "bandwidth: {read: 5 GB/s}",
        '6:40: levels.l2.bandwidth: missing key "write"',
    ),
    (
        "bandwidth: 5 GB/s",
        "bandwidth: {read: 5 GB/s, writes: 5 GB/s}",
        '6:55: levels.l2.bandwidth.writes: unknown key "writes"; did you mean "write"?',
    ),
    (
        "bandwidth: 5 GB/s",
        "bandwidth: {read: 5 GB/s, write: 0 B/s}",
        '6:62: levels.l2.bandwidth.write: must be more than 0, got "0 B/s"',
    ),
    (
        "bandwidth: 5 GB/s",
        "bandwidth: [5 GB/s, 5 GB/s]",
        "6:40: levels.l2.bandwidth: must be a quantity in B/s, got a list",
    ),
    (
        "bandwidth: 5 GB/s, component: memory}\n  l1",
        "bandwidth: {read: 5 GB/s, write: 5 GB/s}, component: memory}\n  l2.read",
        "7:12: levels.l2.read: is the name of a port of l2",
    ),
    ("component: sram}", "component: sram, read_out: 1}", 'levels.l1.read_out: must be true or false, got "1"'),
    (
        "3 GB/s, component: memory}",
        "3 GB/s, component: memory, read_out: true}",
        "5:79: levels.dram.read_out: there is no level outside the outermost one that its results could leave for",
    ),
    ("clock: 1 GHz\n", "", '1:1: missing key "clock"'),
    ("clock: 1 GHz", "clock: 0 Hz", '3:8: clock: must be more than 0, got "0 Hz"'),
    ("clock: 1 GHz", "clok: 1 GHz", '3:1: clok: unknown key "clok"; did you mean "clock"?'),
    ("mac: {cycles: 3", "mac: {cycles: -3", '13:21: units.grid.ops.mac.cycles: must be not negative, got "-3"'),
    ("mac: {cycles: 3", "mac: {cycles: three", '13:21: units.grid.ops.mac.cycles: must be a number, got "three"'),
    ("mac: {cycles: 3", "mca: {cycles: 3", '13:7: units.grid.ops.mca: no operator "mca"; did you mean "max"?'),
    (
        "exp(a-b): {",
        "exp(x1-b): {",
        '32:7: units.line.ops.exp(x1-b): operands of a pattern are single lower-case letters, got "x1" in "exp(x1-b)"',
    ),
    ("logic: 3", "logik: 3", '13:38: units.grid.ops.mac: unknown component "logik"; did you mean "logic"?'),
    ("logic: 3", "logic: -3", '13:38: units.grid.ops.mac.uses.logic: must be not negative, got "-3"'),
    (
        "counted: 2",
        "counted: 6",
        '33:43: units.line.registers.counted: must be at most 5, the PEs of the unit, got "6"',
    ),
    (
        "component: file, c",
        "component: fiel, c",
        '33:28: units.line.registers.component: unknown component "fiel"; did you mean "file"?',
    ),
    ("drain: ROWS + 2", "drain: 0 - 1", '21:22: units.grid.latency.drain: must be not negative, got "0 - 1"'),
    (
        "drain: ROWS + 2",
        "drain: LANES",
        '21:22: units.grid.latency.drain: parameter "LANES" has no value; known: COLS, ROWS',
    ),
    (
        "drain: ROWS + 2",
        "drain: half(rows)",
        '21:22: units.grid.latency.drain: a size is made of numbers and parameters only, got "half(rows)"',
    ),
    ("class: guess", "class: gues", 'unknown class "gues"; did you mean "guess"?'),
    ("write: 11 pJ/B", "write: 11 J", 'components.memory.energy.write: expected a quantity in pJ/B, got "11 J"'),
    (
        "use: 1 pJ/op",
        "use: 1 pJ/B",
        "components.logic.energy.use: an energy per byte or bit needs the component's width",
    ),
    ("use: 1 pJ/op", "use: -1 pJ/op", 'components.logic.energy.use: must be not negative, got "-1 pJ/op"'),
    (
        "accelsim/arch/1",
        "accelsim/arch/2",
        '1:9: schema: version "2" is not read by this program; expected accelsim/arch/1',
    ),
    ("accelsim/arch/1", "accelsim/mapping/1", '1:9: schema: must be "accelsim/arch/1", got "accelsim/mapping/1"'),
]


@pytest.mark.parametrize(("old", "new", "text"), REFUSED, ids=[text[:60] for _, _, text in REFUSED])
def test_what_is_wrong_is_refused_at_its_place(old: str, new: str, text: str) -> None:
    assert old in ARCH
    path = written("wrong-arch", ARCH.replace(old, new, 1))
    with pytest.raises(AccelsimError) as caught:
        load_arch(path)
    assert str(caught.value).startswith(path)
    assert str(caught.value).endswith(text)
    assert not text[0].isdigit() or str(caught.value) == f"{path}:{text}"


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (
            "units.pe2d.rows=0",
            '--set units.pe2d.rows:1:1: units.pe2d.rows: must be a positive integer, got "0"',
        ),
        (
            "units.pe2d.row=3",
            '--set units.pe2d.row:1:1: "units.pe2d.row": no "row" in units.pe2d; did you mean "rows"?',
        ),
        (
            "levels.l9.capacity=3 B",
            '--set levels.l9.capacity:1:1: "levels.l9.capacity": no "l9" in levels; known: buffer, dram',
        ),
        ("clock", '--set:1:1: must be PATH=VALUE, got "clock"'),
    ],
)
def test_overrides_are_checked_like_the_file(override: str, text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        load_arch("fusemax", [override])
    assert str(caught.value) == text


def test_unknown_names() -> None:
    with pytest.raises(AccelsimError) as caught:
        load_arch("fusemx")
    assert str(caught.value) == 'no architecture named "fusemx"; did you mean "fusemax"?'


def test_a_file_arrives_exactly() -> None:
    arch = load_arch(written("whole-arch", ARCH))
    grid, line = arch.units["grid"], arch.units["line"]
    assert [level.name for level in arch.levels] == ["dram", "l2", "l1"]
    assert arch.off_chip.ports == (Port("dram", ("read", "write"), Fraction(3 * 10**9)),)
    assert [level.bytes_per_s for level in arch.levels] == [3 * 10**9, 5 * 10**9, None]
    assert [level.capacity_bytes for level in arch.levels] == [None, None, None]
    assert (grid.pes, line.pes, grid.counted, line.counted) == (12, 5, 12, 2)
    assert grid.latency == {"drain": 6}
    assert {op: entry.cycles for op, entry in grid.ops.items()} == CYCLES
    assert line.ops["exp(a-b)"].cycles == 19
    assert arch.components["memory"].energy_pj == {"read": 28, "write": 44}, "an energy per byte times 32 bits"
    assert arch.components["sram"].width_bytes == 8
    assert arch.area_um2() is None, "no area is said, so none is known"


def test_reads_and_writes_may_have_a_port_each() -> None:
    path = written("ported-arch", ARCH.replace("bandwidth: 5 GB/s", "bandwidth: {read: 5 GB/s, write: 7 GB/s}"))
    dram, l2, l1 = load_arch(path, ["levels.l2.bandwidth.write=2 GB/s"]).levels
    assert l2.ports == (
        Port("l2.read", ("read",), Fraction(5 * 10**9)),
        Port("l2.write", ("write",), Fraction(2 * 10**9)),
    )
    assert (l2.port("read"), l2.port("write")) == l2.ports
    assert l2.bytes_per_s == 7 * 10**9
    assert dram.port("read") == dram.port("write") == dram.ports[0]
    assert (l1.ports, l1.port("read"), l1.bytes_per_s) == ((), None, None)
    half = load_arch(path, ["levels.l2.bandwidth.read=unlimited"]).levels[1]
    assert (half.port("read"), half.bytes_per_s) == (None, None), "reads have no limit, so both together have none"
    assert half.ports == (Port("l2.write", ("write",), Fraction(7 * 10**9)),)


def test_what_shares_a_port_has_no_rate_of_its_own() -> None:
    with pytest.raises(AccelsimError) as caught:
        load_arch("fusemax", ["levels.dram.bandwidth.read=3 GB/s"])
    assert str(caught.value).endswith('levels.dram.bandwidth is "400 GiB/s", not a mapping')
    level = load_arch("fusemax", ["levels.dram.bandwidth={read: 3 GB/s, write: 4 GB/s}"]).off_chip
    assert [port.name for port in level.ports] == ["dram.read", "dram.write"]


def test_overrides_reach_only_what_they_name() -> None:
    plain, other = load_arch("fusemax"), load_arch("fusemax", ["units.pe2d.rows=128", "clock=1 GHz"])
    assert other.units["pe2d"].dims == {"rows": 128, "cols": 256}
    assert other.units["pe2d"].latency == {"reduction": 128}
    assert other.units["pe1d"] == plain.units["pe1d"]
    assert plain.clock_hz == 940 * 10**6
    assert other.clock_hz == 10**9
    assert plain.sha256 != other.sha256


def test_an_overlay_changes_what_it_sets_and_knows_its_base() -> None:
    base, overlay = load_arch("flat"), load_arch("flat-equal-costs")
    assert overlay.lineage == ("flat-equal-costs", "flat")
    assert base.units["pe1d"].ops["exp(a-b)"].cycles == 1
    assert overlay.units["pe1d"].ops["exp(a-b)"].cycles == 2
    assert overlay.levels == base.levels
    assert overlay.units["pe2d"] == base.units["pe2d"]


@pytest.mark.parametrize("name", [name for name, _ in find_archs()])
def test_every_shipped_file_loads_and_says_what_it_is(name: str) -> None:
    arch = load_arch(name)
    assert arch.name == name
    assert arch.description
    assert arch.source
    assert arch.area_um2() is not None or any("area" in note for note in arch.notes)
    assert all(component.source for component in arch.components.values())


def test_area_counts_every_pe() -> None:
    arch = load_arch("fusemax")
    area = arch.area_um2()
    assert area is not None
    assert area["pe2d.mac"] == 256 * 256 * 1545
    assert area["pe1d.div"] == 256 * Fraction("23740.9375")
    assert area["buffer"] == 92 * 10**6
