"""The systolic array: every bit and edge, proofs, faults on purpose, and parameters that are refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.systolic import ArrayWidths, largest_k
from accelsim.hardware.systolic import UNIT, edges
from accelsim.units.systolic import Product
from rtl.bench import Case, Device, Result, device, devices_of, simulate, soak, sweep
from rtl.bench.plan import CASES, sum_of
from rtl.formal import check_ready_paths, goes_on, prove, stream_rules, together
from rtl.mutation import Mutants, mutants, run_mutants, run_variants
from rtl.systolic import ArrayForm, SystolicArray
from rtl.verilog import lint, verilog_text
from tests.rtl.systolic import OUTPUTS, WEIGHTS, Withdrawn, bare, short_jobs, variants

UNIT_TESTED = UNIT.under_test
FORMS: tuple[ArrayForm, ...] = tuple(UNIT.configurations.values())
LARGE: ArrayForm = UNIT.large["large"]
NAMES = {name: f"systolic_{place}" for place, name in enumerate(UNIT.configurations)}
SEED = 30


@cache
def all_devices() -> tuple[Device, ...]:
    """Every configuration and the large one, for one model."""
    return *devices_of(UNIT_TESTED, FORMS), device("systolic_large", SystolicArray(LARGE))


def run(cases: Sequence[Case], x_seeds: Sequence[int] = (1,), sim: str = "verilator") -> list[Result]:
    return simulate(all_devices(), cases, sim=sim, x_seeds=x_seeds)


def wrong(results: Sequence[Result]) -> list[str]:
    return [f"{result.case.name}, seed {result.x_seed}: {result.failures[0]}" for result in results if result.failures]


def tiles(form: ArrayForm, sizes: Sequence[Product], name: str, gap: float = 0.0) -> Case:
    """A case of jobs with these shapes."""
    rng = np.random.default_rng(SEED)
    jobs = tuple(UNIT_TESTED.job(form, size, rng) for size in sizes)
    return Case(f"{name} {gap}", name, jobs, gap, gap, SEED, rigid=True)


# In simulation.


def test_the_configurations_are_of_every_kind() -> None:
    assert len(FORMS) >= 6
    assert {form.dataflow for form in FORMS} == {"os", "ws"}
    assert {form.weight_buffers for form in FORMS} == {1, 2}
    for stage in ("input_registers", "mac_registers", "output_registers"):
        assert {getattr(form, stage) for form in FORMS} == {0, 1, 2}
    assert {(form.rows > form.cols) - (form.rows < form.cols) for form in FORMS} == {-1, 0, 1}
    assert (1, 1) in {(form.rows, form.cols) for form in FORMS}


@pytest.mark.slow
def test_every_bit_and_edge() -> None:
    cases = sweep(UNIT_TESTED, FORMS, SEED)
    assert len(cases) == CASES * len(FORMS) >= 160
    assert wrong(run(cases, (1, 2))) == []


@pytest.mark.slow
def test_every_bit_and_edge_under_icarus() -> None:
    """Pip has no Icarus, so that a fresh machine need not have it; it is then asked for by name."""
    cases = sweep(UNIT_TESTED, FORMS, SEED + 1)
    if shutil.which("iverilog") is None:
        with pytest.raises(AccelsimError, match="iverilog is not installed; it comes with: apt install iverilog"):
            run(cases, sim="icarus")
        return
    assert wrong(run(cases, sim="icarus")) == []


@pytest.mark.slow
def test_a_thousand_rows_on_a_large_array() -> None:
    """Lone with 1,000 rows; then tiles of all sizes back to back, in all 1,000 rows more."""
    name = "systolic_large"
    rng = np.random.default_rng(SEED)
    cases = [tiles(LARGE, [Product(1000, 16, 16)], name), tiles(LARGE, [Product(1000, 13, 9)], name, 0.4)]
    many = UNIT_TESTED.jobs(LARGE, rng, 80)
    assert sum(len(job.outputs["result"]) for job in many) >= 1000
    assert wrong(run([*cases, Case(f"{name} mixed", name, many, rigid=True)])) == []


@pytest.mark.slow
def test_a_hundred_thousand_beats() -> None:
    """With streams that are long enough for each job to be timed by itself; see the next test for others."""
    form = FORMS[list(UNIT.configurations).index("wide")]
    unit = replace(UNIT_TESTED, shape=lambda form, rng: Product(3, 7, int(rng.integers(form.rows, form.length + 1))))
    cases = soak(unit, form, NAMES["wide"], SEED)
    assert sum(sum_of(case.jobs) for case in cases) >= 100_000
    assert wrong(run(cases)) == []


@pytest.mark.slow
def test_a_short_job_behind_a_long_one_waits_for_the_wire_of_its_column() -> None:
    """Outputs in place: bits stay right, and rows of one job leave as soon as those of the job before have left."""
    form = FORMS[list(UNIT.configurations).index("outputs")]
    depths = (9, 1, 4, 2, 6, 1, 1, 5)
    jobs = [Product(6, 6, depth) for depth in depths]
    stalled, free = run([tiles(form, jobs, NAMES["outputs"], 0.4), tiles(form, jobs, NAMES["outputs"])])
    assert stalled.failures == ()
    moved = free.observed.transfers["result"]
    assert [payload for _, payload in moved] == [beat for job in free.case.jobs for beat in job.outputs["result"]]
    begin = free.observed.transfers["left"][0][0]
    late = begin + edges(form, jobs[0]).first - (depths[0] - 1)
    wanted = [late + end + row for end in ends_of(depths, form.rows) for row in range(form.rows)]
    assert [edge for edge, _ in moved] == wanted


def ends_of(depths: Sequence[int], rows: int) -> list[int]:
    """The edge at which each job's last beat enters: neither first nor last within `rows` edges of those before."""
    start, ends = 0, [depths[0] - 1]
    for depth in depths[1:]:
        start = max(start + rows, ends[-1] + 1)
        ends.append(max(start + depth - 1, ends[-1] + rows))
        start = ends[-1] if depth == 1 else start
    return ends


