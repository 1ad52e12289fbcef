"""The vector unit with online softmax in hardware: every bit and every edge, proofs, and faults on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from accelsim.hardware.softmax import UNIT, SoftmaxSetup, build, edges, golden, inputs
from accelsim.units.softmax import Scores
from rtl.bench import Case, Device, devices_of, simulate, soak, sweep
from rtl.bench.plan import CASES
from rtl.formal import Claims, check_ready_paths, goes_on, prove, stream_rules
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.sim.case import Job
from rtl.softmax import SoftmaxStages
from rtl.softmax_tile import TileStore
from rtl.verilog import lint, verilog_text
from tests.rtl.rigid import SEED, TIMING, WAITING, Lossy, Restless, cases, wrong
from tests.rtl.softmax import SMALL, variants

BENCH, SETUPS = UNIT.under_test, UNIT.configurations
EACH = pytest.mark.parametrize("name", SETUPS)


@cache
def devices() -> list[Device]:
    return devices_of(BENCH, list(SETUPS.values()))


@pytest.mark.slow
def test_every_bit_and_edge() -> None:
    tried = sweep(BENCH, list(SETUPS.values()), SEED)
    assert len(tried) == (CASES + 1) * len(SETUPS) >= 100
    assert wrong(simulate(devices(), tried)) == []


def any_length(setup: SoftmaxSetup, rng: np.random.Generator) -> Scores:
    """From one key to the longest row, as many of each size."""
    return Scores(int(setup.length ** rng.random()))


@pytest.mark.slow
def test_a_hundred_thousand_beats() -> None:
    tried = soak(replace(BENCH, shape=any_length), SETUPS["beat"], "softmax_2", SEED)
    assert sum(len(job.inputs["i"]) for case in tried for job in case.jobs) >= 100_000
    assert wrong(simulate(devices(), tried, x_seeds=(1,))) == []


@pytest.mark.slow
@pytest.mark.parametrize("keys", [1, 16, 17, 1000, 4096])
def test_rows_of_any_length(keys: int) -> None:
    setup, shape = SETUPS["default"], Scores(keys)
    streams = inputs(setup, shape, np.random.default_rng(keys))
    wanted = edges(setup, shape)
    job = Job(streams, golden(setup, shape, streams), wanted.first, wanted.last, wanted.busy)
    assert wrong(simulate(devices(), [Case(f"{keys} keys", "softmax_0", (job, job))], x_seeds=(1,))) == []


@pytest.mark.slow
@EACH
def test_verilog_is_clean(name: str) -> None:
    lint(verilog_text(build(SETUPS[name]), "accelsim_softmax"), "accelsim_softmax")


# Proofs.


@pytest.mark.slow
@EACH
def test_streams_keep_their_rules(name: str) -> None:
    check_ready_paths(build(SETUPS[name]))
    assert prove(build(SETUPS[name]), stream_rules, 2).holds


@pytest.mark.slow
@pytest.mark.parametrize("setup", [SETUPS["key"], SMALL], ids=["one key", "small"])
def test_proofs_speak_of_runs_that_exist(setup: SoftmaxSetup) -> None:
    assert prove(build(setup), stream_rules, 20, "cover").holds


@pytest.mark.slow
def test_a_willing_neighbour_is_served() -> None:
    """A row of one key makes its unit fill up a tile of three beats, meanwhile no other is taken."""
    within = edges(SMALL, Scores(1)).first + 1
    assert prove(build(SMALL), goes_on(within), 30, "bounded").holds
    assert prove(build(SMALL), goes_on(within), 20, "cover").holds


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Lossy, Restless])
def test_a_broken_variant_is_refuted(kind: Callable[[Any], Any]) -> None:
    proof = prove(kind(build(SETUPS["key"])), stream_rules, 18)
    assert (proof.verdict, proof.broken) == ("refuted", ("o_keeps",))


def no_place_is_lost(claims: Claims, store: wiring.Component) -> None:
    """What is written over has been read before, or is read at the same edge; tiles end at their last place."""
    assert isinstance(store, TileStore)
    claims.given("ends_in_place", store.ends == (store.place == store.beats - 1))
    claims.always("places_fit", (store.place < store.beats) & (store.read < store.beats))
    claims.always("read_before_written", ~store.o_present | (store.place <= store.read))
    claims.always("reads_from_the_start", store.o_present | (store.read == 0))
    both = store.present & store.o_present
    claims.reached("meets_in_a_place", both & (store.place == store.read) & (store.read == store.beats - 1))
    claims.reached("lags_behind", both & (store.place < store.read))


class Slow(TileStore):
    """Waits at its first place whenever a beat comes in."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        with m.If(self.o_present & self.present & (self.read == 0)):
            m.d.sync += [self.read.eq(0), self.o_present.eq(1)]
        return m


