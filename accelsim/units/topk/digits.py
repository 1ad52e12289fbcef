"""Radix select and its special case, bit-serial select: the k-th largest score found digit by digit, from the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked, Choice, Size
from accelsim.units.timing import Timing
from accelsim.units.topk.job import (
    InputLanes,
    Lanes,
    Overhead,
    Overlapping,
    Ranking,
    ScoreBits,
    Selected,
    Stages,
    Switch,
    everything,
    kept,
    spans,
    worst_timing,
)
from accelsim.units.vector import ceil_div

FirstDigit = Literal["select", "fill"]
Compaction = Annotated[
    Switch, Choice("whether a pass leaves only the scores that agree in the digits found", get_args(Switch))
]
First = Annotated[
    FirstDigit, Choice("where the first digit is counted: in a pass, or as scores enter", ("select", "fill"))
]
EarlyExit = Annotated[
    Switch, Choice("whether passes end when all scores that agree in the digits found are kept", get_args(Switch))
]


@dataclass(frozen=True)
class RadixParams(Checked):
    """The engine: a counter for each value of a digit."""

    lanes: Lanes = 16
    overhead: Overhead = 3
    input_lanes: InputLanes = 8
    score_bits: ScoreBits = 12
    digit_bits: Annotated[int, Size("bits of a digit", high=12)] = 4
    compaction: Compaction = "no"
    first_digit: First = "select"
    early_exit: EarlyExit = "no"
    overlap: Overlapping = "filter"
    filter_stages: Stages = 1


@dataclass(frozen=True)
class BitParams(Checked):
    """The engine: one counter, of ones."""

    lanes: Lanes = 16
    overhead: Overhead = 3
    input_lanes: InputLanes = 8
    score_bits: ScoreBits = 12
    first_digit: First = "select"
    early_exit: EarlyExit = "no"
    overlap: Overlapping = "filter"
    filter_stages: Stages = 1

    @property
    def digit_bits(self) -> int:
        return 1

    @property
    def compaction(self) -> Switch:
        return "no"


Params = RadixParams | BitParams


def select(params: Params, scores: Sequence[int], k: int) -> Selected:
    """The k largest of data.

    A pass counts, among the scores that agree in the digits found so far, those of each value of the next digit; from
    the counts follow that digit of the k-th largest and how many of its value are sought. Which scores agree is known
    only then: with compaction the next pass writes them back while it counts among them, and the one behind it reads
    no others. So the first two passes read all scores in any case.

    Raises:
        AccelsimError: a score that is negative or has more bits than `score_bits`.
    """
    check_range(params, scores)
    trivial = everything(scores, k)
    if trivial:
        return trivial
    candidates, in_memory, sought, cycles, passes, found = list(scores), len(scores), k, 0, 0, 0
    for shift in shifts(params):
        counted_before = passes == 0 and params.first_digit == "fill"
        cycles += params.overhead + (0 if counted_before else ceil_div(in_memory, params.lanes))
        passes += 1
        in_memory = len(candidates) if params.compaction == "yes" else in_memory
        found, sought = sought_digit([score >> shift for score in candidates], sought)
        candidates = [score for score in candidates if score >> shift == found]
        if params.early_exit == "yes" and sought == len(candidates):
            break
    return Selected(kept(scores, min(candidates), _equal(candidates, sought)), cycles, passes, 0)


def sought_digit(digits: Sequence[int], sought: int) -> tuple[int, int]:
    """The digit of the `sought`-th largest, and which one of that digit it is.

    >>> sought_digit([3, 1, 3, 2], 3)
    (2, 1)
    """
    for digit in sorted(set(digits), reverse=True):
        count = digits.count(digit)
        if sought <= count:
            return digit, sought
        sought -= count
    raise AccelsimError(f"sought: must be at most {len(digits)}")


def _equal(candidates: Sequence[int], sought: int) -> int:
    """Of the scores that equal the smallest candidate, those that are kept: after an early exit larger ones are too."""
    return sought - sum(score > min(candidates) for score in candidates)


def shifts(params: Params) -> list[int]:
    """The place of the lowest bit of each digit, highest first; the lowest digit may be the narrower one.

    >>> shifts(RadixParams(score_bits=10, digit_bits=4))
    [6, 2, 0]
    """
    whole = range(params.score_bits - params.digit_bits, -1, -params.digit_bits)
    return [*whole] if params.score_bits % params.digit_bits == 0 else [*whole, 0]


def check_range(params: Params, scores: Sequence[int]) -> None:
    """Raise AccelsimError for the first score that `score_bits` do not hold."""
    largest = 2**params.score_bits - 1
    for index, score in enumerate(scores):
        if not 0 <= score <= largest:
            raise AccelsimError(f"scores: must be from 0 to {largest}, got {score} at {index}")


def worst_select(params: Params, job: Ranking) -> int:
    """Every pass over all scores, as where all are equal; without compaction and early exit no other case exists.

    >>> worst_select(RadixParams(lanes=16, overhead=3), Ranking(1024, 512))
    201
    """
    if job.bypasses:
        return 0
    reading = len(shifts(params)) - (params.first_digit == "fill")
    return reading * ceil_div(job.n, params.lanes) + len(shifts(params)) * params.overhead


def timing(params: Params, shape: Ranking) -> Timing:
    """The worst case: FILL, then a pass over all scores for each digit, then FILTER; nothing is ever later.

    A pass takes ceil(n / lanes) + overhead; the first one only `overhead` where its digit is counted as scores enter.
    FILL, FILTER and what runs beside the job before are as of all these engines (`accelsim.units.topk.quick`).

    Source: structure. Assumes no stall.
    """
    return worst_timing(params, shape, spans(params, shape.n, worst_select(params, shape)))
