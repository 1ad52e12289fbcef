"""Elements in motion as depth `analytic` counts them, and the tiles in which a program moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accelsim.arch.model import AccessKind, Level, Port
from accelsim.cost.images import Counter, Visit
from accelsim.cost.traffic import Use
from accelsim.einsum.walk import coordinates
from accelsim.mapping.lifetime import loops_to
from accelsim.mapping.model import Group, Kept
from accelsim.program.lower.nest import Nest, Run
from accelsim.program.lower.numbers import Amount, Tables, amount, less
from accelsim.program.lower.shares import Share, fresh, touched


@dataclass(frozen=True)
class Flow:
    """What `uses` of one tensor touch, anew in each iteration of the loops `seen`, in a tile for each of `along`."""

    uses: tuple[Use, ...]
    seen: tuple[str, ...]
    along: tuple[str, ...]

    @property
    def visits(self) -> list[Visit]:
        return [Visit(use.einsum, access) for use in self.uses for access in use.accesses]

    @property
    def names(self) -> set[str]:
        """The coordinates that index the tensor."""
        return set(coordinates(*(access for use in self.uses for access in use.accesses)))


@dataclass(frozen=True)
class Channel:
    """What transfers of one kind of access run on: a port of limited bandwidth, and the level that it leads to."""

    level: Level
    port: Port


def channel_of(level: Level | None, kind: AccessKind) -> Channel | None:
    """The channel of a kind of access to a level; None where there is no level, or no limit."""
    port = level.port(kind) if level is not None else None
    return Channel(level, port) if level is not None and port is not None else None


@dataclass(frozen=True)
class Setting:
    """What the transfers of a group are made from; `prefix` leads every name of the group.

    `layout`: where every tensor begins in a DRAM whose commands are simulated, by its name in the workload.
    """

    nest: Nest
    counter: Counter
    group: Group
    runs: dict[str, Run]
    tables: Tables
    in_flight: int
    ticks_per_s: Fraction
    prefix: str
    layout: Mapping[str, int]

    @property
    def off_chip(self) -> Level:
        return self.nest.placement.arch.off_chip

    def task_of(self, use: Use) -> str:
        return f"{self.prefix}{use.einsum.name}"

    def run_of(self, use: Use) -> Run:
        return self.runs[use.einsum.name]

    def stream(self, use: Use) -> Flow:
        """What a use touches in every iteration of its loops."""
        return Flow((use,), use.loops, self.run_of(use).along)

    def size(self, flow: Flow, bytes_each: Fraction) -> Amount:
        """Bytes of a flow by tile."""
        return self.bytes(touched(self.counter, flow.visits, flow.seen, flow.along), bytes_each)

    def stream_size(self, use: Use, bytes_each: Fraction) -> Amount:
        return self.size(self.stream(use), bytes_each)

    def again(self, flow: Flow, bytes_each: Fraction) -> Amount | None:
        """Bytes of what a tile touches that an earlier one has touched; None where nothing comes again."""
        if self.counter.images(flow.visits, flow.seen) == self.counter.images(flow.visits, ()):
            return None
        every = touched(self.counter, flow.visits, flow.seen, flow.along)
        new = fresh(self.counter, flow.visits, flow.along)
        return self.bytes([less(every, new, self.nest.loops)], bytes_each)

    def constant(self, elements: int, bytes_each: Fraction) -> Amount:
        return self.bytes([Share((), np.array(elements, dtype=np.int64))], bytes_each)

    def bytes(self, shares: Sequence[Share], bytes_each: Fraction) -> Amount:
        return amount(self.tables, self.nest.existing, shares, bytes_each)


def streams(setting: Setting, uses: Sequence[Use]) -> list[Flow]:
    """What no level keeps, for all Einsums with the same loops at once."""
    found: dict[tuple[str, ...], list[Use]] = {}
    for use in uses:
        found.setdefault(use.loops, []).append(use)
    return [Flow(tuple(sharing), loops, _common(setting, sharing, loops)) for loops, sharing in found.items()]


def fills(setting: Setting, uses: Sequence[Use], kept: Kept) -> list[Flow]:
    """What is filled into a level, for all Einsums with the same loops down to where the tensor is kept.

    Tiles that have nothing in common are filled part by part, each where it is first used.
    """
    found: dict[tuple[str, ...], list[Use]] = {}
    for use in uses:
        found.setdefault(loops_to(setting.group, use.einsum.name, kept.at) or (), []).append(use)
    return [_fill(setting, tuple(sharing), loops, kept) for loops, sharing in found.items()]


def _fill(setting: Setting, uses: tuple[Use, ...], loops: tuple[str, ...], kept: Kept) -> Flow:
    whole = Flow(uses, loops, ())
    owner = setting.nest.placement.owner
    while loops and owner[loops[-1]] not in whole.names:
        loops = loops[:-1]
    common, parts = _common(setting, uses, loops), list[str]()
    count = setting.counter.images(whole.visits, loops)
    for loop in common:
        indexing = loop not in loops and owner[loop] in whole.names
        if indexing and setting.counter.images(whole.visits, (*loops, *parts, loop)) == count:
            parts.append(loop)
    flow = Flow(uses, loops, tuple(loop for loop in common if loop in loops or loop in parts))
    _check_turns(setting, flow, common, kept)
    return flow


def _common(setting: Setting, uses: Sequence[Use], seen: Sequence[str]) -> tuple[str, ...]:
    """The loops along which tiles for all of several uses can differ; one that waits for a loop's end needs all of it.

    Raises:
        AccelsimError: it would have to come once more, where depth `analytic` counts it once for all.
    """
    runs, owner = [setting.run_of(use) for use in uses], setting.nest.owner
    found = []
    for loop in setting.nest.loops:
        going = [run.name for run in runs if loop in run.along]
        others = [run.name for run in runs if loop not in run.along and owner(loop) in run.einsum.coordinates]
        if going and not others:
            found.append(loop)
        elif going and loop in seen:
            tensor = uses[0].accesses[0].tensor
            raise setting.group.node.error(
                f"{tensor} is moved once for {going[0]} and {others[0]} in the same loops, but {others[0]} runs only "
                f"when {loop} has ended: keep {tensor} outside {loop}, or let {others[0]} loop on its own (at)"
            )
    return tuple(found)


def _check_turns(setting: Setting, flow: Flow, common: Sequence[str], kept: Kept) -> None:
    """A tile is used in neighbouring iterations: what an Einsum's own loops say must hold in those of the group.

    Raises:
        AccelsimError: loops of an Einsum in another order than its group has them.
    """
    nest, placement = setting.nest, setting.nest.placement
    again = [loop for loop in common if loop not in flow.along]
    inside = [
        loop
        for loop in flow.seen
        if placement.extent(loop) > 1 and loop not in nest.loops and nest.owner(loop) in flow.uses[0].einsum.coordinates
    ]
    for loop in again:
        inside += [
            other for other in flow.seen if other in flow.along and loop in nest.loops[: nest.loops.index(other)]
        ]
    if again and inside:
        tensor, einsum = flow.uses[0].accesses[0].tensor, flow.uses[0].einsum.name
        raise kept.node.error(
            f"{tensor} is kept at {kept.at} for {einsum}, which runs {again[0]} inside {inside[0]}; group "
            f"{setting.group.name} runs {inside[0]} inside {again[0]}: at depth cycle a tile cannot stay as at says"
        )
