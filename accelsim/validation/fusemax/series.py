"""Figures 6 to 11: what the study drew, for rows beyond the tables, in the digits that are known."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.validation.check import Allowance, Check, compare_digits
from accelsim.validation.fusemax.study import FOLDER, LAYER, TOKENS, Books, as_published, searched
from accelsim.validation.runs import Runs
from accelsim.validation.table import read_table

DIGITS = Allowance(0.0, "half of the last digit")
TWICE = Allowance(2e-5, "half of the last digit; some were rounded to four digits first")
MAPPER = Allowance(3e-3, "half of the last digit; a heuristic mapper made the row of the unfused baseline")
ENERGY_XLM = Allowance(2e-3, "half of the last digit; a heuristic mapper moved too many bytes for XLM's linear layers")
BASELINE = "unfused"
RATIOS = ("8", "9", "10", "11")
ENERGIES = ("9", "11")


def checks(runs: Runs) -> Iterator[Check]:
    """One check for each number of `series.csv`."""
    books = as_published(runs)
    for row in read_table(FOLDER / "series.csv"):
        for model in row["models"].split():
            for tokens in TOKENS:
                if row[str(tokens)] != "-":
                    yield _check(books, row, model, tokens)


def _check(books: Books, row: dict[str, str], model: str, tokens: int) -> Check:
    figure, design = row["figure"], row["design"]
    ours = _value(books, figure, design, model, tokens)
    allowed = _allowance(figure, BASELINE if figure in RATIOS else design, model, tokens)
    return compare_digits(f"figures/{design}/{model}/{tokens}", f"figure {figure}", ours, row[str(tokens)], allowed)


def _allowance(figure: str, searched_design: str, model: str, tokens: int) -> Allowance:
    if figure == "11" and model == "xlm":
        return ENERGY_XLM
    if searched(searched_design, tokens):
        return MAPPER
    return TWICE if figure in ENERGIES else DIGITS


def _value(books: Books, figure: str, design: str, model: str, tokens: int) -> float:
    """The number that a figure shows: 6 and 7 the use of units, 8 and 10 speed-ups, 9 and 11 energies."""
    number, _, einsum = figure.partition(" ")
    result = books.result(design, model, tokens)
    if number in ("6a", "6b"):
        return float(result.units["pe1d" if number == "6a" else "pe2d"].utilization)
    if number == "7":
        return float(result.einsums[einsum].utilization)
    workload = model + LAYER if number in ("10", "11") else model
    of = books.seconds if number in ("8", "10") else books.energy_pj
    ours, base = of(design, workload, tokens), of(BASELINE, workload, tokens)
    return float(base / ours) if number in ("8", "10") else float(ours / base)
