"""Verification of a machine: heads of random sizes through its Verilog, against golden model and depth `cycle`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from accelsim.arch import Arch, load_arch
from accelsim.errors import AccelsimError
from accelsim.hardware.layer.fuse import FuseLayer, fuse_layer_of
from accelsim.hardware.layer.machine import fuse_machine_form, is_fused, machine_form
from accelsim.hardware.layer.run import Layer, layer_of
from accelsim.hardware.layer.trace import trace_document
from accelsim.overrides import split_override
from accelsim.program.instruction import Instruction
from accelsim.program.marked import MarkedGraph
from accelsim.simulate import load_named, placed
from rtl.bench import Case, Device, Result, device, simulate
from rtl.bench.runner import X_SEEDS
from rtl.bench.waves import Axis, wave_name
from rtl.layer.fuse_machine import FuseMachineForm, fuse_parts
from rtl.layer.machine import Machine, attention_parts
from rtl.layer.machine_bench import MachineBench
from rtl.layer.machine_form import MachineForm

CASES, FULL = 20, 100
WORKLOADS = {"false": "head-1pass", "true": "causal-head-1pass"}
TILED = "tiled-head-1pass-local"  # for an array that does softmax itself
OLDEST = 0.5  # of the cases, whose order of starts is that of depth `cycle` whatever the mapping lists
LATENCIES = (1, 20, 100)  # cycles
IN_FLIGHT = (1, 2, 3, 4)
COPIES = (1, 2, 3)
LONGEST = 72  # keys and queries of the sizes that are drawn
WIDEST = 32  # elements of a query, columns of V
MOST_REFUSED = 5  # draws, before what is given counts as what cannot be run
WORDS = 1 << 14  # of the memory
DEVICE = "machine"
TRACE = "layer.perfetto.json"
Rng = np.random.Generator


@dataclass(frozen=True)
class Setting:
    """What a case runs: a workload, and `path=value` texts for it, the architecture and the mapping."""

    workload: str
    overrides: tuple[str, ...]

    @property
    def title(self) -> str:
        """`causal-head-1pass M=61 P=13 ..`, paths by their last parts."""
        return " ".join([self.workload, *(_brief(text) for text in self.overrides)])


@dataclass(frozen=True)
class LayerRow:
    """One case: what was run, cycles at depth `cycle`, cycles of the Verilog, and what was wrong.

    Attributes:
        rtl_cycles: from the first start to the end of the program; None where it did not come to it.
        starts: instructions whose start edges were compared.
        words: words of output that were compared.
    """

    setting: Setting
    latency: int
    cycles: int
    rtl_cycles: int | None
    starts: int
    words: int
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures and self.rtl_cycles == self.cycles


@dataclass(frozen=True)
class LayerVerification:
    """All cases of one machine, and the seconds that building and running it took.

    Attributes:
        traced: the files that show the first case; empty where no waves were asked for.
    """

    arch: str
    rows: tuple[LayerRow, ...]
    seconds: float
    traced: tuple[Path, ...] = ()

    @property
    def passed(self) -> bool:
        return all(row.passed for row in self.rows)


def verify_layer(
    arch: str, overrides: Sequence[str], sim: str, seed: int, *, waves: Path | None = None, cases: int = CASES
) -> LayerVerification:
    """Run heads of attention on the machine that an architecture describes.

    Args:
        overrides: `path=value`: what is given is not drawn. `causal` is true or false; a bare key is a parameter of the
            workload; `arch.` and `mapping.` lead other paths.
        cases: how many heads; each has sizes, mask, in-flight count, copies and a memory latency of its own.
        waves: a folder for the waves and the trace of the first case; None: none are written.

    Raises:
        AccelsimError: sizes or settings that the machine cannot run, or a missing tool.
    """
    start, rng = time.monotonic(), np.random.default_rng(seed)
    drawn, layers = zip(*_heads(arch, overrides, rng, cases), strict=True)
    forms = {layer.form for layer in layers}
    if len(forms) != 1:
        raise AccelsimError(f"{arch}: the cases need machines that differ")
    devices = [device_of(layers[0])]
    runs = [
        Case(
            f"{place}: {setting.title}",
            DEVICE,
            (layer.job(rng, WORDS),),
            pins=pins(setting, arch),
        )
        for place, (setting, layer) in enumerate(zip(drawn, layers, strict=True))
    ]
    results = simulate(devices, runs, sim=sim)
    rows = [
        _row(setting, layer, [result for result in results if result.case is case])
        for setting, layer, case in zip(drawn, layers, runs, strict=True)
    ]
    traced = (
        () if waves is None else _Traced(runs[0], layers[0].graph, _clock(drawn[0], arch)).write(devices[0], sim, waves)
    )
    return LayerVerification(arch, tuple(rows), time.monotonic() - start, traced)


@dataclass(frozen=True)
class _Traced:
    """The case that is shown."""

    case: Case
    graph: MarkedGraph
    ticks_per_s: Fraction

    def write(self, found: Device, sim: str, folder: Path) -> tuple[Path, ...]:
        """Run it once more and leave its waves and its trace, tick 0 at time 0 in both."""
        (job,) = self.case.jobs
        axis = Axis(self.ticks_per_s, job.first - 1)
        (result,) = simulate([found], [self.case], sim=sim, x_seeds=X_SEEDS[:1], waves=folder, axis=axis)
        document = trace_document(self.case.name, self.ticks_per_s, self.graph, job, result.observed.transfers)
        path = folder / TRACE
        try:
            path.write_text(json.dumps(document) + "\n", encoding="utf-8")
        except OSError as error:
            raise AccelsimError(f"{path}: cannot be written: {error.strerror}") from None
        return folder / wave_name(sim, result.x_seed), path


def settings(arch: str, overrides: Sequence[str], rng: Rng, cases: int) -> list[Setting]:
    """Cases that a machine can run, with all that is not given drawn at random.

    Raises:
        AccelsimError: `causal` that is neither true nor false, or what is given refused with whatever is drawn.
    """
    return [setting for setting, _ in _heads(arch, overrides, rng, cases)]


def _heads(arch: str, overrides: Sequence[str], rng: Rng, cases: int) -> list[tuple[Setting, Layer | FuseLayer]]:
    given = {split_override(text)[0]: text.partition("=")[2] for text in overrides}
    causal = given.pop("causal", None)
    if causal not in (None, *WORKLOADS):
        raise AccelsimError(f'--set causal: must be true or false, got "{causal}"')
    found: list[tuple[Setting, Layer | FuseLayer]] = []
    refused = 0
    while len(found) < cases:
        setting = _drawn(arch, given, causal, rng)
        try:
            found.append((setting, layer_at(arch, setting)))
        except AccelsimError:
            refused += 1
            if refused > MOST_REFUSED and not found:
                raise
    return found


def _drawn(arch: str, given: Mapping[str, str], causal: str | None, rng: Rng) -> Setting:
    """One that may be refused: a window that its order does not fit, or more room than there is."""
    found = load_arch(arch)
    fused = is_fused(found)
    latency = int(rng.choice(LATENCIES)) * 10**9 / found.clock_hz
    values = {
        "M": _size(LONGEST, 1, rng),
        "P": _size(LONGEST, _columns(found) if fused else 1, rng),
        "E": _size(WIDEST, 8, rng),
        "F": _size(WIDEST, 8, rng),
        "mapping.groups.attention.in_flight": str(rng.choice(IN_FLIGHT)),
        **{f"mapping.keep.buffer.tensors.{name}.copies": str(rng.choice(COPIES)) for name in ("Q", "K", "V", "AV")},
        **dict.fromkeys(
            (f"mapping.keep.buffer.tensors.{name}.copies" for name in ("RM", "RD", "RNV")), str(rng.choice(COPIES))
        ),
        "arch.levels.dram.latency": f"{float(latency):g} ns",
    }
    if rng.random() < OLDEST:
        values["mapping.groups.attention.order"] = "oldest"
    texts = tuple(f"{path}={value}" for path, value in {**values, **given}.items())
    workload = TILED if fused else WORKLOADS[causal or str(rng.choice(list(WORKLOADS)))]
    return Setting(workload, texts)


def _size(most: int, step: int, rng: Rng) -> str:
    return str(step * int(rng.integers(1, most // step + 1)))


def _columns(arch: Arch) -> int:
    return next(unit.dims["cols"] for unit in arch.units.values() if "cols" in unit.dims)


def program_at(arch: str, overrides: Sequence[str]) -> tuple[Instruction, ...]:
    """The instructions of a head with the sizes that are given, else those of the workload, and HALT.

    Raises:
        AccelsimError: sizes or settings that the machine cannot run.
    """
    given = {split_override(text)[0]: text for text in overrides}
    causal = given.pop("causal", "causal=false").partition("=")[2]
    if causal not in WORKLOADS:
        raise AccelsimError(f'--set causal: must be true or false, got "{causal}"')
    workload = TILED if is_fused(load_arch(arch)) else WORKLOADS[causal]
    layer = layer_at(arch, Setting(workload, tuple(given.values())))
    return layer.own_program


def layer_at(arch: str, setting: Setting) -> Layer | FuseLayer:
    """The head that a setting describes, on its machine.

    Raises:
        AccelsimError: sizes or settings that the machine cannot run.
    """
    found, workload, mapping = load_named(arch, setting.workload, setting.overrides)
    placements = placed(found, workload, mapping)
    if is_fused(found):
        return fuse_layer_of(placements[0], fuse_machine_form(found))
    return layer_of(placements[0], machine_form(found))


def device_of(layer: Layer | FuseLayer) -> Device:
    """The machine in its bench, for the simulator."""
    return _device_of(layer.form)


@lru_cache(maxsize=4)
def _device_of(form: MachineForm | FuseMachineForm) -> Device:
    """Memoised, since it takes seconds: heads of all sizes run on the same machine."""
    parts = fuse_parts(form) if isinstance(form, FuseMachineForm) else attention_parts(form)
    return device(DEVICE, MachineBench(Machine(parts), WORDS))


def pins(setting: Setting, arch: str) -> Mapping[str, int]:
    """The memory's latency in cycles."""
    found, _, _ = load_named(arch, setting.workload, setting.overrides)
    return {"latency": int(found.off_chip.latency_s * found.clock_hz)}


def _clock(setting: Setting, arch: str) -> Fraction:
    """Ticks in a second."""
    found, _, _ = load_named(arch, setting.workload, setting.overrides)
    return Fraction(found.clock_hz)


def _row(setting: Setting, layer: Layer | FuseLayer, results: Sequence[Result]) -> LayerRow:
    job = results[0].case.jobs[0]
    starts = sum(len(beats) for name, beats in job.outputs.items() if name.startswith("started"))
    cycles = {_cycles(result) for result in results}
    return LayerRow(
        setting,
        results[0].case.pins["latency"],
        layer.cycles,
        cycles.pop() if len(cycles) == 1 else None,
        starts,
        len(job.outputs["wrote"]),
        tuple(line for result in results for line in result.failures),
    )


def _cycles(result: Result) -> int | None:
    """Edges from the one behind HALT to that of the status."""
    moved = result.observed.transfers
    if not moved.get("status") or not moved.get("program"):
        return None
    return moved["status"][0][0] - moved["program"][-1][0] - 1


def _brief(text: str) -> str:
    path, _, value = text.partition("=")
    parts = path.split(".")
    name = ".".join(parts[-2:]) if parts[-1] == "copies" else parts[-1]
    return f"{name}={value}"
