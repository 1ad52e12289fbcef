"""Arrays from files: read back as they were saved, and what is refused, with the file and what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.fidelity.arrays import check_all_given, read_array, read_inputs

SHAPES = {"Q": (2, 3), "SC": ()}
Q = np.arange(6.0).reshape(2, 3)


def saved(folder: Path, **arrays: Any) -> str:
    path = folder / "some.npz"
    np.savez(path, **arrays)
    return str(path)


def test_arrays_are_read_by_name(tmp_path: Path) -> None:
    found = read_inputs([saved(tmp_path, Q=Q.astype(np.int8), SC=0.5)], SHAPES)
    assert found["Q"].dtype == found["SC"].dtype == np.float64
    assert np.array_equal(found["Q"], Q)
    assert found["SC"] == 0.5


def test_arrays_are_put_together_from_files_and_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "q.npy", Q)
    found = read_inputs([f"Q={tmp_path / 'q.npy'}", "SC=0.125"], SHAPES)
    assert np.array_equal(found["Q"], Q)
    assert found["SC"] == 0.125
    check_all_given(found, SHAPES)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"QQ": Q}, 'some.npz: no input "QQ"; did you mean "Q"?'),
        ({"Q": Q.T}, "some.npz: Q must have shape [2, 3], got [3, 2]"),
        ({"Q": 1.0}, "some.npz: Q must have shape [2, 3], got []"),
        ({"Q": np.full((2, 3), "a")}, "some.npz: Q must hold real numbers, got <U1"),
        ({"Q": Q + 1j}, "some.npz: Q must hold real numbers, got complex128"),
        ({"Q": np.full((2, 3), None)}, "some.npz: Q must hold real numbers, and cannot be read as such"),
        ({"Q": np.where(Q == 4, np.nan, Q)}, "some.npz: Q holds NaN at [1, 1]"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        read_inputs([saved(tmp_path, **arrays)], SHAPES)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "some.npz: is neither an .npz nor an .npy file of numbers"),
        (b"Q,1\n", "some.npz: is neither an .npz nor an .npy file of numbers"),
        (b"PK\x03\x04 and nothing", "some.npz: is neither an .npz nor an .npy file of numbers"),
        (None, "some.npz: No such file or directory"),
    ],
)
def test_files_that_hold_no_arrays_are_refused(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "some.npz"
    if data is not None:
        path.write_bytes(data)
    for said in (str(path), f"Q={path}"):
        with pytest.raises(AccelsimError) as caught:
            read_inputs([said], SHAPES)
        assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_an_array_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.npy"
    np.save(path, Q)
    with pytest.raises(
        AccelsimError, match=r"q.npy: holds an array without a name: say of which input it is, as NAME="
    ):
        read_inputs([str(path)], SHAPES)
    with pytest.raises(AccelsimError, match=r"q.npy: Q is given twice$"):
        read_inputs([f"Q={path}", f"Q={path}"], SHAPES)


def test_an_array_among_others_is_not_one(tmp_path: Path) -> None:
    with pytest.raises(AccelsimError, match=r"some.npz: holds several arrays by name, expected one: an .npy file$"):
        read_array(Path(saved(tmp_path, Q=Q)))


def test_inputs_that_are_missing_are_named_with_their_shapes() -> None:
    with pytest.raises(AccelsimError, match=r"^inputs that are not given: Q of shape \[2, 3\], SC of shape \[\]$"):
        check_all_given({}, SHAPES)
