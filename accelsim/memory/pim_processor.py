"""What a processor and the multipliers of a stack lose by reading at once: each beside what it does alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil

import numpy as np

from accelsim.memory.pim_energy import processor_energy
from accelsim.memory.pim_kernel import BURSTS, CYCLES, FETCH, STORE
from accelsim.memory.pim_layout import NONE
from accelsim.memory.pim_model import Stack
from accelsim.memory.pim_run import Run, issue, rules_of


def contention(stack: Stack, run: Run, run_on: Callable[[Stack], Run]) -> Mapping[str, object]:
    """Of the slowest channel: how many bursts a processor asked for and got; what each side lost.

    Args:
        run_on: the same job on another stack.
    """
    alone = run_on(replace(stack, processor_share=0)).cycles
    asked, served = asked_by(stack, run.cycles), run.counts["processor RD"] + run.counts["processor WR"]
    undisturbed = served_alone(stack, run.cycles)
    seconds = run.cycles * stack.period_ps * 1e-12
    return {
        "asked_bursts": asked,
        "served_bursts": served,
        "bandwidth_bytes_per_s": served * stack.burst_bytes * stack.channels / seconds,
        "energy_pj": processor_energy(stack, served, run.counts["processor ACT"]),
        "lost_by_processor": 1 - served / undisturbed if undisturbed else 0.0,
        "lost_by_multipliers": 1 - alone / run.cycles,
    }


def asked_by(stack: Stack, cycles: int) -> int:
    """Bursts that the processor of a channel asks for in so many cycles."""
    rules = rules_of(stack)
    return ceil(cycles * int(rules[BURSTS]) / int(rules[CYCLES])) if stack.processor_share else 0


def served_alone(stack: Stack, cycles: int) -> int:
    """Bursts that the processor of a channel gets in so many cycles when no multipliers are at work."""
    if not stack.processor_share:
        return 0
    _, log = issue(stack, NONE, until=cycles)
    return int(np.isin(log[:, 1], (FETCH, STORE)).sum())
