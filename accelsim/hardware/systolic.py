"""The integer systolic array: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accelsim.formats import FixedFormat
from accelsim.golden.fixed import Codes
from accelsim.golden.systolic import ArrayWidths, multiply, partial_sums
from accelsim.hardware.draw import codes, ends
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.systolic import Product, SystolicParams, timing
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.sim.case import Job, Streams
from rtl.systolic import ArrayForm, SystolicArray, left_layout, result_layout, right_layout

Rng = np.random.Generator
MORE = 12  # the longest stream of a job, beyond the rows of the array
LONGEST_CORNER = 256  # but for the K of some


@dataclass(frozen=True)
class ArrayUnderTest(UnitUnderTest[ArrayForm, Product]):
    """Jobs in an order, and their inputs at the jobs, in which the timing function speaks of each by itself."""

    def jobs(self, params: ArrayForm, rng: Rng, number: int, *, equal: bool = False) -> tuple[Job, ...]:
        """So many jobs, of one shape or each of its own.

        Outputs in place: a job of K < rows waits where one with a larger K is before it, so that those come in the
        order of their K. Two weight buffers: see `prefetched`.
        """
        shapes = [self.shape(params, rng)] * number if equal else [self.shape(params, rng) for _ in range(number)]
        if params.dataflow == "os":
            shapes.sort(key=lambda tile: min(tile.K, params.rows))
        jobs = [self.job(params, tile, rng) for tile in shapes]
        return prefetched(params, jobs) if params.weight_buffers == 2 else tuple(jobs)


def prefetched(form: ArrayForm, jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The same jobs, the weights of each but the first among the inputs of the job before.

    A second buffer takes a tile's weights when the job before begins to use its own. A job's edges count from the
    first weights for the first job, and for the others, whose weights are there, from `rows` edges later.
    """
    weights = [job.inputs["right"] for job in jobs]
    found = []
    for place, job in enumerate(jobs):
        ahead = weights[place + 1] if place + 1 < len(jobs) else ()
        if place:
            inputs = {**job.inputs, "right": ahead}
            found.append(replace(job, inputs=inputs, first=job.first - form.rows, last=job.last - form.rows))
        else:
            inputs = {**job.inputs, "right": (*weights[0], *ahead)}
            found.append(replace(job, inputs=inputs, busy=job.busy + form.rows))
    return tuple(found)


def shape(form: ArrayForm, rng: Rng) -> Product:
    """A tile of any size, often as large as the array; outputs in place: now and then K as long as a sum may be."""

    def up_to(most: int) -> int:
        return most if rng.random() < 0.4 else int(rng.integers(1, most + 1))

    stream = form.rows + MORE
    if form.dataflow == "os":
        longest = min(form.length, LONGEST_CORNER if rng.random() < 0.05 else stream)
        return Product(up_to(form.rows), up_to(form.cols), up_to(longest))
    return Product(up_to(stream), up_to(form.cols), up_to(form.products))


def inputs(form: ArrayForm, tile: Product, rng: Rng) -> Streams:
    """Operands as the streams carry them; lanes, and rows of weights, past the end of the tile are 0."""
    left, right = operands(form, tile, rng)
    if form.dataflow == "os":
        beats, rows = padded(left.T, tile.K, form.rows), padded(right, tile.K, form.cols)
        return {"left": packets(left_layout(form), beats), "right": pack(right_layout(form), {"data": rows})}
    beats, rows = padded(left, tile.M, form.rows), padded(right, form.rows, form.cols)
    return {"left": packets(left_layout(form), beats), "right": packets(right_layout(form), rows)}


def operands(form: ArrayForm, tile: Product, rng: Rng) -> tuple[Codes, Codes]:
    """Left and right operand: of any numbers, at the ends of the range, or of one end each: sums become largest."""
    sizes = (FixedFormat(form.left), (tile.M, tile.K)), (FixedFormat(form.right), (tile.K, tile.N))
    kind = rng.random()
    if kind < 0.5:
        left, right = (codes(number, size, rng) for number, size in sizes)
    elif kind < 0.7:
        left, right = (ends(number, size, rng) for number, size in sizes)
    else:
        kinds = (number.lowest if rng.random() < 0.6 else number.highest for number, _ in sizes)
        left, right = (np.full(size, end) for end, (_, size) in zip(kinds, sizes, strict=True))
    return left, right


