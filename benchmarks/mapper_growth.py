"""How the time of a search grows: with the length of the sequence, the number of Einsums and the levels of memory.

Run with `python benchmarks/mapper_growth.py [--part PART] [--peers FILE] [--points FILE] [--limit SECONDS] [--json]
[--draw PNG]`. Seconds are processor seconds of the quickest search after a first one in the same process. A series
ends at its first search that takes longer than the limit. `--peers FILE`, the JSON of `mapper_peers.py`, adds what
AccelForge took for the same workloads; `--points FILE`, the JSON of an earlier run, gives the parts that are not run.

- `lengths`: attention of BERT with all Einsums of its softmax on `fusemax`, least latency; the three Einsums that
  AccelForge knows on `reference`, least energy x time under `mapper_cases/limits.yaml`.
- `einsums`: chains of products of 4096 x 4096 matrices on both, and a decoder layer of GPT-3 6.7B as one cascade of 10.
- `levels`: `reference`, the same with 128 MiB between its memory and its buffer, and that with 1 MiB between the buffer
  and the PEs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mapper_inputs import CASES, chain_text
from mapper_run import SAME, Call, Search, searched

from accelsim.report.numbers import si, size_text
from accelsim.report.style import COLOURS, GREY, MARKERS, WIDTH, drawn, grid_on, new_figure, png_bytes, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LENGTHS = tuple(1 << power for power in range(10, 21, 2))
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)
LEVELS = (2, 3, 4)
LAYER = "GPT-3 layer"
ACCELFORGE = "AccelForge: "
LIMITS = str(SAME)

# Two more levels for `reference`; what they cost lies between what their neighbours do.
OUTER = "far: {capacity: 128 MiB, bandwidth: {read: 700 GB/s, write: 700 GB/s}, component: far_sram, read_out: true}"
INNER = "near: {capacity: 1 MiB, bandwidth: {read: 4096 GB/s, write: 4096 GB/s}, component: near_sram, read_out: true}"
DEEPER = """\
schema: accelsim/arch/1
name: reference-{count}-levels
description: The reference architecture with {count} levels of memory
source: benchmarks/mapper_growth.py
base: reference
set:
  levels:
    dram: {{capacity: unlimited, bandwidth: 400 GB/s, component: main_memory}}
    {outer}
    glb: {{capacity: 16 MiB, bandwidth: {{read: 1024 GB/s, write: 1024 GB/s}}, component: sram, read_out: true}}
    {inner}
  components.far_sram: {{energy: {{read: 2.5 pJ/bit, write: 3.0 pJ/bit}}, {rest}}}
  components.near_sram: {{energy: {{read: 0.3 pJ/bit, write: 0.36 pJ/bit}}, {rest}}}
