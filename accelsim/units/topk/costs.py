"""What is known of the area and energy of a top-k engine: of its parts, and of published ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from accelsim.schema import check_schema
from accelsim.shipped import data_dir
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.parts import Params, parts_of
from accelsim.yamlfile import Node, load_file

COSTS = "topk/topk-costs.yaml"


@dataclass(frozen=True)
class PartCost:
    """Area and energy of a bit; none where nobody says."""

    area_um2: float | None
    energy_pj: float | None
    source: str


@dataclass(frozen=True)
class Published:
    """A whole engine as it was published."""

    engine: str
    lanes: int
    n: int
    score_bits: int
    area_mm2: float
    power_mw: float
    node: str
    source: str


@dataclass(frozen=True)
class Costs:
    """The file of costs."""

    parts: dict[str, PartCost]
    engines: tuple[Published, ...]


def cost_report(name: str, params: Params, job: Ranking, compared: float) -> dict[str, object]:
    """Parts, area and energy of a job as plain data; the whole is none where a part is not known.

    Args:
        compared: comparisons of two scores in SELECT; an engine without any counts, which nobody gives an energy for.
    """
    known, parts = load_costs(), parts_of(params, job)
    bits = {"compare": parts.compare, "mux": parts.mux, "memory": parts.memory}
    areas = {part: _product(known.parts[part].area_um2, count) for part, count in bits.items()}
    each = known.parts["compare"].energy_pj
    compare = _product(each, (compared + job.n) * params.score_bits) if compared else None
    energies = {"compare": compare, "mux": None, "memory": None}
    alike = [whole for whole in known.engines if whole.engine == name and whole.lanes == params.lanes]
    return {
        "parts_bits": bits,
        "area_um2": _total(areas),
        "area_um2_by": areas,
        "energy_pj": _total(energies),
        "energy_pj_by": energies,
        "sources": {part: known.parts[part].source for part in bits},
        "published": {whole.node: _published(whole) for whole in alike} or None,
    }


def _published(whole: Published) -> dict[str, object]:
    return {"area_mm2": whole.area_mm2, "power_mw": whole.power_mw, "n": whole.n, "source": whole.source}


def _product(each: float | None, count: float) -> float | None:
    return None if each is None else each * count


def _total(parts: dict[str, float | None]) -> float | None:
    known = [value for value in parts.values() if value is not None]
    return sum(known) if len(known) == len(parts) else None


@lru_cache
def load_costs() -> Costs:
    """The shipped costs."""
    return read_costs(load_file(data_dir("arch_configs") / COSTS))


def read_costs(document: Node) -> Costs:
    """Costs of a document.

    Raises:
        AccelsimError: another kind of file, a key or a number that is missing or wrong, with its place.
    """
    check_schema(document, "topk-costs")
    entries = document.fields(("schema", "parts", "engines"))
    parts = entries["parts"].fields(("compare", "mux", "memory"))
    costs = {name: _part_cost(node) for name, node in parts.items()}
    return Costs(costs, tuple(_engine(node) for node in entries["engines"].sequence()))


def _part_cost(node: Node) -> PartCost:
    entries = node.fields(("area", "energy", "node", "class", "source"))
    return PartCost(_maybe(entries["area"], "um2"), _maybe(entries["energy"], "pJ/op"), entries["source"].string())


def _maybe(node: Node, unit: str) -> float | None:
    return None if node.text == "unknown" else float(node.quantity(unit))


def _engine(node: Node) -> Published:
    entries = node.fields(("engine", "lanes", "n", "score_bits", "area", "power", "node", "source"))
    return Published(
        engine=entries["engine"].string(),
        lanes=entries["lanes"].positive_integer(),
        n=entries["n"].positive_integer(),
        score_bits=entries["score_bits"].positive_integer(),
        area_mm2=float(entries["area"].quantity("mm2")),
        power_mw=float(entries["power"].quantity("mW")),
        node=entries["node"].string(),
        source=entries["source"].string(),
    )
