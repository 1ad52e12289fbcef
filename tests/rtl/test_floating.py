"""Floating point in hardware: all pairs of small formats by fractions, FP32 by the golden model, and proofs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from amaranth.hdl import Const, Module
from amaranth.lib.wiring import In

from accelsim.errors import AccelsimError
from accelsim.formats import BF16, FP32, FloatFormat
from accelsim.golden.fixed import Codes
from accelsim.golden.floating import add, codes_to_singles, multiply, singles_to_codes
from rtl.bench import Case, Device, device, pack, simulate
from rtl.block import Block
from rtl.floating import AdderStages, FloatProduct, FloatSum
from rtl.formal import Claims, prove
from rtl.sim.case import Job
from tests.golden import floats
from tests.rtl.floating import WRONG_SUMS, Lanes, Operations, every_pair
from tests.rtl.rigid import SEED, wrong

NONE, EACH = AdderStages(0, 0, 0, 0), AdderStages()
SMALL = FloatFormat(4, 2)  # exponents that differ by more than a significand has bits
WIDER = FloatFormat(3, 3)
FORMS = {
    "e4m2 sum": Lanes(SMALL, SMALL, EACH),
    "e3m3 sum": Lanes(WIDER, WIDER, AdderStages(0, 1, 0, 0)),
    "e3m2 product": Lanes(FloatFormat(3, 2), FloatFormat(3, 5)),
    "bf16 product": Lanes(BF16, FP32),
    "fp32 sum": Lanes(FP32, FP32, AdderStages(1, 0, 1, 1)),
}
TRIED, WRONG_LANES = "e4m2 sum", 2  # with which wrong sums are found
RANDOM = 1 << 13


def drawn(form: FloatFormat, rng: np.random.Generator) -> Codes:
    """Pairs of codes: exponents near each other, or at the ends; any fractions, or with a single 1; near opposites."""
    size = (2, RANDOM)
    near = form.bias + rng.integers(-form.fraction // 2 - 2, form.fraction // 2 + 3, size)
    ends = rng.choice((0, 1, 2, form.special - 2, form.special - 1, form.special), size)
    exponents = np.where(rng.random(size) < 0.8, near, ends)
    single = 1 << rng.integers(0, form.fraction, size)
    kinds = (rng.integers(0, 1 << form.fraction, size), single, (1 << form.fraction) - single, np.zeros(size, np.int64))
    fractions = np.choose(rng.integers(0, len(kinds), size), kinds)
    found = (rng.integers(0, 2, size) << (form.width - 1)) | (exponents << form.fraction) | fractions
    opposite = (found[0] ^ (1 << (form.width - 1))) ^ single[0]
    found[1] = np.where(rng.random(RANDOM) < 0.1, opposite, found[1])
    return found


def pairs(form: Lanes) -> Codes:
    """All of a small format, some of a large one."""
    rng = np.random.default_rng(SEED)
    return every_pair(form.operand.width) if form.operand.width < 10 else drawn(form.operand, rng)


def results(form: Lanes, given: Codes) -> Codes:
    """By the golden model where there is one, else by fractions."""
    if form.result != FP32:
        a, b = given.tolist()
        if form.stages is None:
            return np.array([floats.product_code(form.operand, form.result, *pair) for pair in zip(a, b, strict=True)])
        return np.array([floats.sum_code(form.result, *pair) for pair in zip(a, b, strict=True)])
    if form.stages is None:
        return singles_to_codes(multiply(*given)).astype(np.int64)
    return singles_to_codes(add(*(codes_to_singles(side) for side in given))).astype(np.int64)


@cache
def job(name: str, lanes: int = 0) -> Job:
    form = replace(FORMS[name], lanes=lanes or FORMS[name].lanes)
    given = pairs(form)
    a, b = given.reshape(2, -1, form.lanes)
    streams = {"i": pack(form.pairs, {"a": a, "b": b})}
    out = {"o": pack(form.results, results(form, given).reshape(-1, form.lanes))}
    return Job(streams, out, form.latency, form.latency + len(a) - 1, len(a))


def case(name: str, one: Job, gap: float = 0.0) -> Case:
    return Case(f"{name} {gap}", name, (one,), 0.0, gap, SEED, rigid=True)


@cache
def devices() -> list[Device]:
    """Right ones of all forms, and wrong sums, in one model."""
    right = [device(f"float_{place}", Operations(form)) for place, form in enumerate(FORMS.values())]
    form = replace(FORMS[TRIED], lanes=WRONG_LANES)
    return [*right, *(device(f"wrong_{place}", Operations(form, kind)) for place, kind in enumerate(WRONG_SUMS))]


@pytest.mark.slow
def test_every_bit() -> None:
    tried = [case(f"float_{place}", job(name), gap) for place, name in enumerate(FORMS) for gap in (0.0, 0.4)]
    assert wrong(simulate(devices(), tried, x_seeds=(1,))) == []


@pytest.mark.slow
def test_every_wrong_sum_is_found() -> None:
    tried = [case(f"wrong_{place}", job(TRIED, WRONG_LANES)) for place in range(len(WRONG_SUMS))]
    found = simulate(devices(), tried, x_seeds=(1,))
    assert [kind.__name__ for kind, result in zip(WRONG_SUMS, found, strict=True) if result.passed] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bf16 product", "fp32 sum"])
def test_large_formats_are_drawn_of_every_kind(name: str) -> None:
    """Results that are NaN, infinite, 0 with either sign; and of sums, opposite operands that lose more than half."""
    form = FORMS[name]
    given = pairs(form)
    found = results(form, given)
    assert np.isin([FP32.nan, 0x7F800000, 0xFF800000, 0, 1 << 31], found).all()
    if form.stages is not None:
        exponents = (np.array([*given, found]) >> FP32.fraction) & FP32.special
        assert (exponents[2] + FP32.fraction // 2 < exponents[:2].max(axis=0)).sum() > 100


# Proofs, over all pairs of FP32.


class Beside(Block):
    """A sum, and that of one of its operands with -0."""

    def __init__(self, form: FloatFormat) -> None:
        self.form = form
        self.sums = [FloatSum(form, NONE) for _ in range(2)]
        super().__init__({"a": In(form.width), "b": In(form.width)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        minus = Const(1 << (self.form.width - 1), self.form.width)
        for place, (unit, other) in enumerate(zip(self.sums, (self.b, minus), strict=True)):
            m.submodules[f"sum_{place}"] = unit
            m.d.comb += [unit.goes.eq(1), unit.a.eq(self.a), unit.b.eq(other)]
        return m


def laws(claims: Claims, block: Block) -> None:
    assert isinstance(block, Beside)
    form = block.form
    plain, same = (unit.sum for unit in block.sums)
    exponent = block.a[form.fraction : -1]
    nan = (exponent == form.special) & block.a[: form.fraction].any()
    zero = exponent == 0
    opposite = block.a ^ (1 << (form.width - 1)) == block.b
    claims.always("minus_zero_is_neutral", nan | zero | (same == block.a))
    claims.always("one_nan", ~nan | (same == form.nan) & (plain == form.nan))
    claims.always("no_subnormals", (plain[form.fraction : -1] != 0) | (plain[: form.fraction] == 0))
    claims.always("opposites_cancel", ~opposite | (exponent == form.special) | (plain == 0))
    claims.reached("is_tiny", (plain == 0) & ~opposite & ~zero)
    claims.reached("is_infinite", (plain == form.special << form.fraction) & (exponent != form.special))


@pytest.mark.slow
def test_laws_of_sums_hold_for_all_pairs() -> None:
    assert prove(Beside(FP32), laws, 1).holds
    assert prove(Beside(FP32), laws, 1, "cover").holds


def test_a_product_that_would_round_is_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^fraction of a product: must be at least 15 bits, got "14"$'):
        FloatProduct(BF16, FloatFormat(8, 14))
