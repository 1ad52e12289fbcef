"""What a top-k engine is made of, in bits, from its structure."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.units.topk.digits import BitParams, RadixParams, shifts
from accelsim.units.topk.job import HELD, Ranking
from accelsim.units.topk.merge import MergeParams, merger, sorter
from accelsim.units.topk.queues import HeapParams, QueueParams
from accelsim.units.topk.quick import QuickParams

Params = QuickParams | RadixParams | BitParams | MergeParams | QueueParams | HeapParams


@dataclass(frozen=True)
class Parts:
    """Bits of an engine: `compare` of comparators, adders and counters, `mux` of 2:1 multiplexers, `memory`."""

    compare: int
    mux: int
    memory: int

    @property
    def logic(self) -> int:
        """All bits that are not memory."""
        return self.compare + self.mux

    def __add__(self, other: Parts) -> Parts:
        return Parts(self.compare + other.compare, self.mux + other.mux, self.memory + other.memory)

    def times(self, count: int) -> Parts:
        return Parts(count * self.compare, count * self.mux, count * self.memory)


def parts_of(params: Params, job: Ranking) -> Parts:
    """The engine with memories for jobs of `n` scores: what SELECT needs, and FILTER with its copies of the scores.

    FILTER compares `input_lanes` scores with the threshold, counts the equal ones among them and closes the gaps that
    dropped ones leave; a copy has every score with its index. Registers of pipelines and control are left out.
    """
    width = params.input_lanes
    element = params.score_bits + index_bits(job.n)
    selecting, copies = HELD[params.overlap]
    comparing = Parts(width * params.score_bits, 0, 0)
    last = comparing + zero_eliminator(width, element) + Parts(0, 0, copies * job.n * element)
    return last + _select_parts(params, job, selecting)


def _select_parts(params: Params, job: Ranking, selecting: int) -> Parts:
    """Two queues and comparators; counters; networks; cells; a heap: as the engines' functions use them."""
    lanes, bits, index = params.lanes, params.score_bits, index_bits(job.n)
    gate = Parts(lanes * bits, 0, 0)
    match params:
        case QuickParams():
            split = zero_eliminator(lanes, bits).times(2)
            return Parts(2 * lanes * bits, 0, 0) + split + Parts(0, 0, (1 + selecting) * job.n * bits)
        case RadixParams() | BitParams():
            return _digit_parts(params, job, selecting)
        case MergeParams():
            wires = 1 << (lanes - 1).bit_length()
            exchanges = len(list(sorter(wires))) + len(list(merger(0, 2 * wires)))
            element = bits + index  # indices decide among equal scores
            return Parts(exchanges * element, 2 * exchanges * element, (1 + selecting) * job.n * element)
        case QueueParams():
            cells = Parts(bits, 2 * (bits + index), selecting * (bits + index)).times(job.k)
            return gate + cells
        case HeapParams():
            return gate + Parts(2 * (bits + index), 0, selecting * job.k * (bits + index))


def _digit_parts(params: RadixParams | BitParams, job: Ranking, selecting: int) -> Parts:
    """Counters of all values but one, whose count follows; without compaction SELECT reads the copy of FILTER."""
    count_bits = index_bits(job.n) + 1
    counter = Parts(ones_counter(params.lanes) + count_bits, 0, 0)
    matching = Parts(params.lanes * params.score_bits, 0, 0)
    counting = counter.times(2**params.digit_bits - 1) + matching
    searching = Parts(
        (2**params.digit_bits - 1) * count_bits, len(shifts(params)) * params.lanes * params.digit_bits, 0
    )
    if params.compaction == "no":
        return counting + searching
    writing = zero_eliminator(params.lanes, params.score_bits)
    return counting + searching + writing + Parts(0, 0, selecting * job.n * params.score_bits)


def index_bits(n: int) -> int:
    """Bits of a number from 0 to n - 1, at least one."""
    return max(1, (n - 1).bit_length())


def ones_counter(lanes: int) -> int:
    """Bits of the adders that count ones among so many: a tree, its level l of lanes / 2^l adders of l bits."""
    levels = (lanes - 1).bit_length()
    return sum(-(-lanes >> level) * level for level in range(1, levels + 1))


def zero_eliminator(lanes: int, bits: int) -> Parts:
    """Closes the gaps of a row and packs rows: counts of gaps before each lane, shifts by powers of two, a rotation.

    Source: SpAtten (HPCA 2021), its zero eliminator: log2(lanes) levels of shifts; the rotation packs full rows from
    parts of two.
    """
    levels = (lanes - 1).bit_length()
    counting = sum((lanes - (1 << level)) * (level + 2) for level in range(levels))
    packing = (levels + 1) * 2 * lanes * bits
    return Parts(counting, levels * lanes * bits + packing, 0)
