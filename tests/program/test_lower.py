"""Lowering: what a program does adds up to what depth `analytic` counts, and nothing starts before it can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

import pytest

from accelsim.cost.analytic import step_cost
from accelsim.mapping import Placement
from accelsim.program.lower.program import program_of
from accelsim.program.model import Loop, Program, Task, bodies
from accelsim.program.plan import values_of
from accelsim.program.read import read_program
from accelsim.program.text import render_program
from accelsim.program.values import Values
from accelsim.simulate import load_named, placed

CASES = (
    ("fusemax", "bert", "L=1024"),
    ("fusemax", "attention", "B=1", "H=2", "E=64", "M=1000", "P=700"),
    ("edge", "attention", "B=1", "H=2", "E=48", "F=40", "M=333", "P=100"),
    ("edge", "causal-attention", "B=1", "H=2", "E=64", "M=300"),
    ("edge", "window-attention", "B=1", "H=2", "E=64", "M=300", "W=70", "SINK=4"),
    ("edge", "grouped-attention", "B=1", "H=4", "G=2", "E=32", "M=130"),
    ("fusemax-arch", "t5", "L=2048"),
    ("fusemax-cascade", "xlm", "L=1024"),
    ("flat", "bert", "L=2048"),
    ("flat", "bert", "L=4096", "B=1"),
    ("flat", "xlm", "L=8192", "B=1"),
    ("flat", "xlm", "L=131072", "B=1", "H=1"),
    ("unfused", "bert", "L=1024", "B=1"),
    ("unfused", "attention", "B=1", "H=1", "E=64", "M=300", "P=100"),
    ("fusemax", "bert-layer", "L=512", "B=2"),
    ("fusemax", "gemm", "M=509", "N=300", "K=200"),
    ("fusemax", "bert", "L=1024", "arch.levels.buffer.bandwidth=8 TiB/s"),
)


def lowered(case: Sequence[str]) -> tuple[Program, tuple[Placement, ...]]:
    arch, workload, *overrides = case
    placements = placed(*load_named(arch, workload, overrides))
    return program_of(placements, workload), placements


def iterations(values: Values, loops: Sequence[Loop]) -> Iterator[dict[str, int]]:
    """Every iteration of a nest."""
    environments: list[dict[str, int]] = [{}]
    for loop in loops:
        environments = [{**env, loop.rank: at} for env in environments for at in range(values.at(loop.bound, env))]
    yield from environments


def instances(program: Program) -> Iterator[tuple[Task, int, int]]:
    """Every task with how often it runs and what it adds up to: ticks, or bytes of a transfer.

    Loops along which no number and no condition of a task changes are multiplied.
    """
    values = values_of(program)
    for outer, nest, body in bodies(program.root):
        loops = (*outer, *nest)
        for task in body.tasks:
            times = total = 0
            number = task.transfer.bytes if task.transfer else task.busy
            assert number is not None
            for env in iterations(values, loops):
                if values.holds(task.when, env):
                    times += 1
                    total += values.at(number, env)
            yield task, times, total


def small(case: Sequence[str]) -> Sequence[str]:
    """The case with few of what repeats, so that every iteration can be gone through."""
    arch, workload, *overrides = case
    given = {text.partition("=")[0] for text in overrides}
    return arch, workload, *overrides, *(["B=1"] if workload in PRESETS and "B" not in given else [])


PRESETS = ("bert", "t5", "xlm", "trxl")


EACH = pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] if "L=131072" in case else []) for case in CASES],
    ids=" ".join,
)


@EACH
def test_busy_ticks_add_up_to_the_busy_cycles_of_every_einsum(case: Sequence[str]) -> None:
    program, placements = lowered(small(case))
    found = {task.name: total for task, _, total in instances(program) if task.busy is not None}
    per_cycle = program.ticks_per_s / placements[0].arch.clock_hz
    for placement in placements:
        for name, work in step_cost(placement).works.items():
            (ticks,) = (
                t for task, t in found.items() if task.rpartition(".")[2] == name and is_of(task, placement, placements)
            )
            assert ticks == work.busy_cycles * per_cycle, name


def is_of(task: str, placement: Placement, placements: Sequence[Placement]) -> bool:
    return len(placements) == 1 or task.startswith(f"{placement.step.name}.")


@EACH
def test_transfers_add_up_to_the_bytes_off_chip(case: Sequence[str]) -> None:
    program, placements = lowered(small(case))
    off_chip = placements[0].arch.off_chip.name
    moved: Counter[tuple[str, str]] = Counter()
    starts: Counter[tuple[str, str]] = Counter()
    for task, times, total in instances(program):
        if task.claims and task.claims[0][0] == off_chip:
            *_, tensor, _ = task.name.split(".")
            key = tensor, "write" if task.kind == "store" else "read"
            moved[key] += total
            starts[key] += times
    wanted: Counter[tuple[str, str]] = Counter()
    for placement in placements:
        for tensor, transfer in step_cost(placement).traffic[off_chip].items():
            wanted[tensor, "read"] += transfer.read  # type: ignore[assignment]
            wanted[tensor, "write"] += transfer.write  # type: ignore[assignment]
    for key in {*moved, *wanted}:
        assert 0 <= moved[key] - Fraction(wanted[key]) <= starts[key], key


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_programs_have_a_text(case: Sequence[str]) -> None:
    program, _ = lowered(case)
    text = render_program(program)
    if len(text) < 1 << 20:
        assert render_program(read_program(text)) == text
