"""Random mappings of small cascades: splits, groups, loop orders, spatial ranks, kept tensors, homes and forwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from accelsim.einsum.cascade import Cascade, Einsum
from accelsim.workload import load_workload, steps
from tests.cost.machines import Sample, written

UNITS = {"grid": ("rows", "cols"), "line": ("lanes",)}
Sizes = dict[str, int]
GONE = ("reach it in other loops", "it is carried over", "goes through all of")  # tiles that are gone too early


@dataclass
class Draw:
    """A mapping under construction; `text` is its YAML."""

    rng: Random
    sample: Sample
    sizes: Sizes
    cascade: Cascade
    parts: dict[str, list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def einsums(self) -> list[Einsum]:
        return [e for e in self.cascade.einsums if not e.name.endswith("@start")]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def some(self, items: Iterable[str], chance: float = 0.5) -> list[str]:
        found = [item for item in items if self.rng.random() < chance]
        self.rng.shuffle(found)
        return found

    def parts_of(self, coordinates: Iterable[str]) -> list[str]:
        return [part for c in coordinates for part in self.parts[c]]

    def split(self) -> None:
        self.lines.append("split:")
        self.parts = {c: [c] for e in self.einsums for c in e.coordinates}
        for c in self.parts:
            depth = self.rng.choice([1, 2, 2, 3])
            if depth > 1:
                names = [f"{c}{i}" for i in "xyz"[:depth]]
                tiles = [self.rng.choice([1, 2, 2, 3]) for _ in names[1:]]
                self.parts[c] = names
                shown = [f"{names[0]}: rest", *(f"{n}: {t}" for n, t in zip(names[1:], tiles, strict=True))]
                self.lines.append(f"  {c}: {{{', '.join(shown)}}}")
        if self.lines[-1] == "split:":
            self.lines[-1] = "split: {}"

    def groups(self) -> dict[str, list[str]]:
        """Groups of consecutive Einsums; the loops of every Einsum are returned."""
        loops_of: dict[str, list[str]] = {}
        self.lines.append("groups:")
        rest = [e.name for e in self.einsums]
        while rest:
            size = self.rng.choice([1, len(rest), self.rng.randint(1, len(rest))])
            names, rest = rest[:size], rest[size:]
            ranks = dict.fromkeys(c for e in self.einsums if e.name in names for c in e.coordinates)
            loops = self.some(self.parts_of(ranks), 0.6)
            self.lines.append(f"  - {{name: g{len(rest)}, loops: [{', '.join(loops)}], einsums: [{', '.join(names)}]")
            own = {n: self.own_loops(n, loops) for n in self.some(names, 0.25)}
            if own:
                self.lines[-1] += f", at: {{{', '.join(f'{n}: [{chr(44).join(o)}]' for n, o in own.items())}}}"
            self.lines[-1] += self.overlap(names)
            waits = [n for n in self.some(names, 0.3) if self.bound[n] == "grid"]
            self.lines[-1] += f", exposed: {{{', '.join(f'{n}: drain' for n in waits)}}}}}"
            loops_of.update({n: own.get(n, loops) for n in names})
        return loops_of

    def own_loops(self, name: str, loops: list[str]) -> list[str]:
        """Loops of one Einsum: as the group's without those that it lacks, or quite others."""
        inside = self.parts_of(next(e for e in self.einsums if e.name == name).coordinates)
        if self.rng.random() < 0.7:
            kept = [loop for loop in loops if loop in inside]
            return kept[: self.rng.randint(0, len(kept))] if self.rng.random() < 0.5 else kept
        return self.some(inside)

    def overlap(self, names: list[str]) -> str:
        kind = self.rng.choice(["pipeline", "sequential", "phases"])
        if kind != "phases":
            return f", overlap: {kind}"
        cut = self.rng.randint(1, len(names))
        phases = [p for p in (names[:cut], names[cut:]) if p]
        return f", overlap: phases, phases: [{', '.join(f'[{chr(44).join(p)}]' for p in phases)}]"

    def spatial(self) -> None:
        self.lines.append("spatial:")
        for name, dims in self.targets():
            said = {d: self.some(self.parts_of(self.parts), 0.4)[:2] for d in dims}
            ranks = ", ".join(f"{d}: [{', '.join(r)}]" for d, r in said.items())
            self.lines.append(f"  {name}: {{{ranks}}}")

    def targets(self) -> list[tuple[str, tuple[str, ...]]]:
        own = self.some([e.name for e in self.einsums], 0.3)
        return [*UNITS.items(), *((n, UNITS[self.bound[n]]) for n in own)]

    @property
    def bound(self) -> dict[str, str]:
        line = next(text for text in self.lines if text.startswith("bind:"))
        pairs = [part.partition(": [") for part in line.removeprefix("bind: {").removesuffix("]}").split("], ")]
        return {name: unit for unit, _, names in pairs for name in names.split(", ")}

    def bind(self) -> None:
        names = [e.name for e in self.einsums]
        grid = self.some(names)
        units = {"grid": grid, "line": [n for n in names if n not in grid]}
        shown = ", ".join(f"{u}: [{', '.join(n)}]" for u, n in units.items() if n)
        self.lines.append(f"bind: {{{shown}}}")

    def keep(self, loops_of: dict[str, list[str]]) -> None:
        self.lines.append("keep:")
        for level in ("l2", "l1"):
            kept = []
            for tensor in self.some(self.cascade.tensors, 0.5):
                kept.append(f"{tensor}: {{at: {self.loop_for(tensor, loops_of)}, fraction: {self.fraction()}}}")
            self.lines.append(f"  {level}: {{tensors: {{{', '.join(kept)}}}}}")

    def loop_for(self, tensor: str, loops_of: dict[str, list[str]]) -> str:
        """A loop to keep a tensor at: most often one that all its users have, the outermost above all."""
        users = [e.name for e in self.einsums if tensor in (e.tensor, *(a.tensor for a in e.reads))]
        common = [p for p in loops_of[users[0]] if all(p in loops_of[u] for u in users)]
        return self.rng.choice([*common[:1], *common, "outside", *loops_of[self.rng.choice(users)]])

    def fraction(self) -> str:
        return self.rng.choice(["1", "1", "1/3", "0"])

    def rest(self) -> None:
        made = [e.tensor for e in self.einsums if e.tensor not in self.cascade.outputs]
        pairs = [f"{a.tensor} -> {e.name}" for e in self.einsums for a in e.reads if a.tensor in made]
        self.lines.append(f"forward: [{', '.join(self.some(dict.fromkeys(pairs), 0.2))}]")
        self.lines.append(f"home: {{{', '.join(f'{t}: dram' for t in self.some(dict.fromkeys(made), 0.25))}}}")


def draw(rng: Random, sample: Sample) -> tuple[Sizes, str]:
    """Sizes for a sample, and a mapping of it without its head."""
    sizes = {p: rng.choice([1, 2, 3, 4, 5, 6, 7]) if p in "MP" else rng.choice([1, 2, 3, 4]) for p in sample.params}
    workload = load_workload(written(sample.name, sample.workload()), [f"{k}={v}" for k, v in sizes.items()])
    made = Draw(rng, sample, sizes, steps(workload)[0].shapes.cascade)
    made.split()
    made.bind()
    loops_of = made.groups()
    made.spatial()
    made.keep(loops_of)
    made.rest()
    return sizes, made.text
