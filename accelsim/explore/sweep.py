"""A sweep file to points: axes as a Cartesian product in the order written, more blocks, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod
from pathlib import Path

from accelsim.errors import nearest
from accelsim.explore.axes import Axis, Block, Choice, read_block, value_text
from accelsim.explore.objectives import OBJECTIVES
from accelsim.schema import check_schema
from accelsim.shipped import data_dir, find_file, looks_like_path, shipped_names
from accelsim.yamlfile import Node, Plain, load_file, load_value

KIND = "sweeps"
MAX_POINTS = 100_000
KEYS = ("name", "description", "source", "depth", "also", "exclude", "objectives", "report")
DEFAULT_OBJECTIVES = ("seconds", "energy_pj")


@dataclass(frozen=True)
class Point:
    """One run: names or paths, a depth, and (path, value) pairs, each value as `--set` takes it."""

    arch: str
    workload: str
    depth: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def overrides(self) -> list[str]:
        return [f"{path}={value}" for path, value in self.settings]

    def to_json(self) -> dict[str, object]:
        chosen = {path: json_value(load_value(text).plain()) for path, text in self.settings}
        return {"arch": self.arch, "workload": self.workload, "depth": self.depth, "set": chosen}


@dataclass(frozen=True)
class Sweep:
    """A sweep file, expanded.

    Attributes:
        points: in the order of the file, the first axis slowest, without repetitions.
        objectives: what is minimised, names of `objectives.OBJECTIVES`.
        report: what the file says to the report, not interpreted here.
        resolved: the document with its paths made absolute: a sweep file itself.
    """

    name: str
    description: str
    source: str
    depth: str
    points: tuple[Point, ...]
    objectives: tuple[str, ...]
    report: Mapping[str, object]
    path: str
    resolved: Node


def load_sweep(name: str | Path) -> Sweep:
    """The sweep of a path or of a shipped file's name.

    Raises:
        AccelsimError: an unknown name, a file that is not a sweep, an axis without values, or more than 100,000 points.
    """
    path = name if isinstance(name, Path) else find_file(name, KIND, "sweep")
    document = load_file(path)
    check_schema(document, "sweep")
    return read_sweep(_anchored(document, path), path)


def find_sweeps() -> list[tuple[str, str]]:
    """Name and description of every shipped sweep."""
    documents = [(name, load_file(data_dir(KIND) / f"{name}.yaml").mapping()) for name in shipped_names(KIND)]
    return [(name, _text(entries, "description")) for name, entries in documents]


def read_sweep(document: Node, path: Path) -> Sweep:
    """The sweep in a document whose schema was checked."""
    entries = document.fields(("schema", "axes"), KEYS)
    depth = _depth(entries)
    return Sweep(
        name=entries["name"].name() if "name" in entries else path.stem,
        description=_text(entries, "description"),
        source=_text(entries, "source"),
        depth=depth,
        points=_points(entries, depth),
        objectives=_objectives(entries),
        report=_report(entries),
        path=str(path),
        resolved=document,
    )


def json_value(value: Plain) -> object:
    """Plain data of the loader as JSON has it: exact numbers become floats."""
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_value(item) for item in value]
    return float(value) if isinstance(value, Fraction) else value


def _text(entries: Mapping[str, Node], key: str) -> str:
    return " ".join(entries[key].string().split()) if key in entries else ""


def _depth(entries: Mapping[str, Node]) -> str:
    from accelsim.simulate import DEPTHS

    depth = entries["depth"].string() if "depth" in entries else "analytic"
    if depth not in DEPTHS:
        raise entries["depth"].error(f'no depth "{depth}"{nearest(depth, DEPTHS)}')
    return depth


def _objectives(entries: Mapping[str, Node]) -> tuple[str, ...]:
    if "objectives" not in entries:
        return DEFAULT_OBJECTIVES
    for node in entries["objectives"].sequence():
        if node.string() not in OBJECTIVES:
            raise node.error(f'no objective "{node.string()}"{nearest(node.string(), OBJECTIVES)}')
    return entries["objectives"].names()


def _report(entries: Mapping[str, Node]) -> dict[str, object]:
    found = entries["report"].mapping() if "report" in entries else {}
    return {key: json_value(node.plain()) for key, node in found.items()}


def _points(entries: Mapping[str, Node], depth: str) -> tuple[Point, ...]:
    blocks = [read_block(entries["axes"]), *(read_block(node) for node in _items(entries, "also"))]
    total = sum(prod(len(axis.choices) for axis in block) for block in blocks)
    if total > MAX_POINTS:
        raise entries["axes"].error(f"{total} points are more than {MAX_POINTS}")
    exclude = [_exclusion(node, blocks) for node in _items(entries, "exclude")]
    chosen = (choice for block in blocks for choice in _choices(block))
    kept = [choice for choice in chosen if not any(_matches(choice, rule) for rule in exclude)]
    if not kept:
        raise entries["axes"].error("every point is excluded")
    return tuple(dict.fromkeys(_point(choice, depth) for choice in kept))


def _items(entries: Mapping[str, Node], key: str) -> tuple[Node, ...]:
    return entries[key].sequence() if key in entries else ()


def _choices(block: Block) -> Iterator[Choice]:
    for picked in product(*(axis.choices for axis in block)):
        yield {path: value for choice in picked for path, value in choice.items()}


def _point(choice: Choice, depth: str) -> Point:
    settings = tuple((path, value) for path, value in choice.items() if path not in ("arch", "workload"))
    return Point(choice["arch"], choice["workload"], depth, settings)


def _exclusion(node: Node, blocks: list[Block]) -> dict[str, tuple[str, ...]]:
    """Path to the values whose points are left out; each must stand on an axis, or the rule is a slip."""
    known = _values([axis for block in blocks for axis in block])
    rule: dict[str, tuple[str, ...]] = {}
    for path, item in node.mapping().items():
        if path not in known:
            raise item.error(f'no axis "{path}"{nearest(path, known)}')
        for entry in item.value if isinstance(item.value, tuple) else (item,):
            value = value_text(path, entry)
            if value not in known[path]:
                raise entry.error(f'no "{value}" on the axis{nearest(value, known[path])}')
            rule[path] = (*rule.get(path, ()), value)
    return rule


def _values(axes: list[Axis]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for axis in axes:
        for choice in axis.choices:
            for path, value in choice.items():
                found.setdefault(path, set()).add(value)
    return found


def _matches(choice: Choice, rule: Mapping[str, tuple[str, ...]]) -> bool:
    return all(choice.get(path) in values for path, values in rule.items())


def _anchored(node: Node, path: Path, key: str = "") -> Node:
    """The document with paths of architectures and workloads taken from where the file lies, and made absolute."""
    if isinstance(node.value, dict):
        return replace(node, value={k: v if k == "report" else _anchored(v, path, k) for k, v in node.value.items()})
    if isinstance(node.value, tuple):
        return replace(node, value=tuple(_anchored(item, path, key) for item in node.value))
    if key not in ("arch", "workload") or not looks_like_path(node.text):
        return node
    place = str((path.parent / node.text).absolute())
    return replace(node, value=place, text=place)
