"""`accelsim topk`: which top-k engine keeps up with what makes the scores, and how many lanes it needs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.commands.reply import Reply
from accelsim.commands.topk_sweep import sweep_reply
from accelsim.errors import AccelsimError, Mark

if TYPE_CHECKING:
    from accelsim.units.topk.rate import Balance, Demand

HELP = "which top-k engine keeps up with a rate of scores; the lanes that each needs"
PERCENT = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=8.0, metavar="R", help="scores that come in a cycle (default: 8)")
    parser.add_argument(
        "--n", type=int, nargs="+", metavar="N", help="scores of a job (default: 1024; of a sweep 128 to 4096)"
    )
    parser.add_argument(
        "--keep", type=float, nargs="+", metavar="X", help="part that is kept (default: 0.5; of a sweep 0.05 to 0.5)"
    )
    parser.add_argument(
        "--lanes", type=int, default=16, metavar="N", help="of the quick-select that is asked about (default: 16)"
    )
    parser.add_argument("--score-bits", type=int, default=12, metavar="N", help="bits of a score (default: 12)")
    parser.add_argument(
        "--scores", default="distinct", metavar="NAME", help="what they are drawn from: distinct, uniform or softmax"
    )
    parser.add_argument(
        "--stall", type=float, default=5.0, metavar="P", help="percent of the time that scores may wait (default: 5)"
    )
    parser.add_argument("--samples", type=int, metavar="N", help="jobs that are drawn (default: 300)")
    parser.add_argument(
        "--sweep",
        action="store_true",
        help="tables over --n and --keep: lanes needed and how long scores wait, by means",
    )
    parser.add_argument("--engines", nargs="+", metavar="NAME", help="of a sweep (default: quickselect)")
    parser.add_argument("--overhead", type=int, metavar="N", help="of a sweep: cycles of a pass beyond its reads")
    parser.add_argument("--out", type=Path, metavar="DIR", help="of a sweep: also draw it")


def run(arguments: argparse.Namespace) -> Reply:
    unused = ("samples",) if arguments.sweep else ("engines", "overhead", "out")
    for name in unused:
        if getattr(arguments, name) is not None:
            with_it = "without" if arguments.sweep else "with"
            raise AccelsimError(f"is read {with_it} --sweep only", Mark(f"--{name}", 1, 1))
    if arguments.sweep:
        return sweep_reply(arguments)
    return _design_reply(arguments)


def _design_reply(arguments: argparse.Namespace) -> Reply:
    """What each job needs, and the design with the least logic that keeps up."""
    from accelsim.report.text import aligned
    from accelsim.units.topk.rate import SAMPLES

    samples = SAMPLES if arguments.samples is None else arguments.samples
    jobs = [_job(arguments, samples, n, keep) for n in arguments.n or (1024,) for keep in arguments.keep or (0.5,)]
    chosen = {name: getattr(arguments, name) for name in ("rate", "lanes", "score_bits", "scores", "stall")}
    chosen["samples"] = samples
    document = {"schema": 1, "kind": "topk", **chosen, "jobs": jobs}
    head = ("n", "k", "interval", "of", "waits", "engines", "lanes needed", "keeps up with the least logic")
    title = f"{arguments.rate:g} scores in a cycle; quick-select with {arguments.lanes} lanes, its three parts at once"
    return Reply(f"{title}\n{aligned(head, [_line(job) for job in jobs])}", document)


def _job(arguments: argparse.Namespace, samples: int, n: int, keep: float) -> dict[str, Any]:
    """What became of one job: the quick-select asked about, the lanes it needs, and the design space."""
    from accelsim.units.topk.engines import ENGINES
    from accelsim.units.topk.job import Ranking
    from accelsim.units.topk.rate import OVERLAPS, balance, cheapest, demand, design_space, lanes_needed

    if not 0 <= keep <= 1:
        raise AccelsimError(f'keep: must be from 0 to 1, got "{keep:g}"')
    job = Ranking(n, int(keep * n), arguments.scores)
    asked = demand(job, arguments.score_bits, arguments.rate, arguments.stall / PERCENT, samples)
    quick = ENGINES["quickselect"]
    params = {overlap: quick.params(lanes=arguments.lanes, overlap=overlap) for overlap in OVERLAPS}
    needed = {overlap: lanes_needed(quick, plain, asked) for overlap, plain in params.items()}
    space = design_space(asked)
    best = cheapest([option for option in space.values() if option])
    return {
        "n": job.n,
        "k": job.k,
        "budget": asked.budget,
        "quickselect": {overlap: _shown(balance(quick, plain, asked), asked) for overlap, plain in params.items()},
        "lanes_needed": {overlap: found and found.params.lanes for overlap, found in needed.items()},
        "engines": {name: found and _shown(found, asked) for name, found in space.items()},
        "chosen": best and best.engine,
    }


def _shown(found: Balance, asked: Demand) -> dict[str, Any]:
    cycles = {"interval": found.interval, "stall": found.stall, "p99": found.p99, "worst_case": found.worst}
    return {"params": asdict(found.params), **cycles, "engines": found.engines, "parts_bits": asdict(found.parts)}


def _line(job: Mapping[str, Any]) -> tuple[str, ...]:
    quick, chosen, needed = job["quickselect"]["all"], job["chosen"], job["lanes_needed"]["all"]
    engine = _described(chosen, job["engines"][chosen]["params"]) if chosen else "none"
    interval, budget, stall = f"{quick['interval']:.0f}", f"{job['budget']:.0f}", f"{quick['stall']:.0%}"
    return str(job["n"]), str(job["k"]), interval, budget, stall, str(quick["engines"]), str(needed or "none"), engine


def _described(name: str, params: Mapping[str, object]) -> str:
    """An engine with what makes it the one it is."""
    digits = f", {params['digit_bits']}-bit digits" if "digit_bits" in params else ""
    first = ", the first counted as scores enter" if params.get("first_digit") == "fill" else ""
    lanes = f"{params['lanes']} lane{'' if params['lanes'] == 1 else 's'}"
    return f"{name}, {lanes}{digits}{first}"
