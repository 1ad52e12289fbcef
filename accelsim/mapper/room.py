"""Why no mapping was found: operators that nothing has, Einsums that cannot be parted, or levels that are too small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from accelsim.arch import Arch, Level
from accelsim.cost.bound import step_bound
from accelsim.errors import AccelsimError
from accelsim.mapper.fold import ROOMY
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits
from accelsim.mapper.offers import Offer
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import Found, best_mappings
from accelsim.mapper.write import mapping_text
from accelsim.mapping import Placement, place
from accelsim.mapping.capacity import fullest
from accelsim.mapping.load import parse_mapping
from accelsim.workload import Step

AMPLE = Fraction(1 << 62)
"""Bytes: of a level that is as large as needed, and yet is counted."""


def why_none(arch: Arch, offered: Sequence[Offer], limits: Limits) -> AccelsimError:
    """The error for a function of which no form has a mapping, each with its reason."""
    reasons = {offer.title: _reason(arch, offer, limits) for offer in offered}
    listed = "; ".join(f"{title}: {reason}" for title, reason in reasons.items())
    return AccelsimError(f"no mapping on {arch.name} fits: {listed}")


def _reason(arch: Arch, offer: Offer, limits: Limits) -> str:
    for step in offer.different:
        if best_mappings(Problem(arch, step), limits, Tally()):
            continue
        try:
            step_bound(arch, step)
        except AccelsimError as error:
            return error.message
        longest = max(_together(Problem(arch, step)), key=len, default=())
        if limits.most_fused is not None and len(longest) > limits.most_fused:
            names = " ".join(longest)
            return f"{names} recur together, a group of {len(longest)}, and at most {limits.most_fused} are allowed"
        return _too_small(arch, step, limits)
    return "nothing is wrong with any of its steps alone"


def _together(problem: Problem) -> list[tuple[str, ...]]:
    """Runs of Einsums in the order written that no group can part: recurrences, with what stands between them."""
    names = [e.name for e in problem.einsums]
    spans = sorted((min(at), max(at)) for at in ([names.index(n) for n in part] for part in problem.components))
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return [tuple(names[first : last + 1]) for first, last in merged]


def _too_small(arch: Arch, step: Step, limits: Limits) -> str:
    """The level that keeps a step from running, and the least that would do."""
    limited = [level for level in arch.levels[1:] if level.capacity_bytes is not None]
    for level in limited:
        least = smallest_capacity(arch, step, level.name, limits)
        if least is not None:
            return f"{level.name} of {_bytes(level.capacity_bytes)} is too small, {_bytes(least)} would do"
    needs = [_need(_with_capacity(arch, {v.name: AMPLE for v in limited}), step, v.name, limits) for v in limited]
    if limited and None not in needs:
        listed = ", ".join(f"{v.name} {_bytes(need)}" for v, need in zip(limited, needs, strict=True))
        return f"several levels are too small; these would do: {listed}"
    return "the space that is searched has no mapping of it on any capacity (docs/mapper.md)"


def smallest_capacity(arch: Arch, step: Step, level: str, limits: Limits) -> Fraction | None:
    """The fewest bytes of a level with which some mapping fits, the other levels being as they are.

    None where no size of this level is enough.
    """
    least, capacity = None, AMPLE
    while (need := _need(_with_capacity(arch, {level: capacity}), step, level, limits)) is not None:
        least, capacity = need, need - 1
        if need == 0:
            break
    return least


def _need(arch: Arch, step: Step, level: str, limits: Limits) -> Fraction | None:
    """The bytes that a level holds in the mapping that holds the fewest; None where none fits."""
    problem = Problem(arch, step)
    front = best_mappings(problem, limits, Tally(), ROOMY)
    if not front:
        return None
    fewest = min(front, key=lambda found: found.held_bytes)
    return max(_held(_placed(problem, fewest, limits), level), default=Fraction(0))


def _placed(problem: Problem, found: Found, limits: Limits) -> Placement:
    text = mapping_text(problem, "smallest", found.groups, limits)
    return place(parse_mapping(text, "smallest"), problem.arch, problem.step)


def _held(placement: Placement, level: str) -> Iterator[Fraction]:
    """Bytes that each group keeps at a level."""
    for group in placement.plan.groups:
        view = placement.within(group)
        if level in view.plan.keep:
            yield sum(fullest(view, level, group).values(), Fraction(0))


def _with_capacity(arch: Arch, capacities: dict[str, Fraction]) -> Arch:
    def sized(level: Level) -> Level:
        return replace(level, capacity_bytes=capacities.get(level.name, level.capacity_bytes))

    return replace(arch, levels=tuple(map(sized, arch.levels)))


def _bytes(size: Fraction | None) -> str:
    return f"{float(size or 0):,.10g} B"
