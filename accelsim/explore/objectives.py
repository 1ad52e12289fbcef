"""What a sweep may minimise, read from the document of a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from accelsim.errors import AccelsimError, nearest

Document = Mapping[str, object]


def number(document: Document, key: str) -> float | None:
    """A number of a result's document, None where the result has none."""
    value = document.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def area_um2(document: Document) -> float | None:
    """Area of all components together."""
    table = document.get("area_um2")
    return sum(table.values()) if isinstance(table, Mapping) else None


def energy_delay(document: Document) -> float | None:
    """Energy times time, pJ s."""
    energy, seconds = number(document, "energy_pj"), number(document, "seconds")
    return None if energy is None or seconds is None else energy * seconds


def energy_delay_area(document: Document) -> float | None:
    """Energy times time times area, pJ s um2."""
    product, area = energy_delay(document), area_um2(document)
    return None if product is None or area is None else product * area


OBJECTIVES: dict[str, Callable[[Document], float | None]] = {
    "seconds": lambda document: number(document, "seconds"),
    "cycles": lambda document: number(document, "cycles"),
    "energy_pj": lambda document: number(document, "energy_pj"),
    "area_um2": area_um2,
    "energy_delay": energy_delay,
    "energy_delay_area": energy_delay_area,
}


def objective(document: Document, name: str) -> float | None:
    """The value of an objective. Raises AccelsimError for an unknown one."""
    if name not in OBJECTIVES:
        raise AccelsimError(f'no objective "{name}"{nearest(name, OBJECTIVES)}')
    return OBJECTIVES[name](document)
