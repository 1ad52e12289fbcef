"""`accelsim fidelity`: the error of an approximation beside its cost, for one setting or several."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.commands.reply import Reply, add_overrides
from accelsim.errors import AccelsimError, Mark

if TYPE_CHECKING:
    from accelsim.fidelity import Fidelity
    from accelsim.workload import Workload

HELP = "the error of an approximation (pruned attention) beside its cost; several settings at once"
COMMON = ("cost", "exact_cost", "kept")
UNCHANGED = (
    "no setting differs from the exact one: --set or --vary what is dropped, or name the exact one with --against"
)
Setting = Mapping[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workload", metavar="WORKLOAD", help="the approximation: a path or a shipped name")
    parser.add_argument(
        "--against",
        metavar="WORKLOAD",
        help="what is exact, with the sizes that --set gives and it knows (default: WORKLOAD itself, with tables and "
        "all parameters but sizes as its file has them)",
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="NAME=V1,V2,...",
        help="a setting for each value; repeated, one for each combination",
    )
    parser.add_argument(
        "--inputs",
        action="append",
        default=[],
        metavar="FILE",
        help="an .npz with an array for each input, NAME=FILE.npy or NAME=NUMBER; may be repeated",
    )
    parser.add_argument(
        "--scores", metavar="FILE", help="an .npy of shape (layer, head, query, key) in place of Q, K and SC"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of scores, drawn where no data are given (default: 0)")
    parser.add_argument("--spread", type=float, metavar="S", help="their standard deviation (default: 2)")
    parser.add_argument(
        "--shared",
        type=float,
        metavar="X",
        help="part of their variance that is a key's own, the same for all queries, heads and layers (default: 0.5)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="also draw error against cost")
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    from accelsim.fidelity import exact_of
    from accelsim.fidelity.data import read_data
    from accelsim.report.tradeoff import fidelity_text
    from accelsim.workload import load_workload, provenance

    settings = _settings(arguments.vary)
    ones = [load_workload(arguments.workload, [*arguments.overrides, *_said(each)]) for each in settings]
    exact = _named(arguments.against, arguments.overrides) if arguments.against else exact_of(ones[0])
    draws = {name: getattr(arguments, name) for name in ("seed", "spread", "shared")}
    data = read_data(ones[0], arguments.inputs, arguments.scores, {n: v for n, v in draws.items() if v is not None})
    found = data.compared(ones, exact)
    files = _drawn(settings, found, arguments.out) if arguments.out else []
    document = {
        "schema": 1,
        "kind": "fidelity",
        "workload": arguments.workload,
        "against": arguments.against,
        "data": data.to_json(),
        "exact": {"params": dict(exact.params), "cost": asdict(found[0][0].exact_cost)},
        "settings": [_entry(*each) for each in zip(settings, ones, found, strict=True)],
        "provenance": provenance(ones[0]),
        "files": files,
    }
    text = "\n".join([_title(arguments), data.says(), "", fidelity_text(settings, found), *files])
    return Reply(text, document, warnings=() if _differ(found) else (UNCHANGED,))


def _settings(vary: Sequence[str]) -> list[Setting]:
    """One setting for each combination of values; an empty one where nothing varies."""
    axes: dict[str, list[str]] = {}
    for text in vary:
        name, _, values = text.partition("=")
        found = [value.strip() for value in values.split(",")]
        if not (name and all(found)):
            raise AccelsimError(f'must be NAME=V1,V2,..., got "{text}"', Mark("--vary", 1, 1))
        if name in axes:
            raise AccelsimError(f"{name} is varied twice", Mark("--vary", 1, 1))
        axes[name] = found
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def _said(setting: Setting) -> list[str]:
    return [f"{name}={value}" for name, value in setting.items()]


def _named(name: str, overrides: Sequence[str]) -> Workload:
    """The workload that is exact, with the parameters among the overrides that it has."""
    from accelsim.workload import load_workload, parameter_names

    known = parameter_names(name)
    return load_workload(name, [text for text in overrides if text.partition("=")[0] in known])


def _entry(setting: Setting, workload: Workload, found: Sequence[Fidelity]) -> dict[str, object]:
    return {
        "set": dict(setting),
        "params": dict(workload.params),
        "outputs": [{name: value for name, value in asdict(one).items() if name not in COMMON} for one in found],
        "cost": asdict(found[0].cost),
        "kept": dict(found[0].kept),
    }


def _title(arguments: argparse.Namespace) -> str:
    sizes = f" ({' '.join(arguments.overrides)})" if arguments.overrides else ""
    return f"{arguments.workload}{sizes} beside {arguments.against or 'itself with nothing dropped'}"


def _differ(found: Sequence[Sequence[Fidelity]]) -> bool:
    """Whether any setting approximates anything."""
    return any(one.largest or one.cost != one.exact_cost for outputs in found for one in outputs)


def _drawn(settings: Sequence[Setting], found: Sequence[Sequence[Fidelity]], out: Path) -> list[str]:
    """The picture written, by path."""
    from accelsim.report.style import save
    from accelsim.report.tradeoff import tradeoff

    labels = [" ".join(_said(setting)) or "as set" for setting in settings]
    return [str(path) for path in save(tradeoff(labels, found), out)]
