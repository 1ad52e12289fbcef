"""`accelsim check`: whether files are what they say they are, completely."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.commands.names import kind_of_file
from accelsim.commands.reply import Reply, place_of
from accelsim.errors import AccelsimError
from accelsim.shipped import looks_like_path
from accelsim.yamlfile import load_file

if TYPE_CHECKING:
    from accelsim.arch.model import Arch

HELP = "whether files are valid, completely"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="workloads, architectures, DRAMs, clusters, ...")


def run(arguments: argparse.Namespace) -> Reply:
    found = [_checked(name) for name in arguments.files]
    good = [_line(entry) for entry in found if entry["ok"]]
    bad = tuple(_line(entry) for entry in found if not entry["ok"])
    document = {"schema": 1, "kind": "check", "ok": not bad, "files": found}
    return Reply("\n".join(good), document, 2 if bad else 0, bad)


def _line(entry: Mapping[str, object]) -> str:
    if entry["ok"]:
        return f"{entry['file']}: ok ({entry['type']}, {entry['summary']})"
    place = f":{entry['line']}:{entry['column']}" if entry["line"] else ""
    return f"{entry['file']}{place}: {entry['message']}"


def _checked(name: str) -> dict[str, object]:
    """What was found of one file. Raises AccelsimError where there is no such file to check."""
    if not Path(name).is_file():
        raise AccelsimError(f"{name}: is not a file")
    path = name if looks_like_path(name) else f"./{name}"
    try:
        kind = kind_of_file(Path(path))
        return {"file": name, "ok": True, "type": kind, "summary": SUMMARIES[kind](path)}
    except AccelsimError as error:
        message = error.message.removeprefix(f"{path}: ")
        return {"file": name, "ok": False, "message": message, **place_of(error, name)}


def _workload(path: str) -> str:
    from accelsim.commands.workload import check_workload

    return _count(check_workload(path), "cascade")


def _arch(path: str) -> str:
    from accelsim.arch import load_arch

    arch = load_arch(path)
    summary = f"{_count(len(arch.units), 'unit')}, {_count(len(arch.levels), 'level')}"
    return f"{summary}, {_rtl(arch)}" if any(unit.rtl for unit in arch.units.values()) else summary


def _rtl(arch: Arch) -> str:
    """What became of `rtl:` entries, whose parameters the generators know, which need tools of their own."""
    from accelsim.hardware.design import arch_designs
    from accelsim.hardware.machines import is_machine
    from rtl.tools import INSTALL, installed

    if not installed("amaranth"):
        return f"rtl entries not checked without: {INSTALL}"
    if is_machine(arch):
        from accelsim.hardware.layer.machine import machine_parts

        machine_parts(arch)
        return "a machine"
    return _count(len(arch_designs(arch)), "rtl unit")


def _mapping(path: str) -> str:
    from accelsim.mapping import load_mapping

    mapping = load_mapping(path)
    return f"{', '.join(mapping.functions)} on {', '.join(mapping.archs)}"


def _dram(path: str) -> str:
    from accelsim.memory.load import load_document, read_all

    devices = read_all(load_document(path))
    shapes, grades = ({getattr(device, key) for device in devices} for key in ("organisation", "timing"))
    return f"{_count(len(shapes), 'organisation')}, {_count(len(grades), 'timing')}"


def _pim(path: str) -> str:
    from accelsim.memory.pim import load_document, read_stacks

    return _count(len(read_stacks(load_document(path))), "level")


def _topk_costs(path: str) -> str:
    from accelsim.units.topk.costs import read_costs

    return _count(len(read_costs(load_file(Path(path))).engines), "published engine")


def _cluster(path: str) -> str:
    from accelsim.cluster import load_system

    system = load_system(path)
    return f"{_count(system.nodes, 'node')} of {_count(system.devices, 'device')}"


def _model(path: str) -> str:
    from accelsim.cluster import load_model

    return _count(sum(layer.count for layer in load_model(path).layers), "layer")


def _sweep(path: str) -> str:
    """A sweep is also checked for names that do not exist: its runs would only say so one by one."""
    from accelsim.arch import load_arch
    from accelsim.explore import load_sweep
    from accelsim.workload.files import choose_file

    sweep = load_sweep(path)
    for arch in dict.fromkeys(point.arch for point in sweep.points):
        load_arch(arch)
    for workload in dict.fromkeys(point.workload for point in sweep.points):
        choose_file(workload)
    return _count(len(sweep.points), "point")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


SUMMARIES = {
    "workload": _workload,
    "arch": _arch,
    "mapping": _mapping,
    "dram": _dram,
    "pim": _pim,
    "topk-costs": _topk_costs,
    "cluster": _cluster,
    "model": _model,
    "sweep": _sweep,
}
