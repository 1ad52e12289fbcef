"""The systolic array against the published simulator's counts, and the laws of folding."""

from __future__ import annotations

import csv
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.systolic import Dataflow, Edges, Outputs, Product, SystolicParams, fold_timing, layout, timing

# Array side, dataflow, M, N, K, cycles and compute utilisation in percent as SCALE-Sim (3.0.0 of PyPI, fab89b7)
# reports them without stalls: every third row of a run over 22 shapes. It reports the index of the last cycle.
PUBLISHED = """
  8 is   8    8   8    29 21.62162162162162
  8 is  31   33  65  1979 46.54947916666663
  8 os  64   64   1   959 6.666666666666673
  8 os  31   33  65  1579 65.75850474683544
  8 ws   8    8   8    29 21.62162162162162
  8 ws  33   32  32   879 53.2258064516129
 32 is   1    1   1    94 0.0007750496031746031
 32 is  17  300   5   393 5.859375
 32 is  31   33  65   380 13.69968848892405
 32 os   1    1   1    62 0.0015500992063492063
 32 os  64   64   1   251 1.5873015873015872
 32 os 128  128 128  3039 67.3684210526316
 32 ws   1    1   1    94 0.0007750496031746031
 32 ws   1   64  64   379 0.7936507936507936
 32 ws   1  512 512 24319 0.7936507936507912
 32 ws 512  512  64 19391 80.37676609105188
128 is   9    8   8   389 0.00680004835589942
128 is  64   64   1   445 0.04363001745200698
128 is  31   33  65   414 0.7488067739564114
128 is   4 1000 300  4145 1.6178967859509608
128 os   8    8   8   261 0.011927480916030533
128 os   1   64  64   317 0.07861635220125787
128 os  32   32  32   285 0.6993006993006993
128 os   4 1000 300  4431 1.6525764327617332
128 os 130  768  96  4199 13.928571428571429
128 os 512   64 512  3063 33.420365535248045
128 ws   7    9  11   388 0.008197163426598836
128 ws  33   32  32   414 0.3805350553505535
128 ws   4 1000 300  9263 0.594884563840156
128 ws 130  768  96  3071 15.258215962441316
"""
ROWS = [line.split() for line in PUBLISHED.strip().splitlines()]
DATAFLOWS = st.sampled_from(get_args(Dataflow))
SIDES = st.integers(1, 40)
SIZES = st.integers(1, 300)


@st.composite
def arrays(draw: st.DrawFn, dataflow: st.SearchStrategy[Dataflow] = DATAFLOWS) -> SystolicParams:
    """Any serialised array of one buffer."""
    r, s, t = (draw(st.integers(0, 3)) for _ in range(3))
    edges, outputs = draw(st.sampled_from(get_args(Edges))), draw(st.sampled_from(get_args(Outputs)))
    return SystolicParams(draw(SIDES), draw(SIDES), draw(dataflow), edges, "serialised", 1, r, s, t, outputs)


def overlapped(params: SystolicParams, buffers: int = 1) -> SystolicParams:
    return replace(params, folds="overlapped", weight_buffers=1 if params.dataflow == "os" else buffers)


PRODUCTS = st.builds(Product, SIZES, SIZES, SIZES)


def folds(params: SystolicParams, shape: Product) -> int:
    place = layout(params.dataflow, shape)
    return ceil(place.down / params.rows) * ceil(place.across / params.cols)


def check_published(row: list[str]) -> None:
    """Cycles, and the utilisation that the simulator derives from its own, longer count (see docs/units.md)."""
    side, dataflow, m, n, k, cycles, utilization = row
    params, shape = SystolicParams(int(side), int(side), dataflow), Product(int(m), int(n), int(k))  # type: ignore[arg-type]
    found = timing(params, shape)
    assert (found.last, found.cycles) == (int(cycles), int(cycles) + 1)
    longer = 0 if dataflow == "os" else folds(params, shape) * (params.rows - 1)
    used = 100 * shape.M * shape.N * shape.K / (params.rows * params.cols * (found.cycles + longer))
    assert used == pytest.approx(float(utilization), rel=1e-12)


@pytest.mark.golden
@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row[:5]))
def test_counts_are_those_of_the_published_simulator(row: list[str]) -> None:
    check_published(row)


@pytest.mark.golden
def test_every_row_of_the_reference(reference: Path) -> None:
    with (reference / "mappers" / "scalesim.csv").open() as file:
        rows = [list(row.values())[:7] for row in csv.DictReader(file)]
    assert len(rows) >= len(ROWS)
    for array, dataflow, m, n, k, cycles, utilization in rows:
        check_published([array, dataflow, m, n, k, cycles, utilization])


def test_a_multiplication_takes_a_cycle() -> None:
    """The published formula K + R + C - 2, less one, gives 0 cycles for one product on one element."""
    assert timing(SystolicParams(1, 1, "os"), Product(1, 1, 1)).cycles == 1


# Laws.


