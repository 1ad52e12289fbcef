"""Exp units that are wrong on purpose."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from amaranth.hdl import Module, Signal

from accelsim.formats import FixedFormat
from accelsim.golden.exp import ExpUnit, exponential
from accelsim.hardware.exp import UNIT, ExpSetup, build, last_of
from rtl.bench import Case, Job, pack
from rtl.block import Block
from rtl.exp import Exp, ExpStages, exp_input, exp_output
from rtl.pipeline import later
from tests.rtl.rigid import Tired, common_variants

SMALL: ExpSetup = UNIT.read({"source": "u9.4", "target": "s9.8", "segments": 4, "lanes": 2})


def every_number(setup: ExpSetup, device: str) -> Case:
    """A job of all codes of a source, in every lane."""
    x = np.repeat(np.arange(setup.source.highest + 1)[:, None], setup.lanes, axis=1)
    flags = {"valid": np.full(len(x), (1 << setup.lanes) - 1), "last": last_of(len(x))}
    y = exponential(ExpUnit(setup.source, setup.target, setup.segments), x)
    inputs = {"i": pack(exp_input(setup.source, setup.lanes), {"x": x, **flags})}
    outputs = {"o": pack(exp_output(setup.target, setup.lanes), {"y": y, **flags})}
    edges = setup.stages.depth
    return Case("every number", device, (Job(inputs, outputs, edges, len(x) - 1 + edges, len(x)),))


class Unmasked(Exp):
    """Gives exp also in lanes that do not count."""

    def pipeline(self) -> Module:
        m = super().pipeline()
        m.d.comb += self.o.payload.y[1].eq(m.submodules.lane_1.y)
        return m


class NotZero(Exp):
    """Far from 0 a lane keeps its lowest bit."""

    def pipeline(self) -> Module:
        m = super().pipeline()
        far = self.i.payload.x[0] == self.lane[0].highest
        (late,) = later(m, "far", self.depth, far=far)
        with m.If(late & self.o.payload.valid[0]):
            m.d.comb += self.o.payload.y[0].eq(1)
        return m


class NotOne(Exp):
    """exp(0) is just below 1."""

    def pipeline(self) -> Module:
        m = super().pipeline()
        (late,) = later(m, "zero", self.depth, zero=self.i.payload.x[0] == 0)
        one = 1 << self.lane[1].fraction
        with m.If(late & self.o.payload.valid[0]):
            m.d.comb += self.o.payload.y[0].eq(min(one, self.lane[1].highest) - 1)
        return m


class Endless(Exp):
    """Loses the mark of a vector's last beat where the lane behind it does not count."""

    def pipeline(self) -> Module:
        m = super().pipeline()
        with m.If(~self.o.payload.valid[1]):
            m.d.comb += self.o.payload.last.eq(0)
        return m


class Remembers(Exp):
    """A beat that is on its way survives a reset."""

    def pipeline(self) -> Module:
        m = super().pipeline()
        beats = [Signal(reset_less=True, name=f"beat_{stage}") for stage in range(self.depth)]
        for before, after in pairwise([self.i.valid, *beats]):
            m.d.sync += after.eq(before)
        m.d.comb += self.o.valid.eq(beats[-1])
        return m


def variants() -> dict[str, Block]:
    """Same ports, one thing wrong."""
    setup = SMALL
    lane = (setup.source, setup.target, setup.segments, setup.lanes, setup.stages)
    return {
        **common_variants(lambda: build(SMALL)),
        "sooner": build(replace(setup, stages=ExpStages(horner_stages=0))),
        "unmasked": Unmasked(*lane),
        "endless": Endless(*lane),
        "not zero": NotZero(*lane),
        "not one": NotOne(*lane),
        "tired": Tired(build(SMALL)),
        "remembers": Remembers(*lane),
        "not saturated": build(replace(setup, target=FixedFormat(9, 8, signed=False))),
        "other table": build(replace(setup, segments=8)),
        "other point": build(replace(setup, source=FixedFormat(9, 3, signed=False))),
    }
