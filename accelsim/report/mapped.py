"""What the mapper found, as text: the result, the loops, how good it is, what came second and why it lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from accelsim.mapper.choose import Chosen, MapChoice, Way
from accelsim.mapper.objective import Cost, Objective, value_of
from accelsim.report.numbers import digits
from accelsim.report.text import aligned, binary, energy, percent, result_text, scaled
from accelsim.result import Result

SPACE = "docs/mapper.md"
LOW = Fraction(1, 2)  # of the PEs of a unit that binds: fewer in use are worth a warning
NEAR = 1e-9  # relative: closer than this is the same to a reader


@dataclass(frozen=True)
class Verified:
    """A point of the front run at depth `cycle`: its seconds there, or why it could not be run.

    Attributes:
        mappings: its documents, one for each function, with what was chosen.
        default_seconds: at depth `cycle` with nothing chosen.
        chosen: in-flight counts and copies that make the run shorter.
    """

    title: str
    seconds: float
    energy_pj: float
    cycle_seconds: float | None
    mappings: tuple[str, ...] = ()
    default_seconds: float | None = None
    chosen: tuple[str, ...] = ()
    refusal: str = ""


def map_text(
    result: Result,
    trees: Mapping[str, str],
    chosen: Chosen,
    objective: Objective,
    paths: Sequence[str],
    bound: Fraction,
) -> str:
    """Everything that is said of the best mapping.

    Args:
        trees: step to the loops of its mapping.
        paths: the file of each choice.
        bound: seconds at depth `bound`.
    """
    loops = [f"{name}\n{tree}" if len(trees) > 1 else tree for name, tree in trees.items()]
    known = result.energy_pj is not None
    choices = [text for choice in chosen.choices for text in _choice(choice, len(chosen.choices) > 1, known)]
    sections = [result_text(result), *loops, _search(result, chosen, objective, paths, bound), *choices]
    return "\n\n".join(sections)


def _search(result: Result, chosen: Chosen, objective: Objective, paths: Sequence[str], bound: Fraction) -> str:
    tallies = [choice.tally for choice in chosen.choices]
    looked = (
        f"{sum(t.schemes for t in tallies):,} loop orders and assignments, "
        f"{sum(t.candidates for t in tallies):,} tilings, {sum(t.looked_at for t in tallies):,} ways to keep tensors "
        f"in {scaled(Fraction(chosen.search_seconds), 's')}"
    )
    times = float(result.seconds / bound) if bound else 1.0
    ratio = "which this reaches" if times < 1 + NEAR else f"and this takes {digits(times)} times as long"
    lines = [
        ("written", ", ".join(paths)),
        _optimum(chosen, objective),
        ("bound", f"{scaled(bound, 's')} at depth bound: no mapping of any space is faster, {ratio}"),
        ("searched", looked),
    ]
    return "\n".join(f"{name:<9}{says}" for name, says in lines)


def _optimum(chosen: Chosen, objective: Objective) -> tuple[str, str]:
    if not any(choice.tally.stopped for choice in chosen.choices):
        return (
            "optimum",
            f"least {objective}, gap 0%: the search leaves out no mapping of its space ({SPACE}) that is better",
        )
    gap = percent(Fraction(chosen.gap))
    return (
        "stopped",
        f"best {objective} found in time, gap {gap}: no mapping of the space ({SPACE}) saves more than that",
    )


def _choice(choice: MapChoice, many: bool, known: bool) -> Iterator[str]:
    """The forms on offer, and what came second; `known`: whether the architecture has all energies."""
    if len(choice.forms) > 1:
        lines = [_form(offer.title, way, choice.way, known) for offer, way in choice.forms]
        yield aligned(("form", "time", "energy", "kept on chip", "groups"), lines)
    head = f"second of {choice.way.offer.title}" if many else "second"
    if choice.second is not None:
        yield f"{head}  {second_title(choice)}: {against(choice.second, choice.way, known)}"
    elif not many:
        yield f"{head}  nothing: all else that was found is no better in time, energy or bytes held"


def _form(title: str, way: Way | None, best: Way, known: bool) -> tuple[str, ...]:
    if way is None:
        return title, "-", "-", "-", "no mapping fits"
    number = max(len(found.groups) for found in way.found)
    mark = ", chosen" if way is best else ""
    spent = energy(way.energy_pj if known else None)
    return title, scaled(Fraction(way.seconds), "s"), spent, binary(way.held_bytes), f"in {number}{mark}"


def second_title(choice: MapChoice) -> str:
    """What tells the second best from the best: its form, its groups, or nothing but tiles and what is kept."""
    best, second = choice.way, choice.second
    if second is None:
        return ""
    if second.offer.title != best.offer.title:
        return second.offer.title
    if second.grouped != best.grouped:
        return f"groups {second.grouped}"
    return "other tiles in the same groups"


def against(other: Cost, best: Cost, known: bool = True) -> str:
    """How a mapping differs from the best one, in words; without energy where that is not `known`.

    >>> from accelsim.mapper.search import Found
    >>> against(Found(3.0, 9.0, 0.0, ()), Found(2.0, 10.0, 0.0, ()))
    '50% slower, 10% less energy'
    """
    time = _by(other.seconds, best.seconds, ("slower", "faster", "as fast", "as long"))
    words = ("more energy", "less energy", "the same energy", "the energy")
    return f"{time}, {_by(other.energy_pj, best.energy_pj, words)}" if known else time


def _by(value: float, than: float, words: tuple[str, str, str, str]) -> str:
    """`words`: for more, for less, for the same, and for so many times."""
    more, less, same, times = words
    if abs(value - than) <= NEAR * abs(than):
        return same
    if value > 2 * than:
        return f"{digits(value / than)} times {times}" if than else more
    return f"{percent(abs(value - than) / than)} {more if value > than else less}"


def underused(result: Result) -> list[str]:
    """A warning for each unit that binds some of the time and yet leaves most of its PEs idle while it is busy."""
    found = []
    for name, use in result.units.items():
        if not any(part.bound_by == name for part in result.parts) or not use.busy_cycles or not result.cycles_exact:
            continue
        used = use.utilization * result.cycles_exact / use.busy_cycles
        if used < LOW:
            mine = [(e, each) for e, each in result.einsums.items() if each.unit == name]
            worst = max(mine, key=lambda item: item[1].busy_cycles - item[1].utilization * (result.cycles_exact or 0))
            found.append(
                f"{name} binds and yet uses {percent(used)} of its PEs while it is busy, the fewest in {worst[0]}: "
                "a spread of more coordinates, larger sizes or a smaller array would serve better"
            )
    return found


def verified_text(runs: Sequence[Verified], objective: Objective) -> str:
    """Both depths side by side, and whether the order of the points is the same."""
    lines = [
        (
            run.title,
            scaled(Fraction(run.seconds), "s"),
            *(
                "-" if each is None else scaled(Fraction(each), "s")
                for each in (run.default_seconds, run.cycle_seconds)
            ),
            run.refusal or _by(run.cycle_seconds or 0, run.seconds, ("longer", "shorter", "the same", "as long")),
            ", ".join(run.chosen),
        )
        for run in runs
    ]
    table = aligned(("verified", "analytic", "cycle", "with what follows", "", "chosen at depth cycle"), lines)
    held = ranking_held(runs, objective)
    if held is None:
        return f"{table}\nfewer than two ran at depth cycle: there is no ranking to compare"
    return f"{table}\nby {objective} the ranking of depth analytic {'held' if held else 'did not hold'} at depth cycle"


def ranking_held(runs: Sequence[Verified], objective: Objective) -> bool | None:
    """Whether what is better at depth analytic is no worse at depth cycle; None for fewer than two runs."""
    ran = [(run, run.cycle_seconds) for run in runs if run.cycle_seconds is not None]
    if len(ran) < 2:
        return None
    before = [value_of(run.seconds, run.energy_pj, objective) for run, _ in ran]
    after = [value_of(seconds, run.energy_pj, objective) for run, seconds in ran]
    pairs = [(a, b) for a in range(len(ran)) for b in range(len(ran)) if before[a] < before[b] * (1 - NEAR)]
    return all(after[a] <= after[b] * (1 + NEAR) for a, b in pairs)


def front_text(rows: Sequence[tuple[str, Cost]], wanted: Sequence[str]) -> str:
    """The Pareto front as a table, fastest first."""
    heads = {"latency": "time", "energy": "energy", "buffer": "kept on chip"}
    lines = [(str(at), *(_shown(cost, name) for name in wanted), title) for at, (title, cost) in enumerate(rows, 1)]
    return aligned(("front", *(heads[name] for name in wanted), "form and groups"), lines)


def _shown(cost: Cost, name: str) -> str:
    if name == "latency":
        return scaled(Fraction(cost.seconds), "s")
    return energy(cost.energy_pj) if name == "energy" else binary(cost.held_bytes)