@given(arrays(), PRODUCTS)
def test_serialised_folds_add_up(params: SystolicParams, shape: Product) -> None:
    """Padded, all folds are alike: their number times the cycles of one. The next job waits for the last output."""
    padded = replace(params, edges="padded")
    one = fold_timing(padded, 1, 1, layout(params.dataflow, shape).beats)
    assert timing(padded, shape).cycles == folds(params, shape) * one.cycles
    for each in (params, padded):
        assert timing(each, shape).busy == timing(each, shape).cycles == timing(each, shape).cycles_of(1)


@given(arrays(), PRODUCTS)
def test_overlapping_and_a_second_buffer_never_slow_down(params: SystolicParams, shape: Product) -> None:
    found = [timing(each, shape) for each in (params, overlapped(params), overlapped(params, 2))]
    assert found == sorted(found, key=lambda t: (-t.cycles, -t.busy))
    assert len({t.first for t in found}) == 1


@given(arrays(), PRODUCTS)
def test_leaving_out_idle_lanes_never_slows_down(params: SystolicParams, shape: Product) -> None:
    for each in (params, overlapped(params), overlapped(params, 2)):
        padded, trimmed = (timing(replace(each, edges=edges), shape) for edges in get_args(Edges))
        assert trimmed.cycles <= padded.cycles
        assert trimmed.busy <= padded.busy


@given(arrays(), PRODUCTS, st.integers(1, 50), st.sampled_from("MNK"))
def test_a_larger_product_is_never_faster(params: SystolicParams, shape: Product, more: int, size: str) -> None:
    larger = replace(shape, **{size: getattr(shape, size) + more})
    for each in (params, overlapped(params), overlapped(params, 2)):
        small, large = timing(each, shape), timing(each, larger)
        assert small.cycles <= large.cycles
        assert small.busy <= large.busy


@given(arrays(), PRODUCTS)
def test_registers_delay_outputs_and_nothing_else_where_folds_overlap(params: SystolicParams, shape: Product) -> None:
    bare = replace(params, input_registers=0, mac_registers=0, output_registers=0)
    stages = params.input_registers + params.mac_registers + params.output_registers
    with_, without = timing(overlapped(params), shape), timing(overlapped(bare), shape)
    assert (with_.first, with_.last, with_.busy) == (without.first + stages, without.last + stages, without.busy)
    assert timing(params, shape).cycles == timing(bare, shape).cycles + stages * folds(params, shape)


@given(arrays(), PRODUCTS)
def test_rows_that_leave_whole_wait_for_their_last_column(params: SystolicParams, shape: Product) -> None:
    """Padded, where the last column always takes its turn, only the first output is later."""
    padded = replace(params, edges="padded")
    for each in (padded, overlapped(padded), overlapped(padded, 2)):
        skewed, aligned = (timing(replace(each, outputs=outputs), shape) for outputs in get_args(Outputs))
        assert aligned == replace(skewed, first=skewed.first + params.cols - 1)


@given(arrays(), PRODUCTS)
def test_no_array_does_more_than_a_product_per_element_and_cycle(params: SystolicParams, shape: Product) -> None:
    for each in (params, overlapped(params), overlapped(params, 2)):
        assert each.rows * each.cols * timing(each, shape).busy >= shape.M * shape.N * shape.K


@given(SIDES, SIDES, PRODUCTS)
def test_inputs_stay_as_weights_do_in_the_transposed_product(rows: int, cols: int, shape: Product) -> None:
    transposed = Product(shape.N, shape.M, shape.K)
    assert timing(SystolicParams(rows, cols, "is"), shape) == timing(SystolicParams(rows, cols, "ws"), transposed)


# What is refused.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, 'rows: must be an integer from 1 to 65536, got "0"'),
        ({"cols": True}, 'cols: must be an integer from 1 to 65536, got "True"'),
        ({"rows": 65537}, 'rows: must be an integer from 1 to 65536, got "65537"'),
        ({"dataflow": "rs"}, 'dataflow: must be os, ws or is, got "rs"'),
        (
            {"folds": "overlaped"},
            'folds: must be serialised or overlapped, got "overlaped"; did you mean "overlapped"?',
        ),
        ({"edges": None}, "edges: must be padded or trimmed, got nothing"),
        ({"mac_registers": -1}, 'mac_registers: must be an integer from 0 to 1024, got "-1"'),
        ({"weight_buffers": 3}, 'weight_buffers: must be an integer from 1 to 2, got "3"'),
        (
            {"weight_buffers": 2},
            'weight_buffers: 2 changes nothing with dataflow "ws" and folds "serialised": '
            "it needs ws or is, and overlapped",
        ),
    ],
)
def test_arrays_that_cannot_be(change: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        SystolicParams(**{"rows": 4, "cols": 4, "dataflow": "ws", **change})  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_empty_products_are_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^K: must be an integer from 1 to 2147483648, got "0"$'):
        Product(1, 1, 0)
