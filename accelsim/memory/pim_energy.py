"""What a job in memory costs: energy by component, None where the file of the stack has no figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from accelsim.memory.energy import PJ_PER_MW_PS
from accelsim.memory.pim_model import Stack


@dataclass(frozen=True)
class Done:
    """What a stack did: cycles, and commands to all channels.

    Attributes:
        queries: vectors that each MAC multiplies with what it reads.
        scores: elements that went through softmax.
        outside_bytes: queries, inputs and results that came into the stack or left it.
    """

    cycles: int
    counts: Mapping[str, int]
    queries: int
    element_bytes: int
    scores: int
    outside_bytes: int


def energy_of(stack: Stack, done: Done) -> dict[str, float | None]:
    """pJ by component; one that did not occur costs 0, whether its figure is known or not.

    A MAC reads a burst of each of its banks and multiplies every element of it, those beyond the end of a matrix too;
    an activation opens a row in each. A move is a burst on the bus of every pseudo-channel, an append one burst.
    """
    energy, level, counts = stack.energy, stack.level, done.counts
    bits, lanes = 8 * stack.burst_bytes, stack.burst_bytes // done.element_bytes
    bursts = counts["MAC"] * stack.banks_per_command
    moves = sum(counts[name] for name in ("query", "scores", "weights", "outputs"))
    return {
        "activate": _product(energy.activate_pj, counts["ACT"] * stack.banks_per_command),
        "read": _product(_path_pj(stack, level.read_path), bursts * bits),
        "multiply": _product(level.multiply_pj.get(done.element_bytes), bursts * lanes * done.queries),
        "move": _product(_path_pj(stack, level.move_path), moves * stack.sizes["pseudo_channel"] * bits),
        "append": _product(_path_pj(stack, energy.ordinary_path), counts["append"] * bits),
        "outside": _product(_path_pj(stack, energy.outside_path), done.outside_bytes * 8),
        "softmax": _product(energy.softmax_pj, done.scores),
        "refresh": _product(energy.refresh_pj, counts["REF"]),
        "background": _product(energy.background_mw, Fraction(done.cycles * stack.period_ps) * PJ_PER_MW_PS),
    }


def processor_energy(stack: Stack, bursts: int, activations: int) -> float | None:
    """pJ of a processor's bursts, read or written, and activations of one bank."""
    activated = _product(stack.energy.activate_pj, activations)
    read = _product(_path_pj(stack, stack.energy.ordinary_path), bursts * 8 * stack.burst_bytes)
    return None if activated is None or read is None else activated + read


def _path_pj(stack: Stack, names: Iterable[str]) -> Fraction | None:
    """Of a bit over those steps; None where one of them is not known."""
    steps = [stack.energy.step_pj_per_bit[name] for name in names]
    known = [step for step in steps if step is not None]
    return sum(known, Fraction(0)) if len(known) == len(steps) else None


def _product(rate: Fraction | None, amount: Fraction | int) -> float | None:
    if amount == 0:
        return 0.0
    return None if rate is None else float(rate * amount)
