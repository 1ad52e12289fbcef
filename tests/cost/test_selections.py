"""Selections by engines: how many of which size a line makes, and the time that they take at every depth."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from accelsim.arch import load_arch
from accelsim.cost.images import Counter
from accelsim.cost.selections import Selections, selections
from accelsim.errors import AccelsimError
from accelsim.mapping import load_mapping
from accelsim.result import Result
from accelsim.simulate import simulate
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.law import distribution, mean_cycles
from accelsim.units.topk.quick import QuickParams
from accelsim.workload import Workload, load_workload, steps

SIZES = ["LAYERS=3", "TOKENS=3", "PROMPT=20", "H=4", "E=16", "WHOLE=1", "HWHOLE=1"]
PRUNED = ["DROP0=300", "DROP1=600", "HDROP0=300", "VKEEP=300"]
LOCAL = "arch.units.local.ops.argtopk.engine"
RADIX = (
    "{unit: radixselect, overhead: 3, input_lanes: 8, score_bits: 12, digit_bits: 4, compaction: no, "
    "first_digit: select, early_exit: no, overlap: filter, filter_stages: 4, scores: distinct, seed: 0}"
)

RANK = """\
schema: accelsim/workload/1
name: rank
function: {inputs: {S: [p, m]}, outputs: {T: [p, k]}}
params: {P: 4, M: 16, K: 3}
ranks: {p: P, m: M, k: K}
types: {default: int12, T: int32}
einsums: |
  T[p,k] = argtopk(S[p,m]) over m
