"""The store: lines that round-trip, torn ends that are ignored, keys that follow what a result depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.explore import Point, Row
from accelsim.explore.store import open_store, point_keys, read_row, read_rows
from tests.explore.rows import make_row

VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
RESULTS = st.dictionaries(st.text(), VALUES, max_size=4)


@given(RESULTS)
def test_a_line_is_read_back(result: Mapping[str, object]) -> None:
    row = make_row(result)
    assert read_row(row.to_line()) == row
    assert row.to_line().count(b"\n") == 1


def test_a_line_holds_the_promised_keys() -> None:
    document = json.loads(make_row({"seconds": 1}, {"L": 2}).to_line())
    assert list(document) == ["key", "status", "point", "result", "message", "seconds"]
    assert document["point"] == {"arch": "a", "workload": "w", "depth": "analytic", "set": {"L": 2}}


@given(RESULTS, st.data())
def test_every_torn_line_is_ignored(result: Mapping[str, object], data: st.DataObject) -> None:
    line = make_row(result).to_line()
    assert read_row(line[: data.draw(st.integers(0, len(line) - 2))]) is None


@pytest.mark.parametrize("line", [b"[]", b"1", b"{}", b'{"key": 1}', b"\xff", b"[" * 100_000])
def test_lines_of_other_making_are_ignored(line: bytes) -> None:
    assert read_row(line) is None


def test_appending_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first, second = make_row({"seconds": 1}, key="1"), make_row(None, key="2")
    path.write_bytes(first.to_line() + second.to_line()[:-9])
    with open_store(path, read_rows(path)) as append:
        append(second)
    assert path.read_bytes() == first.to_line() + second.to_line()


def test_a_store_that_holds_what_it_should_is_not_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(make_row({}).to_line())
    before = path.stat().st_ino
    with open_store(path, read_rows(path)):
        pass
    assert path.stat().st_ino == before


def test_no_file_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "results.jsonl") == []


def test_nan_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        make_row({"seconds": float("nan")}).to_line()


POINT = Point("fusemax", "bert", "analytic", (("L", "1024"),))


@pytest.mark.parametrize(
    "other",
    [
        Point("flat", "bert", "analytic", (("L", "1024"),)),
        Point("fusemax", "xlm", "analytic", (("L", "1024"),)),
        Point("fusemax", "bert", "bound", (("L", "1024"),)),
        Point("fusemax", "bert", "analytic", (("L", "2048"),)),
        Point("fusemax", "bert", "analytic", (("L", "1024"), ("E", "64"))),
    ],
)
def test_keys_tell_points_apart(other: Point) -> None:
    a, b = point_keys([POINT, other], "1")
    assert a != b


def test_keys_are_the_same_for_the_same_point() -> None:
    assert point_keys([POINT], "1") == point_keys([POINT], "1")
    assert len(point_keys([POINT], "1")[0]) == 64


def test_keys_follow_the_version() -> None:
    assert point_keys([POINT], "1") != point_keys([POINT], "2")


def test_keys_follow_the_content_behind_a_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    point = Point(str(path), "bert", "analytic")
    keys = []
    for text in ("", "{base: fusemax, set: {units.pe2d.rows: 8}}", "{base: fusemax, set: {units.pe2d.rows: 9}}"):
        path.write_text(f"schema: accelsim/arch/1\nname: mine\n{text[1:-1].replace(', set', chr(10) + 'set')}\n")
        keys += point_keys([point], "1")
    assert len(set(keys)) == 3


def test_a_row_knows_its_settings() -> None:
    assert make_row({}, {"L": 4}).settings == {"L": 4}
    assert Row("k", "done", {}, None, None, 0.0).settings == {}
