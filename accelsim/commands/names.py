"""What a name on the command line means: architecture, workload, mapping, DRAM, cluster, ...; by name or path."""

from __future__ import annotations

from pathlib import Path

from accelsim.errors import AccelsimError, nearest
from accelsim.shipped import data_dir, looks_like_path, shipped_names
from accelsim.yamlfile import load_file

FOLDERS = {
    "arch": "arch_configs",
    "workload": "workloads",
    "mapping": "arch_configs/mappings",
    "dram": "arch_configs/dram",
    "pim": "arch_configs/pim",
    "topk-costs": "arch_configs/topk",
    "cluster": "clusters",
    "model": "clusters/models",
    "sweep": "sweeps",
}


def kind_of_file(path: Path) -> str:
    """One of `FOLDERS`, by the first line of the file.

    Raises:
        AccelsimError: not a file that can be read, or of no kind that is known.
    """
    from accelsim.workload.teaal import is_teaal

    document = load_file(path)
    if is_teaal(document):
        return "workload"
    schema = document.mapping().get("schema")
    if schema is None:
        raise document.error('missing key "schema": expected accelsim/<kind>/1')
    kind = schema.string().removeprefix("accelsim/").rpartition("/")[0]
    if kind not in FOLDERS:
        raise schema.error(f'unknown kind "{kind}"{nearest(kind, FOLDERS)}')
    return kind


def find_kinds(name: str) -> dict[str, Path]:
    """Every kind that a name is one of, with its file; empty where there is none."""
    if looks_like_path(name):
        return {kind_of_file(Path(name)): Path(name)}
    found = {kind: data_dir(folder) / f"{name}.yaml" for kind, folder in FOLDERS.items() if _ships(folder, name)}
    workload = found.get("workload") or _preset(name)
    return found if workload is None else {**found, "workload": workload}


def _ships(folder: str, name: str) -> bool:
    return name in shipped_names(folder)


def _preset(name: str) -> Path | None:
    """The file behind a preset or a combination such as `bert-1pass`."""
    from accelsim.workload.files import choose_file

    try:
        return choose_file(name).path
    except AccelsimError:
        return None


def all_names() -> list[str]:
    from accelsim.workload import find_workloads

    shipped = [name for folder in FOLDERS.values() for name in shipped_names(folder)]
    return [*shipped, *(name for name, _ in find_workloads())]


def refuse_swapped(arch: str, workload: str) -> None:
    """Say so where a workload stands in the place of an architecture and the other way round."""
    if _is_one(workload, "arch", "workload") and _is_one(arch, "workload", "arch"):
        raise AccelsimError(f"{arch} is a workload and {workload} an architecture: swap them")


def _is_one(name: str, kind: str, other: str) -> bool:
    if looks_like_path(name) and not Path(name).is_file():
        return False
    found = find_kinds(name)
    return kind in found and other not in found
