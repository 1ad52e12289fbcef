"""Traces: lines become requests of channels, and wrong lines are refused with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.memory import read_trace
from tests.memory.draw import device

HBM3 = device("HBM3")


def read(tmp_path: Path, text: str) -> dict[int, list[tuple[int, int, int, int]]]:
    path = tmp_path / "t.trace"
    path.write_text(text)
    found = read_trace(path, HBM3)
    return {channel: list(zip(*(part.tolist() for part in one), strict=True)) for channel, one in found.items()}


def test_addresses_find_their_places(tmp_path: Path) -> None:
    """Below the burst's 32 bytes: channel (16), pseudo-channel (2), bank group (4), column (32)."""
    text = "# a comment\n0x0 R\n\n31 w  # the same burst\n0x20 R\n0x200 R\n0x400 R\n0x20000 W\n"
    assert read(tmp_path, text) == {
        0: [(0, 0, 0, 0), (0, 0, 1, 0), (32, 0, 0, 0), (4, 0, 0, 0), (16, 0, 1, 0)],
        1: [(0, 0, 0, 0)],
    }


def test_arrivals(tmp_path: Path) -> None:
    assert read(tmp_path, "0 R 5\n64 R 5\n0 W 70\n") == {0: [(0, 0, 0, 5), (0, 0, 1, 70)], 2: [(0, 0, 0, 5)]}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("0 R\n0\n", ":2:1: ", "a request is ADDRESS R|W [ARRIVAL], got 1 words"),
        ("0 R 1 2\n", ":1:1: ", "got 4 words"),
        ("0 R\n 0x1G R\n", ":2:2: ", 'must be a number such as 4096 or 0x1000, got "0x1G"'),
        ("-5 R\n", ":1:1: ", 'got "-5"'),
        ("0 R\n12 X\n", ":2:4: ", 'must be R or W, got "X"'),
        ("0 R\n0x400000000 R\n", ":2:1: ", "address 0x400000000 is outside the 0x400000000 bytes of HBM3_16Gb_8hi"),
        ("0 R 5\n0 R 4\n", ":2:1: ", "arrival 4 is before that of a line above, 5"),
        ("0 R 5\n0 R\n", ":2:1: ", "expected an arrival"),
        ("0 R\n0 R 5\n", ":2:1: ", "expected no arrival"),
        ("0 R 5x\n", ":1:5: ", "must be a number"),
        ("0 R" + " " * 2000 + "\n", ":1:1: ", "longer than 1000 characters"),
        ("# nothing\n", ": ", "holds no requests"),
    ],
)
def test_wrong_lines(tmp_path: Path, text: str, place: str, message: str) -> None:
    with pytest.raises(AccelsimError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 't.trace'}{place}")
    assert message in str(error.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(AccelsimError, match="No such file"):
        read_trace(tmp_path / "no.trace", HBM3)
