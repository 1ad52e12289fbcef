"""The array that does softmax itself: every bit and edge, exp for every input, proofs, and faults on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.horner import ERROR_BOUND, HornerExp, horner_exponential
from accelsim.golden.horner import coefficients as golden_coefficients
from accelsim.hardware.fuse_array import UNIT, Tile, order, streams_of
from accelsim.units.fuse_array import FuseParams, KeyTiles, step_timings, timing
from rtl.bench import Case, Device, Result, devices_of, simulate, soak, sweep, unpack
from rtl.bench.plan import CASES, sum_of
from rtl.formal import check_ready_paths, goes_on, prove, stream_rules, together
from rtl.fuse import FuseArray, FuseForm, FusePe, result_layout
from rtl.fuse.polynomial import coefficients
from rtl.mutation import mutants, run_mutants, run_variants
from rtl.sim.case import Job
from rtl.verilog import lint, verilog_text
from tests.rtl.fuse_array import SMALL, TIMING, WAITING, Blind, Withdrawn, bare, brief_tiles, variants

pytestmark = pytest.mark.slow

BENCH, FORMS = UNIT.under_test, UNIT.configurations
NAMES = {name: f"fuse_array_{place}" for place, name in enumerate(FORMS)}
EACH = pytest.mark.parametrize("name", FORMS)
SEED = 30


@cache
def devices() -> tuple[Device, ...]:
    return tuple(devices_of(BENCH, list(FORMS.values())))


def run(cases: Sequence[Case], x_seeds: Sequence[int] = (1,)) -> list[Result]:
    return simulate(devices(), cases, x_seeds=x_seeds)


def wrong(results: Sequence[Result]) -> list[str]:
    return [f"{result.case.name}, seed {result.x_seed}: {result.failures[0]}" for result in results if result.failures]


# In simulation.


def test_every_bit_and_edge() -> None:
    cases = sweep(BENCH, list(FORMS.values()), SEED)
    assert len(cases) == (CASES + 1) * len(FORMS) >= 200
    assert len(FORMS) >= 8
    assert wrong(run(cases, (1, 2))) == []


@pytest.mark.slow
def test_a_hundred_thousand_beats() -> None:
    cases = soak(BENCH, FORMS["even"], NAMES["even"], SEED)
    assert sum(sum_of(case.jobs) for case in cases) >= 100_000
    assert wrong(run(cases)) == []


def exhaustive(form: FuseForm) -> Iterator[tuple[Job, np.ndarray]]:
    """Jobs whose differences are every number of the source from the lowest to 0, row 0 having the maximum, 0.

    K and V are unit vectors: element e of a query is its score with key e + 1, element f of P x V is P of key f + 1.
    """
    rest = form.rows - 1
    x = np.arange(form.source.lowest, 1)
    batches = np.pad(x, (0, -len(x) % (rest * form.cols))).reshape(-1, form.cols, rest)
    units = np.eye(form.rows, dtype=np.int64)[:, 1:]
    tile = Tile(units, units, np.ones(form.rows, np.bool_), 0)
    for queries in batches:
        job = KeyTiles(rest, rest, 1)
        yield BENCH.job_of(form, job, streams_of(form, queries, [tile])), queries


@pytest.mark.parametrize("name", ["default", "tall"])
def test_exp_of_every_input(name: str) -> None:
    form = FORMS[name]
    jobs, queries = zip(*exhaustive(form), strict=True)
    (result,) = run([Case(f"{name} every x", NAMES[name], jobs, rigid=True)])
    assert result.failures == ()
    rows = [payload for _, payload in result.observed.transfers["result"]]
    p = unpack(result_layout(form), rows)["data"].reshape(len(jobs), -1, form.cols)[:, 2:].transpose(0, 2, 1)
    x = np.stack(queries)
    assert set(x.ravel().tolist()) == set(range(-(2**15), 1))
    assert np.abs(p / 2.0**15 - np.exp(x / 2.0**form.source.fraction)).max() <= ERROR_BOUND
    assert (p == horner_exponential(HornerExp(form.source), x)).all()


@EACH
def test_each_step_enters_when_it_says(name: str) -> None:
    """Every beat of a job of four tiles, not only first and last outputs."""
    form, job = FORMS[name], KeyTiles(min(5, FORMS[name].length), 7, 4)
    array = FuseParams(form.rows, form.cols, form.input_registers, form.output_registers)
    steps, edge = step_timings(array, job.E, job.F), 0
    wanted: list[int] = []
    begins: dict[str, int] = {}
    for part in order(job):
        if part.name == "SLN":
            edge = max(edge, begins["LM"] + steps["LM"].after)
        begins[part.name] = edge
        wanted += [edge + beat for beat in range(part.beats)]
        edge += steps[part.name].timing.busy
    drawn = BENCH.job(form, job, np.random.default_rng(SEED))
    (result,) = run([Case(f"{name} steps", NAMES[name], (drawn,), rigid=True)])
    assert result.failures == ()
    entered = [edge for edge, _ in result.observed.transfers["left"]]
    assert [edge - entered[0] for edge in entered] == wanted
    assert edge == timing(array, job).busy


def test_a_stalled_maximum_is_not_taken_up_too_soon() -> None:
    """Two rows and jobs of one beat per step: LM is still on its way, and waits, when SLN could follow."""
    form, rng = FORMS["full"], np.random.default_rng(SEED)
    jobs = tuple(BENCH.job(form, KeyTiles(1, 1, 3), rng) for _ in range(100))
    cases = [Case(f"brief {gap}", NAMES["full"], jobs, 0, gap, SEED, rigid=True) for gap in (0.3, 0.9)]
    assert wrong(run(cases)) == []


# Proofs.

PROVEN = [SMALL, bare(SMALL), FuseForm(1, 1, input_registers=0)]
LARGE = FuseForm(8, 8)


def title(form: FuseForm) -> str:
    return f"{form.rows}x{form.cols} {form.input_registers} {form.output_registers}"


@pytest.mark.parametrize("form", [*PROVEN, FuseForm(4, 4)], ids=title)
def test_streams_keep_their_rules_in_all_runs(form: FuseForm) -> None:
    check_ready_paths(FuseArray(form))
    assert prove(FuseArray(form), stream_rules, 2).holds


def test_streams_of_a_large_array_keep_their_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """With elements that only pass on: what they work out is proved of smaller ones, and takes most of the time."""
    check_ready_paths(FuseArray(LARGE))
    monkeypatch.setattr("rtl.fuse.grid.FusePe", Blind)
    assert prove(FuseArray(LARGE), stream_rules, 2).holds
    broken = prove(Withdrawn(LARGE), stream_rules, 2)
    assert (broken.verdict, broken.broken) == ("open", ("result_keeps",))


@pytest.mark.parametrize("form", PROVEN, ids=title)
def test_rules_speak_of_runs_that_exist(form: FuseForm) -> None:
    assert prove(FuseArray(form), stream_rules, 20, "cover").holds


@pytest.mark.parametrize("form", PROVEN, ids=title)
def test_a_willing_neighbour_is_served(form: FuseForm) -> None:
    """Tiles of a beat per step: each stream moves before a second tile would be done."""
    lone = timing(FuseParams(form.rows, form.cols, form.input_registers, form.output_registers), KeyTiles(1, 1))
    claims = together(goes_on(lone.last), brief_tiles)
    assert prove(FuseArray(form), claims, 30, "bounded").holds
    assert prove(FuseArray(form), claims, 20, "cover").holds


def test_a_result_that_is_taken_back_is_refuted() -> None:
    proof = prove(Withdrawn(SMALL), stream_rules, 20)
    assert (proof.verdict, proof.broken) == ("refuted", ("result_keeps",))


# Faults on purpose.


def test_every_fault_made_by_hand_is_found() -> None:
    report = run_variants(FuseArray(SMALL), variants(SMALL), sweep(BENCH, [SMALL], SEED))
    assert [mutant.name for mutant in report.survivors] == []
    found = {mutant.name: mutant.found for mutant in report.mutants}
    assert len(found) >= 15
    assert all("edge" in found[name] and "payload" not in found[name] for name in TIMING)
    assert all("gaps" in found[name] for name in WAITING)


SURVIVORS = {
    "cnot1, at port A bit 2 of $flatten\\grid.\\element_1_1.$procmux$59_CMP0": (
        "SUB and RANGE, 2 and 3, become 6 and 7, neither of which is HORNER_LAST, 5"
    ),
    "cnot0, at port A bit 1 of $flatten\\grid.\\element_2_1.$procmux$15_CMP0": (
        "steps from 0 to 3 become others from 0 to 3, none of which is HORNER, 4"
    ),
}
"""Faults that change nothing which a run could show, each with the reason."""


def test_nine_of_ten_drawn_faults_are_found() -> None:
    report = run_mutants(mutants(FuseArray(SMALL), 30, SEED, "mutants_fuse"), sweep(BENCH, [SMALL], SEED))
    assert len(report.mutants) == 30
    assert report.share >= 0.9
    assert {mutant.name for mutant in report.survivors} == set(SURVIVORS)


# Verilog and parameters.


@EACH
def test_verilog_has_the_element_once_and_no_warning(name: str) -> None:
    form = FORMS[name]
    text = verilog_text(FuseArray(form), "accelsim_fuse_array")
    modules = [line.split()[1].partition("(")[0] for line in text.splitlines() if line.startswith("module ")]
    assert sorted(modules) == ["accelsim_fuse_array", "accelsim_fuse_array_element", "accelsim_fuse_array_grid"]
    assert text.count("  accelsim_fuse_array_element ") == form.rows * form.cols
    lint(text, "accelsim_fuse_array")


@pytest.mark.parametrize("form", [FORMS["default"], FORMS["coarse"]], ids=title)
def test_an_element_has_one_multiplier(form: FuseForm) -> None:
    """Of 16 by 16 bits, shared by MAC, range reduction and Horner's steps."""
    text = verilog_text(FusePe(form.source), "accelsim_element")
    assert [line.count(" * ") for line in text.splitlines() if " * " in line] == [1]


