"""Roofline of a processor with many cores: a product takes as long as its arithmetic or its bytes, whichever is longer.

With tiles, a product is cut for the caches and dealt to the cores in waves, and the last wave leaves cores idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Annotated, NamedTuple

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing

ACCUMULATOR_DEPTH = 32  # elements of the depth that a core holds of both operands at once
CACHE_SLICES = 64  # slices of the depth for which the second cache is shared out


@dataclass(frozen=True)
class Tiling:
    """How a processor cuts a product.

    Attributes:
        sides: sides that the tile of a core may have, ascending.
        cores: tiles that run at once.
        core_bytes, shared_bytes: the cache of a core, and the one of all cores.
        waves: what an incomplete last wave slows down: `compute`, `bandwidth`.
        register_side: side of the tiles that registers hold.
    """

    sides: tuple[int, ...]
    cores: int
    core_bytes: int
    shared_bytes: int
    waves: tuple[str, ...]
    register_side: int


@dataclass(frozen=True)
class Roofline:
    """Peak rates of a processor and what it reaches of them; `flops_per_s` holds for operands of `element_bytes`."""

    flops_per_s: float
    bytes_per_s: float
    compute_efficiency: float
    bandwidth_efficiency: float
    element_bytes: int
    tiling: Tiling | None


@dataclass(frozen=True)
class Product:
    """`copies` independent products of rows x depth and depth x cols; without `split` a core takes a whole copy."""

    copies: int
    rows: int
    cols: int
    depth: int
    element_bytes: float
    split: bool = True

    @property
    def flops(self) -> int:
        return 2 * self.copies * self.rows * self.cols * self.depth


class Moved(NamedTuple):
    """Bytes from and to memory, the shared cache, the cores' caches."""

    memory: float
    shared: float
    core: float


@dataclass(frozen=True)
class Cost:
    """What a kernel takes."""

    seconds: float
    flops: float
    moved: Moved
    compute_bound: bool


def traffic(product: Product, rows: int, cols: int) -> float:
    """Bytes of a product cut into tiles of rows x cols: each operand once for every tile of the other, results once.

    >>> traffic(Product(1, 64, 64, 8, 2), 32, 64)  # the left operand once, the right one twice
    11264.0
    """
    left = ceil(product.cols / cols) * product.rows * product.depth
    right = ceil(product.rows / rows) * product.cols * product.depth
    return float(product.copies * product.element_bytes * (left + right + product.rows * product.cols))


def product_cost(roofline: Roofline, product: Product) -> Cost:
    """Seconds and traffic of a product.

    Source: Williams et al., CACM 2009 (roofline); tiles, waves and efficiencies as in the simulator of AttAcc (ASPLOS
    2024).

    Raises:
        AccelsimError: operands of another size than the peak rate is known for.
    """
    if product.element_bytes != roofline.element_bytes:
        known, got = roofline.element_bytes, product.element_bytes
        raise AccelsimError(f"the peak rate is that of operands of {known} bytes, and these have {got:g}")
    return _product_cost(roofline, product)


@lru_cache(maxsize=1 << 14)
def _product_cost(roofline: Roofline, product: Product) -> Cost:
    tiling = roofline.tiling
    if tiling is None:
        return stream_cost(roofline, traffic(product, product.rows, product.cols), product.flops)
    rows, cols, busy = _core_tile(product, tiling)
    moved = Moved(
        memory=min(traffic(product, *tile) for tile in _shared_tiles(product, tiling)),
        shared=traffic(product, rows, cols),
        core=traffic(product, tiling.register_side, tiling.register_side),
    )
    compute, bandwidth = (busy if what in tiling.waves else 1.0 for what in ("compute", "bandwidth"))
    return _timed(roofline, product.flops, moved, (compute, bandwidth))


def stream_cost(roofline: Roofline, moved: float, flops: float) -> Cost:
    """Seconds of a kernel that moves bytes once."""
    return _timed(roofline, flops, Moved(moved, moved, moved), (1.0, 1.0))


