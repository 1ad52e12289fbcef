"""The numbers of comparisons: ratios to the baseline by point, their means, the ladder, what assumptions change."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from accelsim.report.means import KINDS, Means, means
from accelsim.report.numbers import size_text
from accelsim.report.rows import Run
from accelsim.report.settings import BASE, QUANTITIES, Headline, Scope
from accelsim.report.study import Study
from accelsim.report.tables import Cell, Table, table_of

SCALES = (("halved", 0.5), ("doubled", 2.0))
LARGEST = 3


def ratios(study: Study, scope: Scope, quantity: str) -> Table:
    """Ratio to the baseline of every other design at every point, then their means (workload `mean`, size empty)."""
    others = [arch for arch in study.archs if arch != study.baseline]
    points = (
        (workload, size, arch, pair[0] / pair[1] if pair else None, None)
        for workload in scope.workloads
        for size in study.sizes
        for arch in others
        for pair in [study.pair(quantity, (arch, study.baseline), workload, size)]
    )
    averages = (
        (f"{kind} mean", None, arch, found.of_kind(kind) if found else None, found.count if found else 0)
        for kind in KINDS
        for arch in others
        for found in [study.means(quantity, (arch, study.baseline), scope)]
    )
    return table_of(("workload", "size", "arch", quantity, "points"), [*points, *averages])


def ladder(study: Study) -> Table:
    """The three means of both ratios for every design in order, and its geometric step over the design before it."""
    rows = (
        row
        for scope in study.settings.scopes
        for quantity in QUANTITIES
        for row in _steps(
            quantity, scope, [(a, study.means(quantity, (a, study.baseline), scope)) for a in study.archs]
        )
    )
    return table_of(("scope", "quantity", "arch", "arithmetic", "geometric", "equal_work", "points", "step"), rows)


def _steps(quantity: str, scope: Scope, found: Iterable[tuple[str, Means | None]]) -> Iterator[tuple[Cell, ...]]:
    before: Means | None = None
    for arch, mean in found:
        if mean:
            step = mean.geometric / before.geometric if before and before.count == mean.count else None
            values = (mean.arithmetic, mean.geometric, mean.equal_work, mean.count, step)
            yield (scope.name, quantity, arch, *values)
        before = mean


def headline_table(study: Study) -> Table:
    """Every headline: our three means, the published number, and ours under its assumptions beside it."""
    rows = []
    for headline in study.settings.headlines:
        found = study.headline(headline)
        ours = [found.of_kind(kind) if found else None for kind in KINDS]
        points = f"{found.count if found else 0} of {study.points(headline)}"
        rows.append((headline_text(study, headline), *ours, points, *_published(study, headline)))
    columns = ("headline", *KINDS, "points", "published", "ours under its assumptions", "difference", "source")
    return table_of(columns, rows)


def _published(study: Study, headline: Headline) -> tuple[Cell, Cell, Cell, Cell]:
    """The published number with the mean that it is, ours under its assumptions, the difference, where it stands."""
    if headline.published is None:
        return None, None, None, headline.source or None
    same = same_assumptions(study, headline)
    off = None if same is None else f"{same / headline.published - 1:+.1%}"
    return f"{headline.published:g} ({headline.mean})", same, off, headline.source or None


def same_assumptions(study: Study, headline: Headline) -> float | None:
    """Our value of the quoted mean under the assumptions of the published number."""
    overlays = {overlay.name: overlay for overlay in (BASE, *study.settings.overlays)}
    found = study.headline(headline, overlays[headline.overlay])
    return found.of_kind(headline.mean) if found else None


def headline_text(study: Study, headline: Headline) -> str:
    """`speed-up of A over B, attention only`."""
    scope = study.scope(headline.scope).label
    at = f" at {study.settings.size_label} {', '.join(map(size_text, headline.sizes))}" if headline.sizes else ""
    arch, over = study.label(headline.arch), study.label(headline.over)
    verb = f"speed-up of {arch} over {over}" if headline.quantity == "speedup" else f"energy of {arch} over {over}"
    return f"{verb}, {scope}{at}"


def sensitivity(study: Study) -> Table:
    """Every headline's quoted mean under every set of assumptions, beside the published number."""
    overlays = (BASE, *study.settings.overlays)
    rows = []
    for headline in study.settings.headlines:
        found = [study.headline(headline, overlay) for overlay in overlays]
        values = [mean.of_kind(headline.mean) if mean else None for mean in found]
        published = None if headline.published is None else f"{headline.published:g}"
        rows.append((headline_text(study, headline), headline.mean, *values, published))
    return table_of(("headline", "mean", *(overlay.label for overlay in overlays), "published"), rows)


def energy_sensitivity(study: Study) -> Table:
    """Every energy headline with each of the three largest energy entries halved and doubled in both designs."""
    rows = []
    for headline in study.settings.headlines:
        if headline.quantity == "energy":
            runs = list(_run_pairs(study, headline))
            for name in _largest(runs):
                scaled = [_scaled_mean(runs, name, factor, headline.mean) for _, factor in SCALES]
                base = _scaled_mean(runs, name, 1.0, headline.mean)
                rows.append((headline_text(study, headline), headline.mean, name, base, *scaled))
    return table_of(("headline", "mean", "energy entry", "base", *(name for name, _ in SCALES)), rows)


def _run_pairs(study: Study, headline: Headline) -> Iterator[tuple[Run, Run]]:
    for workload in study.scope(headline.scope).workloads:
        for size in headline.sizes or study.sizes:
            ours, other = study.run(headline.arch, workload, size), study.run(headline.over, workload, size)
            if ours and other and ours.energy_pj and other.energy_pj:
                yield ours, other


def _largest(pairs: list[tuple[Run, Run]]) -> list[str]:
    """The components with the largest shares of the energy of all points, each point weighing the same."""
    shares: Counter[str] = Counter()
    for run in (run for pair in pairs for run in pair):
        for name, energy in run.energy_by.items():
            shares[name] += energy / (run.energy_pj or math.inf)  # type: ignore[assignment]
    return [name for name, share in shares.most_common(LARGEST) if share]


def _scaled_mean(pairs: list[tuple[Run, Run]], name: str, factor: float, kind: str) -> float | None:
    found = means([(_scaled(ours, name, factor), _scaled(other, name, factor)) for ours, other in pairs])
    return found.of_kind(kind) if found else None


def _scaled(run: Run, name: str, factor: float) -> float:
    return (run.energy_pj or 0.0) + (factor - 1.0) * run.energy_by.get(name, 0.0)