"""
REST = "width: 8 bit, area: unknown, node: not stated, class: guess, source: between its neighbours"


@dataclass(frozen=True)
class Point:
    """One search: where it stands in the picture, and what it took; no call where even the first took longer."""

    part: str
    series: str
    x: int
    call: Call | None
    why: str = ""


@dataclass(frozen=True)
class Series:
    """A line of the picture: a search for each x; an empty limit means the whole space."""

    part: str
    name: str
    searches: Mapping[int, Search]


def lengths() -> Iterator[Series]:
    path = str(CASES / "attention.yaml")
    found = {length: Search("reference", path, (f"L={length}",), LIMITS) for length in LENGTHS}
    yield Series("lengths", "attention, 3 Einsums, on reference", found)
    for form, count in (("attention-3pass", 6), ("attention-1pass", 12)):
        found = {length: Search("fusemax", form, _bert(length), goal="latency") for length in LENGTHS}
        yield Series("lengths", f"{form}, {count} Einsums, on fusemax", found)


def _bert(length: int) -> tuple[str, ...]:
    return ("B=64", "H=12", "E=64", f"M={length}")


def einsums(folder: Path) -> Iterator[Series]:
    paths = {count: folder / f"chain{count}.yaml" for count in COUNTS}
    for count, path in paths.items():
        path.write_text(chain_text(count))
    found = {count: Search("reference", str(path), (), LIMITS) for count, path in paths.items()}
    yield Series("einsums", "chain of GEMMs on reference", found)
    found = {count: Search("fusemax", str(path), goal="latency") for count, path in paths.items()}
    yield Series("einsums", "chain of GEMMs on fusemax", found)
    for name, layer in {"prompt": "gpt3_layer", "decode": "gpt3_decode"}.items():
        for goal, words in {"edp": "energy x time", "latency": "latency"}.items():
            search = Search("reference", str(CASES / f"{layer}.yaml"), (), LIMITS, goal=goal)
            yield Series("einsums", f"{LAYER}, {name}, on reference, {words}", {10: search})


def levels(folder: Path) -> Iterator[Series]:
    archs = {count: folder / f"levels{count}.yaml" for count in LEVELS}
    for count, path in archs.items():
        outer, inner = OUTER if count > 2 else "", INNER if count > 3 else ""
        path.write_text(DEEPER.format(count=count, outer=outer, inner=inner, rest=REST))
    for name, workload, size in (("GEMM 4096^3", "gemm", "M=4096"), ("attention 4K", "attention", "L=4096")):
        case = str(CASES / f"{workload}.yaml")
        found = {count: Search(str(arch), case, (size,), LIMITS) for count, arch in archs.items()}
        yield Series("levels", name, found)
        whole = {count: replace(search, limits=None, goal="latency") for count, search in found.items()}
        yield Series("levels", f"{name}, whole space", whole)


def measured(each: Sequence[Series], limit: float) -> Iterator[Point]:
    for series in each:
        for x, search in series.searches.items():
            found = searched(search, limit)
            yield Point(series.part, series.name, x, found.warm, found.why)
            if found.why:
                break


def peer_points(path: Path) -> Iterator[Point]:
    """What AccelForge took for workloads that stand in the picture."""
    named = {
        **{f"attention {1 << at}K": ("lengths", "attention, 3 Einsums", 1024 << at) for at in (0, 2, 4, 6)},
        "GEMM 4096^3": ("einsums", "chain of GEMMs", 1),
        **{f"{count} GEMMs of 4096^3": ("einsums", "chain of GEMMs", count) for count in (2, 4, 8)},
        "GPT-3 6.7B layer, 2048 tokens": ("einsums", f"{LAYER}, prompt", 10),
        "GPT-3 6.7B layer, decode": ("einsums", f"{LAYER}, decode", 10),
    }
    for row in json.loads(path.read_text())["rows"]:
        if row["tool"] == "AccelForge" and row["call"] and row["case"] in named:
            part, series, x = named[row["case"]]
            yield Point(part, ACCELFORGE + series, x, Call(**row["call"]))


def saved(path: Path) -> Iterator[Point]:
    for point in json.loads(path.read_text())["points"]:
        yield Point(**{**point, "call": Call(**point["call"]) if point["call"] else None})


PANELS = {"lengths": "tokens", "einsums": "Einsums", "levels": "levels of memory"}


def draw(points: Sequence[Point]) -> Figure:
    """A panel for each part; one axis of seconds for all."""
    figure = new_figure(WIDTH, 3.7)
    panels = figure.subplots(1, len(PANELS), sharey=True, width_ratios=(1.1, 1.1, 0.8))
    for axes, (part, label) in zip(panels, PANELS.items(), strict=True):
        _panel(axes, [point for point in points if point.part == part and not _is_undrawn(point)])
        axes.set_xlabel(label)
    panels[0].set_ylabel("processor time of a search")
    return figure


def _is_undrawn(point: Point) -> bool:
    """Of the layer one search of each tool is drawn."""
    return not point.call or (LAYER in point.series and any(word in point.series for word in ("latency", "decode")))


def _panel(axes: Axes, points: Sequence[Point]) -> None:
    names = list(dict.fromkeys(point.series for point in points))
    ours = [name for name in names if not name.startswith(ACCELFORGE)]
    for name in names:
        some = sorted((point.x, point.call.cpu_s) for point in points if point.series == name and point.call)
        xs, ys = zip(*some, strict=True)
        at = ours.index(name) if name in ours else names.index(name) - len(ours)
        colour, style = (COLOURS[at % len(COLOURS)], "-") if name in ours else (GREY, "--")
        marker = MARKERS[at % len(MARKERS)]
        axes.plot(xs, ys, color=colour, marker=marker, linestyle=style, markersize=4, linewidth=1.2, label=name)
    _axes_of(axes, sorted({point.x for point in points}))
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.16), borderaxespad=0)


def _axes_of(axes: Axes, xs: Sequence[int]) -> None:
    """Seconds in decades; few levels side by side, everything else in powers of two."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    few = max(xs) <= max(LEVELS)
    axes.set_xscale("linear" if few else "log", **({} if few else {"base": 2}))
    axes.set_yscale("log")
    ticks = [x for x in xs if few or x & (x - 1) == 0]
    axes.set_xticks(ticks, [size_text(x) for x in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(10))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: si(value, "s", trimmed=True)))
    axes.set_ylim(5e-3, 200)
    grid_on(axes)


def line(point: Point) -> str:
    start = f"{point.part:9s}{point.series:52s}{point.x:9,}"
    if not (call := point.call):
        return f"{start}  {point.why}"
    found = f"{si(call.cpu_s, 's'):>10s}{si(call.joules, 'J'):>10s}{si(call.seconds, 's'):>10s}{call.looked_at:14,}"
    return f"{start}{found}{'  first search: ' + point.why if point.why else ''}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="how the time of a search for mappings grows")
    parser.add_argument("--part", choices=PANELS, action="append", help="run this part alone; may be said again")
    parser.add_argument("--peers", type=Path, metavar="FILE", help="JSON of mapper_peers.py: adds what AccelForge took")
    parser.add_argument("--points", type=Path, metavar="FILE", help="JSON of an earlier run: only --part is run again")
    parser.add_argument("--limit", type=float, default=120, metavar="SECONDS", help="of each search (default: 120)")
    parser.add_argument("--draw", type=Path, metavar="PNG", help="where the picture is written")
    parser.add_argument("--json", action="store_true", help="one document; the table goes to stderr")
    asked = parser.parse_args()
    asked.part = asked.part or ([] if asked.points else list(PANELS))
    return asked


def main() -> None:
    asked = arguments()
    say = partial(print, flush=True, file=sys.stderr if asked.json else sys.stdout)
    found = [point for point in saved(asked.points) if point.part not in asked.part] if asked.points else []
    if asked.peers:
        found = [point for point in found if not point.series.startswith(ACCELFORGE)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series = [*lengths(), *einsums(folder), *levels(folder)]
        for point in measured([each for each in series if each.part in asked.part], asked.limit):
            found.append(point)
            say(line(point))
    if asked.peers:
        found += peer_points(asked.peers)
    if asked.draw:
        write(asked.draw, png_bytes(drawn(lambda: draw(found))))
    if asked.json:
        points = [asdict(point) for point in found]
        print(json.dumps({"schema": 1, "kind": "benchmark-mapper-growth", "limit_s": asked.limit, "points": points}))


if __name__ == "__main__":
    main()
