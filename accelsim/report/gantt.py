"""A run as a picture: a row per track, a bar per claim coloured by task, skipped stretches hatched and cut short."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.program.execute import Run
from accelsim.program.model import Program
from accelsim.report.numbers import SI, plain, si
from accelsim.report.style import INK, WIDTH, Paint, Picture, drawn, grid_on, legend_above, new_figure, paints
from accelsim.report.tables import Cell, Table, table_of
from accelsim.report.timeline import SKIPPED, Gap, Span, Timeline, Track, joined, tasks_of, timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("kind", "track", "task", "iteration", "start_tick", "end_tick", "busy_share")
MOST_ROWS, MOST_BARS = 40, 2000
PERIODS = 3  # of the steady state, where nobody says what to show
CUT = 0.14  # of all that is shown whole: how wide a stretch becomes that is cut short
ROW, BAR = 0.5, 0.8  # inches per row; of a row
SIZE, LETTER = 7, 0.62  # of texts in bars: points; the width of a letter as a part of them
LINE, THIN = 1.25, 3.0  # height of a line as a part of them; points: narrower bars have no edge
SIDES, KEY = 2.0, 0.2  # inches beside the rows; of a line of the legend
LONG = 100_000  # ticks: a longer picture counts seconds
IDLE, LEFT_OUT = "#f2f2f2", Paint("#cccccc", "////")
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
DARK = 0.5  # luminance below which texts are white


def gantt(program: Program, run: Run, first: int | None = None, last: int | None = None) -> Picture:
    """The picture of what ran from tick `first` to tick `last`; about three steady periods where they are not said.

    Raises:
        AccelsimError: the run kept no starts there, or is one of another program; more than can be read.
    """
    table = gantt_table(program, run, first, last)
    alt = f"Which task of {program.name} ran on which resource, and when."
    return Picture("gantt", table, drawn(lambda: draw_gantt(table, program)), alt)


def gantt_figure(program: Program, run: Run, first: int | None = None, last: int | None = None) -> Figure:
    """The figure of `gantt`."""
    return gantt(program, run, first, last).figure


# what is shown


def gantt_table(program: Program, run: Run, first: int | None = None, last: int | None = None) -> Table:
    """All that is drawn: the window, the tracks with the share of it that they are busy, spans, what was skipped.

    Chunks of a transfer that follow one another at once are one span. Shares are those of what is known.
    """
    found = timeline(program, run)
    window = _window(program, run, found, first, last)
    spans = [span for span in joined(found.spans) if span.start < window.end and span.end > window.start]
    _check(found.tracks, spans, window)
    gaps = _gaps(found, window)
    unknown = {track: tuple(_unknown(track, spans, gaps)) for track in found.tracks}
    rows: list[tuple[Cell, ...]] = [("window", "", "", "", window.start, window.end, None)]
    rows += [("track", t.name, "", "", None, None, _share(t, spans, unknown[t], window)) for t in found.tracks]
    rows += [("span", s.track.name, s.name, s.place, s.start, s.end, None) for s in spans]
    rows += [("gap", "", "", "", gap.start, gap.end, None) for gap in gaps]
    rows += [("skipped", track.name, "", "", gap.start, gap.end, None) for track in unknown for gap in unknown[track]]
    return table_of(COLUMNS, rows)


def _window(program: Program, run: Run, found: Timeline, first: int | None, last: int | None) -> Gap:
    steady = _steady(program, run, found)
    start = steady.start if first is None else max(0, first)
    end = min(steady.end, _readable(found, start)) if last is None else last
    if start >= min(end, found.until):
        known = f"the run kept the starts up to tick {found.until}"
        raise AccelsimError(f"nothing to draw from tick {start} to tick {end}: the end must come later, and {known}")
    return Gap(start, min(end, found.until))


def _readable(found: Timeline, start: int) -> int:
    """The tick up to which a picture from `start` on has few enough bars."""
    shown = [span.start for span in joined(found.spans) if span.end > start]
    return shown[MOST_BARS] if len(shown) > MOST_BARS else found.until


def _steady(program: Program, run: Run, found: Timeline) -> Gap:
    """About three periods: around the first gap before which the run has a beat, or in the middle of the trace."""
    beats, low = _beats(program, run, found), 0
    for gap in found.gaps:
        own = [tick for tick in beats if low <= tick <= gap.start]
        if len(own) > 1:
            period = _period(own)
            return Gap(max(low, gap.start - (PERIODS - 1) * period), gap.end + period)
        low = gap.end
    middle = len(beats) // 2
    period = _period(beats[: middle + middle // 2])
    return Gap(beats[middle], beats[middle] + PERIODS * period) if period else Gap(0, found.until)


def _period(beats: list[int]) -> int:
    """After how many ticks the beats of the second half recur; where they do not, the last distance; 0 without two."""
    rises = [b - a for a, b in pairwise(beats)]
    late = rises[len(rises) // 2 :]
    lengths = range(1, len(late) // 2 + 1)
    found = next((n for n in lengths if late[n:] == late[:-n]), 1)
    return sum(rises[-found:])


def _beats(program: Program, run: Run, found: Timeline) -> list[int]:
    """The starts of the task that is longest on the critical resource."""
    there = [span for span in found.spans if span.track.resource == run.critical]
    ticks = {name: sum(span.ticks for span in there if span.name == name) for name in {span.name for span in there}}
    longest = max(tasks_of(program), key=lambda name: ticks.get(name, 0))
    begun: dict[object, int] = {}
    for span in there:
        if span.name == longest:
            begun.setdefault(span.coordinates, span.start)
    return sorted(begun.values())


def _check(tracks: tuple[Track, ...], spans: list[Span], window: Gap) -> None:
    ticks = f"from tick {window.start} to tick {window.end}"
    if not spans:
        raise AccelsimError(f"nothing to draw: the run kept no starts {ticks}")
    if len(spans) > MOST_BARS or len(tracks) > MOST_ROWS:
        raise AccelsimError(
            f"{len(spans)} bars in {len(tracks)} rows {ticks} cannot be read; "
            f"at most {MOST_BARS} bars and {MOST_ROWS} rows are drawn, so choose fewer ticks"
        )


def _gaps(found: Timeline, window: Gap) -> list[Gap]:
    """Those of which something may be seen in a window."""
    longest = max(span.ticks for span in found.spans)
    return [gap for gap in found.gaps if gap.start < window.end and gap.end + longest > window.start]


def _unknown(track: Track, spans: list[Span], gaps: list[Gap]) -> Iterator[Gap]:
    """What is not known of a track: from the last claim begun before each gap to the first after it.

    A claim begun in a gap may last until after it, but no longer than the longest that is seen.
    """
    own = [span for span in spans if span.track == track]
    longest = max(span.ticks for span in spans)
    for gap, after in zip_longest(gaps, gaps[1:]):
        start = max([gap.start, *(span.end for span in own if span.start <= gap.start)])
        ends = [gap.end + longest, *([after.start] if after else []), *(s.start for s in own if s.start >= gap.end)]
        yield Gap(start, min(ends))


def _share(track: Track, spans: list[Span], unknown: Iterable[Gap], window: Gap) -> float | None:
    """The part of what is known of a track in which it is busy; None where nothing is known."""
    known = window.end - window.start - sum(_overlap(gap, window) for gap in unknown)
    busy = sum(_overlap(span, window) for span in spans if span.track == track)
    return busy / known if known else None


def _overlap(one: Span | Gap, other: Gap) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


# how it is drawn


@dataclass(frozen=True)
class Scale:
    """Ticks to places along the axis: `cuts` are (start, end, width) of stretches that are drawn only `width` wide."""

    first: float
    last: float
    cuts: tuple[tuple[float, float, float], ...]

    def at(self, tick: float) -> float:
        inside = ((min(max(tick, start), end) - start, end - start, width) for start, end, width in self.cuts)
        return tick - sum(part * (1 - width / whole) for part, whole, width in inside)

    @property
    def shown(self) -> float:
        """The length of the axis."""
        return self.at(self.last) - self.at(self.first)

    @property
    def points(self) -> float:
        """How wide a tick is, about, in points."""
        return (WIDTH - SIDES) * 72 / self.shown

    @property
    def pieces(self) -> list[tuple[float, float]]:
        """The stretches between the cuts."""
        ends = [self.first, *(tick for start, end, _ in self.cuts for tick in (start, end)), self.last]
        return list(zip(ends[::2], ends[1::2], strict=True))


def draw_gantt(table: Table, program: Program) -> Figure:
    """Rows from top to bottom in the order of the tracks; in each bar its task and iteration, where they fit."""
    tracks, scale, paint = table.where(kind="track"), _scale(table), _paint(program)
    rows = {name: row for row, name in enumerate(tracks.texts("track"))}
    legend = _legend(table, paint)
    columns = _columns(list(legend))
    figure = new_figure(WIDTH, 0.8 + ROW * len(rows) + KEY * ceil(len(legend) / columns))
    axes = figure.subplots()
    for row in rows.values():
        axes.axhspan(row - BAR / 2, row + BAR / 2, color=IDLE, linewidth=0, zorder=0)
    _hatch(axes, table, rows, scale)
    _bars(axes, table, rows, scale, paint)
    _labels(axes, table, rows, scale, paint)
    _ticks(axes, table, scale, _unit(scale, program))
    _names(axes, tracks)
    legend_above(figure, legend, columns=columns)
    return figure


def _paint(program: Program) -> Mapping[str, Paint]:
    """Colours in the order of the program, for what computes before what loads and stores."""
    tasks = tasks_of(program)
    return paints(sorted(tasks, key=lambda name: tasks[name].kind != "task"))


def _scale(table: Table) -> Scale:
    """A stretch that is skipped on every track is cut, if that makes it shorter."""
    ((first, last),) = _stretches(table.where(kind="window"))
    tracks = table.where(kind="track").texts("track")
    each = [
        _stretches(some) for some in (table.where(kind="gap"), *(table.where(kind="skipped", track=t) for t in tracks))
    ]
    common = [(max(first, *(a for a, _ in gaps)), min(last, *(b for _, b in gaps))) for gaps in zip(*each, strict=True)]
    whole = last - first - sum(max(0.0, end - start) for start, end in common)
    return Scale(first, last, tuple((a, b, CUT * whole) for a, b in common if b - a > CUT * whole > 0))


def _stretches(table: Table) -> list[tuple[float, float]]:
    return list(zip(table.numbers("start_tick"), table.numbers("end_tick"), strict=True))


def _legend(table: Table, paint: Mapping[str, Paint]) -> dict[str, Paint]:
    names = table.texts("task")
    shown = {name: look for name, look in paint.items() if name in names}
    return {**shown, SKIPPED: LEFT_OUT} if table.where(kind="gap").rows else shown


def _columns(names: list[str]) -> int:
    """Of a legend about as wide as the figure."""
    points = sum(len(plain(name)) * 8 * LETTER + 36 for name in names)
    return ceil(len(names) / ceil(points / (WIDTH * 72)))


def _hatch(axes: Axes, table: Table, rows: Mapping[str, int], scale: Scale) -> None:
    """What was skipped on each track."""
    for name, row in rows.items():
        for start, end in _stretches(table.where(kind="skipped", track=name)):
            place = scale.at(start), scale.at(end) - scale.at(start)
            axes.broken_barh([place], (row - BAR / 2, BAR), facecolor=LEFT_OUT.colour, hatch=LEFT_OUT.hatch,
                             edgecolor="white", linewidth=0, zorder=1)  # fmt: skip


def _bars(axes: Axes, table: Table, rows: Mapping[str, int], scale: Scale, paint: Mapping[str, Paint]) -> None:
    """A bar for each span; those that are narrow have no edge."""
    bars: dict[tuple[str, str, bool], list[tuple[float, float]]] = defaultdict(list)
    for track, task, _, low, high in _spans(table, scale):
        bars[track, task, (high - low) * scale.points > THIN].append((low, high - low))
    for (track, task, wide), places in bars.items():
        axes.broken_barh(places, (rows[track] - BAR / 2, BAR), facecolor=paint[task].colour, hatch=paint[task].hatch,
                         edgecolor="white", linewidth=0.4 if wide else 0, zorder=2)  # fmt: skip


def _labels(axes: Axes, table: Table, rows: Mapping[str, int], scale: Scale, paint: Mapping[str, Paint]) -> None:
    """In each bar as much of its task and iteration as fits."""
    ranks = _ranks(table)
    for track, task, place, low, high in _spans(table, scale):
        text, angle = _text(plain(task), _numbers(place, ranks), (high - low) * scale.points)
        if text:
            look = paint[task]
            ink = "white" if _luminance(look.colour) < DARK else "black"
            ground = {"facecolor": look.colour if look.hatch else "none", "edgecolor": "none", "pad": 0.8}
            axes.text((low + high) / 2, rows[track], text, rotation=angle, ha="center", va="center", fontsize=SIZE,
                      color=ink, bbox=ground, zorder=3)  # fmt: skip


def _spans(table: Table, scale: Scale) -> Iterator[tuple[str, str, str, float, float]]:
    """Track, task, iteration and the two ends along the axis, as far as they are inside."""
    some = table.where(kind="span")
    texts = (some.texts_of(column) for column in ("track", "task", "iteration"))
    for track, task, place, (start, end) in zip(*texts, _stretches(some), strict=True):
        yield track, task, place, scale.at(max(start, scale.first)), scale.at(min(end, scale.last))


def _ranks(table: Table) -> list[str]:
    """The ranks along which what is shown differs."""
    pairs = dict.fromkeys(pair for place in table.where(kind="span").texts("iteration") for pair in place.split())
    names = [pair.partition("=")[0] for pair in pairs]
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _numbers(place: str, ranks: list[str]) -> str:
    at = dict(pair.split("=") for pair in place.split())
    return ",".join(at[rank] for rank in ranks if rank in at)


def _text(task: str, numbers: str, points: float) -> tuple[str, int]:
    """The longest label for a bar so many points wide, and the angle at which it fits; none where none does."""
    tall, letter = ROW * BAR * 72, SIZE * LETTER
    for label in (f"{task} {numbers}", f"{task}\n{numbers}", task) if numbers else (task,):
        lines = label.split("\n")
        across, high = (max(map(len, lines)) + 1) * letter, len(lines) * LINE * SIZE
        for angle, wide, room in ((0, points, tall), (90, tall, points)):
            if across <= wide and high <= room:
                return label, angle
    return "", 0


def _luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, without gamma: 0 is black, 1 is white."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _names(axes: Axes, tracks: Table) -> None:
    """The names of the rows to their left, to their right how busy they are."""
    names = tracks.texts_of("track")
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    for (name,), share in tracks.lookup("busy_share", "track").items():
        place = 1, names.index(str(name))
        axes.annotate(f"{share:.1%} busy", place, (5, 0), xycoords=("axes fraction", "data"), va="center",
                      textcoords="offset points", fontsize=SIZE, color=INK)  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """What the axis counts: `name` is so many `ticks`; a tick itself, or a part of a second where ticks are many."""

    ticks: float
    name: str
    ticks_per_s: float

    def length(self, ticks: float) -> str:
        """A length as a text."""
        return f"{ticks:,.0f} ticks" if self.ticks == 1 else si(ticks / self.ticks_per_s, "s")


def _unit(scale: Scale, program: Program) -> Unit:
    per_s = float(program.ticks_per_s)
    if scale.shown < LONG:
        return Unit(1, f"ticks of {si(1 / per_s, 's', trimmed=True)}", per_s)
    power = max(-15, min(0, 3 * floor(log10(scale.last / per_s) / 3)))
    return Unit(per_s * 10.0**power, f"{SI[power]}s", per_s)


def _ticks(axes: Axes, table: Table, scale: Scale, unit: Unit) -> None:
    """Round numbers between the cuts, and how long those are."""
    from matplotlib.ticker import MaxNLocator

    steps = MaxNLocator(10, integer=unit.ticks == 1, steps=[1, 2, 5, 10]).tick_values(0, scale.shown / unit.ticks)
    step = steps[1] - steps[0]
    ends = [(low / unit.ticks / step, high / unit.ticks / step) for low, high in scale.pieces]
    found = [n * step for low, high in ends for n in range(ceil(low), floor(high) + 1)]
    decimals = max(0, -floor(log10(step) + 1e-9))
    axes.set_xticks([scale.at(tick * unit.ticks) for tick in found], [f"{tick:,.{decimals}f}" for tick in found])
    axes.set_xlim(scale.at(scale.first), scale.at(scale.last))
    numbers = ", ".join(_ranks(table))
    axes.set_xlabel(plain(f"time in {unit.name}" + (f"; the numbers in the bars are {numbers}" if numbers else "")))
    grid_on(axes, "x")
    for start, end, width in scale.cuts:
        text, place = f"{unit.length(end - start)}\nskipped", (scale.at(start) + width / 2, 0.5)
        axes.annotate(text, place, xycoords=("data", "axes fraction"), ha="center", va="center", fontsize=SIZE,
                      bbox=PAPER, zorder=4)  # fmt: skip
