"""The room that tiles take in buffers, and when it is taken and given back.

A tile that no level keeps passes through registers: as many of them as iterations may be open, and one on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from accelsim.arch.model import Level
from accelsim.cost.traffic import Life
from accelsim.einsum.ast import Int
from accelsim.mapping.model import Kept
from accelsim.program.lower.flows import Flow, Setting, fills
from accelsim.program.lower.numbers import Amount, tile_total
from accelsim.program.lower.shares import Share, touched
from accelsim.program.model import Buffer, Hold, Task


@dataclass
class Moves:
    """Transfers, buffers and by task the tiles that it writes; filled while the tensors of a group are gone through.

    `before`: by Einsum the transfers that bring its operands from a level.
    """

    tasks: list[Task] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    holds: dict[str, list[Hold]] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)

    def named(self, name: str) -> str:
        """A name that no other transfer has."""
        taken = {task.name for task in self.tasks} | {buffer.name for buffer in self.buffers}
        return next(n for n in (name, *(f"{name}{i}" for i in range(2, len(taken) + 3))) if n not in taken)

    def hold(self, writer: str, buffer: Buffer, size: Amount, by: tuple[str, ...], readers: Iterable[str]) -> None:
        self.buffers.append(buffer)
        self.holds.setdefault(writer, []).append(Hold(buffer.name, size.expr, by, tuple(readers)))

    def keep(self, writer: str, buffer: Buffer, size: Amount, by: tuple[str, ...], users: Iterable[str]) -> None:
        """A tile that its writer may write repeatedly."""
        self.buffers.append(buffer)
        self.holds.setdefault(writer, []).append(Hold(buffer.name, size.expr, by, users=tuple(users)))


def hold_result(setting: Setting, moves: Moves, life: Life, found: dict[str, Life], stores: Sequence[Task]) -> None:
    """The place of a kept result: from its first value until its last reader, or its store, has ended."""
    (use,) = life.writers
    if not use.chain or use.chain[-1][1].overwrites is not None:
        return
    level, kept = use.chain[-1]
    readers = [] if life.through_home else [name for name in _readers(life, level, found) if name != use.einsum.name]
    (fill,) = fills(setting, [use], kept)
    by, states = _place(setting, fill, readers)
    _check_alive(setting, fill, by, readers, kept)
    counts = touched(setting.counter, fill.visits, (*by, *states), (*by, *states))
    size = setting.bytes([_largest_along(share, states) for share in counts], life.word * kept.fraction)
    if size.largest:
        place = room(setting, moves.named(f"{setting.prefix}{life.tensor}"), size, Flow((use,), fill.seen, by), kept)
        names = [*(f"{setting.prefix}{name}" for name in readers), *(store.name for store in stores)]
        size = placed(size, setting.nest.placement.arch.level(level))
        moves.keep(setting.task_of(use), place, size, by, names or [setting.task_of(use)])


def _place(setting: Setting, fill: Flow, readers: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The loops that tell the tiles of a result apart, and those along which its states follow in one place."""
    (use,) = fill.uses
    along = setting.run_of(use).along
    recurs = setting.nest.placement.step.shapes.cascade.generative.get(use.accesses[0].tensor)
    moving = {loop for loop in along if setting.nest.owner(loop) == recurs and loop not in fill.seen}
    shared = set(along).intersection(*(setting.runs[name].along for name in readers))
    by = tuple(loop for loop in fill.along if loop in shared - moving)
    return by, tuple(loop for loop in along if setting.nest.owner(loop) == recurs and loop not in by)


def _check_alive(setting: Setting, fill: Flow, by: Sequence[str], readers: Sequence[str], kept: Kept) -> None:
    """A tile stays where it is said to: in one iteration of the loops down to where it is kept.

    Raises:
        AccelsimError: a reader that needs it when those loops have gone on.
    """
    (use,) = fill.uses
    text = f"{use.accesses[0].tensor} is kept at {kept.at}, but "
    for name in readers:
        along = setting.runs[name].along
        for loop in fill.seen:
            if loop in setting.run_of(use).along and loop not in along:
                raise kept.node.error(
                    f"{text}{name}, which needs it, runs once for all iterations of {loop}: keep it outside {loop}"
                )
        inner = [loop for loop in by if loop in fill.seen]
        for loop in along:
            if loop not in by and loop in setting.nest.outside(inner):
                raise kept.node.error(
                    f"{text}{name} needs it again in every {loop}, which has {inner[-1]} inside: keep it outside {loop}"
                )


def _readers(life: Life, level: str, found: dict[str, Life]) -> list[str]:
    """The Einsums that read a tensor or what is written in its place, the writers of the latter included."""
    names = [use.einsum.name for use in life.readers]
    for other in found.values():
        for use in other.writers:
            kept = dict(use.chain).get(level)
            if kept is not None and kept.overwrites == life.tensor:
                names += [use.einsum.name, *_readers(other, level, found)]
    return list(dict.fromkeys(names))


def _largest_along(share: Share, loops: Sequence[str]) -> Share:
    axes = tuple(at for at, loop in enumerate(share.loops) if loop in loops)
    return Share(tuple(loop for loop in share.loops if loop not in loops), share.values.max(axis=axes))


def placed(size: Amount, level: Level | None) -> Amount:
    """What a tile takes of a level: its bytes, or the place of the largest where each has a slot."""
    return replace(size, expr=Int(size.largest)) if level is not None and level.slots else size


def room(setting: Setting, name: str, size: Amount, flow: Flow, kept: Kept | None) -> Buffer:
    """The reservation of a tile: its copies where a level keeps it, registers for every open iteration elsewhere."""
    extents = setting.nest.existing.extents
    if kept is None:
        inside = prod(extents[loop] for loop in setting.nest.inside(flow.along))
        return Buffer(name, size.largest * (-(-setting.in_flight // inside) + 1))
    parts = [loop for loop in flow.along if loop not in flow.seen]
    return Buffer(name, kept.copies * tile_total(size.share, parts, extents))
