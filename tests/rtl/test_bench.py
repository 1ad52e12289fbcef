"""The bench itself: payloads to numbers, what counts as wrong, models and their cache, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st

import rtl.bench.model
import rtl.bench.runner
from accelsim.errors import AccelsimError
from rtl import tools
from rtl.bench import Case, Cut, Device, Job, Observed, device, failures, pack, simulate, sweep, unpack
from rtl.bench.compare import begins, faults, without_stalls
from rtl.bench.model import build_model
from rtl.bench.plan import CASES, RESETS
from rtl.block import Block
from rtl.sim.codec import case_from, observed_from, plain_case, plain_observed
from rtl.streams import SkidBuffer
from tests.rtl.blocks import ADDRESS, FIFO, SKID, all_cases, all_devices
from tests.rtl.fst import variables

LAYOUT = data.StructLayout({"k": data.ArrayLayout(signed(5), 3), "wide": unsigned(70), "last": 1, "none": 0})


@given(
    st.lists(
        st.tuples(st.lists(st.integers(-16, 15), min_size=3, max_size=3), st.integers(0, 2**70 - 1), st.booleans())
    )
)
def test_payloads_are_read_back(rows: list[tuple[list[int], int, bool]]) -> None:
    k = np.array([row[0] for row in rows], int).reshape(len(rows), 3)
    columns = {"k": k, "wide": [row[1] for row in rows], "last": [row[2] for row in rows], "none": [0] * len(rows)}
    beats = pack(LAYOUT, columns)
    lanes = [sum((value & 31) << 5 * lane for lane, value in enumerate(row[0])) for row in rows]
    assert beats == tuple(low | wide << 15 | last << 85 for low, (_, wide, last) in zip(lanes, rows, strict=True))
    found = unpack(LAYOUT, beats)
    assert found["k"].tolist() == [row[0] for row in rows]
    assert [found["wide"].tolist(), found["last"].tolist()] == [columns["wide"], columns["last"]]


@given(st.integers(1, 80), st.data())
def test_integers_of_any_width_are_read_back(width: int, draw: st.DataObject) -> None:
    values = draw.draw(st.lists(st.integers(-(1 << width - 1), (1 << width - 1) - 1), max_size=5))
    assert unpack(signed(width), pack(signed(width), values)).tolist() == values


@pytest.mark.parametrize(
    ("shape", "values", "message"),
    [
        (signed(4), [3, 8], 'payload: must be from -8 to 7 for signed(4), got "8"'),
        (unsigned(4), [-1], 'payload: must be from 0 to 15 for unsigned(4), got "-1"'),
        (LAYOUT, {"k": [[1, 2, 3]]}, 'payload: has no values for the field "wide"'),
    ],
)
def test_payloads_that_do_not_fit_are_refused(shape: Any, values: Any, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        pack(shape, values)
    assert str(caught.value) == message


# What counts as wrong, without a simulator: a job of two payloads, first output after 1 edge, last after 2, busy for 2.

JOB = Job({"i": (1, 2)}, {"o": (3, 4)}, 1, 2, 2)
CASE = Case("two", "any", (JOB, JOB))


def seen(taken: list[int], left: list[int], stalls: tuple[int, ...] = (), payloads: str = "3434") -> Observed:
    moved = {
        "i": tuple((edge, n) for n, edge in enumerate(taken)),
        "o": tuple(zip(left, map(int, payloads), strict=True)),
    }
    return Observed(moved, {"o": stalls}, {})  # fmt: skip


GOOD = seen([0, 1, 2, 3], [1, 2, 3, 4])
RIGID = replace(CASE, gap_out=0.5, rigid=True)
TABLE: list[tuple[Case, Observed, tuple[str, ...]]] = [
    (CASE, GOOD, ()),
    (CASE, seen([7, 8, 9, 10], [8, 9, 10, 11]), ()),
    (CASE, seen([0, 1, 2, 3], [1, 2, 3, 4], payloads="3433"), ("o: payload 3 at edge 4 is 0x3, not 0x4",)),
    (CASE, seen([0, 1, 2, 3], [1, 2, 3, 4], payloads="0000"), ("o: payload 0 at edge 1 is 0x0, not 0x3, and 3 more",)),
    (CASE, seen([0, 1, 2, 3], [1, 2, 3], payloads="343"), ("o: 3 payloads, not 4",)),
    (CASE, seen([0, 1, 2, 3], [0, 2, 3, 4]), ("job 0: first output at edge 0, not 1",)),
    (CASE, seen([0, 1, 2, 3], [1, 2, 3, 5]), ("job 1: last output at edge 3, not 2",)),
    (
        CASE,
        seen([0, 1, 3, 4], [1, 2, 4, 5]),
        ("job 0: next job begins at edge 3, not 2",),
    ),
    (replace(CASE, gap_in=0.5), seen([0, 3, 6, 7], [1, 4, 7, 8]), ()),
    (replace(CASE, gap_in=0.5), seen([0, 1, 2, 3], [1, 2, 3, 3]), ("job 1: last output at edge 3, before edge 4",)),
    (RIGID, seen([0, 1, 4, 5], [1, 4, 5, 6], stalls=(2, 3)), ()),
    (RIGID, seen([0, 1, 4, 5], [1, 4, 5, 7], stalls=(2, 3)), ("job 1: last output at edge 3, not 2",)),
    (CASE, replace(GOOD, trouble="o: valid is X at edge 3"), ("o: valid is X at edge 3",)),
]


@pytest.mark.parametrize(("case", "observed", "lines"), TABLE)
def test_what_counts_as_wrong(case: Case, observed: Observed, lines: tuple[str, ...]) -> None:
    assert failures(case, observed) == lines


def test_faults_are_counted_by_kind() -> None:
    """Every differing bit counts, and every payload too many or too few."""
    flipped = seen([0, 1, 2, 3], [1, 2, 3, 4], payloads="3730")
    assert [(fault.kind, fault.number) for fault in faults(CASE, flipped)] == [("bits", 2 + 1)]
    short = seen([0, 1, 2, 3], [1, 2], payloads="30")
    assert [(fault.kind, fault.number) for fault in faults(CASE, short)] == [("bits", 2), ("bits", 1)]
    late = seen([0, 1, 3, 4], [2, 3, 4, 5])
    assert [fault.kind for fault in faults(CASE, late)] == ["first", "last", "busy"]
    assert [fault.kind for fault in faults(CASE, replace(GOOD, trouble="stuck"))] == ["rules"]
    assert [fault.kind for fault in faults(CASE, GOOD, 1)] == ["rules"]


def test_what_left_before_a_reset_must_be_the_beginning() -> None:
    case = replace(CASE, cut=Cut((JOB,), 3))
    assert failures(case, replace(GOOD, cut={"o": ((1, 3),)})) == ()
    assert failures(case, replace(GOOD, cut={"o": ((1, 3), (2, 5))})) == (
        "before the reset: o: payload 1 at edge 2 is 0x5, not 0x4",
    )
    assert failures(case, replace(GOOD, cut={"o": ((1, 3), (2, 4), (3, 3))})) == (
        "before the reset: o: 3 payloads, not 2",
    )


def test_a_unit_begins_after_a_reset_as_if_fresh() -> None:
    late = seen([2, 3, 4, 5], [3, 4, 5, 6])
    assert begins([replace(CASE, gap_in=0.5), CASE, CASE], [late, GOOD, late]) == {"any": 0}
    assert failures(CASE, late, 2) == ()
    assert failures(CASE, late, 0) == ("the first input is taken at edge 2 after the reset, not 0",)
    assert failures(replace(CASE, gap_in=0.5), late, 0) == ()


def test_an_output_that_nobody_expects_is_wrong() -> None:
    observed = replace(GOOD, transfers={**GOOD.transfers, "flag": ((4, 1),)})
    assert failures(CASE, observed) == ("flag: 1 payloads, not 0",)


def test_stalled_edges_are_not_counted() -> None:
    assert without_stalls(seen([0, 5, 6, 9], [1, 5, 6, 9], stalls=(2, 3, 8)))["o"] == ((1, 3), (3, 4), (4, 3), (6, 4))


def test_cases_and_observations_survive_the_file() -> None:
    for case in all_cases()[:60]:
        assert case_from(json.loads(json.dumps(plain_case(case)))) == case
    observed = replace(seen([0, 1, 2, 3], [1, 2, 3, 4], stalls=(2,)), cut={"o": ((0, 1 << 90),)}, trouble="none")
    assert observed_from(json.loads(json.dumps(plain_observed(observed)))) == observed


def test_a_sweep_has_every_kind_of_case() -> None:
    cases = sweep(FIFO, [(8, 5)], 3)
    assert sweep(FIFO, [(8, 5)], 3) == cases != sweep(FIFO, [(8, 5)], 4)
    assert len(cases) == CASES <= 30
    assert {len(case.jobs) for case in cases if case.free} == {1, 2, 5}
    assert sum(case.cut is not None for case in cases) == len(RESETS)
    stalled = [case for case in cases if case.gap_out and not case.cut]
    assert {(case.gap_in, case.gap_out) for case in cases} >= {(0, 0.4), (0.4, 0), (0.8, 0.8), (0, 0.9)}
    assert all(sum(len(job.outputs["o"]) for job in case.jobs) >= 20 for case in stalled)
    equal = [case for case in cases if case.name.endswith("5 equal")]
    assert len({(job.last, job.busy) for job in equal[0].jobs}) == 1


# Blocks that do what no block may, to see that the bench notices.


class Odd(Block):
    """Passes payloads on after one edge; what is odd about it depends on `kind`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        count = Signal(4)
        m.d.sync += count.eq(count + 1)
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        if self.kind == "forgets":
            with m.If(self.o.valid & ~self.o.ready):
                m.d.sync += self.o.valid.eq(0)
        if self.kind == "changes":
            with m.If(self.o.valid & ~self.o.ready):
                m.d.sync += self.o.payload.eq(count)
        if self.kind == "stops":
            with m.If(count == 15):
                m.d.comb += self.i.ready.eq(0)
                m.d.sync += [count.eq(15), self.o.valid.eq(0)]
        if self.kind == "repeats":
            m.d.sync += self.o.valid.eq(self.i.valid | self.o.valid)
        if self.kind == "survives a reset":
            kept = Signal(reset_less=True)
            m.d.sync += kept.eq(self.i.valid & self.i.ready)
            with m.If(kept):
                m.d.sync += self.o.valid.eq(1)
        return m