def padded(values: Codes, rows: int, cols: int) -> Codes:
    """`values` in the corner of zeros [rows, cols]."""
    found = np.zeros((rows, cols), np.int64)
    found[: values.shape[0], : values.shape[1]] = values
    return found


def packets(layout: Any, beats: Codes) -> tuple[int, ...]:
    """Payloads with `last` in the last one."""
    return pack(layout, {"data": beats, "last": np.arange(len(beats)) == len(beats) - 1})


def golden(form: ArrayForm, tile: Product, streams: Streams) -> Streams:
    left = unpack(left_layout(form), streams["left"])["data"]
    right = unpack(right_layout(form), streams["right"])["data"][: tile.K, : tile.N]
    widths = ArrayWidths(form.left, form.right, form.accumulator)
    if form.dataflow == "os":
        sums = padded(multiply(widths, left.T[: tile.M], right), form.rows, form.cols)
    else:
        sums = padded(partial_sums(widths, left[:, : tile.K], right, form.rows)[0], tile.M, form.cols)
    return {"result": packets(result_layout(form), sums)}


def edges(form: ArrayForm, tile: Product) -> Timing:
    """What the simulator's function says: all lanes take their turn, folds overlap, rows leave whole."""
    registers = form.input_registers, form.mac_registers, form.output_registers
    array = form.rows, form.cols, form.dataflow
    return timing(SystolicParams(*array, "padded", "overlapped", form.weight_buffers, *registers, "aligned"), tile)


def read(values: Mapping[str, object]) -> ArrayForm:
    """Parameters by name, those of `ArrayForm`. AccelsimError for what cannot be built."""
    numbers = {name: value for name, value in values.items() if name != "dataflow"}
    base: Any = ArrayForm(dataflow=values["dataflow"]) if "dataflow" in values else ArrayForm()  # type: ignore[arg-type]
    form: ArrayForm = from_plain(base, numbers)
    ArrayWidths(form.left, form.right, form.accumulator)
    return form


CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "double": {"rows": 4, "cols": 6, "weight_buffers": 2, "left": 8, "input_registers": 0, "output_registers": 0},
    "outputs": {"rows": 6, "cols": 6, "dataflow": "os"},
    "wide": {
        "rows": 3,
        "cols": 7,
        "dataflow": "os",
        "right": 16,
        "accumulator": 40,
        "mac_registers": 2,
        "output_registers": 0,
    },
    "tall": {"rows": 9, "cols": 2, "weight_buffers": 2, "left": 5, "right": 4, "accumulator": 12, "input_registers": 2},
    "single": {
        "rows": 1,
        "cols": 1,
        "dataflow": "os",
        "left": 4,
        "right": 4,
        "accumulator": 14,
        "length": 100,
        **dict.fromkeys(("input_registers", "mac_registers", "output_registers"), 0),
    },
    "row": {"rows": 1, "cols": 5, "left": 12, "accumulator": 20, "mac_registers": 0, "output_registers": 2},
    "column": {
        "rows": 5,
        "cols": 1,
        "dataflow": "os",
        "left": 7,
        "right": 9,
        "accumulator": 18,
        "length": 7,
        **dict.fromkeys(("input_registers", "mac_registers", "output_registers"), 0),
    },
}
LARGE: Mapping[str, Mapping[str, object]] = {
    "large": {"rows": 16, "cols": 16, "weight_buffers": 2},
    "large-outputs": {"rows": 16, "cols": 16, "dataflow": "os", "length": 1024, "accumulator": 34},
}

UNIT = HardwareUnit(
    name="systolic",
    under_test=ArrayUnderTest("systolic", SystolicArray, shape, inputs, golden, edges, rigid=True),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
