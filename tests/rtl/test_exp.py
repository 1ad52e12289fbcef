"""The exp unit in hardware: every bit and every edge, tables, proofs, and faults on purpose."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.exp import SEGMENTS, bases, log2_e_code
from accelsim.hardware.exp import UNIT, ExpSetup, build
from rtl.bench import Device, devices_of, simulate, soak, sweep
from rtl.bench.plan import CASES
from rtl.exp import Exp, ExpStages, log2_e, powers
from rtl.formal import check_ready_paths, goes_on, prove, stream_rules
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.verilog import lint, verilog_text
from tests.rtl.exp import SMALL, every_number, variants
from tests.rtl.rigid import SEED, TIMING, WAITING, Lossy, Withdrawn, cases, wrong

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


@pytest.mark.slow
def test_a_hundred_thousand_beats() -> None:
    tried = soak(BENCH, SETUPS["lanes"], "exp_1", SEED)
    assert sum(len(job.inputs["i"]) for case in tried for job in case.jobs) >= 100_000
    assert wrong(simulate(devices(), tried, x_seeds=(1,))) == []


@pytest.mark.slow
def test_every_number_of_a_source() -> None:
    """All 4096 codes of u12.8 through a unit of one lane and one register."""
    assert wrong(simulate(devices(), [every_number(SETUPS["short"], "exp_4")])) == []


@pytest.mark.parametrize("segments", SEGMENTS)
def test_tables_of_hardware_and_golden_model_are_the_same(segments: int) -> None:
    for bits in (7, 10, 17, 26, 34):
        assert list(powers(segments, bits)) == bases(segments, bits).tolist()


def test_constants_of_hardware_and_golden_model_are_the_same() -> None:
    assert [log2_e(bits) for bits in range(60)] == [log2_e_code(bits) for bits in range(60)]


@pytest.mark.slow
@EACH
def test_verilog_is_clean(name: str) -> None:
    lint(verilog_text(build(SETUPS[name]), "accelsim_exp"), "accelsim_exp")


# Proofs.


@pytest.mark.slow
@EACH
def test_streams_keep_their_rules(name: str) -> None:
    check_ready_paths(build(SETUPS[name]))
    assert prove(build(SETUPS[name]), stream_rules, 2).holds


@pytest.mark.slow
@pytest.mark.parametrize("setup", [SMALL, SETUPS["default"]], ids=["small", "real"])
def test_proofs_speak_of_runs_that_exist(setup: ExpSetup) -> None:
    assert prove(build(setup), stream_rules, 12, "cover").holds


@pytest.mark.slow
def test_a_willing_neighbour_is_served() -> None:
    within = SMALL.stages.depth + 1
    assert prove(build(SMALL), goes_on(within), 30, "bounded").holds
    assert prove(build(SMALL), goes_on(within), 12, "cover").holds


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Lossy, Withdrawn])
def test_a_broken_variant_is_refuted(kind: Callable[[Any], Any]) -> None:
    proof = prove(kind(build(SMALL)), stream_rules, 14)
    assert (proof.verdict, proof.broken) == ("refuted", ("o_keeps",))


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
    "const0 of lane_1.lookup_start bit 1, at port B bit 1 of $flatten\\lane_1.$procmux$11": "0 in all of this table",
    "const0, at port A bit 1 of $flatten\\lane_1.$34": "of codes up to 256 only 256 is above 255, and its bit is 0",
    "const0 of lane_0.horner_mantissa_0 bit 0, at port Q bit 0 of $flatten\\lane_0.$53": (
        "of two guard bits the upper decides how the result is rounded, in whatever octave"
    ),
}
"""Faults that change nothing which a run could show, each with the reason."""


@pytest.mark.slow
def test_nine_of_ten_drawn_faults_are_found() -> None:
    tried = cases(BENCH, SMALL)
    found = run_mutants(mutants(build(SMALL), 30, SEED, "exp_small"), tried)
    assert len(found.mutants) == 30
    assert found.share >= 0.9
    assert {mutant.name for mutant in found.survivors} == set(SURVIVORS)


# What is refused.

U20, S16 = FixedFormat(20, 10, signed=False), FixedFormat(16, 15)
BAD: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Exp(FixedFormat(20, 10), S16),
        'source: must be unsigned, of at most 32 bits, got "s20.10"',
    ),
    (
        lambda: Exp(U20, FixedFormat(16, 16)),
        'target: must reach 1 - 2^-16, as s17.16 does, got "s16.16"',
    ),
    (lambda: Exp(U20, FixedFormat(40, 33)), 'target: must have a fraction of at most 32 bits, got "s40.33"'),
    (lambda: Exp(U20, "s16.15"), 'target: must be a number format such as s20.10, got "s16.15"'),  # type: ignore[arg-type]
    (lambda: Exp(U20, S16, 48), 'segments: must be one of 4, 8, 16, 32, 64, 128 for a target of s16.15, got "48"'),
    (
        lambda: Exp(U20, FixedFormat(4, 3), 64),
        'segments: must be one of 4, 8, 16, 32 for a target of s4.3, got "64"',
    ),
    (lambda: Exp(U20, S16, 64, 0), 'lanes: must be an integer from 1 to 256, got "0"'),
    (
        lambda: Exp(U20, S16, 64, 1, ExpStages(0, 0, 0, 0)),
        'range_stages: must be 1 at least where all other stages are 0, got "0"',
    ),
    (lambda: ExpStages(horner_stages=9), 'horner_stages: must be an integer from 0 to 8, got "9"'),
    (lambda: UNIT.read({"lane": 3}), 'lane: is no parameter; did you mean "lanes"?'),
    (lambda: UNIT.read({"lanes": "two"}), 'lanes: must be an integer such as 1, got "two"'),
    (
        lambda: UNIT.read({"target": "16.15"}),
        'target: format of a number: must look like s20.10 or u8, got "16.15"; the default is s16.15',
    ),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_units_that_cannot_be_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        make()
    assert str(caught.value) == message
