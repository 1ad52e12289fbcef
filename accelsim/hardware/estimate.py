"""What designs would take on FPGAs and in gates: every design once by every flow, with what each figure is of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from accelsim.hardware.design import Design
from rtl.estimate import (
    DEBIAN,
    Estimate,
    Flow,
    Library,
    debian_library,
    estimate,
    find_family,
    fpga_flow,
    gates_flow,
    library_flow,
    read_library,
)
from rtl.estimate.library import DEBIAN_INSTALL
from rtl.tools import need
from rtl.verilog import verilog_text

FPGAS = ("ecp5", "xilinx")
MOST_AT_ONCE = 4


@dataclass(frozen=True)
class Flows:
    """What is to be asked.

    Attributes:
        families: flows to FPGAs.
        gates: the flow to generic gates.
        libraries: cell libraries and the flows to them; the first is the one that was named, if one was.
        missing: a line for each library that is not installed.
    """

    families: tuple[Flow, ...]
    gates: Flow
    libraries: tuple[tuple[Library, Flow], ...]
    missing: tuple[str, ...]

    def all(self) -> tuple[Flow, ...]:
        return (*self.families, self.gates, *(flow for _, flow in self.libraries))


@dataclass(frozen=True)
class DesignEstimate:
    """One design.

    Attributes:
        used: the compute units, or the hardware unit, that it is for.
        sha256: of its Verilog, as `rtl generate` writes it.
        estimates: flow to estimate.
    """

    design: Design
    used: tuple[str, ...]
    sha256: str
    estimates: Mapping[str, Estimate]


def choose_flows(fpgas: Sequence[str], liberty: Path | None) -> Flows:
    """The flows to these FPGA families, to gates, to the library of a file, and to those of Debian that are there.

    Raises:
        AccelsimError: no such family, with the nearest name, or a file that is no cell library.
    """
    need("pyosys")
    families = tuple(fpga_flow(find_family(name)) for name in dict.fromkeys(fpgas))
    paths = {name: debian_library(name) for name in DEBIAN}
    found = {name: read_library(path, name) for name, path in paths.items() if path is not None}
    own = [] if liberty is None else [read_library(liberty, f"liberty:{liberty.stem}")]
    libraries = [*own, *(library for library in found.values() if library.text not in [mine.text for mine in own])]
    missing = [
        f"{name}: not installed ({DEBIAN[name]}); it comes with: {DEBIAN_INSTALL.format(name=name)}"
        for name in DEBIAN
        if name not in found
    ]
    return Flows(families, gates_flow(), tuple((each, library_flow(each)) for each in libraries), tuple(missing))


def estimate_designs(
    found: Mapping[str, Design], flows: Flows, told: Callable[[str], None] = lambda line: None
) -> tuple[DesignEstimate, ...]:
    """The figures of every different design, by what it is for. `told` gets a line when a flow begins.

    Raises:
        AccelsimError: parameters that cannot be built, a missing tool, or a flow that failed, in Yosys' words.
    """
    need("amaranth", "pyosys")
    designs = {design.name: design for design in found.values()}
    texts = {name: verilog_text(design.unit.under_test.build(design.params), name) for name, design in designs.items()}

    def run(task: tuple[str, Flow]) -> Estimate:
        told(f"{task[0]}: {task[1].name}")
        return estimate(texts[task[0]], *task)

    tasks = [(name, flow) for name in designs for flow in flows.all()]
    with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_AT_ONCE)) as threads:
        estimates = list(threads.map(run, tasks))
    return tuple(
        DesignEstimate(
            design,
            tuple(used for used, each in found.items() if each.name == name),
            hashlib.sha256(texts[name].encode()).hexdigest(),
            {one.flow.name: one for (of, _), one in zip(tasks, estimates, strict=True) if of == name},
        )
        for name, design in designs.items()
    )
