"""Imports go one way: a module may import only what stands before it, so that the package reads in this order."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.source import Source, read_source, sources

ORDER = (
    "version",
    "errors",
    "quantity",
    "yamlfile",
    "yamldump",
    "schema",
    "overrides",
    "shipped",
    "document",
    "jit",
    "pool",
    "formats",
    "result",
    "einsum",
    "workload",
    "analyze",
    "fidelity",
    "units",
    "memory",
    "arch",
    "mapping",
    "cost",
    "program",
    "route",
    "simulate",
    "whatif",
    "mapper",
    "gpu",
    "cluster",
    "golden",
    "explore",
    "validation",
    "report",
    "hardware",
    "commands",
    "cli",
    "__main__",
    "",  # accelsim/__init__.py: the public names
)


def layer(module: str) -> str:
    """`einsum` for `accelsim.einsum.ast`, nothing for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def place(module: str) -> int:
    """Where a module stands in ORDER; one that is not named there stands behind all."""
    name = layer(module)
    return ORDER.index(name) if name in ORDER else len(ORDER)


def imported(source: Source) -> Iterator[str]:
    """The modules of the package that a module imports anywhere, also inside functions and for type checking."""
    folder = source.module.split(".") if source.path.name == "__init__.py" else source.module.split(".")[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "accelsim")
        if isinstance(node, ast.ImportFrom):
            base = ".".join([*folder[: len(folder) - node.level + 1], *filter(None, [node.module])])
            base = base if node.level else node.module or ""
            if base == "accelsim":
                yield from (f"accelsim.{alias.name}" if alias.name in ORDER else base for alias in node.names)
            elif base.split(".")[0] == "accelsim":
                yield base


def forbidden(source: Source) -> list[str]:
    """What a module imports although it does not stand before it; a package may import its own modules."""
    own = layer(source.module)
    others = {name for name in imported(source) if layer(name) != own}
    return sorted(name for name in others if place(name) > place(source.module))


def test_every_module_has_its_place() -> None:
    found = {layer(source.module) for source in sources()}
    assert found <= set(ORDER), "name the new module in ORDER, after all that it imports"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.module)
def test_imports_only_what_stands_before(source: Source) -> None:
    assert forbidden(source) == []


@pytest.mark.parametrize(
    "line",
    [
        "import accelsim.arch",
        "from accelsim.arch import load_arch",
        "from accelsim.arch.levels import Level",
        "from accelsim import arch",
        "from accelsim import simulate",
        "from ..arch import levels",
        "from .. import arch",
        "def f() -> None:\n    import accelsim.arch.levels",
        "if TYPE_CHECKING:\n    from accelsim.arch import Arch",
        "from accelsim import load_arch",
    ],
)
def test_the_law_sees_every_way_to_import(line: str) -> None:
    assert forbidden(read_source(line, "accelsim/einsum/example.py"))


@pytest.mark.parametrize(
    "line",
    [
        "from accelsim.errors import Mark",
        "from accelsim import errors",
        "from .. import errors",
        "from . import ast",
        "from .ast import Access",
        "from accelsim.einsum.ast import Access",
        "import json",
    ],
)
def test_the_law_allows_what_stands_before(line: str) -> None:
    assert forbidden(read_source(line, "accelsim/einsum/example.py")) == []


def test_only_the_command_line_prints_or_stops() -> None:
    """`print` and `sys.exit` belong to the layer that talks to a person."""
    for source in sources():
        if layer(source.module) in ("cli", "__main__"):
            continue
        calls = [ast.unparse(node.func) for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
        assert not {"print", "sys.exit", "exit", "quit"} & set(calls), source.path
