"""`accelsim map`: the best mappings of a workload on an architecture, found and proven by search."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.commands.names import refuse_swapped
from accelsim.commands.reply import Reply, add_overrides
from accelsim.errors import AccelsimError, nearest
from accelsim.mapper.objective import OBJECTIVES, Cost, Objective, value_of

if TYPE_CHECKING:
    from accelsim.arch import Arch
    from accelsim.mapper.choose import Candidate, Chosen, MapChoice, Way
    from accelsim.mapper.jobs import Effort
    from accelsim.mapper.limits import Limits
    from accelsim.mapping import Mapping, Placement
    from accelsim.report.mapped import Verified
    from accelsim.result import Result
    from accelsim.workload import Workload

HELP = "the best mapping of a workload on an architecture, by exact search"
FRONT = ("latency", "energy", "buffer")
PLACES = ("best", "next", "third")  # of the points that --verify runs
EXACT = 1e-9  # relative: search and depth analytic may differ by the rounding of floats, and by nothing else


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arch", metavar="ARCH", help="a path or a shipped name")
    parser.add_argument("workload", metavar="WORKLOAD", help="a path or a shipped name")
    parser.add_argument("--objective", choices=OBJECTIVES, default="latency", help="what to make least (latency)")
    parser.add_argument("--cascade", metavar="NAME", help="the only form to look at (default: all of the workload)")
    parser.add_argument("--out", type=Path, default=Path("out/map"), metavar="DIR", help="for the mapping (out/map)")
    parser.add_argument("--pareto", metavar="LIST", help="also the front of latency,energy or latency,energy,buffer")
    parser.add_argument("--limits", type=Path, metavar="FILE", help="YAML that narrows the space")
    parser.add_argument("--overlap", choices=("pipeline", "sequential"), help="how Einsums share time (pipeline)")
    parser.add_argument("--most-fused", type=int, metavar="N", help="Einsums in a group, at most")
    parser.add_argument("--seconds", type=float, metavar="S", help="take what is best by then (the whole space)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes of a long search (one for each core)")
    parser.add_argument("--space", action="store_true", help="only say how many mappings there are to search")
    parser.add_argument("--verify", choices=("cycle",), help="run the best mappings at this depth too")
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    refuse_swapped(arguments.arch, arguments.workload)
    wanted = _front_of(arguments.pareto)
    if arguments.most_fused is not None and arguments.most_fused < 1:
        raise AccelsimError(f'--most-fused: must be at least 1, got "{arguments.most_fused}"')
    effort = _effort(arguments)
    arch, workload = _loaded(arguments)
    limits = _limits(arguments, arch)
    if arguments.space:
        return _space(arch, workload, limits)
    from accelsim.mapper.choose import find_mapping

    front = bool(wanted or arguments.verify)
    try:
        chosen = find_mapping(arch, workload, arguments.objective, limits, effort, front=front, room="buffer" in wanted)
    finally:
        _show("")
    runs = _verified((arch, workload, limits), chosen, arguments.objective) if arguments.verify else []
    if runs:
        chosen = chosen.with_mappings(runs[0].mappings)
    paths = _written(arch, chosen, arguments.out)
    placed = _placed(arch, chosen, paths)
    result = _checked(arch, workload, placed, chosen.best)
    if result.energy_pj is None and (arguments.objective != "latency" or "energy" in wanted):
        raise AccelsimError(
            f"{arch.name}: a component has no energy for an action that is counted: map by latency only"
        )
    return _reply(arguments, arch, chosen, placed, result, runs)


def _space(arch: Arch, workload: Workload, limits: Limits) -> Reply:
    """The size of the space of each form, for the steps that share a mapping."""
    from accelsim.mapper.offers import offers
    from accelsim.mapper.problem import Problem
    from accelsim.mapper.space import mappings_at_most
    from accelsim.report.text import aligned

    forms = [(o, step) for each in offers(arch, workload) for o in each for step in o.different]
    rows = [(o.title, step.name, mappings_at_most(Problem(arch, step), limits)) for o, step in forms]
    table = aligned(("form", "step", "mappings, at most"), [(form, step, f"{size:.2g}") for form, step, size in rows])
    document = {"schema": 1, "kind": "map-space", "workload": workload.name, "arch": arch.name}
    return Reply(table, {**document, "forms": [{"form": f, "step": s, "mappings_at_most": n} for f, s, n in rows]})


def _effort(arguments: argparse.Namespace) -> Effort:
    """How long to search and in how many processes; what is going on is shown on a terminal."""
    seconds, workers = arguments.seconds, arguments.workers
    if seconds is not None and not seconds > 0:
        raise AccelsimError(f'--seconds: must be more than 0, got "{seconds:g}"')
    if workers is not None and workers < 1:
        raise AccelsimError(f'--workers: must be at least 1, got "{workers}"')
    from accelsim.mapper.jobs import Effort

    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return Effort(inf if seconds is None else seconds, workers or cores, _show)


def _show(said: str) -> None:
    """One line of a terminal, written over again and again."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{said}\033[K")
        sys.stderr.flush()


