"""One flow of Yosys over one Verilog design: its cells, counted and turned into figures; kept in the cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from accelsim.errors import AccelsimError
from rtl.netlist import check_module_name
from rtl.tools import cache_folder, generator_versions
from rtl.yosys import run_yosys

LAYOUT = 1  # of what is kept
MOST_KEPT = 1000
READ = ("libcache -scl -disable", "read_verilog in.v", "hierarchy -check -top {name}")
"""Yosys would otherwise leave what it made of a cell library in the folder for temporary files, for every run anew."""
STAT, LOG = "stat.json", "log.txt"
NO_CELL = "$scopeinfo"  # names what a flattened cell was a part of
Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Netlist:
    """What a flow came to: type to number of cells, the page that `stat -json` writes, and what a `tee` kept."""

    cells: Mapping[str, int]
    page: Mapping[str, object]
    log: str


@dataclass(frozen=True)
class Flow:
    """A way to synthesise.

    Attributes:
        name: what the figures are called: `ecp5`, `gates`, or a library's name.
        says: what they are of, for people.
        without: what they leave out.
        script: commands of Yosys between reading the design and counting its cells.
        count: the command that counts; it writes JSON.
        files: what the commands read, by name.
        figures: the figures of a netlist, all of which every design has; None where the flow cannot know one.
    """

    name: str
    says: str
    without: str
    script: tuple[str, ...]
    count: str
    files: Mapping[str, str]
    figures: Callable[[Netlist], Figures]


@dataclass(frozen=True)
class Estimate:
    """`figures` of a design by one flow, and its `cells` by type."""

    flow: Flow
    figures: Figures
    cells: Mapping[str, int]


def estimate(verilog: str, name: str, flow: Flow) -> Estimate:
    """What the module `name` of a Verilog text comes to; from the cache where the same was asked before.

    Raises:
        AccelsimError: a missing tool, Verilog or a library that Yosys refuses, or a cell that the flow cannot count.
    """
    check_module_name(name)
    script = [*(line.format(name=name) for line in READ), *flow.script, f"tee -q -o {STAT} {flow.count}"]
    results = [STAT, LOG] if any(LOG in line for line in flow.script) else [STAT]
    found = _kept(script, {"in.v": verilog, **flow.files}, results)
    page = json.loads(found[STAT])
    design = page["design"]
    cells = {kind: number for kind, number in sorted(design["num_cells_by_type"].items()) if kind != NO_CELL}
    try:
        figures = flow.figures(Netlist(cells, design, found.get(LOG, "")))
    except AccelsimError as error:
        raise AccelsimError(f"{flow.name}: {error.message}") from None
    return Estimate(flow, figures, cells)


def _kept(script: list[str], files: Mapping[str, str], results: list[str]) -> dict[str, str]:
    """What Yosys writes, from the cache where the same script ran over the same files with the same tools."""
    key = json.dumps([LAYOUT, script, dict(files), results, generator_versions()], sort_keys=True)
    path = cache_folder() / "estimates" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError):
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        os.utime(path)
        return kept
    found = run_yosys(script, files, results)
    _keep(path, json.dumps(found))
    return found


def _keep(path: Path, text: str) -> None:
    """Write a file whole or not at all; of all that are kept, those used last stay."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".new", delete=False) as file:
            file.write(text)
        os.replace(file.name, path)
    except OSError as error:
        raise AccelsimError(f"{path.parent}: cannot be written: {error.strerror}; set ACCELSIM_CACHE") from None
    for old in sorted(path.parent.glob("*.json"), key=_last_use, reverse=True)[MOST_KEPT:]:
        old.unlink(missing_ok=True)


def _last_use(path: Path) -> float:
    """When a file was last asked for; 0 for one that another process has just taken away."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