@pytest.mark.slow
@pytest.mark.parametrize("beats", [1, 3, 64])
def test_tiles_never_overtake_each_other(beats: int) -> None:
    assert prove(TileStore(8, 1, beats, 1), no_place_is_lost, 2).holds


@pytest.mark.slow
def test_a_slow_store_is_refuted() -> None:
    assert prove(TileStore(8, 1, 3, 1), no_place_is_lost, 12, "cover").holds
    assert prove(Slow(8, 1, 3, 1), no_place_is_lost, 12).verdict == "refuted"


# Faults on purpose.


@pytest.mark.slow
def test_every_fault_made_by_hand_is_found() -> None:
    found = run_variants(build(SMALL), variants(), cases(BENCH, SMALL))
    assert [mutant.name for mutant in found.survivors] == []
    how = {mutant.name: mutant.found for mutant in found.mutants}
    assert len(how) >= 10
    assert all("output at edge" in how[name] or "begins" in how[name] for name in TIMING)
    assert all("gaps" in how[name] for name in WAITING)


SURVIVORS = {
    "const0, at port A bit 1 of $flatten\\lane_1.$procmux$50_CMP0": (
        "segment 1 is also found where it is 3, which the tree of multiplexers looks for first"
    ),
    "cnot1 of factor_difference_below bit 4, at port B bit 4 of $procmux$187": (
        "a distance from 8 on is changed by 1 and stays there, where exp of 10 bits is 0"
    ),
}
"""Faults that change nothing which a run could show, each with the reason."""


@pytest.mark.slow
def test_nine_of_ten_drawn_faults_are_found() -> None:
    found = run_mutants(mutants(build(SMALL), 30, SEED, "softmax_small"), cases(BENCH, SMALL))
    assert len(found.mutants) == 30
    assert found.share >= 0.9
    assert {mutant.name for mutant in found.survivors} == set(SURVIVORS)


# What is refused.

BAD: list[tuple[dict[str, object], str]] = [
    ({"tile": 18}, 'tile: must be a multiple of the 4 lanes, such as 16, got "18"'),
    ({"lanes": 8, "tile": 4}, 'tile: must be a multiple of the 8 lanes, such as 8, got "4"'),
    ({"tile": 0}, 'tile: must be an integer from 1 to 65536, got "0"'),
    ({"length": 0}, 'length: must be an integer from 1 to 2147483648, got "0"'),
    (
        {"length": 1 << 25},
        'denominator with a length of 33554432: must hold 281466386776064, which overflows "s48.23"; s49.23 would do',
    ),
    ({"maximum_stages": 9}, 'maximum_stages: must be an integer from 0 to 8, got "9"'),
    ({"tiles": 4}, 'tiles: is no parameter; did you mean "tile"?'),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_units_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value) == message


def test_stages_are_numbers_of_registers() -> None:
    with pytest.raises(AccelsimError, match=r'^sum_stages: must be an integer from 0 to 8, got "-1"$'):
        SoftmaxStages(sum_stages=-1)