def _limits(arguments: argparse.Namespace, arch: Arch) -> Limits:
    """What narrows the space: a file, and options before it."""
    from accelsim.mapper.limits import Limits, load_limits

    found = load_limits(arguments.limits, arch) if arguments.limits else Limits()
    return replace(
        found,
        overlap=arguments.overlap or found.overlap,
        most_fused=found.most_fused if arguments.most_fused is None else arguments.most_fused,
    )


def _reply(
    arguments: argparse.Namespace,
    arch: Arch,
    chosen: Chosen,
    placed: tuple[Placement, ...],
    result: Result,
    runs: Sequence[Verified],
) -> Reply:
    """The answer, with the front and the runs at another depth that were asked for."""
    from accelsim.report.mapped import map_text, ranking_held, underused, verified_text

    paths = [str(path) for path in _paths(chosen, arch, arguments.out)]
    bound = _bound(arch, chosen)
    texts = [map_text(result, _trees(chosen, placed), chosen, arguments.objective, paths, bound)]
    document = _document(arguments, result, chosen, paths, bound)
    warnings = tuple(underused(result))
    if arguments.pareto:
        text, document["pareto"], document["files"] = _pareto(
            chosen, _front_of(arguments.pareto), arguments.out, result.energy_pj is not None
        )
        texts.append(text)
    if runs:
        texts.append(verified_text(runs, arguments.objective))
        document["verified"] = [_run_document(run) for run in runs]
        document["ranking_held"] = ranking_held(runs, arguments.objective)
    return Reply("\n\n".join(texts), {**document, "warnings": list(warnings)}, warnings=warnings)


def _front_of(text: str | None) -> tuple[str, ...]:
    """The objectives of `--pareto`, in the order of FRONT."""
    if text is None:
        return ()
    said = [name.strip() for name in text.split(",")]
    for name in said:
        if name not in FRONT:
            raise AccelsimError(f'--pareto: no objective "{name}"{nearest(name, FRONT)}')
    if len(set(said)) < 2:
        raise AccelsimError(f'--pareto: must name two or three of {", ".join(FRONT)}, got "{text}"')
    return tuple(name for name in FRONT if name in said)


def _loaded(arguments: argparse.Namespace) -> tuple[Arch, Workload]:
    from accelsim.arch import load_arch
    from accelsim.route import route
    from accelsim.workload import load_workload

    form = [f"cascade={arguments.cascade}"] if arguments.cascade else []
    said = route(arguments.arch, arguments.workload, None, [*arguments.overrides, *form])
    if said.mapping:
        raise AccelsimError(f"--set mapping.{said.mapping[0]}: the mapping is what map finds, nothing of it can be set")
    return load_arch(arguments.arch, said.arch), load_workload(arguments.workload, said.workload)


