"""Arrays that do softmax themselves and are wrong on purpose, and the small one that stands for all of them."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring

from rtl.formal import Claims
from rtl.fuse import FuseArray, FuseForm, FusePe, Step
from rtl.fuse.element import EXP_OPS
from rtl.fuse.grid import FuseGrid

SMALL = FuseForm(3, 2, query=14, key=4, length=8)
LAST_TURN = len(EXP_OPS) - 1


def bare(form: FuseForm) -> FuseForm:
    """The same array without any register that could be left out."""
    return replace(form, input_registers=0, output_registers=0)


class Blind(FusePe):
    """An element that only passes on, for proofs of when beats move."""

    def _work(self, m: Module) -> None:
        m.d.sync += self.below.eq(self.above)


class Changed(FuseArray):
    """An array with something more in it, which wins over what was there: `change` says what."""

    def _drive(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        super()._drive(m, grid, turn)
        self.change(m, grid, turn)

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        raise NotImplementedError

    def keep_out(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        """No beat enters."""
        m.d.comb += [self.left.ready.eq(0), self.top.ready.eq(0)]
        with m.If(turn == 0):
            m.d.comb += grid.step.valid.eq(0)
            m.d.sync += turn.eq(0)


class Bubble(Changed):
    """Takes nothing at one edge after every sixteen beats."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        count = Signal(4)
        wait = Signal()
        taken = self.left.valid & self.left.ready
        m.d.sync += [count.eq(count + taken), wait.eq(taken & (count == 15))]
        with m.If(wait):
            self.keep_out(m, grid, turn)


class Slow(Changed):
    """Takes SLN an edge later than it could."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        far = Signal()
        with m.If(grid.goes):
            m.d.sync += far.eq(~grid.near)
        with m.If(~far & (self.left.payload.step == Step.SLN)):
            self.keep_out(m, grid, turn)


class Rests(Changed):
    """Takes nothing at the edge behind SLN."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        wait = Signal()
        with m.If(grid.goes):
            m.d.sync += wait.eq(turn == LAST_TURN)
        with m.If(wait):
            self.keep_out(m, grid, turn)


class Impatient(Changed):
    """Takes SLN an edge sooner than the maximum is at the top."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        near = Signal(self.form.rows - 1)
        entered = self.left.valid & self.left.ready & (self.left.payload.step == Step.LM)
        beat = self.left.payload
        with m.If(grid.goes):
            m.d.sync += near.eq((near << 1) | entered)
        with m.If((turn == 0) & (beat.step == Step.SLN) & self.left.valid & ~near.any()):
            m.d.comb += [self.left.ready.eq(grid.goes), grid.step.valid.eq(1)]
            with m.If(grid.goes):
                m.d.sync += turn.eq(1)


class Deaf(Changed):
    """Moves on while the result stalls."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        m.d.comb += grid.goes.eq(1)


class Hurries(Changed):
    """Goes on with the turns of SLN while the result stalls."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        with m.If(turn != 0):
            m.d.sync += turn.eq(Mux(turn == LAST_TURN, 0, turn + 1))


class Greedy(Changed):
    """Takes a beat while the result stalls, and loses it."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        with m.If(~grid.goes & (self.left.payload.step == Step.SLNV)):
            m.d.comb += self.left.ready.eq(1)


class Withdrawn(Changed):
    """Takes the result back after it has waited."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        waited = Signal()
        m.d.sync += waited.eq(grid.present & ~self.result.ready & ~waited)
        m.d.comb += self.result.valid.eq(grid.present & ~waited)


class Sticky(Changed):
    """Adds to the scores of the tile before."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        m.d.comb += grid.step.first.eq(0)


class Remembers(Changed):
    """Does not forget in a reset that it is within QK."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        begins = Signal(init=1, reset_less=True)
        with m.If(self.top.valid & self.top.ready):
            m.d.sync += begins.eq(self.left.payload.last)
        m.d.comb += grid.step.first.eq(begins)


class Crowded(Changed):
    """Rows without a key count for the maximum."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        with m.If((turn == 0) & (self.left.payload.step == Step.LM)):
            m.d.comb += [operand.eq(1) for operand in grid.west]


class Coarse(Changed):
    """The last coefficient but one is off by its least bit."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        with m.If(turn == 2):
            m.d.comb += [operand.eq(303) for operand in grid.west]


class Shallow(Changed):
    """A shift of 31 is one of 15."""

    def change(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        with m.If((turn == 0) & (self.left.payload.step == Step.SLN)):
            m.d.comb += [operand.eq(self.left.payload.shift[:4]) for operand in grid.west]


TIMING = ("later", "sooner", "bubble", "slow", "rests")
WAITING = ("deaf", "hurries", "greedy", "withdrawn")
KINDS = (
    *(Bubble, Slow, Rests, Impatient, Deaf, Hurries, Greedy, Withdrawn),
    *(Sticky, Remembers, Crowded, Coarse, Shallow),
)


def variants(form: FuseForm) -> dict[str, FuseArray]:
    """Faults made by hand; the edges are all that is wrong with those of TIMING."""
    return {
        "later": FuseArray(replace(form, output_registers=form.output_registers + 1)),
        "sooner": FuseArray(replace(form, input_registers=form.input_registers - 1)),
        **{kind.__name__.lower(): kind(form) for kind in KINDS},
    }


def brief_tiles(claims: Claims, array: wiring.Component) -> None:
    """Steps come in order, one beat each."""
    left = array.left
    at = Signal(2, name="step_in_order")
    with claims.m.If(left.valid & left.ready):
        claims.m.d.sync += at.eq(at + 1)
    claims.given("steps_in_order", left.payload.step == at)
    claims.given("steps_are_brief", left.payload.last)
