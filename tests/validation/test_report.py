"""Checks, tables and reports of a validation, on made-up numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.validation import Check, Report, Table, suites, validate
from accelsim.validation.check import Allowance, compare, compare_digits, half_digit
from accelsim.validation.report import grouped, worst
from accelsim.validation.table import aligned, read_table

GOOD = Check("rows/a/1", "time", 2.0, 2.0, 1e-9, "the same rule")
CLOSE = Check("rows/a/2", "time", 2.002, 2.0, 1e-2, "the same rule")
BAD = Check("rows/b/1", "energy", 3.0, 2.0, 0.1, "a guess")
REPORT = Report("made-up", (GOOD, CLOSE, BAD), (Table("Means", ("what", "ours"), (("a", 1.25), ("b", None))),))


def test_error_is_relative_to_what_is_published() -> None:
    assert BAD.error == 0.5
    assert Check("x", "time", 1.0, 2.0, 0.1, "").error == -0.5


@given(st.floats(1e-3, 1e3), st.floats(0, 1), st.sampled_from((-1, 1)))
def test_a_check_passes_within_its_tolerance_on_both_sides(published: float, share: float, sign: int) -> None:
    assert Check("x", "time", published * (1 + 0.1 * share * sign * 0.999), published, 0.1, "").passed
    assert not Check("x", "time", published * (1 + 0.1 * sign * (1.001 + share)), published, 0.1, "").passed


@given(st.integers(1, 10**6), st.integers(0, 6))
def test_half_digit_is_what_rounding_hides(number: int, decimals: int) -> None:
    text = f"{number / 10**decimals:.{decimals}f}"
    assert half_digit(text) == pytest.approx(0.5 / number)


def test_rounded_numbers_get_half_a_digit_besides_the_allowance() -> None:
    allowed = Allowance(0.1, "because")
    assert compare("x", "time", 1, "2.0", allowed).tolerance == 0.1
    assert compare_digits("x", "time", 1, "2.0", allowed).tolerance == pytest.approx(0.1 + 0.05 / 2)


def test_a_report_passes_if_every_check_does() -> None:
    assert not REPORT.passed
    assert REPORT.failures == (BAD,)
    assert Report("made-up", (GOOD, CLOSE)).passed


def test_text_sums_up_groups_and_names_failures() -> None:
    assert REPORT.to_text().splitlines() == [
        "made-up: 2 of 3 checks pass",
        "",
        "group  quantity  checks  worst error  allowed  because",
        "rows   time           2     +1.0e-03  1.0e-02  the same rule",
        "rows   energy         1     +5.0e-01  1.0e-01  a guess",
        "FAILED rows/b/1 energy: ours 3, published 2, error +5.00e-01, allowed 1.0e-01",
        "",
        "Means",
        "what  ours",
        "a     1.25",
        "b        -",
    ]


def test_document_holds_every_check_and_a_summary() -> None:
    document = json.loads(json.dumps(REPORT.to_json(), allow_nan=False))
    assert list(document) == ["schema", "kind", "suite", "passed", "checks", "summary", "tables", "version"]
    assert (document["schema"], document["kind"], document["suite"], document["passed"]) == (
        1,
        "validation",
        "made-up",
        False,
    )
    keys = ["name", "quantity", "ours", "published", "error", "tolerance", "passed", "note"]
    assert [list(check) for check in document["checks"]] == [keys] * 3
    assert document["summary"]["checks"] == 3
    assert document["summary"]["failed"] == 1
    assert [group["worst"] for group in document["summary"]["groups"]] == ["rows/a/2", "rows/b/1"]
    assert document["tables"][0]["rows"] == [["a", 1.25], ["b", None]]


def test_groups_keep_the_order_of_the_checks() -> None:
    other = Check("other/a", "time", 1.0, 1.0, 1e-9, "the same rule")
    assert grouped([BAD, GOOD, other, CLOSE]) == [[BAD], [GOOD, CLOSE], [other]]
    assert worst([GOOD, CLOSE]) == CLOSE


def test_columns_of_numbers_stand_to_the_right() -> None:
    assert aligned(("n", "word"), [("7", "x"), ("-", "yy")]) == ["n  word", "7  x", "-  yy"]


def test_tables_may_begin_with_their_source(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("# from nowhere\na,b\n1,2\n", encoding="utf-8")
    assert read_table(path) == [{"a": "1", "b": "2"}]


def test_suites_are_known_by_name() -> None:
    assert "fusemax" in suites()
    with pytest.raises(AccelsimError) as caught:
        validate("fusemx")
    assert str(caught.value) == 'no suite named "fusemx"; did you mean "fusemax"?'
