"""The numba decorator: nothing is imported before a call, kernels of a file call each other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from accelsim import jit
from accelsim.jit import kernel
from tests.source import ROOT


@kernel
def double(value: int) -> int:
    """Twice a value."""
    return 2 * value


@kernel
def quadruple(value: int) -> int:
    return double(double(value))


def test_kernels_of_a_file_call_each_other() -> None:
    early = double  # as another module has it that imported the name before anything was compiled
    assert quadruple(3) == 12
    assert early(4) == 8
    assert hasattr(globals()["double"], "py_func"), "the file's own name is numba's by now"


def test_a_kernel_keeps_its_name_and_text() -> None:
    @kernel
    def local(value: int) -> int:
        """As written."""
        return value

    assert (local.__name__, local.__doc__) == ("local", "As written.")
    assert local.__wrapped__(5) == 5  # type: ignore[attr-defined]


@pytest.mark.slow
def test_numba_is_imported_by_the_first_call() -> None:
    code = "import sys\nfrom tests.test_jit import quadruple\nassert 'numba' not in sys.modules\n"
    code += "assert quadruple(2) == 8\nassert 'numba' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_kernel_runs_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(function: Callable[..., Any] | None = None, cache: bool = False) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return function

    monkeypatch.setattr(jit, "import_module", lambda name: SimpleNamespace(njit=njit))

    @kernel
    def triple(value: int) -> int:
        return 3 * value

    assert triple(2) == 6


def test_without_numba_the_call_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(jit, "import_module", missing)

    @kernel
    def local(value: int) -> int:
        return value

    with pytest.raises(ModuleNotFoundError, match="No module named 'numba'"):
        local(1)
