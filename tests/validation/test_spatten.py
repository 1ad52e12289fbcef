"""SpAtten: every row of its simulators and traces, where differences come from, and what tables must not hide."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from math import ceil
from pathlib import Path

import pytest

from accelsim.simulate import simulate_named
from accelsim.validation import Report, validate
from accelsim.validation.runs import Runs
from accelsim.validation.spatten import released, selection, speed, traces
from accelsim.validation.spatten.points import DECODE, EIGHTH, FOLDER, MEDIUM, MODELS, SMALL, Model, published
from accelsim.validation.table import Cell, Table, read_table
from accelsim.workload import load_workload
from tests.source import ROOT

pytestmark = pytest.mark.validation
Row = dict[str, str]
NAMES = {
    "gpt2-medium-dense": "summary-gpt2-medium-ptb-per0.csv",
    "gpt2-medium-pruned": "summary-gpt2-medium-wikitext2-per0-hp-step5+dedic+glob_p+local_p+hp+topk+quant.csv",
    "gpt2-small-dense": "summary-gpt2-small-wikitext2-per8-step1+dedic.csv",
    "gpt2-small-pruned": "summary-gpt2-small-wikitext2-per8.csv",
}


@pytest.fixture(scope="session")
def machine() -> Report:
    return validate("spatten")


@pytest.fixture(scope="module")
def folder(reference: Path) -> Path:
    return reference / "spatten"


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def titled(report: Report, title: str) -> Table:
    (found,) = (table for table in report.tables if table.title == title)
    return found


def number(cell: Cell) -> float:
    assert isinstance(cell, float)
    return cell


def line(table: Table, name: str) -> dict[str, Cell]:
    (found,) = (row for row in table.rows if row[0] == name)
    return dict(zip(table.head, found, strict=True))


def test_every_check_passes(machine: Report) -> None:
    assert machine.passed, machine.to_text()


def test_the_page_says_how_many_numbers_are_compared(machine: Report) -> None:
    assert f"# {len(machine.checks)} numbers" in (ROOT / "docs" / "pruning.md").read_text(encoding="utf-8")


def test_every_row_is_checked(machine: Report) -> None:
    groups = Counter((check.group, check.quantity) for check in machine.checks)
    tables = {
        "select": "quickselect",
        "latency": "latency",
        "layer": "layers",
        "rtl": "pipeline",
        "resources": "bounds",
    }
    rows = {group: len(read_table(FOLDER / f"{name}.csv")) for group, name in tables.items()}
    for group, quantity in (("select", "mean"), ("latency", "mean"), ("layer", "cycles"), ("rtl", "cycles")):
        assert groups[group, quantity] == rows[group]
    assert groups["resources", "Gflop"] == rows["resources"]


def test_only_one_mean_is_further_off_than_the_others_may_be(machine: Report) -> None:
    wide = [check for check in machine.checks if check.group == "select" and check.note == selection.FAR.because]
    assert [check.name for check in wide] == ["select/4096/2048/4/3"]
    assert 0.03 < abs(1 / (1 + wide[0].error) - 1) < 0.032


def test_layers_are_equal_to_the_cycle(machine: Report) -> None:
    assert {check.error for check in machine.checks if check.group == "layer"} == {0}


@pytest.mark.parametrize(("n", "place", "k"), [(128, 128, 1), (128, 127, 1), (256, 16, 17), (256, 0, 1)])
def test_places_count_from_zero_and_behind_the_last_costs_what_the_last_does(n: int, place: int, k: int) -> None:
    assert selection.job_of_place(n, place).k == k


def test_bytes_differ_by_the_rounding_of_the_test_bench() -> None:
    """Keys and values of each head rounded up to multiples of 8: exactly the published bytes."""
    rows = {row["trace"]: float(row["dram"]) for row in read_table(FOLDER / "bounds.csv")}
    assert rounded_bytes(SMALL, key_bits=6, value_bits=6) / 512 == rows["gpt2-small-pruned"]
    assert rounded_bytes(MEDIUM, key_bits=12, value_bits=8) / 512 == rows["gpt2-medium-pruned"]


def rounded_bytes(model: Model, key_bits: int, value_bits: int) -> float:
    """Of 64 elements for each key and value; low bits, 4 of them, for the heads that fetch them again."""
    total = 0
    for row in model.rows:
        heads, keys, values = int(row["heads"]), 8 * ceil(int(row["keys"]) / 8), 8 * ceil(int(row["values"]) / 8)
        again = int(row["refetched"]) if model is SMALL else 0
        total += 64 * (heads * (keys * key_bits + values * value_bits) + again * keys * 4)
    return total / 8


def test_heads_left_are_those_that_the_published_time_is_scaled_by() -> None:
    assert MEDIUM.heads_left == pytest.approx(354 / 384, abs=1e-12)
    assert SMALL.heads_left == 1
    assert speed.medium_ms() == pytest.approx(1.9636, abs=1e-4)


def test_the_published_time_lies_between_an_engine_that_waits_and_one_that_hides_it(machine: Report) -> None:
    times = line(titled(machine, "Time of attention"), "gpt2-medium, ms")
    assert number(times["ours, FILL hidden"]) < number(times["published"]) < number(times["ours"])


def test_16_lanes_do_not_keep_up_with_8_scores_a_cycle(machine: Report) -> None:
    """Each of the candidates is read 2 to 3.4 times over, so that 16 lanes are half of what is needed at least."""
    table = titled(machine, "Lanes that keep up with 8 scores a cycle: FILL hidden / one memory; what 16 wait")
    assert [row[0] for row in table.rows] == [str(n) for n in selection.SIZES]
    for cell in chain.from_iterable(row[1:] for row in table.rows):
        lanes = str(cell).partition(" /")[0]
        assert lanes == "none" or int(lanes) > 16


def test_pruning_with_engines_of_one_lane_gains_little_and_16_lanes_gain_much(machine: Report) -> None:
    table = titled(machine, "What each technique adds")
    one, many = (line(table, name) for name in ("+ pruning, engines of one lane", "+ 16 lanes"))
    for column in table.head[2:]:
        assert number(one[column]) < 1.3
        assert number(many[column]) > 3


def test_power_adds_up(machine: Report) -> None:
    table = titled(machine, "Power in W")
    parts, whole = table.rows[:-1], table.rows[-1]
    for at in range(2, len(table.head)):
        assert sum(number(row[at]) for row in parts) == pytest.approx(number(whole[at]))
    assert sum(number(row[1]) for row in parts) == pytest.approx(published("total-w"), abs=0.015)


def test_nothing_runs_faster_than_the_roof(machine: Report) -> None:
    table = titled(machine, "Roofline")
    for row in table.rows:
        assert number(row[3]) <= number(row[2]) * (1 + 1e-9)


def test_every_published_number_has_a_place_in_the_paper(machine: Report) -> None:
    rows = read_table(FOLDER / "published.csv")
    assert len({row["claim"] for row in rows}) == len(rows)
    assert all(row["where"] for row in rows)
    last = machine.tables[-1]
    assert last.title == "What cannot be derived from what was published"
    assert all(isinstance(cell, str) and cell for row in last.rows for cell in row)


# Against the bulk reference data.


def test_packaged_rows_are_those_of_the_reference(folder: Path) -> None:
    assert columns("quickselect", "n k lanes overhead mean p95 p99") == taken(
        folder / "quickselect_stats.csv", "n k P overhead mean p95 p99"
    )
    assert columns("latency", "n place mean deviation") == taken(
        folder / "topk_latency_model.csv", "n target0based mean_cycles_P16_100runs std"
    )
    layers = taken(folder / "summarisation_sim.csv", "dram_channels multipliers heads L fetch quant_key cycles")
    assert columns("layers", "channels multipliers heads tokens keys bits cycles") == layers[::10]
    bounds = "sumQK sumPV sumDRAM sumTopK flop_G key_red kv_red"
    ours = "scores results dram topk gflop key_reduction reduction"
    assert columns("bounds", ours) == taken(folder / "traces_bounds.csv", bounds)
    names = [row["trace"] for row in read_table(FOLDER / "bounds.csv")]
    assert [NAMES[name] for name in names] == [row["file"] for row in read(folder / "traces_bounds.csv")]


def columns(name: str, wanted: str) -> list[list[str]]:
    return [[row[column] for column in wanted.split()] for row in read_table(FOLDER / f"{name}.csv")]


def taken(path: Path, wanted: str) -> list[list[str]]:
    return [[row[column] for column in wanted.split()] for row in read(path)]


def test_packaged_tokens_are_those_of_the_reference(folder: Path) -> None:
    """Runs with ideal memory; those whose top-k takes no time differ by less than half a percent."""
    theirs = {row["run"]: row for row in read(folder / "rtl_runs.csv")}
    seen = 0
    for row in read_table(FOLDER / "pipeline.csv"):
        kind = {"gpt2-medium": "step5", "gpt2-small": "per8"}[row["model"]] if row["dense"] == "false" else "dense"
        name = f"eighth_ideal_{row['model'].removeprefix('gpt2-')}{kind}_it{row['token']}"
        for found in (name, f"{name}_notopk"):
            if found in theirs:
                seen += 1
                assert theirs[found]["reqs"] == row["requests"]
                assert float(theirs[found]["bound_max"]) == float(row["bound"])
                cycles = int(theirs[found]["total_cycles"])
                assert cycles == pytest.approx(int(row["cycles"]), rel=0.005 if found != name else 0)
    assert seen == 5


@pytest.mark.slow
def test_every_layer_is_equal_to_the_cycle(folder: Path) -> None:
    for row in layer_rows(folder):
        found = simulate_named(
            "spatten-released", f"released-{row['bits']}-bit", released.overrides_of(row), depth="cycle"
        )
        assert found.cycles == int(row["cycles"]), row


def layer_rows(folder: Path) -> Iterator[Row]:
    """All that the suite leaves out."""
    wanted = {"dram_channels": "channels", "L": "tokens", "fetch": "keys", "quant_key": "bits"}
    for at, row in enumerate(read(folder / "summarisation_sim.csv")):
        if at % 10:
            yield {wanted.get(name, name): value for name, value in row.items()}


def test_a_token_takes_no_less_than_its_busiest_unit_and_no_more_than_the_rtl() -> None:
    """Every request has cycles beside it there, which is charged nothing here: never is ours the slower one."""
    runs = Runs()
    for row in read_table(FOLDER / "pipeline.csv"):
        found = traces.token_run(runs, row)
        assert max(unit.busy_cycles for unit in found.units.values()) <= (found.cycles or 0) < float(row["cycles"])


@pytest.mark.slow
def test_a_whole_trace_takes_no_less_than_its_busiest_unit_and_no_more_than_the_rtl() -> None:
    """2,385,498 cycles there, where each request has 40 to 120 cycles beside it.

    Source: the RTL released with SpAtten, run over all 32 tokens with ideal memory.
    """
    found = simulate_named(EIGHTH, SMALL.preset, depth="cycle")
    busiest = max(unit.busy_cycles for unit in found.units.values())
    assert busiest < (found.cycles or 0) < 2_385_498
    assert (found.cycles or 0) > 0.75 * 2_385_498


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_token_alone_has_the_work_of_its_row_of_the_trace(name: str) -> None:
    """Keys of each head go through Q x K 8 at once, and again for low bits; values through prob x V."""
    model, token = MODELS[name], 1
    found = simulate_named("spatten", DECODE, (*model.token(token, dense=False), *model.refetched(token)))
    rows = [row for row in model.rows if int(row["token"]) == token]
    scores = sum((int(r["heads"]) + int(r["refetched"])) * ceil(int(r["keys"]) / 8) for r in rows)
    results = sum(int(r["heads"]) * ceil(int(r["values"]) / 8) for r in rows)
    assert found.units["scores"].busy_cycles == scores
    assert found.units["results"].busy_cycles == results


@pytest.mark.slow
def test_waiting_for_the_layer_before_costs_little() -> None:
    """A token of GPT-2-Small on an eighth, with and without scores that are handed on: 1 % at most.

    Without, another order of what is ready may cost a little itself.
    """
    row = {"model": "gpt2-small", "token": "1", "dense": "false"}
    waiting, free = (traces.token_run(Runs(), row, more).cycles or 0 for more in ((), (alone(),)))
    assert abs(waiting / free - 1) < 0.01


def alone() -> str:
    """Layers that all select by what tokens and heads are worth after the prompt."""
    text = load_workload(DECODE, SMALL.token(1, dense=False)).resolved.mapping()["einsums"].string()
    lines = [line for line in text.splitlines() if not line.startswith(("ST[", "SH["))]
    written = "\n".join([*lines, "ST[t,m] = 1 * S0[m]", "SH[t,h] = 1 * H0[h]"])
    return f"workload.einsums={json.dumps(written)}"


def test_a_trace_name_says_model_and_kind() -> None:
    assert traces.model_of("gpt2-small-dense") == (SMALL, True)
    assert traces.model_of("gpt2-medium-pruned") == (MEDIUM, False)
