"""`accelsim show`: the file behind a name, as it was written or with base, preset and overrides resolved."""

from __future__ import annotations

import argparse
from pathlib import Path

from accelsim.commands.names import FOLDERS, all_names, find_kinds
from accelsim.commands.reply import Reply, add_overrides
from accelsim.errors import AccelsimError, nearest
from accelsim.yamldump import dump_node
from accelsim.yamlfile import Node, load_file, read_text

HELP = "the YAML behind a name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a shipped name or a path")
    parser.add_argument(
        "--kind", choices=tuple(FOLDERS), help="where a name means several things (default: in this order)"
    )
    parser.add_argument("--resolved", action="store_true", help="follow base and preset, and apply --set")
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    kind, path = _chosen(arguments.name, arguments.kind)
    if arguments.overrides and not arguments.resolved:
        raise AccelsimError("--set changes nothing in a file as it was written: add --resolved")
    text = dump_node(_resolved(kind, arguments.name, arguments.overrides)) if arguments.resolved else read_text(path)
    document = {"schema": 1, "kind": "file", "name": arguments.name, "type": kind, "path": str(path), "text": text}
    return Reply(text.rstrip("\n"), document)


def _chosen(name: str, wanted: str | None) -> tuple[str, Path]:
    found = find_kinds(name)
    if not found:
        raise AccelsimError(f'nothing named "{name}"{nearest(name, all_names())}')
    if wanted is not None and wanted not in found:
        raise AccelsimError(f'"{name}" is not of kind {wanted} but {" and ".join(found)}')
    kind = wanted or next(iter(found))
    return kind, found[kind]


def _resolved(kind: str, name: str, overrides: list[str]) -> Node:
    if kind == "arch":
        from accelsim.arch import load_arch

        return load_arch(name, overrides).resolved
    if kind == "workload":
        from accelsim.workload import load_workload

        return load_workload(name, overrides).resolved
    if kind == "mapping":
        from accelsim.mapping import load_mapping

        return load_mapping(name, overrides).document
    if kind == "dram":
        from accelsim.memory.load import load_document

        return load_document(name, overrides)
    if kind == "pim":
        from accelsim.memory.pim import load_document as load_pim

        return load_pim(name, overrides)
    if kind == "cluster":
        from accelsim.cluster.load import load_document as load_cluster

        return load_cluster(name, overrides)
    if overrides:
        raise AccelsimError(f"--set does not apply to a {kind}")
    if kind in ("model", "topk-costs"):
        return load_file(find_kinds(name)[kind])
    from accelsim.explore import load_sweep

    return load_sweep(name).resolved