ODD = {
    "forgets": ("o: valid was taken back at edge ",),
    "changes": ("o: the payload changed while it waited, at edge ",),
    "stops": ("i, o: nothing moved for ", "o: nothing moved for "),
    "repeats": ("o: more than 32 payloads too many", "o: "),
    "survives a reset": ("o: ",),
}


JUNK = """
module dut_junk(input clk, input rst, input [7:0] i_payload, input i_valid, output i_ready,
                output [7:0] o_payload, output o_valid, input o_ready);
  reg [7:0] junk;
  assign o_valid = i_valid;
  assign i_ready = o_ready;
  assign o_payload = i_payload ^ junk;
endmodule
"""


@cache
def odd_devices() -> tuple[Device, ...]:
    """All that is odd, and what has no value at the start, for one model."""
    junk = replace(device("junk", SkidBuffer(8)), verilog=JUNK)
    return *(device(f"odd_{place}", Odd(kind)) for place, kind in enumerate(ODD)), junk


@pytest.mark.slow
def test_the_bench_notices_what_is_odd() -> None:
    cases = [
        replace(case, name=f"{case.name} {found.name}", device=found.name)
        for found in odd_devices()[: len(ODD)]
        for case in sweep(replace(SKID, rigid=True), [8], 5)
    ]
    results = simulate(odd_devices(), cases, x_seeds=(1,))
    for place, beginnings in enumerate(ODD.values()):
        lines = [line for result in results if result.case.device == f"odd_{place}" for line in result.failures]
        assert any(line.startswith(beginnings) for line in lines), (place, lines)


