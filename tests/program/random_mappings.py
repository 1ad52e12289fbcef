"""Random mappings that depth `cycle` can execute: those of the generality gate, no loop in space and in time at once.

Besides: limited bandwidths of the inner levels, orders and windows.
"""

from __future__ import annotations

from math import prod
from random import Random

from hypothesis import strategies as st

from accelsim.mapping import Placement
from accelsim.workload import load_workload, steps
from tests.cost.drawn import UNITS, Draw
from tests.cost.machines import SAMPLES, Case, Sample, case, tiny, written

ARRAYS = (
    (),
    ("levels.l1.bandwidth=4 GB/s",),
    ("levels.l2.bandwidth=unlimited",),
    ("levels.l2.bandwidth=unlimited", "levels.dram.bandwidth=7 GB/s"),
)


class Executed(Draw):
    """A mapping under construction whose loops are only loops, with an order or a window now and then."""

    def overlap(self, names: list[str]) -> str:
        said = super().overlap(names)
        if self.rng.random() < 0.25:
            said += f", order: {self.rng.choice(['oldest', 'fifo'])}"
        if self.rng.random() < 0.25:
            said += f", in_flight: {self.rng.randint(1, 5)}"
        return said

    def loop_for(self, tensor: str, loops_of: dict[str, list[str]]) -> str:
        """What recurs can only be kept outside the loops that carry it; the rest often is."""
        if tensor in self.cascade.generative or self.rng.random() < 0.3:
            return "outside"
        return super().loop_for(tensor, loops_of)

    def fraction(self) -> str:
        copies = f", copies: {self.rng.choice([1, 2])}" if self.rng.random() < 0.3 else ""
        return super().fraction() + copies

    def looped(self, loops_of: dict[str, list[str]]) -> None:
        """The ranks of every unit, and of some Einsums, that none of their Einsums has as a loop."""
        self.lines.append("spatial:")
        for name, dims in self.targets():
            mine = [name] if name not in UNITS else [e for e, unit in self.bound.items() if unit == name]
            loops = {loop for e in mine for loop in loops_of[e]}
            free = [part for part in self.parts_of(self.parts) if part not in loops]
            ranks = ", ".join(f"{d}: [{', '.join(self.some(free, 0.4)[:2])}]" for d in dims)
            self.lines.append(f"  {name}: {{{ranks}}}")


def draw(rng: Random, sample: Sample) -> tuple[dict[str, int], str]:
    """Sizes for a sample, and a mapping of it without its head."""
    sizes = {p: rng.choice([1, 2, 3, 4, 5, 6, 7]) if p in "MP" else rng.choice([1, 2, 3, 4]) for p in sample.params}
    workload = load_workload(written(sample.name, sample.workload()), [f"{k}={v}" for k, v in sizes.items()])
    made = Executed(rng, sample, sizes, steps(workload)[0].shapes.cascade)
    made.split()
    made.bind()
    loops_of = made.groups()
    made.looped(loops_of)
    made.keep(loops_of)
    made.rest()
    return sizes, made.text


def drawn(seed: int, sample: Sample) -> Case:
    """The case of a seed: a sample on a tiny machine, some levels of which have a limited bandwidth."""
    rng = Random(seed)
    machine = tiny(*rng.choice(ARRAYS))
    return case(sample, *draw(rng, sample), machine)


def iterations(placement: Placement) -> int:
    """The most that a group has."""
    return max(prod(map(placement.within(group).extent, group.loops)) for group in placement.plan.groups)


def cases() -> st.SearchStrategy[Case]:
    """Any sample, any seed."""
    return st.builds(drawn, st.integers(0, 2**32), st.sampled_from(SAMPLES))
