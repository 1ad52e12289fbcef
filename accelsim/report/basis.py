"""What the numbers rest on: energy scope, notes, assumptions, provenance, and the points that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from accelsim.report.listing import Listing, listing
from accelsim.report.rows import Row, Run
from accelsim.report.study import Study

MOST_NAMES = 12


def basis(study: Study) -> list[Listing]:
    """The listings of the section, empty ones left out."""
    found = [
        listing(
            "energy scope", ("what the energy covers", "architectures"), _by_text(study, lambda run: run.scope), True
        ),
        listing("notes", ("note", "architectures"), _by_text(study, lambda run: run.notes), True),
        listing("assumptions", ("assumptions", "architecture", "replaced by"), _overlays(study), True),
        listing("how it was computed", ("what", "architectures"), _by_text(study, _method)),
        listing("inputs", ("input", "architectures"), _by_text(study, _provenance)),
    ]
    return [one for one in found if one.rows]


def warnings(study: Study) -> list[str]:
    """What makes a comparison doubtful: points that are missing, more than one version."""
    doubts = []
    failed = sum(row.run is None for row in study.rows)
    if failed:
        told = "see failed points; means are over the points that both designs have"
        doubts.append(f"{failed} of {len(study.rows)} points failed: {told}.")
    versions = sorted({row.run.version for row in study.rows if row.run})
    if len(versions) > 1:
        doubts.append(f"The rows were computed by several versions: {', '.join(versions)}.")
    return doubts


def failures(study: Study) -> Listing:
    """The points without a result and what they said."""
    rows = ((r.arch, r.workload, _settings(r), r.depth, r.status, r.message) for r in study.rows if not r.run)
    return listing("failed points", ("architecture", "workload", "settings", "depth", "status", "message"), rows, True)


def versions(study: Study) -> str:
    return ", ".join(sorted({row.run.version for row in study.rows if row.run and row.run.version}))


def _settings(row: Row) -> str:
    return " ".join(f"{key}={value}" for key, value in row.settings.items())


def _by_text(study: Study, texts: Callable[[Run], Iterable[str]]) -> list[tuple[str, str]]:
    """Every text that some result tells, once, with the architectures whose results tell it."""
    told: dict[str, dict[str, None]] = {}
    for row in study.rows:
        for text in texts(row.run) if row.run else ():
            told.setdefault(text, {})[row.arch] = None
    return [(text, _names(list(archs))) for text, archs in told.items()]


def _names(archs: list[str]) -> str:
    rest = len(archs) - MOST_NAMES
    return ", ".join(archs[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _method(run: Run) -> list[str]:
    return [f"engine {run.engine}, mapping {run.mapping}" if run.mapping else f"engine {run.engine}"]


def _provenance(run: Run) -> list[str]:
    return [f"{key}: {value}" for key, value in run.provenance.items()]


def _overlays(study: Study) -> list[tuple[str, str, str]]:
    return [
        (overlay.label, study.label(arch), replaced)
        for overlay in study.settings.overlays
        for arch, replaced in overlay.archs.items()
    ]