def _paths(chosen: Chosen, arch: Arch, out: Path) -> list[Path]:
    from accelsim.mapper.document import document_name

    return [out / f"{document_name(arch, choice.way.offer)}.yaml" for choice in chosen.choices]


def _written(arch: Arch, chosen: Chosen, out: Path) -> list[Path]:
    from accelsim.commands.files import write_text

    paths = _paths(chosen, arch, out)
    for path, choice in zip(paths, chosen.choices, strict=True):
        write_text(path, choice.mapping)
    return paths


def _placed(arch: Arch, chosen: Chosen, paths: Sequence[Path]) -> tuple[Placement, ...]:
    """The steps under the mappings as they were written."""
    from accelsim.mapper.choose import placements
    from accelsim.mapping import load_mapping

    return placements(arch, chosen.best, [load_mapping(str(path.resolve())) for path in paths])


def _checked(arch: Arch, workload: Workload, placed: tuple[Placement, ...], best: Candidate) -> Result:
    """The result at depth analytic. Raises AssertionError where the search was told another: a defect of ours."""
    from accelsim.simulate import simulate_placed

    result = simulate_placed(arch, workload, placed)
    pairs = [("seconds", best.seconds, result.seconds), ("energy_pj", best.energy_pj, result.energy_pj)]
    for name, said, exact in pairs:
        if exact is not None and abs(said - float(exact)) > EXACT * float(exact):
            raise AssertionError(f"{name} of the best mapping: {said} in the search, {float(exact)} at depth analytic")
    return result


def _bound(arch: Arch, chosen: Chosen) -> Fraction:
    """Seconds of the chosen forms at depth bound."""
    from accelsim.cost.bound import step_bound

    return sum((step_bound(arch, step).seconds for c in chosen.choices for step in c.way.offer.steps), Fraction(0))


def _trees(chosen: Chosen, placed: Sequence[Placement]) -> dict[str, str]:
    """The loops of each different step."""
    from accelsim.report.looptree import looptree_text

    first = {step.name for choice in chosen.choices for step in choice.way.offer.different}
    return {p.step.name: looptree_text(p) for p in placed if p.step.name in first}


def _pareto(
    chosen: Chosen, wanted: Sequence[str], out: Path, known: bool
) -> tuple[str, list[dict[str, object]], list[str]]:
    """The front as text and as a document, and the files of its picture."""
    from accelsim.explore.pareto import front
    from accelsim.report.mapfront import front_table, pareto_picture
    from accelsim.report.mapped import front_text
    from accelsim.report.style import save

    rows = [[_values(candidate)[name] for name in wanted] for candidate in chosen.front]
    best = [chosen.front[at] for at in front(rows)]
    table = front_table([(_form(c), _groups(c), *(_values(c)[name] for name in wanted)) for c in best], wanted)
    files = [str(path) for path in save(pareto_picture(table, wanted), out)]
    text = front_text([(f"{_form(c)}: {_groups(c)}", c) for c in best], wanted)
    points = [{"form": _form(c), "groups": [_groups_of(way) for way in c.ways], **_numbers(c, known)} for c in best]
    return "\n".join([text, *files]), points, files


def _values(candidate: Candidate) -> dict[str, float]:
    return {"latency": candidate.seconds, "energy": candidate.energy_pj, "buffer": candidate.held_bytes}


def _form(candidate: Candidate) -> str:
    return ", ".join(way.offer.title for way in candidate.ways)


def _groups(candidate: Candidate) -> str:
    return "; ".join(way.grouped for way in candidate.ways)


def _numbers(cost: Cost, known: bool) -> dict[str, object]:
    energy_pj = cost.energy_pj if known else None
    return {"seconds": cost.seconds, "energy_pj": energy_pj, "held_bytes": cost.held_bytes}


def _groups_of(way: Way) -> list[list[list[str]]]:
    """The Einsums of each group, for each shape."""
    return [[list(group.einsums) for group in found.groups] for found in way.found]


