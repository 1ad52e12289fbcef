"""What the algebra alone says of a workload: passes, live footprints, operations, compulsory bytes, intensity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from accelsim.einsum.cascade import Shapes
from accelsim.einsum.counts import Counts, add_up, count
from accelsim.einsum.passes import chains, footprints
from accelsim.einsum.text import render_einsum
from accelsim.einsum.types import DataType
from accelsim.result import SCHEMA
from accelsim.version import VERSION


@dataclass(frozen=True)
class StepAnalysis:
    """One cascade with sizes.

    Attributes:
        cascade: which form of the function it is.
        tensors: tensor of the cascade to its name in the workload.
        chains: rank to the lines of a longest chain, one for each pass; empty where no line reads along the rank.
        footprint: rank to the tensors of which a fiber must stay alive, in elements.
    """

    name: str
    cascade: str
    shapes: Shapes
    tensors: Mapping[str, str]
    chains: Mapping[str, tuple[str, ...]]
    footprint: Mapping[str, Mapping[str, int]]
    counts: Counts

    @property
    def passes(self) -> dict[str, int]:
        return {rank: max(1, len(chain)) for rank, chain in self.chains.items()}

    @property
    def bytes_by_tensor(self) -> dict[str, int]:
        """Compulsory bytes by the names of the workload."""
        return add_up({self.tensors[name]: size} for name, size in self.counts.bytes_by_tensor.items())

    def einsums(self) -> Iterator[dict[str, object]]:
        """The lines as the document has them."""
        for line in self.shapes.cascade.einsums:
            found = self.counts.per_einsum[line.name]
            yield {
                "step": self.name,
                "name": line.name,
                "text": render_einsum(line),
                "points": found.points,
                "macs": found.macs,
                "operations": dict(found.operations),
            }


@dataclass(frozen=True)
class Analysis:
    """A workload: its steps, and the sums over them (of passes and footprints the largest).

    Attributes:
        provenance: the files it was made from, with their hashes.
    """

    workload: str
    params: Mapping[str, int]
    steps: tuple[StepAnalysis, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        return sum(step.counts.macs for step in self.steps)

    @property
    def flops(self) -> int:
        return 2 * self.macs

    @property
    def operations(self) -> dict[str, int]:
        return add_up(step.counts.operations for step in self.steps)

    @property
    def bytes_by_tensor(self) -> dict[str, int]:
        """Compulsory bytes of every step; what one step writes and another reads counts in both."""
        return add_up(step.bytes_by_tensor for step in self.steps)

    @property
    def bytes(self) -> int:
        return sum(step.counts.bytes for step in self.steps)

    @property
    def intensity(self) -> Fraction | None:
        """Flops per compulsory byte."""
        return Fraction(self.flops, self.bytes) if self.bytes else None

    @property
    def chains(self) -> dict[str, tuple[str, ...]]:
        """Rank to a longest chain of any step."""
        found: dict[str, tuple[str, ...]] = {}
        for step in self.steps:
            for rank, chain in step.chains.items():
                found[rank] = max(found.get(rank, ()), chain, key=len)
        return found

    @property
    def passes(self) -> dict[str, int]:
        return {rank: max(1, len(chain)) for rank, chain in self.chains.items()}

    @property
    def footprint(self) -> dict[str, dict[str, int]]:
        """Rank to tensor, by its name in the workload, to the most elements that any step keeps alive."""
        found: dict[str, dict[str, int]] = {}
        for step in self.steps:
            for rank, table in step.footprint.items():
                into = found.setdefault(rank, {})
                for name, elements in table.items():
                    into[step.tensors[name]] = max(into.get(step.tensors[name], 0), elements)
        return found

    def to_json(self) -> dict[str, object]:
        """The document of kind `analysis`; keys are only ever added."""
        return {
            "schema": SCHEMA,
            "kind": "analysis",
            "workload": self.workload,
            "params": dict(self.params),
            **_summary(self),
            "einsums": [line for step in self.steps for line in step.einsums()],
            "steps": [_step_document(step) for step in self.steps],
            "provenance": dict(self.provenance),
            "version": VERSION,
        }

    def to_text(self) -> str:
        """The analysis as a page for a terminal."""
        sizes = " ".join(f"{name}={value}" for name, value in self.params.items())
        head = [f"{self.workload}  {sizes}".rstrip()]
        parts = [_step_text(step) for step in self.steps]
        total = ["\n".join(["total", *_totals(self)])] if len(self.steps) > 1 else []
        return "\n\n".join([*head, *parts, *total]) + "\n"


def analyze_shapes(
    name: str,
    shapes: Shapes,
    types: Mapping[str, DataType],
    cascade: str = "default",
    tensors: Mapping[str, str] | None = None,
) -> StepAnalysis:
    """The analysis of one cascade; `types` holds the data type of every input and output."""
    names = {tensor: tensor for tensor in shapes.cascade.tensors} | dict(tensors or {})
    found, live = chains(shapes.cascade), footprints(shapes)
    return StepAnalysis(name, cascade, shapes, names, found, live, count(shapes, types))


def _summary(part: Analysis | StepAnalysis) -> dict[str, object]:
    counts = part if isinstance(part, Analysis) else part.counts
    return {
        "passes": part.passes,
        "chains": {rank: list(chain) for rank, chain in part.chains.items()},
        "footprint": {rank: dict(table) for rank, table in part.footprint.items()},
        "macs": counts.macs,
        "flops": counts.flops,
        "operations": dict(counts.operations),
        "bytes": counts.bytes,
        "bytes_by_tensor": part.bytes_by_tensor,
        "intensity": None if counts.intensity is None else float(counts.intensity),
    }


def _step_document(step: StepAnalysis) -> dict[str, object]:
    return {"name": step.name, "cascade": step.cascade, **_summary(step)}


def _step_text(step: StepAnalysis) -> str:
    rows = [("", "points", "macs", "other operations")]
    for line in step.shapes.cascade.einsums:
        found = step.counts.per_einsum[line.name]
        rows.append((render_einsum(line), f"{found.points:,}", f"{found.macs:,}", _listed(found.operations)))
    sizes = " ".join(f"{rank}={step.shapes.sizes[rank]}" for rank in step.shapes.cascade.ranks)
    return "\n".join([f"{step.name} ({step.cascade})  {sizes}", *_table(rows), "", *_passes(step), *_totals(step)])


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The first and the last column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for first, *middle, last in rows:
        numbers = (cell.rjust(width) for cell, width in zip(middle, widths[1:-1], strict=True))
        lines.append("  ".join(["", first.ljust(widths[0]), *numbers, last]).rstrip())
    return lines


def _passes(step: StepAnalysis) -> Iterable[str]:
    """One row for each rank that takes more than one pass or is reduced, then one for what must stay alive."""
    reduced = {rank for line in step.shapes.cascade.einsums for rank in line.reduced}
    splits = step.shapes.cascade.splits
    reduced |= {splits[rank].parent for rank in reduced if rank in splits}
    shown = []
    for rank, passes in step.passes.items():
        if passes > 1 or rank in reduced:
            why = f" ({' < '.join(step.chains[rank])})" if passes > 1 else ""
            live = ", ".join(f"{name} {elements:,}" for name, elements in step.footprint.get(rank, {}).items())
            shown.append(f"  passes over {rank}: {passes}{why}{f'; live elements: {live}' if live else ''}")
    return shown


def _totals(part: Analysis | StepAnalysis) -> Iterable[str]:
    counts = part if isinstance(part, Analysis) else part.counts
    yield f"  operations: {counts.macs:,} mac{''.join(f', {n:,} {name}' for name, n in counts.operations.items())}"
    yield f"  compulsory bytes: {counts.bytes:,} ({_listed(part.bytes_by_tensor)})"
    if counts.intensity is not None:
        yield f"  intensity: {float(counts.intensity):.6g} flop/B ({counts.flops:,} flop, 2 per mac)"


def _listed(table: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value:,}" for name, value in table.items())
