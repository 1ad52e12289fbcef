"""The report of a sweep: one self-contained HTML page, its figures as files, and the headlines as lines of text."""

from __future__ import annotations

from pathlib import Path

from accelsim.report.basis import versions, warnings
from accelsim.report.compare import headline_text, same_assumptions
from accelsim.report.designs import UNITS, design_table, objectives_of
from accelsim.report.means import KINDS, Means
from accelsim.report.numbers import digits, quantity_text
from accelsim.report.rows import Left, read_folder
from accelsim.report.sections import Section, sections
from accelsim.report.settings import Headline
from accelsim.report.study import Study, study_of
from accelsim.report.style import inline_svg, save, write

PAGE, FIGURES, TEMPLATE = "report.html", "figures", "page.html.j2"


def write_report(out: Path) -> Path:
    """Write report.html and figures/ beside what a sweep left in a folder; the path of the page.

    The page needs no other file and no network: figures are inside. The same rows give the same bytes.

    Raises:
        AccelsimError: the folder holds no results, or its files are malformed.
    """
    left = read_folder(out)
    study = study_of(left.sweep, left.rows)
    parts = sections(study)
    drawings = _save_all(parts, out / FIGURES)
    page = out / PAGE
    write(page, _render(study, left, parts, drawings).encode())
    return page


def _save_all(parts: list[Section], folder: Path) -> dict[str, str]:
    """Save every picture; its name to its SVG, ready to stand inside a page."""
    drawings = {}
    for picture in (shown.picture for part in parts for shown in part.shown):
        save(picture, folder)
        svg = (folder / f"{picture.name}.svg").read_text(encoding="utf-8")
        drawings[picture.name] = inline_svg(svg, picture.name, picture.alt)
    return drawings


def _render(study: Study, left: Left, parts: list[Section], drawings: dict[str, str]) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8"))
    return template.render(
        sweep=study.sweep,
        lines=[] if study.comparable else _lines(study),
        sections=parts,
        drawings={name: Markup(svg) for name, svg in drawings.items()},
        numbers={shown.picture.name: i for i, shown in enumerate((s for p in parts for s in p.shown), start=1)},
        figures=FIGURES,
        warnings=warnings(study),
        study=study,
        version=versions(study),
        hashes=left.hashes,
    )


def headlines(out: Path) -> list[str]:
    """A line per headline: our three means, named, beside the published number of the sweep's `report:` block.

    Raises:
        AccelsimError: the folder holds no results, or its files are malformed.
    """
    left = read_folder(out)
    return _lines(study_of(left.sweep, left.rows))


def _lines(study: Study) -> list[str]:
    if not study.comparable:
        return _best_lines(study)
    return [_line(study, headline) for headline in study.settings.headlines]


def _line(study: Study, headline: Headline) -> str:
    found = study.headline(headline)
    ours = _means_text(found, study.points(headline)) if found else "no point has both designs"
    return f"{headline_text(study, headline)}: {ours}{_published(study, headline)}"


def _means_text(found: Means, points: int) -> str:
    named = ", ".join(f"{kind} {digits(found.of_kind(kind))}" for kind in KINDS)
    return f"{named} over {found.count} of {points} points"


def _published(study: Study, headline: Headline) -> str:
    if headline.published is None:
        return ""
    same = same_assumptions(study, headline)
    ours = "" if same is None else f", ours under its assumptions {digits(same)} ({same / headline.published - 1:+.1%})"
    source = f", {headline.source}" if headline.source else ""
    return f"; published {headline.published:g} ({headline.mean}{source}){ours}"


def _best_lines(study: Study) -> list[str]:
    """For a sweep over designs: the best design of every case by every objective."""
    table, found = design_table(study), []
    for case in table.texts("case"):
        for name in objectives_of(study):
            values = table.where(case=case).lookup(name, "design")
            if values:
                (design,), value = min(values.items(), key=lambda item: item[1])
                title, unit, scale = UNITS[name]
                found.append(f"{case}: least {title} {quantity_text(value * scale, unit)} with {design}")
    return found
