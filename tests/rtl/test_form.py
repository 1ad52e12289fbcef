"""The form of the hardware's source: what it may import, and the rules that hold for the whole project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.source import ROOT, Source, read_source, sources
from tests.test_names import LONGEST_FILE, LONGEST_FUNCTION, MOST_POSITIONAL, calls, lines_of, papers_named, positional

ALLOWED = {"arch", "program", "errors", "formats"}
CONSTRUCTS = {"eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "print"}
OUTSIDE = {"__init__", "tools", "yosys"}
"""Modules of rtl that work, to say what is missing, where Amaranth is not installed."""


@cache
def hardware() -> tuple[Source, ...]:
    paths = sorted((ROOT / "rtl").rglob("*.py"))
    return tuple(read_source(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))) for path in paths)


def imports(source: Source) -> Iterator[str]:
    """Every module that is imported, anywhere in a source."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def foreign(source: Source) -> list[str]:
    """Imports of hardware from the package beyond what it may know: neither golden models nor timing."""
    names = [name.split(".") for name in imports(source)]
    return [".".join(name) for name in names if name[0] == "accelsim" and not set(name[1:2]) & ALLOWED]


EACH = pytest.mark.parametrize("source", hardware(), ids=lambda source: source.module)


@EACH
def test_hardware_knows_neither_timing_nor_golden_models(source: Source) -> None:
    assert foreign(source) == []
    assert not [name for name in imports(source) if name.startswith(".")], "imports are absolute"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.module)
def test_timing_and_golden_models_do_not_know_hardware(source: Source) -> None:
    if source.module.split(".")[1:2] not in (["commands"], ["hardware"]):
        assert not [name for name in imports(source) if name.split(".")[0] == "rtl"]


@pytest.mark.parametrize(
    "line",
    ["import accelsim.units", "from accelsim.golden.exp import table", "from accelsim import units", "import accelsim"],
)
def test_the_law_sees_every_way_to_import(line: str) -> None:
    assert foreign(read_source(line, "rtl/example.py"))


@EACH
def test_the_rules_of_the_project_hold(source: Source) -> None:
    assert (ast.get_docstring(source.tree) or "").splitlines()
    assert len(source.text.splitlines()) <= LONGEST_FILE
    assert [f.name for f in source.functions() if lines_of(f) > LONGEST_FUNCTION] == []
    assert [f.name for f in source.functions() if positional(f) > MOST_POSITIONAL] == []
    assert not calls(source) & CONSTRUCTS
    assert papers_named(source) == []
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", source.text)
    assert not [node for node in ast.walk(source.tree) if isinstance(node, ast.Assert)]


def test_what_names_a_missing_tool_needs_none() -> None:
    for source in hardware():
        if source.path.stem in OUTSIDE and len(source.path.parts) == 2:
            tops = {name.split(".")[0] for name in imports(source)}
            assert not tops & {"amaranth", "cocotb", "pyosys", "cocotb_tools"}, source.path
