"""Sweep files to points: products, blocks, what moves together, what is left out, and what is refused."""

from __future__ import annotations

from itertools import product
from math import prod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.explore import Point, Sweep, find_sweeps, load_sweep
from accelsim.explore.sweep import read_sweep
from accelsim.yamldump import dump_node
from accelsim.yamlfile import load_text

HEAD = "schema: accelsim/sweep/1\nname: small\n"
AXES = HEAD + "axes: {workload: [w, v], L: [1, 2], arch: [a, b]}\n"


def sweep_of(text: str) -> Sweep:
    return read_sweep(load_text(text, "small.yaml"), Path("small.yaml"))


def error_of(text: str) -> str:
    with pytest.raises(AccelsimError) as caught:
        sweep_of(text)
    return str(caught.value)


def test_axes_are_a_product_in_the_order_written() -> None:
    expected = [Point(a, w, "analytic", (("L", str(n)),)) for w, n, a in product("wv", (1, 2), "ab")]
    assert sweep_of(AXES).points == tuple(expected)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True), max_size=3))
def test_number_of_points_is_the_product_of_the_lengths(axes: list[list[int]]) -> None:
    more = "".join(f", p{i}: {values}" for i, values in enumerate(axes))
    points = sweep_of(f"{HEAD}axes: {{arch: [a], workload: [w]{more}}}").points
    assert len(set(points)) == len(points) == prod(len(values) for values in axes)


def test_values_reach_the_overrides_as_they_were_written() -> None:
    text = HEAD + 'axes: {arch: [a], workload: [w], arch.levels.x.capacity: [16 MiB], k: [1e3], s: ["1"], n: [null]}'
    (point,) = sweep_of(text).points
    assert point.overrides == ["arch.levels.x.capacity=16 MiB", "k=1e3", 's="1"', "n=null"]
    assert point.to_json()["set"] == {"arch.levels.x.capacity": "16 MiB", "k": 1000, "s": "1", "n": None}


def test_zip_moves_several_keys_together() -> None:
    text = HEAD + "axes: {arch: [a], workload: [w], zip: {rows: [1, 2], cols: [3, 4]}, L: [5, 6]}"
    found = [dict(point.settings) for point in sweep_of(text).points]
    assert found == [{"rows": r, "cols": c, "L": n} for (r, c), n in product((("1", "3"), ("2", "4")), ("5", "6"))]


def test_zip_may_hold_arch_and_workload() -> None:
    text = HEAD + "axes: {zip: {arch: [a, b], workload: [w, v]}}"
    assert [(p.arch, p.workload) for p in sweep_of(text).points] == [("a", "w"), ("b", "v")]


def test_further_blocks_add_points_and_repetitions_count_once() -> None:
    text = AXES + "also:\n- {workload: [w], L: [1, 3], arch: [a]}\n"
    points = sweep_of(text).points
    assert len(points) == 9
    assert points[-1] == Point("a", "w", "analytic", (("L", "3"),))


def test_exclude_leaves_out_where_everything_matches() -> None:
    text = AXES + "exclude: [{arch: b, L: [1, 2], workload: w}]"
    assert [p for p in sweep_of(AXES).points if (p.arch, p.workload) != ("b", "w")] == list(sweep_of(text).points)


def test_names_that_are_paths_start_from_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "s.yaml").write_text(HEAD + "axes: {arch: [./mine.yaml, flat], workload: [../w.yaml], L: [a/b.yaml]}")
    points = load_sweep(folder / "s.yaml").points
    assert [p.arch for p in points] == [str(folder / "mine.yaml"), "flat"]
    assert {p.workload for p in points} == {str(folder / "../w.yaml")}
    assert points[0].settings == (("L", "a/b.yaml"),)


def test_what_was_resolved_is_the_same_sweep() -> None:
    text = AXES + 'exclude: [{arch: b, L: 1}]\nobjectives: [seconds]\nreport: {a: [1.5, "x"], arch: ./p.yaml}\n'
    sweep = sweep_of(text)
    again = sweep_of(dump_node(sweep.resolved))
    assert again.points == sweep.points
    assert again.report == sweep.report == {"a": [1.5, "x"], "arch": "./p.yaml"}


def test_defaults() -> None:
    sweep = sweep_of(HEAD + "axes: {arch: [a], workload: [w]}")
    assert (sweep.depth, sweep.objectives, sweep.report) == ("analytic", ("seconds", "energy_pj"), {})


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("axes: {workload: [w]}", 'small.yaml:3:7: axes: missing axis "arch"'),
        ("axes: {arch: [], workload: [w]}", "small.yaml:3:14: axes.arch: must be at least one value, got a list"),
        ("axes: {arch: a, workload: [w]}", 'small.yaml:3:14: axes.arch: must be a list, got "a"'),
        ("axes: {arch: [a], workload: [w], L: [[1]]}", "small.yaml:3:38: axes.L[0]: must be one value, got a list"),
        (
            "axes: {arch: [a], workload: [w], L: [1], zip: {L: [1]}}",
            'small.yaml:3:7: axes: "L" is on two axes',
        ),
        (
            "axes: {arch: [a], workload: [w], zip: {p: [1, 2], q: [3]}}",
            "small.yaml:3:39: axes.zip: axes that move together need equally many values, got p 2, q 1",
        ),
        ("axes: {arch: [a], workload: [w], zip: {}}", "axes.zip: must be at least one axis, got a mapping"),
        (
            "axes: {arch: [a], workload: [w], L: [1, 2]}\nexclude: [{l: 1}]",
            'small.yaml:4:15: exclude[0].l: no axis "l"; known: L, arch, workload',
        ),
        (
            "axes: {arch: [a], workload: [w], L: [1, 2]}\nexclude: [{L: 3}]",
            'small.yaml:4:15: exclude[0].L: no "3" on the axis; known: 1, 2',
        ),
        ("axes: {arch: [a], workload: [w]}\nexclude: [{arch: a}]", "axes: every point is excluded"),
        ("axes: {arch: [a], workload: [w]}\ndepth: analitic", 'depth: no depth "analitic"; did you mean "analytic"?'),
        (
            "axes: {arch: [a], workload: [w]}\nobjectives: [second]",
            'objectives[0]: no objective "second"; did you mean "seconds"?',
        ),
        ("axis: {}", 'small.yaml:3:1: axis: unknown key "axis"; did you mean "axes"?'),
        ('axes: {arch: [a], workload: [w], L: ["1\\n2"]}', "axes.L[0]: must be on one line"),
    ],
)
def test_what_is_refused(rest: str, message: str) -> None:
    assert message in error_of(HEAD + rest)


def test_too_many_points_are_refused_before_they_are_made() -> None:
    axes = "".join(f", p{i}: [{', '.join(map(str, range(10)))}]" for i in range(40))
    assert "points are more than 100000" in error_of(f"{HEAD}axes: {{arch: [a], workload: [w]{axes}}}")


def test_unknown_sweep() -> None:
    with pytest.raises(AccelsimError, match='no sweep named "fusemax-stdy"; did you mean "fusemax-study"'):
        load_sweep("fusemax-stdy")


def test_shipped_sweeps_are_listed_and_load() -> None:
    names = [name for name, description in find_sweeps() if description]
    assert {"fusemax-study", "array-size"} <= set(names)
    assert all(load_sweep(name).name == name for name in names)


def test_the_study_has_every_design_model_and_length() -> None:
    points = load_sweep("fusemax-study").points
    assert len(points) == 12 * 8 * 6
    assert len({point.workload for point in points}) == 8
