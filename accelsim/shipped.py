"""Where the shipped YAML lies: inside an installed wheel, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

from accelsim.errors import AccelsimError, nearest

PACKAGE = Path(__file__).resolve().parent


def data_dir(kind: str) -> Path:
    """The folder of shipped files of a kind: `workloads`, `arch_configs` and its `/mappings` and `/dram`, `sweeps`."""
    inside = PACKAGE / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def shipped_names(kind: str) -> list[str]:
    """Names of the shipped files of a kind, sorted."""
    return sorted(path.stem for path in data_dir(kind).glob("*.yaml"))


def looks_like_path(text: str) -> bool:
    return "/" in text or text.endswith((".yaml", ".yml"))


def find_file(name: str, kind: str, noun: str, also: tuple[str, ...] = ()) -> Path:
    """The path that `name` means: itself when it looks like a path, else the shipped file of that name.

    Raises:
        AccelsimError: no such shipped file; the nearest name of the kind (and of `also`) is offered.
    """
    if looks_like_path(name):
        return Path(name)
    path = data_dir(kind) / f"{name}.yaml"
    if name in shipped_names(kind):
        return path
    raise AccelsimError(f'no {noun} named "{name}"{nearest(name, [*shipped_names(kind), *also])}')