# Proofs.

SMALL = (bare(OUTPUTS), bare(WEIGHTS), bare(replace(WEIGHTS, weight_buffers=1)), bare(replace(OUTPUTS, cols=1)))
PROVEN = [*SMALL, OUTPUTS, WEIGHTS, ArrayForm(8, 8, "os"), ArrayForm(8, 8, "ws")]


def title(form: ArrayForm) -> str:
    return f"{form.rows}x{form.cols} {form.dataflow} {form.weight_buffers} {form.output_registers}"


@pytest.mark.slow
@pytest.mark.parametrize("form", PROVEN, ids=title)
def test_streams_keep_their_rules_in_all_runs(form: ArrayForm) -> None:
    assert prove(SystolicArray(form), stream_rules, 2).holds
    check_ready_paths(SystolicArray(form))


@pytest.mark.slow
@pytest.mark.parametrize("form", [*SMALL, OUTPUTS, WEIGHTS], ids=title)
def test_rules_speak_of_runs_that_exist(form: ArrayForm) -> None:
    assert prove(SystolicArray(form), stream_rules, 30, "cover").holds


@pytest.mark.slow
@pytest.mark.parametrize("form", [*SMALL, OUTPUTS, WEIGHTS], ids=title)
def test_a_willing_neighbour_is_served(form: ArrayForm) -> None:
    """Jobs of one beat: each stream moves before the first result of a lone job would be followed by a second."""
    lone = edges(form, Product(1, 1, 1))
    claims = together(goes_on(lone.first + lone.busy + 1), short_jobs)
    assert prove(SystolicArray(form), claims, 30, "bounded").holds
    assert prove(SystolicArray(form), claims, 30, "cover").holds


@pytest.mark.slow
@pytest.mark.parametrize("form", [OUTPUTS, WEIGHTS], ids=title)
def test_a_result_that_is_taken_back_is_refuted(form: ArrayForm) -> None:
    proof = prove(Withdrawn(form), stream_rules, 20)
    assert (proof.verdict, proof.broken) == ("refuted", ("result_keeps",))


