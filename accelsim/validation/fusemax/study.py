"""The designs of the study under different accountings, the reads that it counted too often, and means of ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from accelsim.result import Result
from accelsim.validation.runs import Overrides, Runs, energy_pj
from accelsim.validation.table import read_table

FOLDER = Path(__file__).parent
MODELS = ("bert", "trxl", "t5", "xlm")
TOKENS = tuple(1024 * 4**step for step in range(6))
DESIGNS = ("unfused", "flat", "fusemax-cascade", "fusemax-arch", "fusemax")
PUBLISHED = {design: f"{design}-published" for design in DESIGNS}
EQUAL_COSTS = {design: f"{design}-equal-costs" for design in ("unfused", "flat")}  # the others pay these costs already
SIDE = 256  # keys and queries of a block
LAYER = "-layer"
Pair = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Books:
    """One way to account for the designs.

    Attributes:
        archs: design to the architecture that stands for it; itself where it is not listed.
        changes: design to overrides of its architecture.
        spurious: whether the reads that the study counted too often are added to the energy.
    """

    runs: Runs
    archs: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Overrides] = field(default_factory=dict)
    spurious: bool = False

    def result(self, design: str, workload: str, tokens: int) -> Result:
        arch, changes = self.archs.get(design, design), self.changes.get(design, ())
        return self.runs.result(arch, workload, tokens, changes)

    def seconds(self, design: str, workload: str, tokens: int) -> Fraction:
        return self.result(design, workload, tokens).seconds

    def energy_pj(self, design: str, workload: str, tokens: int) -> Fraction:
        own = energy_pj(self.result(design, workload, tokens))
        return own + (spurious_pj(self.runs, design, workload, tokens) if self.spurious else 0)


def as_published(runs: Runs) -> Books:
    """The study's own accounting, with its miscounted reads."""
    return Books(runs, PUBLISHED, spurious=True)


def spurious_pj(runs: Runs, design: str, workload: str, tokens: int) -> Fraction:
    """Energy of the buffer rows that the study read too often: rows x blocks of keys and queries x energy of a row.

    Blocks are B H (L / 256)^2; rows come from `spurious.csv`.
    """
    model = workload.removesuffix(LAYER)
    params = runs.workload(model, tokens).params
    arch = runs.arch(design)
    row = arch.components[arch.levels[-1].component].energy_pj["read"]
    blocks = params["B"] * params["H"] * Fraction(tokens, SIDE) ** 2
    return spurious_rows().get((design, model, tokens), Fraction(0)) * blocks * row


@lru_cache(maxsize=1)
def spurious_rows() -> dict[tuple[str, str, int], Fraction]:
    """Design, model and tokens to the rows that the study read too often for a block of 256 keys and 256 queries."""
    rows = read_table(FOLDER / "spurious.csv")
    return {(row["design"], row["model"], int(row["tokens"])): Fraction(row["rows"]) for row in rows}


@dataclass(frozen=True)
class Means:
    """Of ratios a/b: their arithmetic and geometric mean, sum of a over sum of b, the least and the most."""

    arithmetic: float
    geometric: float
    ratio_of_sums: float
    least: float
    most: float


def means(pairs: Sequence[Pair]) -> Means:
    """The means of the ratios of positive pairs."""
    ratios = [float(a / b) for a, b in pairs]
    return Means(
        arithmetic=math.fsum(ratios) / len(ratios),
        geometric=math.exp(math.fsum(map(math.log, ratios)) / len(ratios)),
        ratio_of_sums=float(sum(a for a, _ in pairs) / sum(b for _, b in pairs)),
        least=min(ratios),
        most=max(ratios),
    )


@dataclass(frozen=True)
class Ratio:
    """`speedup` (time of `over` by time of `design`) or `energy` (energy of `design` by energy of `over`)."""

    quantity: str
    design: str
    over: str
    scope: str = "attention"
    tokens: tuple[int, ...] = TOKENS

    def pairs(self, books: Books) -> list[Pair]:
        suffix = LAYER if self.scope == "layer" else ""
        return [self._pair(books, model + suffix, tokens) for model in MODELS for tokens in self.tokens]

    def _pair(self, books: Books, workload: str, tokens: int) -> Pair:
        if self.quantity == "speedup":
            return books.seconds(self.over, workload, tokens), books.seconds(self.design, workload, tokens)
        return books.energy_pj(self.design, workload, tokens), books.energy_pj(self.over, workload, tokens)

    def mean(self, books: Books) -> float:
        """The arithmetic mean, which is the one that the study prints."""
        return means(self.pairs(books)).arithmetic


def searched(design: str, tokens: int) -> bool:
    """Whether the published row comes from a mapper that stopped short of the optimum (the baseline at 256K)."""
    return design == "unfused" and tokens == 262144
