"""What the machine runs: one head of attention in one pass, found in a placed mapping, or why it is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from accelsim.arch.model import Unit
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.text import render_einsum
from accelsim.errors import AccelsimError
from accelsim.mapping.bind import Placement
from accelsim.program.lower.engine import engine_of
from accelsim.units.engines import ARRAY, VECTOR
from accelsim.workload import load_workload, steps


@dataclass(frozen=True)
class Hardwired:
    """What a machine does, and how.

    Attributes:
        forms: the workloads whose Einsums it computes, and whether query p sees only keys up to p.
        operations: its tasks of several Einsums, each with those Einsums; all others are tasks of their own.
        on_array: the Einsums that its array does; its vector engine does the others.
        array, vector: what the `rtl` of the two units names.
        tiles: coordinate to the dimension of the array that a tile of it fills.
    """

    forms: tuple[tuple[str, bool], ...]
    operations: Mapping[str, tuple[str, ...]]
    on_array: tuple[str, ...]
    array: str
    vector: str
    tiles: Mapping[str, str]


ATTENTION = Hardwired(
    (("head-1pass", False), ("causal-head-1pass", True)),
    MappingProxyType(
        {
            "SOFTMAX": ("LM", "RM", "SLN", "SLD", "PRM", "SPD", "RD"),
            "SCALE_ADD": ("SPNV", "RNV"),
            "DIVIDE": ("AV",),
        }
    ),
    ("QK", "SLNV"),
    ARRAY,
    VECTOR,
    MappingProxyType({"p": "rows", "m": "cols", "f": "cols"}),
)
SCORES, PRODUCTS = "QK", "SLNV"
Q, K, V, OUTPUT = "Q", "K", "V", "AV"
LOOPS = ("p1", "m1")


@dataclass(frozen=True)
class Head:
    """Sizes: queries, keys, elements of a query and a key, columns of V; queries and keys of a tile of scores."""

    queries: int
    keys: int
    depth: int
    columns: int
    tile_queries: int
    tile_keys: int
    causal: bool

    @property
    def folds(self) -> int:
        """Parts of a row of the output, as wide as a tile of keys."""
        return self.columns // self.tile_keys

    @property
    def key_tiles(self) -> int:
        return -(-self.keys // self.tile_keys)

    @property
    def query_tiles(self) -> int:
        return -(-self.queries // self.tile_queries)


def head_of(placement: Placement, wired: Hardwired = ATTENTION) -> Head:
    """The head of attention that a placement describes.

    Raises:
        AccelsimError: anything that the machine does not do, with what it does.
    """
    causal = _form_of(placement, wired)
    array, vector = (_unit(placement, kind) for kind in (wired.array, wired.vector))
    cols = array.dims["cols"]
    if vector.dims["lanes"] != cols:
        lanes = vector.dims["lanes"]
        raise _refused(
            placement, f"{vector.name} has {lanes} lanes; it takes as many as {array.name} has columns, {cols}"
        )
    _check_plan(placement, wired, array, vector)
    sizes = placement.step.shapes.sizes
    if sizes["b"] * sizes["h"] != 1:
        raise _refused(placement, f"there are {sizes['b'] * sizes['h']} heads; the machine runs one at a time")
    for coordinate, what in (("e", "E"), ("f", "F")):
        if sizes[coordinate] % 8:
            raise _refused(placement, f"{what} is {sizes[coordinate]}; it must be a multiple of 8, the bytes of a word")
    queries, keys = (array.dims[wired.tiles[coordinate]] for coordinate in "pm")
    return Head(sizes["p"], placement.step.shapes.params["M"], sizes["e"], sizes["f"], queries, keys, causal)


def _form_of(placement: Placement, wired: Hardwired) -> bool:
    """Whether the cascade, which must be one that the machine computes, is causal."""
    mine = _texts(placement.step.shapes.cascade.einsums)
    for name, causal in wired.forms:
        if mine == _known(name):
            return causal
    names = " or ".join(name for name, _ in wired.forms)
    raise _refused(placement, f"its Einsums are not those that the machine computes: {names}")


@cache
def _known(name: str) -> frozenset[str]:
    (step,) = steps(load_workload(name))
    return _texts(step.shapes.cascade.einsums)


def _texts(einsums: tuple[Einsum, ...]) -> frozenset[str]:
    return frozenset(render_einsum(einsum) for einsum in einsums)


def _unit(placement: Placement, kind: str) -> Unit:
    found = [unit for unit in placement.arch.units.values() if engine_of(unit.rtl) == kind]
    if len(found) != 1:
        raise AccelsimError(f"{placement.arch.name}: the machine has one unit whose rtl is {kind}, not {len(found)}")
    return found[0]


def _check_plan(placement: Placement, wired: Hardwired, array: Unit, vector: Unit) -> None:
    """One group whose tasks are instructions, tiles as large as the array, Einsums on the unit that does them."""
    plan = placement.plan
    if len(plan.groups) != 1:
        raise _refused(placement, f"it has {len(plan.groups)} groups; the machine runs one")
    (group,) = plan.groups
    if dict(group.together) != dict(wired.operations):
        wanted = "; ".join(f"{name}: {', '.join(einsums)}" for name, einsums in wired.operations.items())
        raise _refused(placement, f"what is done together must be what the machine does at once: {wanted}")
    for einsum in placement.einsums:
        unit = array if einsum.name in wired.on_array else vector
        if plan.bind[einsum.name] != unit.name:
            raise _refused(placement, f"{einsum.name} must be bound to {unit.name}")
    for coordinate, dim in wired.tiles.items():
        mine = placement.step.shapes.params["M0"] if coordinate == "m" else placement.digits[coordinate][0][1]
        if mine != array.dims[dim]:
            raise _refused(placement, f"a tile has {mine} of {coordinate}; the array takes {array.dims[dim]}")
    if tuple(loop for loop in group.loops if loop in LOOPS) != LOOPS:
        raise _refused(placement, f"the loops must be {', '.join(LOOPS)} from the outermost inwards")


def _refused(placement: Placement, why: str) -> AccelsimError:
    return AccelsimError(f"{placement.step.name} under mapping {placement.mapping.name}: {why}")
