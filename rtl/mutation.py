"""Faults on purpose: a bench is as good as the share of them that it finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from rtl.bench.device import Device, check_device_name, device, with_pin
from rtl.bench.runner import simulate
from rtl.block import check_size
from rtl.netlist import rtlil_text
from rtl.ports import Pin, interface_of
from rtl.sim.case import Case, Result
from rtl.verilog import SCRIPT
from rtl.yosys import run_yosys

SELECT = "mutant"
FEW = 6  # cases that all faults run
Aim = Callable[[Case, int], Case]
"""The same case for the fault of a number, 0 the original."""
PREPARE = (
    "read_rtlil in.il",
    "hierarchy -check -top {name}",
    "proc",
    "flatten",
    "memory_collect",  # first, so that the initial values of a memory, which must be constant, are no place for a fault
    "opt_expr",
    "wreduce",
    "opt_clean -purge",
    "write_rtlil made.il",
    "write_json made.json",
)


@dataclass(frozen=True)
class Mutants:
    """One device that is the original and all its mutants: the pin `mutant` selects, 0 the original.

    `changes` says what mutant n does, at place n - 1.
    """

    device: Device
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Mutant:
    """A fault: what it is, and the first thing that the bench found wrong, or nothing."""

    name: str
    found: str

    @property
    def detected(self) -> bool:
        return bool(self.found)


@dataclass(frozen=True)
class MutationReport:
    """All faults that were tried."""

    mutants: tuple[Mutant, ...]

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        return tuple(mutant for mutant in self.mutants if not mutant.detected)

    @property
    def share(self) -> float:
        """The share that was detected, from 0 to 1."""
        return 1 - len(self.survivors) / len(self.mutants)


def mutants(component: wiring.Component, number: int, seed: int, name: str = "mutants") -> Mutants:
    """So many faults drawn by Yosys with a fixed seed, in one netlist: a wire inverted, stuck, or tied to another."""
    check_size("number of mutants", number, 1, 1000)
    check_size("seed of mutants", seed, 0, 2**31 - 1)
    check_device_name(name)
    top = f"dut_{name}"
    listed = run_yosys(
        [*(line.format(name=top) for line in PREPARE), f"mutate -list {2 * number} -seed {seed} -o list.txt"],
        {"in.il": rtlil_text(component, top)},
        ["made.il", "made.json", "list.txt"],
    )
    cells = json.loads(listed["made.json"])["modules"][top]["cells"]
    lines = [line for line in listed["list.txt"].splitlines() if line.startswith("mutate ")]
    chosen = [line for line in dict.fromkeys(lines) if not _is_so_already(_options(line), cells)][:number]
    if len(chosen) < number:
        raise AccelsimError(f"number of mutants: only {len(chosen)} of {number} can be made")
    width = number.bit_length()
    apply = [f"mutate -ctrl {SELECT} {width} {place} {line[7:]}" for place, line in enumerate(chosen, 1)]
    rest = SCRIPT[SCRIPT.index("pmuxtree") :]
    text = run_yosys(["read_rtlil made.il", *apply, *rest], {"made.il": listed["made.il"]}, ["out.v"])["out.v"]
    original = Device(name, "", interface_of(component))
    verilog = text.partition("*/")[2].strip() + "\n"
    changes = tuple(_change(_options(line)) for line in chosen)
    return Mutants(with_pin(original, verilog, Pin(SELECT, "input", width)), changes)


def _options(line: str) -> dict[str, str]:
    """The options of a command of Yosys: `{"-mode": "inv", "-cell": "$26", ...}`."""
    words = line.split()[1:]
    return dict(zip(words[::2], words[1::2], strict=False))


def _is_so_already(option: Mapping[str, str], cells: Mapping[str, Any]) -> bool:
    """Whether the fault makes a bit constant that is that constant: no fault."""
    bits = cells[option["-cell"].removeprefix("\\")]["connections"][option["-port"].removeprefix("\\")]
    constant: bool = option["-mode"] == f"const{bits[int(option['-portbit'])]}"
    return constant


def _change(option: Mapping[str, str]) -> str:
    """`inv of o_payload bit 4, at port DATA bit 4 of $26`."""
    wire = f" of {option['-wire']} bit {option.get('-wirebit', '0')}" if "-wire" in option else ""
    return f"{option['-mode']}{wire}, at port {option['-port']} bit {option['-portbit']} of {option['-cell']}"


def run_mutants(
    found: Mutants,
    cases: Sequence[Case],
    sim: str = "verilator",
    *,
    beside: Sequence[Device] = (),
) -> MutationReport:
    """Run all cases with each mutant. AccelsimError where the original fails.

    `beside` are devices that share the model, so that several calls need only one.
    """
    devices = [*(other for other in beside if other != found.device), found.device]
    names = ("original", *found.changes)
    return _judged(devices, names, lambda case, number: _selected(case, found.device.name, number), cases, sim)


def run_variants(
    original: wiring.Component,
    variants: Mapping[str, wiring.Component],
    cases: Sequence[Case],
    sim: str = "verilator",
) -> MutationReport:
    """Run all cases with the original and with each variant, which has the same ports: faults made by hand."""
    devices = [device(f"variant_{number}", block) for number, block in enumerate((original, *variants.values()))]
    for name, variant in zip(variants, devices[1:], strict=True):
        if variant.interface != devices[0].interface:
            raise AccelsimError(f'variant "{name}": must have the ports of the original')
    names = ("original", *variants)
    return _judged(devices, names, lambda case, number: _aimed(case, devices[number].name), cases, sim)


def _selected(case: Case, name: str, number: int) -> Case:
    return replace(_aimed(case, name), name=f"{case.name} {SELECT} {number}", pins={**case.pins, SELECT: number})


def _aimed(case: Case, name: str) -> Case:
    return replace(case, name=f"{case.name} on {name}", device=name)


def _judged(
    devices: Sequence[Device], names: Sequence[str], aim: Aim, cases: Sequence[Case], sim: str
) -> MutationReport:
    """What the bench finds first of each; the first cases find most, and who is found need not run the others."""

    def found(numbers: Sequence[int], tried: Sequence[Case]) -> dict[int, str]:
        aimed = [aim(case, number) for number in numbers for case in tried]
        results = simulate(devices, aimed, sim=sim, x_seeds=(1,))
        wrong = (_first_fault(results[n * len(tried) :][: len(tried)]) for n in range(len(numbers)))
        return dict(zip(numbers, wrong, strict=True))

    soon = {number: fault for number, fault in found(range(1, len(names)), cases[:FEW]).items() if fault}
    every = {**found([number for number in range(len(names)) if number not in soon], cases), **soon}
    if every[0]:
        raise AccelsimError(f"mutation: the original fails: {every[0]}")
    return MutationReport(tuple(Mutant(names[number], every[number]) for number in range(1, len(names))))


def _first_fault(results: Sequence[Result]) -> str:
    failed = [result for result in results if not result.passed]
    return f"{failed[0].case.name}: {failed[0].failures[0]}" if failed else ""
