"""Systolic arrays that are wrong on purpose, and the small ones that stand for all in proofs and in faults."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring

from rtl.formal import Claims
from rtl.systolic import ArrayForm, SystolicArray
from rtl.systolic.grid import Grid

OUTPUTS = ArrayForm(3, 2, "os", left=4, right=4, accumulator=13, length=32)
WEIGHTS = ArrayForm(3, 2, "ws", left=4, right=4, accumulator=10, length=3, weight_buffers=2)


def bare(form: ArrayForm) -> ArrayForm:
    """The same array without any register that could be left out."""
    return replace(form, input_registers=0, mac_registers=0, output_registers=0)


class Changed(SystolicArray):
    """An array with something more in it, which wins over what was there: `change` says what."""

    def _admit_pairs(self, m: Module, grid: Grid, goes: Signal) -> None:
        super()._admit_pairs(m, grid, goes)
        self.change(m, grid, goes)

    def _admit_beside(self, m: Module, grid: Grid, goes: Signal) -> None:
        super()._admit_beside(m, grid, goes)
        self.change(m, grid, goes)

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        raise NotImplementedError

    @property
    def moves(self) -> Value:
        """Whether a beat of the left operand enters."""
        return self.left.valid & self.left.ready


class Bubble(Changed):
    """Takes nothing at one edge within a job, after every sixteen beats."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        count = Signal(4)
        wait = Signal()
        m.d.sync += count.eq(count + self.moves)
        with m.If(self.moves):
            m.d.sync += wait.eq((count == 15) & ~self.left.payload.last)
        with m.If(wait):
            m.d.sync += wait.eq(0)
            m.d.comb += [self.left.ready.eq(0), self.right.ready.eq(0), grid.step.valid.eq(0)]
            if self.form.dataflow == "ws":
                m.d.comb += grid.weights.valid.eq(0)


class Deaf(Changed):
    """Moves on while the result stalls."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        m.d.comb += grid.goes.eq(1)


class Greedy(Changed):
    """Takes a beat while the result stalls, and loses it."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        with m.If(~goes):
            m.d.comb += [self.left.ready.eq(1), self.right.ready.eq(1)]


class Withdrawn(Changed):
    """Takes the result back after it has waited."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        waited = Signal()
        m.d.sync += waited.eq(grid.present & ~self.result.ready & ~waited)
        m.d.comb += self.result.valid.eq(grid.present & ~waited)


class Hasty(Changed):
    """Takes a tile's weights before those that wait have been put to use."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        m.d.comb += [self.right.ready.eq(goes), grid.weights.valid.eq(self.right.valid)]


class Late(Changed):
    """Puts weights to use with the second beat."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        first = Signal()
        with m.If(self.moves):
            m.d.sync += first.eq(grid.step.valid & self.left.payload.last)
        m.d.comb += grid.step.first.eq(first)


class Remembers(Changed):
    """Does not forget in a reset that it is within a job."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        within = Signal(reset_less=True)
        with m.If(self.moves):
            m.d.sync += within.eq(~self.left.payload.last)
        m.d.comb += grid.step.first.eq(~within)


class Weak(Changed):
    """The top bit of the last column sticks to that of the other."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        m.d.comb += self.result.payload.data[-1][-1].eq(grid.result.data[0][-1])


class Meeting(Changed):
    """Lets jobs in so close that two sums meet on the wire of a column."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        m.d.comb += [
            self.left.ready.eq(self.right.valid & goes),
            self.right.ready.eq(self.left.valid & goes),
            grid.step.valid.eq(self.left.valid & self.right.valid),
        ]


class Sticky(Changed):
    """Adds to the sums of the job before."""

    def change(self, m: Module, grid: Grid, goes: Signal) -> None:
        m.d.comb += grid.step.first.eq(0)


def variants(form: ArrayForm) -> dict[str, SystolicArray]:
    """Faults made by hand; the timing of the first three is all that is wrong with them."""
    kinds: dict[str, list[type[Changed]]] = {
        "os": [Bubble, Deaf, Greedy, Withdrawn, Meeting, Sticky, Weak],
        "ws": [Bubble, Deaf, Greedy, Withdrawn, Hasty, Late, Remembers, Weak],
    }
    return {
        "later": SystolicArray(replace(form, output_registers=form.output_registers + 1)),
        "sooner": SystolicArray(replace(form, mac_registers=form.mac_registers - 1)),
        **{kind.__name__.lower(): kind(form) for kind in kinds[form.dataflow]},
    }


def short_jobs(claims: Claims, array: wiring.Component) -> None:
    """Every job has one beat, and every tile as many rows of weights as there are."""
    left, right = array.left, array.right
    form: ArrayForm = array.form
    claims.given("jobs_are_short", left.payload.last)
    if form.dataflow == "ws":
        row = Signal(range(form.rows + 1), name="row_of_weights")
        ends = row == form.rows - 1
        with claims.m.If(right.valid & right.ready):
            claims.m.d.sync += row.eq(row + 1)
            with claims.m.If(ends):
                claims.m.d.sync += row.eq(0)
        claims.given("tiles_are_whole", right.payload.last == ends)
