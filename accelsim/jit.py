"""The one numba decorator: a kernel is compiled when it is first called, and kept on disk where that is possible.

numba takes a second to import, so nothing here imports it before a kernel runs. On the first call of any kernel of a
file all kernels of that file become numba's, in the file's own globals, so that they may call each other. A kernel may
call kernels of its own file only: numba compares a kept kernel with its own file and does not see a change elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_waiting: dict[str, list[Callable[..., Any]]] = {}  # module to its kernels that are not compiled yet
_compiled: dict[Callable[..., Any], Callable[..., Any]] = {}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """The function, run by numba in nopython mode; the plain function stays reachable as `__wrapped__`.

    Args:
        function: of a module's top level, calling no kernel of another file.

    Raises:
        ModuleNotFoundError: when it is called and numba is not installed.
    """
    _waiting.setdefault(function.__module__, []).append(function)

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if function not in _compiled:
            _compile_file(function.__module__)
        result: R = _compiled[function](*args, **kwargs)
        return result

    return run


def _compile_file(module: str) -> None:
    for function in _waiting[module]:
        _compiled[function] = _dispatcher(function)
        names = function.__globals__
        if getattr(names.get(function.__name__), "__wrapped__", None) is function:
            names[function.__name__] = _compiled[function]
    _waiting[module] = []


def _dispatcher(function: Callable[..., Any]) -> Callable[..., Any]:
    """numba's version of a function, kept on disk where numba finds a place to write."""
    numba: Any = import_module("numba")
    try:
        dispatcher: Callable[..., Any] = numba.njit(cache=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available": nowhere to write
        dispatcher = numba.njit(function)
    return dispatcher