def _timed(roofline: Roofline, flops: float, moved: Moved, busy: tuple[float, float]) -> Cost:
    """`busy`: the parts of the arithmetic and of the bandwidth that work."""
    compute = flops / (roofline.flops_per_s * roofline.compute_efficiency * busy[0])
    memory = moved.memory / (roofline.bytes_per_s * roofline.bandwidth_efficiency * busy[1])
    return Cost(max(compute, memory), flops, moved, compute > memory)


def _core_tile(product: Product, tiling: Tiling) -> tuple[int, int, float]:
    """Rows and columns of a core's tile, and the part of the cores that is busy: least traffic by that part squared."""
    if not product.split:
        return product.rows, product.cols, _busy(product.copies, tiling.cores)
    found = []
    for rows, cols in _fitting(product, tiling.sides, tiling.core_bytes, ACCUMULATOR_DEPTH):
        tiles = product.copies * ceil(product.rows / rows) * ceil(product.cols / cols)
        busy = _busy(tiles, tiling.cores)
        found.append((traffic(product, rows, cols) / busy**2, rows, cols, busy))
    _, rows, cols, busy = min(found)
    return rows, cols, busy


def _busy(tiles: int, cores: int) -> float:
    """The part of the cores that is busy on average over all waves."""
    return tiles / (ceil(tiles / cores) * cores)


def _shared_tiles(product: Product, tiling: Tiling) -> Iterable[tuple[int, int]]:
    sides = sorted({1 << power for power in range(3, 20)} | {product.rows, product.cols})
    depth = max(1, ceil(product.depth / CACHE_SLICES))
    return _fitting(product, tuple(sides), tiling.shared_bytes, depth)


def _fitting(product: Product, sides: tuple[int, ...], capacity: int, depth: int) -> Iterator[tuple[int, int]]:
    """Tiles whose operands, `depth` deep, and results fit; the smallest one in any case."""
    size = product.element_bytes
    for rows, cols in _pairs(product, sides):
        if (rows * cols + (rows + cols) * depth) * size <= capacity or (rows, cols) == (sides[0], sides[0]):
            yield rows, cols


def _pairs(product: Product, sides: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Sides up to the first that covers the whole product."""
    for rows in _useful(sides, product.rows):
        for cols in _useful(sides, product.cols):
            yield rows, cols


def _useful(sides: tuple[int, ...], extent: int) -> tuple[int, ...]:
    covering = [side for side in sides if side >= extent]
    return (*(side for side in sides if side < extent), *covering[:1])


@dataclass(frozen=True)
class RooflineParams(Checked):
    """The unit: rates at a clock, without tiles."""

    flops_per_cycle: Annotated[int, Size("operations of all cores together in a cycle, two for a mac")]
    bytes_per_cycle: Annotated[int, Size("bytes from and to memory in a cycle")]
    compute_percent: Annotated[int, Size("percent of its operations that it reaches", high=100)] = 100
    bandwidth_percent: Annotated[int, Size("percent of its bandwidth that it reaches", high=100)] = 100
    element_bytes: Annotated[int, Size("bytes of an element", high=8)] = 2


@dataclass(frozen=True)
class Products(Checked):
    """The job: `copies` products of rows x depth and depth x cols."""

    rows: Annotated[int, Size("rows of the left operand: tokens, or queries of a key head")]
    cols: Annotated[int, Size("columns of the right operand")]
    depth: Annotated[int, Size("elements that are summed up")]
    copies: Annotated[int, Size("independent products")] = 1


def timing(params: RooflineParams, shape: Products) -> Timing:
    """max(flops / peak, bytes / bandwidth) cycles; operands and results move once, all leave at the end.

    Source: Williams et al., CACM 2009. Assumes that caches hold what is used again, and that nothing else runs.
    """
    product = Product(shape.copies, shape.rows, shape.cols, shape.depth, params.element_bytes)
    moved = Fraction(traffic(product, shape.rows, shape.cols))
    compute = Fraction(product.flops * 100, params.flops_per_cycle * params.compute_percent)
    memory = moved * 100 / (params.bytes_per_cycle * params.bandwidth_percent)
    cycles = ceil(max(compute, memory))
    return Timing(cycles - 1, cycles - 1, cycles)
