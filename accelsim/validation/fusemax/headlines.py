"""The study's means: as published, and beside them the same with its slips repaired."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.validation.check import Allowance, Check, compare_digits
from accelsim.validation.fusemax.study import EQUAL_COSTS, FOLDER, PUBLISHED, TOKENS, Books, Ratio, as_published, means
from accelsim.validation.runs import Runs
from accelsim.validation.table import Cell, Table, read_table

OURS = "fusemax"
DIGITS = Allowance(0.0, "half of the last digit")
MAPPER = Allowance(3e-3, "half of the last digit; a heuristic mapper made four rows of the unfused baseline")
HEAD = ("headline", "printed", "recomputed", "as published", "overlay", "base", "equal costs", "base, geometric")
NOTES = (
    "printed: in the paper; recomputed: mean of the artifact's rows; as published: ours with the overlay and with",
    "the reads counted too often; overlay: without those; base: our files, the registers of all PEs counted, scaled to",
    "their depth; equal costs: an exponential and its subtraction take two cycles on every design (energies as base)",
)


def checks(runs: Runs) -> Iterator[Check]:
    """Every mean of `headlines.csv`."""
    books = as_published(runs)
    for row in read_table(FOLDER / "headlines.csv"):
        ratio = ratio_of(row)
        found = means(ratio.pairs(books))
        allowed = MAPPER if ratio.over == "unfused" else DIGITS
        values = {
            "paper": found.arithmetic,
            "arithmetic": found.arithmetic,
            "geometric": found.geometric,
            "ratio_of_sums": found.ratio_of_sums,
            "least": found.least,
            "most": found.most,
        }
        for kind, value in values.items():
            if row[kind] != "-":
                yield compare_digits(f"headlines/{name_of(row)}", kind.replace("_", " "), value, row[kind], allowed)


def ratio_of(row: dict[str, str]) -> Ratio:
    tokens = TOKENS if row["tokens"] == "all" else (int(row["tokens"]),)
    return Ratio(row["quantity"], OURS, row["over"], row["scope"], tokens)


def name_of(row: dict[str, str]) -> str:
    """`speedup vs flat, attention`."""
    length = "" if row["tokens"] == "all" else f", {row['tokens']} tokens"
    return f"{row['quantity']} vs {row['over']}, {row['scope']}{length}"


def table(runs: Runs) -> Table:
    """Each headline in the paper and under four accountings."""
    rows = tuple(_line(runs, row) for row in read_table(FOLDER / "headlines.csv"))
    return Table("Headlines (arithmetic means, as the study takes them; the last column geometric)", HEAD, rows, NOTES)


def _line(runs: Runs, row: dict[str, str]) -> tuple[Cell, ...]:
    ratio = ratio_of(row)
    books = (as_published(runs), Books(runs, PUBLISHED), Books(runs), Books(runs, EQUAL_COSTS))
    arithmetic = (ratio.mean(one) for one in books)
    return (name_of(row), row["paper"], row["arithmetic"], *arithmetic, means(ratio.pairs(Books(runs))).geometric)
