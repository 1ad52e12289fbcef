"""The attention tile in hardware: every bit and every edge, proofs, and faults on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from accelsim.hardware.attention import UNIT, AttentionSetup, build, edges, golden, inputs
from accelsim.units.attention import Row
from rtl.attention import Attention, AttentionStages
from rtl.bench import Case, Device, devices_of, simulate, soak, sweep
from rtl.bench.plan import CASES
from rtl.formal import Claims, check_ready_paths, goes_on, prove, stream_rules, together
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.sim.case import Job
from rtl.verilog import lint, verilog_text
from tests.rtl.attention import SMALL, variants
from tests.rtl.rigid import SEED, TIMING, WAITING, Lossy, Restless, cases, wrong

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


def any_length(setup: AttentionSetup, rng: np.random.Generator) -> Row:
    """From one key to the longest row, as many of each size."""
    return Row(int(setup.length ** rng.random()))


@pytest.mark.slow
def test_a_hundred_thousand_beats() -> None:
    tried = soak(replace(BENCH, shape=any_length), SETUPS["short"], "attention_4", SEED)
    assert sum(len(job.inputs["kv"]) for case in tried for job in case.jobs) >= 99_000
    assert sum(len(beats) for case in tried for job in case.jobs for beats in job.inputs.values()) >= 100_000
    assert wrong(simulate(devices(), tried, x_seeds=(1,))) == []


@pytest.mark.slow
@pytest.mark.parametrize("keys", [1, 64, 1024, 4096])
@pytest.mark.parametrize("name", ["default", "wide"])
def test_rows_of_any_length(name: str, keys: int) -> None:
    setup, shape, rng = SETUPS[name], Row(keys), np.random.default_rng(keys)
    wanted = edges(setup, shape)
    jobs = []
    for _ in range(2 if keys <= 1024 else 1):
        streams = inputs(setup, shape, rng)
        jobs.append(Job(streams, golden(setup, shape, streams), wanted.first, wanted.last, wanted.busy))
    case = Case(f"{keys} keys", f"attention_{list(SETUPS).index(name)}", tuple(jobs))
    assert wrong(simulate(devices(), [case], x_seeds=(1,))) == []


@pytest.mark.slow
@EACH
def test_verilog_is_clean(name: str) -> None:
    lint(verilog_text(build(SETUPS[name]), "accelsim_attention"), "accelsim_attention")


def test_sums_of_all_columns_are_one_module() -> None:
    text = verilog_text(build(SETUPS["default"]), "accelsim_attention")
    assert [line.split("(")[0] for line in text.splitlines() if line.startswith("module") and "_sum_" in line] == [
        "module accelsim_attention_sum_0"
    ]


# Proofs.


@pytest.mark.slow
@EACH
def test_streams_keep_their_rules(name: str) -> None:
    check_ready_paths(build(SETUPS[name]))
    assert prove(build(SETUPS[name]), stream_rules, 2).holds


@pytest.mark.slow
def test_proofs_speak_of_runs_that_exist() -> None:
    assert prove(build(SMALL), stream_rules, 26, "cover").holds


def rows_of_one_key(claims: Claims, unit: wiring.Component) -> None:
    """Only then is there an edge up to which a row must end."""
    assert isinstance(unit, Attention)
    claims.given("row_ends", unit.kv.payload.last)


@pytest.mark.slow
def test_a_willing_neighbour_is_served() -> None:
    claims, within = together(rows_of_one_key, goes_on(edges(SMALL, Row(1)).last + 1)), 30
    assert prove(build(SMALL), claims, within, "bounded").holds
    assert prove(build(SMALL), claims, within, "cover").holds


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Lossy, Restless])
def test_a_broken_variant_is_refuted(kind: Callable[..., Any]) -> None:
    proof = prove(kind(build(SMALL), "kv"), stream_rules, 26)
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
    "const0 of exp.horner_mantissa bit 0, at port B bit 0 of $flatten\\exp.$procmux$51": (
        "of two guard bits the upper decides how the result is rounded, in whatever octave"
    ),
}
"""Faults that change nothing which a run could show, each with the reason."""


@pytest.mark.slow
def test_nine_of_ten_drawn_faults_are_found() -> None:
    found = run_mutants(mutants(build(SMALL), 30, SEED, "attention_small"), cases(BENCH, SMALL))
    assert len(found.mutants) == 30
    assert found.share >= 0.9
    assert {mutant.name for mutant in found.survivors} == set(SURVIVORS)


# What is refused.

BAD: list[tuple[dict[str, object], str]] = [
    ({"depth": 0}, 'depth: must be an integer from 1 to 1024, got "0"'),
    ({"columns": 300}, 'columns: must be an integer from 1 to 256, got "300"'),
    (
        {"depth": 16, "array": "s16"},
        'array with a depth of 16: must hold -260096, which overflows "s16"; s20 would do',
    ),
    (
        {"length": 1 << 17},
        'accumulator with a length of 131072: must hold -281474976710656, which overflows "s48.24"; s49.24 would do',
    ),
    (
        {"denominator": "s30.24"},
        'denominator with a length of 4096: must hold 68719476736, which overflows "s30.24"; s38.24 would do',
    ),
    ({"p": "s16.15"}, 'p: must be the format of factors, u25.24, got "s16.15"'),
    ({"factors": "u24.24"}, "factors must hold 1, as u25.24 does, not u24.24"),
    ({"output": "s16.16"}, 'output: must hold -1, as s24.15 does, got "s16.16"'),
    ({"division_bits": 26}, 'division_bits: must be an integer from 1 to 25, got "26"'),
    ({"column": 2}, 'column: is no parameter; did you mean "columns"?'),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_units_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value) == message


def test_stages_are_numbers_of_registers() -> None:
    with pytest.raises(AccelsimError, match=r'^weigh_stages: must be an integer from 0 to 8, got "-1"$'):
        AttentionStages(weigh_stages=-1)
