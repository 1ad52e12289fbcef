"""Timing of processing in memory: jobs of multipliers in a stack of DRAM, command by command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from accelsim.errors import AccelsimError
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_deal import DEALS, spread_lengths
from accelsim.memory.pim_fields import Flag, Maybe, Sizes
from accelsim.memory.pim_gemm import Gemm, run_gemm
from accelsim.memory.pim_model import Stack, beside_processor
from accelsim.memory.pim_report import attention_report, gemm_report
from accelsim.memory.pim_run import Run, run_attention
from accelsim.memory.pim_stream import Attention, Job, RaggedAttention
from accelsim.units.catalog import Unit
from accelsim.units.fields import Checked, Choice, Size, Word
from accelsim.units.timing import Timing

STACK = "HBM3-PIM"
WRITES = Size("percent of what a processor asks for that it writes", 0, 100)
SHARE = Maybe(Size("percent of the ordinary bandwidth that a processor asks for beside it", 0, 100))
MOST_PAIRS, MOST_POSITIONS, MOST_DEPTH, MOST_GROUP = 2**16, 2**20, 2**12, 2**10


@dataclass(frozen=True)
class PimParams(Checked):
    """The stack: HBM3 with multipliers at every bank, bank group or pseudo-channel, or on its logic die."""

    level: Annotated[str, Choice("where the multipliers sit", ("bank", "bank-group", "buffer", "logic"))]
    bytes: Annotated[int, Size("bytes of an element", high=8)]
    power_limit: Annotated[bool, Flag("whether power limits MACs and activations")]
    rules: Annotated[str, Word("rules of its file, arch_configs/pim: released or corrected")] = "released"


@dataclass(frozen=True)
class PairsOfHeads(Checked):
    """The job: queries of pairs of head and request; their lengths one by one, or pairs and a length."""

    head_dim: Annotated[int, Size("elements of a query and of a key", high=MOST_DEPTH)]
    pairs: Annotated[int | None, Maybe(Size("pairs of head and request", high=MOST_PAIRS))] = None
    length: Annotated[int | None, Maybe(Size("positions that each query attends to", high=MOST_POSITIONS))] = None
    spread: Annotated[int, Size("lengths are drawn from length - spread to length + spread", 0, MOST_POSITIONS)] = 0
    seed: Annotated[int, Size("what lengths are drawn from", low=0)] = 0
    lengths: Annotated[
        tuple[int, ...], Sizes("positions of each pair, instead of pairs and length", Size("", 1, MOST_POSITIONS), 1024)
    ] = ()
    group: Annotated[int, Size("query heads that share the K and V of a pair", high=MOST_GROUP)] = 1
    deal: Annotated[str, Choice("how pairs come to channels", tuple(DEALS))] = "in-turn"
    processor_share: Annotated[int | None, SHARE] = None
    processor_writes: Annotated[int, WRITES] = 0


@dataclass(frozen=True)
class Product(Checked):
    """The job: m tokens times weights of k x n."""

    m: Annotated[int, Size("tokens", high=MOST_GROUP)]
    k: Annotated[int, Size("inputs of a token, rows of the weights", high=MOST_POSITIONS)]
    n: Annotated[int, Size("outputs of a token, columns of the weights", high=MOST_POSITIONS)]
    processor_share: Annotated[int | None, SHARE] = None
    processor_writes: Annotated[int, WRITES] = 0


def timing(params: PimParams, shape: PairsOfHeads) -> Timing:
    """An edge is a cycle of the stack's clock; the last output is the last sum of P x V that leaves its multipliers.

    Commands of every channel are issued one by one, refreshes too (`accelsim.memory.pim_channel`); the slowest counts.
    Nothing of the next job runs beside them, and the first and the last output are not told apart.

    Source: AttAcc (ASPLOS 2024) and its released simulator. Assumes that the stack does nothing else, but for what a
    processor reads that is given a share.

    Raises:
        AccelsimError: unknown rules, elements that do not fit a burst, pairs that do not fit a channel, too many
            commands.
    """
    cycles = _ran(params, shape).cycles
    return Timing(cycles - 1, cycles - 1, cycles)


def report(params: PimParams, shape: PairsOfHeads) -> Mapping[str, object]:
    """How evenly channels were loaded, seconds, commands, energy. Raises AccelsimError as `timing` does."""
    return attention_report(_stack(params, shape), _job(params, shape), shape.deal, _ran(params, shape))


def gemm_timing(params: PimParams, shape: Product) -> Timing:
    """An edge is a cycle of the stack's clock; the last output is the last result that leaves its multipliers.

    Weights lie in all channels, commands are issued as `timing` does, inputs first; the slowest channel counts.

    Source: AttAcc (ASPLOS 2024) for commands, Duplex (MICRO 2024) for weights over all pseudo-channels. Assumes that
    the multipliers hold the inputs and the sums of all tokens.

    Raises:
        AccelsimError: unknown rules, elements that do not fit a burst, weights that do not fit the stack, more tokens
            than the limit of power allows, too many commands.
    """
    cycles = _gemm_ran(params, shape).cycles
    return Timing(cycles - 1, cycles - 1, cycles)


def report_gemm(params: PimParams, shape: Product) -> Mapping[str, object]:
    """Seconds, utilization of multipliers, commands, energy. Raises AccelsimError as `gemm_timing` does."""
    return gemm_report(_stack(params, shape), _gemm(params, shape), _gemm_ran(params, shape))


@lru_cache(maxsize=1)
def _gemm_ran(params: PimParams, shape: Product) -> Run:
    return run_gemm(_stack(params, shape), _gemm(params, shape))


def _gemm(params: PimParams, shape: Product) -> Gemm:
    return Gemm(shape.m, shape.k, shape.n, params.bytes)


@lru_cache(maxsize=1)
def _ran(params: PimParams, shape: PairsOfHeads) -> Run:
    return run_attention(_stack(params, shape), _job(params, shape), shape.deal)


def _stack(params: PimParams, shape: PairsOfHeads | Product) -> Stack:
    try:
        stack = load_stack(STACK, params.level, params.rules, power_limit=params.power_limit)
    except AccelsimError as error:
        raise AccelsimError(error.message) from None
    if shape.processor_share is None:
        return stack
    return beside_processor(stack, shape.processor_share, shape.processor_writes)


def _job(params: PimParams, shape: PairsOfHeads) -> Job:
    if shape.lengths:
        for name, given in [("pairs", shape.pairs), ("length", shape.length), ("spread", shape.spread or None)]:
            if given is not None:
                raise AccelsimError(f"{name}: must not be given beside lengths, got {given}")
        return RaggedAttention(shape.lengths, shape.head_dim, params.bytes, shape.group)
    if shape.pairs is None or shape.length is None:
        missing = "pairs" if shape.pairs is None else "length"
        raise AccelsimError(f"{missing}: must be given where lengths are not: --set {missing}=VALUE")
    if shape.spread == 0:
        return Attention(shape.pairs, shape.length, shape.head_dim, params.bytes, shape.group)
    if shape.spread >= shape.length:
        raise AccelsimError(f"spread: must be less than the length of {shape.length}, got {shape.spread}")
    drawn = spread_lengths(shape.pairs, shape.length, shape.spread, shape.seed)
    return RaggedAttention(drawn, shape.head_dim, params.bytes, shape.group)


PIM = Unit("pim", "stack of DRAM with multipliers: decode attention", PimParams, PairsOfHeads, timing, report)
PIM_GEMM = Unit(
    "pim-gemm", "stack of DRAM with multipliers: a matrix product", PimParams, Product, gemm_timing, report_gemm
)