def test_coefficients_are_those_of_the_golden_model() -> None:
    """From Lagrange's polynomials and roots of integers here, from Newton's and decimals there."""
    assert coefficients() == golden_coefficients()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"operand": 8},
            'operand: must be 16 bits for exp on the array, got "8"; for others take systolic and the exp unit',
        ),
        (
            {"dataflow": "ws"},
            'dataflow: must be os for exp on the array, got "ws": where weights stay no score does; take systolic and '
            "the exp unit",
        ),
        ({"dataflow": "wo"}, 'dataflow: must be one of os, ws, got "wo"'),
        ({"rows": 0}, 'rows: must be an integer from 1 to 256, got "0"'),
        ({"cols": 257}, 'cols: must be an integer from 1 to 256, got "257"'),
        ({"query": 17}, 'query: must be an integer from 2 to 16, got "17"'),
        ({"source": "s16.12"}, 'source: must be one of s16.1 to s16.11, where exp ends at 0, got "s16.12"'),
        ({"source": "u16.11"}, 'source: must be one of s16.1 to s16.11, where exp ends at 0, got "u16.11"'),
        (
            {"length": 512},
            'accumulator of scores of 512 products: must hold 2147483648, which overflows "s32"; s33 would do',
        ),
        (
            {"rows": 256, "key": 12, "length": 1},
            'accumulator of P x V over 256 keys: must hold -17179344896, which overflows "s32"; s35 would do',
        ),
        ({"row": 3}, 'row: is no parameter; did you mean "rows"?'),
        ({"output_registers": 9}, 'output_registers: must be an integer from 0 to 8, got "9"'),
    ],
)
def test_bad_parameters_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        UNIT.read(values)
    assert str(caught.value).startswith(message)
