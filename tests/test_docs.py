"""What the pages of `docs/` show is true: files load, cascades parse, Python blocks give what stands below them.

A block marked `yaml` that begins with a schema is a complete file, one marked `einsum` is a cascade, and the `python`
blocks of a page are one session.
"""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accelsim.arch import load_arch
from accelsim.cluster import load_model, load_system
from accelsim.commands.workload import check_workload
from accelsim.einsum.parse import parse_cascade
from accelsim.errors import AccelsimError
from accelsim.explore import load_sweep
from accelsim.mapping import load_mapping
from accelsim.memory.load import load_document, read_all
from accelsim.yamlfile import load_text
from tests.source import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOADERS: dict[str, Callable[[str], object]] = {
    "workload": check_workload,
    "arch": load_arch,
    "mapping": load_mapping,
    "sweep": load_sweep,
    "dram": lambda path: read_all(load_document(path)),
    "cluster": load_system,
    "model": load_model,
}
LONG = ("accuracy", "cycle", "mapper", "memory", "pruning", "rtl")  # sessions of more than a second
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path, language: str) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    return (body for found, body in BLOCK.findall(text) if found == language)


def files(page: Path) -> list[str]:
    return [body for body in blocks(page, "yaml") if body.startswith("schema: accelsim/")]


def load(text: str, folder: Path) -> None:
    """Load a complete file. Raises AccelsimError where it is not one."""
    kind = text.split("/")[1]
    path = folder / f"{kind}.yaml"
    path.write_text(text, encoding="utf-8")
    LOADERS[kind](str(path))


def session(page: Path) -> doctest.DocTest:
    text = "\n".join(body for body in blocks(page, "python") if ">>>" in body)
    return doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_complete_files_load(page: Path, tmp_path: Path) -> None:
    for text in files(page):
        load(text, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_cascades_parse(page: Path) -> None:
    for text in blocks(page, "einsum"):
        lines = "".join(f"  {line}\n" for line in text.splitlines())
        parse_cascade(load_text(f"einsums: |\n{lines}", page.name).mapping()["einsums"])


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] if page.stem in LONG else []) for page in PAGES],
    ids=lambda page: page.stem,
)
def test_python_gives_what_is_shown(page: Path) -> None:
    complaints: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(session(page), out=complaints.append)
    assert complaints == []


def test_a_file_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AccelsimError, match="missing key"):
        load("schema: accelsim/arch/1\nname: nothing\n", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n```\n", encoding="utf-8")
    assert doctest.DocTestRunner().run(session(page), out=lambda text: None).failed == 1


def test_every_kind_of_block_is_found() -> None:
    assert any(files(page) for page in PAGES)
    assert any(list(blocks(page, "einsum")) for page in PAGES)
    assert any(session(page).examples for page in PAGES)
