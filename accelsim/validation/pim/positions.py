"""Where multipliers should sit in memory: figure 8 of Duplex (MICRO 2024) beside ours."""

from __future__ import annotations

from pathlib import Path

from accelsim.explore.objectives import objective
from accelsim.simulate import simulate_named
from accelsim.validation.table import Cell, Table, read_table

FILE = Path(__file__).parent / "positions.csv"
PLACES = ("bank-pim", "bank-group-pim", "logic-pim")
WEIGHTS = ("N=16384", "K=4096")
HEAD = ("flops a byte", *(f"{place}{of}" for place in PLACES for of in (" published", "")), "best published", "best")
NOTES = (
    "The best place is the same everywhere: banks up to 4 flops a byte, the logic die from 8 on. Ours has one energy",
    "of a multiplication; those published for DRAM dies grow faster, and banks are the worst place there from 16 on.",
)


def table() -> Table:
    """Energy x delay x area, each over the largest of the three."""
    rows: list[tuple[Cell, ...]] = []
    for row in read_table(FILE):
        published = {place: float(row[place]) for place in PLACES}
        ours = products(int(row["flops_per_byte"]))
        pairs = (number for place in PLACES for number in (published[place], ours[place]))
        rows.append((row["flops_per_byte"], *pairs, min(published, key=published.__getitem__), best(ours)))
    return Table("Energy x delay x area by place, over the largest", HEAD, tuple(rows), NOTES)


def products(flops_per_byte: int) -> dict[str, float]:
    """Of each place over the largest; as many rows as flops a byte: a weight in FP16 has two bytes, a mac two flops."""
    found = {}
    for place in PLACES:
        document = simulate_named(place, "gemm", overrides=[f"M={flops_per_byte}", *WEIGHTS]).to_json()
        found[place] = objective(document, "energy_delay_area") or 0.0
    return {place: value / max(found.values()) for place, value in found.items()}


def best(values: dict[str, float]) -> str:
    return min(values, key=values.__getitem__)
