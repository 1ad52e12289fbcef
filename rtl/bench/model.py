"""Simulation models: built once for the same Verilog, tools and options, and kept in the cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError
from rtl.bench.device import TOP, Device, bench_verilog
from rtl.tools import cache_folder, need_simulator, program, simulator_version, version

KEPT = {"verilator": {f"{TOP}.v", TOP}, "icarus": {f"{TOP}.v", "sim.vvp"}}
MOST_MODELS = 100
LAYOUT = 1  # of the cache folder
WARNINGS, NO_VALUE = ["-Wno-fatal", "-Wno-lint"], ["--x-initial", "unique", "--x-assign", "unique"]
HIDDEN = ["--no-public-flat-rw"]  # only ports are looked at: to keep every wire for others doubles the time of a build
OPTIONS: dict[str, list[str]] = {"verilator": [*WARNINGS, *NO_VALUE, *HIDDEN], "icarus": []}
FOREIGN = ("COCOTB_", "GPI_", "WAVES", "GUI", "VERILATOR_", "CCACHE_")  # settings meant for other runs


def build_model(devices: Sequence[Device], sim: str = "verilator", *, waves: bool = False) -> Path:
    """The folder of the model of all `devices` side by side, from the cache where it is there.

    Several processes may ask for the same model: each builds in a folder of its own, and the first to end wins.
    Raises AccelsimError for a missing tool, with the command that installs it, and for Verilog that does not build.
    """
    need_simulator(sim)
    verilog = bench_verilog(devices)
    folder = cache_folder() / "models" / _key(verilog, sim, waves)
    if not folder.is_dir():
        _build(folder, verilog, sim, waves)
    with contextlib.suppress(OSError):
        os.utime(folder)
    return folder


def _key(verilog: str, sim: str, waves: bool) -> str:
    """What a model depends on; a built model refers to libraries of this Python's environment."""
    parts = [
        LAYOUT,
        verilog,
        sim,
        OPTIONS[sim],
        waves,
        simulator_version(sim),
        version("cocotb"),
        sys.prefix,
        sys.version,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _build(folder: Path, verilog: str, sim: str, waves: bool) -> None:
    cache = cache_folder()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        (cache / "building").mkdir(exist_ok=True)
        own = Path(tempfile.mkdtemp(dir=cache / "building"))
    except OSError as error:
        raise AccelsimError(f"{cache}: cannot be written: {error.strerror}; set ACCELSIM_CACHE") from None
    try:
        (own / f"{TOP}.v").write_text(verilog, encoding="utf-8")
        run_worker("build", {"sim": sim, "folder": str(own), "waves": waves, "options": OPTIONS[sim]}, own)
        for path in own.iterdir():
            if path.name not in KEPT[sim]:
                path.unlink()
        _forget_old(folder.parent, own.parent)
        with contextlib.suppress(OSError):
            own.rename(folder)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    if not folder.is_dir():
        raise AccelsimError(f"{folder}: cannot be written; set ACCELSIM_CACHE")


def _forget_old(models: Path, building: Path) -> None:
    """Keep the models that were used last. One that goes is moved away first: no process may see a part of a model."""
    for path in sorted(models.iterdir(), key=_last_use, reverse=True)[MOST_MODELS - 1 :]:
        with contextlib.suppress(OSError):
            box = tempfile.mkdtemp(dir=building)
            path.rename(Path(box, path.name))
            shutil.rmtree(box, ignore_errors=True)


def _last_use(path: Path) -> float:
    """When a model was last asked for; 0 for one that another process has just taken away."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def run_worker(task: str, spec: dict[str, Any], folder: Path) -> None:
    """Run the worker to its end. AccelsimError, with the last line that tells of an error, where it fails."""
    process = start_worker(task, spec, folder)
    finish_worker(task, process, folder)


def start_worker(task: str, spec: dict[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    """Start the worker; what it says goes to a log in `folder`."""
    if spec["sim"] == "verilator":
        spec = {**spec, "ccache": program("ccache"), "ccache_dir": str(cache_folder() / "ccache")}
    path = folder / f"{task}.json"
    path.write_text(json.dumps({**spec, "top": TOP}), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with open(folder / f"{task}.log", "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "rtl.sim.worker", task, str(path)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def finish_worker(task: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    if process.wait() == 0:
        return
    lines = (folder / f"{task}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line for line in lines if "error" in line.lower()]
    raise AccelsimError(f"{task} of a simulation failed: {(told or lines or ['without a word'])[-1].strip()}")
