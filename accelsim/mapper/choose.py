"""The best mapping of a whole workload: every form on offer searched, one chosen for each function by an objective."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import monotonic

from accelsim.arch import Arch
from accelsim.mapper.document import document_text
from accelsim.mapper.fold import FASTEST, PARETO, ROOMY, THRIFTIEST
from accelsim.mapper.group import Tally
from accelsim.mapper.jobs import Answer, Effort, Job, answers, search
from accelsim.mapper.limits import Limits
from accelsim.mapper.objective import Objective, best_of, pruned, value_of
from accelsim.mapper.offers import Offer, offers
from accelsim.mapper.room import why_none
from accelsim.mapper.search import Found
from accelsim.mapping import Mapping, Placement, place
from accelsim.mapping.load import parse_mapping
from accelsim.workload import Step, Workload


@dataclass(frozen=True)
class Way:
    """One way to run a function: a form of it, and a mapping for each shape of its steps."""

    offer: Offer
    found: tuple[Found, ...]

    @cached_property
    def _each(self) -> tuple[Found, ...]:
        return tuple(self.found[self.offer.which(step)] for step in self.offer.steps)

    @cached_property
    def seconds(self) -> float:
        return sum(each.seconds for each in self._each)

    @cached_property
    def energy_pj(self) -> float:
        return sum(each.energy_pj for each in self._each)

    @cached_property
    def held_bytes(self) -> float:
        return max(each.held_bytes for each in self.found)

    @property
    def grouped(self) -> str:
        """The Einsums of each group: `QK GM | SN SD A AV`; of several shapes one behind the other."""
        return " / ".join(dict.fromkeys(" | ".join(" ".join(g.einsums) for g in f.groups) for f in self.found))


@dataclass(frozen=True)
class Candidate:
    """A mapping of a whole workload: a way for each of its functions."""

    ways: tuple[Way, ...]

    @cached_property
    def seconds(self) -> float:
        return sum(way.seconds for way in self.ways)

    @cached_property
    def energy_pj(self) -> float:
        return sum(way.energy_pj for way in self.ways)

    @cached_property
    def held_bytes(self) -> float:
        return max((way.held_bytes for way in self.ways), default=0.0)


@dataclass(frozen=True)
class MapChoice:
    """The best mapping of a function's steps, and what it was chosen from.

    Attributes:
        way: the form and what was found for each shape.
        mapping: its document.
        second: the best of all others: another form, or another point of the same front; where there is none, one
            Einsum at a time; None where that is the same.
        forms: the best of each form on offer, in the order of the file; None where none of its mappings fits.
        search_seconds: of wall clock, in all processes together.
    """

    way: Way
    mapping: str
    second: Way | None
    forms: tuple[tuple[Offer, Way | None], ...]
    tally: Tally
    search_seconds: float

    @property
    def step(self) -> Step:
        return self.way.offer.steps[0]

    @property
    def found(self) -> Found:
        return self.way.found[0]


@dataclass(frozen=True)
class Chosen:
    """The choices for all functions of a workload, and the Pareto front that they are a point of.

    Attributes:
        gap: (best - lower bound) / best of the objective; 0 where the whole space was searched.
        search_seconds: of wall clock.
    """

    best: Candidate
    choices: tuple[MapChoice, ...]
    front: tuple[Candidate, ...]
    gap: float
    search_seconds: float

    @cached_property
    def mappings(self) -> tuple[Mapping, ...]:
        """The best mapping of each function, which `simulate` takes."""
        return mappings(self.best, [choice.mapping for choice in self.choices])

    def with_mappings(self, texts: Sequence[str]) -> Chosen:
        """The same with other documents, such as those of `schedule`."""
        given = zip(self.choices, texts, strict=True)
        return replace(self, choices=tuple(replace(choice, mapping=text) for choice, text in given))


def find_mapping(
    arch: Arch,
    workload: Workload,
    objective: Objective = "latency",
    limits: Limits | None = None,
    effort: Effort | None = None,
    *,
    front: bool = False,
    room: bool = False,
) -> Chosen:
    """The best mapping of every function of a workload under depth `analytic`.

    Args:
        front: whether the whole Pareto front of seconds and energy is wanted, and not only what is best.
        room: whether bytes held are an objective of the front too.

    Raises:
        AccelsimError: a function of which no mapping fits, with the smallest capacity that would do.
    """
    limits, effort = limits or Limits(), effort or Effort()
    goal, start = goal_of(objective, front=front, room=room), monotonic()
    until = start + effort.seconds
    offered = offers(arch, workload)
    jobs = [Job(arch, step, limits, goal, until, 1) for each in offered for o in each for step in o.different]
    found = iter(answers(jobs, effort))
    searched = [_Searched.of(arch, each, limits, goal, found) for each in offered]
    candidates = [Candidate(())]
    for each in searched:
        wider = [Candidate((*c.ways, way)) for c in candidates for way in each.front]
        candidates = pruned(wider, room=room)
    best = best_of(candidates, objective)
    choices = tuple(each.chosen(way, objective, until) for each, way in zip(searched, best.ways, strict=True))
    return Chosen(best, choices, tuple(candidates), _gap(searched, best, objective), monotonic() - start)


def _gap(searched: Sequence[_Searched], best: Candidate, objective: Objective) -> float:
    """How far the best may be from the optimum, as a share of it; 0 where nothing was left out."""
    if not any(each.tally.stopped for each in searched):
        return 0.0
    seconds, energy = (sum(each.floor[at] for each in searched) for at in range(2))
    return 1 - value_of(seconds, energy, objective) / value_of(best.seconds, best.energy_pj, objective)


def goal_of(objective: Objective, *, front: bool, room: bool) -> int:
    """What a search must find: the least product of seconds and energy may be anywhere on the front."""
    if room:
        return ROOMY
    return PARETO if front or objective == "edp" else FASTEST if objective == "latency" else THRIFTIEST


def mapping_texts(arch: Arch, candidate: Candidate, limits: Limits | None = None) -> tuple[str, ...]:
    """The document of the mapping that a candidate has for each function."""
    return tuple(document_text(arch, way.offer, way.found, limits or Limits()) for way in candidate.ways)


def mappings(candidate: Candidate, texts: Sequence[str]) -> tuple[Mapping, ...]:
    """The mappings of documents, one for each function of a candidate."""
    return tuple(parse_mapping(text, way.offer.title) for text, way in zip(texts, candidate.ways, strict=True))


def placements(arch: Arch, candidate: Candidate, given: Sequence[Mapping]) -> tuple[Placement, ...]:
    """Every step of the workload placed under the mapping given for its function, in the order of the workload."""
    placed: dict[int, Placement] = {}
    for way, mapping in zip(candidate.ways, given, strict=True):
        for at, step in zip(way.offer.places, way.offer.steps, strict=True):
            placed[at] = place(mapping, arch, step)
    return tuple(placed[at] for at in sorted(placed))


@dataclass(frozen=True)
class _Searched:
    """Every way that was found for a function, by the form that it is of.

    Attributes:
        floor: seconds and energy in pJ that every mapping of every form takes at least.
    """

    arch: Arch
    limits: Limits
    goal: int
    ways: tuple[tuple[Offer, tuple[Way, ...]], ...]
    tally: Tally
    seconds: float
    floor: tuple[float, float]

    @staticmethod
    def of(arch: Arch, offered: Sequence[Offer], limits: Limits, goal: int, found: Iterator[Answer]) -> _Searched:
        """From the answers for all forms and shapes, in their order."""
        each = [(offer, [next(found) for _ in offer.different]) for offer in offered]
        ways = tuple((offer, _ways(offer, given, goal)) for offer, given in each)
        if not any(way for _, way in ways):
            raise why_none(arch, offered, limits)
        every = [answer for _, given in each for answer in given]
        schemes, candidates, looked_at = (
            sum(getattr(a.tally, n) for a in every) for n in ("schemes", "candidates", "looked_at")
        )
        tally = Tally(schemes, candidates, looked_at, stopped=any(a.tally.stopped for a in every))
        floors = [
            tuple(sum(given[o.which(step)].floor[at] for step in o.steps) for at in range(2)) for o, given in each
        ]
        floor = (min(seconds for seconds, _ in floors), min(energy for _, energy in floors))
        return _Searched(arch, limits, goal, ways, tally, sum(a.search_seconds for a in every), floor)

    @property
    def every(self) -> list[Way]:
        return [way for _, ways in self.ways for way in ways]

    @property
    def front(self) -> list[Way]:
        return pruned(self.every, room=self.goal == ROOMY)

    def chosen(self, way: Way, objective: Objective, until: float) -> MapChoice:
        text = document_text(self.arch, way.offer, way.found, self.limits)
        forms = tuple((offer, best_of(ways, objective) if ways else None) for offer, ways in self.ways)
        return MapChoice(way, text, self._second(way, objective, until), forms, self.tally, self.seconds)

    def _second(self, way: Way, objective: Objective, until: float) -> Way | None:
        others: Sequence[Way] = [each for each in self.every if each is not way]
        if not others and any(len(group.einsums) > 1 for found in way.found for group in found.groups):
            limits = replace(self.limits, most_fused=1)
            jobs = [Job(self.arch, step, limits, self.goal, until, 1) for step in way.offer.different]
            others = _ways(way.offer, [search(job) for job in jobs], self.goal)
        return best_of(others, objective) if others else None


def _ways(offer: Offer, given: Sequence[Answer], goal: int) -> tuple[Way, ...]:
    """What was found of a form: every combination of what was found for its shapes."""
    front: list[tuple[Found, ...]] = [()]
    for answer in given:
        front = [(*before, each) for before in front for each in answer.found]
    return tuple(pruned([Way(offer, found) for found in front], room=goal == ROOMY))
