"""The roofline of a processor: its bounds, its laws, and a search over all tiles written a second time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product as pairs
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.roofline import Cost, Moved, Product, Roofline, Tiling, product_cost, stream_cost, traffic
from tests.tries import tries

SIDES = (8, 16, 32, 64, 128)
TILING = Tiling(SIDES, cores=10, core_bytes=32 << 10, shared_bytes=256 << 10, waves=("compute",), register_side=16)
TILED = Roofline(1e12, 1e10, 0.8, 0.5, element_bytes=2, tiling=TILING)
PLAIN = replace(TILED, tiling=None)

extents = st.one_of(st.integers(1, 40), st.integers(1, 3000))
products = st.builds(
    Product, st.integers(1, 30), extents, extents, extents, element_bytes=st.just(2), split=st.booleans()
)


def compulsory(work: Product) -> int:
    """Bytes of both operands and the result, each once."""
    elements = work.rows * work.depth + work.depth * work.cols + work.rows * work.cols
    return 2 * work.copies * elements


def bounds(roofline: Roofline, work: Product) -> tuple[float, float]:
    """Seconds of the arithmetic and of the compulsory bytes, all cores busy."""
    arithmetic = work.flops / (roofline.compute_efficiency * roofline.flops_per_s)
    return arithmetic, compulsory(work) / (roofline.bandwidth_efficiency * roofline.bytes_per_s)


def tiled(**changed: Any) -> Roofline:
    return replace(TILED, tiling=replace(TILING, **changed))


@given(products)
def test_without_tiles_it_takes_the_longer_of_arithmetic_and_bytes(work: Product) -> None:
    cost = product_cost(PLAIN, work)
    arithmetic, memory = bounds(PLAIN, work)
    assert cost.seconds == pytest.approx(max(arithmetic, memory), rel=1e-12)
    assert cost.compute_bound == (arithmetic > memory)
    assert (cost.flops, *cost.moved) == (work.flops, *[compulsory(work)] * 3)


@given(products, st.sets(st.sampled_from(["compute", "bandwidth"])))
def test_tiles_are_never_faster_than_both_peaks(work: Product, waves: set[str]) -> None:
    cost = product_cost(tiled(waves=tuple(waves)), work)
    assert cost.seconds >= max(bounds(TILED, work)) * (1 - 1e-12)
    assert all(moved >= compulsory(work) for moved in cost.moved)
    assert cost.flops == work.flops


@given(products)
def test_an_incomplete_wave_only_costs(work: Product) -> None:
    none, one, both = (product_cost(tiled(waves=waves), work) for waves in ((), ("compute",), ("compute", "bandwidth")))
    assert none.seconds <= one.seconds <= both.seconds
    assert none.moved == one.moved == both.moved
    assert none.seconds == pytest.approx(max(bounds(TILED, work)[0], none.moved.memory / 5e9), rel=1e-12)


@given(products, st.integers(0, 8))
def test_more_cache_and_more_choice_of_tiles_never_move_more(work: Product, doublings: int) -> None:
    less, more = (product_cost(tiled(shared_bytes=size), work).moved for size in (64 << 10, (64 << 10) << doublings))
    assert more.memory <= less.memory
    assert product_cost(tiled(shared_bytes=1 << 40), work).moved.memory == compulsory(work)


@given(products, st.integers(0, 3), st.integers(0, 3))
def test_a_larger_tile_never_moves_more(work: Product, rows: int, cols: int) -> None:
    """Of sides that divide each other."""
    assert traffic(work, 8 << rows, 8 << cols) <= traffic(work, 8, 8)
    assert traffic(work, work.rows, work.cols) == compulsory(work) <= traffic(work, 8 << rows, 8 << cols)


@given(products, st.integers(2, 9))
def test_copies_scale(work: Product, times: int) -> None:
    """Everything that moves and is computed; seconds too where no wave counts."""
    more = replace(work, copies=times * work.copies)
    for roofline in (PLAIN, tiled(waves=())):
        one, several = product_cost(roofline, work), product_cost(roofline, more)
        assert several.flops == times * one.flops
        assert several.moved.memory == times * one.moved.memory
        assert several.seconds == pytest.approx(times * one.seconds, rel=1e-12)


@given(products, st.sampled_from(["copies", "rows", "cols", "depth"]), st.integers(1, 50))
def test_seconds_grow_with_every_size_without_tiles(work: Product, name: str, more: int) -> None:
    larger = replace(work, **{name: getattr(work, name) + more})
    assert product_cost(PLAIN, larger).seconds > product_cost(PLAIN, work).seconds


@given(products, st.sampled_from(["flops_per_s", "bytes_per_s", "compute_efficiency", "bandwidth_efficiency"]))
def test_twice_a_rate_saves_at_most_half(work: Product, name: str) -> None:
    for roofline in (PLAIN, TILED):
        faster = replace(roofline, **{name: 2 * getattr(roofline, name)})
        before, after = product_cost(roofline, work).seconds, product_cost(faster, work).seconds
        assert before / 2 * (1 - 1e-12) <= after <= before


@given(products)
def test_rows_and_columns_are_alike(work: Product) -> None:
    turned = replace(work, rows=work.cols, cols=work.rows)
    for roofline in (PLAIN, TILED):
        assert product_cost(roofline, turned).seconds == product_cost(roofline, work).seconds


# The same written a second time: every pair of sides is tried, none left out because a smaller one covers the product.


def searched(roofline: Roofline, work: Product) -> Cost:
    tiling = roofline.tiling
    assert tiling is not None
    shared_sides = {2**power for power in range(3, 20)} | {work.rows, work.cols}
    slices = max(1, ceil(work.depth / 64))
    memory = min(cut(work, *tile) for tile in fitting(shared_sides, tiling.shared_bytes, slices))
    rows, cols, busy = work.rows, work.cols, part_busy(work.copies, tiling.cores)
    if work.split:
        choices = []
        for tile in fitting(set(tiling.sides), tiling.core_bytes, 32):
            part = part_busy(work.copies * ceil(work.rows / tile[0]) * ceil(work.cols / tile[1]), tiling.cores)
            choices.append((cut(work, *tile) / part**2, *tile, part))
        _, rows, cols, busy = min(choices)
    arithmetic = work.flops / (roofline.flops_per_s * roofline.compute_efficiency)
    moving = memory / (roofline.bytes_per_s * roofline.bandwidth_efficiency)
    if "compute" in tiling.waves:
        arithmetic /= float(busy)
    if "bandwidth" in tiling.waves:
        moving /= float(busy)
    side = tiling.register_side
    moved = Moved(memory, cut(work, rows, cols), cut(work, side, side))
    return Cost(max(arithmetic, moving), work.flops, moved, arithmetic > moving)


def fitting(sides: set[int], capacity: int, depth: int) -> list[tuple[int, int]]:
    smallest = (min(sides),) * 2
    return [
        (rows, cols)
        for rows, cols in pairs(sides, sides)
        if 2 * (rows * cols + rows * depth + cols * depth) <= capacity or (rows, cols) == smallest
    ]


def cut(work: Product, rows: int, cols: int) -> int:
    """Bytes, tile by tile: its stretch of both operands and its results, the last tile of a row or column smaller."""
    down, across = (
        [min(side, extent - at) for at in range(0, extent, side)]
        for side, extent in ((rows, work.rows), (cols, work.cols))
    )
    operands = sum(down) * len(across) + sum(across) * len(down)
    return 2 * work.copies * (operands * work.depth + sum(down) * sum(across))


def part_busy(tiles: int, cores: int) -> Fraction:
    full, last = divmod(tiles, cores)
    waves = [cores] * full + [last] * (last > 0)
    return Fraction(sum(waves), len(waves) * cores)


@settings(max_examples=tries(60))
@given(
    products,
    st.sets(st.sampled_from(["compute", "bandwidth"])),
    st.sampled_from([1 << 10, 32 << 10, 192 << 10]),
    st.sampled_from([10, 108]),
)
def test_the_tiles_are_the_best_of_all(work: Product, waves: set[str], core_bytes: int, cores: int) -> None:
    roofline = tiled(waves=tuple(waves), core_bytes=core_bytes, cores=cores)
    found, expected = product_cost(roofline, work), searched(roofline, work)
    assert found.seconds == pytest.approx(expected.seconds, rel=1e-12)
    assert tuple(found.moved) == tuple(expected.moved)
    assert found.compute_bound == expected.compute_bound


def test_by_hand() -> None:
    """11 tiles of 128 x 128 on 10 cores are two waves with 11 of 20 places taken."""
    roofline = replace(tiled(sides=(128,), core_bytes=1 << 20), bytes_per_s=1e12)
    work = Product(1, 128, 11 * 128, 1024, 2)
    assert product_cost(roofline, work).seconds == pytest.approx(work.flops / (0.8e12 * 11 / 20))
    assert product_cost(roofline, replace(work, cols=10 * 128)).seconds == pytest.approx(work.flops / 11 * 10 / 0.8e12)


def test_a_busy_core_counts_by_its_square() -> None:
    """13 tiles of 8 x 32 fill 13 of 20 places, 52 of 8 x 8 fill 52 of 60, with 1.55 times the traffic: 4/3 is less."""
    work = Product(1, 8, 13 * 32, 64, 2)
    narrow, wide = traffic(work, 8, 8), traffic(work, 8, 32)
    assert 4 / 3 < narrow / wide < (4 / 3) ** 2
    assert product_cost(tiled(sides=(8, 32)), work).moved.shared == narrow


def test_a_core_takes_a_whole_copy_where_none_is_split() -> None:
    """Three vectors times a matrix each, on ten cores: three of them work."""
    work = Product(3, 1, 512, 128, 2, split=False)
    cost = product_cost(tiled(waves=("bandwidth",)), work)
    assert cost.moved.shared == cost.moved.memory == compulsory(work)
    assert cost.seconds == pytest.approx(compulsory(work) / 5e9 / 0.3)


def test_a_stream_moves_its_bytes_once() -> None:
    assert stream_cost(TILED, 5e9, 1.0).seconds == 1.0
    assert stream_cost(TILED, 1.0, 0.8e12).seconds == 1.0
    assert stream_cost(TILED, 5e9, 1.0).moved == (5e9, 5e9, 5e9)


@pytest.mark.parametrize("roofline", [PLAIN, TILED])
def test_a_peak_holds_for_the_operands_it_was_given_for(roofline: Roofline) -> None:
    with pytest.raises(AccelsimError) as caught:
        product_cost(roofline, Product(1, 8, 8, 8, 4))
    assert str(caught.value) == "the peak rate is that of operands of 2 bytes, and these have 4"