@pytest.mark.slow
def test_a_register_without_a_value_is_noticed() -> None:
    """Under Verilator it has another value for each seed, under Icarus it is X."""
    case = Case("lone", "junk", (replace(job(), first=0, last=2),))
    results = simulate(odd_devices(), [case], x_seeds=(1, 2))
    assert len({result.observed.transfers["o"] for result in results}) == 2
    assert not all(result.passed for result in results)
    if shutil.which("iverilog"):
        found = simulate(odd_devices(), [case], sim="icarus")
        assert found[0].failures == ("o: payload is XXXXXXXX at edge 0",)


def job() -> Job:
    return Job({"i": (1, 2, 3)}, {"o": (1, 2, 3)}, 1, 3, 3)


@pytest.mark.slow
def test_waves_are_kept(tmp_path: Path) -> None:
    """Of a device that has a word of Verilog as its name."""
    devices, cases = [device("large", SkidBuffer(8))], [Case("lone", "large", (job(),))]
    assert all(result.passed for result in simulate(devices, cases, x_seeds=(4,), waves=tmp_path / "waves"))
    assert [name for name in variables((tmp_path / "waves" / "verilator-4.fst").read_bytes()) if "i_payload" in name]
    if shutil.which("iverilog"):
        assert simulate(devices, cases, sim="icarus", waves=tmp_path / "waves")[0].passed
        assert [name for name in variables((tmp_path / "waves" / "icarus.fst").read_bytes()) if "i_payload" in name]


