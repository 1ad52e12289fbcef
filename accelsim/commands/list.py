"""`accelsim list`: the names of what is shipped."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from accelsim.commands.reply import Reply
from accelsim.commands.rtl import list_hardware
from accelsim.commands.unit import list_units
from accelsim.errors import AccelsimError, nearest
from accelsim.shipped import data_dir, shipped_names
from accelsim.yamlfile import load_file

HELP = "names of what is shipped: workloads, architectures, mappings, DRAMs, clusters, models, sweeps, units, hardware"
FOLDERS = {
    "mappings": "arch_configs/mappings",
    "drams": "arch_configs/dram",
    "clusters": "clusters",
    "models": "clusters/models",
}
Names = list[tuple[str, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", metavar="|".join(_finders()), help="only these")


def run(arguments: argparse.Namespace) -> Reply:
    if arguments.what is not None and arguments.what not in _finders():
        raise AccelsimError(f'no list of "{arguments.what}"{nearest(arguments.what, _finders())}')
    if arguments.what == "units":
        return list_units()
    wanted = [arguments.what] if arguments.what else list(_finders())
    found = {what: _finders()[what]() for what in wanted}
    text = "\n\n".join(_section(what, names, bool(arguments.what)) for what, names in found.items())
    lists = {what: [{"name": name, "description": says} for name, says in names] for what, names in found.items()}
    return Reply(text, {"schema": 1, "kind": "list", **lists})


def _finders() -> dict[str, Callable[[], Names]]:
    return {
        "workloads": _workloads,
        "archs": _archs,
        **{what: partial(_described, folder) for what, folder in FOLDERS.items()},
        "sweeps": _sweeps,
        "units": _units,
        "rtl": list_hardware,
    }


def _workloads() -> Names:
    from accelsim.workload import find_workloads

    return find_workloads()


def _archs() -> Names:
    from accelsim.arch import find_archs

    return find_archs()


def _described(folder: str) -> Names:
    """Read here: finding mappings in full reads plans too, which needs the parser of expressions."""
    documents = [(name, load_file(data_dir(folder) / f"{name}.yaml").mapping()) for name in shipped_names(folder)]
    return [(name, " ".join(fields["description"].string().split())) for name, fields in documents]


def _sweeps() -> Names:
    from accelsim.explore import find_sweeps

    return find_sweeps()


def _units() -> Names:
    from accelsim.units import UNITS

    return [(unit.name, unit.says) for unit in UNITS.values()]


def _section(what: str, names: Names, alone: bool) -> str:
    width = max((len(name) for name, _ in names), default=0)
    lines = [f"{name:<{width}}  {says}".rstrip() for name, says in names]
    return "\n".join(lines if alone else [f"{what}:", *(f"  {line}" for line in lines)])
