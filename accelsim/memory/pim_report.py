"""What is told of a run beside its cycles: seconds, how evenly the channels were loaded, what was issued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from accelsim.memory.pim_model import Stack
from accelsim.memory.pim_run import Run


def run_report(stack: Stack, run: Run) -> Mapping[str, object]:
    """Of a stack; `imbalance` is what the slowest channel takes over what channels take on average, idle ones too."""
    cycles = [channel.cycles for channel in run.channels]
    return {
        "seconds": run.cycles * stack.period_ps * 1e-12,
        "imbalance": max(cycles) * len(cycles) / sum(cycles),
        "channels": {
            "pairs": _load([len(channel.lengths) for channel in run.channels]),
            "positions": _load([sum(channel.lengths) for channel in run.channels]),
            "cycles": _load(cycles),
        },
        "commands": stack_counts(run),
    }


def stack_counts(run: Run) -> Mapping[str, int]:
    """How often each command was issued to any channel."""
    found: Counter[str] = Counter()
    for channel in run.channels:
        found.update(channel.counts)
    return {name: count for name, count in found.items() if name != "barrier"}


def _load(each: Sequence[int]) -> Mapping[str, float]:
    return {"mean": sum(each) / len(each), "max": max(each)}
