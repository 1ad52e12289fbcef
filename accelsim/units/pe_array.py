"""A systolic array element by element: every register moved at every edge, values included. It proves `systolic`.

Each job is one fold, two small integer matrices and the edge at which it begins. Nothing here knows a formula of
`systolic`: outputs appear when they appear, and two values that meet on a wire, or sums that do not belong together,
are counted as clashes. `run_array` is the simulation to read, `run_compiled` the same in one numba kernel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from accelsim.units.systolic import SystolicParams

Matrix = Sequence[Sequence[int]]


class Token(NamedTuple):
    """What a wire carries: a value, and whose it is. `beat` counts along the stream; of a weight it is its row."""

    value: int
    job: int
    beat: int


Wire = Token | None
Port = dict[tuple[int, int], Token]  # (edge, lane) to what is offered there


@dataclass(frozen=True)
class Job:
    """A fold: `inputs` M x K times `weights` K x N, the stationary part within the array, begun at edge `start`."""

    inputs: Matrix
    weights: Matrix
    start: int


@dataclass(frozen=True)
class Feed:
    """What enters at the left and the top, edge by edge; of every job its beats and its columns that are outputs."""

    west: Port
    north: Port
    beats: tuple[int, ...]
    cols: tuple[int, ...]
    edges: int
    clashes: int


class Output(NamedTuple):
    """One output transfer: of which job, at which beat (output stationary: which row) and column."""

    edge: int
    job: int
    beat: int
    col: int
    value: int


@dataclass(frozen=True)
class Trace:
    """All output transfers, sorted, and how often two values met."""

    outputs: tuple[Output, ...]
    clashes: int


class Delay:
    """A chain of registers."""

    def __init__(self, length: int) -> None:
        self.held: deque[Wire] = deque([None] * length)

    def shift(self, entering: Wire) -> Wire:
        self.held.append(entering)
        return self.held.popleft()


@dataclass
class Element:
    """One processing element: its accumulator or its stationary values, and the registers behind its multiplier."""

    row: int
    pipe: Delay
    held: int = 0
    waiting: int = 0
    clashes: int = 0

    def accumulate(self, left: Wire, above: Wire, beats: Sequence[int]) -> Wire:
        """Output stationary: add the product to the sum; the sum itself with the last beat."""
        self.clashes += left is not None and above is not None and left[1:] != above[1:]
        entering = Token(left.value * above.value, left.job, left.beat) if left and above else None
        product = self.pipe.shift(entering)
        if product is None:
            return None
        self.held = product.value + (self.held if product.beat else 0)
        return Token(self.held, product.job, self.row) if product.beat == beats[product.job] - 1 else None

    def pass_on(self, left: Wire, above: Wire, weight: Wire, two: bool) -> Wire:
        """Weight stationary: add the product to the sum from above; then catch a weight that is for this row."""
        if left and two and left.beat == 0:
            self.held = self.waiting
        entering = Token(left.value * self.held, left.job, left.beat) if left else None
        if weight and weight.beat == self.row:
            self.held, self.waiting = (self.held, weight.value) if two else (weight.value, 0)
        product = self.pipe.shift(entering)
        if product is None:
            return None
        self.clashes += self.row > 0 and (above is None or above[1:] != product[1:])
        return product._replace(value=product.value + (above.value if above else 0))


class Array:
    """All elements and the wires between them, as they were before the edge."""

    def __init__(self, params: SystolicParams, feed: Feed) -> None:
        p, self.params, self.feed, self.clashes = params, params, feed, 0
        self.elements = [[Element(row, Delay(p.mac_registers)) for _ in range(p.cols)] for row in range(p.rows)]
        self.west_skew = [Delay(p.input_registers + lane) for lane in range(p.rows)]
        self.north_skew = [Delay(p.input_registers + lane) for lane in range(p.cols)]
        self.leaving = [Delay(leaving_registers(p, col)) for col in range(p.cols)]
        self.west: list[list[Wire]] = [[None] * p.cols for _ in range(p.rows)]
        self.north: list[list[Wire]] = [[None] * p.cols for _ in range(p.rows)]
        self.sums: list[list[Wire]] = [[None] * p.cols for _ in range(p.rows)]

    def step(self, edge: int) -> list[Output]:
        """Move everything by one edge; the outputs that are transferred at it."""
        left = [skew.shift(self.feed.west.get((edge, lane))) for lane, skew in enumerate(self.west_skew)]
        top = [skew.shift(self.feed.north.get((edge, lane))) for lane, skew in enumerate(self.north_skew)]
        self.west = [[entering, *row[:-1]] for entering, row in zip(left, self.west, strict=True)]
        self.north = [top, *self.north[:-1]]
        columns = self._keep_outputs() if self.params.dataflow == "os" else self._keep_weights()
        tokens = [delay.shift(column) for delay, column in zip(self.leaving, columns, strict=True)]
        used = [(col, token) for col, token in enumerate(tokens) if token and col < self.feed.cols[token.job]]
        return [Output(edge, token.job, token.beat, col, token.value) for col, token in used]

    def _keep_outputs(self) -> list[Wire]:
        """Every column has one wire for its sums; two of them at one edge clash."""
        columns: list[Wire] = [None] * self.params.cols
        for row, line in enumerate(self.elements):
            for col, element in enumerate(line):
                done = element.accumulate(self.west[row][col], self.north[row][col], self.feed.beats)
                self.clashes += done is not None and columns[col] is not None
                columns[col] = columns[col] or done
        return columns

    def _keep_weights(self) -> list[Wire]:
        """Sums move down one row per edge and leave below the last."""
        above: list[list[Wire]] = [[None] * self.params.cols, *self.sums[:-1]]
        two = self.params.weight_buffers == 2
        self.sums = [
            [
                element.pass_on(self.west[row][col], above[row][col], self.north[row][col], two)
                for col, element in enumerate(line)
            ]
            for row, line in enumerate(self.elements)
        ]
        return self.sums[-1]


def run_array(params: SystolicParams, jobs: Sequence[Job]) -> Trace:
    """Simulate the jobs, each begun at its own edge."""
    feed = feed_of(params, jobs)
    array = Array(params, feed)
    outputs = [output for edge in range(feed.edges) for output in array.step(edge)]
    inner = sum(element.clashes for line in array.elements for element in line)
    return Trace(tuple(sorted(outputs)), feed.clashes + array.clashes + inner)


def run_compiled(params: SystolicParams, jobs: Sequence[Job]) -> Trace:
    """The same as `run_array`, compiled."""
    from accelsim.units.pe_kernel import run_feed

    return run_feed(params, feed_of(params, jobs))


def feed_of(params: SystolicParams, jobs: Sequence[Job]) -> Feed:
    """What the ports see: a job's stream follows its stationary rows without a gap; lanes are skewed inside."""
    west: Port = {}
    north: Port = {}
    offered = 0
    streams = [lanes_of(params, job) for job in jobs]
    for number, (job, (left, top)) in enumerate(zip(jobs, streams, strict=True)):
        preload = 0 if params.dataflow == "os" else params.rows
        for port, lanes, begin in ((west, left, job.start + preload), (north, top, job.start)):
            for lane, values in enumerate(lanes):
                offered += len(values)
                port.update({(begin + b, lane): Token(v, number, b) for b, v in enumerate(values)})
    latest = max(edge for edge, _ in (*west, *north))
    registers = params.input_registers + params.mac_registers + leaving_registers(params, 0)
    edges = latest + params.rows + params.cols + registers + 1
    beats, cols = tuple(len(left[0]) for left, _ in streams), tuple(len(top) for _, top in streams)
    return Feed(west, north, beats, cols, edges, offered - len(west) - len(north))


def leaving_registers(params: SystolicParams, col: int) -> int:
    """Registers between a column and its output: those of the port, and those that wait for the last column."""
    return params.output_registers + (params.cols - 1 - col if params.outputs == "aligned" else 0)


def lanes_of(params: SystolicParams, job: Job) -> tuple[list[list[int]], list[list[int]]]:
    """Values of every lane at the left and at the top; a lane of zeros where the array pads."""
    columns = [list(column) for column in zip(*job.inputs, strict=True)]
    weights = [list(row) for row in job.weights]
    turned = [list(column) for column in zip(*job.weights, strict=True)]
    inputs = [list(row) for row in job.inputs]
    left, top = {"os": (inputs, turned), "ws": (columns, turned), "is": (weights, inputs)}[params.dataflow]
    stationary, padded = params.dataflow != "os", params.edges == "padded"
    if stationary:
        top = [lane + [0] * (params.rows - len(lane)) for lane in top]
    left = left + [[0] * len(left[0])] * (params.rows - len(left) if stationary or padded else 0)
    top = top + [[0] * len(top[0])] * (params.cols - len(top) if padded else 0)
    return left, top
