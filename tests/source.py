"""The package's own source as data, for the tests of its form."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "accelsim"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A module: its path below the checkout, its text and what Python makes of it."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """The dotted name: `accelsim.einsum.ast`; a package is called by its folder."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


def read_source(text: str, path: str = "accelsim/example.py") -> Source:
    return Source(Path(path), text, ast.parse(text))


@cache
def sources() -> tuple[Source, ...]:
    """Every module of the package, sorted by path."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return tuple(read_source(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))) for path in paths)