@dataclass(frozen=True)
class Wrong:
    """What to change in a run that would pass, and what is said then."""

    message: str
    sim: str = "verilator"
    device: str = "skid"
    stream: str = "i"
    twice: bool = False
    none: bool = False
    x_seeds: tuple[int, ...] = (1,)


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong('sim: must be verilator or icarus, got "verilator5"; did you mean "verilator"?', sim="verilator5"),
        Wrong('case "lone": has no device "skit"; did you mean "skid"?', device="skit"),
        Wrong('case "lone": has no input stream "in"; did you mean "i"?', stream="in"),
        Wrong('case "lone": is there twice', twice=True),
        Wrong("a simulation must have at least one case", none=True),
        Wrong("x_seeds: must have at least one seed", x_seeds=()),
    ],
    ids=lambda wrong: wrong.message[:30],
)
def test_a_run_that_cannot_be_is_refused(wrong: Wrong) -> None:
    case = Case("lone", wrong.device, (replace(job(), inputs={wrong.stream: (1, 2, 3)}),))
    cases = [] if wrong.none else [case] * (1 + wrong.twice)
    with pytest.raises(AccelsimError) as caught:
        simulate([device("skid", SkidBuffer(8))], cases, sim=wrong.sim, x_seeds=wrong.x_seeds)
    assert str(caught.value) == wrong.message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Case("empty", "skid", ()), 'case "empty": must have at least one job'),
        (lambda: Case("gap", "skid", (job(),), 1.0), 'case "gap": a gap must be from 0 to below 1, got "1.0"'),
        (lambda: replace(job(), outputs={}), "job: must have an input payload and an output payload"),
        (
            lambda: device("Skid", SkidBuffer(8)),
            'device: must be lower-case letters and digits joined by _, got "Skid"',
        ),
        (lambda: build_model([device("skid", SkidBuffer(8))] * 2), 'device "skid": is there twice'),
    ],
)
def test_what_is_no_case_is_refused(make: Any, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        make()
    assert str(caught.value) == message


def test_a_missing_tool_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cocotb" else find(name))
    with pytest.raises(AccelsimError) as caught:
        simulate([device("skid", SkidBuffer(8))], [Case("lone", "skid", (job(),))])
    assert str(caught.value) == 'cocotb is not installed; it comes with: pip install "accelsim[rtl]"'
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(AccelsimError, match=r"^g\+\+ is not installed; it comes with: apt install build-essential$"):
        build_model([device("skid", SkidBuffer(8))])


@pytest.mark.slow
def test_a_simulation_that_ran_nothing_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtl.bench.runner, "start_worker", lambda *args: subprocess.Popen(["true"]))
    with pytest.raises(AccelsimError, match=r"^a simulation ran 0 of 1 cases$"):
        simulate([device("skid", SkidBuffer(8))], [Case("lone", "skid", (job(),))])


