"""Errors: one line, led by the place, printable whatever a file held, with the nearest name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import LONGEST, AccelsimError, CheckFailedError, Mark, nearest

MARK = Mark("file.yaml", 12, 5)


def test_error_is_led_by_its_place() -> None:
    error = AccelsimError('rows: must be a positive integer, got "-4"', MARK)
    assert str(error) == 'file.yaml:12:5: rows: must be a positive integer, got "-4"'
    assert error.message == 'rows: must be a positive integer, got "-4"'
    assert error.mark == MARK


def test_error_without_place() -> None:
    assert str(AccelsimError("nothing fits")) == "nothing fits"
    assert AccelsimError("nothing fits").mark is None


def test_a_failed_check_is_one_of_the_family() -> None:
    assert issubclass(CheckFailedError, AccelsimError)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand\r\n  blanks ", "two lines and blanks"),
        ("red \x1b[31m", "red \\x1b[31m"),
        ("half a pair \udc80", "half a pair \\udc80"),
        ("zero \0", "zero \\x00"),
        ("µm Größe 大", "µm Größe 大"),
    ],
)
def test_error_is_one_printable_line(text: str, shown: str) -> None:
    assert str(AccelsimError(text)) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())), st.text(alphabet=st.characters(exclude_categories=())))
def test_any_error_can_be_printed_on_one_line(message: str, source: str) -> None:
    text = str(AccelsimError(message, Mark(source, 1, 1)))
    assert text.encode("utf-8")
    assert len(text.splitlines()) == 1


def test_error_is_bounded() -> None:
    error = AccelsimError("x" * 10**6, Mark("y" * 10**6, 1, 1))
    assert len(str(error)) == len(error.message) == LONGEST + 3


def test_nearest_offers_the_closest_name() -> None:
    assert nearest("buffr", ["buffer", "dram"]) == '; did you mean "buffer"?'


def test_nearest_lists_what_is_known_where_nothing_is_close() -> None:
    assert nearest("x", ["dram", "buffer", "dram"]) == "; known: buffer, dram"
    assert nearest("x", []) == ""


def test_nearest_lists_a_few() -> None:
    names = [f"name{i:02}" for i in range(20)]
    assert nearest("zzz", names) == f"; known: {', '.join(names[:12])}, ..."


@given(st.sets(st.text(min_size=1), min_size=1))
def test_nearest_finds_a_name_that_is_there(names: set[str]) -> None:
    for name in names:
        assert nearest(name, names) == f'; did you mean "{name}"?'
