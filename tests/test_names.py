"""The form of the source: one description of every algorithm, no paper in code, no way to run text, short pieces."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.source import Function, Source, read_source, sources

PAPERS = re.compile(r"fusemax|spatten|duplex|attacc|step[-_ ]?3(?!\d)|distca|lasp", re.IGNORECASE)
CONSTRUCTS = {"eval", "exec", "compile", "__import__", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "pickle.load"}
LONGEST_FILE, LONGEST_FUNCTION, MOST_POSITIONAL = 500, 60, 6
EACH = pytest.mark.parametrize("source", sources(), ids=lambda source: source.module)


def docstrings(tree: ast.Module) -> set[tuple[int, int]]:
    """The places of texts that stand alone as statements: docstrings."""
    alone = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    return {(node.lineno, node.col_offset) for node in alone if isinstance(node, ast.Constant)}


def code_words(source: Source) -> Iterator[tuple[int, str]]:
    """Names and texts of the code with their lines: neither comments nor docstrings."""
    skipped = docstrings(source.tree)
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.NAME or (token.type == tokenize.STRING and token.start not in skipped):
            yield token.start[0], token.string


def papers_named(source: Source) -> list[str]:
    return [f"{source.path}:{line}: {word[:60]}" for line, word in code_words(source) if PAPERS.search(word)]


def calls(source: Source) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(source.tree) if isinstance(node, ast.Call)}


def lines_of(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def positional(function: Function) -> int:
    """Arguments that may be given by place, the object or class of a method not counted."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


@EACH
def test_no_paper_is_named_in_code(source: Source) -> None:
    if source.path.parts[1] != "validation":
        assert papers_named(source) == [], "a rule for one paper's design belongs into data"


@EACH
def test_nothing_runs_text(source: Source) -> None:
    assert not calls(source) & CONSTRUCTS


@EACH
def test_module_says_what_it_is_for(source: Source) -> None:
    text = ast.get_docstring(source.tree)
    assert text
    assert text.splitlines()[0].strip()


@EACH
def test_pieces_are_short(source: Source) -> None:
    assert len(source.text.splitlines()) <= LONGEST_FILE
    assert [f.name for f in source.functions() if lines_of(f) > LONGEST_FUNCTION] == []
    assert [f.name for f in source.functions() if positional(f) > MOST_POSITIONAL] == []


@EACH
def test_nothing_is_left_to_do(source: Source) -> None:
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", source.text)
    assert not [node for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler) and node.type is None]


@pytest.mark.parametrize(
    "text",
    ["x = 'fusemax'", "def spatten_energy() -> None: ...", 'f(f"duplex {x}")', "step3 = 1", "NAME = 'Step-3'"],
)
def test_the_rule_finds_papers_in_code(text: str) -> None:
    assert papers_named(read_source(text))


@pytest.mark.parametrize(
    "text",
    [
        '"""As FuseMax does."""',
        "x = 1  # FuseMax, section IV",
        'def f() -> None:\n    """FuseMax."""',
        "flat = [1]",
        "step = 3",
    ],
)
def test_the_rule_leaves_words_for_people(text: str) -> None:
    assert papers_named(read_source(text)) == []


def test_arguments_are_counted_without_self() -> None:
    method = next(read_source("class A:\n    def f(self, a, /, b, *, c): ...").functions())
    assert positional(method) == 2