def test_verilog_that_does_not_build_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path))
    broken = replace(device("skid", SkidBuffer(8)), verilog="module dut_skid(; endmodule")
    with pytest.raises(AccelsimError, match=r"^build of a simulation failed: .*rror"):
        build_model([broken])
    assert list((tmp_path / "rtl" / "building").iterdir()) == []
    assert list((tmp_path / "rtl" / "models").iterdir()) == []


@pytest.mark.slow
def test_models_are_built_once_also_by_two_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two that miss at the same time both build, each in its own folder, and both get the same model."""
    (tmp_path / "rtl").mkdir()
    objects = tools.cache_folder() / "ccache"
    objects.mkdir(parents=True, exist_ok=True)
    (tmp_path / "rtl" / "ccache").symlink_to(objects)
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path))
    found = device("skid", SkidBuffer(8))
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: build_model([found]), range(2)))
    assert folders[0] == folders[1]
    assert {path.name for path in folders[0].iterdir()} == {"bench", "bench.v"}
    assert list((tmp_path / "rtl" / "building").iterdir()) == []
    monkeypatch.setattr(rtl.bench.model, "start_worker", lambda *args: pytest.fail("built again"))
    assert build_model([found]) == folders[0]


def test_models_that_were_not_used_for_long_are_forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(rtl.bench.model, "MOST_MODELS", 2)
    monkeypatch.setattr(rtl.bench.model, "run_worker", lambda task, spec, folder: (folder / "bench").touch())
    devices = [replace(device("skid", SkidBuffer(8)), verilog=f"// {number}") for number in range(3)]
    first, second = (build_model([found]) for found in devices[:2])
    os.utime(second, (1, 1))
    assert build_model([devices[0]]) == first
    third = build_model([devices[2]])
    assert set((tmp_path / "rtl" / "models").iterdir()) == {first, third}
    assert list((tmp_path / "rtl" / "building").iterdir()) == []


def test_the_cache_lies_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path))
    assert tools.cache_folder() == tmp_path / "rtl"
    monkeypatch.delenv("ACCELSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert tools.cache_folder() == Path("/xdg/accelsim/rtl")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert tools.cache_folder() == Path.home() / ".cache" / "accelsim" / "rtl"


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ACCELSIM_CACHE", str(tmp_path / "file"))
    with pytest.raises(AccelsimError, match=r"file/rtl: cannot be written: .*; set ACCELSIM_CACHE$"):
        build_model([device("skid", SkidBuffer(8))])


def test_the_library_says_what_is_missing_without_amaranth() -> None:
    """`rtl.tools` is what a command asks first: it must work where nothing is installed."""
    code = "import sys; sys.modules['amaranth'] = None; import rtl, rtl.tools, rtl.yosys; rtl.tools.cache_folder()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_address_jobs_are_what_they_say() -> None:
    rng = np.random.default_rng(1)
    made = ADDRESS.job((3, 32, 16), ((2, 3, 4),), rng)
    assert (len(made.inputs["command"]), len(made.outputs["o"]), made.last) == (1, 24, 24)


@pytest.mark.slow
def test_a_queue_is_not_rigid() -> None:
    """It goes on taking payloads while its output stalls, so that stalled edges do not delay all else."""
    cases = [replace(case, rigid=True) for case in sweep(FIFO, [(8, 5)], 3) if case.gap_out and not case.gap_in]
    results = simulate(all_devices(), cases, x_seeds=(1,))
    assert any(not result.passed for result in results)
