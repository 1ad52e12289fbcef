"""What depth `analytic` does not see, chosen by running depth `cycle`: iterations in flight, copies of what is kept.

The optimum of the search stays what it is: neither changes seconds, energy or bytes moved at depth `analytic`. One
setting after the other is tried, group by group, and kept where the run is shorter. That is a descent, no proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import yaml

from accelsim.arch import Arch
from accelsim.errors import AccelsimError
from accelsim.mapper.document import joined_text, shape_texts
from accelsim.mapper.limits import Limits
from accelsim.mapper.offers import Offer
from accelsim.mapper.search import Found
from accelsim.mapper.write import rendered
from accelsim.mapping import place
from accelsim.mapping.load import parse_mapping
from accelsim.program.model import bodies
from accelsim.program.timed import timed
from accelsim.workload import Step

COPIES = 2
ROUNDS = 4
Plain = dict[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Setting:
    """One thing that a mapping leaves to depth `cycle`: where it stands in the document, and in what it shows.

    Attributes:
        group: the name of the group.
        tensor: what there may be more copies of; None: iterations in flight.
    """

    path: Path
    group: str
    tensor: str | None

    @property
    def title(self) -> str:
        return f"copies of {self.tensor}" if self.tensor else "in flight"


@dataclass(frozen=True)
class Schedule:
    """A mapping with what was chosen at depth `cycle`.

    Attributes:
        mapping: its document.
        chosen: what was set, `in flight 4`, `copies of K 2`.
    """

    mapping: str
    chosen: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """A run: its seconds, what its units waited for, and how many iterations each group had in flight."""

    seconds: Fraction
    waited_for: frozenset[tuple[str, str]]
    in_flight: Mapping[str, int]

    def names(self, setting: Setting) -> bool:
        """Whether a unit waited for what a setting gives more of: the window, or a tensor or room for it.

        A second place for a tensor lets its maker or its load, which others wait for, run ahead.
        """
        if setting.tensor is None:
            return any(cause == "window" for cause, _ in self.waited_for)
        parts = [what.split(".") for _, what in self.waited_for]
        return any(setting.tensor in each and each[0] in (setting.group, setting.tensor) for each in parts)


Run = Callable[[Plain], Outcome]


def scheduled(arch: Arch, offer: Offer, found: Sequence[Found], limits: Limits) -> Schedule:
    """The document of a mapping, with in-flight counts and copies that made the run at depth `cycle` shorter.

    Raises:
        AccelsimError: depth `cycle` refuses the mapping as it was found.
    """
    texts, chosen = [], list[str]()
    for step, text in zip(offer.different, shape_texts(arch, offer, found, limits), strict=True):
        plain: Plain = yaml.safe_load(text)
        names = [group.name for group in place(parse_mapping(text, step.name), arch, step).plan.groups]
        best, said = descent(plain, settings(plain, names), _runs(arch, step))
        texts.append(rendered(best))
        chosen += said
    return Schedule(joined_text(texts, offer), tuple(dict.fromkeys(chosen)))


def settings(plain: Mapping[str, Any], names: Sequence[str]) -> list[Setting]:
    """Of each group its in-flight count, and the copies of all that it keeps."""
    found = []
    for at, (group, name) in enumerate(zip(plain["groups"], names, strict=True)):
        for level, kept in group.get("keep", {}).items():
            for tensor in kept["tensors"]:
                found.append(Setting(("groups", at, "keep", level, "tensors", tensor, "copies"), name, tensor))
        found.append(Setting(("groups", at, "in_flight"), name, None))
    return found


def descent(plain: Plain, choices: Sequence[Setting], run: Run) -> tuple[Plain, list[str]]:
    """The document with more of what units waited for, as long as that makes the run shorter; and what was set.

    In each round everything that was waited for is given at once, since two tensors that wait for each other gain
    nothing one at a time; where that has no room, one by one. At the end what is not needed is taken back.
    """
    best, outcome = plain, run(plain)
    for _ in range(ROUNDS):
        wanted = [setting for setting in choices if outcome.names(setting) and _more(best, setting, outcome)]
        better = _first_better(best, [wanted, *([setting] for setting in wanted)], outcome, run)
        if better is None:
            break
        best, outcome = better
    for setting in choices:
        tried = with_value(best, setting.path, None)
        if tried != best and (less := _tried(tried, run)) is not None and less.seconds <= outcome.seconds:
            best, outcome = tried, less
    said = ((setting, _value(best, setting.path)) for setting in choices)
    return best, [f"{setting.title} {value}" for setting, value in said if value is not None]


def _first_better(
    plain: Plain, tries: Sequence[Sequence[Setting]], outcome: Outcome, run: Run
) -> tuple[Plain, Outcome] | None:
    """The first of the tries that makes the run shorter."""
    for every in tries:
        tried = plain
        for setting in every:
            tried = with_value(tried, setting.path, _more(plain, setting, outcome))
        found = _tried(tried, run)
        if found is not None and found.seconds < outcome.seconds:
            return tried, found
    return None


def _more(plain: Plain, setting: Setting, outcome: Outcome) -> int | None:
    """The next value of a setting, None where there is no more to give."""
    if setting.tensor is None:
        return 2 * outcome.in_flight[setting.group]
    return COPIES if _value(plain, setting.path) is None else None


def with_value(plain: Plain, path: Path, value: int | None) -> Plain:
    """The document with another value at a path; None: without the key."""
    changed = deepcopy(plain)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return changed


def _value(plain: Plain, path: Path) -> int | None:
    inner: Any = plain
    for key in path[:-1]:
        inner = inner[key]
    found: int | None = inner.get(path[-1])
    return found


def _tried(plain: Plain, run: Run) -> Outcome | None:
    """A run; None where it is refused, as where copies have no room."""
    try:
        return run(plain)
    except AccelsimError:
        return None


def _runs(arch: Arch, step: Step) -> Run:
    """How a step runs at depth `cycle` under a document."""

    def run(plain: Plain) -> Outcome:
        placement = place(parse_mapping(rendered(plain), step.name), arch, step)
        found = timed((placement,), step.name)
        waited = frozenset(reason for table in found.run.idle.values() for reason in table)
        windows = [body.in_flight for _, _, body in bodies(found.program.root)]
        names = [group.name for group in placement.plan.groups]
        return Outcome(found.run.seconds, waited, dict(zip(names, windows, strict=True)))

    return run
