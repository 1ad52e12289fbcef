"""Tables of a workload: listed, traced, drawn or a ramp; and what is wrong with one, by file and line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from accelsim.analyze import analyze
from accelsim.einsum.cascade import Shapes
from accelsim.errors import AccelsimError
from accelsim.explore import Point
from accelsim.explore.store import point_keys
from accelsim.workload import load_workload, provenance, steps

TRACE = "# recorded\nstep,kept,seen\n0,3,4\n\n1,2,4\n2,4,4\n3,1,4\n"
FILE = """\
schema: accelsim/workload/1
name: kept
function: {{inputs: {{A: [t, m], F: [t]}}, outputs: {{Y: [t]}}}}
params: {{T: 4, M: 4}}
ranks: {{t: T, m: M, k: {size}}}
types: {{default: fp16, F: int32, I: int32}}
maps: {{kept: {table}}}
statistics: {{{statistics}}}
einsums: |
  I[t,k] = argtopk(A[t,m]) over m where {where}
  Y[t]   = sum(A[t,I[t,k]]) over k
"""


def shapes_of(
    tmp_path: Path,
    table: str = "[1, 1, 1, 1]",
    trace: str = TRACE,
    statistics: str = "",
    where: str = "k < kept(t)",
    size: str = "M",
) -> Shapes:
    (tmp_path / "trace.csv").write_text(trace)
    path = tmp_path / "kept.yaml"
    path.write_text(FILE.format(table=table, statistics=statistics, where=where, size=size))
    (step,) = steps(load_workload(str(path)))
    return step.shapes


def table_of(tmp_path: Path, table: str) -> tuple[int, ...]:
    return shapes_of(tmp_path, table).cascade.maps["kept"]


def refused(tmp_path: Path, **changes: str) -> str:
    with pytest.raises(AccelsimError) as error:
        shapes_of(tmp_path, **changes)
    return str(error.value).replace(f"{tmp_path}/", "")


# What tables hold.


def test_a_trace_gives_a_column_in_the_order_of_its_rows(tmp_path: Path) -> None:
    assert table_of(tmp_path, "{trace: trace.csv, column: kept, most: seen}") == (3, 2, 4, 1)


def test_a_ramp_falls_from_whole_to_the_last_share(tmp_path: Path) -> None:
    """Of 40: nothing is dropped, then 1/4, 1/2 and 3/4; rounded down for 10."""
    ramp = "{{ramp: {{whole: {}, flat: 1, first: 25, last: 75, per: 100}}, length: T}}"
    assert table_of(tmp_path, ramp.format("M*10")) == (40, 30, 20, 10)
    assert table_of(tmp_path, ramp.format(10)) == (10, 7, 5, 2)
    assert table_of(tmp_path, ramp.format(10).replace("length: T", "length: 2, times: 2")) == (10, 7, 10, 7)


def test_a_share_is_of_the_table_above(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text(TRACE)
    path = tmp_path / "kept.yaml"
    maps = "[4, 3, 2, 1], half: {share: {of: kept, part: 1, per: 2}}"
    path.write_text(FILE.format(table=maps, statistics="", where="k < half(t)", size="M"))
    (step,) = steps(load_workload(str(path)))
    assert step.shapes.cascade.maps["half"] == (2, 1, 1, 0)


def test_draws_are_the_seeds_and_belong_to_their_entries(tmp_path: Path) -> None:
    """Another length draws the same first entries; another seed draws others."""
    draw = "{{uniform: [1, 4], seed: {}, length: {}}}"
    few, many = (table_of(tmp_path, draw.format(1, length)) for length in (40, 4000))
    assert many[:40] == few
    assert table_of(tmp_path, draw.format(2, 4000)) != many
    for value in range(1, 5):
        assert abs(many.count(value) - 1000) < 4 * (4000 * 0.25 * 0.75) ** 0.5


def test_chances_come_about_as_often_as_they_say(tmp_path: Path) -> None:
    found = table_of(tmp_path, "{chance: 0.07, seed: 3, length: 10000}")
    assert set(found) == {0, 1}
    assert abs(sum(found) - 700) < 4 * (700 * 0.93) ** 0.5


# What a statistic does.


def test_a_rank_of_data_dependent_size_is_counted_by_its_statistic(tmp_path: Path) -> None:
    """Which points are selected depends on F: how many are is said for every t, and each reads one number."""
    where, statistics = "F[t] > m", "k: {by: [t], trace: trace.csv, column: kept}, F: {by: [t], values: [4, 4, 4, 4]}"
    shapes_of(tmp_path, where=where, size="upto(M)", statistics=statistics)
    found = analyze(load_workload(str(tmp_path / "kept.yaml"))).operations
    assert found == {"argtopk": 16, "add": 3 + 2 + 4 + 1}


def test_without_a_statistic_such_a_rank_is_not_counted(tmp_path: Path) -> None:
    shapes_of(tmp_path, where="F[t] > m", size="upto(M)")
    with pytest.raises(AccelsimError, match=r"not supported yet: .*statistics"):
        analyze(load_workload(str(tmp_path / "kept.yaml")))


def test_a_statistic_along_a_rank_says_how_many_of_it_are_set(tmp_path: Path) -> None:
    shapes = shapes_of(tmp_path, where="A[t,m] > 0", statistics="A: {by: [t], along: m, values: [0, 1, 4, 2]}")
    assert shapes.statistics == {"A": ("t", "m")}
    assert shapes.cascade.maps["A"] == (0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0)


# What is wrong.


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (TRACE.replace("kept", "keep"), 'trace.csv:2:1: no column "kept"; did you mean "keep"?'),
        (TRACE.replace("1,2,4", "1,2"), "trace.csv:5:1: expected 3 entries (step, kept, seen), got 2"),
        (TRACE.replace("1,2,4", "1,-2,4"), "trace.csv:5:1: kept must not be negative, got -2"),
        (TRACE.replace("1,2,4", "1,5,4"), "trace.csv:5:1: kept is 5, above seen, which is 4"),
        (TRACE.replace("1,2,4", "1,two,4"), 'trace.csv:5:1: kept must be an integer, got "two"'),
        (TRACE.replace("1,2,4", "1,2.0,4"), 'trace.csv:5:1: kept must be an integer, got "2.0"'),
        (TRACE.replace("step", "kept"), 'trace.csv:2:1: column "kept" stands twice'),
        (TRACE.replace("step", ""), "trace.csv:2:1: column 1 has no name"),
        (TRACE.replace("1,2,4", "1,٢,4"), 'trace.csv:5:1: kept must be an integer, got "٢"'),
        (TRACE.replace("1,2,4", '1,"2,4'), "trace.csv:5:1: expected 3 entries (step, kept, seen), got 2"),
        (
            TRACE.replace("1,2,4", f"1,{'2' * 140_000},4"),
            "trace.csv:5:1: is not a line of a CSV file: field larger than",
        ),
        (TRACE.replace("\n", "\r\n").replace("3,1,4", "3,1,4,4"), "trace.csv:7:1: expected 3 entries (step, kept, "),
        (TRACE.replace("seen", "saw"), 'trace.csv:2:1: no column "seen"; known: kept, saw, step'),
        ("step,kept,seen\n", "trace.csv:1:1: a trace needs rows below the names of its columns (step, kept, seen)"),
        ("# nothing\n", "trace.csv:1:1: a trace needs a line with the names of its columns"),
    ],
)
def test_a_malformed_trace_is_refused_with_file_and_line(tmp_path: Path, trace: str, message: str) -> None:
    assert refused(tmp_path, table="{trace: trace.csv, column: kept, most: seen}", trace=trace).startswith(message)


def test_more_kept_than_there_are_is_refused_where_a_parameter_says_how_many(tmp_path: Path) -> None:
    """Five of M = 4, in a row whose own column allows it."""
    trace = TRACE.replace("3,1,4", "3,5,6")
    message = "trace.csv:7:1: kept is 5, above M, which is 4"
    assert refused(tmp_path, table="{trace: trace.csv, column: kept, most: [seen, M]}", trace=trace) == message
    assert refused(tmp_path, table="{trace: trace.csv, column: kept, most: M}", trace=trace) == message


def test_a_recorded_prompt_does_not_stand_for_a_shorter_one() -> None:
    with pytest.raises(AccelsimError, match=r"traces/gpt2-small-pruned.csv:5:1: keys is 993, above M, which is 132$"):
        steps(load_workload("gpt2-small-pruned", ["PROMPT=100"]))


# Which trace it was.


def test_what_was_read_is_named_with_its_hash(tmp_path: Path) -> None:
    """A trace that a preset or an override leaves unread is not named."""
    shapes_of(tmp_path, table="{trace: trace.csv, column: kept}")
    path = tmp_path / "kept.yaml"
    digest = hashlib.sha256(TRACE.encode()).hexdigest()
    for used, read in (([], {"trace.trace.csv": f"sha256:{digest[:16]}"}), (["workload.maps.kept=[1, 1, 1, 1]"], {})):
        workload = load_workload(str(path), used)
        named = {"workload": f"kept sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}", **read}
        assert provenance(workload) == named
        assert analyze(workload).to_json()["provenance"] == named
    assert list(provenance(load_workload("gpt2-small-pruned"))) == ["workload", "trace.traces/gpt2-small-pruned.csv"]
    assert list(provenance(load_workload("bert", ["L=16"]))) == ["workload"]


def test_a_trace_that_changes_is_read_anew(tmp_path: Path) -> None:
    """Within one process, and in the keys by which a sweep knows what it has run."""
    assert table_of(tmp_path, "{trace: trace.csv, column: kept}") == (3, 2, 4, 1)
    point = Point("fusemax", str(tmp_path / "kept.yaml"), "analytic")
    before = point_keys([point], "1")
    shapes_of(tmp_path, "{trace: trace.csv, column: kept}", trace=TRACE.replace("3,1,4", "3,2,4"))
    (step,) = steps(load_workload(str(tmp_path / "kept.yaml")))
    assert step.shapes.cascade.maps["kept"] == (3, 2, 4, 2)
    assert point_keys([point], "1") != before


def test_a_trace_that_is_not_there_is_refused(tmp_path: Path) -> None:
    message = 'kept.yaml:7:22: maps.kept.trace: there is no trace "none.csv"'
    assert refused(tmp_path, table="{trace: none.csv, column: kept}") == message


KINDS = "values, trace, uniform, chance, ramp, share"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("{seed: 1}", f"maps.kept: a table is one of {KINDS}, got none of them"),
        ("{chance: 1, uniform: [1, 2]}", f"maps.kept: a table is one of {KINDS}, got chance, uniform"),
        ("{chance: 1, length: 4}", 'maps.kept.chance: missing key "seed"'),
        ("{chance: 2, length: 4, seed: 1}", 'maps.kept.chance: must be from 0 to 1, got "2"'),
        ("{uniform: [3, 2], length: 4, seed: 1}", "must be a least and a greatest number, got a list"),
        ("{chance: 1, seed: 1}", "maps.kept: length must be from 1 to 1048576, got nothing"),
        ("{chance: 1, seed: 1, length: 0}", "maps.kept: length must be from 1 to 1048576, got 0"),
        ("{share: {of: keep, part: 1, per: 2}}", 'maps.kept.share.of: no table "keep" above this one'),
        ("{ramp: {whole: 4, flat: 0, first: 3, last: 1, per: 2}, length: T}", "first and last are parts of 2, got 3"),
        ("[1, 1]", "map kept has entries 0 to 1, but t runs from 0 to 3"),
    ],
)
def test_a_table_that_says_nothing_clear_is_refused(tmp_path: Path, table: str, message: str) -> None:
    found = refused(tmp_path, table=table)
    assert found.startswith("kept.yaml:")
    assert message in found


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        ("Z: {by: [t], values: [1, 1, 1, 1]}", 'no tensor and no rank of data-dependent size "Z"'),
        ("m: {by: [t], values: [1, 1, 1, 1]}", 'no tensor and no rank of data-dependent size "m"'),
        ("k: {by: [t], values: [1, 1, 5, 1]}", "rank k has 0 to 4 coordinates, not 5"),
        ("k: {by: [t], values: [1, 0-1, 5, 1]}", "rank k has 0 to 4 coordinates, not -1"),
        ("A: {by: [t], along: m, values: [1, 1, 5, 1]}", "rank m has 0 to 4 coordinates, not 5"),
        ("k: {by: [k], values: [1, 1, 1, 1]}", 'k has no rank "k"'),
        ("k: {by: [t], values: [1, 1]}", "t has 4 entries, the table 2"),
        ("k: {values: [1, 1]}", 'missing key "by"'),
        ("A: {by: [k], chance: 1, seed: 1}", 'A has no rank "k"; known: m, t'),
        ("F: {by: [t], along: m, chance: 1, seed: 1}", 'F has no rank "m"'),
        ("k: {by: [t], trace: trace.csv, column: keys}", 'trace.csv:2:1: kept: no column "keys"'),
    ],
)
def test_a_statistic_that_describes_nothing_is_refused(tmp_path: Path, statistics: str, message: str) -> None:
    assert message in refused(tmp_path, statistics=statistics, size="upto(M)")