"""
CUT = """\
schema: accelsim/mapping/1
name: cut
for: {arch: spatten, function: rank}
split: {m: {m1: rest, m0: 8}}
groups: [{name: all, loops: [p, m1], einsums: [T]}]
spatial: {local: {lanes: m0}}
bind: {local: [T]}
keep: {}
"""


def decode(*changes: str) -> Workload:
    return load_workload("pruned-decode", [*SIZES, *PRUNED, *changes])


def selected(workload: Workload, name: str) -> Selections:
    (step,) = steps(workload)
    names = dict.fromkeys(c for einsum in step.shapes.cascade.einsums for c in einsum.coordinates)
    counter = Counter.over(step.shapes, {c: ((c, 1),) for c in names})
    return selections(counter, next(e for e in step.shapes.cascade.einsums if e.name == name))


def schedule(workload: Workload) -> dict[str, tuple[int, ...]]:
    (step,) = steps(workload)
    return {name: tuple(table) for name, table in step.shapes.cascade.maps.items()}


def test_tokens_are_ranked_among_all_that_were_seen() -> None:
    kept = schedule(decode())["kept"]
    found = selected(decode(), "TI")
    assert found.names == ("t",)
    assert found.candidates.tolist() == [20 + t // 3 + 1 for t in range(9)]
    assert found.kept.tolist() == [min(kept[t], 21 + t // 3) for t in range(9)]


def test_values_are_ranked_in_each_head_that_is_left_among_the_tokens_that_are() -> None:
    tables, found = schedule(decode()), selected(decode(), "VI")
    for t in range(9):
        n = min(tables["kept"][t], 21 + t // 3)
        for head in range(4):
            there = head < tables["heads"][t]
            assert found.candidates[t, head] == (n if there else 0)
            assert found.kept[t, head] == (min(tables["values"][t], n) if there else 0)
    assert sum(count for *_, count in found.sizes()) == sum(tables["heads"])


def run(depth: str, *changes: str, workload: Workload | None = None) -> Result:
    return simulate(load_arch("spatten", changes), workload or decode(), None, depth)


def test_the_closed_form_adds_up_the_means_of_the_law() -> None:
    """Of reading in, 8 scores in a cycle, and of the exact recurrence over ranks."""
    params = QuickParams(lanes=16, overhead=5)
    expected = Fraction(0)
    for n, k, count in selected(decode(), "VI").sizes():
        select = 0 if Ranking(n, k).bypasses else mean_cycles(params, n, k)
        expected += count * (-(-n // 8) + select)
    assert float(run("analytic").units["local"].busy_cycles) == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [(), (f"{LOCAL}={RADIX}",)])
def test_no_execution_beats_the_bound(changes: tuple[str, ...]) -> None:
    assert run("bound", *changes).seconds <= run("cycle", *changes).seconds


def test_an_engine_whose_time_is_fixed_is_as_busy_at_both_depths() -> None:
    """Radix select without compaction: three passes over all scores, whatever they are."""
    closed, executed = (run(depth, f"{LOCAL}={RADIX}").units["local"] for depth in ("analytic", "cycle"))
    expected = sum(
        count * (-(-n // 8) + (0 if Ranking(n, k).bypasses else 3 * (-(-n // 16) + 3)))
        for n, k, count in selected(decode(), "VI").sizes()
    )
    assert closed.busy_cycles == executed.busy_cycles == expected


@pytest.mark.slow
def test_draws_scatter_about_the_mean_as_the_law_has_it_and_are_those_of_their_seed() -> None:
    mean, params = float(run("analytic").units["local"].busy_cycles), QuickParams(lanes=16, overhead=5)
    variance = 0.0
    for n, k, count in selected(decode(), "VI").sizes():
        law = distribution(params, n, k) if not Ranking(n, k).bypasses else {0: Fraction(1)}
        first, second = (sum(cycles**power * part for cycles, part in law.items()) for power in (1, 2))
        variance += float(count * (second - first**2))
    found = [float(run("cycle", f"{LOCAL}.seed={seed}").units["local"].busy_cycles) for seed in (0, 1, 1)]
    assert found[0] != found[1] == found[2]
    assert all(abs(value - mean) < 4 * variance**0.5 for value in found)


@pytest.mark.slow
def test_a_faster_engine_shortens_what_waits_for_it() -> None:
    slow, fast = (run("cycle", f"arch.units.local.lanes={lanes}").seconds for lanes in (1, 64))
    assert slow > 1.2 * fast


@pytest.mark.slow
def test_comparisons_are_what_counts_as_use() -> None:
    """Two comparators for each score of a pass, and one of the filter for each candidate."""
    actions = run("analytic").actions["local.select"]["use"]
    params = QuickParams(lanes=1, overhead=0)
    expected = sum(
        (count * (n + 2 * (0 if Ranking(n, k).bypasses else mean_cycles(params, n, k))))
        for n, k, count in selected(decode(), "VI").sizes()
    )
    assert float(actions) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"{LOCAL}.unit=quicksort", 'no engine named "quicksort"'),
        (f"{LOCAL}={RADIX.replace('radixselect', 'quickselect')}", "is no parameter of quickselect"),
        (f"{LOCAL}.scores=normal", "one of distinct, uniform, softmax"),
        (f"{LOCAL}.overhead=-1", "overhead: must be an integer from 0"),
        (f"{LOCAL}.seed=-1", "not negative"),
        ("arch.units.local.ops.argtopk.engine={unit: quickselect, scores: distinct, seed: 0}", 'needs "overhead"'),
        ("arch.units.local.ops.argtopk.engine={unit: quickselect}", 'needs "scores"'),
    ],
)
def test_wrong_engines_are_named(change: str, said: str) -> None:
    with pytest.raises(AccelsimError, match=said) as found:
        load_arch("spatten", [change])
    assert found.value.mark is not None or "--set" in str(found.value)


def test_only_selections_have_an_engine() -> None:
    with pytest.raises(AccelsimError, match="an engine selects"):
        load_arch("spatten", ["arch.units.worth.ops.add={engine: {unit: heap}, uses: {}}"])


def test_a_loop_that_cuts_the_candidates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rank.yaml").write_text(RANK, encoding="utf-8")
    (tmp_path / "cut.yaml").write_text(CUT, encoding="utf-8")
    arch, workload = load_arch("spatten"), load_workload(str(tmp_path / "rank.yaml"))
    with pytest.raises(AccelsimError, match="an engine selects among all of m, which m1 cuts"):
        simulate(arch, workload, load_mapping(str(tmp_path / "cut.yaml")), "cycle")


def test_an_engine_does_nothing_beside(tmp_path: Path) -> None:
    text = CUT.replace("split: {m: {m1: rest, m0: 8}}", "split: {}").replace("[p, m1]", "[p]").replace("m0}", "m}")
    text = text.replace("einsums: [T]}", "einsums: [T, U], together: {both: [T, U]}}").replace("[T]}", "[T, U]}")
    (tmp_path / "both.yaml").write_text(text, encoding="utf-8")
    two = RANK.replace("T: [p, k]}", "T: [p, k], U: [p, k]}").replace("T: int32}", "T: int32, U: int32}")
    (tmp_path / "rank.yaml").write_text(f"{two}  U[p,k] = argtopk(S[p,m]) over m\n", encoding="utf-8")
    found = load_arch("spatten"), load_workload(str(tmp_path / "rank.yaml")), load_mapping(str(tmp_path / "both.yaml"))
    with pytest.raises(AccelsimError, match="T is selected by an engine"):
        simulate(*found)
