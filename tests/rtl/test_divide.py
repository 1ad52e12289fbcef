"""The divider in hardware: every bit and every edge, proofs, and faults on purpose."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from amaranth.hdl import Const, Module, Mux, Value

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.hardware.divide import UNIT, DivideSetup, build
from rtl.bench import Device, devices_of, simulate, soak, sweep
from rtl.bench.plan import CASES
from rtl.block import Block
from rtl.divide import Divider, Division
from rtl.formal import check_ready_paths, goes_on, prove, stream_rules
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.verilog import lint, verilog_text
from tests.rtl.rigid import SEED, TIMING, WAITING, Lossy, cases, common_variants, wrong

BENCH, SETUPS = UNIT.under_test, UNIT.configurations
EACH = pytest.mark.parametrize("name", SETUPS)
SMALL: DivideSetup = UNIT.read({**UNIT.plain(SETUPS["small"]), "division_bits": 2})


@cache
def devices() -> list[Device]:
    return devices_of(BENCH, list(SETUPS.values()))


@pytest.mark.slow
def test_every_bit_and_edge() -> None:
    """The corners of the two smallest are all numerators by all denominators."""
    tried = sweep(BENCH, list(SETUPS.values()), SEED)
    assert len(tried) == (CASES + 1) * len(SETUPS)
    all_pairs = [case for case in tried if case.name == "divide_1 corners"]
    assert len(set(all_pairs[0].jobs[0].inputs["i"])) == 64 * 16
    assert wrong(simulate(devices(), tried)) == []


@pytest.mark.slow
def test_a_hundred_thousand_beats() -> None:
    tried = soak(BENCH, SETUPS["lanes"], "divide_4", SEED)
    assert sum(len(job.inputs["i"]) for case in tried for job in case.jobs) >= 100_000
    assert wrong(simulate(devices(), tried, x_seeds=(1,))) == []


@pytest.mark.slow
@EACH
def test_verilog_is_clean(name: str) -> None:
    lint(verilog_text(build(SETUPS[name]), "accelsim_divide"), "accelsim_divide")


# Proofs.


@pytest.mark.slow
@EACH
def test_streams_keep_their_rules(name: str) -> None:
    check_ready_paths(build(SETUPS[name]))
    assert prove(build(SETUPS[name]), stream_rules, 2).holds


@pytest.mark.slow
def test_proofs_speak_of_runs_that_exist() -> None:
    assert prove(build(SMALL), stream_rules, 14, "cover").holds


@pytest.mark.slow
def test_a_willing_neighbour_is_served() -> None:
    within = build(SMALL).division.stages + 1
    assert prove(build(SMALL), goes_on(within), 20, "bounded").holds
    assert prove(build(SMALL), goes_on(within), 12, "cover").holds


@pytest.mark.slow
def test_a_broken_variant_is_refuted() -> None:
    assert prove(Lossy(build(SETUPS["once"])), stream_rules, 14).verdict == "refuted"


# Faults on purpose.


class RoundsDown(Division):
    """Cuts the bit off by which it should round."""

    def _code(self, low: Value, high: Value, quotient: Value) -> Value:
        return super()._code(low, high, quotient & ~Const(1, len(quotient)))


class WrapsHigh(Division):
    """A quotient just below what can be represented is rounded up to the lowest code."""

    def _code(self, low: Value, high: Value, quotient: Value) -> Value:
        most = (1 << self.output.width) - 1
        code = super()._code(low, high, quotient)
        wraps = ~low & ~high & (quotient == (1 << len(quotient)) - 1)
        return Mux(wraps, code ^ most, code)[: self.output.width].as_signed()


class NotLow(Division):
    """Does not saturate what is too low."""

    def _code(self, low: Value, high: Value, quotient: Value) -> Value:
        return super()._code(Const(0), high, quotient)


class NotEmpty(Division):
    """A denominator of 0 gives what the steps make of it."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        for lane in range(self.lanes):
            m.d.comb += self.quotient[lane].eq(Const(-1))
        return m


def with_division(kind: type[Division]) -> Divider:
    found = build(SMALL)
    found.division = kind(SMALL.widths, SMALL.output, SMALL.lanes, SMALL.division_bits)
    return found


def variants() -> dict[str, Block]:
    """Same ports, one thing wrong."""
    kinds = (RoundsDown, WrapsHigh, NotLow, NotEmpty)
    return {
        **common_variants(lambda: build(SMALL)),
        **{kind.__name__: with_division(kind) for kind in kinds},
        "sooner": build(replace(SMALL, division_bits=3)),
        "other point": build(replace(SMALL, output=FixedFormat(5, 3))),
    }


@pytest.mark.slow
def test_every_fault_made_by_hand_is_found() -> None:
    found = run_variants(build(SMALL), variants(), cases(BENCH, SMALL))
    assert [mutant.name for mutant in found.survivors] == []
    how = {mutant.name: mutant.found for mutant in found.mutants}
    assert len(how) >= 10
    assert all("output at edge" in how[name] or "begins" in how[name] for name in TIMING)
    assert all("gaps" in how[name] for name in WAITING)


SURVIVORS = {
    "cnot1 of division.lane0_stage1_rest_0 bit 6, at port Q bit 6 of $flatten\\division.$81": (
        "changes no quotient of any numerator and denominator of the format: all pairs of them are tried"
    ),
}
"""Faults that change nothing which a run could show, each with the reason."""


@pytest.mark.slow
def test_nine_of_ten_drawn_faults_are_found() -> None:
    found = run_mutants(mutants(build(SMALL), 30, SEED, "divide_small"), cases(BENCH, SMALL))
    assert len(found.mutants) == 30
    assert found.share >= 0.9
    assert {mutant.name for mutant in found.survivors} == set(SURVIVORS)


# What is refused.

BAD: list[tuple[dict[str, object], str]] = [
    ({"output": "s8.8"}, 'output: must be signed and hold -1, as s9.8 does, got "s8.8"'),
    ({"output": "u8.4"}, 'output: must be signed and hold -1, as s5.4 does, got "u8.4"'),
    ({"numerator": 0}, 'numerator: must be an integer from 1 to 128, got "0"'),
    ({"denominator": 200}, 'denominator: must be an integer from 1 to 128, got "200"'),
    ({"denominator": 63}, 'denominator: must be at most 62 bits for an output of s24.15, got "63"'),
    ({"numerator": 48}, 'numerator: must be at most 47 bits for an output of s24.15, got "48"'),
    ({"lanes": 0}, 'lanes: must be an integer from 1 to 256, got "0"'),
    ({"output": "s8", "division_bits": 10}, 'division_bits: must be an integer from 1 to 9, got "10"'),
    ({"lane": 2}, 'lane: is no parameter; did you mean "lanes"?'),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_dividers_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value) == message
