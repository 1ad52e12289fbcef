"""Levels with a port for reads and one for writes, and results whose leaving is counted as a read."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.arch import Arch, load_arch
from accelsim.cost.analytic import step_cost
from accelsim.cost.bound import step_bound
from accelsim.errors import AccelsimError
from accelsim.mapping import load_mapping
from accelsim.report.text import result_text
from accelsim.result import Result, Transfer
from accelsim.simulate import simulate, simulate_named
from accelsim.whatif import what_if
from accelsim.workload import load_workload
from tests.cost.brute import Brute
from tests.cost.drawn import GONE, draw
from tests.cost.machines import ARCH, SAMPLES, Case, Sample, case, sample, written
from tests.tries import tries

LEVELS = ARCH[ARCH.index("levels:") : ARCH.index("units:")]
NOTHING = Transfer(Fraction(0), Fraction(0))


@lru_cache(maxsize=16)
def machine(dram: str = "3 GB/s", l2: str = "5 GB/s", l1: str = "unlimited", read_out: str = "") -> Arch:
    """The tiny machine with other bandwidths; `read_out` names levels that count what leaves them."""
    lines = ["levels:"]
    for name, rate, component in (("dram", dram, "memory"), ("l2", l2, "memory"), ("l1", l1, "sram")):
        said = ", read_out: true" if name in read_out.split() else ""
        lines.append(f"  {name}: {{capacity: unlimited, bandwidth: {rate}, component: {component}{said}}}")
    return load_arch(written("ported", ARCH.replace(LEVELS, "\n".join(lines) + "\n")))


def drawn(seed: int, which: Sample) -> Case:
    """A random mapping that the rule accepts."""
    one = case(which, *draw(Random(seed), which))
    try:
        one.result  # noqa: B018
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in GONE))
        raise
    return one


RANDOM = given(seed=st.integers(0, 2**32), which=st.sampled_from(SAMPLES))


# What leaves a level


def elements(levels: str, keep: str, loops: str) -> dict[str, tuple[int, int]]:
    """Elements of C read from and written to each level, of a product of 4 x 6 and 6 x 2 in tiles of 2 in m, 3 in k."""
    text = (
        f"split: {{m: {{m1: rest, m0: 2}}, k: {{k1: rest, k0: 3}}}}\ngroups: [{{loops: [{loops}], einsums: [C]}}]\n"
        f"bind: {{grid: [C]}}\nkeep: {{{keep}}}\n"
    )
    plain = replace(sample("matmul"), four_bit=False)
    one = case(plain, {"M": 4, "K": 6, "N": 2}, text, machine(read_out=levels))
    traffic = step_cost(one.placement).traffic
    found = {level: table["C"] for level, table in traffic.items() if "C" in table}
    return {level: (int(moved.read / 2), int(moved.write / 2)) for level, moved in found.items()}


def test_a_finished_tile_is_read_when_it_leaves() -> None:
    keep = "l1: {tensors: {C: {at: m1}}}"
    assert elements("", keep, "m1, k1") == {"dram": (0, 8), "l1": (8, 16)}
    assert elements("l1", keep, "m1, k1") == {"dram": (0, 8), "l1": (8 + 8, 16)}


def test_so_is_one_with_partial_results_each_time() -> None:
    keep = "l1: {tensors: {C: {at: m1}}}"
    assert elements("", keep, "k1, m1") == {"dram": (8, 16), "l1": (8, 24)}
    assert elements("l1", keep, "k1, m1") == {"dram": (8, 16), "l1": (8 + 16, 24)}


def test_every_level_counts_for_itself() -> None:
    keep = "l2: {tensors: {C: {at: outside}}}, l1: {tensors: {C: {at: m1}}}"
    assert elements("", keep, "k1, m1") == {"dram": (0, 8), "l2": (8, 16), "l1": (8, 24)}
    assert elements("l2", keep, "k1, m1") == {"dram": (0, 8), "l2": (8 + 8, 16), "l1": (8, 24)}
    assert elements("l2 l1", keep, "k1, m1") == {"dram": (0, 8), "l2": (8 + 8, 16), "l1": (8 + 16, 24)}


def test_a_fraction_scales_no_inner_level() -> None:
    keep = "l1: {tensors: {C: {at: m1, fraction: 1/4}}}"
    assert elements("l1", keep, "m1, k1") == {"dram": (3 * 8 // 4, (8 + 3 * 16) // 4), "l1": (16, 16)}


def leaving(brute: Brute) -> Counter[tuple[str, str]]:
    """Elements by level and tensor that leave a level that kept them: results of a group, for the next one out."""
    placement, found = brute.placement, Counter[tuple[str, str]]()
    for group in placement.plan.groups:
        others = [e for e in placement.einsums if e.name not in group.einsums]
        for name in group.einsums:
            maker = placement.einsum(name)
            tensor, made = maker.tensor, [(maker, [maker.target])]
            goes_out = (
                tensor in placement.step.shapes.cascade.outputs
                or tensor in placement.plan.home
                or any(access.tensor == tensor for e in others for access in e.reads)
            )
            for at, (level, kept) in enumerate(brute.kept_for(group, maker, tensor)):
                if at or goes_out:
                    found[level, tensor] += brute.moved(group, made, kept.at)
    return found


@settings(max_examples=tries(60))
@RANDOM
def test_what_leaves_is_read_and_nothing_else_changes(seed: int, which: Sample) -> None:
    one = drawn(seed, which)
    other = Case(machine(read_out="l2 l1"), one.workload, one.mapping)
    before, after = step_cost(one.placement), step_cost(other.placement)
    left, types = leaving(Brute(one.placement)), one.placement.step.types
    for level in ("dram", "l2", "l1"):
        tables = before.traffic.get(level, {}), after.traffic.get(level, {})
        assert set(tables[0]) == set(tables[1])
        for tensor in tables[0]:
            read = left[level, tensor] * types[tensor].bytes
            assert tables[1][tensor] == tables[0][tensor] + Transfer(Fraction(read), Fraction(0)), (level, tensor)
    energies = {level: after.actions[level]["read"] - before.actions[level]["read"] for level in ("dram", "l2", "l1")}
    table = {level.name: one.arch.components[level.component].energy_pj["read"] for level in one.arch.levels}
    assert other.result.energy_pj is not None
    assert one.result.energy_pj is not None
    assert other.result.energy_pj - one.result.energy_pj == sum(table[name] * n for name, n in energies.items())


# Two ports


@settings(max_examples=tries(60))
@RANDOM
def test_two_ports_share_out_what_one_does(seed: int, which: Sample) -> None:
    """Each port is busy with its own bytes: together as long as one that both would share, at the same rate."""
    one = drawn(seed, which)
    both = "{read: 3 GB/s, write: 3 GB/s}", "{read: 5 GB/s, write: 5 GB/s}"
    two = Case(machine(*both), one.workload, one.mapping)
    for shared, own in zip(step_cost(one.placement).parts, step_cost(two.placement).parts, strict=True):
        for level in ("dram", "l2"):
            assert own.limits[f"{level}.read"] + own.limits[f"{level}.write"] == shared.limits[level]
            assert level not in own.limits
        assert own.seconds == max(own.limits.values()) == own.limits[own.bound_by]
        assert own.seconds <= shared.seconds <= 2 * own.seconds
    assert (two.result.traffic, two.result.energy_pj) == (one.result.traffic, one.result.energy_pj)


@settings(max_examples=tries(40))
@RANDOM
def test_each_port_has_its_own_rate(seed: int, which: Sample) -> None:
    one = drawn(seed, which)
    two = Case(machine("{read: 2 GB/s, write: 7 GB/s}", "{read: unlimited, write: 4 GB/s}"), one.workload, one.mapping)
    brute, cost = Brute(one.placement), step_cost(two.placement)
    rates = {"dram.read": 2, "dram.write": 7, "l2.write": 4}
    for group, part in zip(one.placement.plan.groups, cost.parts, strict=True):
        table = {
            level: [sum(way) for way in zip(*t.values(), strict=True)] for level, t in brute.traffic([group]).items()
        }
        for name, rate in rates.items():
            level, _, kind = name.partition(".")
            moved = table.get(level, [0, 0])[kind == "write"]
            assert part.limits[name] == Fraction(moved) / (rate * 10**9)
        assert "l2.read" not in part.limits
    bound = step_bound(two.arch, two.placement.step)
    assert bound.seconds <= cost.seconds
    (compulsory,) = bound.traffic.values()
    moved = sum(compulsory.values(), NOTHING)
    (part,) = bound.parts
    assert part.limits["dram.read"] == moved.read / (2 * 10**9)
    assert part.limits["dram.write"] == moved.write / (7 * 10**9)


# The reference architecture: AccelForge's numbers for a product of 512 x 512 x 512

INT8 = "schema: accelsim/workload/1\nname: gemm\nbase: gemm\nset: {types.default: int8}\n"
STATIONARY = """\
schema: accelsim/mapping/1
name: weight-stationary
for: {arch: reference, function: gemm}
split: {n: {n1: rest, n0: cols(pe2d)}, k: {k1: rest, k0: rows(pe2d)}}
groups: [{name: product, loops: [n1, k1], einsums: [C]}] # all of m streams through a tile of B
spatial: {pe2d: {rows: k0, cols: n0}}
bind: {pe2d: [C]}
keep: {glb: {tensors: {A: {at: outside}, C: {at: n1}}}}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Paths of the workload and of the mapping."""
    folder: Path = tmp_path_factory.mktemp("reference")
    (folder / "gemm.yaml").write_text(INT8)
    (folder / "stationary.yaml").write_text(STATIONARY)
    return str(folder / "gemm.yaml"), str(folder / "stationary.yaml")


def reference(files: tuple[str, str], depth: str = "analytic", *said: str) -> Result:
    return simulate_named("reference", files[0], ["M=512", *said], files[1], depth)


def test_a_product_costs_what_accelforge_says(files: tuple[str, str]) -> None:
    found, square = reference(files), 2**18
    assert found.traffic == {
        "dram": {
            "A": Transfer(*map(Fraction, (square, 0))),
            "B": Transfer(*map(Fraction, (square, 0))),
            "C": Transfer(*map(Fraction, (0, square))),
        },
        "glb": {
            "A": Transfer(*map(Fraction, (2 * square, square))),
            "C": Transfer(*map(Fraction, (square + square, 2 * square))),  # partial results, and what leaves
        },
    }
    per_byte = {"dram": Fraction("56.24"), "glb read": Fraction(8), "glb write": Fraction("9.6")}
    by_hand = (
        512**3 * Fraction("0.084")
        + 3 * square * per_byte["dram"]
        + 4 * square * per_byte["glb read"]
        + 3 * square * per_byte["glb write"]
    )
    assert found.energy_pj == by_hand
    assert f"{float(by_hand) * 1e-12:.6e}" == "7.144158e-05"
    assert found.seconds == Fraction(2048, 10**9)
    assert found.bound_by == "pe2d"


def test_a_slow_port_is_what_binds(files: tuple[str, str]) -> None:
    found = reference(files, "analytic", "arch.levels.glb.bandwidth.read=100 GB/s")
    assert found.seconds == Fraction(2**20, 100 * 10**9)
    assert found.bound_by == "glb.read"
    assert "glb.read bound: moving data 100% of the time" in result_text(found)
    assert reference(files, "analytic", "arch.levels.glb.bandwidth.write=100 GB/s").bound_by == "glb.write"


def test_at_depth_cycle_each_port_is_a_channel(files: tuple[str, str]) -> None:
    found = reference(files, "cycle")
    assert found.waits is not None
    assert {"dram", "glb.read", "glb.write"} < set(found.waits.idle)
    assert found.cycles_exact is not None
    for name, moved in (("dram", Fraction(3 * 2**18, 400)), ("glb.read", Fraction(1024)), ("glb.write", Fraction(768))):
        assert found.cycles_exact - sum(wait.cycles for wait in found.waits.idle[name]) == moved, name
    assert found.energy_pj == reference(files).energy_pj


def test_twice_and_half_of_each_port(files: tuple[str, str]) -> None:
    changes = what_if("reference", files[0], ["M=512"], files[1])
    speedups = {(change.resource, change.factor): change.speedup for change in changes}
    assert {"dram bandwidth", "glb.read bandwidth", "glb.write bandwidth"} < {change.resource for change in changes}
    for name in ("glb.read bandwidth", "glb.write bandwidth"):
        assert speedups[name, Fraction(2)] == speedups[name, Fraction(1, 2)] == 1
    assert speedups["dram bandwidth", Fraction(1, 2)] == Fraction(2048, 10**9) * 200 * 10**9 / (3 * 2**18)


def test_what_two_ports_move_at_best_is_their_sum(files: tuple[str, str]) -> None:
    machine_of = reference(files).machine
    assert machine_of is not None
    assert machine_of.bandwidth_bytes_per_s == {"dram": 400 * 10**9, "glb": 2048 * 10**9}
    one_way = simulate(
        load_arch("reference", ["levels.glb.bandwidth.read=unlimited"]),
        load_workload(files[0], ["M=512"]),
        load_mapping(files[1]),
    ).machine
    assert one_way is not None
    assert set(one_way.bandwidth_bytes_per_s) == {"dram"}
