"""Random formats and inputs of attention for properties."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from accelsim.formats import FixedFormat
from accelsim.golden.attention_formats import KEYED, TILED, AttentionFormats
from accelsim.golden.fixed import Codes, Flags, Scale

COLUMNS = 3
WIDE_KEYED = replace(KEYED, array=FixedFormat(40))  # an array that holds tiles of a P as fine as this, too


@dataclass(frozen=True)
class Example:
    """Formats that fit each other, queries, keys, values and valid bits; scores spread over many octaves."""

    formats: AttentionFormats
    q: Codes
    k: Codes
    v: Codes
    scale: Scale
    valid: Flags


@st.composite
def formats(draw: st.DrawFn) -> AttentionFormats:
    """Any formats of scores, P, factors, sums and output that hold what a hundred keys need."""
    fraction = draw(st.integers(4, 20))
    scores = FixedFormat(draw(st.integers(12, 22)), draw(st.integers(4, 12)))
    p = FixedFormat(fraction + draw(st.integers(1, 2)), fraction, draw(st.booleans()))
    points = draw(st.integers(4, 24))
    factors = FixedFormat(points + 2, points, draw(st.booleans()))
    behind = fraction + draw(st.integers(0, 8))
    sums = FixedFormat(behind + 16, behind)
    out = draw(st.integers(0, 15))
    output = FixedFormat(out + draw(st.integers(4, 10)), out)
    return AttentionFormats(
        array=FixedFormat(40),
        scores=scores,
        p=p,
        factors=factors,
        denominator=sums,
        accumulator=sums,
        output=output,
        segments=draw(st.sampled_from([4, 8, 16, 32, 64])),
    )


@st.composite
def examples(draw: st.DrawFn, kinds: st.SearchStrategy[AttentionFormats] | None = None) -> Example:
    chosen = draw(kinds if kinds is not None else st.one_of(st.just(TILED), st.just(WIDE_KEYED), formats()))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, keys, depth = draw(st.integers(1, 4)), draw(st.integers(1, 20)), draw(st.integers(1, 5))
    most = draw(st.sampled_from([3, 20, 128]))
    q, k = rng.integers(-most, most, (rows, depth)), rng.integers(-most, most, (keys, depth))
    v = rng.integers(-128, 127, (keys, COLUMNS), endpoint=True)
    scale = Scale(draw(st.integers(1, 65535)), draw(st.integers(12, 24)))
    valid = rng.random((rows, keys)) < draw(st.sampled_from([0.0, 0.2, 0.8, 1.0]))
    return Example(chosen, q, k, v, scale, valid)
