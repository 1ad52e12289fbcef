"""What is told of a run beside its cycles: seconds, how evenly the channels were loaded, what was issued, energy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from accelsim.memory.energy import total
from accelsim.memory.pim_energy import Done, energy_of
from accelsim.memory.pim_gemm import Gemm, run_gemm
from accelsim.memory.pim_model import Stack
from accelsim.memory.pim_processor import contention
from accelsim.memory.pim_run import Run, run_attention
from accelsim.memory.pim_stream import Job

OF_PRODUCTS = {"query": "inputs", "scores": "results"}  # what these moves carry then
OF_ATTENTION = ("softmax", "weights", "outputs", "append")


def attention_report(stack: Stack, work: Job, deal: str, run: Run) -> Mapping[str, object]:
    """Of a stack; `imbalance` is what the slowest channel takes over what channels take on average, idle ones too."""
    cycles = [channel.cycles for channel in run.channels]
    return {
        **_beside(stack, run, lambda other: run_attention(other, work, deal)),
        "imbalance": max(cycles) * len(cycles) / sum(cycles),
        "channels": {
            "pairs": _load([len(channel.lengths) for channel in run.channels]),
            "positions": _load([sum(channel.lengths) for channel in run.channels]),
            "cycles": _load(cycles),
        },
        **done_report(stack, attention_done(work, run)),
    }


def attention_done(work: Job, run: Run) -> Done:
    """What the stack did for the job: the query and the result of each head go in and out of it."""
    vectors = 2 * len(work.lengths) * work.group
    scores = sum(work.lengths) * work.group
    outside = vectors * work.head_dim * work.element_bytes
    return Done(run.cycles, stack_counts(run), work.group, work.element_bytes, scores, outside)


def gemm_report(stack: Stack, work: Gemm, run: Run) -> Mapping[str, object]:
    """Of a stack; `utilization` is products of the job over what all multipliers could do in its time."""
    rate = stack.channels * stack.banks_per_command * stack.level.compute.width_bytes / work.element_bytes
    most = rate / stack.level.compute.cycles * run.cycles
    cycles = [channel.cycles for channel in run.channels]
    told = done_report(stack, gemm_done(work, run))
    counts = {OF_PRODUCTS.get(name, name): n for name, n in stack_counts(run).items() if name not in OF_ATTENTION}
    return {
        **_beside(stack, run, lambda other: run_gemm(other, work)),
        "imbalance": max(cycles) * len(cycles) / sum(cycles),
        "utilization": work.products / most,
        **told,
        "commands": counts,
    }


def gemm_done(work: Gemm, run: Run) -> Done:
    """What the stack did for the product: inputs come into it once, results leave it."""
    outside = work.tokens * (work.inputs + work.outputs) * work.element_bytes
    return Done(run.cycles, stack_counts(run), work.tokens, work.element_bytes, 0, outside)


def stack_counts(run: Run) -> Mapping[str, int]:
    """How often each command was issued to any channel."""
    found: Counter[str] = Counter()
    for channel in run.channels:
        found.update(channel.counts)
    return {name: count for name, count in found.items() if name != "barrier" and not name.startswith("processor")}


def done_report(stack: Stack, done: Done) -> Mapping[str, object]:
    """Seconds, the rate at which cells were read for MACs, commands to all channels, energy."""
    seconds = done.cycles * stack.period_ps * 1e-12
    energy = energy_of(stack, done)
    return {
        "seconds": seconds,
        "bandwidth_bytes_per_s": done.counts["MAC"] * stack.banks_per_command * stack.burst_bytes / seconds,
        "commands": done.counts,
        "energy_pj": total(energy),
        "energy_by": energy,
        "energy_unknown": [name for name, value in energy.items() if value is None],
        "energy_source": stack.energy.source,
    }


def _beside(stack: Stack, run: Run, run_on: Callable[[Stack], Run]) -> Mapping[str, object]:
    return {} if stack.processor_share is None else {"processor": contention(stack, run, run_on)}


def _load(each: Sequence[int]) -> Mapping[str, float]:
    return {"mean": sum(each) / len(each), "max": max(each)}