# Faults on purpose.


@pytest.mark.slow
@pytest.mark.parametrize("form", [OUTPUTS, WEIGHTS], ids=title)
def test_every_fault_made_by_hand_is_found(form: ArrayForm) -> None:
    report = run_variants(SystolicArray(form), variants(form), sweep(UNIT_TESTED, [form], SEED))
    assert [mutant.name for mutant in report.survivors] == []
    found = {mutant.name: mutant.found for mutant in report.mutants}
    assert all("edge" in found[name] for name in ("later", "sooner", "bubble"))
    assert all("gaps" in found[name] for name in ("deaf", "greedy", "withdrawn"))
    assert len(report.mutants) >= 9


SURVIVORS: dict[str, set[str]] = {"os": set(), "ws": set()}
"""Faults that change nothing which a run could show, each with the reason."""


@cache
def drawn() -> tuple[Mutants, ...]:
    """Both dataflows with thirty faults each, for one model."""
    return tuple(mutants(SystolicArray(form), 30, SEED, f"mutants_{form.dataflow}") for form in (OUTPUTS, WEIGHTS))


@pytest.mark.slow
@pytest.mark.parametrize(("place", "form"), [(0, OUTPUTS), (1, WEIGHTS)], ids=("os", "ws"))
def test_nine_of_ten_drawn_faults_are_found(place: int, form: ArrayForm) -> None:
    report = run_mutants(drawn()[place], sweep(UNIT_TESTED, [form], SEED), beside=[found.device for found in drawn()])
    assert len(report.mutants) == 30
    assert report.share >= 0.9
    assert {mutant.name for mutant in report.survivors} == SURVIVORS[form.dataflow]


# Verilog and parameters.


@pytest.mark.slow
@pytest.mark.parametrize("form", [LARGE, *SMALL], ids=title)
def test_verilog_has_the_element_once_and_no_warning(form: ArrayForm) -> None:
    text = verilog_text(SystolicArray(form), "accelsim_systolic")
    modules = [line.split()[1].partition("(")[0] for line in text.splitlines() if line.startswith("module ")]
    assert sorted(modules) == ["accelsim_systolic", "accelsim_systolic_element", "accelsim_systolic_grid"]
    assert text.count("  accelsim_systolic_element ") == form.rows * form.cols
    lint(text, "accelsim_systolic")


@pytest.mark.parametrize(("left", "right", "length"), [(16, 8, 256), (4, 4, 1), (8, 8, 1000), (2, 2, 3), (5, 12, 129)])
def test_the_narrowest_accumulator_is_that_of_the_golden_model(left: int, right: int, length: int) -> None:
    """Both bounds come from the mathematics; they are computed twice."""
    enough = next(bits for bits in range(left + right, 60) if largest_k(ArrayWidths(left, right, bits)) >= length)
    widths = {"left": left, "right": right, "length": length}
    ArrayForm(2, 2, "os", **widths, accumulator=enough)
    with pytest.raises(AccelsimError) as caught:
        ArrayForm(2, 2, "os", **widths, accumulator=enough - 1)
    assert str(caught.value) == (
        f"accumulator: must be at least {enough} bits for {length} products of {left} by {right} bits, "
        f'got "{enough - 1}": a sum could overflow'
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rows": 0}, 'rows: must be an integer from 1 to 256, got "0"'),
        ({"cols": 257}, 'cols: must be an integer from 1 to 256, got "257"'),
        ({"dataflow": "is"}, 'dataflow: must be one of os, ws, got "is"'),
        ({"dataflow": "os", "weight_buffers": 2}, 'weight_buffers: must be an integer from 1 to 1, got "2"'),
        ({"left": 1}, 'left: must be an integer from 2 to 32, got "1"'),
        ({"mac_registers": 9}, 'mac_registers: must be an integer from 0 to 8, got "9"'),
        ({"row": 3}, 'row: is no parameter; did you mean "rows"?'),
        ({"accumulator": "wide"}, 'accumulator: must be an integer such as 32, got "wide"'),
    ],
)
def test_bad_parameters_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value).startswith(message)
