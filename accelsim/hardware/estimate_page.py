"""An estimate as text, as data, and as a file that is not to be taken for a measurement."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from accelsim.errors import AccelsimError
from accelsim.hardware.estimate import DesignEstimate, Flows
from accelsim.hardware.offer import Offer
from accelsim.report.text import aligned
from rtl.estimate import Flow, Library
from rtl.estimate.family import KINDS
from rtl.estimate.gates import DELAY_IS
from rtl.tools import generator_versions

WIDTH = 120
LABEL = (
    "# Estimates of synthesis, not measurements: nothing was placed, routed or built. Each flow below says what its\n"
    "# figures are not. Made by: accelsim rtl estimate. `offers` has lines for --set; no architecture was changed.\n"
)


@dataclass(frozen=True)
class Page:
    """All that was asked and found: `name` is the architecture's or the design's, `overrides` what `--set` said."""

    name: str
    arch: str | None
    overrides: tuple[str, ...]
    flows: Flows
    estimates: tuple[DesignEstimate, ...]
    offer: Offer | None


def page_text(page: Page) -> str:
    """Two tables, what each flow is and is not, what is missing, and what is offered."""
    parts = [
        aligned(("design", "for", "fpga", *(kind.upper() for kind in KINDS)), _fpga_rows(page)),
        aligned(("design", "for", "gates", "gate equivalents", "FF", "area", "delay ps"), _gate_rows(page)),
        "\n".join(_label(flow) for flow in page.flows.all()),
        "\n".join(page.flows.missing),
        "" if page.offer is None else _offered(page.offer),
    ]
    return "\n\n".join(part for part in parts if part)


def _fpga_rows(page: Page) -> list[tuple[str, ...]]:
    return [
        (one.design.name, ", ".join(one.used), flow.name, *(_shown(figures[kind]) for kind in KINDS))
        for one in page.estimates
        for flow in page.flows.families
        for figures in [one.estimates[flow.name].figures]
    ]


def _gate_rows(page: Page) -> list[tuple[str, ...]]:
    names = ("gate_equivalents", "ff", "area", "delay_ps")
    return [
        (one.design.name, ", ".join(one.used), flow.name, *(_shown(figures.get(name)) for name in names))
        for one in page.estimates
        for flow in page.flows.all()
        for figures in [one.estimates[flow.name].figures]
        if flow not in page.flows.families
    ]


def _shown(figure: float | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:g}" if abs(figure) < 100 else f"{figure:,.0f}"


def _label(flow: Flow) -> str:
    by = flow.script[-1] if flow.script[-1].startswith("synth_") else "synth and abc"
    delay = f" Delay: {DELAY_IS}." if any("stime" in line for line in flow.script) else ""
    return f"{flow.name}: {flow.says}. {_tool()}, {by}. Without {flow.without}.{delay}"


def _tool() -> str:
    return f"pyosys {generator_versions()['pyosys']}"


def _offered(offer: Offer) -> str:
    lines = [f"  --set {shlex.quote(line)}" for line in offer.lines]
    return "\n".join([f"offered to an architecture, by {offer.library}:", *lines, *(f"  {n}" for n in offer.notes)])


def page_document(page: Page) -> dict[str, object]:
    """The same as plain data for JSON and YAML, with all that it takes to run the same again."""
    return {
        "schema": 1,
        "kind": "rtl-estimate",
        "name": page.name,
        "arch": page.arch,
        "overrides": list(page.overrides),
        "tools": generator_versions(),
        "flows": {flow.name: _flow(flow, page.flows) for flow in page.flows.all()},
        "designs": [_design(one) for one in page.estimates],
        "missing": list(page.flows.missing),
        "offers": None if page.offer is None else _offers(page.offer),
    }


def _flow(flow: Flow, flows: Flows) -> dict[str, object]:
    found: dict[str, object] = {
        "says": flow.says,
        "without": flow.without,
        "tool": _tool(),
        "commands": [*flow.script, flow.count],
    }
    library = next((library for library, of in flows.libraries if of == flow), None)
    return found | ({} if library is None else _library(library))


def _library(library: Library) -> dict[str, object]:
    return {
        "file": str(library.path),
        "sha256": library.sha256,
        "nand2_area": library.nand2_area,
        "area_is": "in the unit of the file, um2 in most: a liberty file does not say",
        "delay_is": DELAY_IS if library.timed else None,
    }


def _design(one: DesignEstimate) -> dict[str, object]:
    return {
        "module": one.design.name,
        "for": list(one.used),
        "unit": one.design.unit.name,
        "configuration": one.design.label,
        "parameters": dict(one.design.plain),
        "sha256": one.sha256,
        "figures": {name: dict(found.figures) for name, found in one.estimates.items()},
        "cells": {name: dict(found.cells) for name, found in one.estimates.items()},
    }


def _offers(offer: Offer) -> dict[str, object]:
    return {
        "library": offer.library,
        "set": list(offer.lines),
        "options": offer.options,
        "notes": list(offer.notes),
    }


def write_page(document: Mapping[str, object], folder: Path) -> Path:
    """Write `<name>.estimate.yaml`: the document under a label. AccelsimError where it cannot be written."""
    path = folder / f"{document['name']}.estimate.yaml"
    text = LABEL + yaml.safe_dump(dict(document), sort_keys=False, width=WIDTH)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AccelsimError(f"{folder}: cannot be written: {error.strerror}") from None
    return path