def _verified(given: tuple[Arch, Workload, Limits], chosen: Chosen, objective: Objective) -> list[Verified]:
    """The best and the next points of the front at depth cycle; what that depth refuses is said."""
    from accelsim.mapper.choose import mapping_texts, mappings, placements
    from accelsim.mapper.schedule import scheduled
    from accelsim.report.mapped import Verified
    from accelsim.simulate import simulate_placed

    arch, workload, limits = given

    def seconds(candidate: Candidate, found: Sequence[Mapping]) -> float:
        return float(simulate_placed(arch, workload, placements(arch, candidate, found), "cycle").seconds)

    others = [c for c in chosen.front if c is not chosen.best]
    others.sort(key=lambda c: value_of(c.seconds, c.energy_pj, objective))
    found: list[Verified] = []
    for place, candidate in zip(PLACES, [chosen.best, *others], strict=False):
        plain = mapping_texts(arch, candidate, limits)
        run = Verified(f"{place}: {_form(candidate)}", candidate.seconds, candidate.energy_pj, None, plain)
        try:
            default = seconds(candidate, mappings(candidate, plain))
            each = [scheduled(arch, way.offer, way.found, limits) for way in candidate.ways]
            texts = tuple(schedule.mapping for schedule in each)
            said = tuple(dict.fromkeys(name for schedule in each for name in schedule.chosen))
            cycle = seconds(candidate, mappings(candidate, texts))
            found.append(replace(run, cycle_seconds=cycle, mappings=texts, default_seconds=default, chosen=said))
        except AccelsimError as error:
            found.append(replace(run, refusal=str(error)))
    return found


def _run_document(run: Verified) -> dict[str, object]:
    return {
        "form": run.title,
        "seconds": run.seconds,
        "cycle_seconds": run.cycle_seconds,
        "default_cycle_seconds": run.default_seconds,
        "chosen": list(run.chosen),
        "message": run.refusal or None,
    }


def _document(
    arguments: argparse.Namespace, result: Result, chosen: Chosen, paths: Sequence[str], bound: Fraction
) -> dict[str, object]:
    """`mapping` and `path` are those of the only function of the workload, null where it has several."""
    steps = [
        _step(choice, path, result.energy_pj is not None) for choice, path in zip(chosen.choices, paths, strict=True)
    ]
    alone = steps[0] if len(steps) == 1 else {"mapping": None, "path": None}
    return {
        "schema": 1,
        "kind": "map",
        "workload": result.workload,
        "arch": result.arch,
        "objective": arguments.objective,
        "overlap": arguments.overlap,
        "most_fused": arguments.most_fused,
        "result": result.to_json(),
        "mapping": alone["mapping"],
        "path": alone["path"],
        "gap": chosen.gap,
        "bound_seconds": float(bound),
        "evaluated": sum(choice.tally.looked_at for choice in chosen.choices),
        "search_seconds": chosen.search_seconds,
        "steps": steps,
    }


def _step(choice: MapChoice, path: str, known: bool) -> dict[str, object]:
    """What was chosen for a function, and what from; `known`: whether the architecture has all energies."""
    from accelsim.report.mapped import second_title

    offer, tally = choice.way.offer, choice.tally
    second = None
    if choice.second is not None:
        second = {**_numbers(choice.second, known), "groups": _groups_of(choice.second), "what": second_title(choice)}
    return {
        "function": offer.function,
        "cascade": offer.cascade,
        "params": dict(offer.given),
        "steps": [step.name for step in offer.steps],
        "mapping": choice.mapping,
        "path": path,
        **_numbers(choice.way, known),
        "groups": _groups_of(choice.way),
        "second": second,
        "forms": [{"form": each.title, **(_numbers(way, known) if way else {})} for each, way in choice.forms],
        "schemes": tally.schemes,
        "candidates": tally.candidates,
        "evaluated": tally.looked_at,
        "search_seconds": choice.search_seconds,
    }
