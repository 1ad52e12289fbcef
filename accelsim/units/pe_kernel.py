"""The compiled twin of `pe_array`: the same registers as arrays of integers, moved by numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from accelsim.jit import kernel
from accelsim.units.pe_array import Feed, Output, Port, Trace, leaving_registers
from accelsim.units.systolic import SystolicParams

Integers = npt.NDArray[np.int64]
Registers = tuple[int, int, Integers]  # at an input, inside a MAC, and at the output of each column
VALUE, JOB, BEAT, TOKEN = 0, 1, 2, 3  # where a wire holds what, and how much it holds
OUTPUT = 5  # an output is an edge, a job, a beat, a column and a value
NONE = -1  # the job of a wire that carries nothing


def run_feed(params: SystolicParams, feed: Feed) -> Trace:
    """Simulate what `feed` offers."""
    west, north = _wires(feed.west, feed.edges, params.rows), _wires(feed.north, feed.edges, params.cols)
    at_output = np.array([leaving_registers(params, col) for col in range(params.cols)], np.int64)
    registers = (params.input_registers, params.mac_registers, at_output)
    beats, cols = np.array(feed.beats, np.int64), np.array(feed.cols, np.int64)
    run: Any = keep_outputs if params.dataflow == "os" else keep_weights
    found = np.zeros((feed.edges * params.cols, OUTPUT), np.int64)
    count, clashes = run(west, north, beats if run is keep_outputs else params.weight_buffers, registers, cols, found)
    outputs = sorted(Output(*row) for row in found[:count].tolist())
    return Trace(tuple(outputs), feed.clashes + int(clashes))


def _wires(port: Port, edges: int, lanes: int) -> Integers:
    wires = np.full((edges, lanes, TOKEN), NONE, np.int64)
    for place, token in port.items():
        wires[place] = token
    return wires


@kernel
def shift(chain: Integers, length: int, token: Integers) -> None:
    """Move a chain of registers by one: `token` enters, and what leaves takes its place."""
    for part in range(token.shape[0] if length else 0):
        leaving = chain[length - 1, part]
        for place in range(length - 1, 0, -1):
            chain[place, part] = chain[place - 1, part]
        chain[0, part] = token[part]
        token[part] = leaving


@kernel
def enter(ports: Integers, skew: Integers, registers: int, entered: Integers) -> None:
    """What the lanes of one side see at an edge: lane n waits n edges and those of the input registers."""
    for lane in range(ports.shape[0]):
        entered[lane] = ports[lane]
        shift(skew[lane], lane + registers, entered[lane])


@kernel
def leave(column: Integers, chains: Integers, registers: Integers, edge: int, cols: Integers, found: Integers) -> int:
    """Move the output registers and note the transfers of an edge from `found[0]` on; how many there were."""
    count = 0
    for col in range(column.shape[0]):
        shift(chains[col], registers[col], column[col])
        job = column[col, JOB]
        if job != NONE and col < cols[job]:
            found[count] = (edge, job, column[col, BEAT], col, column[col, VALUE])
            count += 1
    return count


@kernel
def keep_outputs(
    west: Integers, north: Integers, beats: Integers, registers: Registers, cols: Integers, found: Integers
) -> tuple[int, int]:
    """Output stationary: the number of outputs noted in `found`, and of clashes."""
    edges, rows, width = west.shape[0], west.shape[1], north.shape[1]
    at_input, in_mac, at_output = registers
    across, down = np.full((rows, width, TOKEN), NONE), np.full((rows, width, TOKEN), NONE)
    west_skew = np.full((rows, rows + at_input, TOKEN), NONE)
    north_skew = np.full((width, width + at_input, TOKEN), NONE)
    pipes, chains = np.full((rows, width, in_mac, TOKEN), NONE), np.full((width, at_output.max(), TOKEN), NONE)
    left, top, column = np.full((rows, TOKEN), NONE), np.full((width, TOKEN), NONE), np.full((width, TOKEN), NONE)
    sums, product = np.zeros((rows, width), np.int64), np.full(TOKEN, NONE)
    count, clashes = 0, 0
    for edge in range(edges):
        enter(west[edge], west_skew, at_input, left)
        enter(north[edge], north_skew, at_input, top)
        column[:] = NONE
        for i in range(rows - 1, -1, -1):  # from the far corner, so that a neighbour still holds what it held before
            for j in range(width - 1, -1, -1):
                across[i, j] = across[i, j - 1] if j else left[i]
                down[i, j] = down[i - 1, j] if i else top[j]
                a, b = across[i, j], down[i, j]
                both = a[JOB] != NONE and b[JOB] != NONE
                clashes += both and (a[JOB] != b[JOB] or a[BEAT] != b[BEAT])
                product[:] = (a[VALUE] * b[VALUE], a[JOB] if both else NONE, a[BEAT])
                shift(pipes[i, j], in_mac, product)
                if product[JOB] != NONE:
                    sums[i, j] = product[VALUE] + (sums[i, j] if product[BEAT] else 0)
                    if product[BEAT] == beats[product[JOB]] - 1:
                        clashes += column[j, JOB] != NONE
                        column[j] = (sums[i, j], product[JOB], i)
        count += leave(column, chains, at_output, edge, cols, found[count:])
    return count, clashes


@kernel
def keep_weights(
    west: Integers, north: Integers, buffers: int, registers: Registers, cols: Integers, found: Integers
) -> tuple[int, int]:
    """Weight stationary: the number of outputs noted in `found`, and of clashes."""
    edges, rows, width = west.shape[0], west.shape[1], north.shape[1]
    at_input, in_mac, at_output = registers
    across, down = np.full((rows, width, TOKEN), NONE), np.full((rows, width, TOKEN), NONE)
    west_skew = np.full((rows, rows + at_input, TOKEN), NONE)
    north_skew = np.full((width, width + at_input, TOKEN), NONE)
    pipes, chains = np.full((rows, width, in_mac, TOKEN), NONE), np.full((width, at_output.max(), TOKEN), NONE)
    left, top, column = np.full((rows, TOKEN), NONE), np.full((width, TOKEN), NONE), np.full((width, TOKEN), NONE)
    sums, product = np.full((rows, width, TOKEN), NONE), np.full(TOKEN, NONE)
    held = np.zeros((rows, width, 2), np.int64)
    count, clashes = 0, 0
    for edge in range(edges):
        enter(west[edge], west_skew, at_input, left)
        enter(north[edge], north_skew, at_input, top)
        for i in range(rows - 1, -1, -1):  # from the far corner, so that a neighbour still holds what it held before
            for j in range(width - 1, -1, -1):
                across[i, j] = across[i, j - 1] if j else left[i]
                down[i, j] = down[i - 1, j] if i else top[j]
                a, weight = across[i, j], down[i, j]
                if buffers == 2 and a[JOB] != NONE and a[BEAT] == 0:
                    held[i, j, 0] = held[i, j, 1]
                product[:] = (a[VALUE] * held[i, j, 0], a[JOB], a[BEAT])
                if weight[JOB] != NONE and weight[BEAT] == i:
                    held[i, j, buffers - 1] = weight[VALUE]
                shift(pipes[i, j], in_mac, product)
                if i and product[JOB] != NONE:
                    above = sums[i - 1, j]
                    clashes += above[JOB] != product[JOB] or above[BEAT] != product[BEAT]
                    product[VALUE] += above[VALUE] if above[JOB] != NONE else 0
                sums[i, j] = product
        column[:] = sums[rows - 1]
        count += leave(column, chains, at_output, edge, cols, found[count:])
    return count, clashes
