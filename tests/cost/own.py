"""Drawn mappings whose groups split coordinates and keep tensors in their own way, and the same said for all groups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from accelsim.einsum.cascade import Cascade

SPLIT = re.compile(r"split:.*?\n(?=bind:)", re.DOTALL)
RANK = re.compile(r"^  (\w+): (\{.*\})$", re.MULTILINE)
GROUP = re.compile(r"- \{name: (\w+), loops: \[([^\]]*)\], einsums: \[([^\]]*)\]")
LEVEL = re.compile(r"^  (l\d): \{tensors: \{(.*)\}\}$", re.MULTILINE)
KEPT = re.compile(r"(\w+): (\{[^}]*\})")
PART = re.compile(r"(\w+):")
LIST = re.compile(r"\[([^\]]*)\]")
Table = Mapping[str, str]  # rank to its parts, or tensor to how it is kept


@dataclass(frozen=True)
class Group:
    """A group of a drawn mapping, and what it says itself: the parts of ranks, by level how tensors are kept."""

    name: str
    loops: tuple[str, ...]
    einsums: tuple[str, ...]
    splits: Table
    keep: Mapping[str, Table]


@dataclass(frozen=True)
class Drawn:
    """A drawn mapping taken apart; `text` puts it together again."""

    splits: Table
    keep: Mapping[str, Table]
    groups: tuple[Group, ...]
    template: str

    @property
    def text(self) -> str:
        text = SPLIT.sub(f"split: {_shown(self.splits)}\n", self.template)
        for group in self.groups:
            own = f", split: {_shown(group.splits)}" if group.splits else ""
            own += f", keep: {_levels(group.keep)}" if group.keep else ""
            text = text.replace(f"{{name: {group.name},", f"{{name: {group.name}{own},")
        return LEVEL.sub(lambda found: f"  {found[1]}: {{tensors: {_shown(self.keep[found[1]])}}}", text)


def _shown(table: Table) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in table.items()) + "}"


def _levels(keep: Mapping[str, Table]) -> str:
    return _shown({level: f"{{tensors: {_shown(table)}}}" for level, table in keep.items()})


def taken_apart(text: str) -> Drawn:
    found = SPLIT.search(text)
    assert found is not None
    groups = tuple(Group(n, _names(loops), _names(e), {}, {}) for n, loops, e in GROUP.findall(text))
    keep = {level: dict(KEPT.findall(table)) for level, table in LEVEL.findall(text)}
    return Drawn(dict(RANK.findall(found[0])), keep, groups, text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(", ")))


def ranks_of(cascade: Cascade, group: Group) -> set[str]:
    return {c for e in cascade.einsums if e.name in group.einsums for c in e.coordinates}


def said_by_groups(drawn: Drawn, cascade: Cascade) -> Drawn:
    """Every group repeats what the mapping said of its ranks, and the mapping says nothing.

    Parts of other ranks, which occupy no array, are taken out of what is said of single Einsums.
    """
    groups, template = list[Group](), drawn.template
    for group in drawn.groups:
        mine = {rank: parts for rank, parts in drawn.splits.items() if rank in ranks_of(cascade, group)}
        lost = [p for rank, parts in drawn.splits.items() if rank not in mine for p in PART.findall(parts)]
        for einsum in group.einsums:
            template = _without(template, einsum, lost)
        groups.append(replace(group, splits=mine))
    return replace(drawn, splits={}, groups=tuple(groups), template=template)


def _without(text: str, einsum: str, parts: list[str]) -> str:
    """The mapping without some parts in what `spatial:` says of an Einsum."""

    def cut(line: re.Match[str]) -> str:
        return LIST.sub(lambda found: f"[{', '.join(p for p in _names(found[1]) if p not in parts)}]", line[0])

    return re.sub(rf"^  {einsum}: .*$", cut, text, flags=re.MULTILINE)


def resized(drawn: Drawn, cascade: Cascade, rng: Random) -> Drawn:
    """Groups with tiles of other sizes, and with tensors kept elsewhere."""
    return replace(drawn, groups=tuple(_changed(drawn, group, cascade, rng) for group in drawn.groups))


def _changed(drawn: Drawn, group: Group, cascade: Cascade, rng: Random) -> Group:
    mine = {r: parts for r, parts in drawn.splits.items() if r in ranks_of(cascade, group) and rng.random() < 0.7}
    splits = {r: re.sub(r"\d+(?=[,}])", lambda _: str(rng.choice([1, 2, 3, 4])), parts) for r, parts in mine.items()}
    keep: dict[str, dict[str, str]] = {}
    for einsum in (e for e in cascade.einsums if e.name in group.einsums):
        if rng.random() < 0.2:
            tensor = rng.choice([einsum.tensor, *(access.tensor for access in einsum.reads)])
            keep.setdefault(rng.choice(["l2", "l1"]), {})[tensor] = "{at: outside}"
    return replace(group, splits=splits, keep=keep)


def as_if_alone(drawn: Drawn, group: Group) -> Drawn:
    """What one group says, said of the whole mapping."""
    keep = {level: {**table, **group.keep.get(level, {})} for level, table in drawn.keep.items()}
    groups = tuple(replace(other, splits={}, keep={}) for other in drawn.groups)
    return replace(drawn, splits={**drawn.splits, **group.splits}, keep=keep, groups=groups)
