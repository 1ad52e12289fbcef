"""A study: the rows of a sweep in the shape that figures need, with defaults taken from the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from accelsim.explore import Sweep
from accelsim.explore.objectives import objective
from accelsim.report.means import Means, means
from accelsim.report.rows import Row, Run, Value
from accelsim.report.settings import BASE, QUANTITIES, Headline, Overlay, Scope, Settings, read_settings

WHOLE = 0  # the size of a point in a sweep without a size axis


@dataclass(frozen=True)
class Study:
    """Settings without gaps, all rows, and the runs by (architecture, workload, size).

    Attributes:
        comparable: whether rows differ in architecture, workload and size only, and there are two architectures.
        sizes: the sizes that occur, ascending.
    """

    sweep: Sweep
    settings: Settings
    rows: tuple[Row, ...]
    runs: Mapping[tuple[str, str, int], Run]
    sizes: tuple[int, ...]
    comparable: bool

    @property
    def baseline(self) -> str:
        return self.settings.baseline or ""

    @property
    def archs(self) -> tuple[str, ...]:
        return self.settings.archs

    @property
    def focus(self) -> int:
        """The one size of figures that show only one: the one asked for, else the largest."""
        wanted = self.settings.focus
        return wanted if wanted in self.sizes else self.sizes[-1]

    def label(self, name: str) -> str:
        """What readers call an architecture or a workload; long paths keep their end."""
        text = (self.settings.labels or {}).get(name, name)
        return text if len(text) <= 32 else "…" + text[-31:]

    def run(self, arch: str, workload: str, size: int) -> Run | None:
        return self.runs.get((arch, workload, size))

    def scope(self, name: str) -> Scope:
        return next(scope for scope in self.settings.scopes if scope.name == name)

    def pair(self, quantity: str, archs: tuple[str, str], workload: str, size: int) -> tuple[float, float] | None:
        """Numerator and denominator of a ratio at one point for (arch, over); None where either is not known.

        `quantity` is speedup, energy, or an objective of sweeps.
        """
        ours, other = (self.run(arch, workload, size) for arch in archs)
        if not ours or not other:
            return None
        if quantity == "speedup":
            return other.seconds, ours.seconds
        name = "energy_pj" if quantity == "energy" else quantity
        values = objective(ours.document, name), objective(other.document, name)
        return (values[0], values[1]) if values[0] and values[1] else None

    def pairs(
        self, quantity: str, archs: tuple[str, str], scope: Scope, sizes: tuple[int, ...] = ()
    ) -> Iterator[tuple[float, float]]:
        """The ratios' parts at every point of a scope at which both designs are known."""
        for workload in scope.workloads:
            for size in sizes or self.sizes:
                if pair := self.pair(quantity, archs, workload, size):
                    yield pair

    def means(self, quantity: str, archs: tuple[str, str], scope: Scope, sizes: tuple[int, ...] = ()) -> Means | None:
        return means(list(self.pairs(quantity, archs, scope, sizes)))

    def headline(self, headline: Headline, overlay: Overlay = BASE) -> Means | None:
        """The means of a headline under the assumptions of an overlay."""
        archs = overlay.arch(headline.arch), overlay.arch(headline.over)
        return self.means(headline.quantity, archs, self.scope(headline.scope), headline.sizes)

    def points(self, headline: Headline) -> int:
        """How many points a headline asks for; fewer have a ratio where some failed."""
        return len(self.scope(headline.scope).workloads) * len(headline.sizes or self.sizes)


def study_of(sweep: Sweep, rows: tuple[Row, ...]) -> Study:
    """The rows of a sweep as a study; what its `report:` block leaves open is taken from the rows."""
    settings = read_settings(sweep)
    varying = varying_keys([row.settings for row in rows])
    size = settings.size or _only_size(varying, rows)
    archs = settings.archs or tuple(dict.fromkeys(row.arch for row in rows))
    workloads = tuple(dict.fromkeys(row.workload for row in rows))
    scopes = settings.scopes or (Scope("all", "all workloads", workloads),)
    full = replace(
        settings,
        archs=archs,
        size=size,
        size_label=settings.size_label or size or "",
        scopes=scopes,
        baseline=settings.baseline or archs[0],
    )
    full = replace(full, headlines=settings.headlines or _last_over_baseline(full))
    runs = {(row.arch, row.workload, _size(row, size)): row.run for row in rows if row.run}
    sizes = tuple(sorted({_size(row, size) for row in rows}))
    comparable = len(archs) > 1 and set(varying) <= {size}
    return Study(sweep, full, rows, runs, sizes, comparable)


def _last_over_baseline(settings: Settings) -> tuple[Headline, ...]:
    """The headlines of a study that names none: its last design against its baseline, in every scope."""
    pair = settings.archs[-1], settings.baseline or settings.archs[0]
    return tuple(
        Headline(quantity, *pair, scope.name, (), "geometric", None, BASE.name, "")
        for scope in settings.scopes
        for quantity in QUANTITIES
    )


def varying_keys(settings: Sequence[Mapping[str, Value]]) -> list[str]:
    """The keys that have more than one value, in order of appearance."""
    values: dict[str, set[Value]] = {}
    for chosen in settings:
        for key, value in chosen.items():
            values.setdefault(key, set()).add(value)
    return [key for key, found in values.items() if len(found) > 1]


def _only_size(varying: Sequence[str], rows: tuple[Row, ...]) -> str | None:
    """The one key that varies, if its values are integers."""
    if len(varying) != 1:
        return None
    whole = all(isinstance(row.settings.get(varying[0]), int) for row in rows)
    return varying[0] if whole else None


def _size(row: Row, key: str | None) -> int:
    value = row.settings.get(key) if key else None
    return value if isinstance(value, int) else WHOLE
