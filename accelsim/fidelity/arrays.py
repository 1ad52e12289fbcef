"""Inputs of a workload from files of numpy: arrays by tensor name in an .npz, one in an .npy, a number as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError, nearest

Shape = tuple[int, ...]
Floats = NDArray[np.float64]


def read_inputs(said: Sequence[str], shapes: Mapping[str, Shape]) -> dict[str, Floats]:
    """The arrays that are said, each of the shape that its input has.

    Args:
        said: `FILE.npz`, whose arrays have the names of inputs; `NAME=FILE.npy`; or `NAME=NUMBER` for an input without
            ranks.
        shapes: every input with its shape.

    Raises:
        AccelsimError: a file that cannot be read, a name that is no input or comes twice, another shape, what are no
            numbers; with the file and what was expected.
    """
    found: dict[str, Floats] = {}
    for text in said:
        for name, source, array in _arrays(text, shapes):
            if name in found:
                raise AccelsimError(f"{source}: {name} is given twice")
            found[name] = checked(array, shapes[name], name, source)
    return found


def check_all_given(found: Mapping[str, Floats], shapes: Mapping[str, Shape]) -> None:
    """Refuse inputs that are missing, with the shape that each must have."""
    missing = [f"{name} of shape {list(shape)}" for name, shape in shapes.items() if name not in found]
    if missing:
        raise AccelsimError(f"inputs that are not given: {', '.join(missing)}")


def read_array(path: Path) -> NDArray[Any]:
    """The array of an .npy file. Raises AccelsimError for anything else."""
    loaded = _loaded(path)
    if not isinstance(loaded, np.ndarray):
        raise AccelsimError(f"{path}: holds several arrays by name, expected one: an .npy file")
    return loaded


def checked(array: NDArray[Any], shape: Shape, name: str, source: object) -> Floats:
    """The array in double precision. Raises AccelsimError for another shape, or for what is not a number."""
    if array.shape != shape:
        raise AccelsimError(f"{source}: {name} must have shape {list(shape)}, got {list(array.shape)}")
    if array.dtype.kind not in "biuf":
        raise AccelsimError(f"{source}: {name} must hold real numbers, got {array.dtype}")
    found = array.astype(np.float64)
    if np.isnan(found).any():
        at = [int(i) for i in np.argwhere(np.isnan(found))[0]]
        raise AccelsimError(f"{source}: {name} holds NaN at {at}")
    return found


def _arrays(text: str, shapes: Mapping[str, Shape]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Name, source and array of each that a text stands for; an unknown name is refused before its array is read."""
    name, equals, value = text.partition("=")
    if equals:
        _check_name(name, shapes, text)
        yield name, value, _number(value) if _is_number(value) else read_array(Path(value))
        return
    loaded = _loaded(Path(text))
    if isinstance(loaded, np.ndarray):
        raise AccelsimError(f"{text}: holds an array without a name: say of which input it is, as NAME={text}")
    for member in loaded:
        _check_name(member, shapes, text)
        yield member, text, _member(loaded, member, text)


def _check_name(name: str, shapes: Mapping[str, Shape], source: str) -> None:
    if name not in shapes:
        raise AccelsimError(f'{source}: no input "{name}"{nearest(name, shapes)}')


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> Floats:
    return np.array(float(text))


def _loaded(path: Path) -> Any:
    """An array, or several by name; never a pickle, which could run anything."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AccelsimError(f"{path}: {error.strerror}") from None
    try:
        return np.load(BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, BadZipFile, MemoryError):
        raise AccelsimError(f"{path}: is neither an .npz nor an .npy file of numbers") from None


def _member(loaded: Any, name: str, source: str) -> NDArray[Any]:
    try:
        found: NDArray[Any] = loaded[name]
    except (ValueError, EOFError, OSError, BadZipFile, MemoryError):
        raise AccelsimError(f"{source}: {name} must hold real numbers, and cannot be read as such") from None
    return found
