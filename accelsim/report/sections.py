"""The sections of the report in order: every figure with its caption, every table, from a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.report import bars, basis, compare, designs, lines, timelines, usage
from accelsim.report.listing import Listing, all_rows, listing_of
from accelsim.report.numbers import size_text
from accelsim.report.settings import Scope
from accelsim.report.study import WHOLE, Study
from accelsim.report.style import Picture, drawn
from accelsim.report.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS, MOST_BARS = 12, 1500
MEANS_TEXT = (
    "The shaded panel gives three means over all points: arithmetic (sum of the ratios over their number), geometric "
    "(root of their product) and equal-work (total of one design over total of the other)."
)
RATIO_TEXTS = {
    "speedup": ("Speed-up", "seconds of {base} over seconds of the design; higher is better"),
    "energy": ("Energy", "energy of the design over energy of {base}; lower is better"),
    "energy_delay": ("Energy x delay", "energy x seconds of the design over those of {base}; lower is better"),
    "energy_delay_area": (
        "Energy x delay x area",
        "energy x seconds x area of the design over those of {base}; lower is better",
    ),
}
ALWAYS = ("speedup", "energy")


@dataclass(frozen=True)
class Shown:
    """A picture with its caption."""

    picture: Picture
    caption: str

    @property
    def listing(self) -> Listing:
        """The plotted numbers as a table of the page."""
        return listing_of(self.picture.table, f"the numbers of {self.picture.name}")


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    ident: str
    title: str
    text: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    listings: tuple[Listing, ...] = ()


def sections(study: Study) -> list[Section]:
    """The sections that the rows can fill."""
    compared = list(_compared(study)) if study.comparable and study.runs else []
    space = [_designs(study)] if not study.comparable and study.runs else []
    end = [
        _timelines(study),
        _basis(study),
        *_failed(study),
        Section("results", "All results", listings=(all_rows(study),)),
    ]
    return [section for section in [*compared, *space, *end] if section.shown or section.listings]


def show(name: str, caption: str, table: Table, draw: Callable[[Table], Figure]) -> Iterator[Shown]:
    """A picture of a table with rows, drawn; nothing for an empty table."""
    if table.rows:
        alt = caption.partition(". ")[0] + "."
        yield Shown(Picture(name, table, drawn(lambda: draw(table)), alt), caption)


def _compared(study: Study) -> Iterator[Section]:
    yield _headlines(study)
    if not drawable(study):
        return
    for quantity, (title, _) in RATIO_TEXTS.items():
        if quantity not in (*ALWAYS, *study.sweep.objectives):
            continue
        shown = [one for scope in study.settings.scopes for one in _ratio(study, scope, quantity)]
        yield Section(quantity, title, shown=tuple(shown))
    yield Section("ladder", "Step by step", shown=tuple(_ladder(study)))
    yield Section("latency", "Latency", shown=tuple(_latency(study)))
    yield Section("utilisation", "Utilisation", shown=tuple(_used(study)))
    yield Section("energy-parts", "Where the energy goes", shown=tuple(_energy(study)))
    yield Section("roofline", "Roofline", shown=tuple(_roofline(study)))


def drawable(study: Study) -> bool:
    """Whether the points are few enough for a panel per workload and a bar per design and size."""
    workloads = max(len(scope.workloads) for scope in study.settings.scopes)
    bars_each = workloads * len(study.sizes) * len(study.archs)
    return workloads <= MOST_PANELS and bars_each <= MOST_BARS and len(study.settings.scopes) <= MOST_PANELS


def _headlines(study: Study) -> Section:
    text = (
        "Each line is a mean of ratios over all its points: three means under our assumptions, then the published "
        "number with the mean that it is, and the same mean of ours under the assumptions of the publication.",
        *([] if drawable(study) else ["There are too many workloads, sizes or designs to draw; see the tables."]),
    )
    tables = [(compare.headline_table(study), "headlines")]
    if study.settings.overlays:
        tables.append((compare.sensitivity(study), "the quoted mean under other assumptions"))
    tables.append((compare.energy_sensitivity(study), "energy ratios with a large energy entry halved or doubled"))
    listings = tuple(listing_of(table, title, opened=True) for table, title in tables if table.rows)
    return Section("headlines", "Headlines", text, listings=listings)


def _ratio(study: Study, scope: Scope, quantity: str) -> Iterator[Shown]:
    title, how = RATIO_TEXTS[quantity]
    base = study.label(study.baseline)
    axis = study.settings.size_label or "size"
    caption = (
        f"{title} relative to {base}, {scope.label}, by workload and {axis}. Computed as {how.format(base=base)}; "
        f"the grey line is {base}. {MEANS_TEXT} A cross marks a point that failed."
    )
    table = compare.ratios(study, scope, quantity)
    if table.lookup(quantity, "workload", "size", "arch"):
        yield from show(f"{quantity}-{scope.name}", caption, table,
                        lambda t: bars.draw_ratios(t, study, quantity, title.lower()))  # fmt: skip


def _ladder(study: Study) -> Iterator[Shown]:
    caption = (
        f"Mean speed-up and mean energy of the designs in their order, relative to {study.label(study.baseline)}. "
        "Bars and numbers are geometric means over all points, because their steps multiply; the number in brackets "
        "is the step over the design before. Triangles are arithmetic, circles equal-work means."
    )
    yield from show("ladder", caption, compare.ladder(study), lambda t: bars.draw_ladder(t, study))


def _latency(study: Study) -> Iterator[Shown]:
    axis = study.settings.size_label or "size"
    caption = (
        f"Latency over {axis}, by workload. Seconds of the whole workload; both axes are logarithmic to base 2, so "
        "a line's slope is the power of the size that time grows with."
    )
    table = usage.latency(study)
    if len(study.sizes) > 1 and table.numbers("seconds"):
        yield from show("latency", caption, table, lambda t: lines.draw_latency(t, study))


def _used(study: Study) -> Iterator[Shown]:
    for scope in study.settings.scopes:
        caption = (
            f"Utilisation of every unit, {scope.label}, by workload and {study.settings.size_label or 'size'}. "
            "Work (points x cycles of the operator) over processing elements x cycles of the whole run, so idle "
            "elements of a busy array count as idle."
        )
        yield from show(f"utilisation-{scope.name}", caption, usage.utilization(study, scope),
                        lambda t: bars.draw_utilization(t, study))  # fmt: skip
    tables = {scope.name: usage.einsum_shares(study, scope) for scope in study.settings.scopes}
    names = dict.fromkeys(name for table in tables.values() for name in table.texts("einsum"))
    ordered = sorted(names, key=lambda name: name == usage.OTHER)
    for scope in study.settings.scopes:
        caption = (
            f"Share of cycles in which each unit is busy, by Einsum, {scope.label}{_at(study)}. Busy cycles of an "
            "Einsum over the cycles of the run; what is missing to 100% is time in which the unit waits. Einsums "
            "under 1% everywhere are drawn as other."
        )
        yield from show(f"einsums-{scope.name}", caption, tables[scope.name],
                        lambda t: bars.draw_einsum_shares(t, study, ordered))  # fmt: skip


def _energy(study: Study) -> Iterator[Shown]:
    for scope in study.settings.scopes:
        caption = (
            f"Energy by component, {scope.label}{_at(study)}, stacked from MAC to the outermost memory. Above, "
            f"relative to the total of {study.label(study.baseline)} for the same workload; below, as shares of each "
            "design's own total. Counts of actions times energy per action."
        )
        yield from show(f"energy-parts-{scope.name}", caption, usage.energy_parts(study, scope),
                        lambda t: bars.draw_energy_parts(t, study))  # fmt: skip


def _roofline(study: Study) -> Iterator[Shown]:
    for scope in study.settings.scopes:
        caption = (
            f"Roofline, {scope.label}: a mark per design, workload and size. Performance is 2 x MAC operations per "
            "second, intensity the same operations per byte moved at the outermost level; operators other than MAC are "
            "work that this figure does not count. Lines are the machine's peaks and its bandwidth."
        )
        yield from show(f"roofline-{scope.name}", caption, usage.roofline(study, scope),
                        lambda t: lines.draw_roofline(t, study))  # fmt: skip


def _at(study: Study) -> str:
    return "" if study.focus == WHOLE else f" at {study.settings.size_label} {size_text(study.focus)}"


def _designs(study: Study) -> Section:
    table = designs.design_table(study)
    shown = [one for pair in designs.pareto_pairs(study) for one in _pareto(table, pair)]
    text = "Every design of the sweep; the workload and its parameters make a case, within which designs compete."
    return Section("designs", "Design space", (text,), tuple(shown), (listing_of(table, "designs", opened=True),))


def _pareto(table: Table, pair: tuple[str, str]) -> Iterator[Shown]:
    names = " against ".join(designs.UNITS[name][0].partition(",")[0] for name in pair)
    caption = (
        f"Pareto front of {names}. Grey designs are at least matched in both by another; the step line "
        "joins those that are not, by their numbers. Both axes are logarithmic; no mean is taken."
    )
    yield from show("pareto-" + "-".join(pair), caption, designs.front_table(table, pair),
                    lambda t: lines.draw_pareto(t, pair))  # fmt: skip


def _timelines(study: Study) -> Section:
    table = timelines.paths(study)
    text = [
        "The critical path goes from the last result back to tick 0; each of its cycles counts under what the next "
        "start on it waited for. Figures show some periods of the steady state of one run of each design."
    ]
    shown = []
    for found in timelines.timelines(study) if table.rows else ():
        if isinstance(found, str):
            text.append(found)
            continue
        picture, words = found
        caption = f"What ran where, and when: {words}. A row per unit and channel, a bar per task; chunks are joined."
        shown.append(Shown(picture, caption))
    listings = (listing_of(table, "shares of the critical path by cause", opened=True),) if table.rows else ()
    return Section("timeline", "Where the time goes", tuple(text), tuple(shown), listings)


def _basis(study: Study) -> Section:
    text = (
        "Energy is the count of actions times a table of energies per action, so it covers what its scope names and "
        "nothing else; compare ratios rather than absolute values.",
    )
    return Section("basis", "What the numbers rest on", text, listings=tuple(basis.basis(study)))


def _failed(study: Study) -> list[Section]:
    listing = basis.failures(study)
    text = "These points of the sweep have no result; figures mark them with a cross and means leave them out."
    return [Section("failed", "Failed points", (text,), listings=(listing,))] if listing.rows else []
