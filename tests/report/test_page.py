"""The page: complete in itself, every link leads somewhere, texts are escaped, and it survives poor sweeps."""

from __future__ import annotations

import doctest
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.explore import load_sweep
from accelsim.report import designs, headlines, means, numbers, write_report
from accelsim.report.listing import listed
from accelsim.report.settings import read_settings
from accelsim.shipped import data_dir, shipped_names
from tests.report.synthetic import DESIGNS, Json, design_rows, failed, row, study_rows, write_folder
from tests.report.test_study import BARE

SMALL = """\
schema: accelsim/sweep/1
name: small
axes: {arch: [plain, woven], workload: [small], L: [1024, 4096]}
report:
  headlines:
    - {quantity: speedup, arch: woven, over: plain, scope: all, published: 6.7, source: "<b>ibid.</b>"}
  scopes: {all: {workloads: [small, "no such $workload$"]}}
  labels: {small: "<script>alert(1)</script>", plain: "$x_{y}$"}
"""


class Page(HTMLParser):
    """What a page refers to, and the names that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [value or "" for key, value in attrs if key in ("href", "src", "action", "data", "srcset")]
        self.scripts += tag == "script"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = study_rows(archs=("plain", "woven"), sizes=(1024, 4096), layers=False)
    lines = [*(line for line in rows if line["key"] != "woven/small/4096"), failed("woven", "small", 4096, "<i>no</i>")]
    out = write_folder(tmp_path_factory.mktemp("out"), lines, SMALL)
    write_report(out)
    return out


def test_the_page_refers_to_nothing_outside(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    for link in page.links:
        assert link.removeprefix("#") in page.ids if link.startswith("#") else (folder / link).is_file(), link


def test_names_in_the_page_are_unique(folder: Path) -> None:
    ids = Page((folder / "report.html").read_text(encoding="utf-8")).ids
    assert len(ids) == len(set(ids))


def test_texts_are_escaped(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert Page(text).scripts == 1
    assert "<script>alert(1)" not in text
    assert "&lt;i&gt;no&lt;/i&gt;" in text
    assert "&lt;b&gt;ibid.&lt;/b&gt;" in text


def test_every_figure_has_an_alternative_text_a_caption_and_three_files(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    figures = re.findall(r'<figure id="figure-([^"]+)">(.*?)</figure>', text, re.DOTALL)
    assert len(figures) >= 8
    for name, body in figures:
        assert f'<title id="{name}-title">' in body
        assert "<figcaption><b>Figure" in body
        assert all((folder / "figures" / f"{name}{suffix}").is_file() for suffix in (".png", ".svg", ".csv"))


def test_failed_points_are_told(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "1 of 12 points failed" in text
    assert '<h2 id="failed">Failed points</h2>' in text


def test_the_script_is_short(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert text[text.index("<script>") :].index("</script>") > 0
    assert len(text[text.index("<script>") : text.index("</script>")].splitlines()) <= 31


@pytest.mark.slow
def test_the_same_rows_give_the_same_page(folder: Path, tmp_path: Path) -> None:
    for name in ("results.jsonl", "sweep.resolved.yaml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    write_report(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_headlines_name_all_means_and_the_published_number(folder: Path) -> None:
    (line,) = headlines(folder)
    assert re.fullmatch(
        r"speed-up of woven over \$x_\{y\}\$, all: arithmetic [\d.]+, geometric [\d.]+, equal-work [\d.]+ "
        r"over 1 of 4 points; published 6\.7 \(arithmetic, <b>ibid\.</b>\), ours under its assumptions "
        r"[\d.]+ \([+-][\d.]+%\)",
        line,
    )


def test_a_sweep_over_designs_gets_fronts_and_its_best_designs(tmp_path: Path) -> None:
    out = write_folder(tmp_path, design_rows((16, 32)), DESIGNS)
    assert headlines(out)[0].startswith("small: least latency ")
    assert headlines(out)[0].endswith("with rows=32 capacity=4 MiB")
    text = write_report(out).read_text(encoding="utf-8")
    assert text.count("<figure ") == 3
    assert "Pareto front of latency against energy." in text


POOR: dict[str, list[Json]] = {
    "one point": [row("plain", "small", 1024)],
    "all failed": [failed("plain", "small", 1024, "no"), failed("woven", "small", 1024, "no")],
    "baseline failed": [failed("plain", "small", 1024, "no"), row("woven", "small", 1024)],
    "one size": [row("plain", "small", 1024), row("woven", "small", 1024)],
}


@pytest.mark.slow
@pytest.mark.parametrize("rows", POOR.values(), ids=POOR)
def test_a_poor_sweep_still_gets_a_page(tmp_path: Path, rows: list[Json]) -> None:
    out = write_folder(tmp_path, rows, BARE)
    text = write_report(out).read_text(encoding="utf-8")
    assert "All results" in text
    assert isinstance(headlines(out), list)


def test_without_energy_the_energy_figures_are_left_out(tmp_path: Path) -> None:
    rows = [row("plain", "small", 1024), row("woven", "small", 1024)]
    for line in rows:
        result = line["result"]
        assert isinstance(result, dict)
        result.update(energy_pj=None, energy_by={})
    text = write_report(write_folder(tmp_path, rows, BARE)).read_text(encoding="utf-8")
    assert 'id="figure-speedup-all"' in text
    assert 'id="figure-energy-all"' not in text
    assert 'id="figure-energy-parts-all"' not in text


@pytest.mark.slow
def test_too_many_points_are_listed_but_not_drawn(tmp_path: Path) -> None:
    rows = [row(arch, "small", 256 * size) for arch in ("plain", "woven") for size in range(1, 1002)]
    text = write_report(write_folder(tmp_path, rows, BARE)).read_text(encoding="utf-8")
    assert "too many workloads, sizes or designs to draw" in text
    assert "<figure" not in text
    assert "all 2002 rows, the first 2000 of 2002" in text


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    out = write_folder(tmp_path, [row("plain", "small", 1024)], BARE)
    (out / "figures").write_text("in the way", encoding="utf-8")
    with pytest.raises(AccelsimError, match=r"figures: File exists$"):
        write_report(out)


@pytest.mark.parametrize("name", shipped_names("sweeps"))
def test_the_blocks_of_shipped_sweeps_are_read(name: str) -> None:
    read_settings(load_sweep(data_dir("sweeps") / f"{name}.yaml"))


def test_cells_are_sorted_by_their_values() -> None:
    assert [(cell.text, cell.key, cell.number) for cell in map(listed, (0.5, 3, "x", None))] == [
        ("0.5000", "0.5", True),
        ("3", "3", True),
        ("x", "x", False),
        ("–", "", False),
    ]


@pytest.mark.parametrize("module", [designs, means, numbers], ids=lambda module: str(module.__name__))
def test_examples_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
